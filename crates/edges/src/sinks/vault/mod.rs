//! Destinations of the kind `vault`: a field of a secret in HashiCorp Vault or OpenBao, key-value engine
//! version 2. Every write is bound to the version that the probe saw; nothing below `sys/` is asked.
//!
//! Sources: HashiCorp Vault's API documentation of the KV version 2 engine, and that engine's own code
//! (`path_data.go`, `path_metadata.go`) for its answers and errors.

mod answer;
mod login;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::answer::{INDEX, Seen, Written};
use self::login::Login;
use self::token::Token;
use super::content;
use super::machine::Machine;
use super::remote::{self, Call};
use super::room;
use crate::http::{Answer, Client, Method, Request, Words};
use crate::model::{
    Destination, IssuedCredential, Mrn, Origin, Place, StoreVersion, StoredCredential, VaultPlace,
};
use crate::ports::{
    Abandoned, Delivered, Effect, Found, Probe, ReadKey, Removal, SinkError, SinkErrorKind,
    SinkStore, Staged, Verified,
};

/// How often a key is looked for where it was written: a standby may not have heard of it yet.
const LOOKS: u32 = 5;
/// How often a key is written while other fields of its secret move, as where several accounts share one.
const WRITES: u32 = 5;
/// The largest answer that is read: twice what Vault takes for a secret on integrated storage (1 MiB).
const LARGEST: usize = 2 * 1024 * 1024;
/// The most bytes that all fields of a secret have together, on integrated storage. Source: Vault's documentation,
/// "Limits and maximums"; a server may be set to take more, or less.
const MOST: usize = 1024 * 1024;

const WORDS: Words = Words {
    authorities: "VAULT_CACERT or --ca-file",
    trust: "VAULT_CACERT=FILE or --ca-file FILE",
    longer: "--timeout SECONDS waits longer",
    address: "the sink's address",
};

/// Delivers into Vault.
#[derive(Debug)]
pub struct VaultSink {
    machine: Arc<Machine>,
    /// By origin: one connection and one login a run.
    servers: Mutex<BTreeMap<Origin, Arc<Server>>>,
}

/// A server as one run sees it.
#[derive(Debug)]
struct Server {
    client: Client,
    login: Login,
    token: Mutex<Option<Token>>,
    /// The last index that it gave.
    index: Mutex<Option<String>>,
    /// The engines, by namespace and mount, that were seen to be of version 2.
    engines: Mutex<BTreeSet<(String, String)>>,
}

impl VaultSink {
    /// A sink with the logins of this machine; nothing is sent yet.
    pub fn new(machine: Arc<Machine>) -> Self {
        Self {
            machine,
            servers: Mutex::default(),
        }
    }

    /// The place of a destination.
    fn place(to: &Destination) -> Result<&VaultPlace, SinkError> {
        match to.place() {
            Place::Vault(place) => Ok(place),
            _ => Err(SinkError {
                kind: SinkErrorKind::Unfit,
                effect: Effect::None,
                message: "it is no place in Vault".to_owned(),
                help: None,
            }),
        }
    }

    async fn server(&self, place: &VaultPlace) -> Result<Arc<Server>, SinkError> {
        let mut servers = self.servers.lock().await;
        if let Some(server) = servers.get(&place.address) {
            return Ok(Arc::clone(server));
        }
        let came_with = self.machine.variable("VAULT_ADDR");
        self.machine
            .may_log_in(&place.address, came_with, "VAULT_ADDR")?;
        let authorities = login::authorities(&self.machine)?;
        let client = self
            .machine
            .client(place.address.as_str(), authorities.as_deref(), WORDS)?;
        let server = Arc::new(Server {
            client,
            login: Login::find(&self.machine)?,
            token: Mutex::default(),
            index: Mutex::default(),
            engines: Mutex::default(),
        });
        servers.insert(place.address.clone(), Arc::clone(&server));
        Ok(server)
    }

    /// Asks the server about a place, as who is logged in.
    async fn ask(
        &self,
        server: &Server,
        place: &VaultPlace,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<&Zeroizing<Vec<u8>>>,
    ) -> Result<Answer, SinkError> {
        let token = self.token(server).await?;
        let index = server.index.lock().await.clone();
        let url = format!("{}/v1/{path}", place.address);
        let make = || {
            let mut request = Request::new(method, url.as_str())
                .secret("x-vault-token", token.clone())
                .header("x-vault-request", "true");
            if !place.namespace.is_empty() {
                request = request.header("x-vault-namespace", place.namespace.as_str());
            }
            if let Some(index) = &index {
                request = request.header(INDEX, index.as_str());
            }
            if let Some(body) = body {
                request = request
                    .header("content-type", "application/json")
                    .body(body.clone());
            }
            request.largest_answer = LARGEST;
            request.wanted = &[INDEX];
            request
        };
        let writes = method != Method::Get;
        let call = Call {
            operation,
            writes,
            make: &make,
            again: answer::again,
        };
        let answer = remote::send(&self.machine, &server.client, &call).await?;
        if let Some(index) = answer.header(INDEX) {
            *server.index.lock().await = Some(index.to_owned());
        }
        // All fields of a secret are written together, those of others too.
        if answer.status >= 300
            && let Some(body) = body
        {
            return Ok(answer::without(answer, body));
        }
        Ok(answer)
    }

    /// A token that is good for a while; one that is about to end is replaced.
    async fn token(&self, server: &Server) -> Result<Zeroizing<String>, SinkError> {
        let mut held = server.token.lock().await;
        let now = (self.machine.time.now)();
        if let Some(token) = held.as_ref().filter(|token| token.lasts(now)) {
            return Ok(token.text());
        }
        let (machine, client) = (&self.machine, &server.client);
        let fresh = match held.take().filter(Token::is_given) {
            Some(given) => given.renewed(machine, client).await,
            None => server.login.enter(machine, client).await?,
        };
        let text = fresh.text();
        *held = Some(fresh);
        Ok(text)
    }

    /// Sees that the login lasts until a key that is made now is where it has to be.
    async fn lasts_for_a_birth(&self, server: &Server) -> Result<(), SinkError> {
        self.token(server).await?;
        let held = server.token.lock().await;
        let now = (self.machine.time.now)();
        held.as_ref()
            .map_or(Ok(()), |token| token.lasts_for_a_birth(now))
    }

    /// What is at a place.
    async fn look(&self, server: &Server, place: &VaultPlace) -> Result<Seen, SinkError> {
        let path = format!("{}/data/{}", place.mount, place.path);
        let answer = self
            .ask(server, place, "vault read", Method::Get, &path, None)
            .await?;
        let token = self.token(server).await?;
        let seen = Seen::read(&answer, place, &token)?;
        let engine = (place.namespace.clone(), place.mount.clone());
        // Held while the engine is asked, so that several looks at once ask once.
        let mut engines = server.engines.lock().await;
        if seen.version.is_none() && !engines.contains(&engine) {
            self.is_of_version_2(server, place, &path).await?;
        }
        engines.insert(engine);
        Ok(seen)
    }

    /// Where nothing is, both versions of the engine answer alike. A write without anything to write is
    /// refused by both, with other words.
    async fn is_of_version_2(
        &self,
        server: &Server,
        place: &VaultPlace,
        path: &str,
    ) -> Result<(), SinkError> {
        let nothing = Zeroizing::new(b"{}".to_vec());
        let answer = self
            .ask(
                server,
                place,
                "vault try",
                Method::Post,
                path,
                Some(&nothing),
            )
            .await?;
        let token = self.token(server).await?;
        answer::engine(&answer, place, &token)
    }

    async fn write(
        &self,
        server: &Server,
        place: &VaultPlace,
        cas: u64,
        data: &str,
    ) -> Result<Written, SinkError> {
        let path = format!("{}/data/{}", place.mount, place.path);
        let body = answer::versioned(cas, data);
        let answer = self
            .ask(
                server,
                place,
                "vault write",
                Method::Post,
                &path,
                Some(&body),
            )
            .await?;
        let token = self.token(server).await?;
        Written::read(&answer, place, &token)
    }

    /// Deletes a version, so that nobody reads it any more.
    async fn delete(
        &self,
        server: &Server,
        place: &VaultPlace,
        version: u64,
    ) -> Result<(), SinkError> {
        let path = format!("{}/delete/{}", place.mount, place.path);
        let body = answer::versions(version);
        let answer = self
            .ask(
                server,
                place,
                "vault delete",
                Method::Post,
                &path,
                Some(&body),
            )
            .await?;
        let token = self.token(server).await?;
        answer::deleted(&answer, place, &token)
    }

    /// Looks until the newest version is at least this one.
    async fn look_for(
        &self,
        server: &Server,
        place: &VaultPlace,
        version: u64,
    ) -> Result<Seen, SinkError> {
        for look in 1..LOOKS {
            let seen = self.look(server, place).await?;
            if seen.version.is_some_and(|found| found >= version) {
                return Ok(seen);
            }
            (self.machine.time.sleep)(Duration::from_millis(250 << look)).await;
        }
        self.look(server, place).await
    }

    /// Notes beside the secret whose key it holds. The place is of use without that.
    async fn note(
        &self,
        server: &Server,
        place: &VaultPlace,
        seen: &Seen,
        credential: &IssuedCredential,
    ) -> Option<String> {
        if !place.metadata {
            return None;
        }
        let path = format!("{}/metadata/{}", place.mount, place.path);
        let body = seen.custom_metadata_of(credential);
        let told = self
            .ask(
                server,
                place,
                "vault mark",
                Method::Post,
                &path,
                Some(&body),
            )
            .await;
        let token = self.token(server).await.unwrap_or_default();
        let failed = match told {
            Ok(answer) => answer::metadata(&answer, place, &token).err()?,
            Err(error) => error,
        };
        Some(format!(
            "the place is not marked with its account: {failed}"
        ))
    }
}

/// The credential as the field's text.
fn rendered(
    credential: &IssuedCredential,
    place: &VaultPlace,
) -> Result<Zeroizing<String>, SinkError> {
    let bytes = content::render(credential, place.format);
    let text = bytes.and_then(|bytes| {
        let text = std::str::from_utf8(&bytes).ok()?;
        // A variable holds no end of a line.
        Some(Zeroizing::new(text.trim_end().to_owned()))
    });
    text.ok_or_else(|| SinkError {
        kind: SinkErrorKind::Malformed,
        effect: Effect::None,
        message: "the credential cannot be written as JSON".to_owned(),
        help: None,
    })
}

/// Sees that a secret whose other fields have so many bytes takes a value of so many more. Where the others alone
/// are more than usual, the server was set to take more, and only it knows how much.
fn has_room(used: usize, bytes: usize) -> Result<(), SinkError> {
    if used > MOST || used + bytes <= MOST {
        return Ok(());
    }
    Err(SinkError {
        kind: SinkErrorKind::Full,
        effect: Effect::None,
        message: format!(
            "a secret takes {MOST} bytes, {used} are in use by other fields, and the credential may need {bytes}"
        ),
        help: Some("name another secret".to_owned()),
    })
}

/// The version that a probe saw, as the number that a write is bound to.
fn bound_to(probe: &Probe) -> u64 {
    let version = probe.version.as_ref().map(StoreVersion::as_str);
    version.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The other fields that the probe saw, as JSON.
fn fields(probe: &Probe) -> Result<&str, SinkError> {
    let Some(read) = &probe.read else {
        return Ok("{}");
    };
    std::str::from_utf8(read.expose()).map_err(|_| answer::malformed("what was read is no text"))
}

impl SinkStore for VaultSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let work = async {
            let place = Self::place(to)?;
            let server = self.server(place).await?;
            let seen = self.look(&server, place).await?;
            let found = seen.found(&place.field)?;
            let held = seen.field(&place.field);
            has_room(
                seen.beside(&place.field)?,
                match (&found, held) {
                    // The next one is as large.
                    (Found::Account { .. }, Some(held)) => held.len(),
                    _ => room::most(place.format),
                },
            )?;
            Ok(Probe {
                found,
                version: seen.version.map(|n| StoreVersion::new(&n.to_string())),
                abilities: to.abilities(),
                read: seen.into_read(),
            })
        };
        work.await.map_err(|error| remote::at(to, "looking", error))
    }

    async fn ready(&self, to: &Destination) -> Result<Duration, SinkError> {
        let work = async {
            let place = Self::place(to)?;
            let server = self.server(place).await?;
            self.lasts_for_a_birth(&server).await?;
            Ok(Duration::ZERO)
        };
        work.await.map_err(|error| remote::at(to, "looking", error))
    }

    async fn stage(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probe: Probe,
    ) -> Result<Staged, SinkError> {
        // A version is read by everybody as soon as it is written. That there is no room for it is better known
        // before any destination has the key.
        let fits = Self::place(to).and_then(|place| {
            if let Found::Foreign { what } = &probe.found {
                return Err(SinkError {
                    kind: SinkErrorKind::Unfit,
                    ..answer::malformed(what)
                });
            }
            let text = rendered(credential, place)?;
            has_room(answer::beside(fields(&probe)?, &place.field)?, text.len())
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
            let text = rendered(credential, place)?;
            let former = fields(&staged.probe)?;
            let mut data = answer::with_field(former, &place.field, &text)?;
            let mut cas = bound_to(&staged.probe);
            let mut writes = 1;
            let (seen, refused) = loop {
                let error = match self.write(&server, place, cas, &data).await {
                    Ok(Written { version }) => {
                        break (self.look_for(&server, place, version).await, None);
                    }
                    Err(error) => error,
                };
                let moved = error.kind == SinkErrorKind::Moved;
                let seen = match self.look(&server, place).await {
                    Ok(seen) => seen,
                    Err(_) if !moved => return Err(error),
                    failed => break (failed, Some(error)),
                };
                // It may be there all the same: the answer was lost, or says other than was done. What
                // moved may be another field.
                let again = moved && seen.holds_as_in(&place.field, former)?;
                if writes == WRITES || !again {
                    break (Ok(seen), Some(error));
                }
                data = seen.with_field(&place.field, &text)?;
                cas = seen.version.unwrap_or(0);
                writes += 1;
            };
            let seen = seen.map_err(remote::unsure)?;
            if seen.field(&place.field).is_none_or(|held| *held != *text) {
                return Err(refused.unwrap_or_else(|| {
                    remote::unsure(answer::malformed(
                        "what is there is not what was written; something else writes to it",
                    ))
                }));
            }
            let note = self.note(&server, place, &seen, credential).await;
            Ok(Delivered {
                verified: Verified::Equal,
                version: seen.version.map(|n| StoreVersion::new(&n.to_string())),
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
            let server = self.server(place).await?;
            let seen = self.look(&server, place).await?;
            let Some(version) = seen.holds(&place.field, &credential.mrn) else {
                return Ok(Abandoned::Gone);
            };
            let data = seen.with_former(&place.field, fields(&staged.probe)?)?;
            if let Some(data) = data {
                self.write(&server, place, version, &data).await?;
                return Ok(Abandoned::Restored);
            }
            match self.delete(&server, place, version).await {
                Ok(()) => Ok(Abandoned::Gone),
                Err(error) if error.kind == SinkErrorKind::PermissionDenied => Ok(Abandoned::Stays),
                Err(error) => Err(error),
            }
        };
        work.await
            .map_err(|error| remote::unsure(remote::at(to, "taking the key back", error)))
    }

    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        let work = async {
            let place = Self::place(from)?;
            let server = self.server(place).await?;
            let seen = self.look(&server, place).await?;
            Ok(match seen.found(&place.field)? {
                Found::Nobody => ReadKey::Nothing,
                Found::Foreign { what } => ReadKey::Other(what),
                Found::Unreadable => ReadKey::Other("something that cannot be read".to_owned()),
                Found::Account { .. } => {
                    let text = seen.field(&place.field).unwrap_or_default();
                    content::held(&StoredCredential::new(text.as_bytes().to_vec()))
                }
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
            let seen = self.look(&server, place).await?;
            let Some(version) = seen.holds(&place.field, account) else {
                return Ok(Removal::NotThere);
            };
            // The other fields stay, in a version without this one.
            match seen.with_former(&place.field, "{}")? {
                Some(data) => {
                    self.write(&server, place, version, &data).await?;
                }
                None => self.delete(&server, place, version).await?,
            }
            Ok(Removal::Removed)
        };
        work.await
            .map_err(|error| remote::at(from, "removing the key", error))
    }
}

#[cfg(test)]
mod tests;
