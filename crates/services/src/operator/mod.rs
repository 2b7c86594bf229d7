//! What an operator does on the database itself, while servers use it or not: no session and no
//! scope, because whoever holds the database and the pepper may do anything. It is recorded in the
//! audit log as an action of the system.

mod pepper;
mod restored;
mod tier;

pub use pepper::{DropRetired, drop_retired, pepper_counts};
pub use restored::{EndedKey, LaterChange, end_since};
pub use tier::{TierChange, set_tier};

use std::sync::Arc;

use latchkey_domain::id::OrganizationId;
use sea_orm::DatabaseTransaction;

use crate::audit::{self, By, Event, Stamp};
use crate::error::Error;
use crate::services::StartError;
use latchkey_checker::check_pepper;
use latchkey_checker::digest::Pepper;
use latchkey_store::clock::Clock;
use latchkey_store::database::Database;
use latchkey_store::random::Random;

/// A command on an open database.
pub struct Operator {
    database: Database,
    pepper: Pepper,
    /// The one that servers continue the audit logs with.
    registered: Pepper,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    by: By,
}

impl Operator {
    /// `command` names the command in the audit log.
    ///
    /// # Errors
    /// The database fails, or its keys were digested with a different pepper, whose chain of audit
    /// events this one can't continue.
    pub async fn new(
        database: Database,
        pepper: Pepper,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        command: &str,
    ) -> Result<Self, StartError> {
        let registered = check_pepper(&database, &pepper).await?.clone();
        Ok(Self { database, pepper, registered, clock, random, by: By::command(command) })
    }

    async fn record(
        &self,
        transaction: &DatabaseTransaction,
        organization: OrganizationId,
        event: Event<'_>,
    ) -> Result<(), Error> {
        let (now, random) = (self.clock.now(), self.random.bytes());
        let stamp = Stamp { pepper: &self.registered, now, random };
        audit::append(&stamp, transaction, organization, &self.by, event).await
    }
}
