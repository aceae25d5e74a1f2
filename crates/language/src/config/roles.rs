//! Roles: names in lists to sets of platform roles, and `role` blocks.
//! Pure.

use super::block::Block;
use super::codes;
use super::decode::Decoder;
use super::graph::{self, Edge, Graph};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::types::noun_of;
use crate::lang::value::{Members, RefKind, Reference, Value};
use crate::lang::{Failed, Frame, Slot, Type};
use crate::model::{PLATFORM_ROLES, Role, RoleSet, SourceRef};
use std::collections::{BTreeMap, BTreeSet};

/// Roles and where each was written.
pub(super) type PlacedRoles = BTreeMap<Role, SourceRef>;

/// What `role` blocks include in the end.
#[derive(Default)]
pub(super) struct RoleBlocks {
    /// By the block's name; a failed block has no entry.
    pub(super) included: BTreeMap<String, PlacedRoles>,
    /// The blocks of which not all is known yet.
    pub(super) unknown: BTreeSet<String>,
}

impl RoleBlocks {
    /// Gives every role block of the scope its value: what it includes, as far as that is known.
    pub(super) fn fill(&self, blocks: &[&Block], scope: &mut Frame<'_>) {
        for block in blocks {
            let name = block.name();
            let slot = match self.included.get(name) {
                None => Slot::Failed,
                Some(_) if self.unknown.contains(name) => {
                    Slot::Value(Value::unknown(Type::Reference(RefKind::Role)))
                }
                Some(included) => Slot::Value(Value::reference(Reference {
                    kind: RefKind::Role,
                    address: format!("role.{name}").into(),
                    attributes: Members::new(),
                    includes: Some(included.keys().map(|role| role.short().into()).collect()),
                })),
            };
            scope.fill("role", name, slot);
        }
    }
}

/// One element of a list of roles.
enum Item {
    Platform(Role),
    Block(String),
    Unknown,
}

/// Decodes all `role` blocks and what they include of each other.
pub(super) fn blocks(
    blocks: &[&Block],
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
    out: &mut Diagnostics,
) -> RoleBlocks {
    let mut items: BTreeMap<&str, Vec<(Item, Span)>> = BTreeMap::new();
    let mut graph = Graph::new();
    for block in blocks {
        let _ = decoder.text(block, "description", scope);
        let Ok(found) = self::items(block, "includes", scope, decoder) else {
            continue;
        };
        let uses = found.iter().filter_map(|(item, span)| match item {
            Item::Block(name) => Some(Edge {
                to: format!("role.{name}"),
                span: *span,
            }),
            _ => None,
        });
        graph.insert(format!("role.{}", block.name()), uses.collect());
        items.insert(block.name(), found);
    }
    let mut done = RoleBlocks::default();
    for node in graph::order(&graph, out) {
        let name = node.strip_prefix("role.").unwrap_or(&node);
        let Some(found) = items.get(name) else {
            continue;
        };
        let mut set = PlacedRoles::new();
        let mut unknown = false;
        for (item, span) in found {
            match item {
                Item::Platform(role) => {
                    set.entry(role.clone())
                        .or_insert_with(|| decoder.place(*span));
                }
                Item::Block(other) => {
                    unknown |= done.unknown.contains(other);
                    for (role, place) in done.included.get(other).into_iter().flatten() {
                        set.entry(role.clone()).or_insert_with(|| place.clone());
                    }
                }
                Item::Unknown => unknown = true,
            }
        }
        done.included.insert(name.to_owned(), set);
        if unknown {
            done.unknown.insert(name.to_owned());
        }
    }
    done
}

/// Decodes the roles of an account.
pub(super) fn of_account(
    block: &Block,
    scope: &Frame<'_>,
    roles: &RoleBlocks,
    decoder: &mut Decoder<'_>,
) -> Result<(RoleSet, PlacedRoles), Failed> {
    let mut places = PlacedRoles::new();
    for (item, span) in items(block, "roles", scope, decoder)? {
        match item {
            Item::Platform(role) => {
                places.entry(role).or_insert_with(|| decoder.place(span));
            }
            Item::Block(name) => {
                let Some(included) = roles.included.get(&name) else {
                    return Err(Failed);
                };
                for (role, place) in included {
                    places.entry(role.clone()).or_insert_with(|| place.clone());
                }
            }
            Item::Unknown => {}
        }
    }
    Ok((places.keys().cloned().collect(), places))
}

fn items(
    block: &Block,
    attribute: &str,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Vec<(Item, Span)>, Failed> {
    let mut failed = false;
    let Some(elements) = decoder.elements(block, attribute, scope)? else {
        return Ok(vec![(Item::Unknown, block.span)]);
    };
    let mut out = Vec::new();
    for (value, span) in elements {
        match item(&value, span, scope, decoder) {
            Ok(item) => out.push((item, span)),
            Err(Failed) => failed = true,
        }
    }
    if failed { Err(Failed) } else { Ok(out) }
}

fn item(
    value: &Value,
    span: Span,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Item, Failed> {
    if value.is_unknown() {
        return Ok(Item::Unknown);
    }
    if let Some(reference) = value.as_reference()
        && reference.kind == RefKind::Role
    {
        let name = reference.address.strip_prefix("role.").unwrap_or_default();
        return Ok(Item::Block(name.to_owned()));
    }
    let Some(text) = value.as_str() else {
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(span, format!("a role is required, not {}", noun_of(value)))
                .help("write a short name such as \"viewer\", a full MRN, or `role.NAME`"),
        );
        return Err(Failed);
    };
    let role = Role::new(text);
    if role.is_implicit() {
        decoder.report(
            Diagnostic::error(codes::UNKNOWN_ROLE)
                .at(
                    span,
                    format!("the platform gives `{text}` to every member by itself"),
                )
                .help("leave it out"),
        );
        return Err(Failed);
    }
    if role.is_known() {
        return Ok(Item::Platform(role));
    }
    if is_mrn(text) {
        decoder.report(
            Diagnostic::warning(codes::UNKNOWN_ROLE_MRN)
                .at(
                    span,
                    "its power is unknown, so it counts as much as `owner`",
                )
                .help("check that the platform has this role"),
        );
        return Ok(Item::Platform(role));
    }
    let found = Diagnostic::error(codes::UNKNOWN_ROLE).at(
        span,
        format!("the platform's public catalogue has no role `{text}`"),
    );
    decoder.report(if scope.has_member("role", text) {
        found.help(format!(
            "did you mean the block `role.{text}`, without quotes?"
        ))
    } else {
        let found = found.suggesting(text, PLATFORM_ROLES);
        found.help("a role outside the catalogue is written as its full MRN")
    });
    Err(Failed)
}

/// Whether a text has the form of a role's resource name.
pub(super) fn is_mrn(text: &str) -> bool {
    text.strip_prefix("//").is_some_and(|rest| {
        rest.contains('/')
            && rest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
    })
}
