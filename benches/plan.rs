//! Speed and size of what decides: the comparison of 1,000, 10,000 and 100,000 accounts with and without
//! seals, and a plan of 10,000 changes with its text and digest. Prints what it took, and fails beyond the
//! limits. Seals are looked at on all cores, so of them the time on the clock is told beside the CPU time of
//! all threads, and nothing is demanded: a signature costs what it costs.
//!
//! `scripts/plan-speed` runs it optimized. CPU time and memory are the kernel's own numbers.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that ends at the first surprise"
)]

#[path = "../tests/it/samples.rs"]
mod samples;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rolecall::diff::diff;
use rolecall::model::{
    Address, Desired, DesiredAccount, Inventory, Labels, Live, LiveAccount, Mrn, Role, RoleSet,
    Scope, ScopeInfo, SealKey, SealKeys, Seals, SpaceId, StackId,
};
use rolecall::plan::build;
use rolecall::view::human;

const DIFF: Duration = Duration::from_millis(300);
const PLAN: Duration = Duration::from_secs(1);
const MEMORY_KB: u64 = 200 * 1024;
const CALLER: &str = "//agents.api.mondoo.app/organizations/acme/serviceaccounts/caller";

/// CPU time of all threads of this process, also of those that have ended. Told in hundredths of a second.
fn cpu_of_all() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the name, which may hold anything: utime and stime are the 12th and 13th.
    let (_, rest) = text.rsplit_once(')').unwrap();
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|t| t.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

fn peak_kb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn stack() -> StackId {
    StackId::new("acme-access", "k7m2q9ta").unwrap()
}

fn roles(names: &[&str]) -> RoleSet {
    names.iter().map(|name| Role::new(name)).collect()
}

/// What a run knows of seals that has looked at none yet.
fn seals() -> Seals {
    let key = SealKey::of_seed(zeroize::Zeroizing::new(std::array::from_fn(|i| i as u8))).unwrap();
    let keys = SealKeys {
        current: key.public().clone(),
        former: None,
    };
    Seals::new(Some(keys), Some(key)).unwrap()
}

/// So many declared accounts, in a tenth as many spaces.
fn desired(n: usize) -> Desired {
    let account = |i: usize| {
        let address = Address::new("ci", Some(format!("team-{i:06}")));
        let scope = Scope::Space(SpaceId::new(format!("space-{:06}", i / 10)).unwrap());
        DesiredAccount {
            name: format!("ci-{i:06}"),
            description: Some(format!("Scans the builds of team {i}")),
            labels: Some(Labels::from([("team".to_owned(), format!("t{i}"))])),
            roles: roles(&["agent", "viewer"]),
            deliver_to: vec![samples::destination(format!("ci.team-{i:06}.json"))],
            ..samples::declared(address, scope)
        }
    };
    let accounts = (0..n).map(account);
    Desired {
        accounts: accounts.map(|a| (a.address.clone(), a)).collect(),
        ..Desired::nothing(stack())
    }
}

/// All of them live and sealed, each `nth` with another role than declared.
fn live(desired: &Desired, nth: usize) -> Live {
    let seals = seals();
    let mut accounts = Vec::new();
    let mut scopes = BTreeMap::new();
    for (i, account) in desired.accounts.values().enumerate() {
        let mrn = Mrn::new(format!(
            "//agents.api.mondoo.app/spaces/{}/serviceaccounts/{i:027}",
            account.scope.id()
        ));
        let marks = seals.seal(&mrn, samples::marks(account, stack(), b"key"));
        let differs = i % nth == 0;
        let found = LiveAccount {
            roles: roles(if differs {
                &["viewer"]
            } else {
                &["agent", "viewer"]
            }),
            ..samples::born(account, mrn, &marks, CALLER)
        };
        scopes.entry(account.scope.clone()).or_insert(ScopeInfo {
            name: String::new(),
            organization: None,
        });
        accounts.push(found);
    }
    Live {
        scopes,
        ..samples::live(CALLER, accounts)
    }
}

fn main() {
    let mut failed = false;
    let mut expect = |what: &str, took: Duration, most: Option<Duration>| {
        let good = most.is_none_or(|most| took < most);
        let word = if good { "ok" } else { "TOO MUCH" };
        println!(
            "{what:<56} {:>9.1} ms CPU  {word}",
            took.as_secs_f64() * 1e3
        );
        failed |= !good;
    };

    // The plan first: memory is told by its peak.
    let wanted = desired(10_000);
    let there = live(&wanted, 1);
    let before = peak_kb();
    let start = cpu();
    let inventory = Inventory::take(&wanted, &there, &Seals::default());
    let delta = diff(&wanted, &there, &inventory);
    let plan = build(&wanted, &there, &inventory, delta);
    let text = human::plan(&plan);
    let digest = plan.digest();
    let took = cpu() - start;
    assert_eq!(plan.changes.len(), 10_000);
    assert_eq!(digest.len(), 64);
    let what = format!(
        "plan, text ({} KiB) and digest of 10,000 changes",
        text.len() / 1024
    );
    expect(&what, took, Some(PLAN));
    let peak = peak_kb();
    println!(
        "peak memory with the 10,000 accounts it was made of {:>13} MB  {}",
        peak / 1024,
        if peak < MEMORY_KB { "ok" } else { "TOO MUCH" }
    );
    println!("  of which before the plan {:>40} MB", before / 1024);
    let too_large = peak >= MEMORY_KB;
    drop((text, plan, there, wanted));

    for (n, most) in [(1_000, None), (10_000, None), (100_000, Some(DIFF))] {
        let wanted = desired(n);
        // One account in a hundred differs, as on an ordinary day.
        let there = live(&wanted, 100);
        let start = cpu();
        let inventory = Inventory::take(&wanted, &there, &Seals::default());
        let delta = diff(&wanted, &there, &inventory);
        let took = cpu() - start;
        assert_eq!(delta.differences.len(), n / 100);
        expect(&format!("diff of {n} accounts, without seals"), took, most);

        let fresh = seals();
        let (clock, start) = (Instant::now(), cpu_of_all());
        let inventory = Inventory::take(&wanted, &there, &fresh);
        let delta = diff(&wanted, &there, &inventory);
        let (clock, took) = (clock.elapsed(), cpu_of_all() - start);
        assert_eq!(delta.differences.len(), n / 100);
        assert!(delta.blocked.is_empty());
        expect(&format!("diff of {n} accounts, seals checked"), took, None);
        println!(
            "  on the clock {:>30.1} ms, {:.0} seals a second",
            clock.as_secs_f64() * 1e3,
            n as f64 / clock.as_secs_f64()
        );
        // Whatever else asks of the same accounts in this run is told what was found.
        let start = cpu();
        let again = diff(&wanted, &there, &inventory);
        let took = cpu() - start;
        assert_eq!(again, delta);
        expect(&format!("diff of {n} accounts, seals known"), took, None);
    }
    if failed || too_large {
        std::process::exit(1);
    }
}
