//! The files for other programs: SARIF, held against what its standard requires of every document, and
//! JUnit, read as XML.

use std::fs;

use serde_json::Value;

use super::{NO_OWNERS, account, policy_dir};
use crate::stage::Stage;

/// A document of SARIF 2.1.0, by the standard's "shall"s that concern what is written here.
fn check_sarif(document: &Value) {
    assert_eq!(document["version"], "2.1.0");
    let schema = document["$schema"].as_str().expect("a schema");
    assert!(schema.starts_with("https://") && schema.ends_with("sarif-schema-2.1.0.json"));
    let runs = document["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 1);
    let driver = &runs[0]["tool"]["driver"];
    assert_eq!(driver["name"], "rolecall");
    let rules = driver["rules"].as_array().expect("rules");
    let mut ids = std::collections::BTreeSet::new();
    for rule in rules {
        let id = rule["id"].as_str().expect("a rule has an id");
        assert!(ids.insert(id), "{id} is there twice");
        for description in ["shortDescription", "fullDescription", "help"] {
            let text = rule[description]["text"].as_str();
            assert!(text.is_some_and(|text| !text.is_empty()), "{rule:#}");
        }
        let level = rule["defaultConfiguration"]["level"].as_str();
        assert!(matches!(level, Some("error" | "warning")));
    }
    let columns = runs[0]["columnKind"].as_str();
    assert!(matches!(
        columns,
        Some("utf16CodeUnits" | "unicodeCodePoints")
    ));
    for result in runs[0]["results"].as_array().expect("results") {
        let text = result["message"]["text"].as_str();
        assert!(text.is_some_and(|text| !text.is_empty()), "{result:#}");
        let level = result["level"].as_str().expect("a level");
        assert!(matches!(level, "none" | "note" | "warning" | "error"));
        let index = result["ruleIndex"].as_u64().expect("an index");
        let rule = &rules[usize::try_from(index).expect("small")];
        assert_eq!(rule["id"], result["ruleId"], "the index leads to the rule");
        let locations = result["locations"].as_array().expect("locations");
        assert_eq!(locations.len(), 1);
        for location in locations {
            if let Some(physical) = location.get("physicalLocation") {
                check_place(physical);
            }
            let logical = location["logicalLocations"].as_array().expect("a name");
            assert!(logical[0]["fullyQualifiedName"].is_string());
        }
        let related = result["relatedLocations"].as_array().expect("the policy");
        for location in related {
            check_place(&location["physicalLocation"]);
            assert!(location["id"].as_u64().is_some());
            assert!(location["message"]["text"].is_string());
        }
        let prints = result["partialFingerprints"].as_object().expect("prints");
        assert!(prints.values().all(Value::is_string) && !prints.is_empty());
    }
}

fn check_place(physical: &Value) {
    let uri = physical["artifactLocation"]["uri"].as_str();
    let uri = uri.expect("an artifact has an address");
    let plain = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    assert!(uri.chars().all(plain), "{uri} is no reference");
    let line = physical["region"]["startLine"].as_u64();
    assert!(line.is_some_and(|line| line > 0));
}

/// Reads XML as far as a report has it: elements, attributes, text, the five entities.
pub fn well_formed(text: &str) {
    let rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let mut rest = rest.expect("a declaration");
    let mut open = Vec::new();
    while let Some(start) = rest.find('<') {
        entities(&rest[..start]);
        let end = rest[start..].find('>').expect("a tag ends") + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()));
            continue;
        }
        let alone = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = attributes.trim_start();
        while !attributes.is_empty() {
            let (name, value) = attributes.split_once("=\"").expect("a value");
            assert!(name.chars().all(|c| c.is_ascii_alphabetic()), "{name}");
            let (value, more) = value.split_once('"').expect("closed");
            entities(value);
            attributes = more.trim_start();
        }
        if !alone {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
}

fn entities(text: &str) {
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;"];
        assert!(known.iter().any(|e| text[at..].starts_with(e)), "{text}");
    }
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(allowed), "{text:?}");
}

#[test]
fn other_programs_are_told_what_policies_say() {
    let mut stage = Stage::small();
    policy_dir(&stage, NO_OWNERS);
    let policies = "policy \"names\" {\n  description = \"Names are short\"\n  condition   = \
                    length(self.name) <= 4\n  message     = \"too long\"\n  severity    = \
                    \"warning\"\n}\n\npolicy \"team\" {\n  condition = self.labels.team != \"\"\n  \
                    message   = \"m\"\n  exempt    = [service_account.ci]\n}\n";
    let accounts = account("ci", "[\"agent\"]") + &account("report", "[\"owner\"]");
    stage.configure(&(accounts + policies));
    let run = [
        "plan",
        "--policy-dir",
        "security",
        "--sarif",
        "p.sarif",
        "--junit",
        "p.xml",
        "access",
    ];
    let output = stage.command(&run).output().expect("runs");
    assert_eq!(output.status.code(), Some(3));
    let sarif = fs::read_to_string(stage.path("p.sarif")).expect("written");
    let document: Value = serde_json::from_str(&sarif).expect("JSON");
    check_sarif(&document);
    let results = document["runs"][0]["results"].as_array().expect("results");
    let shown: Vec<String> = results
        .iter()
        .map(|result| {
            let place = |location: &Value| {
                let physical = &location["physicalLocation"];
                format!(
                    "{}:{}",
                    physical["artifactLocation"]["uri"].as_str().unwrap_or("-"),
                    physical["region"]["startLine"]
                )
            };
            format!(
                "{} {} {} {}",
                result["ruleId"].as_str().unwrap_or("-"),
                result["level"].as_str().unwrap_or("-"),
                place(&result["locations"][0]),
                place(&result["relatedLocations"][0])
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "policy-dir/no_owners error access/main.hcl:29 security/rules.hcl:1",
            "names warning access/main.hcl:29 access/main.hcl:39",
            "team error access/main.hcl:29 access/main.hcl:46",
        ]
    );
    let junit = fs::read_to_string(stage.path("p.xml")).expect("written");
    well_formed(&junit);
    crate::renew::compare(&junit, "tests/it/golden/policies/junit.xml");
}

#[test]
fn without_policies_the_files_are_written_and_hold_nothing() {
    let mut stage = Stage::small();
    stage.configure(&account("ci", "[\"agent\"]"));
    let run = ["plan", "--sarif", "p.sarif", "--junit", "p.xml", "access"];
    let output = stage.command(&run).output().expect("runs");
    assert!(output.status.success());
    let sarif = fs::read(stage.path("p.sarif")).expect("written");
    let document: Value = serde_json::from_slice(&sarif).expect("JSON");
    check_sarif(&document);
    assert_eq!(document["runs"][0]["results"], serde_json::json!([]));
    let junit = fs::read_to_string(stage.path("p.xml")).expect("written");
    well_formed(&junit);
    assert!(junit.contains("tests=\"0\""), "{junit}");
}

#[test]
fn a_file_that_cannot_be_written_ends_the_run_before_anything_is_applied() {
    let mut stage = Stage::small();
    stage.configure(&account("ci", "[\"agent\"]"));
    for flag in ["--sarif", "--junit"] {
        let run = ["apply", "--yes", flag, "none/p", "access"];
        let output = stage.command(&run).output().expect("runs");
        assert_eq!(output.status.code(), Some(1), "{flag}");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(err.contains("none/p") && err.contains(flag), "{err}");
    }
    assert_eq!(super::writes(&stage), 0);
}

#[test]
fn the_reader_of_xml_finds_what_is_wrong() {
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    well_formed(&format!("{head}<a b=\"&amp;\"><c/>x</a>"));
    for wrong in ["<a>", "<a></b>", "<a b=\"&x;\"/>", "<a>\u{1}</a>", "x"] {
        let text = format!("{head}{wrong}");
        let read = std::panic::catch_unwind(|| well_formed(&text));
        assert!(read.is_err(), "{wrong}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named_with_the_way_out() {
    let mut stage = Stage::small();
    stage.configure(&(account("ci", "[\"agent\"]") + NO_OWNERS));
    std::os::unix::fs::symlink("/dev/full", stage.path("full")).expect("linked");
    for flag in ["--sarif", "--junit"] {
        for (name, why, help) in [
            (
                "nowhere/file",
                "its folder is not there",
                "a folder that exists",
            ),
            ("access", "it is a directory", "a folder that exists"),
            ("full", "the disk is full", "free some space"),
        ] {
            let output = stage.command(&["plan", flag, name, "access"]).output();
            let output = output.expect("runs");
            let said = String::from_utf8(output.stderr).expect("text");
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(
                said.contains(&format!("cannot write {name}: {why}\n")),
                "{said}"
            );
            assert!(said.contains(help), "{said}");
        }
    }
}
