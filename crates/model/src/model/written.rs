//! What last wrote the marks of an account.
//! Pure.

use serde::{Deserialize, Serialize};

/// What stands for a value that there is not.
const NONE: &str = "-";
/// What follows the digits of a commit from whose files those that were applied differ.
const DIRTY: &str = "-dirty";

/// What last wrote the marks: the commit of the configuration and the plan, both shortened.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Written {
    commit: Option<String>,
    plan: Option<String>,
}

impl Written {
    const COMMIT_DIGITS: usize = 12;
    const PLAN_DIGITS: usize = 16;

    /// Shortens both: the commit's name to 12 hexadecimal digits, and `-dirty` if the name ends so; the
    /// plan's digest to 16. What is no hexadecimal text of that length is none.
    pub fn new(commit: Option<&str>, plan: Option<&str>) -> Self {
        let short = |text: &str, digits: usize| {
            let text = text.get(..digits)?.to_ascii_lowercase();
            hexadecimal(&text).then_some(text)
        };
        let commit = commit.and_then(|text| {
            let digits = short(text, Self::COMMIT_DIGITS)?;
            let dirty = if text.ends_with(DIRTY) { DIRTY } else { "" };
            Some(digits + dirty)
        });
        Self {
            commit,
            plan: plan.and_then(|text| short(text, Self::PLAN_DIGITS)),
        }
    }

    /// The first 12 digits of the commit's name, if the run knew it; then `-dirty` if what was applied was
    /// not what that commit has.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// The digits alone: what a repository can be asked about.
    pub fn committed(&self) -> Option<&str> {
        let commit = self.commit.as_deref()?;
        Some(commit.strip_suffix(DIRTY).unwrap_or(commit))
    }

    /// The first 16 digits of the plan's digest.
    pub fn plan(&self) -> Option<&str> {
        self.plan.as_deref()
    }

    /// As a label holds it.
    pub(super) fn label(&self) -> String {
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| NONE.to_owned());
        format!("{}.{}", or(&self.commit), or(&self.plan))
    }

    /// Reads a label; `None` if it is not as it is written.
    pub(super) fn from_label(text: &str) -> Option<Self> {
        let part = |text: &str, digits: &str, most: usize| match text {
            NONE => Some(None),
            _ => (digits.len() == most && hexadecimal(digits)).then(|| Some(text.to_owned())),
        };
        let (commit, plan) = text.split_once('.')?;
        let digits = commit.strip_suffix(DIRTY).unwrap_or(commit);
        Some(Self {
            commit: part(commit, digits, Self::COMMIT_DIGITS)?,
            plan: part(plan, plan, Self::PLAN_DIGITS)?,
        })
    }
}

fn hexadecimal(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
