//! What a database must look like before anything is read from it: a file that somebody else put
//! there may hold views that never end and triggers that do what nobody asked for.

use std::{collections::BTreeMap, sync::mpsc, time::Duration};

use rusqlite::{Connection, TransactionBehavior, config::DbConfig};

use super::schema::{OBJECTS, SCHEMA, VERSION};

/// How long opening may take in all; a hundred thousand accounts take no second.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a statement that must end is told so.
const AGAIN: Duration = Duration::from_millis(50);

/// Makes a connection trust nothing that its file says of itself.
pub(super) fn distrust(connection: &Connection) -> rusqlite::Result<()> {
    for (switch, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        // The layout has none.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(switch, on)?;
    }
    // Pages of a damaged file are looked at before they are believed.
    connection.pragma_update(None, "cell_size_check", "on")
}

/// Runs something that must end: after a while its statements are interrupted.
pub(super) fn within<T>(
    connection: &mut Connection,
    patience: Option<Duration>,
    run: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let patience = patience.unwrap_or(PATIENCE);
    let handle = connection.get_interrupt_handle();
    let (done, over) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let mut wait = patience;
        while over.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
            handle.interrupt();
            wait = AGAIN;
        }
    });
    let result = run(connection);
    drop(done);
    // It has nothing to fail by, and what ran is over either way.
    let _ = watch.join();
    result.map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => refused(format!(
            "opening it took more than {} seconds; remove the file, or name another one",
            patience.as_secs()
        )),
        _ => error,
    })
}

fn refused(message: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_MISMATCH),
        Some(message),
    )
}

/// Type and name, then table and text.
type Entries = BTreeMap<(String, String), (String, Option<String>)>;

fn entries(connection: &Connection) -> rusqlite::Result<Entries> {
    connection
        .prepare("select type, name, tbl_name, sql from sqlite_schema")?
        .query_map([], |row| {
            Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)))
        })?
        .collect()
}

/// What a database of a version holds.
fn expected(version: i64) -> rusqlite::Result<Entries> {
    let connection = Connection::open_in_memory()?;
    if version >= 1 {
        connection.execute_batch(SCHEMA)?;
    }
    if version >= 2 {
        connection.execute_batch(OBJECTS)?;
    }
    entries(&connection)
}

/// Makes sure that a database is empty, or one of ours and of nobody else.
///
/// # Errors
/// What it has or lacks, with the way out.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    // One state: another process may be making the layout right now.
    let state = connection.unchecked_transaction()?;
    let version = version(&state)?;
    if !(0..=VERSION).contains(&version) {
        return Err(refused(format!(
            "the file has layout {version}, this version knows {VERSION}"
        )));
    }
    let (found, expected) = (entries(&state)?, expected(version)?);
    let strange = found
        .iter()
        .find(|(key, value)| expected.get(key) != Some(value))
        .map(|((kind, name), _)| format!("the {kind} {name:?} is not as it was made here"));
    let missing = expected
        .keys()
        .find(|key| !found.contains_key(key))
        .map(|(kind, name)| format!("the {kind} {name:?} is missing"));
    match strange.or(missing) {
        None => Ok(()),
        Some(why) => Err(refused(format!(
            "the file is no database of this platform: {why}; remove the file, or name another one"
        ))),
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("pragma user_version", [], |row| row.get(0))
}

/// Makes the layout, or brings an older one up to date.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    if version(connection)? == VERSION {
        return Ok(());
    }
    // Two processes may open a new file at once: look again once the write lock is held.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old = version(&transaction)?;
    if old == VERSION {
        return Ok(());
    }
    if old == 0 {
        transaction.execute_batch(SCHEMA)?;
    }
    transaction.execute_batch(OBJECTS)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(sql: &str) -> Connection {
        let connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch(sql).expect("as it was");
        connection
    }

    #[test]
    fn a_file_of_the_first_layout_is_brought_up_to_date() {
        let mut connection = open(&format!(
            "{SCHEMA}
             pragma user_version = 1;
             insert into scopes values ('//o', 'organizations', 'o', '//o', 'O', null, null, null,
                                        '[]', 0);
             insert into accounts values (1, '//a', 'a', '//o', '//o', 'A', '', '', '[]', 0, 0,
                                          null, null, null, 0, null);"
        ));
        check(&connection).expect("ours");
        migrate(&mut connection).expect("migrates");
        check(&connection).expect("still ours");
        let one = |sql: &str| -> i64 {
            let found = connection.query_row(sql, [], |row| row.get(0));
            found.expect("a number")
        };
        assert_eq!(one("pragma user_version"), VERSION);
        assert_eq!(one("select accounts from account_counts"), 1, "counted");
        assert_eq!(one("select count(*) from objects"), 0);
        connection
            .execute("delete from accounts", [])
            .expect("deletes");
        let left = connection.query_row("select accounts from account_counts", [], |r| r.get(0));
        assert_eq!(left, Ok(0_i64));
    }

    #[test]
    fn a_database_that_was_not_made_here_is_refused() {
        let ours = format!("{SCHEMA} {OBJECTS} pragma user_version = {VERSION};");
        check(&open(&ours)).expect("ours");
        check(&open("")).expect("a new one");
        for (sql, why) in [
            (
                format!("{ours} drop table meta; create view meta as select 1 as key, 2 as value;"),
                "the view \"meta\"",
            ),
            (
                format!("{ours} create trigger more after insert on meta begin select 1; end;"),
                "the trigger \"more\"",
            ),
            (
                format!("{ours} create table extra (x);"),
                "the table \"extra\"",
            ),
            (
                format!("{ours} create index extra on meta (value);"),
                "the index \"extra\"",
            ),
            (
                format!("{ours} drop trigger account_ended;"),
                "\"account_ended\" is missing",
            ),
            (
                format!("{ours} drop index bindings_live;"),
                "\"bindings_live\" is missing",
            ),
            (
                format!("{ours} alter table meta add column more text;"),
                "the table \"meta\"",
            ),
            ("create table notes (x);".to_owned(), "the table \"notes\""),
            (format!("{SCHEMA} pragma user_version = 2;"), "is missing"),
            (format!("{ours} pragma user_version = 3;"), "layout 3"),
            ("pragma user_version = -1;".to_owned(), "layout -1"),
        ] {
            let error = check(&open(&sql)).expect_err(why).to_string();
            assert!(error.contains(why), "{why}: {error}");
        }
    }

    #[test]
    fn what_does_not_end_is_interrupted() {
        let mut connection = open("");
        let endless = "with recursive n (i) as (select 1 union all select i + 1 from n)
             select count(*) from n";
        let started = std::time::Instant::now();
        let soon = Some(Duration::from_millis(200));
        let result = within(&mut connection, soon, |c| {
            c.query_row(endless, [], |row| row.get::<_, i64>(0))
        });
        assert!(
            result
                .expect_err("endless")
                .to_string()
                .contains("took more than")
        );
        assert!(started.elapsed() < Duration::from_secs(20));
        // What is in time is not touched, and the connection is as good as before.
        let two = within(&mut connection, soon, |c| {
            c.query_row("select 1 + 1", [], |row| row.get::<_, i64>(0))
        });
        assert_eq!(two, Ok(2));
    }

    #[test]
    fn a_view_is_not_read_even_where_it_is() {
        let connection = open("create view v as select 1 as x;");
        distrust(&connection).expect("switches");
        assert!(
            connection
                .query_row("select x from v", [], |row| row.get::<_, i64>(0))
                .is_err()
        );
    }
}
