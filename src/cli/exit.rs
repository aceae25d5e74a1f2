//! The exit codes, the same under every output format.
//! `docs/exit-codes.md` and the text under `--help` are made of this table.

use std::fmt::Write as _;
use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; with `--detailed-exitcode`: no changes.
    Done,
    /// Error or declined, nothing written.
    Error,
    /// Changes are pending (`plan --detailed-exitcode`, `check`).
    Pending,
    /// Refused by a guard, a policy or a dispute, nothing written.
    Refused,
    /// What is live had moved since the plan, nothing written.
    Stale,
    /// Applied in part, or interrupted after a write.
    Partial,
    /// Accounts that nobody declared, that expired or whose space is gone (`plan --strict`, `check`), or drift or a dispute (`check`).
    Unmanaged,
    /// Wrong usage.
    Usage,
    /// Interrupted, nothing written.
    Interrupted,
}

/// What is to be said about an exit code.
struct Row {
    code: u8,
    name: &'static str,
    /// For `--help`.
    short: &'static str,
    meaning: &'static str,
    /// What a script does about it.
    then: &'static str,
    /// Whether the platform may have been written to.
    written: bool,
}

impl Exit {
    /// Every way to end, by code.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::Error,
        Self::Pending,
        Self::Refused,
        Self::Stale,
        Self::Partial,
        Self::Unmanaged,
        Self::Usage,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self.row().code
    }

    /// One word for it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it means, and what to do about it.
    pub fn meaning(self) -> (&'static str, &'static str) {
        let row = self.row();
        (row.meaning, row.then)
    }

    /// Whether it tells what a run that did all it was asked has found. Where that could not be shown it
    /// must not be taken for told.
    pub fn is_result(self) -> bool {
        match self {
            Self::Done | Self::Pending | Self::Unmanaged => true,
            Self::Error
            | Self::Refused
            | Self::Stale
            | Self::Partial
            | Self::Usage
            | Self::Interrupted => false,
        }
    }

    fn row(self) -> Row {
        match self {
            Self::Done => Row {
                code: 0,
                name: "done",
                short: "done",
                meaning: "All that was asked is done. `plan` without other flags ends so even if \
                          there are changes, or a scope could not be read, or is gone; with \
                          `--detailed-exitcode` it means that there are none, that all was \
                          read, and that no account is declared in a space that is gone or \
                          hidden.",
                then: "Go on.",
                written: true,
            },
            Self::Error => Row {
                code: 1,
                name: "error",
                short: "error or declined",
                meaning: "An error in the configuration, the credential, the network or a file; \
                          `apply` was answered with anything but `yes`, or had nobody to ask; or \
                          a declared scope could not be read, with `plan --strict`, `plan \
                          --detailed-exitcode`, `check` and `list`: there it goes before 2, and \
                          after 3 and 6. (`apply` does the rest and warns, or ends with 3.) \
                          `plan --detailed-exitcode` ends so as well if an account is declared \
                          in a space that is gone, or hidden from this login (with `--strict`: \
                          6). (`apply` does the rest, or ends \
                          with 3 if such an account is live elsewhere.)",
                then: "Read standard error; mend it and run again.",
                written: false,
            },
            Self::Pending => Row {
                code: 2,
                name: "pending",
                short: "changes pending (plan --detailed-exitcode, check)",
                meaning: "`plan --detailed-exitcode` found changes, or an account that another \
                          run is creating right now; or that is all that `check` found.",
                then: "Review the plan, then apply.",
                written: false,
            },
            Self::Refused => Row {
                code: 3,
                name: "refused",
                short: "refused by a guard, a policy or a dispute",
                meaning: "A guard or a policy refuses the whole plan, or something stands in the \
                          way: a disputed account, a name that is taken; with `apply` also a scope \
                          that could not be read and in which an account is declared, or a place \
                          that does not hold the key that was to be read there; with `revoke` \
                          an account that is not believed, this run's own, or an organization's last \
                          owner. With `verify`: a record is missing, was changed, or is out of order. With `gate`: something \
                          was not judged, or is refused; with `verdict`: a configuration is removed \
                          whose accounts live.",
                then: "The plan says what to settle; nothing of it is done by halves. `verify` names the \
                       record.",
                written: false,
            },
            Self::Stale => Row {
                code: 4,
                name: "stale",
                short: "stale",
                meaning: "What is live moved between the plan and the first write; with `verdict` \
                          the pull request moved on; with `approved` something is missing of what \
                          was merged: its verdict, or an approval that counts.",
                then: "Plan again and review what is different. `approved` names what is missing.",
                written: false,
            },
            Self::Partial => Row {
                code: 5,
                name: "partial",
                short: "applied in part",
                meaning: "Some changes are done and others are not, or nobody can tell; the run \
                          was interrupted after a write; an account that another run is \
                          creating was left alone; an account waits for a person, since a run that died may have written to \
                          a place that nobody can read; `revoke` left an account alone that may be \
                          meant; accounts are under another seal key, and births alone went on; or all is done and the report of it could not be \
                          written.",
                then: "The outcome says how each change ended. Run apply again.",
                written: true,
            },
            Self::Unmanaged => Row {
                code: 6,
                name: "unmanaged",
                short: "unmanaged or expired accounts, or whose space is gone (plan --strict, check), or drift or a dispute (check)",
                meaning: "`plan --strict` or `check` found accounts that this configuration does \
                          not manage, or accounts of it that have expired, were revoked or need a new key, or accounts declared in \
                          a space that is gone or hidden from this login, or `check` found drift, or what no apply puts right: a \
                          dispute, a name that is taken, a protected account that is declared no \
                          longer. It goes before 1 for a scope that could not be read, and before 2.",
                then: "Import them, delete them on the platform, leave out `--strict`, or add \
                       `--allow-unmanaged`; put drift right by an apply; correct \
                       the id of a space that is not found; `plan` says how the rest is settled.",
                written: false,
            },
            Self::Usage => Row {
                code: 64,
                name: "usage",
                short: "wrong usage",
                meaning: "The command line is wrong.",
                then: "Standard error says what; `--help` has examples.",
                written: false,
            },
            Self::Interrupted => Row {
                code: 130,
                name: "interrupted",
                short: "interrupted",
                meaning: "SIGINT, SIGTERM or SIGHUP before the first write.",
                then: "Run it again.",
                written: false,
            },
        }
    }
}

/// The paragraph under `--help`.
pub fn help() -> String {
    let mut text = "Exit codes: ".to_owned();
    let mut nothing = Vec::new();
    for (n, exit) in Exit::ALL.into_iter().enumerate() {
        let row = exit.row();
        let comma = if n == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{} {}", row.code, row.short);
        if !row.written {
            nothing.push(row.code.to_string());
        }
    }
    let last = nothing.pop().unwrap_or_default();
    let _ = write!(
        text,
        ". With {} and {last} nothing was written.",
        nothing.join(", ")
    );
    text
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page `docs/exit-codes.md`.
    fn page() -> String {
        let mut page = "# Exit codes\n\nMade from `src/cli/exit.rs`; `UPDATE=1 cargo test` renews \
                        it.\n\nThe codes are the same under `--format human` and `--format \
                        json`, where `exit_code` in the document repeats them.\n\n\
                        | code | name | meaning | written? | what to do |\n|---|---|---|---|---|\n"
            .to_owned();
        for exit in Exit::ALL {
            let row = exit.row();
            let written = match (exit, row.written) {
                (Exit::Done, _) => "as asked",
                (_, true) => "yes, or perhaps",
                (_, false) => "nothing",
            };
            page.push_str(&format!(
                "| {} | {} | {} | {written} | {} |\n",
                row.code, row.name, row.meaning, row.then
            ));
        }
        page.push_str(
            "\nA program that is killed leaves no exit code of its own; what it may leave on the \
             platform is in [reliability.md](reliability.md).\n",
        );
        page
    }

    #[test]
    fn the_page_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/exit-codes.md");
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            std::fs::write(path, page()).expect("written");
        }
        let text = std::fs::read_to_string(path).expect("the page is there");
        assert!(
            text == page(),
            "UPDATE=1 cargo test renews docs/exit-codes.md"
        );
    }

    #[test]
    fn codes_and_names_are_unique_and_in_order() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 64, 130]);
        let mut names: Vec<&str> = Exit::ALL.iter().map(|exit| exit.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), codes.len());
    }

    /// Whoever reads a document, a record or the README knows of every code.
    #[test]
    fn every_code_is_in_the_schemas_and_the_readme() {
        let read = |path: &str| {
            let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).expect("it is there")
        };
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        for schema in ["docs/schema/plan.v1.json", "docs/schema/record.v1.json"] {
            let schema_text: serde_json::Value = serde_json::from_str(&read(schema)).expect("JSON");
            let known = &schema_text["properties"]["exit_code"]["enum"];
            assert_eq!(*known, serde_json::json!(codes), "{schema}: exit_code");
        }
        let readme = read("README.md").replace('\n', " ");
        let (_, told) = readme.split_once(" Exit codes: ").expect("a paragraph");
        let (told, nothing) = told.split_once(". With ").expect("two sentences");
        let told = told.split(", ").filter_map(|one| one.split(' ').next());
        let told: Vec<u8> = told.filter_map(|code| code.parse().ok()).collect();
        assert_eq!(told, codes, "README.md: Exit codes");
        let nothing = nothing.split(" nothing was written").next().expect("text");
        let named: Vec<u8> = nothing
            .split([' ', ','])
            .filter_map(|word| word.parse().ok())
            .collect();
        let expected = Exit::ALL.into_iter().filter(|exit| !exit.row().written);
        let expected: Vec<u8> = expected.map(Exit::code).collect();
        assert_eq!(named, expected, "README.md: nothing was written");
    }
}
