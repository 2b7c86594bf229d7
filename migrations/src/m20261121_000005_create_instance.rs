//! What this installation knows of itself, such as the fingerprint of its pepper.

use sea_orm_migration::prelude::*;

use crate::columns::text;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let instance = Table::create()
            .table("instance")
            .col(text("name").primary_key().take())
            .col(text("value"))
            .to_owned();
        manager.create_table(instance).await
    }
}
