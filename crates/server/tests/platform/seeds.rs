//! Seeds: what they say is there, what is there can be written as one, and made-up ones.

use jiff::{SignedDuration, Timestamp};
use rolecall_server::{App, Quirks, Seed};
use serde_json::json;

use super::client::{ORG, PAYMENTS, acme, memory};

fn now() -> Timestamp {
    "2025-11-21T12:00:00Z".parse().expect("a time")
}

fn later() -> Timestamp {
    now() + SignedDuration::from_hours(1)
}

fn seeded(seed: &Seed, at: Timestamp) -> App {
    let app = memory(Quirks::default());
    app.seed(seed, at).expect("seeds");
    app
}

fn text(app: &App) -> String {
    serde_json::to_string_pretty(&app.dump_seed().expect("dumps")).expect("JSON")
}

#[test]
fn a_dump_is_a_seed_that_gives_the_same_dump() {
    let mut seed = acme();
    seed.organizations[0].teams = serde_json::from_value(json!([{ "id": "platform-security",
        "name": "Platform Security", "email": "sec@acme.example", "roles": ["editor"],
        "members": ["ada@acme.example", "nobody@acme.example"], "groups": ["0f8e", "1a2b"] }]))
    .expect("teams");
    let app = seeded(&seed, now());
    // What the API can make and a plain seed does not have.
    let elsewhere = rolecall_server::SeedAccount {
        name: "visitor".to_owned(),
        roles: vec!["viewer".to_owned()],
        valid_until: Some(later()),
        ..Default::default()
    };
    let visitor = app
        .admin_create_account(ORG, &elsewhere, now())
        .expect("creates");
    for identity in [visitor.as_str(), "invited@acme.example"] {
        app.admin_set_roles(PAYMENTS, identity, &["editor"], now())
            .expect("sets");
    }
    let credential = app
        .ensure_owner("acme-corp-883120", now())
        .expect("works")
        .expect("first");
    app.admin_create_token(ORG, "secret", "the-text-of-a-token", &["owner"], now())
        .expect("creates");

    let first = text(&app);
    let seed = Seed::from_json(first.as_bytes()).expect("a seed");
    let copy = seeded(&seed, later());
    assert_eq!(text(&copy), first);
    assert!(!first.contains("the-text-of-a-token"));
    assert!(!first.contains("PRIVATE KEY") && !first.contains("CERTIFICATE"));
    for of_team in ["sec@acme.example", "nobody@acme.example", "1a2b"] {
        assert!(first.contains(of_team), "{of_team}");
    }
    assert!(first.contains(&visitor) && first.contains("invited@acme.example"));

    // All that was there is there, and only keys and tokens are gone.
    let mut before = app.dump().expect("dumps");
    let after = copy.dump().expect("dumps");
    for account in before["accounts"].as_array_mut().expect("a list") {
        account["has_key"] = json!(false);
    }
    let bindings = before["bindings"].as_array_mut().expect("a list");
    let all = bindings.len();
    bindings.retain(|binding| {
        !binding["identity"]
            .as_str()
            .expect("text")
            .contains("/apitokens/")
    });
    assert_eq!(bindings.len(), all - 1);
    assert_eq!(after, before);
    assert!(first.contains(credential.mrn.rsplit('/').next().expect("an id")));
}

#[test]
fn ages_are_counted_from_the_time_of_seeding() {
    let seed = json!({ "organizations": [{
        "id": "acme-corp-883120", "name": "Acme", "created_at": "-52w",
        "annotations": { "created_at": "-3d" },
        "accounts": [{
            "id": null, "name": "old", "roles": ["viewer"],
            "labels": { "last_used": "-1d" },
            "created_at": "-40d", "last_used": "-36h", "valid_until": "+30d",
        }],
    }] });
    let seed = Seed::from_json_at(seed.to_string().as_bytes(), now()).expect("a seed");
    let dump = seeded(&seed, now()).dump_seed().expect("dumps");
    let dump = serde_json::to_value(dump).expect("JSON");
    let organization = &dump["organizations"][0];
    assert_eq!(organization["created_at"], "2024-11-22T12:00:00Z");
    assert_eq!(organization["annotations"]["created_at"], "-3d");
    let account = &organization["accounts"][0];
    assert_eq!(account["created_at"], "2025-10-12T12:00:00Z");
    assert_eq!(account["last_used"], "2025-11-20T00:00:00Z");
    assert_eq!(account["valid_until"], "2025-12-21T12:00:00Z");
    assert_eq!(account["labels"]["last_used"], "-1d");

    for (wrong, expected) in [
        (r#"{"organizations": [{"created_at": "-4 days"}]}"#, "-40d"),
        ("{\"organizations\": [\n{\"nam\": 1}]}", "line 2"),
    ] {
        let error = Seed::from_json_at(wrong.as_bytes(), now()).expect_err(wrong);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn the_same_numbers_generate_the_same_platform() {
    let made = |seed| serde_json::to_string(&Seed::generate(2, 3, 4, seed)).expect("JSON");
    assert_eq!(made(7), made(7));
    assert_ne!(made(7), made(8));
    let seed = Seed::from_json(made(7).as_bytes()).expect("a seed");
    let app = seeded(&seed, now());
    let dump = app.dump().expect("dumps");
    let count = |key: &str| dump[key].as_array().map_or(0, Vec::len);
    assert_eq!((count("scopes"), count("accounts")), (2 + 2 * 3, 2 * 3 * 4));
    let again = seeded(&seed, later()).dump().expect("dumps");
    assert_eq!(again, dump, "whenever it is seeded");
    for account in dump["accounts"].as_array().expect("a list") {
        let time = |key: &str| account[key].as_str().map(str::to_owned);
        if let Some(used) = time("last_used") {
            assert!(Some(used) >= time("created_at"), "{account}");
        }
    }
}
