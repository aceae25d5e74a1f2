//! Functions between types, and those on marks and failures.

use super::signature::{CallError, Function, Marks, Outcome};
use crate::lang::value::Value;
use crate::lang::{Type, convert};

pub(super) fn add(table: &mut Vec<Function>) {
    let simple = |name, about, ty: Type, body| {
        Function::new(name, about, ty, body).nullable_arg("value", Type::Any)
    };
    let shallow = |f: Function| f.marks(Marks::Shallow);
    table.extend([
        simple("tostring", "as a string", Type::String, |a| {
            to(a, &Type::String)
        }),
        simple("tonumber", "as a number", Type::Number, |a| {
            to(a, &Type::Number)
        }),
        simple("tobool", "as a bool", Type::Bool, |a| to(a, &Type::Bool)),
        shallow(simple("tolist", "as a list", Type::list(Type::Any), |a| {
            to(a, &Type::list(Type::Any))
        })),
        shallow(simple("toset", "as a set", Type::set(Type::Any), toset)),
        shallow(simple("tomap", "as a map", Type::map(Type::Any), |a| {
            to(a, &Type::map(Type::Any))
        })),
        simple(
            "sensitive",
            "marked, so that it is never shown",
            Type::Any,
            |a| Ok(a[0].clone().marked(true)),
        )
        .marks(Marks::Own),
        simple("issensitive", "whether it is marked", Type::Bool, |a| {
            Ok(a[0].has_sensitive().into())
        })
        .marks(Marks::Own),
        // The evaluator runs these two itself: they look at failures.
        Function::new("try", "the first that can be evaluated", Type::Any, own)
            .nullable_arg("expression", Type::Any)
            .nullable_rest("expressions", Type::Any)
            .marks(Marks::Own),
        simple("can", "whether it can be evaluated", Type::Bool, own).marks(Marks::Own),
    ]);
}

fn to(a: &[Value], ty: &Type) -> Outcome {
    convert::convert(&a[0], ty)
        .map(Value::unmarked)
        .map_err(|error| CallError::argument(0, error.describe()))
}

fn toset(a: &[Value]) -> Outcome {
    let marked = a[0]
        .as_items()
        .is_some_and(|items| items.iter().any(Value::has_sensitive));
    if a[0]
        .as_items()
        .is_some_and(|items| items.iter().any(Value::has_unknown))
    {
        return Ok(Value::unknown(Type::set(Type::Any)).marked(marked));
    }
    // Elements of a set cannot be told apart by their mark, so the set takes it.
    Ok(to(a, &Type::set(Type::Any))?.marked(marked))
}

fn own(_: &[Value]) -> Outcome {
    Err(CallError::call("this function cannot be called here"))
}
