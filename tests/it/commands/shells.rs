//! Completions in real shells, and the manual pages in a real formatter. What is not on the machine
//! is skipped, and says so.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A program with rolecall on its path.
fn program(name: &str, dir: &Path) -> Command {
    let own = Path::new(env!("CARGO_BIN_EXE_rolecall")).parent();
    let own = own.expect("a folder").as_os_str().to_owned();
    let mut path = own;
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new(name);
    command.current_dir(dir).env("PATH", path).env("HOME", dir);
    command
}

/// Runs a program that may not be there.
#[expect(
    clippy::print_stderr,
    reason = "nobody should take what is skipped for tested"
)]
fn run(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            let name: OsString = command.get_program().to_owned();
            eprintln!(
                "SKIPPED: {} is not on this machine: {error}",
                name.display()
            );
            None
        }
    }
}

fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(errors.is_empty(), "{errors}");
    text.lines().map(str::to_owned).collect()
}

/// What is typed, and what a shell offers for its last word. For PowerShell the generator knows names
/// alone, no values.
const OFFERED: &[(&str, &[&str])] = &[
    ("rolecall pl", &["plan", "platform"]),
    ("rolecall docs lang", &["language"]),
    ("rolecall completions z", &["zsh"]),
    ("rolecall plan --detailed", &["--detailed-exitcode"]),
    ("rolecall plan --format j", &["json"]),
    ("rolecall platform s", &["seed", "serve"]),
    ("rolecall credential ver", &["verify"]),
];

#[test]
fn bash_completes() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (typed, offered) in OFFERED {
        let script = format!(
            r#"source <(rolecall completions bash) && complete -p rolecall || exit 1
            COMP_WORDS=({typed}) COMP_LINE='{typed}' COMP_POINT={}
            COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            _rolecall rolecall "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
            printf '%s\n' "${{COMPREPLY[@]}}""#,
            typed.len()
        );
        let mut bash = program("bash", dir.path());
        let Some(output) = run(bash.args(["--norc", "--noprofile", "-c", &script])) else {
            return;
        };
        let mut lines = lines(&output);
        let registered = lines.remove(0);
        assert!(
            registered.contains("-F _rolecall") && registered.ends_with(" rolecall"),
            "{registered}"
        );
        lines.sort();
        assert_eq!(lines, *offered, "{typed}");
    }
}

#[test]
fn fish_completes() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (typed, offered) in OFFERED {
        let script =
            format!("rolecall completions fish | source; complete --do-complete '{typed}'");
        let mut fish = program("fish", dir.path());
        let Some(output) = run(fish.args(["--no-config", "-c", &script])) else {
            return;
        };
        // A word, a tab, what it is.
        let mut words: Vec<String> = lines(&output)
            .iter()
            .filter_map(|line| line.split('\t').next().map(str::to_owned))
            .collect();
        words.sort();
        assert_eq!(words, *offered, "{typed}");
    }
}

#[test]
fn zsh_takes_the_completions() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let script = "autoload -U compinit && compinit -u -D && source <(rolecall completions zsh) && \
                  print -r -- $_comps[rolecall] && whence -w _rolecall";
    let Some(output) = run(program("zsh", dir.path()).args(["-f", "-c", script])) else {
        return;
    };
    assert_eq!(lines(&output), ["_rolecall", "_rolecall: function"]);
}

#[test]
fn powershell_completes() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let values = ["docs", "completions", "--format"];
    for (typed, offered) in OFFERED {
        if values.iter().any(|value| typed.contains(value)) {
            continue;
        }
        let script = format!(
            "rolecall completions powershell | Out-String | Invoke-Expression; \
             (TabExpansion2 '{typed}' {}).CompletionMatches.CompletionText",
            typed.len()
        );
        let mut pwsh = program("pwsh", dir.path());
        let Some(output) = run(pwsh.args(["-NoProfile", "-NonInteractive", "-Command", &script]))
        else {
            return;
        };
        let words = lines(&output);
        for word in *offered {
            assert!(
                words.iter().any(|offer| offer == word),
                "{typed}: {words:?}"
            );
        }
    }
}

#[test]
fn the_manual_pages_are_formatted_without_a_warning() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let made = program("rolecall", dir.path())
        .args(["man", "--out", "man"])
        .output()
        .expect("the program runs");
    assert!(lines(&made)[0].starts_with("Wrote "));
    let mut pages = 0;
    for entry in fs::read_dir(dir.path().join("man")).expect("there") {
        let path = entry.expect("readable").path();
        let mut groff = program("groff", dir.path());
        groff.args(["-man", "-Tutf8", "-ww", "-P-cbu"]).arg(&path);
        let Some(output) = run(&mut groff) else {
            return;
        };
        let text = lines(&output).join("\n");
        for section in ["NAME", "SYNOPSIS", "OPTIONS"] {
            assert!(text.contains(section), "{}: {text}", path.display());
        }
        pages += 1;
    }
    assert!(pages > 12, "only {pages} pages");
}
