//! What policies said of a plan, as a part of the document.

use serde_json::{Value, json};

use crate::model::{PolicyRef, SourceRef};
use crate::plan::{JudgedAccount, Judgement, PolicyInfo, Said};

/// A place in the configuration.
pub(super) fn place(place: &SourceRef) -> Value {
    let SourceRef { file, line } = place;
    json!({ "file": file, "line": line })
}

/// A policy of the plan, with what is known of it beside its name.
pub(super) fn policy(policy: &PolicyRef, judgement: Option<&Judgement>) -> Value {
    let PolicyRef {
        origin,
        name,
        sha256,
    } = policy;
    let known = judgement.and_then(|judgement| {
        let mut all = judgement.policies.iter();
        all.find(|other| other.origin == *origin && other.name == *name)
    });
    json!({
        "name": name,
        "origin": origin,
        "sha256": sha256,
        "description": known.and_then(|known| known.description.as_ref()),
        "severity": known.map(|known| known.severity),
        "applies_to": known.map(|known| known.applies_to),
        "place": known.map(|known| place(&known.declared_at)),
    })
}

/// What a policy said of an account that does not simply keep to it.
pub(super) fn finding((policy, account, said): (&PolicyInfo, &JudgedAccount, &Said)) -> Value {
    let (result, message) = match said {
        Said::Exempt => ("exempt", None),
        Said::Violated(message) => ("violated", Some(&**message)),
        Said::Unevaluable(why) => ("unevaluable", Some(&**why)),
    };
    json!({
        "result": result,
        "message": message,
        "policy": named(policy),
        "account": account_of(account),
    })
}

pub(super) fn named(policy: &PolicyInfo) -> Value {
    let PolicyInfo {
        origin,
        name,
        description: _,
        severity,
        applies_to: _,
        declared_at,
    } = policy;
    json!({
        "name": name,
        "origin": origin,
        "severity": severity,
        "place": place(declared_at),
    })
}

pub(super) fn account_of(judged: &JudgedAccount) -> Value {
    let JudgedAccount {
        address,
        account,
        name,
        scope,
        custody,
        declared_at,
    } = judged;
    json!({
        "address": address,
        "account": account,
        "name": name,
        "scope": scope.mrn(),
        "custody": custody,
        "place": declared_at.as_ref().map(place),
    })
}
