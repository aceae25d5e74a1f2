//! `docs/schema/plan.v1.json`, and a validator for the part of JSON Schema that it uses. A word
//! that it does not know fails, so that nothing in the schema goes unchecked.

use std::sync::LazyLock;

use serde_json::Value;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| read("plan.v1.json"));
static PLAN_FILE: LazyLock<Value> = LazyLock::new(|| read("plan-file.v4.json"));
static RECORD: LazyLock<Value> = LazyLock::new(|| read("record.v1.json"));

fn read(name: &str) -> Value {
    let path = format!("{}/docs/schema/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the schema is there");
    serde_json::from_str(&text).expect("the schema is JSON")
}

/// Panics with what is wrong with a document.
pub fn check(document: &Value) {
    hold(&SCHEMA, document);
}

/// Panics with what is wrong with the record of an apply.
pub fn check_record(record: &Value) {
    hold(&RECORD, record);
}

/// Panics with what is wrong with a plan file.
pub fn check_plan_file(file: &Value) {
    hold(&PLAN_FILE, file);
}

fn hold(schema: &Value, document: &Value) {
    let mut found = Vec::new();
    validate(schema, schema, document, "$", &mut found);
    assert!(found.is_empty(), "{}\n{document:#}", found.join("\n"));
}

fn violations(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    validate(&SCHEMA, &SCHEMA, document, "$", &mut found);
    found
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("the schema names an unknown type {kind}"),
    }
}

fn validate(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let words = schema.as_object().expect("a schema is an object");
    for (word, says) in words {
        let wrong = match word.as_str() {
            "$schema" | "$defs" | "title" | "description" | "properties" => false,
            "$ref" => {
                let name = says.as_str().and_then(|r| r.strip_prefix("#/$defs/"));
                let target = &root["$defs"][name.expect("a reference to a definition")];
                assert!(target.is_object(), "{says} leads nowhere");
                validate(root, target, value, at, found);
                false
            }
            "type" => match says {
                Value::String(kind) => !is(value, kind),
                Value::Array(kinds) => !kinds.iter().any(|k| is(value, k.as_str().expect("text"))),
                _ => panic!("{says} is no type"),
            },
            "enum" => !says.as_array().expect("a list").contains(value),
            "const" => says != value,
            "minimum" => value.as_i64() < says.as_i64(),
            "pattern" => {
                let pattern: regex::Regex =
                    (says.as_str().expect("text").parse()).expect("a pattern");
                value.as_str().is_some_and(|text| !pattern.is_match(text))
            }
            "anyOf" | "oneOf" => {
                let fits = |option: &&Value| {
                    let mut inside = Vec::new();
                    validate(root, option, value, at, &mut inside);
                    inside.is_empty()
                };
                let options = says.as_array().expect("a list").iter();
                match options.filter(fits).count() {
                    0 => true,
                    1 => false,
                    _ => word == "oneOf",
                }
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    validate(root, says, item, &format!("{at}[{n}]"), found);
                }
                false
            }
            "required" => {
                for key in says.as_array().expect("a list") {
                    let key = key.as_str().expect("text");
                    if value.is_object() && value.get(key).is_none() {
                        found.push(format!("{at}: {key} is missing"));
                    }
                }
                false
            }
            "additionalProperties" => {
                for (key, member) in value.as_object().into_iter().flatten() {
                    let at = format!("{at}.{key}");
                    match (schema["properties"].get(key), says) {
                        (Some(known), _) => validate(root, known, member, &at, found),
                        (None, Value::Bool(false)) => found.push(format!("{at} is not described")),
                        (None, Value::Bool(true)) => {}
                        (None, other) => validate(root, other, member, &at, found),
                    }
                }
                false
            }
            _ => panic!("the validator does not know `{word}`"),
        };
        if wrong {
            found.push(format!("{at}: {value} breaks {word} {says}"));
        }
    }
}

/// Every object of the schema is closed and every key described.
fn closed(schema: &Value, at: &str) {
    if schema["type"] == "object" {
        assert!(schema.get("additionalProperties").is_some(), "{at} is open");
    }
    match schema {
        Value::Object(map) => {
            for (key, inside) in map {
                if key == "properties" {
                    for (name, property) in inside.as_object().expect("an object") {
                        let told = ["description", "$ref", "const"];
                        let told = told.iter().any(|word| property.get(word).is_some());
                        assert!(told, "{at}.{name} is not described");
                    }
                }
                closed(inside, &format!("{at}.{key}"));
            }
        }
        Value::Array(list) => list.iter().for_each(|inside| closed(inside, at)),
        _ => {}
    }
}

#[test]
fn the_schema_is_closed_and_bites() {
    closed(&SCHEMA, "$");
    closed(&RECORD, "$");
    closed(&PLAN_FILE, "$");
    let text = std::fs::read_to_string("tests/it/golden/formats/documents.txt").expect("there");
    let start = text.find("{\n").expect("a document");
    let end = text.find("\n}\n").expect("its end") + 2;
    // What stands for changing values in the golden file, made valid again.
    let text = text[start..end].replace("[DIGEST]", &"0".repeat(64));
    let good: Value = serde_json::from_str(&text).expect("JSON");
    check(&good);
    let mut breaks: Vec<(&str, Value)> = vec![
        // No code, and none that will be.
        ("/exit_code", 255.into()),
        ("/format_version", "2.0".into()),
        ("/plan/digest", "md5:00".into()),
        ("/plan/changes/0/action", "destroy".into()),
        ("/plan/changes/0/privilege/owner", "no".into()),
        ("/plan/changes/0/generation", (-1).into()),
        ("/plan/changes/0/scope", Value::Null),
        (
            "/plan/annex/unmanaged/0/labels",
            serde_json::json!({ "a": 1 }),
        ),
        ("/error", "oops".into()),
    ];
    for (pointer, value) in breaks.drain(..) {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect(pointer) = value;
        assert!(!violations(&bad).is_empty(), "{pointer} is not checked");
    }
    let mut more = good.clone();
    more["plan"]["secret"] = "x".into();
    assert_eq!(
        violations(&more).len(),
        1,
        "what is not described is found, inside anyOf too"
    );
    let mut less = good;
    less["plan"]
        .as_object_mut()
        .expect("an object")
        .remove("caller");
    assert!(!violations(&less).is_empty());
}
