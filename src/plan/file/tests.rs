//! A plan comes back from its file as it was, or not at all.

use serde_json::json;

use super::*;
use crate::diff::{Action, Blocked, InFlight, Obstacle, Reason};
use crate::model::samples;
use crate::model::{
    AccountState, Caller, Limits, LiveAccount, Meant, Mrn, Nonce, Role, RoleSet, SpaceId, StackId,
};
use crate::plan::{Change, Difference};

fn scope() -> Scope {
    Scope::Space(SpaceId::new("payments").expect("valid"))
}

fn place(line: u32) -> SourceRef {
    SourceRef {
        file: "main.hcl".to_owned(),
        line,
    }
}

/// A plan with something in every part.
fn contents() -> Contents {
    let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
    let roles: RoleSet = [Role::new("viewer")].into();
    let state = AccountState {
        name: "ci".to_owned(),
        description: Some("scans".to_owned()),
        labels: [("team".to_owned(), "x".to_owned())].into(),
        roles: roles.clone(),
        valid_until: None,
        protected: true,
    };
    let difference = |line| Difference {
        address: Address::new(format!("a{line}"), None),
        generation: 1,
        action: Action::Update,
        reason: Reason::Differs,
        scope: scope(),
        account: Some(Mrn::new("a")),
        before: Some(state.clone()),
        after: Some(state.clone()),
        marks: None,
        moved_from: None,
        deliver_to: Vec::new(),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: vec![place(line)],
    };
    let unread = || Unread {
        why: "denied".to_owned(),
    };
    let organization = OrgId::new("acme-corp").expect("valid");
    let change = |line| Change::of(difference(line), &stack);
    Contents {
        stack: stack.clone(),
        endpoint: "local".to_owned(),
        caller: Caller {
            mrn: Mrn::new("me"),
            name: Some("deployer".to_owned()),
            binding: None,
        },
        declared: 1,
        managed: 1,
        sealed: true,
        limits: Limits::default(),
        policies: Vec::new(),
        meant: Meant {
            destroy: true,
            take_over: [StackId::new("other", "k7m2q9ta").expect("valid")].into(),
            accept_unsealed: true,
            renewal: crate::model::Renewal::default(),
            resume: [Nonce::from_label("5".repeat(32))].into(),
        },
        changes: vec![change(1), change(2)],
        blocked: vec![Blocked {
            address: Address::new("b", None),
            scope: scope(),
            block: Obstacle::Unread {
                why: "denied".to_owned(),
            },
            declared_at: Some(place(3)),
        }],
        in_flight: vec![InFlight {
            address: Address::new("c", None),
            account: Mrn::new("c"),
            until: "2026-11-23T12:00:00Z".parse().expect("a time"),
            nonce: None,
        }],
        annex: Annex {
            left_alone: vec![LeftAlone {
                account: LiveAccount {
                    roles,
                    ..samples::account(Mrn::new("d"), scope(), "d")
                },
                stack: None,
            }],
            revoked: vec![crate::plan::Revoked {
                address: Address::new("f", None),
                account: Mrn::new("f"),
                scope: scope(),
                generation: 2,
                sealed: true,
                declared_at: place(5),
            }],
            expired: vec![crate::plan::Expired {
                address: Address::new("e", None),
                account: Mrn::new("e"),
                scope: scope(),
                until: "2026-11-23T12:00:00Z".parse().expect("a time"),
                declared_at: place(4),
            }],
            generations: vec![crate::plan::Generation {
                address: Address::new("g", None),
                generation: 2,
                account: Mrn::new("g"),
                scope: scope(),
                standing: crate::plan::Standing::UseUnknown,
                declared_at: place(6),
            }],
            undelivered: vec![crate::plan::Undelivered {
                address: Address::new("f", None),
                account: Mrn::new("f"),
                scope: scope(),
                to: vec![crate::model::samples::destination("f.json")],
                why: "why".to_owned(),
                declared_at: place(5),
            }],
            past: [(
                Mrn::new("a"),
                crate::plan::Past {
                    created_at: Some("2025-11-23T12:00:00Z".parse().expect("a time")),
                    last_used: None,
                    read_at: "2026-11-23T12:00:00Z".parse().expect("a time"),
                    declared: Some(crate::plan::LastDeclared {
                        place: place(7),
                        commit: Some("0123".to_owned()),
                    }),
                },
            )]
            .into(),
            notes: vec![(Address::new("a1", None), "a note".to_owned())],
            advice: vec!["advice".to_owned()],
            unread: [(scope(), unread())].into(),
            scopes: [(
                scope(),
                ScopeInfo {
                    name: "Payments".to_owned(),
                    organization: Some(organization.clone()),
                },
            )]
            .into(),
            unverified: 2,
            unchanged: 3,
            judgement: None,
            owners: [(
                organization,
                OwnersLeft {
                    accounts: 1,
                    people: Ok(2),
                },
            )]
            .into(),
            checkout: None,
        },
    }
}

fn plan() -> Plan {
    let mut plan = contents().settle();
    let of = plan.digest().to_owned();
    plan.judged(Judgement {
        of,
        policies: Vec::new(),
        accounts: Vec::new(),
        cases: Vec::new(),
        idle: Vec::new(),
    });
    plan
}

fn written() -> Value {
    serde_json::from_slice(&write(&plan()).expect("a file")).expect("JSON")
}

fn read_edited(edit: impl Fn(&mut Value)) -> Result<Plan, FileError> {
    let mut file = written();
    edit(&mut file);
    read(file.to_string().as_bytes())
}

/// The same with digests that fit, as somebody makes them who knows how.
fn read_forged(edit: impl Fn(&mut Value)) -> Result<Plan, FileError> {
    read_edited(|file| {
        let of = file["aside"]["judgement"]["of"].clone();
        edit(file);
        let name = digest(&file["plan"]);
        if file["aside"]["judgement"]["of"] == of {
            file["aside"]["judgement"]["of"] = json!(name.trim_start_matches("sha256:"));
        }
        file["digest"] = json!(name);
        file["aside_digest"] = json!(digest(&file["aside"]));
    })
}

fn damaged(why: &str) -> Result<Plan, FileError> {
    Err(FileError::Damaged(why.to_owned()))
}

#[test]
fn a_plan_comes_back_whole_and_its_name_is_the_sha256_of_a_part_of_the_file() {
    let bytes = write(&plan()).expect("a file");
    assert_eq!(read(&bytes), Ok(plan()));
    assert_eq!(plan().caller.name.as_deref(), Some("deployer"));
    assert_eq!(bytes.iter().filter(|b| **b == b'\n').count(), 1);
    assert_eq!(bytes.last(), Some(&b'\n'), "a file of text ends its line");

    // As `jq -cjS .plan FILE | sha256sum` has it: sorted keys, nothing between the parts.
    let text = String::from_utf8(bytes).expect("text");
    let canonical = written()["plan"].to_string();
    assert!(text.contains(&canonical), "{text}");
    let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
    let hex: String = sha256.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(plan().digest(), hex);
    assert_eq!(written()["digest"], json!(format!("sha256:{hex}")));
}

#[test]
fn what_is_shown_besides_has_no_part_in_the_name() {
    let mut bare = contents();
    bare.annex = Annex::default();
    bare.caller = Caller {
        mrn: Mrn::new("somebody else"),
        name: None,
        binding: None,
    };
    (bare.declared, bare.managed, bare.sealed) = (0, 0, false);
    let changes = bare.changes.iter_mut();
    changes.for_each(|change| change.what.places.clear());
    bare.blocked[0].declared_at = None;
    bare.blocked[0].block = Obstacle::Unread { why: String::new() };
    bare.in_flight.clear();
    assert_eq!(bare.settle().canonical(), plan().canonical());
}

/// Read from the file by its own text alone, as `jq -cjS .plan FILE | sha256sum` and any other program
/// does, and never by way of a plan: what stands in the canonical form, and nothing else.
#[test]
fn the_canonical_form_is_what_is_documented_to_the_byte() {
    let state = concat!(
        r#"{"description":"scans","labels":{"team":"x"},"name":"ci","protected":true,"#,
        r#""roles":["//iam.api.mondoo.app/roles/viewer"],"valid_until":null}"#
    );
    let change = |n: u32| {
        format!(
            concat!(
                r#"{{"account":"a","action":"update","address":"service_account.a{}","#,
                r#""after":{},"before":{},"deliver_to":[],"generation":1,"moved_from":null,"#,
                r#""reason":"differs","scope":"//captain.api.mondoo.app/spaces/payments","#,
                r#""step":"update","taken_from":null}}"#
            ),
            n, state, state
        )
    };
    let expected = format!(
        concat!(
            r#"{{"changes":[{},{}],"endpoint":"local","format":4,"#,
            r#""limits":{{"max_dead_births":10,"max_delete_percent":25,"max_deletes":10,"#,
            r#""max_escalations":10,"max_gained_grants":20,"max_revoked_grants":20,"min_owners":1}},"#,
            r#""meant":{{"accept_unsealed":true,"destroy":true,"#,
            r#""resume":["55555555555555555555555555555555"],"take_over":["other/k7m2q9ta"]}},"#,
            r#""obstacles":[{{"accounts":[],"address":"service_account.b","kind":"unread","#,
            r#""scope":"//captain.api.mondoo.app/spaces/payments"}}],"#,
            r#""policies":[],"stack":"acme/k7m2q9ta"}}"#
        ),
        change(1),
        change(2)
    );
    assert_eq!(plan().canonical(), expected);
}

#[test]
fn damage_is_told_from_another_format_and_from_no_plan_at_all() {
    assert!(matches!(read(b"{"), Err(FileError::NotAPlan(_))));
    let why = "it has no `rolecall_plan`, which every file of `plan --out FILE` has".to_owned();
    assert_eq!(read(b"{}"), Err(FileError::NotAPlan(why)));
    let older = |file: &mut Value| file["rolecall_plan"] = json!(FORMAT - 1);
    let format = u64::from(FORMAT) - 1;
    assert_eq!(read_edited(older), Err(FileError::Format(format)));
    assert!(matches!(
        read_edited(|file| file["more"] = json!(1)),
        Err(FileError::Damaged(_))
    ));
    let endpoint = |file: &mut Value| file["plan"]["endpoint"] = json!("us");
    let why = "its digest is not that of its plan";
    assert_eq!(read_edited(endpoint), damaged(why));
    let advice = |file: &mut Value| file["aside"]["advice"] = json!([]);
    let why = "what it shows besides was changed";
    assert_eq!(read_edited(advice), damaged(why));
}

#[test]
fn a_forged_file_holds_what_a_plan_holds_and_all_of_it() {
    let other = read_forged(|file| file["plan"]["endpoint"] = json!("us"));
    assert_eq!(other.expect("it is whole").endpoint, "us");
    for (part, key) in [("plan", "and"), ("aside", "and")] {
        let more = read_forged(|file| file[part][key] = json!(1));
        assert!(matches!(more, Err(FileError::Damaged(_))), "{more:?}");
    }
    for part in ["places", "blocked"] {
        let fewer = read_forged(|file| {
            let list = file["aside"][part].as_array_mut().expect("a list");
            list.pop();
        });
        let why = "what it shows besides is of another plan";
        assert_eq!(fewer, damaged(why), "{part}");
    }
    // An obstacle that is told otherwise than the digest names it.
    let told = read_forged(|file| {
        file["aside"]["blocked"][0]["block"] = json!({"kind": "protected", "account": "b"});
    });
    assert_eq!(told, damaged("what it shows besides is of another plan"));
    let step = read_forged(|file| file["plan"]["changes"][0]["step"] = json!("delete"));
    assert_eq!(step, damaged("it is not in the form of a plan"));
    let order = read_forged(|file| {
        let changes = file["plan"]["changes"].as_array_mut().expect("a list");
        changes.reverse();
    });
    assert_eq!(order, damaged("it is not in the form of a plan"));
    let judged = read_forged(|file| file["aside"]["judgement"]["of"] = json!("0".repeat(64)));
    assert_eq!(
        judged,
        damaged("what policies said in it is of another plan")
    );
}

/// Readers differ in which of two equal keys counts: what is shown must be what is checked.
#[test]
fn a_key_that_stands_twice_is_refused_wherever_it_stands() {
    let bytes = write(&plan()).expect("a file");
    let text = String::from_utf8(bytes).expect("text");
    let (open, _) = text.trim_end().split_at(text.trim_end().len() - 1);
    let plan = &open[open.find("\"plan\":").expect("a plan")..];
    let cases = [
        text.replacen("{\"rolecall_plan\"", "{\"plan\":{},\"rolecall_plan\"", 1),
        text.replacen("\"aside\":{", "\"aside\":{\"advice\":[\"all is well\"],", 1),
        text.replacen("\"labels\":{", "\"labels\":{\"team\":\"x\",", 1),
        format!("{open},{plan}}}"),
    ];
    for case in cases {
        assert_ne!(case, text);
        let error = read(case.as_bytes()).expect_err("refused");
        assert!(matches!(error, FileError::Damaged(_)), "{error}: {case}");
        assert!(error.to_string().contains("one key twice"), "{error}");
    }
}

#[test]
fn no_single_byte_changes_what_a_file_says() {
    let bytes = write(&plan()).expect("a file");
    for at in 0..bytes.len() {
        for byte in [b'0', b'"', b' ', bytes[at] ^ 1] {
            let mut other = bytes.clone();
            other[at] = byte;
            if let Ok(read) = read(&other) {
                assert_eq!(read, plan(), "byte {at} as {byte}");
            }
        }
    }
}

#[test]
fn a_plan_is_empty_only_if_nothing_is_done_or_in_the_way() {
    let empty = || Contents {
        changes: Vec::new(),
        blocked: Vec::new(),
        in_flight: Vec::new(),
        ..contents()
    };
    assert!(empty().is_empty() && !plan().is_empty());
    let mut one = [empty(), empty(), empty()];
    one[0].changes = contents().changes;
    one[1].blocked = contents().blocked;
    one[2].in_flight = contents().in_flight;
    assert!(one.iter().all(|plan| !plan.is_empty()));
    assert_eq!(plan().count(Action::Update), 2);
    assert_eq!(plan().count(Action::Create), 0);
}

#[test]
fn what_is_checked_out_is_in_no_digest_and_no_file() {
    use crate::model::{Checkout, Standing};
    let mut of = plan();
    of.checked_out(Checkout {
        head: Some("0123456789abcdef".to_owned()),
        commits: [("89abcdef0123".to_owned(), Standing::NotAncestor)].into(),
    });
    assert_eq!(of.digest(), plan().digest());
    assert_eq!(write(&of), write(&plan()));
}
