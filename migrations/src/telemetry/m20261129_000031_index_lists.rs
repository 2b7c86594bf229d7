//! The lists of one trace and of failed spans, in the order in which they are shown: a page of them
//! is one look-up, however many rows a trace or an application has.

use sea_orm_migration::prelude::*;

use crate::columns::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, before, by_trace) in [
            ("traces", "traces_of_trace", "traces_by_trace"),
            ("logs", "logs_of_trace", "logs_by_trace"),
        ] {
            let newest_first = &["application_id", "trace_id", "timestamp", "nanos", "id"];
            manager.create_index(index(by_trace, table, newest_first)).await?;
            manager.drop_index(Index::drop().name(before).table(table).to_owned()).await?;
        }
        let failed = "CREATE INDEX traces_failed ON traces (application_id, timestamp, nanos, id) \
                      WHERE status = 'error'";
        manager.get_connection().execute_unprepared(failed).await?;
        Ok(())
    }
}
