//! The platform as a value: a request and a time go in, an answer comes out.

use std::{fmt, path::Path, sync::Arc};

use jiff::Timestamp;

use super::{
    auth::{self, Unauthenticated},
    core::{Caller, Core, Origin},
    error::Error,
    exchange::{Reply, Request},
    graphql,
    identity::Identity,
    oidc::FetchDocument,
    quirks::Quirks,
    rpc::{self, Call},
    store::{self, Store},
};

/// The largest request body in bytes.
pub const BODY_LIMIT: usize = 1 << 20;

/// Where a platform keeps its data.
#[derive(Clone, Copy, Debug)]
pub enum Storage<'a> {
    /// In a file, made if it is missing.
    File(&'a Path),
    /// In memory, gone with the [`App`].
    Memory,
}

/// How a platform behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Its own base URL without `/query`, which goes into every credential. If it is empty, a
    /// socket that is started sets it.
    pub base_url: String,
    /// Its answers to what is unknown about the real one.
    pub quirks: Quirks,
}

/// One platform. Threads may share it; writes happen one after another.
pub struct App {
    pub(crate) core: Arc<Core>,
    graphql: graphql::Platform,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Opens a platform.
    pub fn open(storage: Storage<'_>, options: Options) -> Result<Self, Error> {
        let path = match storage {
            Storage::File(path) => Some(path),
            Storage::Memory => None,
        };
        let Options { base_url, quirks } = options;
        let core = Arc::new(Core::new(Store::open(path)?, quirks, base_url));
        let graphql = graphql::Platform::new(Arc::clone(&core));
        Ok(Self { core, graphql })
    }

    /// Executes a request of an identity that is authenticated already.
    pub fn handle(&self, identity: &Identity, request: Request, now: Timestamp) -> Reply {
        self.handle_from(identity, request, now, Origin::default())
    }

    fn handle_from(
        &self,
        identity: &Identity,
        request: Request,
        now: Timestamp,
        origin: Origin,
    ) -> Reply {
        let caller = Caller {
            identity: identity.clone(),
            now,
            ip: origin.ip,
            stale_ms: origin.stale_ms,
            veil: self.core.veil(),
        };
        graphql::execute(&self.core, &self.graphql, request, caller)
    }

    /// Finds out who sent a body, from the value of the `Authorization` header.
    pub fn authenticate(
        &self,
        authorization: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Identity, Unauthenticated> {
        auth::authenticate(&self.core, authorization, body, now)
    }

    /// Whether a body comes from somebody who could be authenticated; notes nothing.
    pub(crate) fn knows(&self, authorization: Option<&str>, body: &[u8], now: Timestamp) -> bool {
        auth::identify(&self.core, authorization, body, now).is_ok()
    }

    /// Answers a `POST /query`: authenticates, reads the body, executes. Gives the HTTP status and
    /// the body. Never waits for anything but the database.
    pub fn serve_bytes(
        &self,
        authorization: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> (u16, Vec<u8>) {
        let Reply { status, body } = self.answer(authorization, body, now, Origin::default());
        (status, body)
    }

    /// As [`Self::serve_bytes`], with what is known of where the request came from.
    pub(crate) fn answer(
        &self,
        authorization: Option<&str>,
        body: &[u8],
        now: Timestamp,
        origin: Origin,
    ) -> Reply {
        if body.len() > BODY_LIMIT {
            return Reply::error(413, "request body too large");
        }
        let identity = match self.authenticate(authorization, body, now) {
            Ok(identity) => identity,
            Err(Unauthenticated::Unavailable) => {
                return Reply::error(500, "rpc error: code = Internal desc = storage failed");
            }
            Err(_) => return Reply::error(401, "request permission unauthenticated"),
        };
        match Request::parse(body) {
            Ok(request) => self.handle_from(&identity, request, now, origin),
            Err(reply) => reply,
        }
    }

    /// Answers a `POST /<service>/<method>` of the command lines and operators. Waits for nothing
    /// but the database, and for documents of an issuer when a token of it is exchanged.
    pub fn serve_call(&self, call: &Call<'_>, fetch: &dyn FetchDocument) -> Reply {
        rpc::answer(&self.core, call, fetch)
    }

    /// Lets issuers of workload identities lie on this machine and in its network, from now on.
    /// Whoever may bind one can then have the platform ask there.
    pub fn allow_local_issuers(&self) {
        self.core.allow_local_issuers();
    }

    /// The schema in the schema definition language, always the same text.
    pub fn sdl(&self) -> String {
        self.graphql.sdl()
    }

    /// The base URL that credentials carry.
    pub fn base_url(&self) -> String {
        self.core.base_url()
    }

    /// Changes the base URL for credentials issued from now on.
    pub fn set_base_url(&self, url: impl Into<String>) {
        self.core.set_base_url(url.into());
    }

    /// Reads a note that outlives the process, such as the port to prefer.
    pub fn meta_get(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.core.store.read(|c| store::meta_get(c, &note(key)))?)
    }

    /// Writes a note that outlives the process.
    pub fn meta_set(&self, key: &str, value: &str) -> Result<(), Error> {
        Ok(self
            .core
            .store
            .write(|t| store::meta_set(t, &note(key), value))?)
    }
}

/// Callers' notes live apart from the platform's own.
fn note(key: &str) -> String {
    format!("note.{key}")
}
