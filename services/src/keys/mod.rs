//! The life of a key: made, listed, revoked.

mod create;
mod list;
mod revoke;

use std::collections::HashMap;

use latchkey_domain::api::ApiKey;
use latchkey_domain::key::{Environment, KeyKind, KeyStatus};
use latchkey_domain::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

pub use create::create_for_application;
pub use list::list_of_application;
pub use revoke::revoke;

use crate::entity::key;
use crate::error::Error;
use crate::services::Services;

/// A row as the API shows it, with its status at `now`.
fn to_api_key(row: key::Model, now: Timestamp) -> Result<ApiKey, Error> {
    let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
    let (revoked_at, expires_at) = (time(row.revoked_at), time(row.expires_at));
    Ok(ApiKey {
        id: row.id.into(),
        kind: KeyKind::from_name(&row.kind).ok_or(Error::Corrupt("key kind"))?,
        project_id: row.project_id.into(),
        application_id: row.application_id.map(Into::into),
        name: row.name,
        environment: environment(&row.environment)?,
        masked: row.hint.parse().map_err(|_| Error::Corrupt("key hint"))?,
        status: KeyStatus::at(now, revoked_at, expires_at),
        archived: false,
        rpm: None,
        tpm: None,
        token_limit: None,
        token_limit_period: None,
        allowed_models: None,
        allowed_cidrs: None,
        created_at: Timestamp::from_millis(row.created_at),
        created_by: row.created_by.into(),
        expires_at,
        revoked_at,
        archived_at: None,
        last_used_at: time(row.last_used_at),
        permissions: None,
    })
}

pub(crate) fn environment(name: &str) -> Result<Environment, Error> {
    Environment::from_name(name).ok_or(Error::Corrupt("key environment"))
}

/// What the tier counts: API and inference keys, live or test, neither revoked nor expired.
fn active(now: Timestamp) -> Condition {
    Condition::all()
        .add(key::Column::Kind.ne(KeyKind::Service.as_str()))
        .add(key::Column::RevokedAt.is_null())
        .add(
            Condition::any()
                .add(key::Column::ExpiresAt.is_null())
                .add(key::Column::ExpiresAt.gt(now.as_millis())),
        )
}

/// How many active keys each of `projects` has; those without any are not in the map.
pub(crate) async fn count_active(
    services: &Services,
    database: &impl ConnectionTrait,
    projects: &[Uuid],
) -> Result<HashMap<Uuid, u64>, Error> {
    let rows: Vec<(Uuid, i64)> = key::Entity::find()
        .select_only()
        .column(key::Column::ProjectId)
        .column_as(key::Column::Id.count(), "keys")
        .filter(key::Column::ProjectId.is_in(projects.iter().copied()))
        .filter(active(services.clock.now()))
        .group_by(key::Column::ProjectId)
        .into_tuple()
        .all(database)
        .await?;
    Ok(rows.into_iter().map(|(id, count)| (id, u64::try_from(count).unwrap_or_default())).collect())
}
