//! `credential decode`, `inspect` and `verify`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rolecall::platform::RawCredential;
use rolecall_server::SeedAccount;

use crate::stage::{PAYMENTS, Stage};

/// A stage with more credentials: `credentials/scan.b64`, `.yml`, and broken ones.
fn stage() -> Stage {
    let stage = Stage::new();
    fs::create_dir(stage.path("credentials")).expect("created");
    let issue = |name: &str, roles: &[&str], until: Option<&str>| {
        let account = SeedAccount {
            name: name.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            valid_until: until.and_then(|text| text.parse().ok()),
            ..SeedAccount::default()
        };
        let now = Timestamp::now();
        let mrn = stage.app.admin_create_account(PAYMENTS, &account, now);
        let credential = stage
            .app
            .admin_issue_credential(&mrn.expect("created"), now)
            .expect("issued");
        serde_json::to_value(&credential).expect("JSON")
    };
    let write = |name: &str, text: &str| {
        fs::write(stage.path("credentials").join(name), text).expect("written");
    };
    let scan = issue("scan", &["agent"], None);
    write("scan.json", &scan.to_string());
    write("scan.b64", &STANDARD.encode(scan.to_string()));
    let yaml: String = ["mrn", "private_key", "scope_mrn", "api_endpoint"]
        .iter()
        .map(|key| format!("{key}: {}\n", scan[*key]))
        .collect();
    write("scan.yml", &yaml);
    let other = issue("other", &[], Some("2030-01-01T00:00:00Z"));
    let mut mixed = scan.clone();
    mixed["certificate"] = other["certificate"].clone();
    write("mixed.json", &mixed.to_string());
    let mut damaged = scan.clone();
    damaged["certificate"] =
        serde_json::json!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    damaged["private_key"] = serde_json::json!("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n");
    damaged["api_endpoint"] = serde_json::json!("http://far.example");
    write("damaged.json", &damaged.to_string());
    stage
}

#[test]
fn inspect() {
    let mut stage = stage();
    assert_eq!(stage.run(&["credential", "inspect"]), 0);
    for file in ["scan.b64", "scan.yml"] {
        let file = format!("credentials/{file}");
        assert_eq!(stage.run(&["credential", "inspect", &file]), 0, "{file}");
    }
    for file in ["mixed.json", "damaged.json", "gone.json"] {
        let file = format!("credentials/{file}");
        assert_eq!(stage.run(&["credential", "inspect", &file]), 1, "{file}");
    }
    fs::write(stage.path("no.txt"), "hello there").expect("written");
    assert_eq!(stage.run(&["credential", "inspect", "no.txt"]), 1);
    stage.compare("commands/credential-inspect.txt");
}

#[test]
fn the_fingerprint_is_that_of_the_label() {
    let mut stage = Stage::new();
    stage.configure(
        "service_account \"ci\" {\n  scope = space.payments\n  name = \"ci\"\n  roles = []\n  \
         credential {\n    deliver_to = [sink.file.local]\n  }\n}\n",
    );
    let run = |arguments: &[&str]| {
        let output = stage.command(arguments).output().expect("runs");
        String::from_utf8(output.stdout).expect("text")
    };
    run(&["apply", "--yes", "access"]);
    let fingerprint = |text: String| {
        let (_, rest) = text.split_once("fingerprint ").expect("a fingerprint");
        rest[..16].to_owned()
    };
    let inspected = run(&["credential", "inspect", "access/credentials/ci.json"]);
    let shown = run(&["show", "ci", "access"]);
    assert_eq!(fingerprint(inspected), fingerprint(shown));
}

#[test]
fn verify() {
    let mut stage = stage();
    assert_eq!(stage.run(&["credential", "verify"]), 0);
    let scan = ["credential", "verify", "credentials/scan.b64"];
    assert_eq!(stage.run(&scan), 0);
    stage.say("a key of another account");
    let mut mixed: serde_json::Value =
        serde_json::from_slice(&fs::read(stage.path("owner.json")).expect("there")).expect("JSON");
    let text = fs::read(stage.path("credentials/scan.json")).expect("there");
    let scan_json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    mixed["mrn"] = scan_json["mrn"].clone();
    fs::write(stage.path("credentials/wrong.json"), mixed.to_string()).expect("written");
    assert_eq!(
        stage.run(&["credential", "verify", "credentials/wrong.json"]),
        1
    );
    stage.say("the account is deleted");
    let mrn = scan_json["mrn"].as_str().expect("text");
    stage
        .app
        .admin_delete(mrn, Timestamp::now())
        .expect("deleted");
    assert_eq!(stage.run(&scan), 1);
    assert_eq!(
        stage.run(&["credential", "verify", "credentials/damaged.json"]),
        1
    );
    stage.compare("commands/credential-verify.txt");
}

#[test]
fn decode() {
    let mut stage = stage();
    let out = "credentials/mondoo.json";
    let decode = ["credential", "decode", "credentials/scan.b64", "--out", out];
    assert_eq!(stage.run(&decode), 0);
    let path = stage.path(out);
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(stage.path(name)).expect("there")).expect("JSON")
    };
    assert_eq!(read(out), read("credentials/scan.json"));

    fs::write(&path, "mine").expect("written");
    assert_eq!(stage.run(&decode), 1);
    assert_eq!(fs::read(&path).expect("there"), b"mine");
    let mut forced = decode.to_vec();
    forced.push("--force");
    assert_eq!(stage.run(&forced), 0);
    assert_ne!(fs::read(&path).expect("there"), b"mine");

    stage.say("YAML becomes JSON");
    let yaml = "credentials/from-yaml.json";
    assert_eq!(
        stage.run(&[
            "credential",
            "decode",
            "credentials/scan.yml",
            "--out",
            yaml
        ]),
        0
    );
    let (made, scan) = (
        fs::read(stage.path(yaml)).expect("there"),
        fs::read(stage.path("credentials/scan.json")).expect("there"),
    );
    let [made, scan] = [made, scan]
        .map(|bytes| -> serde_json::Value { serde_json::from_slice(&bytes).expect("JSON") });
    for key in ["mrn", "private_key", "scope_mrn", "api_endpoint"] {
        // YAML ends a block of text with or without its last line end.
        let text = |value: &serde_json::Value| value[key].as_str().map(|t| t.trim().to_owned());
        assert_eq!(text(&made), text(&scan), "{key}");
    }
    stage.say("where no file can be");
    let to = |place| {
        [
            "credential",
            "decode",
            "credentials/scan.b64",
            "--out",
            place,
        ]
    };
    assert_eq!(stage.run(&to("nowhere/mondoo.json")), 1);
    assert_eq!(stage.run(&to("access")), 1);
    stage.say("what holds no key");
    fs::write(stage.path("no.json"), "{\"mrn\": \"//x\"}").expect("written");
    assert_eq!(stage.run(&["credential", "decode", "no.json"]), 1);
    fs::write(stage.path("no.b64"), "aGVsbG8=").expect("written");
    assert_eq!(stage.run(&["credential", "decode", "no.b64"]), 1);
    assert!(!stage.path("mondoo.json").exists());
    stage.compare("commands/credential-decode.txt");
}

#[test]
fn what_is_decoded_to_standard_output_goes_there_and_replaces_no_device() {
    let stage = stage();
    let arguments = [
        "credential",
        "decode",
        "credentials/scan.b64",
        "--force",
        "--out",
        "/dev/stdout",
    ];
    let expected = fs::read(stage.path("credentials/scan.json")).expect("there");
    let json = |bytes: &[u8]| -> serde_json::Value {
        serde_json::from_slice(bytes).expect("JSON and nothing else")
    };
    let output = stage.command(&arguments).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(json(&output.stdout), json(&expected));
    // Standard output may be a file, which no other takes the place of.
    let mut file = fs::File::create(stage.path("taken.json")).expect("created");
    file.write_all(b"\n").expect("written");
    let status = stage.command(&arguments).stdout(file).status();
    assert_eq!(status.expect("runs").code(), Some(0));
    let taken = fs::read(stage.path("taken.json")).expect("there");
    assert_eq!(json(&taken), json(&expected));
    assert!(
        fs::symlink_metadata("/dev/stdout")
            .expect("there")
            .is_symlink()
    );
}

#[test]
fn the_sources_are_the_environment_and_standard_input() {
    let stage = stage();
    let text = fs::read_to_string(stage.path("credentials/scan.b64")).expect("there");
    let output = stage
        .command(&["credential", "inspect"])
        .env("MONDOO_CONFIG_BASE64", &text)
        .output()
        .expect("runs");
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(shown.contains("MONDOO_CONFIG_BASE64") && shown.contains("space amazing"));
    let mut child = stage
        .command(&["credential", "decode", "-", "--out", "credentials/in.json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("taken");
    drop(stdin);
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(stage.path("credentials/in.json").exists());
    for (name, value, hint) in [
        ("MONDOO_API_TOKEN", "eyJhbGciOiJF", "API token"),
        ("HOME", "/nowhere", "no credential found"),
    ] {
        let output = stage
            .command(&["credential", "inspect"])
            .env_remove("MONDOO_CONFIG_PATH")
            .env(name, value)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.contains(hint) && !said.contains("eyJ"), "{said}");
    }
}

#[test]
fn an_endpoint_that_is_no_text_is_not_taken_for_none() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut stage = stage();
    stage.configure("");
    for file in [&[][..], &["owner.json"]] {
        for (value, code) in [(&b"\xff"[..], 1), (b" ", 0)] {
            let arguments = [&["credential", "verify"], file].concat();
            let mut command = stage.command(&arguments);
            command.env("MONDOO_API_ENDPOINT", std::ffi::OsStr::from_bytes(value));
            let output = command.output().expect("runs");
            assert_eq!(
                output.status.code(),
                Some(code),
                "{arguments:?}: {output:?}"
            );
            let said = String::from_utf8(output.stderr).expect("text");
            assert_eq!(said.contains("MONDOO_API_ENDPOINT: "), code == 1, "{said}");
        }
    }
    for command in [
        &["credential", "verify", "owner.json"][..],
        &["plan", "access"],
    ] {
        let arguments = [command, &["--ca-file", "no.pem"]].concat();
        let output = stage.command(&arguments).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(
            said.contains("error: --ca-file no.pem: there is no such file"),
            "{said}"
        );
    }
}

#[test]
fn a_damaged_certificate_never_panics() {
    let stage = stage();
    let bytes = fs::read(stage.path("credentials/scan.json")).expect("there");
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let pem = json["certificate"].as_str().expect("text").to_owned();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).expect("base64");
    let mut inspect = |der: &[u8]| {
        let body = STANDARD.encode(der);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        json["certificate"] = serde_json::json!(pem);
        let raw = RawCredential::read(json.to_string().as_bytes()).expect("a credential");
        raw.inspect().expect("a service account's")
    };
    assert_eq!(inspect(&der).matches, Some(true));
    for at in 0..der.len() {
        assert_ne!(inspect(&der[..at]).matches, Some(true), "cut at {at}");
        let mut damaged = der.clone();
        damaged[at] ^= 0xff;
        inspect(&damaged);
    }
}

#[test]
fn a_key_of_the_embedded_platform_is_told_to_be_one() {
    let mut stage = Stage::new();
    stage.configure(
        "service_account \"ci\" {\n  scope = space.payments\n  name = \"ci\"\n  roles = []\n  \
         credential {\n    deliver_to = [sink.file.local]\n  }\n}\n",
    );
    let applied = stage.command(&["apply", "--local", "--yes", "access"]);
    let text = run(applied);
    assert!(
        text.contains("The new keys are below access/.rolecall, in place"),
        "{text}"
    );
    assert!(!text.contains("cnspec"), "{text}");
    let file = "access/.rolecall/credentials/ci.json";
    let text = run(stage.command(&["credential", "verify", file]));
    assert!(text.contains("nothing listens there"), "{text}");
    assert!(
        text.contains("= this is a key of the embedded platform"),
        "{text}"
    );
}

/// What a run says, on both of its streams.
fn run(mut command: std::process::Command) -> String {
    let output = command.output().expect("the program runs");
    let (out, err) = (output.stdout, output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&err)
    )
}
