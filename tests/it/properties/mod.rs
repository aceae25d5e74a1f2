//! Laws of diff, plan and policy, over generated configurations and platforms.

mod callers;
pub mod files;
mod guards;
mod names;
mod records;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rolecall::diff::diff;
use rolecall::model::{
    Address, Caller, CredentialMark, Desired, DesiredAccount, DesiredOrganization, DesiredSpace,
    Destination, Fingerprint, Former, Home, Inventory, Known, Labels, Live, LiveAccount, Marks,
    Mrn, Nonce, OrgId, Queries, Removed, Role, RoleSet, Scope, ScopeInfo, Seals, SpaceId, StackId,
    Unmanaged, UnmanagedAction, Unread,
};
use rolecall::plan::{Action, Plan, Reason, build, lint};
use rolecall::ports::{ReadError, Reader};
use rolecall::refresh::{refresh, refresh_beyond};
use rolecall::view::human;

use crate::samples::{self, place};

const CALLER: &str = "//agents.api.mondoo.app/organizations/acme-corp/serviceaccounts/caller";

fn stack() -> StackId {
    StackId::new("acme-access", "k7m2q9ta").expect("valid")
}

fn org() -> OrgId {
    OrgId::new("acme-corp").expect("valid")
}

fn space(n: usize) -> SpaceId {
    SpaceId::new(format!("space-{n}")).expect("valid")
}

fn scopes() -> Vec<Scope> {
    let mut scopes = vec![Scope::Organization(org())];
    scopes.extend((0..3).map(|n| Scope::Space(space(n))));
    scopes
}

fn roles() -> impl Strategy<Value = RoleSet> {
    let names = ["viewer", "editor", "owner", "agent", "sla-manager"];
    proptest::sample::subsequence(names.to_vec(), 0..=3)
        .prop_map(|names| names.into_iter().map(Role::new).collect())
}

fn labels() -> impl Strategy<Value = Labels> {
    proptest::collection::btree_map("[a-c]", "[a-z]{0,3}", 0..3)
}

/// Where the key of an account goes.
fn key_file(address: &Address) -> Destination {
    samples::destination(format!("{}.json", address.label().as_str()))
}

prop_compose! {
    fn account(n: usize)(
        scope in proptest::sample::select(scopes()),
        keyed in any::<bool>(),
        description in proptest::option::of("[a-z ]{1,12}"),
        labels in proptest::option::of(labels()),
        roles in roles(),
        protected in proptest::option::of(any::<bool>()),
        moved in any::<bool>(),
    ) -> DesiredAccount {
        let address = Address::new(format!("a{n}"), keyed.then(|| format!("key {n}")));
        DesiredAccount {
            name: format!("account {n}"),
            description,
            labels,
            role_places: roles.iter().map(|role| (role.clone(), place())).collect(),
            roles,
            deliver_to: vec![key_file(&address)],
            protected,
            formerly: moved
                .then(|| Former {
                    address: Address::new(format!("was{n}"), address.key.clone()),
                    declared_at: place(),
                })
                .into_iter()
                .collect(),
            ..samples::declared(address, scope)
        }
    }
}

fn desired_of(accounts: Vec<DesiredAccount>) -> Desired {
    let organization = DesiredOrganization {
        id: org(),
        declared_at: place(),
    };
    Desired {
        stack: stack(),
        trusted_creators: vec!["somebody@acme.example".to_owned()],
        organizations: BTreeMap::from([("acme".to_owned(), organization)]),
        spaces: (0..3)
            .map(|n| {
                let space = DesiredSpace {
                    id: space(n),
                    organization: Some(org()),
                    declared_at: place(),
                };
                (format!("s{n}"), space)
            })
            .collect(),
        accounts: accounts
            .into_iter()
            .map(|a| (a.address.clone(), a))
            .collect(),
        ..Desired::nothing(stack())
    }
}

fn desired() -> impl Strategy<Value = Desired> {
    (0..6usize).prop_flat_map(|n| (0..n).map(account).collect::<Vec<_>>().prop_map(desired_of))
}

fn mrn(scope: &Scope, id: &str) -> Mrn {
    let kind = match scope {
        Scope::Organization(_) => "organizations",
        Scope::Space(_) => "spaces",
    };
    Mrn::new(format!(
        "//agents.api.mondoo.app/{kind}/{}/serviceaccounts/{id}",
        scope.id()
    ))
}

/// The live account that a finished birth of a declared one leaves.
fn materialise(account: &DesiredAccount, id: &str) -> LiveAccount {
    let marks = samples::marks(account, stack(), id.as_bytes());
    LiveAccount {
        created_at: "2026-01-01T00:00:00Z".parse().ok(),
        ..samples::born(account, mrn(&account.scope, id), &marks, CALLER)
    }
}

fn live_of(accounts: impl IntoIterator<Item = LiveAccount>) -> Live {
    let mut live = Live {
        scopes: scopes()
            .into_iter()
            .map(|scope| {
                let organization = matches!(scope, Scope::Space(_)).then(org);
                (
                    scope,
                    ScopeInfo {
                        name: "name".to_owned(),
                        organization,
                    },
                )
            })
            .collect(),
        ..samples::live(CALLER, accounts)
    };
    live.facts.now = "2026-11-23T12:00:00Z".parse().expect("valid");
    live
}

/// What somebody else may have done to a live account.
#[derive(Clone, Debug)]
enum Tampering {
    None,
    Gone,
    Roles(RoleSet),
    Labels(Labels),
    Description(Option<String>),
    Creator(Option<String>),
    Stack,
    Stripped,
    Broken,
    Protected(bool),
    FormerAddress,
}

fn tampering() -> impl Strategy<Value = Tampering> {
    prop_oneof![
        3 => Just(Tampering::None),
        1 => Just(Tampering::Gone),
        1 => roles().prop_map(Tampering::Roles),
        1 => labels().prop_map(Tampering::Labels),
        1 => proptest::option::of("[a-z]{1,5}").prop_map(Tampering::Description),
        1 => proptest::option::of(Just("mallory".to_owned())).prop_map(Tampering::Creator),
        1 => Just(Tampering::Stack),
        1 => Just(Tampering::Stripped),
        1 => Just(Tampering::Broken),
        1 => any::<bool>().prop_map(Tampering::Protected),
        2 => Just(Tampering::FormerAddress),
    ]
}

/// Writes the mark of protection, as anybody can.
fn protect(account: &mut LiveAccount, protected: bool) {
    let (from, to) = if protected {
        (".p0", ".p1")
    } else {
        (".p1", ".p0")
    };
    account.labels.edit(|labels| {
        if let Some(mark) = labels.get_mut("rolecall-mark") {
            *mark = mark.replacen(from, to, 1);
        }
    });
}

fn tamper(
    mut account: LiveAccount,
    declared: &DesiredAccount,
    how: &Tampering,
) -> Option<LiveAccount> {
    match how {
        Tampering::Protected(true) => {
            protect(&mut account, true);
        }
        Tampering::Protected(false) => protect(&mut account, false),
        Tampering::FormerAddress => {
            let address = declared.formerly.first().map(|f| f.address.label());
            if let Some(address) = address {
                let (key, value) = ("rolecall-address".to_owned(), address.as_str().to_owned());
                account.labels.insert(key, value);
            }
        }
        Tampering::None => {}
        Tampering::Gone => return None,
        Tampering::Roles(roles) => account.roles = roles.clone(),
        Tampering::Labels(labels) => account.labels.extend(labels.clone()),
        Tampering::Description(description) => account.description = description.clone(),
        Tampering::Creator(creator) => account.creator = creator.clone(),
        Tampering::Stack => {
            account
                .labels
                .insert("rolecall-stack".to_owned(), "other.k7m2q9ta".to_owned());
        }
        Tampering::Stripped => account
            .labels
            .edit(|labels| labels.retain(|key, _| !key.starts_with("rolecall-"))),
        Tampering::Broken => {
            account
                .labels
                .insert("rolecall-mark".to_owned(), "many".to_owned());
        }
    }
    Some(account)
}

/// What some scopes say about accounts without an owner.
fn unmanaged() -> impl Strategy<Value = BTreeMap<Scope, Unmanaged>> {
    use UnmanagedAction::{Delete, Fail, Report};
    let action = proptest::sample::select(vec![Report, Fail, Delete]);
    let except = proptest::sample::subsequence(vec!["account 1", "*2"], 0..=2);
    let setting = (action, except).prop_map(|(action, except)| Unmanaged {
        action,
        except: except.into_iter().map(str::to_owned).collect(),
        declared_at: place(),
    });
    let scope = proptest::sample::select(scopes());
    proptest::collection::btree_map(scope, setting, 0..2)
}

/// A configuration, and a platform on which it was applied, some accounts were tampered with,
/// some others are managed but no longer declared, and some belong to nobody.
fn worlds() -> impl Strategy<Value = (Desired, Live)> {
    (0..9usize)
        .prop_flat_map(|n| {
            let accounts = (0..n).map(account).collect::<Vec<_>>();
            let removal = proptest::option::of(any::<bool>());
            let fates = proptest::collection::vec((tampering(), any::<bool>(), removal), n);
            (accounts, fates, unmanaged())
        })
        .prop_map(|(accounts, fates, unmanaged)| {
            let mut declared = Vec::new();
            let mut removed = Vec::new();
            let mut live = Vec::new();
            for (n, (account, (how, keep, removal))) in accounts.into_iter().zip(fates).enumerate()
            {
                live.extend(tamper(
                    materialise(&account, &format!("id{n}")),
                    &account,
                    &how,
                ));
                if keep {
                    declared.push(account);
                } else if let Some(destroy) = removal {
                    // Of one account, or of its whole block.
                    let key = account.address.key.filter(|_| n % 2 == 0);
                    let from = Address::new(account.address.name, key);
                    removed.push(Removed {
                        known_as: vec![Known {
                            address: from.clone(),
                            whole: from.key.is_none(),
                        }],
                        from,
                        destroy,
                        declared_at: place(),
                    });
                }
            }
            let desired = Desired {
                removed,
                unmanaged,
                ..desired_of(declared)
            };
            (desired, live_of(live))
        })
}

fn plan(desired: &Desired, live: &Live) -> Plan {
    planned(desired, live, &Seals::default()).0
}

fn planned(desired: &Desired, live: &Live, seals: &Seals) -> (Plan, Inventory) {
    let inventory = Inventory::take(desired, live, seals);
    let delta = diff(desired, live, &inventory);
    let plan = build(desired, live, &inventory, delta);
    assert_eq!(lint(&plan), []);
    (plan, inventory)
}

/// What the platform holds after a plan, by the meaning of its actions alone.
fn execute(plan: &Plan, live: &Live) -> Live {
    let mut live = live.clone();
    for change in &plan.changes {
        match (change.action, &change.account, &change.after) {
            (Action::Create, None, Some(after)) => {
                let id = format!("new-{}", change.address.label().as_str());
                let places = change.deliver_to.iter();
                let marks = Marks {
                    generation: change.generation,
                    credential: CredentialMark::Delivered {
                        fingerprint: Fingerprint::of_public_key(b"new"),
                        nonce: Nonce::from_bytes([9; 16]),
                        destinations: places.map(|to| to.key_at(1, None)).collect(),
                    },
                    expires: after.valid_until,
                    ..Marks::external(stack(), change.address.label(), after.protected)
                };
                let mut labels = after.labels.clone();
                labels.extend(marks.labels());
                let account = LiveAccount {
                    description: after.description.clone(),
                    labels: labels.into(),
                    roles: after.roles.clone(),
                    creator: Some(CALLER.to_owned()),
                    ..samples::account(
                        mrn(&change.scope, &id),
                        change.scope.clone(),
                        after.name.clone(),
                    )
                };
                live.accounts.insert(account.mrn.clone(), account);
            }
            (Action::Delete, Some(mrn), None) => {
                live.accounts
                    .remove(mrn)
                    .expect("a deletion names a live account");
            }
            (Action::Update, Some(mrn), Some(after)) => {
                let account = live.accounts.get_mut(mrn).expect("live");
                account.labels.edit(|labels| {
                    labels.retain(|key, _| key.starts_with("rolecall-"));
                    labels.extend(after.labels.clone());
                });
                protect(account, after.protected);
                account.name.clone_from(&after.name);
                account.description.clone_from(&after.description);
            }
            (Action::UpdatePermissions, Some(mrn), Some(after)) => {
                live.accounts
                    .get_mut(mrn)
                    .expect("live")
                    .roles
                    .clone_from(&after.roles);
            }
            (Action::Move, Some(mrn), Some(_)) => {
                let labels = &mut live.accounts.get_mut(mrn).expect("live").labels;
                let address = change.address.label().as_str().to_owned();
                labels.insert("rolecall-address".to_owned(), address);
            }
            (Action::Forget, Some(mrn), Some(_)) => {
                let labels = &mut live.accounts.get_mut(mrn).expect("live").labels;
                labels.edit(|all| all.retain(|key, _| !key.starts_with("rolecall-")));
            }
            other => panic!("a change that cannot be executed: {other:?}"),
        }
    }
    live
}

/// Gives what a platform holds in any order it likes, as networks and pages do.
struct Shuffled<'a> {
    live: &'a Live,
    turn: usize,
    /// Whether an organization's listing repeats the accounts of its spaces.
    nested: bool,
}

impl Reader for Shuffled<'_> {
    async fn caller(&self) -> Result<Caller, ReadError> {
        Ok(self.live.facts.caller.clone())
    }

    async fn organization(&self, _: &OrgId) -> Result<ScopeInfo, ReadError> {
        Ok(ScopeInfo {
            name: "name".to_owned(),
            organization: None,
        })
    }

    async fn spaces(&self, _: &OrgId) -> Result<BTreeMap<SpaceId, ScopeInfo>, ReadError> {
        let info = ScopeInfo {
            name: "name".to_owned(),
            organization: None,
        };
        Ok((0..3).map(|n| (space(n), info.clone())).collect())
    }

    async fn space(&self, _: &SpaceId) -> Result<ScopeInfo, ReadError> {
        panic!("all spaces are in the organization's listing")
    }

    async fn accounts(&self, scope: &Scope) -> Result<Vec<LiveAccount>, ReadError> {
        let all = self.nested && matches!(scope, Scope::Organization(_));
        let mut accounts: Vec<_> = self
            .live
            .accounts
            .values()
            .filter(|a| all || a.scope == *scope)
            .cloned()
            .collect();
        if !accounts.is_empty() {
            let turn = self.turn % accounts.len();
            accounts.rotate_left(turn);
        }
        if self.turn % 2 == 1 {
            accounts.reverse();
        }
        Ok(accounts)
    }

    async fn account(&self, mrn: &Mrn) -> Result<Option<LiveAccount>, ReadError> {
        Ok(self.live.accounts.get(mrn).cloned())
    }

    fn platform_time(&self) -> jiff::Timestamp {
        self.live.facts.now
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_there_as_declared_makes_no_plan(desired in desired()) {
        let live = live_of(
            desired.accounts.values().enumerate().map(|(n, a)| materialise(a, &format!("id{n}"))),
        );
        let plan = plan(&desired, &live);
        prop_assert!(plan.is_empty(), "{:#?}", plan.changes);
        prop_assert_eq!(plan.annex.unchanged, desired.accounts.len());
    }

    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do((desired, live) in worlds()) {
        let first = plan(&desired, &live);
        let after = execute(&first, &live);
        let second = plan(&desired, &after);
        prop_assert!(second.changes.is_empty(), "{:#?}", second.changes);
        prop_assert_eq!(&second.blocked, &first.blocked);
    }

    #[test]
    fn no_action_names_an_account_that_is_not_ours((desired, live) in worlds()) {
        for change in &plan(&desired, &live).changes {
            let Some(mrn) = &change.account else { continue };
            let account = &live.accounts[mrn];
            prop_assert_ne!(mrn.as_str(), CALLER);
            if change.reason == Reason::Unmanaged {
                let mut labels = account.labels.all();
                prop_assert!(!labels.any(|(key, _)| key.starts_with("rolecall-")), "{:?}", account);
                continue;
            }
            prop_assert_eq!(account.labels.get("rolecall-stack").map(String::as_str),
                Some("acme-access.k7m2q9ta"));
            let mark = account.labels.get("rolecall-mark");
            prop_assert!(mark.is_some_and(|mark| mark.starts_with("v1.0-1-0.g1.")));
            prop_assert_eq!(account.creator.as_deref(), Some(CALLER));
        }
    }

    #[test]
    fn nothing_deletes_a_protected_account((mut desired, live) in worlds(), destroy in any::<bool>()) {
        desired.meant.destroy = destroy;
        for change in &plan(&desired, &live).changes {
            let Some(mrn) = &change.account else { continue };
            let protected = live.accounts[mrn].marks().is_some_and(|marks| marks.protected);
            prop_assert!(!(protected && change.action == Action::Delete), "{:?}", change);
        }
    }

    /// Whatever could not be read, is gone, or is to be deleted.
    #[test]
    fn no_plan_breaks_a_rule(
        (mut desired, mut live) in worlds(),
        destroy in any::<bool>(),
        missing in proptest::collection::btree_map(
            proptest::sample::select(scopes()), any::<bool>(), 0..3),
    ) {
        desired.meant.destroy = destroy;
        for (scope, gone) in missing {
            live.scopes.remove(&scope);
            live.accounts.retain(|_, account| account.scope != scope);
            if gone {
                live.extent.gone.insert(scope, org());
            } else {
                let why = "PermissionDenied".to_owned();
                live.unread.insert(scope, Unread { why });
            }
        }
        let plan = planned(&desired, &live, &Seals::default()).0;
        prop_assert_eq!(lint(&plan), []);
    }

    #[test]
    fn every_live_account_and_every_declared_one_is_accounted_for((desired, live) in worlds()) {
        let plan = plan(&desired, &live);
        let acted: BTreeSet<_> = plan.changes.iter().filter_map(|c| c.account.as_ref()).collect();
        let left: BTreeSet<_> = plan.annex.left_alone.iter().map(|l| &l.account.mrn).collect();
        for account in live.accounts.values() {
            let ours = account.labels.get("rolecall-stack").map(String::as_str)
                == Some("acme-access.k7m2q9ta");
            prop_assert!(ours || acted.contains(&account.mrn) || left.contains(&account.mrn));
            prop_assert!(!ours || !left.contains(&account.mrn), "{}", account.mrn);
            prop_assert!(!(acted.contains(&account.mrn) && left.contains(&account.mrn)));
        }
        let touched: BTreeSet<_> = plan
            .changes
            .iter()
            .map(|c| &c.address)
            .chain(plan.blocked.iter().map(|b| &b.address))
            .filter(|address| desired.accounts.contains_key(address))
            .collect();
        prop_assert_eq!(touched.len() + plan.annex.unchanged, desired.accounts.len());
    }

    #[test]
    fn beyond_what_is_declared_only_this_stacks_marks_are_seen(
        (_, live) in worlds(),
        turn in 0..10usize,
        nested in any::<bool>(),
        declared in 0..3usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let queries = Queries {
            organizations: BTreeSet::new(),
            spaces: [(space(declared), None)].into(),
        };
        let reader = Shuffled { live: &live, turn, nested };
        let home = Home::Read(Scope::Organization(org()));
        let own = stack();
        let read = refresh_beyond(&reader, &queries, &home, &own, "https://us.api.mondoo.com");
        let read = runtime.block_on(read).expect("readable");
        let concerns = |account: &&LiveAccount| {
            account.scope == Scope::Space(space(declared)) || account.labels.stack() == Some(&own)
        };
        let expected: Vec<&LiveAccount> = live.accounts.values().filter(concerns).collect();
        prop_assert_eq!(read.accounts.values().collect::<Vec<_>>(), expected);
        prop_assert_eq!(read.scopes.len(), 4);
    }

    #[test]
    fn order_of_answers_never_shows_in_the_plan(
        (desired, live) in worlds(),
        turn in 0..10usize,
        nested in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let queries = Queries {
            organizations: [org()].into(),
            spaces: (0..3).map(|n| (space(n), Some(org()))).collect(),
        };
        let reader = Shuffled { live: &live, turn, nested };
        let read = runtime
            .block_on(refresh(&reader, &queries, "https://us.api.mondoo.com"))
            .expect("readable");
        let (one, other) = (plan(&desired, &live), plan(&desired, &read));
        prop_assert_eq!(one.canonical(), other.canonical());
        prop_assert_eq!(human::plan(&one), human::plan(&other));
    }
}
