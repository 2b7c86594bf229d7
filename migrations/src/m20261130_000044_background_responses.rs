//! What background responses have reserved until their final status is read.
//!
//! What they reserve is charged in `budget_usage.used` like what other calls have used.
//! `background` says which part of that may still be given back.

use sea_orm_migration::prelude::*;

use crate::columns::{digest, index, one_of, optional_text, optional_time, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_responses(manager).await?;
        create_reservations(manager).await?;
        for column in ["background", "background_calls"] {
            let column = ColumnDef::new(column).big_integer().not_null().default(0).take();
            let table = Table::alter().table("budget_usage").add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}

async fn create_responses(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let responses = Table::create()
        .table("background_responses")
        .col(reference("project_id"))
        // SHA-256 of its ID, which the upstream has chosen and which may be long.
        .col(digest("id"))
        // The ID itself, to ask the upstream with.
        .col(text("response_id"))
        // Name of the upstream. Null if the sandbox makes it.
        .col(optional_text("upstream"))
        .col(reference("organization_id"))
        .col(reference("key_id"))
        .col(one_of("environment", &["live", "test"]))
        .col(optional_text("model"))
        // Billionths of a dollar, for a million tokens or a request. Null if there is none.
        .col(optional_time("input_price"))
        .col(optional_time("cached_input_price"))
        .col(optional_time("cache_write_price"))
        .col(optional_time("output_price"))
        .col(optional_time("request_price"))
        // Tokens that are charged if nobody learns how it ended.
        .col(time("prompt_tokens"))
        .col(time("completion_tokens"))
        .col(time("created_at"))
        .col(time("next_check_at"))
        // How often the upstream did not know it.
        .col(time("missing"))
        // How often it was read from the sandbox.
        .col(time("reads"))
        .primary_key(Index::create().col("project_id").col("id"))
        .to_owned();
    manager.create_table(responses).await?;
    manager
        .create_index(index(
            "background_responses_due",
            "background_responses",
            &["next_check_at", "project_id", "id"],
        ))
        .await
}

/// What a response has reserved of each budget, in the period that began at `starts_at`: tokens or
/// billionths of a dollar.
async fn create_reservations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let reservations = Table::create()
        .table("background_reservations")
        .col(reference("project_id"))
        .col(digest("response_id"))
        .col(one_of("scope", &["key", "project", "organization"]))
        .col(reference("owner_id"))
        .col(one_of("unit", &["requests", "tokens", "usd"]))
        .col(one_of("period", &["minute", "hour", "day", "week", "month", "total"]))
        .col(time("starts_at"))
        .col(time("amount"))
        // The limit when it was reserved.
        .col(ColumnDef::new("limit").big_integer().not_null())
        .primary_key(
            Index::create()
                .col("project_id")
                .col("response_id")
                .col("owner_id")
                .col("unit")
                .col("period"),
        )
        .to_owned();
    manager.create_table(reservations).await
}
