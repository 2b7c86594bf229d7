//! What is read of a database before it is opened: nothing is created, migrated or left behind.

use sea_orm::DbErr;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{AssertSqlSafe, ConnectOptions, Connection, Error as Sqlx, Row};
use sea_orm::sqlx::{query_scalar, raw_sql};

use super::url::{Place, Postgres};
use super::{Database, start, telemetry};
use crate::error::from_sqlx;

impl Database {
    /// The value of a row of `instance` in the database at `url`, which is not opened. `None` if
    /// there is no such row, table or file. `name` becomes a part of a statement.
    ///
    /// # Errors
    /// The URL is no database's, or what it leads to can't be reached or read.
    pub async fn read_instance(url: &str, name: &'static str) -> Result<Option<String>, DbErr> {
        match Place::parse(url)? {
            Place::Sqlite => of_sqlite(url, name).await,
            Place::Postgres(postgres) => of_postgres(&postgres, name).await,
        }
    }
}

async fn of_sqlite(url: &str, name: &str) -> Result<Option<String>, DbErr> {
    let file = telemetry::main_file(url)?;
    if !file.exists() {
        return Ok(None);
    }
    // The last connection removes the files of the write-ahead log, unless it is for reading only.
    let options = SqliteConnectOptions::new().filename(&file).disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(from_sqlx)?;
    let sql = "SELECT value FROM instance WHERE name = ?1";
    let value = query_scalar::<_, String>(sql).bind(name).fetch_optional(&mut connection).await;
    let closed = connection.close().await;
    let value = none_without_table(value).map_err(from_sqlx)?;
    closed.map_err(from_sqlx)?;
    Ok(value)
}

async fn of_postgres(postgres: &Postgres, name: &str) -> Result<Option<String>, DbErr> {
    let mut connection = start::connect(postgres).await?;
    // The comment keeps pgpool-II from sending the query to a replica. A prepared statement would
    // need a pooler that supports them, which has not been checked yet.
    let sql = format!("/*NO LOAD BALANCE*/ SELECT value FROM instance WHERE name = '{name}'");
    let row = raw_sql(AssertSqlSafe(sql)).fetch_optional(&mut connection).await;
    let value = row.and_then(|row| row.map(|row| row.try_get(0)).transpose());
    // The connection is closed even if the server does not get the message.
    let _ = connection.close().await;
    none_without_table(value).map_err(from_sqlx)
}

fn none_without_table(value: Result<Option<String>, Sqlx>) -> Result<Option<String>, Sqlx> {
    match value {
        Err(error) if start::names_missing_table(&error) => Ok(None),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;

    #[tokio::test]
    async fn reading_a_row_leaves_no_file_behind() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/latchkey.db", folder.path().display());
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(Database::read_instance(&url, "a").await.unwrap(), None);
        assert!(names().is_empty());
        std::fs::write(folder.path().join("latchkey.db"), "").unwrap();
        assert_eq!(Database::read_instance(&url, "a").await.unwrap(), None);
        let database = Database::open(&url).await.unwrap();
        let write = "INSERT INTO instance (name, value) VALUES ('a', 'b')";
        database.writer().execute_unprepared(write).await.unwrap();
        assert_eq!(Database::read_instance(&url, "a").await.unwrap().as_deref(), Some("b"));
        database.close().await.unwrap();
        let before = names();
        assert_eq!(Database::read_instance(&url, "a").await.unwrap().as_deref(), Some("b"));
        assert_eq!(Database::read_instance(&url, "c").await.unwrap(), None);
        assert_eq!(names(), before);
    }
}
