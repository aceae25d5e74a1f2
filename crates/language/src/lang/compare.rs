//! Whether two values are the same.
//! Pure. Things that blocks declare are the same by address; beside anything unlike them they are an
//! error, since a comparison that never holds is a mistake that nobody sees.

use super::types::noun_of;
use super::value::{Kind, RefKind, Value};
use super::{Type, convert};
use std::collections::BTreeSet;

/// Two values that are never the same, whatever they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlike {
    /// What they are, a lowercase fragment.
    pub message: String,
    /// The way out.
    pub help: &'static str,
}

/// What values of one kind can be compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Not known.
    Any,
    /// Bools, numbers, and whatever holds several values: different ones are just different.
    Plain,
    Text,
    Scope,
    Role,
    Sink,
    Account,
}

impl Family {
    fn of(kind: RefKind) -> Self {
        match kind {
            RefKind::Organization | RefKind::Space => Self::Scope,
            RefKind::Role => Self::Role,
            RefKind::Sink => Self::Sink,
            RefKind::ServiceAccount => Self::Account,
        }
    }

    fn of_type(ty: &Type) -> Self {
        match ty {
            Type::Any => Self::Any,
            Type::String => Self::Text,
            Type::Scope => Self::Scope,
            Type::Reference(kind) => Self::of(*kind),
            _ => Self::Plain,
        }
    }

    fn of_value(value: &Value) -> Self {
        match value.kind() {
            Kind::Null => Self::Any,
            Kind::Unknown(ty) => Self::of_type(ty),
            Kind::String(_) => Self::Text,
            Kind::Reference(reference) => Self::of(reference.kind),
            _ => Self::Plain,
        }
    }

    fn declared(self) -> bool {
        !matches!(self, Self::Any | Self::Plain | Self::Text)
    }

    /// Whether values of both may be the same.
    fn meets(self, other: Self) -> bool {
        let pair = (self, other);
        self == other
            || matches!(pair, (Self::Any, _) | (_, Self::Any))
            || matches!(
                pair,
                (Self::Text, Self::Account) | (Self::Account, Self::Text)
            )
            || !(self.declared() || other.declared())
    }

    /// How such a thing is compared.
    fn help(self) -> &'static str {
        match self {
            Self::Role => {
                "`contains(self.roles, role.NAME)` tells whether all that the role includes is there; \
                 `contains(self.roles, \"viewer\")` asks about one"
            }
            Self::Account => {
                "compare an account with another, or with an address such as `self.address`"
            }
            Self::Sink => "compare a sink with another one",
            _ => {
                "compare a scope with `organization.NAME` or `space.NAME`, or its `id` with a text"
            }
        }
    }
}

fn unlike(a: Family, noun_a: &str, b: Family, noun_b: &str) -> Option<Unlike> {
    if a.meets(b) {
        return None;
    }
    let declared = if a.declared() { a } else { b };
    Some(Unlike {
        message: format!("{noun_a} and {noun_b} are never the same"),
        help: declared.help(),
    })
}

/// Finds two parts that stand at one place and are never the same, because one is a thing that a block
/// declares and the other is none of its kind.
pub(super) fn mixed(a: &Value, b: &Value) -> Option<Unlike> {
    match (a.kind(), b.kind()) {
        (Kind::Unknown(ty), _) => mixed_type(ty, b),
        (_, Kind::Unknown(ty)) => mixed_type(ty, a),
        (Kind::List(x) | Kind::Set(x), Kind::List(y) | Kind::Set(y)) => {
            x.iter().zip(y.iter()).find_map(|(x, y)| mixed(x, y))
        }
        (Kind::Map(x), Kind::Map(y)) => x
            .iter()
            .find_map(|(key, x)| y.get(key).and_then(|y| mixed(x, y))),
        (Kind::String(text), Kind::Reference(_)) => mixed_text(text, a, b),
        (Kind::Reference(_), Kind::String(text)) => mixed_text(text, a, b),
        // As in `contains(self.roles, [role.a])`: a list of things is none of them, and no text.
        (Kind::List(items) | Kind::Set(items), Kind::String(_))
        | (Kind::String(_), Kind::List(items) | Kind::Set(items)) => {
            let declared = |item: &&Value| Family::of_value(item).declared();
            items.iter().find(declared).map(|item| Unlike {
                message: format!("{} and {} are never the same", noun_of(a), noun_of(b)),
                help: Family::of_value(item).help(),
            })
        }
        _ => unlike(
            Family::of_value(a),
            noun_of(a),
            Family::of_value(b),
            noun_of(b),
        ),
    }
}

/// Text beside a declared thing: only an address names an account.
fn mixed_text(text: &str, a: &Value, b: &Value) -> Option<Unlike> {
    let (x, y) = (Family::of_value(a), Family::of_value(b));
    let account = x == Family::Account || y == Family::Account;
    if account && !text.starts_with("service_account.") {
        return Some(Unlike {
            message: "a service account and a text that is no address are never the same"
                .to_owned(),
            help: Family::Account.help(),
        });
    }
    unlike(x, noun_of(a), y, noun_of(b))
}

fn mixed_type(ty: &Type, value: &Value) -> Option<Unlike> {
    match (ty, value.kind()) {
        (_, Kind::Unknown(other)) => mixed_types(ty, other),
        (Type::List(of) | Type::Set(of), Kind::List(items) | Kind::Set(items)) => {
            items.iter().find_map(|item| mixed_type(of, item))
        }
        (Type::Tuple(types), Kind::List(items)) => types
            .iter()
            .zip(items.iter())
            .find_map(|(ty, item)| mixed_type(ty, item)),
        (Type::Map(of), Kind::Map(members)) => {
            members.values().find_map(|member| mixed_type(of, member))
        }
        (Type::Object(fields), Kind::Map(members)) => fields
            .iter()
            .find_map(|(key, field)| members.get(key).and_then(|m| mixed_type(&field.ty, m))),
        _ => unlike(
            Family::of_type(ty),
            ty.noun(),
            Family::of_value(value),
            noun_of(value),
        ),
    }
}

fn mixed_types(a: &Type, b: &Type) -> Option<Unlike> {
    match (a, b) {
        (Type::List(a) | Type::Set(a), Type::List(b) | Type::Set(b))
        | (Type::Map(a), Type::Map(b)) => mixed_types(a, b),
        _ => unlike(Family::of_type(a), a.noun(), Family::of_type(b), b.noun()),
    }
}

/// What two values of different types are, where their types are all that is known: whatever they come
/// to, they are not equal, as in Terraform.
pub(super) fn never(a: &Value, b: &Value) -> Option<(&'static str, &'static str)> {
    if !(a.is_unknown() || b.is_unknown()) {
        return None;
    }
    let (x, y) = (sort_of(a)?, sort_of(b)?);
    (x != y).then(|| (noun_of(a), noun_of(b)))
}

/// Values of different sorts are never equal.
#[derive(PartialEq, Eq)]
enum Sort {
    Bool,
    Number,
    Text,
    Items,
    Members,
}

fn sort_of(value: &Value) -> Option<Sort> {
    match value.kind() {
        Kind::Bool(_) | Kind::Unknown(Type::Bool) => Some(Sort::Bool),
        Kind::Number(_) | Kind::Unknown(Type::Number) => Some(Sort::Number),
        Kind::String(_) | Kind::Unknown(Type::String) => Some(Sort::Text),
        Kind::List(_)
        | Kind::Set(_)
        | Kind::Unknown(Type::List(_) | Type::Set(_) | Type::Tuple(_)) => Some(Sort::Items),
        Kind::Map(_) | Kind::Unknown(Type::Map(_) | Type::Object(_)) => Some(Sort::Members),
        Kind::Null | Kind::Reference(_) | Kind::Unknown(_) => None,
    }
}

/// Tells whether two values are the same; `None` when that is not known yet.
///
/// # Errors
/// They hold things at one place that are never the same.
pub(super) fn same(a: &Value, b: &Value) -> Result<Option<bool>, Unlike> {
    match mixed(a, b) {
        Some(unlike) => Err(unlike),
        None if a.has_unknown() || b.has_unknown() => Ok(None),
        None => Ok(Some(equal(a, b))),
    }
}

/// Whether two known values are equal, an account also to its address.
fn equal(a: &Value, b: &Value) -> bool {
    match (a.kind(), b.kind()) {
        (Kind::String(text), Kind::Reference(reference))
        | (Kind::Reference(reference), Kind::String(text)) => addressed(&reference.address, text),
        (Kind::Reference(x), Kind::Reference(y)) if x.kind == RefKind::ServiceAccount => {
            x.kind == y.kind
                && (addressed(&x.address, &y.address) || addressed(&y.address, &x.address))
        }
        (Kind::List(x), Kind::List(y)) | (Kind::Set(x), Kind::Set(y)) => {
            x.len() == y.len() && x.iter().zip(y.iter()).all(|(x, y)| equal(x, y))
        }
        (Kind::Map(x), Kind::Map(y)) => {
            x.keys().eq(y.keys()) && x.values().zip(y.values()).all(|(x, y)| equal(x, y))
        }
        _ => a.equals(b),
    }
}

/// Whether an address names this account, or one of the accounts of this block.
fn addressed(block: &str, address: &str) -> bool {
    let rest = address.strip_prefix(block);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
}

/// Tells whether a list or set holds a value, in Terraform's way: after a conversion to one type. A
/// role is held by what holds all that it includes.
///
/// # Errors
/// Nothing in it is the value, and something in it never could be.
pub(super) fn holds(items: &[Value], wanted: &Value) -> Result<bool, Unlike> {
    if let Some(role) = wanted.as_reference()
        && role.kind == RefKind::Role
    {
        return holds_role(items, wanted);
    }
    let found = items.iter().any(|item| match convert::unify(item, wanted) {
        Some((item, wanted)) => equal(&item, &wanted),
        None => mixed(item, wanted).is_none() && equal(item, wanted),
    });
    if found {
        return Ok(true);
    }
    match items.iter().find_map(|item| mixed(item, wanted)) {
        Some(unlike) => Err(unlike),
        None => Ok(false),
    }
}

fn holds_role(items: &[Value], wanted: &Value) -> Result<bool, Unlike> {
    if items.iter().any(|item| item.equals(wanted)) {
        return Ok(true);
    }
    let mut held = BTreeSet::new();
    for item in items {
        match (item.as_str(), item.as_reference()) {
            (Some(text), _) => {
                held.insert(text);
            }
            (_, Some(role)) if role.kind == RefKind::Role => {
                held.extend(included(item)?);
            }
            _ => {
                if let Some(unlike) = mixed(item, wanted) {
                    return Err(unlike);
                }
            }
        }
    }
    let included = included(wanted)?;
    if included.is_empty() {
        return Err(Unlike {
            message: "this role block includes nothing, so everything has all of it".to_owned(),
            help: "ask about a role that includes some, or whether the list is empty",
        });
    }
    Ok(included.iter().all(|role| held.contains(role)))
}

fn included(role: &Value) -> Result<Vec<&str>, Unlike> {
    let includes = role.as_reference().and_then(|role| role.includes.as_ref());
    match includes {
        Some(includes) => Ok(includes.iter().map(|role| &**role).collect()),
        None => Err(Unlike {
            message: "what this role block includes is not known where this is evaluated"
                .to_owned(),
            help: "ask in a policy or in a service account: local values, scopes, sinks, roles and \
                   validations come before it",
        }),
    }
}

/// Finds an element of one list or set that is unlike all elements of another.
pub(super) fn strange(items: &[Value], others: &[Value]) -> Option<Unlike> {
    others.iter().find_map(|other| {
        let mut unlike = None;
        for item in items {
            unlike = Some(mixed(item, other)?);
        }
        unlike
    })
}

/// Checks what a function compares before it is called, also where not all is known: `contains` and
/// `index` look for their second argument in the first; sets are compared element by element.
pub(super) fn check(function: &str, arguments: &[Value]) -> Option<Unlike> {
    let [first, rest @ ..] = arguments else {
        return None;
    };
    match function {
        "contains" | "index" => {
            let wanted = rest.first()?;
            let role = function == "contains" && Family::of_value(wanted) == Family::Role;
            match first.kind() {
                Kind::Unknown(Type::List(of) | Type::Set(of))
                    if !(role && **of == Type::String) =>
                {
                    mixed_type(of, wanted)
                }
                // What is known is compared one by one, and may be found before it meets a stranger.
                Kind::List(items) | Kind::Set(items) if !role && wanted.is_unknown() => {
                    strange(items, std::slice::from_ref(wanted))
                }
                _ => None,
            }
        }
        "setintersection" | "setsubtract" => {
            let items = first.as_items()?;
            rest.iter()
                .filter_map(Value::as_items)
                .find_map(|others| strange(items, others))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::value::Reference;

    fn thing(kind: RefKind, address: &str) -> Value {
        Value::reference(Reference {
            kind,
            address: address.into(),
            attributes: [].into(),
            includes: None,
        })
    }

    fn role(name: &str, includes: &[&str]) -> Value {
        Value::reference(Reference {
            kind: RefKind::Role,
            address: format!("role.{name}").into(),
            attributes: [].into(),
            includes: Some(includes.iter().map(|role| (*role).into()).collect()),
        })
    }

    fn list(items: &[Value]) -> Value {
        Value::list(items.to_vec())
    }

    fn things() -> [Value; 4] {
        [
            thing(RefKind::Space, "space.a"),
            thing(RefKind::Role, "role.a"),
            thing(RefKind::Sink, "sink.file.a"),
            thing(RefKind::ServiceAccount, "service_account.a"),
        ]
    }

    #[test]
    fn a_list_of_declared_things_is_no_text() {
        for thing in things() {
            for text in ["viewer", "", "service_account.a"] {
                let listed = list(std::slice::from_ref(&thing));
                assert!(same(&listed, &text.into()).is_err(), "{thing:?} {text}");
                assert!(same(&text.into(), &listed).is_err(), "{thing:?} {text}");
                assert!(holds(&[text.into()], &listed).is_err(), "{thing:?} {text}");
            }
        }
        let texts = list(&["viewer".into()]);
        assert!(same(&texts, &"viewer".into()).is_ok_and(|same| same == Some(false)));
    }

    #[test]
    fn a_declared_thing_is_compared_with_its_kind_and_with_null_alone() {
        let plain = [
            "text".into(),
            7_usize.into(),
            true.into(),
            list(&[]),
            Value::map([].into()),
        ];
        for (at, thing) in things().iter().enumerate() {
            assert_eq!(same(thing, thing), Ok(Some(true)));
            assert_eq!(same(thing, &Value::null()), Ok(Some(false)));
            assert_eq!(same(&Value::null(), thing), Ok(Some(false)));
            assert_eq!(same(thing, &Value::unknown(Type::Any)), Ok(None));
            for other in &plain {
                assert!(same(thing, other).is_err(), "{thing:?} {other:?}");
                assert!(same(other, thing).is_err(), "{other:?} {thing:?}");
                let deep = |value: &Value| {
                    Value::map([("k".into(), list(&[1_usize.into(), value.clone()]))].into())
                };
                assert!(same(&deep(thing), &deep(other)).is_err(), "deep {thing:?}");
                let unknown = Value::unknown(Type::of(other));
                let text = at == 3 && other.as_str().is_some();
                assert_eq!(same(thing, &unknown).is_err(), !text, "{thing:?} {other:?}");
            }
            for other in things().iter().filter(|other| *other != thing) {
                assert!(same(thing, other).is_err(), "{thing:?} {other:?}");
            }
        }
        let organization = thing(RefKind::Organization, "organization.a");
        assert_eq!(same(&organization, &things()[0]), Ok(Some(false)));
        assert_eq!(same(&"5".into(), &5_usize.into()), Ok(Some(false)));
        assert_eq!(same(&list(&[]), &"".into()), Ok(Some(false)));
    }

    #[test]
    fn an_account_is_compared_with_its_address() {
        let account = thing(RefKind::ServiceAccount, "service_account.ci");
        let instance = thing(RefKind::ServiceAccount, "service_account.ci[\"a\"]");
        for (text, block, one) in [
            ("service_account.ci", true, false),
            ("service_account.ci[\"a\"]", true, true),
            ("service_account.ci[\"b\"]", true, false),
            ("service_account.cii", false, false),
        ] {
            assert_eq!(same(&account, &text.into()), Ok(Some(block)), "{text}");
            assert_eq!(same(&text.into(), &instance), Ok(Some(one)), "{text}");
        }
        assert_eq!(same(&account, &instance), Ok(Some(true)));
        assert!(
            same(&account, &"ci".into()).is_err(),
            "a name is no address"
        );
    }

    #[test]
    fn a_role_is_held_by_what_holds_all_that_it_includes() {
        let texts = |texts: &[&str]| -> Vec<Value> { texts.iter().map(|t| (*t).into()).collect() };
        let scanner = role("scanner", &["agent", "viewer"]);
        assert_eq!(holds(&texts(&["agent", "viewer"]), &scanner), Ok(true));
        assert_eq!(holds(&texts(&["agent"]), &scanner), Ok(false));
        assert_eq!(holds(&[], &scanner), Ok(false));
        let release = role("release", &["agent", "policy-editor", "viewer"]);
        assert_eq!(holds(std::slice::from_ref(&release), &scanner), Ok(true));
        assert_eq!(holds(std::slice::from_ref(&scanner), &release), Ok(false));
        assert!(holds(&texts(&["agent"]), &role("nothing", &[])).is_err());
        assert!(holds(&texts(&["agent"]), &thing(RefKind::Role, "role.early")).is_err());
        assert!(holds(&[7_usize.into()], &scanner).is_err());
    }

    #[test]
    fn what_is_not_found_beside_what_it_never_is_is_an_error() {
        let [space, role, ..] = things();
        let items = [role.clone(), "viewer".into()];
        assert_eq!(holds(&items, &"viewer".into()), Ok(true));
        assert!(holds(&items, &"owner".into()).is_err());
        assert!(holds(&items, &space).is_err());
        assert_eq!(holds(&["a".into(), 1_usize.into()], &"1".into()), Ok(true));
        let roles = Value::unknown(Type::list(Type::String));
        assert!(check("contains", &[roles.clone(), space.clone()]).is_some());
        assert!(check("contains", &[roles.clone(), role.clone()]).is_none());
        assert!(check("index", &[roles, role.clone()]).is_some());
        let set = |items: &[Value]| Value::set(items.to_vec());
        let texts = set(&["a".into(), "b".into()]);
        assert!(check("setsubtract", &[texts.clone(), set(&[space])]).is_some());
        assert!(check("setintersection", &[texts.clone(), set(&[role])]).is_some());
        assert!(check("setsubtract", &[texts, set(&[1_usize.into()])]).is_none());
    }
}
