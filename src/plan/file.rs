//! A plan as a file: its canonical form, its digest, and what is shown besides.
//! Pure. A plan file approves and never commands: apply plans again and compares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Annex, Expired, FORMAT, Judgement, LeftAlone, OwnersLeft, Plan};
use crate::model::{Address, OrgId, Scope, ScopeInfo, SourceRef, Unread, short_digest};

/// Why a file is not a plan that can be trusted to be whole.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is no plan file at all.
    #[error("it is not a plan file: {0}")]
    NotAPlan(String),
    /// Another version of rolecall wrote it.
    #[error("it is a plan of format {0}, and this version reads format {FORMAT}")]
    Format(u64),
    /// It was changed or cut after it was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rolecall_plan: u64,
    /// The plan's name.
    digest: String,
    /// SHA-256 of the aside, so that damage to it shows too.
    aside_digest: String,
    plan: Value,
    aside: Value,
}

/// What is shown and not digested.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Aside {
    caller_name: Option<String>,
    /// Of each change.
    places: Vec<Vec<SourceRef>>,
    /// Of each obstacle.
    declared_at: Vec<Option<SourceRef>>,
    /// Of each birth elsewhere.
    until: Vec<jiff::Timestamp>,
    left_alone: Vec<LeftAlone>,
    expired: Vec<Expired>,
    notes: Vec<(Address, String)>,
    advice: Vec<String>,
    unread: Vec<(Scope, Unread)>,
    scopes: Vec<(Scope, ScopeInfo)>,
    unverified: usize,
    unchanged: usize,
    judgement: Option<Judgement>,
    owners: Vec<(OrgId, OwnersLeft)>,
}

impl Aside {
    fn of(plan: &Plan) -> Self {
        let Annex {
            left_alone,
            expired,
            notes,
            advice,
            unread,
            scopes,
            unverified,
            unchanged,
            judgement,
            owners,
        } = &plan.annex;
        let pairs = |(scope, what): (&Scope, &Unread)| (scope.clone(), what.clone());
        let named = |(scope, what): (&Scope, &ScopeInfo)| (scope.clone(), what.clone());
        Self {
            caller_name: plan.caller.name.clone(),
            places: plan.changes.iter().map(|c| c.places.clone()).collect(),
            declared_at: plan.blocked.iter().map(|b| b.declared_at.clone()).collect(),
            until: plan.in_flight.iter().map(|f| f.until).collect(),
            left_alone: left_alone.clone(),
            expired: expired.clone(),
            notes: notes.clone(),
            advice: advice.clone(),
            unread: unread.iter().map(pairs).collect(),
            scopes: scopes.iter().map(named).collect(),
            unverified: *unverified,
            unchanged: *unchanged,
            judgement: judgement.clone(),
            owners: owners.clone().into_iter().collect(),
        }
    }

    /// Puts everything back to where it belongs; `None` if it is not of this plan.
    fn put_back(self, mut plan: Plan) -> Option<Plan> {
        let fits = self.places.len() == plan.changes.len()
            && self.declared_at.len() == plan.blocked.len()
            && self.until.len() == plan.in_flight.len();
        if !fits {
            return None;
        }
        plan.caller.name = self.caller_name;
        for (change, places) in plan.changes.iter_mut().zip(self.places) {
            change.places = places;
        }
        for (blocked, place) in plan.blocked.iter_mut().zip(self.declared_at) {
            blocked.declared_at = place;
        }
        for (flying, until) in plan.in_flight.iter_mut().zip(self.until) {
            flying.until = until;
        }
        plan.annex = Annex {
            left_alone: self.left_alone,
            expired: self.expired,
            notes: self.notes,
            advice: self.advice,
            unread: self.unread.into_iter().collect::<BTreeMap<_, _>>(),
            scopes: self.scopes.into_iter().collect::<BTreeMap<_, _>>(),
            unverified: self.unverified,
            unchanged: self.unchanged,
            judgement: self.judgement,
            owners: self.owners.into_iter().collect(),
        };
        Some(plan)
    }
}

fn digest(value: &Value) -> String {
    format!("sha256:{}", short_digest(value.to_string().as_bytes(), 64))
}

/// The file of a plan: one line of JSON. The same plan gives the same bytes.
///
/// # Errors
/// A fragment, if a value has no JSON form; none of a plan's is known to.
pub fn write(plan: &Plan) -> Result<Vec<u8>, String> {
    let value = |what: serde_json::Result<Value>| what.map_err(|error| error.to_string());
    let aside = value(serde_json::to_value(Aside::of(plan)))?;
    let canonical: Value = value(serde_json::from_str(&plan.canonical()))?;
    let file = File {
        rolecall_plan: FORMAT.into(),
        digest: digest(&canonical),
        aside_digest: digest(&aside),
        plan: canonical,
        aside,
    };
    let mut bytes = serde_json::to_vec(&file).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads the file of a plan.
///
/// # Errors
/// If it is none, of another format, or not as it was written.
pub fn read(bytes: &[u8]) -> Result<Plan, FileError> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| FileError::NotAPlan(error.to_string()))?;
    let format = value.get("rolecall_plan").and_then(Value::as_u64);
    match format {
        None => {
            return Err(FileError::NotAPlan(
                "it has no `rolecall_plan`, as what `plan --out FILE` writes".to_owned(),
            ));
        }
        Some(format) if format != u64::from(FORMAT) => return Err(FileError::Format(format)),
        Some(_) => {}
    }
    let damaged = |why: String| FileError::Damaged(why);
    let file: File = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
    let plan: Plan =
        serde_json::from_value(file.plan.clone()).map_err(|error| damaged(error.to_string()))?;
    // What was not understood would not be compared either.
    let found = digest(&file.plan);
    if found != format!("sha256:{}", plan.digest()) {
        return Err(damaged("it holds what a plan does not".to_owned()));
    }
    if file.digest != found {
        return Err(damaged("its digest is not that of its plan".to_owned()));
    }
    if file.aside_digest != digest(&file.aside) {
        return Err(damaged("what it shows besides was changed".to_owned()));
    }
    let aside: Aside =
        serde_json::from_value(file.aside).map_err(|error| damaged(error.to_string()))?;
    aside
        .put_back(plan)
        .ok_or_else(|| damaged("what it shows besides is of another plan".to_owned()))
}

#[cfg(test)]
mod tests;
