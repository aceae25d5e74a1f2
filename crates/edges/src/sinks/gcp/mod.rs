//! Destinations of the kind `gcp_secret_manager`: a secret in Google Cloud's Secret Manager, global or regional.
//! Every write is a new version, which consumers of `latest` read at once. The newest version is never
//! disabled or destroyed, since `latest` stays with it; what was there before is written again.
//!
//! Source: Google's discovery document of the API, `secretmanager` v1, and its documentation.

mod answer;
mod api;
mod file;
mod login;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::answer::{State, Version, malformed};
use self::api::Server;
use self::login::Logins;
use super::content;
use super::machine::Machine;
use super::remote;
use super::room;
use crate::model::{
    Destination, DestinationId, GcpPlace, IssuedCredential, Mrn, Origin, Place, StoreVersion,
    StoredCredential,
};
use crate::ports::{
    Abandoned, Delivered, Effect, Found, Probe, ReadKey, Removal, SinkError, SinkErrorKind,
    SinkStore, Staged, Verified,
};

/// What a version holds that says that there is no key: the newest version can neither be empty nor go.
const NOTHING: &[u8] = b"{}";
/// The longest value, in bytes. Source: the discovery document, `SecretPayload`.
const LONGEST: usize = 65_536;
const _: () = assert!(room::MOST <= LONGEST);
/// How often a version is looked for whose write may have been done.
const LOOKS: u32 = 5;

/// Delivers into Google Cloud's Secret Manager.
#[derive(Debug)]
pub struct GcpSink {
    machine: Arc<Machine>,
    logins: Arc<Logins>,
    /// By origin: one connection a run.
    servers: Mutex<BTreeMap<Origin, Arc<Server>>>,
    /// When Google deletes secrets that a probe saw, where it does.
    ends: Mutex<BTreeMap<DestinationId, Timestamp>>,
}

impl GcpSink {
    /// A sink with the logins of this machine; nothing is sent yet.
    pub fn new(machine: Arc<Machine>) -> Self {
        Self {
            machine,
            logins: Arc::default(),
            servers: Mutex::default(),
            ends: Mutex::default(),
        }
    }

    /// The place of a destination, and its server.
    async fn at<'a>(&self, to: &'a Destination) -> Result<(&'a GcpPlace, Arc<Server>), SinkError> {
        let Place::GcpSecretManager(place) = to.place() else {
            return Err(malformed("it is no place in Secret Manager"));
        };
        // For each place, since one address may be right for a region and wrong for another.
        if !place.is_at_google() && !self.machine.allowed.contains(&place.address) {
            return file::refuse(
                format!(
                    "{} is not Google's address for this secret, so the login was not sent",
                    place.address
                ),
                format!(
                    "leave the sink's address out, or let a policy directory say destinations {{ \
                     allow = [\"{}\"] }}",
                    place.address
                ),
            );
        }
        let mut servers = self.servers.lock().await;
        if let Some(server) = servers.get(&place.address) {
            return Ok((place, Arc::clone(server)));
        }
        let machine = Arc::clone(&self.machine);
        let server = Arc::new(Server::new(machine, Arc::clone(&self.logins), place)?);
        servers.insert(place.address.clone(), Arc::clone(&server));
        Ok((place, server))
    }

    /// Writes a version next to the one that was the newest, and sees that it is there: its number.
    async fn write(
        &self,
        server: &Server,
        place: &GcpPlace,
        value: &[u8],
        before: u64,
    ) -> Result<u64, SinkError> {
        let next = before + 1;
        let number = match server.add(place, value).await {
            Ok(number) => number,
            Err(error) => self.after(server, place, value, next, error).await?,
        };
        if number > next {
            // Somebody wrote at the same time, and was first.
            self.give_way(server, place, value, number - 1).await?;
        }
        let read = server.version(place, &number.to_string()).await;
        let read = read.map_err(remote::unsure)?;
        match read.as_ref().and_then(Version::value) == Some(value) {
            true => Ok(number),
            false => Err(remote::unsure(malformed(
                "what is there is not what was written",
            ))),
        }
    }

    /// What came of a write that failed: the versions tell, whatever the answer said. The number of ours.
    async fn after(
        &self,
        server: &Server,
        place: &GcpPlace,
        value: &[u8],
        next: u64,
        error: SinkError,
    ) -> Result<u64, SinkError> {
        let surely = error.effect == Effect::None;
        let looks = if surely { 1 } else { LOOKS };
        let mut number = next;
        for look in 1..=looks {
            match server.find(place, value, number).await {
                Ok(Ok(number)) => return Ok(number),
                Ok(Err(absent)) => number = absent,
                Err(_) => return Err(error),
            }
            if look < looks {
                (self.machine.time.sleep)(Duration::from_millis(250 << look)).await;
            }
        }
        match number == next {
            true => Err(SinkError {
                effect: Effect::None,
                message: format!("{}; no version was added", error.message),
                ..error
            }),
            false if surely => Err(moved()),
            false => Err(SinkError {
                message: format!("{}; and somebody else wrote there", error.message),
                ..error
            }),
        }
    }

    /// Writes again what another program wrote just before us, so that it stays the newest; nothing is to be
    /// done if that is the same.
    async fn give_way(
        &self,
        server: &Server,
        place: &GcpPlace,
        ours: &[u8],
        theirs: u64,
    ) -> Result<(), SinkError> {
        let read = server.version(place, &theirs.to_string()).await;
        let value = read.as_ref().ok().and_then(Option::as_ref);
        let Some(value) = value.and_then(Version::value) else {
            return Err(remote::unsure(moved()));
        };
        if value == ours {
            return Ok(());
        }
        match server.add(place, value).await {
            Ok(_) => Err(SinkError {
                message: format!(
                    "something else added the version {theirs} at the same moment, which was written \
                     again behind ours"
                ),
                ..moved()
            }),
            Err(_) => Err(remote::unsure(moved())),
        }
    }

    /// Leaves a secret without the key that a version of it holds, which is the newest.
    async fn empty(&self, server: &Server, place: &GcpPlace, holds: u64) -> Result<(), SinkError> {
        self.write(server, place, NOTHING, holds).await?;
        // No more the newest.
        match server.destroy(place, holds).await? {
            true => Ok(()),
            false => Err(malformed("a version that was destroyed can still be read")),
        }
    }
}

/// That what is there is not what the probe saw.
fn moved() -> SinkError {
    SinkError {
        kind: SinkErrorKind::Moved,
        effect: Effect::None,
        message: "the secret was written since it was looked at".to_owned(),
        help: Some("run again".to_owned()),
    }
}

/// The number of a version; 0 where there is none.
fn number(version: Option<&Version>) -> u64 {
    version.map_or(0, |version| version.number)
}

/// The number of the version that a probe saw.
fn seen(probe: &Probe) -> u64 {
    let version = probe.version.as_ref().map(StoreVersion::as_str);
    version.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The bytes of a version that hold anything.
fn held(version: Option<&Version>) -> Option<&[u8]> {
    version
        .and_then(Version::value)
        .filter(|bytes| bytes.trim_ascii() != NOTHING)
}

/// What a version holds.
fn found(place: &GcpPlace, version: Option<&Version>) -> Result<Found, SinkError> {
    if let Some(version) = version
        && matches!(version.state, State::Disabled)
    {
        return Err(answer::disabled(place, version.number));
    }
    let Some(bytes) = held(version) else {
        return Ok(Found::Nobody);
    };
    Ok(match content::holder(bytes) {
        Some((account, endpoint)) => Found::Account { account, endpoint },
        None => Found::Foreign {
            what:
                "the secret holds something that is not a credential; name another secret, or add \
                   a version to it that holds {} if nobody needs that"
                    .to_owned(),
        },
    })
}

/// Whether a version holds the key of an account.
fn is_of(version: Option<&Version>, account: &Mrn) -> bool {
    let holder = held(version).and_then(content::holder);
    holder.is_some_and(|(holder, _)| holder == *account)
}

/// The credential as a version holds it.
fn rendered(
    credential: &IssuedCredential,
    place: &GcpPlace,
) -> Result<Zeroizing<String>, SinkError> {
    let text = content::value(credential, place.format)?;
    match text.len() > LONGEST {
        true => Err(SinkError {
            kind: SinkErrorKind::Full,
            effect: Effect::None,
            message: format!(
                "the credential has {} bytes, and a secret takes {LONGEST}",
                text.len()
            ),
            help: Some("deliver it elsewhere".to_owned()),
        }),
        false => Ok(text),
    }
}

impl SinkStore for GcpSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let work = async {
            let (place, server) = self.at(to).await?;
            let secret = server.secret(place).await?;
            secret.is_fit(place)?;
            if let Some(end) = secret.ends() {
                self.ends.lock().await.insert(to.id(), end);
            }
            let newest = server.newest(place, None).await?;
            let found = found(place, newest.as_ref())?;
            let value = held(newest.as_ref());
            Ok(Probe {
                found,
                version: newest
                    .as_ref()
                    .map(|version| StoreVersion::new(&version.number.to_string())),
                abilities: to.abilities(),
                read: value.map(|bytes| Arc::new(StoredCredential::new(bytes.to_vec()))),
            })
        };
        work.await.map_err(|error| remote::at(to, "looking", error))
    }

    async fn ready(&self, to: &Destination) -> Result<Duration, SinkError> {
        let work = async { self.at(to).await?.1.ready().await };
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
        // A version is read by everybody as soon as it is written. That it would not be taken is better
        // known before any destination has the key.
        let fits = self.at(to).await.and_then(|(place, _)| {
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
            let (place, server) = self.at(to).await?;
            let value = rendered(credential, place)?;
            let before = seen(&staged.probe);
            let newest = server.newest(place, Some(before)).await?;
            let newest = newest.as_ref();
            let at = match newest.and_then(Version::value) {
                // A copy, or our own write whose answer was lost.
                Some(there) if *there == *value.as_bytes() => number(newest),
                there => {
                    let read = staged.probe.read.as_ref().map(|read| read.expose());
                    let same = match held(newest) {
                        None => read.is_none(),
                        Some(there) => read.is_some_and(|read| read[..] == *there),
                    };
                    let closed = there.is_none()
                        && newest.is_some_and(|version| matches!(version.state, State::Disabled));
                    if number(newest) != before || !same || closed {
                        return Err(moved());
                    }
                    self.write(&server, place, value.as_bytes(), before).await?
                }
            };
            let ends = self.ends.lock().await.get(&to.id()).copied();
            Ok(Delivered {
                verified: Verified::Equal,
                version: Some(StoreVersion::new(&at.to_string())),
                note: ends.map(|at| format!("Google deletes the secret with the key at {at}")),
            })
        };
        work.await.map_err(|error| remote::at(to, "writing", error))
    }

    async fn abandon(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        let work = async {
            let (place, server) = self.at(to).await?;
            let newest = server.newest(place, Some(seen(&staged.probe))).await?;
            if !is_of(newest.as_ref(), &credential.mrn) {
                return Ok(Abandoned::Gone);
            }
            let holds = number(newest.as_ref());
            if let Some(former) = &staged.probe.read {
                // Our version stays behind it: `latest` may point there for a while, and whoever reads it
                // shall not fail. It opens nothing once its account is gone.
                self.write(&server, place, former.expose(), holds).await?;
                return Ok(Abandoned::Restored);
            }
            match self.empty(&server, place, holds).await {
                Ok(()) => Ok(Abandoned::Gone),
                Err(error) if error.kind == SinkErrorKind::PermissionDenied => Ok(Abandoned::Stays),
                Err(error) => Err(error),
            }
        };
        work.await
            .map_err(|error| remote::unsure(remote::at(to, "taking the key back", error)))
    }

    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        let work = async {
            let (place, server) = self.at(from).await?;
            server.secret(place).await?;
            let newest = server.newest(place, None).await?;
            Ok(match found(place, newest.as_ref())? {
                Found::Nobody => ReadKey::Nothing,
                Found::Foreign { what } => ReadKey::Other(what),
                Found::Unreadable => ReadKey::Other("something that cannot be read".to_owned()),
                Found::Account { .. } => {
                    let bytes = held(newest.as_ref()).unwrap_or_default();
                    content::held(&StoredCredential::new(bytes.to_vec()))
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
        _: Option<&StoreVersion>,
    ) -> Result<Removal, SinkError> {
        let work = async {
            let (place, server) = self.at(from).await?;
            let newest = server.newest(place, None).await?;
            let disabled = newest
                .as_ref()
                .is_some_and(|version| matches!(version.state, State::Disabled));
            let holds = is_of(newest.as_ref(), account);
            if holds {
                self.empty(&server, place, number(newest.as_ref())).await?;
            }
            // Former versions can be read by their numbers, as where another key took its place.
            let formers = server.readable(place).await?.into_iter();
            for former in formers.filter(|former| *former < number(newest.as_ref())) {
                let version = server.version(place, &former.to_string()).await?;
                if is_of(version.as_ref(), account) {
                    server.destroy(place, former).await?;
                }
            }
            Ok(match (holds, disabled) {
                (true, _) => Removal::Removed,
                (false, true) => Removal::Unknown,
                (false, false) => Removal::NotThere,
            })
        };
        work.await
            .map_err(|error| remote::at(from, "removing the key", error))
    }
}

#[cfg(test)]
mod tests;
