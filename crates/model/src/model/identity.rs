//! What makes two places that keep credentials one place.
//! Pure; the rule is promised for good (docs/compatibility.md).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::seal_key::SignedText;
use super::sink_kind::SinkKind;

/// What makes a place the place it is, whatever the block that names it is called. A part that a kind
/// has not is empty. What each part holds for each kind is in docs/compatibility.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The kind of sink.
    pub kind: SinkKind,
    /// Which server or service: an origin, a region, nothing for files.
    pub host: &'a str,
    /// Which part of it: a namespace, an account, a project, a repository.
    pub namespace: &'a str,
    /// Where in that.
    pub path: Cow<'a, str>,
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
        for part in [kind.as_str(), host, namespace, path.as_ref(), key, format] {
            text.part(part);
        }
        DestinationId::of(&text.bytes)
    }
}

/// Names one place in marks: 16 hexadecimal digits, see [`Identity::id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DestinationId(u64);

impl DestinationId {
    const DIGITS: usize = 16;

    fn of(text: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text);
        let first = digest.as_ref().iter().take(Self::DIGITS / 2);
        Self(first.fold(0, |id, byte| id << 8 | u64::from(*byte)))
    }

    /// Reads the digits; `None` if they are not as rolecall writes them.
    pub fn from_label(text: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let fits = text.len() == Self::DIGITS && text.bytes().all(hex);
        let read = fits.then(|| u64::from_str_radix(text, 16).ok());
        read.flatten().map(Self)
    }
}

impl fmt::Display for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<DestinationId> for String {
    fn from(id: DestinationId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for DestinationId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::from_label(&text).ok_or("an identity is 16 hexadecimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hashlib` from the rule in docs/compatibility.md: a change would make
    /// every key look as if it had been delivered elsewhere.
    #[test]
    fn identities_are_the_documented_ones() {
        let of = |kind: &str, host, namespace, path: &'static str, key, format| {
            let kind = SinkKind::named(kind).expect("a kind");
            Identity {
                kind,
                host,
                namespace,
                path: path.into(),
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
        let of = |path: &'static str, key| {
            Identity {
                kind: SinkKind::File,
                host: "",
                namespace: "",
                path: path.into(),
                key,
                format: "json",
            }
            .id()
        };
        assert_ne!(of("a", "bc"), of("ab", "c"));
        assert_ne!(of("", "abc"), of("abc", ""));
    }
}
