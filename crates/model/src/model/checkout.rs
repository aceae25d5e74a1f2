//! What the configuration's repository says of the commits that wrote accounts.
//! Values only.

use std::collections::BTreeMap;

/// How a commit stands to the one that is checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is that commit, or an ancestor of it.
    Ancestor,
    /// It is neither.
    NotAncestor,
    /// Nobody can tell: the clone is shallow, and its history ends before the commit was found.
    Shallow,
    /// The repository does not have it.
    Unknown,
    /// The configuration is in no repository, or nothing was committed there yet.
    NoRepository,
    /// The history could not be read, for this reason; a fragment.
    Unread(String),
}

/// The commit that is checked out where the configuration is, and how others stand to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkout {
    /// Its whole name in hexadecimal, with `-dirty` behind it if the configuration's files are not as
    /// it has them; `None` outside of a repository, and before the first commit.
    pub head: Option<String>,
    /// The commits that were asked about, by the digits that marks have of them.
    pub commits: BTreeMap<String, Standing>,
}
