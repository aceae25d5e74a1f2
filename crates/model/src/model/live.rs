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
    /// What stands behind it, if it is the temporary account of a workload identity.
    pub binding: Option<Binding>,
}

impl Caller {
    /// Whether an account is the caller's own: the one that it is now, or another temporary one of its
    /// binding.
    pub fn owns(&self, account: &Mrn) -> bool {
        let other = |binding: &Binding| binding.others.contains(account);
        self.mrn == *account || self.binding.as_ref().is_some_and(other)
    }

    /// Whether an identity, as logs and accounts name who did something, is the caller: by the account that
    /// it is now, by another one of its binding, or by the binding.
    pub fn is(&self, identity: &str) -> bool {
        let behind = |binding: &Binding| {
            binding.identity.as_deref() == Some(identity)
                || binding
                    .others
                    .iter()
                    .any(|other| other.as_str() == identity)
        };
        self.mrn.as_str() == identity || self.binding.as_ref().is_some_and(behind)
    }

    /// The same, once it is known which accounts are there.
    #[must_use]
    pub fn beside(mut self, accounts: &BTreeMap<Mrn, LiveAccount>) -> Self {
        if let Some(binding) = &mut self.binding {
            // It is so new that it may not have been readable when it was asked for.
            if binding.identity.is_none() {
                *binding = Binding::of(accounts.get(&self.mrn));
            }
            binding.others = binding.others(&self.mrn, accounts);
        }
        self
    }
}

/// What stands behind the temporary account of a workload identity. Each login may be another account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// The binding, as the platform names whoever made the account; `None` where it does not tell, or
    /// names somebody who can be no binding.
    pub identity: Option<String>,
    /// Other temporary accounts of it that are live.
    pub others: BTreeSet<Mrn>,
}

impl Binding {
    /// By the temporary account, as far as it can be read. A person or a service account is no binding: all
    /// that they have made would be taken for the caller.
    pub fn of(account: Option<&LiveAccount>) -> Self {
        let named = account.and_then(|account| account.creator.clone());
        Self {
            identity: named.filter(|creator| may_be_binding(creator)),
            others: BTreeSet::new(),
        }
    }

    /// The accounts that it has made besides the caller's. What any configuration has marked is none: it may
    /// have been made by a run that worked as one.
    fn others(&self, own: &Mrn, accounts: &BTreeMap<Mrn, LiveAccount>) -> BTreeSet<Mrn> {
        let Some(identity) = &self.identity else {
            return BTreeSet::new();
        };
        let made = |account: &&LiveAccount| {
            account.creator.as_ref() == Some(identity)
                && account.mrn != *own
                && !account.labels.has_our_keys()
        };
        let made = accounts.values().filter(made);
        made.map(|account| account.mrn.clone()).collect()
    }
}

/// Whether an identity is a resource name, and of none of the kinds that act by themselves. What bindings are
/// called is not public.
fn may_be_binding(identity: &str) -> bool {
    let acts = ["/users/", "/serviceaccounts/", "/apitokens/"];
    identity.starts_with("//") && !acts.iter().any(|kind| identity.contains(kind))
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

impl Live {
    /// The binding behind a temporary account of any workload identity, as far as that is live: whoever made
    /// it, if that can be a binding. An account that a configuration has marked is no temporary one.
    pub fn behind(&self, identity: &str) -> Option<&str> {
        let account = self.accounts.get(&Mrn::new(identity))?;
        let creator = account.creator.as_deref()?;
        (!account.labels.has_our_keys() && may_be_binding(creator)).then_some(creator)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpaceId, samples};

    const BINDING: &str = "//agents.api.mondoo.app/spaces/a/wifauthbindings/1";

    fn account(id: &str, creator: Option<&str>) -> LiveAccount {
        let scope = Scope::Space(SpaceId::new("payments").expect("valid"));
        LiveAccount {
            creator: creator.map(str::to_owned),
            ..samples::account(Mrn::new(id), scope, id)
        }
    }

    fn caller(creator: Option<&str>, accounts: Vec<LiveAccount>) -> Caller {
        let own = account("own", creator);
        let mut live = samples::live("own", accounts);
        live.accounts.insert(own.mrn.clone(), own.clone());
        let caller = Caller {
            mrn: own.mrn.clone(),
            name: None,
            binding: Some(Binding::of(Some(&own))),
        };
        caller.beside(&live.accounts)
    }

    #[test]
    fn a_binding_owns_the_accounts_that_it_has_made_and_no_configuration_has_marked() {
        let mut marked = account("marked", Some(BINDING));
        let key = "rolecall-stack".to_owned();
        marked.labels.insert(key, "acme.k7m2q9ta".to_owned());
        let found = caller(
            Some(BINDING),
            vec![
                account("other", Some(BINDING)),
                account("stray", Some("eve")),
                account("untold", None),
                marked,
            ],
        );
        for (id, owned) in [
            ("own", true),
            ("other", true),
            ("stray", false),
            ("untold", false),
            ("marked", false),
            (BINDING, false),
        ] {
            assert_eq!(found.owns(&Mrn::new(id)), owned, "{id}");
            assert_eq!(found.is(id), owned || id == BINDING, "{id}");
        }
    }

    #[test]
    fn nobody_who_acts_by_themselves_is_a_binding() {
        let user = "//captain.api.mondoo.app/users/1";
        let account_of_somebody = "//agents.api.mondoo.app/spaces/a/serviceaccounts/1";
        for creator in [user, account_of_somebody, "ada@example.com"] {
            let found = caller(Some(creator), vec![account("other", Some(creator))]);
            assert!(
                !found.owns(&Mrn::new("other")) && !found.is(creator),
                "{creator}"
            );
        }
        // Where it could not be read by itself, the listing tells as well.
        let unread = Caller {
            mrn: Mrn::new("own"),
            name: None,
            binding: Some(Binding::of(None)),
        };
        let live = samples::live(
            "own",
            [
                account("own", Some(BINDING)),
                account("other", Some(BINDING)),
            ],
        );
        assert!(unread.beside(&live.accounts).owns(&Mrn::new("other")));
        let found = caller(None, vec![account("other", None)]);
        assert!(found.owns(&Mrn::new("own")) && !found.owns(&Mrn::new("other")));
        // Without a workload identity nothing else is the caller's.
        let plain = Caller {
            binding: None,
            ..found
        };
        let live = samples::live("own", [account("other", Some("own"))]);
        assert!(!plain.beside(&live.accounts).owns(&Mrn::new("other")));
    }

    #[test]
    fn a_temporary_account_leads_to_its_binding_and_no_other_to_its_maker() {
        let mut marked = account("marked", Some(BINDING));
        marked
            .labels
            .insert("rolecall-mark".to_owned(), "true".to_owned());
        let live = samples::live(
            "me",
            [
                account("temporary", Some(BINDING)),
                account("made", Some("//captain.api.mondoo.app/users/1")),
                account("untold", None),
                marked,
            ],
        );
        assert_eq!(live.behind("temporary"), Some(BINDING));
        for id in ["made", "untold", "marked", "gone"] {
            assert_eq!(live.behind(id), None, "{id}");
        }
    }
}
