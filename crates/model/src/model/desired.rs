//! What the configuration says.

use std::collections::BTreeMap;
use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::account::Labels;
use super::address::{Address, AddressLabel};
use super::destination::Destination;
use super::limits::Limits;
use super::meant::Meant;
use super::mrn::{Mrn, OrgId, Scope, SpaceId};
use super::name::composed;
use super::policy::PolicyRef;
use super::role::{Role, RoleSet};
use super::seal_key::SealKeys;
use super::sink_kind::SinkKind;
use super::stack::StackId;

/// A place in the configuration, for people: file and line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceRef {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// All that one configuration wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The owner of all that this configuration manages.
    pub stack: StackId,
    /// The public keys that prove whose an account is.
    pub seal_keys: Option<SealKeys>,
    /// Identities, besides the caller, whose accounts with our marks are believed to be ours.
    pub trusted_creators: Vec<String>,
    /// Where the credential must lead, if the configuration says so.
    pub endpoint: Option<EndpointAssertion>,
    /// How much one plan may do before a person must say that it is meant.
    pub limits: Limits,
    /// What every account must keep to, in order.
    pub policies: Vec<PolicyRef>,
    /// The declared organizations by block name.
    pub organizations: BTreeMap<String, DesiredOrganization>,
    /// The declared spaces by block name.
    pub spaces: BTreeMap<String, DesiredSpace>,
    /// The declared accounts.
    pub accounts: BTreeMap<Address, DesiredAccount>,
    /// The `removed` blocks: what becomes of accounts that are declared no longer.
    pub removed: Vec<Removed>,
    /// What becomes of accounts without an owner, by the scope whose block says so.
    pub unmanaged: BTreeMap<Scope, Unmanaged>,
    /// The places that declared sinks have for live accounts whose key is, by their marks, where no
    /// `deliver_to` names it: all of them, by account.
    pub elsewhere: BTreeMap<Mrn, Vec<Destination>>,
    /// What who runs this means by it.
    pub meant: Meant,
}

impl Desired {
    /// What a configuration wants that declares nothing.
    pub fn nothing(stack: StackId) -> Self {
        Self {
            stack,
            seal_keys: None,
            trusted_creators: Vec::new(),
            endpoint: None,
            limits: Limits::default(),
            policies: Vec::new(),
            organizations: BTreeMap::new(),
            spaces: BTreeMap::new(),
            accounts: BTreeMap::new(),
            removed: Vec::new(),
            unmanaged: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            meant: Meant::default(),
        }
    }
}

/// What the `platform` block asserts; it never redirects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointAssertion {
    /// A region's short name: `us` or `eu`.
    Region(String),
    /// A base URL without `/query`.
    Url(String),
}

/// An `organization` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredOrganization {
    /// Its id on the platform.
    pub id: OrgId,
    /// Where it is declared.
    pub declared_at: SourceRef,
}

/// A `space` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSpace {
    /// Its id on the platform.
    pub id: SpaceId,
    /// The organization it is said to be in, where declared.
    pub organization: Option<OrgId>,
    /// Where it is declared.
    pub declared_at: SourceRef,
}

/// A `service_account` block, or one instance of it.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredAccount {
    /// Its name in the configuration.
    pub address: Address,
    /// Where its roles hold. Fixed at birth.
    pub scope: Scope,
    /// The display name, unique in its scope.
    pub name: String,
    /// `None`: not managed; empty: the account has none.
    pub description: Option<String>,
    /// `None`: not managed. Otherwise exactly these labels besides our marks.
    pub labels: Option<Labels>,
    /// The roles; empty means powerless.
    pub roles: RoleSet,
    /// Where each role was written: in the account's block, or in a `role` block.
    pub role_places: BTreeMap<Role, SourceRef>,
    /// When the account expires. Fixed at birth.
    pub valid_until: Option<jiff::Timestamp>,
    /// Whether the account must not be deleted; kept on the live account. `None`: not managed.
    pub protected: Option<bool>,
    /// Addresses that the account had before, by `moved` blocks.
    pub formerly: Vec<Former>,
    /// Where its key goes; empty only for imported accounts.
    pub deliver_to: Vec<Destination>,
    /// How often its key is replaced.
    pub rotation: Rotation,
    /// The `import` block that names it, if any.
    pub import: Option<Import>,
    /// Where it is declared.
    pub declared_at: SourceRef,
}

impl DesiredAccount {
    /// How long a former key goes on beside a new one.
    pub fn overlap(&self) -> SignedDuration {
        let kinds = || self.deliver_to.iter().map(Destination::kind);
        let by_kind = || kinds().map(SinkKind::overlap).max();
        let said = self.rotation.overlap.or_else(by_kind);
        said.unwrap_or(SinkKind::File.overlap())
    }
}

/// How often the key of an account is replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotation {
    /// The age at which a new one is due; never by itself when absent.
    pub rotate_after: Option<SignedDuration>,
    /// How long the former one goes on beside the new one; by the places of the key when absent.
    pub overlap: Option<SignedDuration>,
}

/// An `import` block: take this live account into custody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The live account.
    pub mrn: Mrn,
    /// Where the block stands.
    pub declared_at: SourceRef,
}

/// An address that an account had before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// The address.
    pub address: Address,
    /// The `moved` block that says so.
    pub declared_at: SourceRef,
}

/// A `removed` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// What is declared no longer: one account, or without a key all instances of a block.
    pub from: Address,
    /// All addresses by which the same was known, `from` among them.
    pub known_as: Vec<Known>,
    /// Whether the account is deleted; otherwise it is left as it is and given up.
    pub destroy: bool,
    /// Where the block stands.
    pub declared_at: SourceRef,
}

impl Removed {
    /// Whether it speaks of the account that carries an address; one that is a hash is known by its own
    /// address alone.
    pub fn means(&self, label: &AddressLabel) -> bool {
        let address = label.decode();
        self.known_as.iter().any(|known| {
            let block = address.as_ref().filter(|_| known.whole);
            known.address.label() == *label
                || block.is_some_and(|address| address.name == known.address.name)
        })
    }
}

/// One of the addresses by which accounts were known, by `moved` blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The address.
    pub address: Address,
    /// Whether all instances of the block of this name are meant.
    pub whole: bool,
}

/// An `unmanaged` block: what becomes of accounts that no stack has marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmanaged {
    /// What is done.
    pub action: UnmanagedAction,
    /// Patterns of names that are left alone: `*` is any text, `?` any character.
    pub except: Vec<String>,
    /// Where the block stands.
    pub declared_at: SourceRef,
}

/// What is done about an account that no stack has marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnmanagedAction {
    /// It is listed.
    Report,
    /// The plan is refused.
    Fail,
    /// It is deleted.
    Delete,
}

impl Unmanaged {
    /// Whether an account of this name is left alone.
    pub fn excepts(&self, name: &str) -> bool {
        let name = composed(name);
        let mut patterns = self.except.iter();
        patterns.any(|pattern| matches(&composed(pattern), &name))
    }
}

/// Whether a pattern with `*` and `?` fits the whole of a text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = composed(pattern).chars().collect();
    let text: Vec<char> = composed(text).chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on when a star has to take one character more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, taken)) = star else {
                    return false;
                };
                star = Some((after, taken + 1));
                p = after;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_texts() {
        for (pattern, text, fits) in [
            ("legacy-*", "legacy-ci", true),
            ("legacy-*", "legacy-", true),
            ("legacy-*", "my-legacy-ci", false),
            ("*-ci", "a-ci-ci", true),
            ("*-ci", "a-ci-x", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("?i", "ci", true),
            ("?i", "i", false),
            ("", "", true),
            ("", "a", false),
            ("**", "", true),
            ("[a]", "a", false),
            ("é?", "éü", true),
            ("caf\u{e9}-*", "cafe\u{301}-ci", true),
            ("e\u{301}", "\u{e9}", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn an_exception_in_another_form_of_unicode_is_the_same_name() {
        let excepts = |pattern: &str, name: &str| {
            let unmanaged = Unmanaged {
                action: UnmanagedAction::Delete,
                except: vec![pattern.to_owned()],
                declared_at: SourceRef {
                    file: "a.hcl".to_owned(),
                    line: 1,
                },
            };
            unmanaged.excepts(name)
        };
        assert!(excepts("caf\u{e9}", "cafe\u{301}"));
        assert!(excepts("*\u{1100}\u{1161}", "x-\u{ac00}"));
        assert!(
            excepts("caf?", "cafe\u{301}"),
            "one character as people see it"
        );
        assert!(!excepts("cafe", "cafe\u{301}"));
    }
}
