//! What telemetry brings is kept: times to the nanosecond, the attributes of log records, and each
//! item once, however often it is sent. Lists filter by what stands in columns of its own.

use sea_orm_migration::prelude::*;

use crate::columns::{index, optional_text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["traces", "logs"] {
            extend(manager, table).await?;
        }
        // Rows from before are of an unknown kind and without a status.
        for column in ["kind", "status"] {
            add(manager, "traces", optional_text(column)).await?;
        }
        add(manager, "logs", optional_text("meta")).await?;
        for table in ["key_usage", "project_usage"] {
            add(manager, table, counter("rejected_items")).await?;
        }
        Ok(())
    }
}

async fn extend(manager: &SchemaManager<'_>, table: &'static str) -> Result<(), DbErr> {
    // What is finer than the millisecond of `timestamp`.
    add(manager, table, ColumnDef::new("nanos").integer().not_null().default(0).take()).await?;
    // A digest of the whole item; none of rows from before, which are all different.
    add(manager, table, ColumnDef::new("fingerprint").uuid().null().take()).await?;
    let [by_time, by_nanos, once] = match table {
        "traces" => ["traces_by_time", "traces_by_nanos", "traces_once"],
        _ => ["logs_by_time", "logs_by_nanos", "logs_once"],
    };
    manager.drop_index(Index::drop().name(by_time).table(table).to_owned()).await?;
    let newest_first = &["application_id", "timestamp", "nanos", "id"];
    manager.create_index(index(by_nanos, table, newest_first)).await?;
    // Times come almost in order, digests do not: with the time first, neighbours share pages.
    let fingerprint = &["application_id", "timestamp", "fingerprint"];
    manager.create_index(index(once, table, fingerprint).unique().take()).await?;
    let of_a_trace = format!(
        "CREATE INDEX {table}_of_trace ON {table} (application_id, trace_id) \
         WHERE trace_id IS NOT NULL"
    );
    manager.get_connection().execute_unprepared(&of_a_trace).await?;
    Ok(())
}

async fn add(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: ColumnDef,
) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}

fn counter(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().default(0).take()
}
