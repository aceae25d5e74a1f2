//! Bytes in, findings out: the front end under mutated configurations, for as long as FUZZ_SECONDS
//! says. Inputs that make findings of a kind not seen before are mutated further.
//!
//! `scripts/fuzz` runs it; FUZZ_SEED repeats a run. The same front end stands behind
//! `fuzz/fuzz_targets/front_end.rs` for libFuzzer.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rolecall::config::{SourceFile, parse, resolve, validate};
use rolecall::diag::{Diagnostics, render_all};

/// No input of this size may keep the front end busy for longer, in a debug build, on a busy
/// machine.
const HANG: Duration = Duration::from_secs(60);
const LONGEST: usize = 16 << 10;

/// Runs everything that a configuration can meet offline, and gives the codes of its findings.
pub fn front_end(bytes: &[u8]) -> BTreeSet<&'static str> {
    let file = SourceFile {
        path: "main.hcl".to_owned(),
        bytes: bytes.to_vec(),
    };
    let (mut sources, module) = parse(vec![file]);
    let mut all = Diagnostics::new();
    match resolve(&module, &mut sources, &[]) {
        Ok(resolved) => all.extend(resolved.warnings),
        Err(found) => all.extend(found),
    }
    match validate(&module, &mut sources, &[]) {
        Ok(found) | Err(found) => all.extend(found),
    }
    let shown = render_all(&all, &sources, false);
    let acts = |c: char| c.is_control() && c != '\n';
    assert!(
        !shown.contains(acts),
        "findings act on a terminal: {shown:?}"
    );
    for item in all.iter() {
        assert!(
            item.ways_out().all(|way| !way.trim().is_empty()) && item.ways_out().next().is_some(),
            "{item:?}"
        );
    }
    all.iter().map(|item| item.code).collect()
}

/// The generator xorshift64*: small, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "${",
    "%{",
    "~}",
    "}\n",
    "=",
    "=>",
    "...",
    "?",
    ":",
    ",",
    ".",
    "*",
    "-",
    "!",
    "&&",
    "||",
    "==",
    "<<-A\n",
    "<<A\n",
    "\nA\n",
    "#",
    "//",
    "/*",
    "*/",
    "\n",
    "\r\n",
    "\t",
    "\u{feff}",
    "\u{202e}",
    "\u{1b}[31m",
    "é",
    "😀",
    "\\u0000",
    "\\",
    "null",
    "true",
    "for",
    "in",
    "if",
    "else",
    "endif",
    "endfor",
    "each.key",
    "each.value",
    "var.",
    "local.",
    "local.a",
    "space.",
    "role.",
    "sink.file.",
    "account.id",
    "toset(",
    "range(",
    "format(",
    "jsondecode(",
    "setproduct(",
    "try(",
    "can(",
    "sensitive(",
    "merge(",
    "flatten(",
    "substr(",
    "0",
    "1",
    "99999999999999999999",
    "1e308",
    "1e999999",
    "0.1",
    "-1",
    "for_each = ",
    "locals {\n",
    "variable ",
    "service_account ",
    "import {\n",
    "role ",
    "credential {\n",
    "deliver_to = ",
    "valid_until = ",
    "type = ",
    "object({",
    "optional(",
    "list(",
    "validation {\n",
    "rotate_after = ",
];

/// Changes an input a few times.
fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], chance: &mut Chance) {
    for _ in 0..=chance.below(4) {
        let len = input.len();
        let at = chance.below(len + 1);
        let end = (at + chance.below(1 + 64)).min(len);
        match chance.below(9) {
            0 if at < len => input[at] = chance.next() as u8,
            1 if at < len => input[at] ^= 1 << chance.below(8),
            2 => {
                input.drain(at..end);
            }
            3 => {
                let part = input[at..end].to_vec();
                let to = chance.below(len + 1);
                input.splice(to..to, part);
            }
            4 => {
                let part = input[at..end].to_vec();
                let times = chance.below(40);
                input.splice(at..at, part.repeat(times));
            }
            5 => {
                let other = &others[chance.below(others.len())];
                let from = chance.below(other.len() + 1);
                let to = (from + chance.below(400)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                let word = chance.pick(WORDS);
                input.splice(at..at, word.bytes());
            }
        }
    }
    input.truncate(LONGEST);
}

fn gather(folder: &Path, into: &mut Vec<Vec<u8>>) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            gather(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "hcl") {
            let mut bytes = std::fs::read(&path).expect("readable");
            bytes.truncate(LONGEST);
            into.push(bytes);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Writes down an input that must not be lost, and says where.
fn keep(input: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("rolecall-fuzz-{}.hcl", std::process::id()));
    match std::fs::write(&path, input) {
        Ok(()) => path.display().to_string(),
        Err(_) => format!("{input:?}"),
    }
}

#[test]
fn mutated_configurations_make_findings_and_nothing_else() {
    let seconds = number("FUZZ_SECONDS").unwrap_or(2);
    let seed = number("FUZZ_SEED").unwrap_or_else(|| u64::from(std::process::id()) | 1);
    let mut corpus = Vec::new();
    for folder in ["fixtures/config", "examples"] {
        gather(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &mut corpus,
        );
    }
    assert!(corpus.len() > 40, "the corpus is there");
    let seeds = corpus.len();
    let current = Arc::new(Mutex::new((Vec::new(), Instant::now())));
    let (done, finished) = mpsc::channel();
    let shared = Arc::clone(&current);
    std::thread::spawn(move || {
        let mut chance = Chance(seed.max(1));
        let mut seen = BTreeSet::new();
        let mut executions = 0_u64;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(seconds) {
            let mut input = corpus[chance.below(corpus.len())].clone();
            mutate(&mut input, &corpus, &mut chance);
            *shared.lock().expect("not poisoned") = (input.clone(), Instant::now());
            let Ok(codes) = catch_unwind(AssertUnwindSafe(|| front_end(&input))) else {
                let _ = done.send(Err(input));
                return;
            };
            executions += 1;
            if seen.insert(codes) && corpus.len() < 4000 {
                corpus.push(input);
            }
        }
        let _ = done.send(Ok((executions, corpus.len() - seeds)));
    });
    loop {
        match finished.recv_timeout(Duration::from_secs(1)) {
            Ok(Ok((executions, found))) => {
                println!("fuzz: {executions} executions in {seconds} s, {found} new, seed {seed}");
                assert!(executions > 0);
                return;
            }
            Ok(Err(input)) => panic!("seed {seed}: the front end panics on {}", keep(&input)),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let (input, since) = current.lock().expect("not poisoned").clone();
                assert!(
                    since.elapsed() < HANG,
                    "seed {seed}: the front end hangs on {}",
                    keep(&input)
                );
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => panic!("seed {seed}: the fuzzer died"),
        }
    }
}
