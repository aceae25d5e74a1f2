//! Values to what a block's attribute wants.
//! Pure. Every finding points at the attribute's expression.

use super::block::{Attribute, Block};
use super::codes;
use crate::diag::{Code, Diagnostic, SourceMap, Span};
use crate::lang::types::noun_of;
use crate::lang::value::Value;
use crate::lang::{Evaluator, Failed, Frame, Kind, Type, convert};
use crate::model::SourceRef;

/// A decoded value; `None` when it is not known yet, which only `validate` allows.
pub(super) type Decoded<T> = Result<Option<T>, Failed>;

/// Evaluates and decodes attributes.
pub(super) struct Decoder<'s> {
    pub(super) evaluator: Evaluator<'s>,
    pub(super) sources: &'s SourceMap,
    /// Whether unknown values pass: only types are checked then.
    pub(super) lenient: bool,
}

impl<'s> Decoder<'s> {
    pub(super) fn new(sources: &'s SourceMap, lenient: bool) -> Self {
        Self {
            evaluator: Evaluator::new(sources),
            sources,
            lenient,
        }
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.evaluator.report(diagnostic);
    }

    pub(super) fn fail<T>(&mut self, code: Code, span: Span, message: &str) -> Result<T, Failed> {
        self.report(Diagnostic::error(code).at(span, message));
        Err(Failed)
    }

    /// Returns a place as people read it.
    pub(super) fn place(&self, span: Span) -> SourceRef {
        let place = self.sources.place(span.file, span.start);
        SourceRef {
            file: self.sources.path(span.file).to_owned(),
            line: u32::try_from(place.line).unwrap_or(u32::MAX),
        }
    }

    /// Evaluates an attribute; sensitive values are refused, since all attributes are shown.
    pub(super) fn value(
        &mut self,
        attribute: &Attribute,
        scope: &Frame<'_>,
    ) -> Result<Value, Failed> {
        let value = self
            .evaluator
            .evaluate(attribute.span.file, &attribute.expression, scope)?;
        if value.has_sensitive() {
            self.report(
                Diagnostic::error(codes::SENSITIVE_VALUE)
                    .at(attribute.span, "this is made of a sensitive value")
                    .help("plans show this attribute; build it from values that may be shown"),
            );
            return Err(Failed);
        }
        if value.has_unknown() && !self.lenient {
            return self.fail(
                codes::INVALID_VALUE,
                attribute.span,
                "this must be known to plan",
            );
        }
        Ok(value)
    }

    /// Evaluates an attribute that may be absent or null and converts it to a type.
    pub(super) fn typed(
        &mut self,
        block: &Block,
        name: &str,
        ty: &Type,
        scope: &Frame<'_>,
    ) -> Result<Option<(Value, Span)>, Failed> {
        let Some(attribute) = block.attribute(name) else {
            return Ok(None);
        };
        let value = self.value(attribute, scope)?;
        if value.is_null() {
            return self.not_set(block, name, attribute.span, ty.noun());
        }
        match convert::convert(&value, ty) {
            Ok(value) => Ok(Some((value, attribute.span))),
            Err(error) => self.fail(codes::INVALID_VALUE, attribute.span, &error.describe()),
        }
    }

    /// What null means: "not set" where the attribute may be left out, else an error.
    fn not_set<T>(
        &mut self,
        block: &Block,
        name: &str,
        span: Span,
        noun: &str,
    ) -> Result<Option<T>, Failed> {
        if block.requires(name) {
            let message = format!("{noun} is required, not null");
            return self.fail(codes::INVALID_VALUE, span, &message);
        }
        Ok(None)
    }

    /// Decodes a string.
    pub(super) fn text(
        &mut self,
        block: &Block,
        name: &str,
        scope: &Frame<'_>,
    ) -> Decoded<(String, Span)> {
        let typed = self.typed(block, name, &Type::String, scope)?;
        Ok(typed.and_then(|(value, span)| value.as_str().map(|text| (text.to_owned(), span))))
    }

    /// Decodes true or false.
    pub(super) fn flag(&mut self, block: &Block, name: &str, scope: &Frame<'_>) -> Decoded<bool> {
        let typed = self.typed(block, name, &Type::Bool, scope)?;
        Ok(typed.and_then(|(value, _)| value.as_bool()))
    }

    /// Tells whether an attribute is there and is not null; what it is may not be known yet.
    ///
    /// # Errors
    /// It cannot be evaluated, which has been reported.
    pub(super) fn is_set(
        &mut self,
        block: &Block,
        name: &str,
        scope: &Frame<'_>,
    ) -> Result<bool, Failed> {
        match block.attribute(name) {
            Some(attribute) => Ok(!self.value(attribute, scope)?.is_null()),
            None => Ok(false),
        }
    }

    /// Decodes the elements of a list or set, each with its own place where it is written out.
    pub(super) fn elements(
        &mut self,
        block: &Block,
        name: &str,
        scope: &Frame<'_>,
    ) -> Decoded<Vec<(Value, Span)>> {
        let Some(attribute) = block.attribute(name) else {
            return Ok(None);
        };
        let value = self.value(attribute, scope)?;
        if value.is_null() {
            return self.not_set(block, name, attribute.span, "a list");
        }
        if value.is_unknown() {
            let list = Type::list(Type::Any);
            return match convert::convert(&value, &list) {
                Ok(_) => Ok(None),
                Err(error) => self.fail(codes::INVALID_VALUE, attribute.span, &error.describe()),
            };
        }
        let Some(items) = value.as_items() else {
            let message = format!("a list is required, not {}", noun_of(&value));
            self.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(attribute.span, message)
                    .help(format!("write `{name} = [ … ]`")),
            );
            return Err(Failed);
        };
        let spans = element_spans(attribute, value.kind(), items.len());
        let mut out = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            out.push((
                item.clone(),
                spans.get(at).copied().unwrap_or(attribute.span),
            ));
        }
        Ok(Some(out))
    }
}

/// Returns the place of a member of an object that is written out, key and value; the whole attribute
/// where it is not.
pub(super) fn member_span(attribute: &Attribute, name: &str) -> Span {
    use hcl_edit::Span as _;
    use hcl_edit::expr::{Expression, ObjectKey};
    let Expression::Object(object) = &attribute.expression else {
        return attribute.span;
    };
    let named = |key: &ObjectKey| match key {
        ObjectKey::Ident(ident) => ident.as_str() == name,
        ObjectKey::Expression(Expression::String(text)) => text.as_str() == name,
        ObjectKey::Expression(Expression::Variable(variable)) => variable.as_str() == name,
        ObjectKey::Expression(_) => false,
    };
    let found = object.iter().find(|(key, _)| named(key));
    let range = found.and_then(|(key, value)| {
        let start = match key {
            ObjectKey::Ident(ident) => ident.span(),
            ObjectKey::Expression(expression) => expression.span(),
        };
        Some(start?.start..value.expr().span()?.end)
    });
    range.map_or(attribute.span, |range| {
        Span::new(attribute.span.file, range.start, range.end)
    })
}

/// Returns the places of the elements of a list that is written out.
fn element_spans(attribute: &Attribute, kind: &Kind, len: usize) -> Vec<Span> {
    use hcl_edit::Span as _;
    let file = attribute.span.file;
    match (&attribute.expression, kind) {
        (hcl_edit::expr::Expression::Array(array), Kind::List(_)) if array.len() == len => array
            .iter()
            .map(|item| {
                let range = item.span().unwrap_or(attribute.span.range());
                Span::new(file, range.start, range.end)
            })
            .collect(),
        _ => Vec::new(),
    }
}
