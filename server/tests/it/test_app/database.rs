//! What a database holds, past the server.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TryGetable};

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
