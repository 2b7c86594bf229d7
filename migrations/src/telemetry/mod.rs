//! The schema of telemetry and usage, which has a history of its own.
//!
//! On SQLite these tables are in a file of their own, so that no revocation waits behind them. On
//! PostgreSQL they are in the one database. Every table that is written behind the calls belongs
//! here: `traces`, `logs`, `key_usage`, `project_usage`, `model_usage`, `project_months`,
//! `denials`, `stored_responses`, and what goes with them. A migration of
//! [`Migrator`](crate::Migrator) must not name them any more: on SQLite it would not find them.

mod m20261128_000012_move_apart;
mod m20261128_000013_count_sizes;
mod m20261129_000019_keep_all;
mod m20261129_000031_index_lists;
mod m20261130_000042_usage_cost;
mod m20261130_000043_stored_responses;

use sea_orm_migration::prelude::*;

/// Brings the tables of telemetry and usage to the newest schema. Run it after
/// [`Migrator`](crate::Migrator), in the same database or in another.
pub struct TelemetryMigrator;

#[async_trait::async_trait]
impl MigratorTrait for TelemetryMigrator {
    fn migration_table_name() -> DynIden {
        "telemetry_migrations".into_iden()
    }

    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261128_000012_move_apart::Migration),
            Box::new(m20261128_000013_count_sizes::Migration),
            Box::new(m20261129_000019_keep_all::Migration),
            Box::new(m20261129_000031_index_lists::Migration),
            Box::new(m20261130_000042_usage_cost::Migration),
            Box::new(m20261130_000043_stored_responses::Migration),
        ]
    }
}
