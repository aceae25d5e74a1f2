//! What a credential says of itself: whose it is, where it leads, how long its certificate is
//! good, whether key and certificate belong together. Never its key.
//! Pure: bytes in, facts out.

use zeroize::Zeroizing;

use super::auth::{self, Identity};
use super::certificate::Certificate;
use super::credential::Credential;
use super::unusable::CredentialError;
use crate::credential_file::{Fields, fields, key, plain, unused};
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
    /// Whether it names a proxy for Mondoo alone, which may hold a password.
    pub proxy: bool,
    /// What it says besides that Mondoo's tools know and rolecall has no use for.
    pub unused: Vec<&'static str>,
    /// The fingerprint of its key, as labels hold it, or why the key cannot be used.
    pub key: Result<Fingerprint, String>,
    /// Its certificate, if it has one, or why that cannot be read.
    pub certificate: Option<Result<Certificate, String>>,
    /// Whether key and certificate belong together, where both can be read.
    pub matches: Option<bool>,
}

impl RawCredential {
    /// Takes what stands in a file or a variable: JSON, YAML, or base64 of either.
    ///
    /// # Errors
    /// If it is not text, or neither.
    pub fn read(bytes: &[u8]) -> Result<Self, CredentialError> {
        let (text, base64) = plain(bytes)?;
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
        for name in [key::MRN, key::PRIVATE_KEY] {
            if text(&fields, name).is_none() {
                return Err(CredentialError::new(format!(
                    "the credential has no `{name}`; it should be a service account's"
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
        let proxy = text(&fields, key::PROXY).is_some();
        let unused = unused(&fields);
        let Some(private) = text(&fields, key::PRIVATE_KEY) else {
            // Says what is missing, or that it is a token, as it does for everybody.
            if let Identity::Workload(_) = self.credential()?.identity {
                return Err(CredentialError::new(
                    "it is a workload identity's and holds no key; `rolecall credential verify` logs in with \
                     it",
                ));
            }
            return Ok(Inspected {
                form,
                mrn: None,
                scope_mrn: None,
                endpoint: text(&fields, key::ENDPOINT).map(str::to_owned),
                proxy,
                unused,
                key: Err("it is a bearer token and holds no key".to_owned()),
                certificate: None,
                matches: None,
            });
        };
        let public = auth::public_key(private).map_err(|e| e.to_string());
        let certificate = text(&fields, key::CERTIFICATE).map(Certificate::read);
        let matches = match (&public, &certificate) {
            (Ok(public), Some(Ok(certificate))) => Some(certificate.is_of(public)),
            _ => None,
        };
        let scope = key::SCOPES.iter().find_map(|key| text(&fields, key));
        Ok(Inspected {
            form,
            mrn: text(&fields, key::MRN).map(Mrn::new),
            scope_mrn: scope.map(str::to_owned),
            endpoint: text(&fields, key::ENDPOINT).map(str::to_owned),
            proxy,
            unused,
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
