//! What a credential says of itself, without its key.

use super::text::{DIM, paint};
use crate::view::inert;

/// Lines of names and values; values may be foreign.
pub fn facts(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in lines {
        out.push_str(&paint(DIM, &format!("{name:<width$}")));
        out.push_str("  ");
        out.push_str(&inert(value));
        out.push('\n');
    }
    out
}
