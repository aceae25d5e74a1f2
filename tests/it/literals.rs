//! A new field of an account is written down once for unit tests and once for all others, so that to add
//! one is not to edit every test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::visit::Visit;

use crate::environment::HOUSE;

/// The types of which tests make many.
const TYPES: [&str; 5] = [
    "AccountState",
    "DesiredAccount",
    "Facts",
    "Live",
    "LiveAccount",
];

/// Finds literals that say every field. What is inside of macros is not seen.
#[derive(Default)]
struct Whole(BTreeMap<String, usize>);

impl<'ast> Visit<'ast> for Whole {
    fn visit_expr_struct(&mut self, literal: &'ast syn::ExprStruct) {
        let name = literal
            .path
            .segments
            .last()
            .map(|part| part.ident.to_string());
        let name = name.filter(|name| TYPES.contains(&name.as_str()));
        if let (Some(name), None) = (name, &literal.rest) {
            *self.0.entry(name).or_default() += 1;
        }
        syn::visit::visit_expr_struct(self, literal);
    }
}

fn literals(text: &str) -> BTreeMap<String, usize> {
    let mut found = Whole::default();
    found.visit_file(&syn::parse_file(text).expect("Rust"));
    found.0
}

fn gather(dir: &Path, into: &mut BTreeMap<String, BTreeMap<String, usize>>) {
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            gather(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let found = literals(&fs::read_to_string(&path).expect("text"));
            if !found.is_empty() {
                into.insert(path.display().to_string(), found);
            }
        }
    }
}

#[test]
fn accounts_for_tests_are_said_whole_in_two_places() {
    let mut found = BTreeMap::new();
    for dir in [&HOUSE[..], &["tests/it", "benches"]].concat() {
        gather(Path::new(dir), &mut found);
    }
    let found: Vec<String> = found
        .into_iter()
        .flat_map(|(file, names)| {
            names
                .into_iter()
                .map(move |(name, times)| format!("{file} {name} {times}"))
        })
        .collect();
    let samples = |file: &str| file.ends_with("samples.rs");
    let (samples, others): (Vec<&str>, Vec<&str>) = found
        .iter()
        .map(String::as_str)
        .partition(|line| samples(line.split(' ').next().unwrap_or_default()));
    assert_eq!(
        samples,
        [
            "crates/model/src/model/samples.rs AccountState 1",
            "crates/model/src/model/samples.rs DesiredAccount 1",
            "crates/model/src/model/samples.rs Facts 1",
            "crates/model/src/model/samples.rs Live 1",
            "crates/model/src/model/samples.rs LiveAccount 1",
            "tests/it/samples.rs DesiredAccount 1",
            "tests/it/samples.rs Facts 1",
            "tests/it/samples.rs Live 1",
            "tests/it/samples.rs LiveAccount 1",
        ]
    );
    assert_eq!(
        others,
        [
            // What makes them, each in its one place; what is decoded, and the test that looks at every
            // field of it.
            "crates/edges/src/platform/decode.rs LiveAccount 2",
            "crates/language/src/config/accounts.rs DesiredAccount 1",
            "crates/model/src/diff/account.rs AccountState 1",
            // Every field of a birth is looked at.
            "crates/model/src/diff/tests/whole.rs AccountState 1",
            "crates/model/src/diff/wanted.rs AccountState 1",
            "crates/model/src/model/live.rs AccountState 1",
            // A plan with something in every part.
            "src/plan/file/tests.rs AccountState 1",
            "src/policy/subject.rs AccountState 1",
            "src/refresh.rs Facts 1",
            "src/refresh.rs Live 1",
        ],
        "use the samples with `..`, or say here why every field is said"
    );
}

#[test]
fn a_literal_is_whole_without_a_rest() {
    let found = |code: &str| literals(&format!("fn f() {{ {code} }}")).len();
    assert_eq!(found("model::Live { a: 1 }"), 1);
    assert_eq!(found("vec(Facts { a, b })"), 1);
    assert_eq!(found("let x = Live { a: 1, ..live() };"), 0);
    assert_eq!(found("let Live { a, b } = live();"), 0);
    assert_eq!(found("Lives { a: 1 }"), 0);
    assert_eq!(found("Live { facts: Facts { a: 1 }, ..live() }"), 1);
}
