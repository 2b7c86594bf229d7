//! Keeps a node a member of those that share limits through Redis, in Redis and in the database.
//!
//! The heartbeat to Redis also opens the connection that checks use: after an outage, the first one
//! that succeeds ends the state *down*. Attempts are one second apart, and each may take one
//! second. After each that succeeds, the node writes again how many calls it has in progress.

use latchkey_store::Error;
use tokio::time::timeout;

use crate::checker::Checker;
use crate::redis_limiter::{HEARTBEAT_INTERVAL, RedisLimiter};
use crate::shared_calls::{self, RENEWAL_PARTS};

/// Sends heartbeats while polled, if limits are shared.
pub(crate) async fn keep(checker: &Checker) {
    let Some(shared) = &checker.shared else { return };
    tokio::join!(send_heartbeats(checker, shared), store_counts(checker, shared));
}

/// Leaves the membership in the database, if limits are shared.
pub(crate) async fn leave(checker: &Checker) -> Result<(), Error> {
    match &checker.shared {
        Some(shared) => shared.membership.leave(&checker.database).await,
        None => Ok(()),
    }
}

/// Sends a heartbeat every interval.
async fn send_heartbeats(checker: &Checker, shared: &RedisLimiter) {
    // An outage at start-up is logged once too.
    let mut logged = false;
    for part in (0..RENEWAL_PARTS).cycle() {
        match timeout(HEARTBEAT_INTERVAL, shared.send_heartbeat(checker.clock.monotonic())).await {
            Ok(Ok(())) => {
                logged = true;
                shared_calls::renew(checker, shared, part).await;
            }
            Ok(Err(error)) => log_outage(shared, &mut logged, &error.to_string()),
            Err(_) => log_outage(shared, &mut logged, "timed out"),
        }
        tokio::time::sleep(HEARTBEAT_INTERVAL).await;
    }
}

fn log_outage(shared: &RedisLimiter, logged: &mut bool, why: &str) {
    shared.lost(why);
    if !std::mem::replace(logged, true) {
        let nodes = shared.membership.nodes();
        tracing::error!(
            why,
            nodes,
            "Redis is unreachable (REDIS_URL); each node enforces its share of the rate and \
             parallel limits"
        );
    }
}

/// Stores the number of nodes, for nodes that start while Redis is unavailable.
async fn store_counts(checker: &Checker, shared: &RedisLimiter) {
    let mut logged = false;
    loop {
        tokio::time::sleep(HEARTBEAT_INTERVAL).await;
        let stored = match shared.membership.count(&checker.database).await {
            Ok(()) => shared.membership.store_count(&checker.database).await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(()) => logged = false,
            Err(error) if !std::mem::replace(&mut logged, true) => {
                tracing::warn!(%error, "Failed to store the number of nodes");
            }
            Err(_) => {}
        }
    }
}
