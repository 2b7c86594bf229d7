//! What applications send in: traces and logs.

use sea_orm_migration::prelude::*;

use crate::columns::{
    id, index, one_of, optional_text, optional_time, points_to, reference, text, time,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let traces = received("traces")
            .col(text("request_method"))
            .col(text("request_url"))
            .col(ColumnDef::new("response_status").integer().not_null())
            .col(text("trace_id"))
            .col(text("span_id"))
            .col(optional_text("parent_span_id"))
            .col(ColumnDef::new("duration_ms").double().not_null())
            .col(optional_text("meta"))
            .to_owned();
        manager.create_table(traces).await?;
        let logs = received("logs")
            .col(optional_text("trace_id"))
            .col(text("level"))
            .col(text("kind"))
            .col(text("message"))
            .col(optional_time("client_timestamp"))
            .to_owned();
        manager.create_table(logs).await?;
        let newest_first = &["application_id", "timestamp", "id"];
        manager.create_index(index("traces_by_time", "traces", newest_first)).await?;
        manager.create_index(index("logs_by_time", "logs", newest_first)).await
    }
}

/// The columns that both tables begin with.
fn received(table: &'static str) -> TableCreateStatement {
    Table::create()
        .table(table)
        .col(id())
        .col(reference("application_id"))
        .col(reference("key_id"))
        .col(one_of("environment", &["live", "test"]))
        .col(time("timestamp"))
        .col(time("received_at"))
        .foreign_key(&mut points_to(table, "application_id", "applications"))
        .foreign_key(&mut points_to(table, "key_id", "keys"))
        .to_owned()
}
