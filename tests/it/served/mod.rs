//! `rolecall platform serve`: what its flags and files change, as whoever starts it meets it.

mod kill;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stage::PAYMENTS;

const TOKEN: &str = "token-of-the-served-test";

/// The program, ended with the test.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }
}

fn seed(folder: &Path) {
    let seed = json!({ "organizations": [{
        "id": "acme-corp-883120", "name": "Acme",
        "tokens": [{ "name": "test", "token": TOKEN, "roles": ["owner"] }],
        "spaces": [{ "id": "amazing-hofstadter-175565", "name": "payments" }],
    }] });
    std::fs::write(folder.join("seed.json"), seed.to_string()).expect("writes");
}

const SERVE: [&str; 8] = [
    "platform",
    "serve",
    "--listen",
    "127.0.0.1:0",
    "--db",
    "p.db",
    "--seed",
    "seed.json",
];

fn serve(folder: &Path, more: &[&str]) -> Served {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    command.args(SERVE).args(more).current_dir(folder);
    listening(&mut command)
}

/// Starts a command that serves, and waits until it listens.
fn listening(command: &mut Command) -> Served {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    let mut line = String::new();
    let out = child.stdout.as_mut().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let address = line.rsplit("http://").next().expect("an address");
    let address = address.trim().parse().expect("an address");
    Served { child, address }
}

async fn ask(served: &Served, query: &str, variables: Value) -> Value {
    let request = reqwest::Client::new()
        .post(format!("http://{}/query", served.address))
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(json!({ "query": query, "variables": variables }).to_string());
    let answer = request.send().await.expect("an answer");
    answer.json().await.expect("JSON")
}

#[tokio::test]
async fn issuers_of_this_machine_want_a_flag() {
    let bind = "mutation($input:CreateWIFAuthBindingInput!){createWIFAuthBinding(input: $input)\
                {binding{mrn}}}";
    let folder = tempfile::tempdir().expect("a folder");
    seed(folder.path());
    for (flags, bound) in [(&[][..], false), (&["--allow-local-issuers"][..], true)] {
        let served = serve(folder.path(), flags);
        for uri in [
            "http://127.0.0.1:9",
            "https://10.1.2.3/realm",
            "http://localhost:1",
        ] {
            let input =
                json!({ "scopeMrn": PAYMENTS, "name": "ci", "subject": "s", "issuerUri": uri });
            let answer = ask(&served, bind, json!({ "input": input })).await;
            assert_eq!(answer.get("errors").is_none(), bound, "{uri}: {answer}");
            if !bound {
                let way_out = answer.to_string().contains("serve --allow-local-issuers");
                assert!(way_out, "{answer}");
            }
        }
        // What leads elsewhere stays refused.
        let input = json!({ "scopeMrn": PAYMENTS, "name": "ci", "subject": "s",
            "issuerUri": "http://127.0.0.1:9/admin/restart?x=" });
        let answer = ask(&served, bind, json!({ "input": input })).await;
        assert!(answer.to_string().contains("is no plain URL"), "{answer}");
    }
}

#[tokio::test]
async fn closed_spaces_are_spaces_of_the_platform() {
    let list = "query($s: String!){serviceAccounts(scopeMrn: $s){totalCount}}";
    let folder = tempfile::tempdir().expect("a folder");
    seed(folder.path());
    for wrong in ["amazing-hofstadter", "acme-corp-883120"] {
        let quirks = json!({ "closed_spaces": ["amazing-hofstadter-175565", wrong] });
        std::fs::write(folder.path().join("quirks.json"), quirks.to_string()).expect("writes");
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
        command.args(SERVE).args(["--quirks", "quirks.json"]);
        let output = command.current_dir(folder.path()).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            text.contains(&format!("names \"{wrong}\", which is no space")),
            "{text}"
        );
    }
    let quirks = json!({ "closed_spaces": ["amazing-hofstadter-175565"] });
    std::fs::write(folder.path().join("quirks.json"), quirks.to_string()).expect("writes");
    let served = serve(folder.path(), &["--quirks", "quirks.json"]);
    let answer = ask(&served, list, json!({ "s": PAYMENTS })).await;
    assert!(answer.to_string().contains("PermissionDenied"), "{answer}");
}

#[tokio::test]
async fn a_call_that_hangs_is_told_to_whoever_watches() {
    let folder = tempfile::tempdir().expect("a folder");
    seed(folder.path());
    let faults = json!({ "rules": [
        { "operation": "viewer", "fault": { "hang": { "after_effect": true } } },
    ] });
    std::fs::write(folder.path().join("faults.json"), faults.to_string()).expect("writes");
    let mut served = serve(folder.path(), &["--faults", "faults.json"]);
    let out = served.child.stdout.take().expect("piped");
    let told = tokio::task::spawn_blocking(move || {
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        lines.into_iter().find(|line| line.starts_with("Hangs"))
    });
    let expected = "Hangs             viewer (done, and not answered)";
    tokio::select! {
        answer = ask(&served, "{viewer{mrn}}", json!({})) => panic!("{answer}"),
        line = told => assert_eq!(line.expect("read").as_deref(), Some(expected)),
    }
}

/// The program with few file handles, as some systems give.
#[tokio::test(flavor = "multi_thread")]
async fn few_file_handles_are_enough() {
    let half: [&[u8]; 4] = [
        b"",
        b"POST /query HTTP/1.1\r\nhost: x\r\n",
        b"POST /query HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"query\":",
        b"GET",
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let program = env!("CARGO_BIN_EXE_rolecall");
    let line =
        format!("ulimit -n 128 && exec '{program}' platform serve --listen 127.0.0.1:0 --db p.db");
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(folder.path());
    let served = listening(&mut command);
    let started = Instant::now();
    let mut held = Vec::new();
    for i in 0..300 {
        let mut stream = TcpStream::connect(served.address).expect("connects");
        stream.write_all(half[i % half.len()]).expect("writes");
        held.push(stream);
    }
    let url = format!("http://{}/Health/Check", served.address);
    let answer = reqwest::Client::new().get(url).send().await;
    assert_eq!(answer.expect("an answer").status().as_u16(), 200);
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
}
