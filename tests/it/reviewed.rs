//! What was reviewed and what runs: plan files and digests in whole runs. The holes that other tools
//! have here are named by what happened to them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use jiff::Timestamp;

use crate::properties::files::covered;
use crate::stage::{ORG, PAYMENTS, Stage, Then};

const PLAN: [&str; 4] = ["plan", "--out", "plan.json", "access"];
const APPLY: [&str; 4] = ["apply", "--plan", "plan.json", "access"];

fn declared(accounts: &[(&str, &str)]) -> String {
    let block = |(name, roles): &(&str, &str)| {
        format!(
            "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  \
             roles = {roles}\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
        )
    };
    accounts.iter().map(block).collect()
}

fn mrn(stage: &Stage, name: &str) -> String {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let found = accounts.iter().find(|a| a["name"] == name).expect("live");
    found["mrn"].as_str().expect("a name").to_owned()
}

fn raise(stage: &Stage, name: &str, role: &str) {
    let set = stage
        .app
        .admin_set_roles(PAYMENTS, &mrn(stage, name), &[role], Timestamp::now());
    set.expect("set");
}

fn roles(stage: &Stage, name: &str) -> Vec<String> {
    let dump = stage.app.dump().expect("a dump");
    let mrn = mrn(stage, name);
    let bindings = dump["bindings"].as_array().expect("bindings");
    let found = bindings.iter().find(|b| b["identity"] == *mrn);
    let roles = found.and_then(|b| b["roles"].as_array()).cloned();
    roles
        .unwrap_or_default()
        .iter()
        .map(|r| {
            r.as_str()
                .expect("a role")
                .rsplit('/')
                .next()
                .expect("a part")
                .to_owned()
        })
        .collect()
}

fn writes(stage: &Stage) -> usize {
    let write = |o: &&String| {
        matches!(
            o.as_str(),
            "createServiceAccount" | "updateServiceAccount" | "deleteServiceAccounts" | "setRoles"
        )
    };
    stage.front.seen().iter().filter(write).count()
}

#[test]
fn a_reviewed_plan_is_applied_without_asking_and_shown_from_its_file() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    assert_eq!(stage.run(&PLAN), 0);
    let mode = fs::metadata(stage.path("plan.json"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = fs::read(stage.path("plan.json")).expect("readable");
    assert_eq!(stage.run(&["show", "plan.json"]), 0);
    let output = stage.command(&PLAN).output().expect("runs");
    assert!(output.status.success());
    let again = fs::read(stage.path("plan.json")).expect("readable");
    let plan = |bytes: &[u8]| -> serde_json::Value {
        let mut file: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
        assert!(file["digest"].is_string());
        file["plan"].take()
    };
    assert_eq!(plan(&first), plan(&again), "the same plan each time");
    assert_eq!(stage.run(&APPLY), 0);
    assert_eq!(roles(&stage, "ci"), ["viewer"]);
    stage.say("a second time there is nothing left to create");
    assert_eq!(stage.run(&APPLY), 0);
    stage.compare("reviewed/applied.txt");
}

/// C: the live account is raised between plan and apply. Terraform overwrites without a word.
#[test]
fn c_raised_after_the_plan_is_refused_as_stale() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&declared(&[("ci", "[\"agent\"]")]));
    assert_eq!(stage.run(&PLAN), 0);
    stage.say("somebody makes ci an owner");
    raise(&stage, "ci", "owner");
    let before = writes(&stage);
    assert_eq!(stage.run(&APPLY), 4);
    assert_eq!(writes(&stage), before);
    assert_eq!(roles(&stage, "ci"), ["owner"]);
    stage.compare("reviewed/c.txt");
}

/// D: the plan said "no changes", then the live account is raised. Terraform applies the saved plan
/// with success, and the owner stays.
#[test]
fn d_raised_after_no_changes_is_refused_and_named() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    assert_eq!(stage.run(&PLAN), 0);
    raise(&stage, "ci", "owner");
    let output = stage.command(&APPLY).output().expect("runs");
    assert_eq!(output.status.code(), Some(4));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        err.contains("service_account.ci: update-permissions: due now, and not reviewed"),
        "{err}"
    );
    assert_eq!(roles(&stage, "ci"), ["owner"]);
}

/// T: a wrong checksum without the flag that turns checking on. octoDNS applies.
#[test]
fn t_a_wrong_digest_refuses_and_there_is_no_flag_to_forget() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    let document = stage
        .command(&["plan", "--format", "json", "access"])
        .output();
    let document: serde_json::Value =
        serde_json::from_slice(&document.expect("runs").stdout).expect("JSON");
    let digest = document["plan"]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let zeros = "0".repeat(64);
    for (given, code) in [
        (zeros.as_str(), 4),
        (&digest[..digest.len() - 1], 64),
        ("0123", 64),
        ("", 64),
        ("yes", 64),
    ] {
        let run = ["apply", "--yes", "--digest", given, "access"];
        let output = stage.command(&run).output().expect("runs");
        assert_eq!(output.status.code(), Some(code), "{given}");
    }
    assert_eq!(writes(&stage), 0);
    assert_eq!(stage.run(&["apply", "--digest", &digest, "access"]), 0);
    assert_eq!(roles(&stage, "ci"), ["viewer"]);
}

/// Whatever is done to the file, it can only refuse.
#[test]
fn a_file_that_is_no_plan_or_another_ones_applies_nothing() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    assert_eq!(stage.run_in(&PLAN, |_| {}), 0);
    let good = fs::read_to_string(stage.path("plan.json")).expect("readable");
    let spoilt = [
        ("missing", None),
        ("empty", Some(String::new())),
        ("not JSON", Some("plan".to_owned())),
        (
            "other JSON",
            Some("{\"format_version\":\"1.0\"}".to_owned()),
        ),
        ("cut", Some(good[..700].to_owned())),
        (
            "another format",
            Some(good.replace("\"rolecall_plan\":4", "\"rolecall_plan\":3")),
        ),
        (
            "another role",
            Some(good.replace("roles/viewer", "roles/owner")),
        ),
        (
            "another name",
            Some(good.replace("\"name\":\"ci\"", "\"name\":\"cx\"")),
        ),
        (
            "more",
            Some(good.replacen("\"plan\":{", "\"plan\":{\"more\":1,", 1)),
        ),
        (
            "a key twice",
            Some(good.replacen("\"plan\":{", "\"plan\":{},\"plan\":{", 1)),
        ),
    ];
    for (what, text) in spoilt {
        stage.say(what);
        let path = stage.path("plan.json");
        match text {
            None => fs::remove_file(&path).expect("removed"),
            Some(text) => {
                assert_ne!(text, good, "{what}");
                fs::write(&path, text).expect("written");
            }
        }
        assert_eq!(stage.run(&APPLY), 1, "{what}");
    }
    assert_eq!(writes(&stage), 0);

    fs::write(stage.path("plan.json"), &good).expect("written");
    stage.say("applied without the private key");
    let code = stage.run_in(&APPLY, |command| {
        command.env_remove("ROLECALL_SEAL_KEY");
    });
    assert_eq!(code, 1);
    stage.say("another stack");
    let main = fs::read_to_string(stage.path("access/main.hcl")).expect("readable");
    fs::write(
        stage.path("access/main.hcl"),
        main.replace("k7m2q9ta", "k7m2q9tb"),
    )
    .expect("written");
    assert_eq!(stage.run(&APPLY), 4);
    fs::write(stage.path("access/main.hcl"), &main).expect("written");
    assert_eq!(writes(&stage), 0);
    stage.compare("reviewed/refused.txt");
}

/// A second identity of the same rights, as a job that plans has one, in `credentials.json`.
fn second_identity(stage: &Stage, scope: &str, role: &str) -> String {
    let now = Timestamp::now();
    let seed = rolecall_server::SeedAccount {
        name: "somebody else".to_owned(),
        roles: vec![role.to_owned()],
        ..Default::default()
    };
    let account = stage
        .app
        .admin_create_account(scope, &seed, now)
        .expect("made");
    let key = stage
        .app
        .admin_issue_credential(&account, now)
        .expect("a key");
    let path = stage.path("second.json");
    fs::write(&path, serde_json::to_string(&key).expect("JSON")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
    account
}

/// Runs as the second identity, which has the private seal key only to apply; gives what it said on
/// standard error.
fn as_second(stage: &Stage, arguments: &[&str], code: i32) -> String {
    let mut arguments = arguments.to_vec();
    arguments.extend(["--credentials", "second.json"]);
    let mut command = stage.command(&arguments);
    if arguments[0] != "apply" {
        command.env_remove("ROLECALL_SEAL_KEY");
    }
    let output = command.output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// Declares accounts of which the first identity's are believed.
fn believing(stage: &mut Stage, accounts: &[(&str, &str)]) {
    let owner = fs::read(stage.path("owner.json")).expect("readable");
    let owner: serde_json::Value = serde_json::from_slice(&owner).expect("JSON");
    stage.configure(&declared(accounts));
    let main = fs::read_to_string(stage.path("access/main.hcl")).expect("readable");
    let id = "id    = \"k7m2q9ta\"";
    let trusted = format!("{id}\n  trusted_creators = [{}]", owner["mrn"]);
    fs::write(
        stage.path("access/main.hcl"),
        main.replacen(id, &trusted, 1),
    )
    .expect("written");
}

fn digest_of(stage: &Stage, file: &str) -> String {
    let file = fs::read(stage.path(file)).expect("readable");
    let file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    file["digest"].as_str().expect("a digest").to_owned()
}

/// Who plans has no key and another identity, as a job for pull requests has: the plan's name is that
/// of what would be done, and so the one who applies may apply it.
#[test]
fn who_plans_and_who_applies_may_be_two_and_only_one_has_the_key() {
    let mut stage = Stage::small();
    believing(&mut stage, &[("ci", "[\"viewer\"]"), ("gone", "[]")]);
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    second_identity(&stage, ORG, "owner");
    for (accounts, file) in [
        (
            &[("ci", "[\"editor\"]"), ("new", "[\"agent\"]")][..],
            "a.json",
        ),
        (&[("ci", "[]"), ("new", "[\"agent\"]")][..], "b.json"),
    ] {
        believing(&mut stage, accounts);
        as_second(&stage, &["plan", "--out", "theirs.json", "access"], 0);
        let own = stage.command(&["plan", "--out", file, "access"]).output();
        assert!(own.expect("runs").status.success());
        let theirs = digest_of(&stage, "theirs.json");
        assert_eq!(theirs, digest_of(&stage, file));
        let apply = match file {
            "a.json" => ["apply", "--plan", "theirs.json", "access"],
            _ => ["apply", "--digest", &theirs, "access"],
        };
        let output = stage.command(&apply).output().expect("runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    assert_eq!(roles(&stage, "ci"), Vec::<String>::new());
    assert_eq!(roles(&stage, "new"), ["agent"]);
}

/// The guards judge the run that applies: the plan of another identity does not lend its own.
#[test]
fn the_own_account_of_who_applies_is_guarded_whoever_planned() {
    let mut stage = Stage::small();
    let account = second_identity(&stage, PAYMENTS, "editor");
    stage.configure(&format!(
        "service_account \"deployer\" {{\n  scope = space.payments\n  name  = \"deployer\"\n  \
         roles = [\"viewer\"]\n}}\n\nimport {{\n  to   = service_account.deployer\n  id = \
         \"{account}\"\n}}\n"
    ));
    assert_eq!(stage.run(&PLAN), 0);
    let reviewed = digest_of(&stage, "plan.json");
    let before = writes(&stage);
    for apply in [
        &["apply", "--plan", "plan.json", "access"][..],
        &["apply", "--digest", &reviewed, "access"],
    ] {
        let mut arguments = apply.to_vec();
        arguments.extend(["--credentials", "second.json"]);
        let output = stage.command(&arguments).output().expect("runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(said.contains("guard own-account"), "{said}");
    }
    assert_eq!(writes(&stage), before);
}

/// Who planned could not read what who applies can: that is why, and it is said.
#[test]
fn a_plan_that_could_not_read_what_this_run_can_says_so() {
    let mut stage = Stage::small();
    second_identity(&stage, PAYMENTS, "editor");
    let organization =
        declared(&[("boss", "[\"viewer\"]")]).replace("space.payments", "organization.acme");
    stage.configure(&(declared(&[("ci", "[\"viewer\"]")]) + &organization));
    // A plan that could not read everything is one all the same, and the file is there to be looked at.
    as_second(&stage, &PLAN, 0);
    let output = stage.command(&APPLY).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    let line = "= the reviewed plan could not read organization acme-corp-883120\n";
    assert!(said.contains(line), "{said}");
    assert_eq!(writes(&stage), 0);
    // And the other way round.
    assert_eq!(stage.run(&PLAN), 0);
    let said = as_second(&stage, &APPLY, 4);
    let line = "= this run could not read organization acme-corp-883120 (";
    assert!(said.contains(line), "{said}");
    assert_eq!(writes(&stage), 0);
}

/// What was meant is part of the name: a plan to destroy is none to keep.
#[test]
fn what_was_meant_with_the_reviewed_plan_alone_is_named() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    assert_eq!(stage.run(&PLAN), 0);
    for (flags, line) in [
        (
            &["--take-over", "other/k7m2q9ta"][..],
            "= it was made without --take-over other/k7m2q9ta, and this run is with it",
        ),
        (
            &["--destroy"],
            "= it was made without --destroy, and this run is with it",
        ),
        (
            &["--accept-unsealed"],
            "= it was made without --accept-unsealed, and this run is with it",
        ),
    ] {
        let output = stage.command(&[&APPLY[..], flags].concat()).output();
        let output = output.expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains(line), "{said}");
    }
    assert_eq!(writes(&stage), 0);
}

/// JSON as its specification has it, with sorted keys and nothing between the parts, of this test's own
/// making.
fn canonical(value: &serde_json::Value, out: &mut String) {
    use serde_json::Value;
    let text = |text: &str, out: &mut String| {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => out.push(c),
            }
        }
        out.push('"');
    };
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number.as_u64().expect("a count").to_string()),
        Value::String(string) => text(string, out),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort();
            out.push('{');
            for (n, key) in keys.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                text(key, out);
                out.push(':');
                canonical(&members[key], out);
            }
            out.push('}');
        }
    }
}

/// The name of a plan can be computed from its file by anybody, as `jq -cjS .plan FILE | sha256sum` does.
#[test]
fn a_plans_name_is_computed_from_its_file_by_anybody() {
    let mut stage = Stage::small();
    let strange = declared(&[("ci", "[\"viewer\"]")]).replace(
        "name  = \"ci\"",
        "name  = \"c\\\\i \\\"ü\\\" 漢 😀\"\n  description = \"two\\n\\tlines\"\n  labels = { b = \"2\", a = \
         \"1\" }",
    );
    let policy = "policy \"p\" {\n  condition = self.name != \"\"\n  message   = \"m\"\n}\n";
    let missing = declared(&[("boss", "[]")]).replace("space.payments", "organization.acme");
    stage.configure(&(strange + policy + &missing));
    for flags in [&[][..], &["--destroy"], &["--take-over", "other/k7m2q9ta"]] {
        let plan = [&PLAN[..], flags].concat();
        let output = stage.command(&plan).output().expect("runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let bytes = fs::read(stage.path("plan.json")).expect("readable");
        let file: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        crate::formats::schema::check_plan_file(&file);
        let mut text = String::new();
        canonical(&file["plan"], &mut text);
        let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let hex: String = sha256.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(file["digest"], format!("sha256:{hex}"));
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains(&format!("Plan digest: sha256:{hex}")));
        let file = String::from_utf8(bytes).expect("text");
        assert!(file.contains(&text), "it stands in the file as it is named");
    }
}

const BESIDES: &str = "Shown in addition, not covered by the digest";

/// A file with a true plan and other words beside it, and digests that fit, as somebody makes it who
/// knows how.
fn with_words(file: &[u8], edit: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
    let mut file: serde_json::Value = serde_json::from_slice(file).expect("JSON");
    edit(&mut file["aside"]);
    let aside = file["aside"].to_string();
    let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, aside.as_bytes());
    let hex: String = sha256.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    file["aside_digest"] = format!("sha256:{hex}").into();
    file.to_string().into_bytes()
}

/// Words that nobody reviewed, beside a true digest, are shown apart from what was.
#[test]
fn false_words_beside_a_true_digest_are_told_from_what_it_covers() {
    type Words = fn(&mut serde_json::Value);
    let mut stage = Stage::small();
    let taken = rolecall_server::SeedAccount {
        name: "taken".to_owned(),
        roles: vec!["owner".to_owned()],
        ..Default::default()
    };
    let now = Timestamp::now();
    stage
        .app
        .admin_create_account(PAYMENTS, &taken, now)
        .expect("made");
    stage.configure(&declared(&[("ci", "[\"viewer\"]"), ("taken", "[]")]));
    assert_eq!(stage.command(&PLAN).status().expect("runs").code(), Some(3));
    let good = fs::read(stage.path("plan.json")).expect("readable");
    let shown = |stage: &Stage| -> (String, String) {
        let output = stage.command(&["show", "plan.json"]).output();
        let output = output.expect("runs");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        assert_eq!(text.matches(BESIDES).count(), 1, "{text}");
        let (above, below) = text.split_once(BESIDES).expect("apart");
        (above.to_owned(), below.to_owned())
    };
    let document = |stage: &Stage| -> serde_json::Value {
        let show = ["show", "--format", "json", "plan.json"];
        let output = stage.command(&show).output().expect("runs");
        assert!(output.status.success(), "{output:?}");
        let document = serde_json::from_slice(&output.stdout).expect("JSON");
        crate::formats::schema::check(&document);
        document
    };
    let (truth, besides) = shown(&stage);
    for fact in [
        "+ service_account.ci: create",
        "ESCALATION",
        "service_account.taken  name-taken",
        "Stack acme-access/k7m2q9ta at http",
        "Limits: max_deletes 10,",
        "Plan digest: sha256:",
    ] {
        assert!(truth.contains(fact), "{fact}: {truth}");
    }
    for fact in [
        "platform owner",
        "main.hcl:",
        "space payments (amazing",
        "is taken by",
        "Not managed by this stack",
    ] {
        assert!(besides.contains(fact), "{fact}: {besides}");
        assert!(!truth.contains(fact), "{fact}: {truth}");
    }
    let covers = covered(&document(&stage)["plan"]);
    let words: [(&str, Words); 4] = [
        // The one that was found.
        ("checked by the security team", |aside| {
            aside["advice"] = serde_json::json!(["checked by the security team"]);
            aside["left_alone"] = serde_json::json!([]);
        }),
        ("harmless sandbox", |aside| {
            aside["scopes"][1][1]["name"] = "harmless sandbox".into();
            aside["caller_name"] = "harmless sandbox".into();
        }),
        ("nothing-to-see.hcl", |aside| {
            aside["places"][0][0]["file"] = "nothing-to-see.hcl".into();
            aside["unchanged"] = 77.into();
        }),
        ("sha256:00", |aside| {
            let heading = format!("\n\u{1b}[1m{BESIDES}: nothing\nPlan digest: sha256:00");
            aside["blocked"][0]["block"]["name"] =
                heading.replace(BESIDES, "All of it reviewed").into();
        }),
    ];
    for (what, edit) in words {
        fs::write(stage.path("plan.json"), with_words(&good, edit)).expect("written");
        let (above, below) = shown(&stage);
        assert_eq!(above, truth, "{what}");
        assert_ne!(below, besides, "{what}");
        assert!(below.contains(what), "{what}: {below}");
        let document = document(&stage);
        assert!(document.to_string().contains(what), "{what}");
        assert_eq!(covered(&document["plan"]), covers, "{what}");
    }
}

#[test]
fn only_a_plan_file_is_shown_as_json() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    for flags in [["--format", "json"], ["--json-out", "out.json"]] {
        let show = [&["show", "service_account.ci", "access"][..], &flags].concat();
        let output = stage.command(&show).output().expect("runs");
        assert_eq!(output.status.code(), Some(64), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("only a plan file is shown as JSON"), "{said}");
    }
    assert_eq!(stage.run(&PLAN), 0);
    let over = ["show", "plan.json", "--json-out", "plan.json"];
    let output = stage.command(&over).output().expect("runs");
    assert_eq!(output.status.code(), Some(64), "the file that it reads");
}

#[test]
fn what_is_identical_is_applied_if_that_is_asked_for() {
    let mut stage = Stage::small();
    let both = |roles: &str| declared(&[("one", roles), ("two", roles)]);
    stage.configure(&both("[\"viewer\"]"));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&both("[\"agent\"]"));
    assert_eq!(stage.run(&PLAN), 0);
    stage.say("somebody makes one an editor");
    raise(&stage, "one", "editor");
    assert_eq!(stage.run(&APPLY), 4);
    let mut skip = APPLY.to_vec();
    skip.push("--stale=skip");
    assert_eq!(stage.run(&skip), 5);
    assert_eq!(roles(&stage, "one"), ["editor"]);
    assert_eq!(roles(&stage, "two"), ["agent"]);
    assert_eq!(stage.run(&skip), 4, "nothing is left of what was reviewed");
    stage.compare("reviewed/skip.txt");
}

/// What moves after the comparison is found by the listing just before the writes.
#[test]
fn what_moves_at_the_last_moment_is_stale_too() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&declared(&[("ci", "[\"agent\"]")]));
    assert_eq!(stage.run(&PLAN), 0);
    let (app, account) = (Arc::clone(&stage.app), mrn(&stage, "ci"));
    // Planning lists the organization and its space; the third listing is apply's own.
    stage.front.hook(move |operation, count| {
        if operation == "serviceAccounts" && count == 3 {
            app.admin_set_roles(PAYMENTS, &account, &["owner"], Timestamp::now())
                .expect("set");
        }
        Then::Answer
    });
    assert_eq!(stage.run(&APPLY), 4);
    assert_eq!(roles(&stage, "ci"), ["owner"]);
}

#[test]
fn a_plan_file_in_the_place_of_the_directory_approves_the_one_here() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    let owner = stage.path("owner.json");
    let run = |stage: &Stage, arguments: &[&str]| {
        let mut command = stage.command(arguments);
        command
            .current_dir(stage.path("access"))
            .env("MONDOO_CONFIG_PATH", &owner);
        command.output().expect("runs").status.code()
    };
    assert_eq!(run(&stage, &["plan", "-o", "plan.json"]), Some(0));
    assert_eq!(
        run(&stage, &["apply", "plan.json", "--plan", "plan.json"]),
        Some(64)
    );
    assert_eq!(run(&stage, &["apply", "--stale=skip"]), Some(64));
    assert_eq!(run(&stage, &["apply", "plan.json"]), Some(0));
    assert_eq!(roles(&stage, "ci"), ["viewer"]);
    assert_eq!(run(&stage, &["plan", "-out=missing/plan.json"]), Some(1));
    let beside = |arguments: &[&str]| {
        let output = stage.command(arguments).output().expect("runs");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).expect("text")
    };
    let said = beside(&["apply", "access/plan.json"]);
    assert!(
        said.contains("access/plan.json approves the configuration of the working directory")
            && said.contains("`rolecall apply --plan access/plan.json DIR`"),
        "{said}"
    );
    let said = beside(&["apply", "access/main.hcl"]);
    assert!(
        said.contains("not a plan file") && !said.contains("approves"),
        "{said}"
    );
}

/// I: an emptied configuration, and what comes near it: Terraform destroys all.
#[test]
fn i_what_deletes_too_much_is_refused_until_somebody_means_it() {
    let mut stage = Stage::small();
    let names = ["one", "two", "three", "four"];
    let all: Vec<(&str, &str)> = names.iter().map(|n| (*n, "[\"viewer\"]")).collect();
    stage.configure(&declared(&all));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure("");
    let output = stage.command(&["apply", "--yes", "access"]).output();
    assert_eq!(output.expect("runs").status.code(), Some(3), "emptied");
    stage.say("two of four are gone from the configuration");
    stage.configure(&declared(&all[..2]));
    let before = writes(&stage);
    assert_eq!(stage.run(&["plan", "--detailed-exitcode", "access"]), 3);
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 3);
    assert_eq!(writes(&stage), before);
    let document = stage
        .command(&["plan", "--format", "json", "access"])
        .output();
    let document: serde_json::Value =
        serde_json::from_slice(&document.expect("runs").stdout).expect("JSON");
    assert_eq!(document["refusals"][0]["guard"], "max-delete-percent");
    let digest = document["plan"]["digest"].as_str().expect("a digest");
    let ack = format!("max-delete-percent={digest}");
    let run = ["apply", "--yes", "--ack", &ack, "access"];
    let output = stage.command(&run).output().expect("runs");
    assert_eq!(output.status.code(), Some(0));
    stage.compare("reviewed/limits.txt");
}

/// However the platform cuts its answers, and however many questions it takes at once: the same plan,
/// to the byte.
#[test]
fn pages_and_aliases_never_show_in_a_plan() {
    use std::io::{BufRead as _, BufReader};
    let mut stage = Stage::small();
    let many: Vec<String> = (0..5).map(|n| format!("ci-{n}")).collect();
    let accounts: Vec<(&str, &str)> = many.iter().map(|n| (n.as_str(), "[\"viewer\"]")).collect();
    stage.configure(&declared(&accounts));
    let seed = std::env::current_dir().expect("here");
    let seed = seed.join("fixtures/live/acme.json");
    let seed = seed.to_str().expect("text").to_owned();
    let mut address = "127.0.0.1:0".to_owned();
    let mut plans = Vec::new();
    for (page_cap, root_fields) in [("100", "50"), ("1", "50"), ("3", "1"), ("2", "2")] {
        let mut served = stage.start(&[
            "platform",
            "serve",
            "--listen",
            &address,
            "--db",
            "p.db",
            "--seed",
            &seed,
            "--page-cap",
            page_cap,
            "--root-fields-max",
            root_fields,
        ]);
        let mut lines = BufReader::new(served.stdout.take().expect("piped")).lines();
        let first = lines.next().expect("a line").expect("text");
        let (_, at) = first.rsplit_once("http://").expect("an address");
        address = at.to_owned();
        let run = |arguments: &[&str]| {
            let output = stage.command(arguments).output().expect("runs");
            assert!(output.status.success(), "{output:?}");
        };
        let credentials = "p.db.owner.json";
        if plans.is_empty() {
            run(&["apply", "--yes", "--credentials", credentials, "access"]);
            let raised: Vec<(&str, &str)> =
                many.iter().map(|n| (n.as_str(), "[\"editor\"]")).collect();
            stage.configure(&declared(&raised));
        }
        let run = |arguments: &[&str]| stage.command(arguments).output().expect("runs");
        let out = run(&[
            "plan",
            "--credentials",
            credentials,
            "--out",
            "p.json",
            "access",
        ]);
        assert!(out.status.success(), "{out:?}");
        let file = fs::read(stage.path("p.json")).expect("readable");
        let file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
        plans.push((file["digest"].clone(), file["plan"].to_string()));
        served.kill().expect("killed");
        served.wait().expect("ended");
    }
    assert_eq!(plans[0].1.matches("update-permissions").count(), 5);
    for plan in &plans[1..] {
        assert_eq!(*plan, plans[0]);
    }
}
