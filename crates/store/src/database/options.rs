//! Connection options for PostgreSQL, SQLite's main file and its telemetry file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::ConnectOptions;
use sea_orm::sqlx::Connection;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::begin::{self, Suspicion};
use super::renewal::Renewal;
use super::timeouts::{DATABASE_TIMEOUT, IDLE_CHECK_AFTER};
use crate::background;

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .connect_timeout(DATABASE_TIMEOUT)
        .acquire_timeout(DATABASE_TIMEOUT)
        .sqlx_logging(false);
    options
}

pub(super) fn postgres_options(
    postgres: PgConnectOptions,
    connections: u32,
    suspicion: Suspicion,
    renewal: Renewal,
) -> ConnectOptions {
    // The connection uses only the options mapped below. The real URL would be parsed again and
    // would appear in debug output.
    let mut options = options("postgres://", connections);
    options
        .map_sqlx_postgres_opts(move |_| postgres.clone())
        // Do not test every connection: that would double the cost of a look-up.
        .test_before_acquire(false)
        .map_sqlx_postgres_before_acquire(move |connection, meta| {
            let is_old = renewal.is_due(meta.age);
            let is_suspect = suspicion.must_test(meta.idle_for);
            Box::pin(async move {
                Ok(!is_old && (!is_suspect || begin::is_clean(connection).await?))
            })
        });
    options
}

/// `opened` counts the connections.
pub(super) fn sqlite_options(
    url: &str,
    connections: u32,
    opened: &Arc<AtomicU64>,
) -> ConnectOptions {
    let opened = Arc::clone(opened);
    let mut options = options(url, connections);
    options
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .map_sqlx_sqlite_pool_opts(move |pool| {
            let opened = Arc::clone(&opened);
            pool.after_connect(move |_, _| {
                opened.fetch_add(1, Ordering::AcqRel);
                Box::pin(async { Ok(()) })
            })
        })
        // A full disk rolls a transaction back without sqlx's knowledge. sqlx's own `ROLLBACK` then
        // fails, it believes the connection to be in a transaction for ever, and its `COMMIT` may
        // commit nothing. Such a connection is closed and never reused.
        // (<https://www.sqlite.org/lang_transaction.html>, on automatic rollback)
        .map_sqlx_sqlite_before_acquire(|connection, _| {
            let is_clean = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_clean) })
        })
        .test_before_acquire_if_idle_for(IDLE_CHECK_AFTER)
        .map_sqlx_sqlite_opts(configure);
    options
}

/// Options for the telemetry file. Its single writer connection runs on a low-priority thread.
pub(super) fn telemetry_options(url: &str, connections: u32, file: &Path) -> ConnectOptions {
    let is_writer = connections == 1;
    let file = file.to_owned();
    let mut options = sqlite_options(url, connections, &Arc::default());
    options
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = configure(sqlite)
                .filename(&file)
                // A caller that needs durability syncs the log once per call
                // (`Telemetry::write_ahead_log`).
                .synchronous(SqliteSynchronous::Normal);
            if is_writer { sqlite.thread_name(|_| background::WRITER.to_owned()) } else { sqlite }
        })
        .map_sqlx_sqlite_pool_opts(move |pool| {
            pool.after_connect(move |_, _| {
                if is_writer {
                    background::lower_priority(background::WRITER);
                }
                Box::pin(async { Ok(()) })
            })
        });
    options
}

fn configure(sqlite: SqliteConnectOptions) -> SqliteConnectOptions {
    sqlite
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(DATABASE_TIMEOUT)
}
