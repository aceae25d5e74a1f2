//! A stage for whole runs: a configuration directory, an embedded platform behind a real socket on
//! which answers can be held, changed or lost, and the program as a user starts it.

mod front;
mod halting;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use rolecall::model::{SealKey, SealKeys, Seals, SinkKind};
use rolecall_server::{App, Options, Quirks, Seed, Storage};

use crate::renew;
pub use front::{Front, Then, answer};
pub use halting::{Halt, Halting};

pub const ORG: &str = "//captain.api.mondoo.app/organizations/acme-corp-883120";
pub const PAYMENTS: &str = "//captain.api.mondoo.app/spaces/amazing-hofstadter-175565";

/// The seal key of every run, unless a test takes it away.
pub const SEAL_KEY: &str = "rolecall-seal-ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
/// Its public half, as [`HEAD`] has it.
pub const SEAL_PUBLIC: &str = "ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg";

/// What every configuration of the tests begins with. Runs have no terminal, and their files stay.
pub const HEAD: &str = r#"rolecall {
  stack    = "acme-access"
  id       = "k7m2q9ta"
  seal_key = "ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
}
organization "acme" {
  id = "acme-corp-883120"
}

space "payments" {
  organization = organization.acme
  id           = "amazing-hofstadter-175565"
}

sink "file" "local" {
  directory = "credentials"
  keep      = true
}
"#;

/// What a run knows of seals that applies the configuration of [`HEAD`].
pub fn seals() -> Seals {
    let key = SealKey::parse(SEAL_KEY).expect("a key");
    let keys = SealKeys {
        current: key.public().clone(),
        former: None,
    };
    Seals::new(Some(keys), Some(key)).expect("one pair")
}

pub struct Stage {
    /// The working directory: `access/` is the configuration, `owner.json` the credential.
    pub dir: tempfile::TempDir,
    /// The platform itself, for changing things behind the program's back.
    pub app: Arc<App>,
    /// The socket in front of it.
    pub front: Front,
    transcript: String,
    /// Everything that runs have printed, as it was.
    printed: String,
}

impl Stage {
    /// A stage on which the platform holds the seed of `fixtures/live/acme.json`.
    pub fn new() -> Self {
        Self::with(Quirks::default())
    }

    /// A stage on which the platform holds one organization, one space and no account but the
    /// caller's, for short transcripts.
    pub fn small() -> Self {
        Self::small_with(Quirks::default())
    }

    /// The same with other answers to what is unknown about the real platform.
    pub fn small_with(quirks: Quirks) -> Self {
        let seed = serde_json::json!({"organizations": [{
            "id": "acme-corp-883120",
            "name": "Acme Corp",
            "spaces": [{"id": "amazing-hofstadter-175565", "name": "payments"}],
        }]});
        Self::holding(quirks, seed.to_string().as_bytes())
    }

    /// The same as [`Stage::new`] with other answers to what is unknown about the real platform.
    pub fn with(quirks: Quirks) -> Self {
        let seed = fs::read("fixtures/live/acme.json").expect("the seed");
        Self::holding(quirks, &seed)
    }

    /// A stage on which the platform holds this seed, which has the organization of [`ORG`].
    pub fn holding(quirks: Quirks, seed: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options = Options {
            base_url: String::new(),
            quirks,
        };
        let app = Arc::new(App::open(Storage::Memory, options).expect("a platform"));
        app.seed(&Seed::from_json(seed).expect("a seed"), Timestamp::now())
            .expect("seeded");
        let front = Front::start(Arc::clone(&app));
        app.set_base_url(front.url());
        let owner = app
            .ensure_owner("acme-corp-883120", Timestamp::now())
            .expect("an owner")
            .expect("for the first time");
        let text = serde_json::to_string_pretty(&owner).expect("JSON");
        let owner = dir.path().join("owner.json");
        fs::write(&owner, text).expect("written");
        fs::set_permissions(&owner, fs::Permissions::from_mode(0o600)).expect("changed");
        fs::create_dir(dir.path().join("access")).expect("created");
        Self {
            dir,
            app,
            front,
            transcript: String::new(),
            printed: String::new(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes `access/main.hcl`: the head and what is given.
    pub fn configure(&mut self, rest: &str) {
        fs::write(self.path("access/main.hcl"), format!("{HEAD}{rest}")).expect("written");
    }

    /// Writes the configuration without a seal key, in as many lines.
    pub fn configure_unsealed(&mut self, rest: &str) {
        let key = format!("  seal_key = \"{SEAL_PUBLIC}\"\n");
        self.configure(rest);
        let path = self.path("access/main.hcl");
        let text = fs::read_to_string(&path).expect("there");
        assert!(text.contains(&key), "{text}");
        fs::write(path, text.replacen(&key, "\n", 1)).expect("written");
    }

    /// Says in the transcript what happens behind the program's back.
    pub fn say(&mut self, what: &str) {
        let _ = writeln!(self.transcript, "# {what}\n");
    }

    /// Puts a line into the transcript.
    pub fn tell(&mut self, line: &str) {
        let _ = writeln!(self.transcript, "{line}");
    }

    /// A command with the stage's surroundings and nothing of the caller's.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("MONDOO_CONFIG_PATH", "owner.json")
            .env("ROLECALL_SEAL_KEY", SEAL_KEY)
            .stdin(Stdio::null());
        command
    }

    /// Runs the program, and puts what it says into the transcript.
    pub fn run(&mut self, arguments: &[&str]) -> i32 {
        let output = self.command(arguments).output().expect("the program runs");
        self.note(arguments, &output)
    }

    /// The same with other surroundings.
    pub fn run_in(&mut self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> i32 {
        let mut command = self.command(arguments);
        change(&mut command);
        let output = command.output().expect("the program runs");
        self.note(arguments, &output)
    }

    /// Starts the program without waiting for it.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Waits for a started program, and puts what it said into the transcript.
    pub fn finish(&mut self, arguments: &[&str], child: Child) -> i32 {
        let output = child.wait_with_output().expect("the program ends");
        self.note(arguments, &output)
    }

    /// Puts a run into the transcript.
    pub fn note(&mut self, arguments: &[&str], output: &Output) -> i32 {
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        let code = output.status.code().unwrap_or(-1);
        let _ = writeln!(self.transcript, "$ rolecall {}", arguments.join(" "));
        self.transcript.push_str(&out);
        for line in err.lines() {
            let _ = writeln!(self.transcript, "{}", format!("2> {line}").trim_end());
        }
        let _ = writeln!(self.transcript, "[exit {code}]\n");
        self.printed.push_str(&out);
        self.printed.push_str(&err);
        code
    }

    /// Compares the transcript with its golden file (`UPDATE=1` writes it), and looks
    /// for keys wherever they must not be.
    pub fn compare(&self, golden: &str) {
        renew::compare(&self.shown(), Path::new("tests/it/golden").join(golden));
    }

    /// The transcript without what chance and time put there, once no key is where it must not be.
    pub fn shown(&self) -> String {
        self.no_key_leaked();
        self.no_plan_breaks_a_rule();
        let mut redactions = snapbox::Redactions::new();
        let patterns = [
            ("[ENDPOINT]", r"https?://(127\.0\.0\.1|localhost):\d+"),
            ("[ID]", r"serviceaccounts/(?<redacted>[0-9A-Za-z]{27})"),
            ("[ID]", r"service_account\.(?<redacted>[0-9A-Za-z]{27})\b"),
            ("[TOKEN]", r"apitokens/(?<redacted>[0-9A-Za-z]{27})"),
            ("[BINDING]", r"wifauthbindings/(?<redacted>[0-9A-Za-z]{27})"),
            ("[USER]", r"users/(?<redacted>[0-9A-Za-z]{27})"),
            ("[KEY]", r"fingerprint (?<redacted>[0-9a-f]{16})"),
            (
                "[DIGEST]",
                r"sha256:(?<redacted>[0-9a-f]{64}|[0-9a-f]{16}…)",
            ),
            ("[DIGEST]", r"--ack [a-z-]+=(?<redacted>[0-9a-f]{64})"),
            ("[RUN]", r#""run": "(?<redacted>[0-9a-f]{32})""#),
            ("[NONCE]", r"--resume=(?<redacted>[0-9a-f]{32})"),
            ("[NONCE]", r#""nonce": "(?<redacted>[0-9a-f]{32})""#),
            // What is so old has a date of its own, from which every day is further.
            ("[N]", r"(?<redacted>\d{3,}) days ago"),
            ("[DAY]", r" on (?<redacted>20\d\d-\d\d-\d\d)\b"),
            ("[TIME]", r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
        ];
        for (name, pattern) in patterns {
            let pattern = regex(pattern);
            redactions.insert(name, pattern).expect("a valid redaction");
        }
        // Lists show days; a test may run over midnight.
        let now = Timestamp::now();
        let day = |hours: i64| now + jiff::SignedDuration::from_hours(hours);
        let (today, yesterday) = (day(0).strftime("%F"), day(-24).strftime("%F"));
        let days = format!(r"(?<redacted>{today}|{yesterday})\s");
        redactions
            .insert("[TODAY]", regex(&days))
            .expect("a valid redaction");
        redactions
            .insert("[DIR]", self.dir.path().display().to_string())
            .expect("a valid redaction");
        redactions.redact(&self.transcript)
    }

    /// Every plan that a run has written keeps the rules of plans.
    fn no_plan_breaks_a_rule(&self) {
        for path in files(self.dir.path()) {
            let text = fs::read(&path).expect("readable");
            if let Ok(plan) = rolecall::plan::read(&text) {
                assert_eq!(rolecall::plan::lint(&plan), [], "{}", path.display());
            }
        }
    }

    /// Every private key that is in a credential file of this stage must be nowhere else: not in
    /// what was printed, not in any other file.
    pub fn no_key_leaked(&self) {
        let mut keys = vec![SEAL_KEY.to_owned()];
        let mut others = vec![(PathBuf::from("output"), self.printed.clone())];
        for path in files(self.dir.path()) {
            let text = String::from_utf8_lossy(&fs::read(&path).expect("readable")).into_owned();
            // Under `--local` every kind is delivered into a folder of its name.
            let folder = |name: &str| path.parent().is_some_and(|p| p.ends_with(name));
            let kinds = SinkKind::ALL.map(|kind| format!(".rolecall/{kind}"));
            let sink = folder("credentials") || kinds.iter().any(|kind| folder(kind));
            if path.ends_with("seal.key") {
                keys.push(text.trim().to_owned());
            } else if sink || path.ends_with("owner.json") {
                keys.extend(private_key(&text));
            } else {
                others.push((path, text));
            }
        }
        assert!(
            keys.len() > 1,
            "no key was found, so nothing was looked for"
        );
        for (path, text) in others {
            for text in std::iter::once(text.clone()).chain(decoded(&text)) {
                for key in &keys {
                    // Whole, and line by line, since a part of a key is a leak too.
                    for part in key.lines().filter(|l| l.len() > 20 && !l.contains("-----")) {
                        assert!(
                            !text.contains(part),
                            "a private key is in {}",
                            path.display()
                        );
                    }
                }
            }
        }
    }
}

fn regex(pattern: &str) -> regex::Regex {
    pattern.parse().expect("a valid pattern")
}

/// What long runs of base64 in a text hold, wherever they begin.
fn decoded(text: &str) -> Vec<String> {
    use base64::Engine as _;
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut found = Vec::new();
    for run in text
        .split(|c| !letter(c))
        .map(|run| run.trim_end_matches('='))
    {
        if run.len() < 100 {
            continue;
        }
        for start in 0..4 {
            let whole = &run[start..run.len() - (run.len() - start) % 4];
            let bytes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(whole);
            found.extend(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The private key in a credential, JSON or base64 of it.
fn private_key(text: &str) -> Option<String> {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(text.trim())
        .ok();
    let text = decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or(text.to_owned());
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    json.get("private_key")?.as_str().map(str::to_owned)
}

#[test]
fn a_key_in_base64_is_found_wherever_it_begins() {
    use base64::Engine as _;
    let key = "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDxqq".repeat(3);
    for before in ["", "x", "xy", "xyz"] {
        let json = format!("{{\"private_key\":\"{key}\"}}");
        let text = base64::engine::general_purpose::STANDARD.encode(json);
        let found = decoded(&format!("log: {before}{text}."));
        assert!(
            found.iter().any(|text| text.contains(&key)),
            "after {before:?}"
        );
    }
}
