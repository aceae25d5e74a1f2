//! What is the rest of a plan, and what only looks like it.

use super::*;
use crate::model::samples;
use crate::model::{
    Birth, Desired, Fingerprint, Limits, LiveLabels, Marks, Meant, Role, Scope, ScopeInfo, Seals,
    SpaceId, StackId,
};
use crate::plan::{Annex, Contents, Difference};

const ME: &str = "me";

fn stack() -> StackId {
    StackId::new("acme", "k7m2q9ta").expect("valid")
}

fn space() -> Scope {
    Scope::Space(SpaceId::new("payments").expect("valid"))
}

fn state(roles: &[&str]) -> AccountState {
    AccountState {
        roles: roles.iter().map(|role| Role::new(role)).collect(),
        ..samples::state("ci")
    }
}

fn difference(action: Action, account: Option<&str>) -> Difference {
    Difference {
        address: Address::new("ci", None),
        generation: 1,
        action,
        reason: Reason::Differs,
        scope: space(),
        account: account.map(Mrn::new),
        before: account.map(|_| state(&[])),
        after: (action != Action::Delete).then(|| state(&["viewer"])),
        marks: None,
        moved_from: None,
        deliver_to: match action {
            Action::Create => vec![samples::destination("a.json")],
            _ => Vec::new(),
        },
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: Vec::new(),
    }
}

fn plan(changes: Vec<Difference>) -> Plan {
    let changes = changes.into_iter();
    Contents {
        stack: stack(),
        endpoint: "local".to_owned(),
        meant: Meant::default(),
        limits: Limits::default(),
        policies: Vec::new(),
        changes: changes.map(|what| Change::of(what, &stack())).collect(),
        blocked: Vec::new(),
        caller: samples::facts(ME).caller,
        declared: 1,
        managed: 1,
        sealed: false,
        in_flight: Vec::new(),
        annex: Annex::default(),
    }
    .settle()
}

/// The account `made`, whose marks a run of a plan of this digest wrote.
fn account(by: &str, credential: CredentialMark, roles: &[&str]) -> LiveAccount {
    let marks = Marks {
        credential,
        written: Written::new(None, Some(by)),
        ..Marks::external(stack(), Address::new("ci", None).label(), false)
    };
    LiveAccount {
        labels: LiveLabels::from(marks.labels()),
        roles: state(roles).roles,
        creator: Some(ME.to_owned()),
        ..samples::account(Mrn::new("made"), space(), "ci")
    }
}

fn pending() -> CredentialMark {
    CredentialMark::Pending(Birth::new(
        Nonce::from_bytes([7; 16]),
        samples::facts(ME).now,
    ))
}

fn delivered(file: &str) -> CredentialMark {
    CredentialMark::Delivered {
        fingerprint: Fingerprint::of_public_key(b"key"),
        nonce: Nonce::from_bytes([7; 16]),
        destinations: [samples::destination(file).key_at(1, None)].into(),
    }
}

/// Holds a plan against another, where these accounts are live and these scopes were read.
fn held(
    reviewed: &Plan,
    now: &Plan,
    accounts: Vec<LiveAccount>,
    read: &[Scope],
) -> Result<Rest, Vec<String>> {
    let named = |scope: &Scope| {
        let name = "payments".to_owned();
        let organization = None;
        (scope.clone(), ScopeInfo { name, organization })
    };
    let live = Live {
        scopes: read.iter().map(named).collect(),
        ..samples::live(ME, accounts)
    };
    let inventory = Inventory::take(&Desired::nothing(stack()), &live, &Seals::default());
    let said = |moved: Vec<Moved>| moved.into_iter().map(|moved| moved.what).collect();
    rest(reviewed, now, &live, &inventory).map_err(said)
}

const NOT_DUE: &str = "create: reviewed, and not due any more";

fn one_of_one() -> Result<Rest, Vec<String>> {
    Ok(Rest { done: 1, of: 1 })
}

#[test]
fn a_birth_is_done_if_the_account_is_there_as_it_was_wanted_with_its_key_where_it_goes() {
    let reviewed = plan(vec![difference(Action::Create, None)]);
    let made = |credential, roles: &[&str]| {
        let account = account(reviewed.digest(), credential, roles);
        held(&reviewed, &plan(Vec::new()), vec![account], &[space()])
    };
    assert_eq!(made(delivered("a.json"), &["viewer"]), one_of_one());
    let not = Err(vec![NOT_DUE.to_owned()]);
    assert_eq!(made(delivered("b.json"), &["viewer"]), not);
    assert_eq!(made(delivered("a.json"), &["viewer", "editor"]), not);
    assert_eq!(made(pending(), &["viewer"]), not);
    assert_eq!(
        held(&reviewed, &plan(Vec::new()), Vec::new(), &[space()]),
        not
    );
}

#[test]
fn roles_are_the_rest_of_a_birth_of_this_plan_alone_and_within_what_it_asked() {
    let reviewed = plan(vec![difference(Action::Create, None)]);
    let grants = |by: &str, before: &[&str], after: &[&str]| {
        let grant = Difference {
            before: Some(state(before)),
            after: Some(state(after)),
            ..difference(Action::UpdatePermissions, Some("made"))
        };
        let live = account(by, delivered("a.json"), before);
        held(&reviewed, &plan(vec![grant]), vec![live], &[space()])
    };
    let digest = reviewed.digest();
    assert_eq!(
        grants(digest, &[], &["viewer"]),
        Ok(Rest { done: 0, of: 1 })
    );
    // What another plan made, what somebody raised, and what nobody reviewed.
    let other = "0123456789abcdef";
    assert!(grants(other, &[], &["viewer"]).is_err());
    assert!(grants(digest, &["editor"], &["viewer"]).is_err());
    assert!(grants(digest, &[], &["editor"]).is_err());
}

#[test]
fn a_dead_birth_is_removed_by_the_plan_that_began_it_alone() {
    let reviewed = plan(vec![difference(Action::Create, None)]);
    let removes = |by: &str, reason: Reason| {
        let dead = Difference {
            reason,
            ..difference(Action::Delete, Some("made"))
        };
        let again = Difference {
            reason: Reason::CredentialPending,
            ..difference(Action::Create, None)
        };
        let live = account(by, pending(), &[]);
        held(&reviewed, &plan(vec![dead, again]), vec![live], &[space()])
    };
    let digest = reviewed.digest();
    let begun = Ok(Rest { done: 0, of: 1 });
    assert_eq!(removes(digest, Reason::CredentialPending), begun);
    assert!(removes("0123456789abcdef", Reason::CredentialPending).is_err());
    assert!(removes(digest, Reason::Undeclared).is_err());
}

#[test]
fn what_was_to_be_deleted_is_gone_only_where_somebody_looked() {
    let reviewed = plan(vec![difference(Action::Delete, Some("made"))]);
    let gone = |read: &[Scope]| held(&reviewed, &plan(Vec::new()), Vec::new(), read);
    assert_eq!(gone(&[space()]), one_of_one());
    let not = "delete: reviewed, and not due any more".to_owned();
    assert_eq!(gone(&[]), Err(vec![not]));
}

#[test]
fn a_change_that_others_made_is_named_and_what_was_done_is_not() {
    let created = difference(Action::Create, None);
    let other = Difference {
        address: Address::new("other", None),
        ..difference(Action::UpdatePermissions, Some("other"))
    };
    let reviewed = plan(vec![created]);
    let live = account(reviewed.digest(), delivered("a.json"), &["viewer"]);
    let said = held(&reviewed, &plan(vec![other]), vec![live], &[space()]);
    let line = "update-permissions: due now, and not reviewed; its live roles are []".to_owned();
    assert_eq!(said, Err(vec![line]));
}
