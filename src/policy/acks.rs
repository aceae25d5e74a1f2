//! What a person has acknowledged: guards, each for the plan of one digest.
//! Pure.

use std::collections::BTreeMap;

use super::refusal::Refusal;
use super::{guards, older};
use crate::echo;

/// The guard of raised roles where nothing proves whose an account is.
pub const RAISE: &str = "raise";
/// The guard of accounts that are sealed with a key which has not handed over to the configuration's.
pub const SEAL_KEY: &str = "seal-key";
/// The guards whose objection a person can lift for one plan.
pub const ACKNOWLEDGEABLE: [&str; 13] = [
    RAISE,
    SEAL_KEY,
    guards::MAX_DELETES,
    guards::MAX_DEAD_BIRTHS,
    guards::MAX_DELETE_PERCENT,
    guards::MAX_ROTATIONS,
    guards::MAX_ESCALATIONS,
    guards::MAX_GAINED_GRANTS,
    guards::MAX_REVOKED_GRANTS,
    guards::NONE_FOUND,
    guards::MIN_OWNERS,
    guards::LOST_KEY,
    older::OLDER_CHECKOUT,
];
/// The digits of a plan's digest. Fewer do not name it: whoever writes the configuration can find two
/// plans whose digests begin with the same twelve digits in minutes, one to be judged and one to be
/// applied.
const DIGITS: usize = 64;

/// Reads what names a plan: its digest, with or without `sha256:` before it.
///
/// # Errors
/// A sentence that says what a digest looks like.
pub fn digest(text: &str) -> Result<&str, String> {
    let digest = text.strip_prefix("sha256:").unwrap_or(text);
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if digest.len() != DIGITS || !digest.bytes().all(hex) {
        return Err(format!(
            "a plan is named by its whole digest, {DIGITS} hexadecimal digits, as `Plan digest:` shows it"
        ));
    }
    Ok(digest)
}

/// What a person has acknowledged: guards, each for the plan of one digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acks(pub(super) BTreeMap<String, String>);

impl Acks {
    /// Reads `GUARD=DIGEST`s.
    ///
    /// # Errors
    /// A sentence about the first that is not one.
    pub fn parse<'a>(given: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut acks = BTreeMap::new();
        for text in given {
            let (guard, digest) = text
                .split_once('=')
                .ok_or_else(|| format!("--ack {}: write GUARD=DIGEST", echo::text(text)))?;
            let shown = format!("{}={}", echo::text(guard), echo::digest(digest));
            if !ACKNOWLEDGEABLE.contains(&guard) {
                let spelled = guard.replace('_', "-");
                let instead = if ACKNOWLEDGEABLE.contains(&spelled.as_str()) {
                    format!("it is `{spelled}`")
                } else {
                    format!("there is {}", ACKNOWLEDGEABLE.join(", "))
                };
                return Err(format!(
                    "--ack {shown}: no guard of that name can be acknowledged; {instead}"
                ));
            }
            let digest = self::digest(digest).map_err(|why| format!("--ack {shown}: {why}"))?;
            if acks.insert(guard.to_owned(), digest.to_owned()).is_some() {
                return Err(format!("--ack {guard}=… is given twice"));
            }
        }
        Ok(Self(acks))
    }
}

/// Whoever acknowledged something had another plan in mind, and does not know this one.
pub(super) fn unknown_plan(guard: &str, ack: &str, digest: &str) -> Refusal {
    Refusal {
        guard: "ack",
        message: format!(
            "--ack {guard} names the plan sha256:{ack}, and this one is sha256:{digest}."
        ),
        help: "Read this plan, then acknowledge it by its own digest, or leave --ack out."
            .to_owned(),
        apply_only: true,
        broken: None,
    }
}
