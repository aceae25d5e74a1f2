//! What names a policy in a plan, and how much it weighs.

use serde::{Deserialize, Serialize};

/// Who keeps a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyOrigin {
    /// A directory beside the configuration, given to the run.
    PolicyDir,
    /// The configuration itself.
    Configuration,
}

impl PolicyOrigin {
    /// The word for it in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PolicyDir => "policy-dir",
            Self::Configuration => "configuration",
        }
    }
}

/// What a broken policy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicySeverity {
    /// It refuses the plan.
    Error,
    /// It is reported.
    Warning,
}

impl PolicySeverity {
    /// The word for it in the language and in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Which accounts a policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyReach {
    /// Those of this configuration.
    Managed,
    /// Those that nobody declared and those of other configurations too.
    All,
}

impl PolicyReach {
    /// The word for it in the language and in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::All => "all",
        }
    }
}

/// A policy by its name and by all that decides what it refuses. It is part of a plan, so that what was
/// judged under some policies is not applied under others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Who keeps it.
    pub origin: PolicyOrigin,
    /// The block's name.
    pub name: String,
    /// The SHA-256 of its resolved form: texts, values that they use, severity, reach, exemptions.
    pub sha256: String,
}
