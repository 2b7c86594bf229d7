//! Invitations of their own, who holds a login, and why a session ended.
//!
//! Until now somebody who was invited was a row of `users` with memberships like everybody's, so a
//! login in an invitation became a person that never consented. Those rows become invitations here.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{id, index, one_of, points_to, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_invitations(manager).await?;
        move_invited_people(manager).await?;
        hold_logins(manager).await?;
        let mut reason = ColumnDef::new("end_reason").text().null().take();
        manager
            .alter_table(Table::alter().table("sessions").add_column(&mut reason).to_owned())
            .await
    }
}

async fn create_invitations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let invitations = Table::create()
        .table("invitations")
        .col(id())
        .col(reference("organization_id"))
        // For whoever of GitHub signs in with it; as it was typed.
        .col(text("login"))
        .col(one_of("role", &["viewer", "member", "admin", "owner"]))
        .col(time("created_at"))
        .col(ColumnDef::new("invited_by").uuid().null())
        .foreign_key(&mut points_to("invitations", "organization_id", "organizations"))
        .to_owned();
    manager.create_table(invitations).await?;
    let connection = manager.get_connection();
    for statement in [
        "CREATE UNIQUE INDEX invitations_once ON invitations (organization_id, lower(login))",
        "CREATE INDEX invitations_by_login ON invitations (lower(login), created_at, id)",
    ] {
        connection.execute_unprepared(statement).await?;
    }
    manager
        .create_index(index(
            "invitations_by_age",
            "invitations",
            &["organization_id", "created_at", "id"],
        ))
        .await?;
    // When each person invited somebody, for as long as it is held against them.
    let times = Table::create()
        .table("invitation_times")
        .col(id())
        .col(reference("user_id"))
        .col(time("at"))
        .foreign_key(&mut points_to("invitation_times", "user_id", "users"))
        .to_owned();
    manager.create_table(times).await?;
    manager
        .create_index(index("invitation_times_by_user", "invitation_times", &["user_id", "at"]))
        .await
}

async fn move_invited_people(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let random_id = match connection.get_database_backend() {
        DbBackend::Postgres => "gen_random_uuid()",
        _ => "randomblob(16)",
    };
    let moved = format!(
        "INSERT INTO invitations (id, organization_id, login, role, created_at, invited_by) \
         SELECT {random_id}, m.organization_id, u.login, m.role, m.created_at, m.invited_by \
         FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.invited"
    );
    for statement in [
        moved.as_str(),
        "DELETE FROM memberships WHERE user_id IN (SELECT id FROM users WHERE invited)",
        "DELETE FROM users WHERE invited",
        "DROP INDEX users_invited",
        "DROP INDEX users_one_local",
        "CREATE UNIQUE INDEX users_one_local ON users ((github_id IS NULL)) WHERE github_id IS NULL",
        "ALTER TABLE users DROP COLUMN invited",
    ] {
        connection.execute_unprepared(statement).await?;
    }
    Ok(())
}

/// A login is whose who signed in with it last. Who had it before keeps everything but that.
async fn hold_logins(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let holds = ColumnDef::new("holds_login").boolean().not_null().default(true).take();
    manager.alter_table(Table::alter().table("users").add_column(holds).to_owned()).await?;
    let connection = manager.get_connection();
    for statement in [
        "UPDATE users SET holds_login = FALSE WHERE github_id IS NOT NULL AND EXISTS \
         (SELECT 1 FROM users other WHERE other.github_id IS NOT NULL \
         AND lower(other.login) = lower(users.login) AND (other.created_at > users.created_at \
         OR (other.created_at = users.created_at AND other.id > users.id)))",
        // The local developer has no login at GitHub.
        "CREATE UNIQUE INDEX users_holding_login ON users (lower(login)) \
         WHERE holds_login AND github_id IS NOT NULL",
    ] {
        connection.execute_unprepared(statement).await?;
    }
    Ok(())
}
