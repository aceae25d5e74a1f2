//! What moves power, and in which direction.

use super::*;
use crate::model::samples;
use crate::model::{
    AccountState, Address, Caller, Limits, Meant, Mrn, OrgId, Role, RoleSet, Scope, ScopeInfo,
    SpaceId, StackId,
};

fn stack() -> StackId {
    StackId::new("acme", "k7m2q9ta").expect("valid")
}

fn set(names: &[&str]) -> RoleSet {
    names.iter().map(|name| Role::new(name)).collect()
}

fn verdict(before: &[&str], after: &[&str]) -> Verdict {
    Privilege::between(&set(before), &set(after)).verdict
}

#[test]
fn gaining_a_role_is_an_escalation_unless_a_stronger_one_was_there() {
    use Verdict::{Escalation, Neutral, Reduction};
    for (before, after, expected) in [
        (&[][..], &[][..], Neutral),
        (&[], &["viewer"], Escalation),
        (&["viewer"], &["editor"], Escalation),
        (&["editor"], &["viewer"], Reduction),
        (&["owner"], &["viewer", "editor"], Reduction),
        (&["editor", "viewer"], &["editor"], Neutral),
        (&["editor"], &["editor", "viewer"], Neutral),
        (&["viewer"], &["viewer"], Neutral),
        (&["editor"], &["viewer", "editor"], Neutral),
        // Editors and owners cannot report scan results: agent stands apart.
        (&["owner"], &["owner", "agent"], Escalation),
        (&["owner"], &["agent"], Escalation),
        (&["agent"], &["viewer"], Escalation),
        (&["viewer"], &["viewer", "sla-manager"], Escalation),
        (&["owner"], &["policy-editor"], Escalation),
        (&["viewer"], &["brand-new-role", "viewer"], Escalation),
        (&["viewer"], &[], Reduction),
    ] {
        assert_eq!(verdict(before, after), expected, "{before:?} → {after:?}");
    }
}

#[test]
fn an_owner_or_an_unknown_role_is_flagged_both_ways() {
    let owner =
        |before: &[&str], after: &[&str]| Privilege::between(&set(before), &set(after)).owner;
    assert!(owner(&[], &["owner"]));
    assert!(owner(&["owner"], &["viewer"]));
    assert!(owner(&[], &["brand-new-role"]));
    assert!(
        !owner(&["owner"], &["owner", "agent"]),
        "the owner role itself does not move"
    );
    assert!(!owner(&["viewer"], &["editor"]));
}

#[test]
fn power_is_said_in_a_sentence_with_its_reach() {
    let space = Scope::Space(SpaceId::new("payments").expect("valid"));
    let org = Scope::Organization(OrgId::new("acme-corp").expect("valid"));
    assert_eq!(
        power(&set(&[]), &org, Some(3)),
        "do nothing in organization acme-corp"
    );
    assert_eq!(
        power(&set(&["viewer", "agent"]), &space, None),
        "report scan results and read everything in space payments"
    );
    let owner = power(&set(&["owner", "editor", "viewer"]), &org, Some(3));
    assert_eq!(
        owner,
        "do everything, ownership and deletion included in organization acme-corp and all its 3 \
         spaces",
        "weaker roles of the chain say nothing more"
    );
    assert!(power(&set(&["new-role"]), &space, None).contains("unknown role new-role"));
}

#[test]
fn what_exposes_an_account_is_an_escalation_whatever_happens_to_its_roles() {
    let state = |roles: &[&str], until: Option<&str>, protected: bool| AccountState {
        roles: set(roles),
        valid_until: until.map(|t| t.parse().expect("a time")),
        protected,
        ..samples::state("ci")
    };
    let of = |before: AccountState, after: AccountState| {
        let privilege = Privilege::of(Some(&before), Some(&after));
        (privilege.verdict, privilege.exposures)
    };
    let (early, late) = (Some("2027-01-01T00:00:00Z"), Some("2027-06-01T00:00:00Z"));
    let later = vec![Exposure::LaterExpiry];
    let bare = vec![Exposure::ProtectionRemoved];
    for (before, after, expected) in [
        (early, late, (Verdict::Escalation, later.clone())),
        (early, None, (Verdict::Escalation, later)),
        (late, early, (Verdict::Neutral, Vec::new())),
        (None, early, (Verdict::Neutral, Vec::new())),
    ] {
        let found = of(state(&[], before, false), state(&[], after, false));
        assert_eq!(found, expected, "{before:?} → {after:?}");
    }
    let lowered = of(state(&["owner"], None, true), state(&[], None, false));
    assert_eq!(lowered, (Verdict::Escalation, bare));
    let raised = of(state(&[], None, false), state(&[], None, true));
    assert_eq!(raised, (Verdict::Neutral, Vec::new()));
}

/// A birth without a role gives nobody power, but for who reads what is kept.
#[test]
fn a_new_file_that_is_kept_is_an_escalation_and_so_is_to_overwrite_what_nobody_can_read() {
    let of = |keep: bool| {
        let to = samples::destination("ci.json");
        let file = to.place().file().cloned().expect("a file");
        let place = crate::model::Place::File(crate::model::FilePlace { keep, ..file });
        let to = crate::model::Destination::new(to.sink(), place);
        let privilege =
            Privilege::of(None, Some(&samples::state("ci"))).delivered([to].iter(), true);
        (privilege.verdict, privilege.exposures)
    };
    assert_eq!(of(false), (Verdict::Neutral, Vec::new()));
    assert_eq!(of(true), (Verdict::Escalation, vec![Exposure::NewPlace]));
    let to = samples::destination("ci.json").overwriting_unreadable(true);
    let blind = Privilege::of(None, Some(&samples::state("ci"))).delivered([to].iter(), true);
    assert_eq!(blind.verdict, Verdict::Escalation);
    assert_eq!(blind.exposures, [Exposure::OverwritesUnreadable]);
}

#[test]
fn owners_are_counted_as_they_are_after_the_plan_and_where_one_goes() {
    use crate::model::LiveAccount;
    let org = |id: &str| Scope::Organization(OrgId::new(id).expect("valid"));
    let live_account = |name: &str, at: &Scope, roles: &[&str]| LiveAccount {
        roles: set(roles),
        ..samples::account(Mrn::new(name), at.clone(), name)
    };
    let acme = org("acme-corp");
    let accounts = [
        live_account("lowered", &acme, &["owner"]),
        live_account("deleted", &acme, &["owner"]),
        live_account("kept", &acme, &["owner", "agent"]),
        live_account("editor", &acme, &["editor"]),
        live_account("elsewhere", &org("other-corp"), &["owner"]),
    ];
    let change = |name: &str, action: Action, before: &[&str], after: Option<&[&str]>| {
        let state = |roles: &[&str]| AccountState {
            roles: set(roles),
            ..samples::state(name)
        };
        let (before, after) = (state(before), after.map(state));
        let what = Difference {
            address: Address::new(name, None),
            generation: 1,
            action,
            reason: Reason::Differs,
            scope: acme.clone(),
            account: Some(Mrn::new(name)),
            before: Some(before),
            after,
            marks: None,
            moved_from: None,
            deliver_to: Vec::new(),
            key_from: None,
            leaves: Vec::new(),
            predecessors: Vec::new(),
            places: Vec::new(),
        };
        Change::of(what, &stack())
    };
    let caller = || Caller {
        mrn: Mrn::new("me"),
        name: None,
        binding: None,
    };
    let plan = |changes: Vec<Change>| {
        Contents {
            stack: stack(),
            endpoint: "local".to_owned(),
            caller: caller(),
            declared: 1,
            managed: 1,
            sealed: true,
            limits: Limits::default(),
            policies: Vec::new(),
            meant: Meant::default(),
            changes,
            blocked: Vec::new(),
            in_flight: Vec::new(),
            annex: Annex::default(),
        }
        .settle()
    };
    let live = samples::live("me", accounts);
    let (roles, update) = (Action::UpdatePermissions, Action::Update);
    let found = owned_less(
        &plan(vec![
            change("lowered", roles, &["owner"], Some(&["editor"])),
            change("lowered", update, &["owner"], Some(&["owner"])),
            change("deleted", Action::Delete, &["owner"], None),
        ]),
        &live,
    );
    let acme = OrgId::new("acme-corp").expect("valid");
    assert_eq!(found, [(acme, 1)].into(), "only `kept` is left");
    let raised = change("editor", roles, &["editor"], Some(&["owner"]));
    assert!(owned_less(&plan(vec![raised]), &live).is_empty());
}

#[test]
fn the_spaces_of_an_organization_are_counted_only_where_all_were_read() {
    use crate::model::Unread;
    let (acme, other) = (OrgId::new("acme-corp"), OrgId::new("other-corp"));
    let space = |id: &str| Scope::Space(SpaceId::new(id).expect("valid"));
    let within = |organization: &Option<OrgId>| ScopeInfo {
        name: String::new(),
        organization: organization.clone(),
    };
    let organization = |id: &Option<OrgId>| Scope::Organization(id.clone().expect("valid"));
    let mut annex = Annex {
        scopes: [
            (organization(&acme), within(&None)),
            (organization(&other), within(&None)),
            (space("space-one"), within(&acme)),
            (space("space-two"), within(&acme)),
            (space("space-three"), within(&other)),
        ]
        .into(),
        ..Annex::default()
    };
    assert_eq!(annex.spaces_in(&organization(&acme)), Some(2));
    assert_eq!(annex.spaces_in(&organization(&other)), Some(1));
    assert_eq!(annex.spaces_in(&space("space-one")), None);
    let why = || Unread {
        why: "denied".to_owned(),
    };
    annex.unread = [(organization(&other), why())].into();
    assert_eq!(annex.spaces_in(&organization(&acme)), Some(2));
    annex.unread.insert(space("space-four"), why());
    assert_eq!(annex.spaces_in(&organization(&acme)), None);
    assert_eq!(Annex::default().spaces_in(&organization(&acme)), None);
}
