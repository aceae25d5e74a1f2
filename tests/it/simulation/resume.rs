//! Two runs, of which the second says that the first is dead, and it is not: at every point of each other, in
//! stores that bind a write to what was seen there, and in others. Whatever both meet, the laws hold at every
//! instant, and in the end there is one account, whose key is where it should be.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use futures_util::future::join;
use rolecall::apply::{Options, Outcome, apply};
use rolecall::diff::diff;
use rolecall::model::{CredentialMark, Desired, Inventory, Nonce};
use rolecall::plan::{Step, build};
use rolecall::policy::{Acks, LocalFiles, approve};
use rolecall::refresh::refresh;
use rolecall_server::Quirks;

use super::case::{Case, Wanted};
use super::conduct::COMMIT;
use super::fault::Call;
use super::laws::Laws;
use super::platform::{Platform, seals};
use super::time;
use super::turns::Turns;
use super::world::World;
use super::{BOTH, Stage};

/// One run that says of every birth under way that its run is dead, if it `lies`. Gives whether it removed one, and
/// how it ended.
async fn go(world: &World<'_>, case: &Case, lies: bool) -> Result<(bool, Option<Outcome>), String> {
    let seals = seals();
    let live = refresh(world, &case.queries, "local")
        .await
        .map_err(|error| error.message)?;
    let mut desired = Desired {
        trusted_creators: vec![live.facts.caller.mrn.to_string()],
        ..case.desired.clone()
    };
    if lies {
        let births = live.accounts.values().filter_map(|account| {
            let marks = account.marks().filter(|m| m.stack == desired.stack)?;
            match &marks.credential {
                CredentialMark::Pending(birth) => Some(birth.nonce.clone()),
                CredentialMark::Delivered { .. } | CredentialMark::External => None,
            }
        });
        let births: BTreeSet<Nonce> = births.collect();
        desired.meant.resume = births;
    }
    let inventory = Inventory::take(&desired, &live, &seals);
    let delta = diff(&desired, &live, &inventory);
    let plan = build(&desired, &live, &inventory, delta);
    let removes = plan.changes.iter().any(|c| c.step == Step::RemoveDeadBirth);
    if lies && !plan.in_flight.is_empty() {
        return Err(format!("a birth is waited for all the same: {plan:#?}"));
    }
    let options = Options {
        parallelism: 1,
        seals,
        commit: Some(COMMIT.to_owned()),
        ..Options::default()
    };
    let Ok(approved) = approve(plan, &Acks::default(), None, LocalFiles::Stay) else {
        return Ok((removes, None));
    };
    Ok((removes, Some(apply(&approved, world, &options).await)))
}

/// Lets the second run lie while the first is at a call, and come to a call of its own before the first goes on.
/// Gives the calls of the first, how many the second made, and whether that removed what the first was at.
fn meet(
    platform: &mut Platform,
    case: &Case,
    first: usize,
    second: usize,
) -> Result<(Vec<Call>, usize, bool), String> {
    platform.restore();
    let laws = Laws::new(case);
    let law = |platform: &Platform| laws.step(platform);
    let turns = Turns::new(first, second);
    let world = |second| World::new(platform, None, case.stores, &law).taking_turns(&turns, second);
    let (one, other) = (world(false), world(true));
    let run = |world, lies| {
        let turns = &turns;
        async move {
            let ended = go(world, case, lies).await;
            turns.over(lies);
            ended
        }
    };
    let both = join(run(&one, false), run(&other, true));
    let (alive, liar) = time::run(&platform.clock, || false, both).ok_or("a run died")?;
    for world in [&one, &other] {
        if let Some(why) = world.broken.borrow_mut().take() {
            return Err(why);
        }
        for (name, count) in world.created.borrow().iter() {
            if *count > 1 {
                return Err(format!("{name} was created {count} times by one run"));
            }
        }
    }
    let (removes, lied) = liar?;
    let told = |outcome: &Option<Outcome>| format!("{outcome:#?}");
    let (_, lived) = alive?;
    platform.clock.advance(Duration::from_secs(1));
    // Whoever was stopped leaves the rest to the next run, which waits for nothing that is of use.
    Stage::finish(platform, case, &laws).map_err(|why| {
        format!(
            "{why}\nthe first: {}\nthe second: {}",
            told(&lived),
            told(&lied)
        )
    })?;
    let calls = one.calls.borrow().clone();
    let number = other.calls.borrow().len();
    Ok((calls, number, removes))
}

/// Lets two runs of a case meet at every call of each other. `bound` says that the stores bind writes to what was
/// seen there; in others the first is not stopped between its last look and its write.
fn everywhere(case: &Case, bound: bool) -> usize {
    let mut platform = Platform::new(case.quirks.clone());
    let never = usize::MAX;
    let (alone, _, _) = meet(&mut platform, case, never, never).expect("one after the other");
    let created = alone.iter().position(|call| call.name == "create");
    let (mut points, mut removed) = (0, 0);
    // Before there is a birth, both create, which is another matter.
    let after = created.expect("a birth") + 1;
    for (first, call) in alone.iter().enumerate().skip(after) {
        if !bound && call.name == "promote" {
            continue;
        }
        let (_, calls, removes) = match meet(&mut platform, case, first, never) {
            Ok(met) => met,
            Err(why) => panic!("the first at {first}, the second to its end:\n{why}"),
        };
        if !removes {
            continue;
        }
        for second in 0..=calls {
            points += 1;
            match meet(&mut platform, case, first, second) {
                Ok((_, _, removes)) => removed += usize::from(removes),
                Err(why) => panic!("the first at {first}, the second at {second}:\n{why}"),
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "simulation of a lie: {points} points, in {removed} of which a living birth was removed"
    );
    points
}

#[test]
fn a_run_that_is_said_to_be_dead_and_is_not_does_no_harm() {
    let case = || Case::new(Quirks::default(), &[Wanted(0, BOTH, 2)]);
    let points = everywhere(&case().without_staging(), true);
    assert!(points >= 200, "{points} points");
    let points = everywhere(&case(), false);
    assert!(points >= 150, "{points} points");
}
