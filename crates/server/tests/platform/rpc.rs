//! What cnspec and the operator call besides GraphQL: log in with a registration token, check in,
//! log out. Paths and fields are those of cnquery's `upstream.proto` and mondoo-operator's client.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::{Key, PAYMENTS, Platform, role};

async fn call(p: &Platform, path: &str, authorization: Option<&str>, body: Value) -> (u16, Value) {
    let url = format!("http://{}/{path}", p.running.local_addr());
    let mut request = reqwest::Client::new().post(url).body(body.to_string());
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).expect("JSON"))
}

async fn token(p: &Platform, more: Value) -> (String, String) {
    let query = "mutation($input: RegistrationTokenInput!){generateRegistrationToken(input: $input){mrn token}}";
    let mut input = json!({"scopeMrn": PAYMENTS, "description": "runners", "labels": [{"key": "team", "value": "x"}]});
    input
        .as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    let made = p.ok(&p.owner, query, json!({ "input": input })).await;
    let made = &made["generateRegistrationToken"];
    (
        made["mrn"].as_str().expect("an MRN").to_owned(),
        made["token"].as_str().expect("a token").to_owned(),
    )
}

#[tokio::test]
async fn an_agent_logs_in_checks_in_and_logs_out() {
    let p = Platform::start().await;
    let (_, text) = token(&p, json!({})).await;
    let bearer = format!("Bearer {text}");
    let login = json!({"token": text, "name": "web-1", "agent_info": {"version": "12.0.0", "platform_name": "debian", "hostname": "web-1.example", "unknown": 1}});
    let (status, answer) = call(&p, "AgentManager/RegisterAgent", Some(&bearer), login).await;
    assert_eq!(status, 200, "{answer}");
    let credential = &answer["credential"];
    for key in [
        "mrn",
        "parent_mrn",
        "private_key",
        "certificate",
        "api_endpoint",
        "scope_mrn",
    ] {
        assert!(!credential[key].as_str().expect(key).is_empty(), "{key}");
    }
    assert_eq!(credential["parent_mrn"], PAYMENTS);
    let key = Key {
        mrn: credential["mrn"].as_str().expect("an MRN").to_owned(),
        pem: credential["private_key"]
            .as_str()
            .expect("a key")
            .to_owned(),
    };
    let account = p.read(&key.mrn).await;
    assert_eq!(account["roles"], json!([{"mrn": role("agent")}]));
    assert_eq!(account["labels"], json!([{"key": "team", "value": "x"}]));
    assert_eq!(account["lastUsed"], Value::Null);
    let sign = |body: &str| {
        use sha2_hex as hash;
        let mut claims = key.claims(Timestamp::now());
        claims["chash"] = json!(hash(body.as_bytes()));
        format!("Bearer {}", key.sign(&claims))
    };
    let ping = json!({});
    let (status, _) = call(
        &p,
        "AgentManager/PingPong",
        Some(&sign(&ping.to_string())),
        ping.clone(),
    )
    .await;
    assert_eq!(status, 200);
    assert!(
        p.read(&key.mrn).await["lastUsed"].is_string(),
        "use is noted by these calls too"
    );
    let (status, answer) = call(&p, "AgentManager/PingPong", Some(&sign("other")), ping).await;
    assert_eq!(
        (status, &answer),
        (
            401,
            &json!({"code": 16, "message": "request permission unauthenticated"})
        )
    );

    let list = "query($m: String!){agents(spaceMrn: $m, version: [{version: \"12.0.0\", not: false}], state: [ACTIVE], orderBy: {direction: ASC, field: NAME}){totalCount edges{node{mrn name status{version state} platform{name} hostname ipaddress labels{key value}}}}}";
    let data = p.ok(&p.owner, list, json!({ "m": PAYMENTS })).await;
    let node = &data["agents"]["edges"][0]["node"];
    assert_eq!(
        (&node["name"], &node["ipaddress"]),
        (&json!("web-1"), &json!("127.0.0.1"))
    );
    assert_eq!(
        node["status"],
        json!({"version": "12.0.0", "state": "ACTIVE"})
    );
    assert_eq!(node["mrn"], answer_mrn(&node["mrn"]));

    let logout = json!({"mrn": node["mrn"]});
    let stranger = p.account(PAYMENTS, "stranger", &["viewer"]);
    let (status, _) = call(
        &p,
        "AgentManager/UnRegisterAgent",
        Some(&stranger.bearer(Timestamp::now())),
        logout.clone(),
    )
    .await;
    assert_eq!(status, 403);
    let (status, _) = call(
        &p,
        "AgentManager/UnRegisterAgent",
        Some(&key.bearer(Timestamp::now())),
        logout.clone(),
    )
    .await;
    assert_eq!(status, 200);
    let (status, answer) = call(
        &p,
        "AgentManager/UnRegisterAgent",
        Some(&key.bearer(Timestamp::now())),
        logout,
    )
    .await;
    assert_eq!((status, answer["code"].as_u64()), (404, Some(5)));
}

fn answer_mrn(mrn: &Value) -> Value {
    let text = mrn.as_str().expect("an MRN");
    assert!(
        text.starts_with("//agents.api.mondoo.app/spaces/amazing-hofstadter-175565/agents/"),
        "{text}"
    );
    mrn.clone()
}

fn sha2_hex(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

#[tokio::test]
async fn a_token_that_is_revoked_over_or_none_registers_nobody() {
    let p = Platform::start().await;
    let (mrn, revoked) = token(&p, json!({})).await;
    let revoke = "mutation($m: String!){revokeRegistrationToken(input: {mrn: $m}){__typename}}";
    p.ok(&p.owner, revoke, json!({ "m": mrn })).await;
    let (_, over) = token(&p, json!({"expiresIn": 1})).await;
    p.clock.forward(2);
    for text in [revoked.as_str(), over.as_str(), "nonsense", ""] {
        let bearer = format!("Bearer {text}");
        let (status, answer) = call(
            &p,
            "AgentManager/RegisterAgent",
            Some(&bearer),
            json!({"name": "x"}),
        )
        .await;
        assert_eq!((status, answer["code"].as_u64()), (401, Some(16)), "{text}");
        let (status, _) = call(
            &p,
            "AgentManager/ExchangeRegistrationToken",
            None,
            json!({"token": text}),
        )
        .await;
        assert_eq!(status, 401);
    }
    // A registration token is good for nothing else.
    let (_, good) = token(&p, json!({})).await;
    let body = json!({"query": "{viewer{mrn}}"}).to_string().into_bytes();
    assert_eq!(p.post(Some(&format!("Bearer {good}")), body).await.0, 401);
}

#[tokio::test]
async fn an_account_registers_without_a_new_key_and_the_operator_exchanges_a_token() {
    let p = Platform::start().await;
    let key = p.account(PAYMENTS, "scanner", &["agent"]);
    let (status, answer) = call(
        &p,
        "AgentManager/RegisterAgent",
        Some(&key.bearer(Timestamp::now())),
        json!({"name": "x"}),
    )
    .await;
    assert_eq!(status, 200, "{answer}");
    assert!(
        answer["agent_mrn"].is_string() && answer.get("credential").is_none(),
        "{answer}"
    );
    let (_, text) = token(&p, json!({"roles": [{"mrn": role("viewer")}]})).await;
    let (status, answer) = call(
        &p,
        "AgentManager/ExchangeRegistrationToken",
        None,
        json!({ "token": text }),
    )
    .await;
    assert_eq!(status, 200, "{answer}");
    let file: Value =
        serde_json::from_str(answer["serviceAccount"].as_str().expect("a text")).expect("JSON");
    for key in [
        "mrn",
        "space_mrn",
        "private_key",
        "certificate",
        "api_endpoint",
    ] {
        assert!(file[key].is_string(), "{key}");
    }
    let account = p.read(file["mrn"].as_str().expect("an MRN")).await;
    assert_eq!(account["roles"], json!([{"mrn": role("viewer")}]));
}

#[tokio::test]
async fn what_is_not_defined_is_not_found() {
    let p = Platform::start().await;
    for path in ["AgentManager/Nothing", "Nothing/PingPong"] {
        let (status, answer) =
            call(&p, path, Some(&p.owner.bearer(Timestamp::now())), json!({})).await;
        assert_eq!(
            (status, answer),
            (404, json!({"code": 5, "message": "method not defined"}))
        );
    }
    let (status, answer) = call(&p, "Health/Check", None, json!({})).await;
    assert_eq!((status, &answer["status"]), (200, &json!("SERVING")));
    let (status, answer) = call(&p, "AgentManager/HealthCheck", None, json!({})).await;
    assert_eq!((status, answer["code"].as_u64()), (401, Some(16)));
    let (status, _) = call(
        &p,
        "AgentManager/UnRegisterAgent",
        Some(&p.owner.bearer(Timestamp::now())),
        json!([1]),
    )
    .await;
    assert_eq!(status, 400);
}

/// Who speaks Protocol Buffers is answered so. The bytes are written by hand from the public definition of
/// `google.rpc.Status`: field 1 an int32, field 2 a string.
#[tokio::test]
async fn protocol_buffers_get_statuses_and_empty_messages() {
    let p = Platform::start().await;
    let ask = async |path: &str, authorization: String, header: &str| {
        let url = format!("http://{}/{path}", p.running.local_addr());
        let request = reqwest::Client::new()
            .post(url)
            .header(header, "application/protobuf");
        let response = request
            .header("authorization", authorization)
            .send()
            .await
            .expect("an answer");
        let kind = response.headers()["content-type"]
            .to_str()
            .expect("text")
            .to_owned();
        (
            response.status().as_u16(),
            kind,
            response.bytes().await.expect("a body").to_vec(),
        )
    };
    let unauthenticated = [
        b"\x08\x10\x12\x22".as_slice(),
        b"request permission unauthenticated",
    ]
    .concat();
    for header in ["accept", "content-type"] {
        let (status, kind, body) =
            ask("AgentManager/PingPong", "Bearer x".to_owned(), header).await;
        assert_eq!((status, kind.as_str()), (401, "application/protobuf"));
        assert_eq!(body, unauthenticated);
        let good = p.owner.bearer(Timestamp::now());
        assert_eq!(ask("AgentManager/PingPong", good, header).await.2, b"");
    }
    let (status, _, body) = ask(
        "AgentManager/RegisterAgent",
        p.owner.bearer(Timestamp::now()),
        "accept",
    )
    .await;
    assert_eq!((status, &body[..3]), (501, b"\x08\x0c\x12".as_slice()));
}
