//! Destinations of the kind `github`: a secret of Actions, Dependabot or Codespaces. GitHub shows everything
//! of a secret but its value, so that the time at which it was last written has to tell whose value it is.
//!
//! Source: GitHub's OpenAPI description of its REST API.

mod answer;
mod api;
mod limits;
mod login;
mod sealed;
mod settings;

pub use self::settings::{AboutRepository, BranchRules, Environment, GithubSettings};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::answer::{Seen, unfit};
use self::api::{Asked, Server};
use super::content;
use super::machine::Machine;
use super::remote;
use crate::http::Method;
use crate::model::{
    Destination, DestinationId, GithubApi, GithubPlace, IssuedCredential, Mrn, Place, StoreVersion,
};
use crate::ports::{
    Abandoned, Delivered, Effect, Found, Probe, ReadKey, Removal, SinkError, SinkErrorKind,
    SinkStore, Staged, Verified,
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
        let server = Server::new(Arc::clone(&self.machine), &place.address)?;
        let server = Arc::new(server);
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
        let elsewhere = own
            .as_ref()
            .is_ok_and(|own| own != to && own.origin() == to.origin());
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
        let seen = server.look(place).await?;
        let before = staged.probe.version.as_ref();
        if seen.version.as_ref() != before {
            return match self.written(to, credential).await {
                Some(mine) if mine.version == seen.version && mine.sure => Ok(accepted(seen)),
                Some(mine) if mine.version == seen.version => Err(remote::unsure(unfit(
                    "the secret changed while it was written, and GitHub did not say that it was \
                     by us"
                        .to_owned(),
                    None,
                ))),
                _ => Err(moved()),
            };
        }
        let seers = server.seers(place, &seen).await?;
        let written = |version: Option<StoreVersion>, sure: bool| Written {
            account: credential.mrn.clone(),
            version,
            new: before.is_none(),
            sure,
        };
        let refused = match server.write(place, value.as_bytes(), seers.as_ref()).await {
            Ok(()) => {
                let after = server.look_since(place, before).await;
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
            Effect::None => server.look(place).await,
            Effect::Unknown => server.look_since(place, before).await,
        };
        match after {
            Ok(seen) if seen.version.as_ref() == before => Err(SinkError {
                effect: Effect::None,
                message: format!("{}; the secret was not written", refused.message),
                ..refused
            }),
            Ok(seen) => {
                self.note(to, written(seen.version, false)).await;
                Err(remote::unsure(SinkError {
                    message: format!("{}; but the secret was written meanwhile", refused.message),
                    ..refused
                }))
            }
            Err(_) => {
                self.note(to, written(None, false)).await;
                Err(remote::unsure(refused))
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
        let seen = server.look(place).await?;
        match (seen.version, mine.version) {
            (None, _) => return Ok(Abandoned::Gone),
            (Some(found), Some(ours)) if found != ours => return Ok(Abandoned::Gone),
            (Some(_), Some(_)) if mine.new => {}
            (Some(_), _) => return Ok(Abandoned::Stays),
        }
        match Self::delete(&server, place).await {
            Ok(()) => Ok(Abandoned::Gone),
            Err(error) if error.kind == SinkErrorKind::PermissionDenied => Ok(Abandoned::Stays),
            Err(error) => Err(error),
        }
    }

    /// Deletes a secret; one that is not there any more is deleted.
    async fn delete(server: &Server, place: &GithubPlace) -> Result<(), SinkError> {
        let rest = format!("/{}", place.name);
        let asked = Asked {
            operation: "github delete",
            method: Method::Delete,
            rest: &rest,
            body: None,
        };
        let (answer, token) = server.ask(place, &asked).await?;
        match answer.status {
            204 | 404 => Ok(()),
            _ => Err(server.refused(&answer, place, &token)),
        }
    }
}

/// The credential as the secret's value.
fn rendered(
    credential: &IssuedCredential,
    place: &GithubPlace,
) -> Result<Zeroizing<String>, SinkError> {
    let value = content::value(credential, place.format)?;
    sealed::fits(value.as_bytes())?;
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

impl SinkStore for GithubSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let work = async {
            let place = Self::place(to)?;
            let server = self.server(place).await?;
            server.may_write(place).await?;
            server.key(place, false).await?;
            let seen = server.look(place).await?;
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

    async fn ready(&self, to: &Destination) -> Result<Duration, SinkError> {
        let work = async {
            let place = Self::place(to)?;
            self.server(place).await?.ready(place).await
        };
        work.await
            .map_err(|error| remote::at(to, "looking", error))?;
        Ok(Duration::ZERO)
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
        Ok(Staged::nowhere(probe))
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
            .map_err(|error| remote::unsure(remote::at(to, "taking the key back", error)))
    }

    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        let unread = unfit("nobody can read a secret of GitHub back".to_owned(), None);
        Err(remote::at(from, "reading", unread))
    }

    async fn remove(
        &self,
        from: &Destination,
        _: &Mrn,
        left: Option<&StoreVersion>,
    ) -> Result<Removal, SinkError> {
        let work = async {
            let place = Self::place(from)?;
            let server = self.server(place).await?;
            let seen = server.look(place).await?;
            if seen.version.is_none() {
                return Ok(Removal::NotThere);
            }
            if seen.version.as_ref() != left {
                return Ok(Removal::Unknown);
            }
            Self::delete(&server, place).await?;
            Ok(Removal::Removed)
        };
        work.await
            .map_err(|error| remote::at(from, "removing the key", error))
    }
}

#[cfg(test)]
mod tests;
