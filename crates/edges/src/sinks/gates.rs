//! When a store wants to be left alone: one answer that says so holds for all that a run asks of that store.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::http::Time;
use crate::model::Place;

/// Which stores are not asked before which time, by origin.
#[derive(Debug, Default)]
pub struct Gates(Mutex<BTreeMap<String, Timestamp>>);

impl Gates {
    /// Notes that a store is not asked before then.
    pub(super) fn close(&self, origin: &str, until: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        let held = all.entry(origin.to_owned()).or_insert(until);
        *held = until.max(*held);
    }

    /// Waits until a store may be asked.
    pub(super) async fn open(&self, origin: &str, time: &Time) {
        while let Some(wait) = self.left(origin, (time.now)()) {
            (time.sleep)(wait).await;
        }
    }

    /// How long a store is not to be asked yet; `None` if it may be at once.
    pub(super) fn left(&self, origin: &str, now: Timestamp) -> Option<Duration> {
        let all = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        let wait = all.get(origin)?.duration_since(now);
        Duration::try_from(wait).ok().filter(|wait| !wait.is_zero())
    }
}

/// The origin of the store behind a place; `None` where no server is.
pub(super) fn origin_of(place: &Place) -> Option<&str> {
    let origin = match place {
        Place::File(_) | Place::Exec(_) => return None,
        Place::Vault(place) => &place.address,
        Place::Kubernetes(place) => &place.address,
        Place::Github(place) => place.address.origin(),
        Place::AwsSecretsmanager(place) => &place.endpoint,
        Place::AwsSsm(place) => &place.endpoint,
        Place::Gitlab(place) => &place.address,
        Place::AzureKeyVault(place) => &place.vault,
        Place::GcpSecretManager(place) => &place.address,
    };
    Some(origin.as_str())
}
