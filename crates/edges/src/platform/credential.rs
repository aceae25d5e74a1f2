//! Credential files: the JSON that Mondoo's console gives, and the YAML that its tools write.
//! Pure: bytes in, identity out; errors never repeat what they read.

use super::auth::{Identity, ServiceAccount};
use super::certificate::Certificate;
use super::endpoint::Endpoint;
use super::unusable::CredentialError;
use super::workload::{self, Workload};
use crate::credential_file::{self, Fields, LINE_ENDS, escaped_line_ends, key};
use crate::echo;
use crate::model::Mrn;
use crate::secret::Secret;

/// A credential: who, and where it leads if it says so.
#[derive(Debug)]
pub struct Credential {
    /// The identity it stands for.
    pub identity: Identity,
    /// Its `api_endpoint`.
    pub endpoint: Option<Endpoint>,
    /// Its `api_proxy`, which may hold a password.
    pub proxy: Option<Secret<String>>,
    /// What it says besides that Mondoo's tools know and rolecall has no use for, as they spell it.
    pub unused: Vec<&'static str>,
}

impl Credential {
    /// Reads a credential: JSON, YAML, or base64 of either, wherever it stands. Keys count whatever
    /// their case, as Mondoo's own tools read them (mondoo-go's `internal/signer`, cnquery's
    /// `cli/config`).
    ///
    /// # Errors
    /// If it is none of these, lacks a key or holds an unusable one.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialError> {
        let (text, base64) = credential_file::plain(bytes)?;
        let fields = credential_file::fields(&text).map_err(CredentialError::from);
        let found = fields.and_then(|fields| Self::from_fields(&fields));
        found.map_err(|e| match base64 {
            true => CredentialError::new(format!("decoded from base64, {e}")),
            false => e,
        })
    }

    fn from_fields(fields: &Fields) -> Result<Self, CredentialError> {
        let get = |name: &str| -> Result<Option<&str>, CredentialError> {
            match fields.get(name) {
                None => Ok(None),
                Some(None) => Err(CredentialError::new(format!(
                    "`{name}` of the credential is not text"
                ))),
                Some(Some(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            }
        };
        let proxy = get(key::PROXY)?.map(|text| Secret::new(text.to_owned()));
        if workload::is_one(fields) {
            let (workload, endpoint) = Workload::from_fields(fields, &get)?;
            return Ok(Self {
                identity: Identity::Workload(workload),
                endpoint,
                proxy,
                unused: workload::unused(credential_file::unused(fields)),
            });
        }
        let endpoint = get(key::ENDPOINT)?
            .map(Endpoint::new)
            .transpose()
            .map_err(|e| CredentialError::new(format!("`api_endpoint`: {e}")))?;
        let unused = credential_file::unused(fields);
        // Newer Mondoo tools also store a plain bearer token under this key.
        if let (Some(token), None) = (get(key::TOKEN)?, get(key::PRIVATE_KEY)?) {
            if echo::credential(token).is_some_and(|looks| looks != echo::Looks::Token) {
                return Err(CredentialError::new(format!(
                    "`token` of the credential is {} and no token, and was not sent",
                    echo::text(token)
                )));
            }
            return Ok(Self {
                identity: Identity::api_token(token),
                endpoint,
                proxy,
                unused,
            });
        }
        let mut held = fields.values().flatten();
        let escaped = held.any(|text| escaped_line_ends(text));
        let missing = |name: &str| {
            CredentialError::new(match escaped {
                true => format!("the credential has no `{name}`: {LINE_ENDS}"),
                false => format!(
                    "the credential has no `{name}`; it should be a service account's file as the \
                     Mondoo console gives it"
                ),
            })
        };
        let mrn = get(key::MRN)?.ok_or_else(|| missing(key::MRN))?;
        let private = get(key::PRIVATE_KEY)?.ok_or_else(|| missing(key::PRIVATE_KEY))?;
        let mut scope = None;
        for name in key::SCOPES {
            scope = scope.or(get(name)?);
        }
        let account = ServiceAccount::new(Mrn::new(mrn), scope.map(str::to_owned), private)
            .map_err(|e| CredentialError::new(e.to_string()))?;
        // It only explains refusals, so the key does without one that cannot be read.
        let certificate = fields.get(key::CERTIFICATE).and_then(Option::as_ref);
        let certificate = certificate.and_then(|pem| Certificate::read(pem).ok());
        let account = account.with_certificate(certificate);
        Ok(Self {
            identity: Identity::ServiceAccount(account),
            endpoint,
            proxy,
            unused,
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    use super::super::fixture::{MRN, SPACE, p384};
    use super::*;

    fn console(key: &str) -> Value {
        json!({
            "mrn": MRN,
            "certificate": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
            "private_key": key,
            "scope_mrn": SPACE,
            "api_endpoint": "https://eu.api.mondoo.com",
            "space_mrn": SPACE,
            "typename": "ServiceAccountCredential",
        })
    }

    fn check(credential: &Credential, endpoint: Option<&str>) {
        let Identity::ServiceAccount(account) = &credential.identity else {
            panic!("not a service account");
        };
        assert_eq!(account.mrn.as_str(), MRN);
        assert_eq!(account.scope_mrn.as_deref(), Some(SPACE));
        let found = credential.endpoint.as_ref().map(Endpoint::base);
        assert_eq!(found, endpoint);
    }

    #[test]
    fn every_public_form_of_a_credential_is_read() {
        let key = p384();
        let eu = Some("https://eu.api.mondoo.com");
        let json = console(&key);
        let text = serde_json::to_string_pretty(&json).expect("JSON");
        check(&Credential::parse(text.as_bytes()).expect("console"), eu);

        // Terraform's `credential`: base64, `parent_mrn` instead of `space_mrn`.
        let terraform = json!({
            "mrn": MRN, "private_key": key, "api_endpoint": "https://eu.api.mondoo.com",
            "parent_mrn": SPACE,
        });
        let base64 = STANDARD.encode(terraform.to_string());
        check(&Credential::parse(base64.as_bytes()).expect("base64"), eu);
        let (a, b) = base64.split_at(76);
        let wrapped = format!("{a}\n{b}\n");
        check(&Credential::parse(wrapped.as_bytes()).expect("wrapped"), eu);

        // Keys count whatever their case.
        let upper = json!({"MRN": MRN, "Private_Key": key, "SCOPE_MRN": SPACE, "other": {"a": 1}});
        let text = upper.to_string();
        check(&Credential::parse(text.as_bytes()).expect("upper"), None);

        // `mondoo.yml`, as `cnspec login` writes it.
        let block: String = key.lines().map(|line| format!("  {line}\n")).collect();
        let yaml = format!(
            "agent_mrn: //agents.api.mondoo.app/x\napi_endpoint: https://eu.api.mondoo.com\n\
             certificate: |\n  -----BEGIN CERTIFICATE-----\n  x\n  -----END CERTIFICATE-----\n\
             features:\n- A\nmrn: {MRN}\nprivate_key: |\n{block}space_mrn: {SPACE}\n"
        );
        check(&Credential::parse(yaml.as_bytes()).expect("yaml"), eu);
        let yaml = format!(
            "mrn: {MRN}\nscope_mrn: {SPACE}\nprivate_key: {}\n",
            json!(key)
        );
        check(&Credential::parse(yaml.as_bytes()).expect("quoted"), None);
    }

    #[test]
    fn line_ends_that_have_become_letters_are_named() {
        let key = p384();
        let flat = key.replace('\n', "\\n");
        let json = console(&key);
        let pretty = serde_json::to_string_pretty(&json).expect("JSON");
        let base64 = STANDARD.encode(pretty.as_bytes());
        let (a, b) = base64.split_at(76);
        for text in [
            json!({"mrn": MRN, "private_key": flat}).to_string(),
            format!("mrn: {MRN}\nprivate_key: {flat}\n"),
            pretty.replace('\n', "\\n"),
            format!("mrn: {MRN}\\nprivate_key: x"),
            format!("{a}\\n{b}\\n"),
        ] {
            let why = Credential::parse(text.as_bytes())
                .expect_err("flat")
                .to_string();
            assert!(why.contains("two letters, `\\n`"), "{why}");
            assert!(!why.contains("MIG"), "{why}");
        }
        let compact = json.to_string();
        let why = Credential::parse(&compact.as_bytes()[..compact.len() - 1]).expect_err("cut");
        assert!(!why.to_string().contains("two letters"), "{why}");
    }

    #[test]
    fn the_scope_is_the_first_that_is_named() {
        let mut json = console(&p384());
        json["space_mrn"] = json!("//other");
        json["parent_mrn"] = json!("//other");
        let text = json.to_string();
        let eu = Some("https://eu.api.mondoo.com");
        check(&Credential::parse(text.as_bytes()).expect("good"), eu);
    }

    #[test]
    fn a_stored_bearer_token_is_an_identity_too() {
        let found = Credential::parse(b"token: eyJhbGciOiJF\n").expect("a token");
        assert!(matches!(found.identity, Identity::ApiToken(_)));
    }

    #[test]
    fn what_cannot_be_used_is_named_and_never_repeated() {
        let key = p384();
        let without = |name: &str| {
            let mut json = console(&key);
            json.as_object_mut().expect("a map").remove(name);
            json.to_string()
        };
        let with = |name: &str, value: Value| {
            let mut json = console(&key);
            json[name] = value;
            json.to_string()
        };
        let truncated = console(&key).to_string().replace('}', "");
        for (text, hint) in [
            (without("mrn"), "no `mrn`"),
            (without("private_key"), "no `private_key`"),
            (with("private_key", json!("")), "no `private_key`"),
            (with("private_key", json!(7)), "not text"),
            (with("private_key", json!("secret")), "not PEM"),
            (with("MRN", json!("//x")), "stands twice"),
            (
                with("api_endpoint", json!("http://a.example")),
                "api_endpoint",
            ),
            (
                with("type", json!("external_account")),
                "take one of both out",
            ),
            (
                r#"{"issuerUri":"https://i","audience":"//a"}"#.to_owned(),
                "workload identity",
            ),
            (truncated, "not valid JSON"),
            ("secret".to_owned(), "MONDOO_API_TOKEN"),
            ("secret, word".to_owned(), "neither JSON nor YAML"),
            (" \n".to_owned(), "is empty"),
        ] {
            let why = Credential::parse(text.as_bytes())
                .expect_err(hint)
                .to_string();
            assert!(why.contains(hint), "{hint}: {why}");
            assert!(!why.contains("secret") && !why.contains("MIG"), "{why}");
        }
        let base64 = STANDARD.encode(without("mrn"));
        for (text, hint) in [
            (
                base64.as_str(),
                "decoded from base64, the credential has no `mrn`",
            ),
            (&base64[..base64.len() - 3], "may be cut off"),
            ("!!!", "MONDOO_API_TOKEN"),
        ] {
            let why = Credential::parse(text.as_bytes()).expect_err(hint);
            assert!(why.to_string().contains(hint), "{hint}: {why}");
        }
    }

    #[test]
    fn yaml_that_says_more_than_is_read_is_refused_and_never_repeated() {
        let good = format!("mrn: {MRN}\nprivate_key: x\n");
        for (more, hint) in [
            ("Mrn: secret\n", "`mrn` stands twice"),
            (
                "mrn: secret\n",
                "line 3 gives a key that its map already has",
            ),
            ("---\ntoken: secret\n", "line 4 begins a second document"),
            ("token: &secret x\n", "line 3 uses an anchor"),
            (
                "api_endpoint: [secret]\n",
                "`api_endpoint` of the credential is not text",
            ),
            (
                "scope_mrn: {secret: x}\n",
                "`scope_mrn` of the credential is not text",
            ),
            ("auth: {method: wif, x: secret}\n", "workload identity"),
            ("private: secret: x\n", "line 3 has a `: ` too many"),
        ] {
            let text = format!("{good}{more}");
            let why = Credential::parse(text.as_bytes())
                .expect_err(hint)
                .to_string();
            assert!(why.contains(hint), "{hint}: {why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
