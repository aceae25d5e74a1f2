//! The simulation: every call that a run makes is made to fail in every way, one at a time, on
//! platforms of every kind; whatever happened, the laws hold at every instant, and the next run
//! puts all right.

mod case;
mod laws;
mod platform;
mod run;
mod time;
mod world;

use std::io::Write as _;

use rolecall::server::{EmptyRoles, LabelsOnCreate, Quirks};

use case::{Case, Wish, platforms};

/// Meets every fault at every call of every case, and counts them. `least` keeps the simulation
/// from shrinking unseen.
fn simulate(what: &str, cases: &[Case], least: usize) {
    let start = std::time::Instant::now();
    let mut points = 0;
    for case in cases {
        let calls = run::point(case, None)
            .unwrap_or_else(|why| panic!("{}\nwithout a fault: {why}", case.title));
        for (number, call) in calls.iter().enumerate() {
            for fault in call.kind.faults() {
                points += 1;
                if let Err(why) = run::point(case, Some((number, *fault))) {
                    let names: Vec<_> = calls.iter().map(|call| call.name).collect();
                    panic!(
                        "{}\n{fault:?} at call {number} ({}) of {names:?}:\n{why}",
                        case.title, call.name
                    );
                }
            }
        }
    }
    // Not through `eprintln`, which the test harness swallows.
    let _ = writeln!(
        std::io::stderr(),
        "simulation of {what}: {points} points over {} worlds in {:.1} s",
        cases.len(),
        start.elapsed().as_secs_f64()
    );
    assert!(points >= least, "{points} points, fewer than {least}");
}

const BOTH: &[&str] = &["viewer", "agent"];
const AGENT: &[&str] = &["agent"];
const LAGS: [u64; 2] = [0, 1500];

#[test]
fn one_birth() {
    let mut cases = Vec::new();
    for quirks in platforms(&LAGS) {
        for roles in [BOTH, AGENT] {
            cases.push(Case::new(quirks.clone(), &[Wish(0, roles, 2)]));
        }
    }
    simulate("one birth", &cases, 1);
}
