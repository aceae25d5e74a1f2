//! People: memberships, invitations, and what a user keeps for themselves.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    core::{Caller, Core, find_scope},
    ids,
    roles::Permission,
    status::Status,
    store::{User, iam},
};

use super::{
    Page, PageRequest, audit, grants,
    objects::{self, Kind, Stored},
};

/// Replaces the roles of a member; none removes the member.
pub(crate) fn set_membership(
    core: &Core,
    caller: &Caller,
    scope_mrn: &str,
    user: &str,
    roles: Vec<String>,
) -> Result<(), Status> {
    grants::set(core, caller, scope_mrn, vec![(user.to_owned(), roles)]).map(drop)
}

/// The caller gives up all roles on a scope.
pub(crate) fn leave(core: &Core, caller: &Caller, scope_mrn: &str) -> Result<(), Status> {
    core.store.write(|t| {
        let scope = find_scope(t, scope_mrn)?;
        let own = &caller.identity.mrn;
        if iam::roles(t, &scope.mrn, own, None)?.is_empty() {
            return Err(Status::not_found("membership", own));
        }
        let action = "mondoo.captain.Captain.LeaveScope";
        audit::record(t, caller, &scope, action, own, "left")?;
        let moment = core.write_moment(caller.now);
        Ok(iam::set_roles(t, &scope.mrn, own, &[], moment)?)
    })
}

/// An invitation to a scope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Invitation {
    pub(crate) sender: String,
    pub(crate) sender_email: Option<String>,
    pub(crate) invitee_mrn: Option<String>,
    pub(crate) invitee_email: Option<String>,
    pub(crate) roles: Vec<String>,
    /// Milliseconds.
    pub(crate) expires_at: Option<i64>,
    pub(crate) message: Option<String>,
    pub(crate) state: InvitationState,
}

/// How far an invitation came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum InvitationState {
    Pending,
    Accepted,
    Declined,
    Canceled,
}

impl Kind for Invitation {
    const KIND: &'static str = "invitation";
    const WHAT: &'static str = "invitation";
}

/// An invitation to be made.
pub(crate) struct NewInvitation {
    pub(crate) resource_mrn: String,
    pub(crate) invitee_mrn: Option<String>,
    pub(crate) invitee_email: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) expires_at: Option<String>,
    pub(crate) message: Option<String>,
}

/// Invites somebody, with roles that the caller may grant.
pub(crate) fn invite(
    core: &Core,
    caller: &Caller,
    new: NewInvitation,
) -> Result<Stored<Invitation>, Status> {
    core.store.write(|t| {
        let (scope, authority) = caller.require(t, &new.resource_mrn, Permission::SetRoles)?;
        let roles = grants::check(authority, new.roles)?;
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (invitee_mrn, invitee_email) = (text(new.invitee_mrn), text(new.invitee_email));
        if invitee_mrn.is_some() == invitee_email.is_some() {
            return Err(Status::invalid(
                "either inviteeMrn or inviteeEmail is required",
            ));
        }
        let expires_at = match text(new.expires_at) {
            None => None,
            Some(text) => {
                let time: Timestamp = text
                    .parse()
                    .map_err(|_| Status::invalid(format!("expiresAt {text:?} is not RFC 3339")))?;
                Some(time.as_millisecond())
            }
        };
        let mrn = format!("{}/invitations/{}", scope.mrn, ids::new_ksuid(caller.now)?);
        let invitation = Invitation {
            sender: caller.identity.mrn.clone(),
            sender_email: User::find(t, &caller.identity.mrn)?.map(|user| user.email),
            invitee_mrn,
            invitee_email: invitee_email.map(|email| email.to_lowercase()),
            roles,
            expires_at,
            message: new.message,
            state: InvitationState::Pending,
        };
        let stored = Stored::new(caller, &scope.mrn, mrn, invitation);
        stored.put(t)?;
        let action = "mondoo.captain.Captain.CreateInvitation";
        audit::record(t, caller, &scope, action, &stored.mrn, "invited")?;
        Ok(stored)
    })
}

/// What is to become of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accept,
    Decline,
    Cancel,
    Resend,
}

/// Answers an invitation: the invited person accepts or declines it, whoever may invite cancels or
/// sends it again.
pub(crate) fn answer(
    core: &Core,
    caller: &Caller,
    mrn: &str,
    answer: Answer,
) -> Result<(), Status> {
    core.store.write(|t| {
        let mut stored: Stored<Invitation> = Stored::find(t, mrn)?;
        let scope = find_scope(t, stored.scope()?)?;
        match answer {
            Answer::Accept | Answer::Decline => {
                let email = User::find(t, &caller.identity.mrn)?.map(|user| user.email);
                let value = &stored.value;
                let invited = value.invitee_mrn.as_ref() == Some(&caller.identity.mrn)
                    || (email.is_some() && value.invitee_email == email);
                if !invited {
                    return Err(Status::denied());
                }
            }
            Answer::Cancel | Answer::Resend => {
                caller.require(t, &scope.mrn, Permission::SetRoles)?;
            }
        }
        let expired = stored
            .value
            .expires_at
            .is_some_and(|end| end <= caller.now.as_millisecond());
        if stored.value.state != InvitationState::Pending || expired {
            return Err(Status::precondition("the invitation is not pending"));
        }
        let (state, method) = match answer {
            Answer::Accept => (InvitationState::Accepted, "AcceptInvitation"),
            Answer::Decline => (InvitationState::Declined, "DeclineInvitation"),
            Answer::Cancel => (InvitationState::Canceled, "CancelInvitation"),
            Answer::Resend => (InvitationState::Pending, "ResendInvitation"),
        };
        if answer == Answer::Accept {
            let own = &caller.identity.mrn;
            let mut roles = iam::roles(t, &scope.mrn, own, None)?;
            roles.extend(stored.value.roles.iter().cloned());
            roles.sort();
            roles.dedup();
            iam::set_roles(t, &scope.mrn, own, &roles, core.write_moment(caller.now))?;
        }
        stored.value.state = state;
        stored.put(t)?;
        let action = format!("mondoo.captain.Captain.{method}");
        audit::record(t, caller, &scope, &action, mrn, "answered invitation")
    })
}

/// The invitations to a scope, or those of an identity; the caller sees the own ones.
pub(crate) fn invitations(
    core: &Core,
    caller: &Caller,
    resource_mrn: Option<String>,
    invitee_mrn: Option<String>,
    descending: bool,
    page: &PageRequest,
) -> Result<(Page<Stored<Invitation>>, usize), Status> {
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    core.store.read(|c| {
        let all = match (text(resource_mrn), text(invitee_mrn)) {
            (Some(scope), _) => {
                caller.require(c, &scope, Permission::SetRoles)?;
                Stored::<Invitation>::of_scope(c, &scope)?
            }
            (None, Some(invitee)) => {
                if invitee != caller.identity.mrn {
                    return Err(Status::denied());
                }
                let email = User::find(c, &invitee)?.map(|user| user.email);
                let mut all = Stored::<Invitation>::all(c)?;
                all.retain(|i| {
                    i.value.invitee_mrn.as_ref() == Some(&invitee)
                        || (email.is_some() && i.value.invitee_email == email)
                });
                all
            }
            (None, None) => {
                return Err(Status::invalid("resourceMrn or inviteeMrn is required"));
            }
        };
        let total = all.len();
        let by = |i: &Stored<Invitation>| format!("{:020}", i.created_at);
        let page = objects::page(all, by, descending, page, core.quirks.page_cap)?;
        Ok((page, total))
    })
}

/// Something that a user keeps: a setting, or the public half of an SSH key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Kind for Kept {
    const KIND: &'static str = "kept_by_user";
    const WHAT: &'static str = "setting";
}

/// What the caller keeps of a sort, by name.
pub(crate) fn kept(core: &Core, caller: &Caller, sort: &str) -> Result<Vec<Kept>, Status> {
    core.store.read(|c| {
        let all = Stored::<Kept>::by_key(c, &format!("{sort} {}", caller.identity.mrn))?;
        Ok(all.into_iter().map(|stored| stored.value).collect())
    })
}

/// Keeps something for the caller, or with no value drops it; whether it was there.
pub(crate) fn keep(
    core: &Core,
    caller: &Caller,
    sort: &str,
    name: &str,
    value: Option<&str>,
) -> Result<bool, Status> {
    core.store.write(|t| {
        let own = &caller.identity.mrn;
        let stored = Stored {
            mrn: format!("{own} {sort} {name}"),
            scope_mrn: None,
            parent: None,
            key: format!("{sort} {own}"),
            created_at: caller.now.as_millisecond(),
            value: Kept {
                name: name.to_owned(),
                value: value.unwrap_or_default().to_owned(),
            },
        };
        let there = Stored::<Kept>::look_up(t, &stored.mrn)?.is_some();
        match value {
            Some(_) => stored.put(t)?,
            None => stored.remove(t)?,
        }
        Ok(there)
    })
}

/// The caller as a user. API tokens and service accounts are none (source: Mondoo's samples, "need
/// user permissions, not possible with api token").
pub(crate) fn user(core: &Core, caller: &Caller) -> Result<User, Status> {
    core.store
        .read(|c| User::find(c, &caller.identity.mrn)?.ok_or_else(Status::denied))
}

/// Changes the caller's own name.
pub(crate) fn rename(core: &Core, caller: &Caller, name: &str) -> Result<User, Status> {
    let mut user = user(core, caller)?;
    name.clone_into(&mut user.name);
    core.store.write(|t| {
        user.rename(t)?;
        Ok(user)
    })
}
