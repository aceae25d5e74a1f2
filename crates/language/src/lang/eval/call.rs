//! Function calls.

use super::evaluator::{Evaluated, Evaluator, Failed};
use crate::diag::Diagnostic;
use crate::lang::functions::{self, Function, Marks};
use crate::lang::types::noun_of;
use crate::lang::value::{RefKind, Value};
use crate::lang::{Frame, Type, codes, compare, convert};
use hcl_edit::expr::{Expression, FuncCall};
use std::collections::BTreeMap;

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &FuncCall, scope: &Frame<'_>) -> Evaluated {
        let span = self.span(&call.name.name);
        let mut name = String::new();
        for part in &call.name.namespace {
            name.push_str(part.as_str());
            name.push_str("::");
        }
        name.push_str(call.name.name.as_str());
        let count = (!call.args.expand_final()).then(|| call.args.len());
        let function = match functions::lookup(&name, span, count) {
            Ok(function) => function,
            Err(found) => return self.fail(found),
        };
        match function.name {
            "try" => return self.try_call(call, scope),
            "can" => return self.can_call(call, scope),
            _ => {}
        }
        let Some(mut arguments) = self.arguments(call, scope)? else {
            return Ok(Value::unknown(function.result.clone()));
        };
        if call.args.expand_final()
            && let Err(found) = functions::lookup(&name, span, Some(arguments.len()))
        {
            return self.fail(found);
        }
        if function.name == "contains" {
            for (value, _) in &mut arguments {
                inform(value, scope);
            }
        }
        self.invoke(function, &arguments, call)
    }

    /// Evaluates all arguments; `None` when the expanded last one is not known yet.
    fn arguments<'c>(
        &mut self,
        call: &'c FuncCall,
        scope: &Frame<'_>,
    ) -> Result<Option<Vec<(Value, &'c Expression)>>, Failed> {
        let results: Vec<_> = call
            .args
            .iter()
            .map(|node| (self.eval(node, scope), node))
            .collect();
        let mut arguments = Vec::with_capacity(results.len());
        for (value, node) in results {
            arguments.push((value?, node));
        }
        if !call.args.expand_final() {
            return Ok(Some(arguments));
        }
        let Some((last, node)) = arguments.pop() else {
            return Ok(Some(arguments));
        };
        if last.is_unknown() {
            return Ok(None);
        }
        let marked = last.is_sensitive();
        let Some(items) = last.as_items() else {
            let message = format!(
                "only a list can be expanded with `...`, not {}",
                noun_of(&last)
            );
            return self.error(codes::INVALID_ARGUMENT, node, message);
        };
        arguments.extend(items.iter().map(|item| (item.clone().marked(marked), node)));
        Ok(Some(arguments))
    }

    fn invoke(
        &mut self,
        function: &Function,
        arguments: &[(Value, &Expression)],
        call: &FuncCall,
    ) -> Evaluated {
        let mut values = Vec::with_capacity(arguments.len());
        let mut failed = false;
        let mut unknown = false;
        let mut marked = false;
        let mut weight = 1;
        for (at, (value, node)) in arguments.iter().enumerate() {
            let parameter = function.parameter(at);
            weight += value.weight();
            if value.is_null() && !parameter.nullable {
                failed = true;
                let message = format!("{} is required, not null", parameter.ty.noun());
                self.argument_error(node, &message, function);
                continue;
            }
            marked |= match function.marks {
                Marks::Deep => value.has_sensitive(),
                Marks::Shallow | Marks::Own => value.is_sensitive(),
            };
            unknown |= match function.marks {
                Marks::Deep => value.has_unknown(),
                Marks::Shallow => value.is_unknown(),
                Marks::Own => false,
            };
            match convert::convert(value, &parameter.ty) {
                Ok(value) => values.push(value),
                Err(error) => {
                    failed = true;
                    self.argument_error(node, &error.describe(), function);
                }
            }
        }
        if failed {
            return Err(Failed);
        }
        self.charge(weight / 16, call)?;
        if let Some(unlike) = compare::check(function.name, &values) {
            let node = arguments
                .get(1)
                .map_or_else(|| self.span(call), |(_, node)| self.span(*node));
            return self.fail(
                Diagnostic::error(codes::INVALID_ARGUMENT)
                    .at(node, unlike.message)
                    .help(unlike.help),
            );
        }
        if unknown {
            return Ok(Value::unknown(function.result.clone()).marked(marked));
        }
        match (function.body)(&values) {
            Ok(value) => {
                self.charge(made(&value, weight), call)?;
                Ok(match function.marks {
                    Marks::Own => value,
                    Marks::Deep | Marks::Shallow => value.marked(marked),
                })
            }
            Err(error) => {
                let (code, span) = match error.argument.and_then(|at| arguments.get(at)) {
                    Some((_, node)) => (codes::INVALID_ARGUMENT, self.span(*node)),
                    None => (codes::FUNCTION_FAILED, self.span(call)),
                };
                // A message may quote its arguments.
                let message = if marked {
                    "the value is sensitive and not shown"
                } else {
                    &*error.message
                };
                self.fail(
                    Diagnostic::error(code)
                        .at(span, message)
                        .help(function.usage()),
                )
            }
        }
    }

    fn argument_error(&mut self, node: &Expression, message: &str, function: &Function) {
        let span = self.span(node);
        self.report(
            Diagnostic::error(codes::INVALID_ARGUMENT)
                .at(span, message)
                .help(function.usage()),
        );
    }

    /// Returns the first argument that evaluates.
    fn try_call(&mut self, call: &FuncCall, scope: &Frame<'_>) -> Evaluated {
        let mut last = None;
        for node in call.args.iter() {
            let (result, found) = self.quietly(|this| this.eval(node, scope));
            if let Ok(value) = result {
                return Ok(value);
            }
            if self.work_left == 0 {
                self.out.extend(found);
                return Err(Failed);
            }
            last = Some(found);
        }
        // What is wrong with the last one says most.
        if let Some(found) = last {
            self.out.extend(found);
        }
        Err(Failed)
    }

    /// Tells whether the argument evaluates.
    fn can_call(&mut self, call: &FuncCall, scope: &Frame<'_>) -> Evaluated {
        let Some(node) = call.args.get(0) else {
            return Err(Failed);
        };
        let (result, found) = self.quietly(|this| this.eval(node, scope));
        if result.is_err() && self.work_left == 0 {
            self.out.extend(found);
            return Err(Failed);
        }
        Ok(match result {
            Ok(value) if value.has_unknown() => {
                Value::unknown(Type::Bool).marked(value.is_sensitive())
            }
            Ok(value) => Value::from(true).marked(value.is_sensitive()),
            Err(_) => Value::from(false),
        })
    }
}

/// Gives role blocks what they include: where a value was made, that may not have been known yet.
fn inform(value: &mut Value, scope: &Frame<'_>) {
    let role = |value: &Value| {
        let role = value.as_reference()?;
        let name = role.address.strip_prefix("role.")?;
        let known = scope.value("role", name)?.clone();
        (role.kind == RefKind::Role).then(|| known.marked(value.is_sensitive()))
    };
    if let Some(known) = role(value) {
        *value = known;
    } else if let Some(items) = value.as_items()
        && items.iter().any(|item| role(item).is_some())
    {
        let items = items
            .iter()
            .map(|item| role(item).unwrap_or_else(|| item.clone()));
        *value = Value::list(items.collect()).marked(value.is_sensitive());
    }
}

/// How much of a result is new: its own items at least, and all that its arguments did not hold.
fn made(result: &Value, arguments: usize) -> usize {
    let items = result.as_items().map_or(0, <[Value]>::len);
    let members = result.as_members().map_or(0, BTreeMap::len);
    items
        .max(members)
        .max(result.weight().saturating_sub(arguments))
}
