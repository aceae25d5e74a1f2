//! Types of values and what two types have in common.
//! Pure.

pub use super::value::{Field, Type};
use super::value::{Kind, RefKind, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

impl Type {
    /// Makes the type of lists of `of`.
    pub fn list(of: Type) -> Self {
        Type::List(Box::new(of))
    }

    /// Makes the type of sets of `of`.
    pub fn set(of: Type) -> Self {
        Type::Set(Box::new(of))
    }

    /// Makes the type of maps of `of`.
    pub fn map(of: Type) -> Self {
        Type::Map(Box::new(of))
    }

    /// Tells whether it is `bool`, `number` or `string`.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Type::Bool | Type::Number | Type::String)
    }

    /// Returns the type of a value; null has any type.
    pub fn of(value: &Value) -> Type {
        match value.kind() {
            Kind::Unknown(ty) => ty.clone(),
            Kind::Null => Type::Any,
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(_) => Type::String,
            Kind::List(items) => Type::Tuple(items.iter().map(Type::of).collect()),
            Kind::Set(items) => Type::set(Type::common(items.iter().map(Type::of))),
            Kind::Map(members) => Type::Object(
                members
                    .iter()
                    .map(|(key, value)| (key.clone(), Field::required(Type::of(value))))
                    .collect(),
            ),
            Kind::Reference(reference) => Type::Reference(reference.kind),
        }
    }

    /// Returns the type that all of `types` convert to, or `any`.
    pub fn common(types: impl IntoIterator<Item = Type>) -> Type {
        let mut types = types.into_iter();
        let Some(first) = types.next() else {
            return Type::Any;
        };
        let mut common = first;
        for ty in types {
            match Type::unify(&common, &ty) {
                Some(unified) => common = unified,
                None => return Type::Any,
            }
        }
        common
    }

    /// Returns the type that both convert to without loss, when there is one.
    pub fn unify(a: &Type, b: &Type) -> Option<Type> {
        if a == b {
            return Some(a.clone());
        }
        match (a, b) {
            (Type::Any, other) | (other, Type::Any) => Some(other.clone()),
            (Type::String, other) | (other, Type::String) if other.is_primitive() => {
                Some(Type::String)
            }
            (Type::List(x), Type::List(y)) => Some(Type::list(Type::unify(x, y)?)),
            (Type::Set(x), Type::Set(y) | Type::List(y)) | (Type::List(x), Type::Set(y)) => {
                Some(Type::set(Type::unify(x, y)?))
            }
            (Type::Map(x), Type::Map(y)) => Some(Type::map(Type::unify(x, y)?)),
            (Type::Tuple(xs), Type::Tuple(ys)) if xs.len() == ys.len() => {
                let items = xs.iter().zip(ys).map(|(x, y)| Type::unify_element(x, y));
                Some(Type::Tuple(items.collect::<Option<_>>()?))
            }
            (Type::Tuple(xs), Type::Tuple(ys)) => {
                Some(Type::list(Type::unify_all(xs.iter().chain(ys))?))
            }
            (Type::Tuple(xs), Type::List(y)) | (Type::List(y), Type::Tuple(xs)) => {
                Some(Type::list(Type::unify_all(xs.iter().chain([&**y]))?))
            }
            (Type::Tuple(xs), Type::Set(y)) | (Type::Set(y), Type::Tuple(xs)) => {
                Some(Type::set(Type::unify_all(xs.iter().chain([&**y]))?))
            }
            (Type::Object(xs), Type::Object(ys)) => Type::unify_objects(xs, ys),
            (Type::Object(xs), Type::Map(y)) | (Type::Map(y), Type::Object(xs)) => {
                let types = xs.values().map(|field| &field.ty).chain([&**y]);
                Some(Type::map(Type::unify_all(types)?))
            }
            (a, b) if a.is_scope() && b.is_scope() => Some(Type::Scope),
            _ => None,
        }
    }

    fn unify_all<'a>(types: impl IntoIterator<Item = &'a Type>) -> Option<Type> {
        let mut common = Type::Any;
        for ty in types {
            match Type::unify(&common, ty) {
                Some(unified) => common = unified,
                // `any` is final here: what follows must not narrow it again.
                None => return Type::unify_element(&common, ty),
            }
        }
        Some(common)
    }

    /// Unifies types of elements. References may stand beside anything in a list, as roles stand
    /// beside their short names.
    fn unify_element(a: &Type, b: &Type) -> Option<Type> {
        let reference = |ty: &Type| matches!(ty, Type::Reference(_) | Type::Scope);
        Type::unify(a, b).or_else(|| (reference(a) || reference(b)).then_some(Type::Any))
    }

    fn unify_objects(
        xs: &BTreeMap<Arc<str>, Field>,
        ys: &BTreeMap<Arc<str>, Field>,
    ) -> Option<Type> {
        if xs.keys().eq(ys.keys()) {
            let fields = xs.iter().zip(ys.values()).map(|((key, x), y)| {
                Some((key.clone(), Field::required(Type::unify(&x.ty, &y.ty)?)))
            });
            return Some(Type::Object(fields.collect::<Option<_>>()?));
        }
        let types = xs.values().chain(ys.values()).map(|field| &field.ty);
        Some(Type::map(Type::unify_all(types)?))
    }

    /// Tells whether its values are scopes.
    pub fn is_scope(&self) -> bool {
        matches!(
            self,
            Type::Scope | Type::Reference(RefKind::Organization | RefKind::Space)
        )
    }

    /// Returns it with its article, for messages: "a string", "an object".
    pub fn noun(&self) -> &'static str {
        match self {
            Type::Any => "any value",
            Type::Bool => "a bool",
            Type::Number => "a number",
            Type::String => "a string",
            Type::List(_) => "a list",
            Type::Set(_) => "a set",
            Type::Map(_) => "a map",
            Type::Tuple(_) => "a list",
            Type::Object(_) => "an object",
            Type::Reference(RefKind::Organization) => "an organization",
            Type::Reference(RefKind::Space) => "a space",
            Type::Reference(RefKind::Role) => "a role",
            Type::Reference(RefKind::Sink) => "a sink",
            Type::Reference(RefKind::ServiceAccount) => "a service account",
            Type::Scope => "a scope (an organization or a space)",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("any"),
            Type::Bool => f.write_str("bool"),
            Type::Number => f.write_str("number"),
            Type::String => f.write_str("string"),
            Type::List(of) => write!(f, "list({of})"),
            Type::Set(of) => write!(f, "set({of})"),
            Type::Map(of) => write!(f, "map({of})"),
            Type::Tuple(_) => f.write_str("tuple"),
            Type::Object(_) => f.write_str("object"),
            Type::Reference(kind) => f.write_str(kind.noun()),
            Type::Scope => f.write_str("scope"),
        }
    }
}

/// Returns what a value is, with its article, for messages: "null", "a string".
pub fn noun_of(value: &Value) -> &'static str {
    match value.kind() {
        Kind::Null => "null",
        Kind::Unknown(Type::Any) => "a value not known yet",
        _ => Type::of_shallow(value).noun(),
    }
}

impl Type {
    /// Returns the type of a value without looking into collections.
    fn of_shallow(value: &Value) -> Type {
        match value.kind() {
            Kind::List(_) => Type::Tuple(Vec::new()),
            Kind::Set(_) => Type::set(Type::Any),
            Kind::Map(_) => Type::Object(BTreeMap::new()),
            _ => Type::of(value),
        }
    }
}
