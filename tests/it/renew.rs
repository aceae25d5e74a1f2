//! Files that tests compare with: `UPDATE=1` renews every one of them, and no other variable any.

use std::path::Path;

use snapbox::assert::Action;

/// Whether files are to be renewed.
pub fn asked() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

/// Compares a text with the file that holds it, from the root of the package.
#[track_caller]
pub fn compare(actual: &str, file: impl AsRef<Path>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if let Err(why) = settle(actual, &path, asked()) {
        panic!("{why}");
    }
}

/// Compares, or renews where that is asked for.
fn settle(actual: &str, path: &Path, renew: bool) -> Result<(), String> {
    let action = match renew {
        true => Action::Overwrite,
        false => Action::Verify,
    };
    let expected = snapbox::Data::read_from(path, Some(snapbox::data::DataFormat::Text)).raw();
    snapbox::Assert::new()
        .action(action)
        .try_eq(Some(&path.display()), actual.into(), expected)
        .map_err(|error| format!("{error}\nif that is meant, UPDATE=1 cargo test renews it"))
}

#[test]
fn a_file_is_renewed_when_asked_and_kept_otherwise() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("golden.txt");
    for old in [None, Some("[..]\n"), Some("what was\n"), Some("")] {
        match old {
            Some(old) => std::fs::write(&path, old).expect("written"),
            None => assert!(!path.exists()),
        }
        let why = settle("what is\n", &path, false).expect_err("another text");
        assert!(why.contains("UPDATE=1"), "{why}");
        assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), old);
        settle("what is\n", &path, true).expect("renewed");
        settle("what is\n", &path, false).expect("the same");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "what is\n");
    }
}

/// Every Rust file of the repository that is compiled for a test.
fn sources(dir: &Path, into: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            into.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn nothing_else_renews_files() {
    let mut files = Vec::new();
    for dir in ["src", "tests", "crates"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut files);
    }
    let pattern: regex::Regex =
        r#"var(_os)?\("(\w*(UPDATE|RENEW|SNAPSHOT|BLESS|OVERWRITE)\w*)"|action_env\("#
            .parse()
            .expect("valid");
    let mut found = 0;
    for (path, text) in files {
        for reads in pattern.captures_iter(&text) {
            let name = reads.get(2).map(|name| name.as_str());
            assert_eq!(name, Some("UPDATE"), "in {path}");
            found += 1;
        }
    }
    assert_eq!(
        found, 4,
        "the integration tests, the pages of src, its comment, the server's schema"
    );
}
