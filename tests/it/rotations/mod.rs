//! Rotations in the stores of all kinds, whole: the program as a job runs it, the embedded platform, and the store,
//! each behind a socket. After every run, killed ones too, each place holds the key of a live account that has its
//! roles, and nothing else has seen a key.

mod kinds;
mod relay;
mod store;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use self::relay::PATIENCE;
use self::store::{Door, Stopped, Store, killed};
use crate::rotation::{DAY, roles, uses};
use crate::stage::{ORG, Stage, Then};

const TOKEN: &str = "token-of-the-scheduled-job";
const ROTATE: &[&str] = &["rotate", "service_account.ci", "--yes", "access"];
const DUE: &[&str] = &["rotate", "--due", "--yes", "access"];
const APPLY: &[&str] = &["apply", "--yes", "access"];
const CHECK: &[&str] = &["check", "--allow-unmanaged", "access"];
const UNFINISHED: &str = "rotation unfinished";

/// An account whose key is in two places of a store.
struct Rotated {
    stage: Stage,
    store: Store,
    /// All that runs said.
    told: RefCell<String>,
    /// All keys that a place has held.
    keys: RefCell<BTreeSet<String>>,
}

/// Holds requests to the platform until it is dropped.
struct Paused {
    arrived: Receiver<()>,
    _kept: Sender<()>,
}

impl Paused {
    fn wait(&self) {
        self.arrived.recv_timeout(PATIENCE).expect("it comes to it");
    }
}

impl Rotated {
    /// Born, with its key in both places.
    fn of(make: impl FnOnce(&Stage) -> Store) -> Self {
        let stage = Stage::small();
        stage
            .app
            .admin_create_token(ORG, "scheduled", TOKEN, &["owner"], Timestamp::now())
            .expect("a token");
        let store = make(&stage);
        let mut born = Self {
            stage,
            store,
            told: RefCell::default(),
            keys: RefCell::default(),
        };
        born.configure("");
        born.ends(0, APPLY);
        born.both();
        born
    }

    /// Its configuration, with these attributes in both sinks.
    fn configure(&mut self, more: &str) {
        let Store { kind, places, .. } = &self.store;
        let mut text = String::new();
        for (label, place) in ["one", "two"].into_iter().zip(places) {
            let sink = (self.store.sink)(place);
            text.push_str(&format!(
                "sink \"{kind}\" \"{label}\" {{\n{sink}\n{more}\n}}\n\n"
            ));
        }
        text.push_str(&format!(
            "service_account \"ci\" {{\n  scope = space.payments\n  name  = \"ci\"\n  roles = [\"viewer\"]\n\n  \
             credential {{\n    deliver_to = [sink.{kind}.one, sink.{kind}.two]\n    overlap    = \"2d\"\n  }}\n}}\n"
        ));
        self.stage.configure(&text);
    }

    /// As the scheduled job runs it, whose login at the platform knows no clock.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut arguments: Vec<&str> = arguments.to_vec();
        // Who only looks at the platform has no use for the store.
        if matches!(arguments[0], "apply" | "rotate") {
            arguments.extend(self.store.options.iter().map(String::as_str));
        }
        let mut command = self.stage.command(&arguments);
        command
            .env_remove("MONDOO_CONFIG_PATH")
            .env("MONDOO_API_TOKEN", TOKEN)
            .env("MONDOO_API_ENDPOINT", self.stage.front.url());
        command.envs(self.store.login.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// What a run says, and how it ends.
    fn runs(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().expect("runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        self.told.borrow_mut().push_str(&text);
        (output.status.code().expect("it ended"), text)
    }

    fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let (ended, text) = self.runs(arguments);
        assert_eq!(ended, code, "{arguments:?}: {text}");
        text
    }

    /// A run that is killed while something is held.
    fn dies<H>(&self, arguments: &[&str], held: H, wait: impl FnOnce(&H)) {
        let told = killed(self.command(arguments), || wait(&held));
        self.told.borrow_mut().push_str(&told);
        drop(held);
        self.stage.front.hook(|_, _| Then::Answer);
    }

    /// Holds a request to the platform, and what comes after it, without doing it: that of this field which comes so
    /// many times, or the next one after that.
    fn pause(&self, field: &'static str, count: usize, itself: bool) -> Paused {
        let (arrived, told) = channel();
        let (kept, wait) = channel::<()>();
        let mut over = false;
        self.stage.front.hook(move |asked, times| {
            let now = asked == field && times == count;
            let held = over || now && itself;
            over |= now;
            if held {
                let _ = arrived.send(());
                let _ = wait.recv();
                return Then::Refuse(500);
            }
            Then::Answer
        });
        Paused {
            arrived: told,
            _kept: kept,
        }
    }

    /// The keys in the two places, each of which opens a live account with its role.
    fn keys(&self) -> [String; 2] {
        let keys = self.store.places.each_ref().map(|place| {
            (self.store.key)(place).unwrap_or_else(|| panic!("nothing is in {place}"))
        });
        for key in &keys {
            self.opens(key);
            self.keys.borrow_mut().insert(key.clone());
        }
        keys
    }

    /// The key in both places.
    fn both(&self) -> String {
        let [one, two] = self.keys();
        assert!(one == two, "two keys are in the places");
        one
    }

    fn opens(&self, key: &str) {
        let who = uses(&self.stage, key.as_bytes(), 0).expect("it opens its account");
        let dump = self.stage.app.dump().expect("dumps");
        let bindings = dump["bindings"].as_array().expect("bindings").clone();
        let own: Vec<&Value> = bindings
            .iter()
            .filter(|binding| binding["identity"] == who.as_str())
            .collect();
        assert_eq!(own.len(), 1, "{who} has no role: {bindings:?}");
    }

    /// How many values the places have had, where the store counts them.
    fn versions(&self) -> Option<[usize; 2]> {
        let count = self.store.versions.as_ref()?;
        Some(self.store.places.each_ref().map(|place| count(place)))
    }

    /// No key is in what runs said, nor in a file that is no place for it.
    fn nothing_leaked(&self) {
        let keys = self.keys.borrow();
        let mut secrets = Vec::new();
        for key in keys.iter() {
            let whole: Value = serde_json::from_str(key).expect("JSON");
            let private = whole["private_key"].as_str().expect("a key");
            let lines = private.lines().filter(|line| !line.contains("-----"));
            secrets.extend(lines.map(str::to_owned));
            secrets.push(STANDARD.encode(key));
        }
        assert!(keys.len() > 1 && secrets.len() > keys.len());
        let mut texts = vec![("what runs said".to_owned(), self.told.borrow().clone())];
        files(self.stage.dir.path(), &mut texts);
        for (name, text) in &texts {
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "a key is in {name}");
            }
        }
    }
}

/// Every file below a directory that is no place of keys, as text.
fn files(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            if !["credentials", "keys"]
                .iter()
                .any(|name| path.ends_with(name))
            {
                files(&path, found);
            }
            continue;
        }
        let bytes = fs::read(&path).expect("readable");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        found.push((path.display().to_string(), text));
    }
}

/// A new key is put into the places, and the former one ends once nobody uses it.
fn lives(make: impl FnOnce(&Stage) -> Store) {
    let mut born = Rotated::of(make);
    allow_hidden(&mut born);
    let first = born.both();
    let counted = born.versions();
    born.ends(0, ROTATE);
    let second = born.both();
    assert_ne!(first, second);
    let one_more = counted.map(|counts| counts.map(|count| count + 1));
    assert_eq!(born.versions(), one_more);
    // Who still has the former one goes on.
    born.opens(&first);
    assert_eq!(roles(&born.stage), [1, 1]);
    born.stage.front.clock(DAY);
    uses(&born.stage, first.as_bytes(), DAY).expect("it opens its account");
    born.ends(0, DUE);
    assert_eq!(roles(&born.stage), [1, 1], "its time is not over");
    born.ends(0, CHECK);
    // First its roles, in a later run the account.
    born.stage.front.clock(4 * DAY);
    born.ends(0, DUE);
    assert_eq!(roles(&born.stage), [0, 1]);
    born.ends(0, DUE);
    assert_eq!(roles(&born.stage), [1]);
    uses(&born.stage, first.as_bytes(), 4 * DAY).expect_err("it opens nothing");
    assert!(
        born.both() == second,
        "the place is not the former one's any more"
    );
    assert_eq!(born.versions(), one_more);
    born.ends(0, CHECK);
    born.ends(0, &["plan", "--detailed-exitcode", "access"]);
    if let Some(beside) = &born.store.beside {
        assert_eq!(beside(), 0);
    }
    born.nothing_leaked();
}

/// Killed after the new key has got its roles, before any place has it: both go on, and the next run ends it.
fn dies_before_a_place_has_the_new_key(make: impl FnOnce(&Stage) -> Store) {
    let mut born = Rotated::of(make);
    allow_hidden(&mut born);
    let first = born.both();
    let counted = born.versions();
    let paused = born.pause("setRoles", 1, false);
    born.dies(ROTATE, paused, Paused::wait);
    assert!(born.both() == first, "a place has another key");
    assert_eq!(born.versions(), counted);
    assert_eq!(roles(&born.stage), [1, 1]);
    if let Some(beside) = &born.store.beside {
        assert_eq!(beside(), 2, "it is staged");
    }
    let told = born.ends(6, CHECK);
    assert!(told.contains(UNFINISHED), "{told}");
    born.ends(0, DUE);
    assert_ne!(born.both(), first);
    born.opens(&first);
    assert_eq!(roles(&born.stage), [1, 1, 1]);
    born.ends(0, CHECK);
    if let Some(beside) = &born.store.beside {
        assert_eq!(beside(), 0);
    }
    born.nothing_leaked();
}

/// Killed when the first place has the new key and did not say so: each place has a key that is good, and the next
/// run ends it. Where nobody can read what is there, that needs a person's word.
fn dies_when_a_place_has_the_new_key(make: impl FnOnce(&Stage) -> Store) {
    let mut born = Rotated::of(make);
    allow_hidden(&mut born);
    let first = born.both();
    let place = born.store.places[0].clone();
    match born.store.door.stop(&place) {
        Some(stopped) => born.dies(ROTATE, stopped, Stopped::wait),
        // All places have it then, and no mark says so.
        None => {
            let paused = born.pause("updateServiceAccount", 2, true);
            born.dies(ROTATE, paused, Paused::wait);
        }
    }
    born.store.door.open(&born.store.places);
    let [one, two] = born.keys();
    assert_ne!(one, first);
    assert_eq!(two == first, !matches!(born.store.door, Door::None));
    assert_eq!(roles(&born.stage), [1, 1]);
    let told = born.ends(6, CHECK);
    assert!(told.contains(UNFINISHED), "{told}");
    if born.store.unreadable && born.store.kind == "github" {
        let (code, told) = born.runs(ROTATE);
        assert_ne!(code, 0, "{told}");
        let way = "say overwrite_unreadable = true in the sink if it may be lost";
        assert!(told.contains(way), "{told}");
        assert_eq!(born.keys(), [one, two]);
        assert_eq!(roles(&born.stage), [1, 1], "nothing is made");
        born.configure("overwrite_unreadable = true");
    }
    born.ends(0, DUE);
    let last = born.both();
    assert!(last != first && !born.keys().contains(&first));
    assert_eq!(roles(&born.stage), [1, 1, 1]);
    born.opens(&first);
    born.ends(0, CHECK);
    if let Some(beside) = &born.store.beside {
        assert_eq!(beside(), 0);
    }
    born.nothing_leaked();
}

/// The second place refuses: what the first one held is written there again, and the new account goes. Where nobody
/// could read what it held, both keys go on.
fn fails_at_the_second_place(make: impl FnOnce(&Stage) -> Store) {
    let mut born = Rotated::of(make);
    allow_hidden(&mut born);
    let first = born.both();
    let counted = born.versions();
    let place = born.store.places[1].clone();
    assert!(born.store.door.refuse(&place));
    let (code, told) = born.runs(ROTATE);
    assert_eq!(code, 5, "{told}");
    match born.store.unreadable {
        false => {
            assert!(born.both() == first, "another key is there");
            let way = "the former key is in all its places, as before";
            assert!(told.contains(way), "{told}");
            assert_eq!(roles(&born.stage), [1]);
            // The new key, and the former one again.
            let more = counted.map(|[one, two]| [one + 2, two]);
            assert_eq!(born.versions(), more);
            if let Some(beside) = &born.store.beside {
                assert_eq!(beside(), 0);
            }
            born.ends(0, CHECK);
            born.store.door.open(&born.store.places);
            born.ends(0, ROTATE);
        }
        true => {
            let [one, two] = born.keys();
            assert!(one != first && two == first);
            assert!(told.contains("both keys keep their roles"), "{told}");
            assert_eq!(roles(&born.stage), [1, 1]);
            let told = born.ends(6, CHECK);
            assert!(told.contains(UNFINISHED), "{told}");
            born.store.door.open(&born.store.places);
            // One more for all places, since nobody can take the one that is in the first place to the second.
            born.ends(0, ROTATE);
            assert!(!born.keys().contains(&one));
            assert_eq!(roles(&born.stage), [1, 1, 1]);
        }
    }
    assert_ne!(born.both(), first);
    born.opens(&first);
    born.ends(0, CHECK);
    born.nothing_leaked();
}

/// GitLab tells of no version of a hidden variable, so that each key after the first wants a person's word.
fn allow_hidden(born: &mut Rotated) {
    if !(born.store.unreadable && born.store.kind == "gitlab") {
        return;
    }
    let held = born.both();
    let (code, told) = born.runs(ROTATE);
    assert_ne!(code, 0, "{told}");
    assert!(told.contains("overwrite_unreadable = true"), "{told}");
    assert!(born.both() == held);
    assert_eq!(roles(&born.stage), [1], "nothing is made");
    born.configure("overwrite_unreadable = true");
}

/// Tests of this suite on a store that is served in this process.
macro_rules! rotates {
    ($($name:ident: $($case:ident)*;)*) => {$(
        mod $name {
            $(#[test]
            fn $case() {
                super::$case(super::kinds::$name);
            })*
        }
    )*};
    ($($name:ident)*) => {
        rotates! {$(
            $name: lives dies_before_a_place_has_the_new_key dies_when_a_place_has_the_new_key
                fails_at_the_second_place;
        )*}
    };
}

rotates! {
    vault kubernetes aws_secretsmanager aws_ssm azure_key_vault gcp_secret_manager github gitlab gitlab_hidden exec
}

// Where no request to the store can be met, or none can be told from another.
rotates! {
    file: lives dies_before_a_place_has_the_new_key dies_when_a_place_has_the_new_key;
    vault_fields: lives dies_before_a_place_has_the_new_key dies_when_a_place_has_the_new_key;
    kubernetes_keys: lives dies_before_a_place_has_the_new_key dies_when_a_place_has_the_new_key;
}

/// On a real one, as whoever has the rights of the sink's page.
mod real_vault {
    use super::kinds::real_vault;

    #[test]
    #[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/vault test"]
    fn lives() {
        super::lives(|_| real_vault("lives"));
    }

    #[test]
    #[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/vault test"]
    fn dies_before_a_place_has_the_new_key() {
        super::dies_before_a_place_has_the_new_key(|_| real_vault("before"));
    }

    #[test]
    #[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/vault test"]
    fn dies_when_a_place_has_the_new_key() {
        super::dies_when_a_place_has_the_new_key(|_| real_vault("when"));
    }

    #[test]
    #[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/vault test"]
    fn fails_at_the_second_place() {
        super::fails_at_the_second_place(|_| real_vault("fails"));
    }
}

/// On a real one, by an administrator where two Secrets are written: the role of the sink's page is for one.
mod real_kubernetes {
    use super::kinds::{real_kubernetes, real_kubernetes_by_its_role};

    #[test]
    #[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/kubernetes test"]
    fn lives_by_the_role_of_the_page() {
        super::lives(real_kubernetes_by_its_role);
    }

    #[test]
    #[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/kubernetes test"]
    fn lives() {
        super::lives(|_| real_kubernetes("lives"));
    }

    #[test]
    #[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/kubernetes test"]
    fn dies_before_a_place_has_the_new_key() {
        super::dies_before_a_place_has_the_new_key(|_| real_kubernetes("before"));
    }

    #[test]
    #[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/kubernetes test"]
    fn dies_when_a_place_has_the_new_key() {
        super::dies_when_a_place_has_the_new_key(|_| real_kubernetes("when"));
    }

    #[test]
    #[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/kubernetes test"]
    fn fails_at_the_second_place() {
        super::fails_at_the_second_place(|_| real_kubernetes("fails"));
    }
}

/// By the program that the sink's page shows, which stages.
mod page_of_exec {
    use super::kinds::exec_by_the_page;

    #[test]
    #[ignore = "needs Python: scripts/services/exec-program"]
    fn lives() {
        super::lives(exec_by_the_page);
    }

    #[test]
    #[ignore = "needs Python: scripts/services/exec-program"]
    fn dies_before_a_place_has_the_new_key() {
        super::dies_before_a_place_has_the_new_key(exec_by_the_page);
    }

    #[test]
    #[ignore = "needs Python: scripts/services/exec-program"]
    fn dies_when_a_place_has_the_new_key() {
        super::dies_when_a_place_has_the_new_key(exec_by_the_page);
    }
}
