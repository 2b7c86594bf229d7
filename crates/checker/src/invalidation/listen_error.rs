//! Why a node does not receive invalidations.

use std::time::Duration;

use sea_orm::DbErr;

/// Interval of heartbeats. Short enough that losing one does no harm.
pub(super) const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(200);
/// Time limit of connecting or of one statement, after which the connection counts as dead.
pub(super) const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why invalidations stopped arriving.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListenError {
    #[error("the LISTEN connection was lost")]
    Connection,
    #[error("the database did not answer in time")]
    Silence,
    #[error(
        "notifications sent through DATABASE_URL do not arrive; DATABASE_DIRECT_URL must point to \
         the same database and bypass any pooler in transaction mode"
    )]
    Undelivered,
    #[error("the host name now resolves to another server")]
    Moved,
    #[error("{why}")]
    Unreachable {
        why: String,
        /// The server is up but accepts no more connections.
        is_full: bool,
    },
    #[error("{0}")]
    Database(#[from] DbErr),
    #[error("{0}")]
    Listener(#[from] sea_orm::sqlx::Error),
}

impl ListenError {
    /// Whether existing connections may lead to a server that is no longer the primary.
    pub(super) const fn is_other_server(&self) -> bool {
        matches!(self, Self::Moved | Self::Unreachable { is_full: false, .. })
    }
}
