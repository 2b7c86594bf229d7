//! Where limits per minute stand, as a call would find them. Acquires nothing.

use crate::checker::Checker;
use crate::rate_limit::levels::{LevelRates, MinuteLimits};
use crate::rate_limit::node::{NodeWindows, of_share};
use crate::rate_limit::peeked::PeekedRate;
use crate::record::KeyRecord;
use crate::redis_limiter::{RedisLimiter, SharedWindowState};
use crate::windows::RateWindows;

/// States of the limits per minute of a key, its project and its organization: the first that is
/// full, or the tightest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RateStates {
    pub(crate) requests: Option<PeekedRate>,
    pub(crate) tokens: Option<PeekedRate>,
}

impl RateStates {
    fn and(self, outer: Self) -> Self {
        Self {
            requests: PeekedRate::told(self.requests, outer.requests),
            tokens: PeekedRate::told(self.tokens, outer.tokens),
        }
    }
}

/// States that a call of `tokens` tokens would find.
pub(crate) async fn peek(checker: &Checker, key: &KeyRecord, tokens: u64) -> RateStates {
    let (node, of) = (NodeWindows::of(checker), MinuteLimits::of(key));
    let mut states = RateStates::default();
    match checker.shared.as_ref().filter(|_| of.acquires()) {
        None => {
            for level in of.levels() {
                states = states.and(peek_node(node, &level, tokens, |limit| limit));
            }
        }
        Some(shared) => {
            for level in of.levels() {
                // Boxed, so that checks without Redis do not carry this future.
                let seen = Box::pin(peek_shared(node, shared, &level, tokens)).await;
                states = states.and(seen);
            }
        }
    }
    states
}

async fn peek_shared(
    node: NodeWindows<'_>,
    shared: &RedisLimiter,
    level: &LevelRates,
    tokens: u64,
) -> RateStates {
    let seen = shared.peek(level.owner).await;
    let own = peek_node(node, level, tokens, |limit| shared.share(limit));
    let Ok(SharedWindowState { now, requests: mut of_requests, tokens: mut of_tokens }) = seen
    else {
        return own;
    };
    let scope = level.owner.scope();
    let requests =
        level.rpm.map(|limit| PeekedRate::of(scope, limit, limit, of_requests.peek(now, 1, limit)));
    let tokens = level
        .tpm
        .map(|limit| PeekedRate::of(scope, limit, limit, of_tokens.peek(now, tokens, limit)));
    if !shared.is_degraded(node.monotonic()) {
        return RateStates { requests, tokens };
    }
    RateStates {
        requests: PeekedRate::stricter(requests, own.requests),
        tokens: PeekedRate::stricter(tokens, own.tokens),
    }
}

fn peek_node(
    node: NodeWindows<'_>,
    level: &LevelRates,
    tokens: u64,
    share: impl Fn(u64) -> u64,
) -> RateStates {
    let now = node.monotonic();
    let peek = |windows: &RateWindows, amount: u64, whole: u64| {
        let limit = share(whole);
        let peeked = windows.peek(level.owner, now, amount, limit);
        let peeked = peeked.map_err(|full| of_share(full, amount, whole));
        PeekedRate::of(level.owner.scope(), whole, limit, peeked)
    };
    RateStates {
        requests: level.rpm.map(|whole| peek(node.requests, 1, whole)),
        tokens: level.tpm.map(|whole| peek(node.tokens, tokens, whole)),
    }
}
