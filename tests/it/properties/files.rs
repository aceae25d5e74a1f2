//! Laws of plan files and of what is held against them.

use proptest::prelude::*;
use rolecall::config::Policy;
use rolecall::model::{Caller, Mrn, Seals};
use rolecall::plan::{Annex, Obstacle, compare, read, without_moved, write};
use rolecall::policy::judge;
use rolecall::view::{human, json};
use serde_json::Value;

use super::{plan, planned, worlds};

/// A plan without the parts of which the document itself says that the digest does not cover them.
pub fn covered(plan: &Value) -> Value {
    fn drop_path(value: &mut Value, path: &[&str]) {
        match (value, path) {
            (Value::Array(items), _) => items.iter_mut().for_each(|item| drop_path(item, path)),
            (Value::Object(members), [last]) => {
                assert!(members.remove(*last).is_some(), "{last} is not there");
            }
            (Value::Object(members), [first, rest @ ..]) => {
                drop_path(members.get_mut(*first).expect("there"), rest);
            }
            other => panic!("{other:?}"),
        }
    }
    let mut covered = plan.clone();
    for path in plan["outside_digest"].as_array().expect("a list") {
        let path: Vec<&str> = path.as_str().expect("text").split('.').collect();
        drop_path(&mut covered, &path);
    }
    covered
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_plan_survives_its_file_with_all_that_it_shows((desired, live) in worlds()) {
        let plan = plan(&desired, &live);
        let bytes = write(&plan).expect("writes");
        prop_assert_eq!(&bytes, &write(&plan).expect("writes"), "the same bytes");
        let back = read(&bytes).expect("reads");
        prop_assert_eq!(back.digest(), plan.digest());
        prop_assert_eq!(human::plan(&back), human::plan(&plan));
        prop_assert_eq!(json::plan(&back), json::plan(&plan));
        prop_assert_eq!(&write(&back).expect("writes"), &bytes);
        // The marks that an account was found under stay at home.
        let mut bare = plan.into_contents();
        bare.changes.iter_mut().for_each(|change| change.what.marks = None);
        prop_assert_eq!(back, bare.settle());
    }

    /// Whatever the document does not name as outside of the digest stays as it is when all that is
    /// beside the digest is another.
    #[test]
    fn what_a_document_says_is_covered_is(
        (mut desired, live) in worlds(),
        numbers in proptest::sample::subsequence(vec![0, 1, 2], 0..=2),
    ) {
        let policies = super::guards::policies(&numbers, true);
        desired.policies = policies.iter().map(Policy::reference).collect();
        let (mut plan, inventory) = planned(&desired, &live, &Seals::default());
        plan.judged(judge(&plan, &policies, &desired, &live, &inventory));
        let mut other = plan.clone().into_contents();
        other.annex = Annex::default();
        other.caller = Caller { mrn: Mrn::new("somebody else"), name: Some("You".to_owned()), binding: None };
        (other.declared, other.managed, other.sealed) = (77, 77, !other.sealed);
        other.in_flight.clear();
        other.changes.iter_mut().for_each(|change| change.what.places.clear());
        for blocked in &mut other.blocked {
            blocked.declared_at = None;
            if let Obstacle::Disputed { why, .. } | Obstacle::Unread { why } = &mut blocked.block {
                why.clear();
            }
        }
        let other = other.settle();
        prop_assert_eq!(other.digest(), plan.digest());
        prop_assert_eq!(covered(&json::plan(&plan)), covered(&json::plan(&other)));
    }

    #[test]
    fn a_changed_byte_is_damage_or_nothing(
        (desired, live) in worlds(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let plan = plan(&desired, &live);
        let mut bytes = write(&plan).expect("writes");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(back) = read(&bytes) {
            prop_assert_eq!(back.canonical(), plan.canonical());
            prop_assert_eq!(json::plan(&back), json::plan(&plan));
        }
        // The line end is no part of it.
        let whole = at + 1 == bytes.len();
        prop_assert!(whole || read(&bytes[..at]).is_err(), "what is cut off is no plan");
    }

    #[test]
    fn nothing_moved_exactly_if_the_digests_are_equal(
        (desired, live) in worlds(),
        (other_desired, other_live) in worlds(),
    ) {
        let one = plan(&desired, &live);
        for other in [plan(&desired, &other_live), plan(&other_desired, &live), one.clone()] {
            let moved = compare(&one, &other);
            prop_assert_eq!(moved.is_empty(), one.digest() == other.digest(), "{:?}", moved);
        }
    }

    #[test]
    fn what_is_kept_was_reviewed_to_the_letter(
        (desired, live) in worlds(),
        (_, other_live) in worlds(),
    ) {
        let reviewed = plan(&desired, &live);
        let now = plan(&desired, &other_live);
        let moved = compare(&reviewed, &now);
        let kept = without_moved(now.clone(), &moved);
        for change in &kept.changes {
            prop_assert!(reviewed.changes.contains(change), "{:?}", change);
            prop_assert!(moved.iter().all(|m| m.address.as_ref() != Some(&change.address)));
        }
        for change in now.changes.iter().filter(|c| !kept.changes.contains(c)) {
            prop_assert!(
                moved.iter().any(|m| m.address.as_ref() == Some(&change.address)),
                "left out without a word: {:?}", change
            );
        }
    }
}
