use super::*;
use crate::model::{
    Address, Caller, DesiredAccount, DesiredOrganization, DesiredSpace, Extent, Facts, Mrn,
    RoleSet, SourceRef, SpaceId, StackId,
};

fn acme() -> OrgId {
    OrgId::new("acme-corp").expect("valid")
}

fn space(id: &str) -> Scope {
    Scope::Space(SpaceId::new(id).expect("valid"))
}

fn place(line: u32) -> SourceRef {
    SourceRef {
        file: "main.hcl".to_owned(),
        line,
    }
}

/// What is said of a configuration with a space `payments` and so many accounts in it.
fn said(accounts: usize, extent: Extent) -> Vec<String> {
    let mut desired = Desired::nothing(StackId::new("acme", "k7m2q9ta").expect("valid"));
    let declared = DesiredSpace {
        id: SpaceId::new("payments").expect("valid"),
        organization: Some(acme()),
        declared_at: place(3),
    };
    desired.spaces.insert("prod".to_owned(), declared);
    for n in 0..accounts {
        let address = Address::new(format!("ci-{n}"), None);
        let account = DesiredAccount {
            address: address.clone(),
            scope: space("payments"),
            name: address.name.clone(),
            description: None,
            labels: None,
            roles: RoleSet::new(),
            role_places: BTreeMap::new(),
            valid_until: None,
            deliver_to: Vec::new(),
            protected: None,
            formerly: Vec::new(),
            import: None,
            declared_at: place(9),
        };
        desired.accounts.insert(address, account);
    }
    super::extent(&desired, &live(extent))
}

fn live(extent: Extent) -> Live {
    Live {
        facts: Facts {
            caller: Caller {
                mrn: Mrn::new("me"),
                name: None,
            },
            now: jiff::Timestamp::UNIX_EPOCH,
            endpoint: "local".to_owned(),
        },
        scopes: BTreeMap::new(),
        unread: BTreeMap::new(),
        extent,
        accounts: BTreeMap::new(),
    }
}

fn home(home: Home) -> Vec<String> {
    let extent = Extent {
        home,
        ..Extent::default()
    };
    said(0, extent)
}

#[test]
fn what_was_read_as_asked_needs_no_word() {
    assert_eq!(home(Home::Unasked), [""; 0]);
    for scope in [Scope::Organization(acme()), space("other")] {
        assert_eq!(home(Home::Read(scope)), [""; 0]);
    }
}

#[test]
fn a_gone_scope_names_both_possibilities_and_all_that_is_to_be_taken_out() {
    for (accounts, names) in [
        (0, "take space.prod (main.hcl:3) out of the configuration"),
        (
            2,
            "declared in it: service_account.ci-0, service_account.ci-1",
        ),
        (12, "service_account.ci-2 and 7 more"),
    ] {
        let extent = Extent {
            gone: [(space("payments"), acme())].into(),
            ..Extent::default()
        };
        let said = said(accounts, extent);
        let [one] = said.as_slice() else {
            panic!("one sentence: {said:?}");
        };
        assert!(one.contains("gone, or hidden from this login"), "{one}");
        assert!(one.ends_with(names), "{one}");
    }
}

#[test]
fn a_login_without_a_known_scope_and_one_that_is_left_out_say_so() {
    for unknown in [Home::Unknown, Home::LeftOut(None)] {
        let said = home(unknown);
        assert!(
            said[0].contains("does not tell in which scope it lives"),
            "{said:?}"
        );
    }
    for (scope, what) in [
        (
            Scope::Organization(acme()),
            "organization acme-corp with its spaces, in which",
        ),
        (space("other"), "space other, in which"),
    ] {
        let said = home(Home::LeftOut(Some(scope)));
        assert!(
            said[0].starts_with(what) && said[0].contains("--scopes=declared"),
            "{said:?}"
        );
    }
    let declared = home(Home::LeftOut(Some(space("payments"))));
    assert_eq!(declared, [""; 0], "it was read as what is declared");
}

#[test]
fn what_of_the_own_scope_could_not_be_read_is_said_once_and_counted() {
    let unread = |n: usize| -> BTreeMap<Scope, Unread> {
        let why = "denied".to_owned();
        (0..n)
            .map(|n| (space(&format!("space-{n:02}")), Unread { why: why.clone() }))
            .collect()
    };
    for (n, words) in [
        (1, "space space-00 was not read"),
        (3, "space space-02 were not read"),
        (40, "space space-04 and 35 more were not read"),
    ] {
        let extent = Extent {
            home: Home::Read(Scope::Organization(acme())),
            unseen: unread(n),
            ..Extent::default()
        };
        let said = said(0, extent);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].contains(words) && said[0].ends_with("(space space-00: denied)"),
            "{said:?}"
        );
    }
}

#[test]
fn an_organization_counts_as_declared_by_its_block() {
    let mut desired = Desired::nothing(StackId::new("acme", "k7m2q9ta").expect("valid"));
    let extent = Extent {
        home: Home::LeftOut(Some(Scope::Organization(acme()))),
        ..Extent::default()
    };
    assert_eq!(super::extent(&desired, &live(extent.clone())).len(), 1);
    let declared = DesiredOrganization {
        id: acme(),
        declared_at: place(1),
    };
    desired.organizations.insert("acme".to_owned(), declared);
    assert_eq!(super::extent(&desired, &live(extent)), [""; 0]);
}
