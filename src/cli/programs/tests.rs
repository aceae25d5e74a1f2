use std::os::unix::fs::symlink;

use super::*;

/// A folder with a program in it, which another process wrote: nobody else has it open.
fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("program");
    put(&path, text, 0o755);
    (dir, path)
}

fn put(path: &Path, text: &str, mode: u32) {
    let draft = path.with_extension("draft");
    fs::write(&draft, format!("#!/bin/sh\n{text}\n")).expect("written");
    let copied = Command::new("cp").arg(&draft).arg(path).status();
    assert!(copied.expect("runs").success());
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
}

fn ran(text: &str, limit: Duration, input: &[u8]) -> Ran {
    let (_dir, path) = script(text);
    let path_variable = ("PATH".to_owned(), variable("PATH").expect("set"));
    run(
        &path,
        &[path_variable],
        limit,
        Zeroizing::new(input.to_vec()),
    )
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_program_gets_its_input_and_one_argument_and_no_more_of_the_environment() {
    let got = ran(
        "cat; echo; echo \"$# $1 $(pwd)\"; env | sed 's/=.*//' | sort; echo no >&2; exit 7",
        LONG,
        b"asked",
    );
    let told = String::from_utf8_lossy(&got.answer).into_owned();
    let mut lines = told.lines();
    assert_eq!(lines.next(), Some("asked"), "{told}");
    assert_eq!(lines.next(), Some("1 rolecall-sink-1 /"), "{told}");
    // The shell sets some of its own.
    let own = ["PATH", "PWD", "OLDPWD", "SHLVL", "_"];
    assert!(lines.all(|name| own.contains(&name)), "{told}");
    assert_eq!(&**got.said, b"no\n");
    assert_eq!(got.end, ProgramEnd::Code(7));
}

#[test]
fn a_program_that_does_not_read_is_no_worse_for_that() {
    let got = ran("echo yes", LONG, &vec![b'x'; 1024 * 1024]);
    assert_eq!(
        (got.end, &**got.answer),
        (ProgramEnd::Code(0), &b"yes\n"[..])
    );
}

/// Its children would go on writing where it was stopped.
#[test]
fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().expect("a folder");
    let alive = dir.path().join("alive");
    let started = Instant::now();
    let got = ran(
        &format!(
            "(while :; do date >> '{0}'; sleep 0.05; done) & \
             while [ ! -s '{0}' ]; do sleep 0.05; done; sleep 600",
            alive.display()
        ),
        Duration::from_secs(3),
        b"",
    );
    assert_eq!(got.end, ProgramEnd::Late(Duration::from_secs(3)));
    assert!(started.elapsed() < Duration::from_secs(60));
    let size = || fs::metadata(&alive).expect("it began").len();
    let before = size();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(size(), before, "a child is still at work");
}

/// As one that leaves something running in the background, which holds its output.
#[test]
fn what_a_program_leaves_behind_ends_with_it() {
    let started = Instant::now();
    let got = ran("sleep 600 & echo done", LONG, b"");
    assert_eq!(
        (got.end, &**got.answer),
        (ProgramEnd::Code(0), &b"done\n"[..])
    );
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn an_answer_without_an_end_is_cut_off_and_complaints_without_one_are_not_kept() {
    let got = ran(
        "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done",
        LONG,
        b"",
    );
    assert_eq!((got.end, got.answer.len()), (ProgramEnd::Flood, 0));
    let got = ran(
        "i=0; while [ $i -lt 5000 ]; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa >&2; i=$((i+1)); \
         done; echo yes",
        LONG,
        b"",
    );
    assert_eq!(
        (got.end, &**got.answer),
        (ProgramEnd::Code(0), &b"yes\n"[..])
    );
    assert_eq!(got.said.len(), COMPLAINTS);
}

#[test]
fn how_a_program_ends_is_told_as_it_was() {
    assert_eq!(ran("kill -9 $$", LONG, b"").end, ProgramEnd::Signal(9));
    let missing = run(Path::new("/not/there"), &[], LONG, Zeroizing::default());
    assert!(
        matches!(missing.end, ProgramEnd::NotStarted(_)),
        "{missing:?}"
    );
}

fn said(given: &str, dir: &Path) -> Result<PathBuf, String> {
    program(given, dir).map(|(_, path)| path)
}

/// Whoever may change a configuration must not be able to change what is run, by whatever way.
#[test]
fn a_program_is_outside_of_the_configuration_by_whatever_way() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path().canonicalize().expect("is there");
    let at = |path: &str| root.join(path);
    for folder in ["access", "access/bin", "bin", "open", "shared", "team"] {
        fs::create_dir(at(folder)).expect("made");
        // Whatever this user's mask is.
        fs::set_permissions(at(folder), fs::Permissions::from_mode(0o755)).expect("changed");
    }
    put(&at("bin/good"), "", 0o755);
    put(&at("bin/writable"), "", 0o757);
    put(&at("bin/grouped"), "", 0o775);
    put(&at("team/replaced"), "", 0o755);
    put(&at("bin/plain"), "", 0o644);
    put(&at("access/bin/own"), "", 0o755);
    put(&at("open/replaced"), "", 0o755);
    put(&at("shared/kept"), "", 0o755);
    for (folder, mode) in [("open", 0o777), ("shared", 0o1777), ("team", 0o775)] {
        fs::set_permissions(at(folder), fs::Permissions::from_mode(mode)).expect("changed");
    }
    symlink(at("bin/good"), at("bin/link")).expect("linked");
    symlink(at("access/bin/own"), at("bin/into")).expect("linked");
    symlink(at("bin/good"), at("access/bin/out")).expect("linked");
    symlink(at("access/bin/out"), at("bin/through")).expect("linked");
    symlink(at("access/folder"), at("bin/folder")).expect("linked");
    symlink(at("bin"), at("access/folder")).expect("linked");
    symlink("circle", at("bin/circle")).expect("linked");
    let access = at("access");
    for (path, file) in [
        ("bin/good", "bin/good"),
        ("bin/link", "bin/good"),
        ("access/../bin/good", ""),
        ("bin/../bin/good", "bin/good"),
        ("shared/kept", "shared/kept"),
    ] {
        let found = said(&format!("x={}", at(path).display()), &access);
        match file {
            "" => assert!(found.is_err(), "{path}"),
            file => assert_eq!(found, Ok(at(file)), "{path}"),
        }
    }
    let inside = "inside of the configuration's directory";
    for (path, why) in [
        ("access/bin/own", inside),
        ("bin/../access/bin/own", inside),
        ("bin/into", inside),
        ("access/bin/out", inside),
        ("bin/through", inside),
        ("bin/folder/good", inside),
        ("bin/writable", "everybody may write"),
        ("open/replaced", "everybody may write"),
        ("bin/grouped", "everybody of its group may write"),
        ("team/replaced", "everybody of its group may write"),
        ("bin/plain", "no file that can be run"),
        ("bin", "no file that can be run"),
        ("bin/missing", "cannot be looked at"),
        ("bin/circle", "cannot be looked at"),
    ] {
        let found = said(&format!("x={}", at(path).display()), &access);
        let found = found.expect_err("refused");
        assert!(found.contains(why), "{path}: {found}");
    }
    let good = at("bin/good");
    let good = good.display();
    for (given, why) in [
        ("x".to_owned(), "no NAME=PATH"),
        ("x=bin/good".to_owned(), "not absolute"),
        ("x=./good".to_owned(), "not absolute"),
        (format!("={good}"), "a name is of"),
        (format!("X={good}"), "a name is of"),
        (format!("a/b={good}"), "a name is of"),
        (format!("..={good}"), "a name is of"),
        (format!("a b={good}"), "a name is of"),
    ] {
        let found = said(&given, &access).expect_err("refused");
        assert!(found.contains(why), "{given}: {found}");
    }
    let twice = ExecArgs {
        allow_exec: vec![format!("x={good}"), format!("x={good}")],
        exec_env: Vec::new(),
    };
    assert!(allowed(&twice, &access, LONG).is_err());
}

/// One commit would change both.
#[test]
fn a_program_is_outside_of_the_repository_of_the_configuration_by_whatever_way() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path().canonicalize().expect("is there");
    let at = |path: &str| root.join(path);
    for folder in [
        "checkout",
        "checkout/live",
        "checkout/live/access",
        "checkout/bin",
        "bin",
    ] {
        fs::create_dir(at(folder)).expect("made");
        fs::set_permissions(at(folder), fs::Permissions::from_mode(0o755)).expect("changed");
    }
    for program in ["checkout/bin/own", "checkout/live/own", "bin/good"] {
        put(&at(program), "", 0o755);
    }
    symlink(at("checkout/bin/own"), at("bin/into")).expect("linked");
    symlink(at("bin/good"), at("checkout/bin/out")).expect("linked");
    let access = at("checkout/live/access");
    let refused = |path: &str| {
        let found = said(&format!("x={}", at(path).display()), &access);
        found.is_err_and(|why| why.contains("inside of the git repository that holds"))
    };
    let own = [
        "checkout/bin/own",
        "checkout/live/own",
        "bin/into",
        "checkout/bin/out",
    ];
    for path in own {
        assert!(!refused(path), "{path}: there is no repository");
    }
    // A worktree has a file of that name.
    fs::write(at("checkout/.git"), "gitdir: /elsewhere\n").expect("written");
    for path in own {
        assert!(refused(path), "{path}");
    }
    assert!(!refused("bin/good"));
    fs::remove_file(at("checkout/.git")).expect("was there");
    fs::create_dir(at("checkout/.git")).expect("made");
    assert!(refused("checkout/bin/own"));
}

/// Only root may give something away, so the whole way is looked at by root alone.
#[test]
fn what_another_user_owns_is_refused() {
    let (_dir, path) = script("");
    let file = fs::symlink_metadata(&path).expect("is there");
    let folder = fs::symlink_metadata(path.parent().expect("a folder")).expect("is there");
    let (me, root, other) = (1000, 0, 1001);
    for of in [file.file_type(), folder.file_type()] {
        assert_eq!(others_replace(of, 0o755, me, me), None);
        assert_eq!(others_replace(of, 0o755, root, me), None);
        assert!(others_replace(of, 0o755, other, me).is_some());
        assert!(others_replace(of, 0o1755, me, root).is_some());
    }
    // In a folder as /tmp its owner still replaces what belongs to others.
    assert!(others_replace(folder.file_type(), 0o1777, other, me).is_some());
    assert_eq!(others_replace(folder.file_type(), 0o1777, root, me), None);
    // Nothing holds a file like that.
    assert!(others_replace(file.file_type(), 0o1777, root, me).is_some());
    let given = format!("x={}", path.display());
    let outside = tempfile::tempdir().expect("a folder");
    assert!(said(&given, outside.path()).is_ok());
    for of in [path.as_path(), path.parent().expect("a folder")] {
        if std::os::unix::fs::chown(of, Some(65534), None).is_err() {
            return;
        }
        let found = said(&given, outside.path()).expect_err("refused");
        assert!(found.contains("another user owns"), "{found}");
        std::os::unix::fs::chown(of, Some(0), None).expect("given back");
    }
}

#[test]
fn no_program_gets_a_login_of_rolecall_or_of_its_job() {
    for name in [
        "MONDOO_CONFIG_BASE64",
        "ROLECALL_SEAL_KEY",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "mondoo_config_base64",
        "",
        "A=B",
    ] {
        assert!(environment(&[name.to_owned()]).is_err(), "{name}");
    }
    let given = environment(&[
        "CARGO_MANIFEST_DIR".to_owned(),
        "NOT_SET_ANYWHERE".to_owned(),
    ]);
    let given = given.expect("is right");
    let names: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"PATH") && names.contains(&"CARGO_MANIFEST_DIR"));
    let known = ["PATH", "HOME", "LANG", "CARGO_MANIFEST_DIR"];
    assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
}
