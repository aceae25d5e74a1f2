//! Destinations of the kind `github`: a secret of Actions, Dependabot or Codespaces. GitHub shows everything
//! of a secret but its value, so that the time at which it was last written has to tell whose value it is.
//!
//! Source: GitHub's OpenAPI description of its REST API.

mod answer;
mod limits;
mod login;
mod sealed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::answer::{Known, Listed, Seen, Seers};
use self::limits::Limits;
use self::login::{Login, Token};
use self::sealed::Key;
use super::content;
use super::machine::Machine;
use super::remote::{self, Call};
use crate::http::{Answer, Client, Method, Words};
use crate::model::{
    Destination, DestinationId, GithubApi, GithubOwner, GithubPlace, GithubVisibility,
    IssuedCredential, Mrn, Origin, Place, StoreVersion,
};
use crate::ports::{
    Abandoned, Delivered, Effect, Found, Probe, SinkError, SinkErrorKind, SinkStore, Staged,
    Verified,
};

/// How often a write is looked for: what answers may not have heard of it yet.
const LOOKS: u32 = 4;
/// How many repositories a page lists.
const PAGE: usize = 100;
/// How many pages are read at most.
const PAGES: usize = 200;

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "the sink's address",
};

/// Delivers into GitHub.
#[derive(Debug)]
pub struct GithubSink {
    machine: Arc<Machine>,
    /// By base URL: one connection and one login a run.
    servers: Mutex<BTreeMap<GithubApi, Arc<Server>>>,
    /// What this run wrote, by place: nobody can read whose value it is.
    written: Mutex<BTreeMap<DestinationId, Written>>,
}

/// A server as one run sees it.
#[derive(Debug)]
struct Server {
    client: Client,
    login: Login,
    token: Mutex<Option<Token>>,
    limits: Limits,
    /// The public keys, by where the secrets are.
    keys: Mutex<BTreeMap<String, Key>>,
}

/// A value that this run wrote.
#[derive(Clone, Debug)]
struct Written {
    account: Mrn,
    /// When, as GitHub says; `None` if it did not say.
    version: Option<StoreVersion>,
    /// Whether there was nothing before.
    new: bool,
    /// Whether GitHub said that it was written; else it was seen to have changed, or nothing was seen.
    sure: bool,
}

/// A request about a place.
struct Asked<'a> {
    operation: &'static str,
    method: Method,
    /// What follows the path of its owner's secrets, with its `/`.
    rest: &'a str,
    body: Option<&'a Zeroizing<Vec<u8>>>,
}

impl<'a> Asked<'a> {
    fn read(operation: &'static str, rest: &'a str) -> Self {
        Self {
            operation,
            method: Method::Get,
            rest,
            body: None,
        }
    }

    fn writes(&self) -> bool {
        self.method != Method::Get
    }
}

impl GithubSink {
    /// A sink with the logins of this machine; nothing is sent yet.
    pub fn new(machine: Arc<Machine>) -> Self {
        Self {
            machine,
            servers: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// The place of a destination.
    fn place(to: &Destination) -> Result<&GithubPlace, SinkError> {
        match to.place() {
            Place::Github(place) => Ok(place),
            _ => Err(unfit("it is no place at GitHub".to_owned(), None)),
        }
    }

    async fn server(&self, place: &GithubPlace) -> Result<Arc<Server>, SinkError> {
        let mut servers = self.servers.lock().await;
        if let Some(server) = servers.get(&place.address) {
            return Ok(Arc::clone(server));
        }
        self.may_log_in(&place.address)?;
        let base = place.address.origin().as_str();
        let server = Arc::new(Server {
            client: self.machine.client(base, None, WORDS)?,
            login: Login::find(&self.machine)?,
            token: Mutex::default(),
            limits: Limits::default(),
            keys: Mutex::default(),
        });
        servers.insert(place.address.clone(), Arc::clone(&server));
        Ok(server)
    }

    /// Whether the login is for this API: the one that a job says it runs at, else that of github.com.
    fn may_log_in(&self, to: &GithubApi) -> Result<(), SinkError> {
        const API: &str = "GITHUB_API_URL";
        let told = self.machine.variable(API).unwrap_or(GithubApi::PUBLIC);
        let own = GithubApi::new(told);
        // What is no base URL is refused there, with the words for it.
        let came_with = own.as_ref().map_or(told, |own| own.origin().as_str());
        self.machine.may_log_in(to.origin(), Some(came_with), API)?;
        let elsewhere = own.as_ref().is_ok_and(|own| own != to && same(own, to));
        if elsewhere && !self.machine.allowed.contains(to.origin()) {
            return Err(SinkError {
                kind: SinkErrorKind::Unauthenticated,
                effect: Effect::None,
                message: format!("the API of {API} is {told} and not {to}; nothing was sent"),
                help: Some(format!("correct the sink's address, or {API}")),
            });
        }
        Ok(())
    }

    /// Asks the server about a place, as who is logged in, once GitHub lets us. Gives the token that was
    /// sent besides, since no error may repeat it.
    async fn ask(
        &self,
        server: &Server,
        place: &GithubPlace,
        asked: &Asked<'_>,
    ) -> Result<(Answer, Zeroizing<String>), SinkError> {
        let url = format!("{}{}{}", place.address, place.secrets(), asked.rest);
        let mut waited = Duration::ZERO;
        let mut tried = 0;
        loop {
            server.limits.open(&self.machine.time).await;
            let token = self.token(server, &place.address).await?;
            let make = || {
                let request = answer::request(asked.method, &url, &token);
                match asked.body {
                    Some(body) => request
                        .header("content-type", "application/json")
                        .body(body.clone()),
                    None => request,
                }
            };
            let call = Call {
                operation: asked.operation,
                writes: asked.writes(),
                make: &make,
                again: answer::again,
            };
            let answer = remote::send(&self.machine, &server.client, &call).await?;
            let now = (self.machine.time.now)();
            let Some(wait) = limits::asked(&answer, tried, now) else {
                return Ok((answer, token));
            };
            waited = waited.saturating_add(wait);
            tried += 1;
            let seconds = wait.as_secs();
            if waited > limits::LONGEST {
                return Err(SinkError {
                    kind: SinkErrorKind::RateLimited,
                    effect: Effect::None,
                    message: format!(
                        "GitHub takes no more requests for now ({}), and wants another {seconds} s \
                         of quiet, which is longer than rolecall waits",
                        answer::shown(&answer, &token)
                    ),
                    help: Some(format!("run again in {seconds} s")),
                });
            }
            let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
            server.limits.close(now + wait).await;
        }
    }

    /// A token that is good for a while; one that is about to end is replaced.
    async fn token(
        &self,
        server: &Server,
        api: &GithubApi,
    ) -> Result<Zeroizing<String>, SinkError> {
        let mut held = server.token.lock().await;
        let now = (self.machine.time.now)();
        if let Some(token) = held.as_ref().filter(|token| token.lasts(now)) {
            return Ok(token.text());
        }
        let login = &server.login;
        let fresh = login.enter(&self.machine, &server.client, api.as_str());
        let fresh = fresh.await?;
        let text = fresh.text();
        *held = Some(fresh);
        Ok(text)
    }

    /// Refuses a login of which GitHub says that it may not write there.
    async fn may_write(&self, server: &Server, place: &GithubPlace) -> Result<(), SinkError> {
        self.token(server, &place.address).await?;
        let held = server.token.lock().await;
        let permission = answer::permission(place);
        if held
            .as_ref()
            .is_none_or(|token| token.may_write(permission))
        {
            return Ok(());
        }
        Err(SinkError {
            kind: SinkErrorKind::PermissionDenied,
            effect: Effect::None,
            message: format!(
                "the App may not write there: it lacks {}",
                answer::right(place)
            ),
            help: Some("give it to the App, and accept it where the App is installed".to_owned()),
        })
    }

    /// The public key of the place's secrets; `fresh` asks for it even if it is known.
    async fn key(
        &self,
        server: &Server,
        place: &GithubPlace,
        fresh: bool,
    ) -> Result<Key, SinkError> {
        let at = place.secrets();
        let mut keys = server.keys.lock().await;
        if let Some(key) = keys.get(&at).filter(|_| !fresh) {
            return Ok(key.clone());
        }
        let asked = Asked::read("github key", "/public-key");
        let (answer, token) = self.ask(server, place, &asked).await?;
        if answer.status != 200 {
            return Err(answer::refused(
                &answer,
                place,
                &known(server, &token),
                false,
            ));
        }
        let key = Key::read(&answer.body)?;
        keys.insert(at, key.clone());
        Ok(key)
    }

    /// What is told of the secret.
    async fn look(&self, server: &Server, place: &GithubPlace) -> Result<Seen, SinkError> {
        let rest = format!("/{}", place.name);
        let asked = Asked::read("github look", &rest);
        let (answer, token) = self.ask(server, place, &asked).await?;
        let seen = Seen::read(&answer, place, &known(server, &token))?;
        if let (GithubOwner::Organization { visibility, .. }, Some(is)) =
            (&place.owner, seen.visibility)
            && let Some(wanted) = visibility.filter(|wanted| *wanted != is)
        {
            return Err(unfit(
                format!(
                    "the secret is visible to {}, and the sink says {}",
                    is.as_str(),
                    wanted.as_str()
                ),
                Some("change one of them: a delivery leaves it as it is".to_owned()),
            ));
        }
        Ok(seen)
    }

    /// Looks a few times, until the secret was written since `before`.
    async fn look_since(
        &self,
        server: &Server,
        place: &GithubPlace,
        before: Option<&StoreVersion>,
    ) -> Result<Seen, SinkError> {
        for look in 1..LOOKS {
            let seen = self.look(server, place).await?;
            if seen.version.as_ref() != before {
                return Ok(seen);
            }
            (self.machine.time.sleep)(Duration::from_millis(250 << look)).await;
        }
        self.look(server, place).await
    }

    /// Which repositories see the secret: those that do now, else those that the sink names.
    async fn seers(
        &self,
        server: &Server,
        place: &GithubPlace,
        seen: &Seen,
    ) -> Result<Option<Seers>, SinkError> {
        let GithubOwner::Organization {
            name: _,
            visibility,
        } = &place.owner
        else {
            return Ok(None);
        };
        let visibility = seen.visibility.or(*visibility);
        let visibility = visibility.unwrap_or(GithubVisibility::Selected);
        let mut selected = Vec::new();
        if seen.version.is_some() && visibility == GithubVisibility::Selected {
            for page in 1..=PAGES {
                let rest = format!("/{}/repositories?per_page={PAGE}&page={page}", place.name);
                let asked = Asked::read("github list", &rest);
                let (answer, token) = self.ask(server, place, &asked).await?;
                let listed = Listed::read(&answer, place, &known(server, &token))?;
                if listed.join(&mut selected)? {
                    return Ok(Some(Seers {
                        visibility,
                        selected,
                    }));
                }
            }
            let message = "more repositories see the secret than rolecall lists".to_owned();
            return Err(unfit(message, None));
        }
        Ok(Some(Seers {
            visibility,
            selected,
        }))
    }

    /// Writes a value, with a key that is fetched anew if GitHub has another by now.
    async fn write(
        &self,
        server: &Server,
        place: &GithubPlace,
        value: &[u8],
        seers: Option<&Seers>,
    ) -> Result<(), SinkError> {
        let mut key = self.key(server, place, false).await?;
        let mut renewed = false;
        loop {
            let body = answer::body(&key.seal(value)?, &key.id, seers)?;
            let rest = format!("/{}", place.name);
            let asked = Asked {
                operation: "github write",
                method: Method::Put,
                rest: &rest,
                body: Some(&body),
            };
            let (answer, token) = self.ask(server, place, &asked).await?;
            if matches!(answer.status, 201 | 204) {
                return Ok(());
            }
            if answer.status == 422 && !renewed {
                renewed = true;
                let fresh = self.key(server, place, true).await?;
                if fresh != key {
                    key = fresh;
                    continue;
                }
            }
            return Err(answer::refused(
                &answer,
                place,
                &known(server, &token),
                true,
            ));
        }
    }

    /// What this run wrote of a credential at a destination, if nothing of another one since.
    async fn written(&self, to: &Destination, of: &IssuedCredential) -> Option<Written> {
        let written = self.written.lock().await;
        let found = written.get(&to.id()).cloned();
        found.filter(|written| written.account == of.mrn)
    }

    async fn note(&self, to: &Destination, written: Written) {
        self.written.lock().await.insert(to.id(), written);
    }

    /// Writes the credential where nobody wrote since the probe.
    async fn deliver(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        let place = Self::place(to)?;
        let server = self.server(place).await?;
        let value = rendered(credential, place)?;
        let seen = self.look(&server, place).await?;
        let before = staged.probe.version.as_ref();
        if seen.version.as_ref() != before {
            return match self.written(to, credential).await {
                Some(mine) if mine.version == seen.version && mine.sure => Ok(accepted(seen)),
                Some(mine) if mine.version == seen.version => Err(unsure(unfit(
                    "the secret changed while it was written, and GitHub did not say that it was \
                     by us"
                        .to_owned(),
                    None,
                ))),
                _ => Err(moved()),
            };
        }
        let seers = self.seers(&server, place, &seen).await?;
        let written = |version: Option<StoreVersion>, sure: bool| Written {
            account: credential.mrn.clone(),
            version,
            new: before.is_none(),
            sure,
        };
        let refused = match self.write(&server, place, &value, seers.as_ref()).await {
            Ok(()) => {
                let after = self.look_since(&server, place, before).await;
                let version = after.as_ref().ok().and_then(|seen| seen.version.clone());
                self.note(to, written(version, true)).await;
                return Ok(match after {
                    Ok(seen) => accepted(seen),
                    Err(error) => Delivered {
                        note: Some(format!(
                            "when it was written is not known, so that a later write of somebody \
                             else is not noticed: {error}"
                        )),
                        ..accepted(Seen::default())
                    },
                });
            }
            Err(error) if error.kind == SinkErrorKind::RateLimited => return Err(error),
            Err(error) => error,
        };
        // An answer may refuse what was done, or be lost: only the secret's time tells.
        let after = match refused.effect {
            Effect::None => self.look(&server, place).await,
            Effect::Unknown => self.look_since(&server, place, before).await,
        };
        match after {
            Ok(seen) if seen.version.as_ref() == before => Err(SinkError {
                effect: Effect::None,
                message: format!("{}; the secret was not written", refused.message),
                ..refused
            }),
            Ok(seen) => {
                self.note(to, written(seen.version, false)).await;
                Err(unsure(SinkError {
                    message: format!("{}; but the secret was written meanwhile", refused.message),
                    ..refused
                }))
            }
            Err(_) => {
                self.note(to, written(None, false)).await;
                Err(unsure(refused))
            }
        }
    }

    /// Removes what this run wrote, where there was nothing before and nobody wrote since.
    async fn take_back(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
    ) -> Result<Abandoned, SinkError> {
        let Some(mine) = self.written(to, credential).await else {
            return Ok(Abandoned::Gone);
        };
        let place = Self::place(to)?;
        let server = self.server(place).await?;
        let seen = self.look(&server, place).await?;
        match (seen.version, mine.version) {
            (None, _) => return Ok(Abandoned::Gone),
            (Some(found), Some(ours)) if found != ours => return Ok(Abandoned::Gone),
            (Some(_), Some(_)) if mine.new => {}
            (Some(_), _) => return Ok(Abandoned::Stays),
        }
        let rest = format!("/{}", place.name);
        let asked = Asked {
            operation: "github delete",
            method: Method::Delete,
            rest: &rest,
            body: None,
        };
        let (answer, token) = self.ask(&server, place, &asked).await?;
        match answer.status {
            204 | 404 => Ok(Abandoned::Gone),
            403 => Ok(Abandoned::Stays),
            _ => Err(answer::refused(
                &answer,
                place,
                &known(&server, &token),
                true,
            )),
        }
    }
}

/// Whether two APIs are of one server.
fn same(one: &GithubApi, other: &GithubApi) -> bool {
    let origins: [&Origin; 2] = [one.origin(), other.origin()];
    origins[0] == origins[1]
}

fn known<'a>(server: &Server, token: &'a str) -> Known<'a> {
    Known {
        token,
        source: server.login.source(),
    }
}

/// The credential as the secret's value.
fn rendered(
    credential: &IssuedCredential,
    place: &GithubPlace,
) -> Result<Zeroizing<Vec<u8>>, SinkError> {
    let bytes = content::render(credential, place.format);
    // The variable of a job holds no end of a line.
    let value = bytes.map(|bytes| Zeroizing::new(bytes.trim_ascii_end().to_vec()));
    let value =
        value.ok_or_else(|| answer::malformed("the credential cannot be written as JSON"))?;
    sealed::fits(&value)?;
    Ok(value)
}

/// A value that GitHub said it took.
fn accepted(seen: Seen) -> Delivered {
    Delivered {
        verified: Verified::Accepted,
        version: seen.version,
        note: None,
    }
}

fn moved() -> SinkError {
    SinkError {
        kind: SinkErrorKind::Moved,
        effect: Effect::None,
        message: "the secret was written since it was looked at".to_owned(),
        help: Some("run again".to_owned()),
    }
}

fn unfit(message: String, help: Option<String>) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Unfit,
        effect: Effect::None,
        message,
        help,
    }
}

/// The same error, of what may be there all the same.
fn unsure(error: SinkError) -> SinkError {
    SinkError {
        effect: Effect::Unknown,
        ..error
    }
}

impl SinkStore for GithubSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let work = async {
            let place = Self::place(to)?;
            let server = self.server(place).await?;
            self.may_write(&server, place).await?;
            self.key(&server, place, false).await?;
            let seen = self.look(&server, place).await?;
            Ok(Probe {
                found: match seen.version {
                    Some(_) => Found::Unreadable,
                    None => Found::Nobody,
                },
                version: seen.version,
                abilities: to.abilities(),
                read: None,
            })
        };
        work.await.map_err(|error| remote::at(to, "looking", error))
    }

    async fn stage(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probe: Probe,
    ) -> Result<Staged, SinkError> {
        // A secret has one value. That it is too large is better known before any destination has it.
        let fits = Self::place(to).and_then(|place| rendered(credential, place));
        fits.map_err(|error| remote::at(to, "writing", error))?;
        Ok(Staged {
            probe,
            beside: None,
            former: None,
        })
    }

    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        let work = self.deliver(to, credential, staged);
        work.await.map_err(|error| remote::at(to, "writing", error))
    }

    async fn abandon(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        _: &Staged,
    ) -> Result<Abandoned, SinkError> {
        let work = self.take_back(to, credential);
        work.await
            .map_err(|error| unsure(remote::at(to, "taking the key back", error)))
    }
}

#[cfg(test)]
mod tests;
