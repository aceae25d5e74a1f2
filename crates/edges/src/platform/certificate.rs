//! How long a certificate is good, and for which key.
//! Pure: text in, facts out; no signature is checked.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::encoding::{Pem, PemError};

/// The parts of a certificate that say how long it is good and for which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The first second of its validity, in UTC.
    pub not_before: DateTime,
    /// The last second of its validity, in UTC.
    pub not_after: DateTime,
    public_key: Vec<u8>,
}

impl Certificate {
    /// Reads the first certificate in a PEM text.
    pub(super) fn read(pem: &str) -> Result<Self, String> {
        let block = Pem::labelled(pem, "CERTIFICATE").ok_or("it is not PEM")?;
        let der = block.der().map_err(|why| match why {
            PemError::CutOff => "it is not PEM",
            PemError::NotBase64 => "it is not valid base64 between its PEM lines",
        })?;
        decode(&der).ok_or_else(|| "it is not an X.509 certificate".to_owned())
    }

    /// Whether it is for this public key.
    pub(super) fn is_of(&self, public_key: &[u8]) -> bool {
        self.public_key == public_key
    }

    /// The end of its validity, if that has passed.
    pub(super) fn expired(&self, now: Timestamp) -> Option<Timestamp> {
        let end = TimeZone::UTC.to_timestamp(self.not_after).ok()?;
        (end < now).then_some(end)
    }

    /// The end of its validity, if it has one.
    pub(super) fn until(&self) -> Option<Timestamp> {
        let end = TimeZone::UTC.to_timestamp(self.not_after).ok()?;
        (!self.never_expires()).then_some(end)
    }

    /// Whether it says that it never expires. Source: RFC 5280, 4.1.2.5.
    pub fn never_expires(&self) -> bool {
        self.not_after.year() == 9999
    }
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Elements of DER, one after another. Source: ITU-T X.690.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            // Certificates are far below 2^24 bytes, and an open length is not DER.
            let count = usize::from(first & 0x7f);
            if !(1..=3).contains(&count) || rest.len() < count {
                return None;
            }
            let (bytes, rest) = rest.split_at(count);
            let length = bytes.iter().fold(0, |n, b| (n << 8) | usize::from(*b));
            (length, rest)
        };
        if rest.len() < length {
            return None;
        }
        let (content, rest) = rest.split_at(length);
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }
}

/// Reads validity and public key. Source: RFC 5280, 4.1.
fn decode(der: &[u8]) -> Option<Certificate> {
    let mut whole = Der(Der(der).expect(SEQUENCE)?);
    let mut signed = Der(whole.expect(SEQUENCE)?);
    if signed.0.first() == Some(&VERSION) {
        signed.next()?;
    }
    signed.expect(INTEGER)?;
    signed.expect(SEQUENCE)?; // signature
    signed.expect(SEQUENCE)?; // issuer
    let mut validity = Der(signed.expect(SEQUENCE)?);
    let (not_before, not_after) = (time(validity.next()?)?, time(validity.next()?)?);
    signed.expect(SEQUENCE)?; // subject
    let mut key = Der(signed.expect(SEQUENCE)?);
    key.expect(SEQUENCE)?; // algorithm
    let (unused, point) = key.expect(BIT_STRING)?.split_first()?;
    (*unused == 0).then(|| Certificate {
        not_before,
        not_after,
        public_key: point.to_vec(),
    })
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the only forms that RFC 5280 allows.
fn time((tag, content): (u8, &[u8])) -> Option<DateTime> {
    let digits = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let years = match (tag, digits.len()) {
        (UTC_TIME, 12) => 2,
        (GENERALIZED_TIME, 14) => 4,
        _ => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = digits.split_at(years);
    let mut year: i16 = year.parse().ok()?;
    if years == 2 {
        year += if year < 50 { 2000 } else { 1900 };
    }
    let part = |at: usize| -> Option<i8> { rest.get(at * 2..at * 2 + 2)?.parse().ok() };
    let date = Date::new(year, part(0)?, part(1)?).ok()?;
    let time = jiff::civil::Time::new(part(2)?, part(3)?, part(4)?, 0).ok()?;
    Some(date.to_datetime(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        let shown = |tag, text: &str| time((tag, text.as_bytes())).map(|t| t.to_string());
        assert_eq!(
            shown(UTC_TIME, "491231235959Z").as_deref(),
            Some("2049-12-31T23:59:59")
        );
        assert_eq!(
            shown(UTC_TIME, "500101000000Z").as_deref(),
            Some("1950-01-01T00:00:00")
        );
        assert_eq!(
            shown(GENERALIZED_TIME, "99991231235959Z").as_deref(),
            Some("9999-12-31T23:59:59")
        );
        for (tag, text) in [
            (UTC_TIME, "4912312359Z"),
            (UTC_TIME, "491331235959Z"),
            (UTC_TIME, "49123123595\u{e9}Z"),
            (GENERALIZED_TIME, "491231235959Z"),
            (GENERALIZED_TIME, "99991231235959"),
            (INTEGER, "491231235959Z"),
        ] {
            assert_eq!(shown(tag, text), None, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_are_refused() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x84, 1, 1, 1, 1],
            &[0x30, 0x03, 0x30, 0x01],
            &[0x30, 0xff],
        ] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
