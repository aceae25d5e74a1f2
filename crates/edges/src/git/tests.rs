//! Histories that git itself wrote, in `fixtures/git` (`scripts/git-history` makes them), and small ones that are
//! made here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rolecall_standins::git::WorkTree;

use super::id::Hash;
use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn repository(dir: &Path) -> Repository {
    Repository::around(dir).expect("a repository")
}

fn standing(dir: &Path, commit: &str) -> Standing {
    let mut all = repository(dir).standings([&commit[..12]]);
    all.remove(&commit[..12]).expect("an answer")
}

/// A work tree whose repository is one of the fixtures.
fn fixture(name: &str) -> (tempfile::TempDir, PathBuf) {
    let of = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/git")).join(name);
    let dir = folder();
    fs::write(
        dir.path().join(".git"),
        format!("gitdir: {}\n", of.display()),
    )
    .expect("written");
    (dir, of)
}

#[test]
fn git_says_the_same_of_the_histories_that_it_packed() {
    for (name, gone) in [
        ("packed", Standing::Unknown),
        ("deltas-by-name", Standing::Unknown),
        ("large-places", Standing::Unknown),
        ("shallow", Standing::Shallow),
        ("borrows", Standing::Unknown),
        ("sha256", Standing::Unknown),
    ] {
        let (dir, of) = fixture(name);
        let answers = fs::read_to_string(of.join("answers")).expect("answers");
        let (head, answers) = answers.split_once('\n').expect("lines");
        let found = repository(dir.path());
        assert_eq!(found.head(), head, "{name}");
        let commits = answers.lines().map(|line| &line[..12]);
        let standings = found.standings(commits);
        let mut kinds = BTreeSet::new();
        for line in answers.lines() {
            let (commit, says) = line.split_once(' ').expect("an answer");
            let expected = match says {
                "ancestor" => Standing::Ancestor,
                "other" => Standing::NotAncestor,
                _ => gone.clone(),
            };
            assert_eq!(standings[&commit[..12]], expected, "{name}: {line}");
            kinds.insert(says);
        }
        assert!(
            kinds.len() >= 2 && answers.lines().count() > 30,
            "{name}: {kinds:?}"
        );
    }
}

/// Of the files and folders that git wrote as differences, too: each comes to what its name says.
#[test]
fn the_packs_have_differences_of_both_kinds_and_each_object_is_read() {
    for (name, hash, kind) in [
        ("packed", Hash::Sha1, 6),
        ("deltas-by-name", Hash::Sha1, 7),
        ("large-places", Hash::Sha1, 6),
        ("sha256", Hash::Sha256, 6),
    ] {
        let (_dir, of) = fixture(name);
        let packs = fs::read_dir(of.join("objects/pack")).expect("packs");
        let mut paths = packs.map(|pack| pack.expect("a file").path());
        let index = paths.find(|path| path.extension().is_some_and(|is| is == "idx"));
        let pack = pack::Pack::open(&index.expect("an index"), hash).expect("a pack");
        let kinds = pack.kinds().expect("read");
        assert!(kinds.contains(&kind), "{name}: {kinds:?}");
        let mut all = Vec::new();
        pack.beginning(&[], &mut all).expect("names");
        assert!(all.len() > 90, "{name}");
        for id in all {
            let (kind, body) = pack.read(&id).expect("read").expect("there");
            assert_eq!(hash.name(kind.word(), &body), id);
        }
    }
}

#[test]
fn each_answer_of_a_small_history() {
    let dir = folder();
    let mut tree = WorkTree::init(dir.path());
    assert!(
        Repository::around(dir.path()).is_none(),
        "nothing is committed"
    );
    let first = tree.commit(&[("a", "1")], &[]);
    let second = tree.commit(&[("a", "2")], &[&first]);
    let side = tree.commit(&[("a", "3")], &[&first]);
    let merged = tree.commit(&[("a", "4")], &[&second, &side]);
    tree.check_out(&second);
    assert_eq!(standing(dir.path(), &first), Standing::Ancestor);
    assert_eq!(standing(dir.path(), &second), Standing::Ancestor);
    assert_eq!(standing(dir.path(), &side), Standing::NotAncestor);
    assert_eq!(standing(dir.path(), &merged), Standing::NotAncestor);
    assert_eq!(standing(dir.path(), "0123456789ab"), Standing::Unknown);
    tree.check_out(&merged);
    assert_eq!(standing(dir.path(), &side), Standing::Ancestor);
    // The same digits name a file.
    let blob = tree.place(&first);
    let name = |path: &Path| {
        path.file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    let twin = format!("{}{}", &name(&blob)[..12], "0".repeat(26));
    fs::write(blob.with_file_name(twin), "no object").expect("written");
    let damaged = "a loose object of git's is damaged".to_owned();
    assert_eq!(standing(dir.path(), &first), Standing::Unread(damaged));
}

#[test]
fn a_shallow_history_says_what_it_has_and_no_more() {
    let dir = folder();
    let mut tree = WorkTree::init(dir.path());
    let first = tree.commit(&[("a", "1")], &[]);
    let second = tree.commit(&[("a", "2")], &[&first]);
    let third = tree.commit(&[("a", "3")], &[&second]);
    let side = tree.commit(&[("a", "4")], &[&first]);
    tree.check_out(&third);
    tree.cut(&[&second], &[&first]);
    assert_eq!(standing(dir.path(), &third), Standing::Ancestor);
    assert_eq!(standing(dir.path(), &second), Standing::Ancestor);
    assert_eq!(standing(dir.path(), &first), Standing::Shallow);
    assert_eq!(standing(dir.path(), &side), Standing::Shallow);
    // A commit that is gone for another reason.
    fs::remove_file(dir.path().join(".git/shallow")).expect("removed");
    assert_eq!(standing(dir.path(), &side), Standing::Unknown);
    assert_eq!(standing(dir.path(), &second), Standing::Ancestor);
}

#[test]
fn what_is_damaged_or_not_told_apart_is_no_answer() {
    let dir = folder();
    let mut tree = WorkTree::init(dir.path());
    let mut commits: Vec<String> = Vec::new();
    while commits.len() < 257 {
        let last: Vec<&str> = commits.last().map(String::as_str).into_iter().collect();
        let next = tree.commit(&[("a", "1")], &last);
        commits.push(next);
    }
    let head = &commits[256];
    tree.check_out(head);
    // There are 256 beginnings of two digits.
    let mut beginnings = BTreeSet::from([&head[..2]]);
    let twice = commits[..256]
        .iter()
        .find(|commit| !beginnings.insert(&commit[..2]));
    let twice = &twice.expect("two commits that begin alike")[..2];
    if !head.starts_with(twice) {
        let found = &repository(dir.path()).standings([twice])[twice];
        assert!(
            matches!(found, Standing::Unread(why) if why.contains("more than one")),
            "{found:?}"
        );
    }
    // Another commit in the place of one: each is held to its name.
    fs::copy(tree.place(&commits[100]), tree.place(&commits[200])).expect("copied");
    let found = standing(dir.path(), &commits[50]);
    assert!(
        matches!(&found, Standing::Unread(why) if why.contains(&commits[200])),
        "{found:?}"
    );
    assert_eq!(standing(dir.path(), &commits[201]), Standing::Ancestor);
    // A pack of another form: what is checked out is known all the same.
    let packs = dir.path().join(".git/objects/pack");
    fs::create_dir_all(&packs).expect("made");
    for name in ["a.idx", "a.pack"] {
        fs::write(packs.join(name), "an index of version 1").expect("written");
    }
    let found = standing(dir.path(), &commits[255]);
    assert!(
        matches!(&found, Standing::Unread(why) if why.contains("version 2")),
        "{found:?}"
    );
    assert_eq!(standing(dir.path(), head), Standing::Ancestor);
    for n in 0..300 {
        fs::write(packs.join(format!("{n}.idx")), "").expect("written");
    }
    let found = standing(dir.path(), &commits[255]);
    assert!(
        matches!(&found, Standing::Unread(why) if why.contains("more than 300 packs")),
        "{found:?}"
    );
    fs::remove_dir_all(packs).expect("removed");
    for odd in ["", "abc", "not a name at"] {
        let found = &repository(dir.path()).standings([odd])[odd];
        let wanted = match odd {
            "" => Standing::Ancestor,
            _ => Standing::Unread("its name is not one of git's".to_owned()),
        };
        assert_eq!(*found, wanted, "{odd}");
    }
}

#[test]
fn files_are_the_commits_or_not() {
    let dir = folder();
    let mut tree = WorkTree::init(dir.path());
    let files = [
        ("access/a.hcl", "one\ntwo\n"),
        ("access/b.hcl", "b\n"),
        ("access/notes.txt", "old"),
        ("access/link.hcl@", "a.hcl"),
        ("access/more.hcl/c.hcl", "c"),
        ("other.hcl", "o"),
    ];
    let commit = tree.commit(&files, &[]);
    tree.check_out(&commit);
    let access = dir.path().join("access");
    fs::create_dir(&access).expect("made");
    let link = |to: &str| {
        let link = access.join("link.hcl");
        if link.is_symlink() {
            fs::remove_file(&link).expect("removed");
        }
        std::os::unix::fs::symlink(to, link).expect("linked");
    };
    link("a.hcl");
    let has = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(name, text)| (*name, text.as_bytes()));
        repository(dir.path()).has(&access, files, |name| name.ends_with(".hcl"))
    };
    let (a, b, l) = (
        ("a.hcl", "one\ntwo\n"),
        ("b.hcl", "b\n"),
        ("link.hcl", "whatever it leads to"),
    );
    assert!(has(&[a, b, l]));
    assert!(
        has(&[b, l, ("a.hcl", "one\r\ntwo\r\n")]),
        "lines of Windows"
    );
    link("b.hcl");
    assert!(!has(&[a, b, l]), "it leads elsewhere");
    link("a.hcl");
    for (files, why) in [
        (&[a, l, ("b.hcl", "B\n")][..], "changed"),
        (&[a, l], "taken out"),
        (&[a, b, l, ("c.hcl", "c")], "new"),
        (
            &[a, b, l, ("more.hcl", "c")],
            "a file in the place of a folder",
        ),
        (&[b, l, ("a.hcl", "one\r two\n")], "another letter"),
        (&[], "nothing"),
    ] {
        assert!(!has(files), "{why}");
    }
    let found = repository(dir.path());
    assert!(!found.has(&dir.path().join("no-such"), [], |_| true));
    fs::create_dir(dir.path().join("new")).expect("made");
    assert!(
        !found.has(&dir.path().join("new"), [], |_| true),
        "not of the commit"
    );
    for (path, text, differs) in [
        ("access/a.hcl", "one\ntwo\n", false),
        ("access/a.hcl", "one\n", true),
        ("access/values.hcl", "one\n", false),
        ("new/a.hcl", "one\n", false),
    ] {
        let found = found.differs(&dir.path().join(path), text.as_bytes());
        assert_eq!(found, differs, "{path} {text}");
    }
}

/// Whatever bits of a pack and its index change: nothing panics, and no commit is taken for an ancestor, or for none,
/// that git did not say so of.
#[test]
fn a_damaged_pack_gives_no_wrong_answer() {
    let (_dir, of) = fixture("packed");
    let answers = fs::read_to_string(of.join("answers")).expect("answers");
    let says = |word: &str| {
        let mut lines = answers.lines().skip(1).filter(|line| line.ends_with(word));
        lines.nth(3).or_else(|| lines.next()).unwrap_or_default()[..12].to_owned()
    };
    let other = answers.lines().find(|line| line.ends_with(" other"));
    let other = other.expect("a commit that is no ancestor")[..12].to_owned();
    let ancestor = says(" ancestor");
    let dir = folder();
    let git = dir.path().join(".git");
    let packs = git.join("objects/pack");
    fs::create_dir_all(&packs).expect("made");
    for name in ["HEAD", "packed-refs"] {
        fs::copy(of.join(name), git.join(name)).expect("copied");
    }
    let files = fs::read_dir(of.join("objects/pack")).expect("packs");
    let files: Vec<(PathBuf, Vec<u8>)> = files
        .map(|file| file.expect("a file").path())
        .map(|path| {
            (
                packs.join(path.file_name().expect("a name")),
                fs::read(path).expect("read"),
            )
        })
        .collect();
    let (mut wrong, mut unread) = (0, 0);
    let mut state = 11_usize;
    for round in 0..600 {
        let mut damaged = files.clone();
        let (_, bytes) = &mut damaged[round % 2];
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695);
        let at = (state >> 20) % bytes.len();
        match round % 5 {
            0 => bytes.truncate(at),
            1 => bytes[at..].fill(0xff),
            _ => bytes[at] ^= 1 << (round % 8),
        }
        for (path, bytes) in &damaged {
            fs::write(path, bytes).expect("written");
        }
        let found = repository(dir.path()).standings([ancestor.as_str(), other.as_str()]);
        for (commit, right) in [
            (&ancestor, Standing::Ancestor),
            (&other, Standing::NotAncestor),
        ] {
            match &found[commit] {
                Standing::Unread(_) | Standing::Unknown => unread += 1,
                found if *found == right => {}
                _ => wrong += 1,
            }
        }
    }
    assert_eq!(wrong, 0);
    assert!(unread > 100, "{unread}");
}

/// Histories by chance, some packed and some not, whose clocks are right or not.
#[test]
#[ignore = "scripts/git-history"]
fn real_git_says_the_same_of_histories_by_chance() {
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut state = 7_u64;
    let mut chance = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let git = |dir: &Path, arguments: &[&str], input: &str| {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(dir)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git runs");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(input.as_bytes()).expect("written");
        drop(stdin);
        let output = child.wait_with_output().expect("git ends");
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let mut asked = 0;
    for round in 0..40 {
        let dir = folder();
        let format = ["sha1", "sha256"][round % 2];
        let format = format!("--object-format={format}");
        git(dir.path(), &["init", "-q", "-b", "main", &format], "");
        let n = 2 + chance(60);
        let mut stream = String::new();
        for commit in 1..=n {
            let when = match chance(4) {
                0 => chance(2_000_000_000),
                _ => 1_700_000_000 + commit,
            };
            write!(
                stream,
                "reset refs/heads/b{commit}\ncommit refs/heads/b{commit}\nmark :{commit}\n\
                 committer A <a@b> {when} +0000\ndata 1\n.\n"
            )
            .expect("a text");
            let mut parents: Vec<u64> = (0..chance(4)).map(|_| 1 + chance(commit)).collect();
            parents.retain(|parent| *parent < commit);
            parents.sort_unstable();
            parents.dedup();
            for (n, parent) in parents.iter().enumerate() {
                let word = if n == 0 { "from" } else { "merge" };
                writeln!(stream, "{word} :{parent}").expect("a text");
            }
            writeln!(stream, "M 100644 inline a\ndata 2\n{}", commit % 90 + 10).expect("a text");
        }
        git(dir.path(), &["fast-import", "--quiet"], &stream);
        match round % 3 {
            0 => _ = git(dir.path(), &["gc", "-q"], ""),
            1 => {
                git(dir.path(), &["repack", "-q", "-adf", "--depth=9"], "");
            }
            _ => {}
        }
        let all = git(dir.path(), &["rev-list", "--all"], "");
        let all: Vec<&str> = all.lines().collect();
        for _ in 0..5 {
            let head = all[usize::try_from(chance(all.len() as u64)).expect("small")];
            git(dir.path(), &["update-ref", "--no-deref", "HEAD", head], "");
            let before = git(dir.path(), &["rev-list", head], "");
            let before: BTreeSet<&str> = before.lines().collect();
            let standings = repository(dir.path()).standings(all.iter().map(|c| &c[..12]));
            for commit in &all {
                let expected = match before.contains(commit) {
                    true => Standing::Ancestor,
                    false => Standing::NotAncestor,
                };
                assert_eq!(standings[&commit[..12]], expected, "{commit} for {head}");
                asked += 1;
            }
        }
    }
    println!("git said the same of {asked} pairs");
}

/// How long it takes to find the first of many commits.
#[test]
#[ignore = "scripts/git-history"]
fn real_git_packs_a_long_history_that_is_read_in_seconds() {
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let dir = folder();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(dir.path()).args(arguments);
        command
    };
    let made = git(&["init", "-q", "-b", "main"])
        .status()
        .expect("git runs");
    assert!(made.success());
    let mut stream = String::new();
    let commits = 100_000;
    for n in 1..=commits {
        write!(
            stream,
            "commit refs/heads/main\nmark :{n}\ncommitter A <a@b> {} +0000\ndata 6\nChange\n",
            1_700_000_000 + n
        )
        .expect("a text");
        if n > 1 {
            writeln!(stream, "from :{}", n - 1).expect("a text");
        }
    }
    let mut child = git(&["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("git runs");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(stream.as_bytes()).expect("written");
    drop(stdin);
    assert!(child.wait().expect("git ends").success());
    let output = git(&["rev-list", "--max-parents=0", "main"])
        .output()
        .expect("git runs");
    let first = String::from_utf8(output.stdout).expect("text");
    let start = std::time::Instant::now();
    assert_eq!(standing(dir.path(), &first), Standing::Ancestor);
    println!(
        "{commits} commits were read in {} ms",
        start.elapsed().as_millis()
    );
}

/// The small repositories of the tests are what git takes for repositories.
#[test]
#[ignore = "scripts/git-history"]
fn real_git_takes_the_small_repositories_for_its_own() {
    let dir = folder();
    let mut tree = WorkTree::init(dir.path());
    let first = tree.commit(&[("a/b.hcl", "1"), ("a.hcl", "2"), ("a-b", "3")], &[]);
    let second = tree.commit(&[("a/b.hcl", "2")], &[&first]);
    tree.check_out(&second);
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(dir.path())
        .args(["fsck", "--strict", "--full"])
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{output:?}");
}

/// What was in a folder before, whatever else the repository has: each form of it once, from the newest commit
/// that has it.
#[test]
fn a_folder_is_told_as_commits_had_it_the_newest_first() {
    let dir = folder();
    let mut tree = WorkTree::init(dir.path());
    fs::create_dir(dir.path().join("access")).expect("made");
    let one = tree.commit(&[("access/a.hcl", "1"), ("access/x/a.hcl", "deep")], &[]);
    let two = tree.commit(&[("access/a.hcl", "2"), ("access/b.md", "-")], &[&one]);
    let same = tree.commit(
        &[("access/a.hcl", "2"), ("access/b.md", "-"), ("c", "")],
        &[&two],
    );
    let gone = tree.commit(&[("c", "")], &[&same]);
    let side = tree.commit(&[("access/a.hcl", "s")], &[&one]);
    let head = tree.commit(&[("access/a.hcl", "h"), ("c", "")], &[&gone, &side]);
    tree.check_out(&head);
    let told = |path: &str, most: usize| {
        let mut found = Vec::new();
        let counts = |name: &str| name.ends_with(".hcl");
        let read = repository(dir.path()).earlier(&dir.path().join(path), counts, |one| {
            let files = one.files.iter();
            let files = files.map(|(name, bytes)| (name.clone(), bytes.clone()));
            found.push((one.commit, files.collect::<Vec<_>>()));
            found.len() == most
        });
        read.map(|()| found)
    };
    let file = |text: &str| vec![("a.hcl".to_owned(), text.as_bytes().to_vec())];
    let all = told("access", 9).expect("readable");
    let mut commits: Vec<&str> = all.iter().map(|(commit, _)| commit.as_str()).collect();
    assert_eq!(all[0], (head.clone(), file("h")));
    // Of two branches that were made in one second either may come first.
    commits.sort_unstable();
    let mut expected = vec![head.as_str(), &same, &side, &one];
    expected.sort_unstable();
    assert_eq!(commits, expected);
    assert!(
        all.contains(&(same.clone(), file("2"))),
        "the newest that has it: {all:?}"
    );
    assert_eq!(told("access", 2).expect("readable").len(), 2);
    assert_eq!(told(".", 1).expect("readable")[0].1, []);
    assert!(told("nowhere", 1).is_err());
    // A shallow clone ends where it is cut.
    tree.cut(&[&gone], &[&same, &two]);
    let rest = told("access", 9).expect("readable");
    assert!(rest.iter().all(|(commit, _)| *commit != two), "{rest:?}");
}
