//! Which spaces are asked about, and what is made of their answers.

use super::*;
use crate::diff::{Delta, Difference, Reason};
use crate::model::samples::{self, destination, state};
use crate::model::{
    Desired, Facts, Inventory, LiveLabels, Marks, ScopeInfo, Seals, SourceRef, StackId,
};
use crate::plan::build;

const NOW: &str = "2026-11-23T12:00:00Z";
const ME: &str = "//agents.api.mondoo.app/spaces/payments/serviceaccounts/me";

fn space(name: &str) -> SpaceId {
    SpaceId::new(name).expect("valid")
}

fn stack() -> StackId {
    StackId::new("acme", "k7m2q9ta").expect("valid")
}

fn mrn(space: &str, name: &str) -> Mrn {
    Mrn::new(format!(
        "//agents.api.mondoo.app/spaces/{space}/serviceaccounts/{name}"
    ))
}

/// An account of ours that was created and last used then.
fn account(at: &str, name: &str, created: Option<&str>, used: Option<&str>) -> LiveAccount {
    let marks = Marks::external(stack(), Address::new(name, None).label(), false);
    let day = |day: &str| format!("{day}T12:00:00Z").parse().expect("a time");
    LiveAccount {
        labels: marks.labels().into(),
        created_at: created.map(day),
        last_used: used.map(day),
        creator: Some(ME.to_owned()),
        ..samples::account(mrn(at, name), Scope::Space(space(at)), name)
    }
}

fn used(name: &str, day: &str) -> LiveAccount {
    account("payments", name, Some("2026-01-01"), Some(day))
}

fn difference(action: Action, at: &str, account: Option<Mrn>, address: &str) -> Difference {
    Difference {
        address: Address::new(address, None),
        generation: 1,
        action,
        reason: Reason::Declared,
        scope: Scope::Space(space(at)),
        before: account.is_some().then(|| state(address)),
        after: (action != Action::Delete).then(|| state(address)),
        deliver_to: match account {
            Some(_) => Vec::new(),
            None => vec![destination("a.json")],
        },
        account,
        marks: None,
        moved_from: None,
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: Vec::<SourceRef>::new(),
    }
}

fn unused(accounts: Vec<LiveAccount>, differences: Vec<Difference>) -> Unused {
    let desired = Desired::nothing(stack());
    let live = Live {
        facts: Facts {
            now: NOW.parse().expect("a time"),
            ..samples::facts(ME)
        },
        scopes: [(
            Scope::Space(space("payments")),
            ScopeInfo {
                name: "payments".to_owned(),
                organization: None,
            },
        )]
        .into(),
        ..samples::live(ME, accounts)
    };
    let delta = Delta {
        differences,
        ..Delta::default()
    };
    let inventory = Inventory::take(&desired, &live, &Seals::default());
    let plan = build(&desired, &live, &inventory, delta);
    Unused::of(&plan, &live, &inventory)
}

/// What is said if every space that is asked about gives this answer.
fn said(unused: &Unused, answer: &Result<CleanUp, String>) -> Vec<String> {
    let answers = unused.spaces().into_iter();
    unused.advice(&answers.map(|space| (space, answer.clone())).collect())
}

const NOTHING: [&str; 0] = [];

#[test]
fn an_account_that_nobody_used_for_long_is_told_with_its_day() {
    let unused = unused(
        vec![
            used("busy", "2026-11-20"),
            used("ci", "2026-10-30"),
            used("late", "2026-10-01"),
            account("payments", "never", Some("2026-11-01"), None),
            account("payments", "dateless", None, None),
        ],
        Vec::new(),
    );
    assert_eq!(unused.spaces(), [space("payments")]);
    assert_eq!(
        said(&unused, &Ok(CleanUp::After(30))),
        [
            "by its settings, space payments removes service accounts that are not used for 30 \
             days: service_account.late was last used on 2026-10-01 and was due on 2026-10-31; \
             service_account.ci was last used on 2026-10-30 and is due on 2026-11-29; \
             service_account.never was not used since it was created on 2026-11-01 and is due on \
             2026-12-01"
        ]
    );
    assert_eq!(said(&unused, &Ok(CleanUp::Off)), NOTHING);
    // What is far from its end is not worth telling.
    assert_eq!(said(&unused, &Ok(CleanUp::After(365))), NOTHING);
    let soon = said(&unused, &Ok(CleanUp::After(1)));
    assert!(soon[0].contains("not used for 1 day: "), "{soon:?}");
    assert!(soon[0].contains("service_account.busy"), "{soon:?}");
}

#[test]
fn a_space_is_asked_about_from_the_fifteenth_day_on() {
    assert_eq!(
        unused(vec![used("ci", "2026-11-09")], Vec::new()).spaces(),
        []
    );
    let asked = unused(vec![used("ci", "2026-11-08")], Vec::new()).spaces();
    assert_eq!(asked, [space("payments")]);
}

#[test]
fn only_what_stays_this_stacks_counts() {
    let long_ago = "2026-10-01";
    let mut stranger = used("stranger", long_ago);
    stranger.labels = LiveLabels::default();
    let mut own = used("own", long_ago);
    own.mrn = Mrn::new(ME);
    let gone = [Action::Delete, Action::Forget].map(|action| {
        let name = format!("{action:?}");
        let difference = difference(action, "payments", Some(mrn("payments", &name)), &name);
        (used(&name, long_ago), difference)
    });
    let (mut accounts, differences): (Vec<_>, Vec<_>) = gone.into_iter().unzip();
    accounts.extend([stranger.clone(), own]);
    assert_eq!(unused(accounts, differences).spaces(), []);
    let adopted = difference(
        Action::Adopt,
        "payments",
        Some(stranger.mrn.clone()),
        "imported",
    );
    let found = said(
        &unused(vec![stranger], vec![adopted]),
        &Ok(CleanUp::After(30)),
    );
    assert!(found[0].contains("service_account.imported was last"));
}

#[test]
fn a_new_account_is_warned_of_and_its_space_asked_about() {
    let create = || difference(Action::Create, "payments", None, "new");
    let found = unused(Vec::new(), vec![create()]);
    assert_eq!(
        said(&found, &Ok(CleanUp::After(30))),
        [
            "by its settings, space payments removes service accounts that are not used for 30 \
             days: a new account must be used within 30 days"
        ]
    );
    assert_eq!(said(&found, &Ok(CleanUp::Off)), NOTHING);
    let both = said(
        &unused(vec![used("ci", "2026-10-30")], vec![create()]),
        &Ok(CleanUp::After(30)),
    );
    assert!(
        both[0].contains("2026-11-29; a new account must"),
        "{both:?}"
    );
}

#[test]
fn a_few_of_many_accounts_are_told_the_most_urgent_first() {
    let accounts = (1..=9).map(|n| used(&format!("a{n}"), &format!("2026-10-0{n}")));
    let found = said(
        &unused(accounts.collect(), Vec::new()),
        &Ok(CleanUp::After(60)),
    );
    let told = found[0].split("; 4 more").next().expect("a part");
    assert_eq!(told.matches("service_account.").count(), TOLD);
    assert!(
        found[0].contains("days: service_account.a1 was"),
        "{found:?}"
    );
    assert!(
        found[0].ends_with(
            "; 4 more are due later (1 of service_account.a6, 1 of service_account.a7, 1 of \
             service_account.a8, 1 of 1 other block)"
        ),
        "{found:?}"
    );
    let accounts = (1..=5).map(|n| used(&format!("a{n}"), &format!("2026-10-0{n}")));
    let found = said(
        &unused(accounts.collect(), Vec::new()),
        &Ok(CleanUp::After(60)),
    );
    assert_eq!(found[0].matches("service_account.").count(), TOLD);
    assert!(!found[0].contains("more are due"), "{found:?}");
}

#[test]
fn half_of_the_time_is_close() {
    let of = |day: &str| {
        said(
            &unused(vec![used("ci", day)], Vec::new()),
            &Ok(CleanUp::After(40)),
        )
    };
    assert_eq!(of("2026-11-04"), NOTHING, "19 of 40 days");
    assert_eq!(of("2026-11-03").len(), 1, "20 of 40 days");
    assert!(
        of("2026-10-14")[0].contains("and was due on 2026-11-23"),
        "40 of 40"
    );
    assert!(
        of("2026-10-15")[0].contains("and is due on 2026-11-24"),
        "39 of 40"
    );
}

#[test]
fn what_nobody_knows_is_said_once() {
    let long_ago = Some("2026-10-01");
    let at = |space: &str| account(space, "ci", long_ago, None);
    let one = unused(vec![at("aaaa")], Vec::new());
    let failed = Err("permission denied".to_owned());
    let tail = "removes service accounts that are not used, as spaces do after 30 days unless \
                their settings say otherwise: permission denied";
    assert_eq!(
        said(&one, &failed),
        [format!("not verified whether space aaaa {tail}")]
    );
    let three = unused(vec![at("aaaa"), at("bbbb"), at("cccc")], Vec::new());
    assert_eq!(
        said(&three, &failed),
        [format!(
            "not verified whether space aaaa and 2 other spaces {tail}"
        )]
    );
}
