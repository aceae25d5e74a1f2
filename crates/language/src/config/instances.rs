//! `for_each`: the instances of a `service_account` block.
//! Pure.

use super::accounts::{Instance, MAX_NAME, Parts, instance};
use super::block::{Attribute, Block};
use super::decode::Decoder;
use super::frames::each_scope;
use super::told::Told;
use super::{codes, hints};
use crate::diag::{Diagnostic, Span};
use crate::lang::types::noun_of;
use crate::lang::value::{Kind, Members, RefKind, Reference, Value};
use crate::lang::{Failed, Frame, Slot, Type, convert};
use crate::model::Address;
use std::collections::{BTreeMap, BTreeSet};

/// The most accounts one configuration declares.
const MAX_ACCOUNTS: usize = 20_000;
/// The most instances of one block that are looked at once so many of them have failed.
const MAX_FAILED: usize = 2_000;

/// Makes all instances of a block; those that fail report why and are left out. Returns how many there
/// should be.
pub(super) fn make(
    block: &Block,
    scope: &Frame<'_>,
    parts: &Parts<'_>,
    decoder: &mut Decoder<'_>,
    out: &mut Vec<Instance>,
) -> Result<usize, Failed> {
    let Some(attribute) = block.attribute("for_each") else {
        out.extend(instance(block, None, scope, parts, decoder)?);
        return Ok(1);
    };
    let value = decoder
        .evaluator
        .evaluate(attribute.span.file, &attribute.expression, scope)?;
    let span = attribute.span;
    let keys_marked =
        matches!(value.kind(), Kind::Set(items) if items.iter().any(Value::has_sensitive));
    if value.is_sensitive() || keys_marked {
        decoder.report(
            Diagnostic::error(codes::INVALID_FOR_EACH)
                .at(span, "this is sensitive")
                .help("keys stand in addresses, which plans show"),
        );
        return Err(Failed);
    }
    match value.kind() {
        Kind::Unknown(ty) if decoder.lenient => {
            let of = element_type(ty, span, decoder)?;
            let frame = each_scope(scope, Value::unknown(Type::String), Value::unknown(of));
            instance(block, None, &frame, parts, decoder)?;
            Ok(0)
        }
        Kind::Unknown(_) => decoder.fail(codes::INVALID_FOR_EACH, span, "this is not known yet"),
        Kind::Map(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(key, member)| (&**key, member))
                .collect();
            repeat(block, span, &members, scope, parts, decoder, out)
        }
        Kind::Set(items) => {
            let mut members = Vec::new();
            for item in items.iter() {
                match item.as_str() {
                    Some(key) => members.push((key, item)),
                    None if item.is_unknown() && decoder.lenient => {}
                    None => {
                        let message =
                            format!("a set of strings is required; it holds {}", noun_of(item));
                        return not_keys(attribute, &message, items, decoder);
                    }
                }
            }
            repeat(block, span, &members, scope, parts, decoder, out)
        }
        _ => {
            let noun = noun_of(&value);
            let message = format!("a map or a set of strings is required, not {noun}");
            match value.kind() {
                Kind::List(items) => not_keys(attribute, &message, items, decoder),
                _ => decoder.fail(codes::INVALID_FOR_EACH, span, &message),
            }
        }
    }
}

/// Refuses what gives no keys, and shows what would.
fn not_keys<T>(
    attribute: &Attribute,
    message: &str,
    items: &[Value],
    decoder: &mut Decoder<'_>,
) -> Result<T, Failed> {
    let text = decoder.sources.text(attribute.span.file);
    decoder.report(
        Diagnostic::error(codes::INVALID_FOR_EACH)
            .at(attribute.span, message)
            .help(hints::for_each(&text, &attribute.expression, items)),
    );
    Err(Failed)
}

/// Makes one instance for each element; what is found is told once for the block, with the number of
/// instances that have it.
fn repeat(
    block: &Block,
    span: Span,
    members: &[(&str, &Value)],
    scope: &Frame<'_>,
    parts: &Parts<'_>,
    decoder: &mut Decoder<'_>,
    out: &mut Vec<Instance>,
) -> Result<usize, Failed> {
    let before = decoder.evaluator.take_diagnostics();
    let mut told = Told::default();
    let mut failed = 0;
    let mut result = Ok(members.len());
    for (at, (key, member)) in members.iter().enumerate() {
        let frame = each_scope(scope, Value::from(*key), (*member).clone());
        let made = check_key(key, span, decoder)
            .and_then(|()| instance(block, Some(key), &frame, parts, decoder));
        // Other instances are still worth a look.
        match made {
            Ok(made) => out.extend(made),
            Err(Failed) => failed += 1,
        }
        let address = Address::new(block.name(), Some((*key).to_owned()));
        for found in decoder.evaluator.take_diagnostics() {
            told.push(block.span, &address, found);
        }
        let ends = failed >= MAX_FAILED || decoder.evaluator.work_left() == 0;
        if let Err(Failed) = limit(block, out.len(), decoder) {
            result = Err(Failed);
            break;
        }
        if ends {
            told.left_out(members.len() - at - 1);
            break;
        }
    }
    let mut all = before;
    told.report(&mut all);
    all.extend(decoder.evaluator.take_diagnostics());
    for found in all {
        decoder.report(found);
    }
    if failed > 0 { Err(Failed) } else { result }
}

/// Gives every block of accounts its value: with `for_each`, its instances by key.
pub(super) fn fill(
    blocks: &[&Block],
    instances: &[Instance],
    complete: &BTreeSet<&str>,
    lenient: bool,
    scope: &mut Frame<'_>,
) {
    let mut keys: BTreeMap<&str, Members> = BTreeMap::new();
    for instance in instances {
        let address = &instance.account.address;
        if let Some(key) = &address.key {
            let value = reference(address.to_string(), Members::new());
            let members = keys.entry(&address.name).or_default();
            members.insert(key.as_str().into(), value);
        }
    }
    for block in blocks {
        let name = block.name();
        if block.attribute("for_each").is_none() {
            continue;
        }
        let slot = if lenient {
            Slot::Value(Value::unknown(Type::Reference(RefKind::ServiceAccount)))
        } else if complete.contains(name) {
            let members = keys.remove(name).unwrap_or_default();
            Slot::Value(reference(Address::new(name, None).to_string(), members))
        } else {
            Slot::Failed
        };
        scope.fill("service_account", name, slot);
    }
}

fn reference(address: String, attributes: Members) -> Value {
    Value::reference(Reference {
        kind: RefKind::ServiceAccount,
        address: address.into(),
        attributes,
        includes: None,
    })
}

/// A key stands in every line that names its account.
fn check_key(key: &str, span: Span, decoder: &mut Decoder<'_>) -> Result<(), Failed> {
    let length = key.chars().count();
    if length <= MAX_NAME {
        return Ok(());
    }
    let message = format!("a key has at most {MAX_NAME} characters, not {length}");
    decoder.fail(codes::INVALID_FOR_EACH, span, &message)
}

fn limit(block: &Block, count: usize, decoder: &mut Decoder<'_>) -> Result<(), Failed> {
    if count <= MAX_ACCOUNTS {
        return Ok(());
    }
    let message = format!("more than {MAX_ACCOUNTS} in one configuration");
    decoder.fail(codes::TOO_MANY_INSTANCES, block.span, &message)
}

fn element_type(ty: &Type, span: Span, decoder: &mut Decoder<'_>) -> Result<Type, Failed> {
    match ty {
        Type::Map(of) => Ok((**of).clone()),
        Type::Set(of) if convert::convertible(of, &Type::String) => Ok(Type::String),
        Type::Any | Type::Object(_) => Ok(Type::Any),
        other => {
            let message = format!(
                "a map or a set of strings is required, not {}",
                other.noun()
            );
            decoder.fail(codes::INVALID_FOR_EACH, span, &message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SourceFile, parse};
    use super::*;

    #[test]
    fn a_configuration_has_its_most_accounts_and_no_more() {
        let file = SourceFile {
            path: "main.hcl".to_owned(),
            bytes: b"locals {\n}\n".to_vec(),
        };
        let (sources, module) = parse(vec![file]);
        let block = module.of("locals").next().expect("a block");
        let mut decoder = Decoder::new(&sources, false);
        assert!(limit(block, MAX_ACCOUNTS, &mut decoder).is_ok());
        assert!(limit(block, MAX_ACCOUNTS + 1, &mut decoder).is_err());
    }
}
