//! Policies over the accounts of small worlds.

use std::collections::BTreeMap;

use super::*;
use crate::config::{self, Resolved, SourceFile, unknown_subject};
use crate::diff::diff;
use crate::model::samples;
use crate::model::{
    CredentialMark, Facts, Fingerprint, Inventory, LiveAccount, Marks, Mrn, OrgId, Role, Scope,
    ScopeInfo, Seals, SpaceId, StackId, Unread,
};
use crate::plan::build;
use crate::policy::{Acks, LocalFiles, approve};

const HEAD: &str = r#"
rolecall {
  stack = "acme"
  id    = "k7m2q9ta"
}
organization "acme" {
  id = "acme-corp"
}
space "payments" {
  organization = organization.acme
  id           = "payments"
}
sink "file" "local" {
  directory = "credentials"
}
variable "secret" {
  type      = bool
  sensitive = true
  default   = false
}
"#;

fn account(name: &str, roles: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name = \"{name}\"\n  roles = \
         {roles}\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n"
    )
}

fn resolved(text: &str) -> Resolved {
    let file = SourceFile {
        path: "main.hcl".to_owned(),
        bytes: format!("{HEAD}{text}").into_bytes(),
    };
    let (mut sources, module) = config::parse(vec![file]);
    let result = config::resolve(&module, &mut sources, &[]);
    result.unwrap_or_else(|found| panic!("{}", crate::diag::render_all(&found, &sources, false)))
}

fn live(name: &str, roles: &[&str]) -> LiveAccount {
    let scope = Scope::Space(SpaceId::new("payments").expect("valid"));
    let mrn = Mrn::new(format!(
        "//agents.api.mondoo.app/spaces/payments/serviceaccounts/{name}"
    ));
    LiveAccount {
        roles: roles.iter().map(|role| Role::new(role)).collect(),
        created_at: "2026-01-01T00:00:00Z".parse().ok(),
        creator: Some("me".to_owned()),
        ..samples::account(mrn, scope, name)
    }
}

/// The same under the marks of this or of another stack.
fn marked(mut account: LiveAccount, stack: &str, resolved: &Resolved) -> LiveAccount {
    let declared = resolved.desired.accounts.values();
    let mut same = declared.filter(|declared| declared.name == account.name);
    let (address, destinations) = match same.next() {
        Some(declared) => (declared.address.clone(), declared.deliver_to.clone()),
        None => (
            crate::model::Address::new(account.name.clone(), None),
            Vec::new(),
        ),
    };
    let marks = Marks {
        credential: CredentialMark::Delivered {
            fingerprint: Fingerprint::of_public_key(b"key"),
            nonce: crate::model::Nonce::from_bytes([9; 16]),
            destinations: destinations.iter().map(|to| to.key_at(1, None)).collect(),
        },
        ..Marks::external(
            StackId::new(stack, "k7m2q9ta").expect("valid"),
            address.label(),
            false,
        )
    };
    account.labels.extend(marks.labels());
    account
}

fn world(accounts: Vec<LiveAccount>) -> Live {
    let info = |name: &str, organization: Option<&str>| ScopeInfo {
        name: name.to_owned(),
        organization: organization.and_then(OrgId::new),
    };
    let organization = Scope::Organization(OrgId::new("acme-corp").expect("valid"));
    let space = Scope::Space(SpaceId::new("payments").expect("valid"));
    Live {
        facts: Facts {
            now: "2026-04-11T12:00:00Z".parse().expect("valid"),
            ..samples::facts("me")
        },
        scopes: BTreeMap::from([
            (organization, info("Acme", None)),
            (space, info("Payments", Some("acme-corp"))),
        ]),
        ..samples::live("me", accounts)
    }
}

fn judged(resolved: &Resolved, live: &Live) -> Plan {
    let desired = &resolved.desired;
    let (mut plan, inventory) = planned(desired, live);
    let judgement = judge(&plan, &resolved.policies, desired, live, &inventory);
    plan.judged(judgement);
    plan
}

fn planned(desired: &Desired, live: &Live) -> (Plan, Inventory) {
    let inventory = Inventory::take(desired, live, &Seals::default());
    let delta = diff(desired, live, &inventory);
    (build(desired, live, &inventory, delta), inventory)
}

/// What each policy said of each account, shortly.
fn said(plan: &Plan) -> Vec<String> {
    let judgement = plan.annex.judgement.as_ref().expect("judged");
    judgement
        .all()
        .map(|(policy, account, said)| {
            let said = match said {
                None => "kept".to_owned(),
                Some(Said::Exempt) => "exempt".to_owned(),
                Some(Said::Violated(message)) => format!("violated: {message}"),
                Some(Said::Unevaluable(why)) => format!("unevaluable: {why}"),
            };
            format!("{} {}: {said}", policy.name, account.name)
        })
        .collect()
}

fn refusals(plan: &Plan) -> Vec<String> {
    match approve(plan.clone(), &Acks::default(), None, LocalFiles::Stay) {
        Ok(_) => Vec::new(),
        Err(refusals) => refusals.into_iter().map(|r| r.message).collect(),
    }
}

/// A policy whose message is a picture of the account.
fn picture(applies_to: &str, picture: &str) -> String {
    format!(
        "policy \"p\" {{\n  applies_to = \"{applies_to}\"\n  condition = self.name == \"\"\n  \
         message = {picture}\n}}\n"
    )
}

#[test]
fn every_account_is_judged_as_it_will_be() {
    let text = [
        account("born", "[\"agent\"]"),
        account("kept", "[\"viewer\"]"),
        account("raised", "[\"editor\"]"),
        picture(
            "all",
            "jsonencode([self.address, self.custody, self.change, self.roles, self.gained, \
             self.age_days, self.unused_days, self.scope.name])",
        ),
    ]
    .concat();
    let resolved = resolved(&text);
    let used = LiveAccount {
        last_used: "2026-04-01T13:00:00Z".parse().ok(),
        ..live("kept", &["viewer"])
    };
    let unknown_age = LiveAccount {
        created_at: None,
        ..live("nobodys", &["owner"])
    };
    let live = world(vec![
        marked(used, "acme", &resolved),
        marked(live("raised", &["viewer"]), "acme", &resolved),
        marked(live("gone", &["owner"]), "acme", &resolved),
        marked(live("others", &["owner"]), "other", &resolved),
        unknown_age,
    ]);
    let plan = judged(&resolved, &live);
    assert_eq!(
        said(&plan),
        [
            r#"p born: violated: ["service_account.born","managed","create",["agent"],["agent"],0,null,"Payments"]"#,
            r#"p kept: violated: ["service_account.kept","managed",null,["viewer"],[],100,9,"Payments"]"#,
            r#"p raised: violated: ["service_account.raised","managed","update-permissions",["editor"],["editor"],100,null,"Payments"]"#,
            r#"p nobodys: violated: [null,"unmanaged",null,["owner"],[],null,null,"Payments"]"#,
            r#"p others: violated: [null,"foreign",null,["owner"],[],100,null,"Payments"]"#,
        ]
    );
    assert!(
        plan.changes.iter().any(|change| change.after.is_none()),
        "the one that is deleted is not judged"
    );
}

#[test]
fn a_policy_is_about_managed_accounts_unless_it_says_all() {
    for (applies_to, expected) in [("managed", vec!["a"]), ("all", vec!["a", "nobodys"])] {
        let text = account("a", "[]") + &picture(applies_to, "\"no\"");
        let resolved = resolved(&text);
        let plan = judged(&resolved, &world(vec![live("nobodys", &[])]));
        let expected: Vec<_> = expected
            .iter()
            .map(|name| format!("p {name}: violated: no"))
            .collect();
        assert_eq!(said(&plan), expected);
    }
}

/// What two changes of one account do to it is judged together, and nothing that they do not change.
#[test]
fn changes_of_one_account_add_up() {
    let text = "service_account \"a\" {\n  scope = space.payments\n  name = \"a\"\n  description = \
                \"new\"\n  roles = [\"editor\"]\n  credential {\n    deliver_to = \
                [sink.file.local]\n  }\n}\n"
        .to_owned()
        + &picture(
            "managed",
            "jsonencode([self.description, self.roles, self.labels, self.change])",
        );
    let resolved = resolved(&text);
    let mut old = marked(live("a", &["viewer"]), "acme", &resolved);
    old.labels.insert("team".to_owned(), "x".to_owned());
    let plan = judged(&resolved, &world(vec![old]));
    assert_eq!(plan.changes.len(), 2);
    assert_eq!(
        said(&plan),
        [r#"p a: violated: ["new",["editor"],{"team":"x"},"update-permissions"]"#]
    );
}

#[test]
fn an_error_refuses_and_a_warning_does_not() {
    let policy = |severity: &str| {
        format!(
            "policy \"no_owners\" {{\n  condition = !contains(self.roles, \"owner\")\n  message = \
             \"an owner\"\n  severity = \"{severity}\"\n}}\n"
        )
    };
    let owner = account("a", "[\"owner\"]");
    let live = world(Vec::new());
    let plan = judged(&resolved(&(owner.clone() + &policy("error"))), &live);
    assert_eq!(
        refusals(&plan),
        ["service_account.a would break the policy no_owners: an owner"]
    );
    let refused = approve(plan, &Acks::default(), None, LocalFiles::Stay).expect_err("refused");
    assert!(!refused[0].apply_only, "the plan itself is not in order");
    let broken = refused[0].broken.as_ref().expect("both are named");
    assert_eq!(broken.policy.declared_at.to_string(), "main.hcl:29");
    let place = broken.account.declared_at.as_ref().expect("declared");
    assert_eq!(place.to_string(), "main.hcl:21");
    let plan = judged(&resolved(&(owner + &policy("warning"))), &live);
    assert_eq!(said(&plan), ["no_owners a: violated: an owner"]);
    assert_eq!(refusals(&plan), Vec::<String>::new());
}

/// Whatever the severity: nobody can tell whether it is kept to.
#[test]
fn what_cannot_be_evaluated_refuses() {
    for (condition, why) in [
        ("self.unused_days < 90", "null"),
        ("self.labels.team == \"x\"", "no such attribute"),
        ("1 / self.age_days > 0", "division by zero"),
        (
            "jsondecode(self.name == \"a\" ? \"1\" : \"true\")",
            "neither true nor false",
        ),
        (
            "length([for a in range(1000) : [for b in range(300) : a]]) > 0 || self.name == \"\"",
            "too much work",
        ),
    ] {
        for severity in ["error", "warning"] {
            let policy = format!(
                "policy \"p\" {{\n  condition = {condition}\n  message = \"m\"\n  severity = \
                 \"{severity}\"\n}}\n"
            );
            let resolved = resolved(&(account("a", "[]") + &policy));
            let plan = judged(&resolved, &world(Vec::new()));
            let refused = refusals(&plan);
            assert_eq!(refused.len(), 1, "{condition}: {refused:?}");
            assert!(
                refused[0].contains("cannot be evaluated for service_account.a: main.hcl:30:"),
                "{refused:?}"
            );
            assert!(refused[0].contains(why), "{refused:?}");
        }
    }
}

#[test]
fn a_broken_message_breaks_the_policy_no_less() {
    let text = account("a", "[]") + &picture("managed", "\"x ${self.description}\"");
    let plan = judged(&resolved(&text), &world(Vec::new()));
    let refused = refusals(&plan);
    assert!(
        refused[0].contains("would break the policy p: its message cannot be made: main.hcl:"),
        "{refused:?}"
    );
}

#[test]
fn exemptions_leave_out_whom_they_name_and_nobody_else() {
    let keyed = "service_account \"k\" {\n  for_each = toset([\"one\", \"two\"])\n  scope = \
                 space.payments\n  name = \"k-${each.key}\"\n  roles = []\n  credential {\n    \
                 deliver_to = [sink.file.local]\n  }\n}\n";
    for (exempt, left, idle) in [
        ("[]", vec!["a", "k-one", "k-two", "legacy-x"], 0),
        ("[service_account.a]", vec!["k-one", "k-two", "legacy-x"], 0),
        ("[service_account.k]", vec!["a", "legacy-x"], 0),
        (
            "[service_account.k[\"one\"]]",
            vec!["a", "k-two", "legacy-x"],
            0,
        ),
        (
            "[service_account.k[\"none\"], \"nothing-*\"]",
            vec!["a", "k-one", "k-two", "legacy-x"],
            2,
        ),
        ("[\"legacy-*\", \"k-*\"]", vec!["a"], 0),
        ("concat([\"legacy-*\"], [\"?\"])", vec!["k-one", "k-two"], 0),
    ] {
        let policy = format!(
            "policy \"p\" {{\n  applies_to = \"all\"\n  condition = self.name == \"\"\n  message = \
             \"m\"\n  exempt = {exempt}\n}}\n"
        );
        let resolved = resolved(&(account("a", "[]") + keyed + &policy));
        let plan = judged(&resolved, &world(vec![live("legacy-x", &[])]));
        let violated: Vec<String> = said(&plan)
            .into_iter()
            .filter(|said| said.ends_with("violated: m"))
            .collect();
        let expected: Vec<_> = left
            .iter()
            .map(|name| format!("p {name}: violated: m"))
            .collect();
        assert_eq!(violated, expected, "{exempt}");
        let judgement = plan.annex.judgement.as_ref().expect("judged");
        assert_eq!(judgement.idle.len(), idle, "{exempt}");
    }
}

#[test]
fn patterns_are_globs_over_the_whole_name() {
    for (pattern, text, fit) in [
        ("legacy-*", "legacy-", true),
        ("legacy-*", "legacy-a-b", true),
        ("legacy-*", "my-legacy-a", false),
        ("*-ci", "a-ci-ci", true),
        ("*-ci", "a-cix", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("?", "ü", true),
        ("?", "", false),
        ("*", "", true),
        ("[a]", "a", false),
        ("A", "a", false),
        ("", "", true),
        ("", "a", false),
    ] {
        assert_eq!(matches(pattern, text), fit, "{pattern} {text}");
    }
}

/// A plan that names policies and was not judged by them, or was changed after it, does not pass.
#[test]
fn a_plan_without_its_judgement_is_refused() {
    let text = account("a", "[]")
        + "policy \"p\" {\n  condition = self.name != \"\"\n  message = \"m\"\n}\n";
    let resolved = resolved(&text);
    let plan = judged(&resolved, &world(Vec::new()));
    assert_eq!(refusals(&plan), Vec::<String>::new());
    let contents = || plan.clone().into_contents();
    let mut unasked = contents();
    unasked.annex.judgement = None;
    let mut changed = contents();
    changed.changes.clear();
    let mut others = contents();
    others.policies.clear();
    let mut fewer = contents();
    if let Some(judgement) = &mut fewer.annex.judgement {
        judgement.policies.clear();
    }
    for contents in [unasked, changed, others, fewer] {
        let plan = contents.settle();
        let refused =
            approve(plan.clone(), &Acks::default(), None, LocalFiles::Stay).expect_err("refused");
        assert!(!refused[0].apply_only);
        assert_eq!(
            refusals(&plan),
            ["The policies of the plan have not judged it as it is now."]
        );
    }
}

#[test]
fn what_could_not_be_read_cannot_be_said_to_keep_to_a_policy_about_all() {
    for (applies_to, severity, refused) in [
        ("all", "error", 1),
        ("all", "warning", 0),
        ("managed", "error", 0),
    ] {
        let text = format!(
            "{}policy \"p\" {{\n  applies_to = \"{applies_to}\"\n  severity = \"{severity}\"\n  \
             condition = self.name != \"\"\n  message = \"m\"\n}}\n",
            account("a", "[]")
        );
        let resolved = resolved(&text);
        let mut live = world(Vec::new());
        let other = Scope::Space(SpaceId::new("hidden").expect("valid"));
        let why = "forbidden".to_owned();
        live.unread.insert(other, Unread { why });
        let plan = judged(&resolved, &live);
        assert_eq!(refusals(&plan).len(), refused);
        if let Err(refused) = approve(plan, &Acks::default(), None, LocalFiles::Stay) {
            assert!(!refused[0].apply_only);
        }
        live.unread.clear();
        assert_eq!(refusals(&judged(&resolved, &live)), Vec::<String>::new());
    }
}

/// Two policies have one digest only if they refuse the same.
#[test]
fn the_digest_of_a_policy_holds_all_that_it_refuses_by() {
    let digest = |rest: &str, local: &str| {
        let text = format!(
            "locals {{\n  allowed = {local}\n}}\n{}policy \"p\" {{\n  message = \"m\"\n{rest}\n}}\n",
            account("a", "[]")
        );
        resolved(&text).desired.policies[0].sha256.clone()
    };
    let plain = "condition = contains(local.allowed, self.name)";
    let base = digest(plain, "[\"a\"]");
    assert_eq!(base, digest(plain, "[\"a\"]"));
    let described = format!("{plain}\ndescription = \"d\"");
    assert_eq!(base, digest(&described, "[\"a\"]"), "it decides nothing");
    for (rest, local) in [
        (plain.to_owned(), "[\"b\"]"),
        (plain.replace("name", "address"), "[\"a\"]"),
        (format!("{plain}\nseverity = \"warning\""), "[\"a\"]"),
        (format!("{plain}\napplies_to = \"all\""), "[\"a\"]"),
        (format!("{plain}\nexempt = [service_account.a]"), "[\"a\"]"),
        (
            format!("{plain}\nexempt = [\"service_account.a\"]"),
            "[\"a\"]",
        ),
    ] {
        assert_ne!(base, digest(&rest, local), "{rest} {local}");
    }
}

/// Anybody can write marks. An account whose marks nothing proves is not the configuration's, whatever they
/// say, and what is declared at its address is judged by itself.
#[test]
fn a_disputed_account_does_not_count_as_managed() {
    let text = |applies_to| {
        let all = "jsonencode([self.address, self.custody, self.roles, self.valid_until, \
                   self.protected])";
        account("a", "[\"viewer\"]") + &picture(applies_to, all)
    };
    let forged = |name: &str, creator: Option<&str>, resolved: &Resolved| {
        let mut account = marked(live(name, &["owner"]), "acme", resolved);
        let mut marks = account.marks().expect("marks").clone();
        marks.expires = "2027-06-30T00:00:00Z".parse().ok();
        marks.protected = true;
        account.labels.extend(marks.labels());
        account.creator = creator.map(str::to_owned);
        account
    };
    for (applies_to, disputed) in [("all", true), ("managed", false)] {
        let resolved = resolved(&text(applies_to));
        let mut damaged = marked(live("c", &["owner"]), "acme", &resolved);
        damaged.labels.remove("rolecall-credential");
        let accounts = [
            forged("a", Some("eve"), &resolved),
            forged("b", None, &resolved),
            damaged,
        ];
        let plan = judged(&resolved, &world(accounts.into()));
        let mut expected = vec![
            r#"p a: violated: ["service_account.a","managed",["viewer"],null,false]"#.to_owned(),
        ];
        for name in ["a", "b", "c"].iter().filter(|_| disputed) {
            expected.push(format!(
                r#"p {name}: violated: [null,"disputed",["owner"],null,false]"#
            ));
        }
        assert_eq!(said(&plan), expected);
        assert_eq!(plan.blocked.len(), 3, "each is in the way all the same");
    }
}

/// What is tried before any account is known has the form of what is judged then.
#[test]
fn the_unknown_account_has_the_form_of_a_known_one() {
    fn keys(value: &Value) -> Vec<String> {
        let members = value.as_members().expect("an object");
        members.keys().map(|key| key.to_string()).collect()
    }
    let resolved = resolved(&account("a", "[]"));
    let live = world(Vec::new());
    let plan = judged(&resolved, &live);
    let known = subjects(&plan, &resolved.desired, &live, &Inventory::default());
    let (known, unknown) = (&known[0].value, unknown_subject());
    assert_eq!(keys(known), keys(&unknown));
    let scope = |value: &Value| value.as_members().expect("an object")["scope"].clone();
    let place = scope(known);
    let place = place.as_reference().expect("a scope");
    let names: Vec<_> = place
        .attributes
        .keys()
        .map(|name| name.to_string())
        .collect();
    assert_eq!(names, ["id", "kind", "mrn", "name"]);
    let form = crate::lang::Type::of(&scope(&unknown));
    assert_eq!(form, crate::lang::Type::Scope);
}

#[test]
fn whatever_happens_to_an_account_is_seen() {
    let block = |label: &str, name: &str, more: &str| {
        format!(
            "service_account \"{label}\" {{\n  scope = space.payments\n  name = \"{name}\"\n  roles = \
             [\"viewer\"]\n  {more}\n}}\n"
        )
    };
    let key = "credential {\n    deliver_to = [sink.file.local]\n  }";
    let protect = "lifecycle {\n    prevent_destroy = true\n  }";
    let text = [
        block(
            "a",
            "new",
            &format!("labels = {{ team = \"y\" }}\n  {key}\n  {protect}"),
        ),
        block("b", "b", key),
        block("c", "c", ""),
        block("taken", "taken", key),
        "moved {\n  from = service_account.old\n  to = service_account.b\n}\n".to_owned(),
        "removed {\n  from = service_account.gone\n  lifecycle {\n    destroy = false\n  }\n}\n"
            .to_owned(),
        format!(
            "import {{\n  to = service_account.c\n  id = \"{}\"\n}}\n",
            live("c", &[]).mrn.as_str()
        ),
        picture(
            "all",
            "jsonencode([self.address, self.name, self.labels, self.protected, self.custody, \
             self.change])",
        ),
    ]
    .concat();
    let resolved = resolved(&text);
    let mut a = marked(live("a", &["viewer"]), "acme", &resolved);
    a.labels.insert("team".to_owned(), "x".to_owned());
    a.labels
        .insert("rolecall-address".to_owned(), "a".to_owned());
    let mut b = marked(live("b", &["viewer"]), "acme", &resolved);
    b.labels
        .insert("rolecall-address".to_owned(), "old".to_owned());
    let plan = judged(
        &resolved,
        &world(vec![
            a,
            b,
            live("c", &["viewer"]),
            marked(live("gone", &["viewer"]), "acme", &resolved),
            live("taken", &["viewer"]),
        ]),
    );
    assert_eq!(
        said(&plan),
        [
            r#"p new: violated: ["service_account.a","new",{"team":"y"},true,"managed","update"]"#,
            r#"p b: violated: ["service_account.b","b",{},false,"managed","move"]"#,
            r#"p c: violated: ["service_account.c","c",{},false,"managed","adopt"]"#,
            r#"p taken: violated: ["service_account.taken","taken",{},false,"managed",null]"#,
            r#"p gone: violated: [null,"gone",{},false,"managed","forget"]"#,
            r#"p taken: violated: [null,"taken",{},false,"unmanaged",null]"#,
        ]
    );
    let judgement = plan.annex.judgement.as_ref().expect("judged");
    let hindered = judgement
        .all()
        .find(|(_, account, _)| account.account.is_none());
    let place = hindered.and_then(|(_, account, _)| account.declared_at.clone());
    assert!(place.is_some(), "what is in the way of has its place");
}

/// Marks that are not this configuration's are labels that anybody can write.
#[test]
fn the_end_and_the_protection_of_an_account_are_believed_of_ones_own_alone() {
    let end = "2027-06-30T00:00:00Z";
    let text = [
        account("kept", "[]").replace(
            "  credential {",
            &format!("  valid_until = \"{end}\"\n  credential {{"),
        ),
        account("taken", "[]")
            .split("  credential")
            .next()
            .expect("a part")
            .to_owned()
            + "}\n",
        format!(
            "import {{\n  to = service_account.taken\n  id = \"{}\"\n}}\n",
            live("taken", &[]).mrn.as_str()
        ),
        picture(
            "all",
            "jsonencode([self.address, self.custody, self.valid_until, self.protected])",
        ),
    ]
    .concat();
    let mut resolved = resolved(&text);
    let other = StackId::new("other", "k7m2q9ta").expect("valid");
    let ended = |name: &str, stack: &str| {
        let mut account = marked(live(name, &[]), stack, &resolved);
        let mut marks = account.marks().expect("marks").clone();
        marks.expires = end.parse().ok();
        marks.protected = true;
        account.labels.extend(marks.labels());
        account
    };
    let accounts = vec![
        ended("kept", "acme"),
        ended("taken", "other"),
        ended("theirs", "other"),
    ];
    resolved.desired.meant.take_over = [other].into();
    let plan = judged(&resolved, &world(accounts));
    assert_eq!(
        said(&plan),
        [
            r#"p kept: violated: ["service_account.kept","managed","2027-06-30T00:00:00Z",true]"#,
            r#"p taken: violated: ["service_account.taken","managed",null,true]"#,
            r#"p theirs: violated: [null,"foreign",null,false]"#,
        ]
    );
    let judgement = plan.annex.judgement.as_ref().expect("judged");
    let named: Vec<_> = judgement
        .accounts
        .iter()
        .map(|a| a.account.clone())
        .collect();
    let mrn = |name: &str| Some(live(name, &[]).mrn);
    assert_eq!(named, [mrn("kept"), mrn("taken"), mrn("theirs")]);
}

/// What a policy says of the account `a` in the space of these tests.
fn says(blocks: &str, roles: &str, condition: &str) -> Vec<String> {
    let text = format!(
        "{blocks}{}policy \"p\" {{\n  condition = {condition}\n  message = \"m\"\n}}\n",
        account("a", roles)
    );
    said(&judged(&resolved(&text), &world(Vec::new())))
}

/// `self` is compared with blocks by address; each of these was true, or false, of every account.
#[test]
fn an_account_is_compared_with_blocks_by_address() {
    let blocks = "space \"other\" {\n  id = \"other\"\n}\nrole \"scanner\" {\n  includes = \
                  [\"agent\", \"viewer\"]\n}\nrole \"deep\" {\n  includes = [role.scanner]\n}\nlocals {\n  \
                  power = role.scanner\n  here = space.payments\n}\n";
    let many = format!(
        "service_account \"many\" {{\n  for_each = toset([\"x\"])\n  scope = space.other\n  name = \
         \"m\"\n  roles = []\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n{blocks}"
    );
    for (roles, condition, kept) in [
        ("[\"agent\"]", "self.scope == space.payments", true),
        ("[\"agent\"]", "self.scope == local.here", true),
        ("[\"agent\"]", "self.scope != space.payments", false),
        ("[\"agent\"]", "self.scope != space.other", true),
        ("[\"agent\"]", "self.scope == organization.acme", false),
        ("[\"agent\"]", "contains([space.other], self.scope)", false),
        (
            "[\"agent\"]",
            "contains([organization.acme, space.payments], self.scope)",
            true,
        ),
        (
            "[\"agent\"]",
            "lookup(self.scope, \"kind\", \"\") == \"space\"",
            true,
        ),
        ("[\"agent\"]", "self.address == service_account.a", true),
        ("[\"agent\"]", "self.address != service_account.a", false),
        ("[\"agent\"]", "self.address != service_account.many", true),
        (
            "[\"agent\"]",
            "self.address == service_account.many[\"x\"]",
            false,
        ),
        (
            "[\"agent\"]",
            "contains([service_account.a], self.address)",
            true,
        ),
        ("[\"agent\"]", "!contains(self.roles, role.scanner)", true),
        (
            "[\"agent\", \"viewer\"]",
            "!contains(self.roles, role.scanner)",
            false,
        ),
        (
            "[\"agent\", \"viewer\"]",
            "contains(self.roles, local.power)",
            true,
        ),
        (
            "[\"agent\", \"viewer\"]",
            "alltrue([for role in [local.power] : contains(self.roles, role)])",
            true,
        ),
        ("[role.deep]", "contains(self.roles, role.scanner)", true),
        ("[\"viewer\"]", "contains(self.roles, role.deep)", false),
    ] {
        let expected = if kept {
            "p a: kept"
        } else {
            "p a: violated: m"
        };
        let said = says(&many, roles, condition);
        assert!(said.contains(&expected.to_owned()), "{condition}: {said:?}");
    }
}

/// What could never hold, or always, is found before any account is asked about.
#[test]
fn unlike_things_are_never_compared_in_silence() {
    for condition in [
        "self.scope == \"payments\"",
        "self.scope.id != space.payments",
        "self.roles != role.scanner",
        "self.name == role.scanner",
        "self.age_days != space.payments",
        "!contains(self.roles, space.payments)",
        "!contains(self.roles, sink.file.local)",
        "!contains([space.payments], self.scope.id)",
        "self.address != service_account.many[\"nobody\"]",
        "self.scope.region != \"\"",
    ] {
        let text = format!(
            "{}role \"scanner\" {{\n  includes = [\"agent\"]\n}}\nservice_account \"many\" {{\n  for_each \
             = toset([\"x\"])\n  scope = space.payments\n  name = \"m\"\n  roles = [role.scanner]\n  \
             credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\npolicy \"p\" {{\n  condition = \
             {condition}\n  message = \"m\"\n}}\n",
            HEAD
        );
        let file = SourceFile {
            path: "main.hcl".to_owned(),
            bytes: text.into_bytes(),
        };
        let (mut sources, module) = config::parse(vec![file]);
        let found = config::resolve(&module, &mut sources, &[]);
        assert!(found.is_err(), "{condition}");
    }
    // What is a text like another only shows when the account is known.
    for condition in [
        "self.name != service_account.a",
        "self.custody == service_account.a",
    ] {
        let said = says("", "[]", condition);
        assert!(said[0].contains("unevaluable"), "{condition}: {said:?}");
        assert!(said[0].contains("no address"), "{condition}: {said:?}");
    }
}

/// A policy that asks about a role block is another when the block includes something else.
#[test]
fn the_digest_of_a_policy_holds_what_its_roles_include() {
    let digest = |includes: &str, condition: &str| {
        let text = format!(
            "role \"power\" {{\n  includes = {includes}\n}}\nlocals {{\n  power = role.power\n}}\n{}policy \
             \"p\" {{\n  condition = {condition}\n  message = \"m\"\n}}\n",
            account("a", "[role.power]")
        );
        resolved(&text).desired.policies[0].sha256.clone()
    };
    for condition in [
        "!contains(self.roles, role.power)",
        "!contains(self.roles, local.power)",
    ] {
        let base = digest("[\"owner\"]", condition);
        assert_eq!(base, digest("[\"owner\"]", condition));
        assert_ne!(base, digest("[\"owner\", \"viewer\"]", condition));
    }
}

/// Messages of any length over any number of accounts take no more room than a few.
#[test]
fn a_message_is_bounded_counted_and_shared() {
    let accounts: String = (0..40).map(|n| account(&format!("a{n}"), "[]")).collect();
    for (message, shown) in [
        ("local.big".to_owned(), MAX_MESSAGE + 1),
        ("\"${substr(local.big, 0, 1999)}é\"".to_owned(), MAX_MESSAGE),
        (
            "{ a = \"x\" }[self.name == \"\" ? \"a\" : local.big]".to_owned(),
            MAX_MESSAGE + 1,
        ),
    ] {
        let text = format!(
            "locals {{\n  some = join(\"\", [for n in range(1000) : \"x\"])\n  big = join(\"\", [for n in \
             range(900) : local.some])\n}}\n{accounts}policy \"p\" {{\n  condition = self.name == \
             \"\"\n  message = {message}\n}}\n"
        );
        let resolved = resolved(&text);
        let live = world(Vec::new());
        let desired = &resolved.desired;
        let (plan, inventory) = planned(desired, &live);
        let judgement = judge(&plan, &resolved.policies, desired, &live, &inventory);
        let texts: Vec<&Text> = judgement
            .cases
            .iter()
            .filter_map(|case| match &case.said {
                Said::Violated(text) | Said::Unevaluable(text) => Some(text),
                Said::Exempt => None,
            })
            .collect();
        assert_eq!(texts.len(), 40);
        assert!(
            texts.iter().all(|text| text.chars().count() == shown),
            "{message}"
        );
        let first: *const u8 = texts[0].as_ptr();
        assert!(
            texts.iter().all(|text| std::ptr::eq(text.as_ptr(), first)),
            "one text"
        );
    }
}

/// Long messages use up the work that all policies have together, so that their number is bounded too.
#[test]
fn the_characters_of_messages_count_as_work() {
    let mut spent = Spent {
        left: 10_000,
        said: BTreeSet::new(),
    };
    let long = "x".repeat(4_000);
    spent.keep(&long);
    spent.keep(&long);
    assert_eq!(spent.left, 2_000);
    spent.keep(&long);
    assert_eq!((spent.left, spent.said.len()), (0, 1));
}

#[test]
fn a_policy_sees_where_keys_go() {
    let vault = "sink \"vault\" \"v\" {\n  address = \"https://vault.acme.example\"\n  mount = \"secret\"\n  path = \
                 account.id\n}\n";
    let text = format!(
        "{vault}{}{}",
        account("ci", "[]").replace("[sink.file.local]", "[sink.vault.v, sink.file.local]"),
        picture("all", "jsonencode(self.destinations)")
    );
    let plan = judged(&resolved(&text), &world(vec![live("other", &["viewer"])]));
    let place = |of: [&str; 7]| {
        let names = ["format", "host", "key", "kind", "namespace", "path", "sink"];
        let members = names
            .iter()
            .zip(of)
            .map(|(name, value)| format!("\"{name}\":\"{value}\""));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let file = place([
        "json",
        "",
        "ci.json",
        "file",
        "",
        "credentials",
        "file.local",
    ]);
    let host = "https://vault.acme.example";
    let secret = place([
        "json",
        host,
        "credential",
        "vault",
        "",
        "secret/data/ci",
        "vault.v",
    ]);
    assert_eq!(
        said(&plan),
        [
            format!("p ci: violated: [{secret},{file}]"),
            "p other: violated: []".to_owned(),
        ]
    );
}
