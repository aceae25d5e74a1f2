//! What goes wrong on purpose, as a client on a socket sees it, and what it leaves behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rolecall_server::{
    ConcurrentRoleWrites, Conduct, Faults, Hanging, Quirks, Running, SeedAccount,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::client::{CREATE, GET_ROLES, LIST, ORG, PAYMENTS, Platform, SET_ROLES, role};

/// A second socket of a platform, on which things go wrong.
struct Front {
    platform: Platform,
    running: Running,
    http: reqwest::Client,
}

async fn front_with(quirks: Quirks, conduct: Conduct) -> Front {
    let platform = Platform::with(quirks).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let clock = platform.clock.clock();
    let running = Running::start_with(Arc::clone(&platform.app), listener, clock, conduct);
    Front {
        platform,
        running: running.expect("starts"),
        http: reqwest::Client::new(),
    }
}

async fn front(rules: Value) -> Front {
    let json = json!({ "rules": rules }).to_string();
    let conduct = Conduct {
        faults: Faults::from_json(json.as_bytes()).expect("rules"),
        ..Conduct::default()
    };
    front_with(Quirks::default(), conduct).await
}

/// What came of a call: an answer, or how far it came.
#[derive(Debug, PartialEq)]
enum Came {
    Nothing,
    Half,
    Answer(u16, Value),
}

impl Front {
    async fn send(&self, query: &str, variables: Value) -> Came {
        self.full(query, variables).await.0
    }

    async fn full(&self, query: &str, variables: Value) -> (Came, Option<String>) {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let response = self
            .http
            .post(format!("http://{}/query", self.running.local_addr()))
            .header(
                "authorization",
                self.platform.owner.bearer(Timestamp::now()),
            )
            .body(body)
            .send()
            .await;
        let Ok(response) = response else {
            return (Came::Nothing, None);
        };
        let status = response.status().as_u16();
        let retry = response.headers().get("retry-after");
        let retry = retry.map(|value| value.to_str().expect("text").to_owned());
        match response.bytes().await {
            Ok(bytes) => {
                let body = serde_json::from_slice(&bytes).expect("JSON");
                (Came::Answer(status, body), retry)
            }
            Err(_) => (Came::Half, retry),
        }
    }

    async fn create(&self) -> Came {
        let input = json!({ "scopeMrn": PAYMENTS, "name": "wanted" });
        self.send(CREATE, json!({ "input": input })).await
    }

    /// How many accounts with the wanted name there are, asked where nothing goes wrong.
    async fn wanted(&self) -> usize {
        let variables = json!({ "scopeMrn": PAYMENTS, "query": "wanted" });
        let data = self
            .platform
            .ok(&self.platform.owner, LIST, variables)
            .await;
        data["serviceAccounts"]["edges"]
            .as_array()
            .expect("a list")
            .len()
    }
}

fn status(came: &Came) -> Option<u16> {
    match came {
        Came::Answer(status, _) => Some(*status),
        _ => None,
    }
}

#[tokio::test]
async fn each_fault_shows_itself_and_leaves_what_it_says() {
    // fault, what comes, accounts afterwards
    let cases = [
        (json!("refuse"), "nothing", 0),
        (json!("lose_answer"), "nothing", 1),
        (json!("truncate"), "half", 1),
        (json!("duplicate"), "200", 2),
        (json!("abort"), "aborted", 0),
        (json!({ "delay": { "ms": 1 } }), "200", 1),
        (json!({ "too_many": { "retry_after_s": 3 } }), "429", 0),
        (json!({ "status": { "code": 500 } }), "500", 0),
        (
            json!({ "status": { "code": 502, "after_effect": true } }),
            "502",
            1,
        ),
        // A write is not changed by it.
        (json!({ "stale_read": { "ms": 60_000 } }), "200", 1),
    ];
    for (fault, expected, accounts) in cases {
        let rules = json!([{ "operation": "createServiceAccount", "count": 1, "fault": fault }]);
        let f = front(rules).await;
        let came = match f.create().await {
            Came::Nothing => "nothing".to_owned(),
            Came::Half => "half".to_owned(),
            Came::Answer(200, body) if body["errors"].is_array() => {
                let error = &body["errors"][0];
                let message = error["message"].as_str().expect("a message");
                assert!(
                    message.starts_with("rpc error: code = Aborted desc = "),
                    "{message}"
                );
                assert_eq!(error["path"], json!(["createServiceAccount"]));
                "aborted".to_owned()
            }
            Came::Answer(status, _) => status.to_string(),
        };
        assert_eq!(
            (came.as_str(), f.wanted().await),
            (expected, accounts),
            "{fault}"
        );
        // The rule has struck once, and its connection's end hurts no later call.
        assert_eq!(status(&f.create().await), Some(200), "{fault}");
        assert_eq!(f.wanted().await, accounts + 1, "{fault}");
    }
}

#[tokio::test]
async fn too_many_says_how_long_to_wait() {
    let rules = json!([
        { "operation": "viewer", "count": 1, "fault": { "too_many": { "retry_after_s": 3 } } },
        { "operation": "viewer", "count": 1, "from": 2, "fault": { "too_many": {} } },
    ]);
    let f = front(rules).await;
    for expected in [(429, Some("3")), (429, None), (200, None)] {
        let (came, retry) = f.full("{viewer{mrn}}", json!({})).await;
        assert_eq!(
            (status(&came), retry.as_deref()),
            (Some(expected.0), expected.1)
        );
    }
}

#[tokio::test]
async fn a_stale_read_shows_what_was_and_the_next_what_is() {
    let half_an_hour = 30 * 60 * 1000;
    let rules = json!([
        { "operation": "getRoles", "count": 1, "fault": { "stale_read": { "ms": half_an_hour } } },
    ]);
    let f = front(rules).await;
    let account = SeedAccount {
        name: "x".to_owned(),
        roles: vec!["viewer".to_owned()],
        ..SeedAccount::default()
    };
    let hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    let app = &f.platform.app;
    let mrn = app
        .admin_create_account(PAYMENTS, &account, hour_ago)
        .expect("creates");
    let input = json!({ "scopeMrn": PAYMENTS, "identity": mrn, "roles": [role("editor")] });
    assert_eq!(
        status(&f.send(SET_ROLES, json!({ "input": input })).await),
        Some(200)
    );
    let ask = json!({ "identity": mrn, "scopeMrn": PAYMENTS });
    for expected in ["viewer", "editor"] {
        let Came::Answer(200, body) = f.send(GET_ROLES, ask.clone()).await else {
            panic!("an answer");
        };
        let roles = &body["data"]["getRoles"]["roles"];
        let roles: Vec<&str> = roles
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert!(
            roles.contains(&role(expected).as_str()),
            "{expected}: {body}"
        );
    }
}

#[tokio::test]
async fn latency_delays_every_call() {
    let conduct = Conduct {
        latency_ms: 150,
        ..Conduct::default()
    };
    let f = front_with(Quirks::default(), conduct).await;
    let start = Instant::now();
    assert_eq!(status(&f.send("{viewer{mrn}}", json!({})).await), Some(200));
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn a_rate_limit_answers_429_and_ends() {
    let conduct = Conduct {
        rate_limit: Some(1),
        ..Conduct::default()
    };
    let f = front_with(Quirks::default(), conduct).await;
    let mut limited = 0;
    for _ in 0..20 {
        let (came, retry) = f.full("{viewer{mrn}}", json!({})).await;
        match status(&came) {
            Some(200) => {}
            Some(429) => {
                assert_eq!(retry.as_deref(), Some("1"));
                limited += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(limited > 0, "twenty calls in a moment are too many");
    f.platform.clock.forward(2);
    assert_eq!(status(&f.send("{viewer{mrn}}", json!({})).await), Some(200));
}

#[tokio::test]
async fn a_second_role_write_on_a_scope_waits_or_is_aborted() {
    for (concurrent_role_writes, expected) in [
        (ConcurrentRoleWrites::Queue, 0),
        (ConcurrentRoleWrites::Abort, 1),
    ] {
        let quirks = Quirks {
            concurrent_role_writes,
            ..Quirks::default()
        };
        // All three stay in flight long enough to meet.
        let rules = json!({ "rules": [
            { "operation": "setRoles", "count": 3, "fault": { "delay": { "ms": 2000 } } },
        ] });
        let conduct = Conduct {
            faults: Faults::from_json(rules.to_string().as_bytes()).expect("rules"),
            ..Conduct::default()
        };
        let f = front_with(quirks, conduct).await;
        let write = |scope: &str| {
            let identity = &f.platform.owner.mrn;
            let input =
                json!({ "scopeMrn": scope, "identity": identity, "roles": [role("owner")] });
            f.send(SET_ROLES, json!({ "input": input }))
        };
        let (a, b, other) = tokio::join!(write(PAYMENTS), write(PAYMENTS), write(ORG));
        let aborted = |came: &Came| match came {
            Came::Answer(200, body) => body.to_string().contains("code = Aborted"),
            other => panic!("{other:?}"),
        };
        let count = [&a, &b].into_iter().filter(|came| aborted(came)).count();
        assert_eq!(count, expected, "{a:?} {b:?}");
        assert!(!aborted(&other), "another scope is free");
        assert!(!aborted(&write(PAYMENTS).await), "free again afterwards");
    }
}

/// Whoever waits for it is told and may kill the caller, with whom the call ends.
#[tokio::test]
async fn a_call_that_hangs_is_told_and_ends_with_its_caller() {
    for done in [false, true] {
        let (told, mut hanging) = tokio::sync::mpsc::unbounded_channel();
        let conduct = Conduct {
            hanging: Some(told),
            ..Conduct::default()
        };
        let quirks = Quirks {
            concurrent_role_writes: ConcurrentRoleWrites::Abort,
            ..Quirks::default()
        };
        let f = front_with(quirks, conduct).await;
        assert_eq!(status(&f.create().await), Some(200), "no rule yet");
        let rules = json!({ "rules": [{ "operation": "*", "from": 2, "count": 1,
            "fault": { "hang": { "after_effect": done } } }] });
        let rules = Faults::from_json(rules.to_string().as_bytes());
        f.running.script(rules.expect("rules"));
        assert_eq!(status(&f.create().await), Some(200), "counting begins anew");
        let identity = &f.platform.owner.mrn;
        let input =
            json!({ "scopeMrn": PAYMENTS, "identity": identity, "roles": [role("viewer")] });
        let variables = json!({ "input": input });
        let call = tokio::select! {
            came = f.send(SET_ROLES, variables.clone()) => panic!("{came:?}"),
            call = hanging.recv() => call,
        };
        let operations = vec!["setRoles".to_owned()];
        let writes = true;
        let expected = Hanging {
            operations,
            writes,
            done,
        };
        assert_eq!(call, Some(expected));
        let held = json!({ "scopeMrn": PAYMENTS, "identity": identity });
        let held = f.platform.ok(&f.platform.owner, GET_ROLES, held).await;
        let viewer = held.to_string().contains(&role("viewer"));
        assert_eq!(viewer, done, "{held}");
        // As long as it hangs, the scope is taken.
        let next = loop {
            match f.send(SET_ROLES, variables.clone()).await {
                Came::Answer(200, body) if body.to_string().contains("code = Aborted") => {
                    tokio::task::yield_now().await;
                }
                came => break came,
            }
        };
        assert_eq!(status(&next), Some(200));
    }
}
