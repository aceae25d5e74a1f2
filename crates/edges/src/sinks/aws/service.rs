//! A service of AWS as one run reaches it: who is logged in, and the few requests that are made to Secrets
//! Manager.
//!
//! Source: the API references of AWS Secrets Manager (2017-10-17) and AWS Systems Manager (2014-11-06), protocol
//! AWS JSON 1.1.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::answer::{self, Described, ERROR_TYPE, Put, Refused, Value};
use super::keys::{Keys, refuse};
use super::login;
use super::resource::{Api, Resource};
use super::sign::{Signable, signature};
use crate::http::{Client, Method, Request, Words};
use crate::model::{AwsSecretPlace, Origin, aws_address, aws_partition, is_aws_address};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

/// The largest answer that is read: a value has 64 KiB at most.
const LARGEST: usize = 1024 * 1024;

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "the sink's endpoint",
};

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

/// The service in one region.
#[derive(Debug)]
pub(super) struct Service {
    machine: Arc<Machine>,
    client: Client,
    region: String,
    keys: Mutex<Option<Arc<Keys>>>,
    account: Mutex<Option<String>>,
}

/// Refuses what the machine says of the service's address, where the sink says otherwise: AWS's own programs
/// would go there.
fn heeded(machine: &Machine, place: Resource<'_>) -> Result<(), SinkError> {
    let own = match place.api {
        Api::Secrets => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        Api::Parameters => "AWS_ENDPOINT_URL_SSM",
    };
    let set = [own, "AWS_ENDPOINT_URL"].into_iter();
    let set = set.filter_map(|name| Some((name, machine.variable(name)?)));
    for (name, text) in set.take(1) {
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
    let fips = machine.variable("AWS_USE_FIPS_ENDPOINT");
    let fips = fips.is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let plain = aws_address(place.api.service(), place.region);
    // In GovCloud the usual address of Systems Manager is that.
    let is_both = aws_partition(place.region) == "aws-us-gov" && place.api == Api::Parameters;
    if fips && place.endpoint.as_str() == plain && !is_both {
        return refuse(
            "AWS_USE_FIPS_ENDPOINT is set, and the sink's endpoint is the usual one; nothing was sent",
            format!(
                "give the sink the endpoint {}",
                aws_address(&format!("{}-fips", place.api.service()), place.region)
            ),
        );
    }
    if machine.variable("AWS_CA_BUNDLE").is_some() {
        return refuse(
            "AWS_CA_BUNDLE is set, which rolecall does not read; nothing was sent",
            "unset it, and name the file with --ca-file (or SSL_CERT_FILE)",
        );
    }
    Ok(())
}

impl Service {
    /// The service behind a place; nothing is sent yet.
    pub(super) fn new(machine: &Arc<Machine>, place: Resource<'_>) -> Result<Self, SinkError> {
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
            keys: Mutex::default(),
            account: Mutex::default(),
        })
    }

    /// Keys that are good for a while; those that are about to end are replaced.
    async fn keys(&self) -> Result<Arc<Keys>, SinkError> {
        let mut held = self.keys.lock().await;
        let now = (self.machine.time.now)();
        if let Some(keys) = held.as_ref().filter(|keys| keys.lasts(now)) {
            return Ok(Arc::clone(keys));
        }
        let fresh = Arc::new(login::enter(&self.machine, &self.region).await?);
        *held = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// The account of who is logged in.
    pub(super) async fn account(&self) -> Result<String, SinkError> {
        let mut held = self.account.lock().await;
        if let Some(account) = held.as_ref() {
            return Ok(account.clone());
        }
        let keys = self.keys().await?;
        let body = Zeroizing::new(b"Action=GetCallerIdentity&Version=2011-06-15".to_vec());
        let url = format!("{}/", login::sts(&self.machine, &self.region)?);
        let signable = Signable {
            service: "sts",
            region: &self.region,
            url: &url,
            headers: &[("content-type", login::FORM.to_owned())],
            body: &body,
        };
        let signed = signature(&signable, &keys, (self.machine.time.now)())?;
        let answer =
            login::ask_sts(&self.machine, &self.region, "aws identity", &body, &signed).await?;
        let account = answer::element(&answer.body, "Account");
        let Some(account) = account.filter(|_| answer.status == 200) else {
            return Err(SinkError {
                kind: SinkErrorKind::Unauthenticated,
                effect: Effect::None,
                message: format!(
                    "AWS STS does not say whose the login is (HTTP {})",
                    answer.status
                ),
                help: Some("renew the login, and look at this machine's clock".to_owned()),
            });
        };
        *held = Some(account.to_string());
        Ok(account.to_string())
    }

    /// Sends a request and reads its answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        place: Resource<'_>,
        op: Op,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<T, Refused> {
        let keys = self.keys().await?;
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
            writes: op.writes && !op.repeats,
            make: &make,
            again: answer::again,
        };
        let unsure = |error: SinkError| match op.writes {
            true => remote::unsure(error),
            false => error,
        };
        let answer = remote::send(&self.machine, &self.client, &call).await;
        // Of a write that is sent once, it is known whether it was.
        let answer = answer.map_err(|error| if op.repeats { unsure(error) } else { error })?;
        if answer.status != 200 {
            let right = format!("{}:{}", place.api.service(), op.name);
            return Err(answer::refused(&answer, &right, place, op.writes));
        }
        serde_json::from_slice(&answer.body).map_err(|_| {
            let what = "the answer is none of AWS";
            Refused::Other(unsure(answer::malformed(what)))
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
