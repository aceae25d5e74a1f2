//! The services of AWS as one run reaches them, with one login a region, and the few requests that are made to
//! Secrets Manager.
//!
//! Source: the API references of AWS Secrets Manager (2017-10-17) and AWS Systems Manager (2014-11-06), protocol
//! AWS JSON 1.1.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::answer::{self, Described, ERROR_TYPE, Put, Refused, Value};
use super::keys::refuse;
use super::login::Login;
use super::profile::Profiles;
use super::resource::{Api, Resource};
use super::sign::{Signable, signature};
use crate::http::{Client, Method, Request, Words};
use crate::model::{AwsSecretPlace, Origin, aws_address, aws_partition, is_aws_address};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call, Sent};

/// The largest answer that is read: a value has 64 KiB at most.
const LARGEST: usize = 1024 * 1024;

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "the sink's endpoint",
};

/// How often a service that is asked too much is asked again after a rest. A rest is far longer than the
/// second in which AWS counts.
const BUSY: usize = 5;
const REST: Duration = Duration::from_secs(5);

/// A request, and what it needs.
pub(super) struct Op {
    /// What a log says.
    pub(super) told: &'static str,
    /// Its name in the service's own words, and in the name of the right.
    pub(super) name: &'static str,
    pub(super) writes: bool,
    /// Whether a second one changes nothing more, so that it is sent again when an answer is lost.
    pub(super) repeats: bool,
}

/// The services that one run reaches.
#[derive(Debug)]
pub(in crate::sinks) struct Services {
    machine: Arc<Machine>,
    reached: Mutex<BTreeMap<(Api, Origin, String), Arc<Service>>>,
    /// By region: one login a run for all services.
    logins: Mutex<BTreeMap<String, Arc<Login>>>,
}

/// A service in one region.
#[derive(Debug)]
pub(super) struct Service {
    machine: Arc<Machine>,
    client: Client,
    region: String,
    login: Arc<Login>,
}

const FIPS: &str = "AWS_USE_FIPS_ENDPOINT";

/// Refuses what the machine says of the service's address, where the sink says otherwise: AWS's own programs
/// would go there.
fn heeded(machine: &Machine, place: Resource<'_>) -> Result<(), SinkError> {
    let own = match place.api {
        Api::Secrets => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        Api::Parameters => "AWS_ENDPOINT_URL_SSM",
    };
    // What cannot be read is told when the login is looked for.
    let profile = Profiles::read(machine).ok();
    let profile = |setting| profile.as_ref().and_then(|one| one.setting(setting));
    let said = [
        (own, machine.variable(own)),
        ("AWS_ENDPOINT_URL", machine.variable("AWS_ENDPOINT_URL")),
        ("endpoint_url of the profile", profile("endpoint_url")),
    ];
    let said = said
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)));
    for (name, text) in said.take(1) {
        let said = Origin::new(text.trim_end_matches('/'));
        if said.as_ref().ok() != Some(place.endpoint) {
            return refuse(
                format!(
                    "{name} names another address than the sink, {}; nothing was sent",
                    place.endpoint
                ),
                "unset it, or give the sink that endpoint",
            );
        }
    }
    let fips = [
        (FIPS, machine.variable(FIPS)),
        (
            "use_fips_endpoint of the profile",
            profile("use_fips_endpoint"),
        ),
    ];
    let fips = fips
        .into_iter()
        .find_map(|(name, text)| Some((name, text?)));
    let fips = fips.filter(|(_, text)| text.eq_ignore_ascii_case("true"));
    let plain = aws_address(place.api.service(), place.region);
    // In GovCloud the usual address of Systems Manager is that.
    let is_both = aws_partition(place.region) == "aws-us-gov" && place.api == Api::Parameters;
    if let Some((name, _)) = fips.filter(|_| place.endpoint.as_str() == plain && !is_both) {
        return refuse(
            format!("{name} is set, and the sink's endpoint is the usual one; nothing was sent"),
            format!(
                "give the sink the endpoint {}",
                aws_address(&format!("{}-fips", place.api.service()), place.region)
            ),
        );
    }
    let bundles = [
        ("AWS_CA_BUNDLE", machine.variable("AWS_CA_BUNDLE")),
        ("ca_bundle of the profile", profile("ca_bundle")),
    ];
    if let Some((name, _)) = bundles.into_iter().find(|(_, text)| text.is_some()) {
        return refuse(
            format!("{name} is set, which rolecall does not read; nothing was sent"),
            "unset it, and name the file with --ca-file (or SSL_CERT_FILE)",
        );
    }
    Ok(())
}

impl Services {
    /// The services with the logins of this machine; nothing is sent yet.
    pub(in crate::sinks) fn new(machine: Arc<Machine>) -> Self {
        Self {
            machine,
            reached: Mutex::default(),
            logins: Mutex::default(),
        }
    }

    /// The service behind a place.
    pub(super) async fn at(&self, place: Resource<'_>) -> Result<Arc<Service>, SinkError> {
        let mut reached = self.reached.lock().await;
        let key = (place.api, place.endpoint.clone(), place.region.to_owned());
        if let Some(service) = reached.get(&key) {
            return Ok(Arc::clone(service));
        }
        let mut logins = self.logins.lock().await;
        let login = logins
            .entry(place.region.to_owned())
            .or_insert_with(|| Arc::new(Login::new(&self.machine, place.region)));
        let service = Arc::new(Service::new(&self.machine, Arc::clone(login), place)?);
        reached.insert(key, Arc::clone(&service));
        Ok(service)
    }
}

impl Service {
    /// The service behind a place; nothing is sent yet.
    pub(super) fn new(
        machine: &Arc<Machine>,
        login: Arc<Login>,
        place: Resource<'_>,
    ) -> Result<Self, SinkError> {
        let to = place.endpoint;
        if !is_aws_address(place.api.service(), place.region, to) && !machine.allowed.contains(to) {
            return Err(SinkError {
                kind: SinkErrorKind::Unauthenticated,
                effect: Effect::None,
                message: format!(
                    "{to} is no address of AWS in {}; the login was not sent",
                    place.region
                ),
                help: Some(format!(
                    "leave out the sink's endpoint, or let a policy directory say destinations {{ \
                     allow = [\"{to}\"] }}"
                )),
            });
        }
        heeded(machine, place)?;
        Ok(Self {
            client: machine.client(to.as_str(), None, WORDS)?,
            machine: Arc::clone(machine),
            region: place.region.to_owned(),
            login,
        })
    }

    /// The account of who is logged in.
    pub(super) async fn account(&self) -> Result<String, SinkError> {
        self.login.account().await
    }

    /// Waits by the machine's clock.
    pub(super) async fn pause(&self, time: Duration) {
        (self.machine.time.sleep)(time).await;
    }

    /// Sends a request until its answer counts. Who is asked too much is left alone by all for a while, and
    /// asked again.
    async fn sent(&self, call: &Call<'_>, repeats: bool) -> Result<Sent, SinkError> {
        let mut sent = remote::sent(&self.machine, &self.client, call, repeats).await?;
        for _ in 0..BUSY {
            if !answer::is_busy(&sent.answer) {
                break;
            }
            let until = (self.machine.time.now)() + REST;
            self.machine.gates.close(self.client.shown(), until);
            let next = remote::sent(&self.machine, &self.client, call, repeats).await;
            let earlier = sent.unsure;
            let next = next.map_err(|error| match earlier && call.writes {
                true => remote::unsure(error),
                false => error,
            })?;
            sent = Sent {
                unsure: earlier || next.unsure,
                ..next
            };
        }
        Ok(sent)
    }

    /// Sees that the login lasts until a key that is made now is where it has to be.
    ///
    /// # Errors
    /// That it ends before and cannot be renewed.
    pub(super) async fn ready(&self) -> Result<(), SinkError> {
        self.login.keys().await.map(|_| ())
    }

    /// Sends a request and reads its answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        place: Resource<'_>,
        op: Op,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<T, Refused> {
        let keys = self.login.keys().await?;
        let url = format!("{}/", place.endpoint);
        let headers = [
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            (
                "x-amz-target",
                format!("{}.{}", place.api.target(), op.name),
            ),
        ];
        let signable = Signable {
            service: place.api.service(),
            region: &self.region,
            url: &url,
            headers: &headers,
            body: &body,
        };
        let now = || signature(&signable, &keys, (self.machine.time.now)());
        // Whether it can be signed does not depend on the time.
        now()?;
        let make = || {
            let mut request = Request::new(Method::Post, url.as_str()).body(body.clone());
            for (name, value) in &headers {
                request = request.header(name, value.as_str());
            }
            for (name, value) in now().unwrap_or_default() {
                request = request.secret(name, value);
            }
            request.largest_answer = LARGEST;
            request.wanted = &[ERROR_TYPE];
            request
        };
        let call = Call {
            operation: op.told,
            writes: op.writes,
            make: &make,
            again: answer::again,
        };
        let Sent { answer, unsure } = self.sent(&call, op.repeats).await?;
        if answer.status != 200 {
            let right = format!("{}:{}", place.api.service(), op.name);
            let refused = answer::refused(&answer, &right, place, op.writes);
            return Err(match unsure && op.writes {
                true => refused.unsure(),
                false => refused,
            });
        }
        serde_json::from_slice(&answer.body).map_err(|_| {
            let error = answer::malformed("the answer is none of AWS");
            Refused::Other(match op.writes {
                true => remote::unsure(error),
                false => error,
            })
        })
    }

    /// The secret without its value; `None` if there is none.
    pub(super) async fn describe(
        &self,
        place: &AwsSecretPlace,
    ) -> Result<Option<Described>, SinkError> {
        let op = Op {
            told: "aws describe",
            name: "DescribeSecret",
            writes: false,
            repeats: true,
        };
        let body = answer::body(&[("SecretId", &place.name)], &[]);
        match self.ask(place.into(), op, body).await {
            Ok(described) => Ok(Some(described)),
            Err(Refused::NotThere) => Ok(None),
            Err(refused) => Err(refused.error()),
        }
    }

    /// The value of a version.
    pub(super) async fn value(
        &self,
        place: &AwsSecretPlace,
        version: &str,
    ) -> Result<Value, Refused> {
        let op = Op {
            told: "aws read",
            name: "GetSecretValue",
            writes: false,
            repeats: true,
        };
        let members = [("SecretId", place.name.as_str()), ("VersionId", version)];
        self.ask(place.into(), op, answer::body(&members, &[]))
            .await
    }

    /// Makes a secret whose first version, under this token, has this value.
    pub(super) async fn create(
        &self,
        place: &AwsSecretPlace,
        token: &str,
        value: &str,
    ) -> Result<(), Refused> {
        let op = Op {
            told: "aws create",
            name: "CreateSecret",
            writes: true,
            repeats: true,
        };
        let members = [
            ("Name", place.name.as_str()),
            ("ClientRequestToken", token),
            ("SecretString", value),
        ];
        let made: Result<serde::de::IgnoredAny, _> = self
            .ask(place.into(), op, answer::body(&members, &[]))
            .await;
        made.map(|_| ())
    }

    /// Puts a value beside the others, under a token and the label AWSPENDING.
    pub(super) async fn put(
        &self,
        place: &AwsSecretPlace,
        token: &str,
        value: &str,
    ) -> Result<Put, Refused> {
        let op = Op {
            told: "aws put",
            name: "PutSecretValue",
            writes: true,
            repeats: true,
        };
        let members = [
            ("SecretId", place.name.as_str()),
            ("ClientRequestToken", token),
            ("SecretString", value),
        ];
        let body = answer::body(&members, &[("VersionStages", "AWSPENDING")]);
        self.ask(place.into(), op, body).await
    }

    /// Moves a label from one version to another; only if it is on the one that it is taken from.
    pub(super) async fn label(
        &self,
        place: &AwsSecretPlace,
        label: &str,
        to: Option<&str>,
        from: Option<&str>,
    ) -> Result<(), Refused> {
        let op = Op {
            told: "aws label",
            name: "UpdateSecretVersionStage",
            writes: true,
            repeats: true,
        };
        let mut members = vec![("SecretId", place.name.as_str()), ("VersionStage", label)];
        members.extend(to.map(|to| ("MoveToVersionId", to)));
        members.extend(from.map(|from| ("RemoveFromVersionId", from)));
        let moved: Result<serde::de::IgnoredAny, _> = self
            .ask(place.into(), op, answer::body(&members, &[]))
            .await;
        moved.map(|_| ())
    }
}
