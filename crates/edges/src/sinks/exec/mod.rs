//! Destinations of the kind `exec`: what a program keeps that whoever applies has allowed. Each question is
//! one process, which the shell runs; every write says which version has to be there.
//!
//! The protocol is our own: docs/sinks/exec.md.

mod protocol;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::protocol::{Seen, Verb, With, malformed};
use super::content;
use super::machine::{Machine, SinkRequest};
use super::programs::{ProgramEnd, Ran};
use super::remote;
use crate::credential_file;
use crate::model::{
    Destination, DestinationId, ExecPlace, IssuedCredential, Mrn, Place, StoreVersion,
    StoredCredential,
};
use crate::ports::{
    Abandoned, Delivered, Effect, Found, Probe, ReadKey, Removal, SinkError, SinkErrorKind,
    SinkStore, Staged, Verified,
};

/// Delivers by programs.
#[derive(Debug)]
pub struct ExecSink {
    machine: Arc<Machine>,
    /// Programs whose abilities are those that the configuration says, with what they are told besides the
    /// place: asked once a run.
    able: Mutex<Vec<ExecPlace>>,
    /// What this run wrote, by place: where nobody can read whose key it is.
    written: Mutex<BTreeMap<DestinationId, Written>>,
}

/// A key that this run wrote, or may have written.
#[derive(Clone, Debug)]
struct Written {
    account: Mrn,
    /// The version before; nothing, where there was nothing.
    before: Option<String>,
    /// The version that the write made; `None` if nobody knows.
    version: Option<String>,
}

fn unfit(message: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Unfit,
        ..malformed(message)
    }
}

/// The letters of a private key, without what every key has around them.
fn letters(key: &str) -> Zeroizing<String> {
    let own = key
        .lines()
        .filter(|line| !line.starts_with("-----END") && !line.ends_with("KEY-----"));
    let mut out = Zeroizing::new(String::with_capacity(key.len()));
    own.for_each(|line| out.push_str(line));
    out
}

fn body(credential: &IssuedCredential) -> Zeroizing<String> {
    letters(credential.private_key.expose())
}

/// The credential as the program is told it.
fn rendered(
    credential: &IssuedCredential,
    place: &ExecPlace,
) -> Result<Zeroizing<String>, SinkError> {
    content::value(credential, place.format)
}

impl Seen {
    fn found(&self) -> Found {
        let Some(value) = &self.value else {
            return Found::Unreadable;
        };
        match content::holder(value.as_bytes()) {
            Some((account, endpoint)) => Found::Account { account, endpoint },
            None => Found::Foreign {
                what: "it holds something that is not a credential; move it away, or name another place"
                    .to_owned(),
            },
        }
    }

    /// Whether it is the credential of an account.
    fn is_of(&self, account: &Mrn) -> bool {
        matches!(self.found(), Found::Account { account: found, .. } if found == *account)
    }

    fn holds(&self, value: &str) -> bool {
        self.value
            .as_ref()
            .is_some_and(|held| held.as_str() == value)
    }

    /// What a later write needs of it: the version, and behind the end of its line the value.
    fn kept(&self) -> Arc<StoredCredential> {
        let value = self.value.as_ref().map_or("", |value| value.as_str());
        let mut out = Vec::with_capacity(self.version.len() + 1 + value.len());
        out.extend_from_slice(self.version.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(value.as_bytes());
        Arc::new(StoredCredential::new(out))
    }
}

/// The version and the value that a probe saw.
fn before(probe: &Probe) -> Option<(&str, &str)> {
    let kept = probe.read.as_ref()?;
    std::str::from_utf8(kept.expose()).ok()?.split_once('\n')
}

impl ExecSink {
    /// A sink with the programs of this machine; none is run yet.
    pub fn new(machine: Arc<Machine>) -> Self {
        Self {
            machine,
            able: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// The place of a destination, if its program is allowed.
    fn place<'a>(&self, to: &'a Destination) -> Result<&'a ExecPlace, SinkError> {
        let Place::Exec(place) = to.place() else {
            return Err(unfit("it is no place of a program"));
        };
        match self.machine.programs.allowed.contains(&place.program) {
            true => Ok(place),
            false => Err(SinkError {
                help: Some(format!(
                    "--allow-exec={}=/absolute/path says which program that is",
                    place.program
                )),
                ..unfit("its program is not allowed, and was not run")
            }),
        }
    }

    /// Asks the program once. `secrets` are keys that it is told, of which nothing that it says may show a part.
    async fn ask<T>(
        &self,
        verb: Verb,
        place: &ExecPlace,
        with: &With<'_>,
        secrets: &[&str],
        read: impl FnOnce(&[u8]) -> Result<T, SinkError>,
    ) -> Result<T, SinkError> {
        let input = protocol::request(verb, place, with);
        let began = (self.machine.time.now)();
        let ran = (self.machine.programs.run)(&place.program, input).await;
        let took = (self.machine.time.now)().duration_since(began);
        let Ran { end, answer, said } = ran;
        (self.machine.observer)(&SinkRequest {
            operation: verb.operation(),
            host: place.program.clone(),
            attempt: 1,
            status: match end {
                ProgramEnd::Code(code) => u16::try_from(code).ok(),
                _ => None,
            },
            took: Duration::try_from(took).unwrap_or_default(),
        });
        let failed = match protocol::failure(&end, verb) {
            Some(error) => error,
            None => match read(&answer) {
                Ok(answer) => return Ok(answer),
                Err(error) if verb.writes() => remote::unsure(error),
                Err(error) => error,
            },
        };
        Err(match words::repeatable(&said, secrets) {
            Some(words) => SinkError {
                message: format!("{}; it said: {words}", failed.message),
                ..failed
            },
            None => failed,
        })
    }

    /// Sees that the program can do what the configuration says of it, once a run.
    async fn able(&self, place: &ExecPlace) -> Result<(), SinkError> {
        let mut able = self.able.lock().await;
        let same = |known: &ExecPlace| {
            let ExecPlace {
                program,
                place: _,
                arguments,
                abilities,
                format: _,
            } = known;
            (program, arguments, abilities) == (&place.program, &place.arguments, &place.abilities)
        };
        if able.iter().any(same) {
            return Ok(());
        }
        let with = With::default();
        let found = self
            .ask(Verb::Abilities, place, &with, &[], protocol::abilities)
            .await?;
        if found != place.abilities {
            let names = |of: &std::collections::BTreeSet<crate::model::ExecAbility>| {
                let names: Vec<String> = of
                    .iter()
                    .map(|one| format!("\"{}\"", one.as_str()))
                    .collect();
                format!("[{}]", names.join(", "))
            };
            return Err(SinkError {
                help: Some(format!("say abilities = {} in the sink", names(&found))),
                ..unfit(&format!(
                    "the program can do other than the sink says, which is {}; nothing was written",
                    names(&place.abilities)
                ))
            });
        }
        able.push(place.clone());
        Ok(())
    }

    async fn look(&self, place: &ExecPlace, to: &Destination) -> Result<Option<Seen>, SinkError> {
        self.able(place).await?;
        let reads = to.abilities().read_back;
        let read = |answer: &[u8]| protocol::seen(answer, reads);
        self.ask(Verb::Probe, place, &With::default(), &[], read)
            .await
    }

    /// Forgets a key that is kept beside.
    async fn drop_staged(
        &self,
        place: &ExecPlace,
        to: &Destination,
        credential: &IssuedCredential,
    ) -> Result<(), SinkError> {
        if !to.abilities().stage {
            return Ok(());
        }
        let key = credential.fingerprint.to_string();
        let with = With {
            account: Some(credential.mrn.as_str()),
            key: Some(&key),
            ..With::default()
        };
        let secret = body(credential);
        self.ask(Verb::Abandon, place, &with, &[&secret], protocol::done)
            .await
    }

    async fn delete(&self, place: &ExecPlace, seen: &Seen) -> Result<(), SinkError> {
        let with = With {
            expect: Some(&seen.version),
            ..With::default()
        };
        self.ask(Verb::Remove, place, &with, &[], protocol::done)
            .await
    }

    async fn note(&self, to: &Destination, written: Written) {
        self.written.lock().await.insert(to.id(), written);
    }

    /// What this run wrote of a credential at a destination, if nothing of another one since.
    async fn written(&self, to: &Destination, of: &IssuedCredential) -> Option<Written> {
        let written = self.written.lock().await;
        let found = written.get(&to.id()).cloned();
        found.filter(|written| written.account == of.mrn)
    }

    async fn deliver(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        let place = self.place(to)?;
        let value = rendered(credential, place)?;
        let expect = before(&staged.probe).map(|(version, _)| version);
        let key = credential.fingerprint.to_string();
        let with = With {
            expect,
            account: Some(credential.mrn.as_str()),
            key: Some(&key),
            value: Some(&value),
        };
        let secret = body(credential);
        let wrote = self
            .ask(Verb::Promote, place, &with, &[&secret], protocol::wrote)
            .await;
        let reads = to.abilities().read_back;
        match wrote {
            Ok(version) if !reads => {
                let told = StoreVersion::new(&version);
                let before = expect.map(str::to_owned);
                let written = Written {
                    account: credential.mrn.clone(),
                    before,
                    version: Some(version),
                };
                self.note(to, written).await;
                Ok(Delivered {
                    verified: Verified::Accepted,
                    version: Some(told),
                    note: None,
                })
            }
            Ok(_) => match self.look(place, to).await.map_err(remote::unsure)? {
                Some(seen) if seen.holds(&value) => Ok(equal(&seen)),
                _ => Err(remote::unsure(malformed(
                    "what is there is not what was written; something else writes to it",
                ))),
            },
            Err(error) if error.kind == SinkErrorKind::Moved || error.effect == Effect::Unknown => {
                // It may be our own write, whose answer was lost.
                match self.ours(place, to, credential, &value).await {
                    Some(delivered) => {
                        self.drop_staged(place, to, credential)
                            .await
                            .map_err(remote::unsure)?;
                        Ok(delivered)
                    }
                    None => {
                        if error.effect == Effect::Unknown {
                            let before = expect.map(str::to_owned);
                            let written = Written {
                                account: credential.mrn.clone(),
                                before,
                                version: None,
                            };
                            self.note(to, written).await;
                        }
                        Err(error)
                    }
                }
            }
            Err(error) => Err(error),
        }
    }

    /// The delivery, if what is there is surely this credential.
    async fn ours(
        &self,
        place: &ExecPlace,
        to: &Destination,
        credential: &IssuedCredential,
        value: &str,
    ) -> Option<Delivered> {
        let seen = self.look(place, to).await.ok()??;
        if seen.holds(value) {
            return Some(equal(&seen));
        }
        let mine = self.written(to, credential).await?;
        (mine.version.as_ref() == Some(&seen.version)).then(|| Delivered {
            verified: Verified::Accepted,
            version: Some(StoreVersion::new(&seen.version)),
            note: None,
        })
    }

    /// Takes back what was promoted, where it is this credential's.
    async fn take_back(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        let place = self.place(to)?;
        self.drop_staged(place, to, credential).await?;
        let mine = self.written(to, credential).await;
        let reads = to.abilities().read_back;
        if !reads && mine.is_none() {
            return Ok(Abandoned::Gone);
        }
        let Some(seen) = self.look(place, to).await? else {
            return Ok(Abandoned::Gone);
        };
        if let (false, Some(mine)) = (reads, mine) {
            let Written {
                account: _,
                before,
                version,
            } = mine;
            return match version {
                _ if before.as_ref() == Some(&seen.version) => Ok(Abandoned::Gone),
                // Nobody can tell whose that is.
                None => Ok(Abandoned::Stays),
                Some(version) if version != seen.version => Ok(Abandoned::Gone),
                Some(_) if before.is_none() => {
                    self.delete(place, &seen).await?;
                    Ok(Abandoned::Gone)
                }
                Some(_) => Ok(Abandoned::Stays),
            };
        }
        if !seen.is_of(&credential.mrn) {
            return Ok(Abandoned::Gone);
        }
        let Some((_, former)) = before(&staged.probe) else {
            self.delete(place, &seen).await?;
            return Ok(Abandoned::Gone);
        };
        let with = With {
            expect: Some(&seen.version),
            value: Some(former),
            ..With::default()
        };
        let secret = body(credential);
        let whole = credential_file::whole(former.as_bytes());
        let theirs = whole.map(|whole| letters(&whole.private_key));
        let theirs = theirs.as_ref().map_or("", |letters| letters.as_str());
        let secrets = [&secret, theirs, former];
        self.ask(Verb::Promote, place, &with, &secrets, protocol::wrote)
            .await?;
        Ok(Abandoned::Restored)
    }
}

fn equal(seen: &Seen) -> Delivered {
    Delivered {
        verified: Verified::Equal,
        version: Some(StoreVersion::new(&seen.version)),
        note: None,
    }
}

impl SinkStore for ExecSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let work = async {
            let place = self.place(to)?;
            let seen = self.look(place, to).await?;
            Ok(Probe {
                found: seen.as_ref().map_or(Found::Nobody, Seen::found),
                version: seen.as_ref().map(|seen| StoreVersion::new(&seen.version)),
                abilities: to.abilities(),
                read: seen.as_ref().map(Seen::kept),
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
        let work = async {
            let place = self.place(to)?;
            if let Found::Foreign { what } = &probe.found {
                return Err(unfit(what));
            }
            if !to.abilities().stage {
                return Ok(Staged::nowhere(probe));
            }
            let value = rendered(credential, place)?;
            let key = credential.fingerprint.to_string();
            let with = With {
                expect: before(&probe).map(|(version, _)| version),
                account: Some(credential.mrn.as_str()),
                key: Some(&key),
                value: Some(&value),
            };
            let secret = body(credential);
            let done = self
                .ask(Verb::Stage, place, &with, &[&secret], protocol::done)
                .await;
            if let Err(error) = done {
                if error.effect == Effect::None {
                    return Err(error);
                }
                // It is named by its key, so that it is found though nobody said that it is there.
                let gone = self.drop_staged(place, to, credential).await.is_ok();
                return Err(SinkError {
                    effect: match gone {
                        true => Effect::None,
                        false => Effect::Unknown,
                    },
                    ..error
                });
            }
            Ok(Staged {
                probe,
                beside: Some(key),
                former: None,
            })
        };
        work.await.map_err(|error| remote::at(to, "writing", error))
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
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        let work = self.take_back(to, credential, staged);
        work.await
            .map_err(|error| remote::unsure(remote::at(to, "taking the key back", error)))
    }

    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        let work = async {
            let place = self.place(from)?;
            if !from.abilities().read_back {
                return Err(unfit("the program cannot read what it keeps"));
            }
            Ok(match self.look(place, from).await? {
                None => ReadKey::Nothing,
                Some(seen) => {
                    let value = seen.value.as_ref().map_or("", |value| value.as_str());
                    content::held(&StoredCredential::new(value.as_bytes().to_vec()))
                }
            })
        };
        work.await
            .map_err(|error| remote::at(from, "reading", error))
    }

    async fn remove(
        &self,
        from: &Destination,
        account: &Mrn,
        left: Option<&StoreVersion>,
    ) -> Result<Removal, SinkError> {
        let work = async {
            let place = self.place(from)?;
            let Some(seen) = self.look(place, from).await? else {
                return Ok(Removal::NotThere);
            };
            if from.abilities().read_back {
                if !seen.is_of(account) {
                    return Ok(Removal::NotThere);
                }
            } else if Some(&StoreVersion::new(&seen.version)) != left {
                return Ok(Removal::Unknown);
            }
            self.delete(place, &seen).await?;
            Ok(Removal::Removed)
        };
        work.await
            .map_err(|error| remote::at(from, "removing the key", error))
    }
}

#[cfg(test)]
mod tests;
