//! One vault as one run reaches it: who is logged in, and the few requests that are made.
//!
//! Source: the reference of the Key Vault REST API 7.4 (`Get Secret`, `Set Secret`, `Update Secret`, `Get Deleted
//! Secret`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::answer::{self, Asked, CHALLENGE, Challenge, Seen, State};
use super::login::{self, Logins};
use crate::http::{Answer, Client, Method, Request, Words};
use crate::model::{AzureKeyVaultPlace, Origin};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

/// The version of the API: a stable one.
const API: &str = "api-version=7.4";
/// The largest answer that is read, in bytes: a value has 25 KiB at most.
const LARGEST: usize = 512 * 1024;
/// How often a write is looked for: what answers may not have heard of it yet.
const LOOKS: u32 = 4;
/// How often a recovery is looked at, and the wait in between: a minute.
const RECOVERY: usize = 12;
const RECOVERS: Duration = Duration::from_secs(5);

const GET: (&str, &str) = ("Microsoft.KeyVault/vaults/secrets/getSecret/action", "get");
const SET: (&str, &str) = ("Microsoft.KeyVault/vaults/secrets/setSecret/action", "set");
const BIN: (&str, &str) = (
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "get",
);
const UPDATE: (&str, &str) = ("Microsoft.KeyVault/vaults/secrets/update/action", "set");

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "the sink's vault",
};

/// A vault.
pub(super) struct Vault {
    machine: Arc<Machine>,
    client: Client,
    address: Origin,
    logins: Arc<Logins>,
    challenge: OnceCell<Challenge>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", self.address)
    }
}

/// What is asked.
struct Wanted<'a> {
    operation: &'static str,
    method: Method,
    /// Behind the vault's address, without a query.
    path: &'a str,
    body: Option<&'a Zeroizing<Vec<u8>>>,
    right: (&'static str, &'static str),
    /// What the body holds that nobody may see.
    value: &'a str,
}

/// An answer, and who asked.
struct Answered<'a> {
    answer: Answer,
    token: Zeroizing<String>,
    wanted: &'a Wanted<'a>,
    tenant: Option<String>,
}

impl Answered<'_> {
    fn refused(&self) -> SinkError {
        let asked = Asked {
            token: &self.token,
            value: self.wanted.value,
            tenant: self.tenant.as_deref(),
            right: self.wanted.right,
            writes: self.wanted.method != Method::Get,
        };
        answer::refused(&self.answer, &asked)
    }
}

/// What is at a place, and the bytes in which it came.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) seen: Option<Seen>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Looked {
    /// The name of the version that is there.
    pub(super) fn version(&self) -> Option<&str> {
        self.seen.as_ref().map(|seen| seen.version.as_str())
    }

    /// Whether it holds this.
    pub(super) fn holds(&self, value: &str) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.value() == value)
    }
}

/// What came of a write.
pub(super) enum Wrote {
    /// A version of this name.
    Version(String),
    /// Nothing: the secret is in the bin, or on its way out.
    Not(State),
    /// It was refused, or the answer was lost.
    Failed {
        error: SinkError,
        /// Whether an answer says that nothing was written. One of status 403 may come after a write that
        /// was done, as with other stores.
        surely: bool,
    },
}

impl Vault {
    /// A vault that nothing was sent to yet.
    ///
    /// # Errors
    /// If no login may go there, or no connection can be prepared.
    pub(super) fn new(
        machine: Arc<Machine>,
        logins: Arc<Logins>,
        address: &Origin,
    ) -> Result<Self, SinkError> {
        login::may_go(&machine, address)?;
        Ok(Self {
            client: machine.client(address.as_str(), None, WORDS)?,
            machine,
            address: address.clone(),
            logins,
            challenge: OnceCell::new(),
        })
    }

    /// What the vault says that a token must be for: asked once, without one.
    async fn challenge(&self) -> Result<&Challenge, SinkError> {
        let ask = || async {
            let url = format!("{}/secrets?{API}", self.address);
            let make = || {
                let mut request = Request::new(Method::Get, url.as_str());
                request.largest_answer = LARGEST;
                request.wanted = &[CHALLENGE];
                request
            };
            let call = Call {
                operation: "azure challenge",
                writes: false,
                make: &make,
                again: answer::again,
            };
            let answer = remote::send(&self.machine, &self.client, &call).await?;
            let asked = Asked {
                token: "",
                value: "",
                tenant: None,
                right: GET,
                writes: false,
            };
            if answer.status != 401 {
                return Err(match answer.status {
                    200..=299 => answer::malformed(
                        "the vault answers without a login; is the sink's vault that of a key vault?",
                    ),
                    _ => answer::refused(&answer, &asked),
                });
            }
            let challenge = answer.header(CHALLENGE).and_then(answer::challenge);
            let challenge = challenge.ok_or_else(|| {
                answer::malformed(
                    "the vault does not say what a login is for; is the sink's vault that of a key vault?",
                )
            })?;
            login::fits(&self.address, &challenge)?;
            Ok(challenge)
        };
        self.challenge.get_or_try_init(ask).await
    }

    /// A token that is good for a while; one that is about to end is replaced.
    async fn token(&self) -> Result<Zeroizing<String>, SinkError> {
        let challenge = self.challenge().await?;
        let token = self.logins.token(&self.machine, &self.address, challenge);
        token.await
    }

    /// Sees that the login lasts until a key that is made now is where it has to be.
    ///
    /// # Errors
    /// That it ends before and cannot be renewed.
    pub(super) async fn ready(&self) -> Result<(), SinkError> {
        self.token().await.map(|_| ())
    }

    async fn ask<'a>(&self, wanted: &'a Wanted<'a>) -> Result<Answered<'a>, SinkError> {
        let token = self.token().await?;
        let url = format!("{}{}?{API}", self.address, wanted.path);
        let make = || {
            let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
            let request = Request::new(wanted.method, url.as_str())
                .secret("authorization", bearer)
                .header("accept", "application/json");
            let mut request = match wanted.body {
                Some(body) => request
                    .header("content-type", "application/json")
                    .body(body.clone()),
                None => request,
            };
            request.largest_answer = LARGEST;
            request
        };
        let call = Call {
            operation: wanted.operation,
            writes: wanted.method != Method::Get,
            make: &make,
            again: answer::again,
        };
        let answer = remote::send(&self.machine, &self.client, &call).await?;
        if let (401, Some(challenge)) = (answer.status, self.challenge.get()) {
            // The next request logs in anew.
            self.logins.forget(challenge).await;
        }
        let tenant = self.challenge.get().and_then(|one| one.tenant.clone());
        Ok(Answered {
            answer,
            token,
            wanted,
            tenant,
        })
    }

    /// What is at a place.
    pub(super) async fn look(&self, place: &AzureKeyVaultPlace) -> Result<Looked, SinkError> {
        match self.look_once(place).await? {
            Ok(looked) => Ok(looked),
            Err(State::Deleted) => Err(answer::in_the_bin(place)),
            Err(State::Recovering) => Err(answer::still_recovering()),
        }
    }

    async fn look_once(
        &self,
        place: &AzureKeyVaultPlace,
    ) -> Result<Result<Looked, State>, SinkError> {
        let path = format!("/secrets/{}", place.name);
        let wanted = Wanted {
            operation: "azure read",
            method: Method::Get,
            path: &path,
            body: None,
            right: GET,
            value: "",
        };
        let asked = self.ask(&wanted).await?;
        if asked.answer.status == 200 {
            return Ok(Ok(Looked {
                seen: Some(Seen::read(&asked.answer.body, place)?),
                body: asked.answer.body,
            }));
        }
        if answer::is_absent(&asked.answer) {
            return Ok(Ok(Looked::default()));
        }
        match answer::state(&asked.answer) {
            Some(state) => Ok(Err(state)),
            None => Err(asked.refused()),
        }
    }

    /// What is at a place that is not in the bin; a recovery that is under way is waited for.
    pub(super) async fn look_whole(&self, place: &AzureKeyVaultPlace) -> Result<Looked, SinkError> {
        for _ in 0..RECOVERY {
            let state = match self.look_once(place).await? {
                Ok(looked) if looked.seen.is_some() => return Ok(looked),
                Ok(looked) => match self.bin(place).await? {
                    None => return Ok(looked),
                    Some(state) => state,
                },
                Err(state) => state,
            };
            match state {
                State::Deleted => return Err(answer::in_the_bin(place)),
                State::Recovering => self.rest(RECOVERS).await,
            }
        }
        Err(answer::still_recovering())
    }

    /// Whether a secret that is not there is in the bin.
    async fn bin(&self, place: &AzureKeyVaultPlace) -> Result<Option<State>, SinkError> {
        let path = format!("/deletedsecrets/{}", place.name);
        let wanted = Wanted {
            operation: "azure bin",
            method: Method::Get,
            path: &path,
            body: None,
            right: BIN,
            value: "",
        };
        let asked = self.ask(&wanted).await?;
        match asked.answer.status {
            200 => Ok(Some(State::Deleted)),
            404 if answer::is_absent(&asked.answer) => Ok(None),
            _ => match answer::state(&asked.answer) {
                Some(state) => Ok(Some(state)),
                None => Err(asked.refused()),
            },
        }
    }

    /// Looks a few times, until what is there is as `done` wants it.
    pub(super) async fn look_for(
        &self,
        place: &AzureKeyVaultPlace,
        done: impl Fn(&Looked) -> bool,
    ) -> Result<Looked, SinkError> {
        for look in 1..LOOKS {
            let looked = self.look(place).await?;
            if done(&looked) {
                return Ok(looked);
            }
            self.rest(Duration::from_millis(250 << look)).await;
        }
        self.look(place).await
    }

    /// Waits for a recovery to go on.
    pub(super) async fn rest(&self, time: Duration) {
        (self.machine.time.sleep)(time).await;
    }

    /// How often a recovery is waited for, and how long.
    pub(super) fn recovery() -> impl Iterator<Item = Duration> {
        std::iter::repeat_n(RECOVERS, RECOVERY)
    }

    /// Writes a value as a new version, which is besides as the one that is there.
    pub(super) async fn write(
        &self,
        place: &AzureKeyVaultPlace,
        there: Option<&Seen>,
        value: &str,
    ) -> Wrote {
        let failed = |error: SinkError| Wrote::Failed {
            surely: error.effect == Effect::None,
            error,
        };
        let body = match answer::body(there, value) {
            Ok(body) => body,
            Err(error) => return failed(error),
        };
        let path = format!("/secrets/{}", place.name);
        let wanted = Wanted {
            operation: "azure write",
            method: Method::Put,
            path: &path,
            body: Some(&body),
            right: SET,
            value,
        };
        let asked = match self.ask(&wanted).await {
            Ok(asked) => asked,
            Err(error) => return failed(error),
        };
        if asked.answer.status == 200 {
            return match Seen::read(&asked.answer.body, place) {
                Ok(seen) => Wrote::Version(seen.version),
                Err(error) => failed(remote::unsure(error)),
            };
        }
        match answer::state(&asked.answer) {
            Some(state) => Wrote::Not(state),
            None => Wrote::Failed {
                error: asked.refused(),
                surely: matches!(asked.answer.status, 300..=499) && asked.answer.status != 403,
            },
        }
    }

    /// Disables a version that is no longer the current one, so that nobody reads it any more.
    pub(super) async fn disable(
        &self,
        place: &AzureKeyVaultPlace,
        version: &str,
    ) -> Result<(), SinkError> {
        let body = Zeroizing::new(br#"{"attributes":{"enabled":false}}"#.to_vec());
        let path = format!("/secrets/{}/{version}", place.name);
        let wanted = Wanted {
            operation: "azure disable",
            method: Method::Patch,
            path: &path,
            body: Some(&body),
            right: UPDATE,
            value: "",
        };
        let asked = self.ask(&wanted).await?;
        match asked.answer.status {
            200 => Ok(()),
            _ => Err(asked.refused()),
        }
    }

    /// The kind of an error that is the lack of a right.
    pub(super) fn lacks_right(error: &SinkError) -> bool {
        error.kind == SinkErrorKind::PermissionDenied
    }
}
