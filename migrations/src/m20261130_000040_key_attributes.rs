//! What a customer notes about a key (external ID, metadata, tags, scopes), and keys that are
//! disabled for a while.

use sea_orm_migration::prelude::*;

use crate::columns::{index, optional_text, points_to, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        extend_keys(manager).await?;
        create_key_tags(manager).await
    }
}

async fn extend_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = [
        ColumnDef::new("disabled").boolean().not_null().default(false).take(),
        optional_text("external_id"),
        // JSON, as text: PostgreSQL's `jsonb` would change its numbers. Null if it is empty.
        optional_text("metadata"),
        optional_text("tags"),
        optional_text("scopes"),
    ];
    // SQLite adds one column at a time.
    for column in columns {
        manager.alter_table(Table::alter().table("keys").add_column(column).to_owned()).await?;
    }
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE INDEX keys_by_external_id ON keys (project_id, external_id, created_at, id) \
             WHERE external_id IS NOT NULL",
        )
        .await?;
    Ok(())
}

/// The tags of `keys.tags` again, a row each, to find keys by one of them.
async fn create_key_tags(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut key = points_to("key_tags", "key_id", "keys");
    let tags = Table::create()
        .table("key_tags")
        .col(reference("key_id"))
        .col(text("tag"))
        .col(reference("project_id"))
        // That of the key, which never changes: an index of one table has the order of the list.
        .col(time("created_at"))
        .primary_key(Index::create().col("key_id").col("tag"))
        .foreign_key(key.on_delete(ForeignKeyAction::Cascade))
        .to_owned();
    manager.create_table(tags).await?;
    manager
        .create_index(index(
            "key_tags_by_tag",
            "key_tags",
            &["project_id", "tag", "created_at", "key_id"],
        ))
        .await
}
