//! `for` expressions.

use super::evaluator::{Evaluated, Evaluator, Failed};
use crate::diag::inert;
use crate::lang::types::noun_of;
use crate::lang::value::{Kind, Value};
use crate::lang::{Frame, Type, codes};
use hcl_edit::expr::{Expression, ForExpr};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The keys and values a loop runs over.
pub(super) enum Items {
    Known(Vec<(Value, Value)>),
    /// Not known yet; one stand-in of the right types.
    Unknown(Value, Value),
}

impl Evaluator<'_> {
    /// Returns what a loop runs over, in its order.
    pub(super) fn items(&mut self, collection: &Value, node: &Expression) -> Result<Items, Failed> {
        let items = match collection.kind() {
            Kind::List(items) => items
                .iter()
                .enumerate()
                .map(|(at, item)| (at.into(), item.clone()))
                .collect(),
            Kind::Set(items) => items
                .iter()
                .map(|item| (item.clone(), item.clone()))
                .collect(),
            Kind::Map(members) => members
                .iter()
                .map(|(key, member)| (Value::from(key.clone()), member.clone()))
                .collect(),
            Kind::Unknown(ty) => {
                let unknown = |ty: &Type| Value::unknown(ty.clone());
                return match ty {
                    Type::Any => Ok(Items::Unknown(unknown(&Type::Any), unknown(&Type::Any))),
                    Type::List(of) => Ok(Items::Unknown(unknown(&Type::Number), unknown(of))),
                    Type::Set(of) => Ok(Items::Unknown(unknown(of), unknown(of))),
                    Type::Map(of) => Ok(Items::Unknown(unknown(&Type::String), unknown(of))),
                    Type::Tuple(_) => {
                        Ok(Items::Unknown(unknown(&Type::Number), unknown(&Type::Any)))
                    }
                    Type::Object(_) => {
                        Ok(Items::Unknown(unknown(&Type::String), unknown(&Type::Any)))
                    }
                    _ => self.not_iterable(collection, node),
                };
            }
            _ => return self.not_iterable(collection, node),
        };
        Ok(Items::Known(items))
    }

    fn not_iterable<T>(&mut self, value: &Value, node: &Expression) -> Result<T, Failed> {
        let message = format!("a list, set or map is required, not {}", noun_of(value));
        self.error(codes::INVALID_FOR, node, message)
    }

    /// Makes the frame of one turn.
    pub(super) fn turn<'a>(
        scope: &'a Frame<'a>,
        key_name: Option<&str>,
        value_name: &str,
        key: &Value,
        value: &Value,
    ) -> Frame<'a> {
        let mut frame = scope.child();
        if let Some(key_name) = key_name {
            frame.set(key_name, key.clone());
        }
        frame.set(value_name, value.clone());
        frame
    }

    pub(super) fn for_expr(&mut self, node: &ForExpr, scope: &Frame<'_>) -> Evaluated {
        let collection = self.eval(&node.intro.collection_expr, scope)?;
        let marked = collection.is_sensitive();
        let result = match self.items(&collection, &node.intro.collection_expr)? {
            Items::Known(items) if node.key_expr.is_some() => {
                self.for_object(node, &items, scope)?
            }
            Items::Known(items) => self.for_list(node, &items, scope)?,
            Items::Unknown(key, value) => {
                // One turn with stand-ins finds what is wrong whatever the values will be.
                let items = [(key, value)];
                if node.key_expr.is_some() {
                    self.for_object(node, &items, scope)?;
                    Value::unknown(Type::Any)
                } else {
                    self.for_list(node, &items, scope)?;
                    Value::unknown(Type::list(Type::Any))
                }
            }
        };
        Ok(result.marked(marked))
    }

    fn for_list(
        &mut self,
        node: &ForExpr,
        items: &[(Value, Value)],
        scope: &Frame<'_>,
    ) -> Evaluated {
        let mut out = Vec::with_capacity(items.len());
        let mut unknown = false;
        let mut marked = false;
        for (key, value) in items {
            let frame = Self::frame(node, scope, key, value);
            match self.included(node, &frame)? {
                (Some(false), sensitive) => marked |= sensitive,
                (Some(true), sensitive) => {
                    marked |= sensitive;
                    out.push(self.eval(&node.value_expr, &frame)?);
                }
                (None, sensitive) => {
                    marked |= sensitive;
                    unknown = true;
                    self.eval(&node.value_expr, &frame)?;
                }
            }
        }
        if unknown {
            return Ok(Value::unknown(Type::list(Type::Any)).marked(marked));
        }
        Ok(Value::list(out).marked(marked))
    }

    fn for_object(
        &mut self,
        node: &ForExpr,
        items: &[(Value, Value)],
        scope: &Frame<'_>,
    ) -> Evaluated {
        let Some(key_expr) = &node.key_expr else {
            return Err(Failed);
        };
        let mut groups: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
        let mut unknown = false;
        let mut marked = false;
        for (key, value) in items {
            let frame = Self::frame(node, scope, key, value);
            let (included, sensitive) = self.included(node, &frame)?;
            marked |= sensitive;
            if included == Some(false) {
                continue;
            }
            let name = self.eval(key_expr, &frame);
            let value = self.eval(&node.value_expr, &frame);
            let name = self.key_text(&name?, key_expr)?;
            let value = value?;
            marked |= name.is_sensitive();
            let (Some(name), Some(true)) = (name.as_str(), included) else {
                unknown = true;
                continue;
            };
            let group = groups.entry(name.into()).or_default();
            if !group.is_empty() && !node.grouping {
                let shown = if marked {
                    "this key"
                } else {
                    &format!("the key \"{}\"", inert(name))
                };
                let span = self.span(key_expr);
                return self.fail(
                    crate::diag::Diagnostic::error(codes::DUPLICATE_KEY)
                        .at(span, format!("{shown} comes up twice"))
                        .help("add `...` after the value to gather all values of a key in a list"),
                );
            }
            group.push(value);
        }
        if unknown {
            return Ok(Value::unknown(Type::Any).marked(marked));
        }
        let members = groups
            .into_iter()
            .filter_map(|(key, mut group)| {
                let value = if node.grouping {
                    Value::list(group)
                } else {
                    group.pop()?
                };
                Some((key, value))
            })
            .collect();
        Ok(Value::map(members).marked(marked))
    }

    fn frame<'a>(node: &ForExpr, scope: &'a Frame<'a>, key: &Value, value: &Value) -> Frame<'a> {
        let key_name = node.intro.key_var.as_ref().map(|name| name.as_str());
        Self::turn(scope, key_name, node.intro.value_var.as_str(), key, value)
    }

    /// Returns whether this turn counts, `None` when not known yet, and whether that is sensitive.
    fn included(
        &mut self,
        node: &ForExpr,
        frame: &Frame<'_>,
    ) -> Result<(Option<bool>, bool), Failed> {
        let Some(condition) = &node.cond else {
            return Ok((Some(true), false));
        };
        let value = self.eval(&condition.expr, frame)?;
        Ok((
            self.condition(&value, &condition.expr)?,
            value.is_sensitive(),
        ))
    }
}
