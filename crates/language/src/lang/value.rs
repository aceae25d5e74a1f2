//! Values: known, unknown, or sensitive.
//! Pure. A sensitive value never shows its content through `Debug`.

use super::Number;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A type of values.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Any type.
    Any,
    /// `bool`.
    Bool,
    /// `number`.
    Number,
    /// `string`.
    String,
    /// `list(…)`.
    List(Box<Type>),
    /// `set(…)`.
    Set(Box<Type>),
    /// `map(…)`.
    Map(Box<Type>),
    /// `tuple([…])`.
    Tuple(Vec<Type>),
    /// `object({…})`.
    Object(BTreeMap<Arc<str>, Field>),
    /// `organization`, `space`, `role`, `sink` or a service account.
    Reference(RefKind),
    /// `scope`: an organization or a space.
    Scope,
}

/// One attribute of an object type.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its type.
    pub ty: Type,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it is when left out; null without one.
    pub default: Option<Value>,
}

impl Field {
    /// Makes an attribute that must be given.
    pub fn required(ty: Type) -> Self {
        Self {
            ty,
            optional: false,
            default: None,
        }
    }
}

/// The members of a map or an object, in key order.
pub type Members = BTreeMap<Arc<str>, Value>;

/// A value and its mark.
#[derive(Clone)]
pub struct Value {
    kind: Kind,
    sensitive: bool,
    depth: u16,
    weight: u32,
}

/// What a value is.
#[derive(Clone)]
pub enum Kind {
    /// Not known yet; of this type.
    Unknown(Type),
    /// Not set.
    Null,
    /// True or false.
    Bool(bool),
    /// An exact number.
    Number(Number),
    /// Text.
    String(Arc<str>),
    /// A list or a tuple.
    List(Arc<[Value]>),
    /// A set: distinct, in order.
    Set(Arc<[Value]>),
    /// A map or an object.
    Map(Arc<Members>),
    /// A declared thing.
    Reference(Arc<Reference>),
}

/// The kinds of things that values can refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefKind {
    /// An `organization` block.
    Organization,
    /// A `space` block.
    Space,
    /// A `role` block.
    Role,
    /// A `sink` block.
    Sink,
    /// A `service_account` block or one of its instances.
    ServiceAccount,
}

impl RefKind {
    /// Returns the noun for messages.
    pub fn noun(self) -> &'static str {
        match self {
            RefKind::Organization => "organization",
            RefKind::Space => "space",
            RefKind::Role => "role",
            RefKind::Sink => "sink",
            RefKind::ServiceAccount => "service account",
        }
    }
}

/// A declared thing as a value: equal to another when kind and address are.
#[derive(Debug, Clone)]
pub struct Reference {
    /// What it is.
    pub kind: RefKind,
    /// Its address, for example `space.payments`.
    pub address: Arc<str>,
    /// What can be read from it.
    pub attributes: Members,
    /// Of a role block, the roles that it includes in the end; `None` before that is known.
    pub includes: Option<Arc<[Arc<str>]>>,
}

impl Value {
    fn make(kind: Kind) -> Self {
        let (depth, weight) = match &kind {
            Kind::String(text) => (
                0,
                1 + u32::try_from(text.len() / 32).unwrap_or(u32::MAX - 1),
            ),
            Kind::List(items) | Kind::Set(items) => measure(items.iter()),
            Kind::Map(members) => measure(members.values()),
            _ => (0, 1),
        };
        Self {
            kind,
            sensitive: false,
            depth,
            weight,
        }
    }

    /// Makes an unknown value of a type.
    pub fn unknown(ty: Type) -> Self {
        Self::make(Kind::Unknown(ty))
    }

    /// Makes the value for "not set".
    pub fn null() -> Self {
        Self::make(Kind::Null)
    }

    /// Makes a list.
    pub fn list(items: Vec<Value>) -> Self {
        Self::make(Kind::List(items.into()))
    }

    /// Makes a set: orders the items and drops repetitions.
    pub fn set(mut items: Vec<Value>) -> Self {
        items.sort_by(Value::order);
        items.dedup_by(|a, b| a.order(b) == Ordering::Equal);
        Self::make(Kind::Set(items.into()))
    }

    /// Makes a map or an object.
    pub fn map(members: Members) -> Self {
        Self::make(Kind::Map(Arc::new(members)))
    }

    /// Makes a reference to a declared thing.
    pub fn reference(reference: Reference) -> Self {
        Self::make(Kind::Reference(Arc::new(reference)))
    }

    /// Returns what it is, whatever its mark.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Tells whether it is itself marked sensitive.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Returns the number of levels of collections in it.
    pub fn depth(&self) -> usize {
        usize::from(self.depth)
    }

    /// Returns the number of values in it, counting what is shared as often as it appears; long
    /// texts weigh more.
    pub fn weight(&self) -> usize {
        self.weight as usize
    }

    /// Marks it sensitive when `yes`; never takes a mark away.
    #[must_use]
    pub fn marked(mut self, yes: bool) -> Self {
        self.sensitive |= yes;
        self
    }

    /// Takes its own mark away, not those inside.
    #[must_use]
    pub fn unmarked(mut self) -> Self {
        self.sensitive = false;
        self
    }

    /// Tells whether it or anything inside is marked sensitive.
    pub fn has_sensitive(&self) -> bool {
        self.sensitive || self.children().any(Value::has_sensitive)
    }

    /// Tells whether it or anything inside is unknown.
    pub fn has_unknown(&self) -> bool {
        self.is_unknown() || self.children().any(Value::has_unknown)
    }

    /// Tells whether it is itself unknown.
    pub fn is_unknown(&self) -> bool {
        matches!(self.kind, Kind::Unknown(_))
    }

    /// Tells whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the content of a bool.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.kind {
            Kind::Bool(yes) => Some(*yes),
            _ => None,
        }
    }

    /// Returns the content of a number.
    pub fn as_number(&self) -> Option<&Number> {
        match &self.kind {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the items of a list or a set.
    pub fn as_items(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(items) | Kind::Set(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the members of a map or an object.
    pub fn as_members(&self) -> Option<&Members> {
        match &self.kind {
            Kind::Map(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the thing it refers to.
    pub fn as_reference(&self) -> Option<&Reference> {
        match &self.kind {
            Kind::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Value> + '_> {
        match &self.kind {
            Kind::List(items) | Kind::Set(items) => Box::new(items.iter()),
            Kind::Map(members) => Box::new(members.values()),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// Compares by a fixed total order over all values; marks do not count.
    pub fn order(&self, other: &Value) -> Ordering {
        match (&self.kind, &other.kind) {
            (Kind::Bool(a), Kind::Bool(b)) => a.cmp(b),
            (Kind::Number(a), Kind::Number(b)) => a.compare(b),
            (Kind::String(a), Kind::String(b)) => a.cmp(b),
            (Kind::List(a), Kind::List(b)) | (Kind::Set(a), Kind::Set(b)) => {
                order_all(a.iter(), b.iter())
            }
            (Kind::Map(a), Kind::Map(b)) => a
                .keys()
                .cmp(b.keys())
                .then_with(|| order_all(a.values(), b.values())),
            (Kind::Reference(a), Kind::Reference(b)) => {
                (a.kind, &a.address).cmp(&(b.kind, &b.address))
            }
            (a, b) => rank(a).cmp(&rank(b)),
        }
    }

    /// Tells whether two known values are equal; marks do not count.
    pub fn equals(&self, other: &Value) -> bool {
        self.order(other) == Ordering::Equal
    }
}

fn measure<'a>(items: impl Iterator<Item = &'a Value>) -> (u16, u32) {
    let (depth, weight) = items.fold((0u16, 1u32), |(depth, weight), item| {
        (depth.max(item.depth), weight.saturating_add(item.weight))
    });
    (depth.saturating_add(1), weight)
}

fn order_all<'a>(
    a: impl Iterator<Item = &'a Value>,
    mut b: impl Iterator<Item = &'a Value>,
) -> Ordering {
    for left in a {
        match b.next().map(|right| left.order(right)) {
            None => return Ordering::Greater,
            Some(Ordering::Equal) => {}
            Some(other) => return other,
        }
    }
    if b.next().is_some() {
        Ordering::Less
    } else {
        Ordering::Equal
    }
}

fn rank(kind: &Kind) -> u8 {
    match kind {
        Kind::Unknown(_) => 0,
        Kind::Null => 1,
        Kind::Bool(_) => 2,
        Kind::Number(_) => 3,
        Kind::String(_) => 4,
        Kind::List(_) => 5,
        Kind::Set(_) => 6,
        Kind::Map(_) => 7,
        Kind::Reference(_) => 8,
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::make(Kind::Bool(yes))
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::make(Kind::Number(number))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Number::from(number).into()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::make(Kind::String(text.into()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::make(Kind::String(text.into()))
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self::make(Kind::String(text))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.sensitive == other.sensitive
            && match (&self.kind, &other.kind) {
                (Kind::Unknown(a), Kind::Unknown(b)) => a == b,
                _ => self.equals(other),
            }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sensitive {
            return f.write_str("(sensitive)");
        }
        match &self.kind {
            Kind::Unknown(ty) => write!(f, "(unknown {ty})"),
            Kind::Null => f.write_str("null"),
            Kind::Bool(yes) => write!(f, "{yes}"),
            Kind::Number(number) => write!(f, "{number}"),
            Kind::String(text) => write!(f, "{text:?}"),
            Kind::List(items) => f.debug_list().entries(items.iter()).finish(),
            Kind::Set(items) => f.debug_set().entries(items.iter()).finish(),
            Kind::Map(members) => f.debug_map().entries(members.iter()).finish(),
            Kind::Reference(reference) => f.write_str(&reference.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_sensitive_value() {
        let inner = Value::from("hunter2").marked(true);
        let list = Value::list(vec![inner, Value::from("plain")]);
        assert_eq!(format!("{list:?}"), r#"[(sensitive), "plain"]"#);
        assert!(list.has_sensitive() && !list.is_sensitive());
    }

    #[test]
    fn sets_are_ordered_and_distinct() {
        let set = Value::set(vec!["b".into(), "a".into(), "b".into()]);
        assert_eq!(format!("{set:?}"), r#"{"a", "b"}"#);
    }

    #[test]
    fn references_are_equal_by_address() {
        let make = |address: &str, name: &str| {
            let attributes = [("name".into(), name.into())].into();
            Value::reference(Reference {
                kind: RefKind::Space,
                address: address.into(),
                attributes,
                includes: None,
            })
        };
        assert_eq!(make("space.a", "x"), make("space.a", "y"));
        assert_ne!(make("space.a", "x"), make("space.b", "x"));
        assert_ne!(make("space.a", "x"), "space.a".into());
    }
}
