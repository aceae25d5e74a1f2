//! What all kinds of places have in common.
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::identity::Identity;
use crate::model::sink_kind::SinkKind;

/// What rolecall has to know of a place, of whatever kind. Its text names it for people, without the
/// sink: `credentials/ci.json`.
pub trait PlaceKind: fmt::Display {
    /// The kind.
    fn kind(&self) -> SinkKind;

    /// What makes it the place it is. The rule for each kind is in docs/compatibility.md.
    fn identity(&self) -> Identity<'_>;

    /// What only one account may have: the place without the way in which a key is written there, equal
    /// wherever the store takes two names for one.
    fn occupies(&self) -> String {
        let Identity {
            kind,
            host,
            namespace,
            path,
            key,
            format: _,
        } = self.identity();
        [kind.as_str(), host, namespace, &path, key].join("\n")
    }

    /// How the credential is written there.
    fn format(&self) -> CredentialFormat;

    /// What the place can do, as far as its kind and its attributes tell.
    fn abilities(&self) -> Abilities;

    /// Who can read what is there, for people: a fragment, as far as the kind and the attributes tell.
    fn readers(&self) -> String {
        self.kind().readers().to_owned()
    }

    /// What lets more people read it than the kind does by itself, for people: fragments, each with its
    /// attribute.
    fn widened(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// What documents say of it, by name: the members that docs/schema/plan.v1.json gives its kind. None
    /// of them is a secret.
    fn facts(&self) -> Vec<(&'static str, String)>;
}

/// What a place that keeps a credential can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Abilities {
    /// What is there can be read, so that a delivery is verified.
    pub read_back: bool,
    /// A key can be put beside the one that is in use, unseen by who reads the place, and take its place
    /// later in one step.
    pub stage: bool,
    /// A write can be bound to the version that was seen before, by the store itself.
    pub compare_and_swap: bool,
    /// What was there before can be written again.
    pub restore: bool,
}

/// How a credential is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialFormat {
    /// The JSON that Mondoo's console gives for download.
    Json,
    /// That JSON in base64, as `MONDOO_CONFIG_BASE64` wants it.
    Base64,
}

impl CredentialFormat {
    /// Its name in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Base64 => "base64",
        }
    }

    /// How names of files of this form end, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Base64 => "b64",
        }
    }
}

/// A text as one part of a path or a query in a URL (RFC 3986).
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
