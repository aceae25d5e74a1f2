//! How far a run looks: scopes that are declared no longer, that are gone, or that were not read.

use std::fs;
use std::process::Command;

use jiff::Timestamp;
use serde_json::Value;

use crate::stage::{HEAD, ORG, PAYMENTS, Stage};

const OTHER: &str = "serene-bouman-275779";
const THIRD: &str = "//captain.api.mondoo.app/spaces/relaxed-khayyam-961566";

/// The beginning of a configuration without any scope.
const BARE: &str = "rolecall {\n  stack = \"acme-access\"\n  id    = \"k7m2q9ta\"\n  \
                    seal_key = \"ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg\"\n}\n\n\
                    sink \"file\" \"local\" {\n  directory = \"credentials\"\n  keep      = true\n}\n";

fn account(name: &str, scope: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = {scope}\n  name  = \"{name}\"\n  \
         roles = [\"viewer\"]\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
    )
}

fn other_space() -> String {
    format!("space \"other\" {{\n  id = \"{OTHER}\"\n}}\n\n")
}

/// A stage of several spaces on which accounts in `payments`, in the organization and in `other`
/// are live, and that `keep` is what is still declared.
fn left(keep: &str) -> Stage {
    let mut stage = Stage::new();
    stage.configure(
        &[
            other_space(),
            account("in-payments", "space.payments"),
            account("in-acme", "organization.acme"),
            account("in-other", "space.other"),
        ]
        .concat(),
    );
    assert_eq!(code(&stage, &["apply", "--yes", "access"]), 0);
    write(&stage, keep);
    stage
}

fn write(stage: &Stage, text: &str) {
    fs::write(stage.path("access/main.hcl"), text).expect("written");
}

fn output(mut command: Command) -> (i32, String, String) {
    let output = command.output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("ends");
    (code, text(&output.stdout), text(&output.stderr))
}

fn code(stage: &Stage, arguments: &[&str]) -> i32 {
    output(stage.command(arguments)).0
}

/// How a plan ends, and its document.
fn plan(stage: &Stage, more: &[&str]) -> (i32, Value) {
    let arguments = [&["plan", "--format", "json", "access"], more].concat();
    let (code, out, err) = output(stage.command(&arguments));
    let document: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {err}"));
    (code, document["plan"].clone())
}

/// The action, reason and address of each change.
fn changes(plan: &Value) -> Vec<[String; 3]> {
    let all = plan["changes"].as_array().expect("changes");
    all.iter()
        .map(|change| {
            ["action", "reason", "address"]
                .map(|key| change[key].as_str().expect("text").to_owned())
        })
        .collect()
}

fn deleted(name: &str) -> [String; 3] {
    let address = format!("service_account.{name}");
    ["delete".to_owned(), "scope-undeclared".to_owned(), address]
}

fn advice(plan: &Value) -> String {
    plan["annex"]["advice"].to_string()
}

/// The scopes of accounts that are shown as nobody's.
fn left_alone(plan: &Value) -> Vec<String> {
    let all = plan["annex"]["unmanaged"].as_array().expect("a list");
    all.iter()
        .map(|one| one["scope"]["id"].as_str().expect("an id").to_owned())
        .collect()
}

fn live(stage: &Stage) -> Vec<String> {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts").clone();
    let names = accounts.iter().filter_map(|a| a["name"].as_str());
    names
        .filter(|n| n.starts_with("in-"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_key_is_forgotten_with_the_only_block_of_its_scope() {
    // Nothing is left at all.
    let stage = left(BARE);
    let (ended, whole) = plan(&stage, &[]);
    let all = ["in-acme", "in-payments", "in-other"].map(deleted);
    let mut found = changes(&whole);
    found.sort();
    assert_eq!(
        (ended, found.len()),
        (3, 3),
        "an emptied configuration is refused"
    );
    assert!(all.iter().all(|one| found.contains(one)), "{found:?}");
    assert_eq!(left_alone(&whole), [""; 0]);
    assert_eq!(code(&stage, &["apply", "--yes", "access"]), 3);
    assert_eq!(live(&stage).len(), 3);
    assert_eq!(code(&stage, &["apply", "--yes", "--destroy", "access"]), 0);
    assert_eq!(live(&stage), [""; 0]);
    // A space is left, and its organization with the other one is not.
    let stage = left(&[BARE, &other_space(), &account("in-other", "space.other")].concat());
    let (ended, rest) = plan(&stage, &[]);
    assert_eq!(ended, 0);
    assert_eq!(changes(&rest), [deleted("in-acme"), deleted("in-payments")]);
    assert!(left_alone(&rest).iter().all(|scope| scope == OTHER));
    assert_eq!(code(&stage, &["apply", "--yes", "access"]), 0);
    assert_eq!(live(&stage), ["in-other"]);
    // The space is left out of an organization that is declared, as ever.
    let keep = [HEAD, &account("in-payments", "space.payments")].concat();
    let stage = left(&[&keep, account("in-acme", "organization.acme").as_str()].concat());
    assert_eq!(changes(&plan(&stage, &[]).1), [deleted("in-other")]);
}

#[test]
fn the_declared_scopes_alone_are_read_where_that_is_asked_for_and_the_plan_says_so() {
    let stage = left(&[BARE, &other_space(), &account("in-other", "space.other")].concat());
    let (ended, narrow) = plan(&stage, &["--scopes", "declared", "--detailed-exitcode"]);
    assert_eq!((ended, changes(&narrow).len()), (0, 0));
    assert!(advice(&narrow).contains("organization acme-corp-883120 with its spaces"));
    for arguments in [
        &["apply", "--yes", "--scopes=declared", "access"][..],
        &["check", "--allow-unmanaged", "--scopes=declared", "access"],
        &["list", "--scopes=declared", "access"],
    ] {
        let (ended, out, err) = output(stage.command(arguments));
        assert_eq!(ended, 0, "{arguments:?}: {out}{err}");
        assert!(
            out.contains("was not looked at (--scopes=declared)"),
            "{out}"
        );
        assert!(!out.contains("in-payments"), "{out}");
    }
    assert_eq!(live(&stage).len(), 3);
    let (_, out, _) = output(stage.command(&["list", "access"]));
    assert!(
        out.contains("in-payments") && out.contains("in-acme"),
        "{out}"
    );
    assert_eq!(code(&stage, &["check", "--allow-unmanaged", "access"]), 2);
}

#[test]
fn a_login_that_does_not_tell_its_scope_says_so_in_the_plan() {
    let stage = left(&[BARE, &other_space(), &account("in-other", "space.other")].concat());
    let token = "a-token-of-some-length";
    let made = stage
        .app
        .admin_create_token(ORG, "token", token, &["editor"], Timestamp::now());
    made.expect("created");
    let mut command = stage.command(&["plan", "access"]);
    command
        .env_remove("MONDOO_CONFIG_PATH")
        .env("MONDOO_API_TOKEN", token)
        .env("MONDOO_API_ENDPOINT", stage.front.url());
    let (ended, out, _) = output(command);
    assert_eq!(ended, 0);
    assert!(
        out.contains("does not tell in which scope it lives"),
        "{out}"
    );
    assert!(out.contains("No changes"), "{out}");
}

#[test]
fn what_of_the_own_scope_was_not_read_deletes_nothing_and_refuses_nothing() {
    let keep = [BARE, &other_space(), &account("in-other", "space.other")].concat();
    for denied in [&[PAYMENTS, ORG][..], &[PAYMENTS, ORG, THIRD]] {
        let stage = left(&keep);
        stage.front.deny_listings(denied);
        let (ended, rest) = plan(&stage, &["--detailed-exitcode"]);
        assert_eq!((ended, changes(&rest).len()), (0, 0));
        assert!(advice(&rest).contains("were not read"), "{}", advice(&rest));
        assert_eq!(rest["annex"]["unread"].as_array().map(Vec::len), Some(0));
        assert_eq!(code(&stage, &["apply", "--yes", "access"]), 0);
        assert_eq!(code(&stage, &["check", "--allow-unmanaged", "access"]), 0);
        assert_eq!(code(&stage, &["list", "access"]), 0);
        assert_eq!(live(&stage).len(), 3);
    }
    // What was read all the same counts.
    let stage = left(&keep);
    stage.front.deny_listings(&[ORG]);
    assert_eq!(changes(&plan(&stage, &[]).1), [deleted("in-payments")]);
}

/// Two that are gone and were never there, beside what is there.
#[test]
fn a_gone_space_is_told_and_the_others_go_on() {
    let space = |name: &str| {
        format!(
            "space \"{name}\" {{\n  organization = organization.acme\n  id = \"{name}-123456\"\n}}\n\n"
        )
    };
    let mut stage = Stage::small();
    stage.configure(
        &[
            space("old-space"),
            space("older-space"),
            account("in-old", "space.old-space"),
            account("in-payments", "space.payments"),
        ]
        .concat(),
    );
    let (ended, whole) = plan(&stage, &["--detailed-exitcode"]);
    let [change] = changes(&whole).try_into().expect("one change");
    assert_eq!((ended, change[0].as_str()), (1, "create"));
    assert_eq!(change[2], "service_account.in-payments");
    let told = advice(&whole);
    for words in [
        "space old-space-123456 is gone, or hidden from this login",
        "take space.old-space (",
        "declared in it: service_account.in-old",
        "space older-space-123456 is gone",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(whole["blocked"].as_array().map(Vec::len), Some(0));
    assert_eq!(code(&stage, &["apply", "--yes", "access"]), 0);
    assert_eq!(live(&stage), ["in-payments"]);
    // Nothing else waits, and what is declared there is not clean.
    for (arguments, expected) in [
        (&["plan", "access"][..], 0),
        (&["plan", "--detailed-exitcode", "access"], 1),
        (&["plan", "--strict", "access"], 6),
        (&["plan", "--strict", "--detailed-exitcode", "access"], 6),
        (&["check", "--allow-unmanaged", "access"], 6),
    ] {
        let (ended, out, err) = output(stage.command(arguments));
        assert_eq!(ended, expected, "{arguments:?}: {out}{err}");
        assert!(out.contains("is gone, or hidden"), "{out}");
        let warned = err.contains("1 declared account in what is gone, or hidden");
        assert_eq!(warned, arguments[0] == "plan", "{err}");
    }
    // Once nothing is declared in it, it is told and that is all.
    stage.configure(&[space("old-space"), account("in-payments", "space.payments")].concat());
    for arguments in [
        &["plan", "--detailed-exitcode", "access"][..],
        &["plan", "--strict", "access"],
        &["check", "--allow-unmanaged", "access"],
    ] {
        let (ended, out, _) = output(stage.command(arguments));
        assert_eq!(ended, 0, "{arguments:?}: {out}");
        assert!(out.contains("is gone, or hidden"), "{out}");
    }
}

/// Whoever followed the advice to take out what is gone would delete what is live.
#[test]
fn a_mistyped_id_is_corrected_and_not_taken_out() {
    let mut stage = Stage::new();
    for (right, wrong) in [
        (OTHER, "serene-bouman-27577"),
        (OTHER, "serene-buoman-275779"),
        ("relaxed-khayyam-961566", "relaxed-khayyam-96156"),
    ] {
        let written = |id: &str| {
            let space = "space \"eu\" {\n  organization = organization.acme\n";
            let space = format!("{space}  id = \"{id}\"\n}}\n\n");
            [space, account("in-eu", "space.eu")].concat()
        };
        // Not born yet: the nearest id is asked for.
        stage.configure(&written(wrong));
        let (ended, whole) = plan(&stage, &["--strict"]);
        assert!((ended == 6 || ended == 3) && changes(&whole).is_empty());
        let told = advice(&whole);
        assert!(told.contains(&format!("did you mean {right}?")), "{told}");
        stage.configure(&written(right));
        assert_eq!(code(&stage, &["apply", "--yes", "access"]), 0);
        stage.configure(&written(wrong));
        let (_, whole) = plan(&stage, &[]);
        assert_eq!(changes(&whole), [[""; 3]; 0]);
        let told = advice(&whole);
        assert!(told.contains(&format!("in-eu in space {right}")), "{told}");
        assert!(!told.contains("take space.eu"), "{told}");
        assert_eq!(code(&stage, &["check", "--allow-unmanaged", "access"]), 6);
        assert_eq!(live(&stage), ["in-eu"]);
        stage.configure("");
        assert_eq!(code(&stage, &["apply", "--yes", "--destroy", "access"]), 0);
    }
}

#[test]
fn a_name_in_the_place_of_an_id_is_refused_with_the_id() {
    let mut stage = Stage::small();
    // The space `payments` has another id.
    for wrong in ["payments", "Payments"] {
        let space = format!(
            "space \"wrong\" {{\n  organization = organization.acme\n  id = \"{wrong}\"\n}}\n\n"
        );
        stage.configure(&[space, account("ci", "space.wrong")].concat());
        let (ended, out, _) = output(stage.command(&["apply", "--yes", "access"]));
        assert_eq!(ended, 3, "{out}");
        assert!(
            out.contains("did you mean amazing-hofstadter-175565"),
            "{out}"
        );
    }
}

#[test]
fn a_scope_that_was_not_read_ends_a_plan_as_it_is_documented() {
    let mut stage = Stage::small();
    let both = [
        account("in-payments", "space.payments"),
        account("in-acme", "organization.acme"),
    ]
    .concat();
    stage.configure(&both);
    stage.front.deny_listings(&[PAYMENTS]);
    // A change is pending elsewhere, and a declared account lies in what was not read.
    for (arguments, expected) in [
        (&["plan", "access"][..], 0),
        (&["plan", "--strict", "access"], 1),
        (&["plan", "--detailed-exitcode", "access"], 1),
        (&["plan", "--strict", "--detailed-exitcode", "access"], 1),
        (&["check", "access"], 1),
        (&["apply", "--yes", "access"], 3),
    ] {
        let (ended, _, err) = output(stage.command(arguments));
        assert_eq!(ended, expected, "{arguments:?}: {err}");
        let warned = err.contains("could not be read") || err.contains("permission denied");
        assert!(warned, "{arguments:?}: {err}");
    }
    // What a guard refuses, and what nobody manages, go before it.
    stage.configure(&[&both, "limits {\n  max_escalations = 0\n}\n"].concat());
    for arguments in [
        &["plan", "access"][..],
        &["plan", "--strict", "--detailed-exitcode", "access"],
    ] {
        assert_eq!(code(&stage, arguments), 3, "{arguments:?}");
    }
    stage.configure(&both);
    let by_hand = rolecall_server::SeedAccount {
        name: "by-hand".to_owned(),
        ..rolecall_server::SeedAccount::default()
    };
    let made = stage
        .app
        .admin_create_account(ORG, &by_hand, Timestamp::now());
    made.expect("created");
    for (arguments, expected) in [
        (&["plan", "--strict", "access"][..], 6),
        (&["plan", "--detailed-exitcode", "access"], 1),
        (&["check", "access"], 6),
        (&["check", "--allow-unmanaged", "access"], 1),
    ] {
        assert_eq!(code(&stage, arguments), expected, "{arguments:?}");
    }
    // Nothing declared lies in it: apply says so and does the rest.
    stage.configure(&account("in-acme", "organization.acme"));
    let (ended, _, err) = output(stage.command(&["apply", "--yes", "access"]));
    assert_eq!(ended, 0, "{err}");
    assert!(err.contains("could not be read"), "{err}");
    assert_eq!(code(&stage, &["plan", "--detailed-exitcode", "access"]), 1);
}
