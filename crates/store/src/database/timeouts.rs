//! How long the database may take, and how many connections it is given.

use std::time::Duration;

use crate::error::Error;

/// How long a statement may wait for a connection or for another process's write.
pub(super) const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that was idle for this long is tested before it is used.
pub(super) const IDLE_CHECK_AFTER: Duration = Duration::from_secs(1);
/// Enough for the checks that miss the cache. PostgreSQL allows 100 in total by default.
pub(super) const CONNECTIONS: u32 = 16;

/// Fails work that waits for the database longer than `DATABASE_TIMEOUT`. On a network that drops
/// every packet, nothing else would end it.
///
/// The future is boxed: its state is kilobytes, and every check would carry it, even one that never
/// queries the database.
///
/// # Errors
/// The work's own errors; `Unavailable` on a time-out.
pub fn in_time<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> impl Future<Output = Result<T, Error>> {
    within(DATABASE_TIMEOUT, work)
}

/// As [`in_time`], with a time-out of the caller's choice.
///
/// # Errors
/// The work's own errors; `Unavailable` on a time-out.
pub fn within<T, E: From<Error>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    let timely = tokio::time::timeout(limit, Box::pin(work));
    async move { timely.await.unwrap_or_else(|_| Err(Error::unavailable("timed out").into())) }
}
