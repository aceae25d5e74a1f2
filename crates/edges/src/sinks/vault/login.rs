//! Who rolecall is in Vault: by the variables that Vault's own programs read, and by the identity of the
//! machine. Never by the configuration.
//!
//! Sources: Vault's documentation of its auth methods `approle`, `kubernetes` and `jwt`.

use std::fs;

use jiff::SignedDuration;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::answer::{self, INDEX};
use super::token::{self, Token};
use crate::http::{Client, Method, Request, WITHHELD, excerpt, repeats};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

/// Where Kubernetes puts the token of a pod's account.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// How rolecall logs in.
#[derive(Debug)]
pub(super) enum Login {
    /// A token of somebody.
    Token,
    /// The auth method of this name, mounted there.
    Method {
        kind: Kind,
        mount: String,
        /// The namespace of the auth method, which may be another than that of the secret.
        namespace: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AppRole,
    Kubernetes,
    Jwt,
}

fn refuse<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, SinkError> {
    Err(SinkError {
        kind: SinkErrorKind::Unauthenticated,
        effect: Effect::None,
        message: message.into(),
        help: Some(help.into()),
    })
}

/// The file of `VAULT_CACERT`, if it is set.
pub(super) fn authorities(machine: &Machine) -> Result<Option<Vec<u8>>, SinkError> {
    // As Vault's programs read it. Source: `strconv.ParseBool` in api/client.go.
    let verifies = ["0", "f", "F", "false", "FALSE", "False"];
    let skips = machine.variable("VAULT_SKIP_VERIFY");
    if skips.is_some_and(|value| !verifies.contains(&value)) {
        return refuse(
            "VAULT_SKIP_VERIFY is set, and a key is sent to no server that is not verified",
            "unset it, and name the server's authority with VAULT_CACERT",
        );
    }
    let Some(path) = machine.variable("VAULT_CACERT") else {
        return Ok(None);
    };
    match fs::read(path) {
        Ok(pem) => Ok(Some(pem)),
        Err(error) => refuse(
            format!("the file of VAULT_CACERT cannot be read: {error}"),
            "name a file of certificates in PEM",
        ),
    }
}

impl Login {
    /// Which login the machine has.
    pub(super) fn find(machine: &Machine) -> Result<Self, SinkError> {
        let set = |name: &str| machine.variable(name).is_some();
        let wanted = machine.variable("VAULT_AUTH_METHOD");
        let role = set("VAULT_AUTH_ROLE");
        let kind = match wanted {
            Some("token") => None,
            Some("approle") => Some(Kind::AppRole),
            Some("kubernetes") => Some(Kind::Kubernetes),
            Some("jwt") => Some(Kind::Jwt),
            Some(_) => {
                return refuse(
                    "VAULT_AUTH_METHOD names no method that rolecall knows",
                    "it is token, approle, kubernetes or jwt",
                );
            }
            None if set("VAULT_TOKEN") => None,
            None if set("VAULT_ROLE_ID") => Some(Kind::AppRole),
            None if role && set("VAULT_AUTH_JWT_FILE") => Some(Kind::Jwt),
            None if role && set("VAULT_ID_TOKEN") => Some(Kind::Jwt),
            None if role && set("ACTIONS_ID_TOKEN_REQUEST_URL") => Some(Kind::Jwt),
            None if role && fs::metadata(POD_TOKEN).is_ok() => Some(Kind::Kubernetes),
            None => {
                return refuse(
                    "nobody is logged in to Vault: VAULT_TOKEN, VAULT_ROLE_ID with VAULT_SECRET_ID, and \
                     VAULT_AUTH_ROLE with an identity of this machine were looked for",
                    "set one of them (rolecall docs sink-vault)",
                );
            }
        };
        let needed: &[&str] = match kind {
            None => &["VAULT_TOKEN"],
            Some(Kind::AppRole) => &["VAULT_ROLE_ID", "VAULT_SECRET_ID"],
            Some(Kind::Kubernetes | Kind::Jwt) => &["VAULT_AUTH_ROLE"],
        };
        if let Some(missing) = needed.iter().find(|name| !set(name)) {
            return refuse(
                format!("{missing} is not set, which this login needs"),
                "set it, or choose another VAULT_AUTH_METHOD",
            );
        }
        let Some(kind) = kind else {
            return Ok(Self::Token);
        };
        let usual = match kind {
            Kind::AppRole => "approle",
            Kind::Kubernetes => "kubernetes",
            Kind::Jwt => "jwt",
        };
        let mount = machine.variable("VAULT_AUTH_MOUNT").unwrap_or(usual);
        let mount = mount.trim_matches('/').to_owned();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
        if mount.is_empty() || !mount.bytes().all(plain) || mount.split('/').any(|p| p == "..") {
            return refuse(
                "VAULT_AUTH_MOUNT is no path of a mount",
                "letters, digits, `-`, `_`, `.` and `/` make one",
            );
        }
        Ok(Self::Method {
            kind,
            mount,
            namespace: token::namespace(machine).map(str::to_owned),
        })
    }

    /// Logs in.
    pub(super) async fn enter(
        &self,
        machine: &Machine,
        client: &Client,
    ) -> Result<Token, SinkError> {
        let Self::Method {
            kind,
            mount,
            namespace,
        } = self
        else {
            return Token::given(machine, client).await;
        };
        let (body, proof) = body(*kind, machine).await?;
        let url = format!("{}/v1/auth/{mount}/login", client.shown());
        let make = || {
            let mut request = Request::new(Method::Post, url.as_str())
                .header("content-type", "application/json")
                .header("x-vault-request", "true")
                .body(body.clone());
            if let Some(namespace) = namespace {
                request = request.header("x-vault-namespace", namespace.as_str());
            }
            request.wanted = &[INDEX];
            request
        };
        let call = Call {
            operation: "vault login",
            // A login that is repeated makes one more token, which ends by itself.
            writes: false,
            make: &make,
            again: answer::again,
        };
        let began = (machine.time.now)();
        let answer = remote::send(machine, client, &call).await?;
        #[derive(Deserialize)]
        struct Entered {
            auth: Auth,
        }
        #[derive(Deserialize)]
        struct Auth {
            #[serde(deserialize_with = "crate::secret::zeroizing")]
            client_token: Zeroizing<String>,
            /// In seconds; 0 for a token that does not end.
            #[serde(default)]
            lease_duration: i64,
        }
        let place = match namespace {
            Some(namespace) => format!("auth/{mount} of the namespace {namespace}"),
            None => format!("auth/{mount} of the root namespace"),
        };
        if answer.status != 200 {
            let (kind, _) = remote::kind_of(answer.status, false);
            let kind = match answer.status {
                400..=404 => SinkErrorKind::Unauthenticated,
                _ => kind,
            };
            let said = answer::said(&answer);
            let words = match said.as_str() {
                "" => String::new(),
                said if repeats(said.as_bytes(), proof.as_bytes()) => format!(": {WITHHELD}"),
                said => format!(": {}", excerpt(said, "")),
            };
            return Err(SinkError {
                kind,
                effect: Effect::None,
                message: format!(
                    "Vault did not take the login at {place} (HTTP {}{words})",
                    answer.status
                ),
                help: Some(
                    "check the role and its bounds, VAULT_AUTH_MOUNT, and VAULT_NAMESPACE, which is \
                     that of the login"
                        .to_owned(),
                ),
            });
        }
        let entered: Entered = serde_json::from_slice(&answer.body)
            .map_err(|_| answer::malformed("the answer to the login holds no token"))?;
        let Auth {
            client_token,
            lease_duration,
        } = entered.auth;
        let until = (lease_duration > 0).then(|| began + SignedDuration::from_secs(lease_duration));
        Ok(Token::of_login(client_token, until))
    }
}

/// The body of a login, and what in it is nobody else's to see.
async fn body(
    kind: Kind,
    machine: &Machine,
) -> Result<(Zeroizing<Vec<u8>>, Zeroizing<String>), SinkError> {
    let variable = |name: &str| machine.variable(name).unwrap_or_default().trim();
    let fields = match kind {
        Kind::AppRole => [
            (
                "role_id",
                Zeroizing::new(variable("VAULT_ROLE_ID").to_owned()),
            ),
            (
                "secret_id",
                Zeroizing::new(variable("VAULT_SECRET_ID").to_owned()),
            ),
        ],
        Kind::Kubernetes | Kind::Jwt => [
            (
                "role",
                Zeroizing::new(variable("VAULT_AUTH_ROLE").to_owned()),
            ),
            ("jwt", assertion(kind, machine).await?),
        ],
    };
    let mut body = Zeroizing::new(Vec::with_capacity(
        64 + 6 * fields.iter().map(|(_, value)| value.len()).sum::<usize>(),
    ));
    for (n, (name, value)) in fields.iter().enumerate() {
        let before = if n == 0 { "{" } else { "," };
        body.extend_from_slice(format!("{before}\"{name}\":").as_bytes());
        serde_json::to_writer(&mut *body, value.as_str())
            .map_err(|_| answer::malformed("the login is no text"))?;
    }
    body.push(b'}');
    let [_, (_, proof)] = fields;
    Ok((body, proof))
}

/// The token of an identity of this machine, read anew: such tokens live for minutes.
async fn assertion(kind: Kind, machine: &Machine) -> Result<Zeroizing<String>, SinkError> {
    let file = machine.variable("VAULT_AUTH_JWT_FILE");
    // As GitLab's documentation calls it, whose jobs get such tokens in variables.
    let given = machine.variable("VAULT_ID_TOKEN");
    let (path, named) = match (kind, file, given) {
        (_, Some(path), _) => (path, "VAULT_AUTH_JWT_FILE"),
        (Kind::Kubernetes, None, _) => (POD_TOKEN, "the token of the pod"),
        (_, None, Some(token)) => return Ok(Zeroizing::new(token.trim().to_owned())),
        (_, None, None) => {
            return crate::sinks::actions::token(machine, machine.variable("VAULT_AUTH_AUDIENCE"))
                .await;
        }
    };
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.or_else(|error| {
        refuse(
            format!("{named} cannot be read: {error}"),
            "name a file that holds a token, which is read anew for each login",
        )
    })?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}
