//! Laws of names: whatever is renamed, born and deleted at once, no name is given before it is free.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rolecall::model::{Address, DesiredAccount, Scope};
use rolecall::plan::Action;

use crate::samples;

use super::{desired_of, key_file, live_of, materialise, plan, space};

const MOST: usize = 7;

fn called(n: usize, name: usize) -> DesiredAccount {
    let address = Address::new(format!("a{n}"), None);
    DesiredAccount {
        name: format!("name {name}"),
        deliver_to: vec![key_file(&address)],
        ..samples::declared(address, Scope::Space(space(0)))
    }
}

/// Names for all of some accounts, no two alike.
fn names() -> impl Strategy<Value = Vec<usize>> {
    Just((0..MOST).collect::<Vec<_>>()).prop_shuffle()
}

fn some() -> impl Strategy<Value = BTreeSet<usize>> {
    let all: Vec<usize> = (0..MOST).collect();
    proptest::sample::subsequence(all, 0..=MOST).prop_map(|some| some.into_iter().collect())
}

/// The accounts whose wanted name nobody frees in time: who has it is deleted, or waits for them.
fn stuck(
    (live, had): (&BTreeSet<usize>, &[usize]),
    (declared, wanted): (&BTreeSet<usize>, &[usize]),
) -> BTreeSet<String> {
    let holder = |n: usize| live.iter().copied().find(|other| had[*other] == wanted[n]);
    let waits = |n: usize| holder(n).filter(|other| *other != n);
    let is_stuck = |n: &&usize| {
        let Some(first) = waits(**n) else {
            return false;
        };
        if !declared.contains(&first) {
            return true;
        }
        let mut at = Some(first);
        for _ in 0..=MOST {
            if at == Some(**n) {
                return true;
            }
            at = at.filter(|at| declared.contains(at)).and_then(waits);
        }
        false
    };
    declared
        .iter()
        .filter(is_stuck)
        .map(|n| format!("a{n}"))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_name_is_given_before_it_is_free(
        (live, had) in (some(), names()),
        (declared, wanted) in (some(), names()),
    ) {
        let desired = desired_of(declared.iter().map(|n| called(*n, wanted[*n])).collect());
        let before = live.iter().map(|n| materialise(&called(*n, had[*n]), &format!("id{n}")));
        let before = live_of(before);
        let plan = plan(&desired, &before);
        let blocked: BTreeSet<String> =
            plan.blocked.iter().map(|b| b.address.name.clone()).collect();
        let expected = stuck((&live, &had), (&declared, &wanted));
        prop_assert_eq!(&blocked, &expected, "{:#?}", plan.blocked);
        if !blocked.is_empty() {
            return Ok(());
        }
        let mut now: BTreeMap<Address, String> = live
            .iter()
            .map(|n| (called(*n, 0).address, format!("name {}", had[*n])))
            .collect();
        for change in &plan.changes {
            match (change.action, &change.after) {
                (Action::Delete, _) => {
                    now.remove(&change.address);
                }
                (_, Some(after)) => {
                    now.insert(change.address.clone(), after.name.clone());
                }
                _ => {}
            }
            let distinct: BTreeSet<&String> = now.values().collect();
            prop_assert_eq!(distinct.len(), now.len(), "{:#?}", plan.changes);
        }
        let end: BTreeMap<Address, String> = declared
            .iter()
            .map(|n| (called(*n, 0).address, format!("name {}", wanted[*n])))
            .collect();
        prop_assert_eq!(now, end);
    }
}
