//! Scopes as people call them: by name, with the id behind it.
//! Pure.

use std::collections::BTreeMap;

use super::words::quoted;
use crate::model::Scope;
use crate::plan::Annex;

/// A scope by its name, with the id behind it; by its id where no name is known.
pub fn named(scope: &Scope, annex: &Annex) -> String {
    match name(scope, annex) {
        Some(name) => format!("{} {} ({})", scope.kind(), plain(name), scope.id()),
        None => scope.to_string(),
    }
}

/// The display name of a scope, if one is known.
pub fn name<'a>(scope: &Scope, annex: &'a Annex) -> Option<&'a str> {
    let info = annex.scopes.get(scope)?;
    Some(info.name.as_str()).filter(|name| !name.is_empty())
}

/// The names of several scopes for a list: each by its name alone where that is the name of no other one.
pub struct Short<'a> {
    annex: &'a Annex,
    taken: BTreeMap<&'a str, usize>,
}

impl<'a> Short<'a> {
    /// For all scopes that a plan knows.
    pub fn of(annex: &'a Annex) -> Self {
        let mut taken = BTreeMap::new();
        for info in annex.scopes.values() {
            *taken.entry(info.name.as_str()).or_default() += 1;
        }
        Self { annex, taken }
    }

    /// One of them.
    pub fn name(&self, scope: &Scope) -> String {
        match name(scope, self.annex) {
            Some(name) if self.taken.get(name) == Some(&1) => plain(name),
            Some(name) => format!("{} ({})", plain(name), scope.id()),
            None => scope.id().to_owned(),
        }
    }
}

/// A name as it is, or in quotes where something in it could be taken for what stands around it.
fn plain(name: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    match name.chars().all(harmless) && name.trim() == name {
        true => name.to_owned(),
        false => quoted(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ScopeInfo, SpaceId};

    #[test]
    fn a_name_stands_before_the_id_and_alone_only_where_no_other_has_it() {
        let scope = |id: &str| Scope::Space(SpaceId::new(id).expect("valid"));
        let scopes = [
            ("one-1", "prod"),
            ("two-2", "prod"),
            ("three-3", "staging"),
            ("four-4", ""),
            ("five-5", "a), space prod (one-1"),
        ];
        let info = |name: &str| ScopeInfo {
            name: name.to_owned(),
            organization: None,
        };
        let annex = Annex {
            scopes: scopes.map(|(id, name)| (scope(id), info(name))).into(),
            ..Annex::default()
        };
        let short = Short::of(&annex);
        for (id, long, list) in [
            ("one-1", "space prod (one-1)", "prod (one-1)"),
            ("three-3", "space staging (three-3)", "staging"),
            ("four-4", "space four-4", "four-4"),
            ("gone-6", "space gone-6", "gone-6"),
            (
                "five-5",
                "space \"a), space prod (one-1\" (five-5)",
                "\"a), space prod (one-1\"",
            ),
        ] {
            assert_eq!(named(&scope(id), &annex), long);
            assert_eq!(short.name(&scope(id)), list);
        }
    }
}
