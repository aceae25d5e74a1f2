//! Decoding of answers: tolerant of what the schema leaves open, strict where a gap would hide
//! an account. Pure: bytes in, values out; errors never repeat the bytes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::operation::PAGE;
use super::{auth, failure};
use crate::credential_file;
use crate::http;
use crate::model::{
    CLEAN_UP_DAYS, Caller, CleanUp, IssuedCredential, LiveAccount, LogEntry, Mrn, OrgId, Role,
    RoleSet, Scope, ScopeInfo, SpaceId,
};
use crate::ports::BatchErrors;
use crate::secret::Secret;

/// Why an answer is not what it should be, a fragment.
type Decoded<T> = Result<T, String>;

/// One page of a listing.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// The cursor of the next page; `None` at the end.
    pub(super) next: Option<String>,
}

impl<T> Page<T> {
    /// The same page with a key for each entry.
    pub(super) fn by<K>(self, key: impl Fn(&T) -> K) -> Page<(K, T)> {
        Page {
            items: self
                .items
                .into_iter()
                .map(|item| (key(&item), item))
                .collect(),
            next: self.next,
        }
    }
}

/// What can be done about a listing that cannot be followed to its end.
pub(super) const NO_END: &str = "that is the platform's fault: run again later, and tell its \
                                 support if it stays so";

fn data<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Decoded<T> {
    #[derive(Deserialize)]
    struct Envelope<T> {
        data: T,
    }
    // The error of serde repeats values, and a value may be a key.
    match serde_json::from_slice::<Envelope<T>>(body) {
        Ok(envelope) => Ok(envelope.data),
        Err(e) => Err(format!(
            "the answer is not what the schema says (line {}, column {})",
            e.line(),
            e.column()
        )),
    }
}

/// A text that is there and not empty.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[derive(Deserialize)]
struct Identified {
    id: Option<String>,
    mrn: Option<String>,
    name: Option<String>,
}

pub(super) fn viewer(body: &[u8]) -> Decoded<Option<Caller>> {
    #[derive(Deserialize)]
    struct Data {
        viewer: Option<Viewer>,
    }
    #[derive(Deserialize)]
    struct Viewer {
        mrn: Option<String>,
        email: Option<String>,
        name: Option<String>,
    }
    let Some(viewer) = data::<Data>(body)?.viewer else {
        return Ok(None);
    };
    Ok(filled(viewer.mrn).map(|mrn| Caller {
        mrn: Mrn::new(mrn),
        name: filled(viewer.email).or(filled(viewer.name)),
        binding: None,
    }))
}

pub(super) fn organization(body: &[u8]) -> Decoded<Option<ScopeInfo>> {
    #[derive(Deserialize)]
    struct Data {
        organization: Option<Identified>,
    }
    Ok(data::<Data>(body)?.organization.map(|found| ScopeInfo {
        name: found.name.unwrap_or_default(),
        organization: None,
    }))
}

pub(super) fn space(body: &[u8]) -> Decoded<Option<ScopeInfo>> {
    #[derive(Deserialize)]
    struct Data {
        space: Option<Space>,
    }
    #[derive(Deserialize)]
    struct Space {
        name: Option<String>,
        organization: Option<Identified>,
    }
    Ok(data::<Data>(body)?.space.map(|found| ScopeInfo {
        name: found.name.unwrap_or_default(),
        organization: found.organization.and_then(|organization| {
            match organization.mrn.as_deref().and_then(Scope::from_mrn) {
                Some(Scope::Organization(id)) => Some(id),
                _ => organization.id.and_then(OrgId::new),
            }
        }),
    }))
}

/// How many people own an organization; `None` if the platform does not tell. Service accounts
/// among the members are not counted: they are known already.
pub(super) fn owners(body: &[u8]) -> Decoded<Option<usize>> {
    #[derive(Deserialize)]
    struct Data {
        organization: Option<Organization>,
    }
    #[derive(Deserialize)]
    struct Organization {
        members: Option<Members>,
    }
    #[derive(Deserialize)]
    struct Members {
        edges: Option<Vec<Option<Edge>>>,
    }
    #[derive(Deserialize)]
    struct Edge {
        node: Option<Node>,
    }
    #[derive(Deserialize)]
    struct Node {
        user: Option<Named>,
        roles: Option<Vec<Option<Named>>>,
    }
    #[derive(Deserialize)]
    struct Named {
        mrn: Option<String>,
    }
    let members = data::<Data>(body)?.organization.and_then(|o| o.members);
    let Some(edges) = members.and_then(|members| members.edges) else {
        return Ok(None);
    };
    no_more_than(PAGE, edges.len())?;
    let owner = Role::new("owner");
    let owns = |node: &Node| {
        let roles = node.roles.iter().flatten().flatten();
        let mut roles = roles.filter_map(|role| role.mrn.as_deref());
        let who = node.user.as_ref().and_then(|user| user.mrn.as_deref());
        who.is_some_and(|mrn| !mrn.contains("/serviceaccounts/"))
            && roles.any(|mrn| Role::new(mrn) == owner)
    };
    let nodes = edges.into_iter().flatten().filter_map(|edge| edge.node);
    Ok(Some(nodes.filter(owns).count()))
}

/// What a space does with unused accounts; `None` if any part of the answer is missing.
pub(super) fn clean_up(body: &[u8]) -> Decoded<Option<CleanUp>> {
    #[derive(Deserialize)]
    struct Data {
        space: Option<Space>,
    }
    #[derive(Deserialize)]
    struct Space {
        settings: Option<Settings>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Settings {
        unused_service_accounts_configuration: Option<Unused>,
    }
    #[derive(Deserialize)]
    struct Unused {
        cleanup: Option<bool>,
        after: Option<i64>,
    }
    let settings = data::<Data>(body)?.space.and_then(|found| found.settings);
    let unused = settings.and_then(|found| found.unused_service_accounts_configuration);
    let told = unused.and_then(|unused| Some((unused.cleanup?, unused.after)));
    Ok(told.map(|(cleanup, after)| match cleanup {
        false => CleanUp::Off,
        true => {
            let days = after.and_then(|days| u32::try_from(days).ok());
            CleanUp::After(days.filter(|days| *days > 0).unwrap_or(CLEAN_UP_DAYS))
        }
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection<T> {
    total_count: Option<u64>,
    edges: Option<Vec<Option<Edge<T>>>>,
    page_info: Option<PageInfo>,
}

#[derive(Deserialize)]
struct Edge<T> {
    node: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    end_cursor: Option<String>,
    has_next_page: Option<bool>,
}

/// A platform that gives more than it was asked for could give without end.
fn no_more_than(asked: usize, given: usize) -> Decoded<()> {
    if given <= asked {
        return Ok(());
    }
    Err(format!(
        "the platform gave {given} entries at once where {asked} were asked for; {NO_END}"
    ))
}

impl<T> Connection<T> {
    /// The nodes, of which so many were asked for, and the next cursor. A gap is an error: what it
    /// hides would look deleted.
    fn page(self, asked: usize) -> Decoded<(Vec<T>, Option<String>)> {
        let edges = match (self.edges, self.total_count) {
            (Some(edges), _) => edges,
            (None, Some(0)) => Vec::new(),
            (None, _) => return Err("the listing came without its entries".to_owned()),
        };
        no_more_than(asked, edges.len())?;
        let nodes: Option<Vec<T>> = edges.into_iter().map(|edge| edge?.node).collect();
        let Some(nodes) = nodes else {
            return Err("the listing has an empty entry".to_owned());
        };
        let more = match &self.page_info {
            Some(info) => info.has_next_page,
            None => None,
        };
        let cursor = filled(self.page_info.and_then(|info| info.end_cursor));
        match (more, cursor) {
            (Some(false), _) => Ok((nodes, None)),
            (Some(true), Some(cursor)) => Ok((nodes, Some(cursor))),
            (Some(true), None) => Err(format!(
                "the listing says that it goes on and does not say where; {NO_END}"
            )),
            (None, _) if nodes.len() < PAGE => Ok((nodes, None)),
            (None, _) => Err("the listing does not say whether it goes on".to_owned()),
        }
    }
}

pub(super) fn spaces(body: &[u8], organization: &OrgId) -> Decoded<Page<(SpaceId, ScopeInfo)>> {
    #[derive(Deserialize)]
    struct Data {
        organization: Option<Organization>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Organization {
        spaces_list: Option<Connection<Identified>>,
    }
    let list = data::<Data>(body)?
        .organization
        .and_then(|found| found.spaces_list)
        .ok_or("the platform gave no list of spaces")?;
    let (nodes, next) = list.page(PAGE)?;
    let items = nodes
        .into_iter()
        .map(|node| {
            let id = match node.mrn.as_deref().and_then(Scope::from_mrn) {
                Some(Scope::Space(id)) => Some(id),
                _ => node.id.and_then(SpaceId::new),
            };
            let id = id.ok_or("the listing has a space without an id")?;
            let info = ScopeInfo {
                name: node.name.unwrap_or_default(),
                organization: Some(organization.clone()),
            };
            Ok((id, info))
        })
        .collect::<Decoded<Vec<_>>>()?;
    Ok(Page { items, next })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    mrn: Option<String>,
    name: Option<String>,
    description: Option<String>,
    notes: Option<String>,
    roles: Option<Vec<Option<RoleNode>>>,
    labels: Option<Vec<Option<KeyValue>>>,
    created_at: Option<String>,
    last_used: Option<String>,
    creator: Option<Creator>,
}

#[derive(Deserialize)]
struct RoleNode {
    mrn: Option<String>,
}

#[derive(Deserialize)]
struct KeyValue {
    key: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Creator {
    mrn: Option<String>,
    email: Option<String>,
    service: Option<String>,
}

impl Account {
    fn live(self, listed: Option<&Scope>) -> Decoded<LiveAccount> {
        let mrn = Mrn::new(filled(self.mrn).ok_or("an account came without its resource name")?);
        let Some(scope) = mrn.account_scope().or_else(|| listed.cloned()) else {
            return Err(format!("{mrn} does not tell its scope"));
        };
        let roles = self.roles.into_iter().flatten().flatten();
        let labels = self.labels.into_iter().flatten().flatten();
        Ok(LiveAccount {
            scope,
            name: self.name.unwrap_or_default(),
            description: filled(self.notes).or(filled(self.description)),
            labels: labels
                .filter_map(|label| Some((label.key?, label.value.unwrap_or_default())))
                .collect(),
            roles: explicit(roles.filter_map(|role| role.mrn)),
            created_at: time(self.created_at),
            last_used: time(self.last_used),
            creator: self
                .creator
                .and_then(|by| filled(by.mrn).or(filled(by.email)).or(filled(by.service))),
            mrn,
        })
    }
}

/// The roles among the names that the platform does not give by itself.
fn explicit(names: impl Iterator<Item = String>) -> RoleSet {
    names
        .filter(|name| !name.is_empty())
        .map(|name| Role::new(&name))
        .filter(|role| !role.is_implicit())
        .collect()
}

/// A time, unless it is missing, unreadable, or the zero of Go or of protocol buffers.
fn time(text: Option<String>) -> Option<Timestamp> {
    text?
        .parse()
        .ok()
        .filter(|time| *time > Timestamp::UNIX_EPOCH)
}

pub(super) fn service_accounts(body: &[u8], scope: &Scope) -> Decoded<Page<LiveAccount>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        service_accounts: Option<Connection<Account>>,
    }
    // Null is not an empty list: the console answers so where rights are lacking.
    let list = data::<Data>(body)?.service_accounts.ok_or_else(|| {
        format!("the platform gave no list; the caller may lack Editor on {scope}")
    })?;
    let (nodes, next) = list.page(PAGE)?;
    let items = nodes
        .into_iter()
        .map(|node| node.live(Some(scope)))
        .collect::<Decoded<Vec<_>>>()?;
    Ok(Page { items, next })
}

pub(super) fn service_account(body: &[u8], mrn: &Mrn) -> Decoded<Option<LiveAccount>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        service_account: Option<Account>,
    }
    let Some(account) = data::<Data>(body)?.service_account else {
        return Ok(None);
    };
    let account = account.live(None)?;
    if account.mrn == *mrn {
        Ok(Some(account))
    } else {
        Err(format!("the platform answered with {}", account.mrn))
    }
}

pub(super) fn get_roles(body: &[u8]) -> Decoded<RoleSet> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        get_roles: Option<Roles>,
    }
    #[derive(Deserialize)]
    struct Roles {
        roles: Option<Vec<Option<String>>>,
    }
    let roles = data::<Data>(body)?.get_roles.and_then(|found| found.roles);
    Ok(explicit(roles.into_iter().flatten().flatten()))
}

/// A page of the log, of which so many lines were asked for.
pub(super) fn audit_log(body: &[u8], asked: usize) -> Decoded<Page<LogEntry>> {
    #[derive(Deserialize)]
    struct Data {
        auditlog: Option<Connection<Line>>,
    }
    #[derive(Deserialize)]
    struct Line {
        identity: Option<Identified>,
        resource: Option<String>,
        action: Option<String>,
        timestamp: Option<String>,
    }
    let list = data::<Data>(body)?
        .auditlog
        .ok_or("the platform gave no log; the caller may not be allowed to read it")?;
    let (nodes, next) = list.page(asked)?;
    let entry = |line: Line| {
        let (identity, name) = line
            .identity
            .map_or((None, None), |by| (filled(by.mrn), filled(by.name)));
        LogEntry {
            at: time(line.timestamp),
            identity: identity.map(Mrn::new),
            name,
            action: line.action.unwrap_or_default(),
            resource: filled(line.resource).map(Mrn::new),
        }
    };
    Ok(Page {
        items: nodes.into_iter().map(entry).collect(),
        next,
    })
}

/// The issued credential; every error says that the account exists now, and its name.
pub(super) fn created(body: &[u8], scope: &Scope, endpoint: &str) -> Decoded<IssuedCredential> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data<'a> {
        #[serde(borrow)]
        create_service_account: Option<Created<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Created<'a> {
        mrn: Option<String>,
        certificate: Option<String>,
        // As it stands in the answer: where serde_json takes it apart, a copy is left behind.
        #[serde(borrow)]
        private_key: Option<&'a RawValue>,
        scope_mrn: Option<String>,
        space_mrn: Option<String>,
        api_endpoint: Option<String>,
    }
    let created = data::<Data<'_>>(body)?
        .create_service_account
        .ok_or("the platform gave neither an account nor an error")?;
    // Under the seal of secrecy before anything can fail.
    let key = created.private_key.and_then(|raw| unescape(raw.get()));
    let key = key.filter(|key| !key.expose().is_empty());
    let mrn = filled(created.mrn).ok_or("created, but the answer does not name the account")?;
    let lost = |why: &str| format!("created as {mrn}, but {why}");
    let private_key = key.ok_or_else(|| lost("its key is not in the answer and is lost"))?;
    let fingerprint = auth::fingerprint(private_key.expose())
        .map_err(|e| lost(&format!("its key is of no use: {e}")))?;
    let scope_mrn = filled(created.scope_mrn).unwrap_or_else(|| scope.mrn().to_string());
    Ok(IssuedCredential {
        certificate: created.certificate.unwrap_or_default(),
        private_key,
        space_mrn: filled(created.space_mrn).unwrap_or_else(|| scope_mrn.clone()),
        scope_mrn,
        api_endpoint: filled(created.api_endpoint).unwrap_or_else(|| endpoint.to_owned()),
        fingerprint,
        mrn: Mrn::new(mrn),
    })
}

/// The text that a JSON string stands for, under the seal of secrecy; `None` if it is no string.
fn unescape(raw: &str) -> Option<Secret<String>> {
    let mut text = credential_file::unescape(raw)?;
    Some(Secret::new(std::mem::take(&mut *text)))
}

/// Only checks that there is an answer; its content tells nothing that is relied upon.
pub(super) fn updated(body: &[u8]) -> Decoded<()> {
    #[derive(Deserialize)]
    struct Data {}
    data::<Data>(body).map(|Data {}| ())
}

/// The failures of a batch, under the operation's field, without what they repeat of `token`.
pub(super) fn batch(body: &[u8], field: &str, token: &str) -> Decoded<BatchErrors> {
    #[derive(Deserialize)]
    struct Payload {
        errors: Option<Value>,
    }
    let mut fields = data::<BTreeMap<String, Option<Payload>>>(body)?;
    let Some(payload) = fields.remove(field) else {
        return Err("the answer lacks the operation's result".to_owned());
    };
    match payload.and_then(|payload| payload.errors) {
        None | Some(Value::Null) => Ok(BatchErrors::new()),
        Some(Value::Object(errors)) => Ok(errors
            .into_iter()
            .filter(|(_, why)| !why.is_null())
            .map(|(mrn, why)| {
                let why = match why {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                let words = failure::without_code(&why);
                (Mrn::new(mrn), http::excerpt(words, token))
            })
            .collect()),
        Some(Value::Array(errors)) if errors.is_empty() => Ok(BatchErrors::new()),
        Some(_) => Err("the answer lists failures in a form nobody expects".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{MRN, SPACE, p384, time as at, wire};
    use super::*;
    use crate::model::Labels;

    fn scope() -> Scope {
        Scope::from_mrn(SPACE).expect("a scope")
    }

    #[test]
    fn a_listing_with_every_field() {
        let page = service_accounts(&wire("service_accounts"), &scope()).expect("decodes");
        assert_eq!(page.next, None);
        let [ci, ops] = page.items.as_slice() else {
            panic!("two accounts");
        };
        let expected = LiveAccount {
            mrn: Mrn::new(MRN),
            scope: scope(),
            name: "ci".to_owned(),
            description: Some("scans every image".to_owned()),
            labels: Labels::from([
                ("flag".to_owned(), String::new()),
                ("team".to_owned(), "platform".to_owned()),
            ])
            .into(),
            roles: RoleSet::from([Role::new("agent"), Role::new("viewer")]),
            created_at: Some(at("2026-01-02T03:04:05.678Z")),
            last_used: Some(at("2026-11-01T00:00:00Z")),
            creator: Some("//captain.api.mondoo.app/users/2bB5gsCSGp2Tlwiyv7mKN9PRSHK".to_owned()),
        };
        assert_eq!(*ci, expected);
        // An organization's account in a space's listing tells its own scope.
        assert_eq!(ops.scope.to_string(), "organization acme-corp-883120");
        assert_eq!(ops.description.as_deref(), Some("by hand"));
        assert_eq!(ops.last_used, None, "the zero of Go is never");
        assert_eq!(ops.creator.as_deref(), Some("bob@example.com"));
    }

    #[test]
    fn null_is_taken_wherever_nothing_promises_a_value() {
        let page = service_accounts(&wire("service_accounts_null"), &scope()).expect("decodes");
        let account = page.items.first().expect("one account");
        assert_eq!(account.scope, scope(), "the listed scope stands in");
        assert_eq!(account.state().description, None);
        assert_eq!(account.roles, RoleSet::new());
        assert_eq!(account.labels, Labels::new());
        let one = service_account(&wire("service_account"), &Mrn::new(MRN)).expect("decodes");
        let one = one.expect("is there");
        assert_eq!(one.description.as_deref(), Some("Created by Terraform"));
        assert_eq!(one.roles, RoleSet::from([Role::new("viewer")]));
        let shared = space(&wire("space_shared"))
            .expect("decodes")
            .expect("there");
        assert_eq!((shared.name.as_str(), shared.organization), ("", None));
    }

    #[test]
    fn people_who_own_are_counted_and_service_accounts_are_not() {
        let told = |members: &str| {
            let body = format!(r#"{{"data":{{"organization":{{"members":{members}}}}}}}"#);
            owners(body.as_bytes()).expect("decodes")
        };
        let one = |user: &str, role: &str| {
            format!(
                r#"{{"node":{{"user":{user},"roles":[null,{{"mrn":"//iam.api.mondoo.app/roles/{role}"}}]}}}}"#
            )
        };
        let person = r#"{"mrn":"//captain.api.mondoo.app/users/2bB"}"#;
        let account =
            r#"{"mrn":"//agents.api.mondoo.app/organizations/acme-corp/serviceaccounts/2bB"}"#;
        for (user, role, expected) in [
            (person, "owner", 1),
            (person, "editor", 0),
            (account, "owner", 0),
            ("null", "owner", 0),
        ] {
            let page = format!(r#"{{"edges":[{},null,{{"node":null}}]}}"#, one(user, role));
            assert_eq!(told(&page), Some(expected), "{user} {role}");
        }
        for nothing in ["null", "{}", r#"{"edges":null}"#] {
            assert_eq!(told(nothing), None, "{nothing}");
        }
        assert_eq!(owners(br#"{"data":{"organization":null}}"#), Ok(None));
        assert!(owners(b"{}").is_err());
    }

    #[test]
    fn a_gap_in_a_listing_is_an_error_and_not_an_absence() {
        let listing = |text: &str| {
            let body = format!(r#"{{"data":{{"serviceAccounts":{text}}}}}"#);
            service_accounts(body.as_bytes(), &scope())
        };
        for text in [
            "null",
            "{}",
            r#"{"totalCount":3,"edges":null}"#,
            r#"{"edges":[null]}"#,
            r#"{"edges":[{"node":null}]}"#,
            r#"{"edges":[{"node":{"mrn":null}}]}"#,
            r#"{"edges":[{"node":{"mrn":""}}]}"#,
            r#"{"edges":[],"pageInfo":{"hasNextPage":true,"endCursor":""}}"#,
            r#"{"edges":[],"pageInfo":{"hasNextPage":true,"endCursor":null}}"#,
            r#"{"edges":"x"}"#,
        ] {
            assert!(listing(text).is_err(), "{text}");
        }
        let full = r#"{"node":{"mrn":"//m"}},"#.repeat(PAGE);
        let full = full.trim_end_matches(',');
        assert!(listing(&format!(r#"{{"edges":[{full}]}}"#)).is_err());
        assert!(listing(r#"{"totalCount":0,"edges":null}"#).is_ok());
    }

    #[test]
    fn more_entries_than_were_asked_for_are_refused() {
        let edges = |n: usize, node: &str| {
            let all = vec![format!(r#"{{"node":{node}}}"#); n].join(",");
            format!(r#"{{"edges":[{all}],"pageInfo":{{"hasNextPage":false}}}}"#)
        };
        let accounts = |n| {
            let page = edges(n, r#"{"mrn":"//m"}"#);
            let body = format!(r#"{{"data":{{"serviceAccounts":{page}}}}}"#);
            service_accounts(body.as_bytes(), &scope()).map(|page| page.items.len())
        };
        let org = OrgId::new("acme-corp-883120").expect("an id");
        let spaces = |n| {
            let page = edges(n, r#"{"id":"some-space"}"#);
            let body = format!(r#"{{"data":{{"organization":{{"spacesList":{page}}}}}}}"#);
            spaces(body.as_bytes(), &org).map(|page| page.items.len())
        };
        let lines = |n| {
            let body = format!(r#"{{"data":{{"auditlog":{}}}}}"#, edges(n, "{}"));
            audit_log(body.as_bytes(), 20).map(|page| page.items.len())
        };
        let owners = |n| {
            let page = edges(n, "null");
            let body = format!(r#"{{"data":{{"organization":{{"members":{page}}}}}}}"#);
            owners(body.as_bytes()).map(|_| n)
        };
        for (found, most) in [
            (accounts(100), accounts(101)),
            (spaces(100), spaces(250)),
            (lines(20), lines(21)),
            (owners(100), owners(101)),
        ] {
            assert!(found.is_ok(), "{found:?}");
            let why = most.expect_err("more than was asked for");
            assert!(why.contains("at once where"), "{why}");
        }
    }

    #[test]
    fn a_key_is_unescaped_in_one_piece_of_memory() {
        for text in [
            "",
            "plain",
            "-----BEGIN\nAA+/=\n-----END\n",
            "\u{8}\u{c}\r\t\"\\/ ü 監 \u{1}",
        ] {
            let raw = serde_json::to_string(text).expect("JSON");
            let found = unescape(&raw).expect("a string");
            assert_eq!(found.expose(), text);
            assert_eq!(found.expose().capacity(), raw.len() - 2, "{text}");
        }
        let slashes = unescape(r#""a\/b\u002b""#).expect("a string");
        assert_eq!(slashes.expose(), "a/b+");
        for other in ["7", "null", "{}", r#"["a"]"#, r#""\ud83d\ude00""#] {
            assert!(unescape(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_clean_up_is_told_only_where_the_platform_tells_it() {
        let told = |unused: &str| {
            let body = format!(
                r#"{{"data":{{"space":{{"settings":{{
                    "unusedServiceAccountsConfiguration":{unused}}}}}}}}}"#
            );
            clean_up(body.as_bytes())
        };
        let after = |days| Ok(Some(CleanUp::After(days)));
        assert_eq!(told(r#"{"cleanup":true,"after":7}"#), after(7));
        for odd in ["null", "0", "-7", "4294967296"] {
            let text = format!(r#"{{"cleanup":true,"after":{odd}}}"#);
            assert_eq!(told(&text), after(30), "{odd}");
        }
        assert_eq!(told(r#"{"cleanup":true}"#), after(30));
        assert_eq!(
            told(r#"{"cleanup":false,"after":7}"#),
            Ok(Some(CleanUp::Off))
        );
        for nothing in ["null", "{}", r#"{"cleanup":null,"after":7}"#] {
            assert_eq!(told(nothing), Ok(None), "{nothing}");
        }
        for nothing in [r#"{"space":null}"#, r#"{"space":{"settings":null}}"#, "{}"] {
            let body = format!(r#"{{"data":{nothing}}}"#);
            assert_eq!(clean_up(body.as_bytes()), Ok(None), "{nothing}");
        }
        assert!(told(r#""x""#).is_err());
        assert!(clean_up(b"{}").is_err());
    }

    #[test]
    fn the_smaller_answers() {
        let caller = viewer(&wire("viewer")).expect("decodes").expect("there");
        assert_eq!(caller.name.as_deref(), Some("ada@example.com"));
        assert_eq!(viewer(br#"{"data":{"viewer":null}}"#), Ok(None));
        let found = organization(&wire("organization")).expect("decodes");
        assert_eq!(found.map(|info| info.name).as_deref(), Some("Acme Corp"));
        let found = space(&wire("space")).expect("decodes").expect("there");
        assert_eq!(found.organization, OrgId::new("acme-corp-883120"));
        let org = OrgId::new("acme-corp-883120").expect("an id");
        let page = spaces(&wire("spaces_first"), &org).expect("decodes");
        assert_eq!(page.next.as_deref(), Some("172213"));
        let (id, info) = page.items.first().expect("a space");
        assert_eq!(id.as_str(), "amazing-hofstadter-175565");
        assert_eq!(info.organization, Some(org.clone()));
        assert!(spaces(br#"{"data":{"organization":null}}"#, &org).is_err());
        let roles = get_roles(&wire("get_roles")).expect("decodes");
        assert_eq!(roles, RoleSet::from([Role::new("editor")]));
        let other = service_account(&wire("service_account"), &Mrn::new("//other"));
        assert!(other.is_err());
    }

    #[test]
    fn the_log_is_read_as_far_as_it_tells() {
        let page = audit_log(&wire("audit_log"), 20).expect("decodes");
        assert_eq!(page.next.as_deref(), Some("172213"));
        let [membership, bare] = page.items.as_slice() else {
            panic!("two lines: {page:?}");
        };
        assert_eq!(membership.at, Some(at("2026-10-08T12:07:18.123Z")));
        assert_eq!(membership.verb(), "SetSpaceMembership");
        assert_eq!(membership.name.as_deref(), Some("ada@example.com"));
        assert_eq!(membership.resource, Some(Mrn::new(MRN)));
        let nothing = LogEntry {
            at: None,
            identity: None,
            name: None,
            action: String::new(),
            resource: None,
        };
        assert_eq!(*bare, nothing, "null is taken, and told as unknown");
        assert!(audit_log(br#"{"data":{"auditlog":null}}"#, 20).is_err());
    }

    fn issue(key: &str) -> Decoded<IssuedCredential> {
        let text = String::from_utf8(wire("create_service_account")).expect("text");
        let key = key.replace('\n', "\\n");
        let body = text.replace("@KEY@", &key);
        created(body.as_bytes(), &scope(), "https://here.example")
    }

    #[test]
    fn an_issued_credential_is_complete() {
        let key = p384();
        let issued = issue(&key).expect("decodes");
        assert_eq!(issued.private_key.expose(), &key);
        assert_eq!(issued.space_mrn, SPACE, "null means the scope's");
        assert_eq!(issued.api_endpoint, "https://us.api.mondoo.com");
        assert_eq!(Ok(issued.fingerprint.clone()), auth::fingerprint(&key));
        assert!(!format!("{issued:?}").contains("BEGIN PRIVATE"));
    }

    #[test]
    fn a_created_account_without_a_good_key_is_named() {
        for key in ["", "@KEY@", "-----BEGIN EC PRIVATE KEY-----\nAA=="] {
            let why = issue(key).expect_err("no good key");
            assert!(why.starts_with("created as //agents"), "{why}");
            assert!(why.contains("2bB5gsCSGp2Tlwiyv7mKN9PRSHN"), "{why}");
            assert!(!why.contains("AA=="), "{why}");
        }
        let nothing = created(
            br#"{"data":{"createServiceAccount":null}}"#,
            &scope(),
            "https://here.example",
        );
        assert!(nothing.is_err());
        // The message of the JSON library would repeat the value.
        let odd = br#"{"data":{"createServiceAccount":"MIG2secret"}}"#;
        let why = created(odd, &scope(), "https://here.example").expect_err("odd");
        assert!(!why.contains("MIG2"), "{why}");
    }

    #[test]
    fn failures_of_a_batch_are_read_in_every_form() {
        let failed = batch(
            &wire("delete_service_accounts"),
            "deleteServiceAccounts",
            "",
        );
        let failed = failed.expect("decodes");
        assert_eq!(failed.len(), 1);
        assert!(failed.values().all(|why| why.contains("not found")));
        assert_eq!(
            batch(&wire("set_roles"), "setRoles", ""),
            Ok(BatchErrors::new())
        );
        let failed = batch(&wire("set_roles_errors"), "setRoles", "").expect("decodes");
        let why = failed.get(&Mrn::new(MRN)).expect("named");
        assert!(why.contains("role not allowed"), "{why}");
        let null = br#"{"data":{"setRoles":null}}"#;
        assert_eq!(batch(null, "setRoles", ""), Ok(BatchErrors::new()));
        for odd in [
            r#"{"data":{"setRoles":{"errors":"boom"}}}"#,
            r#"{"data":{"setRoles":{"errors":[1]}}}"#,
            r#"{"data":{}}"#,
        ] {
            assert!(batch(odd.as_bytes(), "setRoles", "").is_err(), "{odd}");
        }
        assert_eq!(updated(&wire("update_service_account")), Ok(()));
    }
}
