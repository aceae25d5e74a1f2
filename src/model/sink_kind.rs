//! Kinds of sinks, and what makes two places in them one place.
//! Pure; the names and the identities below are promised for good (docs/compatibility.md).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::short_digest;
use super::seal_key::SignedText;

/// A kind of place that keeps credentials. Marks name every kind, also those that this version cannot
/// deliver to yet.
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

/// What makes a place the place it is, whatever the block that names it is called. A part that a kind
/// has not is empty. What each part holds for each kind is in docs/compatibility.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The kind of sink.
    pub kind: SinkKind,
    /// Which server or service: an origin, a region, nothing for files.
    pub host: &'a str,
    /// Which part of it: a namespace, an account, a project, a repository.
    pub namespace: &'a str,
    /// Where in that.
    pub path: &'a str,
    /// Which entry of what is at the path.
    pub key: &'a str,
    /// How the credential is written there.
    pub format: &'a str,
}

impl Identity<'_> {
    /// The identity's name in marks: the first 16 hexadecimal digits of the SHA-256 of
    /// `rolecall destination v1` and the six parts, each with its length before it.
    pub fn id(&self) -> DestinationId {
        let Self {
            kind,
            host,
            namespace,
            path,
            key,
            format,
        } = self;
        let mut text = SignedText::new("rolecall destination v1", 160);
        for part in [kind.as_str(), host, namespace, path, key, format] {
            text.part(part);
        }
        DestinationId(short_digest(&text.bytes, DestinationId::DIGITS))
    }
}

/// Names one place in marks: 16 hexadecimal digits, see [`Identity::id`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DestinationId(String);

impl DestinationId {
    const DIGITS: usize = 16;

    /// Reads the digits; `None` if they are not as rolecall writes them.
    pub fn from_label(text: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == Self::DIGITS && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hashlib` from the rule in docs/compatibility.md: a change would make
    /// every key look as if it had been delivered elsewhere.
    #[test]
    fn identities_are_the_documented_ones() {
        let of = |kind: &str, host, namespace, path, key, format| {
            let kind = SinkKind::named(kind).expect("a kind");
            Identity {
                kind,
                host,
                namespace,
                path,
                key,
                format,
            }
            .id()
            .to_string()
        };
        let github = "https://api.github.com";
        let k8s = "https://k8s.acme.example:6443";
        let vault = "https://vault.acme.example";
        let azure = "https://acme.vault.azure.net";
        let gcp = "https://secretmanager.googleapis.com";
        let (eu, aws, variable) = ("eu-central-1", "123456789012", "MONDOO_CONFIG_BASE64");
        for (found, documented) in [
            (
                of("file", "", "", "credentials", "ci.json", "json"),
                "67b2d36f1c5214c7",
            ),
            (
                of(
                    "vault",
                    vault,
                    "team",
                    "secret/data/mondoo/ci",
                    "credential",
                    "json",
                ),
                "51d4b2708ea98a9b",
            ),
            (
                of(
                    "kubernetes",
                    k8s,
                    "mondoo-operator",
                    "mondoo-client",
                    "config",
                    "json",
                ),
                "f32e898e41a0cf27",
            ),
            (
                of(
                    "github",
                    github,
                    "acme/app",
                    "actions/production",
                    variable,
                    "base64",
                ),
                "2f992fe39fb3152f",
            ),
            (
                of("aws_secretsmanager", eu, aws, "mondoo/ci", "", "json"),
                "614738e1d4e92dc2",
            ),
            (
                of("aws_ssm", eu, aws, "/mondoo/ci", "", "base64"),
                "ec6dbe4c729c5298",
            ),
            (
                of(
                    "gitlab",
                    "https://gitlab.com",
                    "acme/app",
                    "production",
                    variable,
                    "base64",
                ),
                "88b90f30a297e6c7",
            ),
            (
                of("azure_key_vault", azure, "", "mondoo-ci", "", "json"),
                "7f1c066c335e7edc",
            ),
            (
                of(
                    "gcp_secret_manager",
                    gcp,
                    "acme-prod",
                    "mondoo-ci",
                    "",
                    "json",
                ),
                "7ec8e862e9d0836a",
            ),
            (
                of("exec", "", "", "store-key", "ci", "json"),
                "bfa4111e50305384",
            ),
        ] {
            assert_eq!(found, documented);
        }
    }

    #[test]
    fn no_two_places_share_an_identity_by_where_their_parts_end() {
        let of = |path, key| {
            Identity {
                kind: SinkKind::File,
                host: "",
                namespace: "",
                path,
                key,
                format: "json",
            }
            .id()
        };
        assert_ne!(of("a", "bc"), of("ab", "c"));
        assert_ne!(of("", "abc"), of("abc", ""));
    }

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
