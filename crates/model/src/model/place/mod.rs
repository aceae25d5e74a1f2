//! Where exactly in a sink a credential goes: one file for each kind of place.
//! Pure.

mod aws;
mod aws_secretsmanager;
mod aws_ssm;
mod azure_key_vault;
mod exec;
mod file;
mod gcp;
mod github;
mod gitlab;
mod kind;
mod kubernetes;
mod vault;

use serde::{Deserialize, Serialize};

pub use aws::{aws_address, aws_partition, is_aws_address, is_aws_region};
pub use aws_secretsmanager::AwsSecretPlace;
pub use aws_ssm::AwsSsmPlace;
pub use azure_key_vault::AzureKeyVaultPlace;
pub use exec::{ExecAbility, ExecPlace};
pub use file::FilePlace;
pub use gcp::GcpPlace;
pub use github::{GithubApi, GithubApp, GithubOwner, GithubPlace, GithubVisibility};
pub use gitlab::{GitlabOwner, GitlabPlace, GitlabType};
pub use kind::{Abilities, CredentialFormat, PlaceKind};
pub use kubernetes::KubernetesPlace;
pub use vault::VaultPlace;

/// A place of one of the kinds that this version delivers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A file inside the configuration's directory.
    File(FilePlace),
    /// A field of a secret in Vault or OpenBao.
    Vault(VaultPlace),
    /// A key of a Secret in Kubernetes.
    Kubernetes(KubernetesPlace),
    /// A secret of GitHub Actions, Dependabot or Codespaces.
    Github(GithubPlace),
    /// A secret in AWS Secrets Manager.
    AwsSecretsmanager(AwsSecretPlace),
    /// A parameter of AWS Systems Manager.
    AwsSsm(AwsSsmPlace),
    /// A CI/CD variable of GitLab.
    Gitlab(GitlabPlace),
    /// A secret in Azure Key Vault.
    AzureKeyVault(AzureKeyVaultPlace),
    /// A secret in Google Cloud's Secret Manager.
    GcpSecretManager(GcpPlace),
    /// What a program of the one who applies keeps.
    Exec(ExecPlace),
}

impl Place {
    /// The place by what all kinds have in common.
    pub fn of_kind(&self) -> &dyn PlaceKind {
        match self {
            Self::File(place) => place,
            Self::Vault(place) => place,
            Self::Kubernetes(place) => place,
            Self::Github(place) => place,
            Self::AwsSecretsmanager(place) => place,
            Self::AwsSsm(place) => place,
            Self::Gitlab(place) => place,
            Self::AzureKeyVault(place) => place,
            Self::GcpSecretManager(place) => place,
            Self::Exec(place) => place,
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&FilePlace> {
        match self {
            Self::File(place) => Some(place),
            Self::Vault(_)
            | Self::Kubernetes(_)
            | Self::Github(_)
            | Self::AwsSecretsmanager(_)
            | Self::AwsSsm(_)
            | Self::Gitlab(_)
            | Self::AzureKeyVault(_)
            | Self::GcpSecretManager(_)
            | Self::Exec(_) => None,
        }
    }
}
