//! What breaks policies, in SARIF 2.1.0, for programs that show findings beside the lines of a change.
//! Pure. Foreign text is made inert, and what would be a link in a message no longer is one.

use serde_json::{Value, json};

use super::inert;
use super::json::harmless;
use crate::model::{PolicyOrigin, PolicySeverity, SourceRef, short_digest};
use crate::plan::{JudgedAccount, Judgement, PolicyInfo, Said};

/// Where the form is described.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The document, with a line end. Without a judgement it has no rules and no results.
pub fn sarif(judgement: Option<&Judgement>) -> String {
    let policies: &[PolicyInfo] = judgement.map_or(&[], |judgement| &judgement.policies);
    let results: Vec<Value> = judgement
        .iter()
        .flat_map(|judgement| judgement.found())
        .filter_map(|(policy, account, said)| result(policies, policy, account, said))
        .collect();
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "rolecall",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": policies.iter().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    // Values have string keys only, so this cannot fail.
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    harmless(&text) + "\n"
}

/// The name of a policy among those of the configuration and of policy directories.
fn id(policy: &PolicyInfo) -> String {
    match policy.origin {
        PolicyOrigin::Configuration => policy.name.clone(),
        PolicyOrigin::PolicyDir => format!("policy-dir/{}", policy.name),
    }
}

fn rule(policy: &PolicyInfo) -> Value {
    let said = policy.description.as_deref();
    let description = said.unwrap_or("A policy without a description");
    json!({
        "id": inert(&id(policy)),
        "shortDescription": { "text": text(description) },
        "fullDescription": { "text": text(description) },
        "defaultConfiguration": { "level": policy.severity.as_str() },
        "help": { "text": text(&format!("The policy is declared at {}.", policy.declared_at)) },
    })
}

/// One result; `None` for an account that is left out.
fn result(
    policies: &[PolicyInfo],
    policy: &PolicyInfo,
    account: &JudgedAccount,
    said: &Said,
) -> Option<Value> {
    let who = account.shown();
    let (level, message) = match said {
        Said::Exempt => return None,
        Said::Violated(what) => (policy.severity, format!("{who}: {what}")),
        Said::Unevaluable(why) => (
            PolicySeverity::Error,
            format!("{who}: the policy cannot be evaluated: {why}"),
        ),
    };
    let index = policies.iter().position(|other| other == policy);
    let stable = account.address.as_ref().map(ToString::to_string);
    let stable = stable.or_else(|| account.account.as_ref().map(ToString::to_string));
    let fingerprint = format!("{}\n{}", id(policy), stable.unwrap_or_default());
    let mut location = json!({
        "logicalLocations": [{ "fullyQualifiedName": inert(&who), "kind": "resource" }],
    });
    if let Some(place) = &account.declared_at {
        location["physicalLocation"] = physical(place);
    }
    Some(json!({
        "ruleId": inert(&id(policy)),
        "ruleIndex": index,
        "level": level.as_str(),
        "message": { "text": text(&message) },
        "locations": [location],
        "relatedLocations": [{
            "id": 1,
            "physicalLocation": physical(&policy.declared_at),
            "message": { "text": text(&format!("the policy {}", policy.name)) },
        }],
        "partialFingerprints": {
            "policyAndAccount/v1": short_digest(fingerprint.as_bytes(), 32),
        },
    }))
}

fn physical(place: &SourceRef) -> Value {
    let SourceRef { file, line } = place;
    json!({
        "artifactLocation": { "uri": uri(file) },
        "region": { "startLine": (*line).max(1) },
    })
}

/// A path as a reference: relative paths stay relative.
fn uri(path: &str) -> String {
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for (at, byte) in path.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte);
        // A colon in the first part would make a scheme of it.
        if plain || (byte == b':' && path[..at].contains('/')) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Foreign text in a message: what would act is shown, `{0}` is no placeholder (SARIF 2.1.0,
/// 3.11.5), and `[text](target)` is no link.
fn text(foreign: &str) -> String {
    let shown = inert(foreign).replace('{', "{{").replace('}', "}}");
    if !shown.contains("](") {
        return shown;
    }
    let mut out = String::with_capacity(shown.len() + 8);
    for c in shown.chars() {
        if matches!(c, '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references_that_lead_where_they_should() {
        assert_eq!(uri("access/main.hcl"), "access/main.hcl");
        assert_eq!(uri("a b/ü#?%.hcl"), "a%20b/%C3%BC%23%3F%25.hcl");
        assert_eq!(uri("c:main.hcl"), "c%3Amain.hcl");
        assert_eq!(uri("a/c:main.hcl"), "a/c:main.hcl");
        assert_eq!(uri("/etc/p/a.hcl"), "file:///etc/p/a.hcl");
        assert_eq!(uri("../a\\b.hcl"), "../a%5Cb.hcl");
    }

    #[test]
    fn what_would_be_a_link_is_none() {
        assert_eq!(
            text("service_account.ci[\"prod\"]"),
            "service_account.ci[\"prod\"]"
        );
        assert_eq!(
            text("[click](https://evil.example)"),
            "\\[click\\](https://evil.example)"
        );
        assert_eq!(text("a\nb"), "a\\nb");
        assert_eq!(
            text("{0} {\u{202e}} [a](b)"),
            "{{0}} {{\\\\u{{202e}}}} \\[a\\](b)"
        );
        assert_eq!(text("{0}"), "{{0}}");
    }
}
