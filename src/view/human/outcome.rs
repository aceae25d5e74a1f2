//! The outcome for people: how each change ended, in the plan's order.

use super::text::{ADD, ALARM, CHANGE, HEAD, count, paint};
use crate::apply::{ChangeResult, Event, Outcome, sentence};
use crate::view::inert;

/// All results, and one line that sums them up.
pub fn outcome(outcome: &Outcome) -> String {
    let mut out = String::new();
    for change in &outcome.results {
        let style = match change.result {
            ChangeResult::Done => ADD,
            ChangeResult::Skipped | ChangeResult::NotAttempted | ChangeResult::Stale => CHANGE,
            ChangeResult::Failed | ChangeResult::Unknown | ChangeResult::Undelivered => ALARM,
        };
        let how = inert(&sentence(change.action, change.result, &change.detail));
        out.push_str(&format!(
            "{}: {}\n",
            inert(&change.address.to_string()),
            paint(style, &how)
        ));
    }
    out.push_str(&paint(HEAD, &summary(outcome)));
    out.push('\n');
    out
}

fn summary(outcome: &Outcome) -> String {
    let parts: Vec<String> = outcome
        .counts()
        .into_iter()
        .map(|(result, n)| {
            let how = match result {
                ChangeResult::Done => "done",
                ChangeResult::Stale => "stale",
                ChangeResult::Failed => "failed",
                ChangeResult::Unknown => "unknown",
                ChangeResult::Undelivered => "undelivered",
                ChangeResult::Skipped => "skipped",
                ChangeResult::NotAttempted => "not attempted",
            };
            format!("{n} {how}")
        })
        .collect();
    let mut line = if outcome.complete() {
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
