//! Credential files: the JSON that Mondoo's console gives, and the YAML that its tools write.
//! Pure: bytes in, identity out; errors never repeat what they read.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::auth::{Identity, ServiceAccount};
use super::endpoint::Endpoint;
use super::yaml;
use crate::model::Mrn;

/// Why a credential cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CredentialError {
    message: String,
}

impl CredentialError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// A credential: who, and where it leads if it says so.
#[derive(Debug)]
pub struct Credential {
    /// The identity it stands for.
    pub identity: Identity,
    /// Its `api_endpoint`.
    pub endpoint: Option<Endpoint>,
}

impl Credential {
    /// Reads a credential file, JSON or YAML. Keys count whatever their case, as Mondoo's own
    /// tools read them (mondoo-go's `internal/signer`, cnquery's `cli/config`).
    ///
    /// # Errors
    /// If it is neither, lacks a key or holds an unusable one.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| CredentialError::new("the credential is not UTF-8 text"))?;
        Self::from_fields(&fields(text)?)
    }

    /// Reads the same in standard base64, as `MONDOO_CONFIG_BASE64` holds it.
    ///
    /// # Errors
    /// If it is not base64, and as [`Credential::parse`].
    pub fn parse_base64(text: &str) -> Result<Self, CredentialError> {
        let compact: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
        if compact.starts_with('{') {
            return Err(CredentialError::new(
                "the credential is plain JSON, not base64; encode it or use MONDOO_CONFIG_PATH",
            ));
        }
        let bytes = STANDARD
            .decode(compact.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| {
                CredentialError::new("the credential is not valid standard base64 with padding")
            })?;
        Self::parse(&bytes)
    }

    fn from_fields(fields: &Fields) -> Result<Self, CredentialError> {
        let get = |key: &str| -> Result<Option<&str>, CredentialError> {
            match fields.get(key) {
                None => Ok(None),
                Some(None) => Err(CredentialError::new(format!(
                    "`{key}` of the credential is not text"
                ))),
                Some(Some(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            }
        };
        let external =
            get("type")? == Some("external_account") || get("auth.method")? == Some("wif");
        if external || (get("issueruri")?.is_some() && get("private_key")?.is_none()) {
            return Err(CredentialError::new(
                "workload identity (`type: external_account`) is not supported by this version \
                 yet; use a service account's credential",
            ));
        }
        let endpoint = get("api_endpoint")?
            .map(Endpoint::new)
            .transpose()
            .map_err(|e| CredentialError::new(format!("`api_endpoint`: {e}")))?;
        // Newer Mondoo tools also store a plain bearer token under this key.
        if let (Some(token), None) = (get("token")?, get("private_key")?) {
            return Ok(Self {
                identity: Identity::api_token(token),
                endpoint,
            });
        }
        let missing = |key: &str| {
            CredentialError::new(format!(
                "the credential has no `{key}`; it should be a service account's file as the \
                 Mondoo console gives it"
            ))
        };
        let mrn = get("mrn")?.ok_or_else(|| missing("mrn"))?;
        let key = get("private_key")?.ok_or_else(|| missing("private_key"))?;
        let mut scope = None;
        for name in ["scope_mrn", "space_mrn", "parent_mrn"] {
            scope = scope.or(get(name)?);
        }
        let account = ServiceAccount::new(Mrn::new(mrn), scope.map(str::to_owned), key)
            .map_err(|e| CredentialError::new(e.to_string()))?;
        Ok(Self {
            identity: Identity::ServiceAccount(account),
            endpoint,
        })
    }
}

/// Fields by lower-cased key; `None` where the value is not text.
type Fields = BTreeMap<String, Option<Zeroizing<String>>>;

fn fields(text: &str) -> Result<Fields, CredentialError> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.is_empty() {
        return Err(CredentialError::new("the credential is empty"));
    }
    let mut fields = Fields::new();
    let mut add = |key: String, value| {
        if fields.insert(key.to_lowercase(), value).is_some() {
            return Err(CredentialError::new(format!(
                "`{}` stands twice in the credential",
                key.to_lowercase()
            )));
        }
        Ok(())
    };
    if text.starts_with('{') {
        let json: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|e| {
                CredentialError::new(format!(
                    "the credential is not valid JSON (line {}, column {})",
                    e.line(),
                    e.column()
                ))
            })?;
        for (key, value) in json {
            match value {
                serde_json::Value::String(text) => add(key, Some(Zeroizing::new(text)))?,
                serde_json::Value::Null => {}
                _ => add(key, None)?,
            }
        }
    } else {
        let pairs = yaml::parse(text).map_err(|why| {
            CredentialError::new(format!(
                "the credential is neither JSON nor YAML as Mondoo writes it: {why}"
            ))
        })?;
        for (key, value) in pairs {
            add(key, Some(value))?;
        }
    }
    Ok(fields)
}
