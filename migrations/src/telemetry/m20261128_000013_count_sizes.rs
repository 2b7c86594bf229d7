//! How much of telemetry each project has, where its age is found, and which calls are being
//! stored.

use sea_orm_migration::prelude::*;

use crate::columns::{one_of, reference, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["traces", "logs"] {
            extend(manager, table).await?;
        }
        // Kept by the transactions that insert and delete: a sum of the rows would read them all.
        let sizes = Table::create()
            .table("telemetry_sizes")
            .col(reference("project_id").primary_key().take())
            .col(time("bytes"))
            .to_owned();
        manager.create_table(sizes).await?;
        // A call whose items take several transactions stands here until the last one.
        let batches = Table::create()
            .table("ingest_batches")
            .col(reference("first_id").primary_key().take())
            .col(one_of("kind", &["traces", "logs"]))
            .col(time("items"))
            .col(time("started_at"))
            .to_owned();
        manager.create_table(batches).await
    }
}

async fn extend(manager: &SchemaManager<'_>, table: &'static str) -> Result<(), DbErr> {
    // Rows from before are of no project and no size: nothing is taken off when they go.
    let columns = [
        ColumnDef::new("project_id").uuid().null().take(),
        ColumnDef::new("bytes").big_integer().not_null().default(0).take(),
    ];
    for column in columns {
        manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
    }
    let by_arrival = format!(
        "CREATE INDEX {table}_live ON {table} (application_id, received_at) \
         WHERE environment = 'live'"
    );
    manager.get_connection().execute_unprepared(&by_arrival).await?;
    Ok(())
}
