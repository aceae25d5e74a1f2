//! What stays: reopening a file, seeding, the first credential.

use jiff::Timestamp;
use rolecall_server::{App, Error, Options, Quirks, Seed, Storage};
use serde_json::json;

use super::client::{Key, LIST, PAYMENTS, acme, memory};

fn now() -> Timestamp {
    "2025-11-21T12:00:00Z".parse().expect("a time")
}

fn open(path: &std::path::Path) -> App {
    let options = Options {
        base_url: "http://127.0.0.1:8989".to_owned(),
        quirks: Quirks::default(),
    };
    App::open(Storage::File(path), options).expect("opens")
}

#[test]
fn a_reopened_platform_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("local.db");
    let app = open(&path);
    app.seed(&acme(), now()).expect("seeds");
    let credential = app
        .ensure_owner("acme-corp-883120", now())
        .expect("works")
        .expect("first");
    assert_eq!(credential.api_endpoint, "http://127.0.0.1:8989");
    app.meta_set("port", "8989").expect("notes");
    let before = app.dump().expect("dumps");
    drop(app);

    let app = open(&path);
    assert_eq!(app.dump().expect("dumps"), before);
    assert_eq!(
        app.meta_get("port").expect("reads").as_deref(),
        Some("8989")
    );
    assert_eq!(app.meta_get("other").expect("reads"), None);
    assert!(
        app.ensure_owner("acme-corp-883120", now())
            .expect("works")
            .is_none(),
        "once"
    );
    assert!(matches!(
        app.seed(&acme(), now()),
        Err(Error::AlreadySeeded)
    ));
    let key = Key::from(&credential);
    let body = json!({ "query": LIST, "variables": { "scopeMrn": PAYMENTS } }).to_string();
    let (status, _) = app.serve_bytes(Some(&key.bearer(now())), body.as_bytes(), now());
    assert_eq!(status, 200, "the key works after reopening");
}

#[test]
fn private_keys_are_nowhere_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("local.db");
    let app = open(&path);
    app.seed(&acme(), now()).expect("seeds");
    let credential = app
        .ensure_owner("acme-corp-883120", now())
        .expect("works")
        .expect("first");
    assert!(!format!("{credential:?}").contains("PRIVATE KEY"));
    let key = rcgen::KeyPair::from_pem(&credential.private_key).expect("a key");
    let der = key.serialize_der();
    // The 48 bytes of the secret scalar of a PKCS#8 P-384 key.
    let scalar = &der[35..83];
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).expect("reads") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("reads");
        assert!(!bytes.windows(48).any(|window| window == scalar));
        assert!(!bytes.windows(11).any(|window| window == b"PRIVATE KEY"));
        files += 1;
    }
    assert!(files >= 1);
    let public = key.public_key_raw();
    assert!(
        public.len() == 97 && der.ends_with(public),
        "the scalar was cut at the right place"
    );
}

#[test]
fn a_credential_has_the_keys_of_a_downloaded_file() {
    let app = memory(Quirks::default());
    app.seed(&acme(), now()).expect("seeds");
    let credential = app
        .ensure_owner("acme-corp-883120", now())
        .expect("works")
        .expect("first");
    let json = serde_json::to_value(&credential).expect("JSON");
    assert_eq!(
        super::client::keys(&json),
        [
            "api_endpoint",
            "certificate",
            "mrn",
            "private_key",
            "scope_mrn",
            "space_mrn",
            "typename"
        ]
    );
    assert_eq!(json["typename"], "ServiceAccountCredential");
    assert_eq!(json["space_mrn"], json["scope_mrn"]);
}

#[test]
fn one_credential_owns_every_organization() {
    let app = memory(Quirks::default());
    app.ensure_scopes(
        &[("first-org-1", "First"), ("second-org-2", "Second")],
        &[],
        now(),
    )
    .expect("creates");
    let spaces = [
        ("space-1", "One", "first-org-1"),
        ("space-2", "Two", "second-org-2"),
    ];
    app.ensure_scopes(&[("first-org-1", "Renamed")], &spaces, now())
        .expect("adds");
    let key = Key::from(
        &app.ensure_owner("first-org-1", now())
            .expect("works")
            .expect("first"),
    );
    let lists = |space: &str| {
        let scope = format!("//captain.api.mondoo.app/spaces/{space}");
        let body = json!({ "query": LIST, "variables": { "scopeMrn": scope } }).to_string();
        let (status, body) = app.serve_bytes(Some(&key.bearer(now())), body.as_bytes(), now());
        assert_eq!(status, 200);
        !String::from_utf8_lossy(&body).contains("errors")
    };
    assert!(lists("space-1") && lists("space-2"));
    let dump = app.dump().expect("dumps");
    let names: Vec<_> = dump["scopes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|s| &s["name"])
        .collect();
    assert_eq!(
        names,
        ["First", "Second", "One", "Two"],
        "what is there stays"
    );
    let creator = &dump["accounts"][0]["creator"];
    assert_eq!(*creator, dump["users"][0]["mrn"], "a human made it");

    // An organization that comes later is owned after the next call.
    app.ensure_scopes(
        &[("third-org-3", "Third")],
        &[("space-3", "Three", "third-org-3")],
        now(),
    )
    .expect("adds");
    assert!(!lists("space-3"));
    assert!(
        app.ensure_owner("first-org-1", now())
            .expect("works")
            .is_none()
    );
    assert!(lists("space-3"));
    let unknown = app.ensure_scopes(&[], &[("space-4", "Four", "no-such-org")], now());
    assert!(matches!(unknown, Err(Error::Refused(_))));
}

#[test]
fn a_seed_gives_the_same_platform_each_time() {
    let dump = || {
        let app = memory(Quirks::default());
        app.seed(&acme(), now()).expect("seeds");
        app.dump().expect("dumps")
    };
    assert_eq!(dump(), dump());
    assert_eq!(dump()["accounts"].as_array().map(Vec::len), Some(8));
}

#[test]
fn a_wrong_seed_leaves_nothing() {
    let app = memory(Quirks::default());
    for json in [
        json!({ "organizations": [{ "id": "acme-1", "name": "A", "accounts": [
            { "name": "x", "roles": ["king"] }] }] }),
        json!({ "organizations": [{ "id": "acme-1", "name": "A" }, { "id": "acme-1" }] }),
        json!({ "organizations": [{ "id": "No Id", "name": "A" }] }),
    ] {
        let seed = Seed::from_json(json.to_string().as_bytes()).expect("reads");
        assert!(app.seed(&seed, now()).is_err(), "{json}");
        assert_eq!(app.dump().expect("dumps")["scopes"], json!([]), "{json}");
    }
    assert!(matches!(
        Seed::from_json(b"{\"organisations\":[]}"),
        Err(Error::InvalidSeed(_))
    ));
    app.seed(&acme(), now()).expect("seeds after failures");
}

#[test]
fn ten_thousand_accounts_are_seeded_fast() {
    let account = |i: usize| json!({ "name": format!("account-{i}"), "roles": ["viewer"] });
    let accounts: Vec<_> = (0..10_000).map(account).collect();
    let seed = json!({ "organizations": [{ "id": "big-org-1", "name": "Big",
        "accounts": accounts }] });
    let seed = Seed::from_json(seed.to_string().as_bytes()).expect("reads");
    let app = memory(Quirks::default());
    let started = std::time::Instant::now();
    app.seed(&seed, now()).expect("seeds");
    // About half a second; a key for each account would cost far more.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert_eq!(
        app.dump().expect("dumps")["accounts"]
            .as_array()
            .map(Vec::len),
        Some(10_000)
    );
}

#[test]
fn a_deleted_account_leaves_no_roles_behind() {
    let app = memory(Quirks::default());
    app.seed(&acme(), now()).expect("seeds");
    let mrn = app.dump().expect("dumps")["accounts"][0]["mrn"].clone();
    let mrn = mrn.as_str().expect("an MRN");
    let mentions = || app.dump().expect("dumps").to_string().matches(mrn).count();
    assert_eq!(mentions(), 2, "the account and its roles");
    app.admin_delete(mrn, now()).expect("deletes");
    assert_eq!(mentions(), 0);
}

#[test]
fn the_owner_of_the_process_changes_things_behind_the_api() {
    let app = memory(Quirks::default());
    app.seed(&acme(), now()).expect("seeds");
    let mrn = app.dump().expect("dumps")["accounts"][0]["mrn"].clone();
    let mrn = mrn.as_str().expect("an MRN");
    app.admin_update_labels(mrn, &[("a", "1")], now())
        .expect("labels");
    app.admin_set_roles(PAYMENTS, mrn, &["agent"], now())
        .expect("sets");
    let dump = app.dump().expect("dumps");
    assert_eq!(
        dump["accounts"][0]["labels"],
        json!([{ "key": "a", "value": "1" }])
    );
    let bindings = dump["bindings"].as_array().expect("a list");
    let agent = json!(["//iam.api.mondoo.app/roles/agent"]);
    assert!(
        bindings
            .iter()
            .any(|b| { b["identity"] == mrn && b["scope_mrn"] == PAYMENTS && b["roles"] == agent })
    );
    assert!(
        app.admin_set_roles(PAYMENTS, mrn, &["king"], now())
            .is_err()
    );
}

#[test]
fn a_database_that_somebody_else_made_is_refused_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = folder.path().join("ours.db");
    drop(open(&ours));
    let strange = [
        "drop table meta; create view meta as with recursive n(i) as (select 1 union all \
         select i + 1 from n) select 'owner' as key, max(i) as value from n",
        "create trigger more after insert on scopes begin delete from accounts; end",
        "create table extra (x)",
        "drop index accounts_live",
        "alter table tokens add column more text",
    ];
    for (i, sql) in strange.iter().enumerate() {
        let path = folder.path().join(format!("{i}.db"));
        std::fs::copy(&ours, &path).expect("copies");
        let connection = rusqlite::Connection::open(&path).expect("opens");
        connection.execute_batch(sql).expect(sql);
        drop(connection);
        let before = std::fs::read(&path).expect("reads");
        let started = std::time::Instant::now();
        let error = App::open(Storage::File(&path), Options::default()).expect_err(sql);
        assert!(started.elapsed().as_secs() < 10, "{sql}");
        let error = error.to_string();
        assert!(
            error.contains("is no database of this platform"),
            "{sql}: {error}"
        );
        assert!(
            error.contains("remove the file, or name another one"),
            "{error}"
        );
        assert_eq!(
            std::fs::read(&path).expect("reads"),
            before,
            "it is left as it was"
        );
    }
    // Another program's.
    let path = folder.path().join("notes.db");
    let connection = rusqlite::Connection::open(&path).expect("opens");
    connection
        .execute_batch("create table notes (x)")
        .expect("makes");
    drop(connection);
    let before = std::fs::read(&path).expect("reads");
    assert!(App::open(Storage::File(&path), Options::default()).is_err());
    assert_eq!(std::fs::read(&path).expect("reads"), before);
    // And one that is ours is opened as often as wanted.
    drop(open(&ours));
    drop(open(&ours));
}

#[test]
fn a_new_database_may_be_opened_by_several_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new.db");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| drop(open(&path)));
        }
    });
}
