//! How long exports wait for their clients, which decide how long an export lasts.

use std::time::Duration;

use crate::error::Error;
use crate::services::Services;

/// Total time that an export waits for its client. Time in the database does not count.
const CLIENT_TIMEOUT: Duration = Duration::from_mins(10);

/// The waits of an export, by the monotonic clock.
pub(crate) struct ClientWait {
    total: Duration,
    since: Duration,
}

impl ClientWait {
    /// Starts the first wait.
    pub(crate) fn start(services: &Services) -> Self {
        Self { total: Duration::ZERO, since: services.clock.monotonic() }
    }

    /// Ends a wait: the client asks for more.
    ///
    /// # Errors
    /// `Conflict` if the export has waited too long in total.
    pub(crate) fn end(&mut self, services: &Services) -> Result<(), Error> {
        self.total += services.clock.monotonic().saturating_sub(self.since);
        if self.total > CLIENT_TIMEOUT {
            return Err(Error::Conflict("The export was read too slowly."));
        }
        Ok(())
    }

    /// Starts the next wait.
    pub(crate) fn start_next(&mut self, services: &Services) {
        self.since = services.clock.monotonic();
    }
}
