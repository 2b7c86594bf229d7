//! What the checks of a process share.

use std::ops::Deref;
use std::sync::Arc;

use latchkey_store::Database;
use latchkey_store::clock::Clock;
use latchkey_store::random::Random;
use tokio_util::task::TaskTracker;

use crate::cache::KeyCache;
use crate::counters::CheckCounters;
use crate::digest::Pepper;
use crate::error::StartError;
use crate::failures::FailedAttempts;
use crate::in_progress::InProgress;
use crate::lease::Leases;
use crate::lookup_limiter::LookupLimiter;
use crate::parallel_limit::ParallelCalls;
use crate::prompt_ratio::PromptRatios;
use crate::redis_limiter::prove::prove;
use crate::redis_limiter::{RedisLimiter, RedisUrl};
use crate::usage::UsageBuffer;
use crate::watched_keys::WatchedKeys;
use crate::windows::RateWindows;

/// What a checker is handed.
pub struct CheckerConfig {
    /// Where keys, budgets and usage are.
    pub database: Database,
    /// Source of the time.
    pub clock: Arc<dyn Clock>,
    /// Source of randomness.
    pub random: Arc<dyn Random>,
    /// The key of every key's digest.
    pub pepper: Pepper,
    /// Where nodes share rate limits; none: each node limits for itself.
    pub redis: Option<RedisUrl>,
}

/// Checks keys: the state of this process's checks. Cheap to clone.
#[derive(Clone)]
pub struct Checker(Arc<CheckerState>);

/// What [`Checker`] holds; reached through it.
pub struct CheckerState {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) pepper: Pepper,
    pub(crate) key_cache: KeyCache,
    pub(crate) requests: RateWindows,
    pub(crate) tokens: RateWindows,
    /// Where nodes share limits per minute.
    pub(crate) shared: Option<RedisLimiter>,
    pub(crate) leases: Leases,
    pub(crate) in_progress: InProgress,
    pub(crate) prompt_ratios: PromptRatios,
    pub(crate) parallel: ParallelCalls,
    pub(crate) watched_keys: WatchedKeys,
    /// Queue in front of the database for those who ask who somebody is.
    pub lookup_limiter: LookupLimiter,
    pub(crate) counters: CheckCounters,
    pub(crate) failed_keys: FailedAttempts,
    /// Counts calls until they are written.
    pub usage: UsageBuffer,
    /// Reservations that are being settled by nobody who could wait.
    pub(crate) unsettled: TaskTracker,
}

impl Deref for Checker {
    type Target = CheckerState;

    fn deref(&self) -> &CheckerState {
        &self.0
    }
}

impl Checker {
    /// A checker over an open database.
    ///
    /// # Errors
    /// The database fails, or Redis answers and refuses what limits need.
    pub async fn start(config: CheckerConfig) -> Result<Self, StartError> {
        let CheckerConfig { database, clock, random, pepper, redis } = config;
        let shared = match redis {
            Some(url) => {
                let limiter = RedisLimiter::new(url, random.bytes(), &pepper, &database).await?;
                prove(&limiter).await.map_err(StartError::Redis)?;
                // Before it admits anything: the others' shares shrink within a second.
                limiter.membership.count(&database).await?;
                Some(limiter)
            }
            None => None,
        };
        Ok(Self(Arc::new(CheckerState {
            database,
            clock,
            random,
            pepper,
            key_cache: KeyCache::new(),
            requests: RateWindows::new(),
            tokens: RateWindows::new(),
            shared,
            leases: Leases::new(),
            in_progress: InProgress::new(),
            prompt_ratios: PromptRatios::new(),
            parallel: ParallelCalls::new(),
            watched_keys: WatchedKeys::default(),
            lookup_limiter: LookupLimiter::new(),
            counters: CheckCounters::default(),
            failed_keys: FailedAttempts::of("unknown or malformed keys"),
            usage: UsageBuffer::new(),
            unsettled: TaskTracker::new(),
        })))
    }

    /// The key of every key's digest.
    pub fn pepper(&self) -> &Pepper {
        &self.pepper
    }

    /// Waits until no reservation is being settled by itself. Others may come meanwhile.
    pub async fn settled(&self) {
        self.unsettled.close();
        self.unsettled.wait().await;
        self.unsettled.reopen();
    }
}
