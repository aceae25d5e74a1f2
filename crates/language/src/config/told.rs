//! One finding for a block, however many of its instances have it.
//! Pure.

use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::model::Address;
use std::collections::BTreeMap;

/// The first finding of a kind, and how many instances have it.
struct Kind {
    found: Diagnostic,
    first: Address,
    last: Address,
    more: usize,
}

/// What has been found of the instances of blocks.
#[derive(Default)]
pub(super) struct Told {
    kinds: BTreeMap<(Span, &'static str, Option<Span>), Kind>,
    /// How many instances of a block were not looked at, since so many had failed.
    left: usize,
}

impl Told {
    /// Adds a finding about an instance of a block.
    pub(super) fn push(&mut self, block: Span, address: &Address, found: Diagnostic) {
        let key = (block, found.code, found.span());
        match self.kinds.get_mut(&key) {
            Some(kind) if kind.last == *address => {}
            Some(kind) => {
                kind.last = address.clone();
                kind.more += 1;
            }
            None => {
                let kind = Kind {
                    found,
                    first: address.clone(),
                    last: address.clone(),
                    more: 0,
                };
                self.kinds.insert(key, kind);
            }
        }
    }

    /// Says that the rest of a block was not looked at.
    pub(super) fn left_out(&mut self, left: usize) {
        self.left = left;
    }

    /// Reports each kind once, with the number of instances that have it.
    pub(super) fn report(self, out: &mut Diagnostics) {
        for kind in self.kinds.into_values() {
            out.push(match told(&kind, self.left) {
                Some(more) => kind.found.also(more),
                None => kind.found,
            });
        }
    }
}

/// Which instances have it; nothing of an account that is its block.
fn told(kind: &Kind, left: usize) -> Option<String> {
    let Kind {
        found,
        first,
        last: _,
        more,
    } = kind;
    first.key.as_ref()?;
    let shown = first.to_string();
    let instances = match more {
        0 => {
            let mut labels = found.labels.iter();
            let named = labels.any(|label| label.message.contains(&shown));
            (!named).then(|| format!("it is so for `{shown}`"))
        }
        1 => Some(format!("it is so for `{shown}` and 1 more instance")),
        more => Some(format!("it is so for `{shown}` and {more} more instances")),
    };
    let unseen = (left > 0).then(|| {
        format!(
            "{left} more of `service_account.{}` were not looked at",
            first.name
        )
    });
    match (instances, unseen) {
        (Some(instances), Some(unseen)) => Some(format!("{instances}; {unseen}")),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::codes;
    use crate::diag::FileId;

    fn span(at: usize) -> Span {
        Span::new(FileId::default(), at, at + 1)
    }

    fn address(key: usize) -> Address {
        Address::new("ci", Some(key.to_string()))
    }

    #[test]
    fn a_block_of_many_instances_is_told_of_once_with_their_number() {
        let mut told = Told::default();
        for n in 0..30 {
            for _ in 0..2 {
                let found = Diagnostic::error(codes::INVALID_VALUE).at(span(5), n.to_string());
                told.push(span(1), &address(n), found);
            }
        }
        let other = Diagnostic::error(codes::INVALID_NAME).at(span(5), "one");
        told.push(span(1), &address(7), other.clone());
        let block = Address::new("one", None);
        told.push(span(2), &block, other.clone());
        let mut out = Diagnostics::new();
        told.report(&mut out);
        let found: Vec<_> = out.into_iter().collect();
        assert_eq!(found.len(), 3);
        let helps = |at: usize| found[at].ways_out().collect::<Vec<_>>().join("\n");
        assert!(
            helps(0).contains("`service_account.ci[\"7\"]`"),
            "{}",
            helps(0)
        );
        assert!(helps(1).contains("and 29 more instances"), "{}", helps(1));
        assert!(
            helps(1).contains(codes::INVALID_VALUE.way_out),
            "{}",
            helps(1)
        );
        assert_eq!(found[2], other);
    }

    #[test]
    fn what_was_not_looked_at_is_counted() {
        let mut told = Told::default();
        for n in 0..2 {
            let found = Diagnostic::error(codes::INVALID_VALUE).at(span(5), "x");
            told.push(span(1), &address(n), found);
        }
        told.left_out(41);
        let mut out = Diagnostics::new();
        told.report(&mut out);
        let help: Vec<_> = out.iter().flat_map(Diagnostic::ways_out).collect();
        assert!(help[1].contains("1 more instance; 41 more of"), "{help:?}");
    }
}
