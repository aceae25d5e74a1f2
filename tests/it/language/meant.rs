//! What people mean and the language takes otherwise: told, with what to write.

use rolecall::config::Input;

use super::cases::{Case, fixture};

const REST: &str = "space \"s\" {\n  id = \"space-1\"\n}\nspace \"t\" {\n  id = \"space-2\"\n}\nsink \"file\" \
                    \"f\" {\n  directory = \"c\"\n}\nvariable \"names\" {\n  default = [\"x\", \"y\"]\n}\nvariable \
                    \"on\" {\n  default = true\n}\nlocals {\n  scopes = [space.s, space.t]\n}\n";

fn account(first: &str, scope: &str, name: &str) -> Case {
    Case::one(&format!(
        "{}{REST}service_account \"ci\" {{\n  {first}\n  scope = {scope}\n  name = {name}\n  roles = []\n  \
         credential {{\n    deliver_to = [sink.file.f]\n  }}\n}}\n",
        fixture("valid/minimal.hcl")
    ))
}

/// The attribute that a hint says to write.
fn written(shown: &str) -> String {
    let joined: String = shown.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let joined = joined.replace(" | ", " ");
    let start = joined.find("`for_each = ").map(|at| at + 1);
    let rest = &joined[start.unwrap_or_else(|| panic!("no for_each in {shown}"))..];
    rest[..rest.find('`').expect("its end")].to_owned()
}

/// The hint for `count` is what makes so many accounts.
#[test]
fn the_for_each_for_a_count_makes_as_many_accounts() {
    for (count, made) in [
        ("2", 2),
        ("0", 0),
        ("12", 12),
        ("length(var.names)", 2),
        ("var.on ? 1 : 0", 1),
        ("var.on ? 0 : 1", 0),
        ("length(var.names) + 1", 3),
        ("var.on ? 3 : 1", 3),
        ("max(1,\n    2)", 2),
    ] {
        let shown = account(&format!("count = {count}"), "space.s", "\"ci\"").findings();
        assert!(shown.contains("[terraform-only]"), "{count}: {shown}");
        let instead = written(&shown);
        let case = account(&instead, "space.s", "\"ci-${each.key}\"");
        assert_eq!(
            case.desired().desired.accounts.len(),
            made,
            "{count}: {instead}"
        );
    }
    let shown = Case::one(&format!(
        "{}space \"s\" {{\n  count = 2\n  id = \"space-1\"\n}}\n",
        fixture("valid/minimal.hcl")
    ))
    .findings();
    assert!(
        shown.contains("only a `service_account` block repeats"),
        "{shown}"
    );
}

/// The hint for a `for_each` that gives no keys is one that gives them.
#[test]
fn the_for_each_for_a_list_works() {
    for (given, scope, instead, made) in [
        (
            "toset(local.scopes)",
            "each.value",
            "{ for s in local.scopes : s.id => s }",
            2,
        ),
        (
            "local.scopes",
            "each.value",
            "{ for s in local.scopes : s.id => s }",
            2,
        ),
        (
            "toset([space.s])",
            "each.value",
            "{ for s in [space.s] : s.id => s }",
            1,
        ),
        ("var.names", "space.s", "toset(var.names)", 2),
        (
            "[1, 2, 3]",
            "space.s",
            "toset([for item in [1, 2, 3] : tostring(item)])",
            3,
        ),
        (
            "toset([1])",
            "space.s",
            "toset([for item in [1] : tostring(item)])",
            1,
        ),
    ] {
        let name = "\"ci-${each.key}\"";
        let shown = account(&format!("for_each = {given}"), scope, name).findings();
        assert!(shown.contains("[invalid-for-each]"), "{given}: {shown}");
        assert!(shown.contains(instead), "{given}: {shown}");
        let case = account(&format!("for_each = {instead}"), scope, name);
        assert_eq!(case.desired().desired.accounts.len(), made, "{given}");
    }
    let objects = "[{ name = \"a\" }]";
    let shown = account(&format!("for_each = {objects}"), "space.s", "\"x\"").findings();
    assert!(shown.contains("item.NAME => item"), "{shown}");
}

#[test]
fn functions_on_times_are_told_from_those_that_read_the_clock() {
    for (call, says) in [
        (
            "timeadd(\"2027-06-30T00:00:00Z\", \"1h\")",
            "functions on times are not supported",
        ),
        (
            "formatdate(\"YYYY\", \"2027-06-30T00:00:00Z\")",
            "functions on times are not supported",
        ),
        ("timestamp()", "read the clock"),
        ("uuid()", "read the clock or random numbers"),
    ] {
        let shown = account("", "space.s", &format!("\"a-${{{call}}}\"")).findings();
        assert!(shown.contains(says), "{call}: {shown}");
    }
}

#[test]
fn an_overlap_is_no_longer_than_what_it_overlaps() {
    for (age, overlap, good) in [
        ("24h", "25h", false),
        ("1d", "2d", false),
        ("60m", "1h1m", false),
        ("24h", "1d", true),
        ("60d", "24h", true),
        ("", "90d", true),
    ] {
        let age = if age.is_empty() {
            String::new()
        } else {
            format!("rotate_after = \"{age}\"\n")
        };
        let text = format!(
            "{}{REST}service_account \"ci\" {{\n  scope = space.s\n  name = \"ci\"\n  roles = []\n  credential {{\n    \
             deliver_to = [sink.file.f]\n    {age}    overlap = \"{overlap}\"\n  }}\n}}\n",
            fixture("valid/minimal.hcl")
        );
        let case = Case::one(&text);
        assert_eq!(case.resolve().1.is_ok(), good, "{age} {overlap}");
        assert_eq!(case.validate().1.is_ok(), good, "{age} {overlap}");
        if !good {
            assert!(case.findings().contains("longer than `rotate_after`"));
        }
    }
}

/// A default that can never be taken says nothing, so it is refused where it stands.
#[test]
fn a_null_default_that_the_variable_forbids_is_an_error() {
    for (more, good) in [
        ("default = null\n  nullable = false", false),
        ("type = string\n  default = null\n  nullable = false", false),
        (
            "type = list(string)\n  nullable = false\n  default = null",
            false,
        ),
        ("default = null", true),
        ("default = \"a\"\n  nullable = false", true),
    ] {
        let text = format!(
            "{}variable \"v\" {{\n  {more}\n}}\n",
            fixture("valid/minimal.hcl")
        );
        let case = Case::one(&text);
        assert_eq!(case.resolve().1.is_ok(), good, "{more}");
        assert_eq!(case.validate().1.is_ok(), good, "{more}");
        if !good {
            assert!(case.findings().contains("the default is null"), "{more}");
        }
    }
}

/// What git leaves in a file that it could not merge is named as that, wherever it stands.
#[test]
fn a_conflict_of_git_is_named() {
    let head = fixture("valid/minimal.hcl");
    let both = "<<<<<<< HEAD\n  a = 1\n=======\n  a = 2\n>>>>>>> topic\n";
    for (text, more) in [
        (format!("{head}locals {{\n{both}}}\n"), false),
        (
            format!("{head}locals {{\n  t = <<-EOT\n{both}  EOT\n}}\n"),
            false,
        ),
        (format!("{head}locals {{\n{both}  b = 1\n{both}}}\n"), true),
        (
            format!("{head}locals {{\n  a = 1\n>>>>>>> topic\n}}\n"),
            false,
        ),
        (format!("{head}<<<<<<< HEAD\n"), false),
    ] {
        let shown = Case::one(&text).findings();
        assert!(shown.contains("[merge-conflict]"), "{shown}");
        assert!(!shown.contains("heredoc"), "{shown}");
        assert_eq!(shown.contains("1 more of them"), more, "{shown}");
    }
    let values = format!("{head}variable \"a\" {{}}\n#=== x.auto.vars.hcl\n{both}");
    assert!(Case::one(&values).findings().contains("[merge-conflict]"));
    let innocent = format!("{head}locals {{\n  t = <<EOT\nTitle\n=======\nEOT\n}}\n");
    Case::one(&innocent).desired();
}

/// Names in two forms of Unicode are one name.
#[test]
fn names_are_compared_in_one_form() {
    let two = |a: &str, b: &str| {
        Case::one(&format!(
            "{}{REST}service_account \"ci\" {{\n  for_each = {{ one = \"{a}\", two = \"{b}\" }}\n  scope = space.s\n  \
             name = each.value\n  roles = []\n  credential {{\n    deliver_to = [sink.file.f]\n  }}\n}}\n",
            fixture("valid/minimal.hcl")
        ))
    };
    for (a, b) in [
        ("café", "cafe\u{301}"),
        ("Å", "A\u{30a}"),
        ("ñ-ci", "n\u{303}-ci"),
    ] {
        let shown = two(a, b).findings();
        assert!(shown.contains("[duplicate-service-account]"), "{shown}");
    }
    let desired = two("plain", "cafe\u{301}").desired().desired;
    // It is sent as it is written.
    assert!(
        desired
            .accounts
            .values()
            .any(|account| account.name == "cafe\u{301}")
    );
    for (a, b, says) in [
        ("ci", "CI", "only in upper and lower case"),
        ("ci prod", "ciprod", "spaces"),
        ("ci", "ｃｉ", "look alike"),
        ("acme", "АСМЕ", "look alike"),
    ] {
        let case = two(a, b);
        let warnings = case.desired().warnings;
        assert!(
            warnings.iter().any(|w| w.code == "similar-names"),
            "{a} {b}"
        );
        assert!(
            case.findings().contains(says),
            "{a} {b}: {}",
            case.findings()
        );
    }
    assert!(two("ci-prod", "ci-test").desired().warnings.is_empty());
    // The same name in another scope is another account.
    let shown = two("ci-\u{440}rod", "other").findings();
    assert!(
        shown.contains("[mixed-scripts]") && shown.contains("U+0440"),
        "{shown}"
    );
}

/// Text that is explicitly empty is something else than text that is not given.
#[test]
fn an_empty_description_is_not_an_absent_one() {
    for (first, expected) in [
        ("description = \"\"", Some("")),
        ("description = true ? \"\" : \"x\"", Some("")),
        ("description = trimspace(\"  \")", Some("")),
        ("description = null", None),
        ("", None),
        ("description = \"x\"", Some("x")),
    ] {
        let desired = account(first, "space.s", "\"ci\"").desired().desired;
        let account = desired.accounts.values().next().expect("one");
        assert_eq!(account.description.as_deref(), expected, "{first}");
    }
}

/// Values in JSON are named as that, and no variable is called missing because of them.
#[test]
fn values_in_json_are_named() {
    for name in ["prod.json", "prod.vars.json", "terraform.tfvars.json"] {
        let mut case = Case::one(&format!(
            "{}variable \"team\" {{}}\n",
            fixture("valid/minimal.hcl")
        ));
        case.inputs.push(Input::File {
            path: name.to_owned(),
            bytes: b"{ \"team\": \"hunter2\" }\n".to_vec(),
        });
        let shown = case.findings();
        assert!(
            shown.contains("[unsupported-file]") && shown.contains(name),
            "{shown}"
        );
        assert!(
            !shown.contains("missing-variable") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
