//! What a credential says of itself: whose it is, where it leads, how long its certificate is
//! good, whether key and certificate belong together. Never its key.
//! Pure: bytes in, facts out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::{Date, DateTime};
use zeroize::Zeroizing;

use super::auth;
use super::credential::{Credential, CredentialError, Fields, fields};
use crate::model::{Fingerprint, Mrn};

/// A credential as it was written down, JSON or YAML, with base64 undone.
pub struct RawCredential {
    text: Zeroizing<String>,
    base64: bool,
}

/// What a credential says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The form it was found in, for people.
    pub form: &'static str,
    /// Whose it is; `None` for a bearer token.
    pub mrn: Option<Mrn>,
    /// The resource name of the scope it says it lives in.
    pub scope_mrn: Option<String>,
    /// Its `api_endpoint`, as it stands there.
    pub endpoint: Option<String>,
    /// The fingerprint of its key, as labels hold it, or why the key cannot be used.
    pub key: Result<Fingerprint, String>,
    /// Its certificate, if it has one, or why that cannot be read.
    pub certificate: Option<Result<Certificate, String>>,
    /// Whether key and certificate belong together, where both can be read.
    pub matches: Option<bool>,
}

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
    /// Whether it says that it never expires. Source: RFC 5280, 4.1.2.5.
    pub fn never_expires(&self) -> bool {
        self.not_after.year() == 9999
    }
}

impl RawCredential {
    /// Takes what stands in a file or a variable: JSON, YAML, or base64 of either.
    ///
    /// # Errors
    /// If it is not text, or neither.
    pub fn read(bytes: &[u8]) -> Result<Self, CredentialError> {
        let not_text = |_| CredentialError::new("the credential is not UTF-8 text");
        let text = std::str::from_utf8(bytes).map_err(not_text)?;
        let text = text.trim_start_matches('\u{feff}').trim();
        let symbol = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
        let base64 = !text.is_empty() && text.bytes().all(|b| symbol(b) || b.is_ascii_whitespace());
        let text = if base64 {
            let compact: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
            let bytes = STANDARD.decode(compact.as_bytes()).map(Zeroizing::new);
            let bytes = bytes.map_err(|_| {
                CredentialError::new("the credential is not valid standard base64 with padding")
            })?;
            Zeroizing::new(std::str::from_utf8(&bytes).map_err(not_text)?.to_owned())
        } else {
            Zeroizing::new(text.to_owned())
        };
        fields(&text)?;
        Ok(Self { text, base64 })
    }

    /// The credential, to log in with.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn credential(&self) -> Result<Credential, CredentialError> {
        Credential::parse(self.text.as_bytes())
    }

    /// The credential as the JSON file that Mondoo's tools read. JSON stays as it is; of YAML,
    /// the texts are kept.
    ///
    /// # Errors
    /// If it holds no key.
    pub fn json(&self) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
        let fields = fields(&self.text)?;
        for key in ["mrn", "private_key"] {
            if text(&fields, key).is_none() {
                return Err(CredentialError::new(format!(
                    "the credential has no `{key}`; it should be a service account's"
                )));
            }
        }
        // Large enough not to grow, since growing leaves a copy of the key behind.
        let mut out = Zeroizing::new(Vec::with_capacity(self.text.len() * 2 + 1024));
        if self.is_json() {
            out.extend_from_slice(self.text.trim().as_bytes());
        } else {
            let texts: std::collections::BTreeMap<&str, &str> = fields
                .iter()
                .filter_map(|(key, value)| Some((key.as_str(), value.as_ref()?.as_str())))
                .collect();
            serde_json::to_writer_pretty(&mut *out, &texts)
                .map_err(|_| CredentialError::new("the credential cannot be written as JSON"))?;
        }
        out.push(b'\n');
        Ok(out)
    }

    fn is_json(&self) -> bool {
        self.text.trim_start().starts_with('{')
    }

    /// What the credential says of itself.
    ///
    /// # Errors
    /// If it is neither a service account's nor a token.
    pub fn inspect(&self) -> Result<Inspected, CredentialError> {
        let fields = fields(&self.text)?;
        let form = match (self.is_json(), self.base64) {
            (true, false) => "JSON",
            (true, true) => "JSON in base64",
            (false, false) => "YAML",
            (false, true) => "YAML in base64",
        };
        let Some(private) = text(&fields, "private_key") else {
            // Says what is missing, or that it is a token, as it does for everybody.
            self.credential()?;
            return Ok(Inspected {
                form,
                mrn: None,
                scope_mrn: None,
                endpoint: text(&fields, "api_endpoint").map(str::to_owned),
                key: Err("it is a bearer token and holds no key".to_owned()),
                certificate: None,
                matches: None,
            });
        };
        let public = auth::public_key(private).map_err(|e| e.to_string());
        let certificate = text(&fields, "certificate").map(certificate);
        let matches = match (&public, &certificate) {
            (Ok(public), Some(Ok(certificate))) => Some(*public == certificate.public_key),
            _ => None,
        };
        let scope = ["scope_mrn", "space_mrn", "parent_mrn"]
            .iter()
            .find_map(|key| text(&fields, key));
        Ok(Inspected {
            form,
            mrn: text(&fields, "mrn").map(Mrn::new),
            scope_mrn: scope.map(str::to_owned),
            endpoint: text(&fields, "api_endpoint").map(str::to_owned),
            key: public.map(|public| Fingerprint::of_public_key(&public)),
            certificate,
            matches,
        })
    }
}

/// A field that holds some text.
fn text<'f>(fields: &'f Fields, key: &str) -> Option<&'f str> {
    let text = fields.get(key)?.as_ref()?.trim();
    (!text.is_empty()).then_some(text)
}

fn certificate(pem: &str) -> Result<Certificate, String> {
    let body = pem
        .split_once("-----BEGIN CERTIFICATE-----")
        .and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE-----"))
        .ok_or("it is not PEM")?;
    let compact: String = body.0.split_whitespace().collect();
    let der = STANDARD
        .decode(compact)
        .map_err(|_| "it is not valid base64 between its PEM lines")?;
    decode(&der).ok_or_else(|| "it is not an X.509 certificate".to_owned())
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
