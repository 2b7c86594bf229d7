//! Moves telemetry and usage of an older SQLite installation to a file of their own.
//!
//! ```text
//! copy a batch (the other file commits) ─► delete what has arrived (the main file commits)
//!   ─► … ─► drop the tables
//! ```
//! The move may be interrupted at any point, by `kill -9` too, and resumes at the next start. A
//! commit is atomic within one file only. A batch is therefore copied first and deleted later, and
//! only rows that exist in the copy are deleted: no row is lost. A row that was already copied is
//! not overwritten, and nothing counts usage before the move is done: no sum doubles. Both files
//! are locked for writing while a batch is copied, so two processes that start at once do not
//! interleave.

use std::path::Path;

use sea_orm::DbErr;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Sqlite, SqlitePool};

use crate::error::from_sqlx;

/// Rows per transaction.
const ROWS: u32 = 1_000;
/// The move fails after this many consecutive batches that deleted nothing.
const MAX_FAILED_STEPS: u32 = 100;

/// A table to move, with the primary key and other columns that it had at that version.
struct MovedTable {
    name: &'static str,
    key: &'static str,
    rest: &'static str,
}

const TABLES: [MovedTable; 6] = [
    MovedTable {
        name: "traces",
        key: "id",
        rest: "application_id, key_id, environment, timestamp, received_at, request_method, \
               request_url, response_status, trace_id, span_id, parent_span_id, duration_ms, meta",
    },
    MovedTable {
        name: "logs",
        key: "id",
        rest: "application_id, key_id, environment, timestamp, received_at, trace_id, level, kind, \
               message, client_timestamp",
    },
    MovedTable {
        name: "denials",
        key: "id",
        rest: "key_id, project_id, kind, environment, at, outcome, detail, ip",
    },
    MovedTable {
        name: "key_usage",
        key: "key_id, resolution, start, outcome",
        rest: "project_id, requests, prompt_tokens, completion_tokens, estimated_tokens",
    },
    MovedTable {
        name: "project_usage",
        key: "project_id, resolution, start, environment, outcome",
        rest: "requests, prompt_tokens, completion_tokens, estimated_tokens",
    },
    MovedTable { name: "project_months", key: "project_id, month", rest: "requests" },
];

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Copied,
    Deleted,
    Dropped,
    /// Nothing is left to do.
    Done,
}

/// Moves all tables. `telemetry` must already have the newest schema.
///
/// # Errors
/// The database fails, or a row can't be copied. Rows that have moved stay moved.
pub(super) async fn relocate(main: &SqlitePool, telemetry: &Path) -> Result<(), DbErr> {
    // Read without a lock: another process may be writing all the time.
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name IN ('traces', 'logs', \
               'denials', 'key_usage', 'project_usage', 'project_months'))";
    if !sqlx::query_scalar::<_, bool>(sql).fetch_one(main).await.map_err(from_sqlx)? {
        return Ok(());
    }
    let mut relocation = Move::begin(main, telemetry).await?;
    let mut batches = 0_u64;
    let result = loop {
        match relocation.step().await {
            Ok(Step::Done) => break Ok(()),
            Ok(Step::Deleted) => batches += 1,
            Ok(Step::Copied | Step::Dropped) => {}
            Err(error) => break Err(error),
        }
    };
    if batches > 0 {
        tracing::info!(batches, file = %telemetry.display(), "Moved telemetry to a separate file");
    }
    relocation.end().await;
    result
}

/// A move in progress. Each step is one transaction.
pub(super) struct Move {
    connection: PoolConnection<Sqlite>,
    /// Whether the next batch is already copied.
    copied: bool,
    /// Consecutive batches that deleted nothing.
    in_vain: u32,
}

impl Move {
    pub(super) async fn begin(main: &SqlitePool, telemetry: &Path) -> Result<Self, DbErr> {
        let mut connection = main.acquire().await.map_err(from_sqlx)?;
        let path = telemetry.to_str().ok_or_else(|| {
            DbErr::Custom("the path of the database is not valid Unicode".to_owned())
        })?;
        sqlx::query("ATTACH DATABASE ?1 AS telemetry")
            .bind(path)
            .execute(&mut *connection)
            .await
            .map_err(from_sqlx)?;
        Ok(Self { connection, copied: false, in_vain: 0 })
    }

    /// Detaches the telemetry file and returns the connection to the pool. If that fails, closes
    /// it.
    async fn end(mut self) {
        if self.run("DETACH DATABASE telemetry").await.is_err() {
            let _ = self.connection.close().await;
        }
    }

    pub(super) async fn step(&mut self) -> Result<Step, DbErr> {
        // Locks both files, so what is read below can't change.
        self.run("BEGIN IMMEDIATE").await?;
        match self.step_in_transaction().await {
            Ok(step) => self.run("COMMIT").await.map(|_| step),
            Err(error) => {
                // If the rollback fails too, the pool closes the connection before anyone reuses
                // it.
                let _ = self.run("ROLLBACK").await;
                Err(error)
            }
        }
    }

    async fn step_in_transaction(&mut self) -> Result<Step, DbErr> {
        for table in &TABLES {
            if !self.exists(table).await? {
                continue;
            }
            let is_copied = std::mem::take(&mut self.copied);
            if self.is_empty(table).await? {
                self.run(&format!("DROP TABLE main.{}", table.name)).await?;
                return Ok(Step::Dropped);
            }
            if is_copied {
                self.delete(table).await?;
                return Ok(Step::Deleted);
            }
            self.copy(table).await?;
            self.copied = true;
            return Ok(Step::Copied);
        }
        Ok(Step::Done)
    }

    async fn exists(&mut self, table: &MovedTable) -> Result<bool, DbErr> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?1)";
        let query = sqlx::query_scalar(sql).bind(table.name).fetch_one(&mut *self.connection);
        query.await.map_err(from_sqlx)
    }

    async fn is_empty(&mut self, table: &MovedTable) -> Result<bool, DbErr> {
        let sql = format!("SELECT NOT EXISTS (SELECT 1 FROM main.{})", table.name);
        let empty = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *self.connection);
        empty.await.map_err(from_sqlx)
    }

    async fn copy(&mut self, table: &MovedTable) -> Result<(), DbErr> {
        let MovedTable { name, key, rest } = table;
        let copy = format!(
            "INSERT INTO telemetry.{name} ({key}, {rest}) \
             SELECT {key}, {rest} FROM main.{name} WHERE true ORDER BY {key} LIMIT {ROWS} \
             ON CONFLICT ({key}) DO NOTHING"
        );
        self.run(&copy).await.map(|_| ())
    }

    async fn delete(&mut self, table: &MovedTable) -> Result<(), DbErr> {
        let MovedTable { name, key, .. } = table;
        let delete = format!(
            "DELETE FROM main.{name} \
             WHERE ({key}) IN (SELECT {key} FROM main.{name} ORDER BY {key} LIMIT {ROWS}) \
             AND ({key}) IN (SELECT {key} FROM telemetry.{name})"
        );
        let deleted = self.run(&delete).await?;
        // Another process may have moved this batch already. Then copy the next one.
        self.in_vain = if deleted == 0 { self.in_vain + 1 } else { 0 };
        if self.in_vain > MAX_FAILED_STEPS {
            return Err(DbErr::Custom(format!("failed to move the rows of {name}")));
        }
        Ok(())
    }

    async fn run(&mut self, sql: &str) -> Result<u64, DbErr> {
        let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut *self.connection).await;
        done.map(|done| done.rows_affected()).map_err(from_sqlx)
    }
}

#[cfg(test)]
mod tests;
