//! Storage: one SQLite file, durable at every commit.
//!
//! Holds rows and finds them; decides nothing. Rows of accounts and bindings carry the time span
//! in which they were the truth, so that reads can be answered as of an earlier moment.

mod accounts;
mod audit;
pub(crate) mod iam;
mod layout;
mod objects;
mod scopes;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

pub(crate) use accounts::{Account, AccountFilter, AccountSort, Label, SortField, SortKey};
pub(crate) use audit::{Entry, Filter};
pub(crate) use iam::{Member, Token, User};
pub(crate) use objects::Object;
pub(crate) use scopes::Scope;

/// The layout's version, in SQLite's `user_version`.
const VERSION: i64 = 2;

const SCHEMA: &str = "
create table meta (
    key text primary key,
    value text not null
) strict;

create table scopes (
    mrn text primary key,
    kind text not null check (kind in ('organizations', 'spaces')),
    id text not null,
    -- An organization is its own organization.
    org_mrn text not null references scopes (mrn) on delete cascade,
    name text not null,
    description text,
    company text,
    settings text,
    annotations text not null default '[]',
    created_at integer not null,
    unique (kind, id)
) strict;
create index scopes_by_org on scopes (org_mrn, id);

create table users (
    mrn text primary key,
    email text not null unique,
    name text not null
) strict;

-- valid_to null: the row is the present state. Versions before it exist only while reads lag.
create table accounts (
    version integer primary key,
    mrn text not null,
    id text not null,
    scope_mrn text not null references scopes (mrn) on delete cascade,
    org_mrn text not null references scopes (mrn) on delete cascade,
    name text not null,
    description text not null,
    notes text not null,
    labels text not null,
    created_at integer not null,
    -- 0: never
    last_used integer not null,
    creator text,
    valid_until integer,
    certificate blob,
    valid_from integer not null,
    valid_to integer
) strict;
create unique index accounts_live on accounts (mrn) where valid_to is null;
create index accounts_history on accounts (mrn, valid_from);
create index accounts_history_of_scope on accounts (scope_mrn, id);
create index accounts_ended on accounts (valid_to) where valid_to is not null;
create index accounts_by_id on accounts (scope_mrn, id) where valid_to is null;
create index accounts_by_name on accounts (scope_mrn, name, id) where valid_to is null;
create index accounts_by_used on accounts (scope_mrn, last_used, id) where valid_to is null;
create index accounts_by_created on accounts (scope_mrn, created_at, id) where valid_to is null;
create index accounts_of_org on accounts (org_mrn, id) where valid_to is null;

-- The roles of one identity on one scope; an identity is an MRN or the email of somebody invited.
create table bindings (
    version integer primary key,
    scope_mrn text not null references scopes (mrn) on delete cascade,
    identity text not null,
    roles text not null,
    valid_from integer not null,
    valid_to integer
) strict;
create unique index bindings_live on bindings (identity, scope_mrn) where valid_to is null;
create index bindings_history on bindings (identity, scope_mrn, valid_from);
create index bindings_ended on bindings (valid_to) where valid_to is not null;
create index bindings_by_scope on bindings (scope_mrn, identity) where valid_to is null;

create table tokens (
    hash blob primary key,
    mrn text not null unique,
    scope_mrn text not null references scopes (mrn) on delete cascade,
    name text not null,
    created_at integer not null,
    last_used integer not null
) strict;
";

/// What version 2 added.
const OBJECTS: &str = "
create index accounts_of_org_by_name on accounts (org_mrn, name, id) where valid_to is null;
create index accounts_of_org_by_used on accounts (org_mrn, last_used, id) where valid_to is null;
create index accounts_of_org_by_created on accounts (org_mrn, created_at, id)
    where valid_to is null;
-- How many accounts a scope has now: counting a hundred thousand rows takes longer than a page.
create table account_counts (
    scope_mrn text primary key references scopes (mrn) on delete cascade,
    org_mrn text not null,
    accounts integer not null
) strict;
create index account_counts_of_org on account_counts (org_mrn, accounts);
create trigger account_added after insert on accounts when new.valid_to is null begin
    insert into account_counts (scope_mrn, org_mrn, accounts)
    values (new.scope_mrn, new.org_mrn, 1)
    on conflict (scope_mrn) do update set accounts = accounts + 1;
end;
create trigger account_ended after update of valid_to on accounts
when old.valid_to is null and new.valid_to is not null begin
    update account_counts set accounts = accounts - 1 where scope_mrn = old.scope_mrn;
end;
create trigger account_removed after delete on accounts when old.valid_to is null begin
    update account_counts set accounts = accounts - 1 where scope_mrn = old.scope_mrn;
end;
insert into account_counts (scope_mrn, org_mrn, accounts)
    select scope_mrn, org_mrn, count(*) from accounts where valid_to is null group by scope_mrn;

create table objects (
    mrn text primary key,
    kind text not null,
    scope_mrn text references scopes (mrn) on delete cascade,
    parent text references objects (mrn) on delete cascade,
    key text not null,
    created_at integer not null,
    body text not null
) strict;
create index objects_of_scope on objects (scope_mrn, kind, mrn);
create index objects_of_parent on objects (parent);
create index objects_by_key on objects (kind, key, mrn);

create table audit (
    id integer primary key autoincrement,
    at integer not null,
    identity_mrn text not null,
    identity_name text not null,
    action text not null,
    resource text not null,
    parent text not null,
    org_mrn text not null,
    message text not null,
    ip text
) strict;
create index audit_of_resource on audit (resource, id);
create index audit_of_parent on audit (parent, id);
create index audit_of_organization on audit (org_mrn, id);
";

/// The database behind one platform.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens or creates the file; `None` keeps everything in memory.
    pub(crate) fn open(path: Option<&Path>) -> rusqlite::Result<Self> {
        let mut connection = match path {
            Some(path) => {
                make_private(path);
                Connection::open(path)?
            }
            None => Connection::open_in_memory()?,
        };
        layout::distrust(&connection)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        layout::within(&mut connection, None, |connection| {
            // Before anything is written to what may be somebody else's.
            layout::check(connection)?;
            connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "foreign_keys", "on")?;
            layout::migrate(connection)
        })?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held rolled its transaction back, so the state is whole.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs reads that see one state.
    pub(crate) fn read<T, E: From<rusqlite::Error>>(
        &self,
        run: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        run(&transaction)
    }

    /// Runs reads and writes as one step: all of it is on disk, or nothing happened.
    pub(crate) fn write<T, E: From<rusqlite::Error>>(
        &self,
        run: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = run(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}

/// Makes the file of a new database, for its owner's eyes alone; what SQLite puts beside it is as
/// private. If it cannot be made, opening it says why.
fn make_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let _ = options.write(true).create_new(true).mode(0o600).open(path);
}

/// How far writes keep what was before them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The time of the write, in milliseconds.
    pub(crate) at: i64,
    /// How long replaced rows stay readable; `None` keeps none.
    pub(crate) keep_ms: Option<i64>,
}

/// The condition that selects the rows true at a moment; `None` is now.
fn true_at(as_of: Option<i64>) -> String {
    match as_of {
        None => "valid_to is null".to_owned(),
        Some(at) => format!("valid_from <= {at} and (valid_to is null or valid_to > {at})"),
    }
}

pub(crate) fn meta_get(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("select value from meta where key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

pub(crate) fn meta_set(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "insert into meta (key, value) values (?1, ?2)
             on conflict (key) do update set value = excluded.value",
        )?
        .execute([key, value])?;
    Ok(())
}

/// JSON text of a column that this module wrote itself.
fn to_json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

fn from_json<T: serde::de::DeserializeOwned>(
    row: &rusqlite::Row<'_>,
    column: &str,
) -> rusqlite::Result<T> {
    let index = row.as_ref().column_index(column)?;
    let text = row.get_ref(index)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            index,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}
