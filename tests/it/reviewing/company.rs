//! A company that takes over what it has: 14 spaces, 42 accounts, and a plan that fits two screens.

use rolecall_server::Quirks;
use serde_json::{Value, json};

use super::said;
use crate::stage::Stage;

/// An organization with 14 spaces, and 42 accounts as people make them by hand.
fn company() -> Value {
    let account = |name: &str, roles: &[&str], used: Option<&str>| {
        json!({
            "name": name,
            "roles": roles,
            "description": format!("{name}, by hand"),
            "created_at": "2025-10-24T00:00:00Z",
            "last_used": used,
        })
    };
    let teams = ["payments", "checkout", "search", "data", "mobile"];
    let names = ["prod-eu", "prod-us", "staging", "sandbox"]
        .map(str::to_owned)
        .into_iter()
        .chain(
            teams
                .iter()
                .flat_map(|team| [format!("{team}-prod"), format!("{team}-dev")]),
        );
    let spaces: Vec<Value> = names
        .enumerate()
        .map(|(n, name)| {
            let mut accounts = vec![
                account(
                    &format!("ci-scanner-{name}"),
                    &["agent"],
                    Some("2026-11-27T00:00:00Z"),
                ),
                account(
                    &format!("report-{name}"),
                    &["viewer"],
                    Some("2026-11-15T00:00:00Z"),
                ),
            ];
            if n < 10 {
                accounts.push(account("soc-export", &["viewer"], None));
            }
            json!({ "id": format!("calm-euler-1182{n:02}"), "name": name, "accounts": accounts })
        })
        .collect();
    let own = [
        account("org-auditor", &["viewer"], Some("2026-11-25T00:00:00Z")),
        account("platform-admin", &["owner"], Some("2026-10-18T00:00:00Z")),
        account("provisioner", &["editor"], Some("2026-11-26T00:00:00Z")),
        account("billing", &["viewer"], None),
    ];
    json!({ "organizations": [{
        "id": "acme-corp-883120",
        "name": "Acme Corp",
        "accounts": own,
        "spaces": spaces,
    }]})
}

#[test]
fn an_unapplied_plan_of_42_accounts_fits_two_screens_of_80_columns() {
    let stage = Stage::holding(Quirks::default(), company().to_string().as_bytes());
    let init = ["init", "--from-live", "live"];
    let (code, out, err) = said(&stage, &init);
    assert_eq!(code, Some(0), "{out}{err}");
    let mut command = stage.command(&["plan", "live"]);
    // Its own key is a new one.
    command.env("COLUMNS", "80").env_remove("ROLECALL_SEAL_KEY");
    let output = command.output().expect("runs");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.starts_with("Plan: 42 to adopt;"), "{text}{err}");
    // A screen has 50 lines.
    let lines = text.lines().count();
    assert!(lines <= 100, "{lines} lines:\n{text}");
}
