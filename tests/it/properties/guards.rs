//! Laws of the guards: nothing that they forbid gets through, however a plan came about.

use proptest::prelude::*;
use rolecall::model::Limits;
use rolecall::plan::{Action, Plan, Reason, Verdict};
use rolecall::policy::{Acks, approve};

use super::{plan, worlds};

fn limits() -> impl Strategy<Value = Limits> {
    (0..4u32, 0..=100u32, 0..4u32, 0..8u32).prop_map(
        |(max_deletes, max_delete_percent, max_escalations, max_revoked_grants)| Limits {
            max_deletes,
            max_delete_percent,
            max_escalations,
            max_revoked_grants,
        },
    )
}

/// What a role weighs, as the documentation of the limits says.
fn weight(role: &str) -> u32 {
    match role {
        "agent" | "viewer" => 1,
        "editor" => 3,
        "owner" => 4,
        _ => 2,
    }
}

/// Whether a plan keeps to its limits, counted from the states before and after alone.
fn keeps(plan: &Plan) -> bool {
    let real = |c: &&rolecall::plan::Change| c.reason != Reason::CredentialPending;
    let changes: Vec<_> = plan.changes.iter().filter(real).collect();
    let n = |count: usize| u32::try_from(count).expect("small");
    let deletes = n(changes
        .iter()
        .filter(|c| c.action == Action::Delete)
        .count());
    let escalations = changes
        .iter()
        .filter(|c| c.privilege.verdict == Verdict::Escalation);
    let mut revoked = 0;
    for change in &changes {
        let Some(before) = &change.before else {
            continue;
        };
        for role in &before.roles {
            let kept = change
                .after
                .as_ref()
                .is_some_and(|after| after.roles.contains(role));
            if !kept {
                revoked += weight(role.short());
            }
        }
    }
    let managed = n(plan.managed);
    deletes <= plan.limits.max_deletes
        && (managed < 4 || deletes * 100 <= managed * plan.limits.max_delete_percent)
        && n(escalations.count()) <= plan.limits.max_escalations
        && revoked <= plan.limits.max_revoked_grants
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_approved_keeps_to_its_limits((mut desired, live) in worlds(), limits in limits()) {
        desired.limits = limits;
        let plan = plan(&desired, &live);
        let harmless = keeps(&plan);
        match approve(plan.clone(), &Acks::default()) {
            Ok(approved) => {
                prop_assert!(harmless, "{:#?}", plan.changes);
                prop_assert!(approved.plan().blocked.is_empty());
            }
            Err(refusals) => {
                let measured = refusals.iter().any(|r| r.guard.starts_with("max-"));
                prop_assert_eq!(measured, !harmless, "{:?}", refusals);
                // An acknowledgement of another plan lifts nothing.
                let acks: Vec<String> = refusals
                    .iter()
                    .filter(|r| r.guard.starts_with("max-"))
                    .map(|r| format!("{}=000000000000", r.guard))
                    .collect();
                let acks = Acks::parse(acks.iter().map(String::as_str)).expect("acks");
                let again = approve(plan, &acks).expect_err("refused");
                prop_assert_eq!(again, refusals);
            }
        }
    }
}
