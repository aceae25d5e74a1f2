//! Whoever starts a socket says what time it is there; nothing behind it looks elsewhere.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::{CREATE, PAYMENTS, Platform, READ, role};

/// The text of a time is within a minute of another time.
fn close(text: &Value, to: Timestamp) {
    let at: Timestamp = text.as_str().expect("a time").parse().expect("RFC 3339");
    let off = at.as_second() - to.as_second();
    assert!(off.abs() < 60, "{at} is not {to}");
}

#[tokio::test]
async fn all_times_are_those_of_the_clock_that_was_given() {
    let year = 365 * 24 * 3600;
    for ahead in [-3 * year, 40 * 24 * 3600, 5 * year] {
        let p = Platform::start().await;
        p.clock.forward(ahead);
        let now = p.clock.now();
        let ask = async |query: &str, variables: Value| {
            let body = json!({ "query": query, "variables": variables }).to_string();
            let bearer = p.owner.bearer(now);
            let (status, mut body) = p.post(Some(&bearer), body.into_bytes()).await;
            assert_eq!((status, body.get("errors")), (200, None), "{body}");
            body["data"].take()
        };
        let input =
            json!({ "scopeMrn": PAYMENTS, "name": "ci", "roles": [{ "mrn": role("viewer") }] });
        let made = ask(CREATE, json!({ "input": input })).await;
        let mrn = &made["createServiceAccount"]["mrn"];
        let created = "query($mrn: String!){serviceAccount(mrn: $mrn){createdAt}}";
        let read = ask(created, json!({ "mrn": mrn })).await;
        close(&read["serviceAccount"]["createdAt"], now);
        let read = ask(READ, json!({ "mrn": p.owner.mrn })).await;
        close(&read["serviceAccount"]["lastUsed"], now);

        let url = format!("http://{}/Health/Check", p.running.local_addr());
        let health = reqwest::Client::new().get(url).send().await;
        let health: Value = health.expect("an answer").json().await.expect("JSON");
        close(&health["time"], now);

        // What the system's clock calls fresh is not.
        let body = json!({ "query": "{viewer{mrn}}" }).to_string();
        let system = p.owner.bearer(Timestamp::now());
        assert_eq!(p.post(Some(&system), body.into_bytes()).await.0, 401);
    }
}
