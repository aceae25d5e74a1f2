//! Who gets in: tokens signed by an independent implementation, and every way to get one wrong.

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rolecall_server::{SeedAccount, Unauthenticated};
use serde_json::{Value, json};

use super::client::{CREATE, Key, LIST, ORG, PAYMENTS, Platform, READ, acme, memory, role};

const BODY: &[u8] = br#"{"query":"{viewer{mrn}}"}"#;

fn now() -> Timestamp {
    Timestamp::now()
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn sha256_hex(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

async fn refused(p: &Platform, authorization: Option<&str>, why: &str) {
    let (status, body) = p.post(authorization, BODY.to_vec()).await;
    let expected = json!({ "errors": [{ "message": "request permission unauthenticated" }] });
    assert_eq!((status, body), (401, expected), "{why}");
}

async fn accepted(p: &Platform, authorization: &str, why: &str) {
    let (status, body) = p.post(Some(authorization), BODY.to_vec()).await;
    assert_eq!(status, 200, "{why}: {body}");
    assert_eq!(
        body,
        json!({ "data": { "viewer": { "mrn": p.owner.mrn } } }),
        "{why}"
    );
}

#[tokio::test]
async fn a_good_token_is_found_in_all_three_places() {
    let p = Platform::start().await;
    let token = p.owner.sign(&p.owner.claims(now()));
    for scheme in ["Bearer ", "bearer ", "BEARER  ", ""] {
        accepted(&p, &format!("{scheme}{token}"), scheme).await;
    }
    let url = format!("{}?access_token={token}", p.url());
    let response = reqwest::Client::new()
        .post(url)
        .body(BODY)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status().as_u16(), 200);
    assert!(
        response.headers().contains_key("date"),
        "clients measure their clock by it"
    );
}

#[tokio::test]
async fn wrong_tokens_are_refused() {
    let p = Platform::start().await;
    let claims = p.owner.claims(now());
    let other = p.account(ORG, "other", &["owner"]);
    let header = |alg: Algorithm, kid: Option<&str>| {
        let mut header = Header::new(alg);
        header.kid = kid.map(str::to_owned);
        header
    };
    let good = header(Algorithm::ES384, Some(&p.owner.mrn));

    refused(&p, None, "no token").await;
    refused(&p, Some(""), "empty").await;
    refused(&p, Some("Bearer "), "empty bearer").await;
    refused(&p, Some("Bearer nonsense"), "nonsense").await;
    refused(&p, Some("Bearer a.b.c"), "nonsense in three parts").await;

    let token = p.owner.sign(&claims);
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    refused(&p, Some(&format!("{signed}.")), "no signature").await;
    refused(&p, Some(signed), "two parts").await;
    let last = if signature.starts_with('A') { "B" } else { "A" };
    refused(
        &p,
        Some(&format!("{signed}.{last}{}", &signature[1..])),
        "forged signature",
    )
    .await;
    let payload = token.split('.').nth(1).expect("a payload");
    let forged = other.sign_with(&header(Algorithm::ES384, Some(&other.mrn)), &claims);
    let other_payload = forged.split('.').nth(1).expect("a payload");
    assert_eq!(payload, other_payload, "the same claims");
    refused(
        &p,
        Some(&forged),
        "signed by another account in the first one's name",
    )
    .await;
    refused(
        &p,
        Some(&other.sign_with(&good, &claims)),
        "another key under the kid",
    )
    .await;

    // {"alg":"none"} and HMAC under the public certificate.
    let unsigned = format!("eyJhbGciOiJub25lIiwia2lkIjoieCJ9.{payload}.");
    refused(&p, Some(&unsigned), "unsigned").await;
    let hmac = jsonwebtoken::encode(
        &header(Algorithm::HS384, Some(&p.owner.mrn)),
        &claims,
        &EncodingKey::from_secret(b"certificate"),
    );
    refused(&p, Some(&hmac.expect("signs")), "HMAC").await;
    let es256 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
    let es256 = Key {
        mrn: p.owner.mrn.clone(),
        pem: es256.serialize_pem(),
    };
    let es256 = es256.sign_with(&header(Algorithm::ES256, Some(&p.owner.mrn)), &claims);
    refused(&p, Some(&es256), "ES256").await;
    // The right signature under a header that lies about its algorithm.
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
    let lie = json!({ "alg": "ES256", "kid": p.owner.mrn, "typ": "JWT" }).to_string();
    let lie = format!("{}.{payload}", B64.encode(lie));
    let signature = raw_sign(&p.owner.pem, lie.as_bytes());
    refused(
        &p,
        Some(&format!("{lie}.{}", B64.encode(signature))),
        "lying alg",
    )
    .await;

    let kid = |kid| p.owner.sign_with(&header(Algorithm::ES384, kid), &claims);
    refused(&p, Some(&kid(None)), "no kid").await;
    refused(
        &p,
        Some(&kid(Some("//agents.api.mondoo.app/x"))),
        "unknown kid",
    )
    .await;

    for (name, value) in [
        ("iss", json!("mondoo/other")),
        ("sub", json!(other.mrn)),
        ("exp", json!("tomorrow")),
        ("chash", json!(sha256_hex(b"another body"))),
        ("chash", json!("")),
        ("chash", json!(7)),
    ] {
        let token = p.owner.sign(&with(claims.clone(), name, value.clone()));
        refused(&p, Some(&token), &format!("{name}={value}")).await;
    }
    for name in ["iss", "sub", "exp"] {
        refused(
            &p,
            Some(&p.owner.sign(&without(claims.clone(), name))),
            name,
        )
        .await;
    }
    accepted(
        &p,
        &p.owner
            .sign(&without(without(claims.clone(), "iat"), "nbf")),
        "optional",
    )
    .await;
    let chash = with(claims, "chash", json!(sha256_hex(BODY)));
    accepted(&p, &p.owner.sign(&chash), "the body's own hash").await;
}

fn raw_sign(pem: &str, message: &[u8]) -> Vec<u8> {
    use aws_lc_rs::{rand::SystemRandom, signature};
    let key = rcgen::KeyPair::from_pem(pem).expect("a key");
    let key = signature::EcdsaKeyPair::from_pkcs8(
        &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        &key.serialize_der(),
    );
    let signed = key.expect("P-384").sign(&SystemRandom::new(), message);
    signed.expect("signs").as_ref().to_vec()
}

#[test]
fn clocks_may_differ_by_a_minute_and_no_more() {
    let app = memory(Default::default());
    let now: Timestamp = "2025-11-21T12:00:00Z".parse().expect("a time");
    app.seed(&acme(), now).expect("seeds");
    let owner = app
        .ensure_owner("acme-corp-883120", now)
        .expect("works")
        .expect("first");
    let key = Key::from(&owner);
    let bearer = key.bearer(now);
    // The token lives from `now` to `now` + 60 s.
    for (seconds, expected) in [
        (-61, Err(Unauthenticated::Claims)),
        (-59, Ok(())),
        (0, Ok(())),
        (119, Ok(())),
        (121, Err(Unauthenticated::Claims)),
    ] {
        let at = now + SignedDuration::from_secs(seconds);
        let result = app.authenticate(Some(&bearer), BODY, at).map(|identity| {
            assert_eq!(identity.mrn, key.mrn);
        });
        assert_eq!(result, expected, "{seconds} s");
    }
}

#[tokio::test]
async fn deleted_and_expired_accounts_are_out_at_once() {
    let p = Platform::start().await;
    let key = p.account(PAYMENTS, "soon gone", &["editor"]);
    p.ok(&key, READ, json!({ "mrn": key.mrn })).await;
    p.app.admin_delete(&key.mrn, now()).expect("deletes");
    refused(&p, Some(&key.bearer(now())), "deleted").await;

    let start: Timestamp = "2025-01-01T00:00:00Z".parse().expect("a time");
    let end = start + SignedDuration::from_secs(1000);
    let account = SeedAccount {
        name: "short".to_owned(),
        valid_until: Some(end),
        ..Default::default()
    };
    let mrn = p
        .app
        .admin_create_account(PAYMENTS, &account, start)
        .expect("creates");
    let key = Key::from(&p.app.admin_issue_credential(&mrn, start).expect("issues"));
    let at = |at: Timestamp| {
        p.app
            .authenticate(Some(&key.bearer(at)), BODY, at)
            .map(|i| i.mrn)
    };
    assert_eq!(at(end - SignedDuration::from_secs(1)), Ok(mrn));
    assert_eq!(at(end), Err(Unauthenticated::Expired));

    let old = p.account(PAYMENTS, "two keys", &[]);
    p.app
        .admin_issue_credential(&old.mrn, now())
        .expect("issues");
    refused(&p, Some(&old.bearer(now())), "a key that was replaced").await;
}

#[tokio::test]
async fn api_tokens_are_opaque() {
    let p = Platform::start().await;
    let text = "opaque-token-of-a-script";
    let mrn = p
        .app
        .admin_create_token(ORG, "script", text, &["viewer"], now())
        .expect("creates");
    let (status, body) = p.post(Some(&format!("bearer {text}")), BODY.to_vec()).await;
    assert_eq!((status, &body["data"]["viewer"]["mrn"]), (200, &json!(mrn)));
    refused(&p, Some("bearer opaque-token-of-a-scripT"), "another text").await;
    let dump = p.app.dump().expect("dumps").to_string();
    assert!(
        dump.contains(&mrn) && !dump.contains(text),
        "only the hash is stored"
    );
}

#[test]
fn last_used_moves_at_most_once_a_minute() {
    let app = memory(Default::default());
    let start: Timestamp = "2025-11-21T12:00:00Z".parse().expect("a time");
    app.seed(&acme(), start).expect("seeds");
    let owner = app
        .ensure_owner("acme-corp-883120", start)
        .expect("works")
        .expect("first");
    let key = Key::from(&owner);
    let used = |seconds: i64| {
        let at = start + SignedDuration::from_secs(seconds);
        let body = json!({ "query": READ, "variables": { "mrn": key.mrn } }).to_string();
        let (status, body) = app.serve_bytes(Some(&key.bearer(at)), body.as_bytes(), at);
        assert_eq!(status, 200);
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        body["data"]["serviceAccount"]["lastUsed"].clone()
    };
    assert_eq!(used(0), "2025-11-21T12:00:00Z");
    assert_eq!(used(59), "2025-11-21T12:00:00Z");
    assert_eq!(used(61), "2025-11-21T12:01:01Z");
}

#[tokio::test]
async fn certificates_are_what_the_platform_issues() {
    let p = Platform::start().await;
    let input = json!({ "scopeMrn": PAYMENTS, "name": "x", "roles": [{ "mrn": role("viewer") }],
        "validUntil": "2031-05-06T07:08:09Z" });
    let data = p.ok(&p.owner, CREATE, json!({ "input": input })).await;
    let dated = certificate(&data["createServiceAccount"]);
    let input = json!({ "scopeMrn": PAYMENTS, "roles": [{ "mrn": role("viewer") }] });
    let data = p.ok(&p.owner, CREATE, json!({ "input": input })).await;
    let endless = certificate(&data["createServiceAccount"]);

    // 310506070809Z as UTCTime and 99991231235959Z as GeneralizedTime.
    assert!(
        contains(&dated.der, b"310506070809Z"),
        "not after validUntil"
    );
    assert!(
        contains(&endless.der, b"99991231235959Z"),
        "not after the end of time"
    );
    for cert in [&dated, &endless] {
        let mrn = cert.mrn.as_bytes();
        assert!(contains(&cert.der, mrn), "the MRN as DNS name");
        let scope = PAYMENTS.as_bytes();
        let count = cert
            .der
            .windows(scope.len())
            .filter(|w| *w == scope)
            .count();
        assert_eq!(count, 2, "the scope as issuer and subject");
        let ecdsa_sha384 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
        assert!(contains(&cert.der, &ecdsa_sha384));
        // The certificate verifies itself, and for the purpose of a server.
        let der = rustls::pki_types::CertificateDer::from(cert.der.clone());
        let anchor = webpki::anchor_from_trusted_cert(&der).expect("an anchor");
        let anchors = [anchor];
        let leaf = webpki::EndEntityCert::try_from(&der).expect("a certificate");
        let verified = leaf.verify_for_usage(
            &[webpki::aws_lc_rs::ECDSA_P384_SHA384],
            &anchors,
            &[],
            rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(
                now().as_second().unsigned_abs(),
            )),
            webpki::KeyUsage::server_auth(),
            None,
            None,
        );
        assert!(verified.is_ok(), "{:?}", verified.err());
        // The key and the certificate belong together.
        let key = rcgen::KeyPair::from_pem(&cert.key).expect("a key");
        let spki = leaf.subject_public_key_info();
        assert!(contains(spki.as_ref(), key.public_key_raw()));
    }
    assert_ne!(dated.serial(), endless.serial());
    assert_eq!(dated.serial().len(), 16);
    assert_ne!(dated.key, endless.key);
}

struct Certificate {
    mrn: String,
    key: String,
    der: Vec<u8>,
}

impl Certificate {
    /// The serial number: the first INTEGER after the version `[0] { 2 }`.
    fn serial(&self) -> &[u8] {
        let version = [0xa0, 0x03, 0x02, 0x01, 0x02, 0x02];
        let at = self
            .der
            .windows(6)
            .position(|w| w == version)
            .expect("a v3 certificate")
            + 6;
        &self.der[at + 1..at + 1 + usize::from(self.der[at])]
    }
}

fn certificate(made: &Value) -> Certificate {
    use rustls::pki_types::pem::PemObject;
    let text = |name: &str| made[name].as_str().expect("a string").to_owned();
    let pem = text("certificate");
    let der = rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
    Certificate {
        mrn: text("mrn"),
        key: text("privateKey"),
        der: der.to_vec(),
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[tokio::test]
async fn an_issued_key_authenticates_at_once() {
    let p = Platform::start().await;
    let input = json!({ "scopeMrn": PAYMENTS, "roles": [{ "mrn": role("editor") }] });
    let key = p.create(input).await;
    let data = p.ok(&key, LIST, json!({ "scopeMrn": PAYMENTS })).await;
    assert_eq!(data["serviceAccounts"]["totalCount"], 3);
}
