//! How often keys were used, and why they were refused.
//!
//! Counters are summed by minute, hour and day; a writer adds to all three at once, so a chart
//! reads the one that fits. None of these tables points to keys or projects by foreign key: they
//! are written in batches behind the calls, and one key that has gone meanwhile must not fail the
//! batch of all others. What is left of it goes with the retention of its resolution.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{id, index, one_of, optional_text, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_counters(manager).await?;
        create_months(manager).await?;
        create_denials(manager).await
    }
}

async fn create_counters(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut of_keys = Table::create();
    of_keys.table("key_usage").col(reference("key_id")).col(reference("project_id"));
    add_counters(&mut of_keys);
    of_keys.primary_key(&mut primary_key(&["key_id", "resolution", "start", "outcome"]));
    manager.create_table(stored_by_key(manager, of_keys)).await?;
    // A project may have any number of keys: its chart must not read all of theirs.
    let mut of_projects = Table::create();
    of_projects
        .table("project_usage")
        .col(reference("project_id"))
        .col(one_of("environment", &["live", "test"]));
    add_counters(&mut of_projects);
    of_projects.primary_key(&mut primary_key(&[
        "project_id",
        "resolution",
        "start",
        "environment",
        "outcome",
    ]));
    manager.create_table(stored_by_key(manager, of_projects)).await?;
    // For the retention.
    let by_age = &["resolution", "start"];
    manager.create_index(index("key_usage_by_age", "key_usage", by_age)).await?;
    manager.create_index(index("project_usage_by_age", "project_usage", by_age)).await
}

/// The columns that both tables of counters end with.
fn add_counters(table: &mut TableCreateStatement) {
    table
        .col(one_of("resolution", &["minute", "hour", "day"]))
        .col(time("start"))
        .col(text("outcome"))
        .col(count("requests"))
        .col(count("prompt_tokens"))
        .col(count("completion_tokens"))
        .col(count("estimated_tokens"));
}

/// The live requests of each project and calendar month, which the quota limits.
async fn create_months(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut months = Table::create();
    months
        .table("project_months")
        .col(reference("project_id"))
        .col(time("month"))
        .col(count("requests"))
        .primary_key(&mut primary_key(&["project_id", "month"]));
    manager.create_table(stored_by_key(manager, months)).await
}

async fn create_denials(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let denials = Table::create()
        .table("denials")
        .col(id())
        .col(reference("key_id"))
        .col(reference("project_id"))
        .col(one_of("kind", &["api", "inference", "service"]))
        .col(one_of("environment", &["live", "test"]))
        .col(time("at"))
        .col(text("outcome"))
        .col(text("detail"))
        .col(optional_text("ip"))
        .to_owned();
    manager.create_table(denials).await?;
    manager.create_index(index("denials_by_key", "denials", &["key_id", "id"])).await?;
    manager.create_index(index("denials_by_project", "denials", &["project_id", "id"])).await
}

fn count(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

fn primary_key(columns: &[&'static str]) -> IndexCreateStatement {
    let mut key = Index::create();
    for column in columns {
        key.col(*column);
    }
    key
}

/// SQLite would keep the rows in one tree and their key in another; this keeps one. PostgreSQL has
/// no such choice.
fn stored_by_key(
    manager: &SchemaManager<'_>,
    mut table: TableCreateStatement,
) -> TableCreateStatement {
    if manager.get_database_backend() == DbBackend::Sqlite {
        table.extra("WITHOUT ROWID");
    }
    table
}
