//! What evaluates: where it is, how much work is left, and what was found wrong.
//! Pure.

use std::sync::Arc;

use hcl_edit::expr::Expression;

use crate::diag::{Code, Diagnostic, Diagnostics, FileId, Severity, SourceMap, Span};
use crate::lang::{Frame, Type, Value, codes, convert};

/// The knowledge that an evaluation failed and that its error has been reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

/// The result of an evaluation.
pub type Evaluated = Result<Value, Failed>;

/// Evaluates expressions and collects what is wrong with them.
#[derive(Debug)]
pub struct Evaluator<'s> {
    sources: &'s SourceMap,
    pub(super) file: FileId,
    pub(super) text: Arc<str>,
    pub(super) work_left: usize,
    pub(super) out: Diagnostics,
    expression: Evaluate<'s>,
}

/// Evaluates an expression of any kind. It is handed in, since every kind is made of others.
type Evaluate<'s> = fn(&mut Evaluator<'s>, &Expression, &Frame<'_>) -> Evaluated;

impl<'s> Evaluator<'s> {
    /// Makes an evaluator that gives up after so much work.
    pub(super) fn with(sources: &'s SourceMap, work: usize, expression: Evaluate<'s>) -> Self {
        let file = FileId::default();
        let text = sources.text(file);
        Self {
            sources,
            file,
            text,
            work_left: work,
            out: Diagnostics::new(),
            expression,
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
        scope: &Frame<'_>,
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
        scope: &Frame<'_>,
    ) -> Option<Value> {
        let (result, _) = self.quietly(|this| this.evaluate(file, expression, scope));
        result.ok()
    }

    /// Runs `attempt` without reporting anything; returns what it would have reported.
    pub(super) fn quietly<T>(&mut self, attempt: impl FnOnce(&mut Self) -> T) -> (T, Diagnostics) {
        let outer = std::mem::take(&mut self.out);
        let result = attempt(self);
        (result, std::mem::replace(&mut self.out, outer))
    }

    pub(super) fn span(&self, node: &impl hcl_edit::Span) -> Span {
        let range = node.span().unwrap_or(0..0);
        Span::new(self.file, range.start, range.end)
    }

    pub(super) fn fail<T>(&mut self, diagnostic: Diagnostic) -> Result<T, Failed> {
        self.out.push(diagnostic);
        Err(Failed)
    }

    pub(super) fn error<T>(
        &mut self,
        code: Code,
        node: &impl hcl_edit::Span,
        message: impl Into<String>,
    ) -> Result<T, Failed> {
        let span = self.span(node);
        self.fail(Diagnostic::error(code).at(span, message))
    }

    /// Counts work; gives up when too much has been done.
    pub(super) fn charge(
        &mut self,
        amount: usize,
        node: &impl hcl_edit::Span,
    ) -> Result<(), Failed> {
        if self.work_left == 0 {
            return Err(Failed);
        }
        self.work_left = self.work_left.saturating_sub(amount);
        if self.work_left == 0 {
            return self.error(codes::TOO_MUCH_WORK, node, "gave up while evaluating this");
        }
        Ok(())
    }

    /// Evaluates an expression.
    pub(super) fn eval(&mut self, expression: &Expression, scope: &Frame<'_>) -> Evaluated {
        (self.expression)(self, expression, scope)
    }

    /// Converts a value to an object key.
    pub(super) fn key_text(&mut self, key: &Value, node: &Expression) -> Evaluated {
        if key.is_null() {
            return self.error(codes::INVALID_KEY, node, "a key cannot be null");
        }
        match convert::convert(key, &Type::String) {
            Ok(text) => Ok(text),
            Err(error) => self.error(codes::INVALID_KEY, node, error.describe()),
        }
    }

    /// Converts a condition to a known bool, or `None` when it is not known yet.
    pub(super) fn condition(
        &mut self,
        value: &Value,
        node: &Expression,
    ) -> Result<Option<bool>, Failed> {
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
}
