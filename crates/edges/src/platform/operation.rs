//! The operations: documents and variables of every request to the API.
//! Pure: values in, request bodies out. Decoding is in `decode`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::{Labels, Mrn, OrgId, Role, RoleSet, Scope, SpaceId};
use crate::ports::{AccountUpdate, NewAccount};

/// The largest page that the platform is known to give.
pub(super) const PAGE: usize = 100;

macro_rules! document_table {
    ($($name:ident = $file:literal;)*) => {
        $(const $name: &str = include_str!(concat!("documents/", $file, ".graphql"));)*
        const DOCUMENTS: &[(&str, &str)] = &[$(($file, $name)),*];
    };
}

document_table! {
    AUDIT_LOG = "audit_log";
    CLEAN_UP = "clean_up";
    CREATE_SERVICE_ACCOUNT = "create_service_account";
    DELETE_SERVICE_ACCOUNTS = "delete_service_accounts";
    GET_ROLES = "get_roles";
    ORGANIZATION = "organization";
    OWNERS = "owners";
    SERVICE_ACCOUNT = "service_account";
    SERVICE_ACCOUNTS = "service_accounts";
    SET_ROLES = "set_roles";
    SPACE = "space";
    SPACES = "spaces";
    UPDATE_SERVICE_ACCOUNT = "update_service_account";
    VIEWER = "viewer";
}

/// The operation that begins a birth.
pub(super) const BIRTH: &str = "CreateServiceAccount";

/// Every document that the client can send, by name, for validation against a schema.
pub fn documents() -> &'static [(&'static str, &'static str)] {
    DOCUMENTS
}

/// One request, ready to send.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// What is being done, an infinitive: `list the service accounts of space x`.
    pub(super) doing: String,
    /// The right that it takes, where that is known: `Editor on space x`.
    pub(super) needs: Option<String>,
    /// The operation's name in its document.
    pub(super) operation: &'static str,
    /// The scope that it is about, if it is about one.
    pub(super) scope: Option<Scope>,
    /// The body to post.
    pub(super) body: Vec<u8>,
}

impl Request {
    fn new(doing: String, document: &'static str, variables: &Value) -> Self {
        let body = json!({ "query": document, "variables": variables });
        Self {
            doing,
            needs: None,
            operation: name(document),
            scope: None,
            body: body.to_string().into_bytes(),
        }
    }

    fn needs(mut self, role: &str, scope: &Scope) -> Self {
        self.needs = Some(format!("{role} on {scope}"));
        self.about(scope)
    }

    fn about(mut self, scope: &Scope) -> Self {
        self.scope = Some(scope.clone());
        self
    }
}

/// The name of a document's one operation.
fn name(document: &'static str) -> &'static str {
    let head = document.split(['(', '{']).next().unwrap_or_default();
    head.split_whitespace().nth(1).unwrap_or_default()
}

pub(super) fn viewer() -> Request {
    Request::new("ask who the caller is".to_owned(), VIEWER, &json!({}))
}

pub(super) fn organization(id: &OrgId) -> Request {
    let scope = Scope::Organization(id.clone());
    let variables = json!({ "mrn": scope.mrn() });
    Request::new(format!("read {scope}"), ORGANIZATION, &variables).needs("Viewer", &scope)
}

pub(super) fn spaces(id: &OrgId, after: Option<&str>) -> Request {
    let scope = Scope::Organization(id.clone());
    let variables = json!({ "mrn": scope.mrn(), "first": PAGE, "after": after });
    Request::new(format!("list the spaces of {scope}"), SPACES, &variables).needs("Viewer", &scope)
}

pub(super) fn space(id: &SpaceId) -> Request {
    let scope = Scope::Space(id.clone());
    let variables = json!({ "mrn": scope.mrn() });
    Request::new(format!("read {scope}"), SPACE, &variables).needs("Viewer", &scope)
}

pub(super) fn clean_up(id: &SpaceId) -> Request {
    let scope = Scope::Space(id.clone());
    let variables = json!({ "mrn": scope.mrn() });
    // Which role may read settings is not public.
    Request::new(
        format!("read the settings of {scope}"),
        CLEAN_UP,
        &variables,
    )
    .about(&scope)
}

/// Asks for people who own an organization, as Mondoo's console counts them: `members` with a
/// filter of one role. One page is enough to know that there are some.
pub(super) fn owners(id: &OrgId) -> Request {
    let scope = Scope::Organization(id.clone());
    let variables = json!({
        "mrn": scope.mrn(),
        "first": PAGE,
        "role": Role::new("owner").mrn(),
    });
    Request::new(format!("read who owns {scope}"), OWNERS, &variables).needs("Viewer", &scope)
}

pub(super) fn service_accounts(scope: &Scope, after: Option<&str>) -> Request {
    let variables = json!({
        "scopeMrn": scope.mrn(),
        "first": PAGE,
        "after": after,
        // By an order that no change of a name or of the last use disturbs between two pages.
        "orderBy": { "direction": "ASC", "field": "ID" },
    });
    let doing = format!("list the service accounts of {scope}");
    Request::new(doing, SERVICE_ACCOUNTS, &variables).needs("Editor", scope)
}

pub(super) fn service_account(mrn: &Mrn) -> Request {
    let doing = format!("read service account {mrn}");
    let request = Request::new(doing, SERVICE_ACCOUNT, &json!({ "mrn": mrn }));
    match mrn.account_scope() {
        Some(scope) => request.needs("Editor", &scope),
        None => request,
    }
}

pub(super) fn get_roles(identity: &Mrn, scope: &Scope) -> Request {
    let variables = json!({ "identity": identity, "scopeMrn": scope.mrn() });
    let doing = format!("read the roles of {identity} on {scope}");
    Request::new(doing, GET_ROLES, &variables).needs("Viewer", scope)
}

pub(super) fn audit_log(resource: &Mrn, first: usize, after: Option<&str>) -> Request {
    let variables = json!({
        "resourceMrn": resource,
        "first": first,
        "after": after,
        "orderBy": { "direction": "DESC", "field": "TIMESTAMP" },
    });
    let scope = Scope::from_mrn(resource.as_str());
    let doing = match &scope {
        Some(scope) => format!("read the audit log of {scope}"),
        None => format!("read the audit log of {resource}"),
    };
    let request = Request::new(doing, AUDIT_LOG, &variables);
    match scope.or_else(|| resource.account_scope()) {
        Some(scope) => request.needs("Viewer", &scope),
        None => request,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateInput<'a> {
    scope_mrn: Mrn,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    labels: Vec<Value>,
    roles: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<jiff::Timestamp>,
}

pub(super) fn create_service_account(account: &NewAccount) -> Request {
    let NewAccount {
        scope,
        name,
        description,
        labels,
        roles,
        valid_until,
    } = account;
    let input = CreateInput {
        scope_mrn: scope.mrn(),
        name,
        description: description.as_deref(),
        labels: label_list(labels),
        roles: role_list(roles),
        valid_until: *valid_until,
    };
    let doing = format!("create service account `{name}` in {scope}");
    Request::new(doing, CREATE_SERVICE_ACCOUNT, &json!({ "input": input })).needs("Editor", scope)
}

#[derive(Serialize)]
struct UpdateInput<'a> {
    mrn: &'a Mrn,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<Value>>,
}

pub(super) fn update_service_account(mrn: &Mrn, update: &AccountUpdate) -> Request {
    let AccountUpdate {
        name,
        notes,
        labels,
    } = update;
    let input = UpdateInput {
        mrn,
        name: name.as_deref(),
        notes: notes.as_deref(),
        labels: labels.as_ref().map(label_list),
    };
    let doing = format!("update service account {mrn}");
    let request = Request::new(doing, UPDATE_SERVICE_ACCOUNT, &json!({ "input": input }));
    match mrn.account_scope() {
        Some(scope) => request.needs("Editor", &scope),
        None => request,
    }
}

pub(super) fn delete_service_accounts(scope: &Scope, mrns: &[Mrn]) -> Request {
    let variables = json!({ "input": { "scopeMrn": scope.mrn(), "mrns": mrns } });
    let doing = match mrns {
        [one] => format!("delete service account {one} of {scope}"),
        many => format!("delete {} service accounts of {scope}", many.len()),
    };
    Request::new(doing, DELETE_SERVICE_ACCOUNTS, &variables).needs("Editor", scope)
}

pub(super) fn set_roles(scope: &Scope, roles: &BTreeMap<Mrn, RoleSet>) -> Request {
    let updates: Vec<Value> = roles
        .iter()
        .map(|(mrn, roles)| json!({ "entityMrn": mrn, "roles": role_list(roles) }))
        .collect();
    let variables = json!({ "input": { "scopeMrn": scope.mrn(), "updates": updates } });
    let doing = match roles.first_key_value() {
        Some((one, _)) if roles.len() == 1 => format!("set the roles of {one} on {scope}"),
        _ => format!("set the roles of {} accounts on {scope}", roles.len()),
    };
    Request::new(doing, SET_ROLES, &variables)
        .needs("Editor, and the power of every role to be granted,", scope)
}

fn role_list(roles: &RoleSet) -> Vec<Value> {
    roles
        .iter()
        .map(|role| json!({ "mrn": role.mrn() }))
        .collect()
}

fn label_list(labels: &Labels) -> Vec<Value> {
    labels
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{MRN, SPACE};
    use super::*;

    fn scope() -> Scope {
        Scope::from_mrn(SPACE).expect("a scope")
    }

    fn variables(request: &Request) -> Value {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        assert!(body["query"].is_string());
        body["variables"].clone()
    }

    #[test]
    fn a_document_is_named_as_its_file_and_holds_one_operation() {
        assert_eq!(documents().len(), 14);
        for (name, text) in documents() {
            let operation: String = name
                .split('_')
                .map(|word| {
                    let (first, rest) = word.split_at(1);
                    first.to_uppercase() + rest
                })
                .collect();
            let head = text.trim_start();
            assert!(
                head.starts_with(&format!("query {operation}"))
                    || head.starts_with(&format!("mutation {operation}")),
                "{name}: {head}"
            );
            assert_eq!(super::name(text), operation);
        }
    }

    #[test]
    fn a_create_sends_its_roles_as_a_list_even_if_there_are_none() {
        let mut account = NewAccount {
            scope: scope(),
            name: "ci".to_owned(),
            description: None,
            labels: Labels::from([("team".to_owned(), "x".to_owned())]),
            roles: RoleSet::new(),
            valid_until: None,
        };
        assert_eq!(
            variables(&create_service_account(&account)),
            json!({"input": {
                "scopeMrn": SPACE, "name": "ci", "roles": [],
                "labels": [{"key": "team", "value": "x"}],
            }})
        );
        account.description = Some("d".to_owned());
        account.roles.insert(Role::new("viewer"));
        account.valid_until = "2027-06-30T00:00:00Z".parse().ok();
        assert_eq!(
            variables(&create_service_account(&account)),
            json!({"input": {
                "scopeMrn": SPACE, "name": "ci", "description": "d",
                "roles": [{"mrn": "//iam.api.mondoo.app/roles/viewer"}],
                "labels": [{"key": "team", "value": "x"}],
                "validUntil": "2027-06-30T00:00:00Z",
            }})
        );
    }

    #[test]
    fn an_update_leaves_out_what_it_does_not_change() {
        let mrn = Mrn::new(MRN);
        let mut update = AccountUpdate {
            notes: Some(String::new()),
            ..AccountUpdate::default()
        };
        let sent = variables(&update_service_account(&mrn, &update));
        assert_eq!(sent, json!({"input": {"mrn": MRN, "notes": ""}}));
        update.labels = Some(Labels::new());
        update.name = Some("n".to_owned());
        let sent = variables(&update_service_account(&mrn, &update));
        assert_eq!(
            sent,
            json!({"input": {"mrn": MRN, "name": "n", "notes": "", "labels": []}})
        );
    }

    #[test]
    fn roles_are_set_in_the_shape_that_terraform_uses() {
        let roles = BTreeMap::from([(
            Mrn::new(MRN),
            RoleSet::from([Role::new("editor"), Role::new("agent")]),
        )]);
        assert_eq!(
            variables(&set_roles(&scope(), &roles)),
            json!({"input": {"scopeMrn": SPACE, "updates": [{"entityMrn": MRN, "roles": [
                {"mrn": "//iam.api.mondoo.app/roles/agent"},
                {"mrn": "//iam.api.mondoo.app/roles/editor"},
            ]}]}})
        );
        let none = BTreeMap::from([(Mrn::new(MRN), RoleSet::new())]);
        assert_eq!(
            variables(&set_roles(&scope(), &none))["input"]["updates"][0]["roles"],
            json!([])
        );
        let sent = variables(&delete_service_accounts(&scope(), &[Mrn::new(MRN)]));
        assert_eq!(sent, json!({"input": {"scopeMrn": SPACE, "mrns": [MRN]}}));
    }

    #[test]
    fn a_listing_asks_for_the_largest_page_in_a_steady_order() {
        assert_eq!(
            variables(&service_accounts(&scope(), Some("c"))),
            json!({
                "scopeMrn": SPACE, "first": 100, "after": "c",
                "orderBy": {"direction": "ASC", "field": "ID"},
            })
        );
        assert!(variables(&service_accounts(&scope(), None))["after"].is_null());
    }

    #[test]
    fn the_log_is_asked_for_newest_first_and_with_the_right_that_it_takes() {
        let request = audit_log(&Mrn::new(MRN), 20, Some("17"));
        assert_eq!(
            variables(&request),
            json!({
                "resourceMrn": MRN, "first": 20, "after": "17",
                "orderBy": {"direction": "DESC", "field": "TIMESTAMP"},
            })
        );
        let needs = Some("Viewer on space amazing-hofstadter-175565".to_owned());
        assert_eq!(request.needs, needs, "the scope in which the account lives");
        assert_eq!(audit_log(&scope().mrn(), 20, None).needs, needs);
    }
}
