//! Destinations of the kind `kubernetes`: a key of a Secret. Each write is a server-side apply of the
//! values alone, bound to the version that was seen; it takes no field from another manager.
//!
//! Sources: Kubernetes' documentation, "Server-Side Apply", "Secrets" and "API Concepts" (dry-run).

mod answer;
mod kubeconfig;
mod login;
mod proof;
mod secret;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::answer::Asked;
use self::login::Login;
use self::secret::{Seen, encoded};
use super::content;
use super::machine::Machine;
use super::remote::{self, Call};
use super::room;
use crate::http::{Answer, Client, Method, Request, Words};
use crate::model::{
    Destination, IssuedCredential, KubernetesPlace, Mrn, Origin, Place, StackId, StoreVersion,
    StoredCredential,
};
use crate::ports::{
    Abandoned, Delivered, Effect, Found, Probe, ReadKey, Removal, SinkError, SinkErrorKind,
    SinkStore, Staged, Verified,
};

/// How often a write is tried on a Secret of which others write other parts.
const TRIES: usize = 4;
/// The largest answer that is read: a Secret of 1 MiB in base64, and what is kept beside it.
const LARGEST: usize = 4 * 1024 * 1024;
/// What is tried in place of a key.
const TRIAL: &str = "whether rolecall may write here";

const WORDS: Words = Words {
    authorities: "KUBE_CA_FILE, KUBECONFIG or --ca-file",
    trust: "KUBE_CA_FILE=FILE, certificate-authority in KUBECONFIG, or --ca-file FILE",
    longer: "--timeout SECONDS waits longer",
    address: "the sink's address",
};

/// Delivers into Secrets of Kubernetes.
#[derive(Debug)]
pub struct KubernetesSink {
    machine: Arc<Machine>,
    /// Who writes, as servers keep it beside each field.
    manager: String,
    /// The folder of a pod's account.
    pod: PathBuf,
    /// By origin: one connection and one login a run.
    servers: Mutex<BTreeMap<Origin, Arc<Server>>>,
}

/// A server as one run sees it.
#[derive(Debug)]
struct Server {
    client: Client,
    login: Login,
}

/// What is asked of a server.
enum Wanted<'a> {
    Read,
    /// Whether a body would be taken; nothing is written.
    Try(&'a Zeroizing<Vec<u8>>),
    Write(&'a Zeroizing<Vec<u8>>),
}

/// What came of a write.
enum Applied {
    Done(Seen),
    /// The Secret is another than was seen; nothing was written.
    Stale(SinkError),
}

impl KubernetesSink {
    /// A sink of this stack with the logins of this machine; nothing is sent yet.
    pub fn new(machine: Arc<Machine>, stack: &StackId) -> Self {
        Self {
            machine,
            manager: format!("rolecall/{stack}"),
            pod: login::POD.into(),
            servers: Mutex::default(),
        }
    }

    /// The place of a destination.
    fn place(to: &Destination) -> Result<&KubernetesPlace, SinkError> {
        match to.place() {
            Place::Kubernetes(place) => Ok(place),
            _ => Err(SinkError {
                kind: SinkErrorKind::Unfit,
                effect: Effect::None,
                message: "it is no place in Kubernetes".to_owned(),
                help: None,
            }),
        }
    }

    async fn server(&self, place: &KubernetesPlace) -> Result<Arc<Server>, SinkError> {
        let mut servers = self.servers.lock().await;
        if let Some(server) = servers.get(&place.address) {
            return Ok(Arc::clone(server));
        }
        let login = Login::find(&self.machine, &self.pod)?;
        login.may_go_to(&self.machine, &place.address)?;
        let client = self.machine.client_as(
            place.address.as_str(),
            login.authorities.as_deref().map(Vec::as_slice),
            login.proof.certificate(),
            WORDS,
        )?;
        let server = Arc::new(Server { client, login });
        servers.insert(place.address.clone(), Arc::clone(&server));
        Ok(server)
    }

    /// Asks the server about a place, and reads its refusals. `value` is what is sent there.
    async fn ask(
        &self,
        server: &Server,
        place: &KubernetesPlace,
        wanted: Wanted<'_>,
    ) -> Result<Result<Answer, Refusal>, SinkError> {
        // The file of a token is renewed by others.
        let token = server.login.proof.token()?;
        let KubernetesPlace {
            address,
            namespace,
            name,
            ..
        } = place;
        let mut url = format!("{address}/api/v1/namespaces/{namespace}/secrets/{name}");
        let (operation, writes, body) = match wanted {
            Wanted::Read => ("kubernetes read", false, None),
            Wanted::Try(body) => ("kubernetes try", false, Some(body)),
            Wanted::Write(body) => ("kubernetes write", true, Some(body)),
        };
        if body.is_some() {
            let manager = self.manager.replace('/', "%2F");
            url.push_str(&format!("?fieldManager={manager}"));
            if !writes {
                url.push_str("&dryRun=All");
            }
        }
        let make = || {
            let method = if body.is_some() {
                Method::Patch
            } else {
                Method::Get
            };
            let mut request =
                Request::new(method, url.as_str()).header("accept", "application/json");
            if let Some(token) = &token {
                let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
                request = request.secret("authorization", bearer);
            }
            if let Some(body) = body {
                request = request
                    .header("content-type", "application/apply-patch+yaml")
                    .body(body.clone());
            }
            request.largest_answer = LARGEST;
            request
        };
        let call = Call {
            operation,
            writes,
            make: &make,
            again: remote::usual,
        };
        let answer = remote::send(&self.machine, &server.client, &call).await?;
        if matches!(answer.status, 200 | 201) {
            return Ok(Ok(answer));
        }
        let asked = Asked {
            place,
            login: server.login.named,
            token: token.as_ref().map_or("", |token| token.as_str()),
            sent: body.map_or(&[], |body| body.as_slice()),
            writes,
        };
        let error = answer::refused(&answer, &asked);
        Ok(Err(Refusal { answer, error }))
    }

    /// What is at a place.
    async fn look(&self, server: &Server, place: &KubernetesPlace) -> Result<Looked, SinkError> {
        match self.ask(server, place, Wanted::Read).await? {
            Ok(answer) => {
                let seen = Seen::read(&answer.body).ok_or_else(not_a_secret)?;
                let read = StoredCredential::new(answer.body.to_vec());
                Ok((seen, Some(Arc::new(read))))
            }
            Err(Refusal { answer, .. }) if answer::is_absent(&answer) => Ok(Looked::default()),
            Err(Refusal { error, .. }) => Err(error),
        }
    }

    /// Whether the server would take a key there, as far as it can tell without one. `None` if the Secret
    /// is another by now.
    async fn would_take(
        &self,
        server: &Server,
        place: &KubernetesPlace,
        seen: &Seen,
    ) -> Result<Option<()>, SinkError> {
        let value = encoded(TRIAL.as_bytes()).ok_or_else(no_text)?;
        let body = seen.applied(place, &self.manager, Some(&value));
        let body = body.ok_or_else(no_text)?;
        match self.ask(server, place, Wanted::Try(&body)).await? {
            Ok(_) => Ok(Some(())),
            Err(Refusal { answer, .. }) if answer::cannot_try(&answer) => Ok(Some(())),
            Err(Refusal { answer, .. }) if answer::is_stale(&answer) => Ok(None),
            Err(Refusal { error, .. }) => Err(match error.kind {
                // It stays so, whoever runs again.
                SinkErrorKind::Moved => SinkError {
                    kind: SinkErrorKind::Unfit,
                    ..error
                },
                _ => error,
            }),
        }
    }

    /// Puts a value, in base64, under the place's key, or takes the key out.
    async fn apply(
        &self,
        server: &Server,
        place: &KubernetesPlace,
        seen: &Seen,
        value: Option<&str>,
    ) -> Result<Applied, SinkError> {
        let body = seen.applied(place, &self.manager, value);
        let body = body.ok_or_else(no_text)?;
        match self.ask(server, place, Wanted::Write(&body)).await? {
            Ok(answer) => {
                let seen = Seen::read(&answer.body).ok_or_else(not_a_secret);
                seen.map(Applied::Done).map_err(remote::unsure)
            }
            Err(Refusal { answer, error }) if answer::is_stale(&answer) => {
                Ok(Applied::Stale(error))
            }
            Err(Refusal { error, .. }) => Err(error),
        }
    }

    /// Takes an account's key out of a place, or puts `former` there again, if the place holds it.
    async fn take_out(
        &self,
        place: &KubernetesPlace,
        account: &Mrn,
        former: Option<&str>,
    ) -> Result<Abandoned, SinkError> {
        let server = self.server(place).await?;
        let is_theirs = |seen: &Seen| {
            seen.holder(&place.key)
                .is_some_and(|(holder, _)| holder == *account)
        };
        let mut last = None;
        for _ in 0..TRIES {
            let (seen, _) = self.look(&server, place).await?;
            if !is_theirs(&seen) {
                return Ok(match last {
                    Some(_) if former.is_some() && seen.value(&place.key) == former => {
                        Abandoned::Restored
                    }
                    _ => Abandoned::Gone,
                });
            }
            match self.apply(&server, place, &seen, former).await {
                // Another manager may have said the same.
                Ok(Applied::Done(now)) if is_theirs(&now) => return Ok(Abandoned::Stays),
                Ok(Applied::Done(_)) => {
                    return Ok(match former {
                        Some(_) => Abandoned::Restored,
                        None => Abandoned::Gone,
                    });
                }
                Ok(Applied::Stale(error)) => last = Some(error),
                Err(error) if error.kind == SinkErrorKind::PermissionDenied => {
                    return Ok(Abandoned::Stays);
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(not_a_secret))
    }
}

/// A Secret, and the bytes in which it came.
type Looked = (Seen, Option<Arc<StoredCredential>>);

/// An answer that refuses, and what it means.
struct Refusal {
    answer: Answer,
    error: SinkError,
}

fn not_a_secret() -> SinkError {
    answer::malformed("the answer is no Secret; is the address that of a Kubernetes API server?")
}

fn no_text() -> SinkError {
    answer::malformed("the credential cannot be written as JSON")
}

/// What the probe saw.
fn seen_by(probe: &Probe) -> Result<Seen, SinkError> {
    match &probe.read {
        None => Ok(Seen::default()),
        Some(read) => Seen::read(read.expose()).ok_or_else(not_a_secret),
    }
}

fn version(seen: &Seen) -> Option<StoreVersion> {
    seen.version().map(StoreVersion::new)
}

impl SinkStore for KubernetesSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let work = async {
            let place = Self::place(to)?;
            let server = self.server(place).await?;
            for _ in 0..TRIES {
                let (seen, read) = self.look(&server, place).await?;
                let found = seen.found(&place.key);
                let bytes = match &found {
                    // The next one is as large.
                    Found::Account { .. } => seen.decoded(&place.key).len(),
                    _ => room::most(place.format),
                };
                seen.takes(place, bytes)?;
                // What is no credential is told, and not written over by whoever asks.
                let decided = matches!(found, Found::Foreign { .. });
                if !decided && self.would_take(&server, place, &seen).await?.is_none() {
                    continue;
                }
                return Ok(Probe {
                    found,
                    version: version(&seen),
                    abilities: to.abilities(),
                    read,
                });
            }
            Err(SinkError {
                kind: SinkErrorKind::Unavailable,
                effect: Effect::None,
                message: format!("the Secret was written {TRIES} times while it was looked at"),
                help: Some("see who writes to it".to_owned()),
            })
        };
        work.await.map_err(|error| remote::at(to, "looking", error))
    }

    async fn stage(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probe: Probe,
    ) -> Result<Staged, SinkError> {
        // A value is read by everybody as soon as it is written. That there is no room for it is better known
        // before any destination has the key.
        let fits = Self::place(to).and_then(|place| {
            if let Found::Foreign { what } = &probe.found {
                return Err(SinkError {
                    kind: SinkErrorKind::Unfit,
                    ..answer::malformed(what)
                });
            }
            let bytes = content::render(credential, place.format).ok_or_else(no_text)?;
            seen_by(&probe)?.takes(place, bytes.trim_ascii_end().len())
        });
        fits.map_err(|error| remote::at(to, "writing", error))?;
        Ok(Staged {
            probe,
            beside: None,
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
            let place = Self::place(to)?;
            let server = self.server(place).await?;
            let bytes = content::render(credential, place.format).ok_or_else(no_text)?;
            // A variable holds no end of a line.
            let bytes = bytes.trim_ascii_end();
            let value = encoded(bytes).ok_or_else(no_text)?;
            let found = seen_by(&staged.probe)?;
            let former = found.value(&place.key);
            let mut seen = seen_by(&staged.probe)?;
            let mut tries = 0;
            loop {
                seen.takes(place, bytes.len())?;
                let (refused, stale) = match self.apply(&server, place, &seen, Some(&value)).await {
                    Ok(Applied::Done(_)) => break,
                    Ok(Applied::Stale(refused)) => (refused, true),
                    Err(error) => (error, false),
                };
                tries += 1;
                seen = match self.look(&server, place).await {
                    Ok((seen, _)) => seen,
                    Err(_) if !stale => return Err(refused),
                    Err(error) => return Err(error),
                };
                let held = seen.value(&place.key);
                // It may be our own write: the answer was lost, or says other than was done.
                if held == Some(&**value) {
                    break;
                }
                // Others may write other parts of a Secret as they like.
                if !stale || held != former || tries == TRIES {
                    return Err(refused);
                }
            }
            let (now, _) = self.look(&server, place).await.map_err(remote::unsure)?;
            if now.value(&place.key) != Some(&**value) {
                return Err(remote::unsure(answer::malformed(
                    "what is there is not what was written; something else writes to it",
                )));
            }
            let owned = now.owner().map(|owner| {
                format!(
                    "the Secret, and the key in it, is deleted together with its owner, {owner}"
                )
            });
            let kept = now.keeper().map(|(label, keeper)| {
                format!(
                    "by its label {label} the Secret is kept by {keeper:?}, which may take the key out \
                     again; see that it leaves alone what it did not write"
                )
            });
            let notes: Vec<String> = owned.into_iter().chain(kept).collect();
            let note = (!notes.is_empty()).then(|| notes.join("; "));
            Ok(Delivered {
                verified: Verified::Equal,
                version: version(&now),
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
            let place = Self::place(to)?;
            let found = seen_by(&staged.probe)?;
            let former = found.value(&place.key);
            self.take_out(place, &credential.mrn, former).await
        };
        work.await
            .map_err(|error| remote::unsure(remote::at(to, "taking the key back", error)))
    }

    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        let work = async {
            let place = Self::place(from)?;
            let server = self.server(place).await?;
            let (seen, _) = self.look(&server, place).await?;
            Ok(match seen.value(&place.key) {
                None => ReadKey::Nothing,
                Some(_) => content::held(&StoredCredential::new(seen.decoded(&place.key).to_vec())),
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
            let place = Self::place(from)?;
            let server = self.server(place).await?;
            let (seen, _) = self.look(&server, place).await?;
            if seen
                .holder(&place.key)
                .is_none_or(|(holder, _)| holder != *account)
            {
                return Ok(Removal::NotThere);
            }
            match self.take_out(place, account, None).await? {
                Abandoned::Gone | Abandoned::Restored => Ok(Removal::Removed),
                Abandoned::Stays => Err(SinkError {
                    kind: SinkErrorKind::PermissionDenied,
                    effect: Effect::None,
                    message: "who is logged in may not take it out, or another manager writes the \
                              same"
                        .to_owned(),
                    help: Some("see who manages the Secret's fields, and may patch it".to_owned()),
                }),
            }
        };
        work.await
            .map_err(|error| remote::at(from, "removing the key", error))
    }
}

#[cfg(test)]
mod tests;
