//! The sink against a real API server, which `scripts/services/kubernetes test` starts. What is delivered here
//! is read by another client afterwards.

use std::io::Write as _;
use std::sync::Mutex as Held;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::*;
use crate::model::CredentialFormat;
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

const WHY: &str = "scripts/services/kubernetes sets it";

fn variable(name: &str) -> String {
    std::env::var(name).expect(WHY)
}

fn of_folder(name: &str) -> String {
    format!("{}/{name}", variable("ROLECALL_TEST_KUBE_FOLDER"))
}

/// A sink that logs in with these variables.
fn sink(variables: &[(&'static str, &str)], manager: Option<&str>) -> KubernetesSink {
    let (machine, _) = Lent::machine(variables);
    let stack = StackId::new("acme-access", "k7m2q9ta").expect("valid");
    let mut sink = KubernetesSink::new(Arc::new(machine), &stack);
    if let Some(manager) = manager {
        manager.clone_into(&mut sink.manager);
    }
    sink
}

fn with_token(token: &str, manager: Option<&str>) -> KubernetesSink {
    let (server, authority) = (variable("KUBE_SERVER"), variable("KUBE_CA_FILE"));
    let login = [
        ("KUBE_SERVER", server.as_str()),
        ("KUBE_CA_FILE", &authority),
        ("KUBE_TOKEN", token),
    ];
    sink(&login, manager)
}

fn admin(manager: Option<&str>) -> KubernetesSink {
    with_token(&variable("ROLECALL_TEST_KUBE_ADMIN"), manager)
}

fn place(name: &str) -> KubernetesPlace {
    KubernetesPlace {
        address: Origin::new(&variable("KUBE_SERVER")).expect("an address"),
        namespace: "mondoo-operator".to_owned(),
        name: name.to_owned(),
        key: "config".to_owned(),
        r#type: "Opaque".to_owned(),
        format: CredentialFormat::Json,
    }
}

fn to(place: &KubernetesPlace) -> Destination {
    Destination::new("kubernetes.ops", Place::Kubernetes(place.clone()))
}

async fn put(
    sink: &KubernetesSink,
    place: &KubernetesPlace,
    id: &str,
) -> Result<Staged, SinkError> {
    let (to, key) = (to(place), credential(id));
    let probe = sink.probe(&to).await?;
    let staged = sink.stage(&to, &key, probe).await?;
    sink.promote(&to, &key, &staged).await?;
    Ok(staged)
}

/// Notes what the other client is to find.
fn delivered(place: &KubernetesPlace, id: &str) {
    let KubernetesPlace {
        name,
        key,
        r#type,
        format,
        ..
    } = place;
    let mut file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(of_folder("delivered"))
        .expect("opened");
    let (form, account) = (format.as_str(), credential(id).mrn);
    writeln!(file, "{name} {key} {form} {account} {type}").expect("written");
}

/// What a key holds now, and what another manager applies there, whatever was there.
async fn held(place: &KubernetesPlace) -> Option<Vec<u8>> {
    let sink = admin(None);
    let server = sink.server(place).await.expect("a login");
    let (seen, _) = sink.look(&server, place).await.expect("read");
    let value = seen.value(&place.key)?;
    Some(STANDARD.decode(value).expect("base64"))
}

async fn applied_by(manager: &str, place: &KubernetesPlace, bytes: &[u8]) {
    let sink = admin(Some(manager));
    let server = sink.server(place).await.expect("a login");
    let (seen, _) = sink.look(&server, place).await.expect("read");
    let value = encoded(bytes).expect("text");
    let done = sink.apply(&server, place, &seen, Some(&value)).await;
    assert!(matches!(done, Ok(Applied::Done(_))), "{manager}");
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
    sink: KubernetesSink,
    format: CredentialFormat,
    places: Held<usize>,
}

impl Real {
    fn of(to: &Destination) -> KubernetesPlace {
        match to.place() {
            Place::Kubernetes(place) => place.clone(),
            _ => panic!("{to}"),
        }
    }
}

impl Ground for Real {
    type Sink = KubernetesSink;

    fn sink(&self) -> &KubernetesSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        let name = format!("contract-{}-{places}", self.format.as_str());
        to(&KubernetesPlace {
            format: self.format,
            ..place(&name)
        })
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        let place = Self::of(to);
        wait(|| held(&place))
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        let place = Self::of(to);
        wait(|| applied_by("others", &place, bytes));
    }

    fn beside(&self) -> usize {
        0
    }
}

#[tokio::test]
#[ignore = "asks a real API server: scripts/services/kubernetes test"]
async fn all_formats_keep_to_the_contract() {
    for format in [CredentialFormat::Json, CredentialFormat::Base64] {
        let real = Real {
            sink: admin(None),
            format,
            places: Held::default(),
        };
        keeps_to_the_contract(&real).await;
        let last = Real::of(&real.place());
        put(&real.sink, &last, "last").await.expect("delivers");
        delivered(&last, "last");
    }
}

#[tokio::test]
#[ignore = "asks a real API server: scripts/services/kubernetes test"]
async fn the_role_of_the_page_is_enough_and_no_more() {
    let job = with_token(&variable("ROLECALL_TEST_KUBE_JOB"), None);
    let operator = place("mondoo-client");
    let first = put(&job, &operator, "one").await.expect("makes it");
    put(&job, &operator, "two").await.expect("writes it");
    let over = job
        .abandon(&to(&operator), &credential("two"), &first)
        .await;
    assert_eq!(over, Ok(Abandoned::Gone));
    put(&job, &operator, "three")
        .await
        .expect("writes it again");
    delivered(&operator, "three");
    let elsewhere = KubernetesPlace {
        namespace: "elsewhere".to_owned(),
        ..operator.clone()
    };
    for other in [place("another"), elsewhere] {
        let refused = job.probe(&to(&other)).await.expect_err("refused");
        assert_eq!(refused.kind, SinkErrorKind::PermissionDenied, "{refused}");
    }
    let nowhere = KubernetesPlace {
        namespace: "nowhere".to_owned(),
        ..operator
    };
    let refused = admin(None).probe(&to(&nowhere)).await.expect_err("refused");
    assert_eq!(refused.kind, SinkErrorKind::NotFound, "{refused}");
    let nobody = with_token("nobodys-token", None);
    let refused = nobody.probe(&to(&place("x"))).await.expect_err("refused");
    assert_eq!(refused.kind, SinkErrorKind::Unauthenticated, "{refused}");
}

#[tokio::test]
#[ignore = "asks a real API server: scripts/services/kubernetes test"]
async fn a_secret_that_does_not_fit_is_refused() {
    for (name, told) in [
        ("of-type-tls", "kubernetes.io/tls"),
        ("frozen", "immutable"),
    ] {
        let refused = admin(None).probe(&to(&place(name))).await;
        let refused = refused.expect_err("refused");
        assert_eq!(refused.kind, SinkErrorKind::Unfit);
        assert!(refused.to_string().contains(told), "{refused}");
    }
    let own = KubernetesPlace {
        r#type: "acme.example/mondoo".to_owned(),
        ..place("of-own-type")
    };
    for id in ["one", "two"] {
        put(&admin(None), &own, id).await.expect("delivers");
    }
    delivered(&own, "two");
}

#[tokio::test]
#[ignore = "asks a real API server: scripts/services/kubernetes test"]
async fn a_field_of_another_manager_is_not_taken() {
    let (ours, at) = (admin(None), place("zarfs"));
    let theirs = content::render(&credential("theirs"), at.format).expect("renders");
    let staged = {
        let probe = ours.probe(&to(&at)).await.expect("free");
        let staged = ours.stage(&to(&at), &credential("ours"), probe).await;
        staged.expect("stages")
    };
    applied_by("zarf", &at, &theirs).await;
    let late = ours.promote(&to(&at), &credential("ours"), &staged).await;
    let late = late.expect_err("refused");
    let early = ours.probe(&to(&at)).await.expect_err("refused");
    for (refused, kind) in [(late, SinkErrorKind::Moved), (early, SinkErrorKind::Unfit)] {
        assert_eq!((refused.kind, refused.effect), (kind, Effect::None));
        let told = refused.to_string();
        assert!(
            told.contains("zarf") && told.contains(".data.config"),
            "{told}"
        );
    }
    assert_eq!(held(&at).await.as_deref(), Some(&theirs[..]));
}

#[tokio::test]
#[ignore = "asks a real API server: scripts/services/kubernetes test"]
async fn other_keys_stay_until_they_are_taken_out() {
    let (ours, at) = (admin(None), place("shared"));
    let renamed = KubernetesPlace {
        key: "mondoo.yml".to_owned(),
        ..at.clone()
    };
    let old = put(&ours, &at, "one").await.expect("delivers");
    put(&ours, &renamed, "one").await.expect("delivers");
    assert!(held(&at).await.is_some());
    let done = ours.abandon(&to(&at), &credential("one"), &old).await;
    assert_eq!((done, held(&at).await), (Ok(Abandoned::Gone), None));
    put(&ours, &renamed, "two").await.expect("delivers");
    delivered(&renamed, "two");
}

#[tokio::test]
#[ignore = "asks a real API server: scripts/services/kubernetes test"]
async fn a_client_certificate_and_a_file_of_a_token_log_in() {
    let config = of_folder("kubeconfig");
    let at = place("by-certificate");
    let text = format!(
        "current-context: a\ncontexts:\n- name: a\n  context: {{cluster: a, user: a}}\nclusters:\n- name: a\n  \
         cluster:\n    server: \"{}\"\n    certificate-authority: ca.crt\nusers:\n- name: a\n  user:\n    \
         client-certificate: person.crt\n    client-key: person.key\n",
        at.address
    );
    std::fs::write(&config, &text).expect("written");
    let person = sink(&[("KUBECONFIG", &config)], None);
    put(&person, &at, "one").await.expect("delivers");
    delivered(&at, "one");
    let user = "    client-certificate: person.crt\n    client-key: person.key\n";
    let text = text.replace(user, "    tokenFile: token\n");
    std::fs::write(&config, text).expect("written");
    let job = sink(&[("KUBECONFIG", &config)], None);
    job.probe(&to(&place("mondoo-client"))).await.expect("may");
}
