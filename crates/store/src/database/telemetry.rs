//! Where telemetry and usage are stored: on SQLite in a separate file with its own writer, on
//! PostgreSQL in the same database through a small pool of its own. Revocations, sign-ins and
//! creates never wait behind them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};

use super::begin::{OnBehalfOf, Writer};
use crate::error::from_sqlx;

/// PostgreSQL connections for background writes: a batch of telemetry, the counters, a purge, and
/// one spare.
pub(super) const CONNECTIONS: u32 = 4;

/// Connection pools for telemetry and usage.
#[derive(Clone)]
pub struct Telemetry {
    pub(super) reader: DatabaseConnection,
    pub(super) writer: Writer,
    pub(super) file: Option<PathBuf>,
}

impl Telemetry {
    /// For read-only statements.
    pub const fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For a single write statement.
    pub const fn writer(&self) -> &DatabaseConnection {
        &self.writer.pool
    }

    /// Begins a write transaction; see [`super::Database::begin`].
    ///
    /// # Errors
    /// The database fails.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.writer.begin(OnBehalfOf::Server).await
    }

    /// The SQL dialect.
    pub fn backend(&self) -> DbBackend {
        self.writer.pool.get_database_backend()
    }

    /// SQLite's write-ahead log, whose commits are not yet guaranteed to be on disk; `None` on
    /// PostgreSQL, which syncs its own.
    pub fn write_ahead_log(&self) -> Option<PathBuf> {
        self.file.as_deref().map(|file| beside(file, "", "-wal"))
    }
}

/// Path of SQLite's main database file.
///
/// # Errors
/// The URL is not a valid SQLite URL.
pub(super) fn main_file(url: &str) -> Result<PathBuf, DbErr> {
    let options = SqliteConnectOptions::from_str(url).map_err(from_sqlx)?;
    Ok(options.get_filename().to_owned())
}

/// Path of the telemetry file: `latchkey-telemetry.db` beside `latchkey.db`.
pub(super) fn telemetry_file(main: &Path) -> PathBuf {
    beside(main, "-telemetry", "")
}

/// The path `name{stem}.db{end}` beside `name.db`.
fn beside(file: &Path, stem: &str, end: &str) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(stem);
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    name.push(end);
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telemetry_stands_beside_the_main_file() {
        for (url, expected) in [
            ("sqlite:///data/latchkey.db", "/data/latchkey-telemetry.db"),
            ("sqlite://./data/latchkey.db?mode=rwc", "./data/latchkey-telemetry.db"),
            ("sqlite:keys", "keys-telemetry"),
            ("sqlite:///a.b/c.d.sqlite3", "/a.b/c.d-telemetry.sqlite3"),
        ] {
            assert_eq!(telemetry_file(&main_file(url).unwrap()), Path::new(expected), "{url}");
        }
        let log = beside(Path::new("/data/latchkey-telemetry.db"), "", "-wal");
        assert_eq!(log, Path::new("/data/latchkey-telemetry.db-wal"));
    }
}
