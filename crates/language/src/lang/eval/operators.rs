//! Operators, with Terraform's conversions.

use super::evaluator::{Evaluated, Evaluator, Failed};
use crate::diag::Diagnostic;
use crate::lang::number::NumberError;
use crate::lang::value::Value;
use crate::lang::{Frame, Type, codes, compare, convert};
use hcl_edit::expr::{BinaryOp, BinaryOperator, Expression, UnaryOp, UnaryOperator};

impl Evaluator<'_> {
    pub(super) fn unary(&mut self, operation: &UnaryOp, scope: &Frame<'_>) -> Evaluated {
        let value = self.eval(&operation.expr, scope)?;
        match operation.operator.value() {
            UnaryOperator::Neg => {
                let number = self.operand(&value, &Type::Number, &operation.expr)?;
                Ok(match number.as_number() {
                    Some(number) => Value::from(number.neg()).marked(value.is_sensitive()),
                    None => number,
                })
            }
            UnaryOperator::Not => {
                let yes = self.operand(&value, &Type::Bool, &operation.expr)?;
                Ok(match yes.as_bool() {
                    Some(yes) => Value::from(!yes).marked(value.is_sensitive()),
                    None => yes,
                })
            }
        }
    }

    pub(super) fn binary(&mut self, operation: &BinaryOp, scope: &Frame<'_>) -> Evaluated {
        let operator = *operation.operator.value();
        match operator {
            BinaryOperator::And => self.logical(operation, scope, false),
            BinaryOperator::Or => self.logical(operation, scope, true),
            BinaryOperator::Eq | BinaryOperator::NotEq => {
                let (a, b) = self.both(operation, scope)?;
                let marked = a.has_sensitive() || b.has_sensitive();
                let wanted = operator == BinaryOperator::Eq;
                match compare::same(&a, &b) {
                    Ok(Some(same)) => Ok(Value::from(same == wanted).marked(marked)),
                    Ok(None) => {
                        if let Some((x, y)) = compare::never(&a, &b) {
                            let span = self.span(operation);
                            let message = format!("{x} is never equal to {y}");
                            self.report(Diagnostic::warning(codes::NEVER_EQUAL).at(span, message));
                        }
                        Ok(Value::unknown(Type::Bool).marked(marked))
                    }
                    Err(unlike) => {
                        let span = self.span(operation);
                        self.fail(
                            Diagnostic::error(codes::INVALID_OPERAND)
                                .at(span, unlike.message)
                                .help(unlike.help),
                        )
                    }
                }
            }
            _ => self.arithmetic(operation, operator, scope),
        }
    }

    /// Evaluates both sides, so that what is wrong with either is reported.
    fn both(&mut self, operation: &BinaryOp, scope: &Frame<'_>) -> Result<(Value, Value), Failed> {
        let a = self.eval(&operation.lhs_expr, scope);
        let b = self.eval(&operation.rhs_expr, scope);
        Ok((a?, b?))
    }

    /// Evaluates `&&` and `||`: the right side only when the left one does not decide.
    fn logical(&mut self, operation: &BinaryOp, scope: &Frame<'_>, decides: bool) -> Evaluated {
        let left = self.eval(&operation.lhs_expr, scope)?;
        let a = self.operand(&left, &Type::Bool, &operation.lhs_expr)?;
        if a.as_bool() == Some(decides) {
            return Ok(a);
        }
        let right = self.eval(&operation.rhs_expr, scope)?;
        let b = self.operand(&right, &Type::Bool, &operation.rhs_expr)?;
        let marked = a.is_sensitive() || b.is_sensitive();
        let result = match (a.as_bool(), b.as_bool()) {
            (_, Some(b)) if b == decides => Value::from(decides),
            (Some(_), Some(b)) => Value::from(b),
            _ => Value::unknown(Type::Bool),
        };
        Ok(result.marked(marked))
    }

    fn arithmetic(
        &mut self,
        operation: &BinaryOp,
        operator: BinaryOperator,
        scope: &Frame<'_>,
    ) -> Evaluated {
        let (a, b) = self.both(operation, scope)?;
        let a = self.operand(&a, &Type::Number, &operation.lhs_expr);
        let b = self.operand(&b, &Type::Number, &operation.rhs_expr);
        let (a, b) = (a?, b?);
        let marked = a.is_sensitive() || b.is_sensitive();
        let compares = matches!(
            operator,
            BinaryOperator::Less
                | BinaryOperator::LessEq
                | BinaryOperator::Greater
                | BinaryOperator::GreaterEq
        );
        let (Some(x), Some(y)) = (a.as_number(), b.as_number()) else {
            let ty = if compares { Type::Bool } else { Type::Number };
            return Ok(Value::unknown(ty).marked(marked));
        };
        let result = match operator {
            BinaryOperator::Less => Ok(Value::from(x < y)),
            BinaryOperator::LessEq => Ok(Value::from(x <= y)),
            BinaryOperator::Greater => Ok(Value::from(x > y)),
            BinaryOperator::GreaterEq => Ok(Value::from(x >= y)),
            BinaryOperator::Plus => x.add(y).map(Value::from),
            BinaryOperator::Minus => x.sub(y).map(Value::from),
            BinaryOperator::Mul => x.mul(y).map(Value::from),
            BinaryOperator::Div => x.div(y).map(Value::from),
            BinaryOperator::Mod => x.rem(y).map(Value::from),
            BinaryOperator::Eq | BinaryOperator::NotEq => Ok(Value::from(x == y)),
            BinaryOperator::And | BinaryOperator::Or => Err(NumberError::TooLarge),
        };
        match result {
            Ok(value) => Ok(value.marked(marked)),
            Err(error) => self.number_error(error, operation),
        }
    }

    fn number_error(&mut self, error: NumberError, operation: &BinaryOp) -> Evaluated {
        let whole = self.span(operation);
        let right = self.span(&operation.rhs_expr);
        self.fail(match error {
            NumberError::DivisionByZero => {
                Diagnostic::error(codes::DIVISION_BY_ZERO).at(right, "this is zero")
            }
            NumberError::TooLarge => Diagnostic::error(codes::INVALID_OPERAND)
                .at(whole, "the result of this is too large"),
        })
    }

    /// Converts an operand; null is an error.
    fn operand(&mut self, value: &Value, ty: &Type, node: &Expression) -> Evaluated {
        if value.is_null() {
            let message = format!("{} is required, not null", ty.noun());
            return self.error(codes::INVALID_OPERAND, node, message);
        }
        match convert::convert(value, ty) {
            Ok(value) => Ok(value),
            Err(error) => self.error(codes::INVALID_OPERAND, node, error.describe()),
        }
    }
}
