//! Births as stores meet them: many at once where a store takes so many writes a minute, and the size of what is
//! delivered. The client, the embedded platform and the sinks are those of the program; the clock runs by itself.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rolecall::apply::{Options, Outcome, apply};
use rolecall::cli::world::{Surroundings, World};
use rolecall::diff::diff;
use rolecall::http::{Answer, Failure, Time};
use rolecall::model::{
    Address, AzureKeyVaultPlace, CredentialFormat, Desired, DesiredAccount, DesiredOrganization,
    DesiredSpace, Destination, FilePlace, GithubApi, GithubApp, GithubOwner, GithubPlace,
    Inventory, LARGEST_CREDENTIAL, Limits, Nonce, OrgId, Origin, Place, Queries, Role, Scope,
    SpaceId, StackId,
};
use rolecall::plan::build;
use rolecall::platform::{Client, Credential, Endpoint, Identity, Transport};
use rolecall::policy::{Acks, LocalFiles, approve};
use rolecall::ports::{Clock, Event, Interrupt, Random, Recorder};
use rolecall::refresh::refresh;
use rolecall::secret::Secret;
use rolecall::sinks::{Gates, Machine, Programs, SinkRequest, Sinks};
use rolecall_server::{App, Options as ServerOptions, Quirks, Storage};
use rolecall_standins::azure::{Azure, CLIENT, SECRET, TENANT};
use rolecall_standins::github::{Github, TOKEN};
use rolecall_standins::{Call, Reply, Running, Standin, serve};

use crate::samples::{self, place};

const ORGANIZATION: &str = "acme-corp";
const CALLER: &str = "token-of-who-applies";

/// A clock that jumps to the end of each wait.
struct Hands {
    start: Timestamp,
    now: Mutex<Timestamp>,
}

impl Hands {
    fn new() -> Arc<Self> {
        let start = "2026-11-23T12:00:00Z".parse().expect("a time");
        let now = Mutex::new(start);
        Arc::new(Self { start, now })
    }

    fn now(&self) -> Timestamp {
        *self.now.lock().expect("no panic")
    }

    async fn sleep(&self, wait: Duration) {
        let until = self.now() + SignedDuration::try_from(wait).expect("is short");
        // Whoever can go on before does.
        tokio::task::yield_now().await;
        let mut now = self.now.lock().expect("no panic");
        *now = until.max(*now);
    }
}

fn time(hands: &Arc<Hands>) -> Time {
    let (now, sleeper) = (Arc::clone(hands), Arc::clone(hands));
    Time {
        now: Arc::new(move || now.now()),
        sleep: Arc::new(move |wait| {
            let hands = Arc::clone(&sleeper);
            Box::pin(async move { hands.sleep(wait).await })
        }),
    }
}

/// What a run did with keys.
#[derive(Default)]
struct Ledger {
    /// Made, and not yet delivered.
    on_their_way: AtomicUsize,
    /// How many there were at once at most.
    most: AtomicUsize,
    /// Made while their store was known to want to be left alone.
    made_in_vain: AtomicUsize,
    /// Until when the store said that it wants to be left alone.
    closed: Mutex<Option<Timestamp>>,
}

impl Ledger {
    /// Notes that a key is made now.
    fn made(&self, now: Timestamp) {
        let closed = *self.closed.lock().expect("no panic");
        if closed.is_some_and(|until| now < until) {
            self.made_in_vain.fetch_add(1, Ordering::SeqCst);
        }
        let under_way = self.on_their_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
    }

    /// Notes what a store answered.
    fn answered(&self, request: &SinkRequest, now: Timestamp) {
        match request.status {
            Some(403) => {
                let until = now + SignedDuration::from_secs(60);
                *self.closed.lock().expect("no panic") = Some(until);
            }
            Some(200..=299) if request.operation.ends_with(" write") => {
                self.on_their_way.fetch_sub(1, Ordering::SeqCst);
            }
            _ => {}
        }
    }
}

/// The way to the platform, without a socket.
struct Wire {
    app: App,
    hands: Arc<Hands>,
    ledger: Arc<Ledger>,
}

impl Transport for Wire {
    async fn send(&self, body: Vec<u8>, authorization: String) -> Result<Answer, Failure> {
        // It is made once it is asked for: what a store says while that is under way comes too late.
        if String::from_utf8_lossy(&body).contains("createServiceAccount") {
            self.ledger.made(self.hands.now());
        }
        // Others go on while a request is under way.
        tokio::task::yield_now().await;
        let now = self.hands.now();
        let (status, body) = self.app.serve_bytes(Some(&authorization), &body, now);
        Ok(Answer {
            date: Timestamp::from_second(now.as_second()).ok(),
            ..Answer::new(status, body)
        })
    }
}

/// A platform with these spaces.
fn platform(spaces: &[String], hands: &Hands) -> App {
    let options = ServerOptions {
        base_url: "http://127.0.0.1:8989".to_owned(),
        quirks: Quirks::default(),
    };
    let app = App::open(Storage::Memory, options).expect("opens");
    let spaces: Vec<_> = spaces
        .iter()
        .map(|id| (id.as_str(), id.as_str(), ORGANIZATION))
        .collect();
    app.ensure_scopes(&[(ORGANIZATION, "Acme")], &spaces, hands.now())
        .expect("scopes");
    let organization = format!("//captain.api.mondoo.app/organizations/{ORGANIZATION}");
    app.admin_create_token(&organization, "ci", CALLER, &["owner"], hands.now())
        .expect("a token");
    app
}

/// What runs have besides the platform and the sinks.
struct Bench {
    hands: Arc<Hands>,
    nonces: Cell<u128>,
    events: RefCell<Vec<Event>>,
}

impl Surroundings for Bench {
    fn writing(&self) {}
}

impl Recorder for Bench {
    fn record(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }
}

impl Clock for Bench {
    async fn sleep(&self, duration: Duration) {
        self.hands.sleep(duration).await;
    }
    fn elapsed(&self) -> Duration {
        let passed = self.hands.now().duration_since(self.hands.start);
        Duration::try_from(passed).unwrap_or_default()
    }
}

impl Random for Bench {
    fn nonce(&self) -> Nonce {
        self.nonces.set(self.nonces.get() + 1);
        Nonce::from_bytes(self.nonces.get().to_be_bytes())
    }
}

impl Interrupt for Bench {
    fn stop_requested(&self) -> bool {
        false
    }
}

/// The world of the program but for its surroundings, and what was done in it.
struct Trial {
    world: World<Wire, Bench>,
    ledger: Arc<Ledger>,
}

impl Trial {
    /// A world with these spaces, by this clock, in which sinks have these variables and may send logins to
    /// these servers too.
    fn new(
        hands: Arc<Hands>,
        spaces: &[String],
        variables: &[(&'static str, &str)],
        allowed: Vec<Origin>,
        root: &Path,
    ) -> Self {
        // Whoever comes first does it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let ledger = Arc::new(Ledger::default());
        let wire = Wire {
            app: platform(spaces, &hands),
            hands: Arc::clone(&hands),
            ledger: Arc::clone(&ledger),
        };
        let endpoint = Endpoint::new("http://127.0.0.1:8989").expect("valid");
        let identity = Identity::api_token(CALLER);
        let variables: BTreeMap<_, _> = variables
            .iter()
            .map(|(name, value)| (*name, Secret::new((*value).to_owned())))
            .collect();
        let (watch, noted) = (Arc::clone(&hands), Arc::clone(&ledger));
        let machine = Machine {
            variables,
            time: time(&hands),
            proxy: None,
            authorities: None,
            in_place: None,
            patience: Duration::from_secs(10),
            allowed,
            programs: Programs::none(),
            observer: Box::new(move |request| noted.answered(request, watch.now())),
            gates: Gates::default(),
        };
        let world = World {
            client: Client::new(wire, endpoint, identity, time(&hands)),
            sinks: Sinks::new(root, machine, &stack()),
            run: Bench {
                hands,
                nonces: Cell::new(0),
                events: RefCell::default(),
            },
        };
        Self { world, ledger }
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(work)
    }

    /// Plans what is desired and applies it.
    fn apply(&self, desired: &Desired, wait: Duration) -> Outcome {
        let world = &self.world;
        let seals = crate::stage::seals();
        let queries = Queries {
            organizations: [OrgId::new(ORGANIZATION).expect("valid")].into(),
            spaces: BTreeMap::new(),
        };
        let options = Options {
            seals: seals.clone(),
            wait,
            ..Options::default()
        };
        self.run(async {
            let live = refresh(world, &queries, "local").await.expect("reads");
            let inventory = Inventory::take(desired, &live, &seals);
            let plan = build(desired, &live, &inventory, diff(desired, &live, &inventory));
            let approved = approve(plan, &Acks::default(), None, LocalFiles::Stay);
            apply(&approved.expect("no guard objects"), world, &options).await
        })
    }
}

fn stack() -> StackId {
    StackId::new("acme-access", "k7m2q9ta").expect("valid")
}

/// A configuration of these spaces, with an account for each place in turn.
fn desired(spaces: &[String], places: impl IntoIterator<Item = Destination>) -> Desired {
    let id = |n: usize| SpaceId::new(spaces[n % spaces.len()].as_str()).expect("valid");
    let account = |(n, to): (usize, Destination)| {
        let role = Role::new("viewer");
        let account = DesiredAccount {
            roles: [role.clone()].into(),
            role_places: [(role, place())].into(),
            deliver_to: vec![to],
            ..samples::declared(Address::new(format!("a{n}"), None), Scope::Space(id(n)))
        };
        (account.address.clone(), account)
    };
    Desired {
        organizations: BTreeMap::from([(
            "acme".to_owned(),
            DesiredOrganization {
                id: OrgId::new(ORGANIZATION).expect("valid"),
                declared_at: place(),
            },
        )]),
        spaces: (0..spaces.len())
            .map(|n| {
                let space = DesiredSpace {
                    id: id(n),
                    organization: None,
                    declared_at: place(),
                };
                (format!("s{n}"), space)
            })
            .collect(),
        accounts: places.into_iter().enumerate().map(account).collect(),
        limits: Limits::NONE,
        ..Desired::nothing(stack())
    }
}

fn secret(github: &Running<Github>, n: usize) -> Destination {
    let place = GithubPlace {
        address: GithubApi::new(&github.url).expect("an address"),
        owner: GithubOwner::Repository("acme/app".to_owned()),
        app: GithubApp::Actions,
        name: format!("KEY_{n}"),
        format: CredentialFormat::Base64,
    };
    Destination::new("github.ci", Place::Github(place))
}

/// Case 12: GitHub takes 80 writes a minute, and says so with how long to wait, and once without.
#[test]
fn two_hundred_keys_get_there_and_none_is_made_while_its_store_wants_to_be_left_alone() {
    // Six scopes take turns, one has all the room to itself, and three leave room for one key more.
    for (scopes, keys, a_minute) in [(6, 200, 80), (1, 50, 20), (3, 50, 20)] {
        let hands = Hands::new();
        let clock = Arc::clone(&hands);
        let mut github = Github::new(Arc::new(move || clock.now().as_second()));
        github.most_a_minute = Some(a_minute);
        github.silent = 1;
        let github = serve(github, ([127, 0, 0, 1], 0).into()).expect("a port");
        let root = tempfile::tempdir().expect("a folder");
        let spaces: Vec<String> = (0..scopes).map(|n| format!("space-{n}")).collect();
        let login = [
            ("GITHUB_API_URL", github.url.as_str()),
            ("ROLECALL_GITHUB_TOKEN", TOKEN),
        ];
        let trial = Trial::new(hands, &spaces, &login, Vec::new(), root.path());
        let places = (0..keys).map(|n| secret(&github, n));
        let outcome = trial.apply(&desired(&spaces, places), Duration::ZERO);
        let undone = outcome.results.iter().find(|one| one.account.is_none());
        assert!(outcome.complete(), "{undone:?}");
        assert_eq!(outcome.results.len(), keys);
        for (n, ended) in (0..keys).map(|n| (n, format!("a{n}"))) {
            let ended = outcome.results.iter().find(|one| one.address.name == ended);
            let account = ended.and_then(|one| one.account.as_ref()).expect("born");
            let value =
                github.with(|github| github.value("repos/acme/app/actions", &format!("KEY_{n}")));
            let credential = Credential::parse(&value.expect("opens")).expect("a credential");
            assert!(format!("{:?}", credential.identity).contains(account.as_str()));
        }
        let Ledger {
            on_their_way,
            most,
            made_in_vain,
            closed: _,
        } = &*trial.ledger;
        let told = [on_their_way, made_in_vain, most].map(|told| told.load(Ordering::SeqCst));
        assert_eq!(told, [0, 0, Options::default().parallelism]);
        let refused = github.with(|github| github.limited());
        assert!((2..=8).contains(&refused), "{refused} writes in vain");
        assert!(trial.world.elapsed() >= Duration::from_secs(120));
    }
}

/// A vault that does not heed the role of the login before a time.
struct Later {
    azure: Azure,
    hands: Arc<Hands>,
    heeds_from: Timestamp,
}

impl Standin for Later {
    fn answer(&mut self, call: &Call) -> Reply {
        let logged_in = !call.header("authorization").is_empty();
        let early = self.hands.now() < self.heeds_from;
        if early && logged_in && call.path.starts_with("/secrets/") {
            let body = serde_json::json!({"error": {
                "code": "Forbidden",
                "message": "Caller is not authorized to perform action on resource.",
                "innererror": {"code": "ForbiddenByRbac"},
            }});
            return Reply::json(403, &body);
        }
        self.azure.answer(call)
    }
}

/// Case 21: the role was given a minute ago, and counts 90 s later, or never.
#[test]
fn a_role_that_does_not_count_yet_is_waited_for_before_any_account_is_made() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    for (counts_after, wait, done) in [
        (90, minutes(10), true),
        (90, minutes(1), false),
        (90, Duration::ZERO, false),
        (1_000_000, minutes(10), false),
    ] {
        let hands = Hands::new();
        let vault = Later {
            azure: Azure::new(),
            heeds_from: hands.start + SignedDuration::from_secs(counts_after),
            hands: Arc::clone(&hands),
        };
        let vault = serve(vault, ([127, 0, 0, 1], 0).into()).expect("a port");
        let origin = Origin::new(&vault.url).expect("an address");
        let login = [
            ("AZURE_AUTHORITY_HOST", vault.url.as_str()),
            ("AZURE_TENANT_ID", TENANT),
            ("AZURE_CLIENT_ID", CLIENT),
            ("AZURE_CLIENT_SECRET", SECRET),
        ];
        let root = tempfile::tempdir().expect("a folder");
        let spaces = ["space-0".to_owned()];
        let allowed = vec![origin.clone()];
        let trial = Trial::new(hands, &spaces, &login, allowed, root.path());
        let place = AzureKeyVaultPlace {
            vault: origin,
            name: "mondoo-ci".to_owned(),
            format: CredentialFormat::Json,
        };
        let to = Destination::new("azure_key_vault.ci", Place::AzureKeyVault(place));
        let outcome = trial.apply(&desired(&spaces, [to]), wait);
        assert_eq!(outcome.complete(), done, "{outcome:?}");
        let passed = trial.world.elapsed();
        let (least, most) = match (done, wait.is_zero()) {
            (_, true) => (0, 5),
            (true, _) => (90, 110),
            (false, _) => (wait.as_secs(), wait.as_secs() + 15),
        };
        assert!((least..=most).contains(&passed.as_secs()), "{passed:?}");
        let made = trial.ledger.most.load(Ordering::SeqCst);
        assert_eq!(made, usize::from(done), "an account is made once it counts");
        let told = trial.world.run.events.borrow();
        let told: Vec<_> = told.iter().map(|event| format!("{event:?}")).collect();
        let minutes = told
            .iter()
            .filter(|text| text.contains("takes minutes to count"));
        assert_eq!(minutes.count(), 1, "{told:?}");
    }
}

/// Case 16: what places are probed for is more than the platform gives, also where ids are as long as they may be.
#[test]
fn no_credential_of_the_platform_is_larger_than_said() {
    for letters in [8, 200] {
        let space = "s".repeat(letters);
        let root = tempfile::tempdir().expect("a folder");
        let spaces = [space];
        let trial = Trial::new(Hands::new(), &spaces, &[], Vec::new(), root.path());
        let to = Destination::new(
            "file.local",
            Place::File(FilePlace {
                directory: "keys".to_owned(),
                file: "ci.json".to_owned(),
                format: CredentialFormat::Json,
                keep: true,
            }),
        );
        let mut wanted = desired(&spaces, [to]);
        for account in wanted.accounts.values_mut() {
            account.name = "n".repeat(60);
        }
        let outcome = trial.apply(&wanted, Duration::ZERO);
        assert!(outcome.complete(), "{outcome:?}");
        let file = std::fs::read(root.path().join("keys/ci.json")).expect("delivered");
        assert!(
            (1000..=LARGEST_CREDENTIAL).contains(&file.len()),
            "{} bytes with {letters} letters",
            file.len()
        );
    }
}
