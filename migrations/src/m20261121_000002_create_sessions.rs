//! Sign-ins: the states of those under way, sessions, and the refresh tokens of each session.

use sea_orm_migration::prelude::*;

use crate::columns::{
    digest, id, index, optional_text, optional_time, points_to, reference, text, time,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A state is good once: the row is deleted when the callback brings it back.
        let states = Table::create()
            .table("sign_in_states")
            .col(digest("digest").primary_key().take())
            .col(text("next"))
            .col(time("expires_at"))
            .to_owned();
        manager.create_table(states).await?;
        manager
            .create_index(index("sign_in_states_by_expiry", "sign_in_states", &["expires_at"]))
            .await?;
        let sessions = Table::create()
            .table("sessions")
            .col(id())
            .col(reference("user_id"))
            .col(time("created_at"))
            .col(time("last_seen_at"))
            .col(time("expires_at"))
            .col(optional_time("ended_at"))
            .col(optional_text("ip"))
            .col(optional_text("user_agent"))
            .foreign_key(&mut points_to("sessions", "user_id", "users"))
            .to_owned();
        manager.create_table(sessions).await?;
        manager.create_index(index("sessions_by_user", "sessions", &["user_id", "id"])).await?;
        manager.create_index(index("sessions_by_expiry", "sessions", &["expires_at"])).await?;
        // Used tokens stay until they expire: one that comes back gives a theft away.
        let tokens = Table::create()
            .table("refresh_tokens")
            .col(digest("digest").primary_key().take())
            .col(reference("session_id"))
            .col(time("created_at"))
            .col(time("expires_at"))
            .col(optional_time("used_at"))
            .foreign_key(
                points_to("refresh_tokens", "session_id", "sessions")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(tokens).await?;
        manager
            .create_index(index("refresh_tokens_by_session", "refresh_tokens", &["session_id"]))
            .await?;
        manager
            .create_index(index("refresh_tokens_by_expiry", "refresh_tokens", &["expires_at"]))
            .await
    }
}
