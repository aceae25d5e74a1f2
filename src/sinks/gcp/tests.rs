//! The sink against a server that answers as Google Cloud does.

mod logins;

use std::sync::Mutex as Lock;

use rolecall_standins::gcp::{Fault, Gcp, PROJECT, State as Is, TOKEN};
use rolecall_standins::{Running, serve};
use serde_json::json;

use super::*;
use crate::model::CredentialFormat;
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

const REGION: &str = "europe-west3";

struct Store {
    server: Running<Gcp>,
    sink: GcpSink,
    lent: Lent,
    place: GcpPlace,
    places: Lock<usize>,
    /// The folder of the login.
    folder: tempfile::TempDir,
}

/// A server by the clock of a machine, which has a login there, and the file of that.
fn served() -> (Running<Gcp>, Lent, tempfile::TempDir) {
    let (_, lent) = Lent::machine(&[]);
    let now = Arc::clone(&lent.now);
    let clock = Arc::new(move || now.lock().expect("no panic").as_second());
    let server = serve(Gcp::new(clock), ([127, 0, 0, 1], 0).into()).expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    (server, lent, folder)
}

impl Store {
    fn of(format: CredentialFormat, location: &str) -> Self {
        let (server, lent, folder) = served();
        let account = server.with(|gcp| gcp.account(&server.url));
        let path = folder.path().join("login.json");
        std::fs::write(&path, account.to_string()).expect("written");
        let address = Origin::new(&server.url).expect("an address");
        let path = path.to_string_lossy();
        let mut machine = lent.also(&[(file::FILE, &path)]);
        machine.allowed = vec![address.clone()];
        let place = GcpPlace {
            address,
            project: PROJECT.to_owned(),
            location: location.to_owned(),
            name: "mondoo-ci".to_owned(),
            format,
        };
        server.with(|gcp| gcp.make(&place.resource()));
        Self {
            server,
            sink: GcpSink::new(Arc::new(machine)),
            lent,
            place,
            places: Lock::default(),
            folder,
        }
    }

    fn new() -> Self {
        Self::of(CredentialFormat::Json, "")
    }

    fn to(&self) -> Destination {
        Destination::new(
            "gcp_secret_manager.ci",
            Place::GcpSecretManager(self.place.clone()),
        )
    }

    async fn staged(&self, id: &str) -> Result<Staged, SinkError> {
        let to = self.to();
        let probe = self.sink.probe(&to).await?;
        self.sink.stage(&to, &credential(id), probe).await
    }

    async fn put(&self, id: &str) -> Result<Delivered, SinkError> {
        let staged = self.staged(id).await?;
        self.sink
            .promote(&self.to(), &credential(id), &staged)
            .await
    }

    fn fault(&self, at: &str, fault: Fault) {
        self.server
            .with(|gcp| gcp.faults.push((at.to_owned(), fault)));
    }

    fn versions(&self) -> Vec<(Vec<u8>, Is)> {
        self.server.with(|gcp| gcp.versions(&self.place.resource()))
    }

    /// What each version holds: the account by its name, `{}`, or a state.
    fn told(&self) -> Vec<String> {
        let told = |(value, state): (Vec<u8>, Is)| match (state, content::holder(&value)) {
            (Is::Enabled, Some((account, _))) => {
                let name = account.as_str().rsplit('/').next().unwrap_or_default();
                name.to_owned()
            }
            (Is::Enabled, None) => String::from_utf8_lossy(&value).into_owned(),
            (state, _) => format!("{state:?}"),
        };
        self.versions().into_iter().map(told).collect()
    }

    fn asked(&self) -> Vec<String> {
        let calls = self.server.calls();
        let asked = calls.iter();
        asked
            .map(|call| format!("{} {}", call.method, call.path))
            .collect()
    }
}

fn of(place: &Destination) -> String {
    match place.place() {
        Place::GcpSecretManager(place) => place.resource(),
        _ => panic!("{place}"),
    }
}

impl Ground for Store {
    type Sink = GcpSink;

    fn sink(&self) -> &GcpSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        let place = GcpPlace {
            name: format!("mondoo-{places}"),
            ..self.place.clone()
        };
        self.server.with(|gcp| gcp.make(&place.resource()));
        Destination::new("gcp_secret_manager.ci", Place::GcpSecretManager(place))
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        let newest = self.server.with(|gcp| gcp.latest(&of(to)));
        newest.filter(|value| value != NOTHING)
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        self.server.with(|gcp| gcp.put(&of(to), bytes));
    }

    fn beside(&self) -> usize {
        0
    }
}

/// Case 13: each form is what a consumer reads, byte for byte.
#[tokio::test]
async fn all_formats_keep_to_the_contract_in_global_and_regional_secrets() {
    for location in ["", REGION] {
        for format in [CredentialFormat::Json, CredentialFormat::Base64] {
            keeps_to_the_contract(&Store::of(format, location)).await;
        }
    }
}

#[tokio::test]
async fn a_contract_holds_while_latest_lags_behind() {
    let store = Store::new();
    store.server.with(|gcp| gcp.lags = true);
    keeps_to_the_contract(&store).await;
}
