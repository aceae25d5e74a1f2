//! What an account may say, at the edges of what is allowed, and above all what decides about births.

use super::*;
use crate::config::trial::{come_to, wrong};

const BORN: &str = "credential { deliver_to = [sink.file.local] }";
const IMPORT: &str = r#"
import {
  to = service_account.ci
  id = "//agents.api.mondoo.app/spaces/prod-883120/serviceaccounts/29AhkZ1VRHbEjiyIHUzF3VOh5Gt"
}
"#;

/// An account in a space, with these lines besides.
fn account(lines: &str) -> String {
    format!("service_account \"ci\" {{\nscope = space.prod\nroles = []\n{lines}\n}}\n")
}

/// What the only account comes to.
#[track_caller]
fn good(text: &str) -> DesiredAccount {
    let resolved = come_to(text);
    let resolved = resolved.unwrap_or_else(|(_, found)| panic!("{text}: {found:#?}"));
    let mut accounts = resolved.desired.accounts.into_values();
    let account = accounts.next().expect("an account");
    assert_eq!(accounts.next(), None);
    account
}

#[test]
fn an_account_that_is_to_be_born_has_somewhere_to_put_its_key() {
    let missing = codes::MISSING_CREDENTIAL.id;
    for list in [
        "[]",
        "true ? [] : [sink.file.local]",
        "[for s in [sink.file.local] : s if false]",
        "concat([], [])",
    ] {
        let text = account(&format!(
            "name = \"ci\"\ncredential {{ deliver_to = {list} }}"
        ));
        let found = wrong(&text);
        assert_eq!(found.len(), 1, "{list}: {found:?}");
        assert_eq!(found[0].0, missing, "{list}");
        assert!(found[0].1.contains(list), "{list}: {found:?}");
    }
    // Each instance for itself.
    let several = account(
        "for_each = { a = [], b = [sink.file.local] }\nname = \"ci-${each.key}\"\n\
         credential { deliver_to = each.value }",
    );
    assert_eq!(wrong(&several).len(), 1);
    let none = wrong(&account("name = \"ci\""));
    assert_eq!(none.len(), 1);
    assert_eq!(none[0].0, missing);
    let born = good(&account(&format!("name = \"ci\"\n{BORN}")));
    assert_eq!(born.deliver_to.len(), 1);
    assert_eq!(born.import, None);
}

#[test]
fn an_imported_account_may_have_no_destination() {
    for credential in ["", "credential { deliver_to = [] }"] {
        let text = account(&format!("name = \"ci\"\n{credential}"));
        let imported = good(&format!("{text}{IMPORT}"));
        assert_eq!(imported.deliver_to, [], "{credential}");
        assert!(imported.import.is_some());
    }
    // One that is imported says nothing of another.
    let other =
        "service_account \"other\" {\nscope = space.prod\nroles = []\nname = \"other\"\n}\n";
    let text = format!("{}{IMPORT}{other}", account("name = \"ci\""));
    let found = wrong(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, codes::MISSING_CREDENTIAL.id);
}

#[test]
fn what_is_no_sink_gets_no_key() {
    for (list, marked) in [
        ("[\"sink.file.local\"]", "\"sink.file.local\""),
        ("[space.prod]", "space.prod"),
        ("[sink.file.local, null]", "null"),
    ] {
        let text = account(&format!(
            "name = \"ci\"\ncredential {{ deliver_to = {list} }}"
        ));
        let found = wrong(&text);
        assert_eq!(found.len(), 1, "{list}: {found:?}");
        assert_eq!(found[0].1, marked, "{list}");
    }
}

#[test]
fn roles_hold_in_a_scope_and_in_nothing_else() {
    let of = |scope: &str| {
        format!(
            "service_account \"ci\" {{\nscope = {scope}\nroles = []\nname = \"ci\"\n{BORN}\n}}\n"
        )
    };
    let space = good(&of("space.prod")).scope;
    assert!(matches!(space, Scope::Space(id) if id.as_str() == "prod-883120"));
    let organization = good(&of("organization.acme")).scope;
    assert!(matches!(organization, Scope::Organization(id) if id.as_str() == "acme-corp-883120"));
    for no_scope in [
        "\"space.prod\"",
        "sink.file.local",
        "1",
        "[space.prod]",
        "\"prod-883120\"",
    ] {
        let found = wrong(&of(no_scope));
        assert_eq!(found.len(), 1, "{no_scope}: {found:?}");
        assert_eq!(found[0].0, codes::NOT_A_SCOPE.id, "{no_scope}");
        let (_, found) = come_to(&of(no_scope)).expect_err("is wrong");
        let help = found.iter().flat_map(|one| &one.help);
        let declares = help
            .filter(|help| help.starts_with("declare `space"))
            .count();
        assert_eq!(declares == 1, no_scope.starts_with('"'), "{no_scope}");
    }
}

#[test]
fn a_name_has_some_characters_and_not_too_many() {
    let of = |name: &str| account(&format!("name = \"{name}\"\n{BORN}"));
    for name in [
        "x".to_owned(),
        "x".repeat(MAX_NAME),
        "\u{e9}".repeat(MAX_NAME),
    ] {
        assert_eq!(good(&of(&name)).name, name);
    }
    for name in [
        String::new(),
        "x".repeat(MAX_NAME + 1),
        "\u{e9}".repeat(MAX_NAME + 1),
        "a\\nb".to_owned(),
        "a\\u0007b".to_owned(),
    ] {
        let found = wrong(&of(&name));
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!(found[0].0, codes::INVALID_NAME.id, "{name}");
    }
}

#[test]
fn a_description_may_have_lines_and_nothing_that_acts() {
    let of = |text: &str| account(&format!("name = \"ci\"\ndescription = \"{text}\"\n{BORN}"));
    let longest = "\u{e9}".repeat(MAX_DESCRIPTION);
    for (text, value) in [
        ("", ""),
        ("a\\nb\\tc", "a\nb\tc"),
        (longest.as_str(), longest.as_str()),
    ] {
        assert_eq!(good(&of(text)).description.as_deref(), Some(value));
    }
    assert_eq!(
        good(&account(&format!("name = \"ci\"\n{BORN}"))).description,
        None
    );
    let longer = "x".repeat(MAX_DESCRIPTION + 1);
    for text in ["a\\rb", "a\\u001bb", "a\\u0085b", longer.as_str()] {
        let found = wrong(&of(text));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].0, codes::INVALID_VALUE.id, "{text}");
    }
}

#[test]
fn labels_are_no_marks_and_fit() {
    let of = |labels: &str| account(&format!("name = \"ci\"\nlabels = {labels}\n{BORN}"));
    let (most, more) = ("x".repeat(MAX_LABEL), "x".repeat(MAX_LABEL + 1));
    let fits = good(&of(&format!("{{ {most} = \"{most}\", a = \"\" }}")));
    let wanted = [
        (most.clone(), most.clone()),
        ("a".to_owned(), String::new()),
    ];
    assert_eq!(fits.labels, Some(wanted.into()));
    assert_eq!(good(&of("{}")).labels, Some(Labels::new()));
    assert_eq!(
        good(&account(&format!("name = \"ci\"\n{BORN}"))).labels,
        None
    );
    let (reserved, invalid) = (codes::RESERVED_LABEL.id, codes::INVALID_VALUE.id);
    for (labels, code) in [
        ("{ rolecall-stack = \"x\" }".to_owned(), reserved),
        ("{ Rolecall-Anything = \"x\" }".to_owned(), reserved),
        ("{ ROLECALL-to = null }".to_owned(), reserved),
        (format!("{{ a = \"{VOID}\" }}"), reserved),
        ("{ a = null }".to_owned(), invalid),
        ("{ \"\" = \"x\" }".to_owned(), invalid),
        (format!("{{ {more} = \"x\" }}"), invalid),
        (format!("{{ a = \"{more}\" }}"), invalid),
        ("{ \"a\\nb\" = \"x\" }".to_owned(), invalid),
        ("{ a = \"x\\u0000\" }".to_owned(), invalid),
    ] {
        let found = wrong(&of(&labels));
        assert_eq!(found.len(), 1, "{labels}: {found:?}");
        assert_eq!(found[0].0, code, "{labels}");
    }
    // Each is told, and one that is in order hides none.
    let found = wrong(&of("{ rolecall-a = \"x\", ok = \"x\", b = null }"));
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn protection_is_what_the_configuration_says_of_it() {
    let of = |lines: &str| good(&account(&format!("name = \"ci\"\n{BORN}\n{lines}"))).protected;
    assert_eq!(of(""), None);
    assert_eq!(of("lifecycle { prevent_destroy = true }"), Some(true));
    assert_eq!(of("lifecycle { prevent_destroy = false }"), Some(false));
}

#[test]
fn an_account_ends_at_a_point_in_time() {
    let of = |until: &str| account(&format!("name = \"ci\"\nvalid_until = \"{until}\"\n{BORN}"));
    let until = good(&of("2027-06-30T00:00:00Z")).valid_until;
    assert_eq!(until, "2027-06-30T00:00:00Z".parse().ok());
    for no_time in ["2027-06-30", "tomorrow", "2027-06-30T00:00:00.5Z", ""] {
        let found = wrong(&of(no_time));
        assert_eq!(found.len(), 1, "{no_time}: {found:?}");
        assert_eq!(found[0].0, codes::INVALID_VALUE.id, "{no_time}");
    }
}

#[test]
fn keys_do_not_pile_up() {
    let of = |lines: &str| {
        account(&format!(
            "name = \"ci\"\ncredential {{\ndeliver_to = [sink.file.local]\n{lines}\n}}"
        ))
    };
    let rotation = |lines: &str| {
        let resolved = come_to(&of(lines));
        let resolved = resolved.unwrap_or_else(|(_, found)| panic!("{lines}: {found:#?}"));
        let mut all = resolved.desired.accounts.into_values();
        all.next()
            .map(|account| account.rotation)
            .unwrap_or_default()
    };
    let days = |days: i64| Some(SignedDuration::from_hours(24 * days));
    for (lines, rotate_after, overlap) in [
        ("", None, None),
        ("rotate_after = \"60d\"", days(60), None),
        ("overlap = \"1d\"", None, days(1)),
        (
            "rotate_after = \"60d\"\noverlap = \"60d\"",
            days(60),
            days(60),
        ),
    ] {
        let wanted = Rotation {
            rotate_after,
            overlap,
        };
        assert_eq!(rotation(lines), wanted, "{lines}");
    }
    for (lines, marked) in [
        (
            "rotate_after = \"60d\"\noverlap = \"61d\"",
            "overlap = \"61d\"",
        ),
        ("rotate_after = \"often\"", "\"often\""),
        ("overlap = \"1 day\"", "\"1 day\""),
    ] {
        let found = wrong(&of(lines));
        assert_eq!(found.len(), 1, "{lines}: {found:?}");
        assert_eq!(found[0].0, codes::INVALID_VALUE.id, "{lines}");
        assert!(marked.contains(&found[0].1), "{lines}: {found:?}");
    }
}
