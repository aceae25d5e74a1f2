//! Workflows for systems that run jobs: their templates, which version of them this is, and which of a
//! repository are older. Writes nothing, and asks nobody.

mod template;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use template::render;

/// The version of the templates; raised whenever one of them asks for something else, or does.
pub const VERSION: u32 = 2;
/// What each version does otherwise than the one before.
const CHANGES: &[(u32, &str)] = &[(
    2,
    "pull requests are judged by one required status, each configuration is planned by itself, rolecall is \
     installed by its checksum, what somebody approved is what is applied, a night looks for drift, and no \
     waiting apply is dropped",
)];
/// What the first line of each file says before its version.
const HEAD: &str = "rolecall workflows, version ";
/// What the one file of the first version says, which knew no versions.
const FIRST: &str = "Written by `rolecall init`.";
/// How much of a file is read for its version, in bytes: its first lines.
const MOST: u64 = 4096;

/// A system that runs workflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum System {
    /// GitHub Actions
    Github,
    /// GitLab CI/CD
    Gitlab,
    /// Plain scripts for any other
    Shell,
}

/// What an apply rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// A plan of what is merged, which the reviewers of an environment let through
    Strict,
    /// A verdict on the pull request, by a run of the default branch's own file, and an approval after it
    Verdict,
    /// The digest of a plan that a person has read
    ByHand,
}

impl Form {
    /// As the command line and the files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Verdict => "verdict",
            Self::ByHand => "by-hand",
        }
    }
}

/// What workflows are written for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which system.
    pub system: System,
    /// What an apply rests on.
    pub form: Form,
    /// The default branch.
    pub branch: String,
    /// Whether plans may be shown in a public repository.
    pub public: bool,
    /// Where the archives of a release are; empty where nobody has said.
    pub address: String,
    /// Their checksums, each `DIGITS  NAME`.
    pub sums: Vec<String>,
    /// In which minute of an hour the nightly run begins, 0 to 59.
    pub minute: u8,
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where it goes, below the root of the repository.
    pub path: &'static str,
    /// What stands in it.
    pub text: String,
    /// Whether it is a program.
    pub runs: bool,
}

/// The files that a system wants.
pub fn files(wanted: &Wanted) -> Vec<Text> {
    let form = wanted.form;
    let words = [
        ("VERSION", VERSION.to_string()),
        ("FORM", form.name().to_owned()),
        ("BRANCH", wanted.branch.clone()),
        ("MINUTE", wanted.minute.to_string()),
        (
            "PUBLIC",
            if wanted.public { "--public" } else { "" }.to_owned(),
        ),
        (
            "PULLS",
            match form {
                Form::Verdict => "",
                // The branch that the host compares with is the one of the event.
                Form::Strict | Form::ByHand => " and for refs/pull/*/merge",
            }
            .to_owned(),
        ),
        (
            "REVIEWERS",
            match form {
                Form::Strict => {
                    ", with required reviewers who may not let through what they started"
                }
                Form::Verdict | Form::ByHand => "",
            }
            .to_owned(),
        ),
    ];
    let words: BTreeMap<&str, String> = words.into();
    let file = |path, template: &str, runs| Text {
        path,
        text: render(template, form.name(), &words),
        runs,
    };
    match wanted.system {
        System::Github => vec![
            file(
                ".github/workflows/rolecall-plan.yml",
                include_str!("templates/github/plan.yml"),
                false,
            ),
            file(
                ".github/workflows/rolecall-apply.yml",
                include_str!("templates/github/apply.yml"),
                false,
            ),
            file(
                ".github/workflows/rolecall-nightly.yml",
                include_str!("templates/github/nightly.yml"),
                false,
            ),
            Text {
                path: ".github/actions/rolecall/action.yml",
                text: action(wanted),
                runs: false,
            },
        ],
        System::Gitlab => vec![
            file(
                ".gitlab/rolecall.yml",
                include_str!("templates/gitlab/rolecall.yml"),
                false,
            ),
            file(
                ".gitlab-ci.yml",
                include_str!("templates/gitlab/ci.yml"),
                false,
            ),
        ],
        System::Shell => vec![
            file(
                "ci/rolecall-plan.sh",
                include_str!("templates/shell/plan.sh"),
                true,
            ),
            file(
                "ci/rolecall-apply.sh",
                include_str!("templates/shell/apply.sh"),
                true,
            ),
            file(
                "ci/rolecall-check.sh",
                include_str!("templates/shell/check.sh"),
                true,
            ),
        ],
    }
}

/// The action of this project, with the release that was named as what it installs by itself.
fn action(wanted: &Wanted) -> String {
    const ACTION: &str = include_str!("../../../action.yml");
    let nothing = "    default: \"\"\n";
    let with = |text: &str, input: &str, default: String| {
        let begins = format!("  {input}:\n");
        let Some((before, rest)) = text.split_once(&begins) else {
            return text.to_owned();
        };
        format!("{before}{begins}{}", rest.replacen(nothing, &default, 1))
    };
    let mut text = format!(
        "# {HEAD}{VERSION}: the action of their jobs. Written by `rolecall init`.\n# Say at `address` and `sha256` \
         where rolecall is: all workflows here have it from this file.\n#\n{ACTION}"
    );
    if !wanted.address.is_empty() {
        text = with(
            &text,
            "address",
            format!("    default: \"{}\"\n", wanted.address),
        );
    }
    if !wanted.sums.is_empty() {
        let lines = wanted.sums.iter().map(|line| format!("      {line}\n"));
        let lines: String = lines.collect();
        text = with(&text, "sha256", format!("    default: |\n{lines}"));
    }
    text
}

/// A workflow that an earlier rolecall has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// Where it is.
    pub path: PathBuf,
    /// Its version.
    pub version: u32,
}

impl Older {
    /// What this version does otherwise, a sentence.
    pub fn changes(&self) -> String {
        let since = CHANGES
            .iter()
            .filter(|(version, _)| *version > self.version);
        let since: Vec<&str> = since.map(|(_, what)| *what).collect();
        since.join("; ")
    }
}

/// The workflows of the repository around a folder that an earlier version has written.
pub fn older(dir: &Path) -> Vec<Older> {
    let Ok(dir) = fs::canonicalize(dir) else {
        return Vec::new();
    };
    let Some(root) = dir.ancestors().find(|folder| folder.join(".git").exists()) else {
        return Vec::new();
    };
    const FILES: [&str; 9] = [
        ".github/workflows/rolecall.yml",
        ".github/workflows/rolecall-plan.yml",
        ".github/workflows/rolecall-apply.yml",
        ".github/workflows/rolecall-nightly.yml",
        ".github/actions/rolecall/action.yml",
        ".gitlab/rolecall.yml",
        "ci/rolecall-plan.sh",
        "ci/rolecall-apply.sh",
        "ci/rolecall-check.sh",
    ];
    let found = FILES.iter().filter_map(|name| {
        let version = version(&begins(&root.join(name))?)?;
        (version < VERSION).then(|| Older {
            path: PathBuf::from(name),
            version,
        })
    });
    found.collect()
}

/// The first lines of a file; `None` if there is no such file.
fn begins(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(MOST)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Which version a file says it is; `None` of one that is somebody's own.
fn version(text: &str) -> Option<u32> {
    let mut head = text.lines().take(3);
    head.find_map(|line| match line.split_once(HEAD) {
        Some((_, rest)) => {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        }
        None => line.contains(FIRST).then_some(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(system: System, form: Form) -> Wanted {
        Wanted {
            system,
            form,
            branch: "trunk".to_owned(),
            public: false,
            address: String::new(),
            sums: Vec::new(),
            minute: 17,
        }
    }

    const ALL: [(System, &[Form]); 3] = [
        (System::Github, &[Form::Strict, Form::Verdict, Form::ByHand]),
        (System::Gitlab, &[Form::Strict, Form::ByHand]),
        (System::Shell, &[Form::ByHand]),
    ];

    #[test]
    fn every_file_says_its_version_and_nothing_of_a_template_is_left() {
        for (system, forms) in ALL {
            for form in forms {
                for file in files(&wanted(system, *form)) {
                    let Text { path, text, runs } = file;
                    assert!(!text.contains("#:"), "{path}");
                    let left: Vec<&str> = text
                        .split('@')
                        .filter(|part| {
                            !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase())
                        })
                        .collect();
                    assert!(left.is_empty(), "{path}: {left:?}");
                    assert_eq!(runs, text.starts_with("#!"), "{path}");
                    if path != ".gitlab-ci.yml" {
                        assert_eq!(version(&text), Some(VERSION), "{path}");
                    }
                }
            }
        }
    }

    #[test]
    fn each_version_says_what_it_changed() {
        let said: Vec<u32> = CHANGES.iter().map(|(version, _)| *version).collect();
        let all: Vec<u32> = (2..=VERSION).collect();
        assert_eq!(said, all);
    }

    #[test]
    fn a_release_that_was_named_is_what_the_action_installs() {
        let mut wanted = wanted(System::Github, Form::ByHand);
        wanted.address = "https://example.com/v1".to_owned();
        wanted.sums = vec!["00ff  one.tar.gz".to_owned(), "11ee  two.tar.gz".to_owned()];
        let text = action(&wanted);
        assert!(
            text.contains("refused.\n    default: \"https://example.com/v1\"\n  sha256:\n"),
            "{text}"
        );
        assert!(
            text.contains(
                "    default: |\n      00ff  one.tar.gz\n      11ee  two.tar.gz\n  pull-request:\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn older_workflows_are_found_and_others_are_nobodys_business() {
        let dir = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        put("access/prod/main.hcl", "");
        put(
            ".github/workflows/rolecall.yml",
            "# Plans. Written by `rolecall init`.\n",
        );
        put("ci/rolecall-plan.sh", "#!/bin/sh\necho ours\n");
        put(
            "ci/rolecall-apply.sh",
            &format!("#!/bin/sh\n# {HEAD}1, form by-hand\n"),
        );
        put(
            "ci/rolecall-check.sh",
            &format!("#!/bin/sh\n# {HEAD}{VERSION}, form by-hand\n"),
        );
        let found = || older(&dir.path().join("access/prod"));
        assert_eq!(
            found(),
            [],
            "outside of a repository nobody's are looked for"
        );
        put(".git/HEAD", "ref: refs/heads/main\n");
        let old = |path: &str| Older {
            path: PathBuf::from(path),
            version: 1,
        };
        assert_eq!(
            found(),
            [
                old(".github/workflows/rolecall.yml"),
                old("ci/rolecall-apply.sh")
            ]
        );
        assert!(found()[0].changes().contains("one required status"));
    }
}
