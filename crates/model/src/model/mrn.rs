//! Mondoo resource names and the scopes in which roles hold.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A Mondoo resource name, such as `//captain.api.mondoo.app/spaces/my-space`. Opaque but for
/// the forms of scopes and service accounts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mrn(String);

impl Mrn {
    /// Takes any text as a resource name; the platform decides about its form.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text of the resource name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scope in which a service account lives, read from its resource name
    /// (`//agents.api.mondoo.app/spaces/<id>/serviceaccounts/<ksuid>`, or `organizations`);
    /// `None` for any other form. Source: credential files in cnquery's `cli/config` tests.
    pub fn account_scope(&self) -> Option<Scope> {
        let rest = self.0.strip_prefix("//agents.api.mondoo.app/")?;
        let mut parts = rest.split('/');
        let (kind, id) = (parts.next()?, parts.next()?);
        if parts.next()? != "serviceaccounts" || parts.next()?.is_empty() || parts.next().is_some()
        {
            return None;
        }
        match kind {
            "spaces" => SpaceId::new(id).map(Scope::Space),
            "organizations" => OrgId::new(id).map(Scope::Organization),
            _ => None,
        }
    }

    /// The last segment, which for service accounts is their id.
    pub fn id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for Mrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text may be the id of an organization or a space: 4 to 200 of letters, digits,
/// `-`, `_`, `.`. Source: the resource-id rule of cnquery's `mrn` package.
fn is_resource_id(text: &str) -> bool {
    (4..=200).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

macro_rules! resource_id {
    ($name:ident, $what:literal) => {
        #[doc = concat!("The id of ", $what, ".")]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let wrong = || D::Error::custom(concat!("not the id of ", $what));
                Self::new(text).ok_or_else(wrong)
            }
        }

        impl $name {
            /// Checks the id: 4 to 200 of letters, digits, `-`, `_` and `.`; `None` otherwise.
            pub fn new(text: impl Into<String>) -> Option<Self> {
                let text = text.into();
                is_resource_id(&text).then_some(Self(text))
            }

            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

resource_id!(OrgId, "an organization");
resource_id!(SpaceId, "a space");

/// Where a role holds. There is no platform scope to fall back to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// An organization: its roles reach all its spaces, future ones included.
    Organization(OrgId),
    /// One space.
    Space(SpaceId),
}

impl Scope {
    /// The scope's resource name.
    pub fn mrn(&self) -> Mrn {
        match self {
            Self::Organization(id) => Mrn(format!("//captain.api.mondoo.app/organizations/{id}")),
            Self::Space(id) => Mrn(format!("//captain.api.mondoo.app/spaces/{id}")),
        }
    }

    /// Reads a scope's resource name; `None` for any other form.
    pub fn from_mrn(mrn: &str) -> Option<Self> {
        let rest = mrn.strip_prefix("//captain.api.mondoo.app/")?;
        match rest.split_once('/')? {
            ("organizations", id) => OrgId::new(id).map(Self::Organization),
            ("spaces", id) => SpaceId::new(id).map(Self::Space),
            _ => None,
        }
    }

    /// The id without its kind.
    pub fn id(&self) -> &str {
        match self {
            Self::Organization(id) => id.as_str(),
            Self::Space(id) => id.as_str(),
        }
    }

    /// `organization` or `space`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Organization(_) => "organization",
            Self::Space(_) => "space",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.id())
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.mrn().as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_mrn(&text).ok_or_else(|| D::Error::custom("not the resource name of a scope"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_a_shortest_and_a_longest() {
        for (text, fits) in [
            ("abcd".to_owned(), true),
            ("A-_.".to_owned(), true),
            ("x".repeat(200), true),
            ("abc".to_owned(), false),
            (String::new(), false),
            ("x".repeat(201), false),
            ("abc/d".to_owned(), false),
            ("abc d".to_owned(), false),
            ("abc\u{e4}".to_owned(), false),
        ] {
            assert_eq!(OrgId::new(text.clone()).is_some(), fits, "{text}");
            assert_eq!(SpaceId::new(text.clone()).is_some(), fits, "{text}");
        }
    }

    #[test]
    fn an_account_tells_where_it_lives() {
        let of = |text: &str| Mrn::new(text).account_scope();
        let space = of("//agents.api.mondoo.app/spaces/payments/serviceaccounts/x");
        assert_eq!(space, SpaceId::new("payments").map(Scope::Space));
        let organization = of("//agents.api.mondoo.app/organizations/acme-corp/serviceaccounts/x");
        assert_eq!(
            organization,
            OrgId::new("acme-corp").map(Scope::Organization)
        );
        for strange in [
            "//agents.api.mondoo.app/teams/payments/serviceaccounts/x",
            "//agents.api.mondoo.app/spaces/abc/serviceaccounts/x",
            "//agents.api.mondoo.app/spaces/payments/serviceaccounts/",
            "//agents.api.mondoo.app/spaces/payments/serviceaccounts",
            "//agents.api.mondoo.app/spaces/payments/agents/x",
            "//agents.api.mondoo.app/spaces/payments/serviceaccounts/x/y",
            "//captain.api.mondoo.app/spaces/payments/serviceaccounts/x",
        ] {
            assert_eq!(of(strange), None, "{strange}");
        }
        assert_eq!(Mrn::new("//a/b/c").id(), "c");
        assert_eq!(Mrn::new("c").id(), "c");
    }

    #[test]
    fn scopes_and_their_resource_names_are_one_value() {
        for text in [
            "//captain.api.mondoo.app/organizations/acme-corp-883120",
            "//captain.api.mondoo.app/spaces/amazing-hofstadter-175565",
        ] {
            assert_eq!(
                Scope::from_mrn(text).map(|s| s.mrn().to_string()),
                Some(text.to_owned())
            );
        }
        assert_eq!(Scope::from_mrn("//platform.api.mondoo.app"), None);
        assert_eq!(Scope::from_mrn("//captain.api.mondoo.app/spaces/a/b"), None);
        assert_eq!(Scope::from_mrn("//captain.api.mondoo.app/teams/abcd"), None);
    }

    #[test]
    fn an_account_tells_the_scope_it_lives_in() {
        let scope = |text: &str| Mrn::new(text).account_scope().map(|s| s.to_string());
        let ksuid = "2bB5gsCSGp2Tlwiyv7mKN9PRSHK";
        assert_eq!(
            scope(&format!(
                "//agents.api.mondoo.app/spaces/abcd/serviceaccounts/{ksuid}"
            )),
            Some("space abcd".to_owned())
        );
        assert_eq!(
            scope(&format!(
                "//agents.api.mondoo.app/organizations/abcd/serviceaccounts/{ksuid}"
            )),
            Some("organization abcd".to_owned())
        );
        assert_eq!(
            scope(&format!(
                "//agents.api.mondoo.app/spaces/abcd/agents/{ksuid}"
            )),
            None
        );
        assert_eq!(
            scope("//agents.api.mondoo.app/spaces/abcd/serviceaccounts/"),
            None
        );
    }
}
