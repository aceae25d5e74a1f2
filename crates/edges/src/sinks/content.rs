//! How an issued credential becomes a file, and how one is recognised.
//! Pure: values in, bytes out, and back.

use zeroize::Zeroizing;

use crate::credential_file::{self, CredentialFile, Typename, Whole};
use crate::model::{
    CredentialFormat, DEFAULT_ENDPOINT, Fingerprint, IssuedCredential, Mrn, StoredCredential,
};
use crate::ports::{Effect, Found, Probe, ReadKey, SinkError, SinkErrorKind};
use crate::secret::Secret;

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
    let file = CredentialFile {
        mrn: mrn.as_str(),
        certificate,
        private_key: private_key.expose(),
        scope_mrn,
        api_endpoint,
        space_mrn,
        typename: Typename::ServiceAccountCredential,
    };
    let json = file.json()?;
    match format {
        CredentialFormat::Json => Some(json),
        CredentialFormat::Base64 => credential_file::base64_line(&json),
    }
}

/// A credential as the value of a store, without the end of its line: a variable holds none.
///
/// # Errors
/// If it cannot be written as JSON.
pub(super) fn value(
    credential: &IssuedCredential,
    format: CredentialFormat,
) -> Result<Zeroizing<String>, SinkError> {
    let bytes = render(credential, format);
    let text = bytes.and_then(|bytes| {
        let text = std::str::from_utf8(&bytes).ok()?;
        Some(Zeroizing::new(text.trim_end().to_owned()))
    });
    text.ok_or_else(|| SinkError {
        kind: SinkErrorKind::Malformed,
        effect: Effect::None,
        message: "the credential cannot be written as JSON".to_owned(),
        help: None,
    })
}

/// Refuses a place that holds what is no credential, whatever was decided.
pub(super) fn replaceable(probe: &Probe) -> Result<(), SinkError> {
    match &probe.found {
        Found::Foreign { what } => Err(SinkError {
            kind: SinkErrorKind::Unfit,
            effect: Effect::None,
            message: what.clone(),
            help: None,
        }),
        Found::Nobody | Found::Account { .. } | Found::Unreadable => Ok(()),
    }
}

/// The account whose credential these bytes are, in either form, and the endpoint it names;
/// `None` if they are none.
pub(super) fn holder(bytes: &[u8]) -> Option<(Mrn, Option<String>)> {
    let (mrn, endpoint) = credential_file::holder(bytes)?;
    Some((Mrn::new(mrn), endpoint))
}

/// What a place holds, read for its key.
pub(super) fn held(stored: &StoredCredential) -> ReadKey {
    let other = |what: &str| ReadKey::Other(what.to_owned());
    let Some(whole) = credential_file::whole(stored.expose()) else {
        return other("something that is not a credential");
    };
    let Whole {
        mrn,
        certificate,
        mut private_key,
        scope_mrn,
        space_mrn,
        api_endpoint,
    } = whole;
    let Some(fingerprint) = Fingerprint::of_private_key(&private_key) else {
        return other("a credential whose private key cannot be used");
    };
    ReadKey::Key(Box::new(IssuedCredential {
        mrn: Mrn::new(mrn),
        certificate,
        private_key: Secret::new(std::mem::take(&mut *private_key)),
        scope_mrn,
        space_mrn,
        api_endpoint: api_endpoint.unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
        fingerprint,
    }))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

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
