//! Destinations of the kind `azure_key_vault`: a secret in Azure Key Vault. Each write is a new version, which
//! is read at once; tags, content type and attributes of the version before it are sent back. Nothing is
//! deleted, purged or recovered.
//!
//! Source: the reference of the Key Vault REST API 7.4.

mod answer;
mod login;
mod token;
mod vault;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::answer::{NOTHING, Seen, State, malformed, moved, refuse};
use self::login::Logins;
use self::vault::{Looked, Vault, Wrote};
use super::content;
use super::machine::Machine;
use super::remote;
use super::room;
use crate::model::{
    AzureKeyVaultPlace, Destination, IssuedCredential, Mrn, Origin, Place, StoreVersion,
    StoredCredential,
};
use crate::ports::{
    Abandoned, Delivered, Effect, Found, Probe, ReadKey, Removal, SinkError, SinkErrorKind,
    SinkStore, Staged, Verified,
};

/// The longest value, in bytes. Source: Microsoft's documentation, "About Azure Key Vault secrets".
const LONGEST: usize = 25 * 1024;
const _: () = assert!(room::MOST <= LONGEST);

/// Delivers into Azure Key Vault.
#[derive(Debug)]
pub struct AzureKeyVaultSink {
    machine: Arc<Machine>,
    logins: Arc<Logins>,
    /// By address: one connection a run.
    vaults: Mutex<BTreeMap<Origin, Arc<Vault>>>,
}

/// The credential as the secret's value.
fn rendered(
    credential: &IssuedCredential,
    place: &AzureKeyVaultPlace,
) -> Result<Zeroizing<String>, SinkError> {
    let text = content::value(credential, place.format)?;
    match text.len() > LONGEST {
        true => Err(refuse(
            SinkErrorKind::Full,
            format!(
                "the credential has {} bytes, and a secret takes {LONGEST}",
                text.len()
            ),
            "deliver it elsewhere",
        )),
        false => Ok(text),
    }
}

/// What a probe saw.
fn probed(probe: &Probe, place: &AzureKeyVaultPlace) -> Result<Option<Seen>, SinkError> {
    let read = probe.read.as_ref();
    read.map(|read| Seen::read(read.expose(), place))
        .transpose()
}

impl AzureKeyVaultSink {
    /// A sink with the logins of this machine; nothing is sent yet.
    pub fn new(machine: Arc<Machine>) -> Self {
        Self {
            machine,
            logins: Arc::default(),
            vaults: Mutex::default(),
        }
    }

    /// The place of a destination, and the vault that it is in.
    async fn at<'a>(
        &self,
        to: &'a Destination,
    ) -> Result<(&'a AzureKeyVaultPlace, Arc<Vault>), SinkError> {
        let Place::AzureKeyVault(place) = to.place() else {
            return Err(malformed("it is no place in Azure Key Vault"));
        };
        let mut vaults = self.vaults.lock().await;
        if let Some(vault) = vaults.get(&place.vault) {
            return Ok((place, Arc::clone(vault)));
        }
        let (machine, logins) = (Arc::clone(&self.machine), Arc::clone(&self.logins));
        let vault = Arc::new(Vault::new(machine, logins, &place.vault)?);
        vaults.insert(place.vault.clone(), Arc::clone(&vault));
        Ok((place, vault))
    }

    /// Writes the credential where what is there is what the probe saw.
    async fn deliver(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        let (place, vault) = self.at(to).await?;
        let value = rendered(credential, place)?;
        let before = probed(&staged.probe, place)?.map(|seen| seen.version);
        let mut there = vault.look(place).await?;
        let mut waits = Vault::recovery();
        loop {
            // A copy, or our own write whose answer was lost.
            if there.holds(&value) {
                return Ok(self.delivered(&there));
            }
            if there.version() != before.as_deref() {
                return Err(moved());
            }
            let wrote = match vault.write(place, there.seen.as_ref(), &value).await {
                Wrote::Version(version) => {
                    let new = |looked: &Looked| looked.version() == Some(&version);
                    let looked = vault.look_for(place, new).await.map_err(remote::unsure)?;
                    return match looked.holds(&value) {
                        true => Ok(self.delivered(&looked)),
                        false => Err(remote::unsure(malformed(
                            "what is there is not what was written; something else writes to it",
                        ))),
                    };
                }
                wrote => wrote,
            };
            match wrote {
                Wrote::Version(_) => {}
                Wrote::Not(State::Deleted) => return Err(answer::in_the_bin(place)),
                // Nothing is written before it is seen what came back.
                Wrote::Not(State::Recovering) => loop {
                    let wait = waits.next().ok_or_else(answer::still_recovering)?;
                    vault.rest(wait).await;
                    there = vault.look(place).await?;
                    if there.seen.is_some() {
                        break;
                    }
                },
                Wrote::Failed { error, surely } => {
                    return self.seen_after(&vault, place, &value, error, surely).await;
                }
            }
        }
    }

    /// What came of a write that failed: what is there tells.
    async fn seen_after(
        &self,
        vault: &Vault,
        place: &AzureKeyVaultPlace,
        value: &str,
        error: SinkError,
        surely: bool,
    ) -> Result<Delivered, SinkError> {
        if error.kind == SinkErrorKind::Unauthenticated && surely {
            return Err(error);
        }
        let ours = |looked: &Looked| looked.holds(value);
        let looked = match surely {
            true => vault.look(place).await,
            false => vault.look_for(place, ours).await,
        };
        match looked {
            Ok(looked) if ours(&looked) => Ok(self.delivered(&looked)),
            // It was refused, and it is not there; what was lost may still come.
            Ok(_) if error.effect == Effect::None => Err(error),
            Err(_) if surely => Err(error),
            _ => Err(remote::unsure(error)),
        }
    }

    /// A key that is there, read back.
    fn delivered(&self, looked: &Looked) -> Delivered {
        let expires = looked.seen.as_ref().and_then(|seen| seen.expires);
        let expires = expires.and_then(|second| Timestamp::from_second(second).ok());
        let now = (self.machine.time.now)();
        Delivered {
            verified: Verified::Equal,
            version: looked.version().map(StoreVersion::new),
            note: expires.filter(|end| *end <= now).map(|end| {
                format!(
                    "the secret has an expiry date, which stays and has passed ({end}); some that read \
                     it may not take it"
                )
            }),
        }
    }

    /// Writes something else in place of a key, and shuts the version that has it.
    async fn replace(
        vault: &Vault,
        place: &AzureKeyVaultPlace,
        there: &Seen,
        value: &str,
    ) -> Result<(), SinkError> {
        match vault.write(place, Some(there), value).await {
            Wrote::Version(_) => Ok(()),
            Wrote::Not(State::Deleted) => Err(answer::in_the_bin(place)),
            Wrote::Not(State::Recovering) => Err(answer::still_recovering()),
            Wrote::Failed { error, surely } => {
                let gone = |looked: &Looked| looked.version() != Some(&there.version);
                let looked = match surely {
                    true => return Err(error),
                    false => vault.look_for(place, gone).await,
                };
                match looked {
                    Ok(looked) if looked.holds(value) => Ok(()),
                    Ok(_) if error.effect == Effect::None => Err(error),
                    _ => Err(remote::unsure(error)),
                }
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
        let (place, vault) = self.at(to).await?;
        let Some(there) = vault.look(place).await?.seen else {
            return Ok(Abandoned::Gone);
        };
        if !there.is_of(&credential.mrn) {
            return Ok(Abandoned::Gone);
        }
        let former = probed(&staged.probe, place)?.filter(|former| !former.is_empty());
        let value = former.as_ref().map_or(NOTHING, Seen::value);
        match Self::replace(&vault, place, &there, value).await {
            Ok(()) => {}
            Err(error) if Vault::lacks_right(&error) => return Ok(Abandoned::Stays),
            Err(error) => return Err(error),
        }
        // The key opens nothing once its account is gone, so that this is not needed.
        let _ = vault.disable(place, &there.version).await;
        Ok(match former {
            Some(_) => Abandoned::Restored,
            None => Abandoned::Gone,
        })
    }
}

impl SinkStore for AzureKeyVaultSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let work = async {
            let (place, vault) = self.at(to).await?;
            let looked = vault.look_whole(place).await?;
            if let Some(seen) = &looked.seen {
                seen.may_be_written()?;
            }
            let seen = looked.seen.as_ref();
            Ok(Probe {
                found: seen.map_or(Found::Nobody, Seen::found),
                version: looked.version().map(StoreVersion::new),
                abilities: to.abilities(),
                read: seen.map(|_| answer::kept(&looked.body)),
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
        // A version is read by everybody as soon as it is written. That a vault would not take it is better
        // known before any destination has it.
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
            let (place, vault) = self.at(from).await?;
            Ok(match vault.look(place).await?.seen {
                None => ReadKey::Nothing,
                Some(seen) if seen.is_empty() => ReadKey::Nothing,
                Some(seen) => {
                    content::held(&StoredCredential::new(seen.value().as_bytes().to_vec()))
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
            let (place, vault) = self.at(from).await?;
            let seen = vault.look(place).await?.seen;
            let Some(there) = seen.filter(|seen| seen.is_of(account)) else {
                return Ok(Removal::NotThere);
            };
            Self::replace(&vault, place, &there, NOTHING).await?;
            let disabled = vault.disable(place, &there.version).await;
            disabled.map_err(|error| {
                remote::unsure(SinkError {
                    message: format!(
                        "the secret does not hold the key any more, but its version {} does, and that \
                         could not be disabled: {}",
                        there.version, error.message
                    ),
                    help: Some(format!(
                        "`az keyvault secret set-attributes --enabled false --id {}/secrets/{}/{}`",
                        place.vault, place.name, there.version
                    )),
                    ..error
                })
            })?;
            Ok(Removal::Removed)
        };
        work.await
            .map_err(|error| remote::at(from, "removing the key", error))
    }
}

#[cfg(test)]
mod tests;
