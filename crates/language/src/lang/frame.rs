//! The names an expression may use, as linked frames.
//! Pure.

use super::{Value, codes};
use crate::diag::{Diagnostic, Span, suggest};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value under a name, or the knowledge that it has none.
#[derive(Debug, Clone)]
pub enum Slot {
    /// The value.
    Value(Value),
    /// No value: its own error has been reported where it is declared.
    Failed,
}

/// The names under one root, for example all of `var`.
#[derive(Debug, Clone)]
pub struct Names {
    /// What its members are called in messages, for example `variable`.
    pub noun: &'static str,
    /// The members.
    pub slots: BTreeMap<Arc<str>, Slot>,
    /// What to say when a member is missing, instead of a suggestion.
    pub missing_help: Option<String>,
    /// Whether not all members are known: then a missing one is no mistake of its user.
    pub partial: bool,
}

impl Names {
    /// Makes an empty set of names.
    pub fn new(noun: &'static str) -> Self {
        Self {
            noun,
            slots: BTreeMap::new(),
            missing_help: None,
            partial: false,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Binding {
    Value(Value),
    Names(Names),
}

/// One frame of names over the frames around it.
#[derive(Debug, Clone, Default)]
pub struct Frame<'a> {
    parent: Option<&'a Frame<'a>>,
    bindings: BTreeMap<Arc<str>, Binding>,
    hints: BTreeMap<&'static str, &'static str>,
}

impl<'a> Frame<'a> {
    /// Makes an empty outermost frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty frame inside this one.
    pub fn child(&'a self) -> Frame<'a> {
        Frame {
            parent: Some(self),
            ..Frame::default()
        }
    }

    /// Names a value.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: Value) {
        self.bindings.insert(name.into(), Binding::Value(value));
    }

    /// Names a root with members.
    pub fn set_names(&mut self, root: impl Into<Arc<str>>, names: Names) {
        self.bindings.insert(root.into(), Binding::Names(names));
    }

    /// Gives a member of a root of this frame its value.
    pub fn fill(&mut self, root: &str, member: &str, slot: Slot) {
        if let Some(Binding::Names(names)) = self.bindings.get_mut(root) {
            names.slots.insert(member.into(), slot);
        }
    }

    /// Says what to write instead of a root that this scope does not have.
    pub fn hint(&mut self, root: &'static str, text: &'static str) {
        self.hints.insert(root, text);
    }

    /// Tells whether a root has a member of this name.
    pub fn has_member(&self, root: &str, member: &str) -> bool {
        matches!(self.find(root), Some(Binding::Names(names)) if names.slots.contains_key(member))
    }

    /// Returns the value of a member of a root, when it has one; a name of a `for` hides no root here.
    pub fn value(&self, root: &str, member: &str) -> Option<&Value> {
        let mut frame = Some(self);
        while let Some(scope) = frame {
            if let Some(Binding::Names(names)) = scope.bindings.get(root) {
                return match names.slots.get(member) {
                    Some(Slot::Value(value)) => Some(value),
                    Some(Slot::Failed) | None => None,
                };
            }
            frame = scope.parent;
        }
        None
    }

    pub(super) fn find(&self, name: &str) -> Option<&Binding> {
        let mut frame = Some(self);
        while let Some(scope) = frame {
            if let Some(binding) = scope.bindings.get(name) {
                return Some(binding);
            }
            frame = scope.parent;
        }
        None
    }

    pub(super) fn find_hint(&self, name: &str) -> Option<&'static str> {
        let mut frame = Some(self);
        while let Some(scope) = frame {
            if let Some(hint) = scope.hints.get(name) {
                return Some(hint);
            }
            frame = scope.parent;
        }
        None
    }

    /// Returns all names that can be used here, for suggestions.
    pub(super) fn visible(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut frame = Some(self);
        while let Some(scope) = frame {
            names.extend(scope.bindings.keys().map(|name| &**name));
            frame = scope.parent;
        }
        names
    }
}

/// Says that a name is not known.
pub(super) fn unknown_root(name: &str, span: Span, scope: &Frame<'_>) -> Diagnostic {
    let found = Diagnostic::error(codes::UNKNOWN_REFERENCE).at(span, "nothing has this name");
    match scope.find_hint(name) {
        Some(hint) => found.help(hint),
        None => found.suggesting(name, scope.visible()),
    }
}

/// Says that a root like `var` cannot stand alone.
pub(super) fn bare_root(root: &str, span: Span, names: &Names) -> Diagnostic {
    Diagnostic::error(codes::UNKNOWN_REFERENCE)
        .at(span, format!("`{root}` is not a value"))
        .help(format!("name one {}, as in `{root}.NAME`", names.noun))
}

/// Says that a root has no such member.
pub(super) fn unknown_member(root: &str, member: &str, span: Span, names: &Names) -> Diagnostic {
    let found = Diagnostic::error(codes::UNKNOWN_REFERENCE).at(
        span,
        format!("no {} `{root}.{member}` is declared", names.noun),
    );
    let near = suggest(member, names.slots.keys().map(|name| &**name));
    match (near, &names.missing_help) {
        (Some(near), _) => found.help(format!("did you mean `{root}.{near}`?")),
        (None, Some(help)) => found.help(help.clone()),
        (None, None) if names.slots.is_empty() => found.help(format!("there is no {}", names.noun)),
        (None, None) => found,
    }
}
