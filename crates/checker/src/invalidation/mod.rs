//! What keeps this node's memory of keys true while other nodes write to the same database.
//!
//! A node believes its cache only while it is sure to hear of every change, and for 700 ms after it
//! last was. Otherwise each check asks the database, and is refused if that fails.
//!
//! On PostgreSQL, changes are notified with the transaction that makes them; on SQLite, whose other
//! processes are rare, a node looks a few times a second whether another one has written.

mod lost;
mod postgres;
mod sqlite;

use std::time::Duration;

use crate::checker::Checker;
use crate::redis_heartbeat;
use latchkey_store::database::ChangeSource;

/// How long after a failure it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

impl Checker {
    /// Hears of other nodes' changes, and shares limits with them where that is wanted, for as long
    /// as it is polled. Without it every check asks the database.
    pub async fn listen(&self) {
        tokio::join!(hear(self), redis_heartbeat::keep(self));
    }
}

async fn hear(checker: &Checker) {
    loop {
        let lost = match checker.database.watched() {
            ChangeSource::Postgres(ways) => postgres::listen(checker, ways).await,
            ChangeSource::Sqlite { writer, number } => sqlite::look(checker, writer, number).await,
        };
        let Err(lost) = lost;
        checker.key_cache.distrust();
        if lost.is_other_server() {
            checker.database.renew();
        }
        tracing::warn!(reason = %lost, "Invalidation listener is down; every check queries the \
                                        database");
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}
