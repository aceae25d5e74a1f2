//! Laws of the guards: nothing that they forbid gets through, however a plan came about.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rolecall::config::{Policy, SourceFile, policy_dir};
use rolecall::model::{AccountState, Limits, LiveAccount, Role, Scope, Seals};
use rolecall::plan::{Action, Obstacle, Plan, Reason, Verdict};
use rolecall::policy::{ACKNOWLEDGEABLE, Acks, LocalFiles, approve, judge};

use super::{execute, plan, planned, worlds};

fn limits() -> impl Strategy<Value = Limits> {
    (0..4u32, 0..3u32, 0..=100u32, 0..4u32, 0..8u32, 0..8u32).prop_map(
        |(
            max_deletes,
            max_dead_births,
            max_delete_percent,
            max_escalations,
            max_gained_grants,
            max_revoked_grants,
        )| Limits {
            max_deletes,
            max_dead_births,
            max_delete_percent,
            max_escalations,
            max_gained_grants,
            max_revoked_grants,
            min_owners: 1,
            ..Limits::default()
        },
    )
}

/// Policies as texts, and what each of them means.
type Meaning = fn(&LiveAccount) -> bool;
const POLICIES: [(&str, Meaning); 5] = [
    (r#"!contains(self.roles, "owner")"#, |account| {
        !account.roles.contains(&Role::new("owner"))
    }),
    (
        r#"self.scope.kind == "space" || length(self.roles) <= 1"#,
        |account| matches!(account.scope, Scope::Space(_)) || account.roles.len() <= 1,
    ),
    (r#"lookup(self.labels, "a", "") == """#, |account| {
        account.labels.get("a").is_none_or(String::is_empty)
    }),
    (r#"self.description != null"#, |account| {
        account.description.is_some()
    }),
    // It cannot be evaluated for an account without a label `b`.
    (r#"self.labels.b != "x""#, |account| {
        account.labels.get("b").is_some_and(|b| b != "x")
    }),
];

/// The policies of these numbers, about managed accounts or about all.
pub fn policies(numbers: &[usize], all: bool) -> Vec<Policy> {
    let reach = if all { "all" } else { "managed" };
    let block = |n: &usize| {
        format!(
            "policy \"p{n}\" {{\n  applies_to = \"{reach}\"\n  condition = {}\n  message = \
             \"broken\"\n}}\n",
            POLICIES[*n].0
        )
    };
    let file = SourceFile {
        path: "policies.hcl".to_owned(),
        bytes: numbers.iter().map(block).collect::<String>().into(),
    };
    policy_dir(vec![file]).1.expect("policies").policies
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
        .filter(|c| matches!(c.action, Action::Delete | Action::Forget))
        .count());
    let escalations = changes
        .iter()
        .filter(|c| c.privilege.verdict == Verdict::Escalation);
    let weight_of = |these: &Option<AccountState>, those: &Option<AccountState>| -> u32 {
        let has = |role: &Role| those.as_ref().is_some_and(|s| s.roles.contains(role));
        let roles = these.iter().flat_map(|state| &state.roles);
        roles
            .filter(|role| !has(role))
            .map(|role| weight(role.short()))
            .sum()
    };
    let revoked: u32 = changes.iter().map(|c| weight_of(&c.before, &c.after)).sum();
    let gained: u32 = changes.iter().map(|c| weight_of(&c.after, &c.before)).sum();
    let managed = n(plan.managed);
    let dead_births = plan.changes.iter().filter(|c| !real(c));
    let dead_births = n(dead_births.filter(|c| c.action == Action::Delete).count());
    dead_births <= plan.limits.max_dead_births
        && deletes <= plan.limits.max_deletes
        && (managed < 4 || deletes * 100 <= managed * plan.limits.max_delete_percent)
        && n(escalations.count()) <= plan.limits.max_escalations
        && gained <= plan.limits.max_gained_grants
        && revoked <= plan.limits.max_revoked_grants
}

/// Never loosened while a plan is made: acknowledgements of all that can be acknowledged.
fn every_ack(plan: &Plan) -> Acks {
    let digest = plan.digest();
    let acks: Vec<String> = ACKNOWLEDGEABLE
        .iter()
        .map(|guard| format!("{guard}={digest}"))
        .collect();
    Acks::parse(acks.iter().map(String::as_str)).expect("acks")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Measured by the meaning of the changes alone: after an approved plan nothing breaks a policy,
    /// whatever is acknowledged, and a plan after which something would is refused.
    #[test]
    fn no_account_breaks_a_policy_after_an_approved_plan(
        (mut desired, live) in worlds(),
        numbers in proptest::sample::subsequence(vec![0, 1, 2, 3, 4], 0..=3),
        all in any::<bool>(),
    ) {
        let policies = policies(&numbers, all);
        desired.policies = policies.iter().map(Policy::reference).collect();
        let (mut plan, inventory) = planned(&desired, &live, &Seals::default());
        plan.judged(judge(&plan, &policies, &desired, &live, &inventory));
        let acks = every_ack(&plan);
        let result = approve(plan.clone(), &acks, None, LocalFiles::Stay);
        let left_alone = plan.annex.left_alone.iter().map(|l| &l.account.mrn);
        let disputed = plan.blocked.iter().filter_map(|blocked| match &blocked.block {
            Obstacle::Disputed { account, .. } => Some(account),
            _ => None,
        });
        let not_managed: BTreeSet<_> = left_alone.chain(disputed).collect();
        let after = execute(&plan, &live);
        let broken = after.accounts.values().any(|account| {
            (all || !not_managed.contains(&account.mrn))
                && numbers.iter().any(|n| !POLICIES[*n].1(account))
        });
        match result {
            Ok(_) => prop_assert!(!broken, "{:#?}", after.accounts),
            Err(refusals) => {
                let refused = refusals.iter().any(|r| r.guard == "policy");
                // What stands in the way of an account is judged as it is declared.
                if plan.blocked.is_empty() {
                    prop_assert_eq!(refused, broken, "{:?}", refusals);
                } else {
                    prop_assert!(refused || !broken);
                }
            }
        }
    }

    #[test]
    fn what_is_approved_keeps_to_its_limits((mut desired, live) in worlds(), limits in limits()) {
        desired.limits = limits;
        let plan = plan(&desired, &live);
        let harmless = keeps(&plan);
        match approve(plan.clone(), &Acks::default(), None, LocalFiles::Stay) {
            Ok(approved) => {
                prop_assert!(harmless, "{:#?}", plan.changes);
                prop_assert!(approved.plan().blocked.is_empty());
            }
            Err(refusals) => {
                let measured = refusals.iter().any(|r| r.guard.starts_with("max-"));
                prop_assert_eq!(measured, !harmless, "{:?}", refusals);
                // An acknowledgement of another plan lifts nothing, and refuses by itself.
                let acks: Vec<String> = refusals
                    .iter()
                    .filter(|r| r.guard.starts_with("max-"))
                    .map(|r| format!("{}={}", r.guard, "0".repeat(64)))
                    .collect();
                let acks = Acks::parse(acks.iter().map(String::as_str)).expect("acks");
                let mut again = approve(plan, &acks, None, LocalFiles::Stay).expect_err("refused");
                again.retain(|r| r.guard != "ack");
                prop_assert_eq!(again, refusals);
            }
        }
    }
}
