//! A raw client: JSON over HTTP, tokens by `jsonwebtoken`. It shares nothing with the product's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rolecall_server::{App, Clock, Credential, Options, Quirks, Running, Seed, Storage};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub const ORG: &str = "//captain.api.mondoo.app/organizations/acme-corp-883120";
pub const PAYMENTS: &str = "//captain.api.mondoo.app/spaces/amazing-hofstadter-175565";
pub const PROD_EU: &str = "//captain.api.mondoo.app/spaces/serene-bouman-275779";
pub const PROD_US: &str = "//captain.api.mondoo.app/spaces/relaxed-khayyam-961566";

pub const LIST: &str = "query($scopeMrn: String, $first: Int, $after: String, \
     $orderBy: ServiceAccountOrder, $query: String){serviceAccounts(scopeMrn: $scopeMrn, \
     first: $first, after: $after, orderBy: $orderBy, query: $query){totalCount \
     edges{cursor node{id mrn name description notes roles{mrn title} labels{key value} \
     createdAt lastUsed creator{mrn email service}}} \
     pageInfo{startCursor endCursor hasNextPage hasPreviousPage}}}";
pub const CREATE: &str = "mutation($input: CreateServiceAccountInput){createServiceAccount\
     (input: $input){mrn certificate privateKey scopeMrn apiEndpoint spaceMrn}}";
pub const UPDATE: &str = "mutation($input: UpdateServiceAccountInput!){updateServiceAccount\
     (input: $input){mrn name description notes labels{key value} roles{mrn}}}";
pub const DELETE: &str = "mutation($input: DeleteServiceAccountsInput!){deleteServiceAccounts\
     (input: $input){mrns errors}}";
pub const SET_ROLES: &str = "mutation($input: SetRolesInput!){setRoles(input: $input)\
     {mrns errors identity_mrn identity_email}}";
pub const GET_ROLES: &str = "query($identity: String!, $scopeMrn: String!){getRoles\
     (identity: $identity, scopeMrn: $scopeMrn){identityMrn identityEmail scopeMrn roles}}";
pub const READ: &str = "query($mrn: String!){serviceAccount(mrn: $mrn)\
     {mrn name description notes roles{mrn} labels{key value} lastUsed}}";

pub fn role(name: &str) -> String {
    format!("//iam.api.mondoo.app/roles/{name}")
}

/// A key that signs as an account.
#[derive(Clone)]
pub struct Key {
    pub mrn: String,
    pub pem: String,
}

impl From<&Credential> for Key {
    fn from(credential: &Credential) -> Self {
        Self {
            mrn: credential.mrn.clone(),
            pem: credential.private_key.clone(),
        }
    }
}

impl Key {
    /// The claims of a fresh token.
    pub fn claims(&self, now: Timestamp) -> Value {
        let now = now.as_second();
        json!({ "iss": "mondoo/ams", "sub": self.mrn, "iat": now, "nbf": now, "exp": now + 60 })
    }

    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES384);
        header.kid = Some(self.mrn.clone());
        self.sign_with(&header, claims)
    }

    pub fn sign_with(&self, header: &Header, claims: &Value) -> String {
        let key = EncodingKey::from_ec_pem(self.pem.as_bytes()).expect("PKCS#8 PEM");
        jsonwebtoken::encode(header, claims, &key).expect("signs")
    }

    pub fn bearer(&self, now: Timestamp) -> String {
        format!("Bearer {}", self.sign(&self.claims(now)))
    }
}

/// A clock that runs as the system's does, and that a test may put forward.
#[derive(Clone, Default)]
pub struct Hands(Arc<AtomicI64>);

impl Hands {
    pub fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }

    pub fn clock(&self) -> Clock {
        let hands = self.clone();
        Arc::new(move || hands.now())
    }
}

/// A platform on a socket, seeded with the Acme fixture.
pub struct Platform {
    pub app: Arc<App>,
    pub running: Running,
    /// The clock of its sockets.
    pub clock: Hands,
    pub owner: Key,
    http: reqwest::Client,
}

pub fn acme() -> Seed {
    let json = std::fs::read("../../fixtures/live/acme.json").expect("the fixture");
    Seed::from_json(&json).expect("a seed")
}

pub fn memory(quirks: Quirks) -> App {
    App::open(
        Storage::Memory,
        Options {
            base_url: String::new(),
            quirks,
        },
    )
    .expect("opens")
}

impl Platform {
    pub async fn start() -> Self {
        Self::with(Quirks::default()).await
    }

    pub async fn with(quirks: Quirks) -> Self {
        let app = Arc::new(memory(quirks));
        app.seed(&acme(), Timestamp::now()).expect("seeds");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let clock = Hands::default();
        let running = Running::start_on(Arc::clone(&app), listener, clock.clock()).expect("starts");
        let owner = app
            .ensure_owner("acme-corp-883120", Timestamp::now())
            .expect("works");
        let owner = Key::from(&owner.expect("the first time"));
        Self {
            app,
            running,
            clock,
            owner,
            http: reqwest::Client::new(),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/query", self.running.local_addr())
    }

    /// An account with a key, made behind the API's back.
    pub fn account(&self, scope: &str, name: &str, roles: &[&str]) -> Key {
        let account = rolecall_server::SeedAccount {
            name: name.to_owned(),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            ..Default::default()
        };
        let now = Timestamp::now();
        let mrn = self
            .app
            .admin_create_account(scope, &account, now)
            .expect("creates");
        Key::from(&self.app.admin_issue_credential(&mrn, now).expect("issues"))
    }

    pub async fn post(&self, authorization: Option<&str>, body: Vec<u8>) -> (u16, Value) {
        let mut request = self
            .http
            .post(self.url())
            .header("content-type", "application/json");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let response = request.body(body).send().await.expect("an answer");
        let status = response.status().as_u16();
        let bytes = response.bytes().await.expect("a body");
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }

    /// Sends a request as an account; answers status and body.
    pub async fn raw(&self, key: &Key, query: &str, variables: Value) -> (u16, Value) {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.post(Some(&key.bearer(Timestamp::now())), body.into_bytes())
            .await
    }

    /// The `data` of a request that must succeed.
    pub async fn ok(&self, key: &Key, query: &str, variables: Value) -> Value {
        let (status, mut body) = self.raw(key, query, variables).await;
        assert_eq!((status, body.get("errors")), (200, None), "{body}");
        body["data"].take()
    }

    /// The one error message of a request that must fail in a resolver.
    pub async fn err(&self, key: &Key, query: &str, variables: Value) -> String {
        let (status, body) = self.raw(key, query, variables).await;
        assert_eq!(status, 200, "{body}");
        let errors = body["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("no errors in {body}"));
        assert_eq!(errors.len(), 1, "{body}");
        errors[0]["message"].as_str().expect("a message").to_owned()
    }

    /// Creates an account through the API as the owner.
    pub async fn create(&self, input: Value) -> Key {
        let data = self
            .ok(&self.owner, CREATE, json!({ "input": input }))
            .await;
        let made = &data["createServiceAccount"];
        Key {
            mrn: made["mrn"].as_str().expect("an MRN").to_owned(),
            pem: made["privateKey"].as_str().expect("a key").to_owned(),
        }
    }

    /// Reads an account as the owner.
    pub async fn read(&self, mrn: &str) -> Value {
        let mut data = self.ok(&self.owner, READ, json!({ "mrn": mrn })).await;
        data["serviceAccount"].take()
    }
}

pub const DENIED: &str = "rpc error: code = PermissionDenied desc = request permission denied";

/// The names in an object, sorted.
pub fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}
