//! What an account under pending marks is: a birth that goes on, one that died, or something else.
//! Pure; the clock is the platform's, as it was read.

use crate::model::{Birth, LiveAccount, Marks, RoleSet, birth_roles_only};

/// How long an account may be pending before another run takes its birth for dead.
pub const PENDING_LEASE: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// What an account under pending marks is.
pub(super) enum Pending {
    /// Its birth may be under way until then.
    Young(jiff::Timestamp),
    /// Its birth died, and nothing of worth is lost with it.
    Dead,
    /// It is no birth of ours, or more than that; a fragment says why.
    Strange(String),
}

/// When the lease of a pending account ends, if it has not ended yet. Without a creation time
/// nobody can tell, and the account is left alone for a lease from the birth that its marks name.
fn young(account: &LiveAccount, birth: &Birth, now: jiff::Timestamp) -> Option<jiff::Timestamp> {
    let end = account
        .created_at
        .unwrap_or(birth.since)
        .saturating_add(PENDING_LEASE)
        .unwrap_or(now);
    (end > now).then_some(end)
}

/// Judges an account under pending marks that are believed. Its marks may have been copied here from
/// another account, so only what a birth makes is taken for one: an account as old as its marks, without
/// power, unused, unprotected. `protected` says that it is declared as one that must not be deleted,
/// `dead` that whoever runs this knows its run to be dead, so that no lease is waited for; all else holds.
pub(super) fn pending(
    account: &LiveAccount,
    marks: &Marks,
    birth: &Birth,
    wanted: &RoleSet,
    protected: bool,
    dead: bool,
    now: jiff::Timestamp,
) -> Pending {
    let strange = |why: String| Pending::Strange(why);
    if let Some(created) = account.created_at
        && created.duration_since(birth.since).abs() > PENDING_LEASE
    {
        return strange(format!(
            "it was created at {created}, and its marks name a birth at {}",
            birth.since
        ));
    }
    if !dead && let Some(until) = young(account, birth, now) {
        return Pending::Young(until);
    }
    if account.created_at.is_none() {
        return strange("the platform does not tell when it was created".to_owned());
    }
    if marks.protected {
        return strange("it is protected".to_owned());
    }
    if account.last_used.is_some() {
        return strange("its key has been used".to_owned());
    }
    if protected && !account.roles.is_empty() {
        return strange("it has roles, and is declared as one that must not be deleted".to_owned());
    }
    if !birth_roles_only(&account.roles, wanted) {
        let roles: Vec<&str> = account
            .roles
            .iter()
            .map(crate::model::Role::short)
            .collect();
        return strange(format!("it has roles: {}", roles.join(", ")));
    }
    Pending::Dead
}
