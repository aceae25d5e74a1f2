//! Policies: rules of the configuration, and of those who keep a policy directory, that every account
//! must keep to once the plan is applied.
//! Pure. What cannot be evaluated refuses, and so does a plan that was not asked about.

use std::collections::BTreeSet;

use crate::config::{Exempt, Policy, SUBJECT};
use crate::lang::{Deferred, Kind, Value};
use crate::model::{
    Desired, Inventory, Keeper, Live, PolicyOrigin, PolicyReach, PolicyRef, PolicySeverity, matches,
};
use crate::plan::{Case, Idle, JudgedAccount, Judgement, Plan, PolicyInfo, Said, Text};

use super::refusal::{Broken, Refusal, count};
use super::subject::{Subject, subjects};

/// The guard that says what policies object to.
pub(super) const POLICY: &str = "policy";

/// The work that all policies together may do over all accounts of a plan: far more than rules for
/// 20,000 accounts need, and no more than a minute.
const MAX_WORK: usize = 200_000_000;

/// The longest message of a policy about one account, in characters; a longer one is cut with a mark.
const MAX_MESSAGE: usize = 2_000;

/// What the policies have done so far over all accounts.
struct Spent {
    /// The work that is left.
    left: usize,
    /// The messages that were made: most policies say one thing of all accounts.
    said: BTreeSet<Text>,
}

impl Spent {
    /// Cuts a text to what is shown; makes it once for all accounts. Each character counts as work.
    fn keep(&mut self, text: &str) -> Text {
        self.left = self.left.saturating_sub(text.len());
        let cut;
        let text = match text.char_indices().nth(MAX_MESSAGE) {
            Some((end, _)) => {
                cut = format!("{}…", &text[..end]);
                &cut
            }
            None => text,
        };
        match self.said.get(text) {
            Some(same) => same.clone(),
            None => {
                let made = Text::from(text.to_owned());
                self.said.insert(made.clone());
                made
            }
        }
    }
}

/// Asks every policy about every account that it is about, as it will be after the plan.
pub fn judge(
    plan: &Plan,
    policies: &[Policy],
    desired: &Desired,
    live: &Live,
    inventory: &Inventory,
) -> Judgement {
    let mut subjects = Vec::new();
    if !policies.is_empty() {
        subjects = self::subjects(plan, desired, live, inventory);
    }
    let mut spent = Spent {
        left: MAX_WORK,
        said: BTreeSet::new(),
    };
    let mut cases = Vec::new();
    let mut idle = Vec::new();
    for (at, policy) in policies.iter().enumerate() {
        let mut used = vec![false; policy.exempt.len()];
        for (who, subject) in subjects.iter().enumerate() {
            if policy.applies_to == PolicyReach::Managed
                && subject.account.custody != Keeper::Managed
            {
                continue;
            }
            if let Some(said) = ask(policy, subject, &mut used, &mut spent) {
                cases.push(Case {
                    policy: at,
                    account: who,
                    said,
                });
            }
        }
        // To destroy everything leaves nobody to be left out.
        let unused = policy.exempt.iter().zip(used).filter(|(_, used)| !used);
        idle.extend(
            unused
                .filter(|_| !plan.meant.destroy)
                .map(|(exemption, _)| Idle {
                    policy: policy.name.clone(),
                    whom: exemption.whom.to_string(),
                    declared_at: exemption.declared_at.clone(),
                }),
        );
    }
    Judgement {
        of: plan.digest().to_owned(),
        policies: policies.iter().map(info).collect(),
        accounts: subjects
            .into_iter()
            .map(|subject| subject.account)
            .collect(),
        cases,
        idle,
    }
}

fn info(policy: &Policy) -> PolicyInfo {
    PolicyInfo {
        origin: policy.origin,
        name: policy.name.clone(),
        description: policy.description.clone(),
        severity: policy.severity,
        applies_to: policy.applies_to,
        declared_at: policy.declared_at.clone(),
    }
}

/// What one policy says of one account; `None` if the account keeps to it. Notes which exemptions
/// were of use.
fn ask(policy: &Policy, subject: &Subject, used: &mut [bool], spent: &mut Spent) -> Option<Said> {
    let mut exempt = false;
    for (exemption, used) in policy.exempt.iter().zip(used) {
        if names(&exemption.whom, &subject.account) {
            exempt = true;
            *used = true;
        }
    }
    if exempt {
        return Some(Said::Exempt);
    }
    match known(&policy.condition, &subject.value, &mut spent.left) {
        Err(why) => Some(Said::Unevaluable(spent.keep(&why))),
        Ok(value) => match value.kind() {
            Kind::Bool(true) => None,
            Kind::Bool(false) => Some(Said::Violated(message(policy, &subject.value, spent))),
            _ => {
                let what = "the condition is neither true nor false";
                Some(Said::Unevaluable(spent.keep(&policy.condition.at(what))))
            }
        },
    }
}

/// The value of an expression over an account, if it may be used and shown.
fn known(expression: &Deferred, subject: &Value, left: &mut usize) -> Result<Value, String> {
    let value = expression.with(SUBJECT, subject, left)?;
    if value.has_sensitive() {
        return Err(expression.at("it comes to a sensitive value"));
    }
    if value.has_unknown() {
        return Err(expression.at("it comes to a value that is not known"));
    }
    Ok(value)
}

/// What a policy has to say of an account that breaks it. That its message cannot be made does not
/// make it any less broken.
fn message(policy: &Policy, subject: &Value, spent: &mut Spent) -> Text {
    match known(&policy.message, subject, &mut spent.left) {
        Ok(value) => match value.as_str() {
            Some(text) => spent.keep(text),
            None => spent.keep(&policy.message.at("its message is no text")),
        },
        Err(why) => spent.keep(&format!("its message cannot be made: {why}")),
    }
}

fn names(whom: &Exempt, account: &JudgedAccount) -> bool {
    match whom {
        Exempt::Block(name) => {
            let address = account.address.as_ref();
            address.is_some_and(|address| address.name == *name)
        }
        Exempt::Account(address) => account.address.as_ref() == Some(address),
        Exempt::Name(pattern) => matches(pattern, &account.name),
    }
}

/// Every objection of policies that refuse.
pub(super) fn objections(plan: &Plan, digest: &str) -> Vec<Refusal> {
    let Some(judgement) = &plan.annex.judgement else {
        return if plan.policies.is_empty() {
            Vec::new()
        } else {
            vec![unasked()]
        };
    };
    if judgement.of != digest || !same(&judgement.policies, &plan.policies) {
        return vec![unasked()];
    }
    let mut all = blind(plan, judgement);
    for (policy, account, said) in judgement.found() {
        all.extend(objection(policy, account, said));
    }
    all
}

fn same(asked: &[PolicyInfo], named: &[PolicyRef]) -> bool {
    let asked = asked.iter().map(|policy| (policy.origin, &policy.name));
    let named = named.iter().map(|policy| (policy.origin, &policy.name));
    asked.eq(named)
}

/// A plan whose policies were not asked about it must not pass for one that keeps to them.
fn unasked() -> Refusal {
    Refusal {
        guard: POLICY,
        message: "The policies of the plan have not judged it as it is now.".to_owned(),
        help: "Plan again.".to_owned(),
        apply_only: false,
        broken: None,
    }
}

/// What was not read cannot be judged, and might break what is about all accounts.
fn blind(plan: &Plan, judgement: &Judgement) -> Vec<Refusal> {
    let unread = plan.annex.unread.len();
    let about_all = judgement.policies.iter().filter(|policy| {
        policy.applies_to == PolicyReach::All && policy.severity == PolicySeverity::Error
    });
    about_all
        .filter(|_| unread > 0)
        .map(|policy| Refusal {
            guard: POLICY,
            message: format!(
                "The policy {} is about all accounts, and {} could not be read.",
                policy.name,
                count(unread, "scope")
            ),
            help: "Let the credential read them, or let the policy apply to managed accounts only."
                .to_owned(),
            apply_only: false,
            broken: None,
        })
        .collect()
}

fn objection(policy: &PolicyInfo, account: &JudgedAccount, said: &Said) -> Option<Refusal> {
    let who = account.shown();
    let name = &policy.name;
    let message = match (said, policy.severity) {
        (Said::Exempt, _) | (Said::Violated(_), PolicySeverity::Warning) => return None,
        (Said::Violated(what), PolicySeverity::Error) => {
            format!("{who} would break the policy {name}: {what}")
        }
        (Said::Unevaluable(why), _) => {
            format!("The policy {name} cannot be evaluated for {who}: {why}")
        }
    };
    let first = match said {
        Said::Unevaluable(_) => {
            "Let the condition hold for accounts that lack what it asks for (`lookup`, `coalesce`, \
             `!= null`), change the account"
        }
        Said::Exempt | Said::Violated(_) => "Change the account",
    };
    let help = match policy.origin {
        PolicyOrigin::Configuration => format!(
            "{first}, or name it in the policy's `exempt`, where a reviewer sees it; --ack does \
             not lift policies."
        ),
        PolicyOrigin::PolicyDir => format!(
            "{first}, or ask those who keep the policy directory; nothing in the configuration and \
             no --ack lifts its policies."
        ),
    };
    Some(Refusal {
        guard: POLICY,
        message,
        help,
        apply_only: false,
        broken: Some(Box::new(Broken {
            policy: policy.clone(),
            account: account.clone(),
        })),
    })
}

#[cfg(test)]
mod tests;
