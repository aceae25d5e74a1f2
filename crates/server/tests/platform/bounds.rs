//! What one caller may take of the platform: documents that nest or multiply without end, and requests
//! that never become whole.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rolecall_server::{ConcurrentRoleWrites, Conduct, Faults, Patience, Quirks, Running};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::client::{PAYMENTS, Platform};

/// Documents and variables that nest deeper than any client's.
fn deep() -> Vec<(String, Value)> {
    let nested = |open: &str, n: usize, close: &str| {
        format!(
            "{{space(mrn:{}1{}){{mrn}}}}",
            open.repeat(n),
            close.repeat(n)
        )
    };
    let list = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let default = format!("query($a: X = {}){{viewer{{mrn}}}}", list(2_000));
    let kind = format!("query($a: {}){{viewer{{mrn}}}}", list(2_000));
    let directive = format!("{{viewer @include(if: {}){{mrn}}}}", list(2_000));
    let selection = format!("{{{}", "a{".repeat(20_000));
    let inline = format!("{{{}", "...{".repeat(2_000));
    let mut all: Vec<(String, Value)> = [
        nested("[", 65, "]"),
        nested("[", 2_000, "]"),
        nested("{a:", 3_000, "}"),
        nested("[{a:", 1_500, "}]"),
        nested("[", 100_000, ""),
        default,
        kind,
        directive,
        selection,
        inline,
        format!("{{space(mrn:\"\"\"x\" {}){{mrn}}}}", list(2_000)),
    ]
    .into_iter()
    .map(|query| (query, json!({})))
    .collect();
    for n in [65, 120] {
        let value: Value = serde_json::from_str(&list(n)).expect("JSON");
        let query = "query($a: [String!]!){testIamActions(resourceMrn: \"x\", actions: $a)}";
        all.push((query.to_owned(), json!({ "a": value })));
        let mut object = json!(1);
        for _ in 0..n {
            object = json!({ "a": object });
        }
        let query = "mutation($i: SetRolesInput!){setRoles(input: $i){mrns}}";
        all.push((query.to_owned(), json!({ "i": object })));
    }
    all
}

/// Documents that multiply by fragments.
fn multiplied() -> Vec<String> {
    let doubled = |n: usize, each: &str| {
        let mut query = "{...F0}".to_owned();
        for i in 0..n {
            let next = format!("...F{j} ...F{j}", j = i + 1);
            query += &format!(" fragment F{i} on Query {{{}}}", each.replace('_', &next));
        }
        query + &format!(" fragment F{n} on Query {{viewer{{mrn}}}}")
    };
    let chain: String = (0..5_000)
        .map(|i| format!(" fragment F{i} on Query {{...F{}}}", i + 1))
        .collect();
    let wide = |count: usize, fragment: &str| {
        format!(
            "{{{}}} fragment F on Query {{{fragment}}}",
            "...F ".repeat(count)
        )
    };
    vec![
        doubled(21, "_"),
        doubled(28, "_"),
        doubled(60, "_"),
        doubled(28, "... on Query {_}"),
        format!("{{...F0}}{chain} fragment F5000 on Query {{viewer{{mrn}}}}"),
        format!("{{...F0}}{chain} fragment F5000 on Query {{...F0}}"),
        "{...A} fragment A on Query {...B ...B} fragment B on Query {...A ...A}".to_owned(),
        wide(4_000, &"viewer{mrn} ".repeat(3_000)),
        wide(7_000, "viewer{mrn}"),
        "query A{...F} ".repeat(4_000) + "fragment F on Query {viewer{mrn}}",
    ]
}

/// The platform lives: somebody else's request is answered.
async fn lives(p: &Platform) {
    let data = p.ok(&p.owner, "{viewer{mrn}}", json!({})).await;
    assert_eq!(data["viewer"]["mrn"], p.owner.mrn);
}

#[tokio::test]
async fn what_nests_too_deep_is_refused() {
    let p = Platform::start().await;
    let agent = p.account(PAYMENTS, "agent", &["agent"]);
    for (query, variables) in deep() {
        let shown: String = query.chars().take(60).collect();
        let started = Instant::now();
        let (status, body) = p.raw(&agent, &query, variables.clone()).await;
        assert_eq!(status, 422, "{shown}: {body}");
        let message = body["errors"][0]["message"].as_str().expect("a message");
        assert!(
            message.contains("open at once")
                || message.contains("levels deep")
                || message.contains("does not end"),
            "{shown}: {message}"
        );
        assert!(started.elapsed() < Duration::from_secs(5), "{shown}");
        // A stranger learns nothing, not even that.
        let body = json!({ "query": query, "variables": variables }).to_string();
        assert_eq!(p.post(None, body.into_bytes()).await.0, 401, "{shown}");
    }
    lives(&p).await;
    // As deep as may be, in every kind.
    for query in [
        format!(
            "{{space(mrn:{}1{}){{mrn}}}}",
            "[".repeat(62),
            "]".repeat(62)
        ),
        format!(
            "{{space(mrn:{}1{}){{mrn}}}}",
            "{a:".repeat(62),
            "}".repeat(62)
        ),
        format!("{{space(mrn:\"{}\"){{mrn}}}}", "[".repeat(5_000)),
        format!("{{viewer{{mrn}} # {}\n}}", "[".repeat(5_000)),
    ] {
        let (_, body) = p.raw(&agent, &query, json!({})).await;
        let text = body.to_string();
        assert!(
            !text.contains("open at once") && !text.contains("does not end"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_fragments_multiply_is_refused_at_once() {
    let p = Platform::start().await;
    let agent = p.account(PAYMENTS, "agent", &["agent"]);
    for query in multiplied() {
        let shown: String = query.chars().take(80).collect();
        let started = Instant::now();
        let (status, body) = p.raw(&agent, &query, json!({})).await;
        assert_eq!(status, 422, "{shown}: {body}");
        assert!(started.elapsed() < Duration::from_secs(5), "{shown}");
    }
    lives(&p).await;
    // What a client would send: a fragment in each of a hundred fields.
    let fields: String = (0..100).map(|i| format!("a{i}:viewer{{...F}} ")).collect();
    let query = format!("{{{fields}}} fragment F on Viewer {{mrn name}}");
    assert_eq!(p.raw(&agent, &query, json!({})).await.0, 200);
}

#[tokio::test]
async fn lists_within_lists_end() {
    let p = Platform::start().await;
    let ids: Vec<String> = (0..97).map(|i| format!("space-{i:03}")).collect();
    let spaces: Vec<_> = ids
        .iter()
        .map(|id| (id.as_str(), id.as_str(), "acme-corp-883120"))
        .collect();
    p.app
        .ensure_scopes(&[], &spaces, Timestamp::now())
        .expect("creates");
    let nested = |levels: usize, each: &str| {
        let mut inner = each.to_owned();
        for _ in 0..levels {
            inner = format!("organization{{spacesList{{edges{{node{{{inner}}}}}}}}}");
        }
        format!("{{space(mrn:\"{PAYMENTS}\"){{{inner}}}}}")
    };
    let wide: String = (0..7_000).map(|i| format!("a{i}:mrn ")).collect();
    let members = "members{edges{node{roles{mrn}}}} ";
    let aliased: String = (0..300).map(|i| format!("a{i}:{members}")).collect();
    for query in [
        nested(3, "mrn"),
        nested(4, "mrn"),
        nested(2, &wide),
        nested(2, &aliased),
    ] {
        let started = Instant::now();
        let (status, body) = p.raw(&p.owner, &query, json!({})).await;
        assert_eq!(status, 200);
        let message = body["errors"][0]["message"].as_str().expect("an error");
        assert!(message.contains("more than 250000 values"), "{message}");
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{:?}",
            started.elapsed()
        );
    }
    let data = p.ok(&p.owner, &nested(2, "mrn"), json!({})).await;
    let text = data.to_string();
    assert_eq!(
        text.matches("\"mrn\"").count(),
        100 * 100,
        "what is within the bound comes whole"
    );
}

#[tokio::test]
async fn many_mistakes_get_a_short_answer() {
    let p = Platform::start().await;
    let fields: String = (0..7_000).map(|i| format!("no{i} ")).collect();
    let (status, body) = p.raw(&p.owner, &format!("{{{fields}}}"), json!({})).await;
    assert_eq!(status, 422);
    assert_eq!(body["errors"].as_array().map(Vec::len), Some(100));
    let arguments: String = (0..50_000).map(|i| format!("no{i}:1 ")).collect();
    for query in [
        format!("{{viewer({arguments}){{mrn}}}}"),
        format!("{{viewer @include({arguments}){{mrn}}}}"),
    ] {
        let (status, body) = p.raw(&p.owner, &query, json!({})).await;
        assert_eq!(status, 422);
        assert!(body.to_string().len() < 1_000);
    }
}

/// A second socket of a platform that looks into every call.
async fn listening(quirks: Quirks, rules: Value) -> (Platform, Running) {
    let p = Platform::with(quirks).await;
    let rules = json!({ "rules": rules }).to_string();
    let conduct = Conduct {
        faults: Faults::from_json(rules.as_bytes()).expect("rules"),
        ..Conduct::default()
    };
    let running = second(&p, conduct).await;
    (p, running)
}

async fn second(p: &Platform, conduct: Conduct) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let clock = p.clock.clock();
    Running::start_with(Arc::clone(&p.app), listener, clock, conduct).expect("starts")
}

async fn post(address: SocketAddr, authorization: Option<&str>, body: String) -> (u16, String) {
    let mut request = reqwest::Client::new().post(format!("http://{address}/query"));
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let response = request.body(body).send().await.expect("an answer");
    (
        response.status().as_u16(),
        response.text().await.expect("a body"),
    )
}

#[tokio::test]
async fn nobody_is_looked_into_before_it_is_known_who_it_is() {
    let rules = json!([{ "operation": "setRoles", "fault": "abort" }]);
    let concurrent = Quirks {
        concurrent_role_writes: ConcurrentRoleWrites::Abort,
        ..Quirks::default()
    };
    for (quirks, rules) in [(Quirks::default(), rules), (concurrent, json!([]))] {
        let (p, running) = listening(quirks, rules).await;
        let address = running.local_addr();
        let agent = p.account(PAYMENTS, "agent", &["agent"]);
        let mut bodies: Vec<String> = deep()
            .into_iter()
            .chain(multiplied().into_iter().map(|query| (query, json!({}))))
            .map(|(query, variables)| json!({ "query": query, "variables": variables }).to_string())
            .collect();
        let list = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        bodies.push(format!(
            "{{\"query\":\"{{viewer{{mrn}}}}\",\"variables\":{{\"a\":{list}}}}}"
        ));
        bodies.push(list);
        for body in bodies {
            let started = Instant::now();
            for stranger in [None, Some("Bearer nonsense"), Some("Bearer a.b.c")] {
                assert_eq!(post(address, stranger, body.clone()).await.0, 401);
            }
            let token = agent.bearer(Timestamp::now());
            let status = post(address, Some(&token), body).await.0;
            assert!(matches!(status, 400 | 422), "{status}");
            assert!(started.elapsed() < Duration::from_secs(10));
        }
        lives(&p).await;
    }
}

#[tokio::test]
async fn a_stranger_meets_only_what_everybody_meets() {
    let set = json!({ "query": "mutation{setRoles(input: {scopeMrn: \"x\"}){mrns}}" }).to_string();
    let rules =
        json!([{ "operation": "setRoles", "count": 1, "fault": { "status": { "code": 503 } } }]);
    let (p, running) = listening(Quirks::default(), rules).await;
    let address = running.local_addr();
    // It neither strikes a stranger nor counts one.
    assert_eq!(post(address, None, set.clone()).await.0, 401);
    assert_eq!(
        post(address, Some("Bearer nonsense"), set.clone()).await.0,
        401
    );
    let token = p.owner.bearer(Timestamp::now());
    assert_eq!(post(address, Some(&token), set.clone()).await.0, 503);
    assert_eq!(post(address, Some(&token), set.clone()).await.0, 200);
    let rules = json!([{ "operation": "*", "fault": { "status": { "code": 503 } } }]);
    let (_p, running) = listening(Quirks::default(), rules).await;
    assert_eq!(post(running.local_addr(), None, set).await.0, 503);
}

/// The status of a call that wants no token, over a connection of its own.
async fn health(address: SocketAddr) -> reqwest::Result<u16> {
    let request = reqwest::Client::new().get(format!("http://{address}/Health/Check"));
    Ok(request.send().await?.status().as_u16())
}

const HALF: [&[u8]; 4] = [
    b"",
    b"POST /query HTTP/1.1\r\nhost: x\r\n",
    b"POST /query HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"query\":",
    b"GET",
];

/// Whether the other end closes a connection within a time.
fn closes(mut stream: TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).expect("a timeout");
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

fn half(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.write_all(bytes).expect("writes");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn half_requests_keep_nobody_out() {
    let p = Platform::start().await;
    let address = p.running.local_addr();
    let mut held = Vec::new();
    for i in 0..1_100 {
        let bytes = HALF[i % HALF.len()];
        held.push(half(address, bytes));
        if i % 200 == 199 {
            let started = Instant::now();
            lives(&p).await;
            assert!(started.elapsed() < Duration::from_secs(5), "after {i}");
        }
    }
    let started = Instant::now();
    lives(&p).await;
    assert_eq!(health(address).await.expect("an answer"), 200);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    // The first ones had to go.
    let first = held.swap_remove(1);
    let gone = tokio::task::spawn_blocking(move || closes(first, Duration::from_secs(5)));
    assert!(gone.await.expect("runs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_become_whole_end() {
    let p = Platform::start().await;
    let conduct = Conduct {
        patience: Patience {
            head: Duration::from_millis(300),
            body: Duration::from_millis(300),
            idle: Duration::from_millis(900),
            connections: 4,
        },
        ..Conduct::default()
    };
    let running = second(&p, conduct).await;
    let address = running.local_addr();
    for bytes in HALF {
        let started = Instant::now();
        let stream = half(address, bytes);
        let ends = tokio::task::spawn_blocking(move || closes(stream, Duration::from_secs(20)));
        assert!(ends.await.expect("runs"), "{bytes:?}");
        assert!(started.elapsed() >= Duration::from_millis(250), "{bytes:?}");
    }
    // One byte at a time is no progress.
    let mut slow = half(address, b"POST ");
    let ends = tokio::task::spawn_blocking(move || {
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(50));
            if slow.write_all(b"a").is_err() {
                return true;
            }
        }
        false
    });
    assert!(ends.await.expect("runs"));
    // Between two requests a connection has more time, and not for ever.
    let idle = tokio::task::spawn_blocking(move || {
        let request = b"GET /Health/Check HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut stream = half(address, request);
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        let mut answer = [0; 4096];
        for _ in 0..2 {
            assert!(stream.read(&mut answer).expect("an answer") > 0);
            std::thread::sleep(Duration::from_millis(500));
            stream.write_all(request).expect("still open");
        }
        assert!(stream.read(&mut answer).expect("an answer") > 0);
        closes(stream, Duration::from_secs(20))
    });
    assert!(idle.await.expect("runs"));
    lives(&p).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_for_those_that_are_answered() {
    let p = Platform::start().await;
    let conduct = Conduct {
        latency_ms: 400,
        patience: Patience {
            connections: 2,
            ..Patience::default()
        },
        ..Conduct::default()
    };
    let running = second(&p, conduct).await;
    let address = running.local_addr();
    let started = Instant::now();
    let calls = (0..6).map(|_| tokio::spawn(health(address)));
    let calls: Vec<_> = calls.collect();
    for call in calls {
        assert_eq!(call.await.expect("runs").expect("nobody is cut off"), 200);
    }
    // Two at a time, three times.
    assert!(
        started.elapsed() >= Duration::from_millis(1_100),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_are_given_up() {
    let p = Platform::start().await;
    let conduct = Conduct {
        patience: Patience {
            idle: Duration::from_millis(700),
            ..Patience::default()
        },
        ..Conduct::default()
    };
    let running = second(&p, conduct).await;
    let names = "types{name fields{name args{name type{name}} type{name ofType{name}}}}";
    let body = json!({ "query": format!("{{__schema{{{names}}}}}") }).to_string();
    let request = format!(
        "POST /query HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n{body}",
        p.owner.bearer(Timestamp::now()),
        body.len()
    );
    let address = running.local_addr();
    let taken = tokio::task::spawn_blocking(move || {
        // More than the system keeps between the two.
        let mut stream = half(address, b"");
        let write = Some(Duration::from_secs(5));
        stream.set_write_timeout(write).expect("a timeout");
        // It may be given up before all of it is written.
        drop(stream.write_all(request.repeat(400).as_bytes()));
        std::thread::sleep(Duration::from_secs(8));
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("a timeout");
        let mut all = Vec::new();
        let ended = stream.read_to_end(&mut all);
        let reset = std::io::ErrorKind::ConnectionReset;
        assert!(ended.map_or_else(|error| error.kind() == reset, |_| true));
        String::from_utf8_lossy(&all)
            .matches("HTTP/1.1 200")
            .count()
    });
    let taken = taken.await.expect("runs");
    assert!((1..400).contains(&taken), "{taken}");
    lives(&p).await;
}
