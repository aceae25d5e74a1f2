//! Laws of who plans and who applies: the plan's name depends on neither, and what depends on one of
//! them is said.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rolecall::model::{
    Caller, Desired, Limits, Live, LiveAccount, Mrn, PolicyOrigin, PolicyRef, RoleSet, Scope,
    Seals, Unread,
};
use rolecall::plan::{Action, Plan, compare};
use rolecall::policy::{Acks, LocalFiles, approve};

use crate::samples;
use crate::stage::seals;

use super::{CALLER, mrn, planned, roles, scopes, stack, worlds};

/// Of whoever has the configuration and no secret.
fn public() -> Seals {
    Seals::new(seals().keys().cloned(), None).expect("no private key")
}

/// One of two runs: who it works as, with which key, and what it could not read.
struct Run<'a> {
    caller: &'a Mrn,
    seals: Seals,
    unread: &'a BTreeSet<Scope>,
}

impl Run<'_> {
    fn plan(&self, desired: &Desired, live: &Live) -> Plan {
        let mut live = live.clone();
        live.facts.caller = Caller {
            mrn: self.caller.clone(),
            name: Some(self.caller.id().to_owned()),
            binding: None,
        };
        for scope in self.unread {
            let why = "PermissionDenied".to_owned();
            live.scopes.remove(scope);
            live.unread.insert(scope.clone(), Unread { why });
            live.accounts.retain(|_, account| account.scope != *scope);
        }
        planned(desired, &live, &self.seals).0
    }
}

/// A world in which whose an account is can be told by its seal alone, and two identities: each an account that nobody manages, or one of those that are there.
#[derive(Clone, Debug)]
struct Pair {
    desired: Desired,
    live: Live,
    planner: Mrn,
    applier: Mrn,
}

fn own(
    live: &mut Live,
    id: &str,
    roles: RoleSet,
    scope: &Scope,
    one: Option<prop::sample::Index>,
) -> Mrn {
    if let (Some(one), false) = (one, live.accounts.is_empty()) {
        let all: Vec<&Mrn> = live.accounts.keys().collect();
        return one.get(&all).to_owned().clone();
    }
    let account = LiveAccount {
        roles,
        ..samples::account(mrn(scope, id), scope.clone(), id.to_owned())
    };
    let name = account.mrn.clone();
    live.accounts.insert(name.clone(), account);
    name
}

fn pairs() -> impl Strategy<Value = Pair> {
    let identity = || {
        (
            roles(),
            proptest::sample::select(scopes()),
            proptest::option::of(any::<prop::sample::Index>()),
        )
    };
    (worlds(), identity(), identity()).prop_map(|((mut desired, mut live), one, other)| {
        for account in live.accounts.values_mut() {
            if let Some(marks) = account
                .marks()
                .filter(|marks| marks.stack == stack())
                .cloned()
            {
                account.creator = Some("a stranger to both".to_owned());
                let sealed = seals().seal(&account.mrn, marks);
                account.labels.extend(sealed.labels());
            }
        }
        let planner = own(&mut live, "planner", one.0, &one.1, one.2);
        let applier = own(&mut live, "applier", other.0, &other.1, other.2);
        desired.trusted_creators = vec![
            CALLER.to_owned(),
            planner.as_str().to_owned(),
            applier.as_str().to_owned(),
        ];
        Pair {
            desired,
            live,
            planner,
            applier,
        }
    })
}

fn policy(name: &str, sha256: &str, origin: PolicyOrigin) -> PolicyRef {
    PolicyRef {
        origin,
        name: name.to_owned(),
        sha256: sha256.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A planner without the private key and an applier with it, reading the same.
    #[test]
    fn a_plan_has_one_name_whoever_makes_it(pair in pairs()) {
        let Pair { desired, live, planner, applier } = &pair;
        let unread = BTreeSet::new();
        let theirs = Run { caller: planner, seals: public(), unread: &unread };
        let ours = Run { caller: applier, seals: seals(), unread: &unread };
        let (theirs, ours) = (theirs.plan(desired, live), ours.plan(desired, live));
        prop_assert_eq!(theirs.canonical(), ours.canonical());
        prop_assert_eq!(theirs.digest(), ours.digest());
        prop_assert_eq!(compare(&theirs, &ours), []);
        for plan in [&theirs, &ours] {
            let caller = &plan.caller.mrn;
            for pair in plan.changes.windows(2) {
                let own = |at: usize| pair[at].account.as_ref() == Some(caller);
                prop_assert!(pair[0].step <= pair[1].step);
                let last = pair[0].step < pair[1].step || !own(0) || own(1);
                prop_assert!(last, "the own account comes last within its step");
            }
        }
        // Each run guards its own account.
        for plan in [theirs, ours] {
            let caller = plan.caller.mrn.clone();
            let weakened = plan.changes.iter().any(|change| {
                change.account.as_ref() == Some(&caller)
                    && (change.action == Action::Delete || change.privilege.loses)
            });
            let refused = approve(plan, &Acks::default(), None, LocalFiles::Stay).err().unwrap_or_default();
            let guarded = refused.iter().any(|refusal| refusal.guard == "own-account");
            prop_assert_eq!(guarded, weakened);
        }
    }

    /// Where one of both read less, and that makes a difference, it is said which scopes.
    #[test]
    fn what_one_of_both_could_not_read_is_named_where_the_names_differ(
        pair in pairs(),
        unread in proptest::sample::subsequence(scopes(), 1..=3),
    ) {
        let Pair { desired, live, planner, applier } = &pair;
        let (unread, all): (BTreeSet<Scope>, _) = (unread.into_iter().collect(), BTreeSet::new());
        let less = Run { caller: planner, seals: public(), unread: &unread };
        let more = Run { caller: applier, seals: seals(), unread: &all };
        let (less, more) = (less.plan(desired, live), more.plan(desired, live));
        for (reviewed, now, who, why) in [
            (&less, &more, "the reviewed plan", ""),
            (&more, &less, "this run", " (PermissionDenied)"),
        ] {
            let moved = compare(reviewed, now);
            prop_assert_eq!(moved.is_empty(), reviewed.digest() == now.digest());
            if moved.is_empty() {
                continue;
            }
            let whole: Vec<&str> = moved
                .iter()
                .filter(|moved| moved.address.is_none())
                .map(|moved| moved.what.as_str())
                .collect();
            let named: Vec<String> = unread
                .iter()
                .map(|scope| format!("{who} could not read {scope}{why}"))
                .collect();
            let sorted: BTreeSet<&str> = named.iter().map(String::as_str).collect();
            prop_assert_eq!(whole, sorted.into_iter().collect::<Vec<_>>());
        }
    }

    /// Where one of both was made under other policies or limits, exactly that is said.
    #[test]
    fn other_policies_and_limits_are_all_that_is_named_where_only_they_differ(
        pair in pairs(),
        reviewed in proptest::sample::subsequence(vec!["a", "b", "c"], 0..=3),
        now in proptest::sample::subsequence(vec!["a", "b", "c"], 0..=3),
        changed in any::<bool>(),
        max_deletes in 10..12u32,
    ) {
        let Pair { desired, live, planner, applier } = &pair;
        let unread = BTreeSet::new();
        let with = |names: &[&str], sha256: &str| Desired {
            policies: names
                .iter()
                .map(|name| policy(name, sha256, PolicyOrigin::PolicyDir))
                .collect(),
            ..desired.clone()
        };
        let theirs = Run { caller: planner, seals: public(), unread: &unread };
        let ours = Run { caller: applier, seals: seals(), unread: &unread };
        let one = theirs.plan(&with(&reviewed, "1"), live);
        let sha256 = if changed { "2" } else { "1" };
        let limits = Limits { max_deletes, ..desired.limits };
        let other = ours.plan(&Desired { limits, ..with(&now, sha256) }, live);
        let moved = compare(&one, &other);
        let mut expected = BTreeSet::new();
        for name in ["a", "b", "c"] {
            let how = match (reviewed.contains(&name), now.contains(&name)) {
                (true, true) if changed => "has changed",
                (true, false) => "is not there any more",
                (false, true) => "is new",
                (true, true) | (false, false) => continue,
            };
            expected.insert(format!(
                "it was judged by other policies: the policy {name} of the policy directory {how}"
            ));
        }
        if max_deletes != desired.limits.max_deletes {
            expected.insert(format!(
                "it was made under other limits: max_deletes was 10 and is {max_deletes}; a policy \
                 directory may set it, too"
            ));
        }
        let said: BTreeSet<String> = moved.into_iter().map(|moved| moved.what).collect();
        prop_assert_eq!(said, expected);
    }
}
