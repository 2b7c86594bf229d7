//! How many gateway calls of a key may be in progress at a time.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("max_parallel").big_integer().null().take();
        manager.alter_table(Table::alter().table("keys").add_column(column).to_owned()).await
    }
}
