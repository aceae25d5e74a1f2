//! Functions on text.

use super::signature::{CallError, Function, Outcome, check_size, items_of, text_of, whole_of};
use crate::lang::Type;
use crate::lang::value::Value;

pub(super) fn add(table: &mut Vec<Function>) {
    let string = || Type::String;
    let one = |name, about, body| {
        Function::new(name, about, Type::String, body).arg("string", Type::String)
    };
    table.extend([
        one("upper", "all letters in upper case", |a| {
            Ok(text_of(a, 0).to_uppercase().into())
        }),
        one("lower", "all letters in lower case", |a| {
            Ok(text_of(a, 0).to_lowercase().into())
        }),
        one(
            "title",
            "the first letter of each word in upper case",
            title,
        ),
        one("trimspace", "without white space at its ends", |a| {
            Ok(text_of(a, 0).trim().into())
        }),
        one("chomp", "without line ends at its end", |a| {
            Ok(text_of(a, 0).trim_end_matches(['\n', '\r']).into())
        }),
        one("strrev", "backwards", |a| {
            Ok(text_of(a, 0).chars().rev().collect::<String>().into())
        }),
        one("trimprefix", "without that beginning", |a| {
            let text = text_of(a, 0);
            Ok(text.strip_prefix(text_of(a, 1)).unwrap_or(text).into())
        })
        .arg("prefix", string()),
        one("trimsuffix", "without that end", |a| {
            let text = text_of(a, 0);
            Ok(text.strip_suffix(text_of(a, 1)).unwrap_or(text).into())
        })
        .arg("suffix", string()),
        one("trim", "without any of these characters at its ends", |a| {
            let set = text_of(a, 1);
            Ok(text_of(a, 0).trim_matches(|c| set.contains(c)).into())
        })
        .arg("characters", string()),
        one("replace", "each occurrence of a text replaced", replace)
            .arg("substring", string())
            .arg("replacement", string()),
        one(
            "substr",
            "a part, by offset and length in characters",
            substr,
        )
        .arg("offset", Type::Number)
        .arg("length", Type::Number),
        Function::new(
            "split",
            "the parts between separators",
            Type::list(Type::String),
            split,
        )
        .arg("separator", string())
        .arg("string", string()),
        Function::new(
            "join",
            "all parts with a separator between",
            Type::String,
            join,
        )
        .arg("separator", string())
        .arg("list", Type::list(Type::String))
        .rest("lists", Type::list(Type::String)),
        Function::new(
            "startswith",
            "whether it begins with that",
            Type::Bool,
            |a| Ok(text_of(a, 0).starts_with(text_of(a, 1)).into()),
        )
        .arg("string", string())
        .arg("prefix", string()),
        Function::new("endswith", "whether it ends with that", Type::Bool, |a| {
            Ok(text_of(a, 0).ends_with(text_of(a, 1)).into())
        })
        .arg("string", string())
        .arg("suffix", string()),
        Function::new("strcontains", "whether it contains that", Type::Bool, |a| {
            Ok(text_of(a, 0).contains(text_of(a, 1)).into())
        })
        .arg("string", string())
        .arg("substring", string()),
    ]);
}

fn title(a: &[Value]) -> Outcome {
    let mut out = String::new();
    let mut starts = true;
    for c in text_of(a, 0).chars() {
        if starts {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        starts = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    Ok(out.into())
}

fn replace(a: &[Value]) -> Outcome {
    let (text, from, to) = (text_of(a, 0), text_of(a, 1), text_of(a, 2));
    if from.len() > 1 && from.starts_with('/') && from.ends_with('/') {
        let message = "a regular expression; only plain text is supported by this version yet";
        return Err(CallError::argument(1, message));
    }
    let count = if from.is_empty() {
        text.chars().count() + 1
    } else {
        text.matches(from).count()
    };
    check_size(
        count
            .checked_mul(to.len())
            .and_then(|added| added.checked_add(text.len())),
    )?;
    Ok(text.replace(from, to).into())
}

fn substr(a: &[Value]) -> Outcome {
    let text = text_of(a, 0);
    let total = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let (offset, length) = (whole_of(a, 1)?, whole_of(a, 2)?);
    let start = if offset < 0 {
        total.saturating_add(offset)
    } else {
        offset
    };
    if start < 0 || start > total {
        return Err(CallError::argument(
            1,
            "the offset is outside of the string",
        ));
    }
    if length < -1 {
        return Err(CallError::argument(
            2,
            "a length, or -1 for the rest, is required",
        ));
    }
    let start = usize::try_from(start).unwrap_or(0);
    let rest = text.chars().skip(start);
    let part: String = match usize::try_from(length) {
        Ok(length) => rest.take(length).collect(),
        Err(_) => rest.collect(),
    };
    Ok(part.into())
}

fn split(a: &[Value]) -> Outcome {
    let (separator, text) = (text_of(a, 0), text_of(a, 1));
    if text.is_empty() {
        return Ok(Value::list(if separator.is_empty() {
            vec![]
        } else {
            vec!["".into()]
        }));
    }
    if separator.is_empty() {
        return Ok(Value::list(
            text.chars().map(|c| c.to_string().into()).collect(),
        ));
    }
    Ok(Value::list(
        text.split(separator).map(Value::from).collect(),
    ))
}

fn join(a: &[Value]) -> Outcome {
    let separator = text_of(a, 0);
    let mut parts = Vec::new();
    for at in 1..a.len() {
        for item in items_of(a, at) {
            match item.as_str() {
                Some(text) => parts.push(text),
                None => return Err(CallError::argument(at, "an element of the list is null")),
            }
        }
    }
    let texts: usize = parts.iter().map(|part| part.len()).sum();
    check_size(
        separator
            .len()
            .checked_mul(parts.len())
            .and_then(|n| n.checked_add(texts)),
    )?;
    Ok(parts.join(separator).into())
}
