//! Keeps this node's key cache correct while other nodes write to the same database.
//!
//! A node uses its cache only while it is certain to receive every invalidation, and for 700 ms
//! after the last proof of that. Otherwise every check queries the database, and is refused if that
//! fails.
//!
//! On PostgreSQL, a transaction notifies the other nodes of its changes. SQLite rarely has other
//! processes, so a node polls a few times a second for their writes.

mod lost;
mod postgres;
mod sqlite;

use std::time::Duration;

use crate::checker::Checker;
use crate::redis_heartbeat;
use latchkey_store::database::ChangeSource;

/// Pause after a failure.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

impl Checker {
    /// Applies other nodes' invalidations, and shares limits with them if configured, while it is
    /// polled. Without it every check queries the database.
    pub async fn listen(&self) {
        tokio::join!(observe(self), redis_heartbeat::keep(self));
    }
}

async fn observe(checker: &Checker) {
    loop {
        let lost = match checker.database.watched() {
            ChangeSource::Postgres(ways) => postgres::listen(checker, ways).await,
            ChangeSource::Sqlite { writer, number } => sqlite::poll(checker, writer, number).await,
        };
        let Err(lost) = lost;
        checker.key_cache.end_validity();
        if lost.is_other_server() {
            checker.database.renew();
        }
        tracing::warn!(reason = %lost, "Invalidation listener is down; every check queries the \
                                        database");
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}
