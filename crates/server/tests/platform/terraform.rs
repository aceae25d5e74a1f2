//! The request texts of terraform-provider-mondoo v0.39 (rendered from its Go structs by the rules
//! of shurcooL/graphql), letter by letter, over a socket, read as its client reads them. Each group is
//! the life of one resource: create, read, update, delete.

use serde_json::{Value, json};

use super::client::{ORG, PAYMENTS, PROD_EU, Platform, role};
use super::go_client::send;

const SETTINGS: &str = "settings{terminatedAssetsConfiguration{cleanup},unusedServiceAccountsConfiguration{cleanup},garbageCollectAssetsConfiguration{enable,afterDays},platformVulnerabilityConfiguration{enable},eolAssetsConfiguration{enable,monthsInAdvance},casesConfiguration{autoCreate,aggregationWindow},exceptionsConfiguration{requireApproval,allowIndefiniteValidUntil,allowSelfApproval}}";
const SETTINGS_SHAPE: &str = "settings:{terminatedAssetsConfiguration:{cleanup:b} unusedServiceAccountsConfiguration:{cleanup:b} garbageCollectAssetsConfiguration:{enable:b afterDays:i} platformVulnerabilityConfiguration:{enable:b} eolAssetsConfiguration:{enable:b monthsInAdvance:i} casesConfiguration:{autoCreate:b aggregationWindow:i} exceptionsConfiguration:{requireApproval:b allowIndefiniteValidUntil:b allowSelfApproval:b}}";
const ORGANIZATION: &str = "id,mrn,name,description,company,annotations{key,value},spacesCount,spacesList(after: $after){totalCount,edges{cursor,node{mrn,name}},pageInfo{startCursor,endCursor,hasNextPage}}";
const ORGANIZATION_SHAPE: &str = "id:s mrn:s name:s description:s company:s annotations:[{key:s value:s}] spacesCount:i spacesList:{totalCount:i edges:[{cursor:s node:{mrn:s name:s}}] pageInfo:{startCursor:s endCursor:s hasNextPage:b}}";
const TEAM: &str = "id,mrn,name,description,email,scopeMrn,createdAt,updatedAt";
const TEAM_SHAPE: &str =
    "id:s mrn:s name:s description:s email:s scopeMrn:s createdAt:s updatedAt:s";

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Runs one request that must succeed.
macro_rules! ok {
    ($p:expr, $query:expr, $variables:expr, $shape:expr) => {
        send(&$p, &$p.owner, &$query, $variables, &$shape)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", &$query[..60.min($query.len())]))
    };
}

/// Runs one request that must fail with a message that holds a text.
macro_rules! fails {
    ($p:expr, $query:expr, $variables:expr, $shape:expr, $message:expr) => {
        let error = send(&$p, &$p.owner, &$query, $variables, &$shape)
            .await
            .expect_err("an error");
        assert!(error.contains($message), "{error}");
    };
}

/// T1 to T6.
#[tokio::test]
async fn service_accounts_and_roles() {
    let p = Platform::start().await;
    let t1 = "mutation($input:CreateServiceAccountInput!){createServiceAccount(input: $input){mrn,certificate,privateKey,scopeMrn,apiEndpoint}}";
    let input = json!({"input": {"scopeMrn": PAYMENTS, "description": "Created by Terraform",
        "roles": [{"mrn": role("viewer")}], "name": "ci"}});
    let made = ok!(
        p,
        t1,
        input,
        "createServiceAccount:{mrn:s certificate:s privateKey:s scopeMrn:s apiEndpoint:s}"
    );
    let made = &made["createServiceAccount"];
    for key in [
        "mrn",
        "certificate",
        "privateKey",
        "scopeMrn",
        "apiEndpoint",
    ] {
        assert!(!text(&made[key]).is_empty(), "{key}");
    }
    let mrn = text(&made["mrn"]);
    let t2 = "query($mrn:String!){serviceAccount(mrn: $mrn){id,mrn,name,description,roles{mrn},labels{key,value}}}";
    let shape =
        "serviceAccount:{id:s mrn:s name:s description:s roles:[{mrn:s}] labels:[{key:s value:s}]}";
    let read = ok!(p, t2, json!({"mrn": mrn}), shape);
    assert_eq!(read["serviceAccount"]["name"], "ci");
    assert_eq!(
        read["serviceAccount"]["roles"],
        json!([{"mrn": role("viewer")}])
    );
    let t3 = "mutation($input:UpdateServiceAccountInput!){updateServiceAccount(input: $input){mrn,name,description}}";
    let input = json!({"input": {"mrn": mrn, "name": "ci2", "notes": "by Terraform"}});
    let updated = ok!(
        p,
        t3,
        input,
        "updateServiceAccount:{mrn:s name:s description:s}"
    );
    assert_eq!(updated["updateServiceAccount"]["name"], "ci2");
    let t5 = "mutation($input:SetRolesInput!){setRoles(input: $input){mrns}}";
    let set = |roles: Value| json!({"input": {"scopeMrn": PAYMENTS, "updates": [{"entityMrn": mrn, "roles": roles}]}});
    ok!(
        p,
        t5,
        set(json!([{"mrn": role("editor")}])),
        "setRoles:{mrns:[s]}"
    );
    let t6 = "query($identity:String!$scopeMrn:String!){getRoles(identity: $identity, scopeMrn: $scopeMrn){identityMrn,identityEmail,scopeMrn,roles}}";
    let shape6 = "getRoles:{identityMrn:s identityEmail:s scopeMrn:s roles:[s]}";
    let roles = ok!(
        p,
        t6,
        json!({"identity": mrn, "scopeMrn": PAYMENTS}),
        shape6
    );
    assert_eq!(
        roles["getRoles"]["roles"],
        json!([role("editor"), role("space-member")])
    );
    ok!(p, t5, set(json!([])), "setRoles:{mrns:[s]}");
    let roles = ok!(
        p,
        t6,
        json!({"identity": mrn, "scopeMrn": PAYMENTS}),
        shape6
    );
    assert_eq!(roles["getRoles"]["roles"], json!([role("space-member")]));
    // T37, of an open pull request.
    let t37 =
        "mutation($input:SetRolesInput!){setRoles(input: $input){identity_mrn,identity_email}}";
    let input =
        json!({"input": {"scopeMrn": PAYMENTS, "identity": mrn, "roles": [role("viewer")]}});
    let set = ok!(p, t37, input, "setRoles:{identity_mrn:s identity_email:s}");
    assert_eq!(set["setRoles"]["identity_mrn"], *mrn);
    let camel = t37.replace("identity_mrn", "identityMrn");
    fails!(
        p,
        camel,
        json!({"input": {}}),
        "setRoles:{identityMrn:s}",
        "422"
    );
    let t4 =
        "mutation($input:DeleteServiceAccountsInput!){deleteServiceAccounts(input: $input){mrns}}";
    ok!(
        p,
        t4,
        json!({"input": {"scopeMrn": PAYMENTS, "mrns": [mrn]}}),
        "deleteServiceAccounts:{mrns:[s]}"
    );
    fails!(p, t2, json!({"mrn": mrn}), shape, "code = NotFound");
}

/// T7 to T10.
#[tokio::test]
async fn spaces() {
    let p = Platform::start().await;
    let t7 = format!(
        "mutation($input:CreateSpaceInput!){{createSpace(input: $input){{id,mrn,name,description,{SETTINGS},annotations{{key,value}}}}}}"
    );
    let shape = format!(
        "createSpace:{{id:s mrn:s name:s description:s {SETTINGS_SHAPE} annotations:[{{key:s value:s}}]}}"
    );
    let input = json!({"input": {"name": "My Space", "orgMrn": ORG, "description": "d",
        "settings": {"terminatedAssetsConfiguration": {"cleanup": true},
                     "garbageCollectAssetsConfiguration": {"enable": true, "afterDays": 30}},
        "annotations": [{"key": "env", "value": "prod"}]}});
    let made = ok!(p, t7, input, shape);
    let made = &made["createSpace"];
    assert!(made["id"].is_string());
    assert_eq!(
        made["settings"]["garbageCollectAssetsConfiguration"]["afterDays"],
        30
    );
    assert_eq!(made["settings"]["casesConfiguration"], Value::Null);
    let mrn = text(&made["mrn"]);
    let t8 = format!(
        "query($after:String!$mrn:String!){{space(mrn: $mrn){{id,mrn,name,description,organization{{{ORGANIZATION}}},{SETTINGS},annotations{{key,value}}}}}}"
    );
    let shape8 = format!(
        "space:{{id:s mrn:s name:s description:s organization:{{{ORGANIZATION_SHAPE}}} {SETTINGS_SHAPE} annotations:[{{key:s value:s}}]}}"
    );
    let read = ok!(p, t8, json!({"after": "", "mrn": mrn}), shape8);
    assert_eq!(read["space"]["organization"]["mrn"], ORG);
    assert_eq!(
        read["space"]["annotations"],
        json!([{"key": "env", "value": "prod"}])
    );
    let t9 = format!(
        "mutation($input:UpdateSpaceInput!){{updateSpace(input: $input){{space{{mrn,name,description,{SETTINGS}}}}}}}"
    );
    let shape9 = format!("updateSpace:{{space:{{mrn:s name:s description:s {SETTINGS_SHAPE}}}}}");
    let input = json!({"input": {"mrn": mrn, "name": "Other", "description": ""}});
    let updated = ok!(p, t9, input, shape9);
    assert_eq!(updated["updateSpace"]["space"]["name"], "Other");
    assert_eq!(updated["updateSpace"]["space"]["description"], "");
    assert_eq!(
        updated["updateSpace"]["space"]["settings"]["terminatedAssetsConfiguration"]["cleanup"],
        true,
        "what is not sent stays"
    );
    let t10 = "mutation($spaceMrn:ID!){deleteSpace(spaceMrn: $spaceMrn)}";
    ok!(p, t10, json!({"spaceMrn": mrn}), "deleteSpace:s");
    fails!(
        p,
        t8,
        json!({"after": "", "mrn": mrn}),
        shape8,
        "code = NotFound"
    );
}

/// T11 to T14.
#[tokio::test]
async fn organizations() {
    let p = Platform::start().await;
    let t11 = format!(
        "mutation($after:String!$input:CreateOrganizationInput!){{createOrganization(input: $input){{{ORGANIZATION}}}}}"
    );
    let shape = format!("createOrganization:{{{ORGANIZATION_SHAPE}}}");
    for (id, chosen) in [(json!("lunalectric"), true), (json!(""), false)] {
        let input =
            json!({"after": "", "input": {"name": "Lunalectric", "id": id, "company": "L"}});
        let made = ok!(p, t11, input, shape);
        let made = &made["createOrganization"];
        assert_eq!(made["id"] == "lunalectric", chosen, "{made}");
        assert_eq!(made["spacesCount"], 0);
    }
    let taken = json!({"after": "", "input": {"name": "Again", "id": "lunalectric"}});
    fails!(p, t11, taken, shape, "code = AlreadyExists");
    let bad = json!({"after": "", "input": {"name": "Bad", "id": "Not An Id"}});
    fails!(p, t11, bad, shape, "code = InvalidArgument");
    let mrn = "//captain.api.mondoo.app/organizations/lunalectric";
    let t12 =
        format!("query($after:String!$mrn:String!){{organization(mrn: $mrn){{{ORGANIZATION}}}}}");
    let shape12 = format!("organization:{{{ORGANIZATION_SHAPE}}}");
    let read = ok!(p, t12, json!({"after": "", "mrn": ORG}), shape12);
    let list = &read["organization"]["spacesList"];
    assert_eq!(
        (
            list["totalCount"].as_i64(),
            list["pageInfo"]["hasNextPage"].as_bool()
        ),
        (Some(3), Some(false))
    );
    let t13 = "mutation($input:UpdateOrganizationInput!){updateOrganization(input: $input){organization{mrn,name,description,company}}}";
    let input =
        json!({"input": {"mrn": mrn, "name": "Luna", "description": "moon", "company": "L2"}});
    let updated = ok!(
        p,
        t13,
        input,
        "updateOrganization:{organization:{mrn:s name:s description:s company:s}}"
    );
    assert_eq!(
        updated["updateOrganization"]["organization"]["company"],
        "L2"
    );
    let t14 = "mutation($orgMrn:ID!){deleteOrganization(orgMrn: $orgMrn)}";
    ok!(p, t14, json!({"orgMrn": mrn}), "deleteOrganization:s");
    fails!(
        p,
        t12,
        json!({"after": "", "mrn": mrn}),
        shape12,
        "code = NotFound"
    );
}

/// T15 to T24.
#[tokio::test]
async fn teams() {
    let p = Platform::start().await;
    let t15 = format!("mutation($input:CreateTeamInput!){{createTeam(input: $input){{{TEAM}}}}}");
    let input = json!({"input": {"id": "my-team", "name": "My Team", "description": "", "scopeMrn": ORG, "email": "team@acme.example"}});
    let made = ok!(p, t15, input, format!("createTeam:{{{TEAM_SHAPE}}}"));
    let mrn = text(&made["createTeam"]["mrn"]);
    assert_eq!(mrn, format!("{ORG}/teams/my-team"));
    let t16 = format!("query($mrn:String!){{team(mrn: $mrn){{{TEAM}}}}}");
    let read = ok!(
        p,
        t16,
        json!({"mrn": mrn}),
        format!("team:{{{TEAM_SHAPE}}}")
    );
    assert_eq!(read["team"]["scopeMrn"], ORG);
    let t17 = format!("mutation($input:UpdateTeamInput!){{updateTeam(input: $input){{{TEAM}}}}}");
    let input = json!({"input": {"mrn": mrn, "name": "Other", "description": "d"}});
    let updated = ok!(p, t17, input, format!("updateTeam:{{{TEAM_SHAPE}}}"));
    assert_eq!(
        updated["updateTeam"]["email"], "team@acme.example",
        "not sent, not changed"
    );

    let t19 = "mutation($input:AddTeamMemberInput!){addTeamMember(input: $input){createdPending,memberMrn}}";
    let shape19 = "addTeamMember:{createdPending:b memberMrn:s}";
    let add = |identity: &str| json!({"input": {"teamMrn": mrn, "identity": identity}});
    let known = ok!(p, t19, add("ada@acme.example"), shape19);
    let pending = ok!(p, t19, add("nobody@acme.example"), shape19);
    assert_eq!(
        pending["addTeamMember"],
        json!({"createdPending": true, "memberMrn": null})
    );
    let t20 = "query($identity:String!$teamMrn:String!){teamMember(teamMrn: $teamMrn, identity: $identity){mrn,email,name}}";
    let shape20 = "teamMember:{mrn:s email:s name:s}";
    let ask = |identity: &str| json!({"identity": identity, "teamMrn": mrn});
    let found = ok!(p, t20, ask("nobody@acme.example"), shape20);
    assert_eq!(
        found["teamMember"],
        json!({"mrn": null, "email": "nobody@acme.example", "name": null})
    );
    let found = ok!(p, t20, ask("ada@acme.example"), shape20);
    assert_eq!(
        found["teamMember"]["mrn"],
        known["addTeamMember"]["memberMrn"]
    );
    let none = ok!(p, t20, ask("never@acme.example"), shape20);
    assert_eq!(none["teamMember"], Value::Null, "null means: not a member");
    let t21 = "mutation($input:RemoveTeamMemberInput!){removeTeamMember(input: $input){memberMrn}}";
    ok!(
        p,
        t21,
        add("nobody@acme.example"),
        "removeTeamMember:{memberMrn:s}"
    );
    let gone = ok!(p, t20, ask("nobody@acme.example"), shape20);
    assert_eq!(gone["teamMember"], Value::Null);

    let mapping = format!("mrn:s team:{{{TEAM_SHAPE}}} externalId:s createdAt:s");
    let t22 = format!(
        "mutation($input:AddTeamExternalGroupMappingInput!){{addTeamExternalGroupMapping(input: $input){{mrn,team{{{TEAM}}},externalId,createdAt}}}}"
    );
    let input = json!({"input": {"teamMrn": mrn, "externalId": "0f8e-group"}});
    let made = ok!(
        p,
        t22,
        input,
        format!("addTeamExternalGroupMapping:{{{mapping}}}")
    );
    let group = text(&made["addTeamExternalGroupMapping"]["mrn"]);
    let t23 = format!(
        "query($mrn:String!){{teamExternalGroupMapping(mrn: $mrn){{mrn,team{{{TEAM}}},externalId,createdAt}}}}"
    );
    let shape23 = format!("teamExternalGroupMapping:{{{mapping}}}");
    let read = ok!(p, t23, json!({"mrn": group}), shape23);
    assert_eq!(read["teamExternalGroupMapping"]["team"]["mrn"], *mrn);
    let t24 = "mutation($input:String!){removeTeamExternalGroupMapping(mrn: $input)}";
    ok!(
        p,
        t24,
        json!({"input": group}),
        "removeTeamExternalGroupMapping:b"
    );
    fails!(p, t23, json!({"mrn": group}), shape23, "code = NotFound");
    let t18 = "mutation($mrn:String!){deleteTeam(mrn: $mrn)}";
    ok!(p, t18, json!({"mrn": mrn}), "deleteTeam:b");
    fails!(
        p,
        t16,
        json!({"mrn": mrn}),
        format!("team:{{{TEAM_SHAPE}}}"),
        "code = NotFound"
    );
}

const BINDING: &str = "binding{mrn,name,description,scope,roles,expiration,issuerUri,subject,mappings{key,value},allowedAudiences},config{universeDomain,type,audience,subjectTokenType,scopes,issuerUri}";
const BINDING_SHAPE: &str = "binding:{mrn:s name:s description:s scope:s roles:[s] expiration:i issuerUri:s subject:s mappings:[{key:s value:s}] allowedAudiences:[s]} config:{universeDomain:s type:s audience:s subjectTokenType:s scopes:[s] issuerUri:s}";

/// T25 to T27.
#[tokio::test]
async fn workload_identity_bindings() {
    let p = Platform::start().await;
    let t25 = format!(
        "mutation($input:CreateWIFAuthBindingInput!){{createWIFAuthBinding(input: $input){{{BINDING}}}}}"
    );
    let shape = format!("createWIFAuthBinding:{{{BINDING_SHAPE}}}");
    let input = json!({"input": {"scopeMrn": PAYMENTS, "name": "GitHub", "issuerUri": "https://token.actions.githubusercontent.com",
        "subject": "repo:acme/app:ref:refs/heads/main", "roles": null, "mappings": null, "allowedAudiences": null}});
    let made = ok!(p, t25, input.clone(), shape);
    let made = &made["createWIFAuthBinding"];
    let base = format!("http://{}", p.running.local_addr());
    assert_eq!(
        made["config"],
        json!({"universeDomain": base, "type": "external_account", "audience": PAYMENTS,
        "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt", "scopes": [role("agent")],
        "issuerUri": "https://token.actions.githubusercontent.com"})
    );
    assert_eq!(
        (&made["binding"]["scope"], &made["binding"]["expiration"]),
        (&json!(PAYMENTS), &json!(3600))
    );
    fails!(p, t25, input, shape, "code = AlreadyExists");
    let mrn = text(&made["binding"]["mrn"]);
    let t26 = format!("query($mrn:String!){{getWIFAuthBinding(mrn: $mrn){{{BINDING}}}}}");
    let shape26 = format!("getWIFAuthBinding:{{{BINDING_SHAPE}}}");
    let read = ok!(p, t26, json!({"mrn": mrn}), shape26);
    assert_eq!(read["getWIFAuthBinding"], *made);
    let t27 = "mutation($mrn:String!){removeWIFAuthBinding(mrn: $mrn){mrn}}";
    ok!(p, t27, json!({"mrn": mrn}), "removeWIFAuthBinding:{mrn:s}");
    fails!(p, t26, json!({"mrn": mrn}), shape26, "code = NotFound");
}

/// T28 to T30.
#[tokio::test]
async fn registration_tokens_and_groups() {
    let p = Platform::start().await;
    let t28 = "mutation($input:RegistrationTokenInput!){generateRegistrationToken(input: $input){mrn,description,token,revoked,expiresAt}}";
    let shape = "generateRegistrationToken:{mrn:s description:s token:s revoked:b expiresAt:s}";
    let input = |more: Value| {
        let mut input = json!({"scopeMrn": PAYMENTS, "description": "runner"});
        input
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        json!({ "input": input })
    };
    let made = ok!(p, t28, input(json!({"expiresIn": 600})), shape);
    let made = &made["generateRegistrationToken"];
    assert!(made["expiresAt"].is_string() && made["revoked"] == false);
    let forever = ok!(p, t28, input(json!({"noExpiration": true})), shape);
    assert_eq!(
        forever["generateRegistrationToken"]["expiresAt"],
        Value::Null
    );
    let token = text(&made["token"]);
    let claims = token.split('.').nth(1).expect("a JWT");
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims);
    let claims: Value = serde_json::from_slice(&claims.expect("base64")).expect("JSON");
    // What the command line reads without verifying: space, api_endpoint, exp.
    assert_eq!(claims["space"], PAYMENTS);
    assert_eq!(claims["iss"], "mondoo/ams");
    assert_eq!(
        claims["api_endpoint"],
        format!("http://{}", p.running.local_addr())
    );
    assert_eq!(
        claims["exp"].as_i64(),
        claims["iat"].as_i64().map(|iat| iat + 600)
    );

    // The provider sends the MRN of the space, and takes either member of the union.
    let t29 = "mutation($input:RevokeRegistrationTokenInput!){revokeRegistrationToken(input: $input){... on RevokeRegistrationTokenSuccess{ok},... on RevokeRegistrationTokenFailure{message,code}}}";
    let query = json!({"input": {"mrn": PAYMENTS}});
    let (status, body) = p.raw(&p.owner, t29, query).await;
    assert_eq!((status, body.get("errors")), (200, None));
    assert_eq!(body["data"]["revokeRegistrationToken"]["code"], "NotFound");
    let (_, body) = p
        .raw(&p.owner, t29, json!({"input": {"mrn": made["mrn"]}}))
        .await;
    assert_eq!(body["data"]["revokeRegistrationToken"], json!({"ok": true}));

    let t30 =
        "mutation($input:SetScimGroupMappingInput!){setScimGroupMapping(input: $input){group}}";
    let mappings = json!([{"iamRole": role("editor"), "spaceMrn": PAYMENTS}, {"iamRole": role("viewer"), "orgMrn": ORG}]);
    for mappings in [mappings, json!([])] {
        let input = json!({"input": {"orgMrn": ORG, "group": "Ops", "mappings": mappings}});
        let set = ok!(p, t30, input, "setScimGroupMapping:{group:s}");
        assert_eq!(set["setScimGroupMapping"]["group"], "Ops");
    }
    let both = json!([{"iamRole": role("viewer"), "spaceMrn": PAYMENTS, "orgMrn": ORG}]);
    let input = json!({"input": {"orgMrn": ORG, "group": "Ops", "mappings": both}});
    fails!(
        p,
        t30,
        input,
        "setScimGroupMapping:{group:s}",
        "code = InvalidArgument"
    );
}

const SELECTIONS: &str = "selections{selections{conditions{operator,condition{__typename,... on WorkspaceSelectionStringCondition{stringField: field,stringOperator: operator,stringValues: values{value}},... on WorkspaceSelectionIntCondition{intField: field,intOperator: operator,intValues: values},... on WorkspaceSelectionRatingCondition{ratingField: field,ratingOperator: operator,ratingValues: values},... on WorkspaceSelectionKeyValueCondition{keyValueField: field,keyValueOperator: operator,keyValueValues: values{key,value}}}}}}";

/// T31 to T34.
#[tokio::test]
async fn workspaces() {
    let p = Platform::start().await;
    let t31 = format!(
        "mutation($input:CreateWorkspaceInput!){{createWorkspace(input: $input){{mrn,ownerMrn,name,description,{SELECTIONS}}}}}"
    );
    let selections = json!({"selections": [{"conditions": [
        {"operator": "AND", "stringCondition": {"field": "PLATFORM", "operator": "EQUAL", "values": ["debian", "ubuntu"]}},
        {"operator": "AND_NOT", "intCondition": {"field": "RISK_SCORE", "operator": "GT", "values": [80]}},
        {"operator": "AND", "ratingCondition": {"field": "RISK", "operator": "NOT_EQUAL", "values": ["CRITICAL"]}},
        {"operator": "AND", "keyValueCondition": {"field": "LABELS", "operator": "CONTAINS", "values": [{"key": "env", "value": "prod"}]}},
    ]}]});
    let input = json!({"input": {"ownerMrn": PAYMENTS, "name": "Linux", "selections": selections}});
    let data = p.ok(&p.owner, &t31, input).await;
    let made = &data["createWorkspace"];
    let expected = json!({"selections": [{"conditions": [
        {"operator": "AND", "condition": {"__typename": "WorkspaceSelectionStringCondition", "stringField": "PLATFORM", "stringOperator": "EQUAL", "stringValues": [{"value": "debian"}, {"value": "ubuntu"}]}},
        {"operator": "AND_NOT", "condition": {"__typename": "WorkspaceSelectionIntCondition", "intField": "RISK_SCORE", "intOperator": "GT", "intValues": [80]}},
        {"operator": "AND", "condition": {"__typename": "WorkspaceSelectionRatingCondition", "ratingField": "RISK", "ratingOperator": "NOT_EQUAL", "ratingValues": ["CRITICAL"]}},
        {"operator": "AND", "condition": {"__typename": "WorkspaceSelectionKeyValueCondition", "keyValueField": "LABELS", "keyValueOperator": "CONTAINS", "keyValueValues": [{"key": "env", "value": "prod"}]}},
    ]}]});
    assert_eq!(made["selections"], expected);
    assert_eq!(made["ownerMrn"], PAYMENTS);
    let mrn = text(&made["mrn"]);
    let t32 = format!(
        "query($mrn:String!){{workspace(mrn: $mrn){{... on Workspace{{mrn,ownerMrn,name,description,{SELECTIONS}}}}}}}"
    );
    let data = p.ok(&p.owner, &t32, json!({"mrn": mrn})).await;
    assert_eq!(data["workspace"], *made);
    let t33 = format!(
        "mutation($input:UpdateWorkspaceInput!){{updateWorkspace(input: $input){{mrn,ownerMrn,name,description,{SELECTIONS}}}}}"
    );
    let data = p
        .ok(
            &p.owner,
            &t33,
            json!({"input": {"mrn": mrn, "name": "Unix"}}),
        )
        .await;
    assert_eq!(data["updateWorkspace"]["name"], "Unix");
    assert_eq!(
        data["updateWorkspace"]["selections"], expected,
        "not sent, not changed"
    );
    let two = json!({"selections": [{"conditions": [{"operator": "AND",
        "stringCondition": {"field": "PLATFORM", "operator": "EQUAL", "values": []},
        "intCondition": {"field": "RISK_SCORE", "operator": "GT", "values": []}}]}]});
    let error = p
        .err(
            &p.owner,
            &t33,
            json!({"input": {"mrn": mrn, "selections": two}}),
        )
        .await;
    assert!(error.contains("code = InvalidArgument"), "{error}");
    let t34 = "mutation($input:DeleteWorkspacesInput!){deleteWorkspaces(input: $input)}";
    ok!(
        p,
        t34,
        json!({"input": {"mrns": [mrn]}}),
        "deleteWorkspaces:b"
    );
    let console = "query($mrn: String!){workspace(mrn: $mrn){__typename ... on RequestError{code message} ... on NotFoundError{code}}}";
    let data = p.ok(&p.owner, console, json!({"mrn": mrn})).await;
    assert_eq!(
        data["workspace"],
        json!({"__typename": "NotFoundError", "code": "NotFound"})
    );
}

/// T35 and T36.
#[tokio::test]
async fn contacts() {
    let p = Platform::start().await;
    let t35 = "mutation($input:SetResourceContactsInput!){setResourceContacts(input: $input){contactType,identity,email,name}}";
    let contact = "[{contactType:s identity:s email:s name:s}]";
    let set = |identities: &[&str]| {
        let contacts: Vec<Value> = identities
            .iter()
            .map(|i| json!({ "identity": i }))
            .collect();
        json!({"input": {"resourceMrn": PROD_EU, "contacts": contacts}})
    };
    ok!(
        p,
        t35,
        set(&["ada@acme.example", "pager@acme.example"]),
        format!("setResourceContacts:{contact}")
    );
    let t36 = "query($resourceMrn:String!){getResourceContacts(resourceMrn: $resourceMrn){contactType,identity,email,name}}";
    let shape = format!("getResourceContacts:{contact}");
    let read = ok!(p, t36, json!({"resourceMrn": PROD_EU}), shape);
    let kinds: Vec<&Value> = read["getResourceContacts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|c| &c["contactType"])
        .collect();
    assert_eq!(kinds, ["USER", "EMAIL"]);
    ok!(
        p,
        t35,
        set(&["pager@acme.example"]),
        format!("setResourceContacts:{contact}")
    );
    let read = ok!(p, t36, json!({"resourceMrn": PROD_EU}), shape);
    assert_eq!(
        read["getResourceContacts"].as_array().map(Vec::len),
        Some(1),
        "replaced"
    );
    fails!(
        p,
        t35,
        set(&["nonsense"]),
        format!("setResourceContacts:{contact}"),
        "code = InvalidArgument"
    );
}
