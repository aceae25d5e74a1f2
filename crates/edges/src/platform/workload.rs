//! Workload identities: for whom an identity token is exchanged, and where that token comes from, as the
//! file of a binding says it (`type: external_account`). Pure; nothing is read or sent here.
//!
//! Source: cnquery's `cli/config`, whose names these are; `credential_source` is rolecall's own, after the
//! files of Google's external accounts.

use std::fmt;
use std::path::PathBuf;

use super::endpoint::Endpoint;
use super::unusable::CredentialError;
use crate::credential_file::{Fields, key};
use crate::echo;
use crate::identity_token::{ACTIONS_RIGHTS, Actions, NotAsked, ask_actions};
use crate::model::Scope;
use crate::secret::Secret;

/// The variable in which Mondoo's own tools look for an identity token. Source: cnquery's
/// `providers-sdk/v1/upstream/sts.go`.
const JWT_TOKEN: &str = "JWT_TOKEN";
/// What GitHub sets in a job that may have identity tokens: where it asks, and with what.
const ACTIONS_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const ACTIONS_BEARER: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// What the platform's own name is where no organization is meant.
const PLATFORM: &str = "//platform.api.mondoo.app";
/// What `credential_source` may hold besides what it says by these names.
const FILE: &str = "file";
const VARIABLE: &str = "environment_variable";
const AUDIENCE: &str = "audience";
/// The kinds of tokens that are exchanged as they are. Source: RFC 8693, 3.
const KINDS: [&str; 2] = [
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
];
/// What a binding's file says that has its use.
const USED: [&str; 8] = [
    "audience",
    "auth",
    "issuerUri",
    "jwtToken",
    "scopes",
    "subjectTokenType",
    "type",
    "universeDomain",
];

/// A workload identity: whoever holds a token of its issuer becomes a temporary account.
#[derive(Debug)]
pub struct Workload {
    /// The resource name of the scope in which the issuer is bound.
    pub(super) audience: String,
    /// The issuer that is bound; if it is not said, the one that the token names.
    pub(super) issuer: Option<String>,
    said: Said,
    pub(super) source: Option<TokenSource>,
    /// Whether its file holds a token, and is a secret as long as that lives.
    stored: bool,
}

/// Where the file says that the token comes from.
#[derive(Debug)]
enum Said {
    Nothing,
    File(PathBuf),
    Variable(String),
    /// GitHub Actions, asked for a token that is meant for this.
    Actions(String),
    /// In the file itself.
    Stored(Secret<String>),
}

/// Where the token comes from.
pub(super) enum TokenSource {
    /// A file that somebody renews; it is read for every exchange.
    File(PathBuf),
    /// A value that nobody renews, with the place where it was found.
    Held {
        place: String,
        token: Secret<String>,
    },
    /// GitHub Actions, asked anew for every exchange.
    Actions {
        url: Secret<String>,
        bearer: Secret<String>,
        audience: String,
    },
}

impl TokenSource {
    /// Whether another exchange may get another token.
    pub(super) fn renews(&self) -> bool {
        match self {
            Self::File(_) | Self::Actions { .. } => true,
            Self::Held { .. } => false,
        }
    }

    /// How GitHub Actions is asked, if the token comes from there.
    pub(super) fn asked(&self) -> Option<Result<Actions, NotAsked>> {
        match self {
            Self::Actions {
                url,
                bearer,
                audience,
            } => Some(ask_actions(url.expose(), bearer.expose(), Some(audience))),
            Self::File(_) | Self::Held { .. } => None,
        }
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", echo::path(path)),
            Self::Held { place, .. } => f.write_str(place),
            Self::Actions { .. } => f.write_str("GitHub Actions"),
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSource({self})")
    }
}

type Found<T> = Result<T, CredentialError>;

fn refuse<T>(why: impl Into<String>) -> Found<T> {
    Err(CredentialError::new(why))
}

/// Whether a file is one of a workload identity.
pub(super) fn is_one(fields: &Fields) -> bool {
    let text = |name: &str| {
        let found = fields.get(name).and_then(Option::as_ref);
        found
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    };
    text("type") == Some("external_account")
        || text("auth.method") == Some("wif")
        || (text("issueruri").is_some() && text(key::PRIVATE_KEY).is_none())
}

/// What such a file says besides that Mondoo's tools know and rolecall has no use for.
pub(super) fn unused(all: Vec<&'static str>) -> Vec<&'static str> {
    all.into_iter()
        .filter(|name| !USED.contains(name))
        .collect()
}

impl Workload {
    /// Reads a binding's file, and where it leads. `get` gives the text of a field.
    pub(super) fn from_fields<'f>(
        fields: &'f Fields,
        get: &impl Fn(&str) -> Found<Option<&'f str>>,
    ) -> Found<(Self, Option<Endpoint>)> {
        for name in ["token_url", "service_account_impersonation_url"] {
            if fields.contains_key(name) {
                return refuse(format!(
                    "`{name}` of the credential would send the identity token elsewhere than to Mondoo's \
                     platform: take the file that the binding's page in the Mondoo console gives"
                ));
            }
        }
        if get(key::PRIVATE_KEY)?.is_some() {
            return refuse(
                "the credential is a workload identity's (`type: external_account`) and holds a \
                 `private_key` as well: take one of both out",
            );
        }
        let Some(audience) = get("audience")? else {
            return refuse(
                "the workload identity has no `audience`, the resource name of the scope in which it is \
                 bound; it should be the file that the binding's page in the Mondoo console gives",
            );
        };
        if Scope::from_mrn(audience).is_none() && audience != PLATFORM {
            return refuse(format!(
                "`audience` of the workload identity is {}, and no scope of Mondoo: it looks like \
                 //captain.api.mondoo.app/spaces/ID",
                echo::text(audience)
            ));
        }
        let kind = get("subjecttokentype")?;
        if kind.is_some_and(|kind| !KINDS.contains(&kind)) {
            return refuse(format!(
                "`subjectTokenType` of the workload identity is none that is exchanged: it is {}",
                KINDS.join(" or ")
            ));
        }
        let issuer = get("issueruri")?;
        if issuer.is_some_and(|issuer| !issuer.bytes().all(|b| b.is_ascii_graphic())) {
            return refuse("`issuerUri` of the workload identity is no address");
        }
        let domain = match get("universedomain")? {
            Some(text) => Some(("universeDomain", text)),
            None => get(key::ENDPOINT)?.map(|text| (key::ENDPOINT, text)),
        };
        let endpoint = domain
            .map(|(name, text)| {
                Endpoint::new(text).map_err(|e| CredentialError::new(format!("`{name}`: {e}")))
            })
            .transpose()?;
        let workload = Self {
            audience: audience.to_owned(),
            issuer: issuer.map(str::to_owned),
            stored: get("jwttoken")?.is_some(),
            said: said(fields, get)?,
            source: None,
        };
        Ok((workload, endpoint))
    }

    /// The scope in which the issuer is bound, if it is an organization or a space.
    pub fn scope(&self) -> Option<Scope> {
        Scope::from_mrn(&self.audience)
    }

    /// Whether its file opens something by itself: it holds a token.
    pub fn is_secret(&self) -> bool {
        self.stored
    }

    /// The origin that GitHub Actions is asked at, if the token comes from there.
    ///
    /// # Errors
    /// Why it may not be asked.
    pub fn asks(&self) -> Result<Option<String>, NotAsked> {
        let asked = self.source.as_ref().and_then(TokenSource::asked);
        Ok(asked.transpose()?.map(|asked| asked.origin))
    }

    /// The same, once it is looked up where its tokens come from.
    ///
    /// # Errors
    /// That they come from nowhere, with the ways out.
    pub(super) fn found(
        self,
        var: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, (String, Vec<String>)> {
        let set = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        let held = |name: &str, token: String| TokenSource::Held {
            place: format!("the variable {name}"),
            token: Secret::new(token),
        };
        let actions = |audience: &str| {
            let (url, bearer) = (set(ACTIONS_URL)?, set(ACTIONS_BEARER)?);
            Some(TokenSource::Actions {
                url: Secret::new(url),
                bearer: Secret::new(bearer),
                audience: audience.to_owned(),
            })
        };
        let source = match self.said {
            Said::File(path) => TokenSource::File(path),
            Said::Stored(token) => TokenSource::Held {
                place: "`jwtToken` of the credential".to_owned(),
                token,
            },
            Said::Variable(name) => match set(&name) {
                Some(token) => held(&name, token),
                None => {
                    return Err((
                        format!("{name} is not set, which should hold the identity token"),
                        vec![format!(
                            "in GitLab: `id_tokens: {{ {name}: {{ aud: … }} }}` in the job"
                        )],
                    ));
                }
            },
            Said::Actions(audience) => actions(&audience).ok_or_else(|| {
                let message = "this job has no identity token of GitHub Actions".to_owned();
                (message, vec![ACTIONS_RIGHTS.to_owned()])
            })?,
            Said::Nothing => set(JWT_TOKEN)
                .map(|token| held(JWT_TOKEN, token))
                .or_else(|| actions(&self.audience))
                .ok_or_else(|| {
                    (
                        format!(
                            "the workload identity has no identity token: its file names none, and \
                             {JWT_TOKEN} and {ACTIONS_URL} are not set"
                        ),
                        vec![
                            format!("in GitHub Actions: {ACTIONS_RIGHTS}"),
                            format!("in GitLab: `id_tokens: {{ {JWT_TOKEN}: {{ aud: … }} }}`"),
                            "elsewhere: `credential_source` with a `file` (rolecall docs keyless)"
                                .to_owned(),
                        ],
                    )
                })?,
        };
        Ok(Self {
            said: Said::Nothing,
            source: Some(source),
            ..self
        })
    }
}

/// Where the file says that its tokens come from.
fn said<'f>(fields: &'f Fields, get: &impl Fn(&str) -> Found<Option<&'f str>>) -> Found<Said> {
    let mut file = None;
    let mut variable = None;
    let mut audience = None;
    for (name, value) in fields {
        let below = ["credential_source", "credentialsource"]
            .iter()
            .find_map(|outer| name.strip_prefix(outer));
        let Some(below) = below else { continue };
        let Some(inner) = below.strip_prefix('.') else {
            if below.is_empty() && value.is_some() {
                return refuse(format!(
                    "`{name}` of the credential is no map: it holds `{FILE}`, `{VARIABLE}` or `{AUDIENCE}`"
                ));
            }
            continue;
        };
        let into = match inner {
            FILE => &mut file,
            VARIABLE | "environmentvariable" => &mut variable,
            AUDIENCE => &mut audience,
            "executable" | "command" => {
                return refuse(format!(
                    "`{name}` of the credential would run a program, which rolecall never does to log in; \
                     let it write a file, and name that as `credential_source.{FILE}`"
                ));
            }
            "url" => {
                return refuse(format!(
                    "`{name}` of the credential would ask any address for the identity token, which \
                     rolecall never does; write the token into a file, and name that as \
                     `credential_source.{FILE}`"
                ));
            }
            _ => {
                return refuse(format!(
                    "{} of the credential is no source of identity tokens that rolecall knows: it is \
                     `{FILE}`, `{VARIABLE}` or `{AUDIENCE}`",
                    echo::text(name)
                ));
            }
        };
        let text = get(name)?.unwrap_or_default();
        if text.is_empty() {
            return refuse(format!("`{name}` of the credential is empty"));
        }
        *into = Some(text);
    }
    let stored = get("jwttoken")?;
    let given = [file, variable, audience, stored];
    if given.iter().flatten().count() > 1 {
        return refuse(format!(
            "the credential names several sources of identity tokens: one of `{FILE}`, `{VARIABLE}` and \
             `{AUDIENCE}` (of GitHub Actions) below `credential_source`, or `jwtToken`"
        ));
    }
    if let Some(path) = file {
        let path = PathBuf::from(path);
        if !path.is_absolute() {
            return refuse(format!(
                "`credential_source.{FILE}` is {}, and should begin with `/`, so that it is the same file \
                 wherever the run starts",
                echo::path(&path)
            ));
        }
        return Ok(Said::File(path));
    }
    if let Some(name) = variable {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if !name.bytes().all(plain) || !echo::text(name).is_plain() {
            return refuse(format!(
                "`credential_source.{VARIABLE}` is {}, and no name of a variable",
                echo::text(name)
            ));
        }
        return Ok(Said::Variable(name.to_owned()));
    }
    Ok(match (audience, stored) {
        (Some(audience), _) => Said::Actions(audience.to_owned()),
        (None, Some(token)) => Said::Stored(Secret::new(token.to_owned())),
        (None, None) => Said::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::credential::Credential;
    use super::super::fixture::SPACE;
    use super::super::{Environment, Identity, Login, Source};
    use super::*;

    fn file() -> Value {
        json!({
            "universeDomain": "https://eu.api.mondoo.com",
            "scopes": ["//iam.api.mondoo.app/roles/agent"],
            "type": "external_account",
            "audience": SPACE,
            "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
            "issuerUri": "https://token.actions.githubusercontent.com",
        })
    }

    fn with(name: &str, value: Value) -> String {
        let mut file = file();
        file[name] = value;
        file.to_string()
    }

    fn parse(text: &str) -> Result<Credential, String> {
        Credential::parse(text.as_bytes()).map_err(|e| e.to_string())
    }

    fn login(
        text: &str,
        endpoint: Option<&str>,
        vars: &[(&str, &str)],
    ) -> Result<Login, (String, Vec<String>)> {
        let vars: BTreeMap<&str, &str> = vars.iter().copied().collect();
        let environment = Environment {
            var: &|name| vars.get(name).map(|value| (*value).to_owned()),
            read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
            home: None,
        };
        let credential = parse(text).expect("a workload identity");
        let named = endpoint.map(|text| Endpoint::new(text).expect("an endpoint"));
        Login::new(credential, Source::ConfigBase64, named, &environment)
            .map_err(|e| (e.to_string(), e.help))
    }

    const ACTIONS: [(&str, &str); 2] = [
        (ACTIONS_URL, "https://run.githubusercontent.com/x?v=2"),
        (ACTIONS_BEARER, "hunter2-bearer"),
    ];

    fn place(login: &Login) -> String {
        let Identity::Workload(workload) = &login.identity else {
            panic!("no workload identity");
        };
        workload.source.as_ref().expect("looked up").to_string()
    }

    #[test]
    fn the_file_of_a_binding_is_read_in_json_and_yaml() {
        let yaml = format!(
            "type: external_account\naudience: {SPACE}\nuniverseDomain: https://eu.api.mondoo.com\n\
             credential_source:\n  file: /var/run/secrets/mondoo/token\n"
        );
        let auth = json!({"auth": {"method": "wif"}, "audience": SPACE}).to_string();
        let bare = json!({"issuerUri": "https://i.example", "audience": SPACE}).to_string();
        for text in [file().to_string(), yaml.clone(), auth, bare] {
            let credential = parse(&text).expect(&text);
            let Identity::Workload(workload) = &credential.identity else {
                panic!("{text}");
            };
            assert_eq!(
                (workload.audience.as_str(), workload.is_secret()),
                (SPACE, false)
            );
            assert!(credential.unused.is_empty(), "{:?}", credential.unused);
        }
        let holds = parse(&with("jwtToken", json!("hunter2"))).expect("read");
        assert!(matches!(holds.identity, Identity::Workload(one) if one.is_secret()));
        let found = login(&yaml, None, &ACTIONS).expect("a login");
        assert_eq!(place(&found), "the file /var/run/secrets/mondoo/token");
        assert_eq!(found.endpoint.base(), "https://eu.api.mondoo.com");
    }

    #[test]
    fn sources_count_in_their_order_and_nothing_is_shown() {
        let jwt = ("JWT_TOKEN", "hunter2-jwt");
        let of = |value: Value| with("credential_source", value);
        let both = [ACTIONS[0], ACTIONS[1], jwt];
        for (text, vars, expected) in [
            (file().to_string(), &both[..], "the variable JWT_TOKEN"),
            (file().to_string(), &ACTIONS[..], "GitHub Actions"),
            (
                with("jwtToken", json!("hunter2")),
                &both[..],
                "`jwtToken` of the credential",
            ),
            (
                of(json!({"environment_variable": "ID"})),
                &[("ID", "hunter2"), jwt][..],
                "the variable ID",
            ),
            (of(json!({"file": "/t"})), &both[..], "the file /t"),
            (of(json!({"audience": "x"})), &both[..], "GitHub Actions"),
        ] {
            let found = login(&text, None, vars).expect(expected);
            assert_eq!(place(&found), expected);
            let shown = format!("{:?}", found.identity);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        for (text, vars, message, help) in [
            (file().to_string(), &[][..], "JWT_TOKEN", "id-token: write"),
            // Half of what GitHub sets is nothing.
            (
                file().to_string(),
                &ACTIONS[..1],
                "JWT_TOKEN",
                "id-token: write",
            ),
            (
                of(json!({"environment_variable": "ID"})),
                &[jwt][..],
                "ID is not set",
                "id_tokens",
            ),
            (
                of(json!({"audience": "x"})),
                &[jwt][..],
                "no identity token of GitHub",
                "id-token: write",
            ),
        ] {
            let (why, ways) = login(&text, None, vars).expect_err(message);
            assert!(why.contains(message), "{why}");
            assert!(ways.iter().any(|way| way.contains(help)), "{ways:?}");
        }
    }

    #[test]
    fn a_token_goes_to_mondoo_or_where_a_person_says() {
        let to = |domain: &str, named| {
            let found = login(&with("universeDomain", json!(domain)), named, &ACTIONS);
            found.map(|login| login.endpoint.base().to_owned())
        };
        for good in [
            "https://us.api.mondoo.com",
            "https://api.edge.mondoo.com",
            "https://eu.api.mondoo.com/query",
        ] {
            assert!(to(good, None).is_ok(), "{good}");
        }
        for bad in [
            "https://mondoo.com.evil.example",
            "https://evilmondoo.com",
            "https://us.api.mondoo.com.evil.example/",
            "https://evil.example/.mondoo.com",
            "http://127.0.0.1:8989",
            "https://localhost",
        ] {
            let (why, _) = to(bad, None).expect_err(bad);
            assert!(why.contains("no host of Mondoo"), "{why}");
            assert!(why.contains("--endpoint"), "{why}");
            let (why, _) = to(bad, Some("https://us.api.mondoo.com")).expect_err(bad);
            assert!(why.contains("no host of Mondoo"), "{why}");
            let own = to(bad, Some(bad)).expect("a person says so");
            assert!(bad.starts_with(&own), "{own}");
        }
        // Without one it is Mondoo's.
        let mut bare = file();
        bare.as_object_mut()
            .expect("a map")
            .remove("universeDomain");
        let found = login(&bare.to_string(), None, &ACTIONS).expect("a login");
        assert_eq!(found.endpoint.base(), "https://us.api.mondoo.com");
    }

    #[test]
    fn hostile_files_are_refused_by_name_and_never_repeated() {
        let of = |value: Value| with("credential_source", value);
        let secret = "kX9pQ2vR7tY4wZ1aB6cD3eF8gH5jK0mN2pQ4rS7tU9vW1xY3zA";
        for (text, hint) in [
            (
                of(json!({"executable": {"command": secret}})),
                "run a program",
            ),
            (of(json!({"executable": secret})), "run a program"),
            (of(json!({"command": secret})), "run a program"),
            (of(json!({"url": "http://169.254.169.254/"})), "any address"),
            (
                of(json!({"url": null, "file": "relative"})),
                "begin with `/`",
            ),
            (of(json!({"environment_id": "aws1"})), "no source"),
            (of(json!({"file": ["a"]})), "not text"),
            (of(json!({"file": ""})), "is empty"),
            (of(json!({"file": "~/token"})), "begin with `/`"),
            (of(json!({"file": "/a", "audience": "b"})), "several"),
            (of(json!({"environment_variable": "A=B"})), "no name"),
            (of(json!({"environment_variable": secret})), "no name"),
            (of(json!(secret)), "no map"),
            (
                with("token_url", json!("https://evil.example")),
                "elsewhere",
            ),
            (
                with("service_account_impersonation_url", json!("https://x")),
                "elsewhere",
            ),
            (
                with("audience", json!("//iam.googleapis.com/projects/1")),
                "no scope of Mondoo",
            ),
            (with("audience", json!(null)), "no `audience`"),
            (with("audience", json!(secret)), "no scope of Mondoo"),
            (with("subjectTokenType", json!("saml2")), "none that is"),
            (with("issuerUri", json!("https://a b")), "no address"),
            (
                with("universeDomain", json!("http://us.api.mondoo.com")),
                "`universeDomain`: plain http",
            ),
            (
                with("universeDomain", json!("https://u:hunter2@a.example")),
                "`universeDomain`",
            ),
            (with("private_key", json!(secret)), "take one of both out"),
        ] {
            let why = parse(&text).expect_err(hint);
            assert!(why.contains(hint), "{hint}: {why}");
            assert!(!why.contains(secret) && !why.contains("hunter2"), "{why}");
        }
    }
}
