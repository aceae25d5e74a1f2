//! What can be wrong with a policy before any account is known, and what is right.

use rolecall::config::{Exempt, SourceFile, policy_dir};
use rolecall::diag::render_all;
use rolecall::model::{Limits, PolicyOrigin, PolicyReach, PolicySeverity};

use super::cases::{Case, fixture};

const VARIABLES: &str = "variable \"secret\" {\n  default   = \"hunter2\"\n  sensitive = true\n}\n\
                         locals {\n  names = [\"a\", \"b-*\"]\n}\n";

fn with(attributes: &str) -> Case {
    let head = fixture("valid/minimal.hcl");
    Case::one(&format!(
        "{head}{VARIABLES}policy \"p\" {{\n{attributes}\n}}\n"
    ))
}

#[test]
fn what_is_wrong_is_found_before_any_account_is_asked_about() {
    let good = "condition = self.name != \"\"\nmessage = \"m\"\n";
    for (attributes, code, mark) in [
        (
            "message = \"m\"".to_owned(),
            "missing-attribute",
            "`condition`",
        ),
        (
            "condition = self.name != \"\"".to_owned(),
            "missing-attribute",
            "`message`",
        ),
        (
            format!("{good}severity = \"info\""),
            "invalid-value",
            "`severity`",
        ),
        (
            format!("{good}applies_to = \"some\""),
            "invalid-value",
            "`applies_to`",
        ),
        (
            format!("{good}exempt = [3]"),
            "invalid-value",
            "an account or a pattern",
        ),
        (
            format!("{good}exempt = [\"\"]"),
            "invalid-value",
            "an account or a pattern",
        ),
        (
            format!("{good}exempt = \"a\""),
            "invalid-value",
            "a list is required",
        ),
        (
            format!("{good}exempt = [self.name]"),
            "unknown-reference",
            "self",
        ),
        (
            format!("{good}exempt = [service_account.none]"),
            "unknown-reference",
            "none",
        ),
        (
            format!("{good}exempt = [var.secret]"),
            "sensitive-value",
            "sensitive",
        ),
        (
            format!("{good}except = []"),
            "unknown-attribute",
            "`except`",
        ),
        (
            "condition = self.name\nmessage = \"m\"".to_owned(),
            "invalid-value",
            "not a string",
        ),
        (
            "condition = \"true\"\nmessage = \"m\"".to_owned(),
            "invalid-value",
            "not a string",
        ),
        (
            "condition = null\nmessage = \"m\"".to_owned(),
            "invalid-value",
            "not null",
        ),
        (
            "condition = self.adress != null\nmessage = \"m\"".to_owned(),
            "unsupported-attribute",
            "address",
        ),
        (
            "condition = self.scope.typ != null\nmessage = \"m\"".to_owned(),
            "unsupported-attribute",
            "typ",
        ),
        (
            "condition = self.roles > 3\nmessage = \"m\"".to_owned(),
            "invalid-operand",
            "number",
        ),
        (
            "condition = self.name == var.secret\nmessage = \"m\"".to_owned(),
            "sensitive-value",
            "sensitive",
        ),
        (
            "condition = self.name != \"\"\nmessage = \"no ${var.secret}\"".to_owned(),
            "sensitive-value",
            "sensitive",
        ),
        (
            "condition = self.name != \"\"\nmessage = self.roles".to_owned(),
            "invalid-value",
            "a string is required",
        ),
        (
            "condition = self.name != local.none\nmessage = \"m\"".to_owned(),
            "unknown-reference",
            "none",
        ),
        (
            "condition = self.name != each.key\nmessage = \"m\"".to_owned(),
            "unknown-reference",
            "each",
        ),
    ] {
        let case = with(&attributes);
        let (_, result) = case.resolve();
        assert!(result.is_err(), "{attributes}");
        let shown = case.findings();
        assert!(
            shown.contains(&format!("[{code}]")) && shown.contains(mark),
            "{attributes}:\n{shown}"
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        let (_, offline) = case.validate();
        assert!(offline.is_err(), "validate finds it too: {attributes}");
    }
}

#[test]
fn self_is_a_name_in_policies_alone() {
    let head = fixture("valid/minimal.hcl");
    let shown = Case::one(&format!("{head}locals {{\n  a = self.name\n}}\n")).findings();
    assert!(
        shown.contains("only in the `condition` and the `message`"),
        "{shown}"
    );
}

#[test]
fn one_name_is_one_policy() {
    let twice = "condition = self.name != \"\"\n  message = \"m\"\n}\n\npolicy \"p\" {\n  condition = \
                 self.name != \"\"\n  message = \"m\"";
    assert!(with(twice).findings().contains("[duplicate-declaration]"));
}

#[test]
fn a_policy_says_what_is_written_and_has_its_defaults() {
    let plain = with("condition = self.name != \"\"\nmessage = \"m\"").desired();
    let [policy] = plain.policies.as_slice() else {
        panic!("{:?}", plain.policies);
    };
    assert_eq!(policy.applies_to, PolicyReach::Managed);
    assert_eq!(policy.severity, PolicySeverity::Error);
    assert_eq!(policy.origin, PolicyOrigin::Configuration);
    assert_eq!(policy.description, None);
    assert!(policy.exempt.is_empty());
    assert_eq!(plain.desired.policies, [policy.reference()]);

    let full = with(
        "condition = self.name != \"\"\nmessage = self.name\napplies_to = \"all\"\nseverity = \
         \"warning\"\ndescription = \"d\"\nexempt = local.names",
    )
    .desired();
    let policy = &full.policies[0];
    assert_eq!(policy.applies_to, PolicyReach::All);
    assert_eq!(policy.severity, PolicySeverity::Warning);
    assert_eq!(policy.description.as_deref(), Some("d"));
    let whom: Vec<_> = policy.exempt.iter().map(|e| e.whom.clone()).collect();
    let name = |text: &str| Exempt::Name(text.to_owned());
    assert_eq!(whom, [name("a"), name("b-*")]);
}

/// A limit that the directory does not set is nobody's business but the configuration's.
#[test]
fn a_directory_sets_the_limits_that_it_names() {
    let file = |text: &str| SourceFile {
        path: "rules.hcl".to_owned(),
        bytes: text.into(),
    };
    let (_, read) = policy_dir(vec![file("limits {\n  max_deletes = 3\n}\n")]);
    let read = read.expect("good");
    let expected = Limits {
        max_deletes: 3,
        ..Limits::NONE
    };
    assert_eq!(read.limits, expected);
    assert!(!read.empty);
    let (_, read) = policy_dir(vec![file("# nothing\n")]);
    assert!(read.expect("no error").empty);
    let (sources, read) = policy_dir(vec![
        file("policy \"p\" {\n  condition = self.name != \"\"\n  message = \"m\"\n}\n"),
        SourceFile {
            path: "more.hcl".to_owned(),
            ..file("policy \"p\" {\n  condition = true\n  message = \"m\"\n}\n")
        },
    ]);
    let shown = render_all(&read.expect_err("twice"), &sources, false);
    assert!(shown.contains("[duplicate-declaration]"), "{shown}");
}

/// A comparison that has one answer for every account is told, as long as Terraform takes it.
#[test]
fn a_comparison_of_different_types_is_warned_of() {
    for (condition, warned) in [
        ("self.age_days != \"90\"", true),
        ("!(self.roles == \"owner\")", true),
        ("self.protected == \"true\"", true),
        ("self.labels != [\"team\"]", true),
        ("self.name != \"90\"", false),
        ("self.age_days != 90", false),
        ("self.unused_days == null", false),
        ("self.labels.team == local.names[0]", false),
        ("self.roles != [\"owner\"]", false),
    ] {
        let case = with(&format!("condition = {condition}\nmessage = \"m\""));
        let warnings = case.desired().warnings;
        let never = warnings.iter().any(|found| found.code == "never-equal");
        assert_eq!(never, warned, "{condition}");
        let offline = case.validate().1.expect("only a warning");
        let never = offline.iter().any(|found| found.code == "never-equal");
        assert_eq!(never, warned, "{condition}");
    }
}
