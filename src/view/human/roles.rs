//! What Mondoo's roles let a program do: for a terminal, and as a page of the documentation.

use std::fmt::Write as _;

use super::table::{columns, table, wrap};
use crate::model::{ROLE_SOURCES, ROLES, ROLES_UNKNOWN, RoleFacts};

/// The widest line of text.
const WIDTH: usize = 100;
/// What matters most about scanning, since it surprises.
const SCANS: &str = "Editors and owners do not report scan results: what scans needs the role \
agent, alone or beside others.";
/// How a role of an organization reaches.
const REACH: &str = "A role on a space holds in that space alone. A role on an organization holds \
in all its spaces, future ones included, and lets a program do there what stands in the column of \
the space.";

fn in_organization(role: &RoleFacts) -> String {
    if role.in_organization.is_empty() {
        "the same in all its spaces".to_owned()
    } else {
        format!("the same in all its spaces; {}", role.in_organization)
    }
}

fn reports(role: &RoleFacts) -> &'static str {
    match role.reports_scans {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not documented",
    }
}

/// The table for a terminal.
pub fn roles() -> String {
    let columns = columns([
        ("ROLE", 20),
        ("IN A SPACE IT MAY", 34),
        ("IN AN ORGANIZATION", 34),
        ("REPORTS SCANS", 14),
    ]);
    let rows: Vec<Vec<String>> = ROLES
        .iter()
        .map(|role| {
            vec![
                role.name.to_owned(),
                role.in_space.to_owned(),
                in_organization(role),
                reports(role).to_owned(),
            ]
        })
        .collect();
    let mut out = table(&columns, &rows);
    for paragraph in [SCANS, REACH] {
        out.push_str(&format!("\n{}\n", wrap(paragraph, WIDTH).join("\n")));
    }
    out.push_str("\nNot known:\n");
    for sentence in ROLES_UNKNOWN {
        for line in wrap(sentence, WIDTH - 2) {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {line}");
        }
    }
    out.push_str("\nSources:\n");
    for source in ROLE_SOURCES {
        // As above.
        let _ = writeln!(out, "  {source}");
    }
    out
}

/// The same as `docs/roles.md`.
pub fn roles_page() -> String {
    let mut out = format!(
        "# Roles\n\nWhat Mondoo's roles let a program do, as `rolecall roles` prints it.\n\n\
         **{SCANS}**\n\n{REACH}\n\n\
         | role | name in the console | in a space it may | in an organization | reports scan \
         results |\n|---|---|---|---|---|\n"
    );
    for role in &ROLES {
        // As above.
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            role.name,
            role.title,
            role.in_space,
            in_organization(role),
            reports(role)
        );
    }
    out.push_str("\n## Not known\n\n");
    for sentence in ROLES_UNKNOWN {
        // As above.
        let _ = writeln!(out, "* {sentence}");
    }
    out.push_str("\n## Sources\n\n");
    for source in ROLE_SOURCES {
        // As above.
        let _ = writeln!(out, "* {source}");
    }
    out
}
