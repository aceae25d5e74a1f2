//! Local values, organizations and spaces: what refers to each other, in its order.
//! Pure.

use super::block::{Attribute, Block};
use super::codes;
use super::decode::{Decoded, Decoder};
use super::graph::{self, Edge, Graph};
use super::parse::Module;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::refs::Uses;
use crate::lang::types::noun_of;
use crate::lang::value::{Members, RefKind, Reference, Value};
use crate::lang::{Failed, Frame, Slot, Type};
use crate::model::{
    DesiredOrganization, DesiredSpace, OrgId, Scope, SpaceId, Unmanaged, UnmanagedAction,
};
use std::collections::BTreeMap;

/// The declared organizations and spaces.
#[derive(Default)]
pub(super) struct Scopes {
    pub(super) organizations: BTreeMap<String, DesiredOrganization>,
    pub(super) spaces: BTreeMap<String, DesiredSpace>,
    /// What becomes of accounts without an owner, where a block says so.
    pub(super) unmanaged: BTreeMap<Scope, Unmanaged>,
    /// Both by address.
    pub(super) by_address: BTreeMap<String, Scope>,
}

enum Node<'m> {
    Local(&'m Attribute),
    Organization(&'m Block),
    Space(&'m Block),
}

/// Evaluates all local values, organizations and spaces and gives them to the scope.
pub(super) fn evaluate(
    module: &Module,
    scope: &mut Frame<'_>,
    decoder: &mut Decoder<'_>,
    out: &mut Diagnostics,
) -> Scopes {
    let mut nodes: BTreeMap<String, Node<'_>> = BTreeMap::new();
    for block in module.of("locals") {
        for (name, attribute) in &block.attributes {
            nodes.insert(format!("local.{name}"), Node::Local(attribute));
        }
    }
    for block in module.of("organization") {
        nodes.insert(
            format!("organization.{}", block.name()),
            Node::Organization(block),
        );
    }
    for block in module.of("space") {
        nodes.insert(format!("space.{}", block.name()), Node::Space(block));
    }
    let graph: Graph = nodes
        .iter()
        .map(|(name, node)| (name.clone(), edges(node)))
        .collect();
    let mut scopes = Scopes::default();
    for name in graph::order(&graph, out) {
        let Some(node) = nodes.get(&name) else {
            continue;
        };
        let Some((root, member)) = name.split_once('.') else {
            continue;
        };
        let value = match node {
            Node::Local(attribute) => {
                let file = attribute.span.file;
                decoder
                    .evaluator
                    .evaluate(file, &attribute.expression, scope)
            }
            Node::Organization(block) => organization(block, scope, decoder, &mut scopes),
            Node::Space(block) => space(block, scope, decoder, &mut scopes),
        };
        let slot = match value {
            Ok(value) => Slot::Value(value),
            Err(Failed) => Slot::Failed,
        };
        scope.fill(root, member, slot);
    }
    one_block_each(module, &scopes, out);
    scopes
}

fn edges(node: &Node<'_>) -> Vec<Edge> {
    let attributes: Vec<&Attribute> = match node {
        Node::Local(attribute) => vec![attribute],
        Node::Organization(block) | Node::Space(block) => {
            let all = block.expressions().into_iter();
            all.map(|(_, _, attribute)| attribute).collect()
        }
    };
    let mut edges = Vec::new();
    for attribute in attributes {
        for used in Uses::of(&attribute.expression, attribute.span.file).names {
            if let Some((member, _)) = used.member {
                edges.push(Edge {
                    to: format!("{}.{member}", used.root),
                    span: used.root_span,
                });
            }
        }
    }
    edges
}

fn reference(kind: RefKind, address: String, id: Option<&str>, mrn: Option<String>) -> Value {
    let text = |text: Option<Value>| text.unwrap_or_else(|| Value::unknown(Type::String));
    let attributes: Members = [
        ("id".into(), text(id.map(Value::from))),
        ("kind".into(), kind.noun().into()),
        ("mrn".into(), text(mrn.map(Value::from))),
    ]
    .into();
    Value::reference(Reference {
        kind,
        address: address.into(),
        attributes,
        includes: None,
    })
}

/// Decodes the id of a block with `make`.
fn id<T>(
    block: &Block,
    make: fn(String) -> Option<T>,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<T> {
    let Some((text, span)) = decoder.text(block, "id", scope)? else {
        return Ok(None);
    };
    let help = match text.rsplit_once('/') {
        Some((_, last)) => format!("write the id alone: \"{last}\""),
        None => "an id has 4 to 200 letters, digits, `-`, `_` and `.`".to_owned(),
    };
    match make(text) {
        Some(id) => Ok(Some(id)),
        None => {
            let message = format!(
                "this is not the id of {} {}",
                article(block),
                block.schema.kind
            );
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, message)
                    .help(help),
            );
            Err(Failed)
        }
    }
}

fn article(block: &Block) -> &'static str {
    if block.schema.kind == "organization" {
        "an"
    } else {
        "a"
    }
}

fn organization(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
    scopes: &mut Scopes,
) -> Result<Value, Failed> {
    let address = format!("organization.{}", block.name());
    let id = id(block, OrgId::new, scope, decoder)?;
    let kind = RefKind::Organization;
    let Some(id) = id else {
        return Ok(reference(kind, address, None, None));
    };
    let role_scope = Scope::Organization(id.clone());
    let mrn = role_scope.mrn().as_str().to_owned();
    let value = reference(kind, address.clone(), Some(id.as_str()), Some(mrn));
    unmanaged(block, &role_scope, scope, decoder, scopes)?;
    let declared_at = decoder.place(block.span);
    scopes.organizations.insert(
        block.name().to_owned(),
        DesiredOrganization { id, declared_at },
    );
    scopes.by_address.insert(address, role_scope);
    Ok(value)
}

fn space(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
    scopes: &mut Scopes,
) -> Result<Value, Failed> {
    let address = format!("space.{}", block.name());
    let id = id(block, SpaceId::new, scope, decoder);
    let organization = organization_of(block, scope, decoder, scopes);
    let (id, organization) = (id?, organization?);
    let Some(id) = id else {
        return Ok(reference(RefKind::Space, address, None, None));
    };
    let role_scope = Scope::Space(id.clone());
    let mrn = role_scope.mrn().as_str().to_owned();
    let value = reference(
        RefKind::Space,
        address.clone(),
        Some(id.as_str()),
        Some(mrn),
    );
    unmanaged(block, &role_scope, scope, decoder, scopes)?;
    let declared_at = decoder.place(block.span);
    let space = DesiredSpace {
        id,
        organization,
        declared_at,
    };
    scopes.spaces.insert(block.name().to_owned(), space);
    scopes.by_address.insert(address, role_scope);
    Ok(value)
}

/// Decodes the `unmanaged` block of an organization or space.
fn unmanaged(
    block: &Block,
    of: &Scope,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
    scopes: &mut Scopes,
) -> Result<(), Failed> {
    let Some(inner) = block.inner("unmanaged") else {
        return Ok(());
    };
    let action = decoder.text(inner, "action", scope);
    let patterns = decoder.elements(inner, "except", scope);
    let action = match action? {
        None => return Ok(()),
        Some((text, span)) => match &*text {
            "report" => UnmanagedAction::Report,
            "fail" => UnmanagedAction::Fail,
            "delete" => UnmanagedAction::Delete,
            _ => {
                decoder.report(
                    Diagnostic::error(codes::INVALID_VALUE)
                        .at(span, "there is no such action")
                        .help("write \"report\", \"fail\" or \"delete\""),
                );
                return Err(Failed);
            }
        },
    };
    let mut except = Vec::new();
    for (pattern, span) in patterns?.unwrap_or_default() {
        match pattern.as_str() {
            Some(text) => except.push(text.to_owned()),
            None if pattern.is_unknown() => {}
            None => {
                let message = format!("a pattern of names is required, not {}", noun_of(&pattern));
                return decoder.fail(codes::INVALID_VALUE, span, &message);
            }
        }
    }
    except.sort();
    except.dedup();
    let declared_at = decoder.place(inner.span);
    let unmanaged = Unmanaged {
        action,
        except,
        declared_at,
    };
    scopes.unmanaged.insert(of.clone(), unmanaged);
    Ok(())
}

fn organization_of(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
    scopes: &Scopes,
) -> Decoded<OrgId> {
    let Some(attribute) = block.attribute("organization") else {
        return Ok(None);
    };
    let value = decoder.value(attribute, scope)?;
    if value.is_null() || value.is_unknown() {
        return Ok(None);
    }
    if let Some(reference) = value.as_reference()
        && reference.kind == RefKind::Organization
    {
        return Ok(match scopes.by_address.get(&*reference.address) {
            Some(Scope::Organization(id)) => Some(id.clone()),
            _ => None,
        });
    }
    decoder.report(
        Diagnostic::error(codes::INVALID_VALUE)
            .at(attribute.span, format!("an organization is required, not {}", noun_of(&value)))
            .help("declare `organization \"NAME\" { id = … }` and write `organization = organization.NAME`"),
    );
    Err(Failed)
}

/// Reports two blocks for one organization or space.
fn one_block_each(module: &Module, scopes: &Scopes, out: &mut Diagnostics) {
    let mut seen: BTreeMap<&Scope, (String, Span)> = BTreeMap::new();
    let mut blocks: Vec<_> = module
        .of("organization")
        .chain(module.of("space"))
        .collect();
    blocks.sort_by_key(|block| block.span);
    for block in blocks {
        let address = format!("{}.{}", block.schema.kind, block.name());
        let Some(scope) = scopes.by_address.get(&address) else {
            continue;
        };
        // A name that is declared twice has been reported.
        if let Some((name, first)) = seen.insert(scope, (address.clone(), block.span))
            && name != address
        {
            out.push(
                Diagnostic::error(codes::DUPLICATE_DECLARATION)
                    .at(block.span, format!("{scope} has a block already"))
                    .context(first, "it is declared here")
                    .help("remove one of them and refer to the other"),
            );
        }
    }
}
