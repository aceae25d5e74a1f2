//! What answers look like: a Secret, and a `Status`.

use serde_json::{Map, Value, json};

use super::Kept;
use crate::serve::Reply;

pub(super) fn object(namespace: &str, name: &str, kept: &Kept) -> Value {
    let managed: Vec<Value> = kept
        .managed
        .iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|((manager, operation), fields)| {
            let mut tree = Map::new();
            for field in fields {
                let (top, rest) = match field.strip_prefix(".data.") {
                    Some(key) => ("f:data", Some(key)),
                    None if field == ".type" => ("f:type", None),
                    None => ("f:metadata", field.strip_prefix(".metadata.labels.")),
                };
                let at = tree.entry(top).or_insert_with(|| json!({}));
                let at = match top {
                    "f:metadata" => &mut at["f:labels"],
                    _ => at,
                };
                if let Some(rest) = rest {
                    at[format!("f:{rest}")] = json!({});
                }
            }
            json!({"manager": manager, "operation": operation, "apiVersion": "v1",
                "time": "2026-11-01T10:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": tree})
        })
        .collect();
    let mut metadata = json!({
        "name": name,
        "namespace": namespace,
        "uid": kept.uid,
        "resourceVersion": kept.version.to_string(),
        "creationTimestamp": "2026-11-01T09:00:00Z",
    });
    if !managed.is_empty() {
        metadata["managedFields"] = json!(managed);
    }
    if !kept.labels.is_empty() {
        metadata["labels"] = json!(kept.labels);
    }
    if !kept.owners.is_empty() {
        metadata["ownerReferences"] = json!(kept.owners);
    }
    if kept.deleting {
        metadata["deletionTimestamp"] = json!("2026-11-01T10:00:00Z");
    }
    let mut out = json!({
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": metadata,
        "type": kept.r#type,
    });
    if !kept.data.is_empty() {
        out["data"] = json!(kept.data);
    }
    if kept.immutable {
        out["immutable"] = json!(true);
    }
    out
}

pub(super) fn status(code: u16, reason: &str, message: &str, details: &Value) -> Reply {
    Reply::json(
        code,
        &json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details,
            "code": code,
        }),
    )
}

pub(super) fn refuse(code: u16, reason: &str, message: &str) -> Reply {
    status(code, reason, message, &json!({}))
}

pub(super) fn absent(kind: &str, name: &str) -> Reply {
    let told = format!("{kind} \"{name}\" not found");
    status(404, "NotFound", &told, &json!({"name": name, "kind": kind}))
}

pub(super) fn conflict(name: &str, why: &str) -> Reply {
    let told = format!("Operation cannot be fulfilled on secrets \"{name}\": {why}");
    status(
        409,
        "Conflict",
        &told,
        &json!({"name": name, "kind": "secrets"}),
    )
}

pub(super) fn forbid(verb: &str, namespace: &str, name: &str) -> Reply {
    let told = format!(
        "secrets \"{name}\" is forbidden: User \"system:serviceaccount:ci:rolecall\" cannot {verb} resource \
         \"secrets\" in API group \"\" in the namespace \"{namespace}\""
    );
    status(
        403,
        "Forbidden",
        &told,
        &json!({"name": name, "kind": "secrets"}),
    )
}
