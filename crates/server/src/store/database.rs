//! The file behind one platform: opened, locked, and written in steps that are whole or nothing.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::layout;

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
