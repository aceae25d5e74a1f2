//! The request texts of terraform-provider-mondoo v0.39, letter by letter, and those of the web
//! interface and cnquery. A Go client fails on any key that it did not select.

use serde_json::{Value, json};

use super::client::{CREATE, ORG, PAYMENTS, Platform, keys, role};

const T1: &str = "mutation($input:CreateServiceAccountInput!){createServiceAccount(input: $input){mrn,certificate,privateKey,scopeMrn,apiEndpoint}}";
const T2: &str = "query($mrn:String!){serviceAccount(mrn: $mrn){id,mrn,name,description,roles{mrn},labels{key,value}}}";
const T3: &str = "mutation($input:UpdateServiceAccountInput!){updateServiceAccount(input: $input){mrn,name,description}}";
const T4: &str =
    "mutation($input:DeleteServiceAccountsInput!){deleteServiceAccounts(input: $input){mrns}}";
const T5: &str = "mutation($input:SetRolesInput!){setRoles(input: $input){mrns}}";
const T6: &str = "query($identity:String!$scopeMrn:String!){getRoles(identity: $identity, scopeMrn: $scopeMrn){identityMrn,identityEmail,scopeMrn,roles}}";
const T7: &str = "mutation($input:CreateSpaceInput!){createSpace(input: $input){id,mrn,name,description,settings{terminatedAssetsConfiguration{cleanup},unusedServiceAccountsConfiguration{cleanup},garbageCollectAssetsConfiguration{enable,afterDays},platformVulnerabilityConfiguration{enable},eolAssetsConfiguration{enable,monthsInAdvance},casesConfiguration{autoCreate,aggregationWindow},exceptionsConfiguration{requireApproval,allowIndefiniteValidUntil,allowSelfApproval}},annotations{key,value}}}";
const T8: &str = "query($after:String!$mrn:String!){space(mrn: $mrn){id,mrn,name,description,organization{id,mrn,name,description,company,annotations{key,value},spacesCount,spacesList(after: $after){totalCount,edges{cursor,node{mrn,name}},pageInfo{startCursor,endCursor,hasNextPage}}},settings{terminatedAssetsConfiguration{cleanup},unusedServiceAccountsConfiguration{cleanup},garbageCollectAssetsConfiguration{enable,afterDays},platformVulnerabilityConfiguration{enable},eolAssetsConfiguration{enable,monthsInAdvance},casesConfiguration{autoCreate,aggregationWindow},exceptionsConfiguration{requireApproval,allowIndefiniteValidUntil,allowSelfApproval}},annotations{key,value}}}";
const T12: &str = "query($after:String!$mrn:String!){organization(mrn: $mrn){id,mrn,name,description,company,annotations{key,value},spacesCount,spacesList(after: $after){totalCount,edges{cursor,node{mrn,name}},pageInfo{startCursor,endCursor,hasNextPage}}}}";
const T37: &str =
    "mutation($input:SetRolesInput!){setRoles(input: $input){identity_mrn,identity_email}}";

#[tokio::test]
async fn terraform_manages_a_service_account() {
    let p = Platform::start().await;
    let input = json!({ "scopeMrn": PAYMENTS, "description": "Created by Terraform",
        "roles": [{ "mrn": role("viewer") }], "name": "ci" });
    let data = p.ok(&p.owner, T1, json!({ "input": input })).await;
    assert_eq!(keys(&data), ["createServiceAccount"]);
    let made = &data["createServiceAccount"];
    assert_eq!(
        keys(made),
        [
            "apiEndpoint",
            "certificate",
            "mrn",
            "privateKey",
            "scopeMrn"
        ]
    );
    assert_eq!(made["scopeMrn"], PAYMENTS);
    assert_eq!(
        made["apiEndpoint"],
        format!("http://{}", p.running.local_addr())
    );
    let pem = |key: &str, label: &str| {
        let text = made[key].as_str().expect("a string");
        assert!(
            text.starts_with(&format!("-----BEGIN {label}-----\n")),
            "{label}"
        );
        assert!(
            text.ends_with(&format!("-----END {label}-----\n")),
            "{label}"
        );
    };
    pem("privateKey", "PRIVATE KEY");
    pem("certificate", "CERTIFICATE");
    let mrn = made["mrn"].as_str().expect("an MRN");
    let id = mrn
        .strip_prefix("//agents.api.mondoo.app/spaces/amazing-hofstadter-175565/serviceaccounts/")
        .expect("below its space");
    assert_eq!(id.len(), 27);

    let data = p.ok(&p.owner, T2, json!({ "mrn": mrn })).await;
    assert_eq!(
        data,
        json!({ "serviceAccount": { "id": id, "mrn": mrn, "name": "ci",
            "description": "Created by Terraform", "roles": [{ "mrn": role("viewer") }],
            "labels": [] } })
    );

    // The provider's description goes into `notes`, and the answer still shows the first one.
    let input = json!({ "mrn": mrn, "name": "ci-2", "notes": "new text" });
    let data = p.ok(&p.owner, T3, json!({ "input": input })).await;
    assert_eq!(
        data,
        json!({ "updateServiceAccount": { "mrn": mrn, "name": "ci-2",
            "description": "Created by Terraform" } })
    );
    assert_eq!(p.read(mrn).await["notes"], "new text");

    let updates = |roles: Value| {
        json!({ "input": { "scopeMrn": PAYMENTS,
            "updates": [{ "entityMrn": mrn, "roles": roles }] } })
    };
    let data = p
        .ok(&p.owner, T5, updates(json!([{ "mrn": role("editor") }])))
        .await;
    assert_eq!(data, json!({ "setRoles": { "mrns": [mrn] } }));
    let get = json!({ "identity": mrn, "scopeMrn": PAYMENTS });
    let data = p.ok(&p.owner, T6, get.clone()).await;
    assert_eq!(
        data,
        json!({ "getRoles": { "identityMrn": mrn, "identityEmail": null, "scopeMrn": PAYMENTS,
            "roles": [role("editor"), role("space-member")] } })
    );
    let data = p.ok(&p.owner, T5, updates(json!([]))).await;
    assert_eq!(data, json!({ "setRoles": { "mrns": [mrn] } }));
    let data = p.ok(&p.owner, T6, get).await;
    assert_eq!(data["getRoles"]["roles"], json!([role("space-member")]));

    let input = json!({ "scopeMrn": PAYMENTS, "mrns": [mrn] });
    let data = p.ok(&p.owner, T4, json!({ "input": input })).await;
    assert_eq!(data, json!({ "deleteServiceAccounts": { "mrns": [mrn] } }));
    // Null would make the provider write empty strings into its state.
    let message = p.err(&p.owner, T2, json!({ "mrn": mrn })).await;
    assert!(
        message.starts_with("rpc error: code = NotFound desc = "),
        "{message}"
    );
}

#[tokio::test]
async fn terraform_reads_spaces_and_organizations() {
    let p = Platform::start().await;
    let data = p
        .ok(&p.owner, T8, json!({ "after": "", "mrn": PAYMENTS }))
        .await;
    let space = &data["space"];
    assert_eq!(
        keys(space),
        [
            "annotations",
            "description",
            "id",
            "mrn",
            "name",
            "organization",
            "settings"
        ]
    );
    assert_eq!(space["id"], "amazing-hofstadter-175565");
    assert_eq!(space["name"], "payments");
    assert_eq!(space["settings"]["casesConfiguration"], Value::Null);
    assert_eq!(
        space["settings"]["unusedServiceAccountsConfiguration"],
        json!({ "cleanup": false }),
        "nothing is removed, and that is told"
    );
    let from_space = space["organization"].clone();

    let data = p
        .ok(&p.owner, T12, json!({ "after": "", "mrn": ORG }))
        .await;
    let organization = &data["organization"];
    assert_eq!(*organization, from_space);
    assert_eq!(
        keys(organization),
        [
            "annotations",
            "company",
            "description",
            "id",
            "mrn",
            "name",
            "spacesCount",
            "spacesList"
        ]
    );
    assert_eq!(organization["id"], "acme-corp-883120");
    assert_eq!(organization["spacesCount"], 3);
    let list = &organization["spacesList"];
    assert_eq!(keys(list), ["edges", "pageInfo", "totalCount"]);
    assert_eq!(list["totalCount"], 3);
    assert_eq!(
        keys(&list["pageInfo"]),
        ["endCursor", "hasNextPage", "startCursor"]
    );
    assert_eq!(list["pageInfo"]["hasNextPage"], false);
    let names: Vec<_> = list["edges"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|edge| {
            assert_eq!(keys(edge), ["cursor", "node"]);
            assert_eq!(keys(&edge["node"]), ["mrn", "name"]);
            edge["node"]["name"].as_str().expect("a name")
        })
        .collect();
    assert_eq!(names, ["payments", "prod-us", "prod-eu"]);
}

#[tokio::test]
async fn terraform_creates_a_space() {
    let p = Platform::start().await;
    let input = json!({ "name": "staging", "orgMrn": ORG, "id": "", "description": "",
        "settings": { "garbageCollectAssetsConfiguration": { "enable": true, "afterDays": 7 } },
        "annotations": [{ "key": "team", "value": "core" }] });
    let data = p.ok(&p.owner, T7, json!({ "input": input })).await;
    let space = &data["createSpace"];
    let id = space["id"].as_str().expect("a string");
    assert_eq!(id.split('-').count(), 3, "{id}");
    assert_eq!(
        space["mrn"],
        format!("//captain.api.mondoo.app/spaces/{id}")
    );
    let gc = json!({ "enable": true, "afterDays": 7 });
    assert_eq!(space["settings"]["garbageCollectAssetsConfiguration"], gc);
    assert_eq!(space["settings"]["casesConfiguration"], Value::Null);
    assert_eq!(
        space["annotations"],
        json!([{ "key": "team", "value": "core" }])
    );
    let data = p
        .ok(&p.owner, T8, json!({ "after": "", "mrn": space["mrn"] }))
        .await;
    assert_eq!(
        data["space"]["settings"]["garbageCollectAssetsConfiguration"],
        gc
    );
    let taken = json!({ "input": { "name": "x", "orgMrn": ORG, "id": id } });
    let message = p.err(&p.owner, T7, taken).await;
    assert!(
        message.starts_with("rpc error: code = AlreadyExists"),
        "{message}"
    );
}

#[tokio::test]
async fn null_and_empty_inputs_are_tolerated() {
    let p = Platform::start().await;
    // The web interface declares a nullable variable; Terraform sends null for unset lists.
    let input = json!({ "scopeMrn": ORG, "name": "", "description": null, "labels": null,
        "roles": null, "validUntil": null });
    let data = p.ok(&p.owner, CREATE, json!({ "input": input })).await;
    let made = &data["createServiceAccount"];
    assert_eq!(made["spaceMrn"], ORG);
    let account = p.read(made["mrn"].as_str().expect("an MRN")).await;
    assert_eq!(account["name"], "");
    assert_eq!(account["roles"], json!([]));
    assert_eq!(account["lastUsed"], Value::Null);
    let message = p.err(&p.owner, CREATE, json!({ "input": null })).await;
    assert_eq!(
        message,
        "rpc error: code = InvalidArgument desc = input is required"
    );

    let update = "mutation($i: UpdateServiceAccountInput!){updateServiceAccount(input: $i){labels{key value}}}";
    let input = json!({ "mrn": made["mrn"], "name": null, "notes": null,
        "labels": [null, { "key": "a", "value": null }, { "key": "b", "value": "1" }] });
    let data = p.ok(&p.owner, update, json!({ "i": input })).await;
    assert_eq!(
        data["updateServiceAccount"]["labels"],
        json!([{ "key": "a", "value": null }, { "key": "b", "value": "1" }])
    );
}

#[tokio::test]
async fn set_roles_takes_an_identity_by_email() {
    let p = Platform::start().await;
    let set = |identity: &str, roles: Value| json!({ "input": { "scopeMrn": PAYMENTS, "identity": identity, "roles": roles } });
    let data = p
        .ok(
            &p.owner,
            T37,
            set("Jonas@acme.example", json!([role("editor")])),
        )
        .await;
    let payload = &data["setRoles"];
    assert_eq!(keys(payload), ["identity_email", "identity_mrn"]);
    assert_eq!(payload["identity_email"], "jonas@acme.example");
    let mrn = payload["identity_mrn"].as_str().expect("a known user");
    assert!(mrn.starts_with("//captain.api.mondoo.app/users/"), "{mrn}");
    let get = json!({ "identity": mrn, "scopeMrn": PAYMENTS });
    let data = p.ok(&p.owner, T6, get).await;
    assert_eq!(data["getRoles"]["identityEmail"], "jonas@acme.example");
    assert_eq!(
        data["getRoles"]["roles"],
        json!([role("editor"), role("space-member")])
    );

    let data = p
        .ok(
            &p.owner,
            T37,
            set("new@acme.example", json!([role("viewer")])),
        )
        .await;
    assert_eq!(
        data["setRoles"],
        json!({ "identity_mrn": null, "identity_email": "new@acme.example" })
    );
    // A team that nobody made, as in the provider's own tests.
    let team = "//captain.api.mondoo.app/teams/testteam";
    p.ok(&p.owner, T37, set(team, json!([role("viewer")])))
        .await;
}

#[tokio::test]
async fn the_web_interface_and_cnquery_read() {
    let p = Platform::start().await;
    let data = p.ok(&p.owner, "{viewer{mrn}}", json!({})).await;
    assert_eq!(data, json!({ "viewer": { "mrn": p.owner.mrn } }));
    let data = p
        .ok(
            &p.owner,
            "{viewer{__typename mrn email name organizations{id}}}",
            json!({}),
        )
        .await;
    assert_eq!(
        data["viewer"]["organizations"],
        json!([{ "id": "acme-corp-883120" }])
    );
    assert_eq!(data["viewer"]["email"], Value::Null);
    assert_eq!(data["viewer"]["__typename"], "Viewer");

    let cnquery = "query($mrn:String!){organization(mrn: $mrn){id,mrn,name,spacesList{totalCount,edges{node{id,mrn,name}}}}}";
    let data = p.ok(&p.owner, cnquery, json!({ "mrn": ORG })).await;
    assert_eq!(
        data["organization"]["spacesList"]["edges"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );

    // Aliases as in the text for local development.
    let aliased = format!(
        "mutation {{ createServiceAccount(input: {{ scopeMrn: \"{ORG}\", roles: [{{ mrn: \"{}\" }}] }}) \
         {{ mrn certificate private_key: privateKey scope_mrn: scopeMrn }} }} # a comment",
        role("viewer")
    );
    let data = p.ok(&p.owner, &aliased, json!({})).await;
    let made = &data["createServiceAccount"];
    assert_eq!(
        keys(made),
        ["certificate", "mrn", "private_key", "scope_mrn"]
    );
}

#[tokio::test]
async fn creators_roles_and_use_are_shown() {
    let p = Platform::start().await;
    let key = p
        .create(
            json!({ "scopeMrn": PAYMENTS, "name": "new", "roles": [{ "mrn": role("editor") }] }),
        )
        .await;
    let list = super::client::LIST;
    let data = p.ok(&key, list, json!({ "scopeMrn": PAYMENTS })).await;
    let edges = data["serviceAccounts"]["edges"].as_array().expect("a list");
    let node = |name: &str| {
        &edges
            .iter()
            .find(|e| e["node"]["name"] == name)
            .unwrap_or_else(|| panic!("{name}"))["node"]
    };
    assert_eq!(
        node("new")["creator"],
        json!({ "mrn": p.owner.mrn, "email": null, "service": null })
    );
    assert_eq!(
        node("new")["roles"],
        json!([{ "mrn": role("editor"), "title": "Editor" }])
    );
    assert!(
        node("new")["lastUsed"].is_string(),
        "the listing itself is a use"
    );
    assert_eq!(node("scanner")["creator"]["email"], "kim@acme.example");
    assert_eq!(node("scanner")["createdAt"], "2024-02-11T22:05:41Z");
    assert_eq!(node("scanner")["lastUsed"], "2025-11-21T02:00:09Z");
}

#[tokio::test]
async fn members_are_listed_and_owners_counted() {
    let p = Platform::start().await;
    let query = "query($mrn: String!, $role: String){organization(mrn: $mrn){members(first: 1){\
         totalCount edges{cursor node{user{mrn email name} roles{title mrn}}} \
         pageInfo{startCursor endCursor hasNextPage}} owners: members(rolesFilter: $role, \
         orderBy: {direction: DESC, field: NAME}){totalCount edges{node{user{email}}}}}}";
    let data = p
        .ok(
            &p.owner,
            query,
            json!({ "mrn": ORG, "role": role("owner") }),
        )
        .await;
    let members = &data["organization"]["members"];
    assert_eq!(members["totalCount"], 2);
    assert_eq!(members["pageInfo"]["hasNextPage"], true);
    let node = &members["edges"][0]["node"];
    assert_eq!(node["user"]["name"], "Ada Ferrara");
    assert_eq!(
        node["roles"],
        json!([{ "title": "Owner", "mrn": role("owner") }])
    );
    assert_eq!(
        data["organization"]["owners"],
        json!({ "totalCount": 1, "edges": [{ "node": { "user": { "email": "ada@acme.example" } } }] })
    );
    let next = "query($mrn: String!, $after: String){organization(mrn: $mrn){members(first: 1, \
         after: $after){edges{node{user{name}}} pageInfo{hasNextPage}}}}";
    let after = &members["pageInfo"]["endCursor"];
    let data = p
        .ok(&p.owner, next, json!({ "mrn": ORG, "after": after }))
        .await;
    let members = &data["organization"]["members"];
    assert_eq!(
        members["edges"],
        json!([{ "node": { "user": { "name": "Jonas Weir" } } }])
    );
    assert_eq!(members["pageInfo"]["hasNextPage"], false);
}
