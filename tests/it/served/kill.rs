//! `kill -9` at any moment: what was acknowledged is there, the rest is whole or absent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rolecall_server::{App, Options, Storage};
use serde_json::{Value, json};

use super::{PAYMENTS, Served, TOKEN, seed, serve};

const CREATE: &str = "mutation($input: CreateServiceAccountInput){createServiceAccount\
     (input: $input){mrn privateKey}}";
const SET_ROLES: &str = "mutation($input: SetRolesInput!){setRoles(input: $input){mrns errors}}";
const WRITERS: usize = 4;

fn role(name: &str) -> String {
    format!("//iam.api.mondoo.app/roles/{name}")
}

/// A key that signs as an account.
#[derive(Clone)]
struct Key {
    mrn: String,
    pem: String,
}

impl Key {
    fn bearer(&self) -> String {
        let now = Timestamp::now().as_second();
        let claims = json!({ "iss": "mondoo/ams", "sub": self.mrn, "iat": now, "nbf": now, "exp": now + 60 });
        let mut header = Header::new(Algorithm::ES384);
        header.kid = Some(self.mrn.clone());
        let key = EncodingKey::from_ec_pem(self.pem.as_bytes()).expect("PKCS#8 PEM");
        let token = jsonwebtoken::encode(&header, &claims, &key).expect("signs");
        format!("Bearer {token}")
    }
}

/// Where a served platform takes operations.
fn query_of(served: &Served) -> String {
    format!("http://{}/query", served.address)
}

async fn send(
    http: &reqwest::Client,
    url: &str,
    authorization: &str,
    query: &str,
    variables: Value,
) -> Option<Value> {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = http.post(url).header("authorization", authorization);
    let response = request.body(body).send().await.ok()?;
    // Whoever has read the whole answer was told.
    let bytes = response.bytes().await.ok()?;
    let mut body: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(body.get("errors"), None, "{body}");
    Some(body["data"].take())
}

/// What the writers were told: roles by account.
type Told = Arc<Mutex<BTreeMap<String, String>>>;

async fn write(url: String, name: String, told: Told, keys: Arc<Mutex<Vec<Key>>>) {
    let http = reqwest::Client::new();
    let bearer = format!("Bearer {TOKEN}");
    for number in 0.. {
        let input = json!({
            "scopeMrn": PAYMENTS, "name": format!("{name}-{number}"), "roles": [{ "mrn": role("viewer") }],
            "labels": [{ "key": "whole", "value": "yes" }],
        });
        let made = send(&http, &url, &bearer, CREATE, json!({ "input": input })).await;
        let Some(made) = made else { return };
        let made = &made["createServiceAccount"];
        let mrn = made["mrn"].as_str().expect("an MRN").to_owned();
        let pem = made["privateKey"].as_str().expect("a key").to_owned();
        let note = |role: &str| {
            told.lock()
                .expect("whole")
                .insert(mrn.clone(), role.to_owned())
        };
        note("viewer");
        keys.lock().expect("whole").push(Key {
            mrn: mrn.clone(),
            pem,
        });
        let input = json!({ "scopeMrn": PAYMENTS, "identity": mrn, "roles": [role("editor")] });
        // Lost on the way it may have happened or not.
        note("?");
        let set = send(&http, &url, &bearer, SET_ROLES, json!({ "input": input })).await;
        if set.is_none() {
            return;
        }
        note("editor");
    }
}

fn check(path: &Path, told: &BTreeMap<String, String>) {
    let sound: String = rusqlite::Connection::open(path)
        .expect("opens")
        .query_row("pragma integrity_check", [], |row| row.get(0))
        .expect("answers");
    assert_eq!(sound, "ok");
    let app = App::open(Storage::File(path), Options::default()).expect("opens");
    let dump = app.dump().expect("dumps");
    let bindings: BTreeMap<&str, &Value> = dump["bindings"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|binding| Some((binding["identity"].as_str()?, &binding["roles"])))
        .collect();
    let either = [json!([role("viewer")]), json!([role("editor")])];
    let mut there = Vec::new();
    for account in dump["accounts"].as_array().expect("a list") {
        let mrn = account["mrn"].as_str().expect("an MRN");
        if account["name"] == "platform owner" {
            continue;
        }
        // Told or not: key, label and roles are all there.
        assert_eq!(account["has_key"], true, "{account}");
        assert_eq!(account["labels"][0]["value"], "yes", "{account}");
        let roles = bindings.get(mrn).expect("roles");
        assert!(either.contains(roles), "{roles}");
        there.push(mrn);
    }
    for (mrn, role_told) in told {
        assert!(there.contains(&mrn.as_str()), "{mrn} was acknowledged");
        if role_told != "?" {
            assert_eq!(*bindings[mrn.as_str()], json!([role(role_told)]), "{mrn}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    seed(folder.path());
    let told = Told::default();
    let keys = Arc::new(Mutex::new(Vec::new()));
    // Moments without a pattern; chosen, so that a failure can be repeated.
    for (round, moment) in [130, 311, 57, 223].into_iter().enumerate() {
        let mut served = serve(folder.path(), &[]);
        let url = query_of(&served);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let name = format!("{round}-{writer}");
                tokio::spawn(write(
                    url.clone(),
                    name,
                    Arc::clone(&told),
                    Arc::clone(&keys),
                ))
            })
            .collect();
        // In the middle of writing, however slow the machine.
        let before = told.lock().expect("whole").len();
        let started = async {
            while told.lock().expect("whole").len() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patience = Duration::from_secs(30);
        tokio::time::timeout(patience, started)
            .await
            .expect("a write is acknowledged");
        tokio::time::sleep(Duration::from_millis(moment)).await;
        served.child.kill().expect("killed");
        served.child.wait().expect("ended");
        for writer in writers {
            writer.await.expect("writes until the end");
        }
        check(
            &folder.path().join("p.db"),
            &told.lock().expect("whole").clone(),
        );
    }
    // Ids, tokens and credentials work on.
    let served = serve(folder.path(), &[]);
    let url = query_of(&served);
    let http = reqwest::Client::new();
    let first = keys.lock().expect("whole")[0].clone();
    for (authorization, expected) in [
        (first.bearer(), Some(first.mrn.as_str())),
        (format!("Bearer {TOKEN}"), None),
    ] {
        let data = send(&http, &url, &authorization, "{viewer{mrn}}", json!({})).await;
        let mrn = data.expect("an answer")["viewer"]["mrn"].clone();
        let mrn = mrn.as_str().expect("an MRN").to_owned();
        assert!(expected.is_none_or(|expected| expected == mrn), "{mrn}");
    }
}
