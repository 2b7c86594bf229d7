//! Keeps this node's key cache correct while other nodes write to the same database.
//!
//! A node uses its cache only while it is certain to receive every invalidation, and for 700 ms
//! after the last proof of that. Otherwise every check queries the database, and is refused if that
//! fails.
//!
//! On PostgreSQL, a transaction notifies the other nodes of its changes. SQLite rarely has other
//! processes, so a node polls every 200 ms for their writes.
//!
//! How long another node may admit a key after its revocation was committed:
//!
//! | state of the node | at most |
//! |---|---|
//! | it receives notifications | the time of a notification, usually milliseconds |
//! | it polls SQLite | 200 ms until the next poll; 700 ms if that has to wait |
//! | its connection is lost, silent or hangs | 700 ms (`crate::cache_validity`) |
//! | a gateway call is in progress | 100 ms more, and one query if the cache is invalid |
//! | it still reaches a former primary | two to four seconds, see `postgres` |
//!
//! The promise is one second, so the rest is margin for that query and for a slow machine. With a
//! former primary the promise does not hold.
//!
//! *Failure.* A listener that fails is restarted after 250 ms, and a heartbeat that is missing for
//! about two seconds counts as a failure. All that was cached before is invalid then. While the
//! cache is invalid and the database is unreachable, new calls are refused as `unavailable`, and
//! gateway calls in progress go on, since nothing says that their key has ended.

mod listen_error;
mod postgres;
mod sqlite;

use std::time::Duration;

use crate::checker::Checker;
use crate::foreign::shape_reader;
use crate::pepper_rotation;
use crate::redis_heartbeat;
use latchkey_store::database::ChangeSource;

/// Pause after a failure.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

impl Checker {
    /// Applies other nodes' invalidations while it is polled, and with Redis sends the heartbeats
    /// that sharing limits needs. It never ends by itself. Without it every check queries the
    /// database.
    pub async fn keep_in_sync(&self) {
        tokio::join!(
            observe(self),
            shape_reader::keep_current(self),
            pepper_rotation::keep(self),
            redis_heartbeat::keep(self)
        );
    }
}

async fn observe(checker: &Checker) {
    loop {
        let error = match checker.database.watched() {
            ChangeSource::Postgres(ways) => postgres::listen(checker, ways).await,
            ChangeSource::Sqlite { writer, number } => sqlite::poll(checker, writer, number).await,
        };
        let Err(error) = error;
        checker.key_cache.end_validity();
        if error.is_other_server() {
            checker.database.renew();
        }
        tracing::warn!(reason = %error, "Invalidation listener is down; every check queries the \
                                        database");
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}
