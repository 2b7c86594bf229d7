//! Telemetry and usage stand apart from people, projects and keys.
//!
//! In a file of their own the tables are created again; the rows of an older installation follow in
//! batches (`services/src/database/relocate.rs`). Where the tables are there, their foreign keys
//! go: each inserted row would lock the row of its key, and a revocation of that key would wait for
//! it.

use sea_orm_migration::prelude::*;

use crate::columns::{id, index, one_of, optional_text, optional_time, reference, text, time};
use crate::{m20261121_000007_create_usage, m20261121_000008_index_sandbox};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.has_table("traces").await? {
            return drop_foreign_keys(manager).await;
        }
        create_received(manager).await?;
        m20261121_000007_create_usage::Migration.up(manager).await?;
        m20261121_000008_index_sandbox::Migration.up(manager).await
    }
}

async fn drop_foreign_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in ["traces", "logs"] {
        for column in ["application_id", "key_id"] {
            let drop =
                format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_{column}_fkey");
            manager.get_connection().execute_unprepared(&drop).await?;
        }
    }
    Ok(())
}

async fn create_received(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let traces = received("traces")
        .col(text("request_method"))
        .col(text("request_url"))
        .col(ColumnDef::new("response_status").integer().not_null())
        .col(text("trace_id"))
        .col(text("span_id"))
        .col(optional_text("parent_span_id"))
        .col(ColumnDef::new("duration_ms").double().not_null())
        .col(optional_text("meta"))
        .to_owned();
    manager.create_table(traces).await?;
    let logs = received("logs")
        .col(optional_text("trace_id"))
        .col(text("level"))
        .col(text("kind"))
        .col(text("message"))
        .col(optional_time("client_timestamp"))
        .to_owned();
    manager.create_table(logs).await?;
    let newest_first = &["application_id", "timestamp", "id"];
    manager.create_index(index("traces_by_time", "traces", newest_first)).await?;
    manager.create_index(index("logs_by_time", "logs", newest_first)).await
}

/// The columns that both tables begin with. Only SQLite comes here: its rows stand in the tree of
/// their key.
fn received(table: &'static str) -> TableCreateStatement {
    Table::create()
        .table(table)
        .col(id())
        .col(reference("application_id"))
        .col(reference("key_id"))
        .col(one_of("environment", &["live", "test"]))
        .col(time("timestamp"))
        .col(time("received_at"))
        .extra("WITHOUT ROWID")
        .to_owned()
}
