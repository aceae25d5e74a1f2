//! Functions on numbers.

use super::signature::{CallError, Function, Outcome, items_of, text_of, whole_of};
use crate::lang::value::Value;
use crate::lang::{Number, Type};

pub(super) fn add(table: &mut Vec<Function>) {
    let one = |name, about, body| {
        Function::new(name, about, Type::Number, body).arg("number", Type::Number)
    };
    table.extend([
        one("abs", "the distance from zero", |a| on(a, Number::abs)),
        one("ceil", "rounded up", |a| on(a, Number::ceil)),
        one("floor", "rounded down", |a| on(a, Number::floor)),
        one("signum", "-1, 0 or 1", |a| {
            on(a, |n| {
                Number::from(i64::from(!n.is_zero()) - 2 * i64::from(n.is_negative()))
            })
        }),
        Function::new("max", "the largest", Type::Number, |a| {
            best(a, |x, y| x > y)
        })
        .rest("numbers", Type::Number),
        Function::new("min", "the smallest", Type::Number, |a| {
            best(a, |x, y| x < y)
        })
        .rest("numbers", Type::Number),
        Function::new(
            "parseint",
            "a number read in a base",
            Type::Number,
            parseint,
        )
        .arg("string", Type::String)
        .arg("base", Type::Number),
    ]);
}

fn on(a: &[Value], body: fn(&Number) -> Number) -> Outcome {
    match a[0].as_number() {
        Some(number) => Ok(body(number).into()),
        None => Err(CallError::argument(0, "a number is required")),
    }
}

fn best(a: &[Value], better: fn(&Number, &Number) -> bool) -> Outcome {
    let chosen = a
        .iter()
        .filter_map(Value::as_number)
        .reduce(|x, y| if better(y, x) { y } else { x });
    match chosen {
        Some(number) => Ok(number.clone().into()),
        None => Err(CallError::call("at least one number is required")),
    }
}

fn parseint(a: &[Value]) -> Outcome {
    let base = u32::try_from(whole_of(a, 1)?)
        .ok()
        .filter(|base| (2..=36).contains(base));
    let Some(base) = base else {
        return Err(CallError::argument(1, "a base from 2 to 36 is required"));
    };
    match i64::from_str_radix(text_of(a, 0), base) {
        Ok(number) => Ok(Number::from(number).into()),
        Err(_) => Err(CallError::argument(
            0,
            format!("not a whole number in base {base}"),
        )),
    }
}

/// Adds all numbers of a list.
pub(super) fn sum(a: &[Value]) -> Outcome {
    if items_of(a, 0).is_empty() {
        return Err(CallError::argument(0, "the list is empty"));
    }
    let mut total = Number::from(0usize);
    for item in items_of(a, 0) {
        let Some(number) = item.as_number() else {
            return Err(CallError::argument(0, "an element of the list is null"));
        };
        total = total
            .add(number)
            .map_err(|_| CallError::call("the sum is too large"))?;
    }
    Ok(total.into())
}
