//! `service_account` blocks and their instances.
//! Pure.

use super::block::Block;
use super::decode::{Decoded, Decoder, member_span};
use super::imports::Imports;
use super::roles::{self, RoleBlocks};
use super::sinks::{self, Recipient, Sinks};
use super::{codes, time};
use crate::diag::{Diagnostic, Span};
use crate::lang::types::noun_of;
use crate::lang::value::{Kind, RefKind};
use crate::lang::{Failed, Frame, Type, convert};
use crate::model::{
    Address, DesiredAccount, Destination, Labels, MARK_PREFIX, Rotation, Scope, VOID,
};
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// The longest name and label, in characters.
pub(super) const MAX_NAME: usize = 200;
pub(super) const MAX_LABEL: usize = 63;
/// The longest description, in characters.
pub(super) const MAX_DESCRIPTION: usize = 2_000;
/// One account and the places that its checks blame.
pub(super) struct Instance {
    pub(super) account: DesiredAccount,
    pub(super) block_span: Span,
    pub(super) name_span: Span,
    pub(super) sink_spans: Vec<Span>,
}

/// What instances are made from besides their block.
pub(super) struct Parts<'p> {
    pub(super) roles: &'p RoleBlocks,
    pub(super) sinks: &'p Sinks<'p>,
    pub(super) scopes: &'p BTreeMap<String, Scope>,
    pub(super) imports: &'p Imports,
    /// Whether an import could not be read.
    pub(super) imports_incomplete: bool,
}

/// Makes one instance; `None` when something about it is not known yet.
pub(super) fn instance(
    block: &Block,
    key: Option<&str>,
    scope: &Frame<'_>,
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
        let recipient = Recipient {
            address: &address,
            name: known.map_or("", |(name, _)| name),
            scope: role_scope.as_ref().ok().and_then(Option::as_ref),
        };
        delivery(block, &recipient, scope, parts, imported, decoder)
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
        rotation: delivery.rotation,
        import: import.map(|found| found.import.clone()),
        declared_at: decoder.place(block.span),
    };
    let sink_spans = delivery.spans;
    Ok(Some(Instance {
        account,
        block_span: block.span,
        name_span,
        sink_spans,
    }))
}

fn role_scope(
    block: &Block,
    scope: &Frame<'_>,
    parts: &Parts<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Scope> {
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

fn name(block: &Block, scope: &Frame<'_>, decoder: &mut Decoder<'_>) -> Decoded<(String, Span)> {
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
    scope: &Frame<'_>,
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
    scope: &Frame<'_>,
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
        if text == VOID {
            failed = true;
            decoder.report(
                Diagnostic::error(codes::RESERVED_LABEL)
                    .at(span, format!("the value of `{key}`"))
                    .help(format!(
                        "`{VOID}` marks a label that was taken away on a platform that keeps it; take it out"
                    )),
            );
            continue;
        }
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
    scope: &Frame<'_>,
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
                    .help("write it in whole seconds, as in \"2027-06-30T00:00:00Z\""),
            );
            Err(Failed)
        }
    }
}

/// Whether a `lifecycle` block forbids to delete the account; `None` if it does not say.
fn protected(
    block: &Block,
    scope: &Frame<'_>,
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
    recipient: &Recipient<'_>,
    scope: &Frame<'_>,
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
                .at(block.span, format!("nothing says where the key of `{}` goes", recipient.address))
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
    let piles_up = |overlap: SignedDuration| rotation.rotate_after.is_some_and(|age| overlap > age);
    if rotation.overlap.is_some_and(piles_up) {
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
        match sinks::destination(sink, recipient, scope, decoder)? {
            Some(destination) => {
                out.destinations.push(destination);
                out.spans.push(span);
            }
            None => unknown = true,
        }
    }
    let longest = out.destinations.iter().map(|to| to.kind());
    let longest = longest.max_by_key(|kind| kind.overlap());
    if let (Some(kind), None) = (longest, rotation.overlap)
        && piles_up(kind.overlap())
    {
        let span = credential
            .attribute("rotate_after")
            .map_or(credential.span, |a| a.span);
        let hours = kind.overlap().as_hours();
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(span, format!("the former key of a {kind} sink goes on for {hours}h, so keys would pile up"))
                .help("say how long those who use the key go on with a former one: `overlap = \"1h\"`, at most `rotate_after`"),
        );
        return Err(Failed);
    }
    Ok(if unknown { None } else { Some(out) })
}

fn duration(
    block: &Block,
    name: &str,
    scope: &Frame<'_>,
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

#[cfg(test)]
mod tests;
