//! The form for programs: one JSON document of a run. `docs/schema/plan.v1.json` describes it.
//! Pure. Foreign strings are plain JSON strings; what would act on a terminal or in a CI log is
//! written as `\u` escapes, so that showing the document is safe and parsing it gives the original.

pub mod check;
mod judged;
mod keys;
mod outcome;

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use self::judged::{account_of, finding, named, place, policy};
use self::keys::{destination, leaving};
pub use self::outcome::{outcome, rest};
use crate::diag::{Diagnostic, SourceMap, acts};
use crate::model::{AccountState, Binding, Caller, LiveAccount, Role, RoleSet, Scope};
use crate::plan::{
    Annex, Blocked, Change, Contents, Difference, Expired, Generation, InFlight, Judgement,
    LeftAlone, Plan, Privilege, Revoked, Undelivered, Verdict,
};
use crate::policy::Refusal;
use crate::view::review::{Kind, counts};

/// The version of the document's form: the first number changes when a reader may break.
pub const FORMAT_VERSION: &str = "1.0";

/// What went wrong, where nothing else in the document says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What happened.
    pub message: String,
    /// The ways out.
    pub help: Vec<String>,
}

/// All that one run has to say. `None` and empty lists are written too.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Document {
    /// The plan, if one was made: [`plan`].
    pub plan: Option<Value>,
    /// Why the plan must not be applied.
    pub refusals: Vec<Value>,
    /// How far a reviewed plan was done before this run: [`rest()`].
    pub rest: Option<Value>,
    /// How each change ended, if any was tried: [`outcome()`].
    pub outcome: Option<Value>,
    /// What a check found: [`check::check()`].
    pub check: Option<Value>,
    /// What was found in the configuration: [`diagnostic`].
    pub diagnostics: Vec<Value>,
    /// Warnings that have no place in the configuration.
    pub warnings: Vec<String>,
    /// What ended the run, if it was an error.
    pub error: Option<Problem>,
}

/// The whole document as text, with a line end.
pub fn document(command: &str, document: &Document, exit_code: u8) -> String {
    let Document {
        plan,
        refusals,
        rest,
        outcome,
        check,
        diagnostics,
        warnings,
        error,
    } = document;
    let value = json!({
        "format_version": FORMAT_VERSION,
        "rolecall_version": env!("CARGO_PKG_VERSION"),
        "command": command,
        "plan": plan,
        "refusals": refusals,
        "rest": rest,
        "outcome": outcome,
        "check": check,
        "diagnostics": diagnostics,
        "warnings": warnings,
        "error": error,
        "exit_code": exit_code,
    });
    // Values have string keys only, so this cannot fail.
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    let mut text = harmless(&text);
    text.push('\n');
    text
}

/// Escapes what is valid in JSON and still acts where it is shown. Such characters stand inside of
/// strings only, since everything around them is plain ASCII.
pub fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut before = '\0';
    for c in json.chars() {
        // `##[group]` and `##vso[…]` are commands to some CI runners, wherever they stand.
        let command = c == '#' && before == '#';
        if (acts(c) && c != '\n') || command {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
        before = c;
    }
    out
}

/// The parts of a plan that its digest does not cover: each a key of `plan`, or a key in the items of
/// one. In a plan file, who can write the file can change them.
pub const OUTSIDE_DIGEST: [&str; 17] = [
    "annex",
    "blocked.block",
    "blocked.place",
    "blocked.scope.name",
    "blocked.scope.organization",
    "caller",
    "changes.places",
    "changes.scope.name",
    "changes.scope.organization",
    "findings",
    "in_flight",
    "policies.applies_to",
    "policies.description",
    "policies.place",
    "policies.severity",
    "sealed",
    "summary",
];

/// A plan with all that stands beside it.
pub fn plan(plan: &Plan) -> Value {
    let Contents {
        stack: id,
        endpoint,
        meant,
        limits,
        policies,
        changes,
        blocked: stopped,
        caller: who,
        declared,
        managed,
        sealed,
        in_flight: flying,
        annex,
    } = &**plan;
    let Annex {
        // Refusals say what these mean.
        owners: _,
        // For people who review; `list` says it of every account.
        past: _,
        checkout: _,
        left_alone,
        expired,
        undelivered,
        generations,
        revoked,
        notes,
        advice,
        unread,
        scopes,
        unverified,
        unchanged,
        judgement,
    } = annex;
    let scope = |of: &Scope| scope(of, annex);
    let kinds = counts(plan);
    let of = |kind: Kind| {
        let found = kinds.iter().find(|(other, _)| *other == kind);
        found.map_or(0, |(_, n)| *n)
    };
    let verdicts = |verdict: Verdict| {
        let same = |change: &&Change| change.privilege.verdict == verdict;
        changes.iter().filter(same).count()
    };
    json!({
        "digest": format!("sha256:{}", plan.digest()),
        "outside_digest": OUTSIDE_DIGEST,
        "stack": id,
        "platform": { "endpoint": endpoint, "local": endpoint == "local" },
        "caller": caller(who),
        "sealed": sealed,
        "limits": limits,
        "policies": policies.iter().map(|of| policy(of, judgement.as_ref())).collect::<Vec<_>>(),
        "findings": judgement.iter().flat_map(Judgement::found).map(finding).collect::<Vec<_>>(),
        "meant": meant,
        "changes": changes.iter().map(|c| change(c, annex)).collect::<Vec<_>>(),
        "blocked": stopped.iter().map(|b| blocked(b, annex)).collect::<Vec<_>>(),
        "in_flight": flying.iter().map(in_flight).collect::<Vec<_>>(),
        "annex": {
            "unmanaged": left_alone.iter().map(|l| unmanaged(l, plan)).collect::<Vec<_>>(),
            "unread": unread
                .iter()
                .map(|(of, why)| json!({ "scope": scope(of), "why": why.why }))
                .collect::<Vec<_>>(),
            "expired": expired.iter().map(|e| expiry(e, annex)).collect::<Vec<_>>(),
            "undelivered": undelivered.iter().map(|u| needy(u, annex)).collect::<Vec<_>>(),
            "generations": generations.iter().map(|g| aged(g, annex)).collect::<Vec<_>>(),
            "revoked": revoked.iter().map(|r| taken_back(r, annex)).collect::<Vec<_>>(),
            "notes": notes
                .iter()
                .map(|(address, note)| json!({ "address": address, "note": note }))
                .collect::<Vec<_>>(),
            "advice": advice,
            "scopes": scopes.keys().map(scope).collect::<Vec<_>>(),
        },
        "summary": {
            "create": of(Kind::Create),
            "adopt": of(Kind::Adopt),
            "move": of(Kind::Move),
            "rename": of(Kind::Rename),
            "update": of(Kind::Update),
            "update_permissions": of(Kind::Roles),
            "redeliver": of(Kind::Redeliver),
            "replace": of(Kind::Replace),
            "rotate": of(Kind::Rotate),
            "forget": of(Kind::Forget),
            "delete": of(Kind::Delete),
            "escalations": verdicts(Verdict::Escalation),
            "reductions": verdicts(Verdict::Reduction),
            "blocked": stopped.len(),
            "in_flight": flying.len(),
            "unchanged": unchanged,
            "unmanaged": left_alone.len(),
            "declared": declared,
            "managed": managed,
            "unverified": unverified,
        },
    })
}

/// Who a run works as. Its own account may be another one in each run where a binding stands behind it; the
/// others of that say of themselves that they are the caller's.
fn caller(caller: &Caller) -> Value {
    let Caller { mrn, name, binding } = caller;
    let behind = |Binding {
                      identity,
                      others: _,
                  }: &Binding| json!({ "identity": identity });
    json!({ "mrn": mrn, "name": name, "binding": binding.as_ref().map(behind) })
}

fn scope(scope: &Scope, annex: &Annex) -> Value {
    let info = annex.scopes.get(scope);
    json!({
        "kind": scope.kind(),
        "id": scope.id(),
        "mrn": scope.mrn(),
        "name": info.map(|info| &info.name),
        "organization": info.and_then(|info| info.organization.as_ref()),
    })
}

fn change(change: &Change, annex: &Annex) -> Value {
    let Change {
        what:
            Difference {
                address,
                generation,
                action,
                reason,
                scope: of,
                account,
                before,
                after,
                // How custody is kept on the platform is no business of a plan's reader.
                marks: _,
                moved_from,
                deliver_to,
                key_from,
                leaves,
                predecessors,
                places,
            },
        step,
        // The order of the changes says it.
        waits: _,
        privilege:
            Privilege {
                verdict,
                owner,
                loses,
                gained,
                lost,
                exposures,
            },
        taken_from,
    } = change;
    json!({
        "address": address,
        "generation": generation,
        "step": step,
        "action": action,
        "reason": reason,
        "scope": scope(of, annex),
        "account": account,
        "before": before.as_ref().map(state),
        "after": after.as_ref().map(state),
        "privilege": {
            "verdict": verdict,
            "owner": owner,
            "loses": loses,
            "gained": roles(gained),
            "lost": roles(lost),
            "exposures": exposures,
        },
        "moved_from": moved_from,
        "taken_from": taken_from,
        "deliver_to": deliver_to.iter().map(destination).collect::<Vec<_>>(),
        "key_from": key_from.as_ref().map(destination),
        "leaves": leaves.iter().map(leaving).collect::<Vec<_>>(),
        "predecessors": predecessors,
        "places": places.iter().map(place).collect::<Vec<_>>(),
    })
}

fn state(state: &AccountState) -> Value {
    let AccountState {
        name,
        description,
        labels,
        roles: held,
        valid_until,
        protected,
    } = state;
    json!({
        "name": name,
        "description": description,
        "labels": labels,
        "roles": roles(held),
        "valid_until": valid_until,
        "protected": protected,
    })
}

/// Short names where there are such, else resource names.
fn roles(roles: &RoleSet) -> Vec<&str> {
    roles.iter().map(Role::short).collect()
}

fn blocked(blocked: &Blocked, annex: &Annex) -> Value {
    let Blocked {
        address,
        scope: of,
        block,
        declared_at,
    } = blocked;
    let (kind, accounts) = block.named();
    json!({
        "address": address,
        "scope": scope(of, annex),
        "kind": kind,
        "accounts": accounts,
        "block": block,
        "place": declared_at.as_ref().map(place),
    })
}

fn expiry(expired: &Expired, annex: &Annex) -> Value {
    let Expired {
        address,
        account,
        scope: of,
        until,
        declared_at,
    } = expired;
    json!({
        "address": address,
        "account": account,
        "scope": scope(of, annex),
        "until": until,
        "place": place(declared_at),
    })
}

fn needy(undelivered: &Undelivered, annex: &Annex) -> Value {
    let Undelivered {
        address,
        account,
        scope: of,
        to,
        why,
        declared_at,
    } = undelivered;
    json!({
        "address": address,
        "account": account,
        "scope": scope(of, annex),
        "to": to.iter().map(destination).collect::<Vec<_>>(),
        "why": why,
        "place": place(declared_at),
    })
}

fn aged(generation: &Generation, annex: &Annex) -> Value {
    let Generation {
        address,
        generation,
        account,
        scope: of,
        standing,
        declared_at,
    } = generation;
    json!({
        "address": address,
        "generation": generation,
        "account": account,
        "scope": scope(of, annex),
        "standing": standing,
        "needs_person": standing.needs_person(),
        "place": place(declared_at),
    })
}

fn taken_back(revoked: &Revoked, annex: &Annex) -> Value {
    let Revoked {
        address,
        account,
        scope: of,
        generation,
        sealed,
        declared_at,
    } = revoked;
    json!({
        "address": address,
        "account": account,
        "scope": scope(of, annex),
        "generation": generation,
        "sealed": sealed,
        "place": place(declared_at),
    })
}

fn in_flight(flying: &InFlight) -> Value {
    let InFlight {
        address,
        account,
        until,
        nonce,
    } = flying;
    json!({ "address": address, "account": account, "until": until, "nonce": nonce })
}

fn unmanaged(left: &LeftAlone, plan: &Plan) -> Value {
    let LeftAlone { account, stack: of } = left;
    let LiveAccount {
        mrn,
        scope: at,
        name,
        description,
        labels,
        roles: held,
        created_at,
        last_used,
        creator,
    } = account;
    json!({
        "account": mrn,
        "scope": scope(at, &plan.annex),
        "name": name,
        "description": description,
        "labels": labels,
        "roles": roles(held),
        "owner": held.iter().any(Role::owns),
        "caller": plan.caller.owns(mrn),
        "stack": of,
        "created_at": created_at,
        "last_used": last_used,
        "creator": creator,
    })
}

/// Why a plan must not be applied.
pub fn refusal(refusal: &Refusal) -> Value {
    let Refusal {
        guard,
        message,
        help,
        apply_only,
        broken,
    } = refusal;
    json!({
        "guard": guard,
        "message": message,
        "help": help,
        "apply_only": apply_only,
        "policy": broken.as_ref().map(|broken| named(&broken.policy)),
        "account": broken.as_ref().map(|broken| account_of(&broken.account)),
    })
}

/// A finding about the configuration, with its places as lines and columns from 1.
pub fn diagnostic(found: &Diagnostic, sources: &SourceMap) -> Value {
    let Diagnostic {
        severity,
        code,
        summary,
        labels,
        help: _,
        way_out: _,
    } = found;
    let places: Vec<Value> = labels
        .iter()
        .map(|label| {
            let start = sources.place(label.span.file, label.span.start);
            let end = sources.place(label.span.file, label.span.end);
            json!({
                "file": sources.path(label.span.file),
                "line": start.line,
                "column": start.column,
                "end_line": end.line,
                "end_column": end.column,
                "message": sources.message(found, &label.message),
                "primary": label.primary,
            })
        })
        .collect();
    json!({
        "severity": severity.as_str(),
        "code": code,
        "summary": summary,
        "places": places,
        "help": found.ways_out().map(|help| sources.message(found, help)).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_is_escaped_and_comes_back() {
        let foreign = "\u{1b}[31m\u{9b}x\u{7f} \u{202e}evil \u{2028}\u{2029} ##[group]##vso[x] \
                       \u{e0041} é 😀 ::add-mask::\n";
        let problem = Problem {
            message: foreign.to_owned(),
            help: Vec::new(),
        };
        let text = document(
            "plan",
            &Document {
                error: Some(problem),
                ..Document::default()
            },
            1,
        );
        assert!(!text.contains(|c: char| acts(c) && c != '\n'), "{text}");
        assert!(!text.contains("##"), "{text}");
        assert!(text.contains('é') && text.contains('😀'));
        assert!(
            text.lines()
                .all(|line| !line.trim_start().starts_with("::")),
            "{text}"
        );
        let back: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(back["error"]["message"], foreign);
    }

    /// Whose an account is stands in documents by its word: every word is one that the schema has.
    #[test]
    fn the_schema_has_every_word_for_custody() {
        use crate::model::Keeper;
        let text = std::fs::read_to_string("docs/schema/plan.v1.json").expect("the schema");
        let schema: Value = serde_json::from_str(&text).expect("JSON");
        let mut lists = Vec::new();
        gather(&schema, &mut lists);
        assert_eq!(
            lists.len(),
            2,
            "that of policies, and that of unused accounts"
        );
        for list in lists {
            // Accounts of others are no business of what is unused.
            for keeper in Keeper::ALL.into_iter().filter(|k| *k != Keeper::Foreign) {
                assert!(list.contains(&json!(keeper.as_str())), "{keeper}: {list:?}");
            }
        }
    }

    fn gather<'a>(value: &'a Value, lists: &mut Vec<&'a Vec<Value>>) {
        match value {
            Value::Object(members) => {
                if let Some(list) = members.get("custody").and_then(|c| c["enum"].as_array()) {
                    lists.push(list);
                }
                members.values().for_each(|member| gather(member, lists));
            }
            Value::Array(items) => items.iter().for_each(|item| gather(item, lists)),
            _ => {}
        }
    }
}
