//! Databases of tests, and what one holds, past the server.

use latchkey_services::Database;
use latchkey_test_database as test_database;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TryGetable};
use tempfile::TempDir;

use super::Backend;

/// URL of a new database with the newest schema, and a folder for the server's files.
pub(super) async fn migrated(backend: Backend) -> (String, TempDir) {
    match backend {
        Backend::Sqlite => test_database::migrated_on_sqlite(migrate).await,
        Backend::Postgres => {
            let url = test_database::migrated_on_postgres("it", migrate).await;
            (url, tempfile::tempdir().unwrap())
        }
    }
}

async fn migrate(url: String) {
    Database::open(&url).await.unwrap().close().await.unwrap();
}

/// An empty database on the test PostgreSQL.
pub(crate) async fn new_postgres_database() -> String {
    test_database::on_postgres("it", "").await
}

/// The only value that a query returns.
pub(crate) async fn query_value<T: TryGetable>(database: &DatabaseConnection, sql: &str) -> T {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// How many rows a table has.
pub(crate) async fn count_rows(database: &DatabaseConnection, table: &str) -> i64 {
    query_value(database, &format!("SELECT count(*) FROM {table}")).await
}
