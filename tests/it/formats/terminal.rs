//! What somebody at a terminal sees: a line that moves while there is something to wait for, and
//! nothing of it around the question.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use super::{CI, code};
use crate::stage::{Stage, Then};

/// Runs the program with a terminal for standard input and error, types `answer` when asked, and
/// gives the exit code, standard output and what the terminal got.
fn at_a_terminal(
    stage: &Stage,
    arguments: &[&str],
    variables: &[(&str, &str)],
    answer: &str,
) -> (i32, String, String) {
    let types = |terminal: &mut File, _| {
        terminal
            .write_all(format!("{answer}\n").as_bytes())
            .expect("typed");
    };
    asked_at_a_terminal(stage, arguments, variables, types)
}

/// The same, with what happens when the question is there: to the terminal, or to the process of
/// this number.
fn asked_at_a_terminal(
    stage: &Stage,
    arguments: &[&str],
    variables: &[(&str, &str)],
    when_asked: impl Fn(&mut File, u32),
) -> (i32, String, String) {
    let open = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&open).expect("granted");
    unlockpt(&open).expect("unlocked");
    let size = rustix::termios::Winsize {
        ws_row: 40,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&open, size).expect("sized");
    let name = ptsname(&open, Vec::new())
        .expect("named")
        .into_string()
        .expect("text");
    let end = || -> OwnedFd {
        let file = File::options().read(true).write(true).open(&name);
        file.expect("opened").into()
    };
    let mut child = stage
        .command(arguments)
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(end())
        .stderr(end())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut out = child.stdout.take().expect("piped");
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).expect("UTF-8");
        text
    });
    let mut terminal = File::from(open);
    let mut seen = Vec::new();
    let mut asked = false;
    let mut buffer = [0; 4096];
    // A terminal whose other end is closed gives an error, which is its end.
    while let Ok(n) = terminal.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&seen);
        if !asked && text.contains("Only `yes` is taken") {
            asked = true;
            when_asked(&mut terminal, child.id());
        }
        if n == 0 {
            break;
        }
    }
    let output = child.wait_with_output().expect("ends");
    let seen = String::from_utf8_lossy(&seen).into_owned();
    (code(&output), reading.join().expect("read"), seen)
}

/// A stage whose platform takes its time.
fn slow() -> Stage {
    let mut stage = Stage::new();
    stage.configure(CI);
    stage.front.hook(|_, _| {
        std::thread::sleep(std::time::Duration::from_millis(200));
        Then::Answer
    });
    stage
}

#[test]
fn progress_moves_and_leaves_the_question_alone() {
    let stage = slow();
    let (code, out, seen) = at_a_terminal(&stage, &["apply", "access"], &[], "yes");
    assert_eq!(code, 0, "{seen}");
    assert!(out.contains("Applied: 1 done."), "{out}");
    assert!(seen.contains("reading what is live"), "{seen:?}");
    assert!(seen.contains("of 1 done"), "{seen:?}");
    // From the question to the answer nothing moves: the line was taken away before.
    let question = seen.find("Apply this plan?").expect("asked");
    let before = seen[..question]
        .rfind("reading what is live")
        .expect("shown");
    assert!(seen[before..question].contains("\u{1b}[2K"), "{seen:?}");
    let rest = &seen[question..];
    let asked = &rest[..rest.find("yes\r\n").expect("typed")];
    assert!(!asked.contains('\u{1b}'), "{asked:?}");
}

#[test]
fn what_is_not_to_ask_does_not_and_writes_nothing() {
    for arguments in [
        &["apply", "-input=false", "access"][..],
        &["apply", "--no-input", "-lock=false", "access"],
        &["-chdir=access", "apply", "--input=false"],
    ] {
        let stage = slow();
        let credential = stage.path("owner.json").display().to_string();
        let variables = [("MONDOO_CONFIG_PATH", credential.as_str())];
        let (code, _, seen) = at_a_terminal(&stage, arguments, &variables, "yes");
        assert_eq!(code, 1, "{seen}");
        assert!(seen.contains("nobody can be asked here"), "{seen}");
        assert!(!seen.contains("Only `yes`"), "{seen}");
        let asked = stage.front.seen();
        assert!(
            !asked.contains(&"createServiceAccount".to_owned()),
            "{asked:?}"
        );
    }
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    let stage = Stage::small();
    let red = |arguments: &[&str]| {
        let (_, _, seen) = at_a_terminal(&stage, arguments, &[], "");
        assert!(seen.contains("error"), "{seen}");
        seen.contains("\u{1b}[")
    };
    assert!(red(&["validate", "nowhere"]) && red(&["validate", "--nope"]));
    for option in ["-no-color", "--no-color", "-no-color=true"] {
        assert!(!red(&["validate", option, "nowhere"]), "{option}");
        assert!(!red(&["validate", "--nope", option]), "{option}");
        assert!(!red(&[option, "validate", "nowhere"]), "{option}");
    }
}

#[test]
fn a_signal_at_the_question_ends_the_run_at_once() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut stage = slow();
        let kill = |_: &mut File, pid: u32| {
            let status = std::process::Command::new("kill")
                .args([signal, &pid.to_string()])
                .status();
            assert!(status.expect("kill runs").success());
        };
        let (code, _, seen) = asked_at_a_terminal(&stage, &["apply", "access"], &[], kill);
        assert_eq!(code, 130, "{signal}: {seen}");
        assert!(
            seen.contains("interrupted, nothing was written"),
            "{seen:?}"
        );
        let seen = stage.front.seen();
        assert!(
            !seen.contains(&"createServiceAccount".to_owned()),
            "{seen:?}"
        );
        stage.front.hook(|_, _| Then::Answer);
        assert_eq!(stage.run(&["apply", "--yes", "access"]), 0, "{signal}");
    }
}

#[test]
fn nothing_moves_where_nobody_watches() {
    for (variable, value) in [
        ("CI", "true"),
        ("ROLECALL_NO_PROGRESS", "1"),
        ("TERM", "dumb"),
    ] {
        let stage = slow();
        let arguments = ["apply", "--yes", "access"];
        let (code, _, seen) = at_a_terminal(&stage, &arguments, &[(variable, value)], "");
        assert_eq!(code, 0, "{seen}");
        assert!(
            !seen.contains("reading what is live"),
            "{variable}: {seen:?}"
        );
        assert!(
            seen.contains("service_account.ci: "),
            "{variable}: lines instead: {seen:?}"
        );
    }
}

#[test]
fn who_is_asked_sees_the_plan_and_programs_read_the_document() {
    for (answer, expected) in [("yes", 0), ("no", 1)] {
        let stage = slow();
        let arguments = ["apply", "--format", "json", "access"];
        let (code, out, seen) = at_a_terminal(&stage, &arguments, &[], answer);
        assert_eq!(code, expected, "{seen}");
        assert!(seen.contains("Plan: 1 to create"), "{seen}");
        let document: Value = serde_json::from_str(&out).expect("JSON alone");
        super::schema::check(&document);
        assert_eq!(document["exit_code"], expected);
        assert_eq!(document["error"].is_null(), expected == 0);
    }
}
