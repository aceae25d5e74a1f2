//! The reference in `docs/language.md` holds what is true.

use super::cases::Case;
use super::goldens::codes;
use rolecall::config::{SourceFile, policy_dir};
use rolecall::diag::render_all;
use rolecall::lang::functions;
use rolecall::model::Limits;

fn page() -> String {
    read("docs/language.md")
}

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the page is there")
}

/// Returns the HCL blocks of the page: the line where each starts, and its text.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in page.lines().enumerate() {
        match &mut open {
            None if line == "```hcl" => open = Some((at + 1, String::new())),
            None => {}
            Some(_) if line == "```" => out.extend(open.take()),
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    out
}

#[test]
fn every_block_of_the_reference_parses_and_together_they_resolve() {
    let page = page();
    let blocks = blocks(&page);
    assert!(blocks.len() >= 10);
    for (line, text) in &blocks {
        if let Err(error) = hcl_edit::parser::parse_body(text) {
            panic!("docs/language.md:{line}: {error}");
        }
    }
    let whole: String = blocks.iter().map(|(_, text)| text.as_str()).collect();
    let resolved = Case::one(&whole).desired();
    assert!(resolved.warnings.is_empty(), "{:?}", resolved.warnings);
    assert!(resolved.desired.accounts.len() >= 3);
}

#[test]
fn the_cookbook_is_a_policy_directory() {
    let page = read("docs/policies.md");
    let bytes: String = blocks(&page).into_iter().map(|(_, text)| text).collect();
    let file = SourceFile {
        path: "docs/policies.md".to_owned(),
        bytes: bytes.into(),
    };
    let (sources, read) = policy_dir(vec![file]);
    let read = read.unwrap_or_else(|found| panic!("{}", render_all(&found, &sources, false)));
    assert!(read.policies.len() >= 6 && read.limits != Limits::NONE);
    assert!(read.destinations.is_some());
    assert!(read.warnings.is_empty(), "{:?}", read.warnings);
}

#[test]
fn the_reference_names_every_code_and_function() {
    let page = page();
    for code in codes() {
        assert!(
            page.contains(&format!("| `{}` | {} |", code.id, code.summary)),
            "{} is not in docs/language.md with its summary",
            code.id
        );
    }
    let (_, kinds) = page.split_once("\n### Functions\n").expect("the section");
    let (kinds, _) = kinds.split_once("| function | gives |").expect("the table");
    let mut table = String::from("| function | gives |\n|---|---|\n");
    for function in functions::all() {
        assert!(
            kinds.contains(&format!("`{}`", function.name)),
            "{} is not in the list by kind in docs/language.md",
            function.name
        );
        let usage = function.usage();
        let (call, gives) = usage.split_once(": ").expect("what it gives");
        table.push_str(&format!("| `{call}` | {gives} |\n"));
    }
    assert!(
        page.contains(&format!("\n{table}\n")),
        "docs/language.md has another table of functions than this:\n{table}"
    );
}
