//! What a code host says, as values. They are the host's words: whoever can write to the repository can make many
//! of them say what he likes, and which count is decided elsewhere.
//! Pure.

use jiff::Timestamp;

use super::names::Commit;

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its number, which no rename changes.
    pub id: u64,
    /// The branch that others are merged into.
    pub default_branch: String,
    /// Whether anybody can read it.
    pub public: bool,
}

/// Somebody, or a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The login.
    pub login: String,
    /// Whether it is a person, as far as the host tells.
    pub human: bool,
}

impl Person {
    /// Whether a login is this one's. Hosts take no notice of capitals.
    pub fn is(&self, login: &str) -> bool {
        self.login.eq_ignore_ascii_case(login)
    }
}

/// A pull request, or a merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub number: u64,
    /// Who opened it; nobody if the account is gone.
    pub author: Option<Person>,
    /// Whether it can still be merged.
    pub open: bool,
    /// When it was merged.
    pub merged_at: Option<Timestamp>,
    /// The commit that brought it into its base: of one that is not merged, a trial.
    pub merge_commit: Option<Commit>,
    /// The commit that it asks to be merged.
    pub head: Commit,
    /// The branch that holds it.
    pub head_branch: String,
    /// The repository that holds it, by number and name; none if it is gone.
    pub head_repository: Option<(u64, String)>,
    /// The branch that it is to be merged into.
    pub base: String,
    /// That branch's commit, as the host last looked.
    pub base_commit: Commit,
    /// The repository of the base, by number.
    pub base_repository: u64,
}

impl Request {
    /// Whether it comes from another repository, or from one that is gone.
    pub fn from_fork(&self) -> bool {
        self.head_repository
            .as_ref()
            .is_none_or(|(id, _)| *id != self.base_repository)
    }
}

/// What a review says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewState {
    /// Yes.
    Approved,
    /// Not yet.
    ChangesRequested,
    /// It said something, and does not count any more.
    Dismissed,
    /// A remark, or one that is not handed in.
    Remark,
}

/// A review, in the order in which they were handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// By whom; nobody if the account is gone.
    pub by: Option<Person>,
    /// What it says.
    pub state: ReviewState,
    /// When it was handed in.
    pub at: Option<Timestamp>,
    /// The commit that it says it is of. A host may move it to a new head with the same patch.
    pub commit: Option<Commit>,
}

/// What may happen to a request so that what was said of it is of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its branch was pushed with force.
    ForcePushed,
    /// It is to be merged into another branch.
    BaseChanged,
}

/// When that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turned {
    /// What.
    pub turn: Turn,
    /// When.
    pub at: Timestamp,
}

/// Who pushed a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pusher {
    /// These, by login.
    Known(Vec<String>),
    /// The host does not tell, for this reason; a fragment.
    Unknown(String),
}

/// What somebody may do in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Write, or more.
    Write,
    /// Read, or nothing.
    Less,
    /// The host does not tell.
    Unknown,
}

/// A run of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: u64,
    /// How often it was started, from 1.
    pub attempts: u64,
    /// The file that it ran, from the root, without a ref.
    pub path: String,
    /// What started it.
    pub event: String,
    /// The commit that its file is of.
    pub head: Commit,
    /// The branch, or the tag, that it names; a bare name that says nothing of its repository.
    pub head_branch: Option<String>,
    /// The repository of that commit, by number.
    pub head_repository: Option<u64>,
    /// The repository that it ran in, by number.
    pub repository: u64,
}

/// An artifact of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its number.
    pub id: u64,
    /// Its name, which any run may use.
    pub name: String,
    /// Whether it cannot be had any more.
    pub expired: bool,
    /// The run that made it, by number.
    pub run: Option<u64>,
    /// Its size, in bytes.
    pub size: u64,
}

/// A job of one attempt of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The name that is shown of it.
    pub name: String,
    /// How it ended; nothing if it has not.
    pub conclusion: Option<String>,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// A comment on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its number. A later comment has a higher one.
    pub id: u64,
    /// By whom.
    pub by: Option<Person>,
    /// Its text.
    pub body: String,
    /// Its page.
    pub url: String,
}
