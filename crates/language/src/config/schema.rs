//! The form of a block: which labels, attributes and blocks it may have.
//! Pure data.

use crate::diag::{Diagnostic, Span};

/// The form of one type of block.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) kind: &'static str,
    /// What each label says, in order.
    pub(super) labels: &'static [&'static str],
    pub(super) attributes: &'static [Attribute],
    pub(super) blocks: &'static [Nested],
    /// Whether any attribute name is taken.
    pub(super) open: bool,
    /// Whether a module has at most one.
    pub(super) single: bool,
    /// The forms by the first label, where that decides.
    pub(super) variants: Option<Variants>,
}

impl Schema {
    /// Whether an attribute is evaluated for each account.
    pub(super) fn is_of_account(&self, name: &str) -> bool {
        let mut attributes = self.attributes.iter();
        attributes.any(|attribute| attribute.of_account && attribute.name == name)
    }
}

/// The forms of a type of block whose first label decides.
#[derive(Debug)]
pub(super) struct Variants {
    /// The form of this label; `None` if there is none.
    pub(super) of: fn(&str) -> Option<&'static Schema>,
    /// What to say where there is none.
    pub(super) unknown: fn(&str, Span) -> Diagnostic,
}

/// One attribute a block may have.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) required: bool,
    /// Whether it is evaluated for each account, which it may name as `account`.
    pub(super) of_account: bool,
}

/// One block inside a block.
#[derive(Debug)]
pub(super) struct Nested {
    pub(super) schema: &'static Schema,
    pub(super) many: bool,
}

pub(super) const fn must(name: &'static str) -> Attribute {
    Attribute {
        name,
        required: true,
        of_account: false,
    }
}

pub(super) const fn may(name: &'static str) -> Attribute {
    Attribute {
        name,
        required: false,
        of_account: false,
    }
}

/// One that may be absent and is evaluated for each account.
pub(super) const fn may_for_account(name: &'static str) -> Attribute {
    Attribute {
        of_account: true,
        ..may(name)
    }
}

/// One that must be there and is evaluated for each account.
pub(super) const fn must_for_account(name: &'static str) -> Attribute {
    Attribute {
        of_account: true,
        ..must(name)
    }
}

pub(super) const PLAIN: Schema = Schema {
    kind: "",
    labels: &[],
    attributes: &[],
    blocks: &[],
    open: false,
    single: false,
    variants: None,
};
