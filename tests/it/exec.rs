//! Keys by a program, whole: rolecall as a job runs it, the embedded platform behind a socket, and a program that
//! keeps keys in files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::stage::Stage;

/// Keeps values as JSON writes them, so that the shell need not know what that is. `FOLDER` is where, and `THEN` is
/// done before a promotion.
pub const PROGRAM: &str = r#"#!/bin/sh
asked=$(cat)
part() { printf '%s' "$asked" | sed -nE "s/.*\"$1\":\"(([^\"\\]|\\\\.)*)\".*/\1/p"; }
place="FOLDER/$(printf '%s' "$asked" | sed -E 's/.*"arguments":\["([^"]*)".*/\1/')"
version() { cksum < "$place" | tr ' ' -; }
env >> FOLDER/environment
echo "$(part verb)" >> FOLDER/asked
now=; [ ! -f "$place" ] || now=$(version)
case $(part verb) in
promote | remove) [ "$(part expect)" = "$now" ] || exit 11 ;;
esac
case $(part verb) in
abilities) printf '{"protocol":1,"abilities":["read_back"]}' ;;
probe)
  if [ -z "$now" ]; then printf '{"protocol":1,"found":null}'; exit; fi
  printf '{"protocol":1,"found":{"version":"%s","value":"%s"}}' "$now" "$(cat "$place")" ;;
promote)
  THEN
  part value | tr -d '\n' > "$place"
  printf '{"protocol":1,"version":"%s"}' "$(version)" ;;
remove) rm "$place"; printf '{"protocol":1}' ;;
*) exit 10 ;;
esac
"#;

const CONFIGURATION: &str = r#"sink "exec" "store" {
  program   = "store-key"
  arguments = ["ci-key"]
  abilities = ["read_back"]
}
service_account "ci" {
  scope = space.payments
  name  = "ci"
  roles = ["viewer"]

  credential {
    deliver_to = [sink.exec.store]
  }
}
"#;

struct Kept {
    stage: Stage,
    folder: PathBuf,
}

/// A stage with a program that does `then` before a promotion.
fn kept(then: &str) -> Kept {
    let mut stage = Stage::small();
    stage.configure(CONFIGURATION);
    let folder = stage.path("kept");
    fs::create_dir(&folder).expect("made");
    let text = PROGRAM
        .replace("FOLDER", folder.to_str().expect("text"))
        .replace("THEN", then);
    put(&stage.path("store-key"), &text);
    Kept { stage, folder }
}

/// Another process writes it: nobody else has it open while it is run.
pub fn put(path: &std::path::Path, text: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, text).expect("written");
    let copied = Command::new("cp").arg(&draft).arg(path).status();
    assert!(copied.expect("runs").success());
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("changed");
}

impl Kept {
    fn option(&self) -> String {
        let path = self.stage.path("store-key");
        format!("--allow-exec=store-key={}", path.display())
    }

    /// What a run says, its exit code first.
    fn said(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = self.stage.command(arguments);
        let path = std::env::var_os("PATH").expect("is set");
        command.env("CI", "1").env("PATH", path);
        command
            .env("STORE_TOKEN", "for the store")
            .env("OTHER", "x");
        command.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the job's");
        let output = command.output().expect("runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.code().expect("it ended"), text)
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// How many accounts there were made, and how many are left by now.
    fn accounts(&self) -> (usize, usize) {
        let requests = self.stage.front.requests();
        let asked = |what: &str| {
            let all = requests
                .iter()
                .map(|(_, body)| String::from_utf8_lossy(body));
            all.filter(|body| body.contains(what)).count()
        };
        let made = asked("createServiceAccount(");
        (made, made - asked("deleteServiceAccounts(").min(made))
    }
}

#[test]
fn a_key_is_kept_by_a_program_and_logs_in_and_is_nowhere_else() {
    let kept = kept(":");
    // Nothing is run by a plan, nor by an apply that does not know the program.
    let (code, planned) = kept.said(&["plan", "access"]);
    assert!(code == 0 || code == 2, "{planned}");
    assert!(planned.contains("store-key ci-key"), "{planned}");
    let (code, refused) = kept.said(&["apply", "access", "--yes"]);
    assert_eq!(code, 1, "{refused}");
    assert!(
        refused.contains("--allow-exec=store-key=/absolute/path"),
        "{refused}"
    );
    assert_eq!((kept.file("asked"), kept.accounts().0), (String::new(), 0));
    let (code, applied) = kept.said(&[
        "apply",
        "access",
        "--yes",
        &kept.option(),
        "--exec-env",
        "STORE_TOKEN",
        "--log",
        "run.log",
        "--log-level",
        "debug",
    ]);
    assert_eq!(code, 0, "{applied}");
    let asked = kept.file("asked");
    assert_eq!(asked, "abilities\nprobe\nprobe\npromote\nprobe\n");
    let environment = kept.file("environment");
    assert!(environment.contains("STORE_TOKEN=for the store"));
    for name in ["MONDOO_", "ROLECALL_", "ACTIONS_", "OTHER", "CI="] {
        assert!(!environment.contains(name), "{environment}");
    }
    // It is a credential that works.
    let json: String =
        serde_json::from_str(&format!("\"{}\"", kept.file("ci-key"))).expect("a text");
    fs::write(kept.stage.path("taken.json"), &json).expect("written");
    let (code, verified) = kept.said(&["credential", "verify", "taken.json"]);
    assert_eq!(code, 0, "{verified}");
    let credential: Value = serde_json::from_str(&json).expect("JSON");
    let private = credential["private_key"].as_str().expect("a key");
    let line = private.lines().nth(1).expect("a line of it");
    let log = fs::read_to_string(kept.stage.path("run.log")).expect("there");
    assert!(log.contains("exec promote"), "{log}");
    for text in [&planned, &applied, &log] {
        assert!(
            !text.contains(line) && !text.contains("for the store"),
            "{text}"
        );
    }
    let (code, planned) = kept.said(&["plan", "access"]);
    assert_eq!(code, 0, "{planned}");
    assert!(planned.contains("No changes"), "{planned}");
    assert_eq!(kept.file("asked"), asked, "a plan asks nobody");
    // Whether it is still there is looked at where that is asked for.
    let check = [
        "check",
        "access",
        "--sinks",
        "--allow-unmanaged",
        &kept.option(),
    ];
    let (code, checked) = kept.said(&check);
    assert_eq!(code, 0, "{checked}");
    let (code, checked) = kept.said(&check[..check.len() - 1]);
    assert_eq!(code, 1, "{checked}");
    assert!(
        checked.contains("--allow-exec=store-key=/absolute/path"),
        "{checked}"
    );
    let (code, checked) = kept.said(&["check", "access", &kept.option()]);
    assert_eq!(code, 64, "nothing would be asked: {checked}");
    fs::remove_file(kept.folder.join("ci-key")).expect("was there");
    let (code, checked) = kept.said(&check);
    assert_eq!(code, 6, "{checked}");
}

#[test]
fn a_program_that_hangs_is_killed_and_the_account_goes() {
    let kept = kept("sleep 600 & sleep 600");
    let option = kept.option();
    let (code, told) = kept.said(&["apply", "access", "--yes", "--timeout", "8", &option]);
    assert_ne!(code, 0, "{told}");
    assert!(
        told.contains("it was killed, with all that it had started"),
        "{told}"
    );
    assert!(told.contains("--timeout SECONDS waits longer"), "{told}");
    assert_eq!(kept.accounts(), (1, 0), "{told}");
    assert_eq!(kept.file("ci-key"), "");
}

#[test]
fn a_program_that_dies_after_its_write_has_written_if_that_can_be_read() {
    let kept = kept("part value | tr -d '\\n' > \"$place\"; kill -9 $$");
    let (code, told) = kept.said(&["apply", "access", "--yes", &kept.option()]);
    assert_eq!(code, 0, "{told}");
    assert!(kept.file("ci-key").contains("BEGIN PRIVATE KEY"));
}

/// What it was given is repeated by many a program that fails.
#[test]
fn what_a_program_prints_of_a_key_is_seen_nowhere() {
    let kept = kept("part value > FOLDER/given; printf '%s' \"$asked\" >&2; part value; exit 10");
    let text = fs::read_to_string(kept.stage.path("store-key")).expect("there");
    let text = text.replace("FOLDER", kept.folder.to_str().expect("text"));
    put(&kept.stage.path("store-key"), &text);
    let log = [
        "--log",
        "run.log",
        "--log-level",
        "debug",
        "--json-out",
        "out.json",
    ];
    let mut arguments = vec!["apply", "access", "--yes"];
    let option = kept.option();
    arguments.push(&option);
    arguments.extend(log);
    let (code, told) = kept.said(&arguments);
    assert_ne!(code, 0, "{told}");
    assert!(told.contains("it refused; it said: [withheld"), "{told}");
    assert_eq!(kept.accounts(), (1, 0), "{told}");
    let given: String =
        serde_json::from_str(&format!("\"{}\"", kept.file("given").trim_end())).expect("a text");
    let credential: Value = serde_json::from_str(&given).expect("JSON");
    let private = credential["private_key"].as_str().expect("a key");
    let mut texts = vec![told];
    for name in ["run.log", "out.json"] {
        texts.push(fs::read_to_string(kept.stage.path(name)).expect("there"));
    }
    for line in private.lines().filter(|line| !line.starts_with("-----")) {
        for text in &texts {
            let mut parts = line.as_bytes().chunks(8).filter(|part| part.len() == 8);
            let leaks = |part: &[u8]| text.as_bytes().windows(8).any(|at| at == part);
            assert!(!parts.any(leaks), "{text}");
        }
    }
}

/// The author of a configuration has it run nothing of theirs.
#[test]
fn a_program_of_the_configuration_is_refused_before_anything_is_asked() {
    let kept = kept(":");
    let own = kept.stage.path("access/store-key");
    put(&own, "#!/bin/sh\ntouch ../pwned\n");
    fs::remove_file(own.with_extension("draft")).expect("was there");
    let before = kept.stage.front.requests().len();
    // Where a group may write.
    let grouped = kept.stage.path("grouped");
    fs::copy(kept.stage.path("store-key"), &grouped).expect("copied");
    fs::set_permissions(&grouped, fs::Permissions::from_mode(0o775)).expect("changed");
    for (options, why) in [
        (
            vec![format!("--allow-exec=store-key={}", grouped.display())],
            "everybody of its group may write",
        ),
        (
            vec![format!("--allow-exec=store-key={}", own.display())],
            "inside of the configuration's directory",
        ),
        (
            vec!["--allow-exec=store-key=access/store-key".to_owned()],
            "not absolute",
        ),
        (
            vec![kept.option(), "--exec-env=ROLECALL_SEAL_KEY".to_owned()],
            "no program gets a variable",
        ),
    ] {
        let mut arguments = vec!["apply", "access", "--yes"];
        arguments.extend(options.iter().map(String::as_str));
        let (code, told) = kept.said(&arguments);
        assert_eq!(code, 64, "{told}");
        assert!(told.contains(why), "{told}");
    }
    // Beside it in one repository.
    fs::create_dir(kept.stage.path(".git")).expect("made");
    let (code, told) = kept.said(&["apply", "access", "--yes", &kept.option()]);
    assert_eq!(code, 64, "{told}");
    assert!(
        told.contains("inside of the git repository that holds the configuration"),
        "{told}"
    );
    fs::remove_dir(kept.stage.path(".git")).expect("was there");
    // Nor is what it says of itself written over it.
    let program = kept.stage.path("store-key");
    let program = program.to_str().expect("text");
    let option = kept.option();
    let (code, told) = kept.said(&["apply", "access", "--yes", &option, "--json-out", program]);
    assert_ne!(code, 0, "{told}");
    assert!(told.contains("--allow-exec"), "{told}");
    assert!(
        fs::read_to_string(program)
            .expect("there")
            .starts_with("#!")
    );
    assert_eq!(kept.stage.front.requests().len(), before);
    assert_eq!(kept.file("asked"), "");
}

#[test]
#[ignore = "needs Python: scripts/services/exec-program"]
fn the_reference_program_keeps_a_key_that_logs_in() {
    let mut kept = kept(":");
    kept.stage.configure(&CONFIGURATION.replace(
        "[\"read_back\"]",
        "[\"read_back\", \"stage\", \"compare_and_swap\"]",
    ));
    let program = fs::canonicalize("tests/services/exec/store-key").expect("is there");
    let option = format!("--allow-exec=store-key={}", program.display());
    let (code, applied) = kept.said(&["apply", "access", "--yes", &option]);
    assert_eq!(code, 0, "{applied}");
    // Its home is that of the run.
    let key = kept.stage.path("keys/ci-key");
    let mode = fs::metadata(&key).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = key.to_str().expect("text");
    let (code, verified) = kept.said(&["credential", "verify", key]);
    assert_eq!(code, 0, "{verified}");
    let left = fs::read_dir(kept.stage.path("keys"))
        .expect("there")
        .count();
    assert_eq!(left, 2, "the key and the lock");
}

/// Each delivery waits until another has begun too.
#[test]
fn keys_of_different_scopes_are_delivered_side_by_side() {
    let mut kept = kept(
        "touch FOLDER/here-$$; n=0; while [ $(ls FOLDER | grep -c here-) -lt 2 ]; do \
         n=$((n+1)); [ $n -lt 300 ] || exit 10; sleep 0.1; done",
    );
    // What is done then stands in the program after its folder was put in.
    let program = fs::read_to_string(kept.stage.path("store-key")).expect("there");
    let folder = kept.folder.to_str().expect("text").to_owned();
    put(
        &kept.stage.path("store-key"),
        &program.replace("FOLDER", &folder),
    );
    let one = CONFIGURATION.replace("[\"ci-key\"]", "[account.id]");
    let (_, other) = one.split_once("service_account").expect("an account");
    let other = other
        .replace("\"ci\"", "\"org\"")
        .replace("space.payments", "organization.acme");
    kept.stage
        .configure(&format!("{one}service_account{other}"));
    let option = kept.option();
    let apply = ["apply", "--yes", "--parallelism", "2", &option, "access"];
    let (code, text) = kept.said(&apply);
    assert_eq!(code, 0, "{text}");
    assert!(!kept.file("ci").is_empty() && !kept.file("org").is_empty());
}
