//! What the machine that applies lends to sinks: logins, the clock, the way out to the network.
//! Nothing of it comes from a configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

use crate::http::{Client, Proxy, Settings, Time, Words};
use crate::model::Origin;
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::secret::Secret;

use super::gates::Gates;
use super::programs::Programs;

/// What a birth may take from the last look until its key is there, while the platform is slow to show it: a
/// login that ends within this time is replaced before a key is made.
pub(super) const BIRTH: SignedDuration = SignedDuration::from_secs(90);

/// One request of a sink, sent once, and how that went: what a log may hold of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkRequest {
    /// What was asked for, a few words that are the same for every place: `vault read`.
    pub operation: &'static str,
    /// Whom: the origin.
    pub host: String,
    /// How often it was sent by now, from 1.
    pub attempt: usize,
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// How long it took, by the local clock.
    pub took: Duration,
}

/// Is told of every request once it is over; must not fail.
pub type SinkObserver = Box<dyn Fn(&SinkRequest) + Send + Sync>;

/// What a run gives to its sinks.
pub struct Machine {
    /// Variables of the environment by name: those of [`super::VARIABLES`] that are set and not empty.
    pub variables: BTreeMap<&'static str, Secret<String>>,
    /// The clock.
    pub time: Time,
    /// The proxy to all stores, where the environment names one.
    pub proxy: Option<Proxy>,
    /// Certificates in PEM that are trusted besides the system's (`--ca-file`).
    pub authorities: Option<Vec<u8>>,
    /// What in the environment names authorities in the place of the system's.
    pub in_place: Option<String>,
    /// How long one answer may take.
    pub patience: Duration,
    /// Where logins may go besides where they came from, as the policy directories say.
    pub allowed: Vec<Origin>,
    /// The programs that sinks may ask.
    pub programs: Programs,
    /// Is told of every request.
    pub observer: SinkObserver,
    /// Which stores want to be left alone for a while.
    pub gates: Gates,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Machine")
    }
}

impl Machine {
    /// A variable, if it is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(|value| value.expose().as_str())
    }

    /// Whether a login that came with an address may be sent to a store. `variable` names what holds that
    /// address.
    ///
    /// # Errors
    /// That it may not, with the way out. Nothing was sent.
    pub(super) fn may_log_in(
        &self,
        to: &Origin,
        came_with: Option<&str>,
        variable: &str,
    ) -> Result<(), SinkError> {
        if self.allowed.contains(to) {
            return Ok(());
        }
        let refuse = |message: String, help: String| {
            Err(SinkError {
                kind: SinkErrorKind::Unauthenticated,
                effect: Effect::None,
                message,
                help: Some(format!(
                    "{help}, or let a policy directory say destinations {{ allow = [\"{to}\"] }}"
                )),
            })
        };
        let Some(text) = came_with else {
            return refuse(
                format!("{variable} does not say that the login is for {to}, so it was not sent"),
                format!("set {variable}={to} where the login is set"),
            );
        };
        match Origin::new(text) {
            Ok(origin) if origin == *to => Ok(()),
            Ok(origin) => refuse(
                format!("the login is for {origin} ({variable}) and not for {to}; it was not sent"),
                format!("correct the sink's address, or {variable}"),
            ),
            Err(why) => refuse(
                format!("{variable} is no address, so that nothing was sent: {why}"),
                format!("set it to {to} if the login is for that"),
            ),
        }
    }

    /// A client of a store; nothing is sent yet.
    ///
    /// # Errors
    /// Why no connection can be prepared.
    pub(super) fn client(
        &self,
        base: &str,
        authorities: Option<&[u8]>,
        words: Words,
    ) -> Result<Client, SinkError> {
        self.client_as(base, authorities, None, words)
    }

    /// The same with a certificate and its private key, in PEM, by which the store knows who asks.
    ///
    /// # Errors
    /// Why no connection can be prepared.
    pub(super) fn client_as(
        &self,
        base: &str,
        authorities: Option<&[u8]>,
        identity: Option<&[u8]>,
        words: Words,
    ) -> Result<Client, SinkError> {
        let settings = Settings {
            authorities: authorities.or(self.authorities.as_deref()),
            identity,
            in_place: self.in_place.as_deref(),
            proxy: self.proxy.as_ref(),
            patience: self.patience,
            words,
        };
        Client::new(base, &settings).map_err(|error| SinkError {
            kind: SinkErrorKind::Unfit,
            effect: Effect::None,
            message: error.to_string(),
            help: None,
        })
    }
}
