//! Two runs at once, of which one makes new keys: the first goes up to one of its calls, then the second up to one of
//! its own, then the first to its end, then the second. Whatever both meet, each place holds a key that opens a live
//! account with its roles, and the runs that follow find one key in all places, and nothing left to do.
//!
//! `cargo test` plays a part of all such interleavings, in which each call of either run is met; with
//! `SIMULATE_ALL` set, as `scripts/simulate` does, it plays all.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use rolecall_server::Quirks;

use super::platform::Platform;
use super::play::{Play, Run};
use super::stores::Stores;
use super::story::{Command, Wish, address, configuration};
use super::turns::Turns;

/// Of the interleavings, one in so many is played.
const PART: usize = 16;

struct Meeting {
    title: &'static str,
    /// The places of the account.
    places: &'static [usize],
    /// Whether it is there before.
    born: bool,
    /// How long ago it was born.
    age: Duration,
    first: Command,
    second: Command,
    /// What is wanted has other roles than what is there.
    changed: bool,
}

impl Meeting {
    fn wish(&self, roles: usize) -> Vec<Option<Wish>> {
        vec![Some(Wish {
            roles,
            places: self.places.to_vec(),
            name: 0,
            until: 0,
            remove: false,
        })]
    }

    /// Lets both meet once. Gives how they went.
    fn meet(
        &self,
        platform: &Platform,
        quirks: &Quirks,
        (first, second): (usize, usize),
        seen: &mut BTreeSet<String>,
    ) -> Result<Vec<Run>, String> {
        fastrand::seed(1);
        let there = match self.born {
            true => self.wish(0),
            false => Vec::new(),
        };
        let there = configuration(&there, false);
        let play = Play::new(platform, quirks, Stores::ByKind, false, there)?;
        platform.clock.advance(self.age);
        let wanted = configuration(&self.wish(usize::from(self.changed)), false);
        play.ledger.declare(wanted.clone());
        if self.born {
            play.keys_are_used()?;
        }
        let commands = [(self.first.clone(), None), (self.second.clone(), None)];
        let turns = Turns::new(first, second);
        let runs = play.run(&commands, Some(&turns), &wanted)?;
        // What a run sees is all that the next one rests on.
        if seen.insert(platform.state()) {
            play.finish().map_err(|why| {
                let told = |run: &Run| format!("{:#?} {}", run.told.outcome, run.told.refused);
                let told: Vec<String> = runs.iter().map(told).collect();
                format!("{why}\nthe first: {}\nthe second: {}", told[0], told[1])
            })?;
        }
        Ok(runs)
    }

    /// Lets both meet at every call of each other. Gives at how many points they met.
    fn everywhere(&self, quirks: &Quirks) -> usize {
        let start = Instant::now();
        let part = match std::env::var_os("SIMULATE_ALL") {
            Some(_) => 1,
            None => PART,
        };
        let platform = Platform::new(quirks.clone());
        let never = usize::MAX;
        let mut seen = BTreeSet::new();
        let mut meet = |first, second| {
            let met = self.meet(&platform, quirks, (first, second), &mut seen);
            met.unwrap_or_else(|why| {
                panic!(
                    "{}, the first up to its call {first}, the second up to its call {second}:\n{why}",
                    self.title
                )
            })
        };
        let calls = |runs: &[Run], n: usize| runs[n].calls.len();
        let alone = calls(&meet(never, never), 0);
        let mut points = 1;
        for first in 0..=alone {
            let second = calls(&meet(first, never), 1);
            points += 1;
            for second in (0..second).filter(|second| (first + second) % part == 0) {
                meet(first, second);
                points += 1;
            }
        }
        let _ = writeln!(
            std::io::stderr(),
            "simulation of {}: {points} points, {} ends, in {:.1} s",
            self.title,
            seen.len(),
            start.elapsed().as_secs_f64()
        );
        points
    }
}

fn meeting(title: &'static str, first: Command, second: Command) -> Meeting {
    Meeting {
        title,
        places: &[0, 1],
        born: true,
        age: Duration::from_hours(1),
        first,
        second,
        changed: false,
    }
}

fn rotate() -> Command {
    Command::Rotate([address(0)].into())
}

#[test]
fn two_rotations_of_one_account() {
    let of = meeting("two rotations of one account", rotate(), rotate());
    let points = of.everywhere(&Quirks::default());
    assert!(points >= 40, "{points}");
}

/// What cannot be read cannot be put back.
#[test]
fn two_rotations_where_a_place_cannot_be_read() {
    let of = Meeting {
        places: &[0, 2],
        ..meeting(
            "two rotations where a place cannot be read",
            rotate(),
            rotate(),
        )
    };
    let points = of.everywhere(&Quirks::default());
    assert!(points >= 40, "{points}");
}

#[test]
fn two_rotations_by_the_clock() {
    let of = Meeting {
        age: Duration::from_hours(24 * 40),
        ..meeting("two rotations by the clock", Command::Due, Command::Due)
    };
    let points = of.everywhere(&Quirks::default());
    assert!(points >= 40, "{points}");
}

#[test]
fn a_rotation_beside_an_apply() {
    let of = Meeting {
        changed: true,
        ..meeting("a rotation beside an apply", rotate(), Command::Apply)
    };
    let points = of.everywhere(&Quirks::default());
    assert!(points >= 20, "{points}");
    let of = Meeting {
        changed: true,
        ..meeting("an apply beside a rotation", Command::Apply, rotate())
    };
    let points = of.everywhere(&Quirks::default());
    assert!(points >= 20, "{points}");
}

#[test]
fn a_rotation_beside_a_revocation() {
    let revoke = || Command::Revoke(address(0));
    let of = meeting("a rotation beside a revocation", rotate(), revoke());
    let points = of.everywhere(&Quirks::default());
    assert!(points >= 20, "{points}");
    let of = meeting("a revocation beside a rotation", revoke(), rotate());
    let points = of.everywhere(&Quirks::default());
    assert!(points >= 20, "{points}");
}

/// Before there is an account, both create.
#[test]
fn two_births_of_one_account() {
    let of = Meeting {
        born: false,
        ..meeting("two births of one account", Command::Apply, Command::Apply)
    };
    let points = of.everywhere(&Quirks::default());
    assert!(points >= 20, "{points}");
}
