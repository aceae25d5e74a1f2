//! Laws of the configuration, and what good ones come to.

use super::cases::{Case, fixture};
use proptest::prelude::*;
use rolecall::config::SourceFile;
use rolecall::model::{Address, FilePlace, Role};

fn accounts() -> Case {
    Case::one(&fixture("valid/accounts.hcl"))
}

/// The texts of `fixtures/config/valid`, in the order of their names.
fn valid_fixtures() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/config/valid");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    assert!(names.len() >= 2);
    names
        .iter()
        .map(|name| fixture(&format!("valid/{name}")))
        .collect()
}

/// Splits a file into its top-level blocks.
fn top_blocks(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for line in text.split_inclusive('\n') {
        let last = out.last_mut().expect("never empty");
        last.push_str(line);
        if line == "}\n" {
            out.push(String::new());
        }
    }
    out.retain(|block| !block.trim().is_empty());
    out
}

#[test]
fn a_whole_configuration_comes_to_what_it_says() {
    let resolved = accounts().desired();
    assert!(resolved.warnings.is_empty(), "{:?}", resolved.warnings);
    let desired = &resolved.desired;
    let addresses: Vec<String> = desired.accounts.keys().map(Address::to_string).collect();
    assert_eq!(
        addresses,
        [
            "service_account.auditor",
            "service_account.ci[\"prod\"]",
            "service_account.ci[\"test\"]",
            "service_account.idle[\"a\"]",
            "service_account.idle[\"b\"]",
        ]
    );
    let prod = &desired.accounts[&Address::new("ci", Some("prod".into()))];
    assert_eq!(prod.scope.id(), "prod-883120");
    assert_eq!(prod.name, "ci-prod");
    assert_eq!(
        prod.description.as_deref(),
        Some("Scans prod-883120 builds")
    );
    let roles: Vec<&str> = prod.roles.iter().map(Role::short).collect();
    assert_eq!(roles, ["agent", "policy-editor", "viewer"]);
    assert_eq!(
        prod.labels.as_ref().map(|labels| labels["team"].as_str()),
        Some("platform-security")
    );
    assert_eq!(
        prod.valid_until.map(|t| t.to_string()).as_deref(),
        Some("2027-06-30T00:00:00Z")
    );
    let files: Vec<String> = prod
        .deliver_to
        .iter()
        .map(|destination| {
            let FilePlace {
                directory,
                file,
                format: _,
                keep: _,
            } = destination.place().file().expect("a file");
            format!("{directory}/{file}")
        })
        .collect();
    assert_eq!(
        files,
        [
            "credentials/ci.prod.json",
            "credentials/ci/prod-883120.ci.prod.b64"
        ]
    );
    let place = &prod.role_places[&Role::new("agent")];
    assert!(place.file == "main.hcl" && place.line > 40, "{place}");
    let auditor = &desired.accounts[&Address::new("auditor", None)];
    assert!(auditor.import.is_some() && auditor.deliver_to.is_empty());
    assert!(auditor.labels.is_none() && auditor.description.is_none());
    let idle = &desired.accounts[&Address::new("idle", Some("a".into()))];
    assert!(idle.roles.is_empty());
    let ci = &desired.accounts[&Address::new("ci", Some("prod".into()))];
    let after = ci.rotation.rotate_after;
    assert_eq!(after.map(|d| d.as_hours()), Some(60 * 24));
    assert_eq!(resolved.queries.spaces.len(), 2);
    assert_eq!(resolved.queries.organizations.len(), 1);
    assert_eq!(desired.stack.to_string(), "acme-access/k7m2q9ta");
}

#[test]
fn later_inputs_win() {
    let text = format!(
        "{}
variable \"id\" {{
  type = string
}}
organization \"acme\" {{
  id = var.id
}}
#=== a.auto.vars.hcl
id = \"first-1\"
#=== --var id
second-2
",
        fixture("valid/minimal.hcl")
    );
    let resolved = Case::one(&text).desired();
    assert_eq!(
        resolved.desired.organizations["acme"].id.as_str(),
        "second-2"
    );
    let mut turned = Case::one(&text);
    turned.inputs.reverse();
    assert_eq!(
        turned.desired().desired.organizations["acme"].id.as_str(),
        "first-1"
    );
}

#[test]
fn validate_needs_no_values_and_still_checks_types() {
    let body = |scope: &str, roles: &str| {
        format!(
            "{}
variable \"spaces\" {{
  type = map(string)
}}
variable \"team\" {{
}}
space \"one\" {{
  id = var.spaces.one
}}
sink \"file\" \"f\" {{
  directory = \"c\"
}}
service_account \"ci\" {{
  for_each = var.spaces
  scope    = {scope}
  name     = \"ci-${{each.key}}-${{var.team}}\"
  roles    = {roles}
  credential {{
    deliver_to = [sink.file.f]
  }}
}}
",
            fixture("valid/minimal.hcl")
        )
    };
    let good = Case::one(&body("space.one", "[\"viewer\"]"));
    assert!(good.validate().1.is_ok());
    let (_, resolved) = good.resolve();
    let codes: Vec<_> = resolved
        .expect_err("no values")
        .into_iter()
        .map(|d| d.code)
        .collect();
    assert_eq!(codes, ["missing-variable", "missing-variable"]);
    for (scope, roles, code) in [
        ("each.value", "[]", "not-a-scope"),
        ("space.one", "[\"viewr\"]", "unknown-role"),
        ("space.one", "each.key", "invalid-value"),
        ("each.valeu", "[]", "unsupported-attribute"),
    ] {
        let (_, result) = Case::one(&body(scope, roles)).validate();
        let codes: Vec<_> = result
            .expect_err(code)
            .into_iter()
            .map(|d| d.code)
            .collect();
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
}

#[test]
fn one_mistake_makes_one_finding() {
    // What depends on a broken block is not blamed as well.
    let text = fixture("valid/accounts.hcl").replace("id = \"acme-corp-883120\"", "id = \"x\"");
    let (_, result) = Case::one(&text).resolve();
    let found: Vec<_> = result
        .expect_err("the id is too short")
        .into_iter()
        .collect();
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn sensitive_values_are_never_shown() {
    let header = fixture("valid/minimal.hcl");
    for (ty, given) in [
        ("map(string)", "{ a = hunter2 }"),
        ("map(string)", "hunter2"),
        ("number", "hunter2"),
        ("object({ n = number })", "{ n = \"hunter2\" }"),
    ] {
        let text = format!(
            "{header}
variable \"secret\" {{
  type      = {ty}
  sensitive = true
}}
#=== --var secret
{given}
"
        );
        let shown = Case::one(&text).findings();
        assert!(shown.contains("[invalid-variable-value]"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let name = "trim(\"${var.secret}\", \"x\")";
    for expression in [
        name,
        "[for k in [var.secret] : { (k) = 1 }]",
        "tonumber(var.secret)",
    ] {
        let text = format!(
            "{header}
variable \"secret\" {{
  sensitive = true
}}
locals {{
  v = {expression}
}}
organization \"o\" {{
  id = local.v
}}
#=== prod.vars.hcl
secret = \"hunter2\"
"
        );
        let case = Case::one(&text);
        let shown = case.findings();
        assert!(
            shown.contains("error") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert!(!format!("{:?}", case.resolve().1).contains("hunter2"));
    }
}

#[test]
fn a_block_of_many_broken_instances_is_told_of_once_with_their_number() {
    let delivered = "  credential {\n    deliver_to = [sink.file.f]\n  }\n";
    let long = "${join(\"\", [for n in range(300) : each.key])}";
    for (what, count, name, credential, told) in [
        ("no credential", 1000, "each.key", "", 1),
        ("one name, one file", 1000, "\"ci\"", delivered, 2),
        ("a name that is too long", 30, long, delivered, 1),
        ("no such key", 30, "{ x = 1 }[each.key]", delivered, 1),
    ] {
        let name = if name.starts_with('$') {
            format!("\"{name}\"")
        } else {
            name.to_owned()
        };
        let file = if told == 2 { "x" } else { "${account.id}" };
        let text = format!(
            "{}
space \"s\" {{
  id = \"space-1\"
}}
sink \"file\" \"f\" {{
  directory = \"c\"
  filename  = \"{file}\"
}}
service_account \"ci\" {{
  for_each = toset([for n in range({count}) : tostring(n)])
  scope    = space.s
  name     = {name}
  roles    = []
{credential}}}
",
            fixture("valid/minimal.hcl")
        );
        let case = Case::one(&text);
        let found = case.resolve().1.expect_err(what);
        let shown = case.findings();
        assert_eq!(found.len(), told, "{what}: {shown}");
        // The first of a name is no duplicate, and the second one is told of.
        let more = count - told;
        assert_eq!(
            shown.matches(&format!("and {more} more instances")).count(),
            told,
            "{what}: {shown}"
        );
        assert!(shown.contains("service_account.ci["), "{what}: {shown}");
    }
}

#[test]
fn only_the_instances_that_are_wrong_are_counted() {
    let text = |name: &str| {
        format!(
            "{}
space \"s\" {{
  id = \"space-1\"
}}
service_account \"ci\" {{
  for_each = toset([\"a\", \"b\", \"c\"])
  scope    = space.s
  name     = {name}
  roles    = [\"viewr\"]
}}
",
            fixture("valid/minimal.hcl")
        )
    };
    let shown = Case::one(&text("each.key == \"b\" ? \"\" : each.key")).findings();
    assert!(
        shown.contains("it is so for `service_account.ci[\"b\"]`"),
        "{shown}"
    );
    assert!(
        shown.contains("`service_account.ci[\"a\"]` and 2 more instances"),
        "{shown}"
    );
    let shown = Case::one(&text("each.key == \"b\" ? each.key : \"\"")).findings();
    assert!(
        shown.contains("`service_account.ci[\"a\"]` and 1 more instance\n"),
        "{shown}"
    );
}

#[test]
fn byte_order_marks_and_line_ends_do_not_matter() {
    let plain = accounts().desired();
    let mut windows = b"\xef\xbb\xbf".to_vec();
    windows.extend(fixture("valid/accounts.hcl").replace('\n', "\r\n").bytes());
    let mut case = Case::default();
    case.files.push(SourceFile {
        path: "main.hcl".into(),
        bytes: windows,
    });
    assert_eq!(case.desired(), plain);
}

/// Every byte of every valid configuration, changed, doubled and taken away: findings or a result,
/// never a panic, never a wait.
#[test]
fn a_corrupted_byte_anywhere_makes_findings_or_a_result() {
    const BYTES: &[u8] = b"\"{}[]()$%=\\\n#/*<~.,:?!-0a \0\x1b\x7f\x80\xc3\xff";
    let mut tried = 0;
    for text in valid_fixtures() {
        let bytes = text.into_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            // Neighbours get different bytes, so that each kind meets each construct somewhere.
            changed[at] = BYTES[at % BYTES.len()];
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let mut doubled = bytes.clone();
            doubled.insert(at, bytes[at]);
            let mut shorter = bytes.clone();
            shorter.remove(at);
            for bytes in [changed, flipped, doubled, shorter] {
                let mut case = Case::default();
                case.files.push(SourceFile {
                    path: "main.hcl".into(),
                    bytes,
                });
                let start = std::time::Instant::now();
                let shown = case.findings();
                let _ = case.validate();
                assert!(start.elapsed().as_secs() < 30, "byte {at} keeps it busy");
                assert!(
                    shown.chars().all(|c| c == '\n' || !c.is_control()),
                    "{shown:?}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 8000, "{tried}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The order of blocks and their spread over files never matters.
    #[test]
    fn order_and_files_never_matter(
        blocks in Just(top_blocks(&fixture("valid/accounts.hcl"))).prop_shuffle(),
        files in prop::collection::vec(0usize..4, 32),
    ) {
        let mut texts = vec![String::new(); 4];
        for (block, file) in blocks.iter().zip(files.iter().cycle()) {
            texts[*file].push_str(block);
        }
        let mut case = Case::default();
        for (at, text) in texts.into_iter().enumerate() {
            case.files.push(SourceFile { path: format!("{}.hcl", 9 - at), bytes: text.into() });
        }
        let strip = |mut resolved: rolecall::config::Resolved| {
            // Places move with the blocks.
            let nowhere = rolecall::model::SourceRef { file: String::new(), line: 0 };
            for account in resolved.desired.accounts.values_mut() {
                account.declared_at = nowhere.clone();
                account.role_places.values_mut().for_each(|place| *place = nowhere.clone());
                if let Some(import) = &mut account.import {
                    import.declared_at = nowhere.clone();
                }
            }
            for space in resolved.desired.spaces.values_mut() {
                space.declared_at = nowhere.clone();
            }
            for organization in resolved.desired.organizations.values_mut() {
                organization.declared_at = nowhere.clone();
            }
            resolved
        };
        prop_assert_eq!(strip(case.desired()), strip(accounts().desired()));
    }

    /// Broken files make findings, never panics, and the same ones every time.
    #[test]
    fn corrupted_files_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6),
    ) {
        let mut bytes = fixture("valid/accounts.hcl").into_bytes();
        for (index, byte, kind) in edits {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        let mut case = Case::default();
        case.files.push(SourceFile { path: "main.hcl".into(), bytes });
        let first = case.findings();
        prop_assert!(first.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", first);
        prop_assert_eq!(case.findings(), first);
        let _ = case.validate();
    }

    /// Pieces of the language in any order never panic either.
    #[test]
    fn soups_never_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", "(", ")", "\"", "${", "%{", "if", "for", "in", ":", "=>", "...",
                "x", "var", ".", "*", "1", "0.5", "-", "!", "+", "/", "&&", "?", ",", "=", "\n", " ",
                "<<-A\n", "A\n", "local.v", "true", "null", "upper(", "~}", "\\u", "endif", "é",
            ]),
            0..40,
        ),
    ) {
        let text = format!("{}\nlocals {{\n  v = {}\n}}\n", fixture("valid/minimal.hcl"), pieces.concat());
        let case = Case::one(&text);
        let _ = case.findings();
        let _ = case.validate();
    }
}

#[test]
fn every_valid_fixture_resolves_and_validates_without_findings() {
    for text in valid_fixtures() {
        let case = Case::one(&text);
        assert!(case.desired().warnings.is_empty(), "{text}");
        assert!(
            case.validate().1.is_ok_and(|found| found.is_empty()),
            "{text}"
        );
    }
}
