//! Several live accounts of one address: a new key beside former ones, and how those end.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::model::{Renewal, Rotation, StoreVersion};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn ago(days: i32) -> Timestamp {
    let now: Timestamp = NOW.parse().expect("a time");
    now - SignedDuration::from_hours(24 * i64::from(days))
}

fn vault(name: &str) -> Destination {
    samples::destination(&format!("{name}.json"))
}

/// One generation of the account `ci`, with its key in these places.
struct One {
    generation: u32,
    places: Vec<Destination>,
    roles: RoleSet,
    retiring: Option<Timestamp>,
    used: Option<Timestamp>,
    born: Timestamp,
}

impl One {
    fn new(generation: u32, places: &[&str]) -> Self {
        Self {
            generation,
            places: places.iter().map(|name| vault(name)).collect(),
            roles: roles(&["viewer", "agent"]),
            retiring: None,
            used: None,
            born: ago(1),
        }
    }

    fn live(self) -> LiveAccount {
        let version = |n: u32| Some(StoreVersion::new(&format!("v{n}")));
        let places = self.places.iter();
        let marks = Marks {
            generation: self.generation,
            credential: CredentialMark::Delivered {
                fingerprint: Fingerprint::of_public_key(b"key"),
                nonce: Nonce::from_bytes([9; 16]),
                destinations: places
                    .map(|to| to.key_at(self.generation, version(self.generation)))
                    .collect(),
            },
            retiring: self.retiring,
            ..marks("ci")
        };
        LiveAccount {
            roles: self.roles,
            last_used: self.used,
            created_at: Some(self.born),
            name: "ci".to_owned(),
            ..live_account(&format!("g{}", self.generation), Some(marks))
        }
    }
}

/// The account `ci`, whose key goes to these places, with an overlap of two days.
fn wanted(places: &[&str]) -> DesiredAccount {
    DesiredAccount {
        deliver_to: places.iter().map(|name| vault(name)).collect(),
        rotation: Rotation {
            rotate_after: Some(DAY * 30),
            overlap: Some(DAY * 2),
        },
        ..declared("ci")
    }
}

fn compared(declared: DesiredAccount, live: Vec<One>, renewal: Renewal) -> Delta {
    let live = live.into_iter().map(One::live).collect();
    let (mut desired, live) = world(vec![declared], live, &[]);
    desired.meant.renewal = renewal;
    diff(&desired, &live, &Seals::default())
}

fn by_clock() -> Renewal {
    Renewal {
        due: true,
        alone: true,
        ..Renewal::default()
    }
}

fn of(name: &str) -> Renewal {
    Renewal {
        of: [Address::new(name, None)].into(),
        alone: true,
        ..Renewal::default()
    }
}

/// What is done, why, and to which generation.
fn done(delta: &Delta) -> Vec<(Action, Reason, u32)> {
    let all = delta.differences.iter();
    all.map(|d| (d.action, d.reason, d.generation)).collect()
}

fn standings(delta: &Delta) -> Vec<(u32, &Standing)> {
    let all = delta.generations.iter();
    all.map(|of| (of.generation, &of.standing)).collect()
}

fn former(edit: impl FnOnce(&mut One)) -> Vec<One> {
    let mut old = One::new(1, &[]);
    old.retiring = Some(ago(5));
    old.used = Some(ago(4));
    edit(&mut old);
    vec![old, One::new(2, &["a"])]
}

#[test]
fn a_new_key_takes_the_place_of_all_before_it_wherever_they_are() {
    let delta = compared(
        wanted(&["a", "b"]),
        vec![One::new(1, &["a", "b"])],
        of("ci"),
    );
    let [rotate] = delta.differences.as_slice() else {
        panic!("one: {delta:#?}");
    };
    let why = (Action::Rotate, Reason::RotationRequested, 2);
    assert_eq!(done(&delta), [why]);
    assert_eq!(rotate.account, Some(mrn("g1")));
    assert_eq!(rotate.deliver_to, [vault("a"), vault("b")]);
    let [before] = rotate.predecessors.as_slice() else {
        panic!("one: {rotate:#?}");
    };
    assert_eq!(before.account, mrn("g1"));
    let left = Some(StoreVersion::new("v1"));
    assert_eq!(before.had.get(&vault("b").id()), Some(&left));
    // Nothing is due by itself, and a plan of the whole does it only where it is asked to.
    let plain = compared(
        wanted(&["a"]),
        vec![One::new(1, &["a"])],
        Renewal::default(),
    );
    assert_eq!((done(&plain), plain.unchanged), (Vec::new(), 1));
    let none = compared(wanted(&["a"]), vec![One::new(1, &["a"])], by_clock());
    assert_eq!(done(&none), []);
}

#[test]
fn what_cannot_be_changed_is_replaced_where_the_new_key_has_somewhere_to_go() {
    let until = |account: DesiredAccount| DesiredAccount {
        valid_until: "2027-06-30T00:00:00Z".parse().ok(),
        ..account
    };
    let live = || vec![One::new(1, &["a"])];
    let delta = compared(until(wanted(&["a"])), live(), Renewal::default());
    assert_eq!(done(&delta), [(Action::Rotate, Reason::CannotUpdate, 2)]);
    let nowhere = compared(until(wanted(&[])), live(), Renewal::default());
    assert_eq!(done(&nowhere), []);
    assert!(
        matches!(nowhere.blocked[0].block, Obstacle::CannotUpdate { .. }),
        "{nowhere:#?}"
    );
    // A new key that was asked for another account brings nothing of this one.
    let other = compared(until(wanted(&["a"])), live(), of("other"));
    assert_eq!((done(&other), other.blocked.len()), (Vec::new(), 0));
}

#[test]
fn by_the_clock_the_oldest_keys_go_first_and_the_others_wait() {
    let live = |age: i32| {
        let mut one = One::new(1, &["a"]);
        one.born = ago(age);
        vec![one]
    };
    assert_eq!(done(&compared(wanted(&["a"]), live(29), by_clock())), []);
    let due = compared(wanted(&["a"]), live(30), by_clock());
    assert_eq!(done(&due), [(Action::Rotate, Reason::RotationDue, 2)]);
    // A plan only tells of it.
    let told = compared(wanted(&["a"]), live(31), Renewal::default());
    assert_eq!(done(&told), []);
    assert_eq!(standings(&told), [(1, &Standing::Due { since: ago(1) })]);

    let named = |name: &str, age: i32| {
        let declared = DesiredAccount {
            deliver_to: vec![vault(name)],
            ..DesiredAccount {
                rotation: wanted(&[]).rotation,
                ..declared(name)
            }
        };
        let live = LiveAccount {
            created_at: Some(ago(age)),
            ..managed(name)
        };
        (declared, live)
    };
    let (declared, live) = [named("x", 40), named("y", 50), named("z", 45)]
        .into_iter()
        .unzip();
    let (mut desired, live) = world(declared, live, &[]);
    desired.meant.renewal = by_clock();
    desired.limits.max_rotations = 2;
    let delta = diff(&desired, &live, &Seals::default());
    let all: Vec<&str> = delta
        .differences
        .iter()
        .map(|d| d.address.name.as_str())
        .collect();
    assert_eq!(all, ["y", "z"]);
    let waits: Vec<&str> = delta.notes.iter().map(|(of, _)| of.name.as_str()).collect();
    assert_eq!(waits, ["x"]);
}

/// Each step of a former key is a run of its own, and silence before the end of its time ends nothing.
#[test]
fn a_former_key_ends_after_its_time_once_nobody_uses_it() {
    let clock = |edit: fn(&mut One)| compared(wanted(&["a"]), former(edit), by_clock());
    let over = clock(|_| ());
    let roles_go = (Action::UpdatePermissions, Reason::Retired, 1);
    assert_eq!(done(&over), [roles_go]);
    let after = over.differences[0].after.as_ref().expect("a state");
    assert!(after.roles.is_empty());
    let gone = clock(|old| old.roles = RoleSet::new());
    assert_eq!(done(&gone), [(Action::Delete, Reason::Retired, 1)]);
    for (edit, expected) in [
        (
            (|old: &mut One| old.retiring = Some(ago(1))) as fn(&mut One),
            Standing::Overlapping { until: ago(-1) },
        ),
        // Used in a time as long as the overlap: something has not read the new key.
        (|old| old.used = Some(ago(1)), Standing::Used { at: ago(1) }),
        (|old| old.used = None, Standing::UseUnknown),
    ] {
        let held = clock(edit);
        assert_eq!(done(&held), [], "{expected:?}");
        assert_eq!(standings(&held), [(1, &expected)]);
    }
    // Its time begins when the marks say so.
    let unmarked = clock(|old| old.retiring = None);
    assert_eq!(done(&unmarked), [(Action::Update, Reason::Superseded, 1)]);
    // None of it happens by a plan, which tells of it.
    let told = compared(wanted(&["a"]), former(|_| ()), Renewal::default());
    assert_eq!((done(&told), told.unchanged), (Vec::new(), 1));
    assert_eq!(standings(&told), [(1, &Standing::Over { powerful: true })]);
}

/// While some place may have either key, both keep what they have, and nothing ends.
#[test]
fn a_rotation_that_was_not_finished_ends_nothing_and_is_begun_again() {
    let half = || {
        let mut old = One::new(1, &["b"]);
        old.retiring = Some(ago(9));
        old.used = Some(ago(8));
        vec![old, One::new(2, &["a"])]
    };
    let told = compared(wanted(&["a", "b"]), half(), Renewal::default());
    let [(2, Standing::Unfinished { lacking })] = standings(&told)[..] else {
        panic!("{told:#?}");
    };
    assert_eq!(*lacking, [vault("b").to_string()]);
    // The key can be read where it is, so that it goes to the other place too.
    assert_eq!(done(&told), [(Action::Redeliver, Reason::DeliverTo, 2)]);
    let former = &told.differences[0].predecessors;
    assert_eq!(former[0].account, mrn("g1"));
    let again = compared(wanted(&["a", "b"]), half(), by_clock());
    assert_eq!(done(&again), [(Action::Rotate, Reason::RotationDue, 3)]);
    assert_eq!(again.differences[0].predecessors.len(), 2);
    // Nobody knows of a place that has the new key.
    let nowhere = vec![One::new(1, &["a"]), One::new(2, &[])];
    let told = compared(wanted(&["a"]), nowhere, Renewal::default());
    assert!(told.generations.iter().all(|of| of.standing.needs_person()));
    assert_eq!(told.generations.len(), 1, "{told:#?}");
}

#[test]
fn a_former_key_has_never_more_power_than_is_declared() {
    let declared = |names: &[&str]| DesiredAccount {
        roles: roles(names),
        ..wanted(&["a"])
    };
    let less = compared(declared(&["viewer"]), former(|_| ()), Renewal::default());
    let both = [1, 2].map(|n| (Action::UpdatePermissions, Reason::Differs, n));
    let mut found = done(&less);
    found.sort();
    assert_eq!(found, both);
    let more = compared(
        declared(&["viewer", "agent", "editor"]),
        former(|_| ()),
        Renewal::default(),
    );
    assert_eq!(done(&more), [both[1]]);
    // Where the rotation was not finished somebody may have either.
    let half = vec![One::new(1, &["b"]), One::new(2, &["a"])];
    let wide = DesiredAccount {
        roles: roles(&["viewer", "agent", "editor"]),
        ..wanted(&["a", "b"])
    };
    let more = compared(wide, half, Renewal::default());
    let grants = done(&more);
    assert!(both.iter().all(|one| grants.contains(one)), "{grants:?}");
}

#[test]
fn keys_do_not_pile_up_where_something_keeps_former_ones_from_ending() {
    let three = || (1..=3).map(|n| One::new(n, &["a"])).collect::<Vec<_>>();
    let delta = compared(wanted(&["a"]), three(), of("ci"));
    assert_eq!(done(&delta), []);
    let Obstacle::Crowded { accounts } = &delta.blocked[0].block else {
        panic!("{delta:#?}");
    };
    assert_eq!(*accounts, [mrn("g3"), mrn("g2"), mrn("g1")]);
    // By the clock others go on, and it is told.
    let mut old = three();
    old[2].born = ago(40);
    let delta = compared(wanted(&["a"]), old, by_clock());
    assert_eq!(
        (delta.blocked.len(), delta.notes.len()),
        (0, 1),
        "{delta:#?}"
    );
}

#[test]
fn two_accounts_of_one_generation_are_one_too_many() {
    let twins = vec![One::new(2, &["a"]).live(), {
        let twin = One::new(2, &["a"]).live();
        LiveAccount {
            mrn: mrn("twin"),
            ..twin
        }
    }];
    let delta = compare(vec![wanted(&["a"])], twins);
    assert!(
        matches!(delta.blocked[0].block, Obstacle::Duplicate { .. }),
        "{delta:#?}"
    );
    // All generations go with their block.
    let (desired, live) = world(
        Vec::new(),
        former(|_| ()).into_iter().map(One::live).collect(),
        &[],
    );
    let gone = diff(&desired, &live, &Seals::default());
    let mut all = done(&gone);
    all.sort();
    let both = [1, 2].map(|n| (Action::Delete, Reason::ScopeUndeclared, n));
    assert_eq!(all, both);
}

/// A birth of a next generation is another run's work, or a dead one's remains.
#[test]
fn a_generation_that_is_being_born_is_left_alone_or_removed() {
    let unborn = |minutes: i64| {
        let now: Timestamp = NOW.parse().expect("a time");
        let since = now - SignedDuration::from_mins(minutes);
        let marks = Marks {
            generation: 2,
            credential: CredentialMark::Pending(Birth::new(Nonce::from_bytes([7; 16]), since)),
            ..marks("ci")
        };
        LiveAccount {
            roles: RoleSet::new(),
            created_at: Some(since),
            name: "ci".to_owned(),
            ..live_account("g2", Some(marks))
        }
    };
    let compared = |minutes: i64, renewal: Renewal| {
        let live = vec![One::new(1, &["a"]).live(), unborn(minutes)];
        let (mut desired, live) = world(vec![wanted(&["a"])], live, &[]);
        desired.meant.renewal = renewal;
        diff(&desired, &live, &Seals::default())
    };
    let young = compared(3, of("ci"));
    assert_eq!((done(&young), young.in_flight.len()), (Vec::new(), 1));
    let remains = (Action::Delete, Reason::CredentialPending, 2);
    let dead = compared(16, Renewal::default());
    assert_eq!((done(&dead), dead.in_flight.len()), (vec![remains], 0));
    let mut again = done(&compared(16, of("ci")));
    again.sort();
    assert_eq!(
        again,
        [(Action::Rotate, Reason::RotationRequested, 2), remains]
    );
}

/// An import names the account that was taken into custody, and not those that take its place.
#[test]
fn an_imported_account_gets_a_key_of_its_own_by_a_rotation() {
    let imported = |places: &[&str]| DesiredAccount {
        import: Some(Import {
            mrn: mrn("ci"),
            declared_at: place(3),
        }),
        ..wanted(places)
    };
    let external = || {
        let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
        let marks = Marks::external(stack, Address::new("ci", None).label(), false);
        live_account("ci", Some(marks))
    };
    let compared = |declared, live: Vec<LiveAccount>| {
        let (mut desired, live) = world(vec![declared], live, &[]);
        desired.meant.renewal = of("ci");
        diff(&desired, &live, &Seals::default())
    };
    let delta = compared(imported(&["a"]), vec![external()]);
    assert_eq!(
        done(&delta),
        [(Action::Rotate, Reason::RotationRequested, 2)]
    );
    let nowhere = compared(imported(&[]), vec![external()]);
    assert!(
        matches!(nowhere.blocked[0].block, Obstacle::NowhereToDeliver { .. }),
        "{nowhere:#?}"
    );
    let both = vec![external(), One::new(2, &["a"]).live()];
    let (desired, live) = world(vec![imported(&["a"])], both, &[]);
    let after = diff(&desired, &live, &Seals::default());
    assert_eq!(
        (done(&after), after.blocked.len()),
        (Vec::new(), 0),
        "{after:#?}"
    );
}

/// What was taken back comes back by a rotation that somebody asks for, and by no change of the configuration.
#[test]
fn a_revoked_account_is_replaced_on_request_alone() {
    let compared = |renewal: Renewal| {
        let mut present = One::new(1, &["a"]).live();
        present.roles = RoleSet::new();
        present
            .labels
            .edit(|all| all.extend([crate::model::revocation()]));
        let declared = DesiredAccount {
            valid_until: "2027-06-30T00:00:00Z".parse().ok(),
            ..wanted(&["a"])
        };
        let (mut desired, live) = world(vec![declared], vec![present], &[]);
        desired.meant.renewal = renewal;
        diff(&desired, &live, &Seals::default())
    };
    let plain = compared(Renewal::default());
    assert_eq!((done(&plain), plain.revoked.len()), (Vec::new(), 1));
    let asked = compared(of("ci"));
    assert_eq!(done(&asked), [(Action::Rotate, Reason::CannotUpdate, 2)]);
}
