//! Durations and points in time, as configurations write them.
//! Pure: text in, value out; no clock.

use jiff::{SignedDuration, Timestamp};

/// Reads a duration such as `60d`, `24h` or `1h30m`; days have 24 hours.
pub fn duration(text: &str) -> Option<SignedDuration> {
    let mut seconds: i64 = 0;
    let mut last_unit = i64::MAX;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        let unit = match rest.as_bytes().get(digits)? {
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if unit >= last_unit {
            return None;
        }
        last_unit = unit;
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    // A hundred years; more is a slip.
    (1..=3_155_760_000)
        .contains(&seconds)
        .then(|| SignedDuration::from_secs(seconds))
}

/// Reads a point in time in RFC 3339, in whole seconds, such as `2027-06-30T00:00:00Z`.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 20
        && matches!(bytes[10], b'T' | b't')
        && !text.contains(['[', ' '])
        && bytes[13] == b':'
        && bytes[16] == b':';
    let time: Timestamp = text.parse().ok().filter(|_| shape)?;
    // Marks hold whole seconds.
    (time.subsec_nanosecond() == 0).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let hours = |text| duration(text).map(|d| d.as_secs() / 3600);
        assert_eq!(hours("60d"), Some(60 * 24));
        assert_eq!(hours("1d12h"), Some(36));
        assert_eq!(duration("90s").map(|d| d.as_secs()), Some(90));
        for text in [
            "",
            "0d",
            "d",
            "1",
            "1w",
            "-1d",
            "1h1d",
            "1h1h",
            "1.5h",
            "9999999999d",
            "1 d",
            "1é",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn timestamps() {
        assert!(timestamp("2027-06-30T00:00:00Z").is_some());
        assert_eq!(
            timestamp("2027-06-30T02:00:00+02:00"),
            timestamp("2027-06-30T00:00:00Z")
        );
        for text in [
            "",
            "2027-06-30",
            "2027-06-30T00:00:00",
            "2027-13-30T00:00:00Z",
            "2027-06-30T00:00:00.5Z",
            "tomorrow, at the latest",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }
}
