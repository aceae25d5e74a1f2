//! The worlds that are simulated: what the platform is like, and what is wanted of it.

use std::collections::BTreeMap;

use rolecall::model::{
    Address, Desired, DesiredAccount, DesiredOrganization, DesiredSpace, Destination, Labels,
    OnDelete, OrgId, Queries, Role, RoleSet, Scope, SpaceId, StackId,
};
use rolecall_server::{ClearRoles, EmptyRoles, LabelsOnCreate, Quirks};

use super::platform::{ORGANIZATION, SPACES};
use super::stores::Stores;
use crate::samples::{self, place};

/// How it must end when nothing goes wrong any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// All is as wanted.
    Possible,
    /// No birth can succeed, the outcome says why in these words, and nothing is left.
    Impossible(&'static str),
}

pub struct Case {
    pub title: String,
    pub quirks: Quirks,
    pub queries: Queries,
    pub stores: Stores,
    /// Whether only one scope is worked on.
    pub alone: bool,
    /// What was wanted before, and is there.
    pub before: Option<Desired>,
    pub desired: Desired,
    pub outlook: Outlook,
}

/// An account to be wanted: the number of its space, its roles, the number of destinations.
#[derive(Clone, Copy)]
pub struct Wanted(pub usize, pub &'static [&'static str], pub usize);

pub fn space(n: usize) -> SpaceId {
    SpaceId::new(SPACES[n]).expect("valid")
}

fn organization() -> OrgId {
    OrgId::new(ORGANIZATION).expect("valid")
}

fn account(n: usize, Wanted(at, roles, destinations): Wanted) -> DesiredAccount {
    let roles: RoleSet = roles.iter().map(|role| Role::new(role)).collect();
    let file = |d: usize| samples::destination(format!("a{n}-{d}.json"));
    DesiredAccount {
        name: format!("account {n}"),
        description: Some("made by simulation".to_owned()),
        labels: Some(Labels::from([("team".to_owned(), "blue".to_owned())])),
        role_places: roles.iter().map(|role| (role.clone(), place())).collect(),
        roles,
        deliver_to: (0..destinations).map(file).collect(),
        ..samples::declared(Address::new(format!("a{n}"), None), Scope::Space(space(at)))
    }
}

/// What is read: one space by itself, or both by way of their organization.
pub fn queries(wide: bool) -> Queries {
    match wide {
        true => Queries {
            organizations: [organization()].into(),
            spaces: BTreeMap::new(),
        },
        false => Queries {
            organizations: [].into(),
            spaces: [(space(0), None)].into(),
        },
    }
}

/// A configuration that wants these accounts; `None` leaves a number out.
pub fn desired(wanted: &[Option<Wanted>]) -> Desired {
    let accounts = wanted.iter().enumerate();
    Desired {
        organizations: BTreeMap::from([(
            "acme".to_owned(),
            DesiredOrganization {
                id: organization(),
                declared_at: place(),
            },
        )]),
        spaces: (0..SPACES.len())
            .map(|n| {
                let space = DesiredSpace {
                    id: space(n),
                    organization: None,
                    declared_at: place(),
                };
                (format!("s{n}"), space)
            })
            .collect(),
        accounts: accounts
            .filter_map(|(n, one)| Some(account(n, (*one)?)))
            .map(|account| (account.address.clone(), account))
            .collect(),
        ..Desired::nothing(StackId::new("acme-access", "k7m2q9ta").expect("valid"))
    }
}

impl Case {
    pub fn new(quirks: Quirks, wanted: &[Wanted]) -> Self {
        let wanted: Vec<_> = wanted.iter().copied().map(Some).collect();
        let impossible = wanted.iter().flatten().any(|Wanted(_, roles, _)| {
            roles.is_empty()
                && (quirks.empty_roles == EmptyRoles::Refuse
                    || (quirks.empty_roles == EmptyRoles::DefaultViewer
                        && quirks.clear_roles == ClearRoles::Refuse))
        });
        let outlook = match quirks.labels_on_create {
            LabelsOnCreate::Drop if quirks.empty_roles == EmptyRoles::Refuse && impossible => {
                Outlook::Impossible("roles")
            }
            LabelsOnCreate::Drop => Outlook::Impossible("labels"),
            LabelsOnCreate::Keep if impossible => Outlook::Impossible("roles"),
            LabelsOnCreate::Keep => Outlook::Possible,
        };
        Self::of(quirks, None, desired(&wanted), outlook)
    }

    /// Accounts that are there already become others.
    pub fn change(quirks: Quirks, before: &[Option<Wanted>], after: &[Option<Wanted>]) -> Self {
        let before = Some(desired(before));
        Self::of(quirks, before, desired(after), Outlook::Possible)
    }

    /// As it is, with destinations that hold one key and no other.
    pub fn without_staging(self) -> Self {
        Self {
            title: format!("{}; no staging", self.title),
            stores: Stores::Alike {
                stages: false,
                reads: true,
                versions: false,
            },
            ..self
        }
    }

    /// As it is, with destinations that nobody can read back, as a secret of GitHub, whose sinks let a key take
    /// the place of what is there.
    pub fn unreadable(mut self) -> Self {
        for account in self.desired.accounts.values_mut() {
            for to in &mut account.deliver_to {
                *to = to.clone().overwriting_unreadable(true);
            }
        }
        self.title.push_str("; unreadable");
        Self {
            stores: Stores::Alike {
                stages: false,
                reads: false,
                versions: false,
            },
            ..self
        }
    }

    /// As it is, with destinations that nobody can read back, and that tell when they were written last.
    pub fn versioned(self) -> Self {
        Self {
            title: format!("{}; unreadable, with versions", self.title),
            stores: Stores::Alike {
                stages: false,
                reads: false,
                versions: true,
            },
            ..self
        }
    }

    /// As it is, with other places for the keys of all accounts but the first.
    pub fn moving(mut self) -> Self {
        for (n, account) in self.desired.accounts.values_mut().enumerate().skip(1) {
            account.deliver_to[0] = samples::destination(format!("a{n}-moved.json"));
        }
        self.title.push_str("; keys move");
        self
    }

    /// As it is, with sinks that keep no key which leaves them.
    pub fn removing(mut self) -> Self {
        let all = self.before.iter_mut().chain([&mut self.desired]);
        for account in all.flat_map(|desired| desired.accounts.values_mut()) {
            for to in &mut account.deliver_to {
                *to = to.clone().with(OnDelete::Remove);
            }
        }
        self.title.push_str("; keys are removed");
        self
    }

    /// The places that were wanted for an account of this name, and are not any more; with the account,
    /// those whose sink keeps keys.
    pub fn left(&self, name: &str) -> Vec<Destination> {
        let named = |desired: &Desired| {
            let mut all = desired.accounts.values();
            all.find(|account| account.name == name).cloned()
        };
        let now = named(&self.desired);
        let before = self.before.as_ref().and_then(named);
        let before = before.into_iter().flat_map(|account| account.deliver_to);
        before
            .filter(|to| match &now {
                Some(now) => !now.deliver_to.contains(to),
                None => to.on_delete() == OnDelete::Remove,
            })
            .collect()
    }

    fn of(quirks: Quirks, before: Option<Desired>, desired: Desired, outlook: Outlook) -> Self {
        let wide = desired
            .accounts
            .values()
            .any(|account| account.scope == Scope::Space(space(1)));
        let queries = queries(wide);
        let roles = |desired: &Desired| -> Vec<String> {
            let short = |account: &DesiredAccount| {
                let names: Vec<_> = account.roles.iter().map(Role::short).collect();
                format!("{{{}}} in {}", names.join(" "), account.scope)
            };
            desired.accounts.values().map(short).collect()
        };
        let title = format!(
            "{:?} → {:?}; empty roles {:?}, clear {:?}, labels {:?}, lag {} ms",
            before.as_ref().map(&roles).unwrap_or_default(),
            roles(&desired),
            quirks.empty_roles,
            quirks.clear_roles,
            quirks.labels_on_create,
            quirks.read_lag_ms
        );
        Self {
            title,
            quirks,
            queries,
            stores: Stores::Alike {
                stages: true,
                reads: true,
                versions: false,
            },
            alone: !wide,
            before,
            desired,
            outlook,
        }
    }
}

/// Platforms with every answer to how roles are given and taken, for some lags.
pub fn platforms(lags: &[u64]) -> Vec<Quirks> {
    let mut all = Vec::new();
    for empty_roles in [
        EmptyRoles::None,
        EmptyRoles::DefaultViewer,
        EmptyRoles::Refuse,
    ] {
        for clear_roles in [ClearRoles::Allow, ClearRoles::Refuse] {
            for read_lag_ms in lags.iter().copied() {
                all.push(Quirks {
                    empty_roles,
                    clear_roles,
                    read_lag_ms,
                    ..Quirks::default()
                });
            }
        }
    }
    all
}
