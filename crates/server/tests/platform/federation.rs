//! Workload identity federation: bindings that are refused, and the exchange of tokens of an issuer
//! that this test runs.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use rolecall_server::{
    Call, FetchDocument, Quirks, TemporaryAccounts, TemporaryCreator, Unauthenticated,
};
use serde_json::{Value, json};

use super::client::{DENIED, Key, LIST, ORG, PAYMENTS, PROD_EU, Platform, role};
use super::issuer::{Issuer, IssuerKey, Said};

const CREATE_WIF: &str = "mutation($input:CreateWIFAuthBindingInput!){createWIFAuthBinding(input: $input){binding{mrn,name,description,scope,roles,expiration,issuerUri,subject,mappings{key,value},allowedAudiences},config{universeDomain,type,audience,subjectTokenType,scopes,issuerUri}}}";
const REMOVE_WIF: &str = "mutation($mrn:String!){removeWIFAuthBinding(mrn: $mrn){mrn}}";
const LIST_WIF: &str = "query($scopeMrn: String!, $orderBy: WIFAuthBindingOrder){listWIFAuthBindings(scopeMrn: $scopeMrn, orderBy: $orderBy){bindings{mrn name description expiration issuerUri createdAt lastUsed iconId}}}";

#[tokio::test]
async fn bindings_are_refused_that_could_not_be_meant() {
    let p = Platform::start().await;
    let good = json!({ "scopeMrn": PAYMENTS, "name": "ci", "subject": "s",
        "issuerUri": "https://issuer.example" });
    let editor = p.account(PAYMENTS, "editor", &["editor"]);
    let viewer = p.account(PAYMENTS, "viewer", &["viewer"]);
    let with = |name: &str, value: Value| {
        let mut input = good.clone();
        input[name] = value;
        json!({ "input": input })
    };
    for (variables, code) in [
        (
            with("issuerUri", json!("http://issuer.example")),
            "InvalidArgument",
        ),
        (with("subject", json!("")), "InvalidArgument"),
        (with("expiration", json!(-1)), "InvalidArgument"),
        (
            with("mappings", json!([{ "key": "repository", "value": "x" }])),
            "InvalidArgument",
        ),
        (with("roles", json!([role("nothing")])), "InvalidArgument"),
        (with("roles", json!([role("owner")])), "PermissionDenied"),
        (with("scopeMrn", json!(PROD_EU)), "PermissionDenied"),
        (
            with("scopeMrn", json!("//platform.api.mondoo.app")),
            "PermissionDenied",
        ),
    ] {
        let error = p.err(&editor, CREATE_WIF, variables.clone()).await;
        assert!(
            error.contains(&format!("code = {code} ")),
            "{variables}: {error}"
        );
    }
    assert_eq!(
        p.err(&viewer, CREATE_WIF, json!({ "input": good })).await,
        DENIED
    );
    p.ok(&editor, CREATE_WIF, json!({ "input": good })).await;
}

fn claims(issuer: &Issuer) -> Value {
    let now = Timestamp::now().as_second();
    json!({ "iss": issuer.url, "sub": "repo:acme/x", "aud": "acme", "iat": now, "nbf": now,
        "exp": now + 300, "repository": "acme/x", "groups": ["a", "b"], "attempt": 3 })
}

/// Exchanges a token as cnspec does; answers status and body.
async fn exchange(p: &Platform, audience: &str, issuer: &str, token: &str) -> (u16, Value) {
    let url = format!(
        "http://{}/SecureTokenService/ExchangeExternalToken",
        p.running.local_addr()
    );
    let body = json!({ "audience": audience, "issuer_uri": issuer, "jwt_token": token });
    let response = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.expect("JSON"))
}

async fn bind(p: &Platform, issuer: &Issuer, extra: Value) -> Value {
    let mut input = json!({ "scopeMrn": PAYMENTS, "name": "ci", "subject": "repo:acme/x",
        "issuerUri": issuer.url, "roles": [role("editor")], "expiration": 600 });
    for (name, value) in extra.as_object().expect("an object") {
        input[name] = value.clone();
    }
    let data = p.ok(&p.owner, CREATE_WIF, json!({ "input": input })).await;
    data["createWIFAuthBinding"]["binding"]["mrn"].clone()
}

/// The account in an answer, with the credential's other keys checked.
fn account(p: &Platform, body: &Value) -> Key {
    let text = body["base64_credential"].as_str().expect("a credential");
    let json = STANDARD.decode(text).expect("base64");
    let credential: Value = serde_json::from_slice(&json).expect("JSON");
    let text = |name: &str| credential[name].as_str().expect("a string").to_owned();
    assert_eq!(text("space_mrn"), PAYMENTS);
    assert_eq!(
        text("api_endpoint"),
        format!("http://{}", p.running.local_addr())
    );
    assert!(text("certificate").starts_with("-----BEGIN CERTIFICATE-----"));
    Key {
        mrn: text("mrn"),
        pem: text("private_key"),
    }
}

#[tokio::test]
async fn a_good_token_gives_an_account_until_it_expires() {
    let p = Platform::start().await;
    let issuer = Issuer::start().await;
    p.app.allow_local_issuers();
    let mappings = json!([{ "key": "jwt_claims.repository", "value": "acme/x" },
        { "key": "jwt_claims.groups", "value": "b" }, { "key": "jwt_claims.attempt", "value": "3" }]);
    let extra = json!({ "mappings": mappings, "allowedAudiences": ["other", "acme"] });
    let binding = bind(&p, &issuer, extra).await;
    for key in [&issuer.rsa, &issuer.ec] {
        let before = Timestamp::now();
        let (status, body) = exchange(&p, PAYMENTS, &issuer.url, &key.sign(&claims(&issuer))).await;
        assert_eq!(status, 200, "{:?}: {body}", key.algorithm);
        assert_eq!(body.as_object().expect("an object").len(), 1);
        let account = account(&p, &body);
        // It has the roles of the binding, and no others.
        p.ok(&account, LIST, json!({ "scopeMrn": PAYMENTS })).await;
        assert_eq!(
            p.err(&account, LIST, json!({ "scopeMrn": PROD_EU })).await,
            DENIED
        );
        let at = |seconds: i64| {
            let at = before + SignedDuration::from_secs(seconds);
            p.app
                .authenticate(Some(&account.bearer(at)), b"", at)
                .map(|identity| identity.mrn)
        };
        assert_eq!(at(599), Ok(account.mrn.clone()));
        assert_eq!(at(660), Err(Unauthenticated::Expired));
    }
    let data = p
        .ok(&p.owner, LIST_WIF, json!({ "scopeMrn": PAYMENTS }))
        .await;
    assert!(
        data["listWIFAuthBindings"]["bindings"][0]["lastUsed"].is_string(),
        "{data}"
    );

    // Without its binding the account is out at once.
    let token = issuer.ec.sign(&claims(&issuer));
    let (_, body) = exchange(&p, PAYMENTS, &issuer.url, &token).await;
    let account = account(&p, &body);
    p.ok(&p.owner, REMOVE_WIF, json!({ "mrn": binding })).await;
    let (status, _) = p.raw(&account, LIST, json!({ "scopeMrn": PAYMENTS })).await;
    assert_eq!(status, 401);
    let (status, body) = exchange(&p, PAYMENTS, &issuer.url, &token).await;
    assert_eq!((status, &body["code"]), (401, &json!(16)), "{body}");
}

#[tokio::test]
async fn a_token_becomes_a_new_account_or_the_same_one_and_its_maker_is_told_or_not() {
    for temporary_accounts in [TemporaryAccounts::New, TemporaryAccounts::Same] {
        for temporary_creator in [TemporaryCreator::Binding, TemporaryCreator::Untold] {
            let p = Platform::with(Quirks {
                temporary_accounts,
                temporary_creator,
                ..Quirks::default()
            })
            .await;
            let issuer = Issuer::start().await;
            p.app.allow_local_issuers();
            let binding = bind(&p, &issuer, json!({})).await;
            let mut accounts = Vec::new();
            for _ in 0..2 {
                let token = issuer.ec.sign(&claims(&issuer));
                let (status, body) = exchange(&p, PAYMENTS, &issuer.url, &token).await;
                assert_eq!(status, 200, "{body}");
                accounts.push(account(&p, &body));
            }
            let same = temporary_accounts == TemporaryAccounts::Same;
            assert_eq!(accounts[0].mrn == accounts[1].mrn, same);
            // The key of the first opens nothing any more where the account is the same.
            let read = "query($mrn: String!){serviceAccount(mrn: $mrn){mrn creator{mrn}}}";
            let about = json!({ "mrn": accounts[0].mrn });
            let (status, _) = p.raw(&accounts[0], read, about.clone()).await;
            assert_eq!(status, if same { 401 } else { 200 });
            let data = p
                .ok(&accounts[1], read, json!({ "mrn": accounts[1].mrn }))
                .await;
            let told = &data["serviceAccount"]["creator"];
            match temporary_creator {
                TemporaryCreator::Binding => assert_eq!(told["mrn"], binding),
                TemporaryCreator::Untold => assert!(told.is_null(), "{data}"),
            }
        }
    }
}

async fn refused(p: &Platform, issuer: &Issuer, token: &str, why: &str) {
    let (status, body) = exchange(p, PAYMENTS, &issuer.url, token).await;
    let message = format!("external token refused: {why}");
    assert_eq!(
        (status, body),
        (401, json!({ "code": 16, "message": message }))
    );
}

#[tokio::test]
async fn wrong_tokens_are_refused() {
    let p = Platform::start().await;
    let issuer = Issuer::start().await;
    p.app.allow_local_issuers();
    let mappings = json!([{ "key": "jwt_claims.repository", "value": "acme/x" }]);
    bind(
        &p,
        &issuer,
        json!({ "mappings": mappings, "allowedAudiences": ["acme"] }),
    )
    .await;
    let now = Timestamp::now().as_second();
    let with = |name: &str, value: Value| {
        let mut claims = claims(&issuer);
        claims[name] = value;
        claims
    };
    for key in [&issuer.rsa, &issuer.ec] {
        for (claims, why) in [
            (
                with("iss", json!("http://127.0.0.1:1")),
                "its issuer is another one",
            ),
            (
                with("sub", json!("repo:acme/y")),
                "its subject is not bound",
            ),
            (with("aud", json!("evil")), "its audience is not allowed"),
            (
                with("aud", json!(["evil", "worse"])),
                "its audience is not allowed",
            ),
            (with("aud", Value::Null), "its audience is not allowed"),
            (with("exp", json!(now - 70)), "it has expired"),
            (with("exp", Value::Null), "it does not expire"),
            (with("nbf", json!(now + 90)), "it is not valid yet"),
            (with("iat", json!(now + 90)), "it is not valid yet"),
            (
                with("repository", json!("acme/y")),
                "its claims are not those of the binding",
            ),
            (
                with("repository", Value::Null),
                "its claims are not those of the binding",
            ),
        ] {
            refused(&p, &issuer, &key.sign(&claims), why).await;
        }
        // Just within the leeway.
        for claims in [with("exp", json!(now - 40)), with("nbf", json!(now + 40))] {
            let (status, body) = exchange(&p, PAYMENTS, &issuer.url, &key.sign(&claims)).await;
            assert_eq!(status, 200, "{claims}: {body}");
        }
    }
    let good = claims(&issuer);
    let forged = [IssuerKey::rsa("rsa-1"), IssuerKey::ec("ec-1")];
    for key in &forged {
        refused(&p, &issuer, &key.sign(&good), "its signature is wrong").await;
    }
    // The kid of a key of another kind, and one that nobody has.
    for kid in ["rsa-1", "nobody"] {
        refused(
            &p,
            &issuer,
            &IssuerKey::ec(kid).sign(&good),
            "the issuer has no such key",
        )
        .await;
    }
    let token = issuer.ec.sign(&good);
    let parts: Vec<&str> = token.split('.').collect();
    let none = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    refused(
        &p,
        &issuer,
        &none,
        "its algorithm is neither RS256 nor ES256",
    )
    .await;
    let other = issuer.ec.sign(&with("sub", json!("repo:acme/y")));
    let swapped = format!(
        "{}.{}.{}",
        parts[0],
        parts[1],
        other.rsplit_once('.').expect("parts").1
    );
    refused(&p, &issuer, &swapped, "its signature is wrong").await;
    refused(&p, &issuer, "nonsense", "it is not a JWT").await;
    // HMAC under something public.
    let hmac = jsonwebtoken::encode(
        &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256),
        &good,
        &jsonwebtoken::EncodingKey::from_secret(issuer.rsa.jwk.to_string().as_bytes()),
    );
    let hmac = hmac.expect("signs");
    refused(
        &p,
        &issuer,
        &hmac,
        "its algorithm is neither RS256 nor ES256",
    )
    .await;

    // Of an issuer or a scope that nobody has bound nothing is asked.
    let asked = issuer.asked();
    let stranger = Issuer::start().await;
    let token = stranger.ec.sign(&claims(&stranger));
    let (status, _) = exchange(&p, PAYMENTS, &stranger.url, &token).await;
    let (elsewhere, _) = exchange(&p, ORG, &issuer.url, &issuer.ec.sign(&good)).await;
    assert_eq!((status, elsewhere), (401, 401));
    assert_eq!((stranger.asked(), issuer.asked()), (0, asked));
}

#[tokio::test]
async fn issuers_that_misbehave_are_refused() {
    let p = Platform::start().await;
    let issuer = Issuer::start().await;
    p.app.allow_local_issuers();
    bind(&p, &issuer, json!({})).await;
    let token = issuer.rsa.sign(&claims(&issuer));
    let with = |name: &str, value: Value| {
        let mut discovery = issuer.discovery();
        discovery[name] = value;
        Said::json(&discovery)
    };
    let said = |status: u16, body: &[u8]| Said {
        status,
        location: None,
        body: body.to_vec(),
    };
    let redirect = |to: String| Said {
        status: 302,
        location: Some(to),
        body: Vec::new(),
    };
    let huge = vec![b' '; 300 * 1024];
    let here = "the issuer's documents cannot be had".to_owned();
    for (discovery, why) in [
        (
            with("issuer", json!("https://issuer.example")),
            "the configuration is another issuer's".to_owned(),
        ),
        (
            with("jwks_uri", json!("http://keys.example/keys")),
            "the issuer's keys may not be asked for".to_owned(),
        ),
        (
            with("id_token_signing_alg_values_supported", json!(["ES256"])),
            "its algorithm is none of the issuer's".to_owned(),
        ),
        (said(200, b"<html>"), here.clone()),
        (said(500, b"{}"), here.clone()),
        (said(200, &huge), here.clone()),
        (redirect(format!("{}/keys", issuer.url)), here.clone()),
    ] {
        issuer.say_discovery(discovery);
        refused(&p, &issuer, &token, &why).await;
    }
    issuer.behave();
    for (keys, why) in [
        (said(200, &huge), here.clone()),
        (said(404, b"{}"), here.clone()),
        (redirect(issuer.url.clone()), here.clone()),
        (
            Said::json(&json!({ "keys": [] })),
            "the issuer has no such key".to_owned(),
        ),
        (
            Said::json(
                &json!({ "keys": [{ "kty": "RSA", "kid": "rsa-1", "use": "enc",
                "n": issuer.rsa.jwk["n"], "e": issuer.rsa.jwk["e"] }] }),
            ),
            "the issuer has no such key".to_owned(),
        ),
    ] {
        issuer.say_keys(keys);
        refused(&p, &issuer, &token, &why).await;
    }
    issuer.behave();
    let (status, body) = exchange(&p, PAYMENTS, &issuer.url, &token).await;
    assert_eq!(status, 200, "the cause was the issuer: {body}");
}

/// Answers one issuer's documents from memory, to see which addresses are asked.
struct Elsewhere {
    jwks_uri: &'static str,
    asked: std::sync::Mutex<Vec<String>>,
}

impl FetchDocument for Elsewhere {
    fn fetch(&self, url: &str) -> Option<Vec<u8>> {
        self.asked.lock().expect("whole").push(url.to_owned());
        let document = json!({ "issuer": "https://issuer.example/realm/",
            "jwks_uri": self.jwks_uri, "keys": [] });
        Some(document.to_string().into_bytes())
    }
}

#[tokio::test]
async fn an_issuer_elsewhere_cannot_point_at_this_machine() {
    let p = Platform::start().await;
    let issuer = Issuer::start().await;
    let uri = json!("https://issuer.example/realm/");
    bind(&p, &issuer, json!({ "issuerUri": uri })).await;
    let mut claims = claims(&issuer);
    claims["iss"] = uri.clone();
    let body = json!({ "audience": PAYMENTS, "issuer_uri": uri,
        "jwt_token": issuer.ec.sign(&claims) });
    let body = body.to_string();
    let well_known = "https://issuer.example/realm/.well-known/openid-configuration";
    for (jwks_uri, asked) in [
        ("http://127.0.0.1:9/keys", vec![well_known]),
        ("https://127.0.0.1/keys", vec![well_known]),
        ("https://[::1]/keys", vec![well_known]),
        ("https://192.168.7.7/keys", vec![well_known]),
        ("https://keys.example/keys?x=", vec![well_known]),
        ("https://user@keys.example/keys", vec![well_known]),
        ("http://issuer.example/keys", vec![well_known]),
        (
            "https://keys.example/keys",
            vec![well_known, "https://keys.example/keys"],
        ),
    ] {
        let fetch = Elsewhere {
            jwks_uri,
            asked: Vec::new().into(),
        };
        let call = Call {
            service: "SecureTokenService",
            method: "ExchangeExternalToken",
            body: body.as_bytes(),
            now: Timestamp::now(),
            ..Call::default()
        };
        let answer = p.app.serve_call(&call, &fetch);
        assert_eq!(answer.status, 401);
        assert_eq!(*fetch.asked.lock().expect("whole"), asked);
    }
}

#[tokio::test]
async fn issuers_that_could_lead_elsewhere_are_not_bound() {
    let p = Platform::start().await;
    let agent = p.account(PAYMENTS, "agent", &["agent"]);
    // Anybody may make an organization, and own it.
    let create = "mutation{createOrganization(input: {name: \"mine\"}){mrn}}";
    let data = p.ok(&agent, create, json!({})).await;
    let own = &data["createOrganization"]["mrn"];
    let issuer = Issuer::start().await;
    for uri in [
        format!("{}/admin/restart?x=", issuer.url),
        format!("{}/admin/restart#", issuer.url),
        "https://issuer.example/realm?x=".to_owned(),
        "https://issuer.example/#".to_owned(),
        "https://user@issuer.example".to_owned(),
        "http://127.0.0.1@issuer.example".to_owned(),
        issuer.url.clone(),
        "http://localhost:8080".to_owned(),
        "https://127.0.0.1".to_owned(),
        "https://127.1/realm".to_owned(),
        "https://[::ffff:10.1.2.3]".to_owned(),
        "https://169.254.169.254".to_owned(),
        "https://localhost".to_owned(),
    ] {
        let input = json!({ "scopeMrn": own, "name": "ci", "subject": "s", "issuerUri": uri });
        let message = p.err(&agent, CREATE_WIF, json!({ "input": input })).await;
        assert!(
            message.contains("code = InvalidArgument "),
            "{uri}: {message}"
        );
    }
    assert_eq!(issuer.asked(), 0);
}

#[tokio::test]
async fn names_of_this_machine_are_not_asked_and_every_failure_reads_the_same() {
    let p = Platform::start().await;
    let issuer = Issuer::start().await;
    let everywhere = std::net::TcpListener::bind("[::]:0");
    let socket = everywhere.or_else(|_| std::net::TcpListener::bind("0.0.0.0:0"));
    let socket = socket.expect("binds");
    socket.set_nonblocking(true).expect("sets");
    let port = socket.local_addr().expect("an address").port();
    let hostname = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let mut answers = std::collections::BTreeSet::new();
    for uri in [
        // Names of this machine, where its files know them.
        format!("https://{}:{port}", hostname.trim().to_lowercase()),
        format!("https://ip6-localhost:{port}"),
        format!("https://ip6-loopback:{port}/realm"),
        "https://no-such-host.invalid".to_owned(),
        "https://issuer.invalid/realm".to_owned(),
    ] {
        let mut claims = claims(&issuer);
        claims["iss"] = json!(uri);
        bind(&p, &issuer, json!({ "issuerUri": uri })).await;
        let (status, body) = exchange(&p, PAYMENTS, &uri, &issuer.ec.sign(&claims)).await;
        assert_eq!(status, 401);
        answers.insert(body.to_string());
        let nobody = socket.accept().expect_err("nobody came").kind();
        assert_eq!(nobody, std::io::ErrorKind::WouldBlock, "{uri}");
    }
    let expected = json!({ "code": 16,
        "message": "external token refused: the issuer's documents cannot be had" });
    assert_eq!(answers, [expected.to_string()].into());
}
