use latchkey_migrations::{Migrator, MigratorTrait};
use sea_orm::sqlx::{Row, query_scalar};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tempfile::TempDir;

use super::*;
use crate::database::Database;

const ITEMS: u32 = 2_500;

/// An older SQLite installation with rows in all of its tables.
async fn old_installation() -> (DatabaseConnection, String, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/latchkey.db?mode=rwc", folder.path().display());
    let old = sea_orm::Database::connect(&url).await.unwrap();
    Migrator::up(&old, None).await.unwrap();
    let numbers = |to: u32| {
        format!("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {to}) ")
    };
    let blob = |text: &str| format!("CAST(printf('{text}%012d', n) AS BLOB)");
    let id = blob("");
    old.execute_unprepared("PRAGMA foreign_keys = OFF").await.unwrap();
    for fill in [
        format!(
            "INSERT INTO traces SELECT {id}, {id}, {id}, 'live', n, n, 'GET', '/' || n, 200, 't', \
             's', NULL, n + 0.5, '{{}}' FROM n"
        ),
        format!(
            "INSERT INTO logs SELECT {id}, {id}, {id}, 'test', n, n, NULL, 'a', 'b', 'c' || n, NULL FROM n"
        ),
        format!(
            "INSERT INTO denials SELECT {id}, {id}, {id}, 'api', 'live', n, 'o', 'd', NULL FROM n"
        ),
        format!("INSERT INTO key_usage SELECT {id}, {id}, 'day', n, 'valid', n, 1, 2, 3 FROM n"),
        format!(
            "INSERT INTO project_usage SELECT {id}, 'live', 'day', n, 'valid', n, 1, 2, 3 FROM n"
        ),
        format!("INSERT INTO project_months SELECT {id}, n, n FROM n"),
    ] {
        let (into, select) = fill.split_once(" SELECT ").unwrap();
        let sql = format!("{into} {} SELECT {select}", numbers(ITEMS));
        old.execute_unprepared(&sql).await.unwrap();
    }
    (old, url, folder)
}

/// Every row of a table, from both files together, each once.
async fn rows(moving: &mut Move, table: &MovedTable) -> Vec<String> {
    let MovedTable { name, key, rest } = table;
    let columns = format!("{key}, {rest}");
    let quoted: Vec<String> =
        columns.split(',').map(|column| format!("quote({})", column.trim())).collect();
    let row = quoted.join(" || ',' || ");
    let mut parts = vec![format!("SELECT {row} AS r FROM telemetry.{name}")];
    if moving.exists(table).await.unwrap() {
        // A row in both files was copied and is not deleted yet.
        parts.push(format!("SELECT {row} AS r FROM main.{name}"));
    }
    let sql = format!("SELECT r FROM ({}) ORDER BY r", parts.join(" UNION "));
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *moving.connection).await.unwrap();
    rows.into_iter().map(|row| row.get(0)).collect()
}

async fn all_rows(moving: &mut Move) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for table in &TABLES {
        all.push(rows(moving, table).await);
    }
    all
}

#[tokio::test]
async fn interrupted_move_neither_loses_nor_doubles_rows() {
    let (old, url, folder) = old_installation().await;
    let main = old.get_sqlite_connection_pool().clone();
    let file = folder.path().join("latchkey-telemetry.db");
    let made = sea_orm::Database::connect(format!("sqlite://{}?mode=rwc", file.display()));
    let made = made.await.unwrap();
    latchkey_migrations::TelemetryMigrator::up(&made, None).await.unwrap();
    let mut moving = Move::begin(&main, &file).await.unwrap();
    let before = all_rows(&mut moving).await;
    assert!(before.iter().all(|rows| rows.len() == ITEMS as usize));
    let (mut ends, mut steps) = (Vec::new(), 0);
    'ends: for length in (1..4).cycle() {
        for _ in 0..length {
            let step = moving.step().await.unwrap();
            if step == Step::Done {
                break 'ends;
            }
            steps += 1;
            ends.push(step);
        }
        // Its state in memory is lost, as if the process had been killed.
        moving.connection.close().await.unwrap();
        moving = Move::begin(&main, &file).await.unwrap();
        assert_eq!(all_rows(&mut moving).await, before, "after {steps} steps");
    }
    for kind in [Step::Copied, Step::Deleted, Step::Dropped] {
        assert!(ends.contains(&kind), "{ends:?}");
    }
    assert_eq!(all_rows(&mut moving).await, before);
    moving.end().await;
    old.close().await.unwrap();
    made.close().await.unwrap();

    // Later starts find every row in its place and have nothing to do.
    for _ in 0..2 {
        let database = Database::open(&url).await.unwrap();
        let telemetry = database.telemetry().reader().get_sqlite_connection_pool();
        let sum: i64 = query_scalar("SELECT SUM(requests) FROM project_months")
            .fetch_one(telemetry)
            .await
            .unwrap();
        assert_eq!(sum, i64::from(ITEMS * (ITEMS + 1) / 2));
        database.close().await.unwrap();
    }
}

#[tokio::test]
async fn old_installation_is_moved_at_next_start() {
    let (old, url, _folder) = old_installation().await;
    old.close().await.unwrap();
    let (first, second) = tokio::join!(Database::open(&url), Database::open(&url));
    for database in [first.unwrap(), second.unwrap()] {
        let telemetry = database.telemetry().reader().get_sqlite_connection_pool();
        let main = database.reader().get_sqlite_connection_pool();
        for MovedTable { name, .. } in &TABLES {
            let sql = format!("SELECT COUNT(*) FROM {name}");
            let count: i64 = query_scalar(AssertSqlSafe(sql)).fetch_one(telemetry).await.unwrap();
            assert_eq!(count, i64::from(ITEMS), "{name}");
            let sql = "SELECT COUNT(*) FROM sqlite_master WHERE name = ?1";
            let left: i64 = query_scalar(sql).bind(name).fetch_one(main).await.unwrap();
            assert_eq!(left, 0, "{name} is still in the main file");
        }
        database.close().await.unwrap();
    }
}
