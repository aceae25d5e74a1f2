//! What holds of every kind whose store is a server, tried with all of them behind their port.

use jiff::Timestamp;
use rolecall_standins::aws::{ACCOUNT, Aws, ID, KEY, REGION};
use rolecall_standins::azure::{Azure, CLIENT, SECRET, TENANT};
use rolecall_standins::gcp::{Gcp, PROJECT};
use rolecall_standins::github::{Github, TOKEN as GITHUB_TOKEN};
use rolecall_standins::gitlab::{Gitlab, TOKEN as GITLAB_TOKEN};
use rolecall_standins::kubernetes::{ADMIN, Kubernetes};
use rolecall_standins::vault::{ROOT, Vault};
use rolecall_standins::{Call, Reply, Running, Standin, serve};

use super::fixture::Lent;
use super::*;
use crate::model::{
    AwsSecretPlace, AwsSsmPlace, AzureKeyVaultPlace, CredentialFormat, GcpPlace, GithubApi,
    GithubApp, GithubOwner, GithubPlace, GitlabOwner, GitlabPlace, GitlabType, KubernetesPlace,
    Origin, SinkKind, VaultPlace,
};
use crate::ports::SinkErrorKind;

const FORMAT: CredentialFormat = CredentialFormat::Base64;

/// A store that takes no more requests for a while, and says for how long.
struct Busy {
    store: Box<dyn Standin>,
    refuses: usize,
    seconds: &'static str,
}

impl Standin for Busy {
    fn answer(&mut self, call: &Call) -> Reply {
        match self.refuses.checked_sub(1) {
            Some(left) => {
                self.refuses = left;
                Reply::empty(429).header("retry-after", self.seconds)
            }
            None => self.store.answer(call),
        }
    }
}

/// A place of each kind at this address.
fn places(url: &str) -> Vec<Place> {
    let origin = || Origin::new(url).expect("an address");
    let name = || "mondoo-ci".to_owned();
    vec![
        Place::Vault(VaultPlace {
            address: origin(),
            namespace: String::new(),
            mount: "secret".to_owned(),
            path: name(),
            field: "credential".to_owned(),
            format: FORMAT,
            metadata: false,
        }),
        Place::Kubernetes(KubernetesPlace {
            address: origin(),
            namespace: "mondoo-operator".to_owned(),
            name: name(),
            key: "config".to_owned(),
            r#type: "Opaque".to_owned(),
            format: FORMAT,
        }),
        Place::Github(GithubPlace {
            address: GithubApi::new(url).expect("an address"),
            owner: GithubOwner::Repository("acme/app".to_owned()),
            app: GithubApp::Actions,
            name: "KEY".to_owned(),
            format: FORMAT,
        }),
        Place::AwsSecretsmanager(AwsSecretPlace {
            endpoint: origin(),
            region: REGION.to_owned(),
            account_id: ACCOUNT.to_owned(),
            name: name(),
            format: FORMAT,
        }),
        Place::AwsSsm(AwsSsmPlace {
            endpoint: origin(),
            region: REGION.to_owned(),
            account_id: ACCOUNT.to_owned(),
            name: format!("/{}", name()),
            format: FORMAT,
        }),
        Place::Gitlab(GitlabPlace {
            address: origin(),
            owner: GitlabOwner::Project("acme/app".to_owned()),
            environment_scope: "*".to_owned(),
            name: "KEY".to_owned(),
            r#type: GitlabType::EnvVar,
            masked: true,
            hidden: false,
            protected: None,
            format: FORMAT,
        }),
        Place::AzureKeyVault(AzureKeyVaultPlace {
            vault: origin(),
            name: name(),
            format: FORMAT,
        }),
        Place::GcpSecretManager(GcpPlace {
            address: origin(),
            project: PROJECT.to_owned(),
            location: String::new(),
            name: name(),
            format: FORMAT,
        }),
    ]
}

/// The store behind a place, and a file for the logins that are one.
fn store(place: &Place, url: &str, file: &Path) -> Box<dyn Standin> {
    match place {
        Place::Vault(_) => Box::new(Vault::new()),
        Place::Kubernetes(_) => Box::new(Kubernetes::new()),
        Place::Github(_) => Box::new(Github::by_the_clock()),
        Place::AwsSecretsmanager(_) | Place::AwsSsm(_) => Box::new(Aws::new()),
        Place::Gitlab(_) => Box::new(Gitlab::new()),
        Place::AzureKeyVault(_) => Box::new(Azure::new()),
        Place::GcpSecretManager(place) => {
            let now: Timestamp = "2026-11-01T10:00:00Z".parse().expect("a time");
            let mut gcp = Gcp::new(Arc::new(move || now.as_second()));
            gcp.make(&place.resource());
            std::fs::write(file, gcp.account(url).to_string()).expect("written");
            Box::new(gcp)
        }
        Place::File(_) | Place::Exec(_) => panic!("no server"),
    }
}

/// A login for each of the stores at this address.
fn logins(url: &str, file: &Path) -> Vec<(&'static str, String)> {
    let own = |text: &str| text.to_owned();
    vec![
        ("VAULT_ADDR", own(url)),
        ("VAULT_TOKEN", own(ROOT)),
        ("KUBE_SERVER", own(url)),
        ("KUBE_TOKEN", own(ADMIN)),
        ("GITHUB_API_URL", own(url)),
        ("ROLECALL_GITHUB_TOKEN", own(GITHUB_TOKEN)),
        ("AWS_ENDPOINT_URL_STS", own(url)),
        ("AWS_ACCESS_KEY_ID", own(ID)),
        ("AWS_SECRET_ACCESS_KEY", own(KEY)),
        ("CI_API_V4_URL", format!("{url}/api/v4")),
        ("ROLECALL_GITLAB_TOKEN", own(GITLAB_TOKEN)),
        ("AZURE_AUTHORITY_HOST", own(url)),
        ("AZURE_TENANT_ID", own(TENANT)),
        ("AZURE_CLIENT_ID", own(CLIENT)),
        ("AZURE_CLIENT_SECRET", own(SECRET)),
        (
            "GOOGLE_APPLICATION_CREDENTIALS",
            file.to_string_lossy().into_owned(),
        ),
    ]
}

/// A machine without a login, which asks no network for one.
const NOBODY: &[(&str, &str)] = &[
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9"),
    ("GCE_METADATA_HOST", "127.0.0.1:9"),
];

/// The sinks of a run with these variables, whose logins may go to these servers too.
fn sinks(
    allowed: &[&str],
    folder: &Path,
    variables: &[(&'static str, impl AsRef<str>)],
) -> (Sinks, Lent) {
    let variables: Vec<(&'static str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_ref()))
        .collect();
    let (mut machine, lent) = Lent::machine(&variables);
    let allowed = allowed.iter();
    let allowed = allowed.map(|url| Origin::new(url).expect("an address"));
    machine.allowed.extend(allowed);
    let stack = StackId::new("acme-access", "k7m2q9ta").expect("valid");
    (Sinks::new(folder, machine, &stack), lent)
}

/// A server for the place with this number.
fn served(number: usize, file: &Path) -> (Running<Busy>, Destination) {
    let busy = Busy {
        store: Box::new(Vault::new()),
        refuses: 0,
        seconds: "20",
    };
    let server = serve(busy, ([127, 0, 0, 1], 0).into()).expect("a port");
    let place = places(&server.url).swap_remove(number);
    let store = store(&place, &server.url, file);
    server.with(|busy| busy.store = store);
    let to = Destination::new("store.ci", place);
    (server, to)
}

#[test]
fn every_kind_with_a_server_is_tried() {
    let tried: Vec<SinkKind> = places("http://127.0.0.1:9")
        .into_iter()
        .map(|place| Destination::new("store.ci", place).kind())
        .collect();
    let elsewhere = [SinkKind::File, SinkKind::Exec];
    let all = SinkKind::ALL
        .iter()
        .filter(|kind| !elsewhere.contains(kind));
    assert!(all.eq(&tried), "{tried:?}");
}

#[tokio::test]
async fn a_store_that_asks_to_wait_is_left_alone_for_as_long_as_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("login.json");
    for number in 0..places("http://127.0.0.1:9").len() {
        let (server, to) = served(number, &file);
        let (sinks, lent) = sinks(&[&server.url], folder.path(), &logins(&server.url, &file));
        let now = || *lent.now.lock().expect("no panic");
        server.with(|busy| busy.refuses = 1);
        let before = now();
        sinks
            .probe(&to)
            .await
            .unwrap_or_else(|error| panic!("{to}: {error}"));
        let waited = now().duration_since(before).as_secs();
        assert!((20..60).contains(&waited), "{to}: {waited} s");
        // What is too long to wait is told, with its length.
        server.with(|busy| (busy.refuses, busy.seconds) = (1, "3600"));
        let refused = sinks.probe(&to).await.expect_err("refused");
        assert_eq!(refused.kind, SinkErrorKind::RateLimited, "{refused}");
        assert!(refused.to_string().contains("3600 s"), "{refused}");
    }
}

/// Before a key is made, and before one is removed.
#[tokio::test]
async fn who_is_not_logged_in_is_told_what_was_looked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("login.json");
    for (number, sources) in [
        ["VAULT_TOKEN", "VAULT_ROLE_ID", "VAULT_AUTH_ROLE"],
        ["KUBE_TOKEN", "KUBECONFIG", "account of a pod"],
        [
            "ROLECALL_GITHUB_TOKEN",
            "ROLECALL_GITHUB_APP_ID",
            "GITHUB_TOKEN",
        ],
        ["AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN", "AWS_PROFILE"],
        ["AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN", "AWS_PROFILE"],
        ["ROLECALL_GITLAB_TOKEN", "CI_JOB_TOKEN", "GITLAB_TOKEN"],
        [
            "AZURE_CLIENT_SECRET",
            "AZURE_FEDERATED_TOKEN_FILE",
            "IDENTITY_ENDPOINT",
        ],
        [
            "GOOGLE_APPLICATION_CREDENTIALS",
            "metadata server",
            "gcloud",
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let (server, to) = served(number, &file);
        let (sinks, _) = sinks(&[&server.url], folder.path(), NOBODY);
        let mut told = vec![sinks.probe(&to).await.expect_err("nobody is logged in")];
        if to.kind() != SinkKind::Kubernetes {
            told.push(sinks.ready(&to).await.expect_err("nobody is logged in"));
        }
        for error in told {
            assert_eq!(error.kind, SinkErrorKind::Unauthenticated, "{error}");
            for source in sources {
                assert!(error.to_string().contains(source), "{source}: {error}");
            }
        }
        // What a vault of Azure wants a login for is asked of it.
        let calls = server.calls();
        let asked = calls.iter().filter(|call| call.path != "/secrets");
        assert_eq!(asked.count(), 0, "{to}");
    }
}

/// Who writes the configuration names the server; the logins are of whoever applies, for servers of their own.
#[tokio::test]
async fn a_configuration_that_names_another_server_gets_no_login() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("login.json");
    let elsewhere = [
        ("VAULT_ADDR", "https://vault.acme.example"),
        ("KUBE_SERVER", "https://k8s.acme.example:6443"),
        ("GITHUB_API_URL", "https://api.github.com"),
        ("CI_API_V4_URL", "https://gitlab.com/api/v4"),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com"),
        (
            "AWS_ENDPOINT_URL_STS",
            "https://sts.eu-central-1.amazonaws.com",
        ),
    ];
    for number in 0..places("http://127.0.0.1:9").len() {
        let (server, to) = served(number, &file);
        let mut variables = logins(&server.url, &file);
        for (name, address) in elsewhere {
            let mut own = variables.iter_mut().filter(|(known, _)| *known == name);
            own.next().expect("a variable").1 = address.to_owned();
        }
        let (sinks, lent) = sinks(&[], folder.path(), &variables);
        let refused = sinks.probe(&to).await.expect_err("refused");
        assert_eq!(refused.kind, SinkErrorKind::Unauthenticated, "{refused}");
        assert!(refused.to_string().contains(&server.url), "{refused}");
        assert_eq!(server.calls().len(), 0, "{to}");
        // Nor was anybody else asked.
        assert_eq!(lent.told.lock().expect("no panic").len(), 0, "{to}");
    }
}
