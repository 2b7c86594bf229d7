//! The schema of Latchkey's database, for SQLite and PostgreSQL alike.
//!
//! Append-only: a migration that has landed is never edited, because somebody's database has run
//! it. Times are whole milliseconds since the Unix epoch (`bigint`), ids are UUIDs, and what must
//! be unique or must exist is said here as well as in the services.

mod columns;
mod m20261121_000001_create_workspace;
mod m20261121_000002_create_sessions;
mod m20261121_000003_create_keys;
mod m20261121_000004_create_telemetry;
mod m20261121_000005_create_instance;
mod m20261121_000006_extend_keys;
mod m20261121_000007_create_usage;
mod m20261121_000008_index_sandbox;
mod m20261121_000009_people;
mod m20261124_000010_index_budgets;
mod m20261128_000011_max_parallel;
mod m20261128_000014_count_nodes;
mod m20261128_000015_tier_overrides;
mod m20261128_000017_administrators;
mod m20261128_000018_invitations;
mod m20261129_000030_idempotent_creates;
mod m20261129_000032_fold_search;
mod m20261130_000040_key_attributes;
mod m20261130_000041_budgets;
mod m20261130_000042_index_budget_usage;
mod m20261130_000044_background_responses;
mod m20261130_000045_imported_keys;
mod m20261130_000046_peppers;
mod telemetry;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;
pub use telemetry::TelemetryMigrator;

/// Brings a database to the newest schema.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_create_workspace::Migration),
            Box::new(m20261121_000002_create_sessions::Migration),
            Box::new(m20261121_000003_create_keys::Migration),
            Box::new(m20261121_000004_create_telemetry::Migration),
            Box::new(m20261121_000005_create_instance::Migration),
            Box::new(m20261121_000006_extend_keys::Migration),
            Box::new(m20261121_000007_create_usage::Migration),
            Box::new(m20261121_000008_index_sandbox::Migration),
            Box::new(m20261121_000009_people::Migration),
            Box::new(m20261124_000010_index_budgets::Migration),
            Box::new(m20261128_000011_max_parallel::Migration),
            Box::new(m20261128_000014_count_nodes::Migration),
            Box::new(m20261128_000015_tier_overrides::Migration),
            Box::new(m20261128_000017_administrators::Migration),
            Box::new(m20261128_000018_invitations::Migration),
            Box::new(m20261129_000030_idempotent_creates::Migration),
            Box::new(m20261129_000032_fold_search::Migration),
            Box::new(m20261130_000040_key_attributes::Migration),
            Box::new(m20261130_000041_budgets::Migration),
            Box::new(m20261130_000042_index_budget_usage::Migration),
            Box::new(m20261130_000044_background_responses::Migration),
            Box::new(m20261130_000045_imported_keys::Migration),
            Box::new(m20261130_000046_peppers::Migration),
        ]
    }
}
