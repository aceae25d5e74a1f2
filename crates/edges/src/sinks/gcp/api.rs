//! Requests to Secret Manager: one server, one login.
//!
//! Sources: Google's discovery document of the API, `secretmanager` v1; "Resource consistency" in its
//! documentation: a version that was added is read at once by its number, and by `latest` after a while.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::answer::{self, Accessed, Asked, Secret, Version};
use super::login::Logins;
use crate::http::{Answer, Client, Method, Request, Words};
use crate::model::GcpPlace;
use crate::ports::SinkError;
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

/// The largest answer that is read: a value of 64 KiB is about 90 KB in base64.
const LARGEST: usize = 1024 * 1024;
/// How many versions are looked through for a key that is to be removed, and for the newest one.
const LISTED: u64 = 100;

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "the sink's address",
};

/// A server as one run sees it.
#[derive(Debug)]
pub(super) struct Server {
    machine: Arc<Machine>,
    client: Client,
    logins: Arc<Logins>,
}

/// A request, without who asks.
struct Ask<'a> {
    operation: &'static str,
    method: Method,
    /// What follows the secret in the URL.
    rest: &'a str,
    body: Option<&'a Zeroizing<Vec<u8>>>,
    needs: &'static str,
}

impl Server {
    /// The server of a place; nothing is sent yet.
    pub(super) fn new(
        machine: Arc<Machine>,
        logins: Arc<Logins>,
        place: &GcpPlace,
    ) -> Result<Self, SinkError> {
        let client = machine.client(place.address.as_str(), None, WORDS)?;
        Ok(Self {
            machine,
            client,
            logins,
        })
    }

    /// Sees that the login lasts until a key that is made now is where it has to be.
    ///
    /// # Errors
    /// That it ends before and cannot be renewed.
    pub(super) async fn ready(&self) -> Result<(), SinkError> {
        self.logins.token(&self.machine).await.map(|_| ())
    }

    async fn ask<T>(
        &self,
        place: &GcpPlace,
        ask: Ask<'_>,
        read: impl FnOnce(&Answer, &Asked<'_>) -> Result<T, SinkError>,
    ) -> Result<T, SinkError> {
        let Ask {
            operation,
            method,
            rest,
            body,
            needs,
        } = ask;
        let token = self.logins.token(&self.machine).await?;
        let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
        let url = format!("{}/v1/{}{rest}", place.address, place.resource());
        let make = || {
            let mut request =
                Request::new(method, url.as_str()).secret("authorization", bearer.clone());
            if let Some(body) = body {
                request = request
                    .header("content-type", "application/json")
                    .body(body.clone());
            }
            request.largest_answer = LARGEST;
            request
        };
        let writes = method != Method::Get;
        let call = Call {
            operation,
            writes,
            make: &make,
            again: answer::again,
        };
        let answer = remote::send(&self.machine, &self.client, &call).await?;
        let asked = Asked {
            place,
            token: &token,
            sent: body.map_or(&[], |body| body.as_slice()),
            needs,
            writes,
        };
        read(&answer, &asked)
    }

    /// The secret, which must be there.
    pub(super) async fn secret(&self, place: &GcpPlace) -> Result<Secret, SinkError> {
        let ask = Ask {
            operation: "gcp look",
            method: Method::Get,
            rest: "",
            body: None,
            needs: "secretmanager.secrets.get",
        };
        self.ask(place, ask, Secret::read).await
    }

    /// A version by its number or as `latest`; `None` if there is none.
    pub(super) async fn version(
        &self,
        place: &GcpPlace,
        which: &str,
    ) -> Result<Option<Version>, SinkError> {
        let rest = format!("/versions/{which}:access");
        let ask = Ask {
            operation: "gcp read",
            method: Method::Get,
            rest: &rest,
            body: None,
            needs: "secretmanager.versions.access",
        };
        let is_asked = |version: Version| match which.parse::<u64>() {
            Ok(number) if version.number != number => {
                Err(answer::malformed("the answer is of another version"))
            }
            _ => Ok(Some(version)),
        };
        let words = match self.ask(place, ask, Accessed::read).await? {
            Accessed::There(version) => return is_asked(version),
            Accessed::Absent => return Ok(None),
            Accessed::Closed(words) => words,
        };
        let rest = format!("/versions/{which}");
        let ask = Ask {
            operation: "gcp look",
            method: Method::Get,
            rest: &rest,
            body: None,
            needs: "secretmanager.versions.get",
        };
        let read = |answer: &Answer, asked: &Asked<'_>| answer::closed(answer, asked, &words);
        is_asked(self.ask(place, ask, read).await?)
    }

    /// The newest version. `latest` may lag behind, and is not asked where a number is known; versions that
    /// it does not tell of yet are found by theirs.
    pub(super) async fn newest(
        &self,
        place: &GcpPlace,
        known: Option<u64>,
    ) -> Result<Option<Version>, SinkError> {
        let mut newest = match known {
            Some(0) => None,
            Some(number) => self.version(place, &number.to_string()).await?,
            None => self.version(place, "latest").await?,
        };
        for _ in 0..LISTED {
            let next = newest.as_ref().map_or(1, |version| version.number + 1);
            match self.version(place, &next.to_string()).await? {
                Some(version) => newest = Some(version),
                None => return Ok(newest),
            }
        }
        Err(endless())
    }

    /// The first version from a number on that holds a value: its number; or else the first that is not there.
    pub(super) async fn find(
        &self,
        place: &GcpPlace,
        value: &[u8],
        from: u64,
    ) -> Result<Result<u64, u64>, SinkError> {
        for number in from..from.saturating_add(LISTED) {
            match self.version(place, &number.to_string()).await? {
                Some(version) if version.value() == Some(value) => return Ok(Ok(number)),
                Some(_) => {}
                None => return Ok(Err(number)),
            }
        }
        Err(endless())
    }

    /// Adds a version: its number.
    pub(super) async fn add(&self, place: &GcpPlace, value: &[u8]) -> Result<u64, SinkError> {
        let body = answer::payload(value);
        let ask = Ask {
            operation: "gcp write",
            method: Method::Post,
            rest: ":addVersion",
            body: Some(&body),
            needs: "secretmanager.versions.add",
        };
        self.ask(place, ask, answer::added).await
    }

    /// Destroys a version: whether it can be read no more.
    pub(super) async fn destroy(&self, place: &GcpPlace, number: u64) -> Result<bool, SinkError> {
        let rest = format!("/versions/{number}:destroy");
        let body = Zeroizing::new(b"{}".to_vec());
        let ask = Ask {
            operation: "gcp destroy",
            method: Method::Post,
            rest: &rest,
            body: Some(&body),
            needs: "secretmanager.versions.destroy",
        };
        self.ask(place, ask, answer::destroyed).await
    }

    /// The numbers of the versions that can be read, the newest first, at most a hundred.
    pub(super) async fn readable(&self, place: &GcpPlace) -> Result<Vec<u64>, SinkError> {
        let rest = format!("/versions?pageSize={LISTED}&filter=state:ENABLED");
        let ask = Ask {
            operation: "gcp look",
            method: Method::Get,
            rest: &rest,
            body: None,
            needs: "secretmanager.versions.list",
        };
        self.ask(place, ask, answer::listed).await
    }
}

/// That no end was found of versions that others add.
fn endless() -> SinkError {
    SinkError {
        help: Some("look what writes there".to_owned()),
        ..answer::malformed("the secret gets new versions faster than they can be read")
    }
}
