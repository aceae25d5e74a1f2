//! Conversion of values to types, with Terraform's rules.
//! Pure.

use super::Number;
use super::types::{Field, Type, noun_of};
use super::value::{Kind, RefKind, Value};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// Why a value does not convert, and where inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertError {
    /// The way into the value, for example `.team["a"][0]`; empty at its top.
    pub path: String,
    /// The reason, a lowercase fragment.
    pub message: String,
}

impl ConvertError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            message: message.into(),
        }
    }

    fn under(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }

    /// Returns the reason with the place it concerns.
    pub fn describe(&self) -> String {
        if self.path.is_empty() {
            self.message.clone()
        } else {
            format!("at {}: {}", self.path, self.message)
        }
    }
}

/// Converts `value` to `ty`; keeps its marks.
pub fn convert(value: &Value, ty: &Type) -> Result<Value, ConvertError> {
    let converted = match (value.kind(), ty) {
        (_, Type::Any) | (Kind::Null, _) => return Ok(value.clone()),
        (Kind::Unknown(from), _) => {
            return if convertible(from, ty) {
                Ok(Value::unknown(ty.clone()).marked(value.is_sensitive()))
            } else {
                Err(mismatch(value, ty))
            };
        }
        (_, Type::Bool | Type::Number | Type::String) => to_primitive(value, ty)?,
        (Kind::List(items) | Kind::Set(items), Type::List(of)) => {
            Value::list(each(items, &element_type(of, items.iter()))?)
        }
        (Kind::List(items) | Kind::Set(items), Type::Set(of)) => {
            Value::set(each(items, &element_type(of, items.iter()))?)
        }
        (Kind::List(items), Type::Tuple(types)) => {
            if items.len() != types.len() {
                return Err(ConvertError::new(format!(
                    "{} elements are required, not {}",
                    types.len(),
                    items.len()
                )));
            }
            let mut out = Vec::with_capacity(items.len());
            for (at, (item, ty)) in items.iter().zip(types).enumerate() {
                out.push(convert(item, ty).map_err(|e| e.under(&format!("[{at}]")))?);
            }
            Value::list(out)
        }
        (Kind::Map(members), Type::Map(of)) => {
            let of = element_type(of, members.values());
            let mut out = BTreeMap::new();
            for (key, member) in members.iter() {
                let member = convert(member, &of).map_err(|e| e.under(&step(key)))?;
                out.insert(key.clone(), member);
            }
            Value::map(out)
        }
        (Kind::Map(members), Type::Object(fields)) => to_object(members, fields)?,
        (Kind::Reference(reference), Type::Reference(kind)) if reference.kind == *kind => {
            value.clone()
        }
        (Kind::Reference(reference), Type::Scope)
            if matches!(reference.kind, RefKind::Organization | RefKind::Space) =>
        {
            value.clone()
        }
        _ => return Err(mismatch(value, ty)),
    };
    Ok(converted.marked(value.is_sensitive()))
}

/// Converts both values to the type they have in common.
pub fn unify(a: &Value, b: &Value) -> Option<(Value, Value)> {
    let ty = Type::unify(&Type::of(a), &Type::of(b))?;
    Some((convert(a, &ty).ok()?, convert(b, &ty).ok()?))
}

fn element_type<'a>(of: &Type, items: impl Iterator<Item = &'a Value>) -> Type {
    match of {
        Type::Any => Type::common(items.map(Type::of)),
        of => of.clone(),
    }
}

fn each(items: &Arc<[Value]>, of: &Type) -> Result<Vec<Value>, ConvertError> {
    let convert_one =
        |(at, item)| convert(item, of).map_err(|e: ConvertError| e.under(&format!("[{at}]")));
    items.iter().enumerate().map(convert_one).collect()
}

fn step(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(plain) {
        format!(".{key}")
    } else {
        format!("[{key:?}]")
    }
}

fn to_object(
    members: &super::value::Members,
    fields: &BTreeMap<Arc<str>, Field>,
) -> Result<Value, ConvertError> {
    let mut out = BTreeMap::new();
    let mut missing = String::new();
    for (key, field) in fields {
        let value = match (members.get(key), &field.default) {
            (Some(value), Some(default)) if value.is_null() => default.clone(),
            (Some(value), _) => convert(value, &field.ty).map_err(|e| e.under(&step(key)))?,
            (None, Some(default)) => default.clone(),
            (None, None) if field.optional => Value::null(),
            (None, None) => {
                let separator = if missing.is_empty() { "" } else { ", " };
                // Writing to a string cannot fail.
                let _ = write!(missing, "{separator}`{key}`");
                continue;
            }
        };
        out.insert(key.clone(), value);
    }
    if missing.is_empty() {
        Ok(Value::map(out))
    } else {
        Err(ConvertError::new(format!(
            "required attributes are missing: {missing}"
        )))
    }
}

fn to_primitive(value: &Value, ty: &Type) -> Result<Value, ConvertError> {
    match (value.kind(), ty) {
        (Kind::Bool(_), Type::Bool)
        | (Kind::Number(_), Type::Number)
        | (Kind::String(_), Type::String) => Ok(value.clone()),
        (Kind::Bool(yes), Type::String) => Ok(yes.to_string().into()),
        (Kind::Number(number), Type::String) => Ok(number.to_string().into()),
        (Kind::String(text), Type::Number) => Number::parse(text)
            .map(Value::from)
            .ok_or_else(|| ConvertError::new("a number is required, and this string is not one")),
        (Kind::String(text), Type::Bool) => match &**text {
            "true" | "1" => Ok(true.into()),
            "false" | "0" => Ok(false.into()),
            _ => Err(ConvertError::new(
                "a bool is required: \"true\" or \"false\"",
            )),
        },
        _ => Err(mismatch(value, ty)),
    }
}

fn mismatch(value: &Value, ty: &Type) -> ConvertError {
    ConvertError::new(format!("{} is required, not {}", ty.noun(), noun_of(value)))
}

/// Tells whether values of one type may convert to another.
pub fn convertible(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Any, _) | (_, Type::Any) => true,
        (from, to) if from == to => true,
        (Type::String, to) if to.is_primitive() => true,
        (from, Type::String) if from.is_primitive() => true,
        (Type::List(a) | Type::Set(a), Type::List(b) | Type::Set(b)) => convertible(a, b),
        (Type::Tuple(items), Type::List(b) | Type::Set(b)) => {
            items.iter().all(|item| convertible(item, b))
        }
        (Type::Tuple(a), Type::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| convertible(a, b))
        }
        (Type::List(a), Type::Tuple(b)) => b.iter().all(|b| convertible(a, b)),
        (Type::Map(a), Type::Map(b)) => convertible(a, b),
        (Type::Map(a), Type::Object(b)) => b.values().all(|field| convertible(a, &field.ty)),
        (Type::Object(a), Type::Map(b)) => a.values().all(|field| convertible(&field.ty, b)),
        (Type::Object(a), Type::Object(b)) => b.iter().all(|(key, field)| match a.get(key) {
            Some(from) => convertible(&from.ty, &field.ty),
            None => field.optional,
        }),
        (from, Type::Scope) => from.is_scope(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primitives_convert_as_in_terraform() {
        let convert = |value: Value, ty| convert(&value, &ty).map_err(|e| e.describe());
        assert_eq!(convert("5".into(), Type::Number), Ok(5usize.into()));
        assert_eq!(convert(5usize.into(), Type::String), Ok("5".into()));
        assert_eq!(convert(true.into(), Type::String), Ok("true".into()));
        assert_eq!(convert("true".into(), Type::Bool), Ok(true.into()));
        assert!(convert("True".into(), Type::Bool).is_err());
        assert!(convert(true.into(), Type::Number).is_err());
        assert!(convert("".into(), Type::Number).is_err());
    }

    #[test]
    fn errors_name_the_place() {
        let value = Value::map([("a".into(), Value::list(vec!["x".into()]))].into());
        let ty = Type::map(Type::list(Type::Number));
        let error = convert(&value, &ty).expect_err("not a number");
        assert_eq!(error.path, ".a[0]");
    }

    #[test]
    fn objects_fill_defaults_and_drop_extras() {
        let default = Field {
            ty: Type::Number,
            optional: true,
            default: Some(7usize.into()),
        };
        let optional = Field {
            ty: Type::String,
            optional: true,
            default: None,
        };
        let fields = [("a".into(), default), ("b".into(), optional)];
        let value = Value::map([("c".into(), true.into())].into());
        let converted = convert(&value, &Type::Object(fields.into())).expect("converts");
        assert_eq!(format!("{converted:?}"), r#"{"a": 7, "b": null}"#);
    }

    #[test]
    fn marks_survive() {
        let value = Value::from("5").marked(true);
        assert!(
            convert(&value, &Type::Number)
                .expect("converts")
                .is_sensitive()
        );
    }

    #[test]
    fn lists_of_anything_get_one_type() {
        let value = Value::list(vec![1usize.into(), "a".into(), true.into()]);
        let converted = convert(&value, &Type::list(Type::Any)).expect("converts");
        assert_eq!(format!("{converted:?}"), r#"["1", "a", "true"]"#);
    }
}
