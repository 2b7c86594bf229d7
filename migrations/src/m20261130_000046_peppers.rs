//! Which pepper a key's digests stand under, so that one pepper can replace another, and the nodes
//! that have to know both before keys may move.

use sea_orm_migration::prelude::*;

use crate::columns::text;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Null: the pepper that the next statement remembers. Nodes of the release before write
        // none.
        for name in ["pepper", "old_pepper"] {
            let column = ColumnDef::new(name).var_binary(16).null().take();
            manager.alter_table(Table::alter().table("keys").add_column(column).to_owned()).await?;
        }
        let connection = manager.get_connection();
        connection
            .execute_unprepared(
                "INSERT INTO instance (name, value) SELECT 'first_pepper', value FROM instance \
                 WHERE name = 'pepper_fingerprint'",
            )
            .await?;
        connection
            .execute_unprepared(
                "CREATE INDEX keys_by_pepper ON keys (pepper) WHERE revoked_at IS NULL",
            )
            .await?;
        connection
            .execute_unprepared(
                "CREATE INDEX keys_by_old_pepper ON keys (old_pepper, old_ends_at) \
                 WHERE revoked_at IS NULL AND old_ends_at IS NOT NULL",
            )
            .await?;
        create_pepper_nodes(manager).await
    }
}

async fn create_pepper_nodes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let nodes = Table::create()
        .table("pepper_nodes")
        .col(text("id").primary_key().take())
        .col(ColumnDef::new("current").var_binary(16).not_null())
        .col(ColumnDef::new("retired").var_binary(16).null())
        .col(ColumnDef::new("beats").big_integer().not_null())
        .to_owned();
    manager.create_table(nodes).await
}
