//! `service_account` blocks and their instances.
//! Pure.

use super::blocks::{Attribute, Block};
use super::decode::{Decoded, Decoder, member_span};
use super::imports::Imports;
use super::parse::each_scope;
use super::roles::{self, RoleBlocks};
use super::sinks::{self, Sinks, Subject};
use super::told::Told;
use super::{codes, hints, time};
use crate::diag::{Diagnostic, Span};
use crate::lang::types::noun_of;
use crate::lang::value::{Kind, Members, RefKind, Reference, Value};
use crate::lang::{Failed, Scope, Slot, Type, convert};
use crate::model::{Address, DesiredAccount, Destination, Labels, MARK_PREFIX, Scope as RoleScope};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// The most accounts one configuration declares.
const MAX_ACCOUNTS: usize = 20_000;
/// The longest name and label, in characters.
pub(super) const MAX_NAME: usize = 200;
pub(super) const MAX_LABEL: usize = 63;
/// The longest description, in characters.
pub(super) const MAX_DESCRIPTION: usize = 2_000;
/// The most instances of one block that are looked at once so many of them have failed.
const MAX_FAILED: usize = 2_000;

/// How often a credential is replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotation {
    /// The age at which it is due; never by itself when absent.
    pub rotate_after: Option<SignedDuration>,
    /// How long the old one goes on beside the new one.
    pub overlap: Option<SignedDuration>,
}

/// One account and the places that its checks blame.
pub(super) struct Instance {
    pub(super) account: DesiredAccount,
    pub(super) rotation: Rotation,
    pub(super) block_span: Span,
    pub(super) name_span: Span,
    pub(super) sink_spans: Vec<Span>,
}

/// What instances are made from besides their block.
pub(super) struct Parts<'p> {
    pub(super) roles: &'p RoleBlocks,
    pub(super) sinks: &'p Sinks<'p>,
    pub(super) scopes: &'p BTreeMap<String, RoleScope>,
    pub(super) imports: &'p Imports,
    /// Whether an import could not be read.
    pub(super) imports_incomplete: bool,
}

/// Makes all instances of a block; those that fail report why and are left out. Returns how many there
/// should be.
pub(super) fn instances(
    block: &Block,
    scope: &Scope<'_>,
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
    scope: &Scope<'_>,
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
    scope: &mut Scope<'_>,
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

/// Makes one instance; `None` when something about it is not known yet.
fn instance(
    block: &Block,
    key: Option<&str>,
    scope: &Scope<'_>,
    parts: &Parts<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Instance> {
    let address = Address::new(block.name(), key.map(str::to_owned));
    let role_scope = role_scope(block, scope, parts, decoder);
    let name = name(block, scope, decoder);
    let description = description(block, scope, decoder);
    let labels = labels(block, scope, decoder);
    let valid_until = valid_until(block, scope, decoder);
    let protected = protected(block, scope, decoder);
    let roles = roles::of_account(block, scope, parts.roles, decoder);
    let import = parts.imports.get(&address);
    // Which instances there are is not known yet, so any of them may be the imported one.
    let unknown_keys = key.is_none() && block.attribute("for_each").is_some();
    let imported = import.is_some()
        || (unknown_keys && parts.imports.keys().any(|other| other.name == address.name));
    // What is wrong with the destinations is told beside what is wrong with the scope; what hangs on a
    // part that is wrong is unknown, and no second mistake.
    let spoilt = role_scope.is_err() || name.is_err();
    let lenient = decoder.lenient;
    decoder.lenient |= spoilt;
    let delivery = {
        let known = name.as_ref().ok().and_then(Option::as_ref);
        let subject = Subject {
            address: &address,
            name: known.map_or("", |(name, _)| name),
            scope: role_scope.as_ref().ok().and_then(Option::as_ref),
        };
        delivery(block, &subject, scope, parts, imported, decoder)
    };
    decoder.lenient = lenient;
    let (role_scope, name, delivery) = (role_scope?, name?, delivery?);
    let (roles, role_places) = roles?;
    let (description, labels, valid_until) = (description?, labels?, valid_until?);
    let protected = protected?;
    let (Some(role_scope), Some((name, name_span)), Some(delivery)) = (role_scope, name, delivery)
    else {
        return Ok(None);
    };
    let account = DesiredAccount {
        address,
        scope: role_scope,
        name,
        description,
        labels,
        roles,
        role_places,
        valid_until,
        protected,
        formerly: Vec::new(),
        deliver_to: delivery.destinations,
        import: import.map(|found| found.import.clone()),
        declared_at: decoder.place(block.span),
    };
    let rotation = delivery.rotation;
    let sink_spans = delivery.spans;
    Ok(Some(Instance {
        account,
        rotation,
        block_span: block.span,
        name_span,
        sink_spans,
    }))
}

fn role_scope(
    block: &Block,
    scope: &Scope<'_>,
    parts: &Parts<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<RoleScope> {
    let Some(attribute) = block.attribute("scope") else {
        return Ok(None);
    };
    let value = decoder.value(attribute, scope)?;
    if let Kind::Unknown(ty) = value.kind()
        && convert::convertible(ty, &Type::Scope)
    {
        return Ok(None);
    }
    if let Some(reference) = value.as_reference()
        && matches!(reference.kind, RefKind::Organization | RefKind::Space)
    {
        // A failed block has reported its own error.
        let known = parts.scopes.get(&*reference.address).cloned();
        return if known.is_none() && !decoder.lenient {
            Err(Failed)
        } else {
            Ok(known)
        };
    }
    let found = Diagnostic::error(codes::NOT_A_SCOPE)
        .at(attribute.span, format!("this is {}", noun_of(&value)));
    decoder.report(match value.kind() {
        Kind::String(_) | Kind::Unknown(Type::String) => {
            found.help("declare `space \"NAME\" { id = … }` and write `scope = space.NAME`")
        }
        _ => found.help("write `space.NAME` or `organization.NAME`"),
    });
    Err(Failed)
}

fn name(block: &Block, scope: &Scope<'_>, decoder: &mut Decoder<'_>) -> Decoded<(String, Span)> {
    let Some((name, span)) = decoder.text(block, "name", scope)? else {
        return Ok(None);
    };
    let length = name.chars().count();
    if !(1..=MAX_NAME).contains(&length) {
        let message = format!("a name has 1 to {MAX_NAME} characters, not {length}");
        return decoder.fail(codes::INVALID_NAME, span, &message);
    }
    if name.chars().any(char::is_control) {
        return decoder.fail(
            codes::INVALID_NAME,
            span,
            "a name has no control characters",
        );
    }
    Ok(Some((name, span)))
}

fn description(
    block: &Block,
    scope: &Scope<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Option<String>, Failed> {
    let Some((text, span)) = decoder.text(block, "description", scope)? else {
        return Ok(None);
    };
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        let message = "a description has no control characters but line ends and tabs";
        return decoder.fail(codes::INVALID_VALUE, span, message);
    }
    let length = text.chars().count();
    if length > MAX_DESCRIPTION {
        let message =
            format!("a description has at most {MAX_DESCRIPTION} characters, not {length}");
        return decoder.fail(codes::INVALID_VALUE, span, &message);
    }
    Ok(Some(text))
}

fn labels(
    block: &Block,
    scope: &Scope<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Option<Labels>, Failed> {
    let wanted = Type::map(Type::String);
    let Some((value, whole)) = decoder.typed(block, "labels", &wanted, scope)? else {
        return Ok(None);
    };
    let mut labels = Labels::new();
    let mut failed = false;
    for (key, value) in value.as_members().into_iter().flatten() {
        let span = block
            .attribute("labels")
            .map_or(whole, |attribute| member_span(attribute, key));
        if key.to_ascii_lowercase().starts_with(MARK_PREFIX) {
            failed = true;
            decoder.report(
                Diagnostic::error(codes::RESERVED_LABEL)
                    .at(span, format!("the key `{key}`"))
                    .help(format!(
                        "keys that start with `{MARK_PREFIX}` mark what rolecall manages"
                    )),
            );
            continue;
        }
        let text = match value.as_str() {
            Some(text) => text,
            None if value.is_unknown() => continue,
            None => {
                failed = true;
                let message = format!("the label `{key}` is null; leave it out instead");
                let _ = decoder.fail::<()>(codes::INVALID_VALUE, span, &message);
                continue;
            }
        };
        let bad =
            |text: &str| text.chars().any(char::is_control) || text.chars().count() > MAX_LABEL;
        if key.is_empty() || bad(key) || bad(text) {
            failed = true;
            let message = format!(
                "the label `{key}`: keys and values have at most {MAX_LABEL} characters and no control characters"
            );
            let _ = decoder.fail::<()>(codes::INVALID_VALUE, span, &message);
            continue;
        }
        labels.insert(key.to_string(), text.to_owned());
    }
    if failed {
        Err(Failed)
    } else {
        Ok(Some(labels))
    }
}

fn valid_until(
    block: &Block,
    scope: &Scope<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Option<jiff::Timestamp>, Failed> {
    let Some((text, span)) = decoder.text(block, "valid_until", scope)? else {
        return Ok(None);
    };
    match time::timestamp(&text) {
        Some(time) => Ok(Some(time)),
        None => {
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, "a point in time is required")
                    .help("write it as in \"2027-06-30T00:00:00Z\""),
            );
            Err(Failed)
        }
    }
}

/// Whether a `lifecycle` block forbids to delete the account; `None` if it does not say.
fn protected(
    block: &Block,
    scope: &Scope<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Option<bool>, Failed> {
    let Some(lifecycle) = block.inner("lifecycle") else {
        return Ok(None);
    };
    decoder.flag(lifecycle, "prevent_destroy", scope)
}

/// What a `credential` block says, rendered for one account.
#[derive(Default)]
struct Delivery {
    destinations: Vec<Destination>,
    spans: Vec<Span>,
    rotation: Rotation,
}

fn delivery(
    block: &Block,
    subject: &Subject<'_>,
    scope: &Scope<'_>,
    parts: &Parts<'_>,
    imported: bool,
    decoder: &mut Decoder<'_>,
) -> Decoded<Delivery> {
    let Some(credential) = block.inner("credential") else {
        if imported || parts.imports_incomplete {
            return Ok(Some(Delivery::default()));
        }
        if block.lacks_blocks {
            return Err(Failed);
        }
        decoder.report(
            Diagnostic::error(codes::MISSING_CREDENTIAL)
                .at(block.span, format!("nothing says where the key of `{}` goes", subject.address))
                .help("add `credential { deliver_to = [sink.file.NAME] }`; only imported accounts do without"),
        );
        return Err(Failed);
    };
    let rotate_after = duration(credential, "rotate_after", scope, decoder);
    let overlap = duration(credential, "overlap", scope, decoder);
    let elements = decoder.elements(credential, "deliver_to", scope)?;
    let rotation = Rotation {
        rotate_after: rotate_after?,
        overlap: overlap?,
    };
    if let (Some(age), Some(overlap)) = (rotation.rotate_after, rotation.overlap)
        && overlap > age
    {
        let span = credential
            .attribute("overlap")
            .map_or(credential.span, |a| a.span);
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(span, "this is longer than `rotate_after`, so keys would pile up")
                .help("let the old key end before the next one is due: a shorter `overlap`, or a longer `rotate_after`"),
        );
        return Err(Failed);
    }
    let Some(elements) = elements else {
        return Ok(None);
    };
    if elements.is_empty() && !imported {
        let span = credential
            .attribute("deliver_to")
            .map_or(credential.span, |a| a.span);
        return decoder.fail(
            codes::MISSING_CREDENTIAL,
            span,
            "at least one sink is required",
        );
    }
    let mut out = Delivery {
        rotation,
        ..Delivery::default()
    };
    let mut unknown = false;
    for (value, span) in elements {
        let reference = value
            .as_reference()
            .filter(|reference| reference.kind == RefKind::Sink);
        let Some(reference) = reference else {
            if value.is_unknown() {
                unknown = true;
                continue;
            }
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, format!("a sink is required, not {}", noun_of(&value)))
                    .help("write `sink.file.NAME`"),
            );
            return Err(Failed);
        };
        let Some(sink) = parts.sinks.get(&*reference.address) else {
            // A failed block has reported its own error.
            return if decoder.lenient {
                Ok(None)
            } else {
                Err(Failed)
            };
        };
        match sinks::destination(sink, subject, scope, decoder)? {
            Some(destination) => {
                out.destinations.push(destination);
                out.spans.push(span);
            }
            None => unknown = true,
        }
    }
    Ok(if unknown { None } else { Some(out) })
}

fn duration(
    block: &Block,
    name: &str,
    scope: &Scope<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Option<SignedDuration>, Failed> {
    let Some((text, span)) = decoder.text(block, name, scope)? else {
        return Ok(None);
    };
    match time::duration(&text) {
        Some(duration) => Ok(Some(duration)),
        None => {
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, "a duration is required")
                    .help("write it as in \"60d\", \"24h\" or \"1h30m\""),
            );
            Err(Failed)
        }
    }
}
