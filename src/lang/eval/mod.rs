//! The evaluator: expressions of the syntax tree to values.
//!
//! Pure. Every finding has the exact place, and independent ones are all reported. Evaluation is
//! bounded: deep values and endless work are errors, never a crash.

mod call;
mod loops;
mod operators;
mod template;
#[cfg(test)]
mod tests;
mod traversal;

use super::scope::{Binding, Names, Scope};
use super::types::noun_of;
use super::value::{Kind, Value};
use super::{Number, Type, codes, convert};
use crate::diag::{Code, Diagnostic, Diagnostics, FileId, Severity, SourceMap, Span};
use hcl_edit::expr::{Expression, Object, ObjectKey};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The deepest value that can be made.
const MAX_DEPTH: usize = 64;
/// The heaviest value that can be made.
const MAX_WEIGHT: usize = 4_000_000;
/// The work one evaluator does before it gives up.
const MAX_WORK: usize = 20_000_000;

/// The knowledge that an evaluation failed and that its error has been reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

/// The result of an evaluation.
pub type Evaluated = Result<Value, Failed>;

/// Evaluates expressions and collects what is wrong with them.
#[derive(Debug)]
pub struct Evaluator<'s> {
    sources: &'s SourceMap,
    file: FileId,
    text: Arc<str>,
    work_left: usize,
    out: Diagnostics,
}

impl<'s> Evaluator<'s> {
    /// Makes an evaluator for expressions whose texts are in `sources`.
    pub fn new(sources: &'s SourceMap) -> Self {
        let file = FileId::default();
        let text = sources.text(file);
        Self {
            sources,
            file,
            text,
            work_left: MAX_WORK,
            out: Diagnostics::new(),
        }
    }

    /// Makes one that gives up after so much work.
    pub fn within(sources: &'s SourceMap, work: usize) -> Self {
        Self {
            work_left: work,
            ..Self::new(sources)
        }
    }

    /// Returns how much more work it may do.
    pub fn work_left(&self) -> usize {
        self.work_left
    }

    /// Returns what was found wrong so far and forgets it.
    pub fn take_diagnostics(&mut self) -> Diagnostics {
        std::mem::take(&mut self.out)
    }

    /// Returns the number of errors found and not taken yet.
    pub fn error_count(&self) -> usize {
        self.out
            .iter()
            .filter(|item| item.severity == Severity::Error)
            .count()
    }

    /// Adds a finding.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.out.push(diagnostic);
    }

    /// Evaluates an expression of `file`.
    pub fn evaluate(
        &mut self,
        file: FileId,
        expression: &Expression,
        scope: &Scope<'_>,
    ) -> Evaluated {
        if self.file != file {
            self.text = self.sources.text(file);
            self.file = file;
        }
        self.eval(expression, scope)
    }

    /// Evaluates an expression of `file` and reports nothing.
    pub fn attempt(
        &mut self,
        file: FileId,
        expression: &Expression,
        scope: &Scope<'_>,
    ) -> Option<Value> {
        let (result, _) = self.quietly(|this| this.evaluate(file, expression, scope));
        result.ok()
    }

    /// Runs `attempt` without reporting anything; returns what it would have reported.
    fn quietly<T>(&mut self, attempt: impl FnOnce(&mut Self) -> T) -> (T, Diagnostics) {
        let outer = std::mem::take(&mut self.out);
        let result = attempt(self);
        (result, std::mem::replace(&mut self.out, outer))
    }

    fn span(&self, node: &impl hcl_edit::Span) -> Span {
        let range = node.span().unwrap_or(0..0);
        Span::new(self.file, range.start, range.end)
    }

    fn fail<T>(&mut self, diagnostic: Diagnostic) -> Result<T, Failed> {
        self.out.push(diagnostic);
        Err(Failed)
    }

    fn error<T>(
        &mut self,
        code: Code,
        node: &impl hcl_edit::Span,
        message: impl Into<String>,
    ) -> Result<T, Failed> {
        let span = self.span(node);
        self.fail(Diagnostic::error(code).at(span, message))
    }

    /// Counts work; gives up when too much has been done.
    fn charge(&mut self, amount: usize, node: &impl hcl_edit::Span) -> Result<(), Failed> {
        if self.work_left == 0 {
            return Err(Failed);
        }
        self.work_left = self.work_left.saturating_sub(amount);
        if self.work_left == 0 {
            return self.error(codes::TOO_MUCH_WORK, node, "gave up while evaluating this");
        }
        Ok(())
    }

    fn eval(&mut self, expression: &Expression, scope: &Scope<'_>) -> Evaluated {
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

    fn array(&mut self, array: &hcl_edit::expr::Array, scope: &Scope<'_>) -> Evaluated {
        let items: Vec<Evaluated> = array.iter().map(|item| self.eval(item, scope)).collect();
        Ok(Value::list(items.into_iter().collect::<Result<_, _>>()?))
    }

    fn object(&mut self, object: &Object, scope: &Scope<'_>) -> Evaluated {
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

    fn object_key(&mut self, expression: &Expression, scope: &Scope<'_>) -> Evaluated {
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

    /// Converts a value to an object key.
    fn key_text(&mut self, key: &Value, node: &Expression) -> Evaluated {
        if key.is_null() {
            return self.error(codes::INVALID_KEY, node, "a key cannot be null");
        }
        match convert::convert(key, &Type::String) {
            Ok(text) => Ok(text),
            Err(error) => self.error(codes::INVALID_KEY, node, error.describe()),
        }
    }

    fn variable(
        &mut self,
        name: &hcl_edit::Decorated<hcl_edit::Ident>,
        scope: &Scope<'_>,
    ) -> Evaluated {
        let span = self.span(name);
        match scope.find(name.as_str()) {
            Some(Binding::Value(value)) => Ok(value.clone()),
            Some(Binding::Names(names)) => self.fail(bare_root(name.as_str(), span, names)),
            None => self.fail(unknown_root(name.as_str(), span, scope)),
        }
    }

    /// Converts a condition to a known bool, or `None` when it is not known yet.
    fn condition(&mut self, value: &Value, node: &Expression) -> Result<Option<bool>, Failed> {
        if value.is_null() {
            return self.error(
                codes::INVALID_CONDITION,
                node,
                "this is null, not true or false",
            );
        }
        match convert::convert(value, &Type::Bool) {
            Ok(value) => Ok(value.as_bool()),
            Err(error) => self.error(codes::INVALID_CONDITION, node, error.describe()),
        }
    }

    fn conditional(
        &mut self,
        conditional: &hcl_edit::expr::Conditional,
        scope: &Scope<'_>,
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

/// Says that a name is not known.
pub(super) fn unknown_root(name: &str, span: Span, scope: &Scope<'_>) -> Diagnostic {
    let found = Diagnostic::error(codes::UNKNOWN_REFERENCE).at(span, "nothing has this name");
    match scope.find_hint(name) {
        Some(hint) => found.help(hint),
        None => found.suggesting(name, scope.visible()),
    }
}

/// Says that a root like `var` cannot stand alone.
pub(super) fn bare_root(root: &str, span: Span, names: &Names) -> Diagnostic {
    Diagnostic::error(codes::UNKNOWN_REFERENCE)
        .at(span, format!("`{root}` is not a value"))
        .help(format!("name one {}, as in `{root}.NAME`", names.noun))
}

/// Says that a root has no such member.
pub(super) fn unknown_member(root: &str, member: &str, span: Span, names: &Names) -> Diagnostic {
    let found = Diagnostic::error(codes::UNKNOWN_REFERENCE).at(
        span,
        format!("no {} `{root}.{member}` is declared", names.noun),
    );
    let near = crate::diag::suggest(member, names.slots.keys().map(|name| &**name));
    match (near, &names.missing_help) {
        (Some(near), _) => found.help(format!("did you mean `{root}.{near}`?")),
        (None, Some(help)) => found.help(help.clone()),
        (None, None) if names.slots.is_empty() => found.help(format!("there is no {}", names.noun)),
        (None, None) => found,
    }
}
