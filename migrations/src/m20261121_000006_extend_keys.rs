//! What the whole life of a key needs: limits, permissions, archive, a second secret slot for
//! rotation, token budgets, and idempotency keys.

use sea_orm_migration::prelude::*;

use crate::columns::{
    digest, index, one_of, optional_text, optional_time, points_to, reference, text, time,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        extend_keys(manager).await?;
        create_budgets(manager).await?;
        create_idempotency_keys(manager).await
    }
}

async fn extend_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = [
        optional_time("rpm"),
        optional_time("tpm"),
        optional_time("token_limit"),
        optional_text("token_limit_period"),
        // Lists, as JSON.
        optional_text("allowed_models"),
        optional_text("allowed_cidrs"),
        optional_text("permissions"),
        optional_time("archived_at"),
        // The secret before the last rotation.
        ColumnDef::new("old_digest").var_binary(32).null().take(),
        optional_text("old_hint"),
        optional_time("old_ends_at"),
        optional_time("old_last_used_at"),
        // Name, id and masked form in lower case: what a search looks in.
        text("search").default("").take(),
    ];
    // SQLite adds one column at a time.
    for column in columns {
        manager.alter_table(Table::alter().table("keys").add_column(column).to_owned()).await?;
    }
    let connection = manager.get_connection();
    connection.execute_unprepared("UPDATE keys SET search = lower(name || ' ' || hint)").await?;
    connection
        .execute_unprepared(
            "CREATE UNIQUE INDEX keys_by_old_digest ON keys (old_digest) WHERE old_digest IS NOT NULL",
        )
        .await?;
    // By time and id, not by id alone: or PostgreSQL may walk the primary key through another
    // tenant's keys.
    manager
        .create_index(index("keys_by_creation", "keys", &["project_id", "created_at", "id"]))
        .await?;
    manager
        .create_index(index("keys_by_kind", "keys", &["project_id", "kind", "created_at", "id"]))
        .await?;
    connection
        .execute_unprepared(
            "CREATE INDEX keys_by_last_use ON keys (project_id, coalesce(last_used_at, 0), id)",
        )
        .await?;
    Ok(())
}

/// What was used of a key's token budget in the period that began at `starts_at`.
async fn create_budgets(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let budgets = Table::create()
        .table("budgets")
        .col(reference("key_id"))
        .col(one_of("period", &["minute", "hour", "day", "week", "month"]))
        .col(time("starts_at"))
        .col(time("used"))
        .primary_key(Index::create().col("key_id").col("period").col("starts_at"))
        .foreign_key(&mut points_to("budgets", "key_id", "keys"))
        .to_owned();
    manager.create_table(budgets).await
}

async fn create_idempotency_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let keys = Table::create()
        .table("idempotency_keys")
        // SHA-256 over caller, path and the client's key.
        .col(digest("id").primary_key().take())
        // SHA-256 over the body's meaning.
        .col(digest("request"))
        .col(reference("key_id"))
        .col(time("created_at"))
        .foreign_key(&mut points_to("idempotency_keys", "key_id", "keys"))
        .to_owned();
    manager.create_table(keys).await?;
    manager
        .create_index(index("idempotency_keys_by_age", "idempotency_keys", &["created_at"]))
        .await
}
