//! Server-side apply, with the ownership of fields, and what a Secret may not become.
//! Sources: k8s.io/apimachinery (`util/managedfields`) v0.34.4, and Kubernetes' documentation, "Server-Side Apply".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::shown::{conflict, refuse, status};
use super::{APPLY, Kept, UPDATE, fresh};
use crate::serve::Reply;

/// The Secret after an apply.
pub(super) fn apply(
    name: &str,
    live: Option<&Kept>,
    body: &Value,
    manager: &str,
    force: bool,
) -> Result<Kept, Reply> {
    let said = said(body);
    let by = (manager.to_owned(), APPLY.to_owned());
    let Some(live) = live else {
        if body["metadata"]["uid"].is_string() {
            return Err(conflict(
                name,
                "uid mismatch: the provided object specified uid, and no existing object was found",
            ));
        }
        let mut made = fresh(0);
        for (field, value) in &said {
            set(&mut made, field, Some(value));
        }
        made.managed.insert(by, said.into_keys().collect());
        return Ok(made);
    };
    let mut made = live.clone();
    let mut causes = Vec::new();
    for (field, value) in &said {
        if get(live, field).as_deref() == Some(value) {
            continue;
        }
        for ((who, how), fields) in &mut made.managed {
            if (who, how) == (&by.0, &by.1) || !fields.contains(field) {
                continue;
            }
            if force {
                fields.remove(field);
                continue;
            }
            let using = if how == UPDATE { " using v1" } else { "" };
            causes.push(json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with \"{who}\"{using}"),
                "field": field,
            }));
        }
    }
    if !causes.is_empty() {
        let told = match causes.as_slice() {
            [one] => format!(
                "Apply failed with 1 conflict: {}: {}",
                one["message"].as_str().unwrap_or_default(),
                one["field"].as_str().unwrap_or_default()
            ),
            several => format!("Apply failed with {} conflicts", several.len()),
        };
        return Err(status(409, "Conflict", &told, &json!({ "causes": causes })));
    }
    let before = made.managed.remove(&by).unwrap_or_default();
    for field in before.iter().filter(|field| !said.contains_key(*field)) {
        if !made.managed.values().any(|fields| fields.contains(field)) {
            set(&mut made, field, None);
        }
    }
    for (field, value) in &said {
        set(&mut made, field, Some(value));
    }
    if !said.is_empty() {
        made.managed.insert(by, said.into_keys().collect());
    }
    Ok(made)
}

/// The Secret after a merge patch: whoever sends it takes what it changes.
pub(super) fn merge(live: &Kept, body: &Value, manager: &str) -> Kept {
    let mut made = live.clone();
    for (field, value) in said(body) {
        if get(live, &field).as_deref() == Some(&value) {
            continue;
        }
        for fields in made.managed.values_mut() {
            fields.remove(&field);
        }
        set(&mut made, &field, Some(&value));
        let by = (manager.to_owned(), UPDATE.to_owned());
        made.managed.entry(by).or_default().insert(field);
    }
    made
}

/// Why a Secret may not become another one.
pub(super) fn invalid(name: &str, live: &Kept, made: &Kept) -> Option<Reply> {
    let told = |why: &str| {
        let told = format!("Secret \"{name}\" is invalid: {why}");
        Some(refuse(422, "Invalid", &told))
    };
    if made.r#type != live.r#type {
        let why = format!(
            "type: Invalid value: \"{}\": field is immutable",
            made.r#type
        );
        return told(&why);
    }
    if live.immutable && made.data != live.data {
        return told("data: Forbidden: field is immutable when `immutable` is set");
    }
    None
}

/// The fields that a body says, with their values.
fn said(body: &Value) -> BTreeMap<String, String> {
    let map = |value: &Value, prefix: &str| {
        let members: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
        members.into_iter().filter_map({
            let prefix = prefix.to_owned();
            move |(key, value)| Some((format!("{prefix}{key}"), value.as_str()?.to_owned()))
        })
    };
    let mut out: BTreeMap<String, String> = map(&body["data"], ".data.").collect();
    out.extend(map(&body["metadata"]["labels"], ".metadata.labels."));
    out.extend(
        body["type"]
            .as_str()
            .map(|of| (".type".to_owned(), of.to_owned())),
    );
    out
}

fn get(kept: &Kept, field: &str) -> Option<String> {
    if let Some(key) = field.strip_prefix(".data.") {
        return kept.data.get(key).cloned();
    }
    if let Some(key) = field.strip_prefix(".metadata.labels.") {
        return kept.labels.get(key).cloned();
    }
    Some(kept.r#type.clone())
}

fn set(kept: &mut Kept, field: &str, value: Option<&String>) {
    let map = if let Some(key) = field.strip_prefix(".data.") {
        Some((&mut kept.data, key))
    } else {
        let key = field.strip_prefix(".metadata.labels.");
        key.map(|key| (&mut kept.labels, key))
    };
    match (map, value) {
        (Some((map, key)), Some(value)) => {
            map.insert(key.to_owned(), value.clone());
        }
        (Some((map, key)), None) => {
            map.remove(key);
        }
        // What no longer says a type gets the one of those that say none.
        (None, value) => {
            kept.r#type = value.cloned().unwrap_or_else(|| "Opaque".to_owned());
        }
    }
}
