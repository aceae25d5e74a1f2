//! One story in which a stack lives: its plan files and records are what lies in
//! `fixtures/compatibility`, but for what chance and time put there.

use std::fs;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rolecall::model::{AddressLabel, Birth, Marks, Nonce, StackId};
use rolecall::{plan, record};
use rolecall_server::SeedAccount;
use serde_json::Value;

use super::{MOVED, SUMS, fixtures, folder, plan_file_holds, record_holds};
use crate::formats::schema;
use crate::renew;
use crate::stage::{HEAD, ORG, PAYMENTS, Stage, Then, seals};

/// An account in a space, with more lines.
fn account(label: &str, name: &str, roles: &str, more: &str) -> String {
    format!(
        "service_account \"{label}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
         {roles}\n{more}\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
    )
}

const PROTECTED: &str = "\n  lifecycle {\n    prevent_destroy = true\n  }\n";

const SCANNER: &str = "  description = \"Scans the builds\"\n  labels = { team = \"platform\" }\n  \
                       valid_until = \"2099-12-31T00:00:00Z\"\n";

fn fleet(keys: &str, roles: &str) -> String {
    account(
        "fleet",
        "fleet-${each.key}",
        roles,
        &format!("  for_each = toset([{keys}])\n"),
    )
}

fn import(to: &str, mrn: &str) -> String {
    format!("import {{\n  to = service_account.{to}\n  id = \"{mrn}\"\n}}\n\n")
}

fn mrn(stage: &Stage, name: &str) -> String {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let found = accounts.iter().find(|a| a["name"] == name).expect("live");
    found["mrn"].as_str().expect("a name").to_owned()
}

fn by_hand(stage: &Stage, scope: &str, name: &str, stack: Option<&str>) -> String {
    let marks = |stack: &str| {
        [
            ("rolecall-stack", stack),
            ("rolecall-address", name),
            ("rolecall-mark", "v1.0-1-0.g1.p0d0r0.e-.t-"),
            ("rolecall-written", "-.-"),
            ("rolecall-credential", "external"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
    };
    let seed = SeedAccount {
        name: name.to_owned(),
        roles: vec!["viewer".to_owned()],
        labels: stack.map(marks).into_iter().flatten().collect(),
        ..SeedAccount::default()
    };
    let made = stage
        .app
        .admin_create_account(scope, &seed, Timestamp::now());
    made.expect("made");
    mrn(stage, name)
}

/// An account whose birth began so many hours ago, by another run of the stack.
fn being_born(stage: &Stage, name: &str, hours: i64) {
    let owner = fs::read(stage.path("owner.json")).expect("there");
    let owner: Value = serde_json::from_slice(&owner).expect("JSON");
    let since = Timestamp::now() - SignedDuration::from_hours(hours);
    let birth = Birth::new(Nonce::from_bytes([7; 16]), since);
    let stack = StackId::new("acme-access", "k7m2q9ta").expect("valid");
    let marks = Marks::pending(stack, AddressLabel::from_label(name), 1, birth, None);
    let seed = SeedAccount {
        name: name.to_owned(),
        creator: owner["mrn"].as_str().map(str::to_owned),
        created_at: Some(since),
        labels: seals().sign_birth(marks).labels(),
        ..SeedAccount::default()
    };
    let made = stage.app.admin_create_account(PAYMENTS, &seed, since);
    made.expect("made");
}

/// What the story has written, by the names of the fixtures.
struct Story {
    stage: Stage,
    made: Vec<(String, Vec<u8>)>,
    /// The last record.
    last: Option<String>,
}

impl Story {
    /// Plans, and keeps the plan file.
    fn plan(&mut self, name: &str, options: &[&str], code: i32) {
        let file = format!("plan-file-v{}-{name}.json", plan::FORMAT);
        let run = [&["plan", "--out", &file, "access"], options].concat();
        self.run(&run, code);
        self.keep(file);
    }

    /// Applies, and keeps the record, linked to the one before.
    fn apply(&mut self, name: &str, options: &[&str], code: i32) {
        let number = self.made.iter().filter(|(n, _)| n.starts_with("record"));
        let number = number.count() + 1;
        let file = format!("record-v{}-{number}-{name}.json", record::FORMAT);
        let previous = self.last.clone();
        let previous = previous.as_deref().map(|last| ["--previous", last]);
        let run = [
            &["apply", "--parallelism", "1", "--record", &file, "access"][..],
            options,
            previous.as_ref().map_or(&[], |link| &link[..]),
        ]
        .concat();
        self.run(&run, code);
        self.last = Some(file.clone());
        self.keep(file);
    }

    fn run(&mut self, arguments: &[&str], code: i32) {
        let output = self.stage.command(arguments).output().expect("runs");
        let found = self.stage.note(arguments, &output);
        let said = [output.stdout, output.stderr].concat();
        assert_eq!(
            found,
            code,
            "{arguments:?}: {}",
            String::from_utf8_lossy(&said)
        );
    }

    fn keep(&mut self, file: String) {
        let bytes = fs::read(self.stage.path(&file)).expect("written");
        self.made.push((file, bytes));
    }

    fn digest(&self) -> String {
        let mut plans = self.made.iter().filter(|(n, _)| n.starts_with("plan"));
        let (_, bytes) = plans.next_back().expect("a plan");
        let file: Value = serde_json::from_slice(bytes).expect("JSON");
        file["digest"].as_str().expect("a digest").to_owned()
    }
}

/// The life of a stack.
fn story() -> Vec<(String, Vec<u8>)> {
    let mut story = Story {
        stage: Stage::small(),
        made: Vec::new(),
        last: None,
    };
    let written = |name: &str| format!("plan-file-v{}-{name}.json", plan::FORMAT);
    let agents = "[\"agent\", \"viewer\"]";
    let boss = |roles: &str| {
        account("boss", "boss", roles, "").replace("space.payments", "organization.acme")
    };
    let born = account("ci", "ci", agents, SCANNER)
        + &account("old", "old", "[\"viewer\"]", "")
        + &fleet("\"a\", \"b\"", "[]")
        + &boss("[\"viewer\"]");
    story.stage.configure(&born);
    story.plan("births", &[], 0);
    let first = story.digest();
    story.apply("births", &["--plan", &written("births")], 0);

    // Another one gets the name that the first one had.
    let updated = account(
        "ci",
        "scanner",
        "[\"viewer\"]",
        &format!("{SCANNER}{PROTECTED}"),
    )
    .replace("platform", "security")
        + &account("second", "ci", "[]", "")
        + &account(
            "old",
            "old",
            "[\"viewer\"]",
            "  description = \"An old one\"\n",
        )
        + &fleet("\"a\", \"b\"", "[\"agent\"]")
        + &boss("[\"editor\"]");
    let policies = "policy \"named\" {\n  condition = self.name != \"ci\"\n  message   = \"it is \
                    called ${self.name}\"\n  severity  = \"warning\"\n}\n\npolicy \"no_editors\" {\n  \
                    description = \"Nobody edits\"\n  condition   = !contains(self.roles, \
                    \"editor\")\n  message     = \"no\"\n  exempt      = [service_account.boss]\n}\n\n";
    story.stage.configure(&updated);
    story.plan("updates", &[], 0);
    story.apply("older-digest", &["--digest", &first], 4);
    story.stage.configure(&(updated.clone() + policies));
    story.plan("policies", &[], 0);
    let judged = story.digest();
    story.apply("updates", &["--digest", &judged], 0);
    // Against one that never says yes.
    let strict = policies.replace("  severity  = \"warning\"\n", "");
    story.stage.configure(&(updated.clone() + &strict));
    story.plan("violated", &[], 3);
    story.apply("refused", &["--yes"], 3);

    let legacy = by_hand(&story.stage, PAYMENTS, "legacy", None);
    let theirs = by_hand(&story.stage, PAYMENTS, "theirs", Some("other.aaaa1111"));
    let moved = updated.replace("\"old\" {", "\"new\" {")
        + "moved {\n  from = service_account.old\n  to   = service_account.new\n}\n\n"
        + &account("legacy", "legacy", "[\"viewer\"]", "")
        + &import("legacy", &legacy)
        + &account("theirs", "theirs", "[\"viewer\"]", "")
        + &import("theirs", &theirs);
    story.stage.configure(&moved);
    let take = ["--take-over", "other/aaaa1111"];
    story.plan("moves", &take, 0);
    story.apply("moves", &[&take[..], &["--yes"]].concat(), 0);

    // What stands in the way.
    by_hand(&story.stage, PAYMENTS, "taken", None);
    by_hand(&story.stage, PAYMENTS, "stray", None);
    let foreign = by_hand(&story.stage, ORG, "foreign", Some("other.aaaa1111"));
    let marks = [
        ("rolecall-stack", "acme-access.k7m2q9ta"),
        ("rolecall-address", "copied"),
        ("rolecall-mark", "v1.0-1-0.g1.p0d0r0.e-.t-"),
        ("rolecall-written", "-.-"),
        ("rolecall-credential", "external"),
    ];
    let copied = by_hand(&story.stage, PAYMENTS, "copied", None);
    let app = Arc::clone(&story.stage.app);
    let labelled = |labels: &[(&str, &str)]| {
        let put = app.admin_update_labels(&copied, labels, Timestamp::now());
        put.expect("labelled");
    };
    labelled(&marks);
    let kept = account("second", "ci", "[]", "")
        + &account("new", "old", "[\"viewer\"]", "")
        + &fleet("\"a\", \"b\"", "[\"agent\"]")
        + &boss("[\"editor\"]");
    let blocked = kept.clone()
        + &account("taken", "taken", "[]", "")
        + &account(
            "over",
            "over",
            "[]",
            "  valid_until = \"2020-01-01T00:00:00Z\"\n",
        )
        + &account("lost", "lost", "[]", "")
        + &import(
            "lost",
            &mrn(&story.stage, "taken").replace("/serviceaccounts/", "/serviceaccounts/0"),
        )
        + &account("foreign", "foreign", "[\"viewer\"]", "")
            .replace("space.payments", "organization.acme")
        + &import("foreign", &foreign);
    let fails = |text: String| {
        let id = "  id           = \"amazing-hofstadter-175565\"\n";
        let head = HEAD.replacen(
            id,
            &format!("{id}\n  unmanaged {{\n    action = \"fail\"\n  }}\n"),
            1,
        );
        assert_ne!(head, HEAD);
        head + &text
    };
    let main = story.stage.path("access/main.hcl");
    fs::write(&main, fails(blocked)).expect("written");
    story.plan("obstacles", &[], 3);
    labelled(&[]);

    // What is given up, and what goes. What protects the one is lifted, since it stays declared.
    let deleted = account("ci", "scanner", "[\"viewer\"]", SCANNER).replace("platform", "security")
        + &kept.replace("\"a\", \"b\"", "\"b\"")
        + "removed {\n  from = service_account.legacy\n\n  lifecycle {\n    destroy = false\n  }\n}\n\n\
           limits {\n  max_delete_percent = 100\n}\n";
    let deleted = fails(deleted).replace(
        "\"fail\"",
        "\"delete\"\n    except = [\"legacy\", \"stray\", \"taken\"]",
    );
    fs::write(&main, deleted).expect("written");
    story.plan("deletes", &[], 0);
    story.apply("deletes", &["--yes"], 0);

    // A birth whose answer gets lost; then one that a dead run left, and one under way elsewhere.
    let late = account("late", "late", "[\"viewer\"]", "");
    let one_more = kept + &late;
    let one_more = account("ci", "scanner", "[\"viewer\"]", SCANNER)
        .replace("platform", "security")
        + &one_more;
    story.stage.configure(&one_more);
    story
        .stage
        .front
        .hook(|operation, count| match (operation, count) {
            ("createServiceAccount", 1) => Then::Lose,
            _ => Then::Answer,
        });
    story.apply("lost", &["--yes"], 5);
    story.stage.front.hook(|_, _| Then::Answer);
    for (name, hours) in [("dead", 48), ("elsewhere", 0)] {
        being_born(&story.stage, name, hours);
    }
    let more = late.replace("late", "dead") + &late.replace("late", "elsewhere");
    story.stage.configure(&(one_more + &more));
    story.plan("again", &[], 0);
    story.stage.no_key_leaked();
    story.made
}

/// A file without what chance and time put there.
fn without_chance(bytes: &[u8]) -> String {
    let mut text = String::from_utf8(bytes.to_vec()).expect("text");
    for (pattern, name) in [
        (r"http://127\.0\.0\.1:\d+", "[ENDPOINT]"),
        (r"(serviceaccounts|users)/[0-9A-Za-z]{27,28}", "$1/[ID]"),
        (
            r"service_account\.[0-9A-Za-z]{27}\b",
            "service_account.[ID]",
        ),
        (r"\b[0-9a-f]{64}\b", "[DIGEST]"),
        (r#"("run": ")[0-9a-f]{32}"#, "$1[RUN]"),
        (r"20[2-8]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
        (r#"("rolecall_version": ")[^"]+"#, "$1[VERSION]"),
    ] {
        let pattern: regex::Regex = pattern.parse().expect("valid");
        text = pattern.replace_all(&text, name).into_owned();
    }
    text
}

#[test]
fn the_program_writes_what_the_fixtures_hold() {
    let made = story();
    for (name, bytes) in &made {
        let value: Value = serde_json::from_slice(bytes).expect("JSON");
        let described = || match name.starts_with("record") {
            true => schema::check_record(&value),
            false => schema::check_plan_file(&value),
        };
        let held = match name.starts_with("record") {
            true => record_holds(bytes),
            false => plan_file_holds(plan::FORMAT.into(), bytes),
        };
        held.expect("what was just written");
        let path = folder().join(name);
        if !path.exists() && renew::asked() {
            described();
            fs::write(&path, bytes).expect("written");
            let sums = folder().join(SUMS);
            let mut text = fs::read_to_string(&sums).unwrap_or_default();
            let sum = record::digest(bytes).replace("sha256:", "");
            text.push_str(&format!("{sum}  {name}\n"));
            fs::write(sums, text).expect("written");
        }
        let before = fs::read(&path).unwrap_or_else(|why| panic!("{name}: {why}\n{MOVED}"));
        let (before, now) = (without_chance(&before), without_chance(bytes));
        assert!(
            before == now,
            "{name} was\n{before}\nand is\n{now}\n{MOVED}"
        );
        // After the sentence that says what to do.
        described();
    }
}

/// Every word of these lists is in one fixture at least.
#[test]
fn the_fixtures_hold_every_kind_of_change() {
    fn gather(value: &Value, key: &str, into: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(word)) = members.get(key) {
                    into.push(word.clone());
                }
                members.values().for_each(|value| gather(value, key, into));
            }
            Value::Array(all) => all.iter().for_each(|value| gather(value, key, into)),
            _ => {}
        }
    }
    let words = |files: Vec<(String, u64, Vec<u8>)>, key: &str| {
        let mut found = Vec::new();
        for (_, _, bytes) in files {
            let value: Value = serde_json::from_slice(&bytes).expect("JSON");
            gather(&value, key, &mut found);
        }
        found.sort();
        found.dedup();
        found
    };
    for (key, expected) in [
        (
            "action",
            "adopt create delete forget move update update-permissions",
        ),
        (
            "step",
            "adopt birth delete forget grant remove-dead-birth rename revoke update",
        ),
        (
            "reason",
            "credential-pending declared differs import-requested move-requested \
             release-requested taken-over undeclared unmanaged",
        ),
        (
            "kind",
            "already-over disputed foreign import-missing name-taken protected unmanaged",
        ),
    ] {
        let found = words(fixtures("plan-file"), key);
        for word in expected.split_whitespace() {
            assert!(found.iter().any(|f| f == word), "{key} {word}: {found:?}");
        }
    }
    let found = words(fixtures("record"), "exit");
    assert_eq!(found, ["done", "partial", "refused", "stale"]);
    let found = words(fixtures("record"), "result");
    for word in ["done", "failed", "not-attempted"] {
        assert!(found.iter().any(|f| f == word), "{word}: {found:?}");
    }
}
