//! The accounts as they will be after a plan, as policies see them.
//! Pure; days are counted from the platform's clock, as it was read.

use std::collections::{BTreeMap, BTreeSet};

use crate::lang::{Number, RefKind, Reference, Value, value::Members};
use crate::model::{
    AccountState, Address, Desired, DesiredAccount, Destination, Identity, Inventory, Keeper, Live,
    LiveAccount, Mrn, RoleSet, Scope,
};
use crate::plan::{Action, Change, JudgedAccount, Plan};

/// An account that is to be judged.
pub(super) struct Subject {
    /// What names it.
    pub(super) account: JudgedAccount,
    /// What a policy sees of it.
    pub(super) value: Value,
}

/// What there is around an account.
struct Around<'a> {
    live: &'a Live,
    /// The addresses of the blocks that declare scopes.
    blocks: BTreeMap<Scope, String>,
}

impl<'a> Around<'a> {
    fn of(desired: &Desired, live: &'a Live) -> Self {
        let organizations = desired.organizations.iter().map(|(name, declared)| {
            let scope = Scope::Organization(declared.id.clone());
            (scope, format!("organization.{name}"))
        });
        let spaces = desired.spaces.iter().map(|(name, declared)| {
            let scope = Scope::Space(declared.id.clone());
            (scope, format!("space.{name}"))
        });
        Self {
            live,
            blocks: organizations.chain(spaces).collect(),
        }
    }
}

/// Every account that will be there after the plan, those of the configuration first. What the plan
/// deletes is not judged; what it cannot act on is judged as it is, or as it is declared.
pub(super) fn subjects(
    plan: &Plan,
    desired: &Desired,
    live: &Live,
    inventory: &Inventory,
) -> Vec<Subject> {
    let around = Around::of(desired, live);
    let mut found = Vec::new();
    let mut changes: BTreeMap<&Mrn, Vec<&Change>> = BTreeMap::new();
    let mut seen: BTreeSet<&Address> = BTreeSet::new();
    for change in &plan.changes {
        let rotates = change.action == Action::Rotate;
        match (&change.account, &change.after) {
            // The account whose place it takes stays as it is.
            (Some(mrn), _) if !rotates => changes.entry(mrn).or_default().push(change),
            (_, Some(after)) => {
                let declared = desired.accounts.get(&change.address);
                seen.insert(&change.address);
                found.push(born(
                    &change.address,
                    &change.scope,
                    after,
                    declared,
                    change,
                    &around,
                ));
            }
            (_, None) => {}
        }
    }
    for (account, entry) in inventory.beside(live) {
        let changes = changes.get(&account.mrn).map_or(&[][..], Vec::as_slice);
        if changes.iter().any(|change| change.after.is_none()) {
            continue;
        }
        let (custody, address) = match changes.first() {
            // What the plan changes and does not delete is this configuration's, if only until then.
            Some(change) => (Keeper::Managed, Some(&change.address)),
            None => (entry.custody.keeper(), entry.custody.address()),
        };
        let block = address.and_then(|address| desired.accounts.get(address));
        seen.extend(block.map(|block| &block.address));
        found.push(present(account, changes, custody, block, &around));
    }
    for declared in desired.accounts.values() {
        if !seen.contains(&declared.address) {
            found.push(hindered(declared, &around));
        }
    }
    found.sort_by(|a, b| {
        let key = |subject: &Subject| {
            let JudgedAccount {
                address,
                account,
                name,
                scope,
                ..
            } = &subject.account;
            let last = address.is_none();
            (
                last,
                address.clone(),
                scope.clone(),
                name.clone(),
                account.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    found
}

/// An account that the plan creates.
fn born(
    address: &Address,
    scope: &Scope,
    after: &AccountState,
    declared: Option<&DesiredAccount>,
    change: &Change,
    around: &Around<'_>,
) -> Subject {
    let account = JudgedAccount {
        address: Some(address.clone()),
        account: None,
        name: after.name.clone(),
        scope: scope.clone(),
        custody: Keeper::Managed,
        declared_at: declared.map(|declared| declared.declared_at.clone()),
    };
    let change = Some((change.action, change.privilege.gained.clone()));
    let value = value(&account, after, None, declared, change, around);
    Subject { account, value }
}

/// A live account with what the plan changes about it.
fn present(
    account: &LiveAccount,
    changes: &[&Change],
    custody: Keeper,
    declared: Option<&DesiredAccount>,
    around: &Around<'_>,
) -> Subject {
    let mut state = account.state();
    if custody != Keeper::Managed {
        // Labels that anybody can write.
        state.valid_until = None;
        state.protected = false;
    }
    let mut gained = RoleSet::new();
    for change in changes {
        if let (Some(before), Some(after)) = (&change.before, &change.after) {
            merge(&mut state, before, after);
        }
        gained.extend(change.privilege.gained.iter().cloned());
    }
    // Whatever happens to the roles says more than what happens to the rest.
    let gravest = [
        Action::Adopt,
        Action::Create,
        Action::Rotate,
        Action::UpdatePermissions,
        Action::Redeliver,
        Action::Update,
        Action::Move,
        Action::Forget,
        Action::Delete,
    ]
    .into_iter()
    .find(|action| changes.iter().any(|change| change.action == *action));
    let judged = JudgedAccount {
        address: declared.map(|declared| declared.address.clone()),
        account: Some(account.mrn.clone()),
        name: state.name.clone(),
        scope: account.scope.clone(),
        custody,
        declared_at: declared.map(|declared| declared.declared_at.clone()),
    };
    let change = gravest.map(|action| (action, gained));
    let value = value(&judged, &state, Some(account), declared, change, around);
    Subject {
        account: judged,
        value,
    }
}

/// A declared account that is neither live nor to be created: something is in its way.
fn hindered(declared: &DesiredAccount, around: &Around<'_>) -> Subject {
    let account = JudgedAccount {
        address: Some(declared.address.clone()),
        account: None,
        name: declared.name.clone(),
        scope: declared.scope.clone(),
        custody: Keeper::Managed,
        declared_at: Some(declared.declared_at.clone()),
    };
    let state = AccountState {
        name: declared.name.clone(),
        description: declared.description.clone(),
        labels: declared.labels.clone().unwrap_or_default(),
        roles: declared.roles.clone(),
        valid_until: declared.valid_until,
        protected: declared.protected.unwrap_or(false),
    };
    let value = value(&account, &state, None, Some(declared), None, around);
    Subject { account, value }
}

/// Puts what one change changes, and nothing else, into the state.
fn merge(state: &mut AccountState, before: &AccountState, after: &AccountState) {
    let AccountState {
        name,
        description,
        labels,
        roles,
        valid_until,
        protected,
    } = after;
    if *name != before.name {
        state.name.clone_from(name);
    }
    if *description != before.description {
        state.description.clone_from(description);
    }
    if *labels != before.labels {
        state.labels.clone_from(labels);
    }
    if *roles != before.roles {
        state.roles.clone_from(roles);
    }
    if *valid_until != before.valid_until {
        state.valid_until = *valid_until;
    }
    if *protected != before.protected {
        state.protected = *protected;
    }
}

/// What a policy sees of an account: `self`.
fn value(
    account: &JudgedAccount,
    state: &AccountState,
    live_account: Option<&LiveAccount>,
    declared: Option<&DesiredAccount>,
    change: Option<(Action, RoleSet)>,
    around: &Around<'_>,
) -> Value {
    let JudgedAccount {
        address,
        account: _,
        name: _,
        scope,
        custody,
        declared_at: _,
    } = account;
    let AccountState {
        name,
        description,
        labels,
        roles,
        valid_until,
        protected,
    } = state;
    let now = around.live.facts.now;
    let created = live_account.and_then(|account| account.created_at);
    let used = live_account.and_then(|account| account.last_used);
    let creator = live_account.and_then(|account| account.creator.as_deref());
    let age = match live_account {
        // It will be born when the plan is applied.
        None => Value::from(0_usize),
        Some(_) => days(created, now),
    };
    let (action, gained) = match change {
        Some((action, gained)) => (Some(action.as_str()), gained),
        None => (None, RoleSet::new()),
    };
    let labels: Members = labels
        .iter()
        .map(|(key, value)| (key.as_str().into(), Value::from(value.as_str())))
        .collect();
    let places = declared.iter().flat_map(|declared| &declared.deliver_to);
    let places = places.map(destination);
    let members: Members = [
        ("address", text(address.as_ref().map(Address::to_string))),
        ("name", Value::from(name.as_str())),
        ("description", text(description.as_deref())),
        ("scope", place(scope, around)),
        ("roles", names(roles)),
        ("labels", Value::map(labels)),
        ("custody", Value::from(custody.as_str())),
        ("created_at", text(created.map(|t| t.to_string()))),
        ("last_used", text(used.map(|t| t.to_string()))),
        ("creator", text(creator)),
        ("age_days", age),
        ("unused_days", days(used, now)),
        ("valid_until", text(valid_until.map(|t| t.to_string()))),
        ("protected", Value::from(*protected)),
        ("change", text(action)),
        ("gained", names(&gained)),
        ("destinations", Value::list(places.collect())),
    ]
    .map(|(name, value)| (name.into(), value))
    .into();
    Value::map(members)
}

/// The scope of an account: the same value as the block that declares it, so that both are compared.
fn place(scope: &Scope, around: &Around<'_>) -> Value {
    let mrn = scope.mrn();
    let info = around.live.scopes.get(scope);
    let attributes: Members = [
        ("kind", Value::from(scope.kind())),
        ("id", Value::from(scope.id())),
        ("mrn", Value::from(mrn.as_str())),
        ("name", text(info.map(|info| info.name.as_str()))),
    ]
    .map(|(name, value)| (name.into(), value))
    .into();
    let kind = match scope {
        Scope::Organization(_) => RefKind::Organization,
        Scope::Space(_) => RefKind::Space,
    };
    // What no block declares is equal to no block.
    let address = around.blocks.get(scope);
    Value::reference(Reference {
        kind,
        address: address.map_or_else(|| mrn.as_str().into(), |address| address.as_str().into()),
        attributes,
        includes: None,
    })
}

/// A place that a key goes to, by the parts of its identity.
fn destination(to: &Destination) -> Value {
    let identity = to.place().of_kind().identity();
    let Identity {
        kind,
        host,
        namespace,
        path,
        key,
        format,
    } = &identity;
    let members: Members = [
        ("sink", to.sink()),
        ("kind", kind.as_str()),
        ("host", host),
        ("namespace", namespace),
        ("path", path),
        ("key", key),
        ("format", format),
    ]
    .map(|(name, text)| (name.into(), Value::from(text)))
    .into();
    Value::map(members)
}

fn text(text: Option<impl Into<String>>) -> Value {
    text.map_or_else(Value::null, |text| Value::from(text.into()))
}

fn names(roles: &RoleSet) -> Value {
    Value::list(roles.iter().map(|role| role.short().into()).collect())
}

/// Whole days that have passed; null if nobody tells since when.
fn days(since: Option<jiff::Timestamp>, now: jiff::Timestamp) -> Value {
    const DAY: i64 = 24 * 60 * 60;
    let Some(since) = since else {
        return Value::null();
    };
    let passed = now.duration_since(since).as_secs().max(0) / DAY;
    Number::from(usize::try_from(passed).unwrap_or(usize::MAX)).into()
}
