//! What the stand-ins of AWS's services have in common.

use serde_json::Value;

/// The region.
pub const REGION: &str = "eu-central-1";
/// The account.
pub const ACCOUNT: &str = "123456789012";

/// An answer, or the name and the message of an error.
pub(crate) type Answered = Result<Value, (&'static str, String)>;

pub(crate) fn error<T>(code: &'static str, message: &str) -> Result<T, (&'static str, String)> {
    Err((code, message.to_owned()))
}
