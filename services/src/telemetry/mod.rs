//! What applications send in with their keys: traces and logs, stored and read back newest first.
//! What came in with a test key is deleted after a day.

mod limits;
mod logs;
mod purge;
mod traces;

pub use limits::MOST_ITEMS;
pub use logs::{check_log, ingest_logs, list_logs};
pub use purge::{Purged, purge_deleted, purge_sandbox};
pub use traces::{check_trace, ingest_traces, list_traces};

use std::sync::Arc;

use latchkey_domain::api::Accepted;
use latchkey_domain::id::ApplicationId;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter};

use crate::check::KeyRecord;
use crate::entity::application;
use crate::error::Error;
use crate::services::Services;

/// Rows of one insert: SQLite takes at most 32,766 parameters in a statement.
const ROWS_PER_INSERT: usize = 1_000;

/// Where a call's telemetry goes: an application that the key may write to. It can only be had from an
/// admitted key.
#[derive(Debug, Clone)]
pub struct Source {
    key: Arc<KeyRecord>,
    application: ApplicationId,
}

impl Source {
    /// The application that an admitted key writes to.
    ///
    /// # Errors
    /// `Invalid` if the key is for the whole project and the call names no application, `NotFound` if it names
    /// one of another project.
    pub async fn of(
        services: &Services,
        key: Arc<KeyRecord>,
        named: Option<ApplicationId>,
    ) -> Result<Self, Error> {
        let application = match (key.application, named) {
            (Some(own), _) => own,
            (None, Some(named)) => {
                application::Entity::find_by_id(named.as_uuid())
                    .filter(application::Column::ProjectId.eq(key.project.as_uuid()))
                    .filter(application::Column::DeletedAt.is_null())
                    .one(services.database.reader())
                    .await?
                    .ok_or(Error::NotFound)?;
                named
            }
            (None, None) => {
                return Err(Error::invalid(
                    "x-application-id",
                    "This key is for the whole project: name an application.",
                ));
            }
        };
        Ok(Self { key, application })
    }
}

/// Inserts a batch: all of it or nothing.
async fn insert_all<A: ActiveModelTrait>(
    services: &Services,
    mut rows: Vec<A>,
) -> Result<Accepted, Error> {
    let accepted = rows.len();
    let transaction = services.database.begin().await?;
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(ROWS_PER_INSERT));
        A::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
        rows = rest;
    }
    transaction.commit().await?;
    Ok(Accepted { accepted })
}
