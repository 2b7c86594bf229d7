//! What keeps this node's memory of keys true while other nodes write to the same database.
//!
//! A node believes its cache only while it is sure to hear of every change, and for 700 ms after it
//! last was. Otherwise each check asks the database, and is refused if that fails.
//!
//! On PostgreSQL, changes are notified with the transaction that makes them; on SQLite, whose other
//! processes are rare, a node looks a few times a second whether another one has written.

mod postgres;
mod sqlite;

use std::time::Duration;

use sea_orm::DbErr;

use crate::Checker;
use crate::redis_limiter;
use latchkey_store::database::ChangeSource;

/// How often a node makes sure that it still hears of changes: often enough that one lost word does
/// no harm.
const BEAT: Duration = Duration::from_millis(200);
/// How long a word may take before the connection counts as dead.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Why changes are not heard of any more.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the LISTEN connection was lost")]
    Connection,
    #[error("the database did not answer in time")]
    Silence,
    #[error(
        "notifications sent through DATABASE_URL do not arrive; DATABASE_DIRECT_URL must point to \
         the same database and bypass any pooler in transaction mode"
    )]
    Unheard,
    #[error("the host name now resolves to another server")]
    Moved,
    #[error("{why}")]
    Unreachable {
        why: String,
        /// It is there, and takes no more connections.
        is_full: bool,
    },
    #[error("{0}")]
    Database(#[from] DbErr),
    #[error("{0}")]
    Listener(#[from] sea_orm::sqlx::Error),
}

impl Lost {
    /// Whether connections that are there may lead to a server that is no longer the primary.
    const fn is_other_server(&self) -> bool {
        matches!(self, Self::Moved | Self::Unreachable { is_full: false, .. })
    }
}

impl Checker {
    /// Hears of other nodes' changes, and shares limits with them where that is wanted, for as long
    /// as it is polled. Without it every check asks the database.
    pub async fn listen(&self) {
        tokio::join!(hear(self), redis_limiter::keep(self));
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
        tokio::time::sleep(RETRY).await;
    }
}
