//! Users, bindings of roles, and API tokens.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    column::to_json,
    moment::{Moment, true_at},
};

/// A human.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) mrn: String,
    pub(crate) email: String,
    pub(crate) name: String,
}

impl User {
    /// Finds a user by MRN or email.
    pub(crate) fn find(connection: &Connection, key: &str) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(
                "select mrn, email, name from users where mrn = ?1 or email = lower(?1)",
            )?
            .query_row([key], |row| {
                Ok(Self {
                    mrn: row.get(0)?,
                    email: row.get(1)?,
                    name: row.get(2)?,
                })
            })
            .optional()
    }

    pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached("select mrn, email, name from users order by email")?
            .query_map([], |row| {
                Ok(Self {
                    mrn: row.get(0)?,
                    email: row.get(1)?,
                    name: row.get(2)?,
                })
            })?
            .collect()
    }

    /// Writes a changed name.
    pub(crate) fn rename(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("update users set name = ?2 where mrn = ?1")?
            .execute([&self.mrn, &self.name])?;
        Ok(())
    }

    pub(crate) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("insert into users (mrn, email, name) values (?1, lower(?2), ?3)")?
            .execute(params![self.mrn, self.email, self.name])?;
        Ok(())
    }
}

/// An API token; only the hash of its text is known.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) hash: [u8; 32],
    pub(crate) mrn: String,
    pub(crate) scope_mrn: String,
    pub(crate) name: String,
    pub(crate) created_at: i64,
    pub(crate) last_used: i64,
}

impl Token {
    fn select(
        connection: &Connection,
        column: &str,
        key: impl rusqlite::ToSql,
    ) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(&format!(
                "select hash, mrn, scope_mrn, name, created_at, last_used from tokens
                 where {column} = ?1"
            ))?
            .query_row([key], |row| {
                Ok(Self {
                    hash: row.get(0)?,
                    mrn: row.get(1)?,
                    scope_mrn: row.get(2)?,
                    name: row.get(3)?,
                    created_at: row.get(4)?,
                    last_used: row.get(5)?,
                })
            })
            .optional()
    }

    pub(crate) fn find(connection: &Connection, mrn: &str) -> rusqlite::Result<Option<Self>> {
        Self::select(connection, "mrn", mrn)
    }

    pub(crate) fn find_by_hash(
        connection: &Connection,
        hash: &[u8],
    ) -> rusqlite::Result<Option<Self>> {
        Self::select(connection, "hash", hash)
    }

    pub(crate) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "insert into tokens (hash, mrn, scope_mrn, name, created_at, last_used)
                 values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                self.hash,
                self.mrn,
                self.scope_mrn,
                self.name,
                self.created_at,
                self.last_used
            ])?;
        Ok(())
    }

    pub(crate) fn remove(connection: &Connection, mrn: &str) -> rusqlite::Result<()> {
        connection
            .prepare_cached("delete from tokens where mrn = ?1")?
            .execute([mrn])?;
        Ok(())
    }

    pub(crate) fn touch(connection: &Connection, mrn: &str, at: i64) -> rusqlite::Result<()> {
        connection
            .prepare_cached("update tokens set last_used = ?2 where mrn = ?1")?
            .execute(params![mrn, at])?;
        Ok(())
    }
}

fn parse_roles(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

/// The roles bound directly to an identity on a scope.
pub(crate) fn roles(
    connection: &Connection,
    scope_mrn: &str,
    identity: &str,
    as_of: Option<i64>,
) -> rusqlite::Result<Vec<String>> {
    let text: Option<String> = connection
        .prepare_cached(&format!(
            "select roles from bindings where identity = ?1 and scope_mrn = ?2 and {}
             order by version desc limit 1",
            true_at(as_of)
        ))?
        .query_row([identity, scope_mrn], |row| row.get(0))
        .optional()?;
    Ok(text.as_deref().map(parse_roles).unwrap_or_default())
}

/// Every binding that holds now, as (scope, identity, roles).
pub(crate) fn bindings(
    connection: &Connection,
) -> rusqlite::Result<Vec<(String, String, Vec<String>)>> {
    connection
        .prepare_cached(
            "select scope_mrn, identity, roles from bindings where valid_to is null
             order by scope_mrn, identity",
        )?
        .query_map([], |row| {
            let roles: String = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, parse_roles(&roles)))
        })?
        .collect()
}

/// The bindings of one identity that hold now, as (scope, roles).
pub(crate) fn bindings_of(
    connection: &Connection,
    identity: &str,
) -> rusqlite::Result<Vec<(String, Vec<String>)>> {
    connection
        .prepare_cached(
            "select scope_mrn, roles from bindings where identity = ?1 and valid_to is null
             order by scope_mrn",
        )?
        .query_map([identity], |row| {
            let roles: String = row.get(1)?;
            Ok((row.get(0)?, parse_roles(&roles)))
        })?
        .collect()
}

/// A user with roles on a scope; no user for an invited email that nobody has claimed.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) user: Option<User>,
    /// The user's MRN, or the email.
    pub(crate) identity: String,
    pub(crate) roles: Vec<String>,
}

/// The members of a scope: users and invited emails with at least one role there.
pub(crate) fn members(connection: &Connection, scope_mrn: &str) -> rusqlite::Result<Vec<Member>> {
    connection
        .prepare_cached(
            "select identity, roles, users.mrn, email, name
             from bindings left join users on users.mrn = identity
             where scope_mrn = ?1 and valid_to is null and roles <> '[]'
               and (users.mrn is not null or instr(identity, '@') > 0)
             order by identity",
        )?
        .query_map([scope_mrn], |row| {
            let identity: String = row.get(0)?;
            let roles: String = row.get(1)?;
            let mrn: Option<String> = row.get(2)?;
            let user = match mrn {
                Some(mrn) => Some(User {
                    mrn,
                    email: row.get(3)?,
                    name: row.get(4)?,
                }),
                None => None,
            };
            Ok(Member {
                user,
                identity,
                roles: parse_roles(&roles),
            })
        })?
        .collect()
}

/// Replaces the roles of an identity on a scope; none removes the binding.
pub(crate) fn set_roles(
    connection: &Connection,
    scope_mrn: &str,
    identity: &str,
    roles: &[String],
    moment: Moment,
) -> rusqlite::Result<()> {
    end_bindings(
        connection,
        "identity = ?2 and scope_mrn = ?3",
        params![moment.at, identity, scope_mrn],
        moment,
    )?;
    if !roles.is_empty() {
        connection
            .prepare_cached(
                "insert into bindings (scope_mrn, identity, roles, valid_from, valid_to)
                 values (?1, ?2, ?3, ?4, null)",
            )?
            .execute(params![scope_mrn, identity, to_json(&roles)?, moment.at])?;
    }
    Ok(())
}

/// Removes every binding of an identity.
pub(crate) fn remove_identity(
    connection: &Connection,
    identity: &str,
    moment: Moment,
) -> rusqlite::Result<()> {
    end_bindings(
        connection,
        "identity = ?2",
        params![moment.at, identity],
        moment,
    )
}

/// Ends the bindings that match; the first parameter is the time.
fn end_bindings(
    connection: &Connection,
    condition: &str,
    parameters: &[&dyn rusqlite::ToSql],
    moment: Moment,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "update bindings set valid_to = ?1 where {condition} and valid_to is null"
        ))?
        .execute(parameters)?;
    let horizon = moment
        .keep_ms
        .map_or(i64::MAX, |keep| moment.at.saturating_sub(keep));
    connection
        .prepare_cached("delete from bindings where valid_to is not null and valid_to <= ?1")?
        .execute([horizon])?;
    Ok(())
}
