//! Organizations and spaces.

use rusqlite::{Connection, OptionalExtension, Row, named_params};

use crate::ids::ScopeKind;

use super::column::{Label, from_json, to_json};

/// An organization or a space.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) mrn: String,
    pub(crate) kind: ScopeKind,
    pub(crate) id: String,
    /// The organization a space lies in; an organization names itself.
    pub(crate) org_mrn: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) company: Option<String>,
    /// The settings as they were sent, in JSON.
    pub(crate) settings: Option<String>,
    pub(crate) annotations: Vec<Label>,
    pub(crate) created_at: i64,
}

impl Scope {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let kind: String = row.get("kind")?;
        Ok(Self {
            mrn: row.get("mrn")?,
            kind: ScopeKind::from_collection(&kind).ok_or(rusqlite::Error::InvalidQuery)?,
            id: row.get("id")?,
            org_mrn: row.get("org_mrn")?,
            name: row.get("name")?,
            description: row.get("description")?,
            company: row.get("company")?,
            settings: row.get("settings")?,
            annotations: from_json(row, "annotations")?,
            created_at: row.get("created_at")?,
        })
    }

    pub(crate) fn find(connection: &Connection, mrn: &str) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached("select * from scopes where mrn = ?1")?
            .query_row([mrn], Self::from_row)
            .optional()
    }

    /// Every scope, organizations first, in the order of their ids.
    pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached("select * from scopes order by kind, id")?
            .query_map([], Self::from_row)?
            .collect()
    }

    /// The organizations an identity has roles on, in the order of their ids.
    pub(crate) fn organizations_of(
        connection: &Connection,
        identity: &str,
    ) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached(
                "select scopes.* from scopes join bindings on bindings.scope_mrn = scopes.mrn
                 where identity = ?1 and valid_to is null and kind = 'organizations'
                   and roles <> '[]'
                 order by scopes.id",
            )?
            .query_map([identity], Self::from_row)?
            .collect()
    }

    /// Up to `limit` spaces of an organization whose id follows `after`, without some MRNs.
    pub(crate) fn spaces(
        connection: &Connection,
        org_mrn: &str,
        query: Option<&str>,
        without: &[String],
        after: &str,
        limit: u32,
    ) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached(
                "select * from scopes
                 where org_mrn = :org and kind = 'spaces' and id > :after
                   and (:query is null or instr(lower(name || ' ' || id), lower(:query)) > 0)
                   and mrn not in (select value from json_each(:without))
                 order by id limit :limit",
            )?
            .query_map(
                named_params! {
                    ":org": org_mrn, ":query": query, ":without": to_json(&without)?,
                    ":after": after, ":limit": limit,
                },
                Self::from_row,
            )?
            .collect()
    }

    pub(crate) fn count_spaces(
        connection: &Connection,
        org_mrn: &str,
        query: Option<&str>,
        without: &[String],
    ) -> rusqlite::Result<i32> {
        connection
            .prepare_cached(
                "select count(*) from scopes
                 where org_mrn = :org and kind = 'spaces'
                   and (:query is null or instr(lower(name || ' ' || id), lower(:query)) > 0)
                   and mrn not in (select value from json_each(:without))",
            )?
            .query_row(
                named_params! { ":org": org_mrn, ":query": query, ":without": to_json(&without)? },
                |row| row.get(0),
            )
    }

    /// The spaces an identity has roles on, in the order of their ids.
    pub(crate) fn spaces_of(
        connection: &Connection,
        identity: &str,
    ) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached(
                "select scopes.* from scopes join bindings on bindings.scope_mrn = scopes.mrn
                 where identity = ?1 and valid_to is null and kind = 'spaces' and roles <> '[]'
                 order by scopes.id",
            )?
            .query_map([identity], Self::from_row)?
            .collect()
    }

    /// Writes what may change of a scope.
    pub(crate) fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "update scopes set name = :name, description = :description, company = :company,
                     settings = :settings, annotations = :annotations where mrn = :mrn",
            )?
            .execute(named_params! {
                ":mrn": self.mrn,
                ":name": self.name,
                ":description": self.description,
                ":company": self.company,
                ":settings": self.settings,
                ":annotations": to_json(&self.annotations)?,
            })?;
        Ok(())
    }

    /// Removes a scope with all that lives in it.
    pub(crate) fn remove(connection: &Connection, mrn: &str) -> rusqlite::Result<()> {
        connection
            .prepare_cached("delete from scopes where mrn = ?1")?
            .execute([mrn])?;
        Ok(())
    }

    pub(crate) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "insert into scopes (mrn, kind, id, org_mrn, name, description, company, settings,
                                     annotations, created_at)
                 values (:mrn, :kind, :id, :org, :name, :description, :company, :settings,
                         :annotations, :created_at)",
            )?
            .execute(named_params! {
                ":mrn": self.mrn,
                ":kind": self.kind.collection(),
                ":id": self.id,
                ":org": self.org_mrn,
                ":name": self.name,
                ":description": self.description,
                ":company": self.company,
                ":settings": self.settings,
                ":annotations": to_json(&self.annotations)?,
                ":created_at": self.created_at,
            })?;
        Ok(())
    }
}
