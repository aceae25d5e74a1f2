//! What the Mondoo console, curl scripts and pipelines send, by area: memberships, invitations, teams'
//! power, tokens, the audit log; and what becomes of all of it when its scope goes.

use jiff::Timestamp;
use rolecall_server::Identity;
use serde_json::{Value, json};

use super::client::{CREATE, DENIED, Key, LIST, ORG, PAYMENTS, PROD_EU, Platform, SET_ROLES, role};

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

async fn user(p: &Platform, email: &str) -> String {
    let query =
        "query($mrn: String!){organization(mrn: $mrn){members{edges{node{user{mrn email}}}}}}";
    let data = p.ok(&p.owner, query, json!({ "mrn": ORG })).await;
    let edges = data["organization"]["members"]["edges"]
        .as_array()
        .expect("a list");
    let found = edges
        .iter()
        .map(|e| &e["node"]["user"])
        .find(|u| u["email"] == email);
    text(&found.expect("a member")["mrn"])
}

/// Asks as a user, whom the console would have logged in.
fn as_user(p: &Platform, mrn: &str, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = serde_json::from_str(&body).expect("a request");
    let reply = p.app.handle(&Identity::new(mrn), request, Timestamp::now());
    serde_json::from_slice(&reply.body).expect("JSON")
}

#[tokio::test]
async fn memberships_are_set_removed_and_left() {
    let p = Platform::start().await;
    let jonas = user(&p, "jonas@acme.example").await;
    let roles = "query($identity: String!, $scopeMrn: String!){getRoles(identity: $identity, scopeMrn: $scopeMrn){roles}}";
    let of = |scope: &str| json!({ "identity": jonas, "scopeMrn": scope });
    let set = "mutation($input: SetSpaceMembershipInput!){setSpaceMembership(input: $input)}";
    let input = json!({"input": {"spaceMrn": PAYMENTS, "userMrn": jonas, "roles": [{"mrn": role("editor")}]}});
    assert_eq!(p.ok(&p.owner, set, input).await["setSpaceMembership"], true);
    let data = p.ok(&p.owner, roles, of(PAYMENTS)).await;
    assert_eq!(
        data["getRoles"]["roles"],
        json!([role("editor"), role("space-member")])
    );
    let remove =
        "mutation($input: RemoveSpaceMembershipInput!){removeSpaceMembership(input: $input)}";
    p.ok(
        &p.owner,
        remove,
        json!({"input": {"spaceMrn": PAYMENTS, "userMrn": jonas}}),
    )
    .await;
    let leave = "mutation($input: LeaveScopeInput!){leaveScope(input: $input)}";
    let answer = as_user(&p, &jonas, leave, json!({"input": {"scopeMrn": ORG}}));
    assert_eq!(answer["data"]["leaveScope"], true, "{answer}");
    let data = p.ok(&p.owner, roles, of(ORG)).await;
    assert_eq!(data["getRoles"]["roles"], json!([]));
    let again = as_user(&p, &jonas, leave, json!({"input": {"scopeMrn": ORG}}));
    assert!(
        again["errors"][0]["message"]
            .to_string()
            .contains("code = NotFound"),
        "{again}"
    );
}

#[tokio::test]
async fn an_invitation_is_answered_by_the_invited_alone() {
    let p = Platform::start().await;
    let kim = "query($mrn: String!){space(mrn: $mrn){members{edges{node{user{mrn email}}}}}}";
    let data = p.ok(&p.owner, kim, json!({ "mrn": PAYMENTS })).await;
    let kim = text(&data["space"]["members"]["edges"][0]["node"]["user"]["mrn"]);
    let create = "mutation($input: CreateInvitationInput!){createInvitation(input: $input){mrn}}";
    let invite = |expires: Value| {
        json!({"input": {"resourceMrn": ORG, "inviteeEmail": "Kim@acme.example",
        "roleMrns": [role("viewer")], "expiresAt": expires, "message": "welcome"}})
    };
    let made = p.ok(&p.owner, create, invite(Value::Null)).await;
    let mrn = text(&made["createInvitation"]["mrn"]);
    let list = "query($resourceMrn: String){invitations(resourceMrn: $resourceMrn, orderBy: {direction: DESC, field: CREATED}){totalCount edges{cursor node{mrn resourceMrn senderEmail inviteeEmail roleMrn roleMrns expiresAt message state}} pageInfo{startCursor endCursor hasNextPage hasPreviousPage}}}";
    let data = p.ok(&p.owner, list, json!({ "resourceMrn": ORG })).await;
    let node = &data["invitations"]["edges"][0]["node"];
    assert_eq!(
        (&node["state"], &node["message"]),
        (&json!("PENDING"), &json!("welcome"))
    );
    let accept = "mutation($m: ID!){acceptInvitation(invitationMrn: $m)}";
    assert_eq!(p.err(&p.owner, accept, json!({ "m": mrn })).await, DENIED);
    let answer = as_user(&p, &kim, accept, json!({ "m": mrn }));
    assert_eq!(answer["data"]["acceptInvitation"], true, "{answer}");
    let roles = "query($identity: String!, $scopeMrn: String!){getRoles(identity: $identity, scopeMrn: $scopeMrn){roles}}";
    let data = p
        .ok(&p.owner, roles, json!({ "identity": kim, "scopeMrn": ORG }))
        .await;
    assert_eq!(data["getRoles"]["roles"][0], role("viewer"));
    let answer = as_user(&p, &kim, accept, json!({ "m": mrn }));
    assert!(
        answer["errors"][0]["message"]
            .to_string()
            .contains("FailedPrecondition"),
        "{answer}"
    );

    let past = p
        .ok(&p.owner, create, invite(json!("2020-01-01T00:00:00Z")))
        .await;
    let answer = as_user(
        &p,
        &kim,
        accept,
        json!({ "m": past["createInvitation"]["mrn"] }),
    );
    assert!(
        answer["errors"][0]["message"]
            .to_string()
            .contains("FailedPrecondition"),
        "{answer}"
    );
    let editor = p.account(ORG, "an editor", &["editor"]);
    let owner = json!({"input": {"resourceMrn": ORG, "inviteeEmail": "x@acme.example", "roleMrn": role("owner")}});
    assert_eq!(
        p.err(&editor, create, owner).await,
        DENIED,
        "nobody invites above the own role"
    );
}

#[tokio::test]
async fn members_of_a_team_have_what_the_team_has() {
    let p = Platform::start().await;
    let weak = p.account(PAYMENTS, "weak", &[]);
    let list = json!({ "scopeMrn": PAYMENTS });
    assert_eq!(p.err(&weak, LIST, list.clone()).await, DENIED);
    let create = "mutation($input: CreateTeamInput!){createTeam(input: $input){mrn}}";
    let input = json!({"input": {"name": "t", "scopeMrn": PAYMENTS, "roles": [role("editor")]}});
    let team = text(&p.ok(&p.owner, create, input).await["createTeam"]["mrn"]);
    let add = "mutation($input: AddTeamMemberInput!){addTeamMember(input: $input){memberMrn}}";
    let member = json!({"input": {"teamMrn": team, "identity": weak.mrn}});
    let viewer = p.account(PAYMENTS, "viewer", &["viewer"]);
    assert_eq!(p.err(&viewer, add, member.clone()).await, DENIED);
    p.ok(&p.owner, add, member.clone()).await;
    p.ok(&weak, LIST, list.clone()).await;
    let remove =
        "mutation($input: RemoveTeamMemberInput!){removeTeamMember(input: $input){memberMrn}}";
    p.ok(&p.owner, remove, member).await;
    assert_eq!(p.err(&weak, LIST, list.clone()).await, DENIED);
    // An editor must not reach owner through a team that has it.
    let input =
        json!({"input": {"name": "owners", "scopeMrn": PAYMENTS, "roles": [role("owner")]}});
    let owners = text(&p.ok(&p.owner, create, input).await["createTeam"]["mrn"]);
    let editor = p.account(PAYMENTS, "editor", &["editor"]);
    let member = json!({"input": {"teamMrn": owners, "identity": editor.mrn}});
    assert_eq!(p.err(&editor, add, member).await, DENIED);
}

#[tokio::test]
async fn an_editor_becomes_no_owner_by_way_of_a_team() {
    let create = "mutation($input: CreateTeamInput!){createTeam(input: $input){mrn}}";
    let add = "mutation($input: AddTeamMemberInput!){addTeamMember(input: $input){memberMrn}}";
    let map = "mutation($input: AddTeamExternalGroupMappingInput!)\
               {addTeamExternalGroupMapping(input: $input){mrn}}";
    // Where the team lives, where it has which role, and where the editor is one.
    for (home, scope, roles, editor_of) in [
        (ORG, PAYMENTS, "owner", ORG),
        (ORG, ORG, "owner", ORG),
        (PAYMENTS, ORG, "owner", ORG),
        (PAYMENTS, PROD_EU, "viewer", PAYMENTS),
        (ORG, PROD_EU, "owner", ORG),
    ] {
        let p = Platform::start().await;
        let editor = p.account(editor_of, "editor", &["editor"]);
        let input = json!({"input": {"name": "t", "scopeMrn": home}});
        let team = text(&p.ok(&p.owner, create, input).await["createTeam"]["mrn"]);
        let grant = json!({"input": {"scopeMrn": scope, "identity": team, "roles": [role(roles)]}});
        p.ok(&p.owner, SET_ROLES, grant).await;
        for member in [editor.mrn.as_str(), "me@acme.example"] {
            let input = json!({"input": {"teamMrn": team, "identity": member}});
            assert_eq!(
                p.err(&editor, add, input).await,
                DENIED,
                "{home} {scope} {member}"
            );
        }
        let input = json!({"input": {"teamMrn": team, "externalId": "everybody"}});
        assert_eq!(p.err(&editor, map, input).await, DENIED, "{home} {scope}");
        let input = json!({"input": {"scopeMrn": PAYMENTS, "roles": [{"mrn": role("owner")}]}});
        assert_eq!(p.err(&editor, CREATE, input).await, DENIED);
        // Who could give the roles may, and an editor may where the team has no more than editor.
        let input = json!({"input": {"teamMrn": team, "identity": "you@acme.example"}});
        p.ok(&p.owner, add, input).await;
        let less =
            json!({"input": {"scopeMrn": scope, "identity": team, "roles": [role("editor")]}});
        p.ok(&p.owner, SET_ROLES, less).await;
        let input = json!({"input": {"teamMrn": team, "identity": editor.mrn}});
        match scope {
            PROD_EU if editor_of == PAYMENTS => {
                assert_eq!(
                    p.err(&editor, add, input).await,
                    DENIED,
                    "no rights there at all"
                );
            }
            _ => drop(p.ok(&editor, add, input).await),
        }
    }
}

#[tokio::test]
async fn a_team_that_is_not_there_yet_keeps_the_roles_bound_to_it() {
    let create = "mutation($input: CreateTeamInput!){createTeam(input: $input){mrn}}";
    for (scope, roles) in [(ORG, "owner"), (PAYMENTS, "owner")] {
        let p = Platform::start().await;
        let editor = p.account(ORG, "editor", &["editor"]);
        let team = format!("{ORG}/teams/future-team");
        let grant = json!({"input": {"scopeMrn": scope, "identity": team, "roles": [role(roles)]}});
        p.ok(&p.owner, SET_ROLES, grant).await;
        let input = json!({"input": {"id": "future-team", "name": "t", "scopeMrn": ORG}});
        assert_eq!(p.err(&editor, create, input).await, DENIED, "{scope}");
        let input = json!({"input": {"id": "another-team", "name": "t", "scopeMrn": ORG}});
        p.ok(&editor, create, input).await;
    }
}

#[tokio::test]
async fn an_api_token_works_until_it_is_deleted() {
    let p = Platform::start().await;
    let generate = "mutation($input: GenerateAPITokenInput!){generateAPIToken(input: $input){token spaceMrn scopeMrn name mrn description createdBy createdAt}}";
    let input = |roles: &str| json!({"input": {"name": "grafana", "scopeMrn": PAYMENTS, "description": "d", "roles": [{"mrn": role(roles)}]}});
    let editor = p.account(PAYMENTS, "editor", &["editor"]);
    assert_eq!(p.err(&editor, generate, input("owner")).await, DENIED);
    let made = p.ok(&editor, generate, input("editor")).await;
    let made = &made["generateAPIToken"];
    assert_eq!(
        (&made["spaceMrn"], &made["createdBy"]),
        (&json!(PAYMENTS), &json!(editor.mrn))
    );
    let authorization = format!("Bearer {}", text(&made["token"]));
    let body = json!({"query": "{viewer{mrn name}}"})
        .to_string()
        .into_bytes();
    let (status, answer) = p.post(Some(&authorization), body.clone()).await;
    assert_eq!(status, 200);
    assert_eq!(
        answer["data"]["viewer"],
        json!({"mrn": made["mrn"], "name": "grafana"})
    );
    let list = "query($scopeMrn: String){apiTokens(scopeMrn: $scopeMrn, orderBy: {direction: ASC, field: NAME}){totalCount edges{cursor node{mrn name description roles{mrn} lastUsed creator{mrn}}} pageInfo{hasNextPage}}}";
    let data = p.ok(&p.owner, list, json!({ "scopeMrn": PAYMENTS })).await;
    let node = &data["apiTokens"]["edges"][0]["node"];
    assert!(node["lastUsed"].is_string(), "{node}");
    assert_eq!(node["roles"], json!([{"mrn": role("editor")}]));
    assert!(
        !data.to_string().contains(&text(&made["token"])),
        "the text is shown once"
    );
    let update =
        "mutation($input: UpdateAPITokenInput!){updateAPIToken(input: $input){name description}}";
    let data = p
        .ok(
            &p.owner,
            update,
            json!({"input": {"mrn": made["mrn"], "name": "g2"}}),
        )
        .await;
    assert_eq!(
        data["updateAPIToken"],
        json!({"name": "g2", "description": "d"})
    );
    let delete = "mutation($input: DeleteAPITokenInput!){deleteAPIToken(input: $input){ok}}";
    p.ok(&p.owner, delete, json!({"input": {"mrn": made["mrn"]}}))
        .await;
    assert_eq!(
        p.post(Some(&authorization), body).await.0,
        401,
        "refused at once"
    );
}

const LOG: &str = "query($r: String!, $a: String, $i: IdentityFilter, $t: TimestampFilter, $first: Int, $after: String, $o: AuditLogOrder){auditlog(resourceMrn: $r, actionFilter: $a, identityFilter: $i, timestampFilter: $t, first: $first, after: $after, orderBy: $o){totalCount edges{cursor node{identity{name mrn} resource action timestamp msg ip parent}} pageInfo{startCursor endCursor hasNextPage}}}";

#[tokio::test]
async fn every_change_is_in_the_audit_log_with_who_what_when_and_from_where() {
    let p = Platform::start().await;
    let ci = p.create(json!({"scopeMrn": PAYMENTS, "name": "ci"})).await;
    let refused = p.account(PAYMENTS, "viewer", &["viewer"]);
    let set = "mutation($input: SetRolesInput!){setRoles(input: $input){mrns}}";
    let roles = json!({"input": {"scopeMrn": PAYMENTS, "updates": [{"entityMrn": ci.mrn, "roles": [{"mrn": role("viewer")}]}]}});
    assert_eq!(p.err(&refused, set, roles.clone()).await, DENIED);
    p.ok(&p.owner, set, roles).await;
    let log = p.ok(&p.owner, LOG, json!({ "r": PAYMENTS })).await;
    let edges = log["auditlog"]["edges"].as_array().expect("a list");
    let actions: Vec<String> = edges.iter().map(|e| text(&e["node"]["action"])).collect();
    assert_eq!(
        actions,
        [
            "mondoo.captain.Captain.SetSpaceMembership",
            "mondoo.agents.AgentManager.CreateServiceAccount"
        ],
        "newest first, and nothing of what was refused"
    );
    let node = &edges[1]["node"];
    assert_eq!(node["resource"], *ci.mrn);
    assert_eq!(node["parent"], PAYMENTS);
    assert_eq!(
        node["identity"],
        json!({"name": "platform owner", "mrn": p.owner.mrn})
    );
    assert_eq!(node["ip"], "127.0.0.1");
    assert!(
        text(&edges[0]["cursor"]).parse::<u64>().is_ok(),
        "cursors are decimal numbers"
    );
    // The organization's log has its spaces' lines; another space's has not.
    let of = |r: &str, more: Value| {
        let mut variables = json!({ "r": r });
        variables
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        variables
    };
    let count = |value: Value| value["auditlog"]["totalCount"].as_i64().expect("a count");
    assert_eq!(count(p.ok(&p.owner, LOG, of(ORG, json!({}))).await), 2);
    assert_eq!(count(p.ok(&p.owner, LOG, of(PROD_EU, json!({}))).await), 0);
    assert_eq!(count(p.ok(&p.owner, LOG, of(&ci.mrn, json!({}))).await), 2);
    let action = json!({"a": "mondoo.agents.AgentManager.CreateServiceAccount"});
    assert_eq!(count(p.ok(&p.owner, LOG, of(ORG, action)).await), 1);
    assert_eq!(
        count(
            p.ok(&p.owner, LOG, of(ORG, json!({"i": {"mrn": ci.mrn}})))
                .await
        ),
        0
    );
    assert_eq!(
        count(
            p.ok(
                &p.owner,
                LOG,
                of(ORG, json!({"i": {"name": "platform owner"}}))
            )
            .await
        ),
        2
    );
    let at = |operator: &str, timestamp: &str| json!({"t": {"operator": operator, "timestamp": timestamp}});
    assert_eq!(
        count(
            p.ok(&p.owner, LOG, of(ORG, at("GT", "2020-01-01T00:00:00Z")))
                .await
        ),
        2
    );
    assert_eq!(
        count(
            p.ok(&p.owner, LOG, of(ORG, at("LT", "2020-01-01T00:00:00Z")))
                .await
        ),
        0
    );
}

#[tokio::test]
async fn the_audit_log_comes_in_pages_of_any_size_and_order() {
    let p = Platform::start().await;
    for n in 0..7 {
        p.create(json!({"scopeMrn": PAYMENTS, "name": format!("a{n}")}))
            .await;
    }
    for direction in ["ASC", "DESC"] {
        let mut orders = Vec::new();
        for first in 1..9 {
            let mut seen = Vec::new();
            let mut after = json!("");
            loop {
                let variables = json!({"r": PAYMENTS, "first": first, "after": after, "o": {"direction": direction, "field": "TIMESTAMP"}});
                let log = p.ok(&p.owner, LOG, variables).await;
                let log = &log["auditlog"];
                seen.extend(
                    log["edges"]
                        .as_array()
                        .expect("a list")
                        .iter()
                        .map(|e| text(&e["node"]["resource"])),
                );
                if log["pageInfo"]["hasNextPage"] == false {
                    break;
                }
                after = log["pageInfo"]["endCursor"].clone();
            }
            assert_eq!(seen.len(), 7, "{direction} {first}");
            orders.push(seen);
        }
        assert!(
            orders.windows(2).all(|two| two[0] == two[1]),
            "the size changes nothing"
        );
    }
}

/// Everything that lives in a scope goes with it, and what was in it is refused at once.
#[tokio::test]
async fn deleting_a_scope_takes_what_lives_in_it() {
    let p = Platform::start().await;
    let create = "mutation($input: CreateSpaceInput!){createSpace(input: $input){mrn}}";
    let made = p
        .ok(
            &p.owner,
            create,
            json!({"input": {"name": "doomed", "orgMrn": ORG}}),
        )
        .await;
    let space = text(&made["createSpace"]["mrn"]);
    let inside = p.account(&space, "inside", &["owner"]);
    let generate =
        "mutation($input: GenerateAPITokenInput!){generateAPIToken(input: $input){token}}";
    let token = p
        .ok(
            &p.owner,
            generate,
            json!({"input": {"name": "t", "scopeMrn": space, "roles": [{"mrn": role("owner")}]}}),
        )
        .await;
    let token = format!("Bearer {}", text(&token["generateAPIToken"]["token"]));
    let team = "mutation($input: CreateTeamInput!){createTeam(input: $input){mrn}}";
    let team = text(
        &p.ok(
            &p.owner,
            team,
            json!({"input": {"name": "t", "scopeMrn": space}}),
        )
        .await["createTeam"]["mrn"],
    );
    let viewer = json!({"query": "{viewer{mrn}}"}).to_string().into_bytes();
    assert_eq!(p.post(Some(&token), viewer.clone()).await.0, 200);
    assert_eq!(
        p.post(Some(&inside.bearer(Timestamp::now())), viewer.clone())
            .await
            .0,
        200
    );

    let delete = "mutation($m: ID!){deleteSpace(spaceMrn: $m)}";
    assert_eq!(
        p.err(&inside, delete, json!({ "m": space })).await,
        DENIED,
        "an owner of the organization deletes spaces"
    );
    p.ok(&p.owner, delete, json!({ "m": space })).await;
    assert_eq!(p.post(Some(&token), viewer.clone()).await.0, 401);
    assert_eq!(
        p.post(Some(&inside.bearer(Timestamp::now())), viewer)
            .await
            .0,
        401
    );
    let read = "query($m: String!){team(mrn: $m){mrn}}";
    assert!(
        p.err(&p.owner, read, json!({ "m": team }))
            .await
            .contains("code = NotFound")
    );
    // The log still knows.
    let log = p
        .ok(
            &p.owner,
            LOG,
            json!({ "r": ORG, "a": "mondoo.captain.Captain.DeleteSpace" }),
        )
        .await;
    assert_eq!(log["auditlog"]["edges"][0]["node"]["resource"], *space);
    let dump = p.app.dump().expect("a dump").to_string();
    assert!(!dump.contains(&space), "nothing of it is left");
}

/// Pipelines and documentation write requests in other ways than programs.
#[tokio::test]
async fn requests_as_people_write_them() {
    let p = Platform::start().await;
    // Mondoo's own CI: an operation name, a nullable variable, `__typename` everywhere.
    let binding = "mutation CreateBinding($input: CreateWIFAuthBindingInput) {\n  createWIFAuthBinding(input: $input) {\n    binding { mrn __typename }\n    config { universeDomain __typename }\n    __typename\n  }\n}\nquery Other { viewer { mrn } }";
    let input = json!({"scopeMrn": ORG, "name": "ci", "issuerUri": "https://accounts.google.com", "subject": "1"});
    let body =
        json!({"operationName": "CreateBinding", "query": binding, "variables": {"input": input}});
    let bearer = p.owner.bearer(Timestamp::now());
    let (status, answer) = p.post(Some(&bearer), body.to_string().into_bytes()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        answer["data"]["createWIFAuthBinding"]["config"]["__typename"],
        "WIFExternalAuthConfig"
    );
    // The documentation's curl: literal input, comments, variables left out.
    let scim = format!(
        "mutation {{\n  # map a group\n  setScimGroupMapping(input: {{\n    orgMrn: \"{ORG}\",\n    group: \"SecOps\", # as the provider names it\n    mappings: [{{ orgMrn: \"{ORG}\", iamRole: \"//iam.api.mondoo.app/roles/viewer\" }}]\n  }}) {{ group }}\n}}"
    );
    let body = json!({ "query": scim }).to_string().into_bytes();
    let (_, answer) = p.post(Some(&p.owner.bearer(Timestamp::now())), body).await;
    assert_eq!(
        answer,
        json!({"data": {"setScimGroupMapping": {"group": "SecOps"}}})
    );
    // Aliases, and the same field twice.
    let ask = "query($m: String!){a: space(mrn: $m){n: name} b: space(mrn: $m){id}}";
    let data = p.ok(&p.owner, ask, json!({ "m": PAYMENTS })).await;
    assert_eq!(
        data,
        json!({"a": {"n": "payments"}, "b": {"id": "amazing-hofstadter-175565"}})
    );
}

#[tokio::test]
async fn hostile_names_are_stored_and_returned_as_they_are() {
    let p = Platform::start().await;
    let name =
        "a\n\u{1b}[31m::add-mask::\u{202e}\"'<script>{{=1+1}}\u{0}ü😀'; drop table scopes; --";
    let create = "mutation($input: CreateSpaceInput!){createSpace(input: $input){mrn name description annotations{key value}}}";
    let input = json!({"input": {"name": name, "orgMrn": ORG, "description": name, "annotations": [{"key": name, "value": name}]}});
    let made = p.ok(&p.owner, create, input).await;
    let made = &made["createSpace"];
    assert_eq!(
        (&made["name"], &made["description"]),
        (&json!(name), &json!(name))
    );
    assert_eq!(made["annotations"], json!([{"key": name, "value": name}]));
    let team =
        "mutation($input: CreateTeamInput!){createTeam(input: $input){name description email}}";
    let data = p.ok(&p.owner, team, json!({"input": {"name": name, "description": name, "email": name, "scopeMrn": made["mrn"]}})).await;
    assert_eq!(
        data["createTeam"],
        json!({"name": name, "description": name, "email": name})
    );
}

#[tokio::test]
async fn the_caller_keeps_settings_and_only_users_keep_keys() {
    let p = Platform::start().await;
    let set = "mutation($k: String!, $v: String!){changeViewerSetting(key: $k, value: $v)}";
    p.ok(&p.owner, set, json!({"k": "colormode", "v": "dark"}))
        .await;
    p.ok(&p.owner, set, json!({"k": "colormode", "v": "light"}))
        .await;
    let other = p.account(ORG, "other", &["viewer"]);
    let settings = "{viewerSettings{key value}}";
    let data = p.ok(&p.owner, settings, json!({})).await;
    assert_eq!(
        data["viewerSettings"],
        json!([{"key": "colormode", "value": "light"}])
    );
    assert_eq!(
        p.ok(&other, settings, json!({})).await["viewerSettings"],
        json!([])
    );
    assert_eq!(
        p.err(&other, "{viewer{sshKeys{content}}}", json!({})).await,
        DENIED
    );
    let ada = user(&p, "ada@acme.example").await;
    let add = "mutation($i: AddSSHKeyRequest!){addSSHKey(input: $i){success}}";
    let answer = as_user(
        &p,
        &ada,
        add,
        json!({"i": {"mrn": ada, "content": "ssh-ed25519 AAAA"}}),
    );
    assert_eq!(answer["data"]["addSSHKey"]["success"], true, "{answer}");
    let answer = as_user(&p, &ada, "{viewer{sshKeys{content}}}", json!({}));
    assert_eq!(
        answer["data"]["viewer"]["sshKeys"],
        json!([{"content": "ssh-ed25519 AAAA"}])
    );
    let rename = "mutation{updateUser(input: {name: \"Ada F.\"}){user{name mrn}}}";
    let answer = as_user(&p, &ada, rename, json!({}));
    assert_eq!(answer["data"]["updateUser"]["user"]["name"], "Ada F.");
}

#[tokio::test]
async fn single_sign_on_is_for_owners() {
    let p = Platform::start().await;
    let set = "mutation($i: SetSSOProviderInput!){setSSOProvider(input: $i)}";
    let provider = json!({"idpEntityID": "idp", "ssoUrl": "https://idp.example", "rpEntityID": "rp", "x509Fingerprints": ["ab"], "enabled": true});
    let input = json!({"i": {"organizationMrn": ORG, "provider": provider}});
    let editor = p.account(ORG, "editor", &["editor"]);
    assert_eq!(p.err(&editor, set, input.clone()).await, DENIED);
    p.ok(&p.owner, set, input).await;
    p.ok(
        &p.owner,
        "mutation($i: EnableSSOProviderInput!){enableSSOProvider(input: $i)}",
        json!({"i": {"organizationMrn": ORG, "enabled": false}}),
    )
    .await;
    let read = "query($m: String!){ssoProvider(mrn: $m){provider{idpEntityID ssoUrl rpEntityID x509Fingerprints enabled}}}";
    let data = p.ok(&p.owner, read, json!({ "m": ORG })).await;
    assert_eq!(data["ssoProvider"]["provider"]["enabled"], false);
    p.ok(
        &p.owner,
        "mutation($i: DeleteSSOProviderInput!){deleteSSOProvider(input: $i)}",
        json!({"i": {"organizationMrn": ORG}}),
    )
    .await;
    let data = p.ok(&p.owner, read, json!({ "m": ORG })).await;
    assert_eq!(data["ssoProvider"]["provider"], Value::Null);
}

/// The owner of a space alone sees it without its organization, and it is listed as shared.
#[tokio::test]
async fn shared_spaces_are_those_without_their_organization() {
    let p = Platform::start().await;
    let inside: Key = p.account(PAYMENTS, "inside", &["viewer"]);
    let shared = "{sharedSpaces(first: 10){totalCount edges{node{mrn shared organization{mrn}}} pageInfo{hasNextPage}}}";
    let data = p.ok(&inside, shared, json!({})).await;
    assert_eq!(data["sharedSpaces"]["totalCount"], 1);
    assert_eq!(
        data["sharedSpaces"]["edges"][0]["node"],
        json!({"mrn": PAYMENTS, "shared": true, "organization": null})
    );
    assert_eq!(
        p.ok(&p.owner, shared, json!({})).await["sharedSpaces"]["totalCount"],
        0
    );
    let suggest = "query($i: IDSuggestionInput!){spaceIDSuggestion(input: $i){id available}}";
    let data = p
        .ok(
            &p.owner,
            suggest,
            json!({"i": {"idAvailable": "amazing-hofstadter-175565"}}),
        )
        .await;
    assert_eq!(data["spaceIDSuggestion"]["available"], false);
    let data = p.ok(&p.owner, suggest, json!({"i": {}})).await;
    assert_eq!(data["spaceIDSuggestion"]["available"], true);
}
