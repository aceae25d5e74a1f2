//! What the platform holds now, as far as it was read.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::account::AccountState;
use super::labels::LiveLabels;
use super::mark::Marks;
use super::mrn::{Mrn, OrgId, Scope, SpaceId};
use super::role::RoleSet;

/// The identity that the credential stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its resource name.
    pub mrn: Mrn,
    /// A name or e-mail address for people, where the platform tells one.
    pub name: Option<String>,
}

/// A scope that was found on the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeInfo {
    /// Its display name.
    pub name: String,
    /// For a space: the organization it was found in, where that is known.
    pub organization: Option<OrgId>,
}

/// A scope that could not be read. What was not read deletes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Why, in the platform's or the network's words.
    pub why: String,
}

/// What a configuration asks to be read. An organization's spaces are read as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queries {
    /// The declared organizations.
    pub organizations: BTreeSet<OrgId>,
    /// The declared spaces, each with the organization it is said to be in.
    pub spaces: BTreeMap<SpaceId, Option<OrgId>>,
}

/// The scope in which a login lives, as far as it is read besides what is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Home {
    /// Nobody asked for it.
    #[default]
    Unasked,
    /// It is read, with all its spaces.
    Read(Scope),
    /// The credential does not tell it.
    Unknown,
    /// It is left out on purpose, whatever the credential tells.
    LeftOut(Option<Scope>),
}

/// How far the reading went beyond what is declared, and what of the declared is there no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The login's own scope.
    pub home: Home,
    /// What of it is not declared and could not be read. Only said: nothing rests on it.
    pub unseen: BTreeMap<Scope, Unread>,
    /// Declared spaces that are gone, each with its organization, which was read whole.
    pub gone: BTreeMap<Scope, OrgId>,
}

/// What refresh learnt besides the accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The identity that the credential stands for.
    pub caller: Caller,
    /// The platform's clock at the time of reading.
    pub now: jiff::Timestamp,
    /// The API's base URL, or `local` for the embedded platform.
    pub endpoint: String,
}

/// What the platform holds, as far as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Who read, when and where.
    pub facts: Facts,
    /// Every scope that was read.
    pub scopes: BTreeMap<Scope, ScopeInfo>,
    /// Every scope that should have been read and could not.
    pub unread: BTreeMap<Scope, Unread>,
    /// How far the reading went.
    pub extent: Extent,
    /// Every account found, by resource name; of what is not declared only those that carry the
    /// marks of the stack that reads.
    pub accounts: BTreeMap<Mrn, LiveAccount>,
}

/// One live service account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LiveAccount {
    /// Its resource name.
    pub mrn: Mrn,
    /// Where it lives.
    pub scope: Scope,
    /// Its display name; empty if it has none.
    pub name: String,
    /// The effective description: `notes`, else `description`; never empty.
    pub description: Option<String>,
    /// All labels, our marks included, as they were read.
    pub labels: LiveLabels,
    /// Roles without the implicit ones.
    pub roles: RoleSet,
    /// When it was created, where told.
    pub created_at: Option<jiff::Timestamp>,
    /// When it was last used; `None` if never, or not told.
    pub last_used: Option<jiff::Timestamp>,
    /// The identity that created it, where told.
    pub creator: Option<String>,
}

impl LiveAccount {
    /// The marks, if all of them are readable.
    pub fn marks(&self) -> Option<&Marks> {
        self.labels.marks()
    }

    /// The account as a plan shows it.
    pub fn state(&self) -> AccountState {
        let marks = self.marks();
        AccountState {
            name: self.name.clone(),
            description: self.description.clone(),
            labels: self.labels.own().clone(),
            roles: self.roles.clone(),
            valid_until: marks.and_then(|marks| marks.expires),
            protected: marks.is_some_and(|marks| marks.protected),
        }
    }
}
