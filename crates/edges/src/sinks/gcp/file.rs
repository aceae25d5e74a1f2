//! The file of `GOOGLE_APPLICATION_CREDENTIALS`: who it is for, and where its login would be sent. Nothing is
//! sent here; a file that would run a program or fetch a URL is refused by name.
//!
//! Sources: Google's documentation, "Authenticate for using client libraries" with its warning on
//! configurations from elsewhere; AIP-4117.

use std::collections::BTreeMap;
use std::fs;

use aws_lc_rs::signature::RsaKeyPair;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::http::excerpt;
use crate::model::Origin;
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::jwt;
use crate::sinks::machine::Machine;

pub(super) const FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// Where keys of service accounts are sent. Sources: the files that Google gives, now and formerly.
const TOKEN_URIS: &[&str] = &[
    "https://oauth2.googleapis.com/token",
    "https://accounts.google.com/o/oauth2/token",
    "https://www.googleapis.com/oauth2/v4/token",
];
/// Where tokens of others are exchanged.
const EXCHANGE: &str = "https://sts.googleapis.com/v1/token";
/// Where a federated identity becomes a service account.
const IMPERSONATION: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/";
const GENERATE: &str = ":generateAccessToken";

/// How rolecall logs in by a file.
pub(super) enum File {
    Key(Key),
    Federated(Federated),
}

/// The key of a service account.
pub(super) struct Key {
    pub(super) client_email: String,
    pub(super) private_key: RsaKeyPair,
    pub(super) private_key_id: Option<String>,
    pub(super) token_uri: String,
    /// Whether that is Google's.
    pub(super) at_google: bool,
}

/// A token in a file, by somebody whom Google trusts.
pub(super) struct Federated {
    pub(super) audience: String,
    pub(super) subject_token_type: String,
    pub(super) token_url: String,
    /// The file that holds the token, which is read anew for each login.
    pub(super) file: String,
    /// The field of it that does, where it is JSON.
    field: Option<String>,
    pub(super) impersonation_url: Option<String>,
    /// How long a token for a service account lasts, in seconds.
    pub(super) lifetime: u32,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    r#type: String,
    universe_domain: Option<String>,
    // A key of a service account.
    client_email: Option<String>,
    #[serde(default, deserialize_with = "crate::secret::zeroizing")]
    private_key: Zeroizing<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
    // A federated identity.
    audience: Option<String>,
    subject_token_type: Option<String>,
    token_url: Option<String>,
    credential_source: Option<Source>,
    service_account_impersonation_url: Option<String>,
    service_account_impersonation: Option<Impersonation>,
}

#[derive(Deserialize)]
struct Source {
    file: Option<String>,
    format: Option<Format>,
    executable: Option<IgnoredAny>,
    url: Option<IgnoredAny>,
    environment_id: Option<IgnoredAny>,
    certificate: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Format {
    #[serde(default)]
    r#type: String,
    subject_token_field_name: Option<String>,
}

#[derive(Deserialize)]
struct Impersonation {
    token_lifetime_seconds: Option<u32>,
}

impl File {
    /// The login that the environment names; `None` if it names none.
    pub(super) fn find(machine: &Machine) -> Result<Option<Self>, SinkError> {
        let Some(path) = machine.variable(FILE) else {
            return Ok(None);
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) => {
                return refuse(
                    format!("the file of {FILE} cannot be read: {error}"),
                    "name the file that Google gave for the login",
                );
            }
        };
        let Ok(whole) = serde_json::from_str::<Whole>(&text) else {
            return refuse(
                format!("the file of {FILE} is not as Google gives it"),
                "name the file that Google gave for the login",
            );
        };
        if let Some(domain) = whole.universe_domain.as_deref()
            && domain != "googleapis.com"
        {
            return refuse(
                format!(
                    "the file of {FILE} is for {}, and rolecall knows googleapis.com alone",
                    excerpt(domain, "")
                ),
                "name a file for googleapis.com",
            );
        }
        let others = "take the key of a service account, or a federation whose token is in a file \
                      (gcloud iam workload-identity-pools create-cred-config --credential-source-file)";
        match whole.r#type.as_str() {
            "service_account" => Key::of(whole, machine).map(|key| Some(Self::Key(key))),
            "external_account" => {
                Federated::of(whole, machine).map(|found| Some(Self::Federated(found)))
            }
            "authorized_user" | "external_account_authorized_user" => refuse(
                format!("the file of {FILE} is the login of a person"),
                others,
            ),
            "impersonated_service_account" => refuse(
                format!("the file of {FILE} is of the type impersonated_service_account"),
                others,
            ),
            kind => refuse(
                format!(
                    "the file of {FILE} is of the type {:?}, which rolecall does not know",
                    excerpt(kind, &whole.private_key)
                ),
                others,
            ),
        }
    }
}

/// That nobody is logged in, or a login is not sent; nothing was.
pub(super) fn refuse<T>(
    message: impl Into<String>,
    help: impl Into<String>,
) -> Result<T, SinkError> {
    Err(SinkError {
        kind: SinkErrorKind::Unauthenticated,
        effect: Effect::None,
        message: message.into(),
        help: Some(help.into()),
    })
}

fn lacks<T>(what: &str) -> Result<T, SinkError> {
    refuse(
        format!("the file of {FILE} has no {what}"),
        "take the whole file as Google gave it",
    )
}

/// Whether a login may be sent to an address that a file names: Google's own, or where a policy says.
/// The answer is whether it is Google's.
fn may_go(
    url: &str,
    named: &str,
    is_googles: impl FnOnce(&str) -> bool,
    machine: &Machine,
) -> Result<bool, SinkError> {
    if is_googles(url) {
        return Ok(true);
    }
    let path_at = url.match_indices('/').nth(2).map(|(at, _)| at);
    let (base, path) = url.split_at(path_at.unwrap_or(url.len()));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:@".contains(&b);
    let origin = Origin::new(base).ok();
    let origin = origin.filter(|_| path.bytes().all(plain) && !path.contains(".."));
    let Some(origin) = origin else {
        return refuse(
            format!("{named} in the file of {FILE} is no address of Google's; nothing was sent"),
            "take the file as Google gave it",
        );
    };
    match machine.allowed.contains(&origin) {
        true => Ok(false),
        false => refuse(
            format!(
                "{named} in the file of {FILE} sends the login to {origin}, which is not Google's for \
                 that; nothing was sent"
            ),
            format!(
                "take the file as Google gave it, or let a policy directory say destinations {{ allow \
                 = [\"{origin}\"] }}"
            ),
        ),
    }
}

impl Key {
    fn of(whole: Whole, machine: &Machine) -> Result<Self, SinkError> {
        let Some(client_email) = whole.client_email else {
            return lacks("client_email");
        };
        let token_uri = whole.token_uri.unwrap_or_else(|| TOKEN_URIS[0].to_owned());
        let known = |url: &str| TOKEN_URIS.contains(&url);
        let at_google = may_go(&token_uri, "token_uri", known, machine)?;
        let Some(private_key) = jwt::key(&whole.private_key) else {
            return lacks("private_key that is an RSA key in PEM");
        };
        Ok(Self {
            client_email,
            private_key,
            private_key_id: whole.private_key_id,
            token_uri,
            at_google,
        })
    }
}

impl Federated {
    fn of(whole: Whole, machine: &Machine) -> Result<Self, SinkError> {
        let Some(source) = whole.credential_source else {
            return lacks("credential_source");
        };
        let Source {
            file,
            format,
            executable,
            url,
            environment_id,
            certificate,
        } = source;
        let by_file = "let a step before write the token into a file, and make the file of the login with \
                       gcloud iam workload-identity-pools create-cred-config --credential-source-file";
        for (is, named, does) in [
            (executable.is_some(), "executable", "runs a program"),
            (url.is_some(), "url", "fetches a URL"),
            (environment_id.is_some(), "environment_id", "asks AWS"),
            (certificate.is_some(), "certificate", "uses a certificate"),
        ] {
            if is {
                return refuse(
                    format!(
                        "the file of {FILE} has a credential_source with `{named}`, which {does}; \
                         rolecall takes `file` alone"
                    ),
                    by_file,
                );
            }
        }
        let Some(file) = file else {
            return lacks("credential_source with a `file`");
        };
        let field = match format {
            None => None,
            Some(Format {
                r#type,
                subject_token_field_name,
            }) => match (r#type.as_str(), subject_token_field_name) {
                ("json", Some(field)) => Some(field),
                ("json", None) => return lacks("subject_token_field_name"),
                ("text" | "", _) => None,
                _ => return lacks("format of credential_source that is text or json"),
            },
        };
        let Some(audience) = whole.audience else {
            return lacks("audience");
        };
        let Some(subject_token_type) = whole.subject_token_type else {
            return lacks("subject_token_type");
        };
        let token_url = whole.token_url.unwrap_or_else(|| EXCHANGE.to_owned());
        may_go(&token_url, "token_url", |url| url == EXCHANGE, machine)?;
        let impersonation_url = whole.service_account_impersonation_url;
        if let Some(url) = &impersonation_url {
            let known = |url: &str| {
                let rest = url.strip_prefix(IMPERSONATION);
                let account = rest.and_then(|rest| rest.strip_suffix(GENERATE));
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._@".contains(&b);
                account.is_some_and(|account| !account.is_empty() && account.bytes().all(plain))
            };
            may_go(url, "service_account_impersonation_url", known, machine)?;
        }
        let wanted = whole.service_account_impersonation;
        let lifetime = wanted.and_then(|wanted| wanted.token_lifetime_seconds);
        Ok(Self {
            audience,
            subject_token_type,
            token_url,
            file,
            field,
            impersonation_url,
            lifetime: lifetime.unwrap_or(3600).clamp(600, 43_200),
        })
    }

    /// The token of somebody else, read anew: such tokens live for minutes.
    pub(super) fn subject(&self) -> Result<Zeroizing<String>, SinkError> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => Zeroizing::new(text),
            Err(error) => {
                return refuse(
                    format!(
                        "the token's file {} that the file of {FILE} names cannot be read: {error}",
                        excerpt(&self.file, "")
                    ),
                    "let the step that writes it run before",
                );
            }
        };
        let token = match &self.field {
            None => Some(Zeroizing::new(text.trim().to_owned())),
            Some(field) => {
                let fields: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(&text).ok();
                let value = fields.as_ref().and_then(|fields| fields.get(field));
                let value = value.and_then(|raw| serde_json::from_str(raw.get()).ok());
                value.map(Zeroizing::new)
            }
        };
        match token.filter(|token| !token.is_empty()) {
            Some(token) => Ok(token),
            None => refuse(
                format!(
                    "the token's file {} holds no token",
                    excerpt(&self.file, "")
                ),
                "look what the step before writes into it",
            ),
        }
    }
}
