//! A secret in the place of any option, argument or variable: it is in nothing that a run writes. The
//! options are those that clap knows and the variables those of `docs/environment.md`, so that a new one
//! is walked too, or asked for.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rolecall_server::SeedAccount;

use crate::stage::{HEAD, ORG, SEAL_KEY, Stage};

/// So many bytes of a secret in a row are a leak.
const PART: usize = 24;
/// A run that serves until it is killed is given so long.
const SERVED: Duration = Duration::from_secs(1);
/// Any other run.
const PATIENCE: Duration = Duration::from_secs(20);

/// The value of a sensitive variable, in letters that no rule needs.
const SENSITIVE: &str = "kX9pQ2vR7tY4wZ1aB6cD3eF8gH5jK0mN2pQ4rS7tU9vW1xY3zA";

const CONFIGURATION: &str = r#"
variable "token" {
  type      = string
  sensitive = true
  default   = "none"
}

variable "count" {
  type    = number
  default = 1
}

variable "names" {
  type    = list(string)
  default = []
}

service_account "ci" {
  scope = space.payments
  name  = "ci"
  roles = ["agent"]

  credential {
    deliver_to = [sink.file.local]
  }
}
"#;

/// A secret, and the file that holds it.
struct Secret {
    file: &'static str,
    text: String,
    /// The part of the text that is secret; what else stands there is known to others.
    key: String,
    /// So many of its first letters are the same in every key of the kind.
    alike: usize,
    /// Whether it opens something by itself.
    credential: bool,
}

/// The four kinds of the issue: a credential's JSON, its base64, its key, a sensitive value.
fn secrets(stage: &Stage) -> [Secret; 4] {
    let now = Timestamp::now();
    let account = SeedAccount {
        name: "misplaced".to_owned(),
        roles: vec!["viewer".to_owned()],
        ..SeedAccount::default()
    };
    let mrn = stage.app.admin_create_account(ORG, &account, now);
    let credential = stage
        .app
        .admin_issue_credential(&mrn.expect("created"), now)
        .expect("issued");
    let json = serde_json::to_value(&credential).expect("JSON");
    let key = json["private_key"].as_str().expect("a key").to_owned();
    let text = serde_json::to_string_pretty(&json).expect("JSON");
    let one = |file, text: &str, key: &str, alike| Secret {
        file,
        text: text.to_owned(),
        key: key.to_owned(),
        alike,
        credential: alike > 0,
    };
    let compact = json.to_string();
    let base64 = STANDARD.encode(&compact);
    let start = compact.find("PRIVATE KEY-----").expect("is there") + 20;
    let end = start + compact[start..].find("-----END").expect("is there");
    let encoded = &base64[start / 3 * 4 + 4..end / 3 * 4];
    [
        one("secret.json", &text, &key, 48),
        one("secret.b64", &base64, encoded, 72),
        one("secret.pem", &key, &key, 48),
        one("secret.txt", SENSITIVE, SENSITIVE, 0),
    ]
}

/// All parts of the secrets, in small letters.
struct Parts(HashSet<Vec<u8>>);

impl Parts {
    fn of(secrets: &[Secret]) -> Self {
        let mut parts = HashSet::new();
        for secret in secrets {
            let lines = secret.key.lines().filter(|line| !line.starts_with("-----"));
            for (n, line) in lines.enumerate() {
                let line = line.to_ascii_lowercase();
                let same = if n == 0 { secret.alike } else { 0 };
                parts.extend(line.as_bytes()[same..].windows(PART).map(<[u8]>::to_vec));
            }
        }
        assert!(parts.len() > 300, "{}", parts.len());
        Self(parts)
    }

    fn find(&self, bytes: &[u8]) -> Option<String> {
        let small = bytes.to_ascii_lowercase();
        let found = small.windows(PART).find(|part| self.0.contains(*part));
        found.map(|part| String::from_utf8_lossy(part).into_owned())
    }
}

/// One run: what is typed, what the environment holds.
struct Case {
    typed: Vec<String>,
    variable: Option<(String, String)>,
    /// The command line holds a credential, so it must be refused as such.
    refused: bool,
}

impl Case {
    fn typed(words: Vec<String>, secret: &Secret) -> Self {
        let holds = words.iter().any(|word| word.contains(secret.text.trim()));
        Self {
            refused: secret.credential && holds,
            typed: words,
            variable: None,
        }
    }

    fn serves(&self) -> bool {
        self.typed.iter().any(|word| word == "serve")
    }

    /// Whether its file is to hold the credential.
    fn decodes(&self) -> bool {
        self.typed.iter().any(|word| word == "decode")
    }
}

/// An argument of a command and the words that give it a good value.
type Good = (&'static str, &'static [&'static str]);

/// What a command needs, or is given, to run.
fn base(path: &str, command: &clap::Command) -> &'static [Good] {
    const DIR: Good = ("dir", &["access"]);
    const HEAD: &str = "0000000000000000000000000000000000000000000000000000000000000000";
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    match path {
        "apply" => &[("yes", &["--yes"]), DIR],
        "show" => &[("address", &["ci"]), DIR],
        "revoke" => &[("yes", &["--yes"]), ("address", &["ci"]), DIR],
        "init" => &[("dir", &["new"])],
        "verify" => &[("head", &["--head", HEAD]), ("files", &["owner.json"])],
        "credential decode" => &[("out", &["--out", "out.json"]), ("file", &["owner.json"])],
        "credential inspect" | "credential verify" => &[("file", &["owner.json"])],
        "platform serve" => &[
            ("listen", &["--listen", "127.0.0.1:0"]),
            ("db", &["--db", "platform.db"]),
        ],
        "platform seed" => &[("generate", &["--generate", "1x1x1"])],
        "platform dump" => &[("db", &["--db", "platform.db"])],
        "completions" => &[("shell", &["bash"])],
        "man" => &[("out", &["--out", "man"])],
        "docs" => &[("page", &["roles"])],
        "verdict" => &[
            ("plan", &["--plan", "plan.json"]),
            ("number", &["--number", "7"]),
            ("head", &["--head", COMMIT]),
            ("directory", &["--directory", "access"]),
            ("job", &["--job", "plan"]),
            ("out", &["--out", "out"]),
        ],
        "comment" => &[
            ("number", &["--number", "7"]),
            ("directory", &["--directory", "access"]),
        ],
        "gate" => &[
            ("expected", &["--expected", "expected.json"]),
            ("found", &["--found", "found"]),
            ("head", &["--head", COMMIT]),
        ],
        "approved" => &[
            ("commit", &["--commit", COMMIT]),
            ("stack", &["--stack", "acme-access/k7m2q9ta"]),
            ("out", &["--out", "out"]),
        ],
        other => {
            let needed: Vec<&str> = command
                .get_arguments()
                .filter(|argument| argument.is_required_set())
                .map(|argument| argument.get_id().as_str())
                .collect();
            assert!(
                needed.is_empty(),
                "say in `base` what `rolecall {other}` is given for {needed:?}"
            );
            let has_dir = command
                .get_arguments()
                .any(|argument| argument.get_id() == "dir");
            if has_dir { &[DIR] } else { &[] }
        }
    }
}

/// How a value of this kind may hold a secret.
fn forms(kind: &str, secret: &Secret) -> Vec<String> {
    let forms: &[&str] = match kind {
        "FILE" | "DIR" => &["@", "@/main.hcl", "~/@", "FILE"],
        "NAME=VALUE" => &[
            "@",
            "token=@",
            "count=@",
            "names=@",
            "names=[@]",
            "nobody=@",
            "@=1",
        ],
        "NAME=PATH" => &["@", "store-key=@", "store-key=/@", "@=/bin/true", "FILE"],
        "GUARD=DIGEST" => &["@", "max-deletes=@", "@=0123"],
        "URL" => &[
            "@",
            "https://@",
            "https://me:@@127.0.0.1:1",
            "https://127.0.0.1:1/@",
            "http://127.0.0.1:1/?key=@",
        ],
        "OWNER/NAME" | "REPOSITORY" => &["@", "acme/@", "@/access"],
        "PATH" => &["@", ".github/workflows/@"],
        "DIGEST" => &["@", "sha256:@"],
        "STACK" => &["@", "a/@", "@/abcd"],
        "ADDRESS" => &[
            "@",
            "service_account.@",
            "//agents.api.mondoo.app/@",
            "FILE",
        ],
        "SECONDS"
        | "N"
        | "MS"
        | "N/s"
        | "ADDR"
        | "ORGSxSPACESxACCOUNTS"
        | "DURATION"
        | "FORMAT"
        | "LEVEL"
        | "WHAT"
        | "WHICH"
        | "SYSTEM"
        | "FORM"
        | "CODE"
        | "COMMIT"
        | "HOST"
        | "NUMBER"
        | "WHY"
        | "SHELL"
        | "CUSTODY"
        | "PAGE"
        | "NAME"
        | "NONCE"
        | "ID"
        | "SCOPE"
        | "TEXT"
        | "ROLE" => &["@"],
        other => panic!("say in `forms` how a value `{other}` may hold a secret"),
    };
    let fill = |form: &&str| match *form {
        // A file that holds it, in the place of another.
        "FILE" => secret.file.to_owned(),
        form => form.replacen('@', &secret.text, 1),
    };
    forms.iter().map(fill).collect()
}

/// Every option and argument of a command and of those below it, with every secret.
fn walk(
    command: &clap::Command,
    path: &str,
    secrets: &[Secret],
    seen: &mut BTreeSet<String>,
    into: &mut Vec<Case>,
) -> usize {
    let mut walked = 0;
    let leaf = command.get_subcommands().next().is_none();
    for argument in command.get_arguments() {
        if !argument.get_action().takes_values() {
            continue;
        }
        walked += 1;
        let id = argument.get_id().as_str();
        let kind = match argument.get_value_names() {
            Some([kind, ..]) => kind.to_string(),
            _ => id.to_uppercase(),
        };
        // What many commands share is given in all its forms to the first of them.
        let all = seen.insert(format!("{id} {kind}"));
        for secret in secrets {
            let forms = forms(&kind, secret);
            let some = if all { forms.len() } else { 1 };
            for (n, form) in forms.into_iter().take(some).enumerate() {
                let mut words: Vec<String> = path.split_whitespace().map(str::to_owned).collect();
                let given = match argument.get_long() {
                    Some(long) if n % 2 == 0 => vec![format!("--{long}"), form],
                    Some(long) => vec![format!("--{long}={form}")],
                    None => vec![form],
                };
                let (good, mut rest) = match leaf {
                    true => (base(path, command), Vec::new()),
                    // An option of all commands.
                    false => (&[("dir", &["access"][..])][..], vec!["validate".to_owned()]),
                };
                words.append(&mut rest);
                let mut placed = false;
                for (other, good) in good {
                    if *other == id {
                        words.extend(given.iter().cloned());
                        placed = true;
                    } else {
                        words.extend(good.iter().map(|word| (*word).to_owned()));
                    }
                }
                if !placed {
                    words.extend(given);
                }
                if argument.get_long() == Some("previous") {
                    words.push("--record=record.json".to_owned());
                }
                into.push(Case::typed(words, secret));
            }
        }
    }
    if leaf && !path.is_empty() {
        // A word that nothing takes, and an option that is none.
        let first = seen.insert("words".to_owned());
        for secret in secrets {
            let words = ["", "--", "-"].map(|dashes| format!("{dashes}{}", secret.text));
            for word in words.into_iter().take(if first { 3 } else { 1 }) {
                let words = path.split_whitespace().map(str::to_owned);
                into.push(Case::typed(words.chain([word]).collect(), secret));
            }
        }
    }
    for sub in command.get_subcommands() {
        let path = format!("{path} {}", sub.get_name());
        walked += walk(sub, path.trim(), secrets, seen, into);
    }
    walked
}

/// Every variable of the environment, with every secret.
fn variables(secrets: &[Secret], into: &mut Vec<Case>) -> usize {
    let page = fs::read_to_string("docs/environment.md").expect("there");
    let mut names = crate::environment::table(&page, "| variable | holds | read by |");
    names.extend(crate::environment::table(&page, "| variable | effect |"));
    let mut all = BTreeSet::new();
    for name in &names {
        match name.strip_suffix("name") {
            Some(begin) => {
                all.extend(["token", "count", "names", "nobody"].map(|n| format!("{begin}{n}")))
            }
            None => {
                all.insert(name.clone());
            }
        }
    }
    for name in &all {
        let forms: &[&str] = match name.as_str() {
            name if name.ends_with("_PROXY") => {
                &["@", "http://me:@@127.0.0.1:1", "http://127.0.0.1:1/@"]
            }
            name if name.ends_with("_ENDPOINT") => &["@", "https://@/", "https://127.0.0.1:1/@"],
            "HOME" => &["@", "/@"],
            _ => &["@"],
        };
        for secret in secrets {
            for (n, form) in forms.iter().enumerate() {
                let runs = [
                    &["plan", "--format=json", "access"][..],
                    &["credential", "verify"],
                    &["credential", "inspect"],
                    &["apply", "--yes", "access"],
                ];
                // What leads to other machines only is of no use on the way to this one, and slow.
                let far = name.ends_with("_PROXY") || name.starts_with("SSL_");
                let some = match (far, n) {
                    (true, _) => 1,
                    (false, 0) => 4,
                    (false, _) => 2,
                };
                for typed in runs.into_iter().take(some) {
                    let mut typed: Vec<String> =
                        typed.iter().map(|word| (*word).to_owned()).collect();
                    if far {
                        typed.push("--endpoint=https://rolecall.invalid".to_owned());
                        typed.push("--timeout=1".to_owned());
                    }
                    into.push(Case {
                        typed,
                        variable: Some((name.clone(), form.replacen('@', &secret.text, 1))),
                        refused: false,
                    });
                }
            }
        }
    }
    all.len()
}

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

/// Runs one case in a folder of its own; what is wrong with it.
fn run(
    case: &Case,
    (owner, endpoint): (&[u8], &str),
    secrets: &[Secret],
    parts: &Parts,
) -> Result<(), String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(&path, bytes).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
    };
    put("owner.json", owner);
    put(
        "access/main.hcl",
        format!("{HEAD}{CONFIGURATION}").as_bytes(),
    );
    for secret in secrets {
        put(secret.file, secret.text.as_bytes());
    }
    let mut before = Vec::new();
    files(dir.path(), &mut before);
    let said = tempfile::NamedTempFile::new().expect("a file");
    let append = fs::OpenOptions::new()
        .append(true)
        .open(said.path())
        .expect("opened");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    command
        .args(&case.typed)
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .env("MONDOO_CONFIG_PATH", "owner.json")
        .env("MONDOO_API_ENDPOINT", endpoint)
        .env("ROLECALL_SEAL_KEY", SEAL_KEY)
        .stdin(Stdio::null())
        .stdout(append.try_clone().expect("one more"))
        .stderr(append);
    if let Some((name, value)) = &case.variable {
        if matches!(name.as_str(), "MONDOO_API_TOKEN" | "HOME") {
            command.env_remove("MONDOO_CONFIG_PATH");
        }
        command.env(name, value);
    }
    let started = Instant::now();
    let mut child = command.spawn().expect("the program starts");
    let patience = if case.serves() { SERVED } else { PATIENCE };
    let code = loop {
        match child.try_wait().expect("asked") {
            Some(status) => break status.code(),
            None if started.elapsed() > patience => {
                child.kill().expect("killed");
                child.wait().expect("gone");
                if !case.serves() {
                    return Err(format!("{:?} {:?} did not end", case.typed, case.variable));
                }
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(3)),
        }
    };
    let told = fs::read(said.path()).expect("there");
    let text = String::from_utf8_lossy(&told);
    let what = || {
        format!(
            "{:?} {:?} [exit {code:?}]\n{text}",
            case.typed, case.variable
        )
    };
    if let Some(part) = parts.find(&told) {
        return Err(format!("{part} was printed: {}", what()));
    }
    if case.refused && !(code == Some(64) && text.contains("rotate it")) {
        return Err(format!("a credential was taken: {}", what()));
    }
    if code == Some(101) {
        return Err(format!("a panic: {}", what()));
    }
    let mut after = Vec::new();
    files(dir.path(), &mut after);
    after.retain(|path| !before.contains(path));
    for path in after.iter().filter(|_| !case.decodes()) {
        if let Some(part) = parts.find(&fs::read(path).expect("readable")) {
            return Err(format!("{part} is in {}: {}", path.display(), what()));
        }
    }
    Ok(())
}

#[test]
fn a_secret_in_any_option_argument_or_variable_is_written_nowhere() {
    let stage = Stage::small();
    let secrets = secrets(&stage);
    let parts = Parts::of(&secrets);
    let owner = fs::read(stage.path("owner.json")).expect("there");
    let endpoint = stage.front.url();
    let mut cases = Vec::new();
    let mut seen = BTreeSet::new();
    let walked = walk(
        &rolecall::cli::command(),
        "",
        &secrets,
        &mut seen,
        &mut cases,
    );
    let named = variables(&secrets, &mut cases);
    assert!(walked > 80 && named > 20, "{walked} and {named}");
    let next = AtomicUsize::new(0);
    // Most of them wait most of the time.
    let workers = std::thread::available_parallelism().map_or(8, |n| n.get() * 6);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut wrong = Vec::new();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                wrong.extend(run(case, (&owner, &endpoint), &secrets, &parts).err());
            }
            wrong
        };
        let all: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        all.into_iter()
            .flat_map(|one| one.join().expect("worked"))
            .collect()
    });
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn the_walk_finds_a_secret_where_one_is() {
    let stage = Stage::small();
    let secrets = secrets(&stage);
    let parts = Parts::of(&secrets);
    for secret in &secrets {
        assert!(
            parts.find(secret.text.as_bytes()).is_some(),
            "{}",
            secret.file
        );
        let escaped = format!("error: {:?}: no such file", secret.text);
        assert!(parts.find(escaped.as_bytes()).is_some(), "{}", secret.file);
    }
    assert_eq!(
        parts.find(b"error: there is no such file anywhere at all"),
        None
    );
}

/// What a run in a configuration with variables says, with a values file and other options.
fn said(stage: &Stage, values: &str, arguments: &[&str]) -> String {
    fs::write(stage.path("values.hcl"), values).expect("written");
    let mut command = stage.command(&["validate", "access", "--format", "json"]);
    let output = command.args(arguments).output().expect("runs");
    let (out, err) = (output.stdout, output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&err)
    )
}

#[test]
fn a_line_of_a_values_file_is_shown_only_if_what_it_names_is_declared_and_not_sensitive() {
    let mut stage = Stage::small();
    stage.configure(CONFIGURATION);
    for (values, finding) in [
        ("tokn = \"hunter2\"\n", "undeclared-variable"),
        ("token = [\"hunter2\"]\n", "invalid-variable"),
        ("count = 1\ntoken = \"hunter2\ncount = 2\n", "syntax"),
        ("token = \"hunter2\" \"more\"\n", "syntax"),
        ("token = <<E\nhunter2\n", "syntax"),
        (
            "# hunter2\nstuff {\n  a = \"hunter2\"\n}\n",
            "unknown-block",
        ),
        (
            "count = 2\nnobody = {\n  a = \"hunter2\"\n}\n",
            "undeclared-variable",
        ),
    ] {
        let said = said(&stage, values, &["--var-file", "values.hcl"]);
        // What is wrong with a sensitive value is told where the variable is declared.
        let place = if finding == "invalid-variable" {
            "access/main.hcl"
        } else {
            "values.hcl:"
        };
        assert!(said.contains(finding) && said.contains(place), "{said}");
        assert!(!said.contains("hunter2"), "{values}: {said}");
    }
    for values in [
        "count = \"seven\"\n",
        "token = \"hunter2\"\ncount = [\n  \"seven\",\n]\n",
    ] {
        let said = said(&stage, values, &["--var-file", "values.hcl"]);
        assert!(
            said.contains("invalid-variable") && said.contains("seven"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_value_on_the_command_line_or_in_the_environment_is_never_shown() {
    let mut stage = Stage::small();
    stage.configure(CONFIGURATION);
    for (name, value) in [
        ("count", "hunter2"),
        ("names", "hunter2"),
        ("names", "[hunter2]"),
        ("names", "[\"a\", {b = \"hunter2\"}"),
        ("token", "hunter2"),
        ("tokn", "hunter2"),
        ("names", "{a = \"hunter2\"}"),
    ] {
        let given = format!("{name}={value}");
        let typed = said(&stage, "", &["--var", &given]);
        assert!(!typed.contains("hunter2"), "{given}: {typed}");
        assert!(
            name == "token" || typed.contains(&format!("--var {name}")),
            "{typed}"
        );
        let mut command = stage.command(&["validate", "access"]);
        let output = command.env(format!("ROLECALL_VAR_{name}"), value).output();
        let err = String::from_utf8_lossy(&output.expect("runs").stderr).into_owned();
        assert!(!err.contains("hunter2"), "{given}: {err}");
    }
    let said = said(&stage, "", &["--var", "hunter2"]);
    assert!(
        said.contains("NAME=VALUE") && !said.contains("hunter2"),
        "{said}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_crash_leaves_no_memory_behind() {
    let stage = Stage::small();
    let mut serving = stage.start(&[
        "platform",
        "serve",
        "--db",
        "p.db",
        "--listen",
        "127.0.0.1:0",
    ]);
    let mut line = String::new();
    let mut out = std::io::BufReader::new(serving.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut out, &mut line).expect("told");
    let limits = fs::read_to_string(format!("/proc/{}/limits", serving.id())).expect("readable");
    serving.kill().expect("killed");
    serving.wait().expect("gone");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.expect("a line").split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{words:?}");
}

#[test]
fn a_home_that_is_not_absolute_is_not_looked_into() {
    let stage = Stage::small();
    let file = stage.path(".config/mondoo/mondoo.yml");
    fs::create_dir_all(file.parent().expect("a folder")).expect("created");
    fs::copy(stage.path("owner.json"), &file).expect("copied");
    for (home, found) in [
        (stage.dir.path(), true),
        (Path::new("."), false),
        (Path::new("x/.."), false),
    ] {
        let mut command = stage.command(&["credential", "inspect"]);
        let output = command
            .env_remove("MONDOO_CONFIG_PATH")
            .env("HOME", home)
            .output()
            .expect("runs");
        assert_eq!(output.status.success(), found, "{home:?}: {output:?}");
    }
}

#[test]
fn a_directory_with_an_odd_name_works_and_what_stands_in_it_is_told() {
    let mut stage = Stage::small();
    stage.configure(CONFIGURATION);
    fs::rename(stage.path("access"), stage.path(SENSITIVE)).expect("renamed");
    let said = |arguments: &[&str]| {
        let output = stage.command(arguments).output().expect("runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(!text.contains(&SENSITIVE[..PART]), "{text}");
        (output.status.code(), text)
    };
    let (code, text) = said(&["plan", SENSITIVE]);
    assert!(code == Some(0) && text.contains("…/main.hcl:"), "{text}");
    let (code, text) = said(&["apply", "--yes", SENSITIVE]);
    assert!(
        code == Some(0) && text.contains("…/credentials/ci.json"),
        "{text}"
    );
    assert!(stage.path(SENSITIVE).join("credentials/ci.json").exists());
    fs::write(stage.path(SENSITIVE).join("more.hcl"), "x = \n").expect("written");
    let (code, text) = said(&["validate", SENSITIVE]);
    assert!(code == Some(1) && text.contains("…/more.hcl:1:"), "{text}");
}
