//! What applications send in with their keys: traces and logs, stored and read back newest first.
//! What came in with a test key is deleted after a day.

mod allowance;
mod cut;
mod limits;
mod list;
mod logs;
mod purge;
mod queue;
mod sizes;
mod store;
mod traces;

pub use cut::fit_meta;
pub use limits::{MOST_ITEMS, Room};
pub use logs::{check_log, ingest_logs, is_type_long, list_logs};
pub use purge::{Purged, purge_deleted, purge_live, purge_sandbox};
pub use queue::Turn;
pub(crate) use store::Ingest;
pub use store::{purge_unfinished, waiting};
pub use traces::{check_trace, ingest_traces, list_traces};

use std::sync::Arc;

use latchkey_domain::api::{Accepted, ItemError};
use latchkey_domain::id::ApplicationId;
use latchkey_domain::problem::FieldError;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::background;
use crate::check::KeyRecord;
use crate::entity::application;
use crate::error::Error;
use crate::services::Services;

/// Where a call's telemetry goes: an application that the key may write to. It can only be had from
/// an admitted key.
#[derive(Debug, Clone)]
pub struct Source {
    key: Arc<KeyRecord>,
    application: ApplicationId,
}

impl Source {
    /// The application that an admitted key writes to.
    ///
    /// # Errors
    /// `Invalid` if the key is for the whole project and the call names no application, `NotFound`
    /// if it names one of another project.
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

    /// Waits until it is this call's turn, which brings a body of so many bytes.
    ///
    /// # Errors
    /// `QueueFull`: too much is waiting already.
    pub async fn turn(&self, services: &Services, bytes: usize) -> Result<Turn, Error> {
        let turn = services.ingest.queue.turn(self.key.project, bytes).await;
        turn.map(Into::into).map_err(|_| Error::QueueFull)
    }
}

impl Turn {
    /// Takes a body apart, or whatever else takes a while, on a thread in the background.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        background::run(work).await
    }
}

/// What became of a call's items.
#[derive(Debug, Default)]
pub struct Stored {
    /// How many were stored: all.
    pub items: usize,
    /// How many of them were too long and have been cut.
    pub cut: usize,
    /// What was cut of the first of them.
    told: Vec<ItemError>,
}

impl Stored {
    /// Enough to see a pattern.
    const TOLD: usize = 20;

    fn cut(&mut self, index: u16, field: &FieldError) {
        self.cut += 1;
        if self.told.len() < Self::TOLD {
            let message = format!("{}: {}", field.field, field.message);
            self.told.push(ItemError { index: index.into(), message });
        }
    }
}

impl From<Stored> for Accepted {
    fn from(stored: Stored) -> Self {
        Self { accepted: stored.items, rejected: 0, errors: stored.told }
    }
}
