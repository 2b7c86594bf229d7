//! Detects writes by other processes to an SQLite database:
//! <https://www.sqlite.org/pragma.html#pragma_data_version>.
//!
//! This process writes through a single connection. So every write that this connection reports as
//! another connection's is another process's.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::sqlx::{SqlitePool, query_scalar};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::listen_error::{DATABASE_TIMEOUT, HEARTBEAT_INTERVAL, ListenError};
use crate::checker::Checker;

/// Polls for writes of other processes until the database fails.
///
/// `number` identifies the writer's connection. A new connection knows nothing of the versions that
/// the previous one saw.
pub(super) async fn poll(
    checker: &Checker,
    writer: &SqlitePool,
    number: &AtomicU64,
) -> Result<Infallible, ListenError> {
    let mut heartbeats = interval(HEARTBEAT_INTERVAL);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    loop {
        heartbeats.tick().await;
        let now = checker.clock.monotonic();
        let before = number.load(Ordering::Acquire);
        let query = query_scalar("PRAGMA data_version").fetch_one(writer);
        let version = timeout(DATABASE_TIMEOUT, query).await;
        let version: i64 = version.map_err(|_| ListenError::Silence)??;
        let same = number.load(Ordering::Acquire) == before;
        let now_seen = same.then_some((before, version));
        if now_seen.is_none() || seen != now_seen {
            checker.key_cache.evict_all();
            let shapes = query_scalar("SELECT EXISTS (SELECT 1 FROM key_shapes)").fetch_one(writer);
            let are_there: bool =
                timeout(DATABASE_TIMEOUT, shapes).await.map_err(|_| ListenError::Silence)??;
            if are_there || checker.shapes.are_relevant() {
                checker.shapes.invalidate();
            }
        }
        seen = now_seen;
        checker.key_cache.extend_validity(now);
    }
}
