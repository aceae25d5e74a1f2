//! Who may do what: role × operation × scope, over the socket. Each row restates a sentence of Mondoo's
//! documentation, with its place, and not the platform's own table; where the documentation says
//! nothing the row says so, and names the assumption.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::{DENIED, Key, ORG, PAYMENTS, PROD_EU, Platform, role};

/// The least role that may, in the order agent < viewer < editor < owner. `agent` reports scan results
/// and may nothing of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Least {
    Viewer,
    Editor,
    Owner,
}

struct Row {
    /// The documentation's sentence, or the assumption in its place, and where it stands.
    because: &'static str,
    what: &'static str,
    least: Least,
    /// Whether the role must be held on the organization.
    organization_only: bool,
    query: &'static str,
    /// Its variables, for a scope.
    variables: fn(&str) -> Value,
}

fn rows() -> Vec<Row> {
    let row = |because, what, least, query, variables| Row {
        because,
        what,
        least,
        organization_only: false,
        query,
        variables,
    };
    let of_organization = |because, what, least, query, variables| Row {
        organization_only: true,
        ..row(because, what, least, query, variables)
    };
    use Least::{Editor, Owner, Viewer};
    vec![
        row(
            "\"The API Token needs Editor permissions\" (mondoohq/samples, Service Account- List); a viewer \
             sees that \"service account information is unavailable\" (docs, release 10.9)",
            "list service accounts",
            Editor,
            "query($m: String!){serviceAccounts(scopeMrn: $m, first: 1){totalCount}}",
            |m| json!({ "m": m }),
        ),
        row(
            "\"You must be an Editor or Owner\" to create service accounts (docs, partials/_editor-owner)",
            "create a service account",
            Editor,
            "mutation($m: String!){createServiceAccount(input: {scopeMrn: $m, name: \"x\"}){mrn}}",
            |m| json!({ "m": m }),
        ),
        row(
            "Editors \"add, remove and modify permissions of team members\" (docs, team_members)",
            "set roles",
            Editor,
            "mutation($m: String!, $r: String!){setRoles(input: {scopeMrn: $m, identity: \"someone@acme.example\", roles: [$r]}){identity_email}}",
            |m| json!({ "m": m, "r": role("viewer") }),
        ),
        row(
            "Editors manage team members (docs, team_members)",
            "make a team",
            Editor,
            "mutation($m: String!){createTeam(input: {scopeMrn: $m, name: \"x\"}){mrn}}",
            |m| json!({ "m": m }),
        ),
        row(
            "Editors manage workspaces (docs, team_members)",
            "make a workspace",
            Editor,
            "mutation($m: String!){createWorkspace(input: {ownerMrn: $m, name: \"x\", selections: {selections: []}}){mrn}}",
            |m| json!({ "m": m }),
        ),
        row(
            "Viewers have read-only access (docs, team_members)",
            "list workspaces",
            Viewer,
            "query($m: String!){workspaces(input: {scopeMrn: $m}){totalCount}}",
            |m| json!({ "m": m }),
        ),
        row(
            "Editor or Owner creates API tokens (docs, api-tokens)",
            "make an API token",
            Editor,
            "mutation($m: String!){generateAPIToken(input: {scopeMrn: $m, name: \"x\"}){mrn}}",
            |m| json!({ "m": m }),
        ),
        row(
            "Editor or Owner sets up workload identity (docs, non-human/wif, _github)",
            "bind a workload identity",
            Editor,
            "mutation($m: String!, $s: String!){createWIFAuthBinding(input: {scopeMrn: $m, name: \"x\", issuerUri: \"https://a.example\", subject: $s}){binding{mrn}}}",
            |m| {
                // One subject is bound once.
                let n = Timestamp::now().as_nanosecond();
                json!({ "m": m, "s": n.to_string() })
            },
        ),
        row(
            "assumed: as service accounts, which registration makes",
            "make a registration token",
            Editor,
            "mutation($m: String!){generateRegistrationToken(input: {scopeMrn: $m}){mrn}}",
            |m| json!({ "m": m }),
        ),
        row(
            "assumed: reading is for viewers",
            "read the audit log",
            Viewer,
            "query($m: String!){auditlog(resourceMrn: $m, first: 1){totalCount}}",
            |m| json!({ "m": m }),
        ),
        row(
            "assumed: contacts are part of what editors may update",
            "set contacts",
            Editor,
            "mutation($m: String!){setResourceContacts(input: {resourceMrn: $m, contacts: []}){identity}}",
            |m| json!({ "m": m }),
        ),
        of_organization(
            "Creating spaces needs to be an owner of the organization (docs, organize/spaces)",
            "create a space",
            Owner,
            "mutation($o: String!){createSpace(input: {orgMrn: $o, name: \"x\"}){mrn}}",
            |_| json!({ "o": ORG }),
        ),
        of_organization(
            "Editors \"may update but not create or delete\" organizations (docs, team_members)",
            "update the organization",
            Editor,
            "mutation($o: String!){updateOrganization(input: {mrn: $o, name: \"Acme Corp\"}){organization{mrn}}}",
            |_| json!({ "o": ORG }),
        ),
        of_organization(
            "Owners manage SSO (docs, team_members)",
            "see single sign-on",
            Owner,
            "query($o: String!){ssoProvider(mrn: $o){provider{ssoUrl}}}",
            |_| json!({ "o": ORG }),
        ),
        of_organization(
            "SCIM mapping is done with a token \"with edit permission\" (docs, scim-okta)",
            "map a group",
            Editor,
            "mutation($o: String!){setScimGroupMapping(input: {orgMrn: $o, group: \"g\", mappings: []}){group}}",
            |_| json!({ "o": ORG }),
        ),
    ]
}

/// What an account with a role on a scope gets for a row: whether it is allowed.
async fn allowed(p: &Platform, key: &Key, row: &Row, scope: &str) -> bool {
    let (status, body) = p.raw(key, row.query, (row.variables)(scope)).await;
    assert_eq!(status, 200, "{}: {body}", row.what);
    match body["errors"][0]["message"].as_str() {
        None => true,
        Some(DENIED) => false,
        Some(other) => panic!("{}: {other}", row.what),
    }
}

#[tokio::test]
async fn each_role_may_what_the_documentation_says() {
    let p = Platform::start().await;
    let ladder = [
        (None, &[][..]),
        (None, &["agent"][..]),
        (Some(Least::Viewer), &["viewer"][..]),
        // "Specialised roles act on top of Viewer" (docs, team_members).
        (Some(Least::Viewer), &["viewer", "policy-manager"][..]),
        (Some(Least::Editor), &["editor"][..]),
        (Some(Least::Owner), &["owner"][..]),
    ];
    for (n, (rank, roles)) in ladder.iter().enumerate() {
        let inside = p.account(PAYMENTS, &format!("space {n}"), roles);
        let above = p.account(ORG, &format!("organization {n}"), roles);
        for row in rows() {
            let enough = rank.is_some_and(|rank| rank >= row.least);
            let why = format!("{roles:?} {}: {}", row.what, row.because);
            // In its own space, unless that takes the organization.
            assert_eq!(
                allowed(&p, &inside, &row, PAYMENTS).await,
                enough && !row.organization_only,
                "space account, {why}"
            );
            // "A space account cannot reach another space" (docs, service_accounts).
            assert!(
                !allowed(&p, &inside, &row, PROD_EU).await,
                "elsewhere, {why}"
            );
            assert!(!allowed(&p, &inside, &row, ORG).await, "above, {why}");
            // "An organization's role applies to every space of it" (docs, service_accounts).
            for scope in [ORG, PAYMENTS, PROD_EU] {
                assert_eq!(
                    allowed(&p, &above, &row, scope).await,
                    enough,
                    "{scope}, {why}"
                );
            }
        }
    }
}

/// "An organization's account cannot reach another organization" (docs, service_accounts).
#[tokio::test]
async fn another_organization_is_out_of_reach() {
    let p = Platform::start().await;
    let owner = p.account(ORG, "owner here", &["owner"]);
    let create =
        "mutation{createOrganization(input: {name: \"Other\", id: \"other-organization\"}){mrn}}";
    let other = p.account(PROD_EU, "founder", &["viewer"]);
    let made = p.ok(&other, create, json!({})).await;
    let other_org = made["createOrganization"]["mrn"]
        .as_str()
        .expect("an MRN")
        .to_owned();
    let read = "query($m: String!){organization(mrn: $m){name}}";
    assert_eq!(p.err(&owner, read, json!({ "m": other_org })).await, DENIED);
    p.ok(&other, read, json!({ "m": other_org })).await;
    let delete = "mutation($m: ID!){deleteOrganization(orgMrn: $m)}";
    assert_eq!(
        p.err(&owner, delete, json!({ "m": other_org })).await,
        DENIED
    );
    p.ok(&other, delete, json!({ "m": other_org })).await;
}
