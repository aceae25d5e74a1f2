//! Whole runs that deliver into stores which are served beside them: what they are asked, and what they get.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output};

use rolecall_standins::vault::{ROOT, Vault};
use rolecall_standins::{Running, serve};

use crate::stage::Stage;

/// A server of the kind that is nobody's.
fn vault() -> Running<Vault> {
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
    let (mine, other) = (vault(), vault());
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
