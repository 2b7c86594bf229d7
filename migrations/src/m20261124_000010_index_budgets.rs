//! Finds the budgets of periods that are long over, so that deleting them reads nothing else.

use sea_orm_migration::prelude::*;

use crate::columns::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_index(index("budgets_by_start", "budgets", &["starts_at"])).await
    }
}
