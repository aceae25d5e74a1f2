//! What moves power, and in which direction.

use super::*;
use crate::model::{OrgId, Role, RoleSet, SpaceId};

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
        name: "ci".to_owned(),
        description: None,
        labels: BTreeMap::new(),
        roles: set(roles),
        valid_until: until.map(|t| t.parse().expect("a time")),
        protected,
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
