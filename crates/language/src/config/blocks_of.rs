//! Where a text declares accounts, whatever else is in it: for versions of a file that are no configuration any
//! more.
//! Pure.

use std::collections::BTreeMap;

use crate::diag::{Diagnostics, SourceMap};
use crate::lang::syntax;
use hcl_edit::Span as _;

/// The lines, from 1, of the `service_account` blocks of a file, by their names. A text that cannot be read has
/// none.
pub fn accounts_of(path: &str, bytes: &[u8]) -> BTreeMap<String, u32> {
    let (mut sources, mut found) = (SourceMap::default(), Diagnostics::new());
    let Some(tree) = syntax::parse(path, bytes, &mut sources, &mut found) else {
        return BTreeMap::new();
    };
    let blocks = tree.body.blocks();
    let accounts = blocks.filter(|block| block.ident.as_str() == "service_account");
    accounts
        .filter_map(|block| {
            let name = block.labels.first()?.as_str().to_owned();
            let line = sources.place(tree.file, block.ident.span()?.start).line;
            Some((name, u32::try_from(line).ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_and_line_in_whatever_can_be_read() {
        let text = "locals {}\n\nservice_account \"a\" {}\n  service_account b {\n  oops = var.x\n}\n\
                    role \"c\" {}\n";
        let expected = [("a".to_owned(), 3), ("b".to_owned(), 4)].into();
        assert_eq!(accounts_of("x.hcl", text.as_bytes()), expected);
        assert_eq!(
            accounts_of("x.hcl", b"service_account \"a\" {"),
            BTreeMap::new()
        );
        assert_eq!(accounts_of("x.hcl", &[0xff]), BTreeMap::new());
    }
}
