//! Destinations of the kind `aws_secretsmanager`: a secret in AWS Secrets Manager. A key is put under the
//! label AWSPENDING, and becomes the current one by moving AWSCURRENT from the version that the probe saw.
//! Tags, policy and key of the secret are never written.
//!
//! Source: the API reference of AWS Secrets Manager.

mod answer;
mod container;
mod instance;
mod keys;
mod login;
mod profile;
mod resource;
mod service;
mod sign;
mod ssm;
mod sts;
mod value;

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

pub(super) use self::service::Services;
pub(super) use self::ssm::AwsSsmSink;

use self::answer::{Described, Refused, elsewhere, refuse};
use self::resource::Api;
use self::service::Service;
use self::value::NOTHING;
use super::content;
use super::remote;
use super::room;
use crate::model::{
    AwsSecretPlace, Destination, IssuedCredential, Mrn, Place, StoreVersion, StoredCredential,
    short_digest,
};
use crate::ports::{
    Abandoned, Delivered, Effect, Found, Probe, ReadKey, Removal, SinkError, SinkErrorKind,
    SinkStore, Staged, Verified,
};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
const PREVIOUS: &str = "AWSPREVIOUS";
/// With which the names of versions begin that are ours.
const OURS: &str = "rolecall-";
/// The longest value, in bytes.
const LONGEST: usize = 65_536;
const _: () = assert!(room::MOST <= LONGEST);

/// Delivers into AWS Secrets Manager.
#[derive(Debug)]
pub(super) struct AwsSecretsSink {
    services: Arc<Services>,
}

/// A secret as a probe sees it.
struct Seen {
    /// The current version.
    current: Option<String>,
    /// What it holds; nothing where that is no text.
    value: Option<Zeroizing<String>>,
}

impl Seen {
    fn text(&self) -> Option<&str> {
        self.value.as_ref().map(|text| text.as_str())
    }

    fn found(&self) -> Found {
        match self.current {
            None => Found::Nobody,
            Some(_) => value::found(Api::Secrets, self.text()),
        }
    }

    fn is_of(&self, wanted: &Mrn) -> bool {
        matches!(self.found(), Found::Account { account, .. } if account == *wanted)
    }
}

/// The name of a version, which is also the token of the request that makes it: the same for the same
/// write, so that a repeated one changes nothing. It has the 36 letters of a UUID, as others' names have.
fn version_of(parts: &[&str]) -> String {
    format!("{OURS}{}", short_digest(parts.join("\n").as_bytes(), 27))
}

fn moved() -> SinkError {
    refuse(
        SinkErrorKind::Moved,
        "the secret has another current version than the one that was looked at".to_owned(),
        "look who writes there, and plan again",
    )
}

fn rendered(
    credential: &IssuedCredential,
    place: &AwsSecretPlace,
) -> Result<Zeroizing<String>, SinkError> {
    let most = (LONGEST, "a secret");
    value::rendered(credential, place.format, most, "deliver it elsewhere")
}

impl AwsSecretsSink {
    /// A sink that reaches these services; nothing is sent yet.
    pub(super) fn new(services: Arc<Services>) -> Self {
        Self { services }
    }

    /// The place of a destination, and the service behind it.
    async fn at<'a>(
        &self,
        to: &'a Destination,
    ) -> Result<(&'a AwsSecretPlace, Arc<Service>), SinkError> {
        let Place::AwsSecretsmanager(place) = to.place() else {
            return Err(refuse(
                SinkErrorKind::Unfit,
                "it is no place in AWS Secrets Manager".to_owned(),
                "report this",
            ));
        };
        Ok((place, self.services.at(place.into()).await?))
    }

    /// The secret, if it is one that may be written.
    async fn described(
        service: &Service,
        place: &AwsSecretPlace,
    ) -> Result<Option<Described>, SinkError> {
        let Some(described) = service.describe(place).await? else {
            let account = service.account().await?;
            return match account == place.account_id {
                true => Ok(None),
                false => Err(elsewhere(&account, place.into())),
            };
        };
        let mut parts = described.arn.splitn(7, ':').skip(3);
        let (region, account) = (parts.next(), parts.next());
        if account != Some(&place.account_id) {
            return Err(elsewhere(account.unwrap_or("nobody"), place.into()));
        }
        let unfit =
            |message: &str, help| Err(refuse(SinkErrorKind::Unfit, message.to_owned(), help));
        if region != Some(&place.region) || described.name != place.name {
            return unfit(
                "the secret that AWS answers with is another one",
                "look at the sink's region, endpoint and name",
            );
        }
        if described.deleted_date.is_some() {
            return Err(scheduled(&described, place));
        }
        let primary = described.primary_region.as_ref();
        if let Some(primary) = primary.filter(|primary| **primary != place.region) {
            return Err(refuse(
                SinkErrorKind::Unfit,
                format!(
                    "the secret is a copy of that in {}, and takes no key itself",
                    answer::region(primary)
                ),
                "name the region of the primary secret, from which AWS copies",
            ));
        }
        if described.rotation_enabled == Some(true) {
            return unfit(
                "AWS rotates the secret itself, which would replace the key",
                "turn its rotation off, or name another secret",
            );
        }
        if described.owning_service.is_some() {
            return unfit(
                "the secret belongs to another service of AWS",
                "name another secret",
            );
        }
        let current = described.with(CURRENT);
        let pending = described.with(PENDING).filter(|id| Some(*id) != current);
        if pending.is_some_and(|id| !id.starts_with(OURS)) {
            return unfit(
                "the secret has a version under AWSPENDING that is not rolecall's: something else \
                 rotates it",
                "end that rotation, or take the label away",
            );
        }
        Ok(Some(described))
    }

    async fn look(service: &Service, place: &AwsSecretPlace) -> Result<Seen, SinkError> {
        let described = Self::described(service, place).await?;
        let current = described.and_then(|known| known.with(CURRENT).map(str::to_owned));
        let value = match &current {
            None => None,
            Some(version) => {
                let value = service.value(place, version).await;
                let value = value.map_err(Refused::error)?;
                if value.version_id != *version {
                    return Err(answer::malformed("AWS answered with another version"));
                }
                value.secret_string
            }
        };
        Ok(Seen { current, value })
    }

    /// Puts a value under AWSPENDING and looks that it is there.
    async fn put(
        service: &Service,
        place: &AwsSecretPlace,
        version: &str,
        value: &str,
    ) -> Result<(), SinkError> {
        let put = service.put(place, version, value).await;
        let put = put.map_err(Refused::error)?;
        if !put.version_stages.iter().any(|label| label == PENDING) {
            // A version that was made before keeps the labels that it has.
            let described = service.describe(place).await?;
            let from = described.as_ref().and_then(|known| known.with(PENDING));
            if from != Some(version) {
                let labelled = service.label(place, PENDING, Some(version), from).await;
                labelled.map_err(Refused::error)?;
            }
        }
        let read = service.value(place, version).await;
        let read = read.map_err(|refused| remote::unsure(refused.error()))?;
        match read.secret_string.is_some_and(|text| *text == *value) {
            true => Ok(()),
            false => Err(remote::unsure(answer::malformed(
                "what is there is not what was put",
            ))),
        }
    }

    /// Makes a version current in the place of another, and takes AWSPENDING off it.
    async fn make_current(
        service: &Service,
        place: &AwsSecretPlace,
        version: &str,
        from: Option<&str>,
    ) -> Result<(), SinkError> {
        let done = service.label(place, CURRENT, Some(version), from).await;
        let described = match done {
            Ok(()) => service.describe(place).await.map_err(remote::unsure)?,
            Err(Refused::Label(_) | Refused::NotThere) => {
                // It may be our own request, whose answer was lost.
                let described = service.describe(place).await?;
                let current = described.as_ref().and_then(|known| known.with(CURRENT));
                if current != Some(version) {
                    return Err(moved());
                }
                described
            }
            Err(refused) => return Err(refused.error()),
        };
        match described.is_some_and(|known| known.with(PENDING) == Some(version)) {
            true => Self::take_off(service, place, PENDING, version)
                .await
                .map_err(remote::unsure),
            false => Ok(()),
        }
    }

    /// Leaves the secret without a key, if this version is still its current one.
    async fn empty(
        service: &Service,
        place: &AwsSecretPlace,
        version: &str,
    ) -> Result<(), SinkError> {
        let nothing = version_of(&["nothing", version]);
        Self::put(service, place, &nothing, NOTHING).await?;
        Self::make_current(service, place, &nothing, Some(version)).await?;
        Self::forget(service, place, version).await
    }

    /// Takes the label off that AWS gives to what was current before.
    async fn forget(
        service: &Service,
        place: &AwsSecretPlace,
        version: &str,
    ) -> Result<(), SinkError> {
        let described = service.describe(place).await?;
        match described.is_some_and(|known| known.with(PREVIOUS) == Some(version)) {
            true => Self::take_off(service, place, PREVIOUS, version).await,
            false => Ok(()),
        }
    }

    /// Takes a label off a version.
    async fn take_off(
        service: &Service,
        place: &AwsSecretPlace,
        label: &str,
        version: &str,
    ) -> Result<(), SinkError> {
        match service.label(place, label, None, Some(version)).await {
            Ok(()) => Ok(()),
            Err(Refused::Label(error)) => {
                // It may be our own request, whose answer was lost.
                let described = service.describe(place).await?;
                let known = described.as_ref().and_then(|known| known.with(label));
                match known == Some(version) {
                    true => Err(error),
                    false => Ok(()),
                }
            }
            Err(refused) => Err(refused.error()),
        }
    }
}

/// That AWS is about to delete the secret.
fn scheduled(described: &Described, place: &AwsSecretPlace) -> SinkError {
    let at = described.deletion_date();
    let at = at.map(|at| format!(" on {at}")).unwrap_or_default();
    let AwsSecretPlace { region, name, .. } = place;
    SinkError {
        kind: SinkErrorKind::Unfit,
        effect: Effect::None,
        message: format!(
            "the secret is scheduled for deletion{at}, and takes no key until it is gone"
        ),
        help: Some(format!(
            "`aws secretsmanager restore-secret --region {region} --secret-id {name}` brings it back, or name \
             another secret"
        )),
    }
}

/// The whole name of a version, which a mark has no room for if others chose it.
fn known(version: &str) -> Arc<StoredCredential> {
    Arc::new(StoredCredential::new(version.as_bytes().to_vec()))
}

/// The first version of a place where nothing was, and that of a key.
fn versions(
    probe: &Probe,
    credential: &IssuedCredential,
    place: &AwsSecretPlace,
) -> (String, String) {
    let mrn = credential.mrn.as_str();
    let read = probe.read.as_ref().map(|read| read.expose());
    let base = match read.and_then(|read| std::str::from_utf8(read).ok()) {
        Some(version) => version.to_owned(),
        None => version_of(&["first", mrn]),
    };
    let print = credential.fingerprint.to_string();
    let ours = version_of(&["key", &base, mrn, &print, place.format.as_str()]);
    (base, ours)
}

impl SinkStore for AwsSecretsSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let work = async {
            let (place, service) = self.at(to).await?;
            let seen = Self::look(&service, place).await?;
            Ok(Probe {
                found: seen.found(),
                version: seen.current.as_deref().map(StoreVersion::new),
                abilities: to.abilities(),
                read: seen.current.as_deref().map(known),
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
        mut probe: Probe,
    ) -> Result<Staged, SinkError> {
        let work = async {
            content::replaceable(&probe)?;
            let (place, service) = self.at(to).await?;
            let text = rendered(credential, place)?;
            let (base, ours) = versions(&probe, credential, place);
            let described = Self::described(&service, place).await?;
            let current = described.as_ref().and_then(|known| known.with(CURRENT));
            let saw = probe.read.is_some().then_some(&*base);
            // What is current may be the first version of our own, after an answer that was lost.
            if current != saw && current != Some(&base) {
                return Err(moved());
            }
            match (&described, current) {
                (None, _) => {
                    let made = service.create(place, &base, NOTHING).await;
                    made.map_err(Refused::error)?;
                }
                // A secret that was made without a value.
                (Some(_), None) => {
                    Self::put(&service, place, &base, NOTHING).await?;
                    Self::make_current(&service, place, &base, None).await?;
                }
                (Some(_), Some(_)) => {}
            }
            Self::put(&service, place, &ours, &text).await?;
            Ok((base, ours))
        };
        let (base, ours) = work
            .await
            .map_err(|error| remote::at(to, "putting the key beside", error))?;
        probe.version = Some(StoreVersion::new(&base));
        probe.read = Some(known(&base));
        Ok(Staged {
            probe,
            beside: Some(ours),
            former: None,
        })
    }

    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        let work = async {
            let (place, service) = self.at(to).await?;
            let text = rendered(credential, place)?;
            let (base, ours) = versions(&staged.probe, credential, place);
            Self::make_current(&service, place, &ours, Some(&base)).await?;
            let read = service.value(place, &ours).await;
            let read = read.map_err(|refused| remote::unsure(refused.error()))?;
            if read.secret_string.is_none_or(|held| *held != *text) {
                let what = "what is there is not what was written";
                return Err(remote::unsure(answer::malformed(what)));
            }
            Ok(Delivered {
                verified: Verified::Equal,
                version: Some(StoreVersion::new(&ours)),
                note: None,
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
            let (base, ours) = versions(&staged.probe, credential, place);
            let Some(described) = service.describe(place).await? else {
                return Ok(Abandoned::Gone);
            };
            if described.with(PENDING) == Some(&ours) {
                Self::take_off(&service, place, PENDING, &ours).await?;
            }
            if described.with(CURRENT) != Some(&ours) {
                return Ok(Abandoned::Gone);
            }
            Self::make_current(&service, place, &base, Some(&ours)).await?;
            Self::forget(&service, place, &ours).await?;
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
            Ok(value::key(seen.found(), seen.text()))
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
            match &seen.current {
                Some(version) if seen.is_of(account) => {
                    Self::empty(&service, place, version).await?;
                    Ok(Removal::Removed)
                }
                _ => Ok(Removal::NotThere),
            }
        };
        work.await
            .map_err(|error| remote::at(from, "removing the key", error))
    }
}

#[cfg(test)]
mod tests;
