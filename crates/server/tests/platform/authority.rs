//! Roles bind: what each role may do, where, and what nobody may.

use serde_json::{Value, json};

use super::client::{
    CREATE, DELETE, DENIED, GET_ROLES, Key, LIST, ORG, PAYMENTS, PROD_EU, Platform, READ,
    SET_ROLES, UPDATE, role,
};

const CREATE_SPACE: &str = "mutation($input: CreateSpaceInput!){createSpace(input: $input){mrn}}";

/// Which of the operations a key may do on a scope; the reads change nothing, the writes work on
/// accounts of their own.
async fn abilities(p: &Platform, key: &Key, scope: &str) -> Vec<&'static str> {
    let victim = p.account(scope, "victim", &[]).mrn;
    let input = |input: Value| json!({ "input": input });
    let space = "query($mrn: String!){space(mrn: $mrn){name} }";
    let calls = [
        ("read scope", space, json!({ "mrn": scope })),
        (
            "get roles",
            GET_ROLES,
            json!({ "identity": victim, "scopeMrn": scope }),
        ),
        ("list", LIST, json!({ "scopeMrn": scope })),
        ("read", READ, json!({ "mrn": victim })),
        (
            "create",
            CREATE,
            input(json!({ "scopeMrn": scope, "name": "made" })),
        ),
        (
            "update",
            UPDATE,
            input(json!({ "mrn": victim, "name": "changed" })),
        ),
        (
            "set roles",
            SET_ROLES,
            input(json!({ "scopeMrn": scope, "identity": victim, "roles": [role("viewer")] })),
        ),
        (
            "delete",
            DELETE,
            input(json!({ "scopeMrn": scope, "mrns": [victim] })),
        ),
        (
            "create space",
            CREATE_SPACE,
            input(json!({ "orgMrn": ORG, "name": "new" })),
        ),
    ];
    let mut able = Vec::new();
    for (name, query, variables) in calls {
        let (status, body) = p.raw(key, query, variables).await;
        assert_eq!(status, 200, "{name}");
        match body.get("errors") {
            None => able.push(name),
            Some(errors) => {
                assert_eq!(errors[0]["message"], DENIED, "{name}");
                assert!(
                    body["data"]
                        .as_object()
                        .is_some_and(|d| d.values().all(Value::is_null))
                );
            }
        }
    }
    able
}

#[tokio::test]
async fn each_role_may_what_the_table_says() {
    let p = Platform::start().await;
    let read = ["read scope", "get roles"];
    let edit = [
        "read scope",
        "get roles",
        "list",
        "read",
        "create",
        "update",
        "set roles",
        "delete",
    ];
    let all = [&edit[..], &["create space"]].concat();
    let cases: [(&[&str], &[&str]); 5] = [
        (&["agent"], &["read scope"]),
        (&["viewer"], &read),
        (&["policy-manager", "agent"], &read),
        (&["editor"], &edit),
        (&["owner"], &all),
    ];
    for (roles, expected) in cases {
        let key = p.account(ORG, "subject", roles);
        // Organization roles hold on its spaces.
        assert_eq!(abilities(&p, &key, PAYMENTS).await, expected, "{roles:?}");
    }
    let nobody = p.account(PAYMENTS, "subject", &[]);
    assert!(abilities(&p, &nobody, PAYMENTS).await.is_empty());
}

#[tokio::test]
async fn a_space_account_stays_in_its_space() {
    let p = Platform::start().await;
    let key = p.account(PAYMENTS, "local owner", &["owner"]);
    assert_eq!(abilities(&p, &key, PROD_EU).await, [""; 0]);
    let able = abilities(&p, &key, PAYMENTS).await;
    assert!(
        able.contains(&"delete") && !able.contains(&"create space"),
        "{able:?}"
    );
    assert_eq!(p.err(&key, LIST, json!({ "scopeMrn": ORG })).await, DENIED);
    let query = "query($mrn: String!){space(mrn: $mrn){name organization{name}}}";
    let data = p.ok(&key, query, json!({ "mrn": PAYMENTS })).await;
    assert_eq!(
        data,
        json!({ "space": { "name": "payments", "organization": null } })
    );
    // Nor can somebody else send it abroad.
    let input = json!({ "scopeMrn": PROD_EU, "identity": key.mrn, "roles": [role("viewer")] });
    let message = p.err(&p.owner, SET_ROLES, json!({ "input": input })).await;
    assert!(
        message.starts_with("rpc error: code = InvalidArgument"),
        "{message}"
    );
}

#[tokio::test]
async fn nobody_grants_more_than_the_own_role() {
    let p = Platform::start().await;
    let editor = p.account(ORG, "editor", &["editor"]);
    let victim = p.account(PAYMENTS, "victim", &["viewer"]).mrn;
    let create =
        |name: &str| json!({ "input": { "scopeMrn": PAYMENTS, "roles": [{ "mrn": role(name) }] } });
    let set = |name: &str| {
        json!({ "input": { "scopeMrn": PAYMENTS,
            "updates": [{ "entityMrn": victim, "roles": [{ "mrn": role(name) }] }] } })
    };
    for name in ["viewer", "editor", "agent", "policy-manager"] {
        p.ok(&editor, CREATE, create(name)).await;
        p.ok(&editor, SET_ROLES, set(name)).await;
    }
    assert_eq!(p.err(&editor, CREATE, create("owner")).await, DENIED);
    assert_eq!(p.err(&editor, SET_ROLES, set("owner")).await, DENIED);
    assert_eq!(
        p.read(&victim).await["roles"],
        json!([{ "mrn": role("policy-manager") }])
    );
    let own = json!({ "input": { "scopeMrn": ORG, "identity": editor.mrn,
        "roles": [role("owner")] } });
    assert_eq!(p.err(&editor, SET_ROLES, own).await, DENIED);
    p.ok(&p.owner, SET_ROLES, set("owner")).await;
}

#[tokio::test]
async fn a_role_taken_away_binds_at_once() {
    let p = Platform::start().await;
    let key = p.account(PAYMENTS, "fallen", &["editor"]);
    p.ok(&key, LIST, json!({ "scopeMrn": PAYMENTS })).await;
    let input = json!({ "scopeMrn": PAYMENTS, "identity": key.mrn, "roles": [] });
    p.ok(&key, SET_ROLES, json!({ "input": input })).await;
    assert_eq!(
        p.err(&key, LIST, json!({ "scopeMrn": PAYMENTS })).await,
        DENIED
    );
    // It may still look at itself.
    assert_eq!(
        p.ok(&key, READ, json!({ "mrn": key.mrn })).await["serviceAccount"]["name"],
        "fallen"
    );
}

#[tokio::test]
async fn nonsense_is_an_invalid_argument_and_absence_not_found() {
    let p = Platform::start().await;
    let absent_space = "//captain.api.mondoo.app/spaces/no-such-space";
    let absent = format!(
        "{}/serviceaccounts/2bB5gsCSGp2Tlwiyv7mKN9PRSHK",
        PAYMENTS.replace("captain", "agents")
    );
    let input = |input: Value| json!({ "input": input });
    let roles = |name: &str| json!([{ "mrn": name }]);
    let cases = [
        (
            CREATE,
            input(json!({ "scopeMrn": PAYMENTS, "roles": roles("viewer") })),
            "InvalidArgument",
        ),
        (
            CREATE,
            input(json!({ "scopeMrn": PAYMENTS, "roles": roles(&role("king")) })),
            "InvalidArgument",
        ),
        (
            CREATE,
            input(json!({ "scopeMrn": PAYMENTS, "roles": roles(&role("platform-admin")) })),
            "InvalidArgument",
        ),
        (
            CREATE,
            input(json!({ "scopeMrn": PAYMENTS, "roles": roles(&role("space-member")) })),
            "InvalidArgument",
        ),
        (
            CREATE,
            input(json!({ "scopeMrn": "payments" })),
            "InvalidArgument",
        ),
        (CREATE, input(json!({ "scopeMrn": "" })), "InvalidArgument"),
        (
            CREATE,
            input(json!({ "scopeMrn": "//platform.api.mondoo.app" })),
            "PermissionDenied",
        ),
        (
            CREATE,
            input(json!({ "scopeMrn": absent_space })),
            "NotFound",
        ),
        (
            CREATE,
            input(json!({ "scopeMrn": PAYMENTS, "validUntil": "soon" })),
            "InvalidArgument",
        ),
        (
            CREATE,
            input(json!({ "scopeMrn": PAYMENTS, "validUntil": "2001-01-01T00:00:00Z" })),
            "InvalidArgument",
        ),
        (
            UPDATE,
            input(json!({ "mrn": absent, "name": "x" })),
            "NotFound",
        ),
        (UPDATE, input(json!({ "mrn": "x" })), "InvalidArgument"),
        (
            DELETE,
            input(json!({ "scopeMrn": PAYMENTS, "mrns": [absent] })),
            "NotFound",
        ),
        (
            SET_ROLES,
            input(json!({ "scopeMrn": PAYMENTS, "identity": absent, "roles": [] })),
            "NotFound",
        ),
        (
            SET_ROLES,
            input(json!({ "scopeMrn": PAYMENTS, "identity": "nobody", "roles": [] })),
            "InvalidArgument",
        ),
        (
            SET_ROLES,
            input(json!({ "scopeMrn": PAYMENTS })),
            "InvalidArgument",
        ),
        (
            SET_ROLES,
            input(json!({ "identity": absent, "roles": [] })),
            "InvalidArgument",
        ),
        (
            SET_ROLES,
            input(json!({ "scopeMrn": PAYMENTS, "identity": absent, "updates": [] })),
            "InvalidArgument",
        ),
        (READ, json!({ "mrn": absent }), "NotFound"),
        (LIST, json!({ "scopeMrn": absent_space }), "NotFound"),
        (LIST, json!({}), "InvalidArgument"),
        (
            LIST,
            json!({ "scopeMrn": PAYMENTS, "first": -1 }),
            "InvalidArgument",
        ),
        (
            LIST,
            json!({ "scopeMrn": PAYMENTS, "after": "?" }),
            "InvalidArgument",
        ),
    ];
    for (query, variables, code) in cases {
        let message = p.err(&p.owner, query, variables.clone()).await;
        let prefix = format!("rpc error: code = {code} desc = ");
        assert!(message.starts_with(&prefix), "{variables}: {message}");
    }
}

#[tokio::test]
async fn batches_succeed_in_part() {
    let p = Platform::start().await;
    let [a, b] = ["a", "b"].map(|name| p.account(PAYMENTS, name, &["viewer"]).mrn);
    let abroad = p.account(PROD_EU, "abroad", &["viewer"]).mrn;
    let set = |entity: &str, name: &str| json!({ "entityMrn": entity, "roles": [{ "mrn": name }] });
    let input = json!({ "scopeMrn": PAYMENTS, "updates": [set(&a, &role("agent")),
        set(&b, "nonsense"), set(&abroad, &role("agent"))] });
    let data = p.ok(&p.owner, SET_ROLES, json!({ "input": input })).await;
    let payload = &data["setRoles"];
    assert_eq!(payload["mrns"], json!([a]));
    assert_eq!(super::client::keys(&payload["errors"]).len(), 2);
    assert_eq!(
        payload["errors"][&b],
        "rpc error: code = InvalidArgument desc = unknown role \"nonsense\""
    );
    assert_eq!(p.read(&a).await["roles"], json!([{ "mrn": role("agent") }]));
    assert_eq!(
        p.read(&b).await["roles"],
        json!([{ "mrn": role("viewer") }])
    );

    let input = json!({ "scopeMrn": PAYMENTS, "mrns": [a, abroad, a] });
    let data = p.ok(&p.owner, DELETE, json!({ "input": input })).await;
    let payload = &data["deleteServiceAccounts"];
    assert_eq!(payload["mrns"], json!([a]));
    let errors = payload["errors"].as_object().expect("a map");
    let failed: Vec<_> = errors.keys().collect();
    let mut expected = [&a, &abroad];
    expected.sort();
    assert_eq!(failed, expected);
    assert_eq!(p.read(&abroad).await["name"], "abroad");

    let input = json!({ "scopeMrn": PAYMENTS, "mrns": [b] });
    let data = p.ok(&p.owner, DELETE, json!({ "input": input })).await;
    assert_eq!(
        data["deleteServiceAccounts"],
        json!({ "mrns": [b], "errors": null })
    );
}

#[tokio::test]
async fn an_account_may_delete_itself() {
    let p = Platform::start().await;
    let key = p.account(PAYMENTS, "self", &["editor"]);
    let input = json!({ "scopeMrn": PAYMENTS, "mrns": [key.mrn] });
    p.ok(&key, DELETE, json!({ "input": input })).await;
    let (status, _) = p.raw(&key, READ, json!({ "mrn": key.mrn })).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn iam_actions_follow_the_roles() {
    let p = Platform::start().await;
    let viewer = p.account(PAYMENTS, "viewer", &["viewer"]);
    let query = "query($a: [String!]!){testIamActions(resourceMrn: \
         \"//captain.api.mondoo.app/spaces/amazing-hofstadter-175565\", actions: $a)}";
    let actions = json!([
        "mondoo.captain.Captain.GetSpace",
        "mondoo.agents.AgentManager.CreateServiceAccount",
        "mondoo.no.Such.Action"
    ]);
    let data = p.ok(&viewer, query, json!({ "a": actions })).await;
    assert_eq!(
        data["testIamActions"],
        json!(["mondoo.captain.Captain.GetSpace"])
    );
    let data = p.ok(&p.owner, query, json!({ "a": actions })).await;
    assert_eq!(data["testIamActions"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn implicit_roles_are_shown_and_inherited_ones_are_not() {
    let p = Platform::start().await;
    let get = |scope: &str| json!({ "identity": p.owner.mrn, "scopeMrn": scope });
    let data = p.ok(&p.owner, GET_ROLES, get(ORG)).await;
    assert_eq!(
        data["getRoles"]["roles"],
        json!([role("owner"), role("org-member")])
    );
    let data = p.ok(&p.owner, GET_ROLES, get(PAYMENTS)).await;
    assert_eq!(data["getRoles"]["roles"], json!([role("space-member")]));
    let stranger = json!({ "identity": "new@acme.example", "scopeMrn": ORG });
    assert_eq!(
        p.ok(&p.owner, GET_ROLES, stranger).await["getRoles"]["roles"],
        json!([])
    );
}
