//! For the tests of this module: fresh keys, wire fixtures, a transport with a script.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, EcdsaSigningAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::client::Client;
use super::endpoint::Endpoint;
use super::{Identity, ServiceAccount, Transport};
use crate::http::Time;
use crate::http::{Answer, Failure, FailureKind};
use crate::model::Mrn;

pub(super) const SPACE: &str = "//captain.api.mondoo.app/spaces/amazing-hofstadter-175565";
pub(super) const MRN: &str = "//agents.api.mondoo.app/spaces/amazing-hofstadter-175565/serviceaccounts/2bB5gsCSGp2Tlwiyv7mKN9PRSHK";
/// What the local clock of the tests shows.
pub(super) const NOW: &str = "2026-11-23T12:00:00Z";

/// A fresh private key in PKCS#8 PEM.
pub(super) fn pem(algorithm: &'static EcdsaSigningAlgorithm) -> String {
    let der = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).expect("a key");
    wrap(der.as_ref(), "PRIVATE KEY")
}

pub(super) fn p384() -> String {
    pem(&aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING)
}

/// PEM around bytes.
pub(super) fn wrap(der: &[u8], label: &str) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("ascii"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

pub(super) fn account() -> ServiceAccount {
    ServiceAccount::new(Mrn::new(MRN), Some(SPACE.to_owned()), &p384()).expect("a good key")
}

/// A file of `fixtures/wire`.
pub(super) fn wire(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../../fixtures/wire/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path).expect(&path)
}

pub(super) type Step = Result<Answer, Failure>;

/// Plays its answers in order and keeps what it was sent.
#[derive(Clone, Default)]
pub(super) struct Script {
    steps: Rc<RefCell<VecDeque<Step>>>,
    /// Bodies and authorizations.
    pub(super) sent: Rc<RefCell<Vec<(serde_json::Value, String)>>>,
}

impl Transport for Script {
    async fn send(&self, body: Vec<u8>, authorization: String) -> Step {
        let body = serde_json::from_slice(&body).expect("JSON");
        self.sent.borrow_mut().push((body, authorization));
        let step = self.steps.borrow_mut().pop_front();
        step.expect("more requests than the script has answers")
    }
}

/// A client under test, with what happens to it.
pub(super) struct Rig {
    pub(super) client: Client<Script>,
    pub(super) script: Script,
    /// How long it waited, in order.
    pub(super) waits: Arc<Mutex<Vec<Duration>>>,
}

impl Rig {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::of(Identity::ServiceAccount(account()), steps)
    }

    pub(super) fn of(identity: Identity, steps: impl IntoIterator<Item = Step>) -> Self {
        let script = Script::default();
        script.steps.borrow_mut().extend(steps);
        let waits = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&waits);
        let time = Time {
            now: Arc::new(|| NOW.parse().expect("a time")),
            sleep: Arc::new(move |wait| {
                seen.lock().expect("no panic").push(wait);
                Box::pin(std::future::ready(()))
            }),
        };
        Self {
            client: Client::new(script.clone(), Endpoint::default(), identity, time),
            script,
            waits,
        }
    }

    pub(super) fn requests(&self) -> usize {
        self.script.sent.borrow().len()
    }
}

pub(super) fn ok(name: &str) -> Step {
    Ok(Answer::new(200, wire(name)))
}

pub(super) fn status(status: u16) -> Step {
    Ok(Answer::new(status, ""))
}

pub(super) fn refused() -> Step {
    Err(Failure {
        kind: FailureKind::Unreachable,
        maybe_sent: false,
        lasting: false,
        message: "refused".to_owned(),
        help: None,
    })
}

pub(super) fn cut() -> Step {
    Err(Failure {
        kind: FailureKind::Cut,
        maybe_sent: true,
        lasting: false,
        message: "cut".to_owned(),
        help: None,
    })
}

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}
