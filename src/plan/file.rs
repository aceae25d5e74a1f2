//! A plan as a file: its canonical form, its digest, and what is shown besides.
//! Pure. A plan file approves and never commands: apply plans again and compares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical::{Form, NamedObstacle, in_order};
use super::once::Once;
use super::{
    Annex, Blocked, Contents, Expired, FORMAT, Generation, InFlight, Judgement, LeftAlone,
    OwnersLeft, Past, Plan, Revoked, Undelivered,
};
use crate::model::{
    Address, Caller, Mrn, OrgId, Scope, ScopeInfo, SourceRef, Unread, short_digest,
};

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
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Aside {
    caller: Mrn,
    caller_name: Option<String>,
    declared: usize,
    managed: usize,
    sealed: bool,
    in_flight: Vec<InFlight>,
    /// Of each change, in the order of the canonical form.
    places: Vec<Vec<SourceRef>>,
    /// Every obstacle with its words and details.
    blocked: Vec<Blocked>,
    left_alone: Vec<LeftAlone>,
    expired: Vec<Expired>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    undelivered: Vec<Undelivered>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    generations: Vec<Generation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    revoked: Vec<Revoked>,
    notes: Vec<(Address, String)>,
    advice: Vec<String>,
    unread: Vec<(Scope, Unread)>,
    scopes: Vec<(Scope, ScopeInfo)>,
    unverified: usize,
    unchanged: usize,
    judgement: Option<Judgement>,
    owners: Vec<(OrgId, OwnersLeft)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    past: Vec<(Mrn, Past)>,
}

impl Aside {
    fn of(plan: &Plan) -> Self {
        let Contents {
            // The canonical form has them.
            stack: _,
            endpoint: _,
            meant: _,
            limits: _,
            policies: _,
            changes,
            blocked,
            // Who reads it is another run, and each has its own account.
            caller:
                Caller {
                    mrn,
                    name,
                    binding: _,
                },
            declared,
            managed,
            sealed,
            in_flight,
            annex:
                Annex {
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
                    owners,
                    past,
                    // Of the run that asked.
                    checkout: _,
                },
        } = &plan.contents;
        let pairs = |(scope, what): (&Scope, &Unread)| (scope.clone(), what.clone());
        let named = |(scope, what): (&Scope, &ScopeInfo)| (scope.clone(), what.clone());
        let changes = in_order(changes).into_iter();
        Self {
            caller: mrn.clone(),
            caller_name: name.clone(),
            declared: *declared,
            managed: *managed,
            sealed: *sealed,
            in_flight: in_flight.clone(),
            places: changes.map(|change| change.places.clone()).collect(),
            blocked: blocked.clone(),
            left_alone: left_alone.clone(),
            expired: expired.clone(),
            undelivered: undelivered.clone(),
            generations: generations.clone(),
            revoked: revoked.clone(),
            notes: notes.clone(),
            advice: advice.clone(),
            unread: unread.iter().map(pairs).collect(),
            scopes: scopes.iter().map(named).collect(),
            unverified: *unverified,
            unchanged: *unchanged,
            judgement: judgement.clone(),
            owners: owners.clone().into_iter().collect(),
            past: past.clone().into_iter().collect(),
        }
    }

    /// Puts everything to where it belongs; `None` if it is not of this form.
    fn put_beside(self, form: Form) -> Option<Contents> {
        let fits = self.places.len() == form.changes.len()
            && NamedObstacle::all(&self.blocked) == form.obstacles;
        if !fits {
            return None;
        }
        let changes = form.changes.into_iter().zip(self.places);
        let changes = changes.map(|(due, places)| due.change(places));
        Some(Contents {
            changes: changes.collect(),
            stack: form.stack,
            endpoint: form.endpoint,
            meant: form.meant,
            limits: form.limits,
            policies: form.policies,
            blocked: self.blocked,
            caller: Caller {
                mrn: self.caller,
                name: self.caller_name,
                binding: None,
            },
            declared: self.declared,
            managed: self.managed,
            sealed: self.sealed,
            in_flight: self.in_flight,
            annex: Annex {
                left_alone: self.left_alone,
                expired: self.expired,
                undelivered: self.undelivered,
                generations: self.generations,
                revoked: self.revoked,
                notes: self.notes,
                advice: self.advice,
                unread: self.unread.into_iter().collect::<BTreeMap<_, _>>(),
                scopes: self.scopes.into_iter().collect::<BTreeMap<_, _>>(),
                unverified: self.unverified,
                unchanged: self.unchanged,
                judgement: self.judgement,
                owners: self.owners.into_iter().collect(),
                past: self.past.into_iter().collect(),
                checkout: None,
            },
        })
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
    let file = File {
        rolecall_plan: FORMAT.into(),
        digest: format!("sha256:{}", plan.digest()),
        aside_digest: digest(&aside),
        plan: value(serde_json::from_str(plan.canonical()))?,
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
    let Once(value) = serde_json::from_slice(bytes).map_err(|error| match error.is_data() {
        true => FileError::Damaged(error.to_string()),
        false => FileError::NotAPlan(error.to_string()),
    })?;
    let format = value.get("rolecall_plan").and_then(Value::as_u64);
    match format {
        None => {
            return Err(FileError::NotAPlan(
                "it has no `rolecall_plan`, which every file of `plan --out FILE` has".to_owned(),
            ));
        }
        Some(format) if format != u64::from(FORMAT) => return Err(FileError::Format(format)),
        Some(_) => {}
    }
    let damaged = |why: &str| FileError::Damaged(why.to_owned());
    let strange = |error: serde_json::Error| FileError::Damaged(error.to_string());
    let file: File = serde_json::from_value(value).map_err(strange)?;
    if file.digest != digest(&file.plan) {
        return Err(damaged("its digest is not that of its plan"));
    }
    if file.aside_digest != digest(&file.aside) {
        return Err(damaged("what it shows besides was changed"));
    }
    let form: Form = serde_json::from_value(file.plan).map_err(strange)?;
    let aside: Aside = serde_json::from_value(file.aside).map_err(strange)?;
    let contents = aside
        .put_beside(form)
        .ok_or_else(|| damaged("what it shows besides is of another plan"))?;
    let plan = contents.settle();
    // What was not understood, or stands in another place, would not be compared either.
    if file.digest != format!("sha256:{}", plan.digest()) {
        return Err(damaged("it is not in the form of a plan"));
    }
    let judgement = plan.annex.judgement.as_ref();
    if judgement.is_some_and(|judgement| judgement.of != plan.digest()) {
        return Err(damaged("what policies said in it is of another plan"));
    }
    Ok(plan)
}

#[cfg(test)]
mod tests;
