//! Everything that lives in a scope besides accounts and bindings: teams, workspaces, invitations,
//! tokens, workload identities. One table; each kind keeps its fields as JSON.

use rusqlite::{Connection, OptionalExtension, Row, params};

/// A stored thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) mrn: String,
    pub(crate) kind: String,
    /// The scope with which it is deleted; a user's own things have none.
    pub(crate) scope_mrn: Option<String>,
    /// The object with which it is deleted, as a member with its team.
    pub(crate) parent: Option<String>,
    /// What its kind looks it up by; may repeat.
    pub(crate) key: String,
    pub(crate) created_at: i64,
    pub(crate) body: String,
}

impl Object {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            mrn: row.get("mrn")?,
            kind: row.get("kind")?,
            scope_mrn: row.get("scope_mrn")?,
            parent: row.get("parent")?,
            key: row.get("key")?,
            created_at: row.get("created_at")?,
            body: row.get("body")?,
        })
    }

    pub(crate) fn find(
        connection: &Connection,
        kind: &str,
        mrn: &str,
    ) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached("select * from objects where mrn = ?2 and kind = ?1")?
            .query_row([kind, mrn], Self::from_row)
            .optional()
    }

    /// The objects of a kind in a scope, in the order of their MRNs.
    pub(crate) fn of_scope(
        connection: &Connection,
        kind: &str,
        scope_mrn: &str,
    ) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached(
                "select * from objects where kind = ?1 and scope_mrn = ?2 order by mrn",
            )?
            .query_map([kind, scope_mrn], Self::from_row)?
            .collect()
    }

    /// The objects of a kind that a key finds, in the order of their MRNs.
    pub(crate) fn by_key(
        connection: &Connection,
        kind: &str,
        key: &str,
    ) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached("select * from objects where kind = ?1 and key = ?2 order by mrn")?
            .query_map([kind, key], Self::from_row)?
            .collect()
    }

    /// Every object of a kind.
    pub(crate) fn all(connection: &Connection, kind: &str) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached("select * from objects where kind = ?1 order by mrn")?
            .query_map([kind], Self::from_row)?
            .collect()
    }

    /// Stores the object, in place of what it was.
    pub(crate) fn put(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "insert into objects (mrn, kind, scope_mrn, parent, key, created_at, body)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 on conflict (mrn) do update set key = excluded.key, body = excluded.body",
            )?
            .execute(params![
                self.mrn,
                self.kind,
                self.scope_mrn,
                self.parent,
                self.key,
                self.created_at,
                self.body
            ])?;
        Ok(())
    }

    /// Removes the object and what is below it; whether it was there.
    pub(crate) fn remove(connection: &Connection, kind: &str, mrn: &str) -> rusqlite::Result<bool> {
        let removed = connection
            .prepare_cached("delete from objects where kind = ?1 and mrn = ?2")?
            .execute([kind, mrn])?;
        Ok(removed > 0)
    }
}
