//! `docs/platform.md` against the platform: quirks, faults and seeds are what it says they are.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rolecall_server::{Faults, Quirks, Seed};
use serde_json::{Value, json};

fn text() -> String {
    std::fs::read_to_string("../../docs/platform.md").expect("the document")
}

/// The cells of the rows of the table below a heading.
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = text();
    let (_, rest) = text.split_once(heading).expect("the heading");
    let section = rest.split("\n## ").next().expect("a section");
    section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            line.trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

/// The texts between backquotes, as JSON.
fn values(cell: &str) -> Vec<Value> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(|text| serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}")))
        .collect()
}

#[test]
fn every_quirk_is_there_with_its_default_and_its_values() {
    let defaults = serde_json::to_value(Quirks::default()).expect("JSON");
    let rows = table("\n## Quirks");
    let mut named = BTreeSet::new();
    for row in &rows {
        let name = row[0].trim_matches('`');
        assert_eq!(values(&row[1]), [defaults[name].clone()], "{name}");
        let others = values(&row[2]);
        assert!(!others.is_empty(), "{name}");
        for value in others {
            let quirks: Quirks =
                serde_json::from_value(json!({ (name): value })).unwrap_or_else(|e| panic!("{e}"));
            assert_ne!(quirks, Quirks::default(), "{name}: {value}");
            // The error that names all values of a switch names none that is missing here.
            let wrong = serde_json::from_value::<Quirks>(json!({ (name): "wrong" }));
            let error = wrong.expect_err("no value").to_string();
            if let Some((_, all)) = error.split_once("expected ")
                && error.contains("unknown variant")
            {
                for value in all.split('`').skip(1).step_by(2) {
                    let quoted = format!("\"{value}\"");
                    assert!(
                        row[1].contains(&quoted) || row[2].contains(&quoted),
                        "{name}: {value}"
                    );
                }
            }
        }
        named.insert(name.to_owned());
    }
    let all: BTreeSet<String> = defaults
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert_eq!(named, all);
}

#[test]
fn the_faults_of_the_document_are_understood() {
    let text = text();
    let (_, rest) = text.split_once("```json\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("an end");
    let faults = Faults::from_json(example.as_bytes()).expect("rules");
    assert_eq!(faults.rules.len(), 6);

    let mut kinds = BTreeSet::new();
    for row in table("\n## Faults") {
        let fault: Value =
            serde_json::from_str(&row[0].trim_matches('`').replace('N', "500")).expect("JSON");
        let kind = match &fault {
            Value::Object(object) => object.keys().next().expect("a kind").clone(),
            fault => fault.as_str().expect("a kind").to_owned(),
        };
        let rules = json!({ "rules": [{ "operation": "*", "fault": fault }] }).to_string();
        Faults::from_json(rules.as_bytes()).unwrap_or_else(|e| panic!("{kind}: {e}"));
        kinds.insert(kind);
    }
    let wrong = r#"{"rules": [{"operation": "*", "fault": "wrong"}]}"#;
    let error = Faults::from_json(wrong.as_bytes()).expect_err("no fault");
    let (_, all) = error.split_once("one of ").expect("all kinds");
    let all: BTreeSet<String> = all
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert_eq!(kinds, all);
}

#[test]
fn the_seed_of_the_document_is_one() {
    let text = text();
    let (_, rest) = text.split_once("<<'END'\n").expect("a seed");
    let (seed, _) = rest.split_once("\nEND").expect("an end");
    let now = Timestamp::now();
    let seed = Seed::from_json_at(seed.as_bytes(), now).expect("a seed");
    let used = seed.organizations[0].accounts[0].last_used;
    assert_eq!(
        used.map(|used| now.as_second() - used.as_second()),
        Some(3 * 3600)
    );
}
