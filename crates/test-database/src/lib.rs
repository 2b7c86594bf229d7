//! Databases and query plans for tests.
//!
//! A test that is not about migrations can start from a copy of a database that its process has
//! migrated once. Each process migrates its own, so that a PostgreSQL that outlives it never hands
//! out an old schema.
#![expect(clippy::missing_panics_doc, reason = "a test fails where its database does")]

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryTrait, Statement};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// URL of an SQLite with the newest schema, in a folder that is deleted when it is dropped. The
/// first call makes the schema by `migrate`, which is given a URL and leaves no connection open.
pub async fn migrated_on_sqlite<F>(migrate: impl FnOnce(String) -> F) -> (String, TempDir)
where
    F: Future<Output = ()>,
{
    static FILES: OnceCell<Vec<(OsString, Vec<u8>)>> = OnceCell::const_new();
    let make = || async move {
        let (url, folder) = on_sqlite();
        migrate(url).await;
        files_in(folder.path())
    };
    let files = FILES.get_or_init(make).await;
    let (url, folder) = on_sqlite();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).expect("a copy of a database");
    }
    (url, folder)
}

/// URL of a new database on the test PostgreSQL, with the newest schema. The first call makes the
/// schema by `migrate`, as [`migrated_on_sqlite`] does: PostgreSQL copies no database that somebody
/// is connected to.
pub async fn migrated_on_postgres<F>(name: &str, migrate: impl FnOnce(String) -> F) -> String
where
    F: Future<Output = ()>,
{
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let make = || async move {
        let url = on_postgres("template", "").await;
        migrate(url.clone()).await;
        let (_, name) = url.rsplit_once('/').expect("a URL with a database");
        name.to_owned()
    };
    let template = TEMPLATE.get_or_init(make).await;
    on_postgres(name, &format!("TEMPLATE {template}")).await
}

fn files_in(folder: &Path) -> Vec<(OsString, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("the folder of a database");
    let files = entries.map(|entry| {
        let entry = entry.expect("a file of a database");
        (entry.file_name(), std::fs::read(entry.path()).expect("a file of a database"))
    });
    files.collect()
}

/// URL of an SQLite that does not exist yet, in a folder that is deleted when it is dropped.
pub fn on_sqlite() -> (String, TempDir) {
    let folder = tempfile::tempdir().expect("a folder for a test’s database");
    (format!("sqlite://{}/latchkey.db", folder.path().display()), folder)
}

/// URL of a new database on the test PostgreSQL, made with `options` and, without a template,
/// empty. The whole server is deleted after the tests.
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
