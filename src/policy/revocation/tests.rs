//! What stops a revocation, and what does not.

use super::*;
use crate::model::{
    AccountState, Address, Caller, Limits, Meant, Mrn, OrgId, Role, RoleSet, Scope, StackId,
    samples,
};
use crate::plan::{Action, Annex, Change, Contents, Difference, OwnersLeft, Reason};

fn owner() -> RoleSet {
    [Role::new("owner")].into()
}

/// The revocation of one account of an organization that has these owners left.
fn plan(account: &str, left: Option<OwnersLeft>) -> Plan {
    let organization = OrgId::new("acme-corp").expect("valid");
    let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
    let state = |roles: RoleSet| AccountState {
        roles,
        protected: true,
        ..samples::state("boss")
    };
    let what = Difference {
        address: Address::new("boss", None),
        generation: 1,
        action: Action::UpdatePermissions,
        reason: Reason::Revoked,
        scope: Scope::Organization(organization.clone()),
        account: Some(Mrn::new(account)),
        before: Some(state(owner())),
        after: Some(state(RoleSet::new())),
        marks: None,
        moved_from: None,
        deliver_to: Vec::new(),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: Vec::new(),
    };
    Contents {
        changes: vec![Change::of(what, &stack)],
        stack,
        endpoint: "local".to_owned(),
        meant: Meant::default(),
        limits: Limits {
            max_revoked_grants: 0,
            min_owners: 5,
            ..Limits::default()
        },
        policies: Vec::new(),
        blocked: Vec::new(),
        caller: Caller {
            mrn: Mrn::new("me"),
            binding: None,
            name: None,
        },
        declared: 1,
        managed: 1,
        sealed: true,
        in_flight: Vec::new(),
        annex: Annex {
            owners: left.map(|left| (organization, left)).into_iter().collect(),
            ..Annex::default()
        },
    }
    .settle()
}

fn objections(plan: Plan, acks: &[String]) -> Vec<&'static str> {
    let acks = Acks::parse(acks.iter().map(String::as_str)).expect("acknowledgements");
    let refusals = approve_revocation(plan, &acks).err().unwrap_or_default();
    refusals.iter().map(|refusal| refusal.guard).collect()
}

fn left(accounts: usize, people: Result<usize, &str>) -> Option<OwnersLeft> {
    let people = people.map_err(str::to_owned);
    Some(OwnersLeft { accounts, people })
}

/// Limits are about other days: one owner that is left is enough, whatever the configuration asks for.
#[test]
fn neither_limits_nor_protection_stop_a_revocation_but_no_owner_at_all_does() {
    let none = Vec::<&str>::new();
    for enough in [left(1, Ok(0)), left(0, Ok(1)), left(1, Err("denied"))] {
        assert_eq!(objections(plan("boss", enough), &[]), none);
    }
    for few in [left(0, Ok(0)), left(0, Err("denied")), None] {
        assert_eq!(objections(plan("boss", few.clone()), &[]), ["min-owners"]);
        let named = plan("boss", few.clone()).digest().to_owned();
        let ack = [format!("min-owners={named}")];
        assert_eq!(objections(plan("boss", few.clone()), &ack), none);
        let other = [format!("min-owners={}", "0".repeat(64))];
        assert_eq!(objections(plan("boss", few), &other), ["min-owners", "ack"]);
    }
}

#[test]
fn nobody_takes_the_roles_that_they_work_with() {
    let own = plan("me", left(1, Ok(1)));
    assert_eq!(objections(own, &[]), ["own-account"]);
}
