//! Nothing of a configuration gets lost without a word: what is not there would be deleted.

use std::collections::BTreeSet;
use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::structure::Body;
use rolecall::model::FilePlace;

use super::cases::{Case, fixture};

/// All blocks and attributes that this version has, in one configuration that is in order.
const EVERYTHING: &str = r#"rolecall {
  stack            = "acme-access"
  id               = "k7m2q9ta"
  required_version = ">= 0.1"
  trusted_creators = ["//captain.api.mondoo.app/users/2bB5gsCSGp2Tlwiyv7mKN9PRSHK"]
}

platform {
  region = "us"
}

limits {
  max_deletes        = 5
  max_delete_percent = 25
  max_escalations    = 20
  max_gained_grants  = 20
  max_revoked_grants = 20
  min_owners         = 1
}

variable "spaces" {
  type        = map(string)
  description = "environment to space id"
  default     = { prod = "prod-883120", test = "test-883121" }
  sensitive   = false
  nullable    = false
  validation {
    condition     = alltrue([for id in values(var.spaces) : length(id) >= local.least])
    error_message = "too short"
  }
}

locals {
  least = 4
  keep  = ["terraform-*"]
  team  = { team = "security" }
  kind  = "json"
}

organization "acme" {
  id = "acme-corp-883120"
  unmanaged {
    action = "report"
    except = local.keep
  }
}

space "prod" {
  organization = organization.acme
  id           = var.spaces.prod
  unmanaged {
    action = "fail"
    except = ["legacy-*"]
  }
}

space "test" {
  organization = organization.acme
  id           = var.spaces.test
}

role "scanner" {
  description = "Scan builds"
  includes    = ["agent", "viewer"]
}

sink "file" "local" {
  directory = "credentials"
  format    = local.kind
  filename  = "${account.id}.txt"
}

service_account "ci" {
  for_each    = { prod = space.prod, test = space.test }
  scope       = each.value
  name        = "ci-${each.key}"
  description = "Scans builds"
  roles       = [role.scanner]
  labels      = local.team
  valid_until = "2027-06-30T00:00:00Z"

  credential {
    deliver_to   = [sink.file.local]
    rotate_after = "60d"
    overlap      = "24h"
  }

  lifecycle {
    prevent_destroy = true
  }
}

service_account "auditor" {
  scope = organization.acme
  name  = "auditor"
  roles = ["viewer"]
}

import {
  to = service_account.auditor
  id = "//agents.api.mondoo.app/organizations/acme-corp-883120/serviceaccounts/2bB5gsCSGp2Tlwiyv7mKN9PRSHK"
}

moved {
  from = service_account.builds
  to   = service_account.ci
}

removed {
  from = service_account.gone
  lifecycle {
    destroy = false
  }
}

policy "no_owners" {
  description = "none"
  applies_to  = "all"
  condition   = !contains(self.roles, "owner")
  message     = "an owner"
  severity    = "warning"
  exempt      = ["legacy-*"]
}
"#;

/// An attribute: the blocks around it, its name, and where its value stands.
struct Spot {
    blocks: Vec<(String, Vec<String>)>,
    name: String,
    value: Range<usize>,
}

fn attributes(body: &Body, around: &[(String, Vec<String>)], out: &mut Vec<Spot>) {
    for attribute in body.attributes() {
        out.push(Spot {
            blocks: around.to_vec(),
            name: attribute.key.as_str().to_owned(),
            value: attribute.value.span().expect("parsed"),
        });
    }
    for block in body.blocks() {
        let labels = block.labels.iter().map(|label| label.as_str().to_owned());
        let mut inner = around.to_vec();
        inner.push((block.ident.as_str().to_owned(), labels.collect()));
        attributes(&block.body, &inner, out);
    }
}

fn addresses(case: &Case) -> Result<BTreeSet<String>, String> {
    match case.resolve() {
        (_, Ok(resolved)) => Ok(resolved
            .desired
            .accounts
            .keys()
            .map(ToString::to_string)
            .collect()),
        (_, Err(found)) => {
            let place = found.iter().all(|found| found.span().is_some());
            let internal = found.iter().any(|found| found.code == "internal-error");
            let shown = case.findings();
            assert!(
                !internal,
                "a silent loss, told by the last resort alone:\n{shown}"
            );
            assert!(
                place || found.iter().any(|f| f.code == "missing-block"),
                "{shown}"
            );
            Err(shown)
        }
    }
}

fn every_attribute(text: &str) -> Vec<Spot> {
    let mut places = Vec::new();
    let body = hcl_edit::parser::parse_body(text).expect("it parses");
    attributes(&body, &[], &mut places);
    places
}

fn texts() -> Vec<String> {
    vec![
        EVERYTHING.to_owned(),
        EVERYTHING.replace(
            "region = \"us\"",
            "endpoint = \"https://us.api.mondoo.com\"",
        ),
        fixture("valid/accounts.hcl"),
    ]
}

/// Each attribute in turn becomes null, not known, something of another type, and part of a circle:
/// that is an error, or every account is still there.
#[test]
fn a_changed_attribute_is_an_error_or_loses_no_account() {
    let mut tried = 0;
    for text in texts() {
        let all = addresses(&Case::one(&text)).expect("it is in order");
        assert!(all.len() >= 3);
        for place in every_attribute(&text) {
            let with = |value: &str, more: &str| {
                let mut changed = text.clone();
                changed.replace_range(place.value.clone(), value);
                Case::one(&format!("{changed}\n{more}"))
            };
            let what = format!("{:?} {}", place.blocks, place.name);
            let own = match place.blocks.first() {
                Some((kind, labels)) if kind == "organization" || kind == "space" => {
                    format!("[{kind}.{}.id]", labels[0])
                }
                _ => "[local.circle_two]".to_owned(),
            };
            let circle = format!("locals {{\n  circle = {own}\n  circle_two = local.circle\n}}\n");
            for (value, more) in [
                ("null", ""),
                ("7", ""),
                ("[\"x\"]", ""),
                ("{ x = 1 }", ""),
                ("true", ""),
                ("space.test", ""),
                ("role.scanner", ""),
                ("local.circle", circle.as_str()),
                ("[local.circle[0]]", circle.as_str()),
            ] {
                tried += 1;
                let case = with(value, more);
                if let Ok(left) = addresses(&case) {
                    // Another map has other keys.
                    let keys = place.name == "for_each" && value.starts_with('{');
                    assert!(left == all || keys, "{what} = {value}: {left:?}");
                    assert!(more.is_empty(), "{what} = {value}: a circle is an error");
                }
                let (_, offline) = case.validate();
                let found = offline.unwrap_or_else(|found| found);
                let internal = found.iter().any(|found| found.code == "internal-error");
                assert!(!internal, "{what} = {value}: {found:?}");
            }
            // What is not known in `validate` is told or let pass, and is all there with its value.
            let variable = "variable \"unset\" {}\n";
            let case = with("var.unset", variable);
            let (_, offline) = case.validate();
            let value = &text[place.value.clone()];
            let constant = !value.contains("each.") && !value.contains("account.");
            let plain = constant && !value.contains("var.") && !value.contains('.');
            if offline.is_ok() && plain {
                let given = with(
                    "var.unset",
                    &format!("{variable}#=== --var unset\n{value}\n"),
                );
                if let Ok(left) = addresses(&given) {
                    assert_eq!(left, all, "{what} by a variable");
                }
            }
        }
    }
    assert!(tried > 900, "{tried}");
}

fn small(blocks: &str) -> Case {
    Case::one(&format!("{}{blocks}", fixture("valid/minimal.hcl")))
}

const ACCOUNT: &str = "service_account \"ci\" {\n  scope = space.s\n  name = \"ci\"\n  roles = []\n  \
                       credential {\n    deliver_to = [sink.file.f]\n  }\n}\n";

/// Null is "not set" wherever an attribute may be left out, whatever gives it.
#[test]
fn null_is_not_set() {
    let base =
        "space \"s\" {\n  id = \"space-1\"\n}\nsink \"file\" \"f\" {\n  directory = \"c\"\n}\n";
    let plain = small(&format!("{base}{ACCOUNT}")).desired().desired;
    for (what, blocks) in [
        (
            "filename",
            format!(
                "variable \"name\" {{\n  default = null\n}}\n{}{ACCOUNT}",
                base.replace("\"c\"\n", "\"c\"\n  filename = var.name\n")
            ),
        ),
        (
            "filename of one account",
            format!(
                "{}{ACCOUNT}",
                base.replace("\"c\"\n", "\"c\"\n  filename = account.name == \"x\" ? \"x\" : null\n")
            ),
        ),
        (
            "format",
            format!("{}{ACCOUNT}", base.replace("\"c\"\n", "\"c\"\n  format = null\n")),
        ),
        (
            "except",
            format!(
                "{}{ACCOUNT}",
                base.replace("\"space-1\"\n", "\"space-1\"\n  organization = null\n")
            ),
        ),
        (
            "description, labels, valid_until, overlap",
            format!(
                "{base}{}",
                ACCOUNT
                    .replace("roles = []", "roles = []\n  description = null\n  labels = null\n  valid_until = null")
                    .replace("  }\n}", "    rotate_after = null\n    overlap = null\n  }\n  lifecycle {\n    prevent_destroy = null\n  }\n}")
            ),
        ),
        (
            "limits",
            format!("{base}{ACCOUNT}limits {{\n  max_deletes = null\n  min_owners = null\n}}\n"),
        ),
    ] {
        let case = small(&blocks);
        let desired = case.desired().desired;
        let strip = |desired: &rolecall::model::Desired| -> Vec<String> {
            let accounts = desired.accounts.values();
            accounts
                .map(|a| format!("{} {:?} {:?} {:?}", a.address, a.deliver_to, a.labels, a.protected))
                .chain([format!("{:?}", desired.limits)])
                .collect()
        };
        assert_eq!(strip(&desired), strip(&plain), "{what}");
        assert!(case.validate().1.is_ok(), "{what}");
    }
    let head = fixture("valid/minimal.hcl");
    for (what, text) in [
        (
            "rolecall",
            head.replace(
                "\n}",
                "\n  trusted_creators = null\n  required_version = null\n}",
            ),
        ),
        (
            "region",
            format!("{head}platform {{\n  region = null\n  endpoint = \"https://a.example\"\n}}\n"),
        ),
        (
            "endpoint",
            format!("{head}platform {{\n  region = \"eu\"\n  endpoint = null\n}}\n"),
        ),
        (
            "policy",
            format!(
                "{head}policy \"p\" {{\n  condition = self.name != \"\"\n  message = \"m\"\n  exempt = null\n  severity = null\n  applies_to = null\n  description = null\n}}\n"
            ),
        ),
        (
            "unmanaged",
            format!(
                "{head}space \"s\" {{\n  id = \"space-1\"\n  unmanaged {{\n    action = \"fail\"\n    except = null\n  }}\n}}\n"
            ),
        ),
    ] {
        let desired = Case::one(&text).desired().desired;
        let asserts = what == "region" || what == "endpoint";
        assert_eq!(desired.endpoint.is_some(), asserts, "{what}");
        assert_eq!(
            desired.unmanaged.len(),
            usize::from(what == "unmanaged"),
            "{what}"
        );
    }
}

/// Where something must be given, null is not enough, and the place is told.
#[test]
fn null_is_no_value_of_what_is_required() {
    for place in every_attribute(EVERYTHING) {
        let (kind, _) = place.blocks.last().expect("a block");
        let required = matches!(
            (kind.as_str(), place.name.as_str()),
            ("rolecall", "stack" | "id")
                | ("organization" | "space", "id")
                | ("unmanaged", "action")
                | ("role", "includes")
                | ("sink", "directory")
                | ("service_account", "scope" | "name" | "roles")
                | ("credential", "deliver_to")
                | ("import", "to" | "id")
                | ("moved", "from" | "to")
                | ("policy", "condition" | "message")
                | ("validation", "condition" | "error_message")
        ) || (kind, place.name.as_str()) == (&"lifecycle".to_owned(), "destroy");
        if !required {
            continue;
        }
        let mut text = EVERYTHING.to_owned();
        text.replace_range(place.value.clone(), "null");
        let shown = addresses(&Case::one(&text)).expect_err("it is required");
        let line = text[..place.value.start].matches('\n').count() + 1;
        assert!(
            shown.contains(&format!("main.hcl:{line}:")),
            "{kind} {}: {shown}",
            place.name
        );
    }
}

/// What a block inside of a scope uses is part of the order in which values are made.
#[test]
fn a_circle_through_a_block_inside_is_seen_and_shown() {
    for (scope, id, local, uses) in [
        ("organization", "acme-1", "keep", "[organization.o.id]"),
        ("space", "space-1", "keep", "[space.o.mrn]"),
        ("space", "space-1", "keep", "[for s in [space.o] : s.id]"),
    ] {
        let text = format!(
            "{scope} \"o\" {{\n  id = \"{id}\"\n  unmanaged {{\n    action = \"report\"\n    except = \
             local.{local}\n  }}\n}}\nlocals {{\n  {local} = {uses}\n}}\nsink \"file\" \"f\" {{\n  directory = \
             \"c\"\n}}\n{}",
            ACCOUNT.replace("space.s", &format!("{scope}.o"))
        );
        let shown = addresses(&small(&text)).expect_err("a circle");
        assert!(shown.contains("[reference-cycle]"), "{shown}");
        let around = format!("{scope}.o → local.keep → {scope}.o");
        let other = format!("local.keep → {scope}.o → local.keep");
        assert!(shown.contains(&around) || shown.contains(&other), "{shown}");
        assert!(small(&text).validate().1.is_err());
    }
}

/// A condition on a variable may use whatever has a value by then.
#[test]
fn a_validation_is_judged_by_all_that_it_uses() {
    let rest = "space \"s\" {\n  id = \"space-1\"\n}\nlocals {\n  allowed = [\"a\", \"b\"]\n}\n";
    for (condition, error) in [
        ("contains(local.allowed, var.team)", "[variable-validation]"),
        ("space.s.id == var.team", "[variable-validation]"),
        (
            "local.allowed[0] == var.team && var.other == \"\"",
            "[variable-validation]",
        ),
        ("local.allowed", "[invalid-value]"),
        ("null", "[invalid-value]"),
    ] {
        let text = format!(
            "{rest}variable \"other\" {{\n  default = \"\"\n}}\nvariable \"team\" {{\n  type = string\n  validation {{\n    condition = \
             {condition}\n    error_message = \"not ${{var.team}}\"\n  }}\n}}\n"
        );
        let given = |value: &str| small(&format!("{text}#=== --var team\n{value}\n"));
        let shown = given("z").findings();
        assert!(shown.contains(error), "{condition}: {shown}");
        if error.contains("validation") {
            assert!(shown.contains("not z"), "{condition}: {shown}");
            let good = if condition.contains("space") {
                "space-1"
            } else {
                "a"
            };
            given(good).desired();
        }
        // Without a value, only what is wrong whatever it will be is told.
        assert_eq!(
            small(&text).validate().1.is_err(),
            error == "[invalid-value]",
            "{condition}"
        );
        assert!(
            given("z").validate().1.is_err(),
            "{condition}: validate knows the value"
        );
    }
    let local = "variable \"n\" {\n  default = 1\n  validation {\n    condition = local.none > 0\n    \
                 error_message = \"m\"\n  }\n}\n";
    assert!(small(local).findings().contains("[unknown-reference]"));
}

/// What is said of something that is refused is never nothing.
#[test]
fn an_empty_message_is_no_message() {
    for (message, good) in [
        ("\"\"", false),
        ("\"  \"", false),
        ("trimspace(\" \")", false),
        ("\"m\"", true),
    ] {
        for block in [
            format!(
                "policy \"p\" {{\n  condition = self.name != \"\"\n  message = {message}\n}}\n"
            ),
            format!(
                "variable \"v\" {{\n  default = 1\n  validation {{\n    condition = var.v > 0\n    error_message = {message}\n  }}\n}}\n"
            ),
        ] {
            assert_eq!(small(&block).resolve().1.is_ok(), good, "{block}");
            assert_eq!(small(&block).validate().1.is_ok(), good, "{block}");
        }
    }
}

/// An attribute that is explicitly empty says something, or is an error: it is never taken for one that
/// is not there.
#[test]
fn an_empty_attribute_is_not_an_absent_one() {
    let plain = Case::one(EVERYTHING).desired();
    let absent_is_the_same = |kind: &str, name: &str| {
        matches!(
            (kind, name),
            // Nothing that these say is kept, or none of them is the default.
            (
                _,
                "description" | "trusted_creators" | "except" | "exempt" | "locals"
            ) | ("locals", _)
                | ("variable", _)
        )
    };
    let mut told = 0;
    for place in every_attribute(EVERYTHING) {
        let (kind, _) = place.blocks.last().expect("a block");
        if absent_is_the_same(kind, &place.name) && kind != "service_account" {
            continue;
        }
        let mut text = EVERYTHING.to_owned();
        text.replace_range(place.value.clone(), "\"\"");
        match Case::one(&text).resolve().1 {
            Err(_) => told += 1,
            Ok(resolved) => {
                assert_eq!(
                    (kind.as_str(), place.name.as_str()),
                    ("service_account", "description")
                );
                let accounts = resolved.desired.accounts.values();
                assert!(
                    accounts
                        .clone()
                        .any(|a| a.description.as_deref() == Some(""))
                );
                assert_eq!(accounts.count(), plain.desired.accounts.len());
            }
        }
    }
    assert!(told > 30, "{told}");
    let resolved = Case::one(&EVERYTHING.replace("= local.team", "= {}")).desired();
    let mut labels = resolved
        .desired
        .accounts
        .values()
        .map(|account| &account.labels);
    assert!(labels.any(|labels| labels.as_ref().is_some_and(|labels| labels.is_empty())));
}

/// A text that describes a variable is looked at, though it does nothing.
#[test]
fn a_description_of_a_variable_is_a_text() {
    for (description, good) in [
        ("\"a\"", true),
        ("null", true),
        ("[]", false),
        ("{}", false),
    ] {
        let text = format!("variable \"v\" {{\n  default = 1\n  description = {description}\n}}\n");
        assert_eq!(small(&text).resolve().1.is_ok(), good, "{description}");
    }
}

/// One account, as its place in a file, so that the type of a destination is looked at whole.
#[test]
fn a_file_name_that_is_not_set_is_the_accounts() {
    let text = "space \"s\" {\n  id = \"space-1\"\n}\nsink \"file\" \"f\" {\n  directory = \"c\"\n  filename = \
                null\n}\n";
    let desired = small(&format!("{text}{ACCOUNT}")).desired().desired;
    let account = desired.accounts.values().next().expect("one");
    let FilePlace {
        directory: _,
        file,
        format: _,
        keep: _,
    } = account.deliver_to[0].place().file().expect("a file");
    assert_eq!(file, "ci.json");
}
