//! `moved` and `removed` blocks: what accounts were called before, and what becomes of those that
//! are declared no longer.
//! Pure.

use super::accounts::Instance;
use super::block::Block;
use super::decode::Decoder;
use super::imports::target;
use super::{checks, codes};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::{Failed, Frame};
use crate::model::{Address, Former, Known, Removed, SourceRef};
use std::collections::{BTreeMap, BTreeSet};

/// One decoded `moved` block.
pub(super) struct Move {
    from: Address,
    to: Address,
    from_span: Span,
    to_span: Span,
    declared_at: SourceRef,
}

impl Move {
    /// What an address was called before this move.
    fn back(&self, address: &Address) -> Option<Address> {
        if *address == self.to {
            return Some(self.from.clone());
        }
        // A whole block moves with all its instances.
        (self.whole() && address.name == self.to.name)
            .then(|| Address::new(self.from.name.clone(), address.key.clone()))
    }

    fn whole(&self) -> bool {
        self.from.key.is_none() && self.to.key.is_none()
    }
}

/// One decoded `removed` block and the place of its address.
pub(super) struct Removal {
    pub(super) removed: Removed,
    from_span: Span,
}

/// Decodes all `moved` blocks. The flag says that one could not be read.
pub(super) fn moves(blocks: &[&Block], decoder: &mut Decoder<'_>) -> (Vec<Move>, bool) {
    let mut out = Vec::new();
    let mut incomplete = false;
    for block in blocks {
        let (Some(from), Some(to)) = (block.attribute("from"), block.attribute("to")) else {
            incomplete = true;
            continue;
        };
        match (target(from, decoder), target(to, decoder)) {
            (Ok(from_address), Ok(to_address)) => out.push(Move {
                from: from_address,
                to: to_address,
                from_span: from.span,
                to_span: to.span,
                declared_at: decoder.place(block.span),
            }),
            _ => incomplete = true,
        }
    }
    out.sort_by_key(|m| m.from_span);
    (out, incomplete)
}

/// Decodes all `removed` blocks; without a `lifecycle` block, what is removed is deleted.
pub(super) fn removals(
    blocks: &[&Block],
    moves: &[Move],
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Vec<Removal> {
    let mut out = Vec::new();
    for block in blocks {
        let from = block
            .attribute("from")
            .map(|from| (target(from, decoder), from.span));
        let destroy = match block.inner("lifecycle") {
            Some(lifecycle) => decoder
                .flag(lifecycle, "destroy", scope)
                .map(|destroy| destroy.unwrap_or(true)),
            None if block.lacks_blocks => Err(Failed),
            None => Ok(true),
        };
        let (Some((Ok(from), from_span)), Ok(destroy)) = (from, destroy) else {
            continue;
        };
        out.push(Removal {
            removed: Removed {
                known_as: known_as(&from, moves),
                from,
                destroy,
                declared_at: decoder.place(block.span),
            },
            from_span,
        });
    }
    out.sort_by_key(|removal| removal.from_span);
    out
}

/// All addresses by which what a `removed` block names was known.
fn known_as(from: &Address, moves: &[Move]) -> Vec<Known> {
    let known = |address: &Address, whole| Known {
        address: address.clone(),
        whole,
    };
    let mut out = vec![known(from, from.key.is_none())];
    let mut next = 0;
    while let Some(at) = out.get(next).cloned() {
        next += 1;
        for step in moves {
            let earlier = if at.whole && step.to.name == at.address.name {
                Some(known(&step.from, step.whole()))
            } else {
                step.back(&at.address).map(|earlier| known(&earlier, false))
            };
            out.extend(earlier.filter(|earlier| !out.contains(earlier)));
        }
    }
    out
}

/// All that an address was called before, the nearest first. An instance that moves alone does not
/// move with its block.
pub(super) fn formers(address: &Address, moves: &[Move]) -> Vec<Former> {
    let mut out: Vec<Former> = Vec::new();
    let mut next = 0;
    let mut at = address.clone();
    loop {
        for step in moves {
            let Some(earlier) = step.back(&at) else {
                continue;
            };
            let alone = step.whole() && earlier.key.is_some();
            if earlier == *address
                || out.iter().any(|former| former.address == earlier)
                || (alone && moves.iter().any(|other| other.from == earlier))
            {
                continue;
            }
            out.push(Former {
                address: earlier,
                declared_at: step.declared_at.clone(),
            });
        }
        let Some(former) = out.get(next) else {
            return out;
        };
        at = former.address.clone();
        next += 1;
    }
}

/// Reports blocks that contradict what is declared.
pub(super) fn check(
    moves: &[Move],
    removals: &[Removal],
    instances: &[Instance],
    blocks: &BTreeSet<&str>,
    out: &mut Diagnostics,
) {
    let declared: BTreeMap<&Address, Span> = instances
        .iter()
        .map(|instance| (&instance.account.address, instance.block_span))
        .collect();
    // One account, or all instances of a block.
    let stands = |address: &Address, whole: bool| {
        declared
            .iter()
            .find(|(other, _)| *other == &address || (whole && other.name == address.name))
            .map(|(other, span)| ((*other).clone(), *span))
    };
    let invalid = |code, span, message: String| Diagnostic::error(code).at(span, message);
    let mut seen: BTreeMap<&Address, Span> = BTreeMap::new();
    for step in moves {
        let code = codes::INVALID_MOVE;
        if step.from == step.to {
            let message = "it leads to where it comes from".to_owned();
            out.push(invalid(code, step.to_span, message).help("remove the block"));
            continue;
        }
        if let Some(first) = seen.insert(&step.from, step.from_span) {
            out.push(
                invalid(code, step.from_span, format!("`{}` moves again", step.from))
                    .context(first, "it moves here")
                    .help("remove one of the blocks"),
            );
        }
        if let Some((address, span)) = stands(&step.from, step.whole()) {
            out.push(
                invalid(code, step.from_span, format!("`{address}` is still declared"))
                    .context(span, "here")
                    .help("only an address that no block has any more can move: rename the block, or remove this one"),
            );
        }
        let names =
            |from: &Address| *from == step.to || (from.key.is_none() && from.name == step.to.name);
        let goes_on = moves
            .iter()
            .any(|other| names(&other.from) && other.to != step.to)
            || removals.iter().any(|r| names(&r.removed.from));
        // A block may have no instance today.
        let stands = stands(&step.to, step.whole()).is_some()
            || (step.whole() && blocks.contains(step.to.name.as_str()));
        if !stands && !goes_on {
            let names = declared.keys().map(|address| address.name.as_str());
            out.push(
                invalid(code, step.to_span, format!("`{}` is not declared", step.to))
                    .suggesting(&step.to.name, names)
                    .help("declare it, or say in a `removed` block what becomes of the account"),
            );
        }
    }
    for removal in removals {
        let from = &removal.removed.from;
        if let Some((address, span)) = stands(from, from.key.is_none()) {
            out.push(
                invalid(
                    codes::INVALID_REMOVAL,
                    removal.from_span,
                    format!("`{address}` is still declared"),
                )
                .context(span, "here")
                .help("take the declaration out, or this block"),
            );
        }
    }
    checks::removed_twice(removals.iter().map(|r| (&r.removed.from, r.from_span)), out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    fn moves(all: &[(&str, &str)]) -> Vec<Move> {
        let span = Span::new(FileId::default(), 0, 0);
        let step = |(from, to): &(&str, &str)| Move {
            from: address(from),
            to: address(to),
            from_span: span,
            to_span: span,
            declared_at: SourceRef {
                file: "a.hcl".to_owned(),
                line: 1,
            },
        };
        all.iter().map(step).collect()
    }

    fn before(now: &str, all: &[(&str, &str)]) -> Vec<String> {
        let formers = formers(&address(now), &moves(all));
        formers.iter().map(|f| f.address.to_string()).collect()
    }

    const A: &str = "service_account.a";
    const B: &str = "service_account.b";
    const C: &str = "service_account.c";
    const B_X: &str = "service_account.b[\"x\"]";

    #[test]
    fn a_chain_is_followed_to_its_beginning() {
        assert_eq!(before(C, &[(B, C), (A, B)]), [B, A]);
        assert!(before(A, &[(A, B)]).is_empty());
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(before(A, &[(A, B), (B, A)]), [B]);
    }

    #[test]
    fn an_instance_that_moves_alone_does_not_move_with_its_block() {
        const A_X: &str = "service_account.a[\"x\"]";
        let moves = [(A, B), (A_X, C)];
        assert!(before(B_X, &moves).is_empty());
        assert_eq!(
            before("service_account.b[\"y\"]", &moves),
            ["service_account.a[\"y\"]"]
        );
        assert_eq!(before(C, &moves), [A_X]);
    }

    #[test]
    fn what_is_removed_is_known_by_all_its_names() {
        let known = |from: &str, all: &[(&str, &str)]| -> Vec<(String, bool)> {
            let known = known_as(&address(from), &moves(all));
            known
                .iter()
                .map(|k| (k.address.to_string(), k.whole))
                .collect()
        };
        let whole = |name: &str| (name.to_owned(), true);
        let one = |name: &str| (name.to_owned(), false);
        assert_eq!(known(C, &[(A, B), (B, C)]), [whole(C), whole(B), whole(A)]);
        assert_eq!(known(B, &[(A, B_X)]), [whole(B), one(A)]);
        assert_eq!(
            known(B_X, &[(A, B)]),
            [one(B_X), one("service_account.a[\"x\"]")]
        );
        assert_eq!(known(A, &[(A, B), (B, A)]), [whole(A), whole(B)]);
    }

    #[test]
    fn a_whole_block_moves_with_its_instances_and_one_account_alone() {
        assert_eq!(before(B_X, &[(A, B)]), ["service_account.a[\"x\"]"]);
        assert_eq!(before(B_X, &[(A, B_X)]), [A]);
        assert!(before("service_account.b[\"y\"]", &[(A, B_X)]).is_empty());
        assert_eq!(before(A, &[(B_X, A)]), [B_X]);
    }
}
