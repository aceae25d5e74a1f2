//! `format` and `formatlist`.

use super::signature::{CallError, Function, Outcome, check_size, text_of};
use crate::lang::value::{Kind, Value};
use crate::lang::{Type, convert};

/// The widest padding.
const MAX_WIDTH: usize = 1024;

pub(super) fn add(table: &mut Vec<Function>) {
    table.push(
        Function::new(
            "format",
            "a text with verbs %s %d %q %v %% filled in",
            Type::String,
            format,
        )
        .arg("format", Type::String)
        .nullable_rest("values", Type::Any),
    );
    table.push(
        Function::new(
            "formatlist",
            "format() for each element of lists",
            Type::list(Type::String),
            formatlist,
        )
        .arg("format", Type::String)
        .nullable_rest("values", Type::Any),
    );
}

fn format(a: &[Value]) -> Outcome {
    let values: Vec<&Value> = a.iter().skip(1).collect();
    Ok(fill(text_of(a, 0), &values)?.into())
}

fn formatlist(a: &[Value]) -> Outcome {
    let mut length = None;
    for (at, value) in a.iter().enumerate().skip(1) {
        if let Some(items) = value.as_items()
            && *length.get_or_insert(items.len()) != items.len()
        {
            return Err(CallError::argument(at, "the lists have different lengths"));
        }
    }
    let mut out = Vec::new();
    for turn in 0..length.unwrap_or(1) {
        let values: Vec<&Value> = a[1..]
            .iter()
            .map(|value| {
                value
                    .as_items()
                    .and_then(|items| items.get(turn))
                    .unwrap_or(value)
            })
            .collect();
        out.push(fill(text_of(a, 0), &values)?.into());
    }
    Ok(Value::list(out))
}

/// One verb: `%[flags][width][.precision]letter`.
#[derive(Default)]
struct Verb {
    left: bool,
    zeros: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
}

fn fill(template: &str, values: &[&Value]) -> Result<String, CallError> {
    let mut out = String::new();
    let mut used = 0;
    let mut rest = template.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if rest.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let mut verb = Verb::default();
        loop {
            match rest.peek() {
                Some('-') => verb.left = true,
                Some('0') => verb.zeros = true,
                Some('+') => verb.plus = true,
                _ => break,
            }
            rest.next();
        }
        verb.width = digits(&mut rest)?.unwrap_or(0);
        if rest.next_if_eq(&'.').is_some() {
            verb.precision = Some(digits(&mut rest)?.unwrap_or(0));
        }
        let Some(letter) = rest.next() else {
            return Err(CallError::argument(
                0,
                "the text ends in the middle of a verb",
            ));
        };
        let Some(value) = values.get(used) else {
            let message = format!("there is no value for verb {} (`%{letter}`)", used + 1);
            return Err(CallError::argument(0, message));
        };
        used += 1;
        let shown =
            one(letter, &verb, value).map_err(|message| CallError::argument(used, message))?;
        pad(&mut out, &shown, &verb, letter);
        check_size(Some(out.len()))?;
    }
    if used < values.len() {
        let message = format!("there are {} values, but only {used} verbs", values.len());
        return Err(CallError::argument(used + 1, message));
    }
    Ok(out)
}

fn digits(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>, CallError> {
    let mut number = None;
    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
        rest.next();
        let next = number.unwrap_or(0) * 10 + digit as usize;
        if next > MAX_WIDTH {
            return Err(CallError::argument(
                0,
                format!("a width may be {MAX_WIDTH} at most"),
            ));
        }
        number = Some(next);
    }
    Ok(number)
}

fn one(letter: char, verb: &Verb, value: &Value) -> Result<String, String> {
    match letter {
        's' | 'q' => {
            let text = match value.kind() {
                Kind::Null => return Err("null cannot be shown as a string".to_owned()),
                _ => convert::convert(value, &Type::String).map_err(|e| e.describe())?,
            };
            let text = text.as_str().unwrap_or_default();
            let text: String = match verb.precision {
                Some(most) => text.chars().take(most).collect(),
                None => text.to_owned(),
            };
            Ok(if letter == 'q' {
                super::json::quote(&text)
            } else {
                text
            })
        }
        'd' | 'f' | 'x' | 'X' | 'b' | 'o' => number(letter, verb, value),
        't' => {
            let yes = convert::convert(value, &Type::Bool).map_err(|e| e.describe())?;
            yes.as_bool()
                .map(|yes| yes.to_string())
                .ok_or_else(|| "a bool is required, not null".to_owned())
        }
        'v' => match value.kind() {
            Kind::String(text) => Ok(text.to_string()),
            Kind::Reference(_) => Err("this cannot be shown as text; take its `id`".to_owned()),
            _ => super::json::encode(value).map_err(|e| e.message),
        },
        other => Err(format!(
            "there is no verb `%{}`; use %s, %d, %q, %v or %%",
            other.escape_default()
        )),
    }
}

fn number(letter: char, verb: &Verb, value: &Value) -> Result<String, String> {
    let number = convert::convert(value, &Type::Number).map_err(|e| e.describe())?;
    let Some(number) = number.as_number() else {
        return Err("a number is required, not null".into());
    };
    let sign = if verb.plus && !number.is_negative() {
        "+"
    } else {
        ""
    };
    if letter == 'f' {
        let places = verb.precision.unwrap_or(6);
        return Ok(format!("{sign}{}", number.rounded(places)));
    }
    let Some(whole) = number.to_i64() else {
        // Terraform drops the fraction here.
        return match letter {
            'd' => Ok(format!(
                "{sign}{}",
                if number.is_negative() {
                    number.ceil()
                } else {
                    number.floor()
                }
            )),
            _ => Err("the number is not whole or too large".to_owned()),
        };
    };
    let minus = if whole < 0 { "-" } else { sign };
    let size = whole.unsigned_abs();
    Ok(match letter {
        'x' => format!("{minus}{size:x}"),
        'X' => format!("{minus}{size:X}"),
        'b' => format!("{minus}{size:b}"),
        'o' => format!("{minus}{size:o}"),
        _ => format!("{minus}{size}"),
    })
}

fn pad(out: &mut String, shown: &str, verb: &Verb, letter: char) {
    let missing = verb.width.saturating_sub(shown.chars().count());
    let fill = |out: &mut String, c| out.extend(std::iter::repeat_n(c, missing));
    if verb.left {
        out.push_str(shown);
        fill(out, ' ');
    } else if verb.zeros && matches!(letter, 'd' | 'f' | 'x' | 'X' | 'b' | 'o') {
        let sign = usize::from(shown.starts_with(['-', '+']));
        out.push_str(&shown[..sign]);
        fill(out, '0');
        out.push_str(&shown[sign..]);
    } else {
        fill(out, ' ');
        out.push_str(shown);
    }
}
