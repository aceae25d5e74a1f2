//! Destinations of the kind `gitlab`: a CI/CD variable of a project or a group. What is there can be read
//! back, but for a hidden variable, of which this run knows what it wrote itself and nothing else.
//!
//! Sources: GitLab's documentation, "Project-level CI/CD variables API" and "Group-level Variables API".

mod after;
mod answer;
mod api;
mod login;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::after::{delivered, moved, read_back, seen_after, untold};
use self::answer::{Variable, can_be_masked, malformed, refuse};
use self::api::{Looked, Server, Unwritten};
use super::content;
use super::machine::Machine;
use super::remote;
use crate::model::{
    Destination, DestinationId, GitlabPlace, IssuedCredential, Mrn, Origin, Place, StoreVersion,
    StoredCredential,
};
use crate::ports::{
    Abandoned, Delivered, Found, Probe, ReadKey, Removal, SinkError, SinkErrorKind, SinkStore,
    Staged, Verified,
};

/// Delivers into GitLab.
#[derive(Debug)]
pub struct GitlabSink {
    machine: Arc<Machine>,
    /// By origin: one connection and one login a run.
    servers: Mutex<BTreeMap<Origin, Arc<Server>>>,
    /// What this run wrote, by place.
    written: Mutex<BTreeMap<DestinationId, Written>>,
}

/// What this run wrote at a place.
#[derive(Clone, Debug, Default)]
struct Written {
    /// How often, or perhaps.
    writes: u64,
    /// The last, if it was not taken back since.
    last: Option<Last>,
}

/// The last write at a place.
#[derive(Clone, Debug)]
struct Last {
    account: Mrn,
    /// Whether there was nothing before.
    new: bool,
    /// Whether GitLab said that it was written.
    sure: bool,
}

/// A place as the probe saw it.
struct Probed {
    /// How often this run had written there.
    writes: u64,
    /// Whether a variable of the same name and of another scope was there.
    others: bool,
    variable: Option<Variable>,
}

impl Probed {
    /// In the form that a probe keeps.
    fn kept(writes: u64, others: bool, looked: &Looked) -> StoredCredential {
        let mut bytes = Vec::with_capacity(9 + looked.body.len());
        bytes.extend(writes.to_be_bytes());
        bytes.push(others.into());
        bytes.extend(looked.body.iter());
        StoredCredential::new(bytes)
    }

    fn of(probe: &Probe) -> Result<Self, SinkError> {
        let kept = probe.read.as_ref().map(|read| read.expose());
        let kept = kept.and_then(|kept| kept.split_first_chunk());
        let Some((writes, [others, body @ ..])) = kept else {
            return Err(malformed("it was not looked at"));
        };
        Ok(Self {
            writes: u64::from_be_bytes(*writes),
            others: *others != 0,
            variable: match body {
                [] => None,
                body => Some(Variable::read(body)?),
            },
        })
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.variable.as_ref().map(Variable::bytes)
    }
}

impl GitlabSink {
    /// A sink with the logins of this machine; nothing is sent yet.
    pub fn new(machine: Arc<Machine>) -> Self {
        Self {
            machine,
            servers: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// The place of a destination.
    fn place(to: &Destination) -> Result<&GitlabPlace, SinkError> {
        match to.place() {
            Place::Gitlab(place) => Ok(place),
            _ => Err(malformed("it is no place at GitLab")),
        }
    }

    async fn server(&self, place: &GitlabPlace) -> Result<Arc<Server>, SinkError> {
        let mut servers = self.servers.lock().await;
        if let Some(server) = servers.get(&place.address) {
            return Ok(Arc::clone(server));
        }
        let server = Arc::new(Server::new(Arc::clone(&self.machine), &place.address)?);
        servers.insert(place.address.clone(), Arc::clone(&server));
        Ok(server)
    }

    async fn written(&self, to: &Destination) -> Written {
        let written = self.written.lock().await;
        written.get(&to.id()).cloned().unwrap_or_default()
    }

    async fn note(&self, to: &Destination, last: Option<Last>) {
        let mut written = self.written.lock().await;
        let at = written.entry(to.id()).or_default();
        at.writes += 1;
        at.last = last;
    }

    /// Writes the credential where what is there is what the probe saw.
    async fn deliver(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        let place = Self::place(to)?;
        let server = self.server(place).await?;
        let value = rendered(credential, place)?;
        let probed = Probed::of(&staged.probe)?;
        let there = server.look(place).await?;
        if place.hidden {
            let Written { writes, last } = self.written(to).await;
            match last.filter(|last| last.account == credential.mrn) {
                Some(last) if last.sure && there.variable.is_some() => {
                    return Ok(delivered(Verified::Accepted));
                }
                Some(last) if !last.sure => {
                    return Err(remote::unsure(malformed(
                        "whether the last write was done is not known, and nobody can read it back",
                    )));
                }
                _ => {}
            }
            if there.variable.is_some() != probed.variable.is_some() || writes != probed.writes {
                return Err(moved());
            }
        } else if there.bytes() == Some(value.as_bytes()) {
            // A copy, or our own write whose answer was lost.
            return Ok(delivered(Verified::Equal));
        } else if there.bytes() != probed.bytes() {
            return Err(moved());
        }
        let is = there.variable.as_ref();
        if let Some(is) = is {
            is.is_as(place)?;
            if is.raw != Some(true) && value.contains('$') {
                return Err(refuse(
                    SinkErrorKind::Unfit,
                    "the variable expands what follows a `$`, which the credential holds"
                        .to_owned(),
                    "say in GitLab that it does not",
                ));
            }
        }
        let new = is.is_none();
        let last = |sure| {
            Some(Last {
                account: credential.mrn.clone(),
                new,
                sure,
            })
        };
        match server.write(place, is, &value).await {
            Ok(now) => {
                if let Err(error) = now.is_as(place)
                    && new
                {
                    return Err(self.take_away(to, &server, &now, error, last(false)).await);
                }
                self.note(to, last(true)).await;
                match place.hidden {
                    true => Ok(delivered(Verified::Accepted)),
                    false => read_back(&server, place, &value).await,
                }
            }
            Err(unwritten) if place.hidden => {
                let (error, done) = untold(&server, place, new, unwritten).await;
                if done {
                    self.note(to, last(false)).await;
                }
                Err(error)
            }
            Err(unwritten) => seen_after(&server, place, &value, probed.bytes(), unwritten).await,
        }
    }

    /// Deletes a variable that was made just now, and is not what was asked for.
    async fn take_away(
        &self,
        to: &Destination,
        server: &Server,
        now: &Variable,
        differs: SinkError,
        last: Option<Last>,
    ) -> SinkError {
        let place = match Self::place(to) {
            Ok(place) => place,
            Err(error) => return error,
        };
        let scope = now.environment_scope.as_deref();
        let scope = scope.unwrap_or(&place.environment_scope);
        let message = match scope == place.environment_scope {
            true => format!(
                "GitLab did not make the variable as asked for: {}",
                differs.message
            ),
            false => "GitLab made the variable for another environment scope than was asked for"
                .to_owned(),
        };
        let help =
            "scopes of variables of groups need GitLab Premium, hidden variables GitLab 17.4";
        match server.delete(place, scope).await {
            Ok(()) => refuse(
                SinkErrorKind::Unfit,
                format!("{message}; it was deleted again"),
                help,
            ),
            Err(error) => {
                self.note(to, last).await;
                remote::unsure(SinkError {
                    message: format!(
                        "{message}, and it could not be deleted again: {}; the key is in the \
                         variable of the scope {}",
                        error.message,
                        crate::http::excerpt(scope, "")
                    ),
                    ..error
                })
            }
        }
    }

    /// Takes a credential out of a place again, or puts there again what was before.
    async fn take_back(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        let place = Self::place(to)?;
        let server = self.server(place).await?;
        if place.hidden {
            let last = self.written(to).await.last;
            let Some(last) = last.filter(|last| last.account == credential.mrn) else {
                return Ok(Abandoned::Gone);
            };
            return match server.look(place).await?.variable {
                None => Ok(Abandoned::Gone),
                // Somebody else may have made it.
                Some(_) if !last.new || !last.sure => Ok(Abandoned::Stays),
                Some(_) => self.delete(to, &server).await,
            };
        }
        let there = server.look(place).await?;
        let Some(is) = there
            .variable
            .as_ref()
            .filter(|is| is_of(is, &credential.mrn))
        else {
            return Ok(Abandoned::Gone);
        };
        let former = Probed::of(&staged.probe)?.variable;
        let former = former.and_then(|former| former.value);
        let Some(former) = former else {
            return self.delete(to, &server).await;
        };
        match server.write(place, Some(is), &former).await {
            Ok(_) => Ok(Abandoned::Restored),
            Err(Unwritten { error, .. }) if error.kind == SinkErrorKind::PermissionDenied => {
                Ok(Abandoned::Stays)
            }
            Err(Unwritten { error, .. }) => Err(error),
        }
    }

    /// Deletes the variable of a place.
    async fn delete(&self, to: &Destination, server: &Server) -> Result<Abandoned, SinkError> {
        let place = Self::place(to)?;
        match server.delete(place, &place.environment_scope).await {
            Ok(()) => {
                self.note(to, None).await;
                Ok(Abandoned::Gone)
            }
            Err(error) if error.kind == SinkErrorKind::PermissionDenied => Ok(Abandoned::Stays),
            Err(error) => Err(error),
        }
    }
}

/// Whether a variable holds the credential of an account.
fn is_of(variable: &Variable, account: &Mrn) -> bool {
    content::holder(variable.bytes()).is_some_and(|(holder, _)| holder == *account)
}

/// What is found at a place, which can be read if it is not hidden.
fn found(place: &GitlabPlace, variable: Option<&Variable>) -> Found {
    let Some(variable) = variable else {
        return Found::Nobody;
    };
    if place.hidden {
        return Found::Unreadable;
    }
    match content::holder(variable.bytes()) {
        Some((account, endpoint)) => Found::Account { account, endpoint },
        None => Found::Foreign {
            what:
                "the variable holds something that is not a credential; delete it, or name another \
                   variable"
                    .to_owned(),
        },
    }
}

/// The credential as the variable's value.
fn rendered(
    credential: &IssuedCredential,
    place: &GitlabPlace,
) -> Result<Zeroizing<String>, SinkError> {
    let text = content::value(credential, place.format)?;
    if place.masked && !can_be_masked(&text) {
        return Err(refuse(
            SinkErrorKind::Unfit,
            "GitLab masks one line without spaces, which the credential is not".to_owned(),
            "leave out the sink's format for base64 in one line",
        ));
    }
    Ok(text)
}

impl SinkStore for GitlabSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let work = async {
            let place = Self::place(to)?;
            let server = self.server(place).await?;
            server.may_write(place).await?;
            let writes = self.written(to).await.writes;
            let (looked, others) = server.look_around(place).await?;
            let variable = looked.variable.as_ref();
            if let Some(variable) = variable {
                variable.is_as(place)?;
            }
            Ok(Probe {
                found: found(place, variable),
                version: None,
                abilities: to.abilities(),
                read: Some(Arc::new(Probed::kept(writes, others, &looked))),
            })
        };
        work.await.map_err(|error| remote::at(to, "looking", error))
    }

    async fn ready(&self, to: &Destination) -> Result<Duration, SinkError> {
        let work = async {
            // Its token has no end that a job could tell.
            self.server(Self::place(to)?).await
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
        // A variable has one value. That GitLab would not take it is better known before any destination
        // has it.
        let fits = Self::place(to).and_then(|place| {
            rendered(credential, place)?;
            content::replaceable(&probe)
        });
        fits.map_err(|error| remote::at(to, "writing", error))?;
        Ok(Staged::nowhere(probe))
    }

    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        let work = async {
            let mut delivered = self.deliver(to, credential, staged).await?;
            if Probed::of(&staged.probe)?.others {
                delivered.note = Some(
                    "another variable of this name has a scope of its own: jobs that fit both get \
                     the one whose scope is more specific"
                        .to_owned(),
                );
            }
            Ok(delivered)
        };
        work.await.map_err(|error| remote::at(to, "writing", error))
    }

    async fn abandon(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        let work = self.take_back(to, credential, staged);
        work.await
            .map_err(|error| remote::unsure(remote::at(to, "taking the key back", error)))
    }

    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        let work = async {
            let place = Self::place(from)?;
            if place.hidden {
                let message = "nobody can read a hidden variable of GitLab back".to_owned();
                let help = "take the key from another place of the account";
                return Err(refuse(SinkErrorKind::Unfit, message, help));
            }
            let server = self.server(place).await?;
            let looked = server.look(place).await?;
            Ok(match looked.bytes() {
                None => ReadKey::Nothing,
                Some(bytes) => content::held(&StoredCredential::new(bytes.to_vec())),
            })
        };
        work.await
            .map_err(|error| remote::at(from, "reading", error))
    }

    async fn remove(
        &self,
        from: &Destination,
        account: &Mrn,
        _: Option<&StoreVersion>,
    ) -> Result<Removal, SinkError> {
        let work = async {
            let place = Self::place(from)?;
            let server = self.server(place).await?;
            let Some(is) = server.look(place).await?.variable else {
                return Ok(Removal::NotThere);
            };
            // GitLab gives variables no versions: what was written before this run is anybody's.
            let last = self.written(from).await.last;
            let ours = match place.hidden || is.hidden {
                true => last.is_some_and(|last| last.sure && last.account == *account),
                false => is_of(&is, account),
            };
            match (ours, place.hidden || is.hidden) {
                (true, _) => {}
                (false, true) => return Ok(Removal::Unknown),
                (false, false) => return Ok(Removal::NotThere),
            }
            match self.delete(from, &server).await? {
                Abandoned::Gone | Abandoned::Restored => Ok(Removal::Removed),
                Abandoned::Stays => Err(refuse(
                    SinkErrorKind::PermissionDenied,
                    "who is logged in may not delete it".to_owned(),
                    "give the token the rights that it needs (rolecall docs sink-gitlab)",
                )),
            }
        };
        work.await
            .map_err(|error| remote::at(from, "removing the key", error))
    }
}

#[cfg(test)]
mod tests;
