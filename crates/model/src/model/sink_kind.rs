//! Kinds of sinks.
//! Pure; the names below are promised for good (docs/compatibility.md).

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// A kind of place that keeps credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkKind {
    /// A file on the machine that applies.
    File,
    /// HashiCorp Vault or OpenBao, key-value engine version 2.
    Vault,
    /// A Kubernetes Secret.
    Kubernetes,
    /// A GitHub secret of Actions, Dependabot or Codespaces.
    Github,
    /// AWS Secrets Manager.
    AwsSecretsmanager,
    /// AWS Systems Manager Parameter Store.
    AwsSsm,
    /// A GitLab CI/CD variable.
    Gitlab,
    /// A secret in Azure Key Vault.
    AzureKeyVault,
    /// Google Cloud Secret Manager.
    GcpSecretManager,
    /// A program of the one who applies.
    Exec,
}

impl SinkKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::File,
        Self::Vault,
        Self::Kubernetes,
        Self::Github,
        Self::AwsSecretsmanager,
        Self::AwsSsm,
        Self::Gitlab,
        Self::AzureKeyVault,
        Self::GcpSecretManager,
        Self::Exec,
    ];

    /// Its name in configurations and marks.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Vault => "vault",
            Self::Kubernetes => "kubernetes",
            Self::Github => "github",
            Self::AwsSecretsmanager => "aws_secretsmanager",
            Self::AwsSsm => "aws_ssm",
            Self::Gitlab => "gitlab",
            Self::AzureKeyVault => "azure_key_vault",
            Self::GcpSecretManager => "gcp_secret_manager",
            Self::Exec => "exec",
        }
    }

    /// Who can read what is at such a place, for people.
    pub fn readers(self) -> &'static str {
        match self {
            Self::File => "whoever may read that file",
            Self::Vault => "whoever may read that secret, its former versions too",
            Self::Kubernetes => "whoever may read Secrets of that namespace or run a Pod in it",
            Self::Github => "every workflow that the secret is given to",
            Self::AwsSecretsmanager => "whoever may read that secret, its former versions too",
            Self::AwsSsm => "whoever may read that parameter, its history too",
            Self::Gitlab => "every job that the variable is given to, and maintainers",
            Self::AzureKeyVault => "whoever may read secrets of that vault, former versions too",
            Self::GcpSecretManager => "whoever may access that secret, its former versions too",
            Self::Exec => "whoever may read where that program keeps it",
        }
    }

    /// How long a former key goes on, unless the configuration says, so that whoever has taken it from
    /// such a place is done with it. A job of GitHub or GitLab holds the key that it was started with:
    /// one on a machine of one's own may run for five days (source: GitHub's documentation of usage
    /// limits, "job execution time"). Whatever else reads a place is taken to read it once a day.
    pub fn overlap(self) -> SignedDuration {
        match self {
            Self::Github | Self::Gitlab => SignedDuration::from_hours(5 * 24),
            Self::File
            | Self::Vault
            | Self::Kubernetes
            | Self::AwsSecretsmanager
            | Self::AwsSsm
            | Self::AzureKeyVault
            | Self::GcpSecretManager
            | Self::Exec => SignedDuration::from_hours(24),
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for SinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_that_a_mark_can_hold() {
        for kind in SinkKind::ALL {
            assert_eq!(SinkKind::named(kind.as_str()), Some(kind));
            let fits = |b: u8| b.is_ascii_lowercase() || b == b'_';
            assert!(
                kind.as_str().len() <= 20 && kind.as_str().bytes().all(fits),
                "{kind}"
            );
        }
        assert_eq!(SinkKind::named("File"), None);
    }
}
