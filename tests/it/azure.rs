//! Keys to Azure Key Vault, whole: the program as a job runs it, the embedded platform and a server that answers as
//! Azure does, each behind a socket.

use std::fs;
use std::process::Command;

use rolecall_standins::azure::{Azure, CLIENT, FEDERATED, Fault, SECRET, TENANT};
use rolecall_standins::{Running, serve};
use serde_json::Value;

use crate::stage::Stage;

const NAME: &str = "mondoo-ci";

fn served() -> Running<Azure> {
    serve(Azure::new(), ([127, 0, 0, 1], 0).into()).expect("a port")
}

/// A configuration that names a vault, and a policy directory that allows servers of this machine.
fn stage(vault: &str, allowed: &[&str], attributes: &str) -> Stage {
    let mut stage = Stage::small();
    stage.configure(&format!(
        r#"sink "azure_key_vault" "ci" {{
  vault = "{vault}"
  name  = "Mondoo-${{account.id}}"
{attributes}
}}
service_account "ci" {{
  scope = space.payments
  name  = "ci"
  roles = ["viewer"]

  credential {{
    deliver_to = [sink.azure_key_vault.ci]
  }}
}}
"#
    ));
    fs::create_dir(stage.path("security")).expect("created");
    let allowed: Vec<String> = allowed.iter().map(|one| format!("\"{one}\"")).collect();
    let text = format!("destinations {{\n  allow = [{}]\n}}\n", allowed.join(", "));
    fs::write(stage.path("security/allow.hcl"), text).expect("written");
    stage
}

/// What a run says, its exit code first.
fn said(stage: &Stage, arguments: &[&str], change: impl FnOnce(&mut Command)) -> (i32, String) {
    let mut command = stage.command(arguments);
    change(&mut command);
    let output = command.output().expect("runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.code().expect("it ended"), text)
}

/// An apply as a job with workload identity runs it.
fn apply(stage: &Stage, authority: &str, more: &[&str]) -> (i32, String) {
    let file = stage.path("token");
    fs::write(&file, FEDERATED).expect("written");
    let arguments = [
        &[
            "apply",
            "access",
            "--yes",
            "--policy-dir",
            "security",
            "--log",
            "run.log",
            "--log-level",
            "debug",
        ],
        more,
    ]
    .concat();
    said(stage, &arguments, |command| {
        command
            .env("CI", "1")
            .env("AZURE_AUTHORITY_HOST", authority)
            .env("AZURE_TENANT_ID", TENANT)
            .env("AZURE_CLIENT_ID", CLIENT)
            .env("AZURE_FEDERATED_TOKEN_FILE", file);
    })
}

fn made(stage: &Stage) -> usize {
    let requests = stage.front.requests();
    let made = |body: &[u8]| String::from_utf8_lossy(body).contains("createServiceAccount");
    requests.iter().filter(|(_, body)| made(body)).count()
}

#[test]
fn a_key_gets_into_a_secret_from_which_a_job_logs_in_and_nowhere_else() {
    for attributes in ["", "  format = \"base64\""] {
        let azure = served();
        let stage = stage(&azure.url, &[&azure.url], attributes);
        // A plan needs no login, and asks nobody.
        let (code, planned) = said(&stage, &["plan", "access"], |_| {});
        assert!(code == 0 || code == 2, "{planned}");
        assert!(planned.contains("/secrets/mondoo-ci"), "{planned}");
        assert!(azure.calls().is_empty());
        let (code, applied) = apply(&stage, &azure.url, &[]);
        assert_eq!(code, 0, "{applied}");
        assert!(
            applied.contains("The key of service_account.ci is in"),
            "{applied}"
        );
        let kept = azure.with(|azure| azure.newest(NAME).cloned());
        let kept = kept.expect("it is there").value;
        // As the page says that it is read.
        let file = stage.path("config");
        fs::write(&file, &kept).expect("written");
        let (code, verified) = said(&stage, &["credential", "verify"], |command| {
            match attributes {
                "" => command.env("MONDOO_CONFIG_PATH", &file),
                _ => command
                    .env_remove("MONDOO_CONFIG_PATH")
                    .env("MONDOO_CONFIG_BASE64", &kept),
            };
        });
        assert_eq!(code, 0, "{verified}");
        fs::remove_file(&file).expect("removed");
        // The key is in the secret alone, and nothing of the login anywhere.
        let mut texts = vec![planned, applied];
        for entry in ["run.log", "access/main.hcl"] {
            texts.push(fs::read_to_string(stage.path(entry)).expect("there"));
        }
        assert!(!stage.path("access/credentials").exists());
        let mut secrets = vec![
            kept.clone(),
            FEDERATED.to_owned(),
            "of-login-number".to_owned(),
        ];
        if let Ok(credential) = serde_json::from_str::<Value>(&kept) {
            let private = credential["private_key"].as_str().expect("a key");
            secrets.push(private.lines().nth(1).expect("a line of it").to_owned());
        }
        for text in &texts {
            assert!(
                secrets.iter().all(|secret| !text.contains(secret.as_str())),
                "{text}"
            );
        }
        for told in ["\"sink-request\"", "azure login", "azure write"] {
            assert!(texts[2].contains(told), "{told}");
        }
        // What was delivered is no difference.
        azure.calls();
        let (code, planned) = said(&stage, &["plan", "access"], |_| {});
        assert_eq!(code, 0, "{planned}");
        assert!(planned.contains("No changes"), "{planned}");
        assert!(azure.calls().is_empty());
    }
}

#[test]
fn nothing_is_made_where_the_key_could_not_be_put() {
    // In the bin; without the right to read; a vault that asks for a login for something else.
    for (prepare, told) in [
        (
            Box::new(|azure: &mut Azure| {
                azure.put(NAME, "x");
                azure.delete(NAME);
            }) as Box<dyn Fn(&mut Azure)>,
            "az keyvault secret recover",
        ),
        (
            Box::new(|azure: &mut Azure| {
                azure.forbidden.push(("GET".to_owned(), "ForbiddenByRbac"));
            }),
            "takes up to ten minutes",
        ),
        (
            Box::new(|azure: &mut Azure| {
                azure.resource = Some("https://management.azure.com".to_owned());
            }),
            "not its own domain",
        ),
        (
            Box::new(|azure: &mut Azure| azure.put(NAME, "somebody's")),
            "not a credential",
        ),
    ] {
        let azure = served();
        let stage = stage(&azure.url, &[&azure.url], "");
        azure.with(|azure| prepare(azure));
        let before = azure.with(|azure| azure.versions(NAME).to_vec());
        let (code, text) = apply(&stage, &azure.url, &[]);
        assert_ne!(code, 0, "{text}");
        assert!(text.contains(told), "{text}");
        assert_eq!(made(&stage), 0, "no account is made");
        assert_eq!(azure.with(|azure| azure.versions(NAME).to_vec()), before);
        // A role that has come into effect, and a secret that somebody has moved away.
        if told.contains("minutes") {
            azure.with(|azure| azure.forbidden.clear());
            let (code, text) = apply(&stage, &azure.url, &[]);
            assert_eq!(code, 0, "{text}");
            assert_eq!(made(&stage), 1);
        }
    }
}

#[test]
fn a_configuration_sends_no_login_to_another_server() {
    let (azure, evil) = (served(), served());
    for (vault, authority, allowed, told) in [
        (
            &evil.url,
            &azure.url,
            &azure.url,
            "is no address of a vault in Azure, so the login was not sent",
        ),
        (
            &azure.url,
            &evil.url,
            &azure.url,
            "which is none of Azure's; the login was not sent",
        ),
    ] {
        let stage = stage(vault, &[allowed], "");
        let (code, text) = apply(&stage, authority, &[]);
        assert_ne!(code, 0, "{text}");
        assert!(text.contains(told), "{text}");
        assert_eq!(made(&stage), 0, "no account is made");
        assert!(evil.calls().is_empty(), "something was sent");
    }
    // A redirect is not followed.
    let stage = stage(&azure.url, &[&azure.url], "");
    azure.with(|azure| {
        azure
            .faults
            .push(("GET /secrets/".to_owned(), Fault::Moved))
    });
    let (code, text) = apply(&stage, &azure.url, &[]);
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("redirect"), "{text}");
}

#[test]
fn an_account_whose_key_is_refused_is_removed_again_and_the_next_run_is_whole() {
    for (fault, left) in [
        (Fault::Refuse(403, "Forbidden", "ForbiddenByRbac"), 0),
        (Fault::RefuseDone(403, "Forbidden", "ForbiddenByRbac"), 1),
        (Fault::LostAnswer, 1),
    ] {
        let azure = served();
        let stage = stage(&azure.url, &[&azure.url], "");
        azure.with(|azure| azure.faults.push(("PUT".to_owned(), fault.clone())));
        let (code, text) = apply(&stage, &azure.url, &[]);
        assert_eq!(code == 0, left == 1, "{fault:?}: {text}");
        assert_eq!(azure.with(|azure| azure.versions(NAME).len()), left);
        let (code, text) = apply(&stage, &azure.url, &[]);
        assert_eq!(code, 0, "{fault:?}: {text}");
        assert_eq!(made(&stage), 2 - left, "{fault:?}");
        assert_eq!(azure.with(|azure| azure.versions(NAME).len()), 1);
        let kept = azure.with(|azure| azure.newest(NAME).cloned());
        let file = stage.path("config");
        fs::write(&file, kept.expect("it is there").value).expect("written");
        let (code, verified) = said(&stage, &["credential", "verify"], |command| {
            command.env("MONDOO_CONFIG_PATH", &file);
        });
        assert_eq!(code, 0, "{verified}");
    }
}

#[test]
fn a_key_is_removed_with_its_account_and_what_others_wrote_is_not() {
    for others in [false, true] {
        let azure = served();
        let stage = stage(&azure.url, &[&azure.url], "  on_delete = \"remove\"");
        let (code, applied) = apply(&stage, &azure.url, &[]);
        assert_eq!(code, 0, "{applied}");
        if others {
            azure.with(|azure| azure.put(NAME, "by hand"));
        }
        let main = stage.path("access/main.hcl");
        let text = fs::read_to_string(&main).expect("there");
        let (rest, _) = text
            .split_once("service_account \"ci\"")
            .expect("an account");
        fs::write(&main, rest).expect("written");
        let (code, applied) = apply(&stage, &azure.url, &["--destroy"]);
        assert_eq!(code, 0, "{applied}");
        let held = azure.with(|azure| azure.newest(NAME).map(|newest| newest.value.clone()));
        let expected = if others { "by hand" } else { "{}" };
        assert_eq!(held.as_deref(), Some(expected), "{applied}");
        let asked = azure.calls();
        assert!(asked.iter().all(|call| call.method != "DELETE"));
    }
}

#[test]
fn an_applications_secret_is_sent_to_the_login_alone() {
    let azure = served();
    let stage = stage(&azure.url, &[&azure.url], "");
    let arguments = ["apply", "access", "--yes", "--policy-dir", "security"];
    let (code, applied) = said(&stage, &arguments, |command| {
        command
            .env("AZURE_AUTHORITY_HOST", &azure.url)
            .env("AZURE_TENANT_ID", TENANT)
            .env("AZURE_CLIENT_ID", CLIENT)
            .env("AZURE_CLIENT_SECRET", SECRET);
    });
    assert_eq!(code, 0, "{applied}");
    assert!(!applied.contains(SECRET));
    for call in azure.calls() {
        let login = call.path.ends_with("/oauth2/v2.0/token");
        let body = String::from_utf8_lossy(&call.body).into_owned();
        assert_eq!(body.contains("client_secret="), login, "{}", call.path);
    }
}
