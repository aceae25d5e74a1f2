//! `--log`: a line of JSON for each request and event, over a socket, and nothing that was sent or came.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::stage::{Stage, Then, answer};

/// Words that are sent to the platform in variables.
const DESCRIPTION: &str = "the night watch of the north tower";

fn stage() -> Stage {
    let mut stage = Stage::small();
    stage.configure(&format!(
        r#"service_account "ci" {{
  scope       = space.payments
  name        = "ci"
  description = "{DESCRIPTION}"
  roles       = ["viewer"]

  credential {{
    deliver_to = [sink.file.local]
  }}
}}
"#
    ));
    stage
}

fn parsed(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON lines")
}

fn events<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == name).collect()
}

/// What a run says, its exit code first.
fn said(stage: &Stage, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = stage.command(arguments);
    command.envs(variables.iter().copied());
    let output = command.output().expect("runs");
    (
        output.status.code().expect("it ended"),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn every_request_is_a_line_and_nothing_that_was_sent_or_came_is_in_it() {
    for level in ["info", "debug"] {
        let mut stage = stage();
        stage.front.hook(|_, _| Then::Answer);
        let arguments = [
            "apply",
            "--yes",
            "--log=run.log",
            "--log-level",
            level,
            "access",
        ];
        assert_eq!(stage.run(&arguments), 0);
        let path = stage.path("run.log");
        let text = fs::read_to_string(&path).expect("there");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let lines = parsed(&text);
        assert_eq!(lines[0]["event"], "began");
        assert_eq!(lines[0]["command"], "apply");
        let last = lines.last().expect("lines");
        assert_eq!(
            (&last["event"], &last["exit_code"]),
            (&"ended".into(), &0.into())
        );
        // One line a request, in whatever order answers came.
        let requests = events(&lines, "request");
        assert_eq!(requests.len(), stage.front.seen().len());
        for request in &requests {
            assert_eq!(
                (&request["status"], &request["attempt"]),
                (&200.into(), &1.into())
            );
            assert!(request["ms"].is_u64(), "{request}");
        }
        let create = requests
            .iter()
            .find(|one| one["operation"] == "CreateServiceAccount");
        assert_eq!(
            create.expect("sent")["scope"],
            "space amazing-hofstadter-175565"
        );
        for name in [
            "logged-in",
            "planned",
            "applying",
            "change-started",
            "change-finished",
        ] {
            assert_eq!(events(&lines, name).len(), 1, "{name}: {text}");
        }
        assert_eq!(events(&lines, "note").is_empty(), level == "info");
        // Neither headers nor bodies nor variables.
        for (authorization, body) in stage.front.requests() {
            let token = authorization.expect("a header");
            for part in token.as_bytes().windows(40).step_by(20) {
                assert!(
                    !text.contains(std::str::from_utf8(part).expect("text")),
                    "{text}"
                );
            }
            assert!(!text.contains(std::str::from_utf8(&body).expect("text")));
        }
        for word in [
            DESCRIPTION,
            "Bearer",
            "query ",
            "mutation ",
            "PRIVATE KEY",
            "variables",
        ] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        stage.no_key_leaked();
    }
}

#[test]
fn a_request_that_is_sent_again_is_told_each_time_with_what_the_platform_calls_it() {
    let refused = |status: u16, id: &str| answer(status, &[("X-Request-Id", id)], "busy");
    for (status, id, told, error) in [
        (503, "7f3a-9b", Some("7f3a-9b"), "platform"),
        (
            429,
            "Root=1-67891233-abc",
            Some("Root=1-67891233-abc"),
            "rate-limited",
        ),
        // No word that anything calls a request by.
        (500, "not an id", None, "platform"),
    ] {
        let stage = stage();
        let bytes = refused(status, id);
        stage.front.hook(move |field, n| match (field, n) {
            ("serviceAccounts", 1) => Then::Send(bytes.clone()),
            _ => Then::Answer,
        });
        let (code, _, err) = said(&stage, &["plan", "--log", "run.log", "access"], &[]);
        assert_eq!(code, 0, "{err}");
        let lines = parsed(&fs::read_to_string(stage.path("run.log")).expect("there"));
        let first = lines
            .iter()
            .find(|line| line["status"] == status)
            .expect("told");
        assert_eq!(first["operation"], "ServiceAccounts");
        assert_eq!(
            (&first["attempt"], &first["error"]),
            (&1.into(), &error.into())
        );
        assert_eq!(first["request_id"].as_str(), told);
        let again = lines
            .iter()
            .find(|line| line["attempt"] == 2)
            .expect("sent again");
        assert_eq!(
            (&again["status"], &again["scope"]),
            (&200.into(), &first["scope"])
        );
    }
}

#[test]
fn a_log_goes_to_standard_error_and_is_named_by_the_environment_too() {
    let stage = stage();
    let plan = ["plan", "--format=json", "access"];
    let (code, out, err) = said(&stage, &[&plan[..], &["--log", "-"]].concat(), &[]);
    assert_eq!(code, 0);
    serde_json::from_str::<Value>(&out).expect("one document");
    let logged: Vec<&str> = err.lines().filter(|line| line.starts_with('{')).collect();
    assert!(
        !events(&parsed(&logged.join("\n")), "request").is_empty(),
        "{err}"
    );

    let both = [("ROLECALL_LOG", "env.log"), ("ROLECALL_LOG_LEVEL", "error")];
    assert_eq!(said(&stage, &plan, &both).0, 0);
    let text = fs::read_to_string(stage.path("env.log")).expect("there");
    assert_eq!(
        text.lines().count(),
        1,
        "it begins whatever its level: {text}"
    );
    // What the command line says goes before it.
    let typed = [&plan[..], &["--log=typed.log", "--log-level=info"]].concat();
    assert_eq!(said(&stage, &typed, &both).0, 0);
    let typed = fs::read_to_string(stage.path("typed.log")).expect("there");
    assert!(typed.lines().count() > 3, "{typed}");
    assert_eq!(
        fs::read_to_string(stage.path("env.log")).expect("there"),
        text
    );

    for (arguments, variables, code, why) in [
        (&["--log-level=debug"][..], &[][..], 64, "none is asked for"),
        (&["--log-level=loud"], &[], 64, "invalid value 'loud'"),
        (
            &[],
            &[("ROLECALL_LOG", "")],
            1,
            "ROLECALL_LOG is set and empty",
        ),
        (
            &[],
            &[("ROLECALL_LOG_LEVEL", "loud")],
            1,
            "no level of a log: loud",
        ),
        (&[], &[("ROLECALL_LOG_LEVEL", "")], 1, "set and empty"),
    ] {
        let arguments = [&["validate", "access"], arguments].concat();
        let (found, _, err) = said(&stage, &arguments, variables);
        assert_eq!(found, code, "{err}");
        assert!(err.contains(why), "{err}");
    }
}

#[test]
fn a_log_takes_the_place_of_nothing_that_is_named_or_precious() {
    let stage = stage();
    fs::write(stage.path("notes.txt"), "precious").expect("written");
    fs::write(stage.path("values.json"), "{}").expect("written");
    let held = |name: &str| fs::read(stage.path(name)).expect("there");
    let before = ["notes.txt", "values.json", "owner.json", "access/main.hcl"].map(held);
    stage.front.hook(|_, _| Then::Answer);
    for (line, code, why) in [
        (
            "plan --log owner.json access",
            64,
            "which MONDOO_CONFIG_PATH reads",
        ),
        (
            "plan --log access/main.hcl access",
            64,
            ".hcl files are configurations",
        ),
        ("plan --log x --json-out x access", 64, "both write x"),
        ("apply --record x --log ./x access", 64, "both write ./x"),
        (
            "plan --var-file values.json --log values.json access",
            64,
            "which --var-file reads",
        ),
        (
            "credential decode --out k.json --log k.json",
            64,
            "both write k.json",
        ),
        (
            "plan --log ~/x access",
            64,
            "would make a folder called `~`",
        ),
        (
            "plan --log-level=info --json-out access/main.hcl access",
            64,
            "none is asked for",
        ),
        ("plan --log notes.txt access", 1, "which is no log"),
        ("list --log access access", 1, "it is a directory"),
        (
            "validate --log no/such access",
            1,
            "its folder is not there",
        ),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (found, _, err) = said(&stage, &arguments, &[]);
        assert_eq!(found, code, "{line}: {err}");
        assert!(err.contains(why), "{line}: {err}");
    }
    let (code, _, err) = said(
        &stage,
        &["plan", "access"],
        &[("ROLECALL_LOG", "owner.json")],
    );
    assert!(
        code == 64 && err.contains("ROLECALL_LOG would replace"),
        "{err}"
    );
    let after = ["notes.txt", "values.json", "owner.json", "access/main.hcl"].map(held);
    assert_eq!(before, after);
    assert!(stage.front.seen().is_empty(), "not one request was sent");
}

#[test]
fn a_run_whose_log_is_not_whole_is_no_success_and_says_so_once() {
    for (arguments, code) in [
        (&["plan", "access"][..], 1),
        (&["apply", "--yes", "access"], 5),
        (&["validate", "access"], 1),
    ] {
        let stage = stage();
        let options = ["--json-out=run.json", "--log=/dev/full"];
        let arguments = [arguments, &options].concat();
        let (found, _, err) = said(&stage, &arguments, &[]);
        assert_eq!(found, code, "{err}");
        let lost = "error: cannot write /dev/full: the disk is full";
        assert_eq!(err.matches(lost).count(), 1, "{err}");
        let document = fs::read(stage.path("run.json")).expect("there");
        let document: Value = serde_json::from_slice(&document).expect("JSON");
        assert_eq!(document["exit_code"], code);
    }
}

#[test]
fn a_failure_and_a_refusal_end_a_log_as_they_end_the_run() {
    let stage = stage();
    let last = |arguments: &[&str], code: i32| {
        let arguments = [arguments, &["--log=run.log"]].concat();
        let (found, _, err) = said(&stage, &arguments, &[]);
        assert_eq!(found, code, "{err}");
        let lines = parsed(&fs::read_to_string(stage.path("run.log")).expect("there"));
        let ended = lines.last().expect("lines").clone();
        assert_eq!(ended["exit_code"], code);
        lines
    };
    let lines = last(&["apply", "access"], 1);
    let failed = events(&lines, "failed");
    assert_eq!(
        failed[0]["message"],
        "nobody can be asked here, and nothing was written"
    );
    let digest = "0".repeat(64);
    let lines = last(&["apply", "--digest", &digest, "access"], 4);
    assert_eq!(events(&lines, "failed").len(), 1);
    fs::write(stage.path("access/more.hcl"), "nonsense {}\nmore {}\n").expect("written");
    let lines = last(&["validate", "access"], 1);
    let places: Vec<&Value> = events(&lines, "finding")
        .iter()
        .map(|one| &one["place"])
        .collect();
    assert_eq!(places, ["access/more.hcl:1:1", "access/more.hcl:2:1"]);
}

#[test]
fn a_signal_ends_a_log_as_it_ends_the_run() {
    for (signal, held, command) in [
        ("-INT", "viewer", &["apply", "--yes"][..]),
        ("-TERM", "serviceAccounts", &["plan"]),
        ("-HUP", "serviceAccounts", &["check"]),
    ] {
        let stage = stage();
        let (arrived, wait) = mpsc::channel();
        let (go, resume) = mpsc::channel::<()>();
        stage.front.hook(move |field, _| {
            if field == held {
                let _ = arrived.send(());
                let _ = resume.recv_timeout(Duration::from_secs(60));
            }
            Then::Answer
        });
        let arguments = [command, &["--log=run.log", "access"]].concat();
        let mut child = stage.start(&arguments);
        wait.recv_timeout(Duration::from_secs(60)).expect("it asks");
        let pid = child.id().to_string();
        let killed = Command::new("kill").args([signal, &pid]).status();
        assert!(killed.expect("kill runs").success());
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
        drop(go);
        let lines = parsed(&fs::read_to_string(stage.path("run.log")).expect("there"));
        let [.., failed, ended] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        assert_eq!(failed["message"], "interrupted, nothing was written");
        assert_eq!(
            (&ended["event"], &ended["exit"]),
            (&"ended".into(), &"interrupted".into())
        );
    }
}

/// Fills a pipe that nobody reads, so that the next write to it waits for ever.
fn fill(pipe: &fs::File) {
    for size in [4096, 1] {
        let bytes = vec![b'.'; size];
        while rustix::io::write(pipe, &bytes).is_ok() {}
    }
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_a_run_from_ending() {
    use std::os::unix::fs::OpenOptionsExt as _;
    for command in [&["plan"][..], &["list"], &["check"]] {
        let listens = command != ["list"];
        let stage = stage();
        let path = stage.path("pipe");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("a flag");
        let mut open = fs::OpenOptions::new();
        open.read(true).write(true).custom_flags(flags);
        let pipe = open.open(&path).expect("opened");
        let (arrived, wait) = mpsc::channel();
        let full = pipe.try_clone().expect("one more");
        stage.front.hook(move |field, _| {
            if field == "viewer" {
                fill(&full);
                let _ = arrived.send(());
            }
            Then::Answer
        });
        let arguments = [command, &["--log=pipe", "access"]].concat();
        let mut child = stage.start(&arguments);
        wait.recv_timeout(Duration::from_secs(60)).expect("it asks");
        let pid = child.id().to_string();
        let mut signals = 0;
        let code = loop {
            std::thread::sleep(Duration::from_millis(300));
            if let Some(status) = child.try_wait().expect("asked") {
                break status.code();
            }
            assert!(signals < 400, "it does not end");
            signals += 1;
            let killed = Command::new("kill").args(["-TERM", &pid]).status();
            assert!(killed.expect("kill runs").success());
        };
        // What does not listen is ended by the system.
        assert_eq!(code, listens.then_some(130), "{command:?}");
        drop(pipe);
    }
}
