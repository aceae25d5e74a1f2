//! Destinations of the kind `aws_ssm`: a SecureString parameter of AWS Systems Manager. What is newest is read
//! at once, so nothing is staged; a write can only be bound to there being nothing, so each looks before and
//! after. Nothing is deleted: a parameter without a key holds `{}`.
//!
//! Source: the API reference of AWS Systems Manager.

mod parameter;

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use self::parameter::{Parameter, Settings};
use super::answer::{self, Refused, elsewhere, refuse};
use super::resource::Api;
use super::service::{Service, Services};
use super::value::{self, NOTHING};
use crate::model::{
    AwsSsmPlace, Destination, IssuedCredential, Mrn, Place, StoreVersion, StoredCredential,
};
use crate::ports::{
    Abandoned, Delivered, Effect, Found, Probe, ReadKey, Removal, SinkError, SinkErrorKind,
    SinkStore, Staged, Verified,
};
use crate::sinks::content;
use crate::sinks::remote;
use crate::sinks::room;

/// The longest value of a parameter that is made here, in bytes.
const STANDARD: usize = 4096;
const _: () = assert!(room::MOST <= STANDARD);
/// How often is looked for what was written, and how long is waited in between: a reader may be behind.
const LOOKS: usize = 4;
const WAIT: Duration = Duration::from_secs(1);

/// Delivers into parameters of AWS Systems Manager.
#[derive(Debug)]
pub(in crate::sinks) struct AwsSsmSink {
    services: Arc<Services>,
}

/// A parameter as it is seen, if there is one.
struct Seen(Option<(Parameter, Settings)>);

/// What a probe remembers of a parameter.
struct Before<'a> {
    version: u64,
    room: usize,
    value: &'a str,
}

impl Seen {
    fn value(&self) -> Option<&str> {
        self.0.as_ref().map(|(held, _)| held.value.as_str())
    }

    fn version(&self) -> Option<u64> {
        self.0.as_ref().map(|(held, _)| held.version)
    }

    fn settings(&self) -> Option<&Settings> {
        self.0.as_ref().map(|(_, settings)| settings)
    }

    fn found(&self) -> Found {
        match self.value() {
            None => Found::Nobody,
            held => value::found(Api::Parameters, held),
        }
    }

    fn is_of(&self, wanted: &Mrn) -> bool {
        matches!(self.found(), Found::Account { account, .. } if account == *wanted)
    }

    /// What is to be remembered: version, room and value.
    fn remembered(&self) -> Option<Arc<StoredCredential>> {
        let (held, settings) = self.0.as_ref()?;
        let head = format!("{} {}\n", held.version, settings.room());
        let mut text = Vec::with_capacity(head.len() + held.value.len());
        text.extend_from_slice(head.as_bytes());
        text.extend_from_slice(held.value.as_bytes());
        Some(Arc::new(StoredCredential::new(text)))
    }

    /// Whether it is what the probe found.
    fn is(&self, before: Option<&Before<'_>>) -> bool {
        let known = before.map(|before| (before.version, before.value));
        self.version().zip(self.value()) == known
    }
}

fn before(probe: &Probe) -> Option<Before<'_>> {
    let text = std::str::from_utf8(probe.read.as_ref()?.expose()).ok()?;
    let (head, value) = text.split_once('\n')?;
    let (version, room) = head.split_once(' ')?;
    Some(Before {
        version: version.parse().ok()?,
        room: room.parse().ok()?,
        value,
    })
}

fn moved() -> SinkError {
    refuse(
        SinkErrorKind::Moved,
        "the parameter has another version than the one that was looked at".to_owned(),
        "look who writes there, and plan again",
    )
}

fn stored(version: u64) -> StoreVersion {
    StoreVersion::new(&version.to_string())
}

fn rendered(
    credential: &IssuedCredential,
    place: &AwsSsmPlace,
    room: usize,
) -> Result<Zeroizing<String>, SinkError> {
    value::rendered(
        credential,
        place.format,
        (room, "a parameter of this tier"),
        "give the parameter the tier Advanced (8192 bytes, which AWS charges for), or deliver it elsewhere",
    )
}

/// What somebody else did to a parameter of this version before it was given that one, a fragment.
fn meanwhile(seen: Option<u64>, ours: u64) -> Option<String> {
    let next = seen.unwrap_or_default() + 1;
    let between = match ours.cmp(&next) {
        Ordering::Equal => return None,
        Ordering::Less => {
            return Some(
                "somebody else removed the parameter at the same time; it was made anew".to_owned(),
            );
        }
        Ordering::Greater if ours - next == 1 => format!("version {next}"),
        Ordering::Greater => format!("the versions {next} to {}", ours - 1),
    };
    Some(format!(
        "somebody else wrote the parameter at the same time; what they wrote is {between} of it"
    ))
}

/// That what somebody else did at the same time was written over, where nothing else tells it.
fn overwritten(note: Option<String>) -> Result<(), SinkError> {
    match note {
        None => Ok(()),
        Some(note) => Err(SinkError {
            kind: SinkErrorKind::Moved,
            effect: Effect::Unknown,
            message: note,
            help: Some("look at its history, and write it again if it is to stay".to_owned()),
        }),
    }
}

impl AwsSsmSink {
    /// A sink that reaches these services; nothing is sent yet.
    pub(in crate::sinks) fn new(services: Arc<Services>) -> Self {
        Self { services }
    }

    /// The place of a destination, and the service behind it.
    async fn at<'a>(
        &self,
        to: &'a Destination,
    ) -> Result<(&'a AwsSsmPlace, Arc<Service>), SinkError> {
        let Place::AwsSsm(place) = to.place() else {
            return Err(refuse(
                SinkErrorKind::Unfit,
                "it is no parameter of AWS Systems Manager".to_owned(),
                "report this",
            ));
        };
        Ok((place, self.services.at(place.into()).await?))
    }

    /// The parameter, if it is one that may be written.
    async fn look(service: &Service, place: &AwsSsmPlace) -> Result<Seen, SinkError> {
        for look in 0..LOOKS {
            if look > 0 {
                service.pause(WAIT).await;
            }
            let Some(held) = parameter::get(service, place).await? else {
                let account = service.account().await?;
                return match account == place.account_id {
                    true => Ok(Seen(None)),
                    false => Err(elsewhere(&account, place.into())),
                };
            };
            Self::is_ours(&held, place)?;
            let settings = parameter::settings(service, place, held.version).await?;
            // The history may be behind.
            let Some(settings) = settings else {
                continue;
            };
            if settings.has_policies() {
                return Err(refuse(
                    SinkErrorKind::Unfit,
                    "the parameter has policies, by which AWS deletes it or tells of it by itself"
                        .to_owned(),
                    "take its policies away, or name another parameter",
                ));
            }
            return Ok(Seen(Some((held, settings))));
        }
        Err(refuse(
            SinkErrorKind::Unavailable,
            "the history of the parameter does not have its newest version".to_owned(),
            "look who writes there, and run again",
        ))
    }

    /// Refuses a parameter that takes no key.
    fn is_ours(held: &Parameter, place: &AwsSsmPlace) -> Result<(), SinkError> {
        let mut parts = held.arn.splitn(6, ':').skip(3);
        let (region, account) = (parts.next(), parts.next());
        if account != Some(&place.account_id) {
            return Err(elsewhere(account.unwrap_or("nobody"), place.into()));
        }
        if region != Some(&place.region) {
            return Err(answer::malformed(
                "AWS answered with a parameter of another region",
            ));
        }
        let unfit = |message: &str, help| refuse(SinkErrorKind::Unfit, message.to_owned(), help);
        if held.kind != "SecureString" {
            return Err(unfit(
                "the parameter is no SecureString: AWS would keep the key in clear",
                "name another parameter, or remove this one",
            ));
        }
        if held.data_type.as_deref().is_some_and(|kind| kind != "text") {
            return Err(unfit(
                "the parameter has another data type than text",
                "name another parameter",
            ));
        }
        Ok(())
    }

    /// Writes a value over what was seen, and waits until it is read. Gives its version, and what somebody else
    /// did between the look and the write: no condition of AWS's keeps that from happening.
    async fn write(
        service: &Service,
        place: &AwsSsmPlace,
        seen: &Seen,
        value: &str,
    ) -> Result<(u64, Option<String>), SinkError> {
        let put = parameter::put(service, place, seen.settings(), value).await;
        let (ours, lost) = match put {
            Ok(version) => (Some(version), None),
            // It may be our own request, whose answer was lost.
            Err(Refused::Exists) => (None, Some(moved())),
            Err(refused) => match refused.error() {
                error if error.effect == Effect::Unknown => (None, Some(error)),
                error => return Err(error),
            },
        };
        let least = ours.unwrap_or(seen.version().unwrap_or_default() + 1);
        for look in 0..LOOKS {
            if look > 0 {
                service.pause(WAIT).await;
            }
            let held = parameter::get(service, place)
                .await
                .map_err(remote::unsure)?;
            let Some(held) = held else {
                continue;
            };
            // It was not there before, so that it is ours, whatever its version.
            if *held.value == *value {
                let note = meanwhile(seen.version(), ours.unwrap_or(held.version));
                return Ok((held.version, note));
            }
            if held.version < least {
                continue;
            }
            return Err(match (lost, ours) {
                // Nothing says that ours came before theirs.
                (Some(error), _) => error,
                (None, Some(ours)) if held.version > ours => SinkError {
                    kind: SinkErrorKind::Moved,
                    effect: Effect::Unknown,
                    message: format!(
                        "somebody else wrote the parameter right afterwards; the key is version {ours} of it"
                    ),
                    help: Some("look who writes there, and plan again".to_owned()),
                },
                (None, _) => {
                    remote::unsure(answer::malformed("what is there is not what was written"))
                }
            });
        }
        Err(lost.unwrap_or_else(|| {
            remote::unsure(answer::malformed(
                "what was written is not read back; AWS may be behind",
            ))
        }))
    }
}

impl SinkStore for AwsSsmSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let work = async {
            let (place, service) = self.at(to).await?;
            let seen = Self::look(&service, place).await?;
            Ok(Probe {
                found: seen.found(),
                version: seen.version().map(stored),
                abilities: to.abilities(),
                read: seen.remembered(),
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
        let work = async {
            content::replaceable(&probe)?;
            let (place, _) = self.at(to).await?;
            let room = before(&probe).map_or(STANDARD, |before| before.room);
            rendered(credential, place, room).map(|_| ())
        };
        work.await
            .map_err(|error| remote::at(to, "writing", error))?;
        Ok(Staged::nowhere(probe))
    }

    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        let work = async {
            let (place, service) = self.at(to).await?;
            let before = before(&staged.probe);
            let seen = Self::look(&service, place).await?;
            let room = seen.settings().map_or(STANDARD, Settings::room);
            let text = rendered(credential, place, room)?;
            let (version, note) = match (seen.version(), seen.value()) {
                (Some(version), Some(held)) if held == text.as_str() => (version, None),
                _ if !seen.is(before.as_ref()) => return Err(moved()),
                _ => Self::write(&service, place, &seen, &text).await?,
            };
            Ok(Delivered {
                verified: Verified::Equal,
                version: Some(stored(version)),
                note,
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
            let (place, service) = self.at(to).await?;
            let seen = Self::look(&service, place).await?;
            let text = rendered(credential, place, usize::MAX)?;
            if seen.value() != Some(text.as_str()) {
                return Ok(Abandoned::Gone);
            }
            let before = before(&staged.probe);
            let former = before.as_ref().map_or(NOTHING, |before| before.value);
            if former == text.as_str() {
                // It was there before.
                return Ok(Abandoned::Restored);
            }
            let (_, note) = Self::write(&service, place, &seen, former).await?;
            overwritten(note)?;
            Ok(match staged.probe.found {
                Found::Nobody => Abandoned::Gone,
                _ => Abandoned::Restored,
            })
        };
        work.await
            .map_err(|error| remote::unsure(remote::at(to, "taking the key back", error)))
    }

    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        let work = async {
            let (place, service) = self.at(from).await?;
            let seen = Self::look(&service, place).await?;
            Ok(value::key(seen.found(), seen.value()))
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
            let (place, service) = self.at(from).await?;
            let seen = Self::look(&service, place).await?;
            if !seen.is_of(account) {
                return Ok(Removal::NotThere);
            }
            let (_, note) = Self::write(&service, place, &seen, NOTHING).await?;
            overwritten(note)?;
            Ok(Removal::Removed)
        };
        work.await
            .map_err(|error| remote::at(from, "removing the key", error))
    }
}

#[cfg(test)]
mod tests;
