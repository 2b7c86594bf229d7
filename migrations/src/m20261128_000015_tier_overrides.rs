//! Numbers of a tier that an administrator of the instance made others for one organization.

use sea_orm_migration::prelude::*;

use crate::columns::optional_text;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // JSON; null: all numbers are the tier's.
        let mut overrides = optional_text("tier_overrides");
        manager
            .alter_table(
                Table::alter().table("organizations").add_column(&mut overrides).to_owned(),
            )
            .await
    }
}
