use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex as Shared;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::model::{CredentialFormat, ExecAbility};
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;
use crate::sinks::programs::Programs;

/// What a program keeps, and how it fails next.
#[derive(Default)]
struct Kept {
    places: BTreeMap<String, (u64, String)>,
    beside: BTreeMap<(String, String), String>,
    writes: u64,
    abilities: Vec<&'static str>,
    asked: Vec<String>,
    /// The verb that fails once, how, and whether it did its work before.
    fails: Option<(&'static str, Ran, bool)>,
}

impl Kept {
    fn answer(&mut self, input: &[u8]) -> Ran {
        let asked: Value = serde_json::from_slice(input).expect("JSON");
        let verb = asked["verb"].as_str().expect("a verb").to_owned();
        self.asked.push(verb.clone());
        let fails = self.fails.take();
        match fails {
            Some((failing, ran, done)) if failing == verb => {
                if done {
                    self.done(&verb, &asked);
                }
                return ran;
            }
            other => self.fails = other,
        }
        let (code, mut answer) = self.done(&verb, &asked);
        answer["protocol"] = 1.into();
        ran(ProgramEnd::Code(code), answer.to_string().as_bytes(), b"")
    }

    fn done(&mut self, verb: &str, asked: &Value) -> (i32, Value) {
        let text = |name: &str| asked[name].as_str().map(str::to_owned);
        let place = asked["arguments"][0].as_str().expect("a place").to_owned();
        let reads = self.abilities.contains(&"read_back");
        let stages = self.abilities.contains(&"stage");
        let now = self.places.get(&place);
        let stale = now.map(|(at, _)| version(*at)) != text("expect");
        match verb {
            "abilities" => return (0, json!({"abilities": self.abilities})),
            "probe" => {
                let found = now.map(|(at, value)| match reads {
                    true => json!({"version": version(*at), "value": value}),
                    false => json!({"version": version(*at)}),
                });
                return (0, json!({ "found": found }));
            }
            "abandon" => {
                assert!(stages, "it has nothing beside");
                self.beside.remove(&(place, text("key").expect("a key")));
                return (0, json!({}));
            }
            _ if stale => return (11, json!({})),
            "stage" => {
                assert!(stages, "it has nothing beside");
                let key = (place, text("key").expect("a key"));
                self.beside.insert(key, text("value").expect("a value"));
            }
            "promote" => {
                self.writes += 1;
                if let Some(key) = text("key") {
                    self.beside.remove(&(place.clone(), key));
                }
                let value = text("value").expect("a value");
                self.places.insert(place, (self.writes, value));
                return (0, json!({"version": version(self.writes)}));
            }
            "remove" => {
                self.places.remove(&place);
            }
            other => panic!("{other}"),
        }
        (0, json!({}))
    }
}

/// A version that no mark has room for.
fn version(at: u64) -> String {
    format!("change {at} of the store at the other end of town")
}

fn ran(end: ProgramEnd, answer: &[u8], said: &[u8]) -> Ran {
    Ran {
        end,
        answer: Zeroizing::new(answer.to_vec()),
        said: Zeroizing::new(said.to_vec()),
    }
}

struct Store {
    sink: ExecSink,
    kept: Arc<Shared<Kept>>,
    abilities: BTreeSet<ExecAbility>,
    format: CredentialFormat,
    places: AtomicUsize,
    lent: Lent,
}

fn store(abilities: &[ExecAbility], format: CredentialFormat) -> Store {
    let kept = Arc::new(Shared::new(Kept {
        abilities: abilities.iter().map(|one| one.as_str()).collect(),
        ..Kept::default()
    }));
    let (mut machine, lent) = Lent::machine(&[]);
    let asked = Arc::clone(&kept);
    machine.programs = Programs {
        allowed: ["store-key".to_owned()].into(),
        run: Arc::new(move |name, input| {
            assert_eq!(name, "store-key");
            let ran = asked.lock().expect("no panic").answer(&input);
            Box::pin(std::future::ready(ran))
        }),
    };
    Store {
        sink: ExecSink::new(Arc::new(machine)),
        kept,
        abilities: abilities.iter().copied().collect(),
        format,
        places: AtomicUsize::new(0),
        lent,
    }
}

impl Store {
    fn kept<T>(&self, with: impl FnOnce(&mut Kept) -> T) -> T {
        with(&mut self.kept.lock().expect("no panic"))
    }

    fn asked(&self) -> Vec<String> {
        self.kept(|kept| std::mem::take(&mut kept.asked))
    }

    fn fails(&self, verb: &'static str, ran: Ran, done: bool) {
        self.kept(|kept| kept.fails = Some((verb, ran, done)));
    }

    fn of(to: &Destination) -> &ExecPlace {
        match to.place() {
            Place::Exec(place) => place,
            other => panic!("{other:?}"),
        }
    }

    /// The name of a destination's place.
    fn named(to: &Destination) -> String {
        Self::of(to).place.clone()
    }
}

impl Ground for Store {
    type Sink = ExecSink;

    fn sink(&self) -> &ExecSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let at = self.places.fetch_add(1, Ordering::Relaxed);
        let place = ExecPlace {
            program: "store-key".to_owned(),
            place: format!("teams/{at}"),
            arguments: vec!["eu".to_owned()],
            abilities: self.abilities.clone(),
            format: self.format,
        };
        Destination::new("exec.store", Place::Exec(place))
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        let place = Self::named(to);
        self.kept(|kept| Some(kept.places.get(&place)?.1.clone().into_bytes()))
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        let (place, text) = (Self::named(to), String::from_utf8_lossy(bytes).into_owned());
        self.kept(|kept| {
            kept.writes += 1;
            kept.places.insert(place, (kept.writes, text));
        });
    }

    fn beside(&self) -> usize {
        self.kept(|kept| kept.beside.len())
    }
}

/// Every set of abilities that there is.
fn all_sets() -> Vec<Vec<ExecAbility>> {
    let sets = (0..1_u8 << ExecAbility::ALL.len()).map(|set| {
        let each = ExecAbility::ALL.into_iter().enumerate();
        each.filter(|(at, _)| set >> at & 1 == 1)
            .map(|(_, one)| one)
            .collect()
    });
    sets.collect()
}

#[tokio::test]
async fn it_keeps_to_the_contract_whatever_its_program_can_do() {
    for abilities in all_sets() {
        for format in [CredentialFormat::Json, CredentialFormat::Base64] {
            keeps_to_the_contract(&store(&abilities, format)).await;
        }
    }
}

/// A process each: what is asked without need costs every user of every program.
#[tokio::test]
async fn a_delivery_asks_no_more_than_it_needs() {
    use ExecAbility::{ReadBack, Stage};
    for (abilities, asked) in [
        (vec![], vec!["abilities", "probe", "promote"]),
        (
            vec![ReadBack],
            vec!["abilities", "probe", "promote", "probe"],
        ),
        (
            vec![ReadBack, Stage],
            vec!["abilities", "probe", "stage", "promote", "probe"],
        ),
    ] {
        let store = store(&abilities, CredentialFormat::Json);
        let (to, key) = (store.place(), credential("new"));
        let probe = store.sink.probe(&to).await.expect("takes a key");
        let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
        store
            .sink
            .promote(&to, &key, &staged)
            .await
            .expect("delivers");
        assert_eq!(store.asked(), asked);
        // What it can do was asked.
        store.sink.probe(&store.place()).await.expect("takes a key");
        assert_eq!(store.asked(), ["probe"]);
        let told = store.lent.told.lock().expect("no panic");
        let first = told.first().expect("is told");
        assert_eq!(
            (first.operation, &*first.host),
            ("exec abilities", "store-key")
        );
        assert_eq!((first.status, told.len()), (Some(0), asked.len() + 1));
    }
}

#[tokio::test]
async fn a_program_that_can_do_other_than_the_plan_says_is_asked_nothing_more() {
    let store = store(&[ExecAbility::ReadBack], CredentialFormat::Json);
    for told in [vec![], vec!["read_back", "stage"], vec!["read_back", "fly"]] {
        store.kept(|kept| kept.abilities = told);
        let error = store.sink.probe(&store.place()).await.expect_err("refused");
        assert_eq!(error.effect, Effect::None);
        assert_eq!(store.asked(), ["abilities"]);
    }
    store.kept(|kept| kept.abilities = vec!["stage"]);
    let error = store.sink.probe(&store.place()).await.expect_err("refused");
    let told = error.to_string();
    assert!(
        told.contains("which is [\"read_back\"]; nothing was written"),
        "{told}"
    );
    assert!(
        told.ends_with("say abilities = [\"stage\"] in the sink"),
        "{told}"
    );
}

#[tokio::test]
async fn a_program_that_is_not_allowed_is_not_run() {
    let store = store(&[], CredentialFormat::Json);
    let Place::Exec(mut place) = store.place().place().clone() else {
        panic!("a place of a program")
    };
    place.program = "other".to_owned();
    let to = Destination::new("exec.store", Place::Exec(place));
    let error = store.sink.probe(&to).await.expect_err("refused");
    let told = error.to_string();
    assert!(told.contains("--allow-exec=other=/absolute/path"), "{told}");
    assert!(store.asked().is_empty());
}

async fn staged(store: &Store, to: &Destination, key: &IssuedCredential) -> Staged {
    let probe = store.sink.probe(to).await.expect("takes a key");
    store.sink.stage(to, key, probe).await.expect("stages")
}

/// A program may die on either side of its write.
#[tokio::test]
async fn a_write_that_nobody_answers_for_is_looked_for_or_unknown() {
    let killed = || ran(ProgramEnd::Signal(9), b"", b"");
    let key = credential("new");
    for reads in [true, false] {
        let able: &[ExecAbility] = match reads {
            true => &[ExecAbility::ReadBack],
            false => &[],
        };
        for done in [true, false] {
            let store = store(able, CredentialFormat::Json);
            let to = store.place();
            let staged = staged(&store, &to, &key).await;
            store.fails("promote", killed(), done);
            let delivered = store.sink.promote(&to, &key, &staged).await;
            match (reads, done) {
                (true, true) => {
                    assert_eq!(delivered.expect("is there").verified, Verified::Equal);
                }
                _ => {
                    let error = delivered.expect_err("unknown");
                    assert_eq!(error.effect, Effect::Unknown);
                    assert!(error.message.contains("signal 9 ended it"), "{error}");
                }
            }
            let gone = store.sink.abandon(&to, &key, &staged).await;
            let gone = gone.expect("called off");
            // Nobody can tell whose is there that cannot be read.
            let expected = match (reads, done) {
                (false, true) => Abandoned::Stays,
                _ => Abandoned::Gone,
            };
            assert_eq!(gone, expected, "{reads} {done}");
            let left = store.read(&to).is_some();
            assert_eq!(left, expected == Abandoned::Stays);
        }
    }
}

/// What is there has a version alone, by which it is this run's, what was there before, or somebody else's.
#[tokio::test]
async fn what_cannot_be_read_is_taken_back_only_where_its_version_says_whose_it_is() {
    let killed = || ran(ProgramEnd::Signal(9), b"", b"");
    let key = credential("new");
    // It was there before, and the program died before it wrote.
    let store = store(&[], CredentialFormat::Json);
    let to = store.place();
    store.write(&to, b"before");
    let first = staged(&store, &to, &key).await;
    store.fails("promote", killed(), false);
    let _ = store.sink.promote(&to, &key, &first).await;
    let gone = store.sink.abandon(&to, &key, &first).await;
    assert_eq!(gone.expect("called off"), Abandoned::Gone);
    assert_eq!(store.read(&to).as_deref(), Some(&b"before"[..]));
    // It was written, and nobody can put back what was there.
    store
        .sink
        .promote(&to, &key, &first)
        .await
        .expect("delivers");
    let stays = store.sink.abandon(&to, &key, &first).await;
    assert_eq!(stays.expect("called off"), Abandoned::Stays);
    // It was written where nothing was, and then by somebody else.
    let to = store.place();
    let second = staged(&store, &to, &key).await;
    store
        .sink
        .promote(&to, &key, &second)
        .await
        .expect("delivers");
    store.write(&to, b"theirs");
    let gone = store.sink.abandon(&to, &key, &second).await;
    assert_eq!(gone.expect("called off"), Abandoned::Gone);
    assert_eq!(store.read(&to).as_deref(), Some(&b"theirs"[..]));
}

#[tokio::test]
async fn a_key_that_is_beside_without_an_answer_is_taken_back_by_its_name() {
    let store = store(&[ExecAbility::Stage], CredentialFormat::Json);
    let (to, key) = (store.place(), credential("new"));
    let probe = store.sink.probe(&to).await.expect("takes a key");
    store.fails("stage", ran(ProgramEnd::Code(1), b"", b""), true);
    let error = store.sink.stage(&to, &key, probe.clone()).await;
    assert_eq!(error.expect_err("failed").effect, Effect::None);
    assert_eq!(store.beside(), 0);
    assert_eq!(store.asked(), ["abilities", "probe", "stage", "abandon"]);
    store.fails("stage", ran(ProgramEnd::Code(10), b"", b""), false);
    let error = store.sink.stage(&to, &key, probe).await;
    assert_eq!(error.expect_err("failed").effect, Effect::None);
    assert_eq!(store.asked(), ["stage"], "nothing happened");
}

#[tokio::test]
async fn an_answer_that_is_none_tells_nothing_of_a_write() {
    for (answer, why) in [
        (&b"garbage"[..], "no JSON object"),
        (b"", "no JSON object"),
        (
            b"{\"protocol\":2,\"version\":\"1\"}",
            "version 2 of the protocol",
        ),
        (b"{\"protocol\":1}", "no `version`"),
        (
            b"{\"protocol\":1,\"version\":\"a\\u001bb\"}",
            "a version that is none",
        ),
    ] {
        let store = store(&[], CredentialFormat::Json);
        let (to, key) = (store.place(), credential("new"));
        let staged = staged(&store, &to, &key).await;
        store.fails("promote", ran(ProgramEnd::Code(0), answer, b""), true);
        let error = store.sink.promote(&to, &key, &staged).await;
        let error = error.expect_err("unknown");
        assert_eq!(error.effect, Effect::Unknown);
        assert!(error.message.contains(why), "{error}");
    }
    // Looking changes nothing.
    let store = store(&[], CredentialFormat::Json);
    store.fails("probe", ran(ProgramEnd::Code(0), b"garbage", b""), false);
    let error = store.sink.probe(&store.place()).await.expect_err("failed");
    assert_eq!(
        (error.kind, error.effect),
        (SinkErrorKind::Malformed, Effect::None)
    );
}

/// A child's complaint may hold what it was given, and its answer what is there.
#[tokio::test]
async fn no_part_of_a_key_is_in_what_is_told_of_a_program() {
    let store = store(&[ExecAbility::ReadBack], CredentialFormat::Json);
    let (to, key) = (store.place(), credential("leaky"));
    let staged = staged(&store, &to, &key).await;
    let text = key.private_key.expose().replace('\n', "\\n");
    let line = key
        .private_key
        .expose()
        .lines()
        .nth(1)
        .expect("a line")
        .to_owned();
    for said in [text.as_str(), line.as_str(), &line[3..14]] {
        let complaint = format!("cannot store {said}\n");
        let failed = ran(ProgramEnd::Code(10), text.as_bytes(), complaint.as_bytes());
        store.fails("promote", failed, false);
        let error = store.sink.promote(&to, &key, &staged).await;
        let error = error.expect_err("refused");
        let told = format!("{error} {error:?}");
        assert!(told.contains("withheld"), "{told}");
        assert!(
            !told.contains("not re") && !told.contains("leaky\\n"),
            "{told}"
        );
    }
    // Nor of the key that is put back.
    let before = credential("former");
    let text = rendered(&before, Store::of(&to)).expect("renders");
    store.write(&to, text.as_bytes());
    let over = self::staged(&store, &to, &key).await;
    store
        .sink
        .promote(&to, &key, &over)
        .await
        .expect("delivers");
    let failed = ran(ProgramEnd::Code(10), b"", b"lost: really of former");
    store.fails("promote", failed, false);
    let error = store.sink.abandon(&to, &key, &over).await;
    let told = error.expect_err("refused").to_string();
    assert!(
        told.contains("withheld") && !told.contains("former"),
        "{told}"
    );
    let failed = ran(ProgramEnd::Code(10), b"", b"\x1b[2Jthe vault is sealed\n");
    store.fails("promote", failed, false);
    let error = store.sink.promote(&to, &key, &staged).await;
    let told = error.expect_err("refused").to_string();
    assert!(
        told.contains("it refused; it said: \"?[2Jthe vault is sealed\""),
        "{told}"
    );
}

/// The program that docs/sinks/exec.md shows, which is of another language and of another hand than what
/// stands for programs above.
mod real {
    use std::fs;
    use std::io::Write as _;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    use super::*;

    const PROGRAM: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/services/exec/store-key"
    );

    struct Files {
        sink: ExecSink,
        home: tempfile::TempDir,
        places: AtomicUsize,
    }

    fn run(home: &Path, input: &[u8]) -> Ran {
        let mut child = Command::new(PROGRAM)
            .arg("rolecall-sink-1")
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut stdin = child.stdin.take().expect("is piped");
        stdin.write_all(input).expect("is read");
        drop(stdin);
        let output = child.wait_with_output().expect("ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said, "", "it complains");
        let code = output.status.code().expect("by itself");
        ran(ProgramEnd::Code(code), &output.stdout, b"")
    }

    impl Files {
        fn path(&self, to: &Destination) -> PathBuf {
            let name = Store::named(to).replace('/', "%");
            self.home.path().join("keys").join(name)
        }
    }

    impl Ground for Files {
        type Sink = ExecSink;

        fn sink(&self) -> &ExecSink {
            &self.sink
        }

        fn place(&self) -> Destination {
            let at = self.places.fetch_add(1, Ordering::Relaxed);
            let place = ExecPlace {
                program: "store-key".to_owned(),
                place: format!("teams/{at}"),
                arguments: Vec::new(),
                abilities: ExecAbility::ALL.into(),
                format: CredentialFormat::Json,
            };
            Destination::new("exec.store", Place::Exec(place))
        }

        fn read(&self, to: &Destination) -> Option<Vec<u8>> {
            fs::read(self.path(to)).ok()
        }

        fn write(&self, to: &Destination, bytes: &[u8]) {
            fs::create_dir_all(self.home.path().join("keys")).expect("made");
            fs::write(self.path(to), bytes).expect("written");
        }

        fn beside(&self) -> usize {
            let names = fs::read_dir(self.home.path().join("keys")).into_iter();
            let names = names.flatten().flatten().map(|entry| entry.file_name());
            names
                .filter(|name| {
                    let name = name.to_string_lossy();
                    name.ends_with("%beside") || name.ends_with("%new")
                })
                .count()
        }
    }

    #[tokio::test]
    #[ignore = "needs Python: scripts/services/exec-program"]
    async fn the_reference_program_keeps_to_the_contract() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut machine, _lent) = Lent::machine(&[]);
        let at = home.path().to_owned();
        machine.programs = Programs {
            allowed: ["store-key".to_owned()].into(),
            run: Arc::new(move |_, input| Box::pin(std::future::ready(run(&at, &input)))),
        };
        let sink = ExecSink::new(Arc::new(machine));
        let places = AtomicUsize::new(0);
        keeps_to_the_contract(&Files { sink, home, places }).await;
    }

    /// What people copy is what was tried.
    #[test]
    fn the_page_shows_the_program_that_is_tried() {
        let page = include_str!("../../../../../docs/sinks/exec.md");
        let program = fs::read_to_string(PROGRAM).expect("is there");
        assert!(page.contains(&format!("```python\n{program}```\n")));
    }
}
