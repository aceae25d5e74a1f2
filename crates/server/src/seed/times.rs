//! Times in seeds: ages such as `-40d`, made times by a clock that is an argument, and what the
//! database has.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{error::Error, status::Status};

/// The fields that hold times.
const TIMES: [&str; 3] = ["created_at", "last_used", "valid_until"];
/// The fields whose keys are the user's own.
const OPAQUE: [&str; 3] = ["labels", "annotations", "settings"];

/// Replaces every age by its time; says whether there was any.
pub(super) fn resolve(value: &mut Value, now: Timestamp) -> Result<bool, Error> {
    let mut found = false;
    match value {
        Value::Array(items) => {
            for item in items {
                found |= resolve(item, now)?;
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                if TIMES.contains(&key.as_str())
                    && let Value::String(text) = value
                    && text.starts_with(['-', '+'])
                {
                    *text = of_age(text, now)?.to_string();
                    found = true;
                } else if !OPAQUE.contains(&key.as_str()) {
                    found |= resolve(value, now)?;
                }
            }
        }
        _ => {}
    }
    Ok(found)
}

fn of_age(text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let invalid = || Error::InvalidSeed(format!("age {text:?}: expected one such as -40d"));
    let digits = text.get(1..text.len().saturating_sub(1));
    let count: i64 = digits
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(invalid)?;
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3_600,
        Some(b'd') => 86_400,
        Some(b'w') => 604_800,
        _ => return Err(invalid()),
    };
    let seconds = count.checked_mul(unit).ok_or_else(invalid)?;
    let sign = if text.starts_with('-') { -1 } else { 1 };
    now.checked_add(SignedDuration::from_secs(sign * seconds))
        .map_err(|_| invalid())
}

/// The time of milliseconds that the database holds.
pub(super) fn time(ms: i64) -> Result<Timestamp, Status> {
    Timestamp::from_millisecond(ms).map_err(|error| Status::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<String, String> {
        let now = "2025-03-01T12:00:00Z".parse().expect("a time");
        of_age(text, now)
            .map(|time| time.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn ages_count_from_now() {
        for (age, expected) in [
            ("-40d", "2025-01-20T12:00:00Z"),
            ("+12h", "2025-03-02T00:00:00Z"),
            ("-90s", "2025-03-01T11:58:30Z"),
            ("-30m", "2025-03-01T11:30:00Z"),
            ("-2w", "2025-02-15T12:00:00Z"),
        ] {
            assert_eq!(at(age).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_age_is_refused() {
        for text in [
            "-",
            "-d",
            "-4",
            "-4y",
            "--4d",
            "-4.5d",
            "-ä",
            "-99999999999999999d",
        ] {
            let error = at(text).expect_err(text);
            assert!(error.contains("expected one such as -40d"), "{error}");
        }
    }
}
