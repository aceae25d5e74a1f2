//! A verdict: which plan was made of which request, as a run writes it down.
//! Pure. It says of itself what anybody could write; what makes it evidence is the run that it came from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::names::{Commit, Digest};
use crate::model::StackId;

/// The version of the form.
const FORMAT: u32 = 1;
/// The largest file that is read as one, in bytes.
const LARGEST: usize = 64 * 1024;

/// A code host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    /// github.com, or an Enterprise Server.
    Github,
    /// gitlab.com, or a server of one's own.
    Gitlab,
}

/// How a plan ended that was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judged {
    /// There is nothing to change.
    None,
    /// There are changes.
    Changes,
    /// A guard, a policy or a dispute refuses it.
    Refused,
    /// The configuration is removed, and nothing lives that it managed.
    Removed,
    /// The configuration is removed, and accounts live that nobody would manage.
    Owned,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no changes",
            Self::Changes => "changes",
            Self::Refused => "refused",
            Self::Removed => "removed, nothing left",
            Self::Owned => "removed, accounts left",
        })
    }
}

/// Which plan was made of which request, by which run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where the request is.
    pub host: Host,
    /// The repository's number, which no rename changes.
    pub repository: u64,
    /// The request's number.
    pub number: u64,
    /// The branch that it is to be merged into.
    pub base: String,
    /// That branch's commit when the plan was made.
    pub base_commit: Commit,
    /// The commit that was planned.
    pub head: Commit,
    /// The configuration's directory, from the root of the repository.
    pub directory: String,
    /// The configuration's stack.
    pub stack: StackId,
    /// The plan's digest.
    pub digest: Digest,
    /// How the plan ended.
    pub result: Judged,
    /// The run that made it.
    pub run: u64,
    /// Which attempt of that run, from 1.
    pub attempt: u64,
    /// The job, by the name that is shown of it.
    pub job: String,
    /// What started the run.
    pub event: String,
}

/// Why a file is no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerdictError {
    /// Another version wrote it.
    #[error("it is a verdict of format {0}, and this version reads format {FORMAT}")]
    Format(u64),
    /// It has another form.
    #[error("it is no verdict: {0}")]
    Form(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rolecall_verdict: u32,
    host: Host,
    repository: u64,
    number: u64,
    base: String,
    base_commit: Commit,
    head: Commit,
    directory: String,
    stack: StackId,
    digest: Digest,
    result: Judged,
    run: u64,
    attempt: u64,
    job: String,
    event: String,
}

#[derive(Deserialize)]
struct Head {
    rolecall_verdict: u64,
}

impl Verdict {
    /// The file: one line of JSON.
    ///
    /// # Errors
    /// A fragment, if a value has no JSON form; none is known to.
    pub fn write(&self) -> Result<Vec<u8>, String> {
        let Self {
            host,
            repository,
            number,
            base,
            base_commit,
            head,
            directory,
            stack,
            digest,
            result,
            run,
            attempt,
            job,
            event,
        } = self.clone();
        let file = File {
            rolecall_verdict: FORMAT,
            host,
            repository,
            number,
            base,
            base_commit,
            head,
            directory,
            stack,
            digest,
            result,
            run,
            attempt,
            job,
            event,
        };
        let mut bytes = serde_json::to_vec(&file).map_err(|error| error.to_string())?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the file. Every field has to be there, once, and no other.
    ///
    /// # Errors
    /// If it is of another format, or no verdict.
    pub fn read(bytes: &[u8]) -> Result<Self, VerdictError> {
        let strange = |error: serde_json::Error| VerdictError::Form(error.to_string());
        if bytes.len() > LARGEST {
            return Err(VerdictError::Form("it is too large for one".to_owned()));
        }
        let Head { rolecall_verdict } = serde_json::from_slice(bytes).map_err(strange)?;
        if rolecall_verdict != u64::from(FORMAT) {
            return Err(VerdictError::Format(rolecall_verdict));
        }
        let File {
            rolecall_verdict: _,
            host,
            repository,
            number,
            base,
            base_commit,
            head,
            directory,
            stack,
            digest,
            result,
            run,
            attempt,
            job,
            event,
        } = serde_json::from_slice(bytes).map_err(strange)?;
        Ok(Self {
            host,
            repository,
            number,
            base,
            base_commit,
            head,
            directory,
            stack,
            digest,
            result,
            run,
            attempt,
            job,
            event,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn commit(digit: char) -> Commit {
        let text: String = std::iter::repeat_n(digit, 40).collect();
        Commit::parse(&text).expect("a commit")
    }

    pub(in super::super) fn stack() -> StackId {
        StackId::new("acme-access", "k7m2q9ta").expect("a stack")
    }

    pub(in super::super) fn digest(digit: char) -> Digest {
        let text: String = std::iter::repeat_n(digit, 64).collect();
        Digest::parse(&text).expect("a digest")
    }

    pub(in super::super) fn verdict() -> Verdict {
        Verdict {
            host: Host::Github,
            repository: 1001,
            number: 7,
            base: "main".to_owned(),
            base_commit: commit('b'),
            head: commit('a'),
            directory: "access".to_owned(),
            stack: stack(),
            digest: digest('d'),
            result: Judged::Changes,
            run: 500,
            attempt: 1,
            job: "plan (access)".to_owned(),
            event: "pull_request_target".to_owned(),
        }
    }

    #[test]
    fn a_verdict_is_read_as_it_was_written_and_nothing_may_be_missing_or_added() {
        let bytes = verdict().write().expect("JSON");
        assert_eq!(Verdict::read(&bytes), Ok(verdict()));
        let text = String::from_utf8(bytes).expect("text");
        for (from, to) in [
            ("\"number\":7,", ""),
            ("\"number\":7,", "\"number\":7,\"number\":8,"),
            ("\"number\":7,", "\"number\":7,\"approved\":true,"),
            ("\"number\":7,", "\"number\":\"7\","),
            ("sha256:", ""),
            ("acme-access/", "acme-access."),
            ("\"changes\"", "\"fine\""),
            ("\"github\"", "\"gitea\""),
            ("aaaa", "AAAA"),
        ] {
            assert!(text.contains(from), "{from}");
            let read = Verdict::read(text.replacen(from, to, 1).as_bytes());
            assert!(matches!(read, Err(VerdictError::Form(_))), "{from} {to}");
        }
        let later = text.replacen("_verdict\":1", "_verdict\":2", 1);
        let later = later.replacen("\"number\":7,", "", 1);
        assert_eq!(
            Verdict::read(later.as_bytes()),
            Err(VerdictError::Format(2))
        );
        assert!(Verdict::read(&vec![b' '; LARGEST + 1]).is_err());
    }
}
