//! Stories by seed: several faults in one run, two runs at once, one thing after the other. And every fault of the
//! whole list at every call of one command of each kind.
//!
//! `SIMULATE_POINTS` and `SIMULATE_SEED` say how many seeds are played from which on, `SIMULATE_THREADS` on how many
//! threads; `scripts/simulate` sets them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use rolecall_server::Quirks;

use super::chance::Chance;
use super::coverage::Coverage;
use super::fault::Fault;
use super::platform::Platform;
use super::play::Play;
use super::stores::Stores;
use super::story::{Command, Doing, Story, Wish, address, configuration, platforms};
use super::turns::Turns;
use super::world::Luck;

/// How many seeds `cargo test` plays.
const POINTS: u64 = 100;
/// After so many seeds platforms are made anew: they remember all that was ever done.
const FRESH: u64 = 50;
/// Of every fault at every call, one in so many is met by `cargo test`; with `SIMULATE_ALL` set, all are.
const PART: usize = 8;
/// How many seeds may fail before no more are played.
const ENOUGH: usize = 5;

/// Not through `eprintln`, which the test harness swallows.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name);
    text.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Plays the story of one seed.
fn play(
    seed: u64,
    quirks: &[Quirks],
    stages: &[Platform],
    coverage: &mut Coverage,
) -> Result<(), String> {
    fastrand::seed(seed);
    let chance = Chance::new(seed);
    let story = Story::of(&chance);
    let mut trace = story.to_string();
    let played = act(&story, &chance, quirks, stages, coverage, &mut trace);
    played.map_err(|why| format!("{why}\n{trace}"))
}

fn act(
    story: &Story,
    chance: &Chance,
    quirks: &[Quirks],
    stages: &[Platform],
    coverage: &mut Coverage,
    trace: &mut String,
) -> Result<(), String> {
    let (platform, quirks) = (&stages[story.platform], &quirks[story.platform]);
    platform.keeps_answers();
    let there = story.there.clone();
    let play = Play::new(platform, quirks, Stores::ByKind, story.wide, there)?;
    for step in &story.steps {
        platform.clock.advance(step.pause);
        if step.pause > Duration::from_hours(24) {
            play.keys_are_used()?;
        }
        if let Some(desired) = &step.desired {
            play.ledger.declare(desired.clone());
        }
        let desired = play.ledger.desired();
        let two = matches!(step.doing, Doing::Two(..));
        let luck = || Luck::some(chance.split(), step.faults, step.odds, two);
        let (one, other) = (luck(), luck());
        let commands = match &step.doing {
            Doing::One(command) => vec![(command.clone(), Some(&one))],
            Doing::Two(a, b) => vec![(a.clone(), Some(&one)), (b.clone(), Some(&other))],
        };
        let turns = (commands.len() > 1).then(|| Turns::by_chance(chance.split()));
        let runs = play.run(&commands, turns.as_ref(), &desired)?;
        for ((command, _), run) in commands.iter().zip(&runs) {
            coverage.add(command.name(), run);
            let met: Vec<String> = run
                .struck
                .iter()
                .map(|(at, fault)| format!("{fault:?} at {at} ({})", run.calls[*at].name))
                .collect();
            let results = run.told.outcome.iter().flat_map(|outcome| &outcome.results);
            let results: Vec<String> = results
                .map(|told| {
                    let (result, of) = (told.result.name(), &told.address);
                    format!("{:?} {of} {result} {}", told.action, told.detail)
                })
                .collect();
            trace.push_str(&format!(
                "{} met [{}]{}: {}{}\n",
                command.name(),
                met.join(", "),
                if run.died { " and died" } else { "" },
                results.join("; "),
                run.told.refused,
            ));
        }
    }
    play.finish()
}

/// Plays seeds from one on, each `step` further.
fn several(from: u64, points: u64, step: u64) -> (Coverage, Vec<(u64, String)>) {
    let quirks = platforms();
    let fresh = || -> Vec<Platform> { quirks.iter().cloned().map(Platform::new).collect() };
    let (mut coverage, mut failed) = (Coverage::default(), Vec::new());
    let mut stages = fresh();
    for n in 0..points {
        if n % FRESH == 0 {
            stages = fresh();
        }
        let seed = from + n * step;
        if let Err(why) = play(seed, &quirks, &stages, &mut coverage) {
            failed.push((seed, why));
            stages = fresh();
            if failed.len() >= ENOUGH {
                break;
            }
        }
        if n % 5000 == 4999 {
            tell(&format!("… {} of {points} from {from}", n + 1));
        }
    }
    (coverage, failed)
}

/// Seeds that found a mistake of the program, each with what it was.
const FOUND: [(u64, &str); 1] = [(
    10_073,
    "of two applies that deliver one key to a further place, the one that stops took it from where the other \
     had marked it",
)];

#[test]
fn seeds_that_found_a_mistake_find_none() {
    for (seed, what) in FOUND {
        let (_, failed) = several(seed, 1, 1);
        assert!(failed.is_empty(), "{what}: {failed:?}");
    }
}

#[test]
fn stories() {
    let start = Instant::now();
    let seed = number("SIMULATE_SEED", 1);
    let points = number("SIMULATE_POINTS", POINTS);
    let threads = number("SIMULATE_THREADS", 1).clamp(1, points.max(1));
    let parts: Vec<(Coverage, Vec<(u64, String)>)> = std::thread::scope(|scope| {
        let share = |n: u64| (points - n).div_ceil(threads);
        let all: Vec<_> = (0..threads)
            .map(|n| scope.spawn(move || several(seed + n, share(n), threads)))
            .collect();
        let joined = all.into_iter().map(|one| one.join());
        joined.map(|one| one.expect("no panic")).collect()
    });
    let (mut coverage, mut failed) = (Coverage::default(), Vec::new());
    for (part, fails) in parts {
        coverage.join(part);
        failed.extend(fails);
    }
    tell(&format!(
        "simulation of stories: {points} seeds from {seed}, {} failed, in {:.1} s\n{coverage}",
        failed.len(),
        start.elapsed().as_secs_f64()
    ));
    for (seed, why) in &failed {
        tell(&format!(
            "seed {seed} fails; scripts/simulate --points 1 --seed {seed} repeats it\n{why}"
        ));
    }
    assert!(
        failed.is_empty(),
        "{} seeds fail, as told above",
        failed.len()
    );
    if points >= 10_000 {
        let lacking = coverage.lacking();
        assert!(lacking.is_empty(), "never hit: {lacking:?}");
    }
}

/// What comes before the command whose every call meets every fault: all goes well.
struct Scene {
    title: &'static str,
    wide: bool,
    there: Vec<Option<Wish>>,
    before: Vec<(Command, Duration)>,
    wanted: Vec<Option<Wish>>,
    command: Command,
    /// What goes wrong in any case, if anything: the last call of this name.
    first: Option<(&'static str, Fault)>,
}

impl Scene {
    fn scenes() -> Vec<Self> {
        let wish = |roles, places: &[usize], remove| {
            Some(Wish {
                roles,
                places: places.to_vec(),
                name: 0,
                until: 0,
                remove,
            })
        };
        let of = |title, command| Self {
            title,
            wide: false,
            there: vec![wish(0, &[0, 1, 2], false)],
            before: Vec::new(),
            wanted: vec![wish(0, &[0, 1, 2], false)],
            command,
            first: None,
        };
        let rotate = || Command::Rotate([address(0)].into());
        let moved = |wish: Option<Wish>| wish.map(|wish| Wish { name: 1, ..wish });
        vec![
            of("a revocation", Command::Revoke(address(0))),
            Self {
                wide: true,
                there: Vec::new(),
                wanted: vec![wish(0, &[0, 1], false), None, wish(1, &[2], false)],
                ..of("births in two scopes", Command::Apply)
            },
            Self {
                there: vec![wish(0, &[0, 1], true), wish(1, &[3], true)],
                wanted: vec![moved(wish(1, &[1, 3], true)), None],
                ..of(
                    "a key that moves, other roles, another name, an end",
                    Command::Apply,
                )
            },
            of("a rotation", rotate()),
            Self {
                first: Some(("promote", Fault::Refused)),
                there: vec![wish(0, &[1, 4, 0], false)],
                wanted: vec![wish(0, &[1, 4, 0], false)],
                ..of("a rotation that a place refuses", rotate())
            },
            Self {
                before: vec![(rotate(), Duration::from_hours(100))],
                ..of("the roles of a former key end", Command::Due)
            },
            Self {
                before: vec![
                    (rotate(), Duration::from_hours(100)),
                    (Command::Due, Duration::from_hours(1)),
                ],
                ..of("the account of a former key ends", Command::Due)
            },
        ]
    }
}

fn fails(scene: &Scene, why: &str) -> ! {
    panic!("{}: {why}", scene.title)
}

#[test]
fn every_fault_at_every_call() {
    let start = Instant::now();
    let quirks = platforms();
    let platform = Platform::new(quirks[0].clone());
    platform.keeps_answers();
    let coverage = RefCell::new(Coverage::default());
    let part = match std::env::var_os("SIMULATE_ALL") {
        Some(_) => 1,
        None => PART,
    };
    let (mut points, mut ends) = (0, 0);
    for scene in Scene::scenes() {
        // A run sees the platform and the destinations and nothing else, so what follows the same state is the
        // same.
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut point = |faults: Vec<(usize, Fault)>| {
            fastrand::seed(1);
            let there = configuration(&scene.there, scene.wide);
            let play = Play::new(&platform, &quirks[0], Stores::ByKind, scene.wide, there)?;
            let wanted = configuration(&scene.wanted, scene.wide);
            play.ledger.declare(wanted.clone());
            if !scene.before.is_empty() {
                play.keys_are_used()?;
            }
            for (command, pause) in &scene.before {
                play.run(&[(command.clone(), None)], None, &wanted)?;
                platform.clock.advance(*pause);
                play.keys_are_used()?;
            }
            let luck = Luck::At(faults);
            let mut runs = play.run(&[(scene.command.clone(), Some(&luck))], None, &wanted)?;
            let run = runs.pop().ok_or("no run")?;
            coverage.borrow_mut().add(scene.command.name(), &run);
            if seen.insert(platform.state()) {
                play.finish()?;
            }
            Ok::<_, String>(run)
        };
        let run = point(Vec::new()).unwrap_or_else(|why| fails(&scene, &why));
        let always: Vec<(usize, Fault)> = scene
            .first
            .iter()
            .filter_map(|(name, fault)| {
                let at = run.calls.iter().rposition(|call| call.name == *name)?;
                Some((at, *fault))
            })
            .collect();
        let calls = match always.is_empty() {
            true => run.calls,
            false => {
                point(always.clone())
                    .unwrap_or_else(|why| fails(&scene, &why))
                    .calls
            }
        };
        let from = always.first().map_or(0, |(at, _)| at + 1);
        for (at, call) in calls.iter().enumerate().skip(from) {
            for (n, fault) in call.kind.all_faults().iter().enumerate() {
                // A call of one name and its fault are met once in any case.
                if coverage.borrow().has(*call, *fault) && (at + n) % part != 0 {
                    continue;
                }
                points += 1;
                let faults = [always.as_slice(), &[(at, *fault)]].concat();
                if let Err(why) = point(faults) {
                    let names: Vec<_> = calls.iter().map(|call| call.name).collect();
                    let what = format!("{fault:?} at call {at} ({}) of {names:?}", call.name);
                    fails(&scene, &format!("{what}:\n{why}"));
                }
            }
        }
        ends += seen.len();
    }
    let coverage = coverage.into_inner();
    tell(&format!(
        "simulation of every fault: {points} points, {ends} ends, in {:.1} s\n{coverage}",
        start.elapsed().as_secs_f64()
    ));
    let lacking = coverage.lacking();
    assert!(lacking.is_empty(), "never hit: {lacking:?}");
    assert!(points >= 200, "{points} points");
}
