//! The way to the platform that all commands go, and what is live there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::echo;
use crate::http::{self, Proxy, Settings, Time, Words, holds_certificate};
use crate::model::{CleanUp, Desired, Home, Inventory, Live, Scope, Seals, SpaceId, Unread};
use crate::plan::{Answers, Plan, Questions, Unused};
use crate::platform::{
    Client, Environment, Http, Identity, Login, LoginError, Outlet, Source, Wanted, discover,
    precedence,
};
use crate::ports::{ErrorKind, Owners, ReadError, Reader};
use crate::refresh::{clean_ups, refresh_beyond};
use crate::view::inert;

use super::events::Event;
use super::failure::Failure;
use super::load::{self, Loaded};
use super::options::{ConfigArgs, PlatformChoice, Scopes};
use super::paths::{tilde, word};
use super::reporter::Reporter;
use super::seal;

/// A wait this long is told. Those that the client chooses itself are shorter.
const TOLD: Duration = Duration::from_secs(3);

/// A connection to the platform.
pub struct Reached {
    /// The connection.
    pub client: Client<Http>,
    /// The scope in which the credential says it lives.
    pub scope: Option<Scope>,
    /// The API's base URL, or `local`.
    pub endpoint: String,
    /// The embedded platform, kept running.
    pub kept: Kept,
}

/// A configuration beside what is live in its scopes.
pub struct Looked {
    /// What the configuration says.
    pub desired: Desired,
    /// What is there.
    pub live: Live,
    /// Whose that is.
    pub inventory: Inventory,
    /// The connection over which that was read.
    pub reached: Reached,
}

/// The scope in which a credential says it lives.
pub fn home_scope(identity: &Identity) -> Option<Scope> {
    match identity {
        Identity::ServiceAccount(account) => account
            .mrn
            .account_scope()
            .or_else(|| Scope::from_mrn(account.scope_mrn.as_deref()?)),
        Identity::Workload(workload) => workload.scope(),
        Identity::ApiToken(_) => None,
    }
}

/// What is to be read of the scope in which a login lives.
pub fn home(scope: Option<Scope>, scopes: Scopes) -> Home {
    match (scopes, scope) {
        (Scopes::Declared, scope) => Home::LeftOut(scope),
        (Scopes::All, Some(scope)) => Home::Read(scope),
        (Scopes::All, None) => Home::Unknown,
    }
}

/// A client for a login; nothing is sent yet. `ca` holds certificates to trust besides the others, and
/// `patience` is how long one answer may take.
///
/// # Errors
/// Why no connection can be prepared.
pub fn client(
    login: Login,
    ca: Option<&[u8]>,
    patience: Duration,
    reporter: &Reporter,
) -> Result<Client<Http>, Failure> {
    let http = connection(&login, ca).map_err(Failure::error)?;
    let watcher = reporter.clone();
    let time = Time {
        now: Arc::new(jiff::Timestamp::now),
        sleep: Arc::new(move |duration: Duration| {
            if duration >= TOLD {
                let seconds = duration.as_secs_f64().round();
                watcher.note(&format!(
                    "The platform asks to wait; it is asked again in {seconds} s"
                ));
            }
            Box::pin(tokio::time::sleep(duration))
        }),
    };
    let http = http.patient(patience);
    let outlet = outlet(&login, ca, patience).map_err(Failure::error)?;
    let client = Client::new(http, login.endpoint, login.identity, time).lent(outlet);
    let watcher = reporter.clone();
    Ok(client.observed(Box::new(move |exchange| watcher.request(exchange))))
}

fn connection(login: &Login, ca: Option<&[u8]>) -> Result<Http, String> {
    let found;
    let proxy = match &login.proxy {
        _ if login.endpoint.is_loopback() => None,
        Some(proxy) => Some(proxy),
        None => {
            found = Proxy::find(&variable).map_err(|e| e.to_string())?;
            found.as_ref()
        }
    };
    let named = match login.endpoint.base().starts_with("https:") {
        true => authorities()?,
        false => None,
    };
    Http::new(&login.endpoint, ca, proxy, named.as_deref()).map_err(|e| e.to_string())
}

/// What a login by workload identity takes of this machine.
fn outlet(login: &Login, ca: Option<&[u8]>, patience: Duration) -> Result<Outlet, String> {
    let asks = match &login.identity {
        Identity::Workload(workload) => workload.asks().map_err(|e| e.to_string())?,
        Identity::ServiceAccount(_) | Identity::ApiToken(_) => None,
    };
    let actions = match asks {
        None => None,
        Some(origin) => {
            let proxy = Proxy::find(&variable).map_err(|e| e.to_string())?;
            let named = match origin.starts_with("https:") {
                true => authorities()?,
                false => None,
            };
            let settings = Settings {
                authorities: ca,
                identity: None,
                in_place: named.as_deref(),
                proxy: proxy.as_ref(),
                patience,
                words: Words {
                    authorities: "--ca-file",
                    trust: "--ca-file FILE (or SSL_CERT_FILE)",
                    longer: "--timeout SECONDS waits longer",
                    address: "ACTIONS_ID_TOKEN_REQUEST_URL",
                },
            };
            Some(http::Client::new(&origin, &settings).map_err(|e| e.to_string())?)
        }
    };
    Ok(Outlet {
        read_file: Box::new(|path| std::fs::read(path)),
        actions,
    })
}

/// The certificates of `--ca-file`, if it is given.
///
/// # Errors
/// Why they cannot be read.
pub fn certificates(path: Option<&Path>) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = path else { return Ok(None) };
    std::fs::read(path).map(Some).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => error.to_string(),
        };
        Failure::error(format!("--ca-file {}: {why}", echo::path(path))).helps(tilde(path))
    })
}

/// What in the environment names the authorities to trust in place of the system's. A file that
/// holds none is an error: TLS would pass over it.
pub fn authorities() -> Result<Option<String>, String> {
    let mut named = Vec::new();
    if let Some(path) = variable("SSL_CERT_FILE") {
        if path.is_empty() {
            return Err(
                "SSL_CERT_FILE is set and empty; unset it to trust the system's authorities"
                    .to_owned(),
            );
        }
        let shown = format!("SSL_CERT_FILE ({})", echo::text(&path));
        let pem = std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => match echo::tilde(Path::new(&path)) {
                Some(way) => format!("{shown}: there is no such file; {way}"),
                None => format!("{shown}: there is no such file"),
            },
            _ => format!("{shown}: {error}"),
        })?;
        if !holds_certificate(&pem) {
            return Err(format!("{shown} holds no certificate in PEM"));
        }
        named.push(shown);
    }
    if let Some(folders) = variable("SSL_CERT_DIR") {
        for folder in folders_of(&folders)? {
            check_folder(folder)?;
        }
        named.push(format!("SSL_CERT_DIR ({})", echo::text(&folders)));
    }
    Ok((!named.is_empty()).then(|| named.join(" and ")))
}

/// The folders that `SSL_CERT_DIR` lists.
fn folders_of(list: &str) -> Result<Vec<&Path>, String> {
    let folders: Vec<&Path> = list
        .split(':')
        .filter(|folder| !folder.is_empty())
        .map(Path::new)
        .collect();
    match folders.is_empty() {
        true => Err(
            "SSL_CERT_DIR is set and empty; unset it to trust the system's authorities".to_owned(),
        ),
        false => Ok(folders),
    }
}

/// Refuses a folder of authorities that holds none: TLS would pass over it.
fn check_folder(folder: &Path) -> Result<(), String> {
    let shown = format!("SSL_CERT_DIR ({})", echo::path(folder));
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => match echo::tilde(folder) {
            Some(way) => format!("{shown}: there is no such folder; {way}"),
            None => format!("{shown}: there is no such folder"),
        },
        _ => format!("{shown}: {error}"),
    };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // What cannot be read among others is passed over, as TLS does.
        if path.is_file() && std::fs::read(path).is_ok_and(|pem| holds_certificate(&pem)) {
            return Ok(());
        }
    }
    Err(format!("{shown} holds no certificate in PEM"))
}

/// A variable of the environment. One that is no text must not look like none: the next would be
/// taken.
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Why the platform does not say who calls, where the credential is from, and, if it is not accepted,
/// what there is to know about that.
pub fn nobody(error: &ReadError, source: &str, refused: &[String]) -> Failure {
    let failure = Failure::error(&error.message).help(format!("the credential is from {source}"));
    match error.kind {
        ErrorKind::Unauthenticated => failure.helps(refused.iter().cloned()),
        _ => failure,
    }
}

/// Logs in and says where and as whom. `desired` may assert where the credential leads.
///
/// # Errors
/// Why nobody is logged in.
pub async fn reach(
    choice: &PlatformChoice,
    dir: &Path,
    desired: &Desired,
    reporter: &Reporter,
) -> Result<Reached, Failure> {
    reach_if(choice, dir, desired, reporter, |_| Ok(())).await
}

/// The same if the login is one to be used: that is asked before anything is sent.
///
/// # Errors
/// Why nobody is logged in.
pub async fn reach_if(
    choice: &PlatformChoice,
    dir: &Path,
    desired: &Desired,
    reporter: &Reporter,
    usable: impl FnOnce(&Login) -> Result<(), Failure>,
) -> Result<Reached, Failure> {
    let (login, place, ca, kept) = connect(choice, dir, desired, reporter).await?;
    if let (Some(assertion), false) = (&desired.endpoint, choice.local) {
        login
            .endpoint
            .assert(assertion)
            .map_err(|error| Failure::error(error.to_string()))?;
    }
    usable(&login)?;
    let source = login.source.to_string();
    let scope = home_scope(&login.identity);
    let endpoint = if choice.local {
        "local".to_owned()
    } else {
        login.endpoint.base().to_owned()
    };
    let client = client(login, ca.as_deref(), choice.patience(), reporter)?;
    reporter.note(&format!("Platform  {place}"));
    let caller = client
        .caller()
        .await
        .map_err(|error| nobody(&error, &source, &[precedence()]))?;
    let who = match &caller.name {
        Some(name) => format!("{} ({})", inert(name), inert(caller.mrn.as_str())),
        None => inert(caller.mrn.as_str()),
    };
    reporter.note(&format!("Caller    {who}, from {}", inert(&source)));
    if let Some(lasts) = client.temporary() {
        reporter.note(&format!("Login     {}", inert(&lasts)));
    }
    let binding = caller.binding.as_ref();
    if let Some(identity) = binding.and_then(|one| one.identity.as_deref()) {
        reporter.note(&format!("Binding   {}", inert(identity)));
    }
    reporter.note("");
    reporter.emit(Event::LoggedIn {
        stack: &desired.stack,
        endpoint: &endpoint,
        caller: &caller,
        dated: client.dated(),
    });
    Ok(Reached {
        client,
        scope,
        endpoint,
        kept,
    })
}

/// The run's seal keys; the embedded platform has its own.
///
/// # Errors
/// What is wrong with one of them.
pub fn keys(
    choice: &PlatformChoice,
    dir: &Path,
    desired: &Desired,
    reporter: &Reporter,
) -> Result<Seals, Failure> {
    let folder = dir.join(".rolecall");
    seal::keys(
        choice.local.then_some(folder.as_path()),
        desired.seal_keys.as_ref(),
        choice.accept_unsealed,
        reporter,
    )
}

/// A key that other users of the machine can read is theirs as well.
fn warn_if_exposed(source: &Source, reporter: &Reporter) {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(path) = source.file() else { return };
    // What cannot be looked at was read all the same, as through a pipe.
    let Ok(found) = std::fs::metadata(path) else {
        return;
    };
    if found.is_file() && found.permissions().mode() & 0o044 != 0 {
        let why = format!(
            "{source}: others on this machine can read this file; run chmod 600 {}",
            word(path)
        );
        reporter.warn_with(&why, &[precedence()]);
    }
}

/// Says what Mondoo's tools would have taken from the credential's file, and rolecall does not.
pub fn tell_unused(login: &Login, reporter: &Reporter) {
    if !login.unused.is_empty() {
        reporter.note(&format!(
            "Note      {}: rolecall has no use for {}, which Mondoo's tools read there",
            inert(&login.source.to_string()),
            login.unused.join(", ")
        ));
    }
}

/// No credential was found, or none that can be used.
pub fn not_found(error: LoginError) -> Failure {
    Failure::error(error.to_string()).helps(error.help)
}

/// The embedded platform, kept running.
#[cfg(feature = "server")]
pub type Kept = Option<super::local::Local>;
/// There is none in this build.
#[cfg(not(feature = "server"))]
pub type Kept = ();

/// The credential, where it leads in words, extra certificates, and what must be kept running.
async fn connect(
    choice: &PlatformChoice,
    dir: &Path,
    desired: &Desired,
    reporter: &Reporter,
) -> Result<(Login, String, Option<Vec<u8>>, Kept), Failure> {
    if choice.local {
        #[cfg(feature = "server")]
        {
            let (local, login) = super::local::Local::open(dir, desired)
                .await
                .map_err(Failure::error)?;
            let place = format!(
                "LOCAL: the embedded platform in {}, not Mondoo",
                inert(&echo::path(&super::local::database(dir)).to_string())
            );
            return Ok((login, place, None, Some(local)));
        }
        #[cfg(not(feature = "server"))]
        {
            let _ = (dir, desired);
            return Err(Failure::error(
                "this rolecall was built without the embedded platform",
            ));
        }
    }
    let wanted = Wanted {
        credentials: choice.credentials.clone(),
        endpoint: choice.endpoint.clone(),
    };
    let environment = Environment {
        var: &variable,
        read_file: &|path| std::fs::read(path),
        home: std::env::home_dir(),
    };
    let login = discover(&wanted, &environment).map_err(not_found)?;
    let secret = match &login.identity {
        Identity::Workload(workload) => workload.is_secret(),
        Identity::ServiceAccount(_) | Identity::ApiToken(_) => true,
    };
    if secret {
        warn_if_exposed(&login.source, reporter);
    }
    tell_unused(&login, reporter);
    let ca = certificates(choice.ca_file.as_deref())?;
    let place = inert(login.endpoint.base());
    #[cfg(feature = "server")]
    let kept = None;
    #[cfg(not(feature = "server"))]
    let kept = ();
    Ok((login, place, ca, kept))
}

/// Loads the configuration, logs in, and reads all that is live in its scopes.
///
/// # Errors
/// Why one of them fails.
pub async fn look(
    config: &ConfigArgs,
    choice: &PlatformChoice,
    scopes: Scopes,
    reporter: &Reporter,
) -> Result<Looked, Failure> {
    let Loaded {
        mut desired,
        queries,
        policies: _,
        sinks,
    } = load::load(config, &[], reporter)?;
    let reached = reach(choice, &config.dir, &desired, reporter).await?;
    let seals = keys(choice, &config.dir, &desired, reporter)?;
    let home = home(reached.scope.clone(), scopes);
    let stack = &desired.stack;
    let live = refresh_beyond(&reached.client, &queries, &home, stack, &reached.endpoint)
        .await
        .map_err(|e| Failure::error(e.message))?;
    for (scope, unread) in &live.unread {
        reporter.warn(&unread_scope(scope, unread));
    }
    let inventory = Inventory::take(&desired, &live, &seals);
    sinks.place(&mut desired, &live, &inventory);
    Ok(Looked {
        inventory,
        desired,
        live,
        reached,
    })
}

/// What the platform may do by itself with the accounts of a plan, in sentences. Nothing fails if
/// it does not tell.
pub async fn clean_up(
    client: &Client<Http>,
    plan: &Plan,
    live: &Live,
    inventory: &Inventory,
    reporter: &Reporter,
) -> Vec<String> {
    let unused = Unused::of(plan, live, inventory);
    unused.advice(&settings(client, unused.spaces(), reporter).await)
}

/// When spaces remove accounts that nobody uses.
async fn settings(
    client: &Client<Http>,
    spaces: Vec<SpaceId>,
    reporter: &Reporter,
) -> BTreeMap<SpaceId, Result<CleanUp, String>> {
    if spaces.is_empty() {
        return BTreeMap::new();
    }
    let reading = reporter.waiting("reading the settings of spaces");
    let answers = clean_ups(client, spaces).await;
    drop(reading);
    answers
}

/// Asks what a plan has to know beyond what was read. Nothing fails if the platform does not tell.
pub async fn answers(client: &Client<Http>, questions: &Questions, reporter: &Reporter) -> Answers {
    let clean_up = settings(client, questions.spaces(), reporter).await;
    let mut people = BTreeMap::new();
    for organization in questions.organizations() {
        let told = match client.owners(organization).await {
            Ok(Some(people)) => Ok(people),
            Ok(None) => Err("the platform does not tell".to_owned()),
            Err(error) => Err(error.message),
        };
        people.insert(organization.clone(), told);
    }
    Answers { people, clean_up }
}

/// That a scope could not be read, and why, with its name once.
pub fn unread_scope(scope: &Scope, unread: &Unread) -> String {
    if unread.why.contains(scope.id()) {
        unread.why.clone()
    } else {
        format!("{scope} could not be read: {}", unread.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_authorities_that_hold_none_are_refused() {
        let home = tempfile::tempdir().expect("a folder");
        let at = |name: &str| home.path().join(name);
        for name in ["empty", "nonsense", "inner/deeper"] {
            std::fs::create_dir_all(at(name)).expect("made");
        }
        let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        std::fs::write(at("nonsense/a.pem"), "hello").expect("written");
        std::fs::write(at("inner/deeper/a.pem"), pem).expect("written");
        for (name, why) in [
            ("gone", "there is no such folder"),
            ("nonsense/a.pem", "Not a directory"),
            ("empty", "holds no certificate"),
            ("nonsense", "holds no certificate"),
            ("inner", "holds no certificate"),
        ] {
            let said = check_folder(&at(name)).expect_err(name);
            assert!(
                said.starts_with("SSL_CERT_DIR (") && said.contains(why),
                "{said}"
            );
        }
        assert_eq!(check_folder(&at("inner/deeper")), Ok(()));
        let said = check_folder(Path::new("~/certs")).expect_err("no shell");
        assert!(said.contains("$HOME"), "{said}");
        assert!(folders_of("").is_err() && folders_of("::").is_err());
        assert_eq!(
            folders_of("a::b:"),
            Ok(vec![Path::new("a"), Path::new("b")])
        );
    }
}
