//! Telemetry that applications send with their keys: traces and logs, stored and listed newest
//! first. Telemetry of test keys is deleted after a day.

mod allowance;
mod cut;
mod filter;
mod fingerprint;
mod identity;
mod incoming;
mod ingest;
mod limits;
mod list;
mod logs;
mod notified_keys;
mod once;
mod purge;
mod queue;
mod scan;
mod search_term;
mod sizes;
mod store;
mod traces;

pub use cut::{cut_text, fit_meta};
pub use incoming::{Incoming, MAX_ITEMS, Stored};
pub(crate) use ingest::Ingest;
pub use limits::{BytesLeft, MAX_NAME_LENGTH, MAX_URL_LENGTH};
pub use logs::{check_log, ingest_logs, list_logs};
pub use purge::{PurgeCount, purge_deleted, purge_live, purge_sandbox};
pub use queue::StorePermit;
pub use store::{purge_unfinished, waiting};
pub use traces::{check_trace, ingest_traces, list_traces};

use std::sync::Arc;

use latchkey_domain::id::ApplicationId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::error::Error;
use crate::services::Services;
use latchkey_checker::KeyRecord;
use latchkey_store::background;
use latchkey_store::entity::application;

/// Where a request's telemetry goes: an application that the key may write to. Constructed only
/// from an admitted key.
#[derive(Debug, Clone)]
pub struct Source {
    key: Arc<KeyRecord>,
    application: ApplicationId,
}

impl Source {
    /// The application that an admitted key writes to.
    ///
    /// # Errors
    /// `Invalid` if the key is for the whole project and the request names no application,
    /// `NotFound` if it names one of another project.
    pub async fn of(
        services: &Services,
        key: Arc<KeyRecord>,
        named: Option<ApplicationId>,
    ) -> Result<Self, Error> {
        let application = match (key.application, named) {
            (Some(own), _) => own,
            (None, Some(named)) => {
                application::Entity::find_by_id(named)
                    .filter(application::Column::ProjectId.eq(key.project))
                    .filter(application::Column::DeletedAt.is_null())
                    .one(services.database.reader())
                    .await?
                    .ok_or(Error::NotFound)?;
                named
            }
            (None, None) => {
                return Err(Error::invalid(
                    "x-application-id",
                    "This key is valid for the whole project. Name the application in this header.",
                ));
            }
        };
        Ok(Self { key, application })
    }

    /// Waits for a permit to store a request with a body of `bytes`.
    ///
    /// # Errors
    /// `QueueFull` if too much is waiting already.
    pub async fn permit(&self, services: &Services, bytes: usize) -> Result<StorePermit, Error> {
        let permit = services.ingest.queue.acquire(self.key.project, bytes).await;
        permit.map(Into::into).map_err(|_| Error::QueueFull)
    }
}

impl Source {
    /// Counts rejected items in the key's usage.
    pub fn count_rejected(&self, services: &Services, items: usize) {
        if items > 0 {
            let items = u64::try_from(items).unwrap_or(u64::MAX);
            services.checker.usage.rejected(&self.key, services.clock.now(), items);
        }
    }

    /// Whether this is the first call for the key in this process. A client that repeats the same
    /// mistake every minute is told the reason once.
    pub fn is_first(&self, services: &Services) -> bool {
        services.ingest.notified.is_first(self.key.id)
    }
}

impl StorePermit {
    /// Runs CPU-bound work, such as parsing a body, on a background thread.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        background::run(work).await
    }
}
