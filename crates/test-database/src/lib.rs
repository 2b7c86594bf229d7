//! Databases and query plans for the tests of what queries cost.
#![expect(clippy::missing_panics_doc, reason = "a test fails where its database does")]

use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryTrait, Statement};
use tempfile::TempDir;

/// URL of an SQLite that does not exist yet, in a folder that is deleted when it is dropped.
pub fn on_sqlite() -> (String, TempDir) {
    let folder = tempfile::tempdir().expect("a folder for a test’s database");
    (format!("sqlite://{}/latchkey.db", folder.path().display()), folder)
}

/// URL of a new database on the test PostgreSQL, which is made with `options`. The whole server is
/// deleted after the tests.
#[expect(clippy::disallowed_methods, reason = "the test script names the server it started")]
pub async fn on_postgres(name: &str, options: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let server = std::env::var("LATCHKEY_TEST_POSTGRES_URL")
        .expect("run `make test-unit`, or `scripts/with-postgres.sh cargo test`");
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("latchkey_{name}_test_{}_{number}", std::process::id());
    let admin = sea_orm::Database::connect(&server).await.expect("the test PostgreSQL answers");
    let create = format!("CREATE DATABASE {name} {options}");
    admin.execute_unprepared(&create).await.expect("the test PostgreSQL makes a database");
    let (before, _) = server.rsplit_once('/').expect("a URL with a database");
    format!("{before}/{name}")
}

/// Query plan of a query, a line each step; PostgreSQL runs the query and counts the rows.
pub async fn plan(database: &DatabaseConnection, query: impl QueryTrait) -> String {
    let backend = database.get_database_backend();
    let (how, column) = match backend {
        DbBackend::Postgres => ("EXPLAIN (ANALYZE)", "QUERY PLAN"),
        _ => ("EXPLAIN QUERY PLAN", "detail"),
    };
    let mut statement: Statement = query.build(backend);
    statement.sql = format!("{how} {}", statement.sql);
    let rows = database.query_all_raw(statement).await.expect("the query has a plan");
    let lines: Vec<String> =
        rows.iter().map(|row| row.try_get::<String>("", column).expect("a plan is text")).collect();
    lines.join("\n")
}

/// The rows that the scans of a plan read, of index and table, as PostgreSQL counted them while it
/// ran.
pub fn rows_read(plan: &str, table: &str) -> u64 {
    let scan = format!(" on {table}");
    let scans = plan.lines().filter(|line| line.contains(&scan) || line.contains("Removed"));
    let rows = scans.map(|line| {
        let actual = line
            .rsplit_once("rows=")
            .or_else(|| line.rsplit_once(": "))
            .expect("a count of rows")
            .1;
        let digits: String = actual.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().expect("digits")
    });
    rows.sum()
}
