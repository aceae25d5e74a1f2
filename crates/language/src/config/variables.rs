//! Values of variables: where they come from and what they must be.
//! Pure: texts and contents are handed over in order of precedence, the later ones winning.

use super::block::{Attribute, Block};
use super::decode::Decoder;
use super::law::Ledger;
use super::{codes, type_expr};
use crate::diag::{Diagnostic, Diagnostics, SourceMap, Span};
use crate::lang::syntax;
use crate::lang::types::noun_of;
use crate::lang::value::Value;
use crate::lang::{Failed, Frame, Slot, Type, convert};
use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::Structure;
use std::collections::{BTreeMap, BTreeSet};

/// Where a text for one variable comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `ROLECALL_VAR_name`: ignored when no such variable is declared.
    Environment,
    /// `--var name=…`: an error when no such variable is declared.
    CommandLine,
}

/// Values given from outside; later ones win over earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A text for one variable. It is the value of a string, number or bool; for other types it is
    /// read as an expression.
    Text {
        /// The variable.
        name: String,
        /// The text.
        text: String,
        /// Where it comes from.
        origin: Origin,
    },
    /// The content of a file of values.
    File {
        /// The path shown in findings.
        path: String,
        /// The content.
        bytes: Vec<u8>,
    },
    /// A file of values that could not be read: any variable may have a value in it.
    Unreadable,
}

/// A value given from outside, not evaluated yet.
pub(super) enum Given {
    Expression {
        expression: Expression,
        span: Span,
    },
    Text {
        text: String,
        span: Span,
        expression: Option<Expression>,
    },
}

/// What is given for the variables.
#[derive(Default)]
pub(super) struct Inputs {
    /// The last value given for each.
    given: BTreeMap<String, Given>,
    /// Whether more may be given in a file that could not be read.
    incomplete: bool,
}

/// Whether what is given for a variable may be shown: it says nowhere that it is sensitive.
pub(super) fn is_open(block: &Block) -> bool {
    block.attribute("sensitive").is_none_or(
        |attribute| matches!(&attribute.expression, Expression::Bool(flag) if !flag.value()),
    )
}

/// Reads all inputs; the texts are added to `sources`, so that findings can name places in them. Nothing
/// of a text is shown, and of a file the lines of `open` variables alone. Which variables are declared may
/// not be known.
pub(super) fn read(
    declared: Option<&BTreeSet<&str>>,
    open: &BTreeSet<&str>,
    inputs: &[Input],
    sources: &mut SourceMap,
    out: &mut Diagnostics,
) -> Inputs {
    let mut all = Inputs::default();
    let known = |name: &str| declared.is_none_or(|declared| declared.contains(name));
    let names = || declared.into_iter().flatten().copied();
    for input in inputs {
        match input {
            Input::Text { name, text, origin } => {
                let shown = match origin {
                    Origin::Environment => format!("ROLECALL_VAR_{name}"),
                    Origin::CommandLine => format!("--var {name}"),
                };
                if !known(name) {
                    if *origin == Origin::CommandLine {
                        let before = sources.count();
                        let file = sources.add(shown, text.as_str());
                        sources.hide_since(before);
                        let span = Span::new(file, 0, text.len());
                        out.push(undeclared(name, span, names(), Diagnostic::error));
                    }
                    continue;
                }
                let before = sources.count();
                let file = sources.add(shown, text.as_str());
                sources.hide_since(before);
                let span = Span::new(file, 0, text.len());
                let expression = syntax::expression(text);
                let text = text.clone();
                all.given.insert(
                    name.clone(),
                    Given::Text {
                        text,
                        span,
                        expression,
                    },
                );
            }
            Input::Unreadable => all.incomplete = true,
            Input::File { path, bytes: _ } if path.ends_with(".json") => {
                let found = Diagnostic::error(codes::UNSUPPORTED_FILE);
                out.push(found.help(format!("file `{path}`")).help(
                    "values are not read from JSON: write `NAME = VALUE` on lines of a file `*.vars.hcl`",
                ));
                all.incomplete = true;
            }
            Input::File { path, bytes } => {
                let before = sources.count();
                let tree = syntax::parse(path.as_str(), bytes, sources, out);
                sources.hide_since(before);
                let Some(tree) = tree else {
                    all.incomplete = true;
                    continue;
                };
                for structure in tree.body {
                    match structure {
                        Structure::Attribute(attribute) => {
                            let name = attribute.key.as_str().to_owned();
                            let range = attribute.value.span().unwrap_or(0..0);
                            let span = Span::new(tree.file, range.start, range.end);
                            let key = attribute.key.span().unwrap_or(0..0);
                            let key = Span::new(tree.file, key.start, key.end);
                            if open.contains(name.as_str()) {
                                sources.reveal(Span::new(tree.file, key.start, span.end));
                            }
                            if !known(&name) {
                                out.push(undeclared(&name, key, names(), Diagnostic::warning));
                                continue;
                            }
                            let expression = attribute.value;
                            all.given
                                .insert(name, Given::Expression { expression, span });
                        }
                        Structure::Block(block) => {
                            let range = block.ident.span().unwrap_or(0..0);
                            out.push(
                                Diagnostic::error(codes::UNKNOWN_BLOCK)
                                    .at(Span::new(tree.file, range.start, range.end), "a file of values has no blocks")
                                    .help("declare variables in a `.hcl` file, and give only `name = value` here"),
                            );
                        }
                    }
                }
            }
        }
    }
    all
}

fn undeclared<'d>(
    name: &str,
    span: Span,
    declared: impl Iterator<Item = &'d str>,
    make: fn(crate::diag::Code) -> Diagnostic,
) -> Diagnostic {
    let found = make(codes::UNDECLARED_VARIABLE).at(span, format!("for variable `{name}`"));
    match crate::diag::suggest(name, declared) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help(format!("declare it: `variable \"{name}\" {{ … }}`")),
    }
}

/// Gives every variable its value in `scope`.
pub(super) fn assign(
    blocks: &[&Block],
    inputs: &Inputs,
    decoder: &mut Decoder<'_>,
    scope: &mut Frame<'_>,
) {
    for block in blocks {
        let slot = match value_of(block, inputs, decoder) {
            Ok(value) => Slot::Value(value),
            Err(Failed) => Slot::Failed,
        };
        scope.fill("var", block.name(), slot);
    }
}

/// Checks the values by the `validation` blocks, which may use all that has a value by then.
pub(super) fn validate(
    blocks: &[&Block],
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
    ledger: &mut Ledger,
) {
    for block in blocks {
        for validation in &block.blocks {
            let holds = check(block, validation, decoder, scope).is_ok();
            ledger.expect(holds, validation.span, || {
                format!("this condition on `var.{}`", block.name())
            });
        }
    }
}

fn value_of(block: &Block, inputs: &Inputs, decoder: &mut Decoder<'_>) -> Result<Value, Failed> {
    let ty = match block.attribute("type") {
        Some(attribute) => type_expr::read(
            &attribute.expression,
            attribute.span.file,
            &mut decoder.evaluator,
        )?,
        None => Type::Any,
    };
    decoder.text(block, "description", &Frame::new())?;
    let sensitive = flag(block, "sensitive", false, decoder)?;
    let nullable = flag(block, "nullable", true, decoder)?;
    let default = match block.attribute("default") {
        Some(attribute) => Some(default_of(
            block,
            attribute,
            &ty,
            (sensitive, nullable),
            decoder,
        )?),
        None => None,
    };
    let given = match inputs.given.get(block.name()) {
        Some(given) => Some(given_value(block, given, &ty, sensitive, decoder)?),
        None => None,
    };
    let value = match (given, default) {
        (Some((value, _)), Some(default)) if value.is_null() && !nullable => default,
        (Some((value, span)), None) if value.is_null() && !nullable => {
            return decoder.fail(
                codes::INVALID_VARIABLE,
                span,
                "this variable cannot be null",
            );
        }
        (Some((value, _)), _) => value,
        (None, Some(default)) => default,
        (None, None) if decoder.lenient => Value::unknown(ty),
        (None, None) if inputs.incomplete => return Err(Failed),
        (None, None) => {
            let name = block.name();
            decoder.report(
                Diagnostic::error(codes::MISSING_VARIABLE)
                    .at(block.span, "it has no default, and no value is given")
                    .help(format!(
                        "give one with `--var {name}=…`, `ROLECALL_VAR_{name}`, or a `.auto.vars.hcl` file"
                    )),
            );
            return Err(Failed);
        }
    };
    Ok(value.marked(sensitive))
}

fn flag(
    block: &Block,
    name: &str,
    default: bool,
    decoder: &mut Decoder<'_>,
) -> Result<bool, Failed> {
    let typed = decoder.typed(block, name, &Type::Bool, &Frame::new())?;
    Ok(typed
        .and_then(|(value, _)| value.as_bool())
        .unwrap_or(default))
}

fn default_of(
    block: &Block,
    attribute: &Attribute,
    ty: &Type,
    (sensitive, nullable): (bool, bool),
    decoder: &mut Decoder<'_>,
) -> Result<Value, Failed> {
    let span = attribute.span;
    let value = outside_value(block, &attribute.expression, span, sensitive, decoder)?;
    match convert::convert(&value, ty) {
        Ok(value) if value.is_null() && !nullable => {
            let message = "the default is null, and `nullable = false` forbids that";
            decoder.report(
                Diagnostic::error(codes::INVALID_VARIABLE)
                    .at(span, message)
                    .help("remove the default, so that a value is required, or give another one"),
            );
            Err(Failed)
        }
        Ok(value) => Ok(value),
        Err(error) => {
            let message = format!("the default does not fit the type: {}", error.describe());
            let span = hidden(span, sensitive).unwrap_or(block.span);
            decoder.fail(codes::INVALID_VARIABLE, span, &message)
        }
    }
}

fn given_value(
    block: &Block,
    given: &Given,
    ty: &Type,
    sensitive: bool,
    decoder: &mut Decoder<'_>,
) -> Result<(Value, Span), Failed> {
    let (value, span) = match given {
        Given::Expression { expression, span } => (
            outside_value(block, expression, *span, sensitive, decoder)?,
            *span,
        ),
        Given::Text {
            text,
            span,
            expression,
        } => {
            if ty.is_primitive() || *ty == Type::Any {
                (Value::from(text.as_str()), *span)
            } else if let Some(expression) = expression {
                // What is wrong with it would be told in its own words.
                let scope = Frame::new();
                let value = decoder.evaluator.attempt(span.file, expression, &scope);
                let Some(value) = value else {
                    let message = format!("this cannot be evaluated as {}", ty.noun());
                    return refuse(block, hidden(*span, sensitive), &message, decoder);
                };
                (value, *span)
            } else {
                let message = format!("this cannot be read as {}", ty.noun());
                return refuse(block, hidden(*span, sensitive), &message, decoder);
            }
        }
    };
    match convert::convert(&value, ty) {
        Ok(value) => Ok((value, span)),
        Err(error) => refuse(block, hidden(span, sensitive), &error.describe(), decoder),
    }
}

/// Evaluates a value given from outside; what is wrong with a sensitive one is not shown.
fn outside_value(
    block: &Block,
    expression: &Expression,
    span: Span,
    sensitive: bool,
    decoder: &mut Decoder<'_>,
) -> Result<Value, Failed> {
    let scope = Frame::new();
    if !sensitive {
        return decoder.evaluator.evaluate(span.file, expression, &scope);
    }
    match decoder.evaluator.attempt(span.file, expression, &scope) {
        Some(value) => Ok(value),
        None => refuse(block, None, "its value cannot be evaluated", decoder),
    }
}

/// Points at no text when it must not be shown.
fn hidden(span: Span, sensitive: bool) -> Option<Span> {
    if sensitive { None } else { Some(span) }
}

fn refuse<T>(
    block: &Block,
    span: Option<Span>,
    message: &str,
    decoder: &mut Decoder<'_>,
) -> Result<T, Failed> {
    let found = Diagnostic::error(codes::INVALID_VARIABLE);
    decoder.report(match span {
        Some(span) => found.at(span, message).context(block.span, "declared here"),
        None => found.at(block.span, message),
    });
    Err(Failed)
}

/// Checks a value by one condition.
fn check(
    block: &Block,
    validation: &Block,
    decoder: &mut Decoder<'_>,
    scope: &Frame<'_>,
) -> Result<(), Failed> {
    let message = message_of(validation, decoder, scope);
    let Some(condition) = validation.attribute("condition") else {
        return Ok(());
    };
    let file = condition.span.file;
    let value = decoder
        .evaluator
        .evaluate(file, &condition.expression, scope)?;
    let span = condition.span;
    let holds = match convert::convert(&value, &Type::Bool) {
        Ok(value) if !value.is_null() => value.as_bool(),
        _ => {
            return decoder.fail(codes::INVALID_VALUE, span, "true or false is required");
        }
    };
    match (holds, message?) {
        (Some(true), _) => Ok(()),
        (None, _) if decoder.lenient => Ok(()),
        (None, _) => decoder.fail(codes::INVALID_VALUE, span, "this must be known to plan"),
        (Some(false), message) => {
            let message = match (message, validation.attribute("error_message")) {
                (Some(message), _) => message,
                // Evaluated once more to say what is wrong with it.
                (None, Some(attribute)) => decoder.value(attribute, scope)?,
                (None, None) => Value::null(),
            };
            let message = message.as_str().unwrap_or("the condition is false");
            decoder.report(
                Diagnostic::error(codes::VALIDATION_FAILED)
                    .at(span, "this is false")
                    .context(block.span, format!("for the value of `{}`", block.name()))
                    .help(message),
            );
            Err(Failed)
        }
    }
}

/// Evaluates the message of a condition; `None` if it cannot be, which is told only where it is needed,
/// since it may speak of what is wrong.
fn message_of(
    validation: &Block,
    decoder: &mut Decoder<'_>,
    scope: &Frame<'_>,
) -> Result<Option<Value>, Failed> {
    let Some(attribute) = validation.attribute("error_message") else {
        return Ok(None);
    };
    let file = attribute.span.file;
    let Some(value) = decoder
        .evaluator
        .attempt(file, &attribute.expression, scope)
    else {
        return Ok(None);
    };
    if value.has_sensitive() {
        return Ok(None);
    }
    match convert::convert(&value, &Type::String) {
        Ok(text) if text.as_str().is_some_and(|text| text.trim().is_empty()) => {
            let message = "this is empty, and is all that is said where the condition is false";
            decoder.fail(codes::INVALID_VALUE, attribute.span, message)
        }
        Ok(text) if !text.is_null() => Ok(Some(text)),
        _ => {
            let message = format!("a string is required, not {}", noun_of(&value));
            decoder.fail(codes::INVALID_VALUE, attribute.span, &message)
        }
    }
}
