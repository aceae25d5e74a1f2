//! What tests of sinks lend to them in place of a machine: variables, and a clock that runs by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::gates::Gates;
use super::machine::{Machine, SinkRequest};
use super::programs::Programs;
use crate::http::Time;
use crate::secret::Secret;

/// A machine, and what a test can see and turn of it.
pub(super) struct Lent {
    pub(super) now: Arc<Mutex<Timestamp>>,
    pub(super) told: Arc<Mutex<Vec<SinkRequest>>>,
}

impl Lent {
    /// A machine with these variables.
    pub(super) fn machine(variables: &[(&'static str, &str)]) -> (Machine, Self) {
        // Whoever comes first does it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let start: Timestamp = "2026-11-01T10:00:00Z".parse().expect("a time");
        let lent = Self {
            now: Arc::new(Mutex::new(start)),
            told: Arc::new(Mutex::new(Vec::new())),
        };
        (lent.also(variables), lent)
    }

    /// Another machine with the same clock.
    pub(super) fn also(&self, variables: &[(&'static str, &str)]) -> Machine {
        let variables: BTreeMap<_, _> = variables
            .iter()
            .map(|(name, value)| (*name, Secret::new((*value).to_owned())))
            .collect();
        let Self { now, told } = self;
        let (clock, sleeper, log) = (Arc::clone(now), Arc::clone(now), Arc::clone(told));
        Machine {
            variables,
            time: Time {
                now: Arc::new(move || *clock.lock().expect("no panic")),
                sleep: Arc::new(move |wait| {
                    let wait = SignedDuration::try_from(wait).expect("is short");
                    *sleeper.lock().expect("no panic") += wait;
                    Box::pin(std::future::ready(()))
                }),
            },
            proxy: None,
            authorities: None,
            in_place: None,
            patience: Duration::from_secs(10),
            allowed: Vec::new(),
            programs: Programs::none(),
            observer: Box::new(move |request| {
                log.lock().expect("no panic").push(request.clone());
            }),
            gates: Gates::default(),
        }
    }

    /// Lets time pass.
    pub(super) fn pass(&self, seconds: i64) {
        *self.now.lock().expect("no panic") += SignedDuration::from_secs(seconds);
    }
}
