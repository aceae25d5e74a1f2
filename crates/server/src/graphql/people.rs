//! Memberships, invitations, and what belongs to the caller as a user.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use crate::{
    hash::{hex, sha256},
    ids,
    service::{
        PageRequest,
        objects::Stored,
        people::{self, Answer, NewInvitation},
    },
    status::Status,
    store,
};

use super::{
    context::{caller_of, core_of},
    inputs::{OrderDirection, RoleInput},
    leaves::{KeyValue, SshKey, connection},
    members::User,
};

#[derive(InputObject)]
struct SetOrganizationMembershipInput {
    org_mrn: String,
    user_mrn: String,
    roles: Vec<RoleInput>,
}

#[derive(InputObject)]
struct SetSpaceMembershipInput {
    space_mrn: String,
    user_mrn: String,
    roles: Vec<RoleInput>,
}

#[derive(InputObject)]
struct RemoveOrganizationMembershipInput {
    org_mrn: String,
    user_mrn: String,
}

#[derive(InputObject)]
struct RemoveSpaceMembershipInput {
    space_mrn: String,
    user_mrn: String,
}

#[derive(InputObject)]
struct LeaveScopeInput {
    scope_mrn: String,
}

#[derive(InputObject)]
struct CreateInvitationInput {
    resource_mrn: String,
    invitee_mrn: Option<String>,
    invitee_email: Option<String>,
    role_mrn: Option<String>,
    role_mrns: Option<Vec<String>>,
    expires_at: Option<String>,
    message: Option<String>,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum InvitationOrderField {
    Created,
}

#[derive(InputObject)]
struct InvitationOrder {
    direction: OrderDirection,
    field: InvitationOrderField,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "people::InvitationState")]
pub(crate) enum InvitationState {
    Pending,
    Accepted,
    Declined,
    Canceled,
}

#[derive(SimpleObject)]
pub(crate) struct Invitation {
    mrn: ID,
    resource_mrn: Option<String>,
    sender_email: Option<String>,
    invitee_email: Option<String>,
    role_mrn: Option<String>,
    role_mrns: Option<Vec<String>>,
    expires_at: Option<String>,
    message: Option<String>,
    state: Option<InvitationState>,
}

impl Invitation {
    fn of(stored: Stored<people::Invitation>) -> Self {
        let people::Invitation {
            sender: _,
            sender_email,
            invitee_mrn: _,
            invitee_email,
            roles,
            expires_at,
            message,
            state,
        } = stored.value;
        Self {
            mrn: ID(stored.mrn),
            resource_mrn: stored.scope_mrn,
            sender_email,
            invitee_email,
            role_mrn: roles.first().cloned(),
            role_mrns: Some(roles),
            expires_at: expires_at.map(ids::rfc3339),
            message,
            state: Some(state.into()),
        }
    }
}

connection!(InvitationConnection, InvitationEdge, Invitation);

#[derive(InputObject)]
struct UpdateUserInput {
    name: String,
}

#[derive(SimpleObject)]
struct UpdateUserPayload {
    user: Option<User>,
}

#[derive(InputObject)]
#[graphql(name = "AddSSHKeyRequest")]
struct AddSshKeyRequest {
    mrn: String,
    content: String,
}

#[derive(InputObject)]
#[graphql(name = "DeleteSSHKeyRequest")]
struct DeleteSshKeyRequest {
    mrn: String,
    fingerprint: String,
}

#[derive(SimpleObject)]
#[graphql(name = "SSHKeyPayload")]
struct SshKeyPayload {
    success: Option<bool>,
}

const SETTING: &str = "setting";
const SSH_KEY: &str = "sshkey";

/// The caller's SSH keys, if the caller is a user.
pub(crate) fn ssh_keys(context: &Context<'_>) -> Result<Vec<SshKey>> {
    let (core, caller) = (core_of(context)?, caller_of(context)?);
    people::user(core, caller)?;
    let kept = people::kept(core, caller, SSH_KEY)?;
    let key = |kept: people::Kept| SshKey {
        fingerprint: Some(kept.name),
        content: Some(kept.value),
    };
    Ok(kept.into_iter().map(key).collect())
}

fn own(context: &Context<'_>, mrn: &str) -> Result<()> {
    let user = people::user(core_of(context)?, caller_of(context)?)?;
    if user.mrn == mrn {
        Ok(())
    } else {
        Err(Status::denied().into())
    }
}

fn shown(user: store::User) -> UpdateUserPayload {
    UpdateUserPayload {
        user: Some(User::of(user)),
    }
}

#[derive(Default)]
pub(crate) struct Query;

#[Object(name = "PeopleQueryPart")]
impl Query {
    async fn viewer_settings(&self, context: &Context<'_>) -> Result<Option<Vec<KeyValue>>> {
        let kept = people::kept(core_of(context)?, caller_of(context)?, SETTING)?;
        let pair = |kept: people::Kept| KeyValue {
            key: kept.name,
            value: Some(kept.value),
        };
        Ok(Some(kept.into_iter().map(pair).collect()))
    }

    async fn invitations(
        &self,
        context: &Context<'_>,
        resource_mrn: Option<String>,
        invitee_mrn: Option<String>,
        first: Option<i32>,
        after: Option<String>,
        order_by: Option<InvitationOrder>,
    ) -> Result<Option<InvitationConnection>> {
        let descending = match order_by {
            Some(InvitationOrder {
                direction,
                field: InvitationOrderField::Created,
            }) => direction == OrderDirection::Desc,
            None => false,
        };
        let (page, total) = people::invitations(
            core_of(context)?,
            caller_of(context)?,
            resource_mrn,
            invitee_mrn,
            descending,
            &PageRequest { first, after },
        )?;
        Ok(Some(InvitationConnection::of(page, total, Invitation::of)))
    }
}

#[derive(Default)]
pub(crate) struct Mutation;

#[Object(name = "PeopleMutationPart")]
impl Mutation {
    async fn set_organization_membership(
        &self,
        context: &Context<'_>,
        input: SetOrganizationMembershipInput,
    ) -> Result<Option<bool>> {
        let SetOrganizationMembershipInput {
            org_mrn,
            user_mrn,
            roles,
        } = input;
        membership(context, &org_mrn, &user_mrn, roles)
    }

    async fn remove_organization_membership(
        &self,
        context: &Context<'_>,
        input: RemoveOrganizationMembershipInput,
    ) -> Result<Option<bool>> {
        let RemoveOrganizationMembershipInput { org_mrn, user_mrn } = input;
        membership(context, &org_mrn, &user_mrn, Vec::new())
    }

    async fn set_space_membership(
        &self,
        context: &Context<'_>,
        input: SetSpaceMembershipInput,
    ) -> Result<Option<bool>> {
        let SetSpaceMembershipInput {
            space_mrn,
            user_mrn,
            roles,
        } = input;
        membership(context, &space_mrn, &user_mrn, roles)
    }

    async fn remove_space_membership(
        &self,
        context: &Context<'_>,
        input: RemoveSpaceMembershipInput,
    ) -> Result<Option<bool>> {
        let RemoveSpaceMembershipInput {
            space_mrn,
            user_mrn,
        } = input;
        membership(context, &space_mrn, &user_mrn, Vec::new())
    }

    async fn leave_scope(
        &self,
        context: &Context<'_>,
        input: LeaveScopeInput,
    ) -> Result<Option<bool>> {
        people::leave(core_of(context)?, caller_of(context)?, &input.scope_mrn)?;
        Ok(Some(true))
    }

    async fn create_invitation(
        &self,
        context: &Context<'_>,
        input: CreateInvitationInput,
    ) -> Result<Option<Invitation>> {
        let CreateInvitationInput {
            resource_mrn,
            invitee_mrn,
            invitee_email,
            role_mrn,
            role_mrns,
            expires_at,
            message,
        } = input;
        let role_mrn = role_mrn.filter(|role| !role.is_empty());
        let roles = match (role_mrn, role_mrns) {
            (Some(_), Some(_)) => {
                return Err(Status::invalid("either roleMrn or roleMrns, not both").into());
            }
            (Some(role), None) => vec![role],
            (None, roles) => roles.unwrap_or_default(),
        };
        let new = NewInvitation {
            resource_mrn,
            invitee_mrn,
            invitee_email,
            roles,
            expires_at,
            message,
        };
        let made = people::invite(core_of(context)?, caller_of(context)?, new)?;
        Ok(Some(Invitation::of(made)))
    }

    async fn accept_invitation(
        &self,
        context: &Context<'_>,
        invitation_mrn: ID,
    ) -> Result<Option<bool>> {
        answer(context, &invitation_mrn, Answer::Accept)
    }

    async fn decline_invitation(
        &self,
        context: &Context<'_>,
        invitation_mrn: ID,
    ) -> Result<Option<bool>> {
        answer(context, &invitation_mrn, Answer::Decline)
    }

    async fn cancel_invitation(
        &self,
        context: &Context<'_>,
        invitation_mrn: ID,
    ) -> Result<Option<bool>> {
        answer(context, &invitation_mrn, Answer::Cancel)
    }

    async fn resend_invitation(
        &self,
        context: &Context<'_>,
        invitation_mrn: ID,
    ) -> Result<Option<bool>> {
        answer(context, &invitation_mrn, Answer::Resend)
    }

    async fn update_user(
        &self,
        context: &Context<'_>,
        input: UpdateUserInput,
    ) -> Result<Option<UpdateUserPayload>> {
        let user = people::rename(core_of(context)?, caller_of(context)?, &input.name)?;
        Ok(Some(shown(user)))
    }

    async fn activate_user_in_region(
        &self,
        context: &Context<'_>,
    ) -> Result<Option<UpdateUserPayload>> {
        let user = people::user(core_of(context)?, caller_of(context)?)?;
        Ok(Some(shown(user)))
    }

    async fn change_viewer_setting(
        &self,
        context: &Context<'_>,
        key: String,
        value: String,
    ) -> Result<Option<bool>> {
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        people::keep(core, caller, SETTING, &key, Some(&value))?;
        Ok(Some(true))
    }

    #[graphql(name = "addSSHKey")]
    async fn add_ssh_key(
        &self,
        context: &Context<'_>,
        input: AddSshKeyRequest,
    ) -> Result<Option<SshKeyPayload>> {
        let AddSshKeyRequest { mrn, content } = input;
        own(context, &mrn)?;
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let fingerprint = hex(&sha256(content.trim().as_bytes()));
        people::keep(core, caller, SSH_KEY, &fingerprint, Some(&content))?;
        Ok(Some(SshKeyPayload {
            success: Some(true),
        }))
    }

    #[graphql(name = "deleteSSHKey")]
    async fn delete_ssh_key(
        &self,
        context: &Context<'_>,
        input: DeleteSshKeyRequest,
    ) -> Result<Option<SshKeyPayload>> {
        let DeleteSshKeyRequest { mrn, fingerprint } = input;
        own(context, &mrn)?;
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let there = people::keep(core, caller, SSH_KEY, &fingerprint, None)?;
        Ok(Some(SshKeyPayload {
            success: Some(there),
        }))
    }
}

fn membership(
    context: &Context<'_>,
    scope: &str,
    user: &str,
    roles: Vec<RoleInput>,
) -> Result<Option<bool>> {
    let roles = roles.into_iter().map(|role| role.mrn).collect();
    people::set_membership(core_of(context)?, caller_of(context)?, scope, user, roles)?;
    Ok(Some(true))
}

fn answer(context: &Context<'_>, mrn: &str, answer: Answer) -> Result<Option<bool>> {
    people::answer(core_of(context)?, caller_of(context)?, mrn, answer)?;
    Ok(Some(true))
}
