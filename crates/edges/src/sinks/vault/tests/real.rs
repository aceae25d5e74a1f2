//! The sink against a real Vault, which `scripts/services/vault test` starts. What is delivered here is read by
//! another client afterwards.

use std::io::Write as _;

use super::super::*;
use crate::model::{CredentialFormat, Origin, VaultPlace};
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

fn variable(name: &str) -> String {
    std::env::var(name).expect("scripts/services/vault sets it")
}

fn of_folder(name: &str) -> String {
    format!("{}/{name}", variable("ROLECALL_TEST_VAULT_FOLDER"))
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(of_folder(name)).expect("written by the client")
}

/// A sink that logs in with these variables.
fn sink(variables: &[(&'static str, &str)]) -> VaultSink {
    let address = variable("VAULT_ADDR");
    let mut all = vec![("VAULT_ADDR", address.as_str())];
    all.extend(variables);
    let (machine, _) = Lent::machine(&all);
    VaultSink::new(Arc::new(machine))
}

fn root() -> VaultSink {
    sink(&[("VAULT_TOKEN", &variable("ROLECALL_TEST_VAULT_ROOT"))])
}

fn place(path: &str) -> VaultPlace {
    VaultPlace {
        address: Origin::new(&variable("VAULT_ADDR")).expect("an address"),
        namespace: String::new(),
        mount: "secret".to_owned(),
        path: path.to_owned(),
        field: "credential".to_owned(),
        format: CredentialFormat::Json,
        metadata: false,
    }
}

fn to(place: &VaultPlace) -> Destination {
    Destination::new("vault.ci", Place::Vault(place.clone()))
}

async fn put(sink: &VaultSink, place: &VaultPlace, id: &str) -> Result<Delivered, SinkError> {
    let (to, key) = (to(place), credential(id));
    let probe = sink.probe(&to).await?;
    let staged = sink.stage(&to, &key, probe).await?;
    sink.promote(&to, &key, &staged).await
}

/// Notes what the other client is to find.
fn delivered(place: &VaultPlace, id: &str) {
    let mut file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(of_folder("delivered"))
        .expect("opened");
    let (form, account) = (place.format.as_str(), credential(id).mrn);
    writeln!(file, "{} {} {form} {account}", place.mount, place.path).expect("written");
}

async fn seen(place: &VaultPlace) -> Seen {
    let sink = root();
    let server = sink.server(place).await.expect("a login");
    sink.look(&server, place).await.expect("read")
}

/// What somebody else writes, whatever was there.
async fn written_by_others(place: &VaultPlace, bytes: &[u8]) {
    let sink = root();
    let server = sink.server(place).await.expect("a login");
    let version = sink.look(&server, place).await.expect("read").version;
    let text = std::str::from_utf8(bytes).expect("text");
    let data = answer::with_field("{}", &place.field, text).expect("JSON");
    let done = sink
        .write(&server, place, version.unwrap_or(0), &data)
        .await;
    done.expect("written");
}

/// Waits for something elsewhere, since a test that waits cannot.
fn wait<T: Send, F: Future<Output = T>>(work: impl FnOnce() -> F + Send) -> T {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().expect("a runtime");
            runtime.block_on(work())
        });
        waiting.join().expect("no panic")
    })
}

struct Real {
    sink: VaultSink,
    /// Any place of the mount and the format.
    like: VaultPlace,
    places: std::sync::Mutex<usize>,
}

impl Real {
    fn of(to: &Destination) -> VaultPlace {
        match to.place() {
            Place::Vault(place) => place.clone(),
            _ => panic!("{to}"),
        }
    }
}

impl Ground for Real {
    type Sink = VaultSink;

    fn sink(&self) -> &VaultSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        to(&VaultPlace {
            path: format!("mondoo/{}-{places}", self.like.format.as_str()),
            ..self.like.clone()
        })
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        let place = Self::of(to);
        let found = wait(|| async { seen(&place).await.field(&place.field) });
        Some(found?.as_bytes().to_vec())
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        let place = Self::of(to);
        wait(|| written_by_others(&place, bytes));
    }

    fn beside(&self) -> usize {
        0
    }
}

#[tokio::test]
#[ignore = "asks a real Vault: scripts/services/vault test"]
async fn all_formats_and_mounts_keep_to_the_contract() {
    // The second mount insists on check-and-set.
    for mount in ["secret", "strict"] {
        for format in [CredentialFormat::Json, CredentialFormat::Base64] {
            let real = Real {
                sink: root(),
                like: VaultPlace {
                    mount: mount.to_owned(),
                    format,
                    ..place("")
                },
                places: std::sync::Mutex::default(),
            };
            keeps_to_the_contract(&real).await;
            let last = Real::of(&real.place());
            put(&real.sink, &last, "last").await.expect("delivers");
            delivered(&last, "last");
        }
    }
}

#[tokio::test]
#[ignore = "asks a real Vault: scripts/services/vault test"]
async fn every_login_may_do_what_the_policy_of_the_page_says_and_no_more() {
    let (token, id, secret) = (text_of("token"), text_of("role-id"), text_of("secret-id"));
    let jwt = of_folder("jwt");
    let logins: [(&str, &[(&'static str, &str)]); 3] = [
        ("token", &[("VAULT_TOKEN", &token)]),
        (
            "approle",
            &[("VAULT_ROLE_ID", &id), ("VAULT_SECRET_ID", &secret)],
        ),
        (
            "jwt",
            &[("VAULT_AUTH_ROLE", "job"), ("VAULT_AUTH_JWT_FILE", &jwt)],
        ),
    ];
    for (name, variables) in logins {
        let job = sink(variables);
        let at = place(&format!("mondoo/by-{name}"));
        let (to, first) = (to(&at), credential("one"));
        let probe = job.probe(&to).await.expect(name);
        let staged = job.stage(&to, &first, probe).await.expect(name);
        job.promote(&to, &first, &staged).await.expect(name);
        let back = job.abandon(&to, &first, &staged).await;
        assert_eq!(back, Ok(Abandoned::Gone), "{name}");
        put(&job, &at, "two").await.expect(name);
        put(&job, &at, "three").await.expect(name);
        delivered(&at, "three");
        let elsewhere = job.probe(&self::to(&place("others/x"))).await;
        let refused = elsewhere.expect_err(name);
        assert_eq!(
            refused.kind,
            SinkErrorKind::PermissionDenied,
            "{name}: {refused}"
        );
    }
}

#[tokio::test]
#[ignore = "asks a real Vault: scripts/services/vault test"]
async fn a_login_that_is_not_accepted_says_so() {
    let logins: [&[(&'static str, &str)]; 3] = [
        &[("VAULT_TOKEN", "hvs.nobodys")],
        &[("VAULT_ROLE_ID", "nobody"), ("VAULT_SECRET_ID", "nothing")],
        &[
            ("VAULT_AUTH_ROLE", "nobody"),
            ("VAULT_AUTH_JWT_FILE", &of_folder("jwt")),
        ],
    ];
    for variables in logins {
        let refused = sink(variables).probe(&to(&place("mondoo/x"))).await;
        let refused = refused.expect_err("refused");
        let kinds = [
            SinkErrorKind::Unauthenticated,
            SinkErrorKind::PermissionDenied,
        ];
        assert!(kinds.contains(&refused.kind), "{refused}");
        assert_eq!(refused.effect, Effect::None);
        assert!(
            refused.help.is_some() && !refused.to_string().contains("nobodys"),
            "{refused}"
        );
    }
}

#[tokio::test]
#[ignore = "asks a real Vault: scripts/services/vault test"]
async fn engines_and_mounts_that_do_not_fit_are_refused() {
    for (mount, told) in [("first", "version 1"), ("nowhere", "nowhere")] {
        let at = VaultPlace {
            mount: mount.to_owned(),
            ..place("mondoo/ci")
        };
        let refused = root().probe(&to(&at)).await.expect_err(mount);
        assert!(
            matches!(refused.kind, SinkErrorKind::Unfit | SinkErrorKind::NotFound),
            "{refused}"
        );
        assert!(refused.to_string().contains(told), "{refused}");
    }
}

#[tokio::test]
#[ignore = "asks a real Vault: scripts/services/vault test"]
async fn what_stands_beside_a_key_stays_and_a_deleted_secret_is_free() {
    let shared = place("mondoo/shared");
    put(&root(), &shared, "one").await.expect("delivers");
    let gone = root()
        .remove(&to(&shared), &credential("one").mrn, None)
        .await;
    assert_eq!(gone, Ok(Removal::Removed));
    let deleted = place("mondoo/deleted");
    let probe = root().probe(&to(&deleted)).await.expect("looks");
    assert_eq!(probe.found, Found::Nobody);
    put(&root(), &deleted, "one").await.expect("delivers");
    delivered(&deleted, "one");
}

#[tokio::test]
#[ignore = "asks a real Vault: scripts/services/vault test"]
async fn what_is_written_meanwhile_is_not_written_over_and_notes_are_made() {
    let at = VaultPlace {
        metadata: true,
        ..place("mondoo/marked")
    };
    let (sink, key) = (root(), credential("one"));
    let probe = sink.probe(&to(&at)).await.expect("free");
    let staged = sink.stage(&to(&at), &key, probe).await.expect("stages");
    written_by_others(&at, b"a private thought").await;
    let moved = sink
        .promote(&to(&at), &key, &staged)
        .await
        .expect_err("moved");
    assert_eq!(
        (moved.kind, moved.effect),
        (SinkErrorKind::Moved, Effect::None)
    );
    let held = seen(&at).await.field("credential").expect("there");
    assert_eq!(*held, "a private thought");
    let theirs = content::render(&credential("theirs"), at.format).expect("renders");
    written_by_others(&at, &theirs).await;
    let wrote = put(&sink, &at, "two").await.expect("delivers");
    assert_eq!(wrote.note, None, "it is marked");
    delivered(&at, "two");
}

#[tokio::test]
#[ignore = "asks a real Vault: scripts/services/vault test"]
async fn a_token_is_renewed_where_it_can_be_and_its_end_told_where_not() {
    let (renewable, ending) = (text_of("token-renewable"), text_of("token-ending"));
    let address = variable("VAULT_ADDR");
    let lent = |token: &str| {
        let (machine, lent) =
            Lent::machine(&[("VAULT_ADDR", address.as_str()), ("VAULT_TOKEN", token)]);
        (VaultSink::new(Arc::new(machine)), lent)
    };
    let at = place("mondoo/by-given-token");
    let (job, clock) = lent(&renewable);
    assert_eq!(job.ready(&to(&at)).await, Ok(Duration::ZERO));
    clock.pass(3500);
    put(&job, &at, "one").await.expect("delivers");
    assert_eq!(job.ready(&to(&at)).await, Ok(Duration::ZERO));
    let told = clock.told.lock().expect("no panic").clone();
    let own: Vec<_> = told
        .iter()
        .filter(|one| ["vault lookup", "vault renew"].contains(&one.operation))
        .map(|one| (one.operation, one.status))
        .collect();
    assert_eq!(
        own,
        [("vault lookup", Some(200)), ("vault renew", Some(200))]
    );
    let (job, clock) = lent(&ending);
    assert_eq!(job.ready(&to(&at)).await, Ok(Duration::ZERO));
    clock.pass(3520);
    let refused = job.ready(&to(&at)).await.expect_err("too soon");
    assert!(
        refused.to_string().contains("and cannot be renewed"),
        "{refused}"
    );
}
