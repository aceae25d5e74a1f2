//! Why a plan is refused, and what policies that only warn object to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::text::{ALARM, CHANGE, HEAD, paint, push, section};
use crate::model::{PolicyOrigin, PolicySeverity, by_block};
use crate::plan::{JudgedAccount, Judgement, Plan, PolicyInfo, Said};
use crate::policy::Refusal;
use crate::view::inert;

/// What policies that only warn object to.
pub(super) fn warnings(out: &mut String, plan: &Plan) {
    let mut shown = Broken::default();
    let found = plan.annex.judgement.iter().flat_map(Judgement::found);
    let mut warnings = Vec::new();
    for (policy, account, said) in found {
        if let (Said::Violated(message), PolicySeverity::Warning) = (said, policy.severity)
            && shown.next(policy, account)
        {
            warnings.push((policy, account, message));
        }
    }
    section(
        out,
        "Policies warn",
        warnings,
        |(policy, account, message)| warned(policy, account, message),
    );
    if shown.tell(out) {
        push(out, "");
    }
}

fn warned(policy: &PolicyInfo, account: &JudgedAccount, message: &str) -> Vec<String> {
    vec![
        format!(
            "  {} {}: {}",
            paint(CHANGE, "!"),
            paint(HEAD, &inert(&account.shown())),
            inert(message)
        ),
        broken("      ", policy, account),
    ]
}

/// Which policy, what it is for, and both places.
fn broken(before: &str, policy: &PolicyInfo, account: &JudgedAccount) -> String {
    let what = policy.description.as_deref().unwrap_or_default();
    let mut line = format!("{before}policy   {}", inert(&policy.name));
    if !what.is_empty() {
        let _ = write!(line, ": {}", inert(what));
    }
    let _ = write!(line, "\n{before}from     ");
    if let Some(place) = &account.declared_at {
        let _ = write!(line, "{}, ", inert(&place.to_string()));
    }
    let _ = write!(line, "{}", inert(&policy.declared_at.to_string()));
    line
}

/// The accounts by the policy that they break, of which a few are shown one by one.
#[derive(Default)]
struct Broken<'p>(BTreeMap<(PolicyOrigin, &'p str), Vec<&'p JudgedAccount>>);

impl<'p> Broken<'p> {
    /// The most that are shown of one policy.
    const SHOWN: usize = 20;

    /// Counts one more; says whether it is shown.
    fn next(&mut self, policy: &'p PolicyInfo, account: &'p JudgedAccount) -> bool {
        let all = self.0.entry((policy.origin, &policy.name)).or_default();
        all.push(account);
        all.len() <= Self::SHOWN
    }

    /// Tells how many are not shown, if any, and of which blocks.
    fn tell(self, out: &mut String) -> bool {
        let mut told = false;
        for ((_, name), all) in self.0 {
            if all.len() > Self::SHOWN {
                told = true;
                let rest: Vec<String> = all[Self::SHOWN..].iter().map(|a| whose(a)).collect();
                let line = format!(
                    "… and {} more break the policy {}: {}; --format json, --sarif and --junit name all",
                    rest.len(),
                    inert(name),
                    inert(&by_block(rest.iter().map(String::as_str)))
                );
                push(out, &line);
            }
        }
        told
    }
}

/// Which block declares an account, or whose it is if none does.
fn whose(account: &JudgedAccount) -> String {
    let address = account.address.as_ref();
    address.map_or_else(|| account.custody.as_str().to_owned(), ToString::to_string)
}

/// Why a plan was refused, or what apply will want to be acknowledged.
pub fn refusals(refusals: &[Refusal], applying: bool) -> String {
    let mut out = String::new();
    let mut shown = Broken::default();
    for refusal in refusals {
        if let Some(of) = &refusal.broken
            && !shown.next(&of.policy, &of.account)
        {
            continue;
        }
        let word = if applying || !refusal.apply_only {
            paint(ALARM, "refused:")
        } else {
            paint(CHANGE, "apply will refuse:")
        };
        push(&mut out, &format!("{word} {}", inert(&refusal.message)));
        if let Some(of) = &refusal.broken {
            push(&mut out, &broken("    ", &of.policy, &of.account));
        }
        push(
            &mut out,
            &format!("  = guard {}: {}", refusal.guard, inert(&refusal.help)),
        );
    }
    shown.tell(&mut out);
    out
}
