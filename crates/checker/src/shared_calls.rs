//! Calls in progress of a key, a project or an organization on all nodes that share limits.
//!
//! ```text
//! Redis is up    Redis decides by the whole limit; the node counts its own calls too
//! Redis is down  the node's own calls decide, by its share of the limit, at least one
//! degraded       both have to admit the call
//! ```
//! Redis has, for each owner of a limit, the number of calls of each node. One script call acquires
//! a slot of all levels or of none (`acquire_slot.lua`), and one releases it when the call has
//! ended, in the background. The node counts the same calls in memory
//! ([`parallel_limit`](crate::parallel_limit)), and so knows them when Redis goes down.
//!
//! *Consistency.* Redis runs one script at a time, so the nodes together never admit more than the
//! limit. Every three seconds the node writes its own number of each owner over that in Redis
//! ([`renew`]), and once more after the owner's last call has ended: a change that was lost, or was
//! made twice, is wrong for that long. What the node does not write for ten seconds counts no more.
//! That frees the slots of a node that was killed, and also those of one that stood still for as
//! long: until it is back, the others may admit as many calls more.
//!
//! *Failure.* When Redis goes down, one node may have the whole limit in progress, and each of the
//! others then admits its share: less than twice the limit, or one call for each node. When Redis
//! is back, with or without its data, each node writes its numbers with its first heartbeat. Until
//! all have, and for the rest of the degraded minute, shares hold too. That includes the owners of
//! calls that have ended meanwhile, of which Redis could not be told; the node remembers 10,000 of
//! them, and of more the calls count in Redis for up to ten seconds.

use sea_orm::prelude::Uuid;

use crate::budget_owner::BudgetOwner;
use crate::checker::Checker;
use crate::parallel_limit::{ParallelFull, ParallelLimit};
use crate::redis_limiter::{RedisLimiter, RedisUnavailable};

/// A heartbeat renews one part of the numbers, so that all are renewed well within the ten seconds
/// for which they count.
pub(crate) const RENEWAL_PARTS: usize = 3;
/// Numbers that one script call writes. Redis serves nobody else for about a millisecond meanwhile.
const RENEWAL_BATCH: usize = 500;

/// Counts one more call of every owner, or of none. Not to be cancelled: the call may be counted
/// already. See [`crate::call_slot`].
///
/// # Errors
/// The first limit that is full.
pub(crate) async fn acquire(
    checker: &Checker,
    limiter: &RedisLimiter,
    limits: &[ParallelLimit],
) -> Result<(), ParallelFull> {
    let _change = limiter.call_counts.change().await;
    let now = checker.clock.monotonic();
    let of_share = |limit| share(limiter, limit);
    let Ok(admitted) = limiter.acquire_slot(now, limits).await else {
        // It may have counted the call all the same.
        limiter.call_counts.doubt(owners(limits).map(BudgetOwner::uuid));
        return checker.parallel.acquire(limits, of_share);
    };
    admitted?;
    if !limiter.is_degraded(now) {
        checker.parallel.add(owners(limits));
        return Ok(());
    }
    let acquired = checker.parallel.acquire(limits, of_share);
    if acquired.is_err() {
        let owners: Vec<_> = owners(limits).collect();
        release_in_redis(limiter, &owners).await;
    }
    acquired
}

/// Counts one call less of every owner.
pub(crate) async fn release(checker: &Checker, limiter: &RedisLimiter, owners: &[BudgetOwner]) {
    let _change = limiter.call_counts.change().await;
    checker.parallel.release(owners.iter().copied());
    release_in_redis(limiter, owners).await;
    // Renewals pass over owners without calls, so this is the last one that can correct these.
    let ended = owners.iter().map(|owner| owner.uuid());
    limiter.call_counts.doubt(ended.filter(|owner| checker.parallel.count(*owner) == 0));
}

async fn release_in_redis(limiter: &RedisLimiter, owners: &[BudgetOwner]) {
    if limiter.release_slot(owners).await.is_err() {
        limiter.call_counts.doubt(owners.iter().map(|owner| owner.uuid()));
    }
}

/// The first limit that would refuse a call, if any. Acquires nothing.
pub(crate) async fn peek(
    checker: &Checker,
    limiter: &RedisLimiter,
    limits: &[ParallelLimit],
) -> Option<ParallelFull> {
    let now = checker.clock.monotonic();
    match limiter.peek_slot(now, limits).await {
        Ok(Err(full)) => Some(full),
        Ok(Ok(())) if !limiter.is_degraded(now) => None,
        Ok(Ok(())) | Err(RedisUnavailable) => {
            checker.parallel.peek(limits, |limit| share(limiter, limit))
        }
    }
}

/// Writes this node's numbers to Redis: those of a part of the owners with calls, of the owners
/// whose calls have ended, and of those that Redis may count wrongly. After an outage or a loss of
/// data, all.
pub(crate) async fn renew(checker: &Checker, limiter: &RedisLimiter, part: usize) {
    let counts = &limiter.call_counts;
    let (part, parts) = if counts.take_lost() { (0, 1) } else { (part, RENEWAL_PARTS) };
    let mut owners: Vec<Uuid> = counts.take_doubtful();
    owners.extend(checker.parallel.owners(part, parts));
    for (done, batch) in owners.chunks(RENEWAL_BATCH).enumerate() {
        let _renewal = counts.renewal().await;
        let calls: Vec<_> =
            batch.iter().map(|owner| (*owner, checker.parallel.count(*owner))).collect();
        if limiter.write_calls(&calls).await.is_err() {
            // Redis is down. Everything is renewed when it is back.
            counts.doubt(owners.iter().skip(done * RENEWAL_BATCH).copied());
            return;
        }
    }
}

/// What the node may admit of a limit on its own. Every node admits one call: otherwise one that a
/// client always reaches would refuse all calls of a key for as long as the outage lasts.
fn share(limiter: &RedisLimiter, limit: u64) -> u64 {
    limiter.share(limit).max(1)
}

fn owners(limits: &[ParallelLimit]) -> impl Iterator<Item = BudgetOwner> {
    limits.iter().map(|asked| asked.owner)
}
