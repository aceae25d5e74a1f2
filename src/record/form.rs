//! The form of a record: its version, and the digest at its end.
//! Pure.

use crate::model::short_digest;

/// The version of the form.
pub const FORMAT: u64 = 1;

/// What stands between the digested part of a record and the digest.
pub(super) const BEFORE_DIGEST: &str = ",\n  \"record_digest\": \"";
/// What stands behind it.
pub(super) const AFTER_DIGEST: &str = "\"\n}\n";

/// The file of a record, of the JSON object that tells it: the digest is put at its end.
///
/// # Errors
/// A fragment, if the text does not end as an object does.
pub fn seal(json: &str) -> Result<String, &'static str> {
    let told = json
        .strip_suffix("\n}")
        .ok_or("the record has no end to put its digest at")?;
    let digest = digest(told.as_bytes());
    Ok(format!("{told}{BEFORE_DIGEST}{digest}{AFTER_DIGEST}"))
}

/// The name of some bytes: `sha256:` and 64 digits.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", short_digest(bytes, 64))
}
