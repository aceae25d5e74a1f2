//! Identifiers: KSUIDs, MRNs and the ids of organizations and spaces.
//!
//! May not touch the store or a clock; random bytes come from `aws_lc_rs::rand`.

use jiff::Timestamp;

use super::{hash::sha256, status::Status};

/// Seconds between the Unix epoch and the epoch of KSUIDs.
const KSUID_EPOCH: i64 = 1_400_000_000;
const KSUID_LENGTH: usize = 27;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const CAPTAIN: &str = "//captain.api.mondoo.app/";
const AGENTS: &str = "//agents.api.mondoo.app/";

/// The MRN of the platform itself, a scope nobody here has a role on.
pub(crate) const PLATFORM_MRN: &str = "//platform.api.mondoo.app";

/// The two kinds of scopes that hold service accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeKind {
    Organization,
    Space,
}

impl ScopeKind {
    /// The collection in an MRN, which is also how the store names the kind.
    pub(crate) fn collection(self) -> &'static str {
        match self {
            Self::Organization => "organizations",
            Self::Space => "spaces",
        }
    }

    pub(crate) fn from_collection(text: &str) -> Option<Self> {
        match text {
            "organizations" => Some(Self::Organization),
            "spaces" => Some(Self::Space),
            _ => None,
        }
    }

    /// The role everybody has who has anything in such a scope.
    pub(crate) fn implicit_role(self) -> &'static str {
        match self {
            Self::Organization => "//iam.api.mondoo.app/roles/org-member",
            Self::Space => "//iam.api.mondoo.app/roles/space-member",
        }
    }
}

pub(crate) fn organization_mrn(id: &str) -> String {
    scope_mrn(ScopeKind::Organization, id)
}

pub(crate) fn space_mrn(id: &str) -> String {
    scope_mrn(ScopeKind::Space, id)
}

fn scope_mrn(kind: ScopeKind, id: &str) -> String {
    format!("{CAPTAIN}{}/{id}", kind.collection())
}

pub(crate) fn user_mrn(ksuid: &str) -> String {
    format!("{CAPTAIN}users/{ksuid}")
}

/// The MRN of a service account: the scope's collection and id below the agents service.
pub(crate) fn account_mrn(scope_mrn: &str, ksuid: &str) -> String {
    let scope = scope_mrn.strip_prefix(CAPTAIN).unwrap_or(scope_mrn);
    format!("{AGENTS}{scope}/serviceaccounts/{ksuid}")
}

/// What bindings of workload identities are called in resource names.
pub(crate) const BINDINGS: &str = "wifauthbindings";

/// Whether an MRN is a binding's of this platform.
pub(crate) fn is_binding(mrn: &str) -> bool {
    mrn.contains(&format!("/{BINDINGS}/"))
}

/// The MRN of something else that an account's scope holds. The real forms are not public; these
/// follow service accounts.
pub(crate) fn below_agents(scope_mrn: &str, collection: &str, id: &str) -> String {
    let scope = scope_mrn.strip_prefix(CAPTAIN).unwrap_or(scope_mrn);
    format!("{AGENTS}{scope}/{collection}/{id}")
}

/// The MRN of an API token.
pub(crate) fn token_mrn(scope_mrn: &str, ksuid: &str) -> String {
    below_agents(scope_mrn, "apitokens", ksuid)
}

/// Splits the MRN of an organization or space; anything else is `InvalidArgument`.
pub(crate) fn parse_scope(mrn: &str) -> Result<ScopeKind, Status> {
    let invalid = || Status::invalid(format!("invalid scope mrn {mrn:?}"));
    if mrn == PLATFORM_MRN {
        return Err(Status::denied());
    }
    let rest = mrn.strip_prefix(CAPTAIN).ok_or_else(invalid)?;
    let (collection, id) = rest.split_once('/').ok_or_else(invalid)?;
    let kind = ScopeKind::from_collection(collection).ok_or_else(invalid)?;
    if is_resource_id(id) {
        Ok(kind)
    } else {
        Err(invalid())
    }
}

/// The scope an account's MRN lies in, if the text is the MRN of a service account.
pub(crate) fn scope_of_account(mrn: &str) -> Option<String> {
    let rest = mrn.strip_prefix(AGENTS)?;
    let (scope, id) = rest.split_once("/serviceaccounts/")?;
    let (collection, scope_id) = scope.split_once('/')?;
    let kind = ScopeKind::from_collection(collection)?;
    (is_resource_id(scope_id) && is_resource_id(id)).then(|| scope_mrn(kind, scope_id))
}

/// Whether the text has the shape of an MRN: a service, then collections and ids.
pub(crate) fn is_mrn(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("//") else {
        return false;
    };
    let mut parts = rest.split('/');
    let service = parts.next().unwrap_or_default();
    let mut count = 0;
    for part in parts {
        count += 1;
        if part.is_empty() || part.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return false;
        }
    }
    service.ends_with(".api.mondoo.app") && count >= 2 && count % 2 == 0
}

/// The platform's rule for ids inside MRNs: 4 to 200 of letters, digits, `-`, `_` and `.`.
pub(crate) fn is_resource_id(id: &str) -> bool {
    (4..=200).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// The rule for chosen ids of organizations and spaces (4 to 64 of `[a-z0-9_-]`, letters or
/// digits at both ends), as terraform-provider-mondoo v0.39 validates them.
pub(crate) fn is_scope_id(id: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = id.as_bytes();
    (4..=64).contains(&bytes.len())
        && bytes.iter().all(|&b| inner(b) || b == b'-' || b == b'_')
        && bytes.first().copied().is_some_and(inner)
        && bytes.last().copied().is_some_and(inner)
}

/// Fills a buffer with random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Status> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Status::internal("no random bytes"))?;
    Ok(bytes)
}

/// A KSUID with a random payload.
pub(crate) fn new_ksuid(now: Timestamp) -> Result<String, Status> {
    Ok(ksuid(now, random()?))
}

/// A KSUID whose payload follows from texts, so that a seed gives the same ids each time.
pub(crate) fn derived_ksuid(texts: &[&str], at: Timestamp) -> String {
    let hash = sha256(texts.join("\0").as_bytes());
    let mut payload = [0; 16];
    payload.copy_from_slice(&hash[..16]);
    ksuid(at, payload)
}

/// A KSUID: 32 bits of seconds since 1400000000, then 128 bits of payload, as 27 base62 digits.
pub(crate) fn ksuid(at: Timestamp, payload: [u8; 16]) -> String {
    let seconds = (at.as_second() - KSUID_EPOCH).clamp(0, i64::from(u32::MAX));
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    let mut number = [0u8; 20];
    number[..4].copy_from_slice(&seconds.to_be_bytes());
    number[4..].copy_from_slice(&payload);
    let mut digits = [0u8; KSUID_LENGTH];
    for digit in digits.iter_mut().rev() {
        // Schoolbook division of the 160-bit number by 62; the rest is the next digit.
        let mut rest = 0u32;
        for byte in &mut number {
            let value = (rest << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *digit = BASE62[rest as usize];
    }
    String::from_utf8_lossy(&digits).into_owned()
}

/// A generated id like `serene-bouman-275779`.
pub(crate) fn new_scope_id() -> Result<String, Status> {
    const ADJECTIVES: [&str; 16] = [
        "amazing",
        "bold",
        "calm",
        "elastic",
        "focused",
        "gallant",
        "hungry",
        "infallible",
        "kind",
        "lucid",
        "modest",
        "quirky",
        "relaxed",
        "serene",
        "tender",
        "vibrant",
    ];
    const SURNAMES: [&str; 16] = [
        "almeida",
        "bouman",
        "curie",
        "dijkstra",
        "euler",
        "franklin",
        "gauss",
        "hofstadter",
        "hopper",
        "khayyam",
        "lovelace",
        "meitner",
        "noether",
        "ride",
        "taussig",
        "turing",
    ];
    let [a, b, rest @ ..] = random::<6>()?;
    let number = u32::from_be_bytes(rest) % 1_000_000;
    Ok(format!(
        "{}-{}-{number:06}",
        ADJECTIVES[usize::from(a) % ADJECTIVES.len()],
        SURNAMES[usize::from(b) % SURNAMES.len()],
    ))
}

/// RFC 3339 text of a point in time given in milliseconds.
pub(crate) fn rfc3339(millisecond: i64) -> String {
    Timestamp::from_millisecond(millisecond).map_or_else(|_| String::new(), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ksuid_is_the_published_form() {
        // The reference sample of segmentio/ksuid.
        let at: Timestamp = "2017-10-10T04:00:47Z".parse().expect("a time");
        let payload = [
            0xB5, 0xA1, 0xCD, 0x34, 0xB5, 0xF9, 0x9D, 0x11, 0x54, 0xFB, 0x68, 0x53, 0x34, 0x5C,
            0x97, 0x35,
        ];
        assert_eq!(ksuid(at, payload), "0ujtsYcgvSTl8PAuAdqWYSMnLOv");
        assert_eq!(ksuid(at, [0xFF; 16]).len(), 27);
    }

    #[test]
    fn scopes_and_accounts_parse() {
        let scope = space_mrn("amazing-hofstadter-175565");
        assert_eq!(parse_scope(&scope), Ok(ScopeKind::Space));
        let account = account_mrn(&scope, "2bB5gsCSGp2Tlwiyv7mKN9PRSHK");
        assert_eq!(
            account,
            "//agents.api.mondoo.app/spaces/amazing-hofstadter-175565/serviceaccounts/2bB5gsCSGp2Tlwiyv7mKN9PRSHK"
        );
        assert_eq!(scope_of_account(&account).as_deref(), Some(scope.as_str()));
        assert_eq!(scope_of_account(&scope), None);
        assert!(parse_scope("//captain.api.mondoo.app/teams/abcd").is_err());
        assert!(is_mrn(&account) && !is_mrn("//captain.api.mondoo.app/teams") && !is_mrn("x@y.z"));
    }
}
