//! HTTP statuses and the shape of errors.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::{LIST, ORG, PAYMENTS, Platform};

async fn send(p: &Platform, body: &str) -> (u16, Value) {
    p.post(
        Some(&p.owner.bearer(Timestamp::now())),
        body.as_bytes().to_vec(),
    )
    .await
}

#[tokio::test]
async fn a_refused_document_is_422_with_locations() {
    let p = Platform::start().await;
    let (status, body) = p
        .raw(&p.owner, "query {\n  viewer { mrn nonsense }\n}", json!({}))
        .await;
    assert_eq!(status, 422);
    assert_eq!(
        body,
        json!({ "errors": [{
            "message": "Cannot query field \"nonsense\" on type \"Viewer\".",
            "locations": [{ "line": 2, "column": 16 }],
            "extensions": { "code": "GRAPHQL_VALIDATION_FAILED" },
        }], "data": null })
    );
    let (status, body) = p.raw(&p.owner, "query { viewer { mrn }", json!({})).await;
    assert_eq!(status, 422);
    let error = &body["errors"][0];
    assert_eq!(error["extensions"]["code"], "GRAPHQL_PARSE_FAILED");
    assert_eq!(error["locations"][0]["line"], 1);
    assert_eq!(body["data"], Value::Null);

    // The camel-case spelling of the payload's snake-case fields.
    let camel = "mutation($i: SetRolesInput!){setRoles(input: $i){identityMrn}}";
    let cases = [
        (camel, json!({ "i": {} })),
        ("{serviceAccount(mrn: 7){mrn}}", json!({})),
        ("{serviceAccount{mrn}}", json!({})),
        (
            "query($mrn: String!){serviceAccount(mrn: $mrn){mrn}}",
            json!({}),
        ),
        (
            "query($mrn: String!){serviceAccount(mrn: $mrn){mrn}}",
            json!({ "mrn": null }),
        ),
        (
            "query($mrn: String){serviceAccount(mrn: $mrn){mrn}}",
            json!({ "mrn": "x" }),
        ),
        (
            "query($mrn: ID!){serviceAccount(mrn: $mrn){mrn}}",
            json!({ "mrn": "x" }),
        ),
        (
            "query($a: [String]!){testIamActions(resourceMrn: \"x\", actions: $a)}",
            json!({ "a": [] }),
        ),
        (
            "query($s: String){...F} fragment F on Query {serviceAccount(mrn: $s){mrn}}",
            json!({ "s": "x" }),
        ),
        (
            "mutation($m: String){updateServiceAccount(input: {mrn: $m}){mrn}}",
            json!({ "m": "x" }),
        ),
        (
            "{serviceAccounts(orderBy: {direction: UP, field: ID}){totalCount}}",
            json!({}),
        ),
        (
            "mutation($i: CreateServiceAccountInput!){createServiceAccount(input: $i){mrn}}",
            json!({ "i": { "scopeMrn": ORG, "validUntill": "x" } }),
        ),
        (
            "mutation($i: CreateServiceAccountInput!){createServiceAccount(input: $i){mrn}}",
            json!({ "i": { "name": "scopeMrn is missing" } }),
        ),
        ("query A {viewer{mrn}} query B {viewer{mrn}}", json!({})),
        ("", json!({})),
    ];
    for (query, variables) in cases {
        let (status, body) = p.raw(&p.owner, query, variables.clone()).await;
        assert_eq!(status, 422, "{query} {variables}: {body}");
        assert!(body["errors"][0]["message"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn a_resolver_error_is_200_with_a_path() {
    let p = Platform::start().await;
    let query = "query($mrn: String!){it: serviceAccount(mrn: $mrn){mrn} viewer{mrn}}";
    let (status, body) = p.raw(&p.owner, query, json!({ "mrn": "x" })).await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({
            "errors": [{
                "message": "rpc error: code = InvalidArgument desc = invalid service account mrn \"x\"",
                "path": ["it"],
            }],
            "data": { "it": null, "viewer": { "mrn": p.owner.mrn } },
        })
    );
}

#[tokio::test]
async fn a_body_that_is_no_request_is_400() {
    let p = Platform::start().await;
    for body in [
        "",
        "{",
        "[]",
        "7",
        "\"query\"",
        r#"{"query":7}"#,
        r#"{"query":"{viewer{mrn}}","variables":[]}"#,
    ] {
        let (status, answer) = send(&p, body).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer["errors"][0]["message"].is_string(), "{body}");
        // Nobody learns anything without a token.
        let (status, _) = p.post(None, body.as_bytes().to_vec()).await;
        assert_eq!(status, 401, "{body}");
    }
    for body in [
        r#"{"query":"{viewer{mrn}}","variables":null,"operationName":null,"extensions":{}}"#,
        r#"{"query":"query A {viewer{mrn}} query B {viewer{x:mrn}}","operationName":"A"}"#,
        "{\"query\":\"{viewer{mrn}}\"}\n",
    ] {
        let (status, answer) = send(&p, body).await;
        assert_eq!(
            (status, &answer["data"]["viewer"]["mrn"]),
            (200, &json!(p.owner.mrn)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn size_depth_and_width_have_limits() {
    let p = Platform::start().await;
    let (status, _) = send(&p, &" ".repeat(rolecall_server::BODY_LIMIT + 1)).await;
    assert_eq!(status, 413);
    let (status, _) = send(&p, &format!("{{\"query\":\"{}\"}}", "{a".repeat(50_000))).await;
    assert_eq!(status, 422);
    let mut deep = "mrn".to_owned();
    for _ in 0..12 {
        deep = format!("organization{{spacesList{{edges{{node{{{deep}}}}}}}}}");
    }
    let query = format!("{{space(mrn: \"{PAYMENTS}\"){{{deep}}}}}");
    assert_eq!(p.raw(&p.owner, &query, json!({})).await.0, 422);
    let wide: String = (0..5000).map(|i| format!("a{i}:viewer{{mrn}}")).collect();
    assert_eq!(
        p.raw(&p.owner, &format!("{{{wide}}}"), json!({})).await.0,
        422
    );
    // What a client in a hurry would send is well inside.
    let hundred: String = (0..100)
        .map(|i| {
            format!(
                "a{i}:getRoles(identity:\"{}\",scopeMrn:\"{ORG}\"){{roles}}",
                p.owner.mrn
            )
        })
        .collect();
    assert_eq!(
        p.raw(&p.owner, &format!("{{{hundred}}}"), json!({}))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn long_lists_and_deep_values_are_refused_at_once() {
    let p = Platform::start().await;
    let query = "query($a: [String!]!){testIamActions(resourceMrn: \"x\", actions: $a)}";
    let status = |length: usize| {
        let actions = vec!["a"; length];
        p.raw(&p.owner, query, json!({ "a": actions }))
    };
    let start = std::time::Instant::now();
    assert_eq!(status(5_001).await.0, 422);
    // In the document, below an object, and behind a fragment.
    let literal = "\"a\",".repeat(5_001);
    for query in [
        format!("{{testIamActions(resourceMrn: \"x\", actions: [{literal}])}}"),
        format!("mutation{{deleteServiceAccounts(input: {{mrns: [{literal}]}}){{mrns}}}}"),
        format!(
            "{{...F}} fragment F on Query {{testIamActions(resourceMrn: \"x\", actions: [{literal}])}}"
        ),
    ] {
        let (status, body) = p.raw(&p.owner, &query, json!({})).await;
        assert_eq!(status, 422);
        let message = body["errors"][0]["message"].as_str().expect("a message");
        assert_eq!(message, "a list has 5001 items, the limit is 5000");
    }
    let (_, within) = status(5_000).await;
    assert!(!within.to_string().contains("the limit is"), "{within}");

    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!("{{\"query\":\"{{viewer{{mrn}}}}\",\"variables\":{{\"a\":{deep}}}}}");
    assert_eq!(send(&p, &body).await.0, 400);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let query = format!("{{testIamActions(resourceMrn: \"x\", actions: {deep})}}");
    assert_eq!(p.raw(&p.owner, &query, json!({})).await.0, 422);
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
}

#[tokio::test]
async fn other_paths_and_methods_do_not_exist() {
    let p = Platform::start().await;
    let client = reqwest::Client::new();
    let base = format!("http://{}", p.running.local_addr());
    let status = |path: &str| client.get(format!("{base}{path}")).send();
    assert_eq!(
        status("/query").await.expect("an answer").status().as_u16(),
        405
    );
    assert_eq!(
        status("/other").await.expect("an answer").status().as_u16(),
        404
    );
    let health = status("/Health/Check").await.expect("an answer");
    let health: Value = health.json().await.expect("JSON");
    assert_eq!(health["status"], "SERVING");
}

#[tokio::test]
async fn introspection_works_as_generators_send_it() {
    let p = Platform::start().await;
    let query = "query IntrospectionQuery { __schema { queryType { name } mutationType { name } \
         types { ...FullType } directives { name args { ...InputValue } } } } \
         fragment FullType on __Type { kind name fields(includeDeprecated: true) { name \
         args { ...InputValue } type { ...TypeRef } } inputFields { ...InputValue } \
         interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name } \
         possibleTypes { ...TypeRef } } \
         fragment InputValue on __InputValue { name type { ...TypeRef } defaultValue } \
         fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { \
         kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name \
         } } } } } } } }";
    let data = p.ok(&p.owner, query, json!({})).await;
    assert_eq!(data["__schema"]["mutationType"]["name"], "Mutation");
}

#[tokio::test]
async fn concurrent_clients_are_served() {
    let p = Platform::start().await;
    let list = json!({ "scopeMrn": PAYMENTS });
    let (a, b, c) = tokio::join!(
        p.create(json!({ "scopeMrn": PAYMENTS, "name": "a" })),
        p.create(json!({ "scopeMrn": PAYMENTS, "name": "b" })),
        p.ok(&p.owner, LIST, list.clone()),
    );
    assert_ne!(a.mrn, b.mrn);
    assert!(
        c["serviceAccounts"]["totalCount"]
            .as_i64()
            .is_some_and(|n| n >= 2)
    );
    assert_eq!(
        p.ok(&p.owner, LIST, list).await["serviceAccounts"]["totalCount"],
        4
    );
}

#[tokio::test]
async fn shutdown_frees_the_port() {
    let p = Platform::start().await;
    let address = p.running.local_addr();
    p.running.shutdown().await.expect("stops");
    std::net::TcpListener::bind(address).expect("the port is free");
}
