//! People, organizations with their members, projects and applications.

use sea_orm_migration::prelude::*;

use crate::columns::{id, index, one_of, optional_text, points_to, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_people(manager).await?;
        create_projects(manager).await
    }
}

async fn create_people(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let users = Table::create()
        .table("users")
        .col(id())
        // Null for the local developer, who has no GitHub identity.
        .col(ColumnDef::new("github_id").big_integer().null().unique_key())
        .col(text("login"))
        .col(optional_text("name"))
        .col(optional_text("avatar_url"))
        .col(time("created_at"))
        .to_owned();
    manager.create_table(users).await?;
    // SQL counts nulls as different, so `unique` alone would let several local developers in.
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE UNIQUE INDEX users_one_local ON users ((github_id IS NULL)) WHERE github_id IS NULL",
        )
        .await?;
    let organizations = Table::create()
        .table("organizations")
        .col(id())
        .col(text("name"))
        .col(one_of("tier", &["free", "pro", "team", "enterprise"]))
        .col(time("created_at"))
        .to_owned();
    manager.create_table(organizations).await?;
    let memberships = Table::create()
        .table("memberships")
        .col(reference("organization_id"))
        .col(reference("user_id"))
        .col(one_of("role", &["viewer", "member", "admin", "owner"]))
        .col(time("created_at"))
        .primary_key(Index::create().col("organization_id").col("user_id"))
        .foreign_key(&mut points_to("memberships", "organization_id", "organizations"))
        .foreign_key(&mut points_to("memberships", "user_id", "users"))
        .to_owned();
    manager.create_table(memberships).await?;
    manager.create_index(index("memberships_by_user", "memberships", &["user_id"])).await
}

async fn create_projects(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let projects = Table::create()
        .table("projects")
        .col(id())
        .col(reference("organization_id"))
        .col(text("name"))
        .col(text("key_prefix"))
        .col(time("created_at"))
        .foreign_key(&mut points_to("projects", "organization_id", "organizations"))
        .to_owned();
    manager.create_table(projects).await?;
    manager
        .create_index(index("projects_by_organization", "projects", &["organization_id", "id"]))
        .await?;
    let applications = Table::create()
        .table("applications")
        .col(id())
        .col(reference("project_id"))
        .col(text("name"))
        .col(text("description"))
        .col(one_of("environment", &["production", "staging", "development"]))
        .col(time("created_at"))
        .foreign_key(&mut points_to("applications", "project_id", "projects"))
        .to_owned();
    manager.create_table(applications).await?;
    manager
        .create_index(index("applications_by_project", "applications", &["project_id", "id"]))
        .await
}
