//! How an apply ended, as Markdown: what is not done before what is.
//! Pure.

use anstream::adapter::strip_str;

use super::code::code;
use super::form::{Form, LEAST};
use super::room::Room;
use crate::apply::{ChangeResult, Outcome, sentence};
use crate::plan::Moved;
use crate::view::human::next;
use crate::view::human::outcome::{summary, title};
use crate::view::inert;
use crate::view::review::without_names;

/// The outcome as Markdown, in so many bytes as the form has at most. `left_out` is what had moved since the plan
/// was reviewed; `reviewed` says that somebody had.
pub fn outcome(outcome: &Outcome, left_out: &[Moved], reviewed: bool, form: &Form) -> String {
    let Form {
        look,
        numbers,
        limit,
    } = *form;
    let shown = |text: &str| match look.all {
        true => code(text),
        false => code(&without_names(text)),
    };
    let mut out = format!("### {}\n\n", summary(outcome, left_out));
    if numbers {
        return out;
    }
    if let Some(next) = next(outcome, reviewed, left_out) {
        let next = strip_str(next.trim()).to_string();
        out.push_str(&format!("{}\n\n", shown(&next)));
    }
    const MORE: usize = "- and 18446744073709551615 more\n".len();
    let mut room = Room::of(limit.max(LEAST).saturating_sub(out.len() + MORE));
    let done = |result: ChangeResult| result == ChangeResult::Done;
    let (good, bad): (Vec<_>, Vec<_>) = outcome.results.iter().partition(|c| done(c.result));
    let mut hidden = 0;
    for change in bad.into_iter().chain(good) {
        let how = inert(&sentence(change.action, change.result, &change.detail));
        let line = format!("- {}: {}\n", shown(&inert(&title(change))), shown(&how));
        match room.take(line.len()) {
            true => out.push_str(&line),
            false => hidden += 1,
        }
    }
    if hidden > 0 {
        out.push_str(&format!("- and {hidden} more\n"));
    }
    out
}
