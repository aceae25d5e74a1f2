//! Service accounts: create, read, list, update, delete.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    core::{Caller, Core},
    credential::Credential,
    ids, keys,
    quirks::{
        DescriptionClear, DescriptionOnUpdate, EmptyDescription, EmptyRoles, EqualNames,
        LabelsOmitted, LabelsOnCreate, LabelsOnUpdate, TemporaryCreator,
    },
    roles::{self, Authority, Permission},
    status::Status,
    store::{
        Account, AccountFilter, AccountSort, Label, Scope, SortField, SortKey, Token, User, iam,
    },
};

use super::{Batch, Page, PageRequest, audit, cursor, grants};

/// An account with what is looked up beside its row.
#[derive(Clone, Debug)]
pub(crate) struct AccountView {
    pub(crate) account: Account,
    /// The roles bound on the account's own scope.
    pub(crate) roles: Vec<String>,
    /// The email of the creator, if that is a user.
    pub(crate) creator_email: Option<String>,
}

fn view(
    core: &Core,
    connection: &Connection,
    mut account: Account,
    as_of: Option<i64>,
) -> Result<AccountView, Status> {
    if core.quirks.temporary_creator == TemporaryCreator::Untold {
        account.creator.take_if(|creator| ids::is_binding(creator));
    }
    let roles = iam::roles(connection, &account.scope_mrn, &account.mrn, as_of)?;
    let creator_email = match &account.creator {
        Some(creator) => User::find(connection, creator)?.map(|user| user.email),
        None => None,
    };
    Ok(AccountView {
        account,
        roles,
        creator_email,
    })
}

/// Reads one account. An account may always read itself.
pub(crate) fn read(core: &Core, caller: &Caller, mrn: &str) -> Result<AccountView, Status> {
    core.store.read(|c| {
        require_account(c, caller, mrn, Permission::ReadAccounts)?;
        let as_of = caller.read_as_of(core);
        let account = Account::find(c, mrn, as_of)?
            .ok_or_else(|| Status::not_found("service account", mrn))?;
        view(core, c, account, as_of)
    })
}

/// Checks the right on the scope that an account's MRN lies in.
fn require_account(
    connection: &Connection,
    caller: &Caller,
    mrn: &str,
    permission: Permission,
) -> Result<(), Status> {
    if permission == Permission::ReadAccounts && mrn == caller.identity.mrn {
        return Ok(());
    }
    let scope = ids::scope_of_account(mrn)
        .ok_or_else(|| Status::invalid(format!("invalid service account mrn {mrn:?}")))?;
    caller.require(connection, &scope, permission).map(|_| ())
}

/// A listing that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) scope_mrn: Option<String>,
    pub(crate) space_mrn: Option<String>,
    pub(crate) terms: Vec<String>,
    pub(crate) sort: Option<AccountSort>,
    pub(crate) page: PageRequest,
}

/// A cursor of an account listing; it is good for the order it was made in.
#[derive(Serialize, Deserialize)]
struct AccountCursor {
    sort: AccountSort,
    key: SortKey,
    id: String,
}

/// A description or notes, as the platform answers them.
pub(crate) fn shown<'a>(core: &Core, text: &'a str) -> Option<&'a str> {
    let absent = core.quirks.empty_description == EmptyDescription::Null && text.is_empty();
    (!absent).then_some(text)
}

/// Lists a scope's accounts; also gives the filter, by which they may be counted.
pub(crate) fn list(
    core: &Core,
    caller: &Caller,
    listing: Listing,
) -> Result<(Page<AccountView>, AccountFilter), Status> {
    core.store.read(|c| {
        // `spaceMrn` is the older argument; `scopeMrn` wins where both are sent.
        let present = |mrn: Option<String>| mrn.filter(|mrn| !mrn.is_empty());
        let scope_mrn = present(listing.scope_mrn)
            .or_else(|| present(listing.space_mrn))
            .ok_or_else(|| Status::invalid("scopeMrn is required"))?;
        let (scope, _) = caller.require(c, &scope_mrn, Permission::ReadAccounts)?;
        let sort = listing.sort.unwrap_or(AccountSort {
            field: SortField::Id,
            descending: false,
        });
        let limit = listing.page.limit(core.quirks.page_cap)?;
        let after: Option<AccountCursor> = listing.page.cursor()?;
        if after.as_ref().is_some_and(|place| place.sort != sort) {
            return Err(Status::invalid("invalid cursor"));
        }
        let filter = AccountFilter {
            with_spaces: core.quirks.org_listing_includes_spaces && scope.mrn == scope.org_mrn,
            without: caller.unreadable(c, &scope_mrn)?,
            scope_mrn,
            terms: listing.terms,
            as_of: caller.read_as_of(core),
        };
        let start = after.as_ref().map(|place| (&place.key, place.id.as_str()));
        let rows = Account::page(c, &filter, sort, start, limit + 1)?;
        let page = Page::cut(rows, limit, after.is_some(), |account| {
            cursor(&AccountCursor {
                sort,
                key: account.sort_key(sort.field),
                id: account.id.clone(),
            })
        })?;
        let items = page
            .items
            .into_iter()
            .map(|(cursor, account)| Ok((cursor, view(core, c, account, filter.as_of)?)))
            .collect::<Result<Vec<_>, Status>>()?;
        Ok((
            Page {
                items,
                has_next: page.has_next,
                has_previous: page.has_previous,
            },
            filter,
        ))
    })
}

/// How many accounts a listing has on all its pages.
pub(crate) fn count(core: &Core, filter: &AccountFilter) -> Result<i32, Status> {
    core.store.read(|c| Ok(Account::count(c, filter)?))
}

/// An account to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewAccount {
    pub(crate) scope_mrn: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) labels: Vec<Label>,
    pub(crate) roles: Vec<String>,
    pub(crate) valid_until: Option<String>,
}

/// Creates an account with a key of its own, which is in the answer and nowhere else.
pub(crate) fn create(core: &Core, caller: &Caller, new: NewAccount) -> Result<Credential, Status> {
    core.store.write(|t| {
        let (scope, authority) = caller.require(t, &new.scope_mrn, Permission::ManageAccounts)?;
        let roles = roles_of_new(core, authority, new.roles)?;
        let valid_until = new.valid_until.filter(|text| !text.is_empty());
        let valid_until = valid_until
            .map(|text| {
                text.parse::<Timestamp>()
                    .map_err(|_| Status::invalid(format!("validUntil {text:?} is not RFC 3339")))
            })
            .transpose()?;
        if valid_until.is_some_and(|end| end <= caller.now) {
            return Err(Status::invalid("validUntil is in the past"));
        }
        let labels = match core.quirks.labels_on_create {
            LabelsOnCreate::Keep => unique(new.labels),
            LabelsOnCreate::Drop => Vec::new(),
        };
        check_labels(core, &labels)?;
        check_name(core, t, &scope.mrn, &new.name, None)?;
        let id = ids::new_ksuid(caller.now)?;
        let account = Account {
            mrn: ids::account_mrn(&scope.mrn, &id),
            id,
            name: new.name,
            description: new.description,
            labels,
            creator: Some(caller.identity.mrn.clone()),
            valid_until: valid_until.map(Timestamp::as_millisecond),
            ..blank(&scope, caller.now)
        };
        let credential = issue(core, t, account, caller.now)?.1;
        let moment = core.write_moment(caller.now);
        iam::set_roles(t, &scope.mrn, &credential.mrn, &roles, moment)?;
        audit::record(
            t,
            caller,
            &scope,
            "mondoo.agents.AgentManager.CreateServiceAccount",
            &credential.mrn,
            "created service account",
        )?;
        Ok(credential)
    })
}

/// An account without anything but its place and age.
pub(crate) fn blank(scope: &Scope, now: Timestamp) -> Account {
    Account {
        mrn: String::new(),
        id: String::new(),
        scope_mrn: scope.mrn.clone(),
        org_mrn: scope.org_mrn.clone(),
        name: String::new(),
        description: String::new(),
        notes: String::new(),
        labels: Vec::new(),
        created_at: now.as_millisecond(),
        last_used: 0,
        creator: None,
        valid_until: None,
        certificate: None,
    }
}

/// Stores an account with a fresh key and hands the key out.
pub(crate) fn issue(
    core: &Core,
    transaction: &Transaction<'_>,
    mut account: Account,
    now: Timestamp,
) -> Result<(Account, Credential), Status> {
    let valid_until = account
        .valid_until
        .and_then(|end| Timestamp::from_millisecond(end).ok());
    let issued = keys::issue(&account.mrn, &account.scope_mrn, now, valid_until)?;
    account.certificate = Some(issued.certificate_der);
    account.put(transaction, core.write_moment(now))?;
    let credential = Credential {
        mrn: account.mrn.clone(),
        certificate: issued.certificate,
        private_key: issued.private_key.as_str().to_owned(),
        scope_mrn: account.scope_mrn.clone(),
        api_endpoint: core.base_url(),
        // Also of an organization's account: the credential files of the web interface say so.
        space_mrn: account.scope_mrn.clone(),
        typename: "ServiceAccountCredential".to_owned(),
    };
    Ok((account, credential))
}

fn roles_of_new(
    core: &Core,
    authority: Authority,
    roles: Vec<String>,
) -> Result<Vec<String>, Status> {
    if roles.is_empty() {
        return match core.quirks.empty_roles {
            EmptyRoles::None => Ok(Vec::new()),
            EmptyRoles::DefaultViewer => Ok(vec![roles::expand("viewer")]),
            EmptyRoles::Refuse => Err(Status::invalid("roles must not be empty")),
        };
    }
    grants::check(authority, roles)
}

/// Keeps one label per key, the last one sent, in the order of first sight.
fn unique(labels: Vec<Label>) -> Vec<Label> {
    merge(Vec::new(), labels)
}

fn merge(mut stored: Vec<Label>, sent: Vec<Label>) -> Vec<Label> {
    for label in sent {
        match stored.iter_mut().find(|known| known.key == label.key) {
            Some(known) => known.value = label.value,
            None => stored.push(label),
        }
    }
    stored
}

fn check_labels(core: &Core, labels: &[Label]) -> Result<(), Status> {
    let over = |max: Option<usize>, size: usize| max.is_some_and(|max| size > max);
    for label in labels {
        if over(core.quirks.label_key_max, label.key.len()) {
            return Err(Status::invalid(format!(
                "label key {:?} is too long",
                label.key
            )));
        }
        if over(
            core.quirks.label_value_max,
            label.value.as_deref().map_or(0, str::len),
        ) {
            return Err(Status::invalid(format!(
                "value of label {:?} is too long",
                label.key
            )));
        }
    }
    if over(core.quirks.labels_max, labels.len()) {
        return Err(Status::invalid("too many labels"));
    }
    Ok(())
}

fn check_name(
    core: &Core,
    connection: &Connection,
    scope_mrn: &str,
    name: &str,
    except: Option<&str>,
) -> Result<(), Status> {
    let refused = core.quirks.equal_names == EqualNames::Refuse
        && !name.is_empty()
        && Account::name_taken(connection, scope_mrn, name, except)?;
    if refused {
        return Err(Status::exists(format!(
            "a service account named {name:?} already exists"
        )));
    }
    Ok(())
}

/// What an update changes; absent parts stay.
#[derive(Clone, Debug)]
pub(crate) struct AccountUpdate {
    pub(crate) mrn: String,
    pub(crate) name: Option<String>,
    pub(crate) notes: Option<String>,
    pub(crate) labels: Option<Vec<Label>>,
}

/// Updates an account and answers its new state.
pub(crate) fn update(
    core: &Core,
    caller: &Caller,
    update: AccountUpdate,
) -> Result<AccountView, Status> {
    core.store.write(|t| {
        require_account(t, caller, &update.mrn, Permission::ManageAccounts)?;
        record(
            t,
            caller,
            &update.mrn,
            "UpdateServiceAccount",
            "updated service account",
        )?;
        let mut account = Account::find(t, &update.mrn, None)?
            .ok_or_else(|| Status::not_found("service account", &update.mrn))?;
        if let Some(name) = update.name {
            check_name(core, t, &account.scope_mrn, &name, Some(&account.mrn))?;
            account.name = name;
        }
        let keeps = core.quirks.description_clear == DescriptionClear::Keeps;
        if let Some(notes) = update.notes.filter(|text| !(keeps && text.is_empty())) {
            if core.quirks.description_on_update == DescriptionOnUpdate::Both {
                account.description.clone_from(&notes);
            }
            account.notes = notes;
        }
        account.labels = match (update.labels, core.quirks.labels_on_update) {
            (Some(sent), LabelsOnUpdate::Replace) => unique(sent),
            (Some(sent), LabelsOnUpdate::Merge) => merge(account.labels, sent),
            (None, _) if core.quirks.labels_omitted_on_update == LabelsOmitted::Clear => Vec::new(),
            (None, _) => account.labels,
        };
        check_labels(core, &account.labels)?;
        account.put(t, core.write_moment(caller.now))?;
        view(core, t, account, None)
    })
}

/// Deletes accounts of one scope. One that is not there fails alone. The caller's own account
/// may be among them: nothing public says that the platform refuses it.
pub(crate) fn delete(
    core: &Core,
    caller: &Caller,
    scope_mrn: &str,
    mrns: &[String],
) -> Result<Batch, Status> {
    core.store.write(|t| {
        caller.require(t, scope_mrn, Permission::ManageAccounts)?;
        let mut batch = Batch::default();
        for mrn in mrns {
            let result = match Account::find(t, mrn, None)? {
                Some(account) if account.scope_mrn == scope_mrn => {
                    record(
                        t,
                        caller,
                        mrn,
                        "DeleteServiceAccount",
                        "deleted service account",
                    )?;
                    Account::remove(t, mrn, core.write_moment(caller.now)).map_err(Status::from)
                }
                _ => Err(Status::not_found("service account", mrn)),
            };
            batch.record(mrn, result)?;
        }
        batch.finish()
    })
}

/// Notes a change of an account that is there.
fn record(
    connection: &Connection,
    caller: &Caller,
    mrn: &str,
    method: &str,
    message: &str,
) -> Result<(), Status> {
    let Some(account) = Account::find(connection, mrn, None)? else {
        return Ok(());
    };
    let place = audit::Where {
        mrn: &account.scope_mrn,
        org_mrn: &account.org_mrn,
    };
    let action = format!("mondoo.agents.AgentManager.{method}");
    audit::record(connection, caller, place, &action, mrn, message)
}

/// The caller's own name and email, as far as there are any.
pub(crate) fn profile(
    core: &Core,
    caller: &Caller,
) -> Result<(Option<String>, Option<String>), Status> {
    let mrn = &caller.identity.mrn;
    core.store.read(|c| {
        if let Some(account) = Account::find(c, mrn, None)? {
            return Ok((Some(account.name), None));
        }
        if let Some(token) = Token::find(c, mrn)? {
            return Ok((Some(token.name), None));
        }
        let user = User::find(c, mrn)?;
        Ok(user.map_or((None, None), |user| (Some(user.name), Some(user.email))))
    })
}
