//! `list` and `show`.

use jiff::Timestamp;
use rolecall_server::SeedAccount;

use crate::stage::{ORG, PAYMENTS, Stage, Then};

const ACCOUNTS: &str = r#"
service_account "ci" {
  for_each    = toset(["prod"])
  scope       = space.payments
  name        = "ci-${each.key}"
  description = "Scans the builds"
  roles       = ["agent", "viewer"]
  labels      = { team = "platform-security" }

  credential {
    deliver_to = [sink.file.local]
  }
}

service_account "dashboard" {
  scope = space.payments
  name  = "payments-dashboard"
  roles = ["viewer", "policy-manager"]
}

import {
  to = service_account.dashboard
  id = "DASHBOARD"
}
"#;

/// The MRN of an account of the seed.
fn mrn(stage: &Stage, name: &str) -> String {
    let dump = stage.app.dump().expect("a dump").to_string();
    let all: serde_json::Value = serde_json::from_str(&dump).expect("JSON");
    fn find(value: &serde_json::Value, name: &str) -> Option<String> {
        match value {
            serde_json::Value::Object(map) => {
                let here = map.get("name").and_then(|n| n.as_str()) == Some(name);
                let mrn = map.get("mrn").and_then(|m| m.as_str());
                match (here && map.contains_key("labels"), mrn) {
                    (true, Some(mrn)) => Some(mrn.to_owned()),
                    _ => map.values().find_map(|value| find(value, name)),
                }
            }
            serde_json::Value::Array(list) => list.iter().find_map(|value| find(value, name)),
            _ => None,
        }
    }
    find(&all, name).expect("an account of that name")
}

/// A stage with an account of each custody.
fn stage() -> Stage {
    let mut stage = Stage::new();
    let dashboard = mrn(&stage, "payments-dashboard");
    stage.configure(&ACCOUNTS.replace("DASHBOARD", &dashboard));
    let output = stage
        .command(&["apply", "--yes", "access"])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(0));
    let mark = |name: &str, stack: &str| {
        let labels = [
            ("rolecall-stack", stack),
            ("rolecall-address", name),
            ("rolecall-mark", "v1.0-1-0.g1.p0d0r0.e-.t-"),
            ("rolecall-written", "-.-"),
            ("rolecall-credential", "external"),
        ];
        let account = SeedAccount {
            name: name.to_owned(),
            roles: vec!["viewer".to_owned()],
            labels: labels
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            creator: Some("ada@acme.example".to_owned()),
            created_at: "2025-02-03T04:05:06Z".parse().ok(),
            ..SeedAccount::default()
        };
        stage
            .app
            .admin_create_account(PAYMENTS, &account, Timestamp::now())
            .expect("created")
    };
    mark("theirs", "other-stack.aaaa1111");
    mark("claimed", "acme-access.k7m2q9ta");
    stage
}

#[test]
fn list() {
    let mut stage = stage();
    for arguments in [
        &["list", "access"][..],
        &[
            "list",
            "access",
            "--custody",
            "managed",
            "--custody",
            "disputed",
        ],
        &["list", "access", "--custody", "foreign"],
        &[
            "list",
            "access",
            "--scope",
            "space.payments",
            "--role",
            "agent",
        ],
        &["list", "access", "--name", "SCAN", "--unused", "90d"],
        &["list", "access", "--name", "nobody is called so"],
    ] {
        assert_eq!(stage.run(arguments), 0, "{arguments:?}");
    }
    assert_eq!(
        stage.run(&["list", "access", "--scope", "space.payment"]),
        1
    );
    assert_eq!(stage.run(&["list", "access", "--role", "viewr"]), 1);
    assert_eq!(stage.run(&["list", "access", "--unused", "soon"]), 64);
    assert_eq!(stage.run(&["list", "nowhere"]), 1);
    stage.compare("commands/list.txt");
}

/// A scope that could not be read is one of the configuration's all the same.
#[test]
fn a_scope_that_could_not_be_read_is_known_by_all_its_names() {
    let mut stage = stage();
    let said = |stage: &Stage, scope: &str| {
        let arguments = ["list", "access", "--scope", scope];
        let output = stage.command(&arguments).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    let names = [
        "space.payments",
        "amazing-hofstadter-175565",
        PAYMENTS,
        "organization.acme",
        "acme-corp-883120",
        ORG,
    ];
    for name in names {
        let (code, text) = said(&stage, name);
        assert_eq!(code, Some(0), "{name}: {text}");
    }
    stage.front.hook(|operation, _| match operation {
        "space" | "organization" | "serviceAccounts" => Then::Refuse(403),
        _ => Then::Answer,
    });
    for name in names {
        let (code, text) = said(&stage, name);
        assert_eq!(code, Some(1), "{name}: {text}");
        assert!(text.contains("permission denied"), "{name}: {text}");
        assert!(!text.contains("is called"), "{name}: {text}");
    }
    let arguments = ["list", "access", "--scope", "amazing-hofstadter-175565"];
    assert_eq!(stage.run(&arguments), 1);
    stage.compare("commands/list-unread.txt");
}

#[test]
fn what_is_unused_is_old_enough_to_be() {
    let stage = stage();
    let listed = |age: &str| {
        let output = stage
            .command(&["list", "access", "--unused", age])
            .output()
            .expect("runs");
        String::from_utf8(output.stdout).expect("text")
    };
    // Never used, and made a moment ago: nobody can say that it was unused for a day.
    assert!(!listed("1d").contains("ci-prod"));
    assert!(listed("1d").contains("billing-export"));
    assert!(listed("1d").contains("legacy-admin"));
    assert!(!listed("36500d").contains("legacy-admin"));
}

#[test]
fn show() {
    let mut stage = stage();
    let ci = r#"service_account.ci["prod"]"#;
    assert_eq!(stage.run(&["show", ci, "access"]), 0);
    stage.say("somebody makes ci-prod an owner");
    let account = mrn(&stage, "ci-prod");
    stage
        .app
        .admin_set_roles(PAYMENTS, &account, &["owner", "viewer"], Timestamp::now())
        .expect("set");
    assert_eq!(stage.run(&["show", r#"ci["prod"]"#, "access"]), 0);
    assert_eq!(
        stage.run(&["show", "service_account.dashboard", "access"]),
        0
    );
    stage.say("by the resource name, an account with a hostile name");
    let hostile = SeedAccount {
        name: "::add-mask::x\n\u{1b}[31mred \u{202e}evil ::set-output name=a::b".to_owned(),
        description: "one\n::error::two".to_owned(),
        roles: vec!["editor".to_owned()],
        created_at: "2025-02-03T04:05:06Z".parse().ok(),
        ..SeedAccount::default()
    };
    let hostile = stage
        .app
        .admin_create_account(ORG, &hostile, Timestamp::now())
        .expect("created");
    assert_eq!(stage.run(&["show", &hostile, "access"]), 0);
    let claimed = mrn(&stage, "claimed");
    assert_eq!(stage.run(&["show", &claimed, "access"]), 0);
    stage.say("what is not there");
    assert_eq!(
        stage.run(&["show", r#"service_account.ci["prd"]"#, "access"]),
        1
    );
    assert_eq!(stage.run(&["show", "dashbord", "access"]), 1);
    assert_eq!(stage.run(&["show", "//no/such", "access"]), 1);
    assert_eq!(stage.run(&["show"]), 64);
    stage.compare("commands/show.txt");
}

#[test]
fn show_what_is_declared_and_not_there() {
    let mut stage = Stage::new();
    stage.configure(&ACCOUNTS.replace("DASHBOARD", &mrn(&Stage::new(), "payments-dashboard")));
    assert_eq!(stage.run(&["show", r#"ci["prod"]"#, "access"]), 0);
    stage.compare("commands/show-not-there.txt");
}
