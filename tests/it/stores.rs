//! Whole runs that deliver into stores which are served beside them: what they are asked, and what they get.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_standins::kubernetes::{ADMIN, Kubernetes};
use rolecall_standins::vault::{Fault, ROOT, Vault};
use rolecall_standins::{Running, serve};

use crate::stage::{HEAD, Stage};

/// A server of the kind that is nobody's.
fn served() -> Running<Vault> {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    serve(Vault::new(), here).expect("served")
}

/// A sink at this address, and accounts whose keys go there.
fn delivering(address: &str, accounts: &[&str]) -> String {
    let mut text = format!(
        "sink \"vault\" \"ci\" {{\n  address = \"{address}\"\n  mount   = \"secret\"\n  path    = \
         \"mondoo/${{account.id}}\"\n}}\n\n"
    );
    for name in accounts {
        text.push_str(&format!(
            "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
             [\"viewer\"]\n\n  credential {{\n    deliver_to = [sink.vault.ci]\n  }}\n}}\n\n"
        ));
    }
    text
}

fn said(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Who writes the configuration cannot say that a login is for another server; a policy directory can.
#[test]
fn a_login_goes_where_a_policy_directory_says_and_no_configuration() {
    let (mine, other) = (served(), served());
    let mut stage = Stage::small();
    let allow = format!("destinations {{\n  allow = [\"{}\"]\n}}\n", other.url);
    let accounts = delivering(&other.url, &["ci"]);
    let apply = |stage: &Stage, more: &[&str]| {
        let arguments = [&["apply", "--yes"][..], more, &["access"]].concat();
        let mut command: Command = stage.command(&arguments);
        command.envs([("VAULT_ADDR", mine.url.as_str()), ("VAULT_TOKEN", ROOT)]);
        let output = command.output().expect("runs");
        (output.status.code(), said(&output))
    };
    stage.configure(&accounts);
    let (code, text) = apply(&stage, &[]);
    assert_eq!(code, Some(1), "{text}");
    let way = format!(
        "let a policy directory say destinations {{ allow = [\"{}\"] }}",
        other.url
    );
    assert!(text.contains(&way), "{text}");
    // In the configuration itself, in a directory of it, and by a link to that.
    stage.configure(&(accounts.clone() + &allow));
    let (code, text) = apply(&stage, &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("not-the-configurations"), "{text}");
    stage.configure(&accounts);
    fs::create_dir(stage.path("access/rules")).expect("created");
    fs::write(stage.path("access/rules/allow.hcl"), &allow).expect("written");
    std::os::unix::fs::symlink("access/rules", stage.path("linked")).expect("linked");
    for dir in ["access/rules", "linked"] {
        let (code, text) = apply(&stage, &["--policy-dir", dir]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("lies in the configuration's"), "{text}");
    }
    assert!(other.calls().is_empty(), "something was sent");
    fs::create_dir(stage.path("security")).expect("created");
    fs::write(stage.path("security/allow.hcl"), &allow).expect("written");
    let (code, text) = apply(&stage, &["--policy-dir", "security"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains(&format!("logins of sinks may go to {}", other.url)),
        "{text}"
    );
    assert_eq!(
        other.with(|vault| vault.versions("", "secret", "mondoo/ci")),
        1
    );
    assert!(mine.calls().is_empty(), "the other server was asked");
}

/// An account whose keys go to these sinks.
fn account(name: &str, sinks: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
         [\"agent\"]\n\n  credential {{\n    deliver_to = [{sinks}]\n  }}\n}}\n\n"
    )
}

fn writes(stage: &Stage) -> usize {
    let reads = |operation: &&String| !operation.starts_with("create") && *operation != "setRoles";
    let seen = stage.front.seen();
    seen.len() - seen.iter().filter(reads).count()
}

/// In CI the file goes with the runner, and its account would be live for nobody.
#[test]
fn a_key_that_would_be_lost_with_the_machine_is_not_made() {
    let vault = served();
    let mut stage = Stage::small();
    let head = HEAD.replace("  keep      = true\n", "");
    assert_ne!(head, HEAD);
    let main = stage.path("access/main.hcl");
    let write = |text: &str| fs::write(&main, text).expect("written");
    write(&(head.clone() + &account("ci", "sink.file.local")));
    assert_eq!(stage.run(&["plan", "access"]), 0);
    let apply = ["apply", "--yes", "access"];
    assert_eq!(stage.run(&apply), 3);
    assert_eq!(writes(&stage), 0);
    assert!(!stage.path("access/credentials").exists());
    let arguments = ["apply", "--yes", "--format", "json", "access"];
    let output = stage.command(&arguments).output().expect("runs");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    crate::formats::schema::check(&document);
    assert_eq!(document["refusals"][0]["guard"], "lost-key");
    assert_eq!(document["refusals"][0]["apply_only"], true);
    stage.say("under --local nothing is lost");
    assert_eq!(stage.run(&["apply", "--yes", "--local", "access"]), 0);
    stage.say("another plan's acknowledgement");
    let ack = |digest: &str| format!("lost-key={digest}");
    let other = ack(&"0".repeat(64));
    let arguments = ["apply", "--yes", "--ack", &other, "access"];
    assert_eq!(
        stage
            .command(&arguments)
            .output()
            .expect("runs")
            .status
            .code(),
        Some(3)
    );
    stage.say("a later step takes the file away");
    let digest = document["plan"]["digest"].as_str().expect("a digest");
    let this = ack(digest);
    assert_eq!(stage.run(&["apply", "--yes", "--ack", &this, "access"]), 0);
    stage.say("a volume: what is there stays there, and is no change");
    let kept = head.replace(
        "\"credentials\"\n}",
        "\"credentials\"\n  keep      = true\n}",
    );
    assert_ne!(kept, head);
    let two = account("ci", "sink.file.local") + &account("two", "sink.file.local");
    write(&(kept + &two));
    assert_eq!(stage.run(&apply), 0);
    stage.say("a store beside the file");
    let sink = delivering(&vault.url, &[]);
    let three = two + &sink + &account("three", "sink.file.local, sink.vault.ci");
    write(&(head + &three));
    let output = {
        let mut command = stage.command(&apply);
        command.envs([("VAULT_ADDR", vault.url.as_str()), ("VAULT_TOKEN", ROOT)]);
        command.output().expect("runs")
    };
    assert_eq!(stage.note(&apply, &output), 0);
    assert_eq!(
        vault.with(|vault| vault.versions("", "secret", "mondoo/three")),
        1
    );
    stage.compare("lost-key.txt");
}

/// An account is not deleted whose key could not be removed afterwards.
#[test]
fn a_login_that_a_removal_needs_is_tried_before_the_first_write() {
    let vault = served();
    let mut stage = Stage::small();
    let mount = "  mount   =";
    let configure = |stage: &mut Stage, accounts: &[&str]| {
        let text = delivering(&vault.url, accounts);
        stage.configure(&text.replace(mount, &format!("  on_delete = \"remove\"\n{mount}")));
    };
    let apply = |stage: &Stage, login: bool| {
        let mut command = stage.command(&["apply", "--yes", "access"]);
        command.env("VAULT_ADDR", &vault.url);
        if login {
            command.env("VAULT_TOKEN", ROOT);
        }
        let output = command.output().expect("runs");
        (output.status.code(), said(&output))
    };
    configure(&mut stage, &["ci", "two"]);
    let (code, text) = apply(&stage, true);
    assert_eq!(code, Some(0), "{text}");
    configure(&mut stage, &["two"]);
    let before = writes(&stage);
    let (code, text) = apply(&stage, false);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("VAULT_TOKEN, VAULT_ROLE_ID with"), "{text}");
    assert_eq!(writes(&stage), before, "{text}");
    let there = || vault.with(|vault| vault.fields("", "secret", "mondoo/ci"));
    assert!(there().is_some());
    let (code, text) = apply(&stage, true);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(there(), None, "{text}");
}

/// As little as a new key, one that is there is not left to a file that goes with the runner.
#[test]
fn a_key_is_not_taken_out_of_its_last_store_for_a_file_of_the_machine() {
    let vault = served();
    let stage = Stage::small();
    let head = HEAD.replace("  keep      = true\n", "");
    let mount = "  mount   =";
    let sink = delivering(&vault.url, &[]);
    let sink = sink.replace(mount, &format!("  on_delete = \"remove\"\n{mount}"));
    assert!(sink.contains("on_delete"));
    let run = |head: &str, sinks: &str| {
        let text = [head, &sink, &account("ci", sinks)].concat();
        fs::write(stage.path("access/main.hcl"), text).expect("written");
        let mut command = stage.command(&["apply", "--yes", "access"]);
        command.envs([("VAULT_ADDR", vault.url.as_str()), ("VAULT_TOKEN", ROOT)]);
        let output = command.output().expect("runs");
        (output.status.code(), said(&output))
    };
    let (code, text) = run(&head, "sink.vault.ci");
    assert_eq!(code, Some(0), "{text}");
    vault.calls();
    let before = writes(&stage);
    let (code, text) = run(&head, "sink.file.local");
    assert_eq!(code, Some(3), "{text}");
    let lost = "The key of service_account.ci would be in a file of this machine and nowhere else";
    assert!(
        text.contains(lost) && text.contains("--ack lost-key="),
        "{text}"
    );
    assert!(vault.calls().is_empty(), "nothing is read there");
    assert_eq!(writes(&stage), before);
    assert!(!stage.path("access/credentials").exists());
    // A folder that outlives the machine.
    let (code, text) = run(HEAD, "sink.file.local");
    assert_eq!(code, Some(0), "{text}");
    assert!(stage.path("access/credentials/ci.json").exists());
}

/// The preflight's look is carried into the birth, which writes and reads back. Which version an engine is of is
/// asked once, where it holds nothing yet.
#[test]
fn a_birth_into_vault_costs_three_requests() {
    let vault = served();
    let mut stage = Stage::small();
    stage.configure(&delivering(&vault.url, &["a", "b", "c"]));
    let mut command = stage.command(&["apply", "--yes", "access"]);
    command.envs([("VAULT_ADDR", vault.url.as_str()), ("VAULT_TOKEN", ROOT)]);
    let output = command.output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let calls = vault.calls();
    let empty = |body: &[u8]| body == b"{}";
    let tries = calls.iter().filter(|call| empty(&call.body)).count();
    assert_eq!(tries, 1);
    for name in ["a", "b", "c"] {
        let path = format!("/v1/secret/data/mondoo/{name}");
        let asked: Vec<&str> = calls
            .iter()
            .filter(|call| call.path == path && !empty(&call.body))
            .map(|call| call.method.as_str())
            .collect();
        assert_eq!(asked, ["GET", "POST", "GET"], "{name}");
    }
    // How long the token lasts is asked once.
    let own = calls
        .iter()
        .filter(|call| call.path.starts_with("/v1/auth/token/"));
    assert_eq!((own.count(), calls.len()), (1, 3 * 3 + tries + 1));
}

/// Case 21: the role was given a minute ago. Nothing is made before it counts.
#[test]
fn a_right_that_is_on_its_way_is_waited_for_as_long_as_was_said() {
    let vault = served();
    let mut stage = Stage::small();
    stage.configure(&delivering(&vault.url, &["ci"]));
    let run = |more: &[&str]| {
        let denied = Fault::Refuse(403, "permission denied".to_owned());
        let look = "GET /v1/secret/data".to_owned();
        vault.with(|vault| vault.faults.push((look, denied)));
        let arguments = [&["apply", "--yes"][..], more, &["access"]].concat();
        let mut command: Command = stage.command(&arguments);
        command.envs([("VAULT_ADDR", vault.url.as_str()), ("VAULT_TOKEN", ROOT)]);
        let output = command.output().expect("runs");
        (output.status.code(), said(&output))
    };
    let (code, text) = run(&[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("apply --wait=10m asks again"), "{text}");
    assert_eq!(writes(&stage), 0);
    let (code, text) = run(&["--wait", "1m"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("takes minutes to count, so it is asked again for 60 s"),
        "{text}"
    );
    let versions = vault.with(|vault| vault.versions("", "secret", "mondoo/ci"));
    assert_eq!(versions, 1);
}

/// Every file below a directory, as text.
fn files(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        match path.is_dir() {
            true => files(&path, found),
            false => {
                let bytes = fs::read(&path).expect("readable");
                let text = String::from_utf8_lossy(&bytes).into_owned();
                found.push((path.display().to_string(), text));
            }
        }
    }
}

/// A store that a job delivers into, and one that is nobody's.
struct Used<'s> {
    /// The sink at an address, and accounts whose keys go there.
    sink: fn(&str, &[&str]) -> String,
    address: &'s str,
    nobodys: &'s str,
    /// The variables of the login, the last of them the secret.
    login: [(&'s str, &'s str); 2],
    /// The variable of the authority, where the store has one of its own.
    trusts: Option<(&'s str, &'s str)>,
    /// How logs call the write.
    writes: &'s str,
    /// How often each of the two was asked, since it was asked for that.
    asked: &'s dyn Fn() -> [usize; 2],
    /// The key of the account `scanner` there.
    key: &'s dyn Fn() -> String,
}

#[test]
fn a_job_delivers_a_key_into_vault_that_another_program_uses_and_leaves_nothing_behind() {
    let (vault, evil) = (served(), served());
    job_leaves_nothing_behind(&Used {
        sink: delivering,
        address: &vault.url,
        nobodys: &evil.url,
        login: [("VAULT_ADDR", &vault.url), ("VAULT_TOKEN", ROOT)],
        trusts: None,
        writes: "vault write",
        asked: &|| [vault.calls().len(), evil.calls().len()],
        key: &|| {
            let fields = vault.with(|vault| vault.fields("", "secret", "mondoo/scanner"));
            let field = &fields.expect("delivered")["credential"];
            field.as_str().expect("a text").to_owned()
        },
    });
}

/// The sink that delivers into a key of a Secret of each account.
fn into_secrets(address: &str, accounts: &[&str]) -> String {
    let sink = format!(
        "sink \"kubernetes\" \"ci\" {{\n  address   = \"{address}\"\n  namespace = \
         \"mondoo-operator\"\n  name      = account.id\n}}\n"
    );
    let accounts = delivering(address, accounts).replace("sink.vault.ci", "sink.kubernetes.ci");
    let (_, accounts) = accounts.split_once("}\n").expect("a sink");
    format!("{sink}{accounts}")
}

/// What a script for a real server sets.
pub fn of_script(name: &str) -> String {
    std::env::var(name).expect("scripts/services sets it")
}

/// What another client than rolecall says of a place of a real server: `show` gives the credential there.
pub fn read_by_another_client(what: &str, place: &str) -> String {
    let python = of_script("ROLECALL_TEST_CLIENT_PYTHON");
    let mut client = Command::new(python);
    client.args([&of_script("ROLECALL_TEST_CLIENT"), what, place]);
    let output = client.output().expect("runs");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).expect("a text")
}

#[test]
#[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/vault test"]
fn a_job_delivers_a_key_into_a_real_vault_that_another_program_uses() {
    let evil = served();
    let (address, root) = (
        of_script("VAULT_ADDR"),
        of_script("ROLECALL_TEST_VAULT_ROOT"),
    );
    job_leaves_nothing_behind(&Used {
        sink: delivering,
        address: &address,
        nobodys: &evil.url,
        login: [("VAULT_ADDR", &address), ("VAULT_TOKEN", &root)],
        trusts: None,
        writes: "vault write",
        asked: &|| [0, evil.calls().len()],
        key: &|| read_by_another_client("show", "mondoo/scanner"),
    });
}

#[test]
#[ignore = "ROLECALL_TEST_SERVICES=1 scripts/services/kubernetes test"]
fn a_job_delivers_a_key_into_a_real_kubernetes_that_another_program_uses() {
    let evil = served();
    let (address, admin) = (
        of_script("KUBE_SERVER"),
        of_script("ROLECALL_TEST_KUBE_ADMIN"),
    );
    job_leaves_nothing_behind(&Used {
        sink: into_secrets,
        address: &address,
        nobodys: &evil.url,
        login: [("KUBE_SERVER", &address), ("KUBE_TOKEN", &admin)],
        trusts: Some(("KUBE_CA_FILE", &of_script("KUBE_CA_FILE"))),
        writes: "kubernetes write",
        asked: &|| [0, evil.calls().len()],
        key: &|| read_by_another_client("show", "scanner"),
    });
}

#[test]
fn a_job_delivers_a_key_into_kubernetes_that_another_program_uses_and_leaves_nothing_behind() {
    let served = || {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        serve(Kubernetes::new(), here).expect("served")
    };
    let (cluster, evil) = (served(), served());
    job_leaves_nothing_behind(&Used {
        sink: into_secrets,
        address: &cluster.url,
        nobodys: &evil.url,
        login: [("KUBE_SERVER", &cluster.url), ("KUBE_TOKEN", ADMIN)],
        trusts: None,
        writes: "kubernetes write",
        asked: &|| [cluster.calls().len(), evil.calls().len()],
        key: &|| {
            let value = cluster.with(|held| held.value("mondoo-operator", "scanner", "config"));
            let bytes = STANDARD.decode(value.expect("delivered")).expect("base64");
            String::from_utf8(bytes).expect("a text")
        },
    });
}

/// As a job of a CI system runs it: no terminal, no home, logins in the environment, a log for the worst day.
fn job_leaves_nothing_behind(used: &Used<'_>) {
    let base64 = |text: &str| STANDARD.encode(text);
    let Used {
        sink,
        address,
        nobodys,
        login: store,
        trusts,
        writes,
        asked,
        key,
    } = used;
    let mut stage = Stage::small();
    // The job's own credential is in its environment alone.
    let owner = fs::read_to_string(stage.path("owner.json")).expect("there");
    fs::remove_file(stage.path("owner.json")).expect("removed");
    let mut printed = Vec::new();
    let mut runs = 0;
    let mut run = |stage: &Stage, arguments: &[&str], variables: &[(&str, &str)]| {
        runs += 1;
        let log = format!("{runs}.log");
        let mut command = stage.command(arguments);
        command
            .env_remove("HOME")
            .env_remove("MONDOO_CONFIG_PATH")
            .env("CI", "1")
            .envs([
                ("ROLECALL_LOG", log.as_str()),
                ("ROLECALL_LOG_LEVEL", "debug"),
            ])
            .envs(variables.iter().copied());
        let output = command.output().expect("runs");
        let text = said(&output);
        printed.push(("output".to_owned(), text.clone()));
        (output.status.code(), text)
    };
    let owner = base64(&owner);
    let platform = ("MONDOO_CONFIG_BASE64", owner.as_str());
    let login: Vec<(&str, &str)> = [platform, store[0], store[1]]
        .into_iter()
        .chain(*trusts)
        .collect();
    stage.configure(&sink(address, &["scanner"]));
    let (code, text) = run(
        &stage,
        &["plan", "--out", "plan.json", "access"],
        &[platform],
    );
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(asked(), [0, 0], "a plan asked the store");
    let apply = [
        "apply",
        "--plan",
        "plan.json",
        "--record",
        "record.json",
        "access",
    ];
    let (code, text) = run(&stage, &apply, &login);
    assert_eq!(code, Some(0), "{text}");
    // A new key takes its place there, and whoever still has the former one goes on.
    let former = key();
    let (code, text) = run(
        &stage,
        &["rotate", "service_account.scanner", "--yes", "access"],
        &login,
    );
    assert_eq!(code, Some(0), "{text}");
    let key = key();
    assert_ne!(key, former);
    let used = base64(&key);
    for has in [&base64(&former), &used] {
        let consumer = [("MONDOO_CONFIG_BASE64", has.as_str())];
        let (code, text) = run(&stage, &["credential", "verify"], &consumer);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("scanner"), "{text}");
    }
    let (code, text) = run(
        &stage,
        &["plan", "--detailed-exitcode", "access"],
        &[platform],
    );
    assert_eq!(code, Some(0), "{text}");
    // Who changes the configuration gets no login.
    asked();
    stage.configure(&sink(nobodys, &["scanner", "more"]));
    let (code, text) = run(&stage, &["apply", "--yes", "access"], &login);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("it was not sent"), "{text}");
    assert_eq!(asked(), [0, 0]);
    let private = |key: &str| {
        let whole: serde_json::Value = serde_json::from_str(key).expect("JSON");
        whole["private_key"].as_str().expect("a key").to_owned()
    };
    let both = private(&key) + &private(&former);
    let lines = both
        .lines()
        .filter(|line| line.len() > 20 && !line.contains("-----"));
    let mut secrets: Vec<String> = lines.map(str::to_owned).collect();
    assert!(!secrets.is_empty());
    secrets.extend([
        key.clone(),
        used.clone(),
        store[1].1.to_owned(),
        owner.clone(),
    ]);
    files(stage.dir.path(), &mut printed);
    let logs = || printed.iter().filter(|(name, _)| name.ends_with(".log"));
    assert_eq!(logs().count(), 7);
    assert!(logs().any(|(_, log)| log.contains(writes)), "{printed:?}");
    for (name, text) in &printed {
        for secret in &secrets {
            assert!(!text.contains(secret), "a secret is in {name}");
        }
    }
    assert!(!stage.path("access/credentials").exists());
}
