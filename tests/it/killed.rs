//! `kill -9` of the program at every request that it makes, of the platform and of stores, each behind a socket of its
//! own. Nobody lists the requests: the first is left without an answer, then the second, until a run comes to its end.
//! Each is a step before its effect, and one that writes is another after it. The platform's part is its own script of
//! faults. Then somebody does what the program says, and all is as if nobody had died.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rolecall_server::{Conduct, Faults, Hanging, Running as Platform};
use rolecall_standins::aws::{Aws, ID, KEY};
use rolecall_standins::vault::{ROOT, Vault};
use rolecall_standins::{Call, Reply, Running, Standin, serve};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::keyless::bind;
use crate::rotation::uses;
use crate::stage::{Halt, Halting, ORG, PAYMENTS, Stage};

const APPLY: &[&str] = &["apply", "--yes", "access"];
const ROTATE: &[&str] = &["rotate", "--yes", "service_account.ci", "access"];
const DUE: &[&str] = &["rotate", "--due", "--yes", "access"];
const CHECK: &[&str] = &["check", "--allow-unmanaged", "access"];
const WRITES: [&str; 4] = [
    "createServiceAccount",
    "updateServiceAccount",
    "setRoles",
    "deleteServiceAccounts",
];
/// Whether a request changes nothing, whatever comes of it.
fn reads(call: &Call) -> bool {
    let verbs = ["Get", "Describe", "List"];
    let of_aws = call.header("x-amz-target").rsplit('.').next();
    call.method == "GET"
        || of_aws.is_some_and(|action| verbs.iter().any(|verb| action.starts_with(verb)))
}

/// How a run is told of a store.
struct About {
    /// The sink.
    sink: String,
    /// How `deliver_to` names it.
    name: &'static str,
    /// The login.
    variables: Vec<(&'static str, String)>,
}

/// A store, whatever its kind.
struct Store {
    url: String,
    about: About,
    /// Leaves a request without an answer.
    halt: Box<dyn Fn(Option<Halt>)>,
    /// What whoever reads the place gets.
    key: Box<dyn Fn() -> Option<String>>,
    /// All values that it has besides.
    kept: Box<dyn Fn() -> Vec<String>>,
    /// How many requests have come since this was asked.
    asked: Box<dyn Fn() -> usize>,
}

impl Store {
    fn new<S: Standin>(
        held: S,
        about: fn(&str) -> About,
        key: fn(&S) -> Option<String>,
        kept: fn(&S) -> Vec<String>,
    ) -> Self {
        let running = serve(Halting::of(held), ([127, 0, 0, 1], 0).into()).expect("a port");
        let of = Rc::new(running);
        let (halted, read, looked, counted) = (of.clone(), of.clone(), of.clone(), of.clone());
        Self {
            url: of.url.clone(),
            about: about(&of.url),
            halt: Box::new(move |halt| halted.with(|standin| standin.halt = halt)),
            key: Box::new(move || read.with(|standin| key(&standin.held))),
            kept: Box::new(move || looked.with(|standin| kept(&standin.held))),
            asked: Box::new(move || counted.calls().len()),
        }
    }
}

/// A store that has one value in a place, which is read there at once.
fn vault() -> Store {
    let about = |url: &str| About {
        sink: format!(
            "sink \"vault\" \"ci\" {{\n  address = \"{url}\"\n  mount   = \"secret\"\n  path    = \
             \"mondoo/${{account.id}}\"\n}}\n\n"
        ),
        name: "sink.vault.ci",
        variables: vec![
            ("VAULT_ADDR", url.to_owned()),
            ("VAULT_TOKEN", ROOT.to_owned()),
        ],
    };
    let key = |vault: &Vault| {
        let fields = vault.fields("", "secret", "mondoo/ci")?;
        Some(fields["credential"].as_str()?.to_owned())
    };
    Store::new(Vault::new(), about, key, |_| Vec::new())
}

/// A store that takes a value beside the one that is read.
fn aws() -> Store {
    let about = |url: &str| About {
        sink: format!(
            "sink \"aws_secretsmanager\" \"ci\" {{\n  endpoint   = \"{url}\"\n  region     = \
             \"eu-central-1\"\n  account_id = \"123456789012\"\n  name       = \
             \"mondoo/${{account.id}}\"\n}}\n\n"
        ),
        name: "sink.aws_secretsmanager.ci",
        variables: vec![
            ("AWS_ACCESS_KEY_ID", ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEY.to_owned()),
            ("AWS_ENDPOINT_URL_STS", url.to_owned()),
        ],
    };
    let key = |aws: &Aws| aws.current("mondoo/ci").map(str::to_owned);
    let kept = |aws: &Aws| {
        let versions = aws.secrets.values().flat_map(|one| one.versions.values());
        versions.cloned().collect()
    };
    Store::new(Aws::by_the_clock(), about, key, kept)
}

/// Says by which keys its tokens are signed.
struct Issuer {
    /// By path.
    documents: BTreeMap<String, Value>,
}

impl Standin for Issuer {
    fn answer(&mut self, call: &Call) -> Reply {
        match self.documents.get(&call.path) {
            Some(document) => Reply::json(200, document),
            None => Reply::empty(404),
        }
    }
}

/// Has the runs of a stage log in without a key: by a token in a file, of an issuer of this machine.
fn without_key(stage: &Stage, platform: &str) -> Running<Issuer> {
    let documents = BTreeMap::new();
    let issuer = serve(Issuer { documents }, ([127, 0, 0, 1], 0).into()).expect("a port");
    let url = issuer.url.clone();
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
    let point = pair.public_key_raw();
    let key = json!({"kty": "EC", "crv": "P-256", "kid": "k",
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..])});
    let about = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
    issuer.with(|issuer| {
        let well_known = "/.well-known/openid-configuration".to_owned();
        issuer.documents.insert(well_known, about);
        let keys = json!({"keys": [key]});
        issuer.documents.insert("/keys".to_owned(), keys);
    });
    stage.app.allow_local_issuers();
    let subject = "system:serviceaccount:ci:deploy";
    bind(stage, "pod", &url, subject, &json!({}));
    let now = Timestamp::now().as_second();
    let claims = json!({"iss": url, "aud": ORG, "sub": subject, "iat": now, "exp": now + 3000});
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("k".to_owned());
    let signs = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key");
    let token = jsonwebtoken::encode(&header, &claims, &signs).expect("signs");
    fs::write(stage.path("token"), token).expect("written");
    let login = json!({"universeDomain": platform, "type": "external_account", "audience": ORG,
        "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        "scopes": ["//iam.api.mondoo.app/roles/owner"], "issuerUri": url,
        "credential_source": {"file": stage.path("token")}});
    fs::write(stage.path("owner.json"), login.to_string()).expect("written");
    issuer
}

/// A request of a run, and whether its effect came.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// `None` is the platform, else a store by its number.
    of: Option<usize>,
    number: usize,
    done: bool,
}

/// How a run ended that was to be killed at a step.
enum Ended {
    /// There was no such request.
    Whole,
    /// It was killed at one that may write, or at one that does not.
    Killed { writes: bool },
}

/// One account, whose key goes to a file and to some stores.
struct World {
    stage: Stage,
    /// Beside it the platform would end.
    _runtime: tokio::runtime::Runtime,
    platform: Platform,
    hanging: RefCell<UnboundedReceiver<Hanging>>,
    stores: Vec<Store>,
    _issuer: Option<Running<Issuer>>,
}

impl World {
    fn new(kinds: &[fn() -> Store], keyless: bool) -> Self {
        let mut stage = Stage::small();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let (told, hanging) = unbounded_channel();
        let conduct = Conduct {
            hanging: Some(told),
            ..Conduct::default()
        };
        let app = Arc::clone(&stage.app);
        let platform = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
            let clock = Arc::new(Timestamp::now);
            Platform::start_with(app, listener.expect("a port"), clock, conduct)
        });
        let platform = platform.expect("serves");
        let url = format!("http://{}", platform.local_addr());
        stage.app.set_base_url(url.clone());
        let owner = fs::read_to_string(stage.path("owner.json")).expect("there");
        let owner = owner.replace(&stage.front.url(), &url);
        fs::write(stage.path("owner.json"), owner).expect("written");
        let stores: Vec<Store> = kinds.iter().map(|kind| kind()).collect();
        let sinks: String = stores.iter().map(|of| of.about.sink.as_str()).collect();
        let names = stores.iter().map(|of| of.about.name);
        let names: Vec<&str> = std::iter::once("sink.file.local").chain(names).collect();
        stage.configure(&format!(
            "{sinks}service_account \"ci\" {{\n  scope = space.payments\n  name  = \"ci\"\n  roles = \
             [\"viewer\"]\n\n  credential {{\n    deliver_to = [{}]\n  }}\n}}\n",
            names.join(", ")
        ));
        let servers: Vec<String> = stores.iter().map(|of| format!("\"{}\"", of.url)).collect();
        let allow = format!("destinations {{\n  allow = [{}]\n}}\n", servers.join(", "));
        fs::create_dir(stage.path("security")).expect("made");
        fs::write(stage.path("security/allow.hcl"), allow).expect("written");
        let issuer = keyless.then(|| without_key(&stage, &url));
        Self {
            stage,
            _runtime: runtime,
            platform,
            hanging: RefCell::new(hanging),
            stores,
            _issuer: issuer,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.stage.command(arguments);
        let logins = self.stores.iter().flat_map(|store| &store.about.variables);
        command
            .envs(logins.map(|(name, value)| (*name, value.as_str())))
            .env("ROLECALL_POLICY_DIR", "security")
            .env(
                "MONDOO_API_ENDPOINT",
                format!("http://{}", self.platform.local_addr()),
            );
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().expect("runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.code().unwrap_or(-1), text)
    }

    /// What goes wrong at the platform from now on.
    fn script(&self, rules: &Value) {
        let json = json!({ "rules": rules }).to_string();
        let faults = Faults::from_json(json.as_bytes()).expect("rules");
        self.platform.script(faults);
    }

    /// Runs a command and kills it at a step.
    fn killed(&self, arguments: &[&str], step: Step) -> Ended {
        let Step { of, number, done } = step;
        let (told, heard) = channel();
        let (release, gone) = channel::<()>();
        match of {
            None => self.script(&json!([{ "operation": "*", "from": number, "count": 1,
                "fault": { "hang": { "after_effect": done } } }])),
            Some(store) => {
                let mut seen = 0;
                let at = move |_: &Call| {
                    seen += 1;
                    seen == number
                };
                (self.stores[store].halt)(Some(Halt {
                    at: Box::new(at),
                    done,
                    told,
                    gone,
                }));
            }
        }
        let out = fs::File::create(self.stage.path("killed.txt")).expect("made");
        let mut child = self
            .command(arguments)
            .stdout(out.try_clone().expect("a handle"))
            .stderr(out)
            .stdin(Stdio::null())
            .spawn()
            .expect("starts");
        let ended = loop {
            let halted = heard.try_recv().ok().map(|call| !reads(&call));
            let hangs = self.hanging.borrow_mut().try_recv().ok();
            if let Some(writes) = halted.or(hangs.map(|call| call.writes)) {
                child.kill().expect("killed");
                child.wait().expect("gone");
                break Ended::Killed { writes };
            }
            if let Some(status) = child.try_wait().expect("waits") {
                let said = fs::read_to_string(self.stage.path("killed.txt"));
                assert!(status.success(), "{step:?}: {}", said.expect("there"));
                break Ended::Whole;
            }
            thread::sleep(Duration::from_millis(2));
        };
        drop(release);
        self.script(&json!([]));
        for store in &self.stores {
            (store.halt)(None);
        }
        ended
    }

    /// The live accounts of the space, each with how many roles it has.
    fn accounts(&self) -> Vec<(Value, usize)> {
        let dump = self.stage.app.dump().expect("dumps");
        let bindings = dump["bindings"].as_array().expect("bindings");
        let of = |mrn: &Value| {
            let own = bindings.iter().filter(|one| one["identity"] == *mrn);
            own.map(|one| one["roles"].as_array().map_or(0, Vec::len))
                .sum()
        };
        let accounts = dump["accounts"].as_array().expect("accounts").iter();
        let here = accounts.filter(|account| account["scope_mrn"] == PAYMENTS);
        here.map(|account| (account.clone(), of(&account["mrn"])))
            .collect()
    }

    /// What each place holds.
    fn places(&self) -> Vec<Option<String>> {
        let file = fs::read_to_string(self.stage.path("access/credentials/ci.json"));
        let stores = self.stores.iter().map(|store| (store.key)());
        std::iter::once(file.ok()).chain(stores).collect()
    }

    /// All that a later run meets, but for names of chance and times: where it is the same, the same becomes of it.
    fn state(&self) -> String {
        let accounts = self.accounts();
        let mut text = String::new();
        for (account, roles) in &accounts {
            let labels = account["labels"].as_array().expect("labels").iter();
            let seals = |label: &&Value| !label["key"].to_string().contains("-seal");
            let labels: Vec<String> = labels.filter(seals).map(Value::to_string).collect();
            text += &format!("{}: {roles} roles, {}\n", account["mrn"], labels.join(", "));
        }
        let kept = self.stores.iter().flat_map(|store| (store.kept)());
        let places = self.places().into_iter().map(Option::unwrap_or_default);
        let files = files(&self.stage.path("access"));
        for key in places.chain(kept).chain(files) {
            text += &format!("{}\n", owner(&key));
        }
        for (number, (account, _)) in accounts.iter().enumerate() {
            let mrn = account["mrn"].as_str().expect("a name");
            text = text.replace(mrn, &format!("#{number}"));
        }
        let chance = [
            (r"//[^\s\x22]+serviceaccounts/[0-9A-Za-z]{27}", "gone"),
            (r"[0-9a-f]{16,}", "…"),
            (r"20\d{6}T\d{6}Z", "then"),
        ];
        for (pattern, word) in chance {
            let pattern: regex::Regex = pattern.parse().expect("a pattern");
            text = pattern.replace_all(&text, word).into_owned();
        }
        text
    }

    /// What must hold at the very moment of a death, whoever needs the key.
    fn law(&self, rotates: bool, at: Step) {
        let accounts = self.accounts();
        let places = self.places();
        let power = |mrn: &str| {
            let of = accounts.iter().filter(|(account, _)| account["mrn"] == mrn);
            of.map(|(_, roles)| *roles).sum::<usize>()
        };
        if rotates {
            for key in places {
                let key = key.unwrap_or_else(|| panic!("{at:?}: no key is there"));
                let account = uses(&self.stage, key.as_bytes(), 0);
                let account = account.unwrap_or_else(|why| panic!("{at:?}: {why}"));
                assert_eq!(power(&account), 1, "{at:?}");
            }
            assert!(accounts.len() <= 3, "{at:?}: {accounts:?}");
            return;
        }
        for (account, roles) in &accounts {
            let mrn = account["mrn"].as_str().expect("a name");
            let there = |key: &Option<String>| key.as_ref().is_some_and(|key| owner(key) == mrn);
            let delivered = account["labels"].to_string().contains("delivered.");
            let all = delivered && places.iter().all(there);
            assert!(all || *roles == 0, "{at:?}: {account}, {roles} roles");
        }
    }

    /// Does what a person does who reads what the program says.
    fn finishes(&self, rotates: bool, at: Step) {
        let (code, text) = self.run(APPLY);
        match text.split_once("--resume=") {
            Some((_, nonce)) if code == 5 => {
                let resume = format!("--resume={}", &nonce[..32]);
                let (code, text) = self.run(&["apply", "--yes", &resume, "access"]);
                assert_eq!(code, 0, "{at:?}: {text}");
            }
            _ => assert_eq!(code, 0, "{at:?}: {text}"),
        }
        if rotates {
            let (code, text) = self.run(DUE);
            assert_eq!(code, 0, "{at:?}: {text}");
        }
        let (code, text) = self.run(CHECK);
        assert_eq!(code, 0, "{at:?}: {text}");
    }

    /// The wanted accounts and no others, the key where it belongs, and nothing left to do.
    fn settled(&self, rotates: bool, at: Step) {
        let accounts = self.accounts();
        let keys = self.places();
        let mut keys = keys.into_iter().map(|key| key.expect("a key"));
        let key = keys.next().expect("a place");
        assert!(keys.all(|other| owner(&other) == owner(&key)), "{at:?}");
        assert_eq!(
            uses(&self.stage, key.as_bytes(), 0),
            Ok(owner(&key)),
            "{at:?}"
        );
        let newest = |account: &Value| account["mrn"] == owner(&key);
        for (account, roles) in &accounts {
            let labels = account["labels"].to_string();
            assert!(labels.contains("delivered."), "{at:?}: {account}");
            assert!(*roles == 1 && account["name"] == "ci", "{at:?}: {account}");
            // Another has taken its place, which only goes on for a while.
            let former = !labels.contains(".t-\"");
            assert_eq!(former, !newest(account), "{at:?}: {account}");
        }
        let most = if rotates { 3 } else { 1 };
        assert!((1..=most).contains(&accounts.len()), "{at:?}: {accounts:?}");
        // What is left beside a place opens nothing, but for a former key that goes on.
        let live = |key: &str| {
            let of = owner(key);
            accounts.iter().any(|(account, _)| account["mrn"] == of)
        };
        let kept = self.stores.iter().flat_map(|store| (store.kept)());
        for value in kept.chain(files(&self.stage.path("access"))) {
            let wanted = owner(&value) == owner(&key);
            let former = rotates && live(&value);
            assert!(
                wanted || former || !live(&value),
                "{at:?}: {}",
                owner(&value)
            );
        }
        let mut beside = names(&self.stage.path("access"));
        beside.retain(|name| name != "main.hcl" && name != ".rolecall");
        assert_eq!(beside, ["credentials"], "{at:?}");
        // A run that writes is refused.
        let refuse = |operation| json!({ "operation": operation, "fault": "abort" });
        self.script(&WRITES.map(refuse).into());
        let asked = || {
            self.stores
                .iter()
                .map(|store| (store.asked)())
                .sum::<usize>()
        };
        asked();
        let again: &[&[&str]] = if rotates { &[APPLY, DUE] } else { &[APPLY] };
        for arguments in again {
            let (code, text) = self.run(arguments);
            assert_eq!(code, 0, "{at:?}: {text}");
        }
        assert_eq!(asked(), 0, "{at:?}: a store was asked");
        self.stage.no_key_leaked();
    }
}

/// The account of a key.
fn owner(key: &str) -> String {
    let credential: Value = serde_json::from_str(key).unwrap_or_default();
    credential["mrn"].as_str().unwrap_or_default().to_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The credentials in all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let paths = names(folder).into_iter().map(|name| folder.join(name));
    let texts = paths.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => fs::read_to_string(&path).into_iter().collect(),
    });
    texts.filter(|text| !owner(text).is_empty()).collect()
}

/// Kills a run at each of its requests in turn, and looks at what becomes of it. The page has how many steps there are
/// at the platform and at the store.
fn at_every_request(what: &str, store: fn() -> Store, keyless: bool, rotates: bool) {
    let arguments = if rotates { ROTATE } else { APPLY };
    let mut steps = [0, 0];
    let mut met: BTreeSet<String> = BTreeSet::new();
    for (of, steps) in [None, Some(0)].into_iter().zip(&mut steps) {
        'requests: for number in 1.. {
            for done in [false, true] {
                let step = Step { of, number, done };
                let world = World::new(&[store], keyless);
                if rotates {
                    let (code, text) = world.run(APPLY);
                    assert_eq!(code, 0, "{text}");
                }
                match world.killed(arguments, step) {
                    Ended::Whole => break 'requests,
                    // As before its effect, since it has none.
                    Ended::Killed { writes: false } if done => continue,
                    Ended::Killed { .. } => {}
                }
                world.law(rotates, step);
                *steps += 1;
                // Most reads leave what the step before them left.
                if met.insert(world.state()) {
                    world.finishes(rotates, step);
                    world.settled(rotates, step);
                }
            }
        }
    }
    let [platform, store] = steps;
    let row = format!("| {what} | {platform} | {store} |");
    let page = fs::read_to_string("docs/reliability.md").expect("the page");
    assert!(page.lines().any(|line| line == row), "{row}");
}

#[test]
fn a_birth_into_a_store_that_stages_is_killed() {
    let what = "a birth | a file and AWS Secrets Manager, which stages";
    at_every_request(what, aws, false, false);
}

#[test]
fn a_birth_into_a_store_that_cannot_stage_is_killed() {
    let what = "a birth | a file and Vault, which cannot stage";
    at_every_request(what, vault, false, false);
}

#[test]
fn a_rotation_in_a_store_that_stages_is_killed() {
    let what = "a rotation | a file and AWS Secrets Manager";
    at_every_request(what, aws, false, true);
}

#[test]
fn a_rotation_in_a_store_that_cannot_stage_is_killed() {
    at_every_request("a rotation | a file and Vault", vault, false, true);
}

#[test]
fn a_run_without_a_key_is_killed() {
    let what = "a birth by a run that has no key of its own | a file and Vault";
    at_every_request(what, vault, true, false);
}
