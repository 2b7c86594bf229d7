//! State shared by the checks of a process.

use std::ops::Deref;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use latchkey_store::Database;
use latchkey_store::clock::Clock;
use latchkey_store::random::Random;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::budget_events::BudgetEvents;
use crate::budget_slots::BudgetSlots;
use crate::cache::KeyCache;
use crate::counters::CheckCounters;
use crate::digest::Pepper;
use crate::error::StartError;
use crate::failures::FailedAttempts;
use crate::foreign::shapes::Shapes;
use crate::foreign::slow_keys::SlowKeys;
use crate::held_rates::HeldRates;
use crate::in_progress::InProgress;
use crate::lookup_limiter::LookupLimiter;
use crate::parallel_limit::ParallelCalls;
use crate::pepper_start;
use crate::peppers::Peppers;
use crate::prompt_ratio::PromptRatios;
use crate::redis_limiter::probe::probe;
use crate::redis_limiter::{RedisLimiter, RedisUrl};
use crate::stored_responses::StoredResponses;
use crate::usage::UsageBuffer;
use crate::watched_keys::WatchedKeys;
use crate::windows::RateWindows;

/// Keys that get another digest at a time, so that calls of many keys leave the database to others.
const MAX_MOVES: usize = 4;

/// What a checker is built from.
pub struct CheckerConfig {
    /// Database of keys, budgets and usage.
    pub database: Database,
    /// Time source.
    pub clock: Arc<dyn Clock>,
    /// Source of randomness.
    pub random: Arc<dyn Random>,
    /// HMAC key of all key digests.
    pub pepper: Pepper,
    /// Redis server that nodes share rate limits and parallel limits through. `None`: each node
    /// limits on its own.
    pub redis: Option<RedisUrl>,
}

/// Checks keys and holds the state of this process's checks. Cheap to clone.
#[derive(Clone)]
pub struct Checker(Arc<CheckerState>);

/// State of a [`Checker`], which dereferences to it.
pub struct CheckerState {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) peppers: Peppers,
    /// Name of this node among those that have to know a new pepper.
    pub(crate) node: String,
    /// What keys of other systems look like.
    pub(crate) shapes: Shapes,
    pub(crate) slow_keys: SlowKeys,
    /// Of keys that get another digest.
    pub(crate) move_permits: Arc<Semaphore>,
    pub(crate) key_cache: KeyCache,
    pub(crate) requests: RateWindows,
    pub(crate) tokens: RateWindows,
    /// Calls of keys that count a prompt.
    pub(crate) prompt_counts: RateWindows,
    /// Limits per minute, and of calls in progress, that nodes share. `None` without Redis.
    pub(crate) shared: Option<RedisLimiter>,
    pub(crate) budget_slots: BudgetSlots,
    pub(crate) budget_events: BudgetEvents,
    pub(crate) in_progress: InProgress,
    pub(crate) prompt_ratios: PromptRatios,
    pub(crate) parallel: ParallelCalls,
    pub(crate) watched_keys: WatchedKeys,
    /// Limits concurrent database lookups of keys and sessions.
    pub lookup_limiter: LookupLimiter,
    pub(crate) counters: CheckCounters,
    pub(crate) failed_keys: FailedAttempts,
    /// Counts calls until they are written.
    pub usage: UsageBuffer,
    pub(crate) stored_responses: StoredResponses,
    pub(crate) held_rates: HeldRates,
    /// Background tasks that settle reservations.
    pub(crate) unsettled: TaskTracker,
}

impl Deref for Checker {
    type Target = CheckerState;

    fn deref(&self) -> &CheckerState {
        &self.0
    }
}

impl Checker {
    /// Creates a checker on an open database.
    ///
    /// # Errors
    /// The database fails, or this node's peppers would make it refuse good keys, or Redis responds
    /// with an error that makes shared limits impossible.
    pub async fn start(config: CheckerConfig) -> Result<Self, StartError> {
        let CheckerConfig { database, clock, random, pepper, redis } = config;
        let node = HEXLOWER.encode(&random.bytes::<8>());
        let started =
            pepper_start::start(&database, &pepper, &node, random.as_ref(), clock.now()).await?;
        let shared = match redis {
            Some(url) => {
                let limiter = RedisLimiter::new(url, random.bytes(), &started.first, &database);
                let limiter = limiter.await?;
                probe(&limiter).await.map_err(StartError::Redis)?;
                // Before anything is admitted: other nodes' shares shrink within a second.
                limiter.membership.count(&database).await?;
                Some(limiter)
            }
            None => None,
        };
        Ok(Self(Arc::new(CheckerState {
            database,
            clock,
            random,
            peppers: Peppers::new(pepper, started.are_known_everywhere),
            node,
            shapes: Shapes::default(),
            slow_keys: SlowKeys::new(),
            move_permits: Arc::new(Semaphore::new(MAX_MOVES)),
            key_cache: KeyCache::new(),
            requests: RateWindows::new(),
            tokens: RateWindows::new(),
            prompt_counts: RateWindows::new(),
            shared,
            budget_slots: BudgetSlots::new(),
            budget_events: BudgetEvents::default(),
            in_progress: InProgress::new(),
            prompt_ratios: PromptRatios::new(),
            parallel: ParallelCalls::new(),
            watched_keys: WatchedKeys::default(),
            lookup_limiter: LookupLimiter::new(),
            counters: CheckCounters::default(),
            failed_keys: FailedAttempts::of("unknown or malformed keys"),
            usage: UsageBuffer::new(),
            stored_responses: StoredResponses::default(),
            held_rates: HeldRates::default(),
            unsettled: TaskTracker::new(),
        })))
    }

    /// The pepper that new digests, seals and links of chains are made with now: the retired one
    /// until every node knows both.
    pub fn pepper(&self) -> &Pepper {
        self.peppers.writing().pepper
    }

    /// The other pepper, under which keys may stand while one replaces the other.
    pub fn other_pepper(&self) -> Option<&Pepper> {
        self.peppers.writing().other
    }

    /// Waits until the background settlements have finished. New ones may start meanwhile.
    pub async fn settled(&self) {
        self.unsettled.close();
        self.unsettled.wait().await;
        self.unsettled.reopen();
    }
}
