//! Who rolecall is in Azure: by the variables that Azure's own libraries read, and by the identity of the
//! machine. Never by the configuration; and where such a login may go.
//!
//! Sources: Microsoft's documentation of the OAuth 2.0 client credentials flow, of managed identities on
//! virtual machines, App Service and Container Apps, and of workload identity on Kubernetes; the sources of
//! azure-identity for Python.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::answer::Challenge;
use super::token::{Token, token};
use crate::http::{Again, Answer, Method, Request, Words, excerpt};
use crate::model::Origin;
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

/// Where a virtual machine asks for its identity.
const IMDS: &str = "http://169.254.169.254";
/// How long that may take to answer: what is not in Azure has nothing there.
const NEAR: Duration = Duration::from_secs(3);
/// How often it is asked while it is being updated, which takes up to 70 s, and the wait in between.
const UPDATES: usize = 15;
const UPDATE: Duration = Duration::from_secs(5);

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "AZURE_AUTHORITY_HOST",
};

const NEAR_WORDS: Words = Words {
    address: "IDENTITY_ENDPOINT",
    ..WORDS
};

/// A cloud of Microsoft's.
struct Cloud {
    /// What the hosts of its vaults end with, and what tokens for them are for.
    vaults: &'static str,
    /// Where it is logged in to.
    authority: &'static str,
}

/// Source: Microsoft's documentation, "Azure Key Vault security overview" and "National clouds".
const CLOUDS: [Cloud; 3] = [
    Cloud {
        vaults: "vault.azure.net",
        authority: "https://login.microsoftonline.com",
    },
    Cloud {
        vaults: "vault.usgovcloudapi.net",
        authority: "https://login.microsoftonline.us",
    },
    Cloud {
        vaults: "vault.azure.cn",
        authority: "https://login.partner.microsoftonline.cn",
    },
];

/// The cloud that a vault is in, if it is one of Microsoft's.
fn cloud_of(vault: &Origin) -> Option<&'static Cloud> {
    let host = vault.as_str().strip_prefix("https://")?;
    CLOUDS.iter().find(|cloud| {
        let name = host.strip_suffix(cloud.vaults);
        let name = name.and_then(|rest| rest.strip_suffix('.'));
        name.is_some_and(|name| !name.is_empty() && !name.contains('.'))
    })
}

fn error(message: impl Into<String>, help: impl Into<String>) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Unauthenticated,
        effect: Effect::None,
        message: message.into(),
        help: Some(help.into()),
    }
}

/// The logins of a run: one for all vaults that ask for the same, which are those of a cloud.
#[derive(Debug, Default)]
pub(super) struct Logins(Mutex<BTreeMap<String, Token>>);

impl Logins {
    /// A token that is good for a while; one that is about to end is replaced.
    ///
    /// # Errors
    /// Why there is no login, with the sources that were tried.
    pub(super) async fn token(
        &self,
        machine: &Machine,
        vault: &Origin,
        challenge: &Challenge,
    ) -> Result<Zeroizing<String>, SinkError> {
        let mut held = self.0.lock().await;
        let now = (machine.time.now)();
        if let Some(token) = held.get(&challenge.resource).filter(|one| one.lasts(now)) {
            return Ok(token.text());
        }
        let fresh = enter(machine, vault, challenge).await?;
        let text = fresh.text();
        held.insert(challenge.resource.clone(), fresh);
        Ok(text)
    }

    /// Lets the next request log in anew.
    pub(super) async fn forget(&self, challenge: &Challenge) {
        self.0.lock().await.remove(&challenge.resource);
    }
}

/// Refuses a vault that no login may go to. Nothing was sent.
pub(super) fn may_go(machine: &Machine, vault: &Origin) -> Result<(), SinkError> {
    if cloud_of(vault).is_some() || machine.allowed.contains(vault) {
        return Ok(());
    }
    let own = CLOUDS.map(|cloud| format!("https://NAME.{}", cloud.vaults));
    Err(error(
        format!("{vault} is no address of a vault in Azure, so the login was not sent"),
        format!(
            "write the sink's vault as one of {}, or let a policy directory say destinations {{ allow = \
             [\"{vault}\"] }}",
            own.join(", ")
        ),
    ))
}

/// Refuses a challenge that asks for a token that is for something else than the vault.
///
/// Source: Microsoft's announcement of challenge resource verification in its libraries (aka.ms/azsdk/blog/vault-uri).
pub(super) fn fits(vault: &Origin, challenge: &Challenge) -> Result<(), SinkError> {
    let resource = challenge.resource.as_str();
    let good = match cloud_of(vault) {
        Some(cloud) => resource.strip_prefix("https://") == Some(cloud.vaults),
        None => {
            let bare = |text: &str| Some(text.split_once("://")?.1.to_owned());
            let host = bare(vault.as_str());
            let host = host
                .as_deref()
                .map(|host| host.split(':').next().unwrap_or(host));
            let wanted = resource.strip_prefix("https://");
            wanted.zip(host).is_some_and(|(wanted, host)| {
                let part = host
                    .strip_suffix(wanted)
                    .and_then(|rest| rest.strip_suffix('.'));
                let named = wanted.contains('.') && part.is_some_and(|part| !part.is_empty());
                wanted == host || named
            })
        }
    };
    match good {
        true => Ok(()),
        false => Err(error(
            format!(
                "{vault} asks for a token for {}, which is not its own domain; nothing was sent",
                excerpt(resource, "")
            ),
            "check the sink's vault: another server may answer in its place",
        )),
    }
}

/// Where a login by a secret or a token goes.
fn authority(machine: &Machine, vault: &Origin) -> Result<Origin, SinkError> {
    const NAME: &str = "AZURE_AUTHORITY_HOST";
    let cloud = cloud_of(vault);
    let own = cloud.map_or(CLOUDS[0].authority, |cloud| cloud.authority);
    let text = machine.variable(NAME).unwrap_or(own).trim();
    let whole = match text.contains("://") {
        true => text.to_owned(),
        false => format!("https://{text}"),
    };
    let origin = Origin::new(&whole).map_err(|why| {
        error(
            format!("{NAME} is no address, so that nothing was sent: {why}"),
            format!("unset it, or write {own}"),
        )
    })?;
    let known = CLOUDS
        .iter()
        .any(|cloud| cloud.authority == origin.as_str());
    match (known, cloud) {
        (true, None) => Ok(origin),
        (true, Some(cloud)) if cloud.authority == origin.as_str() => Ok(origin),
        (true, Some(cloud)) => Err(error(
            format!("{NAME} is that of another cloud than {vault}; the login was not sent"),
            format!("write {}, or correct the sink's vault", cloud.authority),
        )),
        (false, _) if machine.allowed.contains(&origin) => Ok(origin),
        (false, _) => Err(error(
            format!("{NAME} names {origin}, which is none of Azure's; the login was not sent"),
            format!(
                "write {own}, or let a policy directory say destinations {{ allow = [\"{origin}\"] }}"
            ),
        )),
    }
}

/// Logs in for a resource, by the first source that the machine has.
///
/// # Errors
/// Why there is no login, with the sources that were tried.
async fn enter(
    machine: &Machine,
    vault: &Origin,
    challenge: &Challenge,
) -> Result<Token, SinkError> {
    let set = |name: &str| machine.variable(name).is_some();
    let (secret, file) = (
        set("AZURE_CLIENT_SECRET"),
        set("AZURE_FEDERATED_TOKEN_FILE"),
    );
    if secret || file {
        let by = if secret {
            "AZURE_CLIENT_SECRET"
        } else {
            "AZURE_FEDERATED_TOKEN_FILE"
        };
        return client(machine, vault, challenge, by).await;
    }
    if set("IDENTITY_ENDPOINT") {
        return app_service(machine, challenge).await;
    }
    virtual_machine(machine, challenge).await
}

fn variable<'m>(machine: &'m Machine, name: &str, by: &str) -> Result<&'m str, SinkError> {
    machine.variable(name).map(str::trim).ok_or_else(|| {
        error(
            format!("{name} is not set, which the login by {by} needs"),
            "set it where the login is set",
        )
    })
}

/// A form as it is sent.
fn form(fields: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    let long: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let mut body = Zeroizing::new(Vec::with_capacity(64 + 3 * long));
    for (name, value) in fields {
        if !body.is_empty() {
            body.push(b'&');
        }
        body.extend_from_slice(name.as_bytes());
        body.push(b'=');
        for byte in value.bytes() {
            match byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                true => body.push(byte),
                false => {
                    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                    body.push(b'%');
                    body.extend([byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
                }
            }
        }
    }
    body
}

/// What a login that is refused says of the reason.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    error_description: String,
    /// Those after `AADSTS`.
    #[serde(default)]
    error_codes: Vec<u64>,
}

/// Errors of a login that may be taken in some minutes, since what it rests on was made just now.
///
/// * 70021, no federated identity record fits the token. Source: Microsoft's documentation, "Important
///   considerations and restrictions for federated identity credentials": a fresh record may be missed for minutes.
/// * 700211 and 700213, the same said of the issuer and of the subject alone. Source: Azure/azure-workload-identity#1200.
/// * 70025, the application has no such record at all: what 70021 is for the first one. No source says that it passes.
/// * 700016, there is no such application. Sources: AzureAD/microsoft-authentication-library-for-dotnet#3706,
///   hashicorp/vault-plugin-secrets-azure#26.
///
/// Not 7002138, by which a subject differs in small and capital letters: that stays so.
const FRESH: [u64; 5] = [70021, 700_211, 700_213, 70025, 700_016];

/// By a secret of an application, or by a token that it trusts.
async fn client(
    machine: &Machine,
    vault: &Origin,
    challenge: &Challenge,
    by: &str,
) -> Result<Token, SinkError> {
    let id = variable(machine, "AZURE_CLIENT_ID", by)?;
    let tenant = variable(machine, "AZURE_TENANT_ID", by)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    let named = tenant.bytes().next().is_some_and(|b| b != b'.') && !tenant.contains("..");
    if !named || !tenant.bytes().all(plain) {
        return Err(error(
            "AZURE_TENANT_ID is no directory",
            "write its id, or one of its domains",
        ));
    }
    let authority = authority(machine, vault)?;
    let scope = format!("{}/.default", challenge.resource);
    let mut fields = vec![
        ("client_id", id),
        ("scope", scope.as_str()),
        ("grant_type", "client_credentials"),
    ];
    let proof = match machine.variable("AZURE_FEDERATED_TOKEN_FILE") {
        Some(path) if by == "AZURE_FEDERATED_TOKEN_FILE" => {
            let text = fs::read_to_string(path).map(Zeroizing::new);
            text.map_err(|why| {
                error(
                    format!("the file of {by} cannot be read: {why}"),
                    "name a file that holds a token, which is read anew for each login",
                )
            })?
        }
        _ => Zeroizing::new(variable(machine, by, by)?.to_owned()),
    };
    let proof = Zeroizing::new(proof.trim().to_owned());
    match by {
        "AZURE_FEDERATED_TOKEN_FILE" => fields.extend([
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", proof.as_str()),
        ]),
        _ => fields.push(("client_secret", proof.as_str())),
    }
    let body = form(&fields);
    let connection = machine.client(authority.as_str(), None, WORDS)?;
    let url = format!("{authority}/{tenant}/oauth2/v2.0/token");
    let make = || {
        let mut request = Request::new(Method::Post, url.as_str())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.clone());
        request.largest_answer = 256 * 1024;
        request
    };
    let call = Call {
        operation: "azure login",
        // A login that is repeated makes one more token, which ends by itself.
        writes: false,
        make: &make,
        again: remote::usual,
    };
    let began = (machine.time.now)();
    let answer = remote::send(machine, &connection, &call).await?;
    if answer.status == 200 {
        return token(&answer, began);
    }
    let Told {
        error_description,
        error_codes,
    } = serde_json::from_slice(&answer.body).unwrap_or_default();
    let line = error_description.lines().next().unwrap_or_default();
    let words = match line.is_empty() {
        true => String::new(),
        false => format!(": {}", excerpt(line, &proof)),
    };
    let (kind, _) = remote::kind_of(answer.status, false);
    Err(SinkError {
        kind: match answer.status {
            _ if error_codes.iter().any(|code| FRESH.contains(code)) => {
                SinkErrorKind::PermissionDenied
            }
            400..=404 => SinkErrorKind::Unauthenticated,
            _ => kind,
        },
        ..error(
            format!(
                "{authority} did not take the login by {by} (HTTP {}{words})",
                answer.status
            ),
            "check AZURE_TENANT_ID and AZURE_CLIENT_ID, and that the secret has not expired or that the \
             application trusts issuer, subject and audience of the token",
        )
    })
}

/// Where a machine asks for its own identity: plain http, on the machine itself or its link alone.
fn near(text: &str, named: &str) -> Result<String, SinkError> {
    let bare = text.strip_prefix("http://").map(|rest| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        &rest[..end]
    });
    let host = bare.map(|bare| match bare.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => bare,
    });
    let is_near = host.is_some_and(|host| {
        let link = host.parse::<std::net::Ipv4Addr>();
        crate::http::is_loopback(host) || link.is_ok_and(|one| one.is_link_local())
    });
    match (is_near, bare) {
        (true, Some(bare)) => Ok(format!("http://{bare}")),
        _ => Err(error(
            format!("{named} is not on this machine or its link, so that nothing was sent"),
            "it is set by Azure, as http://127.0.0.1:PORT/… or http://169.254.…; unset it elsewhere",
        )),
    }
}

/// The query that asks for a token of the machine's identity.
fn query(machine: &Machine, version: &str, challenge: &Challenge) -> String {
    let mut fields = vec![
        ("api-version", version),
        ("resource", challenge.resource.as_str()),
    ];
    // One of several identities of the machine.
    fields.extend(
        machine
            .variable("AZURE_CLIENT_ID")
            .map(|id| ("client_id", id.trim())),
    );
    String::from_utf8_lossy(&form(&fields)).into_owned()
}

/// App Service, Functions and Container Apps.
async fn app_service(machine: &Machine, challenge: &Challenge) -> Result<Token, SinkError> {
    let by = "IDENTITY_ENDPOINT";
    let endpoint = variable(machine, by, by)?;
    let Some(header) = machine.variable("IDENTITY_HEADER") else {
        return Err(error(
            "IDENTITY_ENDPOINT is set without IDENTITY_HEADER, as on Azure Arc, whose login rolecall has \
             not",
            "use AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE there",
        ));
    };
    let base = near(endpoint, by)?;
    if endpoint.contains(['?', '#']) {
        return Err(error(
            "IDENTITY_ENDPOINT has a query, so that nothing was sent",
            "it is set by Azure; unset it elsewhere",
        ));
    }
    let connection = machine.client(&base, None, NEAR_WORDS)?;
    let url = format!("{endpoint}?{}", query(machine, "2019-08-01", challenge));
    let make = || {
        let mut request = Request::new(Method::Get, url.as_str())
            .secret("x-identity-header", Zeroizing::new(header.to_owned()));
        request.largest_answer = 256 * 1024;
        request
    };
    let call = Call {
        operation: "azure identity",
        writes: false,
        make: &make,
        again: remote::usual,
    };
    let began = (machine.time.now)();
    let answer = remote::send(machine, &connection, &call).await?;
    match answer.status {
        200 => token(&answer, began),
        status => Err(error(
            format!("the identity of this app was not given (HTTP {status})"),
            "give the app a managed identity; AZURE_CLIENT_ID names one of several",
        )),
    }
}

/// A virtual machine, or what lends its identity.
async fn virtual_machine(machine: &Machine, challenge: &Challenge) -> Result<Token, SinkError> {
    let named = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
    let base = near(machine.variable(named).unwrap_or(IMDS), named)?;
    let connection = machine.client(&base, None, NEAR_WORDS)?;
    let connection = connection.patient(NEAR.min(machine.patience));
    let url = format!(
        "{base}/metadata/identity/oauth2/token?{}",
        query(machine, "2018-02-01", challenge)
    );
    let make = || {
        let mut request = Request::new(Method::Get, url.as_str()).header("metadata", "true");
        request.largest_answer = 256 * 1024;
        request
    };
    let call = Call {
        operation: "azure identity",
        writes: false,
        make: &make,
        again: |answer| match answer.status {
            // Waited for below.
            410 => Again::Never,
            _ => remote::usual(answer),
        },
    };
    let mut updates = 0;
    let (began, answer) = loop {
        let began = (machine.time.now)();
        let answer = remote::send(machine, &connection, &call).await;
        match &answer {
            Ok(Answer { status: 410, .. }) if updates < UPDATES => {
                updates += 1;
                (machine.time.sleep)(UPDATE).await;
            }
            _ => break (began, answer),
        }
    };
    let why = match answer {
        Ok(answer) if answer.status == 200 => return token(&answer, began),
        Ok(answer) => format!("it answered with HTTP {}", answer.status),
        Err(_) => "it did not answer".to_owned(),
    };
    Err(error(
        format!(
            "nobody is logged in to Azure: AZURE_CLIENT_SECRET, AZURE_FEDERATED_TOKEN_FILE and \
             IDENTITY_ENDPOINT are not set, and the identity of a virtual machine was asked for at {base}: \
             {why}"
        ),
        "set one of them (rolecall docs sink-azure_key_vault), or give the machine an identity; AZURE_CLIENT_ID \
         names one of several",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::new(text).expect("an address")
    }

    #[test]
    fn a_vault_is_azures_own_by_its_whole_domain() {
        for (vault, own) in [
            ("https://acme.vault.azure.net", true),
            ("https://acme.vault.usgovcloudapi.net", true),
            ("https://acme.vault.azure.cn", true),
            ("https://vault.azure.net", false),
            ("https://a.b.vault.azure.net", false),
            ("https://acme.vault.azure.net:8443", false),
            ("https://acmevault.azure.net", false),
            ("https://acme.vault.azure.net.evil.example", false),
            ("https://evil.example", false),
        ] {
            assert_eq!(cloud_of(&origin(vault)).is_some(), own, "{vault}");
        }
    }

    #[test]
    fn a_token_is_asked_for_the_vaults_own_domain_alone() {
        for (vault, resource, good) in [
            ("https://a.vault.azure.net", "https://vault.azure.net", true),
            ("https://a.vault.azure.net", "https://azure.net", false),
            ("https://a.vault.azure.net", "https://vault.azure.cn", false),
            (
                "https://a.vault.azure.net",
                "https://management.azure.com",
                false,
            ),
            (
                "https://a.vault.azure.net",
                "https://a.vault.azure.net.evil.example",
                false,
            ),
            ("https://a.vault.azure.net", "vault.azure.net", false),
            ("https://kv.acme.example:8443", "https://acme.example", true),
            ("https://kv.acme.example", "https://kv.acme.example", true),
            ("https://kv.acme.example", "https://me.example", false),
            ("https://kv.acme.example", "https://example", false),
            ("https://kv.acme.example", "https://vault.azure.net", false),
            ("https://kv.acme.example", "https://", false),
        ] {
            let challenge = Challenge {
                resource: resource.to_owned(),
                tenant: None,
            };
            let done = fits(&origin(vault), &challenge);
            assert_eq!(done.is_ok(), good, "{vault} {resource}");
        }
    }

    #[test]
    fn the_identity_of_a_machine_is_asked_for_on_the_machine_alone() {
        for (text, base) in [
            (
                "http://127.0.0.1:41741/msi/token",
                Some("http://127.0.0.1:41741"),
            ),
            (
                "http://localhost:42356/msi/token/",
                Some("http://localhost:42356"),
            ),
            (
                "http://169.254.129.4:8081/msi/token",
                Some("http://169.254.129.4:8081"),
            ),
            ("http://10.0.0.1/msi/token", None),
            ("http://evil.example/msi/token", None),
            ("http://127.0.0.1@evil.example/", None),
            ("http://evil.example:80@127.0.0.1:80/", None),
            ("http://localhost.evil.example/", None),
            ("https://127.0.0.1/", None),
            ("", None),
        ] {
            assert_eq!(near(text, "X").ok().as_deref(), base, "{text}");
        }
    }

    #[test]
    fn a_form_keeps_what_it_is_given() {
        let body = form(&[("a", "x y&=+/~"), ("b", "ü")]);
        assert_eq!(
            String::from_utf8_lossy(&body),
            "a=x%20y%26%3D%2B%2F~&b=%C3%BC"
        );
    }
}
