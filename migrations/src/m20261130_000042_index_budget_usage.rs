//! Where old use of budgets is found. A minute leaves a row, so these rows go early; the index of
//! all rows by their start would read those of longer periods each time.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let short = "CREATE INDEX budget_usage_short ON budget_usage (starts_at) \
                     WHERE period IN ('minute', 'hour')";
        manager.get_connection().execute_unprepared(short).await?;
        Ok(())
    }
}
