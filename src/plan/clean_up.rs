//! Accounts that the platform may remove by itself, since nobody uses them.
//! Pure. A plan shows it and rests nothing on it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Action, Plan};
use crate::model::{
    Address, CLEAN_UP_DAYS, CleanUp, Inventory, Live, LiveAccount, Mrn, Scope, SpaceId, by_block,
};

/// A space is asked about once an account in it was not used for so many days: half of the time
/// after which it is removed where nobody has set another.
const WATCHED_DAYS: u32 = CLEAN_UP_DAYS / 2;
/// How many accounts of one space are told one by one.
const TOLD: usize = 5;

/// The spaces in which an account may be removed for want of use.
#[derive(Debug)]
pub struct Unused {
    now: Timestamp,
    spaces: BTreeMap<SpaceId, InSpace>,
}

#[derive(Debug, Default)]
struct InSpace {
    creates: bool,
    idle: Vec<Idle>,
}

/// An account, and since when it was not used.
#[derive(Debug)]
struct Idle {
    since: Timestamp,
    address: Address,
    /// Whether `since` is a use; otherwise it is the account's creation.
    used: bool,
}

impl Unused {
    /// Looks at the accounts that will be this stack's after the plan. The caller's own is in use,
    /// and of one whose times the platform does not tell nothing can be said.
    pub fn of(plan: &Plan, live: &Live, inventory: &Inventory) -> Self {
        let mut spaces: BTreeMap<SpaceId, InSpace> = BTreeMap::new();
        for change in &plan.changes {
            if let (Action::Create | Action::Rotate, Scope::Space(space)) =
                (change.action, &change.scope)
            {
                spaces.entry(space.clone()).or_default().creates = true;
            }
        }
        for (address, account) in kept(plan, live, inventory) {
            let since = account.last_used.or(account.created_at);
            if let (Scope::Space(space), Some(since)) = (&account.scope, since) {
                spaces.entry(space.clone()).or_default().idle.push(Idle {
                    since,
                    address,
                    used: account.last_used.is_some(),
                });
            }
        }
        let now = live.facts.now;
        for found in spaces.values_mut() {
            found
                .idle
                .sort_by(|a, b| (a.since, &a.address).cmp(&(b.since, &b.address)));
        }
        let watched = days(WATCHED_DAYS);
        spaces.retain(|_, found| {
            let longest = found.idle.first();
            found.creates || longest.is_some_and(|idle| now.duration_since(idle.since) >= watched)
        });
        Self { now, spaces }
    }

    /// The spaces to ask about.
    pub fn spaces(&self) -> Vec<SpaceId> {
        self.spaces.keys().cloned().collect()
    }

    /// What the answers mean: a sentence for each space that removes accounts, and one for all of
    /// which nobody knows.
    pub fn advice(&self, answers: &BTreeMap<SpaceId, Result<CleanUp, String>>) -> Vec<String> {
        let mut advice = Vec::new();
        let mut unknown = Vec::new();
        for (space, found) in &self.spaces {
            match answers.get(space) {
                Some(Ok(CleanUp::Off)) | None => {}
                Some(Ok(CleanUp::After(days))) => {
                    advice.extend(self.sentence(space, found, *days));
                }
                Some(Err(why)) => unknown.push((space, why)),
            }
        }
        if let Some((first, why)) = unknown.first() {
            let more = match unknown.len() - 1 {
                0 => String::new(),
                1 => " and 1 other space".to_owned(),
                more => format!(" and {more} other spaces"),
            };
            advice.push(format!(
                "not verified whether {}{more} removes service accounts that are not used, as \
                 spaces do after {CLEAN_UP_DAYS} days unless their settings say otherwise: {why}",
                Scope::Space((*first).clone())
            ));
        }
        advice
    }

    fn sentence(&self, space: &SpaceId, found: &InSpace, after: u32) -> Option<String> {
        let half = days(after) / 2;
        let close = |idle: &&Idle| self.now.duration_since(idle.since) >= half;
        let close: Vec<&Idle> = found.idle.iter().filter(close).collect();
        if close.is_empty() && !found.creates {
            return None;
        }
        let mut parts: Vec<String> = close
            .iter()
            .take(TOLD)
            .map(|idle| self.due(idle, after))
            .collect();
        if close.len() > TOLD {
            let later: Vec<String> = close[TOLD..]
                .iter()
                .map(|i| i.address.to_string())
                .collect();
            parts.push(format!(
                "{} more are due later ({})",
                later.len(),
                by_block(later.iter().map(String::as_str))
            ));
        }
        if found.creates {
            parts.push(format!(
                "a new account must be used within {}",
                in_days(after)
            ));
        }
        Some(format!(
            "by its settings, {} removes service accounts that are not used for {}: {}",
            Scope::Space(space.clone()),
            in_days(after),
            parts.join("; ")
        ))
    }

    fn due(&self, idle: &Idle, after: u32) -> String {
        let Idle {
            since,
            address,
            used,
        } = idle;
        let how = if *used {
            "was last used on"
        } else {
            "was not used since it was created on"
        };
        let due = since.checked_add(days(after)).unwrap_or(Timestamp::MAX);
        let is = if due > self.now { "is" } else { "was" };
        format!(
            "{address} {how} {} and {is} due on {}",
            since.strftime("%F"),
            due.strftime("%F")
        )
    }
}

/// The live accounts that are this stack's after the plan, but the caller's own.
fn kept<'a>(
    plan: &'a Plan,
    live: &'a Live,
    inventory: &'a Inventory,
) -> Vec<(Address, &'a LiveAccount)> {
    let caller = &live.facts.caller;
    let changes = plan.changes.iter();
    let changed: BTreeMap<&Mrn, (Action, &Address)> = changes
        .filter_map(|change| Some((change.account.as_ref()?, (change.action, &change.address))))
        .collect();
    inventory
        .beside(live)
        .filter(|(account, _)| !caller.owns(&account.mrn))
        .filter_map(|(account, entry)| {
            let address = match changed.get(&account.mrn) {
                Some((Action::Delete | Action::Forget, _)) => None,
                Some((_, address)) => Some(*address),
                None => entry.custody.address(),
            };
            Some((address?.clone(), account))
        })
        .collect()
}

fn days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

fn in_days(days: u32) -> String {
    match days {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests;
