//! The network between the program and the platform: what is told, what is tried again, and that a
//! write whose answer is lost is never made twice.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{APPLY, PLAN, SETTLED, holds, stage, writes};
use crate::stage::{Stage, Then, answer};

/// An operation that lists accounts; there are two in a plan, and a third in apply.
const LIST: &str = "serviceAccounts";

/// Runs a plan while every request is answered so.
fn plan_with(stage: &mut Stage, what: &str, then: impl Fn() -> Then + Send + 'static) -> i32 {
    stage.say(what);
    stage.front.hook(move |_, _| then());
    stage.run(PLAN)
}

fn asked(stage: &Stage) -> usize {
    stage.front.seen().len()
}

#[test]
fn nobody_is_there() {
    let mut stage = stage();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", free.local_addr().expect("bound"));
    drop(free);
    stage.say("nothing listens");
    assert_eq!(stage.run(&["plan", "--endpoint", &url, "access"]), 1);
    stage.say("a name that nobody has");
    let nowhere = ["plan", "--endpoint", "https://rolecall.invalid", "access"];
    assert_eq!(stage.run(&nowhere), 1);
    stage.say("an endpoint without TLS that is not this machine");
    let plain = ["plan", "--endpoint", "http://rolecall.invalid", "access"];
    assert_eq!(stage.run(&plain), 1);
    assert!(stage.front.seen().is_empty());
    stage.compare("bad-days/network-unreachable.txt");
}

/// A proxy that answers every request so.
fn proxy(says: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let _ = reader.get_mut().write_all(says);
        }
    });
    format!("http://{address}")
}

#[test]
fn a_proxy_that_refuses() {
    let mut stage = stage();
    let arguments = ["plan", "--endpoint", "https://rolecall.invalid", "access"];
    let through = |url: String| {
        move |c: &mut std::process::Command| {
            c.env("HTTPS_PROXY", url);
        }
    };
    stage.say("the proxy wants to know who asks");
    let url = proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(stage.run_in(&arguments, through(url)), 1);
    stage.say("the proxy does not lead there");
    let url = proxy(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(stage.run_in(&arguments, through(url)), 1);
    stage.compare("bad-days/network-proxy.txt");
}

#[test]
fn a_proxy_for_mondoo_alone_goes_before_all_others() {
    let stage = stage();
    let here = proxy(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let text = std::fs::read_to_string(stage.path("owner.json")).expect("there");
    let mut own: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    own["api_proxy"] = serde_json::json!(here);
    own["features"] = serde_json::json!(["one"]);
    std::fs::write(stage.path("own.json"), own.to_string()).expect("written");
    let run = |file: &str, endpoint: &str, variables: &[(&str, &str)]| {
        let mut command = stage.command(&["credential", "verify", file, "--endpoint", endpoint]);
        // Nothing listens there.
        command
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .env("NO_PROXY", "*");
        let output = command
            .envs(variables.iter().copied())
            .output()
            .expect("runs");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), err)
    };
    let far = "https://rolecall.invalid";
    let (code, err) = run("owner.json", far, &[("MONDOO_API_PROXY", &here)]);
    assert!(
        code == Some(1) && err.contains("check MONDOO_API_PROXY, or unset it"),
        "{err}"
    );
    let (code, err) = run("own.json", far, &[]);
    assert!(
        code == Some(1) && err.contains("check api_proxy, or take it out"),
        "{err}"
    );
    assert!(
        err.contains("rolecall has no use for features, which"),
        "{err}"
    );
    let (code, err) = run("own.json", far, &[("MONDOO_API_PROXY", "127.0.0.1:1")]);
    assert!(
        code == Some(1) && err.contains("cannot be reached; check MONDOO_API_PROXY"),
        "{err}"
    );
    let (code, err) = run("own.json", far, &[("MONDOO_API_PROXY", "me:hunter2@")]);
    assert!(
        code == Some(1) && err.contains("MONDOO_API_PROXY names no proxy"),
        "{err}"
    );
    assert!(!err.contains("hunter2"), "{err}");
    let mut inspect = stage.command(&["credential", "inspect", "own.json"]);
    let output = inspect.output().expect("runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        out.contains("for Mondoo alone") && out.contains("features"),
        "{out}"
    );
    assert!(!out.contains(&here), "{out}");
    // To this machine none leads.
    let (code, err) = run(
        "own.json",
        &stage.front.url(),
        &[("MONDOO_API_PROXY", "8080")],
    );
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn proxies_as_variables_name_them() {
    const REFUSES: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let mut stage = stage();
    let arguments = ["plan", "--endpoint", "https://rolecall.invalid", "access"];
    let url = proxy(REFUSES);
    let bare = url.replace("http://", "");
    for (name, value) in [
        ("https_proxy", &url),
        ("ALL_PROXY", &url),
        ("all_proxy", &url),
        ("HTTPS_PROXY", &bare),
    ] {
        let shown = if *value == bare {
            "HOST:PORT"
        } else {
            "http://HOST:PORT"
        };
        stage.say(&format!("{name}={shown} is asked"));
        let code = stage.run_in(&arguments, |c| {
            c.env(name, value);
        });
        assert_eq!(code, 1);
    }
    for value in ["8080", "http//proxy:8080", "socks5://me:hunter2@proxy:1080"] {
        stage.say(&format!("HTTPS_PROXY={value} is not left out in silence"));
        let code = stage.run_in(&arguments, |c| {
            c.env("HTTPS_PROXY", value).env("ALL_PROXY", &url);
        });
        assert_eq!(code, 1);
    }
    for name in ["NO_PROXY", "no_proxy"] {
        stage.say(&format!("{name} names the host: the proxy is not asked"));
        let code = stage.run_in(&arguments, |c| {
            c.env("HTTPS_PROXY", &url)
                .env(name, "example.com, .invalid");
        });
        assert_eq!(code, 1);
    }
    stage.say("this machine is reached without one");
    let code = stage.run_in(&["credential", "verify", "owner.json"], |c| {
        c.env("HTTPS_PROXY", "8080").env("HTTP_PROXY", &url);
    });
    assert_eq!(code, 0);
    stage.compare("bad-days/network-proxies.txt");
}

/// A server's certificate for a name, good from so many days ago until in so many days.
fn certificate(name: &str, days: (i64, i64)) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let day = |n: i64| {
        let day = (Timestamp::now() + SignedDuration::from_hours(24 * n))
            .to_zoned_datetime(TimeZone::UTC)
            .date();
        let part = |n: i8| u8::try_from(n).expect("small");
        rcgen::date_time_ymd(day.year().into(), part(day.month()), part(day.day()))
    };
    let mut params = rcgen::CertificateParams::new([name.to_owned()]).expect("a name");
    (params.not_before, params.not_after) = (day(-days.0), day(days.1));
    let signing_key = rcgen::KeyPair::generate().expect("a key");
    let cert = params.self_signed(&signing_key).expect("signed");
    rcgen::CertifiedKey { cert, signing_key }
}

/// The platform behind TLS with this certificate.
fn behind(stage: &Stage, made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> String {
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.expect("a key"))
        .expect("a certificate and its key");
    stage.front.tls(Arc::new(config))
}

#[test]
fn tls_with_certificates_that_are_not_taken() {
    let mut stage = stage();
    for (what, name, days) in [
        ("has expired", "localhost", (9, -2)),
        ("is not good yet", "localhost", (-2, 9)),
        ("is another host's", "platform.example", (9, 9)),
    ] {
        let made = certificate(name, days);
        let url = behind(&stage, &made);
        fs::write(stage.path("ca.pem"), made.cert.pem()).expect("written");
        stage.say(&format!(
            "its authority is trusted, but the certificate {what}"
        ));
        let trusting = ["plan", "--endpoint", &url, "--ca-file", "ca.pem", "access"];
        assert_eq!(stage.run(&trusting), 1, "{what}");
    }
    stage.say("it does not speak TLS at all, and says so or hangs up");
    let bad = proxy(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    for url in [bad, stage.front.url()] {
        let url = url.replace("http:", "https:");
        assert_eq!(stage.run(&["plan", "--endpoint", &url, "access"]), 1);
    }
    assert!(stage.front.seen().is_empty(), "no request left");
    stage.compare("bad-days/network-certificates.txt");
}

#[test]
fn tls_with_an_unknown_authority() {
    let mut stage = stage();
    let made = certificate("localhost", (9, 9));
    let url = behind(&stage, &made);
    assert_eq!(stage.run(&["plan", "--endpoint", &url, "access"]), 1);
    assert!(stage.front.seen().is_empty(), "no request left");
    stage.say("with its certificate it is trusted, wherever that is named");
    fs::write(stage.path("ca.pem"), made.cert.pem()).expect("written");
    let trusting = ["plan", "--endpoint", &url, "--ca-file", "ca.pem", "access"];
    assert_eq!(stage.run(&trusting), 0);
    let code = stage.run_in(&["list", "--endpoint", &url, "access"], |c| {
        c.env("SSL_CERT_FILE", "ca.pem");
    });
    assert_eq!(code, 0);
    let code = stage.run_in(&["list", "--endpoint", &url, "access"], |c| {
        c.env("SSL_CERT_FILE", "gone.pem");
    });
    assert_eq!(code, 1);
    stage.say("files that hold no certificate");
    fs::write(stage.path("none.pem"), "hello").expect("written");
    fs::create_dir(stage.path("none")).expect("created");
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    fs::write(stage.path("broken.pem"), broken).expect("written");
    for (variable, value) in [
        ("SSL_CERT_FILE", "none.pem"),
        ("SSL_CERT_FILE", "broken.pem"),
        ("SSL_CERT_FILE", "none"),
        ("SSL_CERT_FILE", ""),
        ("SSL_CERT_DIR", "none"),
        ("SSL_CERT_DIR", "gone"),
    ] {
        let code = stage.run_in(&["list", "--endpoint", &url, "access"], |c| {
            c.env(variable, value);
        });
        assert_eq!(code, 1, "{variable}={value}");
    }
    let wrong = [
        "plan",
        "--endpoint",
        &url,
        "--ca-file",
        "gone.pem",
        "access",
    ];
    assert_eq!(stage.run(&wrong), 1);
    fs::write(stage.path("ca.pem"), "hello").expect("written");
    assert_eq!(stage.run(&trusting), 1);
    stage.compare("bad-days/network-tls.txt");
}

#[test]
fn answers_that_would_come_again_are_asked_for_once() {
    let mut stage = stage();
    let html = "<!DOCTYPE html>\n<html><title>Sign in</title></html>";
    type Bytes = fn(&str) -> Vec<u8>;
    let cases: [(&str, Bytes); 10] = [
        ("a page of HTML", |html| answer(200, &[], html)),
        ("a page of HTML that says 401", |html| {
            answer(401, &[], html)
        }),
        ("a page of HTML that says 403", |html| {
            answer(403, &[], html)
        }),
        ("a page of HTML that says 422", |html| {
            answer(422, &[], html)
        }),
        ("text", |_| answer(200, &[], "ok")),
        ("half an answer", |_| {
            answer(200, &[], r#"{"data":{"viewer":{"mrn":"#)
        }),
        ("no GraphQL", |_| answer(404, &[], "404 page not found")),
        ("the credential is not accepted", |_| {
            answer(
                401,
                &[],
                r#"{"errors":[{"message":"request permission unauthenticated"}]}"#,
            )
        }),
        ("a redirect", |_| {
            answer(
                307,
                &[("Location", "https://login.example.com/query?token=x")],
                "",
            )
        }),
        ("a redirect to nowhere", |_| answer(302, &[], "")),
    ];
    for (what, bytes) in cases {
        let code = plan_with(&mut stage, what, move || Then::Send(bytes(html)));
        assert_eq!((code, asked(&stage)), (1, 1), "{what}");
    }
    stage.compare("bad-days/network-answers.txt");
}

#[test]
fn reads_are_tried_again_and_then_told() {
    let mut stage = stage();
    for (what, says) in [
        ("500", answer(500, &[], "")),
        (
            "a gateway's page",
            answer(502, &[], "<html>Bad Gateway</html>"),
        ),
        (
            "busy, in words",
            answer(503, &[], "the service is being updated"),
        ),
        (
            "too many requests",
            answer(
                429,
                &[("Retry-After", "1")],
                r#"{"message":"rate limit exceeded"}"#,
            ),
        ),
        (
            "an answer that is cut in the middle",
            b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"data\":{\"viewer\":".to_vec(),
        ),
        ("a cut before the answer", Vec::new()),
        (
            "something that is not HTTP",
            b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
        ),
    ] {
        let code = plan_with(&mut stage, what, move || Then::Send(says.clone()));
        assert_eq!((code, asked(&stage)), (1, 4), "{what}");
    }
    stage.compare("bad-days/network-again.txt");
}

#[test]
fn a_wait_that_is_too_long_is_told_and_not_begun() {
    let mut stage = stage();
    for (what, status, wait) in [
        ("429 and an hour", 429, "3600"),
        ("503 and two minutes", 503, "120"),
    ] {
        let says = answer(status, &[("Retry-After", wait)], "");
        let code = plan_with(&mut stage, what, move || Then::Send(says.clone()));
        assert_eq!((code, asked(&stage)), (1, 1), "{what}");
    }
    stage.say("the create is answered with 429 and an hour");
    let before = holds(&stage);
    stage.front.hook(|operation, _| match operation {
        "createServiceAccount" => Then::Send(answer(429, &[("Retry-After", "3600")], "")),
        _ => Then::Answer,
    });
    assert_eq!(stage.run(APPLY), 1);
    assert_eq!(count(&stage, "createServiceAccount"), 1);
    assert_eq!(holds(&stage), before);
    stage.say("three seconds are waited for");
    stage
        .front
        .hook(|operation, count| match (operation, count) {
            ("viewer", 1) => Then::Send(answer(429, &[("Retry-After", "3")], "")),
            _ => Then::Answer,
        });
    assert_eq!(stage.run(PLAN), 0);
    stage.compare("bad-days/network-wait.txt");
}

#[test]
fn a_trouble_that_passes_is_not_told() {
    let mut stage = stage();
    stage
        .front
        .hook(|operation, count| match (operation, count) {
            ("viewer", 1) => Then::Send(answer(429, &[("Retry-After", "0")], "")),
            ("organization", 1) => Then::Send(answer(502, &[], "")),
            (LIST, 1) => Then::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec()),
            (LIST, 2) => Then::Lose,
            _ => Then::Answer,
        });
    assert_eq!(stage.run(PLAN), 0);
    stage.compare("bad-days/network-passes.txt");
}

#[test]
fn an_answer_that_takes_too_long() {
    let mut stage = stage();
    stage.say("the answer begins and does not go on");
    stage.front.hook(|_, _| {
        let begun = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"data\":".to_vec();
        Then::Stall(begun, Duration::from_secs(30))
    });
    assert_eq!(stage.run(&["plan", "--timeout", "1", "access"]), 1);
    assert_eq!(stage.run(&["plan", "--timeout", "0", "access"]), 64);
    stage.say("whatever command asks");
    for command in [
        ["list", "--timeout", "1", "access"].as_slice(),
        &["show", "--timeout", "1", "service_account.ci", "access"],
        &["init", "--from-live", "--timeout", "1", "new"],
        &["credential", "verify", "--timeout", "1", "owner.json"],
    ] {
        assert_eq!(stage.run(command), 1, "{command:?}");
    }
    stage.compare("bad-days/network-slow.txt");
}

#[test]
fn clocks_that_differ() {
    let mut stage = stage();
    stage.say("the platform's clock is 7 minutes ahead");
    stage.front.clock(7);
    assert_eq!(stage.run(APPLY), 1);
    stage.say("the platform's clock is 90 minutes behind");
    stage.front.clock(-90);
    assert_eq!(stage.run(APPLY), 1);
    assert!(writes(&stage).is_empty());
    stage.compare("bad-days/network-clock.txt");
}

#[test]
fn what_a_scope_answers_is_told_with_the_role_that_it_takes() {
    let mut stage = stage();
    for (what, status, body) in [
        ("403", 403, "forbidden"),
        (
            "422",
            422,
            r#"{"errors":[{"message":"Cannot query field \"notes\""}]}"#,
        ),
        (
            "an error beside null",
            200,
            r#"{"data":{"serviceAccounts":null},"errors":[{"message":
            "rpc error: code = PermissionDenied desc = request permission denied"}]}"#,
        ),
    ] {
        stage.say(&format!("listings are answered with {what}"));
        stage.front.hook(move |operation, _| match operation {
            LIST => Then::Send(answer(status, &[], body)),
            _ => Then::Answer,
        });
        assert_eq!(stage.run(APPLY), 3, "{what}");
        assert!(writes(&stage).is_empty(), "{what}");
    }
    stage.compare("bad-days/network-scopes.txt");
}

/// How often an operation was asked for since the last hook was set.
fn count(stage: &Stage, operation: &str) -> usize {
    let seen = stage.front.seen();
    seen.iter().filter(|name| *name == operation).count()
}

#[test]
fn a_create_that_surely_did_nothing() {
    let mut stage = stage();
    let before = holds(&stage);
    for (what, says, tries) in [
        ("401", answer(401, &[], ""), 1),
        ("403", answer(403, &[], "forbidden"), 1),
        // Twice: an empty list of roles may have been the reason.
        (
            "422",
            answer(422, &[], r#"{"message":"name is not allowed"}"#),
            2,
        ),
        ("429", answer(429, &[("Retry-After", "0")], ""), 4),
    ] {
        stage.say(&format!("the create is answered with {what}"));
        stage.front.hook(move |operation, _| match operation {
            "createServiceAccount" => Then::Send(says.clone()),
            _ => Then::Answer,
        });
        assert_eq!(stage.run(APPLY), 1, "{what}");
        assert_eq!(count(&stage, "createServiceAccount"), tries, "{what}");
        assert_eq!(holds(&stage), before, "{what}");
    }
    stage.compare("bad-days/write-refused.txt");
}

#[test]
fn a_create_of_which_nobody_knows() {
    let mut stage = stage();
    let before = holds(&stage);
    for (what, then) in [
        (
            "500, though it was done",
            (|| Then::Hide(500)) as fn() -> Then,
        ),
        ("502, though it was done", || Then::Hide(502)),
        ("nothing, though it was done", || Then::Lose),
        ("half of the key, though it was done", || {
            Then::Change(Box::new(|json| {
                json["data"]["createServiceAccount"]["privateKey"] = "-----BEGIN".into();
            }))
        }),
    ] {
        stage.say(&format!("the create is answered with {what}"));
        stage.front.hook(move |operation, _| match operation {
            "createServiceAccount" => then(),
            _ => Then::Answer,
        });
        assert_eq!(stage.run(APPLY), 5, "{what}");
        assert_eq!(count(&stage, "createServiceAccount"), 1, "{what}");
        assert_eq!(holds(&stage), before, "what was created is gone: {what}");
    }
    stage.say("and now all is well");
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(APPLY), 0);
    assert_eq!(stage.run(SETTLED), 0);
    stage.compare("bad-days/write-unknown.txt");
}

#[test]
fn a_create_that_was_not_done_and_not_refused() {
    let mut stage = stage();
    let before = holds(&stage);
    stage.front.hook(|operation, _| match operation {
        "createServiceAccount" => Then::Send(answer(502, &[], "")),
        _ => Then::Answer,
    });
    assert_eq!(stage.run(APPLY), 5);
    assert_eq!(count(&stage, "createServiceAccount"), 1);
    assert_eq!(holds(&stage), before);
    stage.compare("bad-days/write-not-done.txt");
}

#[test]
fn later_writes_of_a_birth_are_settled_by_looking() {
    for operation in ["updateServiceAccount", "setRoles"] {
        let mut stage = stage();
        stage.front.hook(move |seen, _| {
            if seen == operation {
                Then::Hide(502)
            } else {
                Then::Answer
            }
        });
        assert_eq!(stage.run(APPLY), 0, "{operation}");
        assert_eq!(count(&stage, operation), 1, "{operation}");
        assert_eq!(stage.run(SETTLED), 0, "{operation}");
        stage.compare(&format!("bad-days/write-{operation}.txt"));
    }
}

/// A credential is accepted by the platform, and not by whatever answers in its place.
#[test]
fn a_page_accepts_no_credential() {
    let mut stage = stage();
    for (status, body) in [
        (403, "<html>blocked</html>"),
        (422, "<html>x</html>"),
        (422, "{}"),
    ] {
        stage.say(&format!(
            "every request is answered with {status} and {body}"
        ));
        stage
            .front
            .hook(move |_, _| Then::Send(answer(status, &[], body)));
        assert_eq!(stage.run(&["credential", "verify", "owner.json"]), 1);
    }
    stage.compare("bad-days/network-verify.txt");
}

/// What could not be read is not absent.
#[test]
fn looking_does_not_take_what_is_hidden_for_gone() {
    let mut stage = stage();
    stage.front.hook(|operation, _| match operation {
        "serviceAccounts" => Then::Refuse(403),
        _ => Then::Answer,
    });
    assert_eq!(stage.run(&["list", "access"]), 1);
    assert_eq!(stage.run(&["show", "service_account.ci", "access"]), 1);
    stage.compare("bad-days/network-hidden.txt");
}
