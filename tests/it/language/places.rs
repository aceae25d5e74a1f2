//! The place of a finding is exactly the text that is wrong: `«` and `»` mark it in each case, and
//! are taken out before the program sees the file.

use rolecall::config::SourceFile;

use super::cases::{Case, fixture};

/// Each with what a user got wrong, deep inside of something.
const CASES: &[(&str, &str)] = &[
    // templates
    ("local in a template", "a = \"pre-${local.«nope»}-post\""),
    ("second of two", "a = \"${upper(\"x\")} ${upper(«[]»)}\""),
    (
        "in a condition in a template",
        "a = \"${true ? local.«nope» : 1}\"",
    ),
    ("in a directive", "a = \"%{ if local.«nope» }x%{ endif }\""),
    (
        "in a heredoc",
        "a = <<-END\n    eins\n    ${local.«nope»}\n  END",
    ),
    (
        "template in a template",
        "a = \"a ${\"b ${local.«nope»}\"}\"",
    ),
    // nested objects and collections
    (
        "value in an object in a list",
        "a = [{ b = { c = local.«nope» } }]",
    ),
    ("index of an object", "a = { b = { c = 1 } }.b.«d»"),
    (
        "argument of a function in an object",
        "a = { b = upper(«[]») }",
    ),
    ("in a for", "a = [for x in [1, 2] : x + local.«nope»]"),
    (
        "in the condition of a for",
        "a = { for k, v in { b = 1 } : k => v if local.«nope» }",
    ),
    ("operand", "a = 1 + 2 * «\"drei\"»"),
    // behind text that is wider in bytes than in characters
    ("after umlauts", "a = \"grün ${local.«nope»}\""),
    ("after emoji", "a = [\"😀😀\", local.«nope»] # 😀"),
    (
        "after combining marks",
        "a = \"e\u{301}e\u{301}\" == local.«nope»",
    ),
    (
        "a name that is not ASCII",
        "a = { grün = { größe = local.«nope» } }",
    ),
    ("after a comment", "a = /* 監視 */ local.«nope»"),
];

/// The same for what a block wants of a value: the member of an object that is wrong, and no other.
const LABELS: &[(&str, &str)] = &[
    (
        "a reserved label",
        "{\n    team = \"a\"\n    «rolecall-x = \"b\"»\n  }",
    ),
    (
        "a quoted key",
        "{ \"ü\" = \"é\", «\"rolecall-x\" = \"b\"», c = \"d\" }",
    ),
    ("a label without a value", "{ team = \"a\", «gone = null» }"),
    ("a label that is too long", "{ «a = \"\\n\"», b = \"c\" }"),
];

/// The marked range of a text without its marks, as line and column, from 1, in characters.
fn unmark(text: &str) -> (String, String, (usize, usize)) {
    let start = text.find('«').expect("a mark");
    let end = text.find('»').expect("its end");
    let inside = text[start + '«'.len_utf8()..end].to_owned();
    let before = &text[..start];
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    let plain = text.replace(['«', '»'], "");
    (plain, inside, (line, column))
}

fn finding(bytes: &[u8]) -> (String, String) {
    let case = Case {
        files: vec![SourceFile {
            path: "main.hcl".to_owned(),
            bytes: bytes.to_vec(),
        }],
        inputs: Vec::new(),
    };
    let (sources, result) = case.resolve();
    let found = result.expect_err("something is wrong");
    let first = found.iter().next().expect("a finding");
    let label = first.labels.iter().find(|l| l.primary).expect("a place");
    let text = sources.slice(label.span).to_owned();
    (text, case.findings())
}

#[test]
fn a_finding_marks_what_is_wrong_and_nothing_else() {
    let head = fixture("valid/minimal.hcl");
    for (what, case) in CASES {
        for windows in [false, true] {
            let text = format!("{head}\nlocals {{\n  {case}\n}}\n");
            let (mut text, inside, (line, column)) = unmark(&text);
            let mut bytes = Vec::new();
            if windows {
                text = text.replace('\n', "\r\n");
                bytes.extend(b"\xef\xbb\xbf");
            }
            bytes.extend(text.as_bytes());
            let (marked, shown) = finding(&bytes);
            assert_eq!(marked, inside, "{what}, windows: {windows}\n{shown}");
            let place = format!("--> main.hcl:{line}:{column}\n");
            assert!(shown.contains(&place), "{what}: not {place}{shown}");
        }
    }
}

#[test]
fn a_finding_marks_the_member_of_an_object_that_is_wrong() {
    let head = fixture("valid/minimal.hcl");
    for (what, labels) in LABELS {
        let text = format!(
            "{head}\nspace \"s\" {{\n  id = \"space-1\"\n}}\n\nsink \"file\" \"f\" {{\n  directory = \
             \"c\"\n}}\n\nservice_account \"a\" {{\n  scope = space.s\n  name = \"a\"\n  roles = []\n  \
             labels = {labels}\n\n  credential {{\n    deliver_to = [sink.file.f]\n  }}\n}}\n"
        );
        let (text, inside, _) = unmark(&text);
        let (marked, shown) = finding(text.as_bytes());
        assert_eq!(marked, inside, "{what}\n{shown}");
    }
}

#[test]
fn what_is_wrong_in_one_block_is_told_at_once() {
    let head = fixture("valid/minimal.hcl");
    let text = format!(
        "{head}\nsink \"file\" \"f\" {{\n  directory = \"c\"\n}}\n\nservice_account \"a\" {{\n  scope = \
         [\"x\"]\n  name = 7\n  roles = \"viewer\"\n  labels = {{ rolecall-x = \"y\" }}\n  valid_until = \
         \"soon\"\n\n  credential {{\n    deliver_to = [\"credentials\"]\n  }}\n}}\n"
    );
    let (_, shown) = finding(text.as_bytes());
    for place in ["scope", "roles", "labels", "valid_until", "deliver_to"] {
        let line = shown
            .lines()
            .find(|line| line.contains(&format!("{place} = ")));
        assert!(line.is_some(), "{place} is not told\n{shown}");
    }
}
