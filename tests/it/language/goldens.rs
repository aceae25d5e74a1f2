//! One transcript for each kind of finding: what a user sees. `UPDATE=1` renews them.

use super::cases::{Case, fixture};
use rolecall::config::{self, SourceFile, select};
use rolecall::diag::{Code, Diagnostics, SourceMap, render_all};
use rolecall::lang;
use std::path::Path;

/// Every kind of finding.
pub fn codes() -> impl Iterator<Item = &'static Code> {
    lang::codes::ALL.iter().chain(config::codes::ALL)
}

/// Makes the transcript of a kind whose case is not worth a file.
fn generated(code: &str) -> Option<String> {
    let header = fixture("valid/minimal.hcl");
    let bytes = |bytes: Vec<u8>| {
        let main = SourceFile {
            path: "main.hcl".to_owned(),
            bytes: header.clone().into(),
        };
        let odd = SourceFile {
            path: "odd.hcl".to_owned(),
            bytes,
        };
        Case {
            files: vec![main, odd],
            inputs: Vec::new(),
        }
        .findings()
    };
    Some(match code {
        "not-a-policy" => policy_dir(
            "limits {\n  max_deletes = 3\n}\n\nvariable \"team\" {\n  default = \"a\"\n}\n\n\
             policy \"team\" {\n  condition = self.labels.team == var.team\n  message   = \
             \"another team\"\n}\n",
        ),
        "not-utf8" => bytes(b"locals {\n  a = \"caf\xe9\"\n}\n".to_vec()),
        "file-too-large" => bytes(vec![b' '; (16 << 20) + 1]),
        "skipped-file" | "unsupported-file" | "unread-file" => {
            let mut all = Diagnostics::new();
            let names = [
                "main.hcl",
                "image.pkr.hcl",
                "main.hcl.json",
                "main.tf",
                "x.tfvars",
            ];
            let selection = select(names);
            for note in selection.notes.into_iter().chain(selection.unread) {
                if note.code == code {
                    all.push(note);
                }
            }
            render_all(&all, &SourceMap::new(), false)
        }
        "too-many-instances" => {
            let many = "toset([for n in setproduct(range(150), range(150)) : join(\"-\", n)])";
            Case::one(&format!(
                "{header}
space \"s\" {{
  id = \"space-1\"
}}
sink \"file\" \"f\" {{
  directory = \"c\"
}}
service_account \"ci\" {{
  for_each = {many}
  scope    = space.s
  name     = each.key
  roles    = []
  credential {{
    deliver_to = [sink.file.f]
  }}
}}
"
            ))
            .findings()
        }
        _ => return None,
    })
}

/// What is found in a policy directory of one file.
fn policy_dir(text: &str) -> String {
    let file = SourceFile {
        path: "policies/main.hcl".to_owned(),
        bytes: text.into(),
    };
    let (sources, read) = config::policy_dir(vec![file]);
    let found = match read {
        Ok(read) => read.warnings,
        Err(found) => found,
    };
    render_all(&found, &sources, false)
}

#[test]
fn every_kind_of_finding_has_its_transcript() {
    for code in codes() {
        let shown = generated(code.id).unwrap_or_else(|| {
            let text = fixture(&format!("invalid/{}.hcl", code.id));
            Case::one(&text).findings()
        });
        assert!(
            shown.contains(&format!("[{}]: {}", code.id, code.summary)),
            "{}:\n{shown}",
            code.id
        );
        let golden = format!("tests/it/language/golden/{}.txt", code.id);
        crate::renew::compare(&shown, golden);
    }
}

#[test]
fn codes_are_unique_and_summaries_short() {
    let mut seen = std::collections::BTreeSet::new();
    for code in codes() {
        assert!(seen.insert(code.id), "{} is declared twice", code.id);
        assert!(code.summary.len() <= 60, "{}", code.summary);
        let first = code.summary.chars().next().is_some_and(char::is_lowercase);
        assert!(first && !code.summary.ends_with('.'), "{}", code.summary);
    }
}

#[test]
fn no_fixture_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, extension) in [
        ("fixtures/config/invalid", ".hcl"),
        ("tests/it/language/golden", ".txt"),
    ] {
        for entry in std::fs::read_dir(root.join(folder)).expect("the folder is there") {
            let name = entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned();
            let code = name.trim_end_matches(extension);
            assert!(
                codes().any(|known| known.id == code),
                "{folder}/{name} belongs to no code"
            );
        }
    }
}
