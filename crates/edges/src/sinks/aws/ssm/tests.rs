//! The sink against a server that answers as AWS does, and computes every signature anew.

use std::sync::Mutex;

use rolecall_standins::aws::{ACCOUNT, Aws, Fault, ID, KEY, REGION, Theirs};
use rolecall_standins::parameters::Version;
use rolecall_standins::{Running, serve};

use super::*;
use crate::model::{CredentialFormat, Origin};
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

const NAME: &str = "/mondoo/ci";

struct Store {
    server: Running<Aws>,
    sink: AwsSsmSink,
    place: AwsSsmPlace,
    places: Mutex<usize>,
}

impl Store {
    fn of(format: CredentialFormat) -> Self {
        let server = serve(Aws::new(), ([127, 0, 0, 1], 0).into()).expect("a port");
        let (mut machine, _) = Lent::machine(&[
            ("AWS_ENDPOINT_URL_STS", server.url.as_str()),
            ("AWS_ACCESS_KEY_ID", ID),
            ("AWS_SECRET_ACCESS_KEY", KEY),
        ]);
        let endpoint = Origin::new(&server.url).expect("an address");
        machine.allowed.push(endpoint.clone());
        Self {
            sink: AwsSsmSink::new(Arc::new(Services::new(Arc::new(machine)))),
            server,
            place: AwsSsmPlace {
                endpoint,
                region: REGION.to_owned(),
                account_id: ACCOUNT.to_owned(),
                name: NAME.to_owned(),
                format,
            },
            places: Mutex::default(),
        }
    }

    fn json() -> Self {
        Self::of(CredentialFormat::Json)
    }

    fn to(&self) -> Destination {
        Destination::new("aws_ssm.ci", Place::AwsSsm(self.place.clone()))
    }

    async fn put(&self, id: &str) -> Result<Delivered, SinkError> {
        let (to, key) = (self.to(), credential(id));
        let probe = self.sink.probe(&to).await?;
        let staged = self.sink.stage(&to, &key, probe).await?;
        self.sink.promote(&to, &key, &staged).await
    }

    fn newest(&self) -> Version {
        let newest = |aws: &mut Aws| aws.parameters.newest(NAME).cloned();
        self.server.with(newest).expect("is there")
    }

    fn fault(&self, op: &str, fault: Fault) {
        self.server
            .with(|aws| aws.faults.push((op.to_owned(), fault)));
    }

    /// How often something was asked for.
    fn asked(&self, op: &str) -> usize {
        let target = format!("AmazonSSM.{op}");
        let calls = self.server.calls();
        let asked = calls
            .iter()
            .filter(|call| call.header("x-amz-target") == target);
        asked.count()
    }
}

fn name_of(to: &Destination) -> &str {
    let Place::AwsSsm(place) = to.place() else {
        panic!("{to}")
    };
    &place.name
}

impl Ground for Store {
    type Sink = AwsSsmSink;

    fn sink(&self) -> &AwsSsmSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        let place = AwsSsmPlace {
            name: format!("/mondoo/{places}"),
            ..self.place.clone()
        };
        Destination::new("aws_ssm.ci", Place::AwsSsm(place))
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        self.server.with(|aws| {
            let held = aws.parameters.newest(name_of(to))?;
            // A parameter without a key.
            (held.value != NOTHING).then(|| held.value.clone().into_bytes())
        })
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.server
            .with(|aws| aws.parameters.write(name_of(to), &text));
    }

    fn beside(&self) -> usize {
        0
    }

    fn most(&self) -> Option<usize> {
        Some(STANDARD)
    }
}

#[tokio::test]
async fn all_formats_keep_to_the_contract() {
    for format in [CredentialFormat::Json, CredentialFormat::Base64] {
        keeps_to_the_contract(&Store::of(format)).await;
    }
}

#[tokio::test]
async fn what_the_parameter_keeps_besides_its_value_stays_as_it_was() {
    let store = Store::json();
    store.server.with(|aws| {
        // More versions than a page of the history has.
        for _ in 0..7 {
            aws.parameters.write(NAME, NOTHING);
        }
        let held = aws.parameters.newest_mut(NAME).expect("is there");
        held.key_id = "arn:aws:kms:eu-central-1:123456789012:key/k".to_owned();
        held.tier = "Advanced".to_owned();
        held.description = Some("of \"ci\"".to_owned());
        held.allowed_pattern = Some("^.*$".to_owned());
    });
    let before = store.newest();
    let delivered = store.put("x").await.expect("delivers");
    let after = store.newest();
    assert_eq!(
        after,
        Version {
            number: 8,
            value: after.value.clone(),
            ..before
        }
    );
    assert!(after.value.contains("serviceaccounts/x"));
    assert_eq!(delivered.version, Some(StoreVersion::new("8")));
    // No history is asked for with its values.
    let calls = store.server.calls();
    let history = calls
        .iter()
        .filter(|call| call.header("x-amz-target") == "AmazonSSM.GetParameterHistory");
    assert!(
        history
            .map(|call| call.json())
            .all(|body| body["WithDecryption"] == false)
    );
}

#[tokio::test]
async fn a_new_parameter_is_a_standard_one_that_is_encrypted() {
    let store = Store::json();
    store.put("x").await.expect("delivers");
    let held = store.newest();
    let kept = (held.number, held.kind.as_str(), held.tier.as_str());
    assert_eq!(kept, (1, "SecureString", "Standard"));
}

#[tokio::test]
async fn what_is_not_for_us_is_refused_at_the_probe_with_a_way_out() {
    type Change = fn(&mut Version);
    let changes: [(Change, &str); 3] = [
        (|held| held.kind = "String".to_owned(), "in clear"),
        (|held| held.kind = "StringList".to_owned(), "in clear"),
        (
            |held| held.policies = vec![serde_json::json!({"PolicyType": "Expiration"})],
            "policies",
        ),
    ];
    for (change, told) in changes {
        let store = Store::json();
        store.server.with(|aws| {
            aws.parameters.write(NAME, NOTHING);
            change(aws.parameters.newest_mut(NAME).expect("is there"));
        });
        let error = store.put("x").await.expect_err("refused");
        assert_eq!(error.kind, SinkErrorKind::Unfit);
        assert!(
            error.to_string().contains(told) && error.help.is_some(),
            "{error}"
        );
        assert_eq!(store.asked("PutParameter"), 0);
    }
}

#[tokio::test]
async fn another_account_is_told_whether_the_parameter_is_there_or_not() {
    for there in [false, true] {
        let mut store = Store::json();
        if there {
            store.server.with(|aws| aws.parameters.write(NAME, NOTHING));
        }
        store.place.account_id = "210987654321".to_owned();
        let told = store.put("x").await.expect_err("refused").to_string();
        assert!(
            told.contains(ACCOUNT) && told.contains("210987654321"),
            "{told}"
        );
        assert_eq!(store.asked("PutParameter"), 0);
    }
}

/// There is no token of a request: a write is sent once, and what is there tells whether it came.
#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_version() {
    for (there, versions) in [(false, 1), (true, 2)] {
        let store = Store::json();
        if there {
            store.server.with(|aws| aws.parameters.write(NAME, NOTHING));
        }
        store.fault("PutParameter", Fault::LostAnswer);
        let delivered = store.put("x").await.expect("is there");
        assert_eq!(store.newest().number, versions);
        assert_eq!(store.asked("PutParameter"), 1);
        assert_eq!(delivered.note, None);
    }
}

#[tokio::test]
async fn a_write_that_may_have_been_lost_is_told_so_and_can_be_asked_for_again() {
    let store = Store::json();
    let fault = Fault::Refuse(500, "InternalServerError".to_owned());
    store.fault("PutParameter", fault);
    let (to, key) = (store.to(), credential("x"));
    let probe = store.sink.probe(&to).await.expect("looks");
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    let error = store.sink.promote(&to, &key, &staged).await;
    assert_eq!(error.expect_err("unsure").effect, Effect::Unknown);
    let again = store.sink.promote(&to, &key, &staged).await;
    again.expect("delivers");
    assert_eq!(store.newest().number, 1);
}

/// A version that was made anew under the number that the probe saw is another one.
#[tokio::test]
async fn the_same_number_with_another_value_is_another_version() {
    let store = Store::json();
    store.put("before").await.expect("delivers");
    let (to, key) = (store.to(), credential("x"));
    let probe = store.sink.probe(&to).await.expect("looks");
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    store.server.with(|aws| {
        aws.parameters.held.clear();
        aws.parameters.write(NAME, "theirs");
    });
    let error = store.sink.promote(&to, &key, &staged).await;
    let error = error.expect_err("refused");
    assert_eq!(error.kind, SinkErrorKind::Moved);
    assert!(!error.to_string().contains("theirs"), "{error}");
    assert_eq!(store.newest().value, "theirs");
}

#[tokio::test]
async fn a_credential_that_is_too_large_is_told_with_both_numbers_and_no_tier_is_raised() {
    for (tier, room) in [("Standard", 4096), ("Advanced", 8192)] {
        let store = Store::json();
        store.server.with(|aws| {
            aws.parameters.write(NAME, NOTHING);
            aws.parameters.newest_mut(NAME).expect("is there").tier = tier.to_owned();
        });
        let to = store.to();
        let bare = credential("x");
        let spare = room - rendered(&bare, &store.place, room).expect("fits").len();
        for (more, fits) in [(0, true), (1, false)] {
            let key = IssuedCredential {
                certificate: "c".repeat(spare + more),
                ..credential("x")
            };
            let probe = store.sink.probe(&to).await.expect("looks");
            let staged = store.sink.stage(&to, &key, probe).await;
            match fits {
                true => {
                    let staged = staged.expect("fits");
                    let done = store.sink.promote(&to, &key, &staged).await;
                    done.expect("delivers");
                }
                false => {
                    let error = staged.expect_err("refused");
                    assert_eq!(error.kind, SinkErrorKind::Full);
                    let told = error.to_string();
                    let numbers = [room.to_string(), (room + 1).to_string()];
                    assert!(numbers.iter().all(|n| told.contains(n)), "{told}");
                }
            }
        }
        assert_eq!(store.newest().tier, tier);
    }
}

#[tokio::test]
async fn who_asks_too_much_waits() {
    for code in ["ThrottlingException", "TooManyUpdates"] {
        let store = Store::json();
        store.fault("PutParameter", Fault::Refuse(400, code.to_owned()));
        store.put("x").await.expect("waits");
        assert_eq!(store.asked("PutParameter"), 2, "{code}");
    }
}

/// A refusal is what its type says, whatever its status.
#[tokio::test]
async fn a_refusal_is_told_by_its_type_with_the_right_that_is_missing() {
    for (op, code, message, kind, told) in [
        (
            "PutParameter",
            "AccessDeniedException",
            "User: x is not authorized to perform: kms:Encrypt",
            SinkErrorKind::PermissionDenied,
            "kms:Decrypt on the parameter's key",
        ),
        (
            "GetParameter",
            "AccessDeniedException",
            "User: x is not authorized",
            SinkErrorKind::PermissionDenied,
            "ssm:GetParameter on arn:aws:ssm:eu-central-1:123456789012:parameter/mondoo/ci",
        ),
        (
            "PutParameter",
            "InvalidKeyId",
            "disabled",
            SinkErrorKind::PermissionDenied,
            "parameter's key is enabled",
        ),
        (
            "PutParameter",
            "ParameterMaxVersionLimitExceeded",
            "a label",
            SinkErrorKind::Full,
            "has a label",
        ),
        (
            "PutParameter",
            "ParameterLimitExceeded",
            "10000",
            SinkErrorKind::Full,
            "no room for a parameter",
        ),
        (
            "PutParameter",
            "ParameterPatternMismatchException",
            "^a$",
            SinkErrorKind::Unfit,
            "allowed pattern",
        ),
        (
            "GetParameter",
            "ExpiredTokenException",
            "over",
            SinkErrorKind::Unauthenticated,
            "renew the login",
        ),
    ] {
        let store = Store::json();
        let fault = Fault::Say(400, code.to_owned(), message.to_owned());
        store.fault(op, fault);
        let error = store.put("x").await.expect_err("refused");
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test]
async fn a_login_goes_to_the_services_own_addresses_alone() {
    let sink = async |endpoint: &str| {
        let (machine, _) = Lent::machine(&[]);
        let place = AwsSsmPlace {
            endpoint: Origin::new(endpoint).expect("an address"),
            ..Store::json().place
        };
        let services = Services::new(Arc::new(machine));
        services.at((&place).into()).await.map(|_| ())
    };
    for own in ["ssm", "ssm-fips"] {
        let own = format!("https://{own}.eu-central-1.amazonaws.com");
        sink(&own).await.expect("is AWS's own");
    }
    for other in [
        "https://secretsmanager.eu-central-1.amazonaws.com",
        "https://ssm.us-east-1.amazonaws.com",
        "https://ssm.eu-central-1.amazonaws.com.evil.example",
        "http://127.0.0.1:9",
    ] {
        let error = sink(other).await.expect_err(other);
        assert!(error.to_string().contains("was not sent"), "{error}");
    }
}

/// Between the look and the write nothing keeps others out: it is told what is theirs, and where it is.
#[tokio::test]
async fn who_wrote_between_the_look_and_the_write_is_told() {
    let write = |values: &[&str]| Theirs::Write(values.iter().map(|v| (*v).to_owned()).collect());
    for (fault, version, told) in [
        (Fault::Before(write(&["a"])), 3, Some("version 2 of it")),
        (
            Fault::Before(write(&["a", "b"])),
            4,
            Some("the versions 2 to 3 of it"),
        ),
        (
            Fault::BeforeAndLost(write(&["a"])),
            3,
            Some("version 2 of it"),
        ),
        (
            Fault::Before(Theirs::Remove),
            1,
            Some("removed the parameter"),
        ),
        (
            Fault::BeforeAndLost(Theirs::Remove),
            1,
            Some("removed the parameter"),
        ),
        (Fault::LostAnswer, 2, None),
    ] {
        let store = Store::json();
        store.server.with(|aws| aws.parameters.write(NAME, NOTHING));
        store.fault("PutParameter", fault.clone());
        let delivered = store.put("x").await.expect("delivers");
        assert_eq!(store.asked("PutParameter"), 1);
        let held = store.newest();
        assert!(held.value.contains("serviceaccounts/x"));
        let wanted = Some(StoreVersion::new(&version.to_string()));
        assert_eq!((held.number, delivered.version), (version, wanted));
        let note = delivered.note.unwrap_or_default();
        assert_eq!(!note.is_empty(), told.is_some(), "{fault:?}: {note}");
        assert!(note.contains(told.unwrap_or_default()), "{note}");
    }
}

/// What others write after us is theirs, and the key is not where it is read.
#[tokio::test]
async fn who_writes_right_after_us_has_written_over_the_key() {
    let theirs = || Theirs::Write(vec!["theirs".to_owned()]);
    for (fault, kind, told) in [
        (
            Fault::After(theirs()),
            SinkErrorKind::Moved,
            "the key is version 2",
        ),
        (
            Fault::AfterAndLost(theirs()),
            SinkErrorKind::Unavailable,
            "broke off",
        ),
    ] {
        let store = Store::json();
        store.server.with(|aws| aws.parameters.write(NAME, NOTHING));
        store.fault("PutParameter", fault);
        let (to, key) = (store.to(), credential("x"));
        let probe = store.sink.probe(&to).await.expect("looks");
        let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
        let error = store.sink.promote(&to, &key, &staged).await;
        let error = error.expect_err("is not what is read");
        assert_eq!((error.kind, error.effect), (kind, Effect::Unknown));
        assert!(error.to_string().contains(told), "{error}");
        // What is called off then is theirs, and stays.
        let done = store.sink.abandon(&to, &key, &staged).await.expect("looks");
        assert_eq!(done, Abandoned::Gone);
        assert_eq!(store.newest().value, "theirs");
    }
}

/// A first write is bound to nothing being there.
#[tokio::test]
async fn who_made_the_parameter_meanwhile_keeps_it() {
    for values in [vec!["theirs"], vec!["a", "theirs"]] {
        let store = Store::json();
        let values = values.into_iter().map(str::to_owned).collect();
        store.fault("PutParameter", Fault::Before(Theirs::Write(values)));
        let error = store.put("x").await.expect_err("refused");
        assert_eq!(
            (error.kind, error.effect),
            (SinkErrorKind::Moved, Effect::None)
        );
        assert_eq!(store.newest().value, "theirs");
        assert_eq!(store.asked("PutParameter"), 1);
    }
}

#[tokio::test]
async fn a_parameter_of_another_type_meanwhile_is_not_written() {
    for kind in ["String", "StringList"] {
        let store = Store::json();
        store.server.with(|aws| aws.parameters.write(NAME, NOTHING));
        store.fault("PutParameter", Fault::Before(Theirs::Type(kind.to_owned())));
        let error = store.put("x").await.expect_err("refused");
        assert_eq!(
            (error.kind, error.effect),
            (SinkErrorKind::Moved, Effect::None)
        );
        assert!(error.to_string().contains("another type"), "{error}");
        assert_eq!(
            (&*store.newest().value, &*store.newest().kind),
            ("theirs", kind)
        );
    }
}

/// Nobody else tells it where a key is taken back or removed.
#[tokio::test]
async fn what_is_written_over_while_a_key_is_taken_away_is_an_error() {
    for removes in [false, true] {
        let store = Store::json();
        store.server.with(|aws| aws.parameters.write(NAME, NOTHING));
        let (to, key) = (store.to(), credential("x"));
        let probe = store.sink.probe(&to).await.expect("looks");
        let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
        let done = store.sink.promote(&to, &key, &staged).await;
        done.expect("delivers");
        let theirs = Theirs::Write(vec!["theirs".to_owned()]);
        store.fault("PutParameter", Fault::Before(theirs));
        let error = match removes {
            true => store.sink.remove(&to, &key.mrn, None).await.map(|_| ()),
            false => store.sink.abandon(&to, &key, &staged).await.map(|_| ()),
        };
        let error = error.expect_err("is told");
        assert_eq!(
            (error.kind, error.effect),
            (SinkErrorKind::Moved, Effect::Unknown)
        );
        assert!(error.to_string().contains("version 3 of it"), "{error}");
        assert_eq!(store.newest().value, NOTHING);
    }
}

#[tokio::test]
async fn a_history_that_is_behind_is_waited_for() {
    let store = Store::json();
    store.server.with(|aws| {
        aws.parameters.write(NAME, NOTHING);
        aws.parameters.behind = 2;
    });
    store.put("x").await.expect("delivers");
    let store = Store::json();
    store.server.with(|aws| {
        aws.parameters.write(NAME, NOTHING);
        aws.parameters.behind = 100;
    });
    let error = store.put("x").await.expect_err("ends");
    assert_eq!(error.kind, SinkErrorKind::Unavailable);
    assert!(error.to_string().contains("history"), "{error}");
}

#[tokio::test]
async fn who_is_asked_too_much_when_reading_is_asked_again() {
    for op in ["GetParameter", "GetParameterHistory"] {
        let store = Store::json();
        store.server.with(|aws| aws.parameters.write(NAME, NOTHING));
        store.fault(op, Fault::Refuse(400, "ThrottlingException".to_owned()));
        store.put("x").await.expect("waits");
    }
}
