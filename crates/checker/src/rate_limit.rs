//! Requests and tokens per minute of a key, its project and its organization, by this node's own
//! windows or by those that nodes share.
//!
//! ```text
//! no level has such a limit    nothing is acquired
//! Redis is not configured      the node's own windows decide, by the whole limit
//! Redis is up                  Redis decides; the node's own windows count what it admits
//! Redis is down                the node's own windows decide, by the node's share of the limit
//! degraded: Redis was down or  both have to admit the call: Redis by the whole limit, and the
//! lost data within 61 s, and   node's own windows by its share
//! is up again
//! ```
//! The windows are [`RateWindows`](crate::windows::RateWindows) and [`RedisLimiter`]; this module
//! alone decides which of them count. The node also counts what Redis admits, so it knows what it
//! has admitted when Redis goes down.
//!
//! A call acquires one level after the other: the key's limits, the project's, the organization's.
//! If a level refuses it, the levels before get back what they granted. The call may use the least
//! number of tokens that a level grants, and the other levels are reduced to it. The caller is told
//! the state of the tightest level, or of the one that refuses.
//!
//! A call holds its reservation ([`RatePermit`]) until its outcome is known: [`release`] if another
//! limit refuses it, [`settle_tokens`] once it has used its tokens. Both update the node's windows
//! and those in Redis.
//!
//! *Consistency.* In Redis, one script acquires requests and tokens of a level together. Levels are
//! separate steps, and on the node requests and tokens are too: if a later step refuses, the
//! earlier ones are released. In between, another call that would fit may be refused, but none is
//! admitted beyond a limit.
//!
//! *Failure.* A check never fails because Redis is down. All shares together are the limit, but a
//! node does not know what the others admitted before the outage: [`super::redis_limiter`] says how
//! much that may add. Releases and settlements are sent to Redis in the background. If one is lost,
//! or a caller disconnects while Redis decides about a level, that reservation stays in the window
//! for a minute: the strict side.

mod asked;
mod denial;
mod levels;
mod node;
mod peek;
mod peeked;
mod permit;
mod settle;
mod shared;
#[cfg(test)]
mod tests;

use self::node::NodeWindows;
use crate::checker::Checker;
use crate::outcome::{Denial, LimitStates};
use crate::redis_limiter::RedisLimiter;
use crate::token_estimate::TokenAmount;

pub(crate) use self::levels::MinuteLimits;
pub(crate) use self::peek::peek;
pub(crate) use self::peeked::PeekedRate;
pub(crate) use self::permit::RatePermit;
pub(crate) use self::settle::{release, settle_tokens};

/// Acquires what a call needs of the limits per minute of all levels, or returns why it cannot.
/// `limits` has no states yet.
pub(crate) async fn acquire(
    checker: &Checker,
    of: MinuteLimits<'_>,
    amount: TokenAmount,
    limits: &mut LimitStates,
) -> Result<RatePermit, Box<Denial>> {
    let shared: Option<&RedisLimiter> = checker.shared.as_ref().filter(|_| of.acquires());
    match shared {
        None => NodeWindows::of(checker).acquire_all(of, amount, limits),
        // Boxed, so that checks without Redis do not carry this future.
        Some(shared) => Box::pin(shared::acquire_all(checker, shared, of, amount, limits)).await,
    }
}
