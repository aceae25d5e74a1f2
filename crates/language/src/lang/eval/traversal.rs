//! Attribute access, index and splats.

use super::evaluator::{Evaluated, Evaluator};
use crate::diag::{Diagnostic, Span, inert};
use crate::lang::frame::{Binding, Slot, bare_root, unknown_member, unknown_root};
use crate::lang::refs::{constant_step, step_range};
use crate::lang::types::noun_of;
use crate::lang::value::{Kind, RefKind, Value};
use crate::lang::{Failed, Frame, Type, codes, convert};
use hcl_edit::Decorated;
use hcl_edit::expr::{Expression, Traversal, TraversalOperator};

/// The most `[*]` and `.*` in one traversal.
const MAX_SPLATS: usize = 32;

impl Evaluator<'_> {
    pub(super) fn traversal(&mut self, traversal: &Traversal, scope: &Frame<'_>) -> Evaluated {
        let operators = &traversal.operators[..];
        let is_splat = |operator: &&Decorated<TraversalOperator>| {
            matches!(
                operator.value(),
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_)
            )
        };
        if let Some(excess) = operators.iter().filter(is_splat).nth(MAX_SPLATS) {
            let message = format!("more than {MAX_SPLATS} splats in one expression");
            return self.error(codes::TOO_DEEP, excess, message);
        }
        let Expression::Variable(root) = &traversal.expr else {
            let value = self.eval(&traversal.expr, scope)?;
            return self.apply(value, operators, scope);
        };
        let span = self.span(root);
        match scope.find(root.as_str()) {
            None => self.fail(unknown_root(root.as_str(), span, scope)),
            Some(Binding::Value(value)) => self.apply(value.clone(), operators, scope),
            Some(Binding::Names(names)) => {
                let Some((first, rest)) = operators.split_first() else {
                    return self.fail(bare_root(root.as_str(), span, names));
                };
                let Some(member) = constant_step(first.value()) else {
                    return self.fail(bare_root(root.as_str(), span, names));
                };
                match names.slots.get(member) {
                    Some(Slot::Value(value)) => self.apply(value.clone(), rest, scope),
                    Some(Slot::Failed) => Err(Failed),
                    None if names.partial => Err(Failed),
                    None => {
                        let span = self.step_span(first.value());
                        self.fail(unknown_member(root.as_str(), member, span, names))
                    }
                }
            }
        }
    }

    fn step_span(&self, operator: &TraversalOperator) -> Span {
        match step_range(operator) {
            Some(range) => Span::new(self.file, range.start, range.end),
            None => self.span(operator),
        }
    }

    /// Applies the steps of a traversal to a value.
    fn apply(
        &mut self,
        mut value: Value,
        operators: &[Decorated<TraversalOperator>],
        scope: &Frame<'_>,
    ) -> Evaluated {
        let mut rest = operators;
        while let Some((operator, after)) = rest.split_first() {
            rest = after;
            let splat = matches!(
                operator.value(),
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_)
            );
            let items = value.as_items().filter(|_| splat).map_or(0, <[Value]>::len);
            self.charge(1 + items, operator)?;
            value = match operator.value() {
                TraversalOperator::GetAttr(name) => {
                    let span = self.span(name);
                    self.attribute(&value, name.as_str(), span)?
                }
                TraversalOperator::LegacyIndex(index) => {
                    let index = Value::from(usize::try_from(*index.value()).unwrap_or(usize::MAX));
                    self.index(&value, &index, operator)?
                }
                TraversalOperator::Index(expression) => {
                    let index = self.eval(expression, scope)?;
                    self.index(&value, &index, expression)?
                }
                TraversalOperator::FullSplat(_) => {
                    return self.splat(&value, after, scope);
                }
                TraversalOperator::AttrSplat(_) => {
                    let attributes = after
                        .iter()
                        .take_while(|o| matches!(o.value(), TraversalOperator::GetAttr(_)))
                        .count();
                    let (each, others) = after.split_at(attributes);
                    rest = others;
                    self.splat(&value, each, scope)?
                }
            };
        }
        Ok(value)
    }

    /// Applies `operators` to each element of a value; a value that is no list counts as one.
    fn splat(
        &mut self,
        value: &Value,
        operators: &[Decorated<TraversalOperator>],
        scope: &Frame<'_>,
    ) -> Evaluated {
        let marked = value.is_sensitive();
        let items: Vec<Value> = match value.kind() {
            Kind::Null => Vec::new(),
            Kind::Unknown(_) => {
                return Ok(Value::unknown(Type::list(Type::Any)).marked(marked));
            }
            Kind::List(items) | Kind::Set(items) => items.to_vec(),
            _ => vec![value.clone()],
        };
        let results: Vec<Evaluated> = items
            .into_iter()
            .map(|item| self.apply(item, operators, scope))
            .collect();
        Ok(Value::list(results.into_iter().collect::<Result<_, _>>()?).marked(marked))
    }

    fn attribute(&mut self, value: &Value, name: &str, span: Span) -> Evaluated {
        let marked = value.is_sensitive();
        let members = match value.kind() {
            Kind::Map(members) => &**members,
            Kind::Reference(reference) => &reference.attributes,
            Kind::Unknown(ty) => return self.unknown_attribute(ty, name, span, marked),
            _ => return self.fail(no_attributes(value, name, span)),
        };
        if let Some(member) = members.get(name) {
            return Ok(member.clone().marked(marked));
        }
        let found = Diagnostic::error(codes::UNSUPPORTED_ATTRIBUTE).at(
            span,
            format!("{} has no attribute `{name}`", subject(value)),
        );
        let found = if marked {
            found
        } else {
            found.suggesting(name, members.keys().map(|key| &**key))
        };
        self.fail(found)
    }

    fn unknown_attribute(&mut self, ty: &Type, name: &str, span: Span, marked: bool) -> Evaluated {
        let found = match ty {
            Type::Any => Type::Any,
            Type::Map(of) => (**of).clone(),
            Type::Object(fields) => match fields.get(name) {
                Some(field) => field.ty.clone(),
                None => {
                    return self.fail(
                        Diagnostic::error(codes::UNSUPPORTED_ATTRIBUTE)
                            .at(span, format!("this object has no attribute `{name}`"))
                            .suggesting(name, fields.keys().map(|key| &**key)),
                    );
                }
            },
            Type::Reference(RefKind::ServiceAccount) => Type::Any,
            scope if scope.is_scope() => {
                // Only the scope of an account that a policy judges has a name.
                let known = ["id", "kind", "mrn", "name"];
                if known.contains(&name) {
                    Type::String
                } else {
                    return self.fail(
                        Diagnostic::error(codes::UNSUPPORTED_ATTRIBUTE)
                            .at(span, format!("{} has no attribute `{name}`", scope.noun()))
                            .suggesting(name, known),
                    );
                }
            }
            other => {
                let value = Value::unknown(other.clone());
                return self.fail(no_attributes(&value, name, span));
            }
        };
        Ok(Value::unknown(found).marked(marked))
    }

    fn index(&mut self, value: &Value, index: &Value, node: &impl hcl_edit::Span) -> Evaluated {
        let marked = value.is_sensitive() || index.is_sensitive();
        if index.is_null() {
            return self.error(codes::INVALID_INDEX, node, "an index cannot be null");
        }
        match value.kind() {
            Kind::List(items) => {
                let Some(position) = self.position(index, items.len(), node)? else {
                    let types = items.iter().map(Type::of);
                    return Ok(Value::unknown(Type::common(types)).marked(marked));
                };
                Ok(items[position].clone().marked(marked))
            }
            Kind::Map(members) => {
                let key = match convert::convert(index, &Type::String) {
                    Ok(key) => key,
                    Err(error) => {
                        return self.error(codes::INVALID_INDEX, node, error.describe());
                    }
                };
                let Some(key) = key.as_str() else {
                    let types = members.values().map(Type::of);
                    return Ok(Value::unknown(Type::common(types)).marked(marked));
                };
                if let Some(member) = members.get(key) {
                    return Ok(member.clone().marked(marked));
                }
                let span = self.span(node);
                let found = Diagnostic::error(codes::INVALID_INDEX);
                self.fail(if marked {
                    found.at(span, "there is no element with this key")
                } else {
                    found
                        .at(
                            span,
                            format!("there is no element with the key \"{}\"", inert(key)),
                        )
                        .suggesting(key, members.keys().map(|key| &**key))
                })
            }
            Kind::Reference(_) if index.as_str().is_some() => {
                let span = self.span(node);
                self.attribute(value, index.as_str().unwrap_or_default(), span)
            }
            Kind::Unknown(ty) => {
                let element = match ty {
                    Type::List(of) | Type::Map(of) => (**of).clone(),
                    Type::Any | Type::Tuple(_) | Type::Object(_) => Type::Any,
                    Type::Reference(RefKind::ServiceAccount) => ty.clone(),
                    _ => return self.error(codes::INVALID_INDEX, node, no_elements(value)),
                };
                Ok(Value::unknown(element).marked(marked))
            }
            _ => self.error(codes::INVALID_INDEX, node, no_elements(value)),
        }
    }

    /// Converts an index to a position below `len`; `None` when it is not known yet.
    fn position(
        &mut self,
        index: &Value,
        len: usize,
        node: &impl hcl_edit::Span,
    ) -> Result<Option<usize>, Failed> {
        let number = match convert::convert(index, &Type::Number) {
            Ok(number) => number,
            Err(error) => return self.error(codes::INVALID_INDEX, node, error.describe()),
        };
        let Some(number) = number.as_number() else {
            return Ok(None);
        };
        match number.to_usize() {
            Some(position) if position < len => Ok(Some(position)),
            _ => {
                let shown = if index.is_sensitive() {
                    "this".into()
                } else {
                    number.to_string()
                };
                let message = match len {
                    0 => "the list is empty".to_owned(),
                    1 => format!("the list has one element; {shown} is not 0"),
                    len => format!(
                        "the list has {len} elements; {shown} is not one of 0 to {}",
                        len - 1
                    ),
                };
                self.error(codes::INVALID_INDEX, node, message)
            }
        }
    }
}

fn subject(value: &Value) -> String {
    match value.as_reference() {
        Some(reference) => format!("`{}`", reference.address),
        None => "this object".to_owned(),
    }
}

fn no_attributes(value: &Value, name: &str, span: Span) -> Diagnostic {
    let found = Diagnostic::error(codes::UNSUPPORTED_ATTRIBUTE)
        .at(span, format!("{} has no attributes", noun_of(value)));
    match value.kind() {
        Kind::List(_) | Kind::Set(_) | Kind::Unknown(Type::List(_) | Type::Tuple(_)) => found.help(
            format!("write `[*].{name}` for this attribute of every element"),
        ),
        _ => found,
    }
}

fn no_elements(value: &Value) -> String {
    match value.kind() {
        Kind::Set(_) | Kind::Unknown(Type::Set(_)) => {
            "elements of a set have no index; convert it with tolist()".to_owned()
        }
        Kind::Reference(r) if r.kind == RefKind::ServiceAccount => {
            format!("`{}` has no instances", r.address)
        }
        _ => format!("{} has no elements", noun_of(value)),
    }
}
