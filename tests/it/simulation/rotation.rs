//! Rotations under every fault at every call: whatever happened, the key in every destination opens a live
//! account that has its roles, at every instant, and the runs that follow end it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use rolecall::apply::ChangeResult;
use rolecall::diff::PENDING_LEASE;
use rolecall::model::{Desired, DesiredAccount, Mrn, Renewal};
use rolecall::plan::{Action, Standing};
use rolecall_server::{ClearRoles, EmptyRoles, EqualNames, Quirks};

use super::case::{Case, Wanted};
use super::fault::{Call, Fault};
use super::laws::{Laws, ensure, short};
use super::platform::{Platform, Seen};
use super::play::Play;
use super::run::{Report, Watch, go};
use super::stores::Stores;
use super::story::{Command, Wish, address, configuration};
use super::world::Luck;
use super::{AGENT, BOTH, LATE, PROMPT};

/// How many generations of one account are live at most.
const MOST_LIVE: usize = 3;

/// What holds of accounts whose keys are replaced.
struct InUse<'a> {
    wanted: Vec<&'a DesiredAccount>,
}

impl InUse<'_> {
    fn roles(account: &DesiredAccount) -> Vec<String> {
        account
            .roles
            .iter()
            .map(|role| role.short().to_owned())
            .collect()
    }
}

impl Watch for InUse<'_> {
    fn step(&self, platform: &Platform) -> Result<(), String> {
        let ours = Laws::ours(platform)?;
        let all = platform.look();
        for wanted in &self.wanted {
            for to in &wanted.deliver_to {
                let Some(holder) = platform.holder(to) else {
                    return Err(format!("{to} holds no key"));
                };
                let Some(account) = all.get(holder.as_str()) else {
                    return Err(format!("{to} holds the key of {holder}, which is gone"));
                };
                let has = |role: &String| account.roles.contains(role);
                ensure(Self::roles(wanted).iter().all(has), || {
                    format!("{to} holds a key without its roles: {account:?}")
                })?;
            }
            let address = wanted.address.label();
            let mine = |account: &&Seen| {
                account.labels.get("rolecall-address").map(String::as_str) == Some(address.as_str())
            };
            let live = ours.iter().filter(mine).count();
            ensure((1..=MOST_LIVE).contains(&live), || {
                format!("{live} generations of {} are live", wanted.address)
            })?;
        }
        Ok(())
    }

    fn outcome(
        &self,
        platform: &Platform,
        before: &BTreeMap<String, Seen>,
        report: &Report,
    ) -> Result<(), String> {
        let after = platform.look();
        let Some(outcome) = &report.outcome else {
            return ensure(report.died || *after == *before, || {
                "something was written without an approved plan".to_owned()
            });
        };
        ensure(outcome.written || *after == *before, || {
            format!("something was written, but not told: {outcome:#?}")
        })?;
        for told in outcome
            .results
            .iter()
            .filter(|told| told.action == Action::Rotate)
        {
            let wanted = self
                .wanted
                .iter()
                .find(|wanted| wanted.address == told.address);
            let wanted = wanted.ok_or("an account that nobody asked for")?;
            let holders: Vec<Option<Mrn>> = wanted
                .deliver_to
                .iter()
                .map(|to| platform.holder(to))
                .collect();
            let old = |holder: &Option<Mrn>| {
                holder
                    .as_ref()
                    .is_some_and(|mrn| before.contains_key(mrn.as_str()))
            };
            match told.result {
                ChangeResult::Done => ensure(
                    holders.iter().all(|holder| *holder == told.account) && told.account.is_some(),
                    || format!("it is not done: {holders:?}, {told:#?}"),
                )?,
                // The new account is gone, and so is its key.
                ChangeResult::Undelivered => ensure(holders.iter().all(old), || {
                    format!("the former key is not back: {holders:?}, {told:#?}")
                })?,
                _ => {
                    let unfinished = told.detail.contains("unfinished");
                    ensure(unfinished || holders.iter().all(old), || {
                        format!("a new key is out, and that is not told: {holders:?}, {told:#?}")
                    })?;
                }
            }
        }
        Ok(())
    }
}

fn asking(desired: &Desired, renewal: Renewal) -> Desired {
    let mut desired = desired.clone();
    desired.meant.renewal = renewal;
    desired
}

fn by_clock() -> Renewal {
    Renewal {
        due: true,
        alone: true,
        ..Renewal::default()
    }
}

/// Meets the fault in a rotation of all accounts, then runs until nothing is left to do.
fn point(
    case: &Case,
    platform: &Platform,
    fault: Option<(usize, Fault)>,
) -> Result<Vec<Call>, String> {
    let before = case.before.as_ref().ok_or("nothing is there")?;
    platform.restore();
    for account in before.accounts.values() {
        platform.plant(&before.stack, account, case.stores);
    }
    platform.clock.advance(Duration::from_hours(1));
    let laws = InUse {
        wanted: case.desired.accounts.values().collect(),
    };
    let named = Renewal {
        of: case.desired.accounts.keys().cloned().collect(),
        alone: true,
        ..Renewal::default()
    };
    let first = go(platform, case, &asking(&case.desired, named), &laws, fault)?;
    if first.died != matches!(fault, Some((_, Fault::DeathBefore | Fault::DeathAfter))) {
        return Err("the fault was not met".to_owned());
    }
    if fault.is_none() {
        let complete = first
            .outcome
            .as_ref()
            .is_some_and(|outcome| outcome.complete());
        ensure(complete, || {
            format!("it does not end well: {:#?}", first.outcome)
        })?;
    }
    let settle = Duration::from_millis(case.quirks.read_lag_ms) + Duration::from_secs(1);
    platform.clock.advance(settle);
    platform
        .clock
        .advance(PENDING_LEASE.unsigned_abs() + Duration::from_secs(1));
    let mut wanted = case.desired.clone();
    for turn in 0.. {
        ensure(turn < 5, || "something is always left to do".to_owned())?;
        let next = go(platform, case, &asking(&wanted, by_clock()), &laws, None)?;
        platform.clock.advance(settle);
        let outcome = next.outcome.as_ref().ok_or("the next run was refused")?;
        let mut told = outcome.results.iter().map(|told| told.detail.as_str());
        // What a write left whose answer never came, or before whose mark the run died, has a version that
        // nobody knows: a person has to say that it may be lost, once.
        let unknown = first.died || matches!(fault, Some((_, Fault::Lost)));
        let versions = matches!(case.stores, Stores::Alike { versions: true, .. });
        if versions && unknown && told.any(|why| why.contains("say overwrite_unreadable")) {
            overwriting(&mut wanted);
            continue;
        }
        ensure(outcome.complete(), || {
            format!("the next run does not end well: {outcome:#?}")
        })?;
        if next
            .plan
            .as_ref()
            .is_some_and(|plan| plan.changes.is_empty())
        {
            break;
        }
    }
    end(case, platform, &laws)?;
    Ok(first.calls)
}

/// Lets keys take the place of what cannot be read.
fn overwriting(desired: &mut Desired) {
    for account in desired.accounts.values_mut() {
        for to in &mut account.deliver_to {
            *to = to.clone().overwriting_unreadable(true);
        }
    }
}

/// Holds when all is done: the plan has nothing to do, all places of an account hold one key that opens it, and
/// those before it wait for the end of their time.
fn end(case: &Case, platform: &Platform, laws: &InUse<'_>) -> Result<(), String> {
    let last = go(platform, case, &case.desired, laws, None)?;
    // A birth that died and was not begun again is removed by any plan.
    let last = match last
        .plan
        .as_ref()
        .is_some_and(|plan| !plan.changes.is_empty())
    {
        true => go(platform, case, &case.desired, laws, None)?,
        false => last,
    };
    let plan = last.plan.ok_or("no last plan")?;
    ensure(plan.is_empty(), || {
        format!("something is left to do: {:#?}", plan.changes)
    })?;
    let waits = |standing: &Standing| matches!(standing, Standing::Overlapping { .. });
    let all = || plan.annex.generations.iter().map(|of| &of.standing);
    ensure(all().all(waits), || {
        format!("a key does not only wait: {:#?}", plan.annex.generations)
    })?;
    for wanted in &laws.wanted {
        let mut holders = wanted
            .deliver_to
            .iter()
            .map(|to| platform.authenticates(to));
        let first = holders.next().ok_or("no place")??;
        for other in holders {
            ensure(other.as_ref() == Ok(&first), || {
                format!("{first} and {other:?} have the keys of {}", wanted.address)
            })?;
        }
    }
    Ok(())
}

fn simulate(what: &str, cases: &[Case], least: usize) {
    let start = std::time::Instant::now();
    let mut points = 0;
    for case in cases {
        let platform = Platform::new(case.quirks.clone());
        let calls = point(case, &platform, None)
            .unwrap_or_else(|why| panic!("{}\nwithout a fault: {why}", case.title));
        for (number, call) in calls.iter().enumerate() {
            for fault in call.kind.faults(case.alone) {
                points += 1;
                if let Err(why) = point(case, &platform, Some((number, *fault))) {
                    let names: Vec<_> = calls.iter().map(|call| call.name).collect();
                    panic!(
                        "{}\n{fault:?} at call {number} ({}) of {names:?}:\n{why}",
                        case.title, call.name
                    );
                }
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "simulation of {what}: {points} points over {} worlds, in {:.1} s",
        cases.len(),
        start.elapsed().as_secs_f64()
    );
    assert!(points >= least, "{points} points, fewer than {least}");
}

fn case(quirks: Quirks, wanted: &[Wanted]) -> Case {
    let wanted: Vec<_> = wanted.iter().copied().map(Some).collect();
    Case::change(quirks, &wanted, &wanted)
}

fn lagging(read_lag_ms: u64) -> Quirks {
    Quirks {
        read_lag_ms,
        ..Quirks::default()
    }
}

#[test]
fn one_rotation() {
    let unique = Quirks {
        equal_names: EqualNames::Refuse,
        ..lagging(PROMPT)
    };
    let born_with_roles = Quirks {
        empty_roles: EmptyRoles::Refuse,
        clear_roles: ClearRoles::Refuse,
        ..lagging(PROMPT)
    };
    let quirks = [lagging(PROMPT), lagging(LATE), born_with_roles, unique];
    let cases = quirks.map(|quirks| case(quirks, &[Wanted(0, BOTH, 2)]));
    simulate("one rotation", &cases, 300);
}

/// Most stores hold one key and no other: the new one is put there after it has its roles, and the former one
/// is written again where another place refuses.
#[test]
fn one_rotation_in_stores_that_cannot_stage() {
    let cases =
        [PROMPT, LATE].map(|lag| case(lagging(lag), &[Wanted(0, BOTH, 3)]).without_staging());
    simulate("one rotation in stores that cannot stage", &cases, 100);
}

/// What nobody can read cannot be put back: from its first write on both keys go on.
#[test]
fn one_rotation_in_stores_that_cannot_be_read() {
    let cases = [PROMPT, LATE].map(|lag| case(lagging(lag), &[Wanted(0, BOTH, 2)]).versioned());
    simulate("one rotation in stores that cannot be read", &cases, 80);
}

/// Where names are unique, the former account has another one while its place is taken. Where it could not be given
/// its own back, that is told, whatever kept it.
#[test]
fn a_name_that_is_not_given_back_is_told() {
    let quirks = Quirks {
        equal_names: EqualNames::Refuse,
        ..lagging(PROMPT)
    };
    let platform = Platform::new(quirks.clone());
    let wish = Wish {
        roles: 0,
        places: vec![0],
        name: 0,
        until: 0,
        remove: false,
    };
    let wanted = configuration(&[Some(wish)], false);
    let point = |faults: &[(usize, Fault)]| {
        let there = wanted.clone();
        let play = Play::new(&platform, &quirks, Stores::ByKind, false, there).expect("is there");
        let luck = Luck::At(faults.to_vec());
        let command = Command::Rotate([address(0)].into());
        let mut runs = play
            .run(&[(command, Some(&luck))], None, &wanted)
            .expect("holds");
        let all = platform.look();
        let kept = all.values().any(|one| one.name.contains("(generation 1)"));
        (runs.pop().expect("one run"), kept)
    };
    let (whole, _) = point(&[]);
    let stage = whole.calls.iter().position(|call| call.name == "stage");
    let refused = (stage.expect("staged"), Fault::Refused);
    let (failed, kept) = point(&[refused]);
    assert!(!kept);
    let mut told = 0;
    for at in refused.0 + 1..failed.calls.len() {
        let (run, kept) = point(&[refused, (at, Fault::Refused)]);
        let outcome = run.told.outcome.expect("it ended");
        let detail = &outcome.results[0].detail;
        assert!(
            !kept || detail.contains("is still called"),
            "{at}: {detail}"
        );
        told += usize::from(kept);
    }
    assert!(told >= 2, "{told} points");
}

/// Somebody who did not read the new key keeps the former one alive, for as long as it is used.
#[test]
fn a_former_key_that_is_used_goes_on_until_it_is_not() {
    let quirks = Quirks::default();
    let platform = Platform::new(quirks.clone());
    let wish = Wish {
        roles: 0,
        places: vec![0],
        name: 0,
        until: 0,
        remove: false,
    };
    let wanted = configuration(&[Some(wish)], false);
    let there = wanted.clone();
    let play = Play::new(&platform, &quirks, Stores::ByKind, false, there).expect("is there");
    let account = &wanted.accounts[&address(0)];
    let stuck = platform.read(&account.deliver_to[0]).expect("a key");
    let run = |command| {
        let runs = play.run(&[(command, None)], None, &wanted).expect("holds");
        assert!(runs[0].told.outcome.as_ref().is_some_and(|o| o.complete()));
    };
    run(Command::Rotate([address(0)].into()));
    for _ in 0..3 {
        platform.clock.advance(Duration::from_hours(100));
        let who = platform.opens(&stuck).expect("its holder goes on");
        run(Command::Due);
        assert_eq!(platform.look()[&who].roles, short(&account.roles));
    }
    for _ in 0..2 {
        platform.clock.advance(Duration::from_hours(100));
        run(Command::Due);
    }
    assert!(platform.opens(&stuck).is_err());
}

#[test]
fn two_rotations_in_one_scope() {
    let cases = [case(
        lagging(PROMPT),
        &[Wanted(0, BOTH, 1), Wanted(0, AGENT, 2)],
    )];
    simulate("two rotations in one scope", &cases, 90);
}
