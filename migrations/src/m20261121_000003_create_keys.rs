//! Keys. Of a secret only the digest and the hint stand here.

use sea_orm_migration::prelude::*;

use crate::columns::{
    digest, id, index, one_of, optional_text, optional_time, points_to, reference, text, time,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keys = Table::create()
            .table("keys")
            .col(id())
            .col(reference("project_id"))
            .col(ColumnDef::new("application_id").uuid().null())
            .col(one_of("kind", &["api", "inference", "service"]))
            .col(one_of("environment", &["live", "test"]))
            .col(text("name"))
            .col(digest("digest").unique_key().take())
            .col(text("hint"))
            .col(reference("created_by"))
            .col(time("created_at"))
            .col(optional_time("expires_at"))
            .col(optional_time("revoked_at"))
            .col(optional_time("last_used_at"))
            .col(optional_text("last_used_ip"))
            .foreign_key(&mut points_to("keys", "project_id", "projects"))
            .foreign_key(&mut points_to("keys", "application_id", "applications"))
            .foreign_key(&mut points_to("keys", "created_by", "users"))
            .to_owned();
        manager.create_table(keys).await?;
        manager.create_index(index("keys_by_project", "keys", &["project_id", "id"])).await?;
        manager
            .create_index(index("keys_by_application", "keys", &["application_id", "id"]))
            .await?;
        // Revoked keys give their name back.
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE UNIQUE INDEX keys_name_taken ON keys (project_id, kind, name) \
                 WHERE revoked_at IS NULL",
            )
            .await?;
        Ok(())
    }
}
