//! Typed objects of a scope: load, store, and list them page by page.

use rusqlite::Connection;
use serde::{Serialize, de::DeserializeOwned};

use crate::{core::Caller, ids, status::Status, store::Object};

use super::{Page, PageRequest, cursor};

/// A kind of thing that lives in a scope.
pub(crate) trait Kind: Serialize + DeserializeOwned {
    /// The kind's name in the store.
    const KIND: &'static str;
    /// What people call it, in messages.
    const WHAT: &'static str;
}

/// A thing with its place.
#[derive(Clone, Debug)]
pub(crate) struct Stored<T> {
    pub(crate) mrn: String,
    pub(crate) scope_mrn: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) key: String,
    pub(crate) created_at: i64,
    pub(crate) value: T,
}

impl<T: Kind> Stored<T> {
    /// A new thing of a scope, made by a caller now.
    pub(crate) fn new(caller: &Caller, scope_mrn: &str, mrn: String, value: T) -> Self {
        Self {
            mrn,
            scope_mrn: Some(scope_mrn.to_owned()),
            parent: None,
            key: String::new(),
            created_at: caller.now.as_millisecond(),
            value,
        }
    }

    fn of(object: Object) -> Result<Self, Status> {
        Ok(Self {
            value: serde_json::from_str(&object.body)?,
            mrn: object.mrn,
            scope_mrn: object.scope_mrn,
            parent: object.parent,
            key: object.key,
            created_at: object.created_at,
        })
    }

    /// When it was made, as RFC 3339.
    pub(crate) fn created(&self) -> String {
        ids::rfc3339(self.created_at)
    }

    /// Finds one; `None` if there is none.
    pub(crate) fn look_up(connection: &Connection, mrn: &str) -> Result<Option<Self>, Status> {
        Object::find(connection, T::KIND, mrn)?
            .map(Self::of)
            .transpose()
    }

    /// Finds one that must be there.
    pub(crate) fn find(connection: &Connection, mrn: &str) -> Result<Self, Status> {
        Self::look_up(connection, mrn)?.ok_or_else(|| Status::not_found(T::WHAT, mrn))
    }

    /// All in a scope.
    pub(crate) fn of_scope(connection: &Connection, scope_mrn: &str) -> Result<Vec<Self>, Status> {
        let objects = Object::of_scope(connection, T::KIND, scope_mrn)?;
        objects.into_iter().map(Self::of).collect()
    }

    /// All that a key finds.
    pub(crate) fn by_key(connection: &Connection, key: &str) -> Result<Vec<Self>, Status> {
        let objects = Object::by_key(connection, T::KIND, key)?;
        objects.into_iter().map(Self::of).collect()
    }

    /// All there are.
    pub(crate) fn all(connection: &Connection) -> Result<Vec<Self>, Status> {
        let objects = Object::all(connection, T::KIND)?;
        objects.into_iter().map(Self::of).collect()
    }

    /// The scope it lives in.
    pub(crate) fn scope(&self) -> Result<&str, Status> {
        self.scope_mrn
            .as_deref()
            .ok_or_else(|| Status::internal("an object without a scope"))
    }

    /// Stores it, in place of what it was.
    pub(crate) fn put(&self, connection: &Connection) -> Result<(), Status> {
        let object = Object {
            mrn: self.mrn.clone(),
            kind: T::KIND.to_owned(),
            scope_mrn: self.scope_mrn.clone(),
            parent: self.parent.clone(),
            key: self.key.clone(),
            created_at: self.created_at,
            body: serde_json::to_string(&self.value)?,
        };
        Ok(object.put(connection)?)
    }

    /// Removes it and what is below it.
    pub(crate) fn remove(&self, connection: &Connection) -> Result<(), Status> {
        Object::remove(connection, T::KIND, &self.mrn)?;
        Ok(())
    }
}

/// Cuts a page out of all of a listing, ordered by a text; the MRN decides between equals.
pub(crate) fn page<T>(
    mut all: Vec<Stored<T>>,
    by: impl Fn(&Stored<T>) -> String,
    descending: bool,
    request: &PageRequest,
    cap: u32,
) -> Result<Page<Stored<T>>, Status> {
    let place = |item: &Stored<T>| (by(item), item.mrn.clone());
    let limit = request.limit(cap)?;
    let after: Option<(String, String)> = request.cursor()?;
    all.sort_by_cached_key(place);
    if descending {
        all.reverse();
    }
    if let Some(after) = &after {
        all.retain(|item| {
            if descending {
                place(item) < *after
            } else {
                place(item) > *after
            }
        });
    }
    let keep = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    all.truncate(keep);
    Page::cut(all, limit, after.is_some(), |item| cursor(&place(item)))
}
