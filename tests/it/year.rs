//! A year of one account, told by what the program says: born by a job that has no key, its key in Vault and in
//! Kubernetes, replaced by the clock, held by a consumer that is stuck, leaked, killed half-way, and given up.
//! After each thing that happens stands what `check` has to say.

use std::fs;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rolecall_standins::kubernetes::{ADMIN, Kubernetes};
use rolecall_standins::vault::{ROOT, Vault};
use rolecall_standins::{Call, Running, serve};
use serde_json::json;

use crate::keyless::{Issuer, KUBERNETES, bind, file};
use crate::rotation::uses;
use crate::stage::{Halt, Halting, ORG, PAYMENTS, Stage};

/// A day and a minute more, so that no age in days depends on how long a run takes.
const DAY: i64 = 24 * 60 + 1;

const TOKEN: &str = "token-of-the-nightly-job";
const CHECK: &[&str] = &["check", "access"];
const DUE: &[&str] = &["rotate", "--due", "--yes", "access"];

/// The one account.
const SCANNER: &str = r#"
service_account "scanner" {
  scope = space.payments
  name  = "scanner"
  roles = ["agent"]

  credential {
    deliver_to   = [sink.vault.ci, sink.kubernetes.pods]
    rotate_after = "80d"
    overlap      = "3d"
  }
}
"#;

/// Whoever needs the key: one reads Vault, one the Secret.
#[derive(Clone, Copy)]
enum Consumer {
    Job,
    Pod,
}

struct Year {
    stage: Stage,
    vault: Running<Halting<Vault>>,
    cluster: Running<Kubernetes>,
    day: i64,
}

impl Year {
    fn new() -> Self {
        let here = || ([127, 0, 0, 1], 0).into();
        let stage = Stage::small();
        let token =
            stage
                .app
                .admin_create_token(ORG, "nightly", TOKEN, &["owner"], Timestamp::now());
        token.expect("a token");
        Self {
            stage,
            vault: serve(Halting::of(Vault::new()), here()).expect("a port"),
            cluster: serve(Kubernetes::new(), here()).expect("a port"),
            day: 0,
        }
    }

    fn configure(&mut self, accounts: &str) {
        let sinks = format!(
            "sink \"vault\" \"ci\" {{\n  address   = \"{}\"\n  mount     = \"secret\"\n  path      = \
             \"mondoo/${{account.id}}\"\n  on_delete = \"remove\"\n}}\n\nsink \"kubernetes\" \"pods\" {{\n  \
             address   = \"{}\"\n  namespace = \"mondoo-operator\"\n  name      = account.id\n}}\n",
            self.vault.url, self.cluster.url
        );
        self.stage.configure(&format!("\n{sinks}{accounts}"));
    }

    /// The next thing happens, so many days after the first.
    fn day(&mut self, day: i64, what: &str) {
        self.day = day;
        self.stage.front.clock(day * DAY);
        self.stage.say(&format!("day {day}: {what}"));
    }

    fn logins(&self) -> impl FnOnce(&mut Command) + use<> {
        let (vault, cluster) = (self.vault.url.clone(), self.cluster.url.clone());
        move |command| {
            command
                .envs([("VAULT_ADDR", vault.as_str()), ("VAULT_TOKEN", ROOT)])
                .envs([("KUBE_SERVER", cluster.as_str()), ("KUBE_TOKEN", ADMIN)]);
        }
    }

    /// As the nightly job, whose login knows no clock.
    fn nightly(&self) -> impl FnOnce(&mut Command) + use<> {
        let (logins, url) = (self.logins(), self.stage.front.url());
        move |command| {
            logins(command);
            command.env_remove("MONDOO_CONFIG_PATH").envs([
                ("MONDOO_API_TOKEN", TOKEN),
                ("MONDOO_API_ENDPOINT", url.as_str()),
            ]);
        }
    }

    fn run(&mut self, arguments: &[&str]) -> i32 {
        let surroundings = self.nightly();
        self.stage.run_in(arguments, surroundings)
    }

    /// What `check` says, and whether that is a person's to do.
    fn check(&mut self, code: i32) {
        assert_eq!(self.run(CHECK), code, "day {}", self.day);
    }

    /// What a consumer reads.
    fn key(&self, consumer: Consumer) -> Vec<u8> {
        match consumer {
            Consumer::Job => {
                let held =
                    |vault: &mut Halting<Vault>| vault.held.fields("", "secret", "mondoo/scanner");
                let fields = self.vault.with(held).expect("delivered");
                let text = fields["credential"].as_str().expect("a text");
                text.as_bytes().to_vec()
            }
            Consumer::Pod => {
                let held = |cluster: &mut Kubernetes| {
                    cluster.value("mondoo-operator", "scanner", "config")
                };
                let value = self.cluster.with(held).expect("delivered");
                STANDARD.decode(value).expect("base64")
            }
        }
    }

    fn both(&self) -> [Vec<u8>; 2] {
        [Consumer::Job, Consumer::Pod].map(|consumer| self.key(consumer))
    }

    /// Somebody works with a key, at noon of this day.
    fn works(&self, key: &[u8]) -> bool {
        uses(&self.stage, key, self.day * DAY).is_ok()
    }

    /// Both consumers read their places anew and work.
    fn all_work(&self) {
        for key in self.both() {
            assert!(self.works(&key), "day {}", self.day);
        }
    }

    /// How many accounts of the space are live.
    fn live(&self) -> usize {
        let dump = self.stage.app.dump().expect("dumps");
        let accounts = dump["accounts"].as_array().expect("accounts").iter();
        accounts.filter(|of| of["scope_mrn"] == PAYMENTS).count()
    }

    /// The former keys end: first their roles, then their accounts.
    fn former_ones_end(&mut self) {
        assert_eq!(self.run(DUE), 0);
        assert_eq!(self.run(DUE), 0);
        assert_eq!(self.live(), 1);
        self.check(0);
    }

    /// Who set this up has left, and temporary accounts end by themselves.
    fn others_leave(&self) {
        let dump = self.stage.app.dump().expect("dumps");
        let accounts = dump["accounts"].as_array().expect("accounts").iter();
        for account in accounts.filter(|of| of["scope_mrn"] != PAYMENTS) {
            let mrn = account["mrn"].as_str().expect("a name");
            let gone = self.stage.app.admin_delete(mrn, Timestamp::now());
            gone.expect("deleted");
        }
    }
}

#[test]
fn a_year_of_one_account() {
    let mut year = Year::new();
    year.configure(SCANNER);
    let issuer = Issuer::new(&year.stage, KUBERNETES);
    let subject = "system:serviceaccount:ci:deploy";
    bind(&year.stage, "pod", KUBERNETES, subject, &json!({}));
    file(
        &year.stage,
        KUBERNETES,
        &json!({"file": year.stage.path("token")}),
    );
    let token = issuer.token(&json!({"sub": subject}));
    fs::write(year.stage.path("token"), token).expect("written");

    year.day(0, "a job that has no key of Mondoo's makes the account");
    let (logins, url) = (year.logins(), year.stage.front.url());
    let code = year.stage.run_in(&["apply", "--yes", "access"], |command| {
        logins(command);
        command.envs([
            ("MONDOO_CONFIG_PATH", "wif.json"),
            ("MONDOO_API_ENDPOINT", url.as_str()),
        ]);
    });
    assert_eq!(code, 0);
    year.others_leave();
    year.all_work();
    year.check(0);

    year.day(80, "its key is as old as rotate_after says");
    year.check(0);
    let [first, _] = year.both();
    assert_eq!(year.run(DUE), 0);
    assert!(year.works(&first), "both keys are good");
    year.all_work();
    year.check(0);
    year.day(
        84,
        "the overlap is over, and nobody has used the former key since",
    );
    year.check(0);
    year.former_ones_end();
    assert!(!year.works(&first));

    year.day(
        160,
        "the second time, and a pod goes on with the key that it read when it started",
    );
    let [second, _] = year.both();
    assert_eq!(year.run(DUE), 0);
    year.day(164, "it still does");
    assert!(year.works(&second));
    year.check(6);
    assert_eq!(year.run(DUE), 0);
    assert!(year.works(&second), "nothing ends it");
    year.day(165, "the pod is started anew, and reads the new key");
    year.all_work();
    year.check(6);
    year.day(
        168,
        "nobody has used the former key for as long as the overlap is",
    );
    year.former_ones_end();
    assert!(!year.works(&second));

    year.day(
        240,
        "the third time, and the machine is lost once Vault has the new key",
    );
    let before = year.both();
    killed_in_promotion(&year);
    let [job, pod] = year.both();
    assert!(job != before[0] && pod == before[1]);
    year.all_work();
    year.check(6);
    assert_eq!(year.run(DUE), 0);
    let [job, pod] = year.both();
    assert_eq!(job, pod);
    year.all_work();
    year.check(0);
    year.day(245, "what is left of it ends");
    year.former_ones_end();

    year.day(250, "somebody finds the key in a log");
    let [leaked, _] = year.both();
    assert_eq!(year.run(&["revoke", "scanner", "--yes", "access"]), 0);
    year.check(6);
    assert_eq!(
        year.run(&["rotate", "service_account.scanner", "--yes", "access"]),
        0
    );
    year.all_work();
    year.check(0);
    assert_eq!(year.run(DUE), 0);
    assert!(!year.works(&leaked));
    assert_eq!(year.live(), 1);
    year.check(0);

    year.day(330, "the fourth time");
    assert_eq!(year.run(DUE), 0);
    year.all_work();
    year.day(334, "and its end");
    year.former_ones_end();

    year.day(360, "the scanner is given up");
    let [last, _] = year.both();
    year.configure("");
    year.check(2);
    assert_eq!(year.run(&["apply", "--yes", "access"]), 3);
    assert!(
        year.works(&last),
        "nothing was declared, perhaps by mistake"
    );
    assert_eq!(year.run(&["apply", "--yes", "--destroy", "access"]), 0);
    assert!(!year.works(&last));
    assert_eq!(year.live(), 0);
    year.check(0);
    year.stage.compare("year.txt");
}

/// A rotation dies once Vault has the new key and before Kubernetes has it.
fn killed_in_promotion(year: &Year) {
    const PATIENCE: Duration = Duration::from_secs(120);
    let (told, heard) = channel();
    let (release, gone) = channel::<()>();
    let delivers = |call: &Call| {
        call.method == "POST" && call.path.ends_with("/data/mondoo/scanner") && call.body != b"{}"
    };
    year.vault.with(|vault| {
        vault.halt = Some(Halt {
            at: Box::new(delivers),
            done: true,
            told,
            gone,
        });
    });
    let mut command = year.stage.command(DUE);
    year.nightly()(&mut command);
    let null = std::process::Stdio::null;
    let mut child = command
        .stdout(null())
        .stderr(null())
        .spawn()
        .expect("starts");
    heard.recv_timeout(PATIENCE).expect("it comes to Vault");
    child.kill().expect("killed");
    child.wait().expect("gone");
    drop(release);
}
