//! `policy` blocks: rules that wait for the accounts that they judge.
//! Pure. Their conditions are tried once over an account of which nothing is known, so that misspelt
//! names and wrong types are found before any platform is asked.

use super::block::{Attribute, Block};
use super::decode::Decoder;
use super::{codes, imports};
use crate::diag::{Diagnostic, Span};
use crate::lang::refs::Uses;
use crate::lang::types::noun_of;
use crate::lang::value::{Field, Members, RefKind, Value};
use crate::lang::{Deferred, Failed, Frame, Kind, Type};
use crate::model::{
    Address, PolicyOrigin, PolicyReach, PolicyRef, PolicySeverity, SourceRef, short_digest,
};
use hcl_edit::expr::Expression;
use std::sync::Arc;

/// The name under which a policy finds the account.
pub const SUBJECT: &str = "self";

/// A rule for accounts.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The block's name.
    pub name: String,
    /// Who keeps it.
    pub origin: PolicyOrigin,
    /// What it is for.
    pub description: Option<String>,
    /// Which accounts it is about.
    pub applies_to: PolicyReach,
    /// What happens if an account breaks it.
    pub severity: PolicySeverity,
    /// Whom it leaves out.
    pub exempt: Vec<Exemption>,
    /// True for an account that keeps to it.
    pub condition: Deferred,
    /// What is said of an account that does not.
    pub message: Deferred,
    /// Where it is declared.
    pub declared_at: SourceRef,
}

/// One element of `exempt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Whom it names.
    pub whom: Exempt,
    /// Where it is written.
    pub declared_at: SourceRef,
}

/// Whom a policy leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exempt {
    /// All accounts of a block.
    Block(String),
    /// One account of a `for_each`.
    Account(Address),
    /// Accounts whose display name fits a pattern: `*` is any text, `?` any one character.
    Name(String),
}

impl std::fmt::Display for Exempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Block(name) => write!(f, "service_account.{name}"),
            Self::Account(address) => write!(f, "{address}"),
            Self::Name(pattern) => write!(f, "{pattern:?}"),
        }
    }
}

impl Policy {
    /// Names it by all that decides what it refuses.
    pub fn reference(&self) -> PolicyRef {
        let Self {
            name,
            origin,
            description: _,
            applies_to,
            severity,
            exempt,
            condition,
            message,
            declared_at: _,
        } = self;
        let mut whom: Vec<String> = exempt.iter().map(|e| e.whom.to_string()).collect();
        whom.sort();
        whom.dedup();
        let mut parts = vec![
            applies_to.as_str().to_owned(),
            severity.as_str().to_owned(),
            condition.canonical(),
            message.canonical(),
        ];
        parts.extend(whom);
        let text: String = parts
            .iter()
            .map(|part| format!("{}:{part};", part.len()))
            .collect();
        PolicyRef {
            origin: *origin,
            name: name.clone(),
            sha256: short_digest(text.as_bytes(), 64),
        }
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.reference() == other.reference()
            && self.description == other.description
            && self.declared_at == other.declared_at
    }
}

/// Makes the frame of a policy, holding an account of which nothing is known but its form.
pub(super) fn subject_scope<'a>(scope: &'a Frame<'a>) -> Frame<'a> {
    let mut frame = scope.child();
    frame.set(SUBJECT, unknown_subject());
    frame
}

/// An account of which nothing is known but its form.
pub fn unknown_subject() -> Value {
    let text = || Value::unknown(Type::String);
    let number = || Value::unknown(Type::Number);
    let texts = || Value::unknown(Type::list(Type::String));
    let place = ["sink", "kind", "host", "namespace", "path", "key", "format"];
    let place = place.map(|name| (name.into(), Field::required(Type::String)));
    let members: Members = [
        ("address", text()),
        ("name", text()),
        ("description", text()),
        ("scope", Value::unknown(Type::Scope)),
        ("roles", texts()),
        ("labels", Value::unknown(Type::map(Type::String))),
        ("custody", text()),
        ("created_at", text()),
        ("last_used", text()),
        ("creator", text()),
        ("age_days", number()),
        ("unused_days", number()),
        ("protected", Value::unknown(Type::Bool)),
        ("valid_until", text()),
        ("change", text()),
        ("gained", texts()),
        (
            "destinations",
            Value::unknown(Type::list(Type::Object(place.into()))),
        ),
    ]
    .map(|(name, value)| (name.into(), value))
    .into();
    Value::map(members)
}

/// Decodes all `policy` blocks. None is left out without an error: `blameless` says that none has been
/// reported of the files yet.
pub(super) fn blocks(
    blocks: &[&Block],
    origin: PolicyOrigin,
    scope: &Frame<'static>,
    blameless: bool,
    decoder: &mut Decoder<'_>,
) -> Vec<Policy> {
    if blocks.is_empty() {
        return Vec::new();
    }
    let scope = Arc::new(scope.clone());
    let sources = Arc::new(decoder.sources.clone());
    let defer = |attribute: &Attribute| {
        Deferred::new(
            attribute.expression.clone(),
            attribute.span,
            Arc::clone(&scope),
            Arc::clone(&sources),
        )
    };
    let mut made = Vec::new();
    for block in blocks {
        match policy(block, origin, &scope, &defer, decoder) {
            Ok(policy) => made.extend(policy),
            Err(Failed) if blameless && decoder.evaluator.error_count() == 0 => decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(block.span, "this policy uses a name that has no value here")
                    .help("a policy uses `self`, and the names of the files beside it"),
            ),
            Err(Failed) => {}
        }
    }
    made
}

/// Decodes one block; `None` if a required attribute is missing, which has been reported.
fn policy(
    block: &Block,
    origin: PolicyOrigin,
    scope: &Frame<'static>,
    defer: &impl Fn(&Attribute) -> Deferred,
    decoder: &mut Decoder<'_>,
) -> Result<Option<Policy>, Failed> {
    let description = decoder.text(block, "description", scope);
    let reach = [PolicyReach::Managed, PolicyReach::All].map(|reach| (reach.as_str(), reach));
    let applies_to = choice(block, "applies_to", &reach, scope, decoder);
    let severity = [PolicySeverity::Error, PolicySeverity::Warning].map(|s| (s.as_str(), s));
    let severity = choice(block, "severity", &severity, scope, decoder);
    let exempt = exemptions(block, scope, decoder);
    let frame = subject_scope(scope);
    let condition = condition(block, &frame, decoder);
    let message = message(block, &frame, decoder);
    let (description, applies_to, severity) = (description?, applies_to?, severity?);
    let (exempt, condition, message) = (exempt?, condition?, message?);
    let (Some(condition), Some(message)) = (condition, message) else {
        return Ok(None);
    };
    Ok(Some(Policy {
        name: block.name().to_owned(),
        origin,
        description: description.map(|(text, _)| text),
        applies_to,
        severity,
        exempt,
        condition: defer(condition),
        message: defer(message),
        declared_at: decoder.place(block.span),
    }))
}

/// Decodes one of a few words; the first is the default.
fn choice<T: Copy>(
    block: &Block,
    name: &str,
    words: &[(&str, T); 2],
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<T, Failed> {
    let [(first, default), (second, _)] = words;
    let Some((word, span)) = decoder.text(block, name, scope)? else {
        return Ok(*default);
    };
    match words.iter().find(|(known, _)| *known == word) {
        Some((_, value)) => Ok(*value),
        None => {
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, format!("`{name}` has no such value"))
                    .help(format!("write \"{first}\" or \"{second}\"")),
            );
            Err(Failed)
        }
    }
}

/// Tries an expression over an account of which nothing is known.
fn tried(
    attribute: &Attribute,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Value, Failed> {
    let lenient = std::mem::replace(&mut decoder.lenient, true);
    let value = decoder.value(attribute, frame);
    decoder.lenient = lenient;
    value
}

fn condition<'b>(
    block: &'b Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Option<&'b Attribute>, Failed> {
    let Some(attribute) = block.attribute("condition") else {
        return Ok(None);
    };
    let value = tried(attribute, frame, decoder)?;
    if !matches!(
        value.kind(),
        Kind::Bool(_) | Kind::Unknown(Type::Bool | Type::Any)
    ) {
        let message = format!("true or false is required, not {}", noun_of(&value));
        return decoder.fail(codes::INVALID_VALUE, attribute.span, &message);
    }
    let uses = Uses::of(&attribute.expression, attribute.span.file);
    if !uses.names.iter().any(|used| used.root == SUBJECT) {
        decoder.report(
            Diagnostic::warning(codes::CONSTANT_POLICY)
                .at(attribute.span, "this is the same for every account"),
        );
    }
    Ok(Some(attribute))
}

fn message<'b>(
    block: &'b Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Option<&'b Attribute>, Failed> {
    let Some(attribute) = block.attribute("message") else {
        return Ok(None);
    };
    let value = tried(attribute, frame, decoder)?;
    if !matches!(
        value.kind(),
        Kind::String(_) | Kind::Unknown(Type::String | Type::Any)
    ) {
        let message = format!("a string is required, not {}", noun_of(&value));
        return decoder.fail(codes::INVALID_VALUE, attribute.span, &message);
    }
    if value.as_str().is_some_and(|text| text.trim().is_empty()) {
        let message = "this is empty, and is all that is said of an account that breaks the policy";
        return decoder.fail(codes::INVALID_VALUE, attribute.span, message);
    }
    Ok(Some(attribute))
}

fn exemptions(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Vec<Exemption>, Failed> {
    let Some(attribute) = block.attribute("exempt") else {
        return Ok(Vec::new());
    };
    let Expression::Array(array) = &attribute.expression else {
        let elements = decoder.elements(block, "exempt", scope)?;
        let elements = elements.unwrap_or_default();
        return collect(
            elements
                .iter()
                .map(|(value, span)| exemption(value, *span, decoder)),
        );
    };
    collect(array.iter().map(|item| {
        use hcl_edit::Span as _;
        let range = item.span().unwrap_or(attribute.span.range());
        let span = Span::new(attribute.span.file, range.start, range.end);
        if let Some(address) = imports::address(item) {
            let whom = match address.key {
                None => Exempt::Block(address.name),
                Some(_) => Exempt::Account(address),
            };
            let declared_at = decoder.place(span);
            return Ok(Some(Exemption { whom, declared_at }));
        }
        let element = Attribute {
            name_span: attribute.name_span,
            span,
            expression: item.clone(),
        };
        let value = decoder.value(&element, scope)?;
        exemption(&value, span, decoder)
    }))
}

/// Gathers all of them, so that each that is wrong has been reported.
fn collect(
    all: impl Iterator<Item = Result<Option<Exemption>, Failed>>,
) -> Result<Vec<Exemption>, Failed> {
    let all: Vec<_> = all.collect();
    let all: Result<Vec<_>, Failed> = all.into_iter().collect();
    Ok(all?.into_iter().flatten().collect())
}

/// Decodes an element that is not an address; `None` if it is not known yet.
fn exemption(
    value: &Value,
    span: Span,
    decoder: &mut Decoder<'_>,
) -> Result<Option<Exemption>, Failed> {
    if value.is_unknown() {
        return Ok(None);
    }
    let whom = match (value.as_str(), value.as_reference()) {
        (Some(pattern), _) if !pattern.is_empty() => Exempt::Name(pattern.to_owned()),
        (_, Some(reference)) if reference.kind == RefKind::ServiceAccount => {
            let name = reference.address.strip_prefix("service_account.");
            Exempt::Block(name.unwrap_or(&reference.address).to_owned())
        }
        _ => {
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, "an account or a pattern is required")
                    .help("write `service_account.NAME`, or a text such as \"legacy-*\" that display names fit"),
            );
            return Err(Failed);
        }
    };
    let declared_at = decoder.place(span);
    Ok(Some(Exemption { whom, declared_at }))
}
