//! Functions on lists, maps and objects.

use super::signature::{CallError, Function, Marks, Outcome, items_of, text_of, whole_of};
use crate::lang::types::noun_of;
use crate::lang::value::{Kind, RefKind, Value};
use crate::lang::{Type, compare, convert};
use std::collections::BTreeMap;

/// The most numbers `range` makes, as in Terraform.
const MAX_RANGE: usize = 1024;

pub(super) fn add(table: &mut Vec<Function>) {
    let list = || Type::list(Type::Any);
    let shallow = |f: Function| f.marks(Marks::Shallow);
    table.extend([
        shallow(
            Function::new(
                "length",
                "the number of elements or characters",
                Type::Number,
                length,
            )
            .arg("value", Type::Any),
        ),
        shallow(
            Function::new("concat", "all lists after one another", list(), concat)
                .rest("lists", Type::Any),
        ),
        Function::new(
            "contains",
            "whether an element is in a list or set",
            Type::Bool,
            contains,
        )
        .arg("list", Type::Any)
        .nullable_arg("value", Type::Any),
        Function::new("distinct", "without repetitions", list(), distinct).arg("list", list()),
        shallow(
            Function::new("flatten", "nested lists put into one", list(), flatten)
                .arg("list", Type::Any),
        ),
        shallow(
            Function::new("keys", "the keys, in order", Type::list(Type::String), keys)
                .arg("map", Type::Any),
        ),
        shallow(
            Function::new("values", "the values, in key order", list(), values)
                .arg("map", Type::Any),
        ),
        shallow(
            Function::new(
                "lookup",
                "the value of a key, or a default",
                Type::Any,
                lookup,
            )
            .arg("map", Type::Any)
            .arg("key", Type::String)
            .nullable_arg("default", Type::Any),
        ),
        shallow(
            Function::new("merge", "all maps in one; later ones win", Type::Any, merge)
                .nullable_rest("maps", Type::Any),
        ),
        Function::new("sort", "strings in order", Type::list(Type::String), sort)
            .arg("list", Type::list(Type::String)),
        shallow(Function::new("reverse", "backwards", list(), reverse).arg("list", Type::Any)),
        Function::new("range", "a run of numbers", Type::list(Type::Number), range)
            .arg("start", Type::Number)
            .optional_arg("limit", Type::Number)
            .optional_arg("step", Type::Number),
        shallow(
            Function::new(
                "zipmap",
                "a map of these keys and values",
                Type::Any,
                zipmap,
            )
            .arg("keys", Type::list(Type::String))
            .arg("values", Type::Any),
        ),
        shallow(
            Function::new(
                "coalesce",
                "the first value that is not null or \"\"",
                Type::Any,
                coalesce,
            )
            .nullable_rest("values", Type::Any),
        ),
        shallow(
            Function::new(
                "coalescelist",
                "the first list that is not empty",
                list(),
                coalescelist,
            )
            .nullable_rest("lists", Type::Any),
        ),
        Function::new(
            "compact",
            "without null and \"\"",
            Type::list(Type::String),
            compact,
        )
        .arg("list", Type::list(Type::String)),
        shallow(
            Function::new(
                "element",
                "an element; indices wrap around",
                Type::Any,
                element,
            )
            .arg("list", Type::Any)
            .arg("index", Type::Number),
        ),
        Function::new("index", "the first place of a value", Type::Number, index)
            .arg("list", Type::Any)
            .nullable_arg("value", Type::Any),
        shallow(
            Function::new("slice", "a part of a list", list(), slice)
                .arg("list", Type::Any)
                .arg("start", Type::Number)
                .arg("end", Type::Number),
        ),
        shallow(
            Function::new(
                "chunklist",
                "a list in parts of one size",
                list(),
                chunklist,
            )
            .arg("list", Type::Any)
            .arg("size", Type::Number),
        ),
        shallow(
            Function::new("one", "the only element, or null", Type::Any, one)
                .arg("list", Type::Any),
        ),
        Function::new("alltrue", "whether all are true", Type::Bool, alltrue)
            .arg("list", Type::list(Type::Bool)),
        Function::new("anytrue", "whether any is true", Type::Bool, anytrue)
            .arg("list", Type::list(Type::Bool)),
        Function::new(
            "sum",
            "all numbers together",
            Type::Number,
            super::numeric::sum,
        )
        .arg("list", Type::list(Type::Number)),
    ]);
}

fn list_of(a: &[Value], at: usize) -> Result<&[Value], CallError> {
    a.get(at).and_then(Value::as_items).ok_or_else(|| {
        let noun = a.get(at).map_or("nothing", noun_of);
        CallError::argument(at, format!("a list is required, not {noun}"))
    })
}

fn map_of(a: &[Value], at: usize) -> Result<&BTreeMap<std::sync::Arc<str>, Value>, CallError> {
    // What can be read from a scope is read in every way.
    let scope = a.get(at).and_then(Value::as_reference);
    let scope = scope.filter(|scope| matches!(scope.kind, RefKind::Organization | RefKind::Space));
    let members = a.get(at).and_then(Value::as_members);
    members
        .or(scope.map(|scope| &scope.attributes))
        .ok_or_else(|| {
            let noun = a.get(at).map_or("nothing", noun_of);
            CallError::argument(at, format!("a map is required, not {noun}"))
        })
}

fn length(a: &[Value]) -> Outcome {
    match a[0].kind() {
        Kind::List(items) | Kind::Set(items) => Ok(items.len().into()),
        Kind::Map(members) => Ok(members.len().into()),
        Kind::String(text) => Ok(text.chars().count().into()),
        _ => {
            let noun = noun_of(&a[0]);
            Err(CallError::argument(
                0,
                format!("a list, map or string is required, not {noun}"),
            ))
        }
    }
}

fn concat(a: &[Value]) -> Outcome {
    let mut out = Vec::new();
    for at in 0..a.len() {
        out.extend_from_slice(list_of(a, at)?);
    }
    Ok(Value::list(out))
}

fn contains(a: &[Value]) -> Outcome {
    match compare::holds(list_of(a, 0)?, &a[1]) {
        Ok(holds) => Ok(holds.into()),
        Err(unlike) => Err(CallError::unlike(&unlike)),
    }
}

fn distinct(a: &[Value]) -> Outcome {
    let mut seen: Vec<&Value> = Vec::new();
    let mut out = Vec::new();
    for item in items_of(a, 0) {
        if let Err(at) = seen.binary_search_by(|other| other.order(item)) {
            seen.insert(at, item);
            out.push(item.clone());
        }
    }
    Ok(Value::list(out))
}

fn flatten(a: &[Value]) -> Outcome {
    fn walk(items: &[Value], marked: bool, out: &mut Vec<Value>) -> bool {
        items
            .iter()
            .all(|item| match (item.kind(), item.as_items()) {
                (Kind::Unknown(Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_)), _) => {
                    false
                }
                (_, Some(inner)) => walk(inner, marked || item.is_sensitive(), out),
                (_, None) => {
                    out.push(item.clone().marked(marked));
                    true
                }
            })
    }
    let mut out = Vec::new();
    if walk(list_of(a, 0)?, false, &mut out) {
        Ok(Value::list(out))
    } else {
        Ok(Value::unknown(Type::list(Type::Any)))
    }
}

fn keys(a: &[Value]) -> Outcome {
    Ok(Value::list(
        map_of(a, 0)?
            .keys()
            .map(|key| Value::from(key.clone()))
            .collect(),
    ))
}

fn values(a: &[Value]) -> Outcome {
    Ok(Value::list(map_of(a, 0)?.values().cloned().collect()))
}

fn lookup(a: &[Value]) -> Outcome {
    Ok(map_of(a, 0)?.get(text_of(a, 1)).unwrap_or(&a[2]).clone())
}

fn merge(a: &[Value]) -> Outcome {
    let mut out = BTreeMap::new();
    for (at, value) in a.iter().enumerate() {
        if !value.is_null() {
            out.extend(
                map_of(a, at)?
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
        }
    }
    Ok(Value::map(out))
}

fn sort(a: &[Value]) -> Outcome {
    let mut out = items_of(a, 0).to_vec();
    if out.iter().any(Value::is_null) {
        return Err(CallError::argument(0, "an element of the list is null"));
    }
    out.sort_by(Value::order);
    Ok(Value::list(out))
}

fn reverse(a: &[Value]) -> Outcome {
    Ok(Value::list(list_of(a, 0)?.iter().rev().cloned().collect()))
}

fn range(a: &[Value]) -> Outcome {
    let number = |at: usize| a.get(at).and_then(Value::as_number).cloned();
    let zero = crate::lang::Number::from(0usize);
    let one = crate::lang::Number::from(1usize);
    let first = number(0).unwrap_or_else(|| zero.clone());
    let (start, limit) = match number(1) {
        Some(limit) => (first, limit),
        None => (zero.clone(), first),
    };
    let down = limit < start;
    let step = number(2).unwrap_or_else(|| if down { one.neg() } else { one });
    if step.is_zero() || step.is_negative() != down && start != limit {
        return Err(CallError::call(
            "the step does not lead from the start to the limit",
        ));
    }
    let mut out = Vec::new();
    let mut at = start;
    while if down { at > limit } else { at < limit } {
        if out.len() >= MAX_RANGE {
            return Err(CallError::call(format!("more than {MAX_RANGE} numbers")));
        }
        out.push(at.clone().into());
        at = at
            .add(&step)
            .map_err(|_| CallError::call("a number is too large"))?;
    }
    Ok(Value::list(out))
}

fn zipmap(a: &[Value]) -> Outcome {
    let (keys, values) = (items_of(a, 0), list_of(a, 1)?);
    if keys.len() != values.len() {
        let message = format!("there are {} keys and {} values", keys.len(), values.len());
        return Err(CallError::argument(1, message));
    }
    let mut out = BTreeMap::new();
    let mut marked = false;
    for (key, value) in keys.iter().zip(values) {
        let Some(name) = key.as_str() else {
            if key.is_unknown() {
                return Ok(Value::unknown(Type::Any));
            }
            return Err(CallError::argument(0, "a key is null"));
        };
        marked |= key.is_sensitive();
        out.insert(name.into(), value.clone());
    }
    Ok(Value::map(out).marked(marked))
}

fn coalesce(a: &[Value]) -> Outcome {
    let Some(ty) = a
        .iter()
        .try_fold(Type::Any, |ty, v| Type::unify(&ty, &Type::of(v)))
    else {
        return Err(CallError::call("the values have no type in common"));
    };
    let chosen = a
        .iter()
        .find(|value| !value.is_null() && value.as_str() != Some(""));
    let Some(chosen) = chosen else {
        return Err(CallError::call("all values are null or empty strings"));
    };
    convert::convert(chosen, &ty).map_err(|error| CallError::call(error.describe()))
}

fn coalescelist(a: &[Value]) -> Outcome {
    for at in 0..a.len() {
        if !a[at].is_null() && !list_of(a, at)?.is_empty() {
            return Ok(a[at].clone());
        }
    }
    Err(CallError::call("all lists are null or empty"))
}

fn compact(a: &[Value]) -> Outcome {
    let kept = items_of(a, 0)
        .iter()
        .filter(|v| !v.is_null() && v.as_str() != Some(""));
    Ok(Value::list(kept.cloned().collect()))
}

fn element(a: &[Value]) -> Outcome {
    let items = list_of(a, 0)?;
    let index = whole_of(a, 1)?;
    let Ok(len) = i64::try_from(items.len()) else {
        return Err(CallError::argument(0, "the list is too long"));
    };
    if len == 0 {
        return Err(CallError::argument(0, "the list is empty"));
    }
    let at = usize::try_from(index.rem_euclid(len)).unwrap_or(0);
    Ok(items[at].clone())
}

fn index(a: &[Value]) -> Outcome {
    for (at, item) in list_of(a, 0)?.iter().enumerate() {
        match compare::same(item, &a[1]) {
            Ok(Some(true)) => return Ok(at.into()),
            Ok(_) => {}
            Err(unlike) => return Err(CallError::unlike(&unlike)),
        }
    }
    Err(CallError::argument(1, "the list does not contain this"))
}

fn slice(a: &[Value]) -> Outcome {
    let items = list_of(a, 0)?;
    let (start, end) = (whole_of(a, 1)?, whole_of(a, 2)?);
    let start = usize::try_from(start)
        .ok()
        .filter(|start| *start <= items.len());
    let Some(start) = start else {
        return Err(CallError::argument(1, "the start is outside of the list"));
    };
    let end = usize::try_from(end)
        .ok()
        .filter(|end| (start..=items.len()).contains(end));
    let Some(end) = end else {
        return Err(CallError::argument(
            2,
            "the end is outside of the list or before the start",
        ));
    };
    Ok(Value::list(items[start..end].to_vec()))
}

fn chunklist(a: &[Value]) -> Outcome {
    let items = list_of(a, 0)?;
    let Ok(size) = usize::try_from(whole_of(a, 1)?) else {
        return Err(CallError::argument(1, "the size is below zero"));
    };
    let size = if size == 0 { items.len().max(1) } else { size };
    Ok(Value::list(
        items
            .chunks(size)
            .map(|chunk| Value::list(chunk.to_vec()))
            .collect(),
    ))
}

fn one(a: &[Value]) -> Outcome {
    match list_of(a, 0)? {
        [] => Ok(Value::null()),
        [only] => Ok(only.clone()),
        items => {
            let message = format!("one element or none is required, not {}", items.len());
            Err(CallError::argument(0, message))
        }
    }
}

fn alltrue(a: &[Value]) -> Outcome {
    Ok(items_of(a, 0)
        .iter()
        .all(|item| item.as_bool() == Some(true))
        .into())
}

fn anytrue(a: &[Value]) -> Outcome {
    Ok(items_of(a, 0)
        .iter()
        .any(|item| item.as_bool() == Some(true))
        .into())
}
