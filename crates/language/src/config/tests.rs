//! What decides about writes besides the accounts themselves: who is believed, how much one plan may do,
//! what becomes of others' accounts, what two blocks may not say both, and how blocks, types and values
//! are judged.

use super::trial::{come_to, come_to_with, marked, whole, wrong};
use super::variables::Origin as From;
use super::{Input, PolicyDir, Resolved, SourceFile, codes, policy_dir};
use crate::model::{
    EndpointAssertion, Limits, Origin, PolicyReach, PolicySeverity, Scope, UnmanagedAction,
};

const ID: &str = "29AhkZ1VRHbEjiyIHUzF3VOh5Gt";

#[track_caller]
fn good(text: &str) -> Resolved {
    come_to(text).unwrap_or_else(|(_, found)| panic!("{text}: {found:#?}"))
}

fn account(block: &str, name: &str, lines: &str) -> String {
    format!(
        "service_account \"{block}\" {{\nscope = space.prod\nroles = []\nname = \"{name}\"\n{lines}\n}}\n"
    )
}

fn born(block: &str, name: &str) -> String {
    account(block, name, "credential { deliver_to = [sink.file.local] }")
}

fn import(to: &str, scope: &str, id: &str) -> String {
    format!(
        "import {{\nto = {to}\nid = \"//agents.api.mondoo.app/{scope}/serviceaccounts/{id}\"\n}}\n"
    )
}

/// The only code of what is wrong.
#[track_caller]
fn code(text: &str) -> &'static str {
    let found = wrong(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found[0].0
}

#[test]
fn each_limit_is_set_by_its_own_name_and_by_nothing_else() {
    let base = Limits::default();
    assert_eq!(good("").desired.limits, base);
    assert_eq!(good("limits {}").desired.limits, base);
    for (name, wanted) in [
        (
            "max_deletes",
            Limits {
                max_deletes: 77,
                ..base
            },
        ),
        (
            "max_dead_births",
            Limits {
                max_dead_births: 77,
                ..base
            },
        ),
        (
            "max_delete_percent",
            Limits {
                max_delete_percent: 77,
                ..base
            },
        ),
        (
            "max_escalations",
            Limits {
                max_escalations: 77,
                ..base
            },
        ),
        (
            "max_gained_grants",
            Limits {
                max_gained_grants: 77,
                ..base
            },
        ),
        (
            "max_revoked_grants",
            Limits {
                max_revoked_grants: 77,
                ..base
            },
        ),
        (
            "min_owners",
            Limits {
                min_owners: 77,
                ..base
            },
        ),
    ] {
        let limits = good(&format!("limits {{ {name} = 77 }}")).desired.limits;
        assert_eq!(limits, wanted, "{name}");
        let none = good(&format!("limits {{ {name} = 0 }}"));
        assert_ne!(none.desired.limits, wanted, "{name}");
        let most = if name == "max_delete_percent" {
            100
        } else {
            1_000_000
        };
        good(&format!("limits {{ {name} = {most} }}"));
        for value in [
            (most + 1).to_string(),
            "-1".to_owned(),
            "1.5".to_owned(),
            "\"many\"".to_owned(),
        ] {
            let found = code(&format!("limits {{ {name} = {value} }}"));
            assert!(
                [codes::INVALID_VALUE.id, "invalid-type"].contains(&found),
                "{name} = {value}: {found}"
            );
        }
    }
}

fn rolecall(lines: &str) -> String {
    format!("rolecall {{\nstack = \"acme-access\"\nid = \"k7m2q9ta\"\n{lines}\n}}\n")
}

#[test]
fn creators_are_believed_by_their_whole_name() {
    let one = "//captain.api.mondoo.app/users/b";
    let other = "//agents.api.mondoo.app/spaces/prod-883120/serviceaccounts/a";
    let of = |list: &str| whole(&rolecall(&format!("trusted_creators = {list}")));
    let believed = |list: &str| {
        let resolved = of(list).unwrap_or_else(|(_, found)| panic!("{list}: {found:#?}"));
        resolved.desired.trusted_creators
    };
    assert_eq!(believed("[]"), [""; 0]);
    assert_eq!(
        believed(&format!("[\"{one}\", \"{other}\", \"{one}\"]")),
        [other, one]
    );
    for list in [
        "[\"somebody@acme.example\"]",
        "[\"\"]",
        "[\"/users/b\"]",
        "[null]",
        "[1]",
    ] {
        let found = marked(of(list), list);
        assert_eq!(found.len(), 1, "{list}: {found:?}");
        assert_eq!(found[0].0, codes::INVALID_VALUE.id, "{list}");
    }
}

#[test]
fn a_stack_that_cannot_be_one_is_blamed_where_it_is_wrong() {
    for (name, id, wrong) in [
        ("Acme", "k7m2q9ta", "\"Acme\""),
        ("", "k7m2q9ta", "\"\""),
        ("acme", "K7", "\"K7\""),
        ("acme", "abc", "\"abc\""),
        ("ac me", "", "\"ac me\""),
    ] {
        let text = format!("rolecall {{\nstack = \"{name}\"\nid = \"{id}\"\n}}\n");
        let found = marked(whole(&text), &text);
        assert_eq!(
            found,
            [(codes::INVALID_VALUE.id, wrong.to_owned())],
            "{text}"
        );
    }
}

#[test]
fn the_platform_is_told_in_one_way() {
    let of = |lines: &str| format!("platform {{\n{lines}\n}}\n");
    let endpoint = |lines: &str| good(&of(lines)).desired.endpoint;
    assert_eq!(good("").desired.endpoint, None);
    for region in ["us", "eu"] {
        let wanted = EndpointAssertion::Region(region.to_owned());
        assert_eq!(endpoint(&format!("region = \"{region}\"")), Some(wanted));
    }
    let url = EndpointAssertion::Url("https://us.api.mondoo.com".to_owned());
    assert_eq!(
        endpoint("endpoint = \"https://us.api.mondoo.com/query\""),
        Some(url)
    );
    for lines in [
        "",
        "region = \"us\"\nendpoint = \"https://us.api.mondoo.com\"",
        "region = \"US\"",
        "region = \"ap\"",
        "endpoint = \"us.api.mondoo.com\"",
        "endpoint = \"http://us.api.mondoo.com\"",
    ] {
        assert_eq!(code(&of(lines)), codes::INVALID_VALUE.id, "{lines}");
    }
}

fn unmanaged(lines: &str) -> String {
    format!("space \"test\" {{\nid = \"test-883121\"\nunmanaged {{\n{lines}\n}}\n}}\n")
}

#[test]
fn accounts_of_nobody_are_deleted_where_a_block_says_so_and_nowhere_else() {
    use UnmanagedAction::{Delete, Fail, Report};
    assert!(good("").desired.unmanaged.is_empty());
    for (word, action) in [("report", Report), ("fail", Fail), ("delete", Delete)] {
        let desired = good(&unmanaged(&format!("action = \"{word}\""))).desired;
        let settings: Vec<_> = desired.unmanaged.into_iter().collect();
        let [(Scope::Space(space), setting)] = settings.as_slice() else {
            panic!("{word}: {settings:?}");
        };
        assert_eq!(space.as_str(), "test-883121");
        assert_eq!(setting.action, action);
        assert_eq!(setting.except, [""; 0]);
    }
    let lines = "action = \"delete\"\nexcept = [\"b*\", \"a\", \"b*\"]";
    let desired = good(&unmanaged(lines)).desired;
    let except: Vec<_> = desired
        .unmanaged
        .values()
        .map(|u| u.except.clone())
        .collect();
    assert_eq!(except, [["a", "b*"]]);
    for lines in [
        "action = \"remove\"",
        "action = \"Delete\"",
        "action = \"delete\"\nexcept = [null]",
        "action = \"delete\"\nexcept = [space.prod]",
    ] {
        assert_eq!(code(&unmanaged(lines)), codes::INVALID_VALUE.id, "{lines}");
    }
}

#[test]
fn one_scope_has_one_block() {
    let again = "space \"again\" { id = \"prod-883120\" }";
    assert_eq!(code(again), codes::DUPLICATE_DECLARATION.id);
    let again = "organization \"again\" { id = \"acme-corp-883120\" }";
    assert_eq!(code(again), codes::DUPLICATE_DECLARATION.id);
    // An organization and a space are two, whatever their ids.
    good("space \"other\" { id = \"acme-corp-883120\" }");
    for id in ["abc", "a b c d", "spaces/prod-883120", ""] {
        let text = format!("space \"other\" {{ id = \"{id}\" }}");
        assert_eq!(code(&text), codes::INVALID_VALUE.id, "{id}");
    }
    let text = "space \"other\" {\nid = \"other-883121\"\norganization = space.prod\n}";
    assert_eq!(code(text), codes::INVALID_VALUE.id);
}

#[test]
fn two_accounts_of_a_scope_have_two_names() {
    assert_eq!(
        code(&(born("a", "ci") + &born("b", "ci"))),
        codes::DUPLICATE_ACCOUNT.id
    );
    let forms = born("a", "caf\u{e9}") + &born("b", "cafe\u{301}");
    assert_eq!(code(&forms), codes::DUPLICATE_ACCOUNT.id);
    let elsewhere = born("b", "ci").replace("space.prod", "organization.acme");
    let both = good(&(born("a", "ci") + &elsewhere));
    assert_eq!(both.desired.accounts.len(), 2);
}

#[test]
fn one_place_holds_one_key() {
    let sink = "sink \"file\" \"one\" {\ndirectory = \"keys\"\nfilename = \"one.json\"\n}\n\
                sink \"file\" \"same\" {\ndirectory = \"KEYS\"\nfilename = \"ONE.json\"\n}\n";
    let to = |block: &str, list: &str| {
        sink.to_owned()
            + &account(
                block,
                block,
                &format!("credential {{ deliver_to = {list} }}"),
            )
    };
    let duplicate = codes::DUPLICATE_DESTINATION.id;
    assert_eq!(code(&to("a", "[sink.file.one, sink.file.one]")), duplicate);
    assert_eq!(code(&to("a", "[sink.file.one, sink.file.same]")), duplicate);
    let two = to("a", "[sink.file.one]")
        + &account("b", "b", "credential { deliver_to = [sink.file.same] }");
    assert_eq!(code(&two), duplicate);
    let apart = to("a", "[sink.file.one, sink.file.local]");
    assert_eq!(
        good(&apart)
            .desired
            .accounts
            .into_values()
            .next()
            .expect("one")
            .deliver_to
            .len(),
        2
    );
}

#[test]
fn an_import_names_one_account_and_one_address() {
    let a = account("a", "a", "");
    let b = account("b", "b", "");
    let space = "spaces/prod-883120";
    let to_a = import("service_account.a", space, ID);
    let imported = good(&(a.clone() + &to_a)).desired;
    let found: Vec<_> = imported
        .accounts
        .values()
        .filter_map(|a| a.import.as_ref())
        .collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].mrn.id(), ID);
    let twice = [&a, &b, &to_a, &import("service_account.b", space, ID)];
    let twice: String = twice.into_iter().map(String::as_str).collect();
    assert_eq!(code(&twice), codes::DUPLICATE_IMPORT.id);
    let both = [&a, &to_a, &import("service_account.a", space, "2b")];
    let both: String = both.into_iter().map(String::as_str).collect();
    assert_eq!(code(&both), codes::DUPLICATE_IMPORT.id);
    for (scope, id) in [
        ("spaces/prod-883120", "with-dash"),
        ("spaces/prod-883120", ""),
        ("teams/prod-883120", "2b"),
        ("spaces/abc", "2b"),
    ] {
        let text = a.clone() + &import("service_account.a", scope, id);
        assert_eq!(code(&text), codes::INVALID_VALUE.id, "{scope} {id}");
    }
    let elsewhere = a.clone() + &import("service_account.a", "organizations/acme-corp-883120", ID);
    assert_eq!(code(&elsewhere), codes::IMPORT_SCOPE.id);
    let nobody = born("a", "a") + &import("service_account.c", space, ID);
    assert_eq!(code(&nobody), codes::UNKNOWN_IMPORT_TARGET.id);
    let instance = born("a", "a") + &import("service_account.a[\"x\"]", space, ID);
    assert_eq!(code(&instance), codes::UNKNOWN_IMPORT_TARGET.id);
    for to in [
        "space.prod",
        "\"service_account.a\"",
        "service_account.a[0]",
        "service_account",
    ] {
        let text = born("a", "a") + &import(to, space, ID);
        assert_eq!(code(&text), codes::INVALID_VALUE.id, "{to}");
    }
}

#[test]
fn what_is_removed_is_deleted_or_given_up_as_it_says() {
    let of = |lines: &str| format!("removed {{\nfrom = service_account.gone\n{lines}\n}}\n");
    for (lines, destroy) in [
        ("lifecycle { destroy = false }", false),
        ("lifecycle { destroy = true }", true),
    ] {
        let removed = good(&of(lines)).desired.removed;
        assert_eq!(removed.len(), 1);
        assert_eq!(removed[0].destroy, destroy, "{lines}");
        assert_eq!(removed[0].from.to_string(), "service_account.gone");
    }
    let lines = "lifecycle { destroy = false }";
    assert_eq!(code(&(of(lines) + &of(lines))), codes::INVALID_REMOVAL.id);
    let declared = of(lines) + &born("gone", "gone");
    assert_eq!(code(&declared), codes::INVALID_REMOVAL.id);
}

#[test]
fn a_moved_account_keeps_every_address_that_it_had() {
    let moved = |from: &str, to: &str| {
        format!("moved {{\nfrom = service_account.{from}\nto = service_account.{to}\n}}\n")
    };
    let text = born("c", "c") + &moved("a", "b") + &moved("b", "c");
    let desired = good(&text).desired;
    let account = desired.accounts.into_values().next().expect("an account");
    let former: Vec<String> = account
        .formerly
        .iter()
        .map(|f| f.address.to_string())
        .collect();
    assert_eq!(former, ["service_account.b", "service_account.a"]);
    let still_there = born("a", "a") + &born("b", "b") + &moved("a", "b");
    assert_eq!(code(&still_there), codes::INVALID_MOVE.id);
    let nowhere = moved("a", "b");
    assert_eq!(code(&nowhere), codes::INVALID_MOVE.id);
}

/// A policy with this condition and these lines besides.
fn policy(name: &str, condition: &str, lines: &str) -> String {
    format!("policy \"{name}\" {{\ncondition = {condition}\nmessage = \"m\"\n{lines}\n}}\n")
}

fn directory(text: &str) -> Result<PolicyDir, Vec<&'static str>> {
    let file = SourceFile {
        path: "rules.hcl".to_owned(),
        bytes: text.as_bytes().to_owned(),
    };
    let (_, found) = policy_dir(vec![file]);
    found.map_err(|found| found.iter().map(|item| item.code).collect())
}

#[test]
fn a_policy_is_kept_or_refused_and_never_left_out() {
    let named = "self.name != \"x\"";
    let kept = directory(&(policy("a", named, "") + &policy("b", named, ""))).expect("in order");
    let names: Vec<&str> = kept.policies.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!((kept.limits, kept.empty), (Limits::NONE, false));
    let invalid = codes::INVALID_VALUE.id;
    for (text, code) in [
        // Of an account that cannot be looked at there, every time a policy uses it.
        (
            policy("a", "self.name == service_account.ci.name", ""),
            invalid,
        ),
        (
            policy("a", named, "severity = service_account.ci.name"),
            invalid,
        ),
        (policy("a", named, "severity = \"fatal\""), invalid),
        (policy("a", named, "applies_to = \"ours\""), invalid),
        (policy("a", named, "exempt = [\"\"]"), invalid),
        (policy("a", named, "exempt = [1]"), invalid),
        (policy("a", "self.name", ""), invalid),
        (policy("a", "var.x == 1", ""), "unknown-reference"),
        (
            born("a", "a").replace("space.prod", "null"),
            codes::NOT_A_POLICY.id,
        ),
    ] {
        let found = directory(&(policy("good", named, "") + &text)).expect_err(&text);
        assert!(found.contains(&code), "{text}: {found:?}");
    }
    // What the configuration declares has a value there, and none in the directory.
    let same = policy("a", "self.scope.id == space.prod.id", "");
    assert_eq!(good(&same).policies.len(), 1);
    assert_eq!(directory(&same), Err(vec!["unknown-reference"]));
}

#[test]
fn a_policy_directory_forbids_what_its_limits_say() {
    let limited = directory("limits { max_deletes = 3 }").expect("in order");
    let wanted = Limits {
        max_deletes: 3,
        ..Limits::NONE
    };
    assert_eq!((limited.limits, limited.empty), (wanted, false));
    let nothing = directory("").expect("in order");
    assert_eq!((nothing.limits, nothing.empty), (Limits::NONE, true));
    assert_eq!(
        directory("limits { max_delete = 3 }"),
        Err(vec!["unknown-attribute"])
    );
    assert_eq!(
        directory("limits { max_deletes = -3 }"),
        Err(vec![codes::INVALID_VALUE.id])
    );
}

#[test]
fn a_policy_directory_says_where_logins_may_go_and_a_configuration_cannot() {
    let allow = |list: &str| format!("destinations {{\nallow = {list}\n}}\n");
    let text =
        allow("[\"https://Vault.acme.example:443/\", \"https://b:8200\", \"https://b:8200\"]");
    let said = directory(&text).expect("in order");
    let found = said.destinations.expect("a block");
    let origins: Vec<&str> = found.allow.iter().map(Origin::as_str).collect();
    assert_eq!(origins, ["https://b:8200", "https://vault.acme.example"]);
    assert_eq!(found.declared_at.to_string(), "rules.hcl:1");
    assert!(!said.empty);
    assert_eq!(
        directory("limits { max_deletes = 3 }")
            .expect("ok")
            .destinations,
        None
    );
    let invalid = codes::INVALID_VALUE.id;
    for (list, code) in [
        ("[\"https://*.acme.example\"]", invalid),
        ("[\"http://vault.acme.example\"]", invalid),
        ("[\"https://vault.acme.example/v1\"]", invalid),
        ("[\"https://me:pw@vault.acme.example\"]", invalid),
        ("[8200]", invalid),
        ("\"https://vault.acme.example\"", invalid),
        ("null", invalid),
        ("[var.where]", "unknown-reference"),
    ] {
        assert_eq!(directory(&allow(list)), Err(vec![code]), "{list}");
    }
    let twice = directory(&(allow("[]") + &allow("[]")));
    assert_eq!(twice, Err(vec![codes::DUPLICATE_DECLARATION.id]));
    // Whatever it says there, and whatever else is wrong.
    for list in ["[\"https://vault.evil.example\"]", "[]"] {
        let marked = format!("destinations {{\nallow = {list}\n}}");
        let found = wrong(&(born("ci", "ci") + &allow(list)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, codes::NOT_THE_CONFIGURATIONS.id);
        assert!(marked.starts_with(&found[0].1), "{found:?}");
    }
}

#[test]
fn a_policy_speaks_of_whom_it_says() {
    let of = |lines: &str| {
        let text = born("ci", "ci") + &policy("a", "self.name != \"x\"", lines);
        let mut policies = good(&text).policies;
        policies.pop().expect("a policy")
    };
    let plain = of("");
    assert_eq!(plain.applies_to, PolicyReach::Managed);
    assert_eq!(plain.severity, PolicySeverity::Error);
    assert_eq!((plain.description, plain.exempt), (None, Vec::new()));
    assert_eq!(of("applies_to = \"all\"").applies_to, PolicyReach::All);
    assert_eq!(
        of("applies_to = \"managed\"").applies_to,
        PolicyReach::Managed
    );
    assert_eq!(
        of("severity = \"warning\"").severity,
        PolicySeverity::Warning
    );
    let exempt =
        of("exempt = [service_account.ci, service_account.ci[\"x\"], \"legacy-*\"]").exempt;
    let exempt: Vec<String> = exempt.iter().map(|one| one.whom.to_string()).collect();
    assert_eq!(
        exempt,
        [
            "service_account.ci",
            "service_account.ci[\"x\"]",
            "\"legacy-*\""
        ]
    );
}

/// What there is to do about everything that is wrong.
#[track_caller]
fn ways(text: &str) -> Vec<String> {
    let (_, found) = come_to(text).expect_err(text);
    let ways = found.iter().flat_map(|one| one.ways_out());
    ways.map(str::to_owned).collect()
}

#[test]
fn a_block_in_a_block_is_judged_by_its_form() {
    let variable = |blocks: &str| format!("variable \"a\" {{\n  default = 1\n  {blocks}\n}}\n");
    let check = "validation {\n condition = var.a > 0\n error_message = \"Above 0.\"\n}\n";
    good(&variable(&format!("{check}{check}")));
    let protect = "credential { deliver_to = [sink.file.local] }\n\
                   lifecycle { prevent_destroy = true }\n";
    good(&account("a", "a", protect));
    let twice = account(
        "a",
        "a",
        &format!("{protect}lifecycle {{ prevent_destroy = true }}\n"),
    );
    assert_eq!(code(&twice), "duplicate-declaration");
    // What is an attribute is told from what is nothing at all.
    let born = "credential { deliver_to = [sink.file.local] }";
    let ways = ways(&account(
        "a",
        "a",
        &format!("{born}\nlabels {{\n team = \"x\"\n}}"),
    ));
    assert_eq!(ways, ["write `labels = …`"]);
}

#[test]
fn a_count_of_a_length_becomes_that_list() {
    let text = format!(
        "locals {{ teams = [\"a\", \"b\"] }}\n{}",
        born("a", "a").replace("scope =", "count = length(local.teams)\nscope =")
    );
    let ways = ways(&text);
    let told = |part: &str| ways.iter().any(|way| way.contains(part));
    assert!(told("for_each = toset(local.teams)"), "{ways:?}");
    let other = text.replace("length(local.teams)", "max(2, 3)");
    let ways = self::ways(&other);
    assert!(
        ways.iter().any(|way| way.contains("range(max(2, 3))")),
        "{ways:?}"
    );
}

#[test]
fn an_attribute_of_a_type_is_optional_only_where_it_says_so() {
    let text = "variable \"a\" {\n  type = object({ names = list(string), n = optional(number, 3) })\n  \
                default = { names = [\"x\"] }\n}\n";
    let name = born("a", "ci").replace("\"ci\"", "\"${var.a.names[0]}-${var.a.n}\"");
    let came = good(&format!("{text}{name}"));
    let account = came.desired.accounts.values().next().expect("one");
    assert_eq!(account.name, "x-3");
    let lacks = format!("{}{name}", text.replace("{ names = [\"x\"] }", "{ n = 1 }"));
    assert_eq!(code(&lacks), "invalid-variable-value");
}

#[test]
fn a_format_that_is_to_come_is_told_from_one_that_is_none() {
    let sink = |format: &str| {
        format!("sink \"file\" \"b\" {{\n  directory = \"b\"\n  format = \"{format}\"\n}}\n")
    };
    assert_eq!(code(&sink("yaml")), "not-supported-yet");
    assert_eq!(code(&sink("toml")), "invalid-value");
    good(&sink("base64"));
}

#[test]
fn null_that_is_given_is_the_default_where_null_may_not_be() {
    for (nullable, name) in [("nullable = false", "x"), ("", "none")] {
        let text = format!(
            "variable \"a\" {{\n  type = string\n  default = \"x\"\n  {nullable}\n}}\n{}",
            born("a", "ci").replace("\"ci\"", "var.a == null ? \"none\" : var.a")
        );
        let given = Input::File {
            path: "values.hcl".to_owned(),
            bytes: b"a = null\n".to_vec(),
        };
        let came = come_to_with(&text, &[given]).expect("is right");
        let account = came.desired.accounts.values().next().expect("one");
        assert_eq!(account.name, name);
    }
}

#[test]
fn null_is_refused_where_there_is_nothing_in_its_place() {
    let text = format!(
        "variable \"a\" {{\n  type = string\n  nullable = false\n}}\n{}",
        born("a", "ci").replace("\"ci\"", "var.a")
    );
    let given = |value: &str| {
        let bytes = format!("a = {value}\n").into_bytes();
        let path = "values.hcl".to_owned();
        come_to_with(&text, &[Input::File { path, bytes }])
    };
    let came = given("\"ci-prod\"").expect("is right");
    let account = came.desired.accounts.values().next().expect("one");
    assert_eq!(account.name, "ci-prod");
    let (_, found) = given("null").expect_err("is null");
    let found: Vec<_> = found.iter().map(|one| one.code).collect();
    assert_eq!(found, ["invalid-variable-value"]);
}

/// A name on the command line is meant; the environment is full of others' names.
#[test]
fn a_value_of_no_variable_is_refused_on_the_command_line_alone() {
    let text = format!(
        "variable \"a\" {{\n  type = string\n}}\n{}",
        born("a", "ci").replace("\"ci\"", "var.a")
    );
    let given = |names: &[(&str, From)]| {
        let input = |(name, origin): &(&str, From)| Input::Text {
            name: (*name).to_owned(),
            text: "ci-prod".to_owned(),
            origin: *origin,
        };
        let inputs: Vec<Input> = names.iter().map(input).collect();
        come_to_with(&text, &inputs)
    };
    for origin in [From::CommandLine, From::Environment] {
        let came = given(&[("a", origin), ("b", From::Environment)]).expect("is right");
        let account = came.desired.accounts.values().next().expect("one");
        assert_eq!(account.name, "ci-prod");
    }
    let (_, found) = given(&[("a", From::CommandLine), ("b", From::CommandLine)]).expect_err("b");
    let found: Vec<_> = found.iter().map(|one| one.code).collect();
    assert_eq!(found, ["undeclared-variable"]);
}

/// A block that is written as an attribute is not missing as well; one that is not there is.
#[test]
fn what_is_only_miswritten_is_not_missing() {
    let codes = |lines: &str| {
        let found = wrong(&account("a", "ci", lines));
        found.into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(codes("credential = {}"), ["unknown-attribute"]);
    assert_eq!(codes("colour = 1").len(), 2);
}

#[test]
fn a_role_that_only_names_itself_or_nothing_else_names_is_unused() {
    let role =
        |name: &str, includes: &str| format!("role \"{name}\" {{ includes = [{includes}] }}\n");
    let unused = |text: &str| {
        let came = good(text);
        let codes = came.warnings.iter().map(|one| one.code);
        codes.filter(|code| *code == "unused-role").count()
    };
    let (reader, writer) = (role("reader", "\"viewer\""), role("writer", "role.reader"));
    let uses =
        |name: &str| born("a", "ci").replace("roles = []", &format!("roles = [role.{name}]"));
    assert_eq!(unused(&format!("{reader}{}", uses("reader"))), 0);
    assert_eq!(unused(&format!("{reader}{writer}{}", uses("writer"))), 0);
    assert_eq!(unused(&format!("{reader}{writer}{}", uses("reader"))), 1);
    assert_eq!(unused(&format!("{reader}{}", born("a", "ci"))), 1);
}

/// Names that Terraform has, or that stand elsewhere only, say so.
#[test]
fn names_that_are_looked_for_in_vain_have_a_hint() {
    for (name, hint) in [
        ("each.key", "a block with `for_each`"),
        ("count.index", "there is no `count`"),
        ("account.id", "made for each account"),
        ("data.spaces", "data sources are not supported"),
        ("module.a", "modules are not supported"),
        ("self.name", "the `condition` and the `message` of a policy"),
        ("path.module", "functions on files"),
        ("terraform.workspace", "no `terraform` value"),
    ] {
        let text = format!("locals {{\n  a = {name}\n}}\n") + &born("ci", "local.a");
        let (sources, found) = come_to(&text).expect_err(name);
        let shown = crate::diag::render_all(&found, &sources, false);
        assert!(shown.contains(hint), "{name}: {shown}");
    }
}

#[test]
fn what_is_required_is_not_null_and_the_rest_may_be() {
    let space = |id: &str| format!("space \"other\" {{\n  id = {id}\n}}\n");
    assert_eq!(
        wrong(&space("null")),
        [("invalid-value", "null".to_owned())]
    );
    let described = born("ci", "ci").replace("roles =", "description = null\n  roles =");
    good(&described);
}

/// A leaked key does not wait until the rest is put right; what is not known of the stack and its keys is never
/// guessed.
#[test]
fn what_is_broken_elsewhere_hides_neither_stack_nor_keys_nor_scopes() {
    use super::{parse, salvage};
    let of = |text: &str| {
        let file = |path: &str, text: &str| SourceFile {
            path: path.to_owned(),
            bytes: text.as_bytes().to_owned(),
        };
        let files = vec![file("main.hcl", text), file("torn.hcl", "locals {")];
        let (mut sources, module) = parse(files);
        salvage(&module, &mut sources, &[])
    };
    let key = "ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg";
    let head = |key: &str| {
        format!(
            "rolecall {{\n  stack = \"acme\"\n  id = \"k7m2q9ta\"\n  seal_key = \"{key}\"\n}}\n\
             space \"prod\" {{ id = \"prod-883120\" }}\nservice_account \"ci\" {{ nonsense = var.gone }}\n"
        )
    };
    let found = of(&head(key)).expect("the stack is known");
    assert_eq!(found.desired.stack.to_string(), "acme/k7m2q9ta");
    let keys = found.desired.seal_keys.expect("keys");
    assert_eq!(keys.current.text(), key);
    let spaces: Vec<&str> = found.queries.spaces.keys().map(|id| id.as_str()).collect();
    assert_eq!(spaces, ["prod-883120"]);
    // Without its key, whoever may create accounts would be believed.
    assert!(of(&head("ed25519:nonsense")).is_err());
    assert!(of("space \"prod\" { id = \"prod-883120\" }\n").is_err());
}
