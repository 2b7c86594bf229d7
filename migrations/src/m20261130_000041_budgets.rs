//! Budgets in requests, tokens and dollars, of keys, projects and organizations; limits of projects
//! and organizations; defaults of new keys.
//!
//! What was used of token budgets moves to the new table. `keys.token_limit` stays as it is: a key
//! without a list in `keys.budgets` has the budget that it says.

use sea_orm_migration::prelude::*;

use crate::columns::{index, one_of, optional_text, optional_time, reference, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        extend_tables(manager).await?;
        create_budget_usage(manager).await?;
        create_budget_events(manager).await?;
        move_usage(manager).await
    }
}

async fn extend_tables(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = [
        // JSON, as text. Null if there are none.
        ("keys", optional_text("budgets")),
        ("projects", optional_time("rpm")),
        ("projects", optional_time("tpm")),
        ("projects", optional_time("max_parallel")),
        ("projects", optional_text("budgets")),
        ("projects", optional_text("key_defaults")),
        ("organizations", optional_time("rpm")),
        ("organizations", optional_time("tpm")),
        ("organizations", optional_time("max_parallel")),
        ("organizations", optional_text("budgets")),
    ];
    for (table, column) in columns {
        manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
    }
    Ok(())
}

/// What was used of a budget in the period that began at `starts_at`: requests, tokens or
/// billionths of a dollar. The owner is a key, a project or an organization; their IDs never
/// collide.
async fn create_budget_usage(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let usage = Table::create()
        .table("budget_usage")
        .col(reference("owner_id"))
        .col(one_of("unit", &["requests", "tokens", "usd"]))
        .col(one_of("period", &["minute", "hour", "day", "week", "month", "total"]))
        .col(time("starts_at"))
        .col(time("used"))
        .primary_key(Index::create().col("owner_id").col("unit").col("period").col("starts_at"))
        .to_owned();
    manager.create_table(usage).await?;
    manager.create_index(index("budget_usage_by_start", "budget_usage", &["starts_at"])).await
}

async fn create_budget_events(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let events = Table::create()
        .table("budget_events")
        .col(crate::columns::id())
        .col(time("at"))
        .col(reference("organization_id"))
        // Null for an organization's budget.
        .col(ColumnDef::new("project_id").uuid().null())
        // Null unless it is a key's budget.
        .col(ColumnDef::new("key_id").uuid().null())
        .col(one_of("scope", &["key", "project", "organization"]))
        .col(reference("owner_id"))
        .col(one_of("unit", &["requests", "tokens", "usd"]))
        .col(one_of("period", &["minute", "hour", "day", "week", "month", "total"]))
        .col(time("starts_at"))
        .col(time("percent"))
        .col(ColumnDef::new("limit").big_integer().not_null())
        .col(time("used"))
        .to_owned();
    manager.create_table(events).await?;
    let once = index(
        "budget_events_once",
        "budget_events",
        &["owner_id", "unit", "period", "starts_at", "percent"],
    )
    .unique()
    .to_owned();
    manager.create_index(once).await?;
    // Partial, or PostgreSQL may walk it for an organization's events, through other tenants' rows.
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE INDEX budget_events_by_project ON budget_events (project_id, at, id) \
             WHERE project_id IS NOT NULL",
        )
        .await?;
    manager
        .create_index(index(
            "budget_events_by_organization",
            "budget_events",
            &["organization_id", "project_id", "at", "id"],
        ))
        .await
}

async fn move_usage(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if manager.get_database_backend() == sea_orm_migration::sea_orm::DatabaseBackend::Postgres {
        // A node of the release before may be charging a call; it must not do so after the copy.
        connection.execute_unprepared("LOCK TABLE budgets IN ACCESS EXCLUSIVE MODE").await?;
    }
    connection
        .execute_unprepared(
            "INSERT INTO budget_usage (owner_id, unit, period, starts_at, used) \
             SELECT key_id, 'tokens', period, starts_at, used FROM budgets",
        )
        .await?;
    manager.drop_table(Table::drop().table("budgets").to_owned()).await
}
