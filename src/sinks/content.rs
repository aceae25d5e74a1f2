//! How a credential is written down, and how one is recognised.
//! Pure: values in, bytes out, and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::{CredentialFormat, IssuedCredential, Mrn};

/// The file that Mondoo's console gives for download: these keys in this order. Source:
/// cnquery's `cli/config` tests for space and organization accounts.
#[derive(Serialize)]
struct ConsoleFile<'a> {
    mrn: &'a str,
    certificate: &'a str,
    private_key: &'a str,
    scope_mrn: &'a str,
    api_endpoint: &'a str,
    space_mrn: &'a str,
    typename: &'a str,
}

/// The bytes of a credential file; `None` only if it cannot be written as JSON.
pub(super) fn render(
    credential: &IssuedCredential,
    format: CredentialFormat,
) -> Option<Zeroizing<Vec<u8>>> {
    let IssuedCredential {
        mrn,
        certificate,
        private_key,
        scope_mrn,
        space_mrn,
        api_endpoint,
        fingerprint: _,
    } = credential;
    let file = ConsoleFile {
        mrn: mrn.as_str(),
        certificate,
        private_key: private_key.expose(),
        scope_mrn,
        api_endpoint,
        space_mrn,
        typename: "ServiceAccountCredential",
    };
    // Large enough not to grow, since growing leaves a copy of the key behind; an escape takes six
    // letters at most.
    let texts = 6 * (certificate.len() + private_key.expose().len());
    let mut json = Zeroizing::new(Vec::with_capacity(texts + 16 * 1024));
    serde_json::to_writer_pretty(&mut *json, &file).ok()?;
    json.push(b'\n');
    Some(match format {
        CredentialFormat::Json => json,
        CredentialFormat::Base64 => {
            let mut line = Zeroizing::new(Vec::new());
            line.resize(json.len().div_ceil(3) * 4 + 1, b'\n');
            STANDARD.encode_slice(&*json, &mut line).ok()?;
            line
        }
    })
}

/// The account whose credential these bytes are, in either form, and the endpoint it names;
/// `None` if they are none.
pub(super) fn holder(bytes: &[u8]) -> Option<(Mrn, Option<String>)> {
    #[derive(Deserialize)]
    struct Found {
        mrn: String,
        #[serde(rename = "private_key")]
        _key: IgnoredAny,
        api_endpoint: Option<String>,
    }
    let bytes = bytes.trim_ascii();
    let found: Found = if bytes.starts_with(b"{") {
        serde_json::from_slice(bytes).ok()?
    } else {
        let json = STANDARD.decode(bytes).map(Zeroizing::new).ok()?;
        serde_json::from_slice(&json).ok()?
    };
    (!found.mrn.is_empty()).then(|| (Mrn::new(found.mrn), found.api_endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fingerprint;
    use crate::secret::Secret;

    fn credential() -> IssuedCredential {
        let scope = "//captain.api.mondoo.app/spaces/abcd";
        IssuedCredential {
            mrn: Mrn::new("//agents.api.mondoo.app/spaces/abcd/serviceaccounts/x1"),
            certificate: "-----BEGIN CERTIFICATE-----\nc\n-----END CERTIFICATE-----\n".to_owned(),
            private_key: Secret::new("the\nkey\n".to_owned()),
            scope_mrn: scope.to_owned(),
            space_mrn: scope.to_owned(),
            api_endpoint: "https://eu.api.mondoo.com".to_owned(),
            fingerprint: Fingerprint::of_public_key(b"x"),
        }
    }

    #[test]
    fn the_file_is_the_one_that_the_console_gives() {
        let json = render(&credential(), CredentialFormat::Json).expect("renders");
        let expected = r#"{
  "mrn": "//agents.api.mondoo.app/spaces/abcd/serviceaccounts/x1",
  "certificate": "-----BEGIN CERTIFICATE-----\nc\n-----END CERTIFICATE-----\n",
  "private_key": "the\nkey\n",
  "scope_mrn": "//captain.api.mondoo.app/spaces/abcd",
  "api_endpoint": "https://eu.api.mondoo.com",
  "space_mrn": "//captain.api.mondoo.app/spaces/abcd",
  "typename": "ServiceAccountCredential"
}
"#;
        assert_eq!(String::from_utf8_lossy(&json), expected);
    }

    #[test]
    fn base64_is_that_file_in_one_line() {
        let json = render(&credential(), CredentialFormat::Json).expect("renders");
        let line = render(&credential(), CredentialFormat::Base64).expect("renders");
        let text = std::str::from_utf8(&line).expect("ascii");
        let body = text.strip_suffix('\n').expect("ends its line");
        assert!(!body.contains('\n'));
        assert_eq!(STANDARD.decode(body).expect("base64"), **json);
    }

    #[test]
    fn no_form_grows_while_it_is_written() {
        let large = IssuedCredential {
            certificate: "\u{1}".repeat(40_000),
            private_key: Secret::new("\n".repeat(40_000)),
            ..credential()
        };
        let json = render(&large, CredentialFormat::Json).expect("renders");
        assert_eq!(json.capacity(), 6 * 80_000 + 16 * 1024);
        let line = render(&large, CredentialFormat::Base64).expect("renders");
        assert_eq!((line.capacity(), line.last()), (line.len(), Some(&b'\n')));
    }

    #[test]
    fn both_forms_are_recognised_and_nothing_else_is() {
        for format in [CredentialFormat::Json, CredentialFormat::Base64] {
            let bytes = render(&credential(), format).expect("renders");
            let expected = (credential().mrn, Some(credential().api_endpoint.clone()));
            assert_eq!(holder(&bytes), Some(expected));
        }
        for other in [
            "",
            "hello",
            "{}",
            r#"{"mrn":"m"}"#,
            r#"{"private_key":"k"}"#,
            r#"{"mrn":"","private_key":"k"}"#,
            "aGVsbG8=",
        ] {
            assert_eq!(holder(other.as_bytes()), None, "{other}");
        }
    }
}
