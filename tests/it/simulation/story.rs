//! What a seed tells: a platform, what is there, and what people and jobs do one after the other, with how much
//! going wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rolecall::model::{
    Address, CredentialFormat, Desired, DesiredAccount, Destination, FilePlace, GithubApi,
    GithubApp, GithubOwner, GithubPlace, Limits, OnDelete, Origin, Place, Renewal, Role, RoleSet,
    Rotation, Scope, VaultPlace,
};
use rolecall_server::{
    ClearRoles, ConcurrentRoleWrites, DescriptionClear, EmptyRoles, EqualNames, LabelsOmitted,
    Quirks,
};

use super::case::{self, space};
use super::chance::Chance;
use super::conduct::Task;
use crate::samples;

/// How many accounts there may be.
const ACCOUNTS: usize = 3;
/// The places that an account may have: two of each kind.
const PLACES: usize = 6;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

const ROLES: [&[&str]; 4] = [&["viewer", "agent"], &["agent"], &["viewer"], &[]];

/// An account as a configuration wants it.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Of the sets of roles.
    pub roles: usize,
    /// Of the places of its own: 0 and 3 are files, 1 and 4 stand in a Vault, 2 and 5 are secrets of GitHub.
    pub places: Vec<usize>,
    /// Of its names.
    pub name: usize,
    /// Of its ends; 0 stands for none.
    pub until: usize,
    /// Whether its sinks keep no key that leaves them.
    pub remove: bool,
}

/// What one command does, and what is wrong meanwhile.
#[derive(Clone)]
pub struct Step {
    /// How long nothing was done before it.
    pub pause: Duration,
    /// The configuration that is in force from now on, where it is another.
    pub desired: Option<Desired>,
    pub doing: Doing,
    /// How many faults it meets at most.
    pub faults: usize,
    /// One in so many writes meets one.
    pub odds: usize,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum Doing {
    One(Command),
    /// Two commands at once.
    Two(Command, Command),
}

/// A command, as somebody runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Apply,
    Rotate(BTreeSet<Address>),
    Due,
    Revoke(Address),
}

impl Command {
    /// Its name in the table of what was hit.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Rotate(_) => "rotate",
            Self::Due => "rotate --due",
            Self::Revoke(_) => "revoke",
        }
    }

    /// What it asks of the product.
    pub fn task(&self, desired: &Desired) -> (Task, Desired) {
        let mut desired = desired.clone();
        desired.meant.renewal = match self {
            Self::Apply | Self::Revoke(_) => Renewal::default(),
            Self::Rotate(of) => Renewal {
                of: of.clone(),
                due: false,
                alone: true,
            },
            Self::Due => Renewal {
                of: BTreeSet::new(),
                due: true,
                alone: true,
            },
        };
        let task = match self {
            Self::Revoke(address) => Task::Revoke(address.clone()),
            Self::Apply | Self::Rotate(_) | Self::Due => Task::Plan,
        };
        (task, desired)
    }
}

pub struct Story {
    /// Which of the platforms it happens on.
    pub platform: usize,
    pub wide: bool,
    /// What is there, as earlier runs left it; nothing for an account that is not.
    pub there: Desired,
    pub steps: Vec<Step>,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |desired: &Desired| {
            let all = desired.accounts.values().map(|account| {
                let roles: Vec<&str> = account.roles.iter().map(Role::short).collect();
                let places: Vec<String> =
                    account.deliver_to.iter().map(ToString::to_string).collect();
                format!(
                    "{} {:?} {{{}}} → {}",
                    account.address,
                    account.name,
                    roles.join(" "),
                    places.join(", ")
                )
            });
            all.collect::<Vec<_>>().join("; ")
        };
        writeln!(
            f,
            "on platform {}: there are {}",
            self.platform,
            of(&self.there)
        )?;
        for step in &self.steps {
            write!(f, "after {} s", step.pause.as_secs())?;
            if let Some(desired) = &step.desired {
                write!(f, ", wanted are {}", of(desired))?;
            }
            writeln!(f, ": {:?}, {} faults at most", step.doing, step.faults)?;
        }
        Ok(())
    }
}

/// The platforms that stories happen on.
pub fn platforms() -> Vec<Quirks> {
    let plain = || Quirks::default();
    vec![
        plain(),
        Quirks {
            read_lag_ms: 90,
            ..plain()
        },
        Quirks {
            equal_names: EqualNames::Refuse,
            ..plain()
        },
        Quirks {
            empty_roles: EmptyRoles::DefaultViewer,
            ..plain()
        },
        Quirks {
            empty_roles: EmptyRoles::Refuse,
            org_listing_includes_spaces: true,
            ..plain()
        },
        Quirks {
            clear_roles: ClearRoles::Refuse,
            ..plain()
        },
        Quirks {
            labels_omitted_on_update: LabelsOmitted::Clear,
            description_clear: DescriptionClear::Keeps,
            ..plain()
        },
        Quirks {
            empty_roles: EmptyRoles::DefaultViewer,
            equal_names: EqualNames::Refuse,
            concurrent_role_writes: ConcurrentRoleWrites::Abort,
            read_lag_ms: 90,
            ..plain()
        },
    ]
}

/// A place of an account: a file, a field of a Vault, a secret of GitHub.
fn destination(n: usize, place: usize) -> Destination {
    let name = format!("a{n}-{place}");
    match place % 3 {
        0 => Destination::new(
            "file.local",
            Place::File(FilePlace {
                directory: "credentials".to_owned(),
                file: format!("{name}.json"),
                format: CredentialFormat::Json,
                keep: false,
            }),
        ),
        1 => Destination::new(
            "vault.team",
            Place::Vault(VaultPlace {
                address: Origin::new("https://vault.acme.example").expect("a server"),
                namespace: String::new(),
                mount: "secret".to_owned(),
                path: name,
                field: "credential".to_owned(),
                format: CredentialFormat::Json,
                metadata: false,
            }),
        ),
        _ => Destination::new(
            "github.app",
            Place::Github(GithubPlace {
                address: GithubApi::new(GithubApi::PUBLIC).expect("a server"),
                owner: GithubOwner::Repository("acme/app".to_owned()),
                app: GithubApp::Actions,
                name: name.replace('-', "_").to_uppercase(),
                format: CredentialFormat::Json,
            }),
        ),
    }
}

pub fn address(n: usize) -> Address {
    Address::new(format!("a{n}"), None)
}

fn account(n: usize, wish: &Wish, wide: bool) -> DesiredAccount {
    let roles: RoleSet = ROLES[wish.roles]
        .iter()
        .map(|role| Role::new(role))
        .collect();
    let scope = Scope::Space(space(usize::from(wide && n == ACCOUNTS - 1)));
    let on_delete = match wish.remove {
        true => OnDelete::Remove,
        false => OnDelete::Keep,
    };
    let until = |years: usize| {
        let text = format!("{}-01-01T00:00:00Z", 2080 + years);
        text.parse::<Timestamp>().expect("a time")
    };
    DesiredAccount {
        name: format!("account {n}{}", ["", " of CI", " (former)"][wish.name]),
        role_places: roles
            .iter()
            .map(|role| (role.clone(), samples::place()))
            .collect(),
        roles,
        valid_until: (wish.until > 0).then(|| until(wish.until)),
        deliver_to: wish
            .places
            .iter()
            .map(|place| destination(n, *place).with(on_delete))
            .collect(),
        rotation: Rotation {
            rotate_after: Some(SignedDuration::from_hours(24 * 30)),
            overlap: Some(SignedDuration::from_hours(48)),
        },
        ..samples::declared(address(n), scope)
    }
}

pub fn configuration(wishes: &[Option<Wish>], wide: bool) -> Desired {
    let all = wishes.iter().enumerate();
    let accounts: BTreeMap<Address, DesiredAccount> = all
        .filter_map(|(n, wish)| Some((address(n), account(n, wish.as_ref()?, wide))))
        .collect();
    Desired {
        limits: Limits::NONE,
        accounts,
        ..case::desired(&[])
    }
}

/// Places for a key: of one kind or of several.
fn places(chance: &Chance) -> Vec<usize> {
    let n = 1 + chance.below(3);
    let mut all: Vec<usize> = Vec::new();
    while all.len() < n {
        let one = chance.below(PLACES);
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

fn wish(chance: &Chance, platform: &Quirks) -> Wish {
    // Not every platform has accounts without roles.
    let plain =
        platform.empty_roles == EmptyRoles::Refuse || platform.clear_roles == ClearRoles::Refuse;
    Wish {
        roles: chance.below(ROLES.len() - usize::from(plain)),
        places: places(chance),
        name: 0,
        until: 0,
        remove: chance.one_in(3),
    }
}

/// Changes something in what is wanted.
fn edit(wishes: &mut [Option<Wish>], chance: &Chance, platform: &Quirks) {
    let n = chance.below(ACCOUNTS);
    let declared = wishes.iter().flatten().count();
    let fresh = wish(chance, platform);
    let Some(wish) = &mut wishes[n] else {
        wishes[n] = Some(fresh);
        return;
    };
    match chance.below(8) {
        0 if declared > 1 => wishes[n] = None,
        0 | 1 => wish.roles = fresh.roles,
        2 => wish.name = (wish.name + 1) % 3,
        3 => wish.places = fresh.places,
        4 => {
            let more = chance.below(PLACES);
            if !wish.places.contains(&more) {
                wish.places.push(more);
            }
        }
        5 => wish.remove = !wish.remove,
        6 => wish.until += 1,
        _ => {}
    }
}

fn command(chance: &Chance, wishes: &[Option<Wish>], platform: &Quirks) -> Command {
    let declared: Vec<usize> = (0..ACCOUNTS).filter(|n| wishes[*n].is_some()).collect();
    let one = address(*chance.pick(&declared));
    match chance.below(10) {
        0..=3 => Command::Apply,
        4..=6 => {
            let both = chance.one_in(4);
            let more = both.then(|| address(*chance.pick(&declared)));
            Command::Rotate([one].into_iter().chain(more).collect())
        }
        // A platform that takes no last role away is for people.
        7 if platform.clear_roles == ClearRoles::Allow => Command::Revoke(one),
        _ => Command::Due,
    }
}

impl Story {
    /// The story of a seed.
    pub fn of(chance: &Chance) -> Self {
        let platforms = platforms();
        let platform = chance.below(platforms.len());
        let quirks = &platforms[platform];
        let wide = chance.one_in(4);
        let mut wishes: Vec<Option<Wish>> = (0..ACCOUNTS)
            .map(|n| (n == 0 || chance.one_in(3)).then(|| wish(chance, quirks)))
            .collect();
        let there: Vec<Option<Wish>> = wishes
            .iter()
            .map(|one| one.clone().filter(|_| !chance.one_in(3)))
            .collect();
        let there = configuration(&there, wide);
        let mut steps = Vec::new();
        for n in 0..1 + chance.below(3) {
            let edits = match n {
                0 => 0,
                _ => chance.below(3),
            };
            for _ in 0..edits {
                edit(&mut wishes, chance, quirks);
            }
            let other = n == 0 || edits > 0;
            let desired = other.then(|| configuration(&wishes, wide));
            let first = command(chance, &wishes, quirks);
            let doing = match chance.one_in(6) {
                true => Doing::Two(first, command(chance, &wishes, quirks)),
                false => Doing::One(first),
            };
            steps.push(Step {
                pause: *chance.pick(&[Duration::from_secs(20), 3 * HOUR, 3 * DAY, 40 * DAY]),
                desired,
                doing,
                faults: chance.below(4),
                odds: 3 + chance.below(12),
            });
        }
        Self {
            platform,
            wide,
            there,
            steps,
        }
    }
}
