//! The outcome for people: how each change ended, in the plan's order.

use super::text::{ADD, ALARM, CHANGE, HEAD, paint};
use crate::apply::{ChangeOutcome, ChangeResult, Event, Outcome, sentence};
use crate::model::by_block;
use crate::plan::{Moved, Plan, Rest};
use crate::view::inert;
use crate::view::review::words::count;
use std::collections::BTreeSet;

/// All results, and one line that sums them up. `left_out` is what had moved since the plan was reviewed.
pub fn outcome(outcome: &Outcome, left_out: &[Moved]) -> String {
    let mut out = String::new();
    for change in &outcome.results {
        let style = match change.result {
            ChangeResult::Done => ADD,
            ChangeResult::Skipped | ChangeResult::NotAttempted | ChangeResult::Stale => CHANGE,
            ChangeResult::Refused
            | ChangeResult::Failed
            | ChangeResult::Unknown
            | ChangeResult::Undelivered => ALARM,
        };
        let how = inert(&sentence(change.action, change.result, &change.detail));
        out.push_str(&format!(
            "{}: {}\n",
            inert(&title(change)),
            paint(style, &how)
        ));
    }
    out.push_str(&paint(HEAD, &summary(outcome, left_out)));
    out.push('\n');
    out
}

/// How far a reviewed plan was done before this run, which goes on with what is due now.
pub fn rest(rest: Rest, due: &Plan) -> String {
    let Rest { done, of } = rest;
    let all = count(of, "change");
    let line = if !due.changes.is_empty() {
        format!("Of {all} of the reviewed plan, {done} done already; what follows is the rest.")
    } else if !due.in_flight.is_empty() {
        format!(
            "Of {all} of the reviewed plan, {done} done already; what is left may still be under way."
        )
    } else {
        format!(
            "Applied already: the reviewed plan ({all}) is live as it says. Nothing is written."
        )
    };
    format!("{}\n", paint(HEAD, &line))
}

/// What a change was about. An account that no stack has marked has no address but its own id.
pub(in crate::view) fn title(change: &ChangeOutcome) -> String {
    let address = &change.address;
    match &change.account {
        Some(account) if address.key.is_none() && address.name == account.id() => {
            format!("{account} (unmanaged)")
        }
        _ => address.to_string(),
    }
}

/// All results in one line.
pub(in crate::view) fn summary(outcome: &Outcome, left_out: &[Moved]) -> String {
    let mut parts: Vec<String> = outcome
        .counts()
        .into_iter()
        .map(|(result, n)| {
            let how = match result {
                ChangeResult::Done => "done",
                ChangeResult::Stale => "stale",
                ChangeResult::Refused => "refused",
                ChangeResult::Failed => "failed",
                ChangeResult::Unknown => "unknown",
                ChangeResult::Undelivered => "undelivered",
                ChangeResult::Skipped => "skipped",
                ChangeResult::NotAttempted => "not attempted",
            };
            format!("{n} {how}")
        })
        .collect();
    match addresses(left_out).len() {
        _ if left_out.is_empty() => {}
        0 => parts.push("the plan as a whole has moved".to_owned()),
        n => parts.push(format!("{n} left out as stale")),
    }
    let mut line = if outcome.complete() && left_out.is_empty() {
        "Applied: "
    } else {
        "Applied in part: "
    }
    .to_owned();
    if !outcome.written && !outcome.complete() {
        line = "Nothing was written: ".to_owned();
    }
    line.push_str(&parts.join(", "));
    line.push('.');
    if outcome.in_flight > 0 {
        line.push_str(&format!(
            " {} being created by another run was left alone; plan again later.",
            count(outcome.in_flight, "account")
        ));
    }
    line
}

/// The accounts of which something moved.
fn addresses(left_out: &[Moved]) -> BTreeSet<String> {
    let moved = left_out.iter().filter_map(|moved| moved.address.as_ref());
    moved.map(ToString::to_string).collect()
}

/// What to do after an outcome that is not complete: what stays, what is to be mended, and what to
/// run then. `reviewed` says that the plan was one that somebody had reviewed before.
pub fn next(outcome: &Outcome, reviewed: bool, left_out: &[Moved]) -> Option<String> {
    if outcome.complete() && left_out.is_empty() {
        return None;
    }
    use ChangeResult::{Done, Failed, NotAttempted, Refused, Skipped, Stale, Undelivered, Unknown};
    let ended = |wanted: &[ChangeResult]| {
        let results = outcome.results.iter();
        let these = results.filter(|change| wanted.contains(&change.result));
        named(these.map(title).collect())
    };
    let mut say = vec![match (outcome.written, ended(&[Done])) {
        (false, _) => "nothing on the platform has changed".to_owned(),
        (true, None) => {
            "no change is known to be done; the next plan shows what one may have left behind"
                .to_owned()
        }
        (true, Some(these)) => format!(
            "what is done stays done ({these}); the next plan shows what others may have left behind"
        ),
    }];
    if let Some(these) = ended(&[Refused, Failed, Undelivered]) {
        say.push(format!(
            "If the reason given above for {these} is something that you can mend, mend it first"
        ));
    }
    if let Some(these) = ended(&[Unknown]) {
        say.push(format!(
            "Nobody can tell whether the change of {these} happened; the next plan reads what is \
             there"
        ));
    }
    let stale = ended(&[Stale]);
    if let Some(these) = &stale {
        say.push(format!(
            "Somebody or something else changed {these} since the plan"
        ));
    }
    if let Some(these) = ended(&[Skipped, NotAttempted]) {
        say.push(format!("Nothing was tried for {these}"));
    }
    if let Some(these) = named(addresses(left_out).into_iter().collect()) {
        say.push(format!(
            "Left out, since it moved after the plan was reviewed: {these}"
        ));
    }
    if outcome.in_flight > 0 {
        say.push("What another run is creating is left to it".to_owned());
    }
    say.push(if reviewed || stale.is_some() {
        "Then plan again, and apply if what that plan shows is meant".to_owned()
    } else {
        "Then run the same command again: it plans anew, and does only what is missing".to_owned()
    });
    Some(format!(
        "{} {}.\n",
        paint(HEAD, "What now:"),
        say.join(". ")
    ))
}

/// A few of some addresses; `None` of none.
fn named(mut addresses: Vec<String>) -> Option<String> {
    const FEW: usize = 5;
    let more = addresses.split_off(addresses.len().min(FEW));
    if !more.is_empty() {
        let blocks = by_block(more.iter().map(String::as_str));
        addresses.push(format!("{} more ({blocks})", more.len()));
    }
    let last = inert(&addresses.pop()?);
    if addresses.is_empty() {
        return Some(last);
    }
    Some(format!("{} and {last}", inert(&addresses.join(", "))))
}

/// One line about something that happened, for those who watch.
pub fn event(event: &Event) -> String {
    match event {
        Event::Started { address, doing } => format!("{}: {doing}…", inert(&address.to_string())),
        Event::Note { address, message } => {
            format!("{}: {}", inert(&address.to_string()), inert(message))
        }
        Event::Finished {
            address,
            result: _,
            how,
        } => {
            format!("{}: {}", inert(&address.to_string()), inert(how))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;
    use crate::plan::Action;

    fn after(ended: &[(&str, ChangeResult)], written: bool, reviewed: bool) -> Option<String> {
        let result = |(name, result): &(&str, ChangeResult)| ChangeOutcome {
            address: Address::new(*name, None),
            generation: 1,
            action: Action::Create,
            result: *result,
            detail: String::new(),
            account: None,
            delivered_to: Vec::new(),
        };
        let outcome = Outcome {
            results: ended.iter().map(result).collect(),
            in_flight: 0,
            held: 0,
            written,
            interrupted: false,
        };
        next(&outcome, reviewed, &[])
    }

    #[test]
    fn an_outcome_that_is_not_complete_says_what_now() {
        use ChangeResult::{Done, Failed, Skipped, Stale, Unknown};
        assert_eq!(after(&[("a", Done)], true, false), None);
        let again = "Then run the same command again";
        let plan = "Then plan again";
        type Case<'a> = (&'a [(&'a str, ChangeResult)], bool, &'a [&'a str], &'a str);
        let cases: [Case<'_>; 5] = [
            (
                &[("a", Done), ("b", Failed)],
                false,
                &[
                    "done stays done (service_account.a)",
                    "above for service_account.b is",
                ],
                again,
            ),
            (
                &[("a", Unknown), ("b", Skipped)],
                false,
                &[
                    "no change is known to be done",
                    "whether the change of service_account.a happened",
                    "Nothing was tried for service_account.b",
                ],
                again,
            ),
            (
                &[("a", Stale)],
                false,
                &["else changed service_account.a"],
                plan,
            ),
            (
                &[("a", Failed)],
                true,
                &["above for service_account.a is"],
                plan,
            ),
            (
                &[("a", Failed), ("b", Failed)],
                false,
                &["service_account.a and service_account.b"],
                again,
            ),
        ];
        for (ended, reviewed, said, then) in cases {
            let text = after(ended, true, reviewed).expect("something to say");
            for part in said.iter().chain([&then]) {
                assert!(text.contains(part), "{part}: {text}");
            }
            let other = if then == again { plan } else { again };
            assert!(!text.contains(other), "{text}");
        }
        let text = after(&[("a", Failed)], false, false).expect("something to say");
        assert!(
            text.contains("nothing on the platform has changed"),
            "{text}"
        );
    }

    #[test]
    fn a_few_are_named_and_the_rest_counted() {
        let names = |n: usize| named((1..=n).map(|n| format!("a{n}")).collect());
        assert_eq!(names(0), None);
        assert_eq!(names(1).as_deref(), Some("a1"));
        assert_eq!(names(2).as_deref(), Some("a1 and a2"));
        assert_eq!(names(5).as_deref(), Some("a1, a2, a3, a4 and a5"));
        let seven = "a1, a2, a3, a4, a5 and 2 more (1 of a6, 1 of a7)";
        assert_eq!(names(7).as_deref(), Some(seven));
        let instances = |n: usize| named((0..n).map(|n| format!("a[\"{n}\"]")).collect());
        let said = instances(34).expect("names");
        assert!(said.ends_with(" and 29 more (29 of a)"), "{said}");
    }
}
