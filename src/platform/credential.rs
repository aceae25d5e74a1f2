//! Credential files: the JSON that Mondoo's console gives, and the YAML that its tools write.
//! Pure: bytes in, identity out; errors never repeat what they read.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::auth::{Identity, ServiceAccount};
use super::certificate::Certificate;
use super::endpoint::Endpoint;
use crate::echo;
use crate::model::Mrn;
use crate::secret::Secret;
use crate::yaml::{self, Content, Node};

/// Why a credential cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CredentialError {
    message: String,
}

impl CredentialError {
    pub(super) fn new(message: impl Into<String>) -> Self {
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
    /// Its `api_proxy`, which may hold a password.
    pub proxy: Option<Secret<String>>,
    /// What it says besides that Mondoo's tools know and rolecall has no use for, as they spell it.
    pub unused: Vec<&'static str>,
}

/// What stands in Mondoo's files besides what rolecall reads. Source: cnquery's `cli/config`.
const UNUSED: [&str; 14] = [
    "agent_mrn",
    "annotations",
    "audience",
    "auth",
    "features",
    "issuerUri",
    "jwtToken",
    "labels",
    "providers_url",
    "scopes",
    "subjectTokenType",
    "type",
    "universeDomain",
    "updates_url",
];

/// What to do about a credential whose line ends have become two letters each.
pub(super) const LINE_ENDS: &str = "its line ends stand there as two letters, `\\n`; take the file as it was delivered, or pass it on as \
     base64, which has no line ends to lose";

/// Whether a text is in one line, with `\n` in two letters where lines should end.
pub(super) fn escaped_line_ends(text: &str) -> bool {
    let text = text.trim();
    if text.contains('\n') || !text.contains("\\n") {
        return false;
    }
    // In JSON they are right inside of strings.
    match text.strip_prefix('{') {
        Some(inside) => inside.trim_start().starts_with("\\n"),
        None => true,
    }
}

impl Credential {
    /// Reads a credential: JSON, YAML, or base64 of either, wherever it stands. Keys count whatever
    /// their case, as Mondoo's own tools read them (mondoo-go's `internal/signer`, cnquery's
    /// `cli/config`).
    ///
    /// # Errors
    /// If it is none of these, lacks a key or holds an unusable one.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialError> {
        let (text, base64) = plain(bytes)?;
        let found = fields(&text).and_then(|fields| Self::from_fields(&fields));
        found.map_err(|e| match base64 {
            true => CredentialError::new(format!("decoded from base64, {e}")),
            false => e,
        })
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
        let proxy = get("api_proxy")?.map(|text| Secret::new(text.to_owned()));
        let unused = unused(fields);
        // Newer Mondoo tools also store a plain bearer token under this key.
        if let (Some(token), None) = (get("token")?, get("private_key")?) {
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
        let missing = |key: &str| {
            CredentialError::new(match escaped {
                true => format!("the credential has no `{key}`: {LINE_ENDS}"),
                false => format!(
                    "the credential has no `{key}`; it should be a service account's file as the \
                     Mondoo console gives it"
                ),
            })
        };
        let mrn = get("mrn")?.ok_or_else(|| missing("mrn"))?;
        let key = get("private_key")?.ok_or_else(|| missing("private_key"))?;
        let mut scope = None;
        for name in ["scope_mrn", "space_mrn", "parent_mrn"] {
            scope = scope.or(get(name)?);
        }
        let account = ServiceAccount::new(Mrn::new(mrn), scope.map(str::to_owned), key)
            .map_err(|e| CredentialError::new(e.to_string()))?;
        // It only explains refusals, so the key does without one that cannot be read.
        let certificate = fields.get("certificate").and_then(Option::as_ref);
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

/// The keys that are there and that nothing here reads.
pub(super) fn unused(fields: &Fields) -> Vec<&'static str> {
    let stands = |name: &&&str| {
        let name = name.to_lowercase();
        let below = |key: &String| key.split('.').next() == Some(name.as_str());
        fields.keys().any(below)
    };
    UNUSED.iter().filter(stands).copied().collect()
}

/// The text of a credential, and whether it stood in base64: neither JSON nor YAML does without a
/// colon, which base64 lacks.
pub(super) fn plain(bytes: &[u8]) -> Result<(Zeroizing<String>, bool), CredentialError> {
    let not_text = |_| CredentialError::new("the credential is not UTF-8 text");
    let text = std::str::from_utf8(bytes).map_err(not_text)?;
    let text = text.trim_start_matches('\u{feff}');
    let symbol = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    let empty = text.trim().is_empty();
    if escaped_line_ends(text)
        && text
            .replace("\\n", "")
            .bytes()
            .all(|b| symbol(b) || b.is_ascii_whitespace())
    {
        return Err(CredentialError::new(format!(
            "the credential is base64, and {LINE_ENDS}"
        )));
    }
    if empty || !text.bytes().all(|b| symbol(b) || b.is_ascii_whitespace()) {
        return Ok((Zeroizing::new(text.to_owned()), false));
    }
    let compact: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    match echo::credential(&compact) {
        Some(echo::Looks::EncodedTwice) => {
            return Err(CredentialError::new(
                "the credential is encoded twice: decode it once",
            ));
        }
        Some(echo::Looks::Hex) => {
            return Err(CredentialError::new(
                "the credential stands in hexadecimal digits: decode it, or give base64 of its file",
            ));
        }
        _ => {}
    }
    let bytes = STANDARD.decode(compact.as_bytes()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| {
        CredentialError::new(
            "the credential is neither a service account's file nor valid standard base64 of one, \
             with padding; it may be cut off. An API token goes into MONDOO_API_TOKEN",
        )
    })?;
    let text = std::str::from_utf8(&bytes).map_err(not_text)?;
    Ok((Zeroizing::new(text.to_owned()), true))
}

/// Fields by lower-cased key; `None` where the value is not text.
pub(super) type Fields = BTreeMap<String, Option<Zeroizing<String>>>;

pub(super) fn fields(text: &str) -> Result<Fields, CredentialError> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.is_empty() {
        return Err(CredentialError::new("the credential is empty"));
    }
    if !text
        .trim_end()
        .contains(|c: char| c.is_whitespace() || ":{[\"".contains(c))
    {
        return Err(CredentialError::new(
            "the credential is a bare word; it should be a service account's file as the Mondoo \
             console gives it. An API token goes into MONDOO_API_TOKEN",
        ));
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
                let place = format!(
                    "the credential is not valid JSON (line {}, column {})",
                    e.line(),
                    e.column()
                );
                CredentialError::new(match escaped_line_ends(text) {
                    true => format!("{place}: {LINE_ENDS}"),
                    false => place,
                })
            })?;
        for (key, value) in json {
            match value {
                serde_json::Value::String(text) => add(key, Some(Zeroizing::new(text)))?,
                serde_json::Value::Null => {}
                _ => add(key, None)?,
            }
        }
    } else {
        let pairs = pairs(text).map_err(|why| {
            let ends = match escaped_line_ends(text) {
                true => format!("; {LINE_ENDS}"),
                false => String::new(),
            };
            CredentialError::new(format!(
                "the credential is neither JSON nor YAML as Mondoo writes it: {why}{ends}"
            ))
        })?;
        for (key, value) in pairs {
            add(key, value)?;
        }
    }
    Ok(fields)
}

/// The pairs of a map in YAML, those of maps right below it as `outer.inner`; what lies deeper is
/// nothing that a credential needs.
fn pairs(text: &str) -> Result<Vec<(String, Option<Zeroizing<String>>)>, String> {
    let members = match yaml::parse(text).map_err(|e| e.to_string())? {
        None => return Ok(Vec::new()),
        Some(Node { line, content }) => match content {
            Content::Map(members) => members,
            Content::List(_) => {
                return Err(format!("line {line} is a list where a key is expected"));
            }
            Content::Text(_) | Content::Null => {
                return Err(format!("line {line} is not `key: value`"));
            }
        },
    };
    let mut pairs = Vec::new();
    for (outer, node) in members {
        match plain_text(node.content) {
            Ok(text) => pairs.push((outer.to_string(), text)),
            Err(inner) => {
                pairs.push((outer.to_string(), None));
                for (key, node) in inner {
                    let text = plain_text(node.content).unwrap_or_default();
                    pairs.push((format!("{}.{}", *outer, *key), text));
                }
            }
        }
    }
    Ok(pairs)
}

/// A value's text, if it is one; else the members of a map.
fn plain_text(
    content: Content,
) -> Result<Option<Zeroizing<String>>, Vec<(Zeroizing<String>, Node)>> {
    match content {
        Content::Text(text) => Ok(Some(text)),
        Content::Null => Ok(Some(Zeroizing::default())),
        Content::List(_) => Ok(None),
        Content::Map(members) => Err(members),
    }
}

#[cfg(test)]
mod tests {
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
                "not supported by this version yet",
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

    fn get(text: &str, key: &str) -> Option<String> {
        let pairs = pairs(text).expect("YAML");
        let found = pairs.into_iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.expect("a text").to_string())
    }

    #[test]
    fn flat_pairs_in_every_quoting() {
        let text = "---\n# comment\na: plain # not this\nb: \"q\\n#q\" # c\nc: 'it''s'\n\
                    \"d\": x:y\ne:\nf: ~\ng: https://h:8989/x\r\n";
        assert_eq!(get(text, "a").as_deref(), Some("plain"));
        assert_eq!(get(text, "b").as_deref(), Some("q\n#q"));
        assert_eq!(get(text, "c").as_deref(), Some("it's"));
        assert_eq!(get(text, "d").as_deref(), Some("x:y"));
        assert_eq!(get(text, "e").as_deref(), Some(""));
        assert_eq!(get(text, "f").as_deref(), Some(""));
        assert_eq!(get(text, "g").as_deref(), Some("https://h:8989/x"));
    }

    #[test]
    fn block_scalars_keep_their_lines_and_end_where_the_indent_does() {
        let text = "key: |\n  one\n\n    two\n  three\nnext: |-\n    a\n    b\nlast: z\n";
        assert_eq!(get(text, "key").as_deref(), Some("one\n\n  two\nthree\n"));
        assert_eq!(get(text, "next").as_deref(), Some("a\nb"));
        assert_eq!(get(text, "last").as_deref(), Some("z"));
        assert_eq!(get("key: |\nnext: x\n", "next").as_deref(), Some("x"));
    }

    #[test]
    fn maps_one_level_deep_and_lists_are_passed_over() {
        let text = "auth:\n  method: ssh\n  deep:\n    mrn: no\nlabels:\n- a\n- b\n\
                    features:\n  - x\nmrn: yes\nflow: {a: b}\n";
        assert_eq!(get(text, "auth.method").as_deref(), Some("ssh"));
        assert_eq!(get(text, "mrn").as_deref(), Some("yes"));
        assert_eq!(get(text, "auth.mrn"), None);
        assert_eq!(get(text, "flow.a").as_deref(), Some("b"));
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
