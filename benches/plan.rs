//! Speed and size of what decides: the comparison of 1,000, 10,000 and 100,000 accounts, and a plan of
//! 10,000 changes with its text and digest. Prints what it took, and fails beyond the limits.
//!
//! `scripts/plan-speed` runs it optimized. CPU time and memory are the kernel's own numbers.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that ends at the first surprise"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rolecall::diff::diff;
use rolecall::model::{
    Address, Caller, CredentialMark, Desired, DesiredAccount, Destination, Extent, Facts,
    FileFormat, Fingerprint, Labels, Live, LiveAccount, Marks, Mrn, Place, Role, RoleSet, Scope,
    ScopeInfo, SealKey, Seals, SourceRef, SpaceId, StackId,
};
use rolecall::plan::build;
use rolecall::view::human;

const DIFF: Duration = Duration::from_millis(300);
const PLAN: Duration = Duration::from_secs(1);
const MEMORY_KB: u64 = 200 * 1024;
const CALLER: &str = "//agents.api.mondoo.app/organizations/acme/serviceaccounts/caller";

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

fn seals() -> Seals {
    Seals::new(SealKey::parse(&"0123456789abcdef".repeat(4)).unwrap(), None)
}

/// So many declared accounts, in a tenth as many spaces.
fn desired(n: usize) -> Desired {
    let place = || SourceRef {
        file: "access.hcl".to_owned(),
        line: 7,
    };
    let account = |i: usize| {
        let address = Address::new("ci", Some(format!("team-{i:06}")));
        DesiredAccount {
            scope: Scope::Space(SpaceId::new(format!("space-{:06}", i / 10)).unwrap()),
            name: format!("ci-{i:06}"),
            description: Some(format!("Scans the builds of team {i}")),
            labels: Some(Labels::from([("team".to_owned(), format!("t{i}"))])),
            roles: roles(&["agent", "viewer"]),
            role_places: BTreeMap::new(),
            valid_until: None,
            deliver_to: vec![Destination {
                sink: "file.local".to_owned(),
                place: Place::File {
                    directory: "credentials".to_owned(),
                    file: format!("ci.team-{i:06}.json"),
                    format: FileFormat::Json,
                },
            }],
            protected: None,
            formerly: Vec::new(),
            import: None,
            declared_at: place(),
            address,
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
    let mut accounts = BTreeMap::new();
    let mut scopes = BTreeMap::new();
    for (i, account) in desired.accounts.values().enumerate() {
        let mrn = Mrn::new(format!(
            "//agents.api.mondoo.app/spaces/{}/serviceaccounts/{i:027}",
            account.scope.id()
        ));
        let marks = Marks {
            stack: stack(),
            address: account.address.label(),
            generation: 1,
            credential: CredentialMark::Delivered {
                fingerprint: Fingerprint::of_public_key(b"key"),
                destinations: CredentialMark::destinations_digest(&account.deliver_to),
            },
            expires: None,
            protected: false,
            seal: None,
        };
        let mut labels = account.labels.clone().unwrap_or_default();
        labels.extend(seals.seal(&mrn, marks).labels());
        let differs = i % nth == 0;
        let found = LiveAccount {
            mrn: mrn.clone(),
            scope: account.scope.clone(),
            name: account.name.clone(),
            description: account.description.clone(),
            labels,
            roles: roles(if differs {
                &["viewer"]
            } else {
                &["agent", "viewer"]
            }),
            created_at: Some(Timestamp::UNIX_EPOCH),
            last_used: None,
            creator: Some(CALLER.to_owned()),
        };
        scopes.entry(account.scope.clone()).or_insert(ScopeInfo {
            name: String::new(),
            organization: None,
        });
        accounts.insert(mrn, found);
    }
    Live {
        facts: Facts {
            caller: Caller {
                mrn: Mrn::new(CALLER),
                name: None,
            },
            now: Timestamp::UNIX_EPOCH,
            endpoint: "https://us.api.mondoo.com".to_owned(),
        },
        scopes,
        unread: BTreeMap::new(),
        extent: Extent::default(),
        accounts,
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
    let seals = seals();
    let before = peak_kb();
    let start = cpu();
    let delta = diff(&wanted, &there, &seals);
    let plan = build(&wanted, &there, delta);
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
        for (how, seals) in [
            ("without seals", Seals::default()),
            ("seals checked", seals.clone()),
        ] {
            let start = cpu();
            let delta = diff(&wanted, &there, &seals);
            let took = cpu() - start;
            assert_eq!(delta.differences.len(), n / 100);
            expect(&format!("diff of {n} accounts, {how}"), took, most);
        }
    }
    if failed || too_large {
        std::process::exit(1);
    }
}
