//! Finds the telemetry of test keys by its arrival, so that deleting it after a day reads nothing
//! else. Partial: what live keys bring costs no more to store than before.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["traces", "logs"] {
            let index = format!(
                "CREATE INDEX {table}_sandbox ON {table} (received_at) WHERE environment = 'test'"
            );
            manager.get_connection().execute_unprepared(&index).await?;
        }
        Ok(())
    }
}
