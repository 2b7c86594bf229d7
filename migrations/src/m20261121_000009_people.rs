//! People together: invitations, deletion of workspaces, and the audit log.

use sea_orm_migration::prelude::*;

use crate::columns::{digest, id, index, optional_text, optional_time, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        extend_people(manager).await?;
        // What was deleted stays as long as rows of other tables lead to it; nobody sees it any
        // more.
        for table in ["organizations", "projects", "applications"] {
            let mut column = optional_time("deleted_at");
            manager
                .alter_table(Table::alter().table(table).add_column(&mut column).to_owned())
                .await?;
        }
        forget_applications(manager).await?;
        create_audit(manager).await
    }
}

async fn extend_people(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Somebody who was invited and never signed in: a person without a GitHub identity so far.
    let invited = ColumnDef::new("invited").boolean().not_null().default(false).take();
    manager.alter_table(Table::alter().table("users").add_column(invited).to_owned()).await?;
    let invited_by = ColumnDef::new("invited_by").uuid().null().take();
    manager
        .alter_table(Table::alter().table("memberships").add_column(invited_by).to_owned())
        .await?;
    let connection = manager.get_connection();
    for statement in [
        "DROP INDEX users_one_local",
        "CREATE UNIQUE INDEX users_one_local ON users ((github_id IS NULL)) \
         WHERE github_id IS NULL AND NOT invited",
        "CREATE UNIQUE INDEX users_invited ON users (lower(login)) WHERE invited",
        "CREATE INDEX users_by_login ON users (lower(login))",
    ] {
        connection.execute_unprepared(statement).await?;
    }
    manager
        .create_index(index(
            "memberships_by_age",
            "memberships",
            &["organization_id", "created_at", "user_id"],
        ))
        .await
}

/// What a deleted application sent is deleted in the background; here it is told which are still to
/// do.
async fn forget_applications(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut purged = optional_time("purged_at");
    manager
        .alter_table(Table::alter().table("applications").add_column(&mut purged).to_owned())
        .await?;
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE INDEX applications_to_purge ON applications (deleted_at) \
             WHERE deleted_at IS NOT NULL AND purged_at IS NULL",
        )
        .await?;
    Ok(())
}

async fn create_audit(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // No foreign keys: the log outlives what it tells of.
    let events = Table::create()
        .table("audit_events")
        .col(id())
        .col(reference("organization_id"))
        // 1, 2, 3 …: a gap is a row that was removed.
        .col(time("sequence"))
        .col(time("at"))
        .col(text("actor_kind"))
        .col(optional_text("actor_id"))
        .col(text("actor_name"))
        .col(text("action"))
        .col(text("target_kind"))
        .col(text("target_id"))
        .col(text("target_name"))
        .col(optional_text("ip"))
        // JSON.
        .col(text("changes"))
        .col(digest("hash"))
        .to_owned();
    manager.create_table(events).await?;
    let mut chain = index("audit_events_chain", "audit_events", &["organization_id", "sequence"]);
    manager.create_index(chain.unique().to_owned()).await?;
    // One for each combination of filters that pages in time; the period needs none of its own.
    for (name, columns) in [
        ("audit_events_by_time", &["organization_id", "at", "id"][..]),
        ("audit_events_by_actor", &["organization_id", "actor_id", "at", "id"]),
        ("audit_events_by_action", &["organization_id", "action", "at", "id"]),
        ("audit_events_by_both", &["organization_id", "actor_id", "action", "at", "id"]),
    ] {
        manager.create_index(index(name, "audit_events", columns)).await?;
    }
    // Where each chain ends: what was cut off its end is missed.
    let heads = Table::create()
        .table("audit_heads")
        .col(reference("organization_id").primary_key().take())
        .col(time("sequence"))
        .col(digest("hash"))
        .to_owned();
    manager.create_table(heads).await
}
