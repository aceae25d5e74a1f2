//! Reads records, and checks whether they are one chain.
//! Pure. What a record says of itself is believed only as far as its digests reach.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::form::{AFTER_DIGEST, BEFORE_DIGEST, FORMAT, digest};

/// Digits of a digest with what stands before them.
const DIGEST: usize = "sha256:".len() + 64;

/// A record that is as it was written, as far as it can tell itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The digest of its file.
    pub digest: String,
    /// The digest of the file of the record before it.
    pub previous: Option<String>,
    /// The configuration whose run it is, `NAME/ID`.
    pub stack: String,
    /// When the run began, as it is written.
    pub started: String,
}

/// Why a file is no record that can be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It was changed or cut after it was written, or it never was a record.
    #[error("it is not a record as it was written: {0}")]
    Edited(String),
    /// Another version of rolecall wrote it.
    #[error("it is a record of format {0}, and this version reads format {FORMAT}")]
    Format(u64),
}

/// The first thing that is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Broken {
    /// Which of the files, from 0.
    pub at: usize,
    /// Whether it only cannot be checked, since another version wrote it.
    pub unreadable: bool,
    /// What is wrong, a fragment.
    pub why: String,
}

/// Reads one record.
///
/// # Errors
/// If it is none, or not as it was written.
pub fn read(bytes: &[u8]) -> Result<Seen, Damage> {
    #[derive(Deserialize)]
    struct Told {
        previous: Option<String>,
        stack: String,
        started: Started,
    }
    #[derive(Deserialize)]
    struct Started {
        at: String,
    }
    let edited = |why: &str| Damage::Edited(why.to_owned());
    let told = bytes
        .strip_suffix(AFTER_DIGEST.as_bytes())
        .and_then(|rest| rest.split_last_chunk::<DIGEST>())
        .and_then(|(rest, written)| {
            let rest = rest.strip_suffix(BEFORE_DIGEST.as_bytes())?;
            Some((rest, written))
        });
    let Some((told, written)) = told else {
        return Err(edited("it does not end in a digest as a record does"));
    };
    if digest(told).as_bytes() != written.as_slice() {
        return Err(edited("its content does not fit its digest"));
    }
    let mut object = told.to_vec();
    object.extend_from_slice(b"\n}");
    let value: serde_json::Value =
        serde_json::from_slice(&object).map_err(|_| edited("it is not JSON"))?;
    match value
        .get("rolecall_record")
        .and_then(serde_json::Value::as_u64)
    {
        Some(FORMAT) => {}
        Some(other) => return Err(Damage::Format(other)),
        None => return Err(edited("it has no `rolecall_record`")),
    }
    let Told {
        previous,
        stack,
        started,
    } = serde_json::from_value(value).map_err(|_| edited("it lacks what every record has"))?;
    Ok(Seen {
        digest: digest(bytes),
        previous,
        stack,
        started: started.at,
    })
}

/// Checks whether the files, oldest first, are one whole chain that ends in `head`. `names` them in
/// what it says.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(head: &str, files: &[(String, Vec<u8>)]) -> Result<Vec<Seen>, Broken> {
    let broken = |at: usize, why: String| Broken {
        at,
        unreadable: false,
        why,
    };
    let places: BTreeMap<String, usize> = files
        .iter()
        .enumerate()
        .rev()
        .map(|(at, (_, bytes))| (digest(bytes), at))
        .collect();
    let mut chain: Vec<Seen> = Vec::new();
    for (at, (_, bytes)) in files.iter().enumerate() {
        let seen = read(bytes).map_err(|damage| Broken {
            unreadable: matches!(damage, Damage::Format(_)),
            ..broken(at, damage.to_string())
        })?;
        let before = at.checked_sub(1).map(|before| &files[before].0);
        if seen.previous.as_ref() != chain.last().map(|last| &last.digest) {
            return Err(broken(at, misplaced(&seen, before, &places, files)));
        }
        if let Some(first) = chain.first().filter(|first| first.stack != seen.stack) {
            let why = format!("it is of the stack {}, not of {}", seen.stack, first.stack);
            return Err(broken(at, why));
        }
        chain.push(seen);
    }
    match (chain.last(), places.get(head)) {
        (Some(last), _) if last.digest == head => Ok(chain),
        (_, Some(at)) => {
            let why = "the head is this record, and more records follow it: they were added, or the \
                       head is an old one";
            Err(broken(*at, why.to_owned()))
        }
        (_, None) => {
            let why = format!(
                "the chain does not end in the head {head}: newer records are missing, or this one \
                 was replaced"
            );
            Err(broken(files.len().saturating_sub(1), why))
        }
    }
}

/// Why a record does not follow the one before it.
fn misplaced(
    seen: &Seen,
    before: Option<&String>,
    places: &BTreeMap<String, usize>,
    files: &[(String, Vec<u8>)],
) -> String {
    let Some(previous) = &seen.previous else {
        return match before {
            Some(before) => format!("it begins a chain, and stands after {before}"),
            None => "it begins a chain".to_owned(),
        };
    };
    if let Some(at) = places.get(previous) {
        let other = &files[*at].0;
        return match before {
            Some(before) => format!("it follows {other}, and stands after {before}: out of order"),
            None => format!("it follows {other}, and stands first: out of order"),
        };
    }
    match before {
        Some(before) => format!(
            "it follows {previous}, which is not {before}: a record between them is missing, or \
             {before} was replaced"
        ),
        None => format!("it follows {previous}, which is missing"),
    }
}
