//! The files of an SQLite database, and copies of them while a server writes.
//!
//! A copy of a file is one state of it (`VACUUM INTO`), and no writer waits for it. There are two
//! files, and telemetry is copied first: whatever its rows refer to was committed to the main file
//! before, so the later copy of that has it. Budgets are charged in the main file ahead of the
//! calls that telemetry counts, so a copy never has room for more than the original.

use std::path::{Path, PathBuf};

use latchkey_migrations::{Migrator, MigratorTrait, TelemetryMigrator};
use sea_orm::DbErr;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{AssertSqlSafe, ConnectOptions, Connection, query, query_scalar};

use super::telemetry;
use super::url::Place;
use crate::error::from_sqlx;

/// Where migrations are recorded, in either file.
const MIGRATION_TABLES: [&str; 2] = ["seaql_migrations", "telemetry_migrations"];

/// Paths of both files. The second is missing while a database of an early version has not been
/// opened by a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteFiles {
    /// Everything but telemetry and usage.
    pub main: PathBuf,
    /// Telemetry and usage.
    pub telemetry: PathBuf,
}

impl SqliteFiles {
    /// The files that a database URL names. `None` for PostgreSQL.
    ///
    /// # Errors
    /// It is no URL of a database.
    pub fn named(url: &str) -> Result<Option<Self>, DbErr> {
        match Place::parse(url)? {
            Place::Sqlite => Ok(Some(Self::beside(telemetry::main_file(url)?))),
            Place::Postgres(_) => Ok(None),
        }
    }

    /// The files of the database whose main file is `main`.
    pub fn beside(main: PathBuf) -> Self {
        let telemetry = telemetry::telemetry_file(&main);
        Self { main, telemetry }
    }

    /// Copies the files to those of `to`, which must not exist. Nothing is written to the
    /// originals, and they are not migrated. Returns the names of the migrations that the copy has
    /// had.
    ///
    /// # Errors
    /// A file can't be read or written, or a server is just moving telemetry to its own file.
    pub async fn copy(&self, to: &Self) -> Result<Vec<String>, DbErr> {
        let apart = is_apart(&self.main).await?;
        let mut migrations = Vec::new();
        if self.telemetry.exists() {
            if !apart {
                return Err(moving());
            }
            copy_file(&self.telemetry, &to.telemetry).await?;
            migrations.extend(applied(&to.telemetry).await?);
        }
        copy_file(&self.main, &to.main).await?;
        // A server of a later version may have started meanwhile.
        if is_apart(&to.main).await? != apart {
            return Err(moving());
        }
        migrations.extend(applied(&to.main).await?);
        migrations.sort_unstable();
        Ok(migrations)
    }
}

/// The first of these migrations that this version does not know.
pub fn later_migration(names: &[String]) -> Option<&str> {
    let known = Migrator::migrations().into_iter().chain(TelemetryMigrator::migrations());
    let known: Vec<String> = known.map(|migration| migration.name().to_owned()).collect();
    names.iter().find(|name| !known.contains(name)).map(String::as_str)
}

fn moving() -> DbErr {
    DbErr::Custom(
        "the server is moving telemetry to a file of its own; try again once it has started"
            .to_owned(),
    )
}

/// Opens a file that must exist, for reading only.
async fn open(file: &Path) -> Result<SqliteConnection, DbErr> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    // A copy takes as long as it takes.
    let options = options.disable_statement_logging();
    SqliteConnection::connect_with(&options).await.map_err(from_sqlx)
}

async fn copy_file(from: &Path, to: &Path) -> Result<(), DbErr> {
    let to = to
        .to_str()
        .ok_or_else(|| DbErr::Custom("the path of the copy is not valid Unicode".to_owned()))?;
    let mut connection = open(from).await?;
    let copied = query("VACUUM INTO ?1").bind(to).execute(&mut connection).await;
    let closed = connection.close().await;
    copied.map_err(from_sqlx)?;
    closed.map_err(from_sqlx)
}

/// Whether telemetry is in a file of its own.
async fn is_apart(main: &Path) -> Result<bool, DbErr> {
    Ok(!has_table(&mut open(main).await?, "traces").await?)
}

async fn has_table(connection: &mut SqliteConnection, table: &str) -> Result<bool, DbErr> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1)";
    query_scalar::<_, bool>(sql).bind(table).fetch_one(connection).await.map_err(from_sqlx)
}

/// Names of the migrations that a file has had.
async fn applied(file: &Path) -> Result<Vec<String>, DbErr> {
    let mut connection = open(file).await?;
    let mut names = Vec::new();
    for table in MIGRATION_TABLES {
        if has_table(&mut connection, table).await? {
            let sql = AssertSqlSafe(format!("SELECT version FROM {table}"));
            let rows = query_scalar::<_, String>(sql).fetch_all(&mut connection).await;
            names.extend(rows.map_err(from_sqlx)?);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;
    use crate::Database;

    #[tokio::test]
    async fn copy_has_both_files_while_the_original_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/latchkey.db", folder.path().display());
        let database = Database::open(&url).await.unwrap();
        let write = "INSERT INTO instance (name, value) VALUES ('a', 'b')";
        database.writer().execute_unprepared(write).await.unwrap();
        let files = SqliteFiles::named(&url).unwrap().unwrap();
        let to = SqliteFiles::beside(folder.path().join("copy.db"));
        let migrations = files.copy(&to).await.unwrap();
        assert_eq!(later_migration(&migrations), None);
        let all = Migrator::migrations().len() + TelemetryMigrator::migrations().len();
        assert_eq!(migrations.len(), all);
        let copy = format!("sqlite://{}", to.main.display());
        let copy = Database::open(&copy).await.unwrap();
        let deleted = "DELETE FROM instance WHERE name = 'a'";
        let deleted = copy.writer().execute_unprepared(deleted).await.unwrap();
        assert_eq!(deleted.rows_affected(), 1);
        assert!(files.copy(&to).await.is_err(), "it overwrites nothing");
    }

    #[tokio::test]
    async fn copy_is_refused_while_telemetry_moves() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/latchkey.db", folder.path().display());
        let database = Database::open(&url).await.unwrap();
        database.writer().execute_unprepared("CREATE TABLE traces (id int)").await.unwrap();
        let files = SqliteFiles::named(&url).unwrap().unwrap();
        let to = SqliteFiles::beside(folder.path().join("copy.db"));
        let refused = files.copy(&to).await.unwrap_err().to_string();
        assert!(refused.contains("try again"), "{refused}");
    }

    #[test]
    fn migration_of_a_later_version_is_found() {
        let later = ["m20261121_000001_create_workspace", "m29991231_000001_later"];
        let later = later.map(str::to_owned);
        assert_eq!(later_migration(&later), Some("m29991231_000001_later"));
        assert_eq!(SqliteFiles::named("postgres://u:p@h/d").unwrap(), None);
    }
}
