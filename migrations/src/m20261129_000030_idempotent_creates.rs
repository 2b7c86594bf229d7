//! `Idempotency-Key` of every create: until now only those that return a secret had it, in a table
//! that refers to keys.

use sea_orm_migration::prelude::*;

use crate::columns::{digest, index, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let creates = Table::create()
            .table("idempotent_creates")
            // SHA-256 over caller, path and the client's key.
            .col(digest("id").primary_key().take())
            // SHA-256 over the body's meaning.
            .col(digest("request"))
            // The id of what was made, or the login that was invited.
            .col(text("made"))
            .col(time("created_at"))
            .to_owned();
        manager.create_table(creates).await?;
        let age = index("idempotent_creates_by_age", "idempotent_creates", &["created_at"]);
        manager.create_index(age).await
    }
}
