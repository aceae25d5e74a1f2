//! The evaluator: expressions of the syntax tree to values.
//!
//! Pure. Every finding has the exact place, and independent ones are all reported. Evaluation is
//! bounded: deep values and endless work are errors, never a crash.

mod call;
mod evaluator;
mod loops;
mod operators;
mod template;
#[cfg(test)]
mod tests;
mod traversal;

pub use evaluator::{Evaluated, Evaluator, Failed};

use super::frame::{Binding, Frame, bare_root, unknown_root};
use super::types::noun_of;
use super::value::{Kind, Value};
use super::{Number, Type, codes, convert};
use crate::diag::{Diagnostic, SourceMap};
use hcl_edit::expr::{Expression, Object, ObjectKey};
use std::collections::BTreeMap;

/// The deepest value that can be made.
const MAX_DEPTH: usize = 64;
/// The heaviest value that can be made.
const MAX_WEIGHT: usize = 4_000_000;
/// The work one evaluator does before it gives up.
const MAX_WORK: usize = 20_000_000;

impl<'s> Evaluator<'s> {
    /// Makes an evaluator for expressions whose texts are in `sources`.
    pub fn new(sources: &'s SourceMap) -> Self {
        Self::within(sources, MAX_WORK)
    }

    /// Makes one that gives up after so much work.
    pub fn within(sources: &'s SourceMap, work: usize) -> Self {
        Self::with(sources, work, Self::expression)
    }

    fn expression(&mut self, expression: &Expression, scope: &Frame<'_>) -> Evaluated {
        self.charge(1, expression)?;
        let value = match expression {
            Expression::Null(_) => Value::null(),
            Expression::Bool(yes) => (*yes.value()).into(),
            Expression::Number(_) => self.number(expression)?,
            Expression::String(text) => text.as_str().into(),
            Expression::Array(array) => self.array(array, scope)?,
            Expression::Object(object) => self.object(object, scope)?,
            Expression::StringTemplate(template) => self.string_template(template, scope)?,
            Expression::HeredocTemplate(heredoc) => self.heredoc(heredoc, scope)?,
            Expression::Parenthesis(inner) => self.eval(inner.inner(), scope)?,
            Expression::Variable(name) => self.variable(name, scope)?,
            Expression::Conditional(conditional) => self.conditional(conditional, scope)?,
            Expression::FuncCall(call) => self.call(call, scope)?,
            Expression::Traversal(traversal) => self.traversal(traversal, scope)?,
            Expression::UnaryOp(operation) => self.unary(operation, scope)?,
            Expression::BinaryOp(operation) => self.binary(operation, scope)?,
            Expression::ForExpr(for_expr) => self.for_expr(for_expr, scope)?,
        };
        if value.depth() > MAX_DEPTH {
            return self.error(
                codes::TOO_DEEP,
                expression,
                format!("this value has more than {MAX_DEPTH} levels"),
            );
        }
        if value.weight() > MAX_WEIGHT {
            return self.error(codes::TOO_MUCH_WORK, expression, "this value is too large");
        }
        Ok(value)
    }

    /// Reads a number from the source text, where it is exact.
    fn number(&mut self, expression: &Expression) -> Evaluated {
        let span = self.span(expression);
        let text = self.text.get(span.range()).unwrap_or("").to_owned();
        match Number::parse(&text) {
            Some(number) => Ok(number.into()),
            None => self.error(
                codes::INVALID_OPERAND,
                expression,
                "this number is too large",
            ),
        }
    }

    fn array(&mut self, array: &hcl_edit::expr::Array, scope: &Frame<'_>) -> Evaluated {
        let items: Vec<Evaluated> = array.iter().map(|item| self.eval(item, scope)).collect();
        Ok(Value::list(items.into_iter().collect::<Result<_, _>>()?))
    }

    fn object(&mut self, object: &Object, scope: &Frame<'_>) -> Evaluated {
        let mut members = BTreeMap::new();
        let mut failed = false;
        let mut sensitive = false;
        let mut unknown_key = false;
        for (key, value) in object.iter() {
            let name = match key {
                ObjectKey::Ident(name) => Ok(Value::from(name.as_str())),
                ObjectKey::Expression(expression) => self.object_key(expression, scope),
            };
            let value = self.eval(value.expr(), scope);
            let (Ok(name), Ok(value)) = (name, value) else {
                failed = true;
                continue;
            };
            sensitive |= name.is_sensitive();
            let Some(name) = name.as_str() else {
                unknown_key = true;
                continue;
            };
            if members.insert(name.into(), value).is_some() {
                let span = match key {
                    ObjectKey::Ident(name) => self.span(name),
                    ObjectKey::Expression(expression) => self.span(expression),
                };
                failed = true;
                self.report(
                    Diagnostic::error(codes::DUPLICATE_KEY)
                        .at(span, format!("the key `{name}` is already in this object")),
                );
            }
        }
        if failed {
            return Err(Failed);
        }
        if unknown_key {
            return Ok(Value::unknown(Type::Any).marked(sensitive));
        }
        Ok(Value::map(members).marked(sensitive))
    }

    fn object_key(&mut self, expression: &Expression, scope: &Frame<'_>) -> Evaluated {
        if let Expression::Traversal(_) = expression {
            let span = self.span(expression);
            return self.fail(
                Diagnostic::error(codes::INVALID_KEY)
                    .at(span, "a reference stands here bare")
                    .help("write `(…)` around it to use its value as the key"),
            );
        }
        let key = self.eval(expression, scope)?;
        self.key_text(&key, expression)
    }

    fn variable(
        &mut self,
        name: &hcl_edit::Decorated<hcl_edit::Ident>,
        scope: &Frame<'_>,
    ) -> Evaluated {
        let span = self.span(name);
        match scope.find(name.as_str()) {
            Some(Binding::Value(value)) => Ok(value.clone()),
            Some(Binding::Names(names)) => self.fail(bare_root(name.as_str(), span, names)),
            None => self.fail(unknown_root(name.as_str(), span, scope)),
        }
    }

    fn conditional(
        &mut self,
        conditional: &hcl_edit::expr::Conditional,
        scope: &Frame<'_>,
    ) -> Evaluated {
        let condition = self.eval(&conditional.cond_expr, scope);
        let decided = match &condition {
            Ok(value) => self.condition(value, &conditional.cond_expr),
            Err(failed) => Err(*failed),
        };
        let (when_true, found_true) = self.quietly(|this| this.eval(&conditional.true_expr, scope));
        let (when_false, found_false) =
            self.quietly(|this| this.eval(&conditional.false_expr, scope));
        let sensitive = condition.as_ref().is_ok_and(Value::is_sensitive);
        let decided = match decided {
            Ok(decided) => decided,
            Err(failed) => {
                self.out.extend(found_true);
                self.out.extend(found_false);
                return Err(failed);
            }
        };
        // Only the chosen result must be good; the other one lends its type.
        if decided != Some(false) {
            self.out.extend(found_true);
        }
        if decided != Some(true) {
            self.out.extend(found_false);
        }
        let result = match (decided, when_true, when_false) {
            (Some(true), Ok(value), Err(_)) | (Some(false), Err(_), Ok(value)) => value,
            (Some(true), Err(failed), _) | (Some(false), _, Err(failed)) => return Err(failed),
            (None, Err(failed), _) | (None, _, Err(failed)) => return Err(failed),
            (decided, Ok(a), Ok(b)) => self.unified(conditional, decided, &a, &b)?,
        };
        Ok(result.marked(sensitive))
    }

    fn unified(
        &mut self,
        conditional: &hcl_edit::expr::Conditional,
        decided: Option<bool>,
        a: &Value,
        b: &Value,
    ) -> Evaluated {
        let chosen = if decided == Some(false) { b } else { a };
        if same_simple_type(a, b) && decided.is_some() {
            return Ok(chosen.clone());
        }
        let Some(ty) = Type::unify(&Type::of(a), &Type::of(b)) else {
            let true_span = self.span(&conditional.true_expr);
            let false_span = self.span(&conditional.false_expr);
            return self.fail(
                Diagnostic::error(codes::INCONSISTENT_TYPES)
                    .at(false_span, format!("this is {}", noun_of(b)))
                    .context(true_span, format!("this is {}", noun_of(a)))
                    .help("both results of a condition must have one type"),
            );
        };
        if decided.is_none() {
            let marked = a.has_sensitive() || b.has_sensitive();
            return Ok(Value::unknown(ty).marked(marked));
        }
        match convert::convert(chosen, &ty) {
            Ok(value) => Ok(value),
            Err(error) => self.error(
                codes::INCONSISTENT_TYPES,
                &conditional.cond_expr,
                error.describe(),
            ),
        }
    }
}

fn same_simple_type(a: &Value, b: &Value) -> bool {
    matches!(
        (a.kind(), b.kind()),
        (Kind::Bool(_), Kind::Bool(_))
            | (Kind::Number(_), Kind::Number(_))
            | (Kind::String(_), Kind::String(_))
    )
}
