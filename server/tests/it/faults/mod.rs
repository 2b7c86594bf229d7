//! What breaks under a cluster, and what holds all the same: no acknowledged write is lost, no
//! revoked key is admitted, no budget is overspent, and the nodes recover by themselves.
//!
//! In the short form each fault comes once or twice; `make test-faults` brings them again and
//! again.
#![expect(clippy::disallowed_methods, reason = "processes and databases go by a real clock")]

mod clock;
mod cluster;
mod database;
#[cfg(target_os = "linux")]
mod disk;
mod ledger;
pub(crate) mod postgres;
mod processes;
mod redis;
mod rounds;
mod spend;
mod traffic;

use std::time::{Duration, Instant};

/// How long nodes may need to recover, on a machine that is busy with other tests.
const RECOVERY: Duration = Duration::from_secs(30);

/// Waits until it is so.
async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is().await {
        assert!(began.elapsed() < RECOVERY, "not within {RECOVERY:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
