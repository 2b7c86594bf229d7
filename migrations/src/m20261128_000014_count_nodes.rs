//! The nodes that share limits per minute, so that each knows its share while Redis is away.

use sea_orm_migration::prelude::*;

use crate::columns::text;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let nodes = Table::create()
            .table("nodes")
            .col(text("id").primary_key().take())
            // How often it has said that it is there. No clock: those of two machines differ.
            .col(ColumnDef::new("beats").big_integer().not_null())
            .to_owned();
        manager.create_table(nodes).await
    }
}
