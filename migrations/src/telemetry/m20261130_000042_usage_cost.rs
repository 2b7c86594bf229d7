//! What calls cost, tokens that upstreams read from their cache, and usage by model.
//!
//! A node of the release before adds rows without the new columns: its calls cost nothing.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{index, one_of, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["key_usage", "project_usage"] {
            // Cost in billionths of a dollar.
            for column in ["cached_tokens", "cost"] {
                let alter = Table::alter().table(table).add_column(counter(column)).to_owned();
                manager.alter_table(alter).await?;
            }
        }
        create_models(manager).await
    }
}

/// Usage of each model that the gateway has found, by project. As the other sums, without foreign
/// keys.
async fn create_models(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut models = Table::create();
    models
        .table("model_usage")
        .col(reference("project_id"))
        .col(one_of("resolution", &["minute", "hour", "day"]))
        .col(time("start"))
        .col(one_of("environment", &["live", "test"]))
        .col(text("model"))
        .col(counter("requests"))
        .col(counter("valid"))
        .col(counter("prompt_tokens"))
        .col(counter("completion_tokens"))
        .col(counter("cached_tokens"))
        .col(counter("cost"))
        .primary_key(
            Index::create()
                .col("project_id")
                .col("resolution")
                .col("start")
                .col("environment")
                .col("model"),
        );
    if manager.get_database_backend() == DbBackend::Sqlite {
        models.extra("WITHOUT ROWID");
    }
    manager.create_table(models).await?;
    // For the retention.
    let by_age = index("model_usage_by_age", "model_usage", &["resolution", "start"]);
    manager.create_index(by_age).await
}

fn counter(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().default(0).take()
}
