//! Policies in whole runs: what they refuse, what nobody can talk them out of, and what other programs
//! are told of it.

mod reports;

use std::fs;

use jiff::{SignedDuration, Timestamp};
use rolecall_server::SeedAccount;
use serde_json::Value;

use crate::stage::{ORG, PAYMENTS, Stage};

fn account(name: &str, roles: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
         {roles}\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
    )
}

const NO_OWNERS: &str = r#"policy "no_owners" {
  description = "Programs own nothing"
  condition   = !contains(self.roles, "owner")
  message     = "it would own ${self.scope.id}"
}
"#;

fn policy_dir(stage: &Stage, text: &str) {
    fs::create_dir_all(stage.path("security")).expect("created");
    fs::write(stage.path("security/rules.hcl"), text).expect("written");
}

fn writes(stage: &Stage) -> usize {
    let write = |o: &&String| {
        matches!(
            o.as_str(),
            "createServiceAccount" | "updateServiceAccount" | "deleteServiceAccounts" | "setRoles"
        )
    };
    stage.front.seen().iter().filter(write).count()
}

fn document(stage: &Stage, arguments: &[&str]) -> Value {
    let output = stage.command(arguments).output().expect("runs");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    crate::formats::schema::check(&document);
    document
}

#[test]
fn an_account_that_breaks_a_policy_refuses_the_plan_until_it_is_exempt() {
    let mut stage = Stage::small();
    let accounts = account("ci", "[\"agent\"]") + &account("breakglass", "[\"owner\"]");
    stage.configure(&(accounts.clone() + NO_OWNERS));
    assert_eq!(stage.run(&["plan", "access"]), 3);
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 3);
    let digest = document(&stage, &["plan", "--format", "json", "access"]);
    let digest = digest["plan"]["digest"].as_str().expect("a digest");
    let ack = format!("policy={digest}");
    stage.say("no acknowledgement lifts a policy");
    let arguments = ["apply", "--yes", "--ack", &ack, "access"];
    let output = stage.command(&arguments).output().expect("runs");
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(writes(&stage), 0);
    stage.say("a line in the policy, for a reviewer to see");
    let exempt = NO_OWNERS.replace(
        "  message ",
        "  exempt      = [service_account.breakglass, \"old-*\"]\n  message ",
    );
    stage.configure(&(accounts + &exempt));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.say("what stays as it is is judged too");
    stage.configure(
        &(account("ci", "[\"agent\"]") + &account("breakglass", "[\"owner\"]") + NO_OWNERS),
    );
    assert_eq!(stage.run(&["plan", "access"]), 3);
    stage.compare("policies/refused.txt");
}

#[test]
fn a_warning_is_told_and_refuses_nothing() {
    let mut stage = Stage::small();
    let policy = NO_OWNERS.replace("  message ", "  severity    = \"warning\"\n  message ");
    stage.configure(&(account("ci", "[\"owner\"]") + &policy));
    assert_eq!(stage.run(&["plan", "--out", "plan.json", "access"]), 0);
    let document = document(&stage, &["plan", "--format", "json", "access"]);
    let finding = &document["plan"]["findings"][0];
    assert_eq!(finding["result"], "violated");
    assert_eq!(finding["policy"]["severity"], "warning");
    assert_eq!(finding["policy"]["place"]["line"], 29);
    assert_eq!(finding["account"]["place"]["line"], 19);
    assert_eq!(document["refusals"], serde_json::json!([]));
    stage.say("the plan file shows it");
    assert_eq!(stage.run(&["show", "plan.json"]), 0);
    assert_eq!(stage.run(&["apply", "--plan", "plan.json", "access"]), 0);
    stage.compare("policies/warning.txt");
}

#[test]
fn accounts_that_nobody_declared_are_judged_if_the_policy_is_about_all() {
    let mut stage = Stage::small();
    let now = Timestamp::now();
    let seed = |name: &str, days: i64| SeedAccount {
        name: name.to_owned(),
        roles: vec!["viewer".to_owned()],
        created_at: Some(now - SignedDuration::from_hours(24 * days + 1)),
        last_used: Some(now - SignedDuration::from_hours(24 * (days - 1) + 1)),
        ..SeedAccount::default()
    };
    for (name, days) in [("forgotten", 200), ("legacy-old", 300), ("in use", 5)] {
        let made = stage
            .app
            .admin_create_account(PAYMENTS, &seed(name, days), now);
        made.expect("made");
    }
    let policy = |applies_to: &str| {
        format!(
            "policy \"in_use\" {{\n  applies_to = \"{applies_to}\"\n  condition  = \
             coalesce(self.unused_days, self.age_days, 0) <= 90\n  message    = \"not used for \
             ${{self.unused_days}} days\"\n  exempt     = [\"legacy-*\"]\n}}\n"
        )
    };
    stage.configure(&(account("ci", "[\"agent\"]") + &policy("managed")));
    assert_eq!(stage.run(&["plan", "access"]), 0);
    stage.configure(&(account("ci", "[\"agent\"]") + &policy("all")));
    assert_eq!(stage.run(&["plan", "access"]), 3);
    let document = document(&stage, &["plan", "--format", "json", "access"]);
    let refusal = &document["refusals"][0];
    assert_eq!(refusal["guard"], "policy");
    assert_eq!(refusal["policy"]["name"], "in_use");
    assert_eq!(refusal["account"]["name"], "forgotten");
    assert_eq!(refusal["account"]["address"], Value::Null);
    assert_eq!(document["refusals"].as_array().map(Vec::len), Some(1));
    stage.compare("policies/all.txt");
}

/// The author of a pull request tries whatever the language allows.
#[test]
fn a_policy_directory_tightens_and_nothing_in_the_configuration_loosens_it() {
    let mut stage = Stage::small();
    let limits = "\nlimits {\n  max_escalations = 1\n}\n";
    policy_dir(&stage, &format!("{NO_OWNERS}{limits}"));
    let run = ["plan", "--policy-dir", "security", "access"];
    let owner = account("ci", "[\"owner\"]");
    for (what, rest) in [
        ("no policy at all", String::new()),
        (
            "a policy of the same name that lets all through",
            "policy \"no_owners\" {\n  condition = self.name != \"\"\n  message   = \"never\"\n}\n"
                .to_owned(),
        ),
        (
            "an exemption in a policy of the same name",
            NO_OWNERS.replace("  message ", "  exempt      = [\"*\"]\n  message "),
        ),
        (
            "the same as a warning",
            NO_OWNERS.replace("  message ", "  severity    = \"warning\"\n  message "),
        ),
    ] {
        stage.say(what);
        stage.configure(&(owner.clone() + &rest));
        assert_eq!(stage.run(&run), 3, "{what}");
    }
    stage.say("looser limits");
    let loose = "limits {\n  max_escalations = 1000\n}\n";
    let two = account("one", "[\"agent\"]") + &account("two", "[\"agent\"]");
    stage.configure(&(two.clone() + loose));
    assert_eq!(stage.run(&run), 3);
    stage.say("tighter limits hold");
    stage.configure(&(account("one", "[\"agent\"]") + "limits {\n  max_escalations = 0\n}\n"));
    assert_eq!(stage.run(&run), 3);
    stage.say("and what keeps to both goes on");
    stage.configure(&account("one", "[\"agent\"]"));
    assert_eq!(stage.run(&run), 0);
    stage.compare("policies/tightened.txt");

    // The environment names one as well, and a directory of the author's does not take its place.
    stage.configure(&owner);
    fs::create_dir(stage.path("access/mine")).expect("created");
    let mine = "limits {\n  max_deletes = 10\n}\n";
    fs::write(stage.path("access/mine/x.hcl"), mine).expect("written");
    for run in [
        &["plan", "access"][..],
        &["plan", "--policy-dir", "access/mine", "access"],
        &["apply", "--yes", "access"],
    ] {
        let mut command = stage.command(run);
        command.env("ROLECALL_POLICY_DIR", "security");
        let output = command.output().expect("runs");
        assert_eq!(output.status.code(), Some(3), "{run:?}");
    }
    assert_eq!(writes(&stage), 0);
}

#[test]
fn a_policy_directory_that_cannot_be_read_as_such_ends_the_run() {
    let mut stage = Stage::small();
    stage.configure(&account("ci", "[\"agent\"]"));
    let run = ["plan", "--policy-dir", "security", "access"];
    stage.say("there is none");
    assert_eq!(stage.run(&run), 1);
    stage.say("it is empty");
    fs::create_dir(stage.path("security")).expect("created");
    assert_eq!(stage.run(&run), 1);
    for (what, name, text) in [
        ("nothing that is read", "rules.txt", NO_OWNERS),
        ("no block", "rules.hcl", "# policy \"x\" {}\n"),
        ("JSON", "rules.hcl.json", "{}"),
        ("not HCL", "rules.hcl", "policy {{"),
        ("other blocks", "rules.hcl", "locals {\n  a = 1\n}\n"),
        ("values", "rules.auto.vars.hcl", "a = 1\n"),
        (
            "a name that only the configuration has",
            "rules.hcl",
            "policy \"p\" {\n  condition = self.scope.id == space.payments.id\n  message   = \
             \"m\"\n}\n",
        ),
        (
            "an account of the configuration where none can be looked at",
            "rules.hcl",
            "policy \"p\" {\n  condition = self.name == service_account.ci.name\n  message   = \
             \"m\"\n}\n",
        ),
        (
            "a misspelt attribute",
            "rules.hcl",
            "policy \"p\" {\n  condition = self.adress != null\n  message   = \"m\"\n}\n",
        ),
        (
            "a misspelt limit",
            "rules.hcl",
            "limits {\n  max_delete = 3\n}\n",
        ),
    ] {
        stage.say(what);
        fs::remove_dir_all(stage.path("security")).expect("removed");
        fs::create_dir(stage.path("security")).expect("created");
        fs::write(stage.path("security").join(name), text).expect("written");
        assert_eq!(stage.run(&run), 1, "{what}");
    }
    stage.say("a file in its place");
    fs::remove_dir_all(stage.path("security")).expect("removed");
    fs::write(stage.path("security"), NO_OWNERS).expect("written");
    assert_eq!(stage.run(&run), 1);
    stage.say("a variable of the environment that is set and empty");
    let code = stage.run_in(&["plan", "access"], |command| {
        command.env("ROLECALL_POLICY_DIR", "");
    });
    assert_eq!(code, 1);
    stage.compare("policies/directory.txt");
}

/// What policies say is told by their names, so a name is one policy.
#[test]
fn two_policy_directories_are_one_if_they_are_the_same_and_share_no_name_if_not() {
    let mut stage = Stage::small();
    stage.configure(&account("ci", "[\"agent\"]"));
    policy_dir(&stage, NO_OWNERS);
    std::os::unix::fs::symlink("security", stage.path("linked")).expect("linked");
    let judged = |from: Option<&str>| {
        let arguments = [
            "plan",
            "--format",
            "json",
            "--policy-dir",
            "security",
            "access",
        ];
        let mut command = stage.command(&arguments);
        command.envs(from.map(|dir| ("ROLECALL_POLICY_DIR", dir)));
        let output = command.output().expect("runs");
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        document["plan"].clone()
    };
    let once = judged(None);
    assert_eq!(once["policies"].as_array().map(Vec::len), Some(1));
    for spelt in ["security", "./security", "access/../security/", "linked"] {
        let both = judged(Some(spelt));
        assert_eq!(
            both["policies"].as_array().map(Vec::len),
            Some(1),
            "{spelt}"
        );
        assert_eq!(both["digest"], once["digest"], "{spelt}");
    }
    fs::create_dir(stage.path("team")).expect("created");
    let other = NO_OWNERS.replace("Programs own nothing", "Another");
    let two = other.clone() + &other.replace("no_owners", "own_rule");
    fs::write(stage.path("team/own.hcl"), two).expect("written");
    let run = ["apply", "--yes", "--policy-dir", "security", "access"];
    let code = stage.run_in(&run, |command| {
        command.env("ROLECALL_POLICY_DIR", "team");
    });
    assert_eq!((code, writes(&stage)), (1, 0));
    fs::write(
        stage.path("team/own.hcl"),
        NO_OWNERS.replace("no_owners", "own_rule"),
    )
    .expect("written");
    let code = stage.run_in(&["plan", "--policy-dir", "security", "access"], |command| {
        command.env("ROLECALL_POLICY_DIR", "team");
    });
    assert_eq!(code, 0);
    stage.compare("policies/two-directories.txt");
}

#[test]
fn a_plan_that_was_judged_under_other_policies_is_another_plan() {
    let mut stage = Stage::small();
    policy_dir(&stage, NO_OWNERS);
    let accounts = "locals {\n  allowed = [\"ci\"]\n}\n\n".to_owned()
        + &account("ci", "[\"agent\"]")
        + "policy \"allowed\" {\n  condition = contains(local.allowed, self.name)\n  message   = \
           \"not allowed\"\n}\n";
    stage.configure(&accounts);
    let plan = [
        "plan",
        "--out",
        "plan.json",
        "--policy-dir",
        "security",
        "access",
    ];
    let apply = [
        "apply",
        "--plan",
        "plan.json",
        "--policy-dir",
        "security",
        "access",
    ];
    assert_eq!(stage.run(&plan), 0);
    stage.say("without the directory");
    assert_eq!(stage.run(&["apply", "--plan", "plan.json", "access"]), 4);
    stage.say("the directory's policy is another");
    policy_dir(&stage, &NO_OWNERS.replace("\"owner\"", "\"editor\""));
    assert_eq!(stage.run(&apply), 4);
    policy_dir(&stage, NO_OWNERS);
    stage.say("a value that the configuration's policy uses is another");
    stage.configure(&accounts.replace("[\"ci\"]", "[\"ci\", \"mallory\"]"));
    assert_eq!(stage.run(&apply), 4);
    stage.say("leaving out what moved does not help");
    let mut skip = apply.to_vec();
    skip.push("--stale=skip");
    assert_eq!(stage.run(&skip), 4);
    stage.say("one policy more");
    stage.configure(&(accounts.clone() + NO_OWNERS));
    assert_eq!(stage.run(&apply), 4);
    assert_eq!(writes(&stage), 0);
    stage.say("as it was");
    stage.configure(&accounts);
    assert_eq!(stage.run(&apply), 0);
    stage.compare("policies/judged.txt");
}

/// What is left out of a plan stays as it is, and is judged so.
#[test]
fn what_is_left_out_is_judged_as_it_is() {
    let mut stage = Stage::small();
    let both = |roles: &str| account("one", roles) + &account("two", roles) + NO_OWNERS;
    stage.configure(&both("[\"viewer\"]"));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&both("[\"agent\"]"));
    assert_eq!(stage.run(&["plan", "--out", "plan.json", "access"]), 0);
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let one = accounts.iter().find(|a| a["name"] == "one").expect("live");
    let mrn = one["mrn"].as_str().expect("a name");
    let now = Timestamp::now();
    stage.say("somebody makes one an owner, and the plan that would undo it leaves it out");
    let raised = stage.app.admin_set_roles(PAYMENTS, mrn, &["owner"], now);
    raised.expect("set");
    let before = writes(&stage);
    let skip = ["apply", "--plan", "plan.json", "--stale=skip", "access"];
    let output = stage.command(&skip).output().expect("runs");
    assert_eq!(output.status.code(), Some(3));
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(
        out.contains("service_account.one would break the policy no_owners"),
        "{out}"
    );
    assert_eq!(writes(&stage), before);
}

/// A policy that cannot be evaluated must not pass for one that is kept.
#[test]
fn what_cannot_be_evaluated_refuses_and_says_where() {
    let mut stage = Stage::small();
    let policy = "policy \"team\" {\n  condition = self.labels.team == \"a\"\n  message   = \"m\"\n  \
                  severity  = \"warning\"\n}\n";
    stage.configure(&(account("ci", "[\"agent\"]") + policy));
    assert_eq!(stage.run(&["plan", "access"]), 3);
    stage.compare("policies/unevaluable.txt");
}

/// Names on the platform are anybody's text, and they stand in messages.
#[test]
fn foreign_names_do_not_act_in_what_policies_say() {
    let mut stage = Stage::small();
    let now = Timestamp::now();
    let evil = "\u{1b}[31m::add-mask::x\u{202e} <b>&\"'[a](http://b) ##[group]";
    let seed = SeedAccount {
        name: evil.to_owned(),
        ..SeedAccount::default()
    };
    let made = stage.app.admin_create_account(ORG, &seed, now);
    made.expect("made");
    let policy = "policy \"p\" {\n  applies_to = \"all\"\n  condition  = self.custody == \
                  \"managed\"\n  message    = \"who is ${self.name}?\"\n}\n";
    stage.configure(&(account("ci", "[\"agent\"]") + policy));
    let run = [
        "plan",
        "--sarif",
        "p.sarif",
        "--junit",
        "p.xml",
        "--json-out",
        "p.json",
        "access",
    ];
    let output = stage.command(&run).output().expect("runs");
    assert_eq!(output.status.code(), Some(3));
    let mut texts = vec![String::from_utf8_lossy(&output.stdout).into_owned()];
    for file in ["p.sarif", "p.xml", "p.json"] {
        texts.push(fs::read_to_string(stage.path(file)).expect("written"));
    }
    for text in &texts {
        assert!(
            !text.contains(['\u{1b}', '\u{202e}']) && !text.contains("##["),
            "{text}"
        );
        assert!(
            text.lines()
                .all(|line| !line.trim_start().starts_with("::")),
            "{text}"
        );
    }
    let sarif: Value = serde_json::from_str(&texts[1]).expect("JSON");
    let message = sarif["runs"][0]["results"][0]["message"]["text"].as_str();
    assert!(message.is_some_and(|m| !m.contains("[a](") && m.contains("\\[a\\](")));
    reports::well_formed(&texts[2]);
    assert!(
        texts[2].contains("&lt;b&gt;&amp;&quot;&apos;"),
        "{}",
        texts[2]
    );
}

/// A policy that everybody breaks must not hide what else the plan says.
#[test]
fn of_many_accounts_that_break_a_policy_a_few_are_shown_and_all_are_counted() {
    let mut stage = Stage::small();
    let many = "service_account \"many\" {\n  for_each = toset([for n in range(30) : \"n${n}\"])\n  \
                scope = space.payments\n  name = each.key\n  roles = []\n  credential {\n    \
                deliver_to = [sink.file.local]\n  }\n}\n";
    for (severity, code) in [("error", 3), ("warning", 0)] {
        let policy = format!(
            "policy \"p\" {{\n  condition = self.name == \"\"\n  message = \"broken\"\n  severity = \
             \"{severity}\"\n}}\nlimits {{\n  max_escalations = 30\n}}\n"
        );
        stage.configure(&(many.to_owned() + &policy));
        let run = ["plan", "--json-out", "p.json", "access"];
        let output = stage.command(&run).output().expect("runs");
        assert_eq!(output.status.code(), Some(code), "{severity}");
        let out = String::from_utf8_lossy(&output.stdout);
        assert_eq!(out.matches(": broken").count(), 20, "{out}");
        assert!(
            out.contains("… and 10 more break the policy p: 10 of service_account.many;"),
            "{out}"
        );
        let text = fs::read_to_string(stage.path("p.json")).expect("written");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let findings = document["plan"]["findings"].as_array();
        assert_eq!(findings.map(Vec::len), Some(30));
    }
}

#[test]
fn what_is_left_out_is_judged_and_told_once() {
    let mut stage = Stage::small();
    let boss = account("boss", "[\"owner\"]").replace("space.payments", "organization.acme");
    let policy = "policy \"names\" {\n  condition = self.name != \"\"\n  message   = \"m\"\n  exempt    \
                  = [\"old-*\"]\n}\n";
    let world = |boss: &str, role: &str| boss.to_owned() + &account("ci", role) + policy;
    stage.configure(&world(&boss, "[\"viewer\"]"));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&world(&boss.replace("owner", "viewer"), "[\"agent\"]"));
    assert_eq!(stage.run(&["plan", "--out", "plan.json", "access"]), 0);
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let ci = accounts.iter().find(|a| a["name"] == "ci").expect("live");
    let raised = stage.app.admin_set_roles(
        PAYMENTS,
        ci["mrn"].as_str().expect("a name"),
        &["editor"],
        Timestamp::now(),
    );
    raised.expect("set");
    let asked = |stage: &Stage| {
        let seen = stage.front.seen();
        seen.iter().filter(|name| *name == "organization").count()
    };
    stage.front.hook(|_, _| crate::stage::Then::Answer);
    assert_eq!(stage.run(&["plan", "access"]), 0);
    let once = asked(&stage);
    stage.front.hook(|_, _| crate::stage::Then::Answer);
    let skip = ["apply", "--plan", "plan.json", "--stale=skip", "access"];
    let skip = [&skip[..], &["--junit", "/dev/stderr"]].concat();
    let output = stage.command(&skip).output().expect("runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert_eq!(said.matches("matches no account").count(), 1, "{said}");
    assert_eq!(said.matches("<testsuites").count(), 1, "{said}");
    assert_eq!(asked(&stage), once, "who owns the organization");
}
