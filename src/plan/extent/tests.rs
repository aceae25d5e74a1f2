use super::*;
use crate::model::samples;
use crate::model::{
    Address, DesiredOrganization, DesiredSpace, Extent, Former, LiveAccount, Marks, Mrn, ScopeInfo,
    Seals, SourceRef, SpaceId, StackId,
};

fn extent_of(desired: &Desired, live: &Live) -> Vec<String> {
    let inventory = Inventory::take(desired, live, &Seals::default());
    super::extent(desired, live, &inventory)
}

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

/// A configuration with a space of this id and so many accounts in it.
fn declared(id: &str, accounts: usize) -> Desired {
    let mut desired = Desired::nothing(StackId::new("acme", "k7m2q9ta").expect("valid"));
    let declared = DesiredSpace {
        id: SpaceId::new(id).expect("valid"),
        organization: Some(acme()),
        declared_at: place(3),
    };
    desired.spaces.insert("prod".to_owned(), declared);
    for n in 0..accounts {
        let address = Address::new(format!("ci-{n}"), None);
        let account = DesiredAccount {
            declared_at: place(9),
            ..samples::declared(address.clone(), space(id))
        };
        desired.accounts.insert(address, account);
    }
    desired
}

/// What is said of a configuration with a space `payments` and so many accounts in it.
fn said(accounts: usize, extent: Extent) -> Vec<String> {
    extent_of(&declared("payments", accounts), &live(extent))
}

/// What is said of a space of this id that is gone, with two accounts in it, where these are listed.
fn gone(id: &str, listed: &[&str], change: impl FnOnce(&mut Desired, &mut Live)) -> String {
    let mut desired = declared(id, 2);
    let mut live = live(Extent {
        gone: [(space(id), acme())].into(),
        ..Extent::default()
    });
    for id in listed {
        let info = ScopeInfo {
            name: (*id).to_owned(),
            organization: Some(acme()),
        };
        live.scopes.insert(space(id), info);
    }
    change(&mut desired, &mut live);
    let said = extent_of(&desired, &live);
    assert_eq!(said.len(), 1, "{said:?}");
    said.concat()
}

/// An account of a stack in a space, with the marks of this address.
fn marked(stack: &str, address: &Address, scope: &Scope) -> LiveAccount {
    let stack = StackId::new("acme", stack).expect("valid");
    let marks = Marks::external(stack, address.label(), false);
    LiveAccount {
        labels: marks.labels().into(),
        ..samples::account(Mrn::new(format!("//{address}")), scope.clone(), "live")
    }
}

#[test]
fn an_id_that_may_be_mistyped_is_answered_with_the_nearest_that_is_listed() {
    let listed = ["serene-bouman-275779", "relaxed-khayyam-961566"];
    for (wrong, meant) in [
        ("serene-bouman-27577", Some("serene-bouman-275779")),
        ("serene-boumann-275779", Some("serene-bouman-275779")),
        ("relaxed-kayyam-961556", Some("relaxed-khayyam-961566")),
        ("old-space", None),
    ] {
        let one = gone(wrong, &listed, |_, _| {});
        let question = meant.map_or("if the id is mistyped, correct it;".to_owned(), |id| {
            format!("if the id is mistyped, correct it (did you mean {id}?);")
        });
        assert!(one.contains(&question), "{one}");
        assert!(one.contains("only if it is gone, take space.prod"), "{one}");
    }
    // What is declared already was not meant, and neither was another organization's.
    let near = ["payments-12"];
    let one = gone("payments-1", &near, |desired, _| {
        let mut other = desired.spaces["prod"].clone();
        other.id = SpaceId::new("payments-12").expect("valid");
        desired.spaces.insert("other".to_owned(), other);
    });
    assert!(!one.contains("did you mean"), "{one}");
    let one = gone("payments-1", &near, |_, live| {
        for info in live.scopes.values_mut() {
            info.organization = None;
        }
    });
    assert!(!one.contains("did you mean"), "{one}");
}

#[test]
fn nobody_is_told_to_take_out_what_is_live_elsewhere() {
    let real = "serene-bouman-275779";
    for (wrong, former) in [
        ("serene-bouman-27577", false),
        ("totally-different-1", false),
        ("serene-bouman-275778", true),
    ] {
        let one = gone(wrong, &[real], |desired, live| {
            let mut address = Address::new("ci-1", None);
            if former {
                let old = Address::new("old", None);
                let account = desired.accounts.get_mut(&address).expect("declared");
                account.formerly = vec![Former {
                    address: old.clone(),
                    declared_at: place(20),
                }];
                address = old;
            }
            let account = marked("k7m2q9ta", &address, &space(real));
            live.accounts.insert(account.mrn.clone(), account);
        });
        for words in [
            format!("live elsewhere: service_account.ci-1 in space {real};"),
            format!("correct the id (did you mean {real}?)"),
            "that would delete what is live".to_owned(),
        ] {
            assert!(one.contains(&words), "{words}: {one}");
        }
        assert!(!one.contains("take space.prod"), "{one}");
    }
    // Another stack's at the same address, and ours at another one, are not in danger.
    for (stack, name) in [("zzzzzzzz", "ci-1"), ("k7m2q9ta", "ci-7")] {
        let one = gone("old-space", &[real], |_, live| {
            let account = marked(stack, &Address::new(name, None), &space(real));
            live.accounts.insert(account.mrn.clone(), account);
        });
        assert!(one.contains("take space.prod"), "{one}");
    }
}

fn live(extent: Extent) -> Live {
    Live {
        extent,
        ..samples::live("me", [])
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
    assert_eq!(extent_of(&desired, &live(extent.clone())).len(), 1);
    let declared = DesiredOrganization {
        id: acme(),
        declared_at: place(1),
    };
    desired.organizations.insert("acme".to_owned(), declared);
    assert_eq!(extent_of(&desired, &live(extent)), [""; 0]);
}
