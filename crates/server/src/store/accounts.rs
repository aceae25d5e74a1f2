//! Service accounts.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params, types::Value};
use serde::{Deserialize, Serialize};

use super::{
    column::{Label, from_json, to_json},
    iam,
    moment::{Moment, true_at},
};

/// A service account. Times are milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) mrn: String,
    pub(crate) id: String,
    pub(crate) scope_mrn: String,
    pub(crate) org_mrn: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) notes: String,
    pub(crate) labels: Vec<Label>,
    pub(crate) created_at: i64,
    /// 0 if it never authenticated.
    pub(crate) last_used: i64,
    pub(crate) creator: Option<String>,
    pub(crate) valid_until: Option<i64>,
    /// The certificate in DER; absent until a key is issued.
    pub(crate) certificate: Option<Vec<u8>>,
}

/// Which accounts a listing holds.
#[derive(Clone, Debug)]
pub(crate) struct AccountFilter {
    pub(crate) scope_mrn: String,
    /// Accounts of the organization's spaces belong to the listing too.
    pub(crate) with_spaces: bool,
    /// The MRNs of spaces whose accounts do not.
    pub(crate) without: Vec<String>,
    /// Texts that must all occur in name, description, notes or id, in any case.
    pub(crate) terms: Vec<String>,
    pub(crate) as_of: Option<i64>,
}

/// The columns a listing may be ordered by; the id always decides between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SortField {
    Id,
    Name,
    LastUsed,
    CreatedAt,
}

impl SortField {
    fn column(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::LastUsed => "last_used",
            Self::CreatedAt => "created_at",
        }
    }
}

/// The order of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountSort {
    pub(crate) field: SortField,
    pub(crate) descending: bool,
}

/// The place of an account in an order: what the next page starts after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum SortKey {
    Number(i64),
    Text(String),
}

impl Account {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            mrn: row.get("mrn")?,
            id: row.get("id")?,
            scope_mrn: row.get("scope_mrn")?,
            org_mrn: row.get("org_mrn")?,
            name: row.get("name")?,
            description: row.get("description")?,
            notes: row.get("notes")?,
            labels: from_json(row, "labels")?,
            created_at: row.get("created_at")?,
            last_used: row.get("last_used")?,
            creator: row.get("creator")?,
            valid_until: row.get("valid_until")?,
            certificate: row.get("certificate")?,
        })
    }

    pub(crate) fn find(
        connection: &Connection,
        mrn: &str,
        as_of: Option<i64>,
    ) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(&format!(
                "select * from accounts where mrn = ?1 and {} order by version desc limit 1",
                true_at(as_of)
            ))?
            .query_row([mrn], Self::from_row)
            .optional()
    }

    /// Every account there is now, by MRN.
    pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached("select * from accounts where valid_to is null order by mrn")?
            .query_map([], Self::from_row)?
            .collect()
    }

    /// The accounts of a scope that one identity made.
    pub(crate) fn made_by(
        connection: &Connection,
        scope_mrn: &str,
        creator: &str,
    ) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached(
                "select * from accounts where scope_mrn = ?1 and creator = ?2 and valid_to is null
                 order by id",
            )?
            .query_map([scope_mrn, creator], Self::from_row)?
            .collect()
    }

    /// Whether another account of the scope has the name.
    pub(crate) fn name_taken(
        connection: &Connection,
        scope_mrn: &str,
        name: &str,
        except: Option<&str>,
    ) -> rusqlite::Result<bool> {
        connection
            .prepare_cached(
                "select exists (select 1 from accounts where scope_mrn = ?1 and name = ?2
                                and valid_to is null and mrn is not ?3)",
            )?
            .query_row(params![scope_mrn, name, except], |row| row.get(0))
    }

    /// Up to `limit` accounts that follow a place in the order. The place is found by index, so
    /// a page costs the same at any depth.
    pub(crate) fn page(
        connection: &Connection,
        filter: &AccountFilter,
        sort: AccountSort,
        after: Option<(&SortKey, &str)>,
        limit: u32,
    ) -> rusqlite::Result<Vec<Self>> {
        let (mut sql, mut values) = select("*", filter)?;
        let column = sort.field.column();
        let (sign, direction) = if sort.descending {
            ("<", "desc")
        } else {
            (">", "asc")
        };
        if let Some((key, id)) = after {
            if sort.field == SortField::Id {
                values.push(Value::Text(id.to_owned()));
                sql += &format!(" and id {sign} ?{}", values.len());
            } else {
                values.push(match key {
                    SortKey::Number(number) => Value::Integer(*number),
                    SortKey::Text(text) => Value::Text(text.clone()),
                });
                values.push(Value::Text(id.to_owned()));
                let last = values.len();
                sql += &format!(" and ({column}, id) {sign} (?{}, ?{last})", last - 1);
            }
        }
        sql += &match sort.field {
            SortField::Id => format!(" order by id {direction} limit {limit}"),
            _ => format!(" order by {column} {direction}, id {direction} limit {limit}"),
        };
        connection
            .prepare_cached(&sql)?
            .query_map(rusqlite::params_from_iter(values), Self::from_row)?
            .collect()
    }

    pub(crate) fn count(connection: &Connection, filter: &AccountFilter) -> rusqlite::Result<i32> {
        if filter.terms.is_empty() && filter.as_of.is_none() && filter.without.is_empty() {
            let scope = scope_column(filter);
            return connection
                .prepare_cached(&format!(
                    "select coalesce(sum(accounts), 0) from account_counts where {scope} = ?1"
                ))?
                .query_row([&filter.scope_mrn], |row| row.get(0));
        }
        let (sql, values) = select("count(*)", filter)?;
        connection
            .prepare_cached(&sql)?
            .query_row(rusqlite::params_from_iter(values), |row| row.get(0))
    }

    /// The account's place in an order.
    pub(crate) fn sort_key(&self, field: SortField) -> SortKey {
        match field {
            SortField::Id => SortKey::Text(self.id.clone()),
            SortField::Name => SortKey::Text(self.name.clone()),
            SortField::LastUsed => SortKey::Number(self.last_used),
            SortField::CreatedAt => SortKey::Number(self.created_at),
        }
    }

    /// Writes the account as the present state, in place of what it was.
    pub(crate) fn put(&self, connection: &Connection, moment: Moment) -> rusqlite::Result<()> {
        end(connection, &self.mrn, moment)?;
        connection
            .prepare_cached(
                "insert into accounts (mrn, id, scope_mrn, org_mrn, name, description, notes,
                     labels, created_at, last_used, creator, valid_until, certificate, valid_from)
                 values (:mrn, :id, :scope, :org, :name, :description, :notes, :labels,
                     :created_at, :last_used, :creator, :valid_until, :certificate, :at)",
            )?
            .execute(named_params! {
                ":mrn": self.mrn,
                ":id": self.id,
                ":scope": self.scope_mrn,
                ":org": self.org_mrn,
                ":name": self.name,
                ":description": self.description,
                ":notes": self.notes,
                ":labels": to_json(&self.labels)?,
                ":created_at": self.created_at,
                ":last_used": self.last_used,
                ":creator": self.creator,
                ":valid_until": self.valid_until,
                ":certificate": self.certificate,
                ":at": moment.at,
            })?;
        Ok(())
    }

    /// Removes the account and all its roles.
    pub(crate) fn remove(
        connection: &Connection,
        mrn: &str,
        moment: Moment,
    ) -> rusqlite::Result<()> {
        end(connection, mrn, moment)?;
        iam::remove_identity(connection, mrn, moment)
    }

    /// Notes that the account authenticated.
    pub(crate) fn touch(connection: &Connection, mrn: &str, at: i64) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "update accounts set last_used = ?2 where mrn = ?1 and valid_to is null",
            )?
            .execute(params![mrn, at])?;
        Ok(())
    }
}

fn end(connection: &Connection, mrn: &str, moment: Moment) -> rusqlite::Result<()> {
    connection
        .prepare_cached("update accounts set valid_to = ?1 where mrn = ?2 and valid_to is null")?
        .execute(params![moment.at, mrn])?;
    let horizon = moment
        .keep_ms
        .map_or(i64::MAX, |keep| moment.at.saturating_sub(keep));
    connection
        .prepare_cached("delete from accounts where valid_to is not null and valid_to <= ?1")?
        .execute([horizon])?;
    Ok(())
}

/// The column that holds the scope of a listing.
fn scope_column(filter: &AccountFilter) -> &'static str {
    if filter.with_spaces {
        "org_mrn"
    } else {
        "scope_mrn"
    }
}

fn select(columns: &str, filter: &AccountFilter) -> rusqlite::Result<(String, Vec<Value>)> {
    let scope = scope_column(filter);
    let mut sql = format!(
        "select {columns} from accounts where {scope} = ?1 and {}",
        true_at(filter.as_of)
    );
    let mut values = vec![Value::Text(filter.scope_mrn.clone())];
    if filter.with_spaces && !filter.without.is_empty() {
        values.push(Value::Text(to_json(&filter.without)?));
        sql += &format!(
            " and scope_mrn not in (select value from json_each(?{}))",
            values.len()
        );
    }
    for term in &filter.terms {
        values.push(Value::Text(term.clone()));
        sql += &format!(
            " and instr(lower(name || ' ' || description || ' ' || notes || ' ' || id), \
             lower(?{})) > 0",
            values.len()
        );
    }
    Ok((sql, values))
}
