//! Talking to one GitHub: as who is logged in, when GitHub lets us, and what is asked about a secret.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::answer::{self, Known, Listed, Seen, Seers, unfit};
use super::limits;
use super::login::{Login, Token};
use super::sealed::Key;
use crate::http::{Answer, Client, Method, Words};
use crate::model::{GithubApi, GithubOwner, GithubPlace, GithubVisibility, StoreVersion};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

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

/// A server as one run sees it.
#[derive(Debug)]
pub(super) struct Server {
    machine: Arc<Machine>,
    client: Client,
    login: Login,
    token: Mutex<Option<Token>>,
    /// The public keys, by where the secrets are.
    keys: Mutex<BTreeMap<String, Key>>,
}

/// A request about a place.
pub(super) struct Asked<'a> {
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// What follows the path of its owner's secrets, with its `/`.
    pub(super) rest: &'a str,
    pub(super) body: Option<&'a Zeroizing<Vec<u8>>>,
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

impl Server {
    /// A server that nothing was sent to yet.
    ///
    /// # Errors
    /// If there is no login, or no connection can be prepared.
    pub(super) fn new(machine: Arc<Machine>, api: &GithubApi) -> Result<Self, SinkError> {
        Ok(Self {
            client: machine.client(api.origin().as_str(), None, WORDS)?,
            login: Login::find(&machine)?,
            machine,
            token: Mutex::default(),
            keys: Mutex::default(),
        })
    }

    /// What an error may say of the login.
    fn known<'a>(&self, token: &'a str) -> Known<'a> {
        Known {
            token,
            source: self.login.source(),
        }
    }

    /// An answer that refuses.
    pub(super) fn refused(&self, answer: &Answer, place: &GithubPlace, token: &str) -> SinkError {
        answer::refused(answer, place, &self.known(token), true)
    }

    /// Asks the server about a place, as who is logged in, once GitHub lets us. Gives the token that was
    /// sent besides, since no error may repeat it.
    pub(super) async fn ask(
        &self,
        place: &GithubPlace,
        asked: &Asked<'_>,
    ) -> Result<(Answer, Zeroizing<String>), SinkError> {
        let url = format!("{}{}{}", place.address, place.secrets(), asked.rest);
        self.ask_at(&url, place, asked).await
    }

    /// The same of another address of the API, of whose path `asked.rest` is no part.
    pub(super) async fn ask_at(
        &self,
        url: &str,
        place: &GithubPlace,
        asked: &Asked<'_>,
    ) -> Result<(Answer, Zeroizing<String>), SinkError> {
        let mut waited = Duration::ZERO;
        let mut tried = 0;
        loop {
            let (gates, origin) = (&self.machine.gates, self.client.shown());
            gates.open(origin, &self.machine.time).await;
            let token = self.token(&place.address).await?;
            let make = || {
                let request = answer::request(asked.method, url, &token);
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
            let answer = remote::send(&self.machine, &self.client, &call).await?;
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
            gates.close(origin, now + wait);
        }
    }

    /// A token that is good for a while; one that is about to end is replaced.
    async fn token(&self, api: &GithubApi) -> Result<Zeroizing<String>, SinkError> {
        let mut held = self.token.lock().await;
        let now = (self.machine.time.now)();
        if let Some(token) = held.as_ref().filter(|token| token.lasts(now)) {
            return Ok(token.text());
        }
        let login = &self.login;
        let fresh = login.enter(&self.machine, &self.client, api.as_str());
        let fresh = fresh.await?;
        let text = fresh.text();
        *held = Some(fresh);
        Ok(text)
    }

    /// Sees that the login lasts until a key that is made now is where it has to be.
    ///
    /// # Errors
    /// That it ends before and cannot be renewed.
    pub(super) async fn ready(&self, place: &GithubPlace) -> Result<(), SinkError> {
        self.token(&place.address).await.map(|_| ())
    }

    /// Refuses a login of which GitHub says that it may not write there.
    pub(super) async fn may_write(&self, place: &GithubPlace) -> Result<(), SinkError> {
        self.token(&place.address).await?;
        let mut held = self.token.lock().await;
        let permission = answer::permission(place);
        if held
            .as_ref()
            .is_none_or(|token| token.may_write(permission))
        {
            return Ok(());
        }
        // It has the rights that the App had when it was made: whoever looks again sees those of then.
        *held = None;
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
    pub(super) async fn key(&self, place: &GithubPlace, fresh: bool) -> Result<Key, SinkError> {
        let at = place.secrets();
        let mut keys = self.keys.lock().await;
        if let Some(key) = keys.get(&at).filter(|_| !fresh) {
            return Ok(key.clone());
        }
        let asked = Asked::read("github key", "/public-key");
        let (answer, token) = self.ask(place, &asked).await?;
        if answer.status != 200 {
            return Err(answer::refused(&answer, place, &self.known(&token), false));
        }
        let key = Key::read(&answer.body)?;
        keys.insert(at, key.clone());
        Ok(key)
    }

    /// What is told of the secret.
    pub(super) async fn look(&self, place: &GithubPlace) -> Result<Seen, SinkError> {
        let rest = format!("/{}", place.name);
        let asked = Asked::read("github look", &rest);
        let (answer, token) = self.ask(place, &asked).await?;
        let seen = Seen::read(&answer, place, &self.known(&token))?;
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
    pub(super) async fn look_since(
        &self,
        place: &GithubPlace,
        before: Option<&StoreVersion>,
    ) -> Result<Seen, SinkError> {
        for look in 1..LOOKS {
            let seen = self.look(place).await?;
            if seen.version.as_ref() != before {
                return Ok(seen);
            }
            (self.machine.time.sleep)(Duration::from_millis(250 << look)).await;
        }
        self.look(place).await
    }

    /// Which repositories see the secret: those that do now, else those that the sink names.
    pub(super) async fn seers(
        &self,
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
                let (answer, token) = self.ask(place, &asked).await?;
                let listed = Listed::read(&answer, place, &self.known(&token))?;
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
    pub(super) async fn write(
        &self,
        place: &GithubPlace,
        value: &[u8],
        seers: Option<&Seers>,
    ) -> Result<(), SinkError> {
        let mut key = self.key(place, false).await?;
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
            let (answer, token) = self.ask(place, &asked).await?;
            if matches!(answer.status, 201 | 204) {
                return Ok(());
            }
            if answer.status == 422 && !renewed {
                renewed = true;
                let fresh = self.key(place, true).await?;
                if fresh != key {
                    key = fresh;
                    continue;
                }
            }
            return Err(answer::refused(&answer, place, &self.known(&token), true));
        }
    }
}
