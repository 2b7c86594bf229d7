//! Keys of other systems: what they look like, and what those systems store of them.

use sea_orm_migration::prelude::*;

use crate::columns::{
    digest, id, index, one_of, optional_text, optional_time, points_to, reference, text, time,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_key_shapes(manager).await?;
        create_imported_keys(manager).await
    }
}

async fn create_key_shapes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let shapes = Table::create()
        .table("key_shapes")
        .col(id())
        .col(reference("project_id"))
        .col(text("prefix"))
        .col(ColumnDef::new("min_length").integer().not_null())
        .col(ColumnDef::new("max_length").integer().not_null())
        .col(one_of("alphabet", &["base62", "base64", "base64url", "hex", "visible"]))
        .col(time("created_at"))
        .col(reference("created_by"))
        .foreign_key(&mut points_to("key_shapes", "project_id", "projects"))
        .foreign_key(&mut points_to("key_shapes", "created_by", "users"))
        .to_owned();
    manager.create_table(shapes).await?;
    let columns = ["project_id", "prefix", "min_length", "max_length", "alphabet"];
    let unique = index("key_shapes_once", "key_shapes", &columns).unique().to_owned();
    manager.create_index(unique).await
}

async fn create_imported_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut key = points_to("imported_keys", "key_id", "keys");
    let keys = Table::create()
        .table("imported_keys")
        .col(ColumnDef::new("key_id").uuid().not_null().primary_key())
        .col(reference("project_id"))
        .col(text("scheme"))
        // Under the pepper. Stays when the key has moved, so that it is never imported again.
        .col(digest("foreign_digest").unique_key().take())
        // The start of the key, by which its slow hash is found.
        .col(optional_text("lookup"))
        // A slow hash, or the secret of a HMAC, sealed under the pepper.
        .col(ColumnDef::new("sealed").binary().null())
        // When its digest was replaced by one of ours.
        .col(optional_time("moved_at"))
        .foreign_key(key.on_delete(ForeignKeyAction::Cascade))
        .to_owned();
    manager.create_table(keys).await?;
    // Schemes in use by a project, and how many of its keys have not moved.
    let schemes = ["project_id", "scheme", "moved_at"];
    manager.create_index(index("imported_keys_by_scheme", "imported_keys", &schemes)).await?;
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE INDEX imported_keys_by_lookup ON imported_keys (lookup) \
             WHERE lookup IS NOT NULL",
        )
        .await?;
    Ok(())
}
