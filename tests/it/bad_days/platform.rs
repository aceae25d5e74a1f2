//! A platform that answers in ways that the schema allows and nobody expects.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rolecall_server::SeedAccount;
use serde_json::{Value, json};

use super::{APPLY, CI, PLAN, SETTLED, holds, stage, writes};
use crate::stage::{PAYMENTS, Stage, Then, answer};

fn account(stage: &Stage, name: &str, roles: &[&str]) -> String {
    let account: SeedAccount =
        serde_json::from_value(json!({"name": name, "roles": roles})).expect("an account");
    stage
        .app
        .admin_create_account(PAYMENTS, &account, Timestamp::now())
        .expect("created")
}

/// Changes every answer to an operation.
fn change(stage: &Stage, operation: &'static str, how: fn(&mut Value)) {
    stage.front.hook(move |seen, _| {
        if seen == operation {
            Then::Change(Box::new(how))
        } else {
            Then::Answer
        }
    });
}

/// A page of accounts without any, that leads on to `next`.
fn leads_on(next: &str) -> Then {
    let page = json!({"data": {"serviceAccounts": {
        "edges": [], "pageInfo": {"hasNextPage": true, "endCursor": next},
    }}});
    Then::Send(answer(200, &[], &page.to_string()))
}

#[test]
fn a_listing_that_never_ends() {
    let mut stage = stage();
    stage.say("every page of the accounts leads to the same one");
    stage.front.hook(|operation, _| match operation {
        "serviceAccounts" => leads_on("again"),
        _ => Then::Answer,
    });
    let listings = |stage: &Stage| {
        let seen = stage.front.seen();
        seen.iter()
            .filter(|name| *name == "serviceAccounts")
            .count()
    };
    assert_eq!(stage.run(APPLY), 3);
    assert_eq!(listings(&stage), 4, "twice of each of two scopes");
    assert!(writes(&stage).is_empty());
    stage.say("every page leads to another one");
    stage.front.hook(|operation, count| match operation {
        "serviceAccounts" => leads_on(&format!("page-{count}")),
        _ => Then::Answer,
    });
    assert_eq!(stage.run(APPLY), 3);
    assert_eq!(listings(&stage), 20, "ten times of each of two scopes");
    assert!(writes(&stage).is_empty());
    stage.say("the same of the spaces: the declared one is read without the list");
    let first = Arc::new(Mutex::new(Value::Null));
    stage.front.hook(move |operation, count| {
        if operation != "organization" {
            return Then::Answer;
        }
        let first = Arc::clone(&first);
        Then::Change(Box::new(move |json| {
            let mut first = first.lock().expect("not poisoned");
            // The platform itself does not know the cursors below.
            if json.get("errors").is_some() {
                *json = first.clone();
            }
            if let Some(list) = json["data"]["organization"].get_mut("spacesList") {
                let next = format!("page-{count}");
                list["pageInfo"] = json!({"hasNextPage": true, "endCursor": next});
                *first = json.clone();
            }
        }))
    });
    assert_eq!(stage.run(PLAN), 0);
    assert!(writes(&stage).is_empty());
    stage.say("a listing goes on and does not say where");
    change(&stage, "serviceAccounts", |json| {
        json["data"]["serviceAccounts"]["pageInfo"]["hasNextPage"] = true.into();
        json["data"]["serviceAccounts"]["pageInfo"]["endCursor"] = Value::Null;
    });
    assert_eq!(stage.run(APPLY), 3);
    assert!(writes(&stage).is_empty());
    stage.compare("bad-days/platform-endless.txt");
}

#[test]
fn an_account_twice_in_a_listing() {
    let mut stage = stage();
    account(&stage, "by-hand", &["viewer"]);
    assert_eq!(stage.run(APPLY), 0);
    change(&stage, "serviceAccounts", |json| {
        let edges = json["data"]["serviceAccounts"]["edges"].as_array_mut();
        let edges = edges.expect("entries");
        let again = edges.clone();
        edges.extend(again);
    });
    assert_eq!(stage.run(SETTLED), 0);
    stage.compare("bad-days/platform-twice.txt");
}

#[test]
fn a_role_that_nobody_knows() {
    let mut stage = stage();
    assert_eq!(stage.run(APPLY), 0);
    stage.say("the platform has a role of which nothing is known, and two accounts have it");
    account(&stage, "by-hand", &["viewer"]);
    let strange = |json: &mut Value| {
        let strange = json!({"mrn": "//iam.api.mondoo.app/roles/quantum-admin"});
        let edges = json["data"]["serviceAccounts"]["edges"].as_array_mut();
        for edge in edges.expect("entries") {
            if edge["node"]["name"] != "platform owner" {
                let roles = edge["node"]["roles"].as_array_mut().expect("roles");
                roles.push(strange.clone());
            }
        }
    };
    change(&stage, "serviceAccounts", strange);
    assert_eq!(stage.run(SETTLED), 2);
    assert!(writes(&stage).is_empty());
    stage.compare("bad-days/platform-strange-role.txt");
}

#[test]
fn a_batch_that_succeeds_in_part() {
    let mut stage = stage();
    stage.configure(&format!("{CI}{}", CI.replace("\"ci\"", "\"second\"")));
    stage.say("the platform grants the roles of one account only");
    let app = Arc::clone(&stage.app);
    stage.front.hook(move |operation, _| {
        if operation != "setRoles" {
            return Then::Answer;
        }
        let app = Arc::clone(&app);
        Then::Change(Box::new(move |json| {
            let dump = app.dump().expect("a dump");
            let accounts = dump["accounts"].as_array().expect("accounts");
            let second = accounts.iter().find(|account| account["name"] == "second");
            let mrn = second.expect("created")["mrn"]
                .as_str()
                .expect("a name")
                .to_owned();
            app.admin_set_roles(PAYMENTS, &mrn, &[], Timestamp::now())
                .expect("set");
            let why = "rpc error: code = Internal desc = try again";
            json["data"]["setRoles"]["errors"] = json!({mrn: why});
        }))
    });
    assert_eq!(stage.run(APPLY), 5);
    stage.front.hook(|_, _| Then::Answer);
    stage.say("the next run grants what is missing");
    assert_eq!(stage.run(APPLY), 0);
    assert_eq!(stage.run(SETTLED), 0);
    stage.compare("bad-days/platform-in-part.txt");
}

/// Of each type of the schema: the fields, their types, and whether they may be null.
fn schema() -> BTreeMap<String, BTreeMap<String, (String, bool)>> {
    let text = fs::read_to_string("fixtures/schema/mondoo.graphql").expect("the schema");
    let mut types = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix("type ")
            .and_then(|l| l.strip_suffix(" {"))
        {
            types.insert(name.to_owned(), BTreeMap::new());
            current = Some(name.to_owned());
        } else if line == "}" {
            current = None;
        } else if let Some(fields) = current.as_ref().and_then(|name| types.get_mut(name)) {
            let (head, kind) = line.trim().rsplit_once(": ").expect("a field and its type");
            let field = head.split('(').next().expect("a name");
            let inner = kind.trim_matches(['[', ']', '!']).to_owned();
            fields.insert(field.to_owned(), (inner, !kind.ends_with('!')));
        }
    }
    types
}

/// Sets every field below to null that may be and that `keep` does not name.
fn nullify(
    types: &BTreeMap<String, BTreeMap<String, (String, bool)>>,
    kind: &str,
    keep: &[&str],
    value: &mut Value,
) {
    match value {
        Value::Array(items) => {
            for item in items {
                nullify(types, kind, keep, item);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let Some((inner, nullable)) = types.get(kind).and_then(|t| t.get(name)) else {
                    continue;
                };
                if *nullable && !keep.contains(&name.as_str()) {
                    *value = Value::Null;
                } else {
                    nullify(types, inner, keep, value);
                }
            }
        }
        _ => {}
    }
}

/// The fields of the roots: they are nullable, and what is below them is looked at first.
const ROOTS: &[&str] = &[
    "viewer",
    "organization",
    "spacesList",
    "serviceAccounts",
    "serviceAccount",
    "createServiceAccount",
    "updateServiceAccount",
    "setRoles",
    "deleteServiceAccounts",
];

#[test]
fn null_wherever_the_schema_allows_it_below_the_roots() {
    let mut stage = stage();
    account(&stage, "by-hand", &["viewer"]);
    stage.front.hook(|_, _| {
        Then::Change(Box::new(|json| {
            nullify(&schema(), "Query", ROOTS, &mut json["data"]);
        }))
    });
    assert_eq!(stage.run(PLAN), 0);
    stage.say("in the answers to writes");
    stage.front.hook(|operation, _| {
        let write = matches!(
            operation,
            "createServiceAccount" | "updateServiceAccount" | "setRoles" | "deleteServiceAccounts"
        );
        if !write {
            return Then::Answer;
        }
        Then::Change(Box::new(|json| {
            nullify(&schema(), "Mutation", ROOTS, &mut json["data"]);
        }))
    });
    assert_eq!(stage.run(APPLY), 0);
    assert_eq!(stage.run(SETTLED), 0);
    stage.compare("bad-days/platform-null.txt");
}

#[test]
fn null_for_a_whole_answer() {
    let mut stage = stage();
    let before = holds(&stage);
    for root in ["viewer", "organization", "spacesList", "serviceAccounts"] {
        stage.say(&format!("`{root}` is null"));
        stage.front.hook(move |_, _| {
            Then::Change(Box::new(move |json| {
                let keep: Vec<&str> = ROOTS.iter().copied().filter(|name| *name != root).collect();
                nullify(&schema(), "Query", &keep, &mut json["data"]);
            }))
        });
        assert_eq!(stage.run(PLAN), 0, "{root}");
        if root != "viewer" {
            let output = stage.command(APPLY).output().expect("runs");
            assert_eq!(output.status.code(), Some(3), "{root}");
        }
        assert_eq!(holds(&stage), before);
    }
    for root in ["updateServiceAccount", "setRoles"] {
        stage.say(&format!("`{root}` is null"));
        let another = CI.replace("\"ci\"", &format!("\"{}\"", root.to_lowercase()));
        stage.configure(&format!("{CI}{another}"));
        stage.front.hook(move |operation, _| {
            if operation != root {
                return Then::Answer;
            }
            Then::Change(Box::new(move |json| json["data"][root] = Value::Null))
        });
        assert_eq!(stage.run(&["apply", "--yes", "access"]), 0, "{root}");
    }
    stage.say("`createServiceAccount` is null");
    stage.configure(&format!("{CI}{}", CI.replace("\"ci\"", "\"third\"")));
    stage.front.hook(|operation, _| {
        if operation != "createServiceAccount" {
            return Then::Answer;
        }
        Then::Change(Box::new(|json| {
            json["data"]["createServiceAccount"] = Value::Null
        }))
    });
    assert_eq!(stage.run(APPLY), 5);
    stage.compare("bad-days/platform-null-roots.txt");
}

#[test]
fn a_platform_that_gives_more_than_it_was_asked_for_is_not_believed() {
    let stage = stage();
    for (copies, code) in [(100, 0), (101, 1), (5_000, 1)] {
        stage.front.hook(move |operation, _| match operation {
            "serviceAccounts" => Then::Change(Box::new(move |json| {
                let edges = &mut json["data"]["serviceAccounts"]["edges"];
                if let Some(one) = edges.get(0).cloned() {
                    *edges = vec![one; copies].into();
                }
            })),
            _ => Then::Answer,
        });
        let output = stage.command(&["list", "access"]).output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{copies}: {said}");
        let told = said.contains(&format!("{copies} entries at once where 100"));
        assert_eq!(told, code == 1, "{copies}: {said}");
    }
}

#[test]
fn a_name_of_many_megabytes_is_cut_wherever_it_is_printed() {
    let stage = stage();
    for letter in ["x", "監"] {
        stage.front.hook(move |operation, _| match operation {
            "serviceAccounts" => Then::Change(Box::new(move |json| {
                let edges = &mut json["data"]["serviceAccounts"]["edges"];
                if let Some(one) = edges.get_mut(0) {
                    one["node"]["name"] = letter.repeat(3_000_000).into();
                }
            })),
            _ => Then::Answer,
        });
        for command in [&["plan", "--full", "access"][..], &["list", "access"]] {
            let output = stage.command(command).output().expect("runs");
            let (out, err) = (output.stdout.len(), output.stderr.len());
            assert!(
                out > 4_000 && out + err < 100_000,
                "{command:?}: {out}, {err}"
            );
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                said.contains("… and 2996000 more characters"),
                "{command:?}"
            );
        }
    }
}
