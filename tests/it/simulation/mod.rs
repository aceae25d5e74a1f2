//! The simulation: every call that a run makes is made to fail in every way, one at a time, on
//! platforms of every kind; whatever happened, the laws hold at every instant, and the next run
//! puts all right.

mod case;
mod chance;
mod conduct;
mod coverage;
mod fault;
mod laws;
mod ledger;
mod platform;
mod play;
mod resume;
mod rotation;
mod run;
mod seeded;
mod stores;
mod story;
mod time;
mod together;
mod turns;
mod wire;
mod world;

use std::io::Write as _;

use rolecall_server::{ClearRoles, EmptyRoles, LabelsOnCreate, Quirks};

use case::{Case, Wanted, platforms};
use run::Stage;

/// Meets every fault at every call of every case, and counts them. `least` keeps the simulation
/// from shrinking unseen.
fn simulate(what: &str, cases: &[Case], least: usize) {
    let start = std::time::Instant::now();
    let (mut points, mut ends) = (0, 0);
    for case in cases {
        let mut stage = Stage::new(case);
        let calls = stage
            .point(None)
            .unwrap_or_else(|why| panic!("{}\nwithout a fault: {why}", case.title));
        for (number, call) in calls.iter().enumerate() {
            for fault in call.kind.faults(case.alone) {
                points += 1;
                if let Err(why) = stage.point(Some((number, *fault))) {
                    let names: Vec<_> = calls.iter().map(|call| call.name).collect();
                    panic!(
                        "{}\n{fault:?} at call {number} ({}) of {names:?}:\n{why}",
                        case.title, call.name
                    );
                }
            }
        }
        ends += stage.ends();
    }
    // Not through `eprintln`, which the test harness swallows.
    let _ = writeln!(
        std::io::stderr(),
        "simulation of {what}: {points} points over {} worlds, {ends} ends, in {:.1} s",
        cases.len(),
        start.elapsed().as_secs_f64()
    );
    assert!(points >= least, "{points} points, fewer than {least}");
}

const BOTH: &[&str] = &["viewer", "agent"];
const AGENT: &[&str] = &["agent"];
const VIEWER: &[&str] = &["viewer"];
const NONE: &[&str] = &[];

/// How long reads stay behind writes, in milliseconds: not at all, or for a reading.
const PROMPT: u64 = 0;
const LATE: u64 = 90;

#[test]
fn one_birth() {
    let mut cases = Vec::new();
    for quirks in platforms(&[PROMPT, LATE]) {
        cases.push(Case::new(quirks, &[Wanted(0, BOTH, 2)]));
    }
    simulate("one birth", &cases, 700);
}

#[test]
fn one_birth_with_one_role() {
    let cases = platforms(&[PROMPT])
        .into_iter()
        .map(|quirks| Case::new(quirks, &[Wanted(0, AGENT, 1)]));
    simulate("one birth with one role", &cases.collect::<Vec<_>>(), 280);
}

/// Most stores hold one key and no other: it is put there at once, or not at all.
#[test]
fn one_birth_into_stores_that_cannot_stage() {
    let cases = platforms(&[PROMPT])
        .into_iter()
        .map(|quirks| Case::new(quirks, &[Wanted(0, BOTH, 2)]).without_staging());
    let what = "one birth into stores that cannot stage";
    simulate(what, &cases.collect::<Vec<_>>(), 350);
}

/// What a run that died left in such a store looks like anything else there: only the sink's word lets the
/// next run put its key in the place.
#[test]
fn one_birth_into_stores_that_cannot_be_read() {
    let cases = platforms(&[PROMPT])
        .into_iter()
        .map(|quirks| Case::new(quirks, &[Wanted(0, BOTH, 2)]).unreadable());
    let what = "one birth into stores that cannot be read";
    simulate(what, &cases.collect::<Vec<_>>(), 350);
}

/// Some of these cannot be: a platform may give no account without roles.
#[test]
fn births_without_roles() {
    let cases = platforms(&[PROMPT])
        .into_iter()
        .map(|quirks| Case::new(quirks, &[Wanted(0, NONE, 1)]));
    simulate("births without roles", &cases.collect::<Vec<_>>(), 170);
}

#[test]
fn two_births_in_one_scope() {
    let cases = platforms(&[PROMPT])
        .into_iter()
        .map(|quirks| Case::new(quirks, &[Wanted(0, BOTH, 1), Wanted(0, AGENT, 1)]));
    simulate("two births in one scope", &cases.collect::<Vec<_>>(), 480);
}

#[test]
fn two_births_in_two_scopes() {
    let platforms = [
        (EmptyRoles::None, ClearRoles::Allow, LATE),
        (EmptyRoles::DefaultViewer, ClearRoles::Refuse, PROMPT),
        (EmptyRoles::Refuse, ClearRoles::Allow, PROMPT),
    ];
    let cases = platforms.map(|(empty_roles, clear_roles, read_lag_ms)| {
        let quirks = Quirks {
            empty_roles,
            clear_roles,
            read_lag_ms,
            ..Quirks::default()
        };
        Case::new(quirks, &[Wanted(0, BOTH, 1), Wanted(1, AGENT, 1)])
    });
    simulate("two births in two scopes", &cases, 360);
}

/// A platform that drops labels cannot be managed: nothing may come of it, and nothing stay.
#[test]
fn births_on_a_platform_that_drops_labels() {
    let mut cases = Vec::new();
    for quirks in platforms(&[PROMPT]) {
        if quirks.clear_roles == ClearRoles::Allow {
            let quirks = Quirks {
                labels_on_create: LabelsOnCreate::Drop,
                ..quirks
            };
            cases.push(Case::new(quirks, &[Wanted(0, BOTH, 1)]));
        }
    }
    cases.push(Case::new(
        cases[0].quirks.clone(),
        &[Wanted(0, BOTH, 1), Wanted(0, AGENT, 1)],
    ));
    simulate("births without labels", &cases, 105);
}

/// One account gains and one loses roles, one is deleted and one is born.
#[test]
fn changes_of_what_is_there() {
    let before = [
        Some(Wanted(0, AGENT, 1)),
        Some(Wanted(0, BOTH, 1)),
        Some(Wanted(0, AGENT, 1)),
        None,
    ];
    let after = [
        Some(Wanted(0, BOTH, 1)),
        Some(Wanted(0, VIEWER, 1)),
        None,
        Some(Wanted(0, AGENT, 1)),
    ];
    let quirks = |read_lag_ms| Quirks {
        read_lag_ms,
        ..Quirks::default()
    };
    let cases = [PROMPT, LATE].map(|lag| Case::change(quirks(lag), &before, &after));
    simulate("changes", &cases, 120);
}

/// One key leaves one of two places, one account is deleted with its key, and one leaves a place while its
/// roles change.
#[test]
fn keys_that_leave_places() {
    let before = [
        Some(Wanted(0, AGENT, 2)),
        Some(Wanted(0, AGENT, 1)),
        Some(Wanted(0, BOTH, 3)),
    ];
    let after = [Some(Wanted(0, AGENT, 1)), None, Some(Wanted(0, VIEWER, 1))];
    let case = |lag| {
        let quirks = Quirks {
            read_lag_ms: lag,
            ..Quirks::default()
        };
        Case::change(quirks, &before, &after)
    };
    let cases = [case(PROMPT), case(PROMPT).removing(), case(LATE).removing()];
    simulate("keys that leave places", &cases, 160);
}

/// A key goes to a second place, one moves to another place, and one moves while its account changes.
#[test]
fn keys_that_are_delivered_again() {
    let before = [
        Some(Wanted(0, AGENT, 1)),
        Some(Wanted(0, AGENT, 1)),
        Some(Wanted(0, BOTH, 2)),
    ];
    let after = [
        Some(Wanted(0, AGENT, 2)),
        Some(Wanted(0, AGENT, 1)),
        Some(Wanted(0, VIEWER, 3)),
    ];
    let case = |lag| {
        let quirks = Quirks {
            read_lag_ms: lag,
            ..Quirks::default()
        };
        Case::change(quirks, &before, &after).moving()
    };
    let cases = [
        case(PROMPT),
        case(PROMPT).removing(),
        case(PROMPT).removing().without_staging(),
        case(LATE).removing(),
    ];
    simulate("keys that are delivered again", &cases, 550);
}
