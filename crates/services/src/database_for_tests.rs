//! Databases and query plans for the tests of what queries cost.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryTrait, Statement};
use tempfile::TempDir;

use crate::database::Database;

/// An empty SQLite, for as long as the folder lives.
pub(crate) async fn on_sqlite() -> (Database, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/latchkey.db", folder.path().display());
    (Database::open(&url).await.unwrap(), folder)
}

/// An empty database on the test PostgreSQL. The whole server goes away after the tests.
pub(crate) async fn on_postgres(name: &str) -> Database {
    Database::open(&new_on_postgres(name, "").await).await.unwrap()
}

/// Where a new database on the test PostgreSQL is, made with `options`.
#[expect(clippy::disallowed_methods, reason = "the test script names the server it started")]
pub(crate) async fn new_on_postgres(name: &str, options: &str) -> String {
    let server = std::env::var("LATCHKEY_TEST_POSTGRES_URL")
        .expect("run `make test-unit`, or `scripts/with-postgres.sh cargo test`");
    let name = format!("latchkey_{name}_test_{}", std::process::id());
    let admin = sea_orm::Database::connect(&server).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name} {options}")).await.unwrap();
    let (before, _) = server.rsplit_once('/').expect("a URL with a database");
    format!("{before}/{name}")
}

/// How the database goes about a query; PostgreSQL runs it and counts the rows.
pub(crate) async fn plan(database: &Database, query: impl QueryTrait) -> String {
    plan_on(database.reader(), query).await
}

/// The same where telemetry and usage are.
pub(crate) async fn plan_on(database: &DatabaseConnection, query: impl QueryTrait) -> String {
    let backend = database.get_database_backend();
    let (how, column) = match backend {
        DbBackend::Postgres => ("EXPLAIN (ANALYZE)", "QUERY PLAN"),
        _ => ("EXPLAIN QUERY PLAN", "detail"),
    };
    let mut statement: Statement = query.build(backend);
    statement.sql = format!("{how} {}", statement.sql);
    let rows = database.query_all_raw(statement).await.unwrap();
    let lines: Vec<String> =
        rows.iter().map(|row| row.try_get::<String>("", column).unwrap()).collect();
    lines.join("\n")
}

/// The rows that the scans of a plan read, of index and table, as PostgreSQL counted them while it
/// ran.
pub(crate) fn rows_read(plan: &str, table: &str) -> u64 {
    let scan = format!(" on {table}");
    let scans = plan.lines().filter(|line| line.contains(&scan) || line.contains("Removed"));
    let rows = scans.map(|line| {
        let actual = line.rsplit_once("rows=").or_else(|| line.rsplit_once(": ")).unwrap().1;
        let digits: String = actual.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().unwrap()
    });
    rows.sum()
}
