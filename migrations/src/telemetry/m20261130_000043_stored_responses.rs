//! Whose a stored response of the Responses API is, and which upstream has it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{digest, index, optional_text, reference, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut responses = Table::create();
        responses
            .table("stored_responses")
            .col(reference("project_id"))
            // SHA-256 of its ID, which the upstream has chosen and which may be long.
            .col(digest("id"))
            // Name of the upstream. Null if the sandbox has answered.
            .col(optional_text("upstream"))
            // The answer of the sandbox, as JSON. Null if an upstream has answered.
            .col(optional_text("sandbox"))
            .col(time("created_at"))
            .primary_key(Index::create().col("project_id").col("id"));
        if manager.get_database_backend() == DbBackend::Sqlite {
            responses.extra("WITHOUT ROWID");
        }
        manager.create_table(responses).await?;
        // For the retention.
        manager
            .create_index(index("stored_responses_by_age", "stored_responses", &["created_at"]))
            .await?;
        // For that of the sandbox's answers, which is shorter.
        let of_sandbox = "CREATE INDEX stored_responses_of_sandbox ON stored_responses \
                          (created_at) WHERE sandbox IS NOT NULL";
        manager.get_connection().execute_unprepared(of_sandbox).await?;
        Ok(())
    }
}
