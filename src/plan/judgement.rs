//! What policies said of the accounts as they will be after a plan.
//! Values only; `policy` makes them. Not part of the digest: days pass, and the plan stays the same.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{
    Address, Keeper, Mrn, PolicyOrigin, PolicyReach, PolicySeverity, Scope, SourceRef,
};

/// A policy as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInfo {
    /// Who keeps it.
    pub origin: PolicyOrigin,
    /// The block's name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What happens if an account breaks it.
    pub severity: PolicySeverity,
    /// Which accounts it is about.
    pub applies_to: PolicyReach,
    /// Where it is declared.
    pub declared_at: SourceRef,
}

/// An account that was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedAccount {
    /// Its name in the configuration, if it is declared.
    pub address: Option<Address>,
    /// Its resource name; `None` if it is yet to be created.
    pub account: Option<Mrn>,
    /// Its display name after the plan.
    pub name: String,
    /// Where it lives.
    pub scope: Scope,
    /// Whose it is, with the plan done.
    pub custody: Keeper,
    /// Where it is declared, if it is.
    pub declared_at: Option<SourceRef>,
}

impl JudgedAccount {
    /// What people call it: its address, or its display name and resource name.
    pub fn shown(&self) -> String {
        match (&self.address, &self.account) {
            (Some(address), _) => address.to_string(),
            (None, Some(mrn)) => format!("{:?} ({mrn})", self.name),
            (None, None) => format!("{:?} in {}", self.name, self.scope),
        }
    }
}

/// What a policy said of an account, unless the account keeps to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result", content = "message")]
pub enum Said {
    /// The account is left out.
    Exempt,
    /// The account breaks it. Accounts of which the same is said share one text.
    Violated(Text),
    /// Nobody can tell, which refuses the plan whatever the severity.
    Unevaluable(Text),
}

/// What was said, kept once however many accounts it is said of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Text(Arc<str>);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.as_ref().to_owned()
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One policy and one account of a [`Judgement`], by their places in its lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Which policy.
    pub policy: usize,
    /// Which account.
    pub account: usize,
    /// What it said.
    #[serde(flatten)]
    pub said: Said,
}

/// An exemption that leaves out nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idle {
    /// The policy's name.
    pub policy: String,
    /// Whom it names.
    pub whom: String,
    /// Where it is written.
    pub declared_at: SourceRef,
}

/// What all policies said of all accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The digest of the plan that was reviewed.
    pub of: String,
    /// The policies, in order.
    pub policies: Vec<PolicyInfo>,
    /// The accounts as they will be, those of the configuration first.
    pub accounts: Vec<JudgedAccount>,
    /// Whatever is not simply kept to, by policy, then by account.
    pub cases: Vec<Case>,
    /// Exemptions that leave out nobody.
    pub idle: Vec<Idle>,
}

impl Judgement {
    /// Whatever is not simply kept to.
    pub fn found(&self) -> impl Iterator<Item = (&PolicyInfo, &JudgedAccount, &Said)> {
        self.cases.iter().filter_map(|case| {
            let policy = self.policies.get(case.policy)?;
            Some((policy, self.accounts.get(case.account)?, &case.said))
        })
    }

    /// Every policy with every account that it is about, and what it said if that is anything.
    pub fn all(&self) -> impl Iterator<Item = (&PolicyInfo, &JudgedAccount, Option<&Said>)> {
        let mut cases = self.cases.iter().peekable();
        self.policies
            .iter()
            .enumerate()
            .flat_map(move |(p, policy)| {
                let mut rows = Vec::new();
                for (a, account) in self.accounts.iter().enumerate() {
                    let about =
                        policy.applies_to == PolicyReach::All || account.custody == Keeper::Managed;
                    if about {
                        let case = cases.next_if(|case| (case.policy, case.account) == (p, a));
                        rows.push((policy, account, case.map(|case| &case.said)));
                    }
                }
                rows
            })
    }
}
