//! Limits per minute that several nodes share through Redis or Valkey.
//!
//! One script call decides about a check (`take.lua`): it reads and writes the windows of requests
//! and of tokens at once, by the Redis server's clock, so the nodes' own clocks don't matter. A
//! window is a hash from whole seconds to what was admitted in them, which lives for 62 s.
//! `look.lua` reads, and `settle.lua` puts back what was not used. Where Redis is away, each node
//! admits its share of a limit by its own windows: the gate is narrower then, never open.
//!
//! ```text
//! up      an error, or 250 ms in which no call of the node gets an answer  ->  down
//! down    each node admits its share; it tries every second                ->  up, and narrow
//! up      Redis does not know the node any more, or counts less of a key
//!         than the node alone has admitted: it has lost its data           ->  up, and narrow
//! narrow  for 61 s Redis and the node's share both have to admit a call    ->  up
//! ```
//!
//! How large a share is depends on how many nodes there are: `membership` hears it from Redis, and
//! `node_table` counts in the database, for while no node has reached Redis. All shares together
//! are the limit.
//!
//! *Consistency.* Redis runs one script at a time. A node that dies leaves what it has taken in the
//! windows, until it is 60 s old. At the moment when Redis goes away nodes don't know of each other
//! what they have admitted: in that minute it may be up to twice the limit, not more.
//!
//! *Failure.* No call waits longer than half a second, and none is refused but for a share that is
//! used up. The call that finds Redis away closes the connection for all, so that time is lost
//! once. Why it is so, and what Redis needs: `docs/decisions/016-shared-limits.md`.

mod membership;
mod node_table;
pub(crate) mod prove;
mod url;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::window::Window;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError, Script};
use tokio::time::timeout;

use self::membership::Membership;
pub use self::url::RedisUrl;
use crate::digest::Pepper;
use crate::error::StartError;
use crate::token_estimate::TokenAmount;
use latchkey_store::database::Database;

/// A call waits for its answer in turns of so long: a node that is held up itself, and comes back
/// when all of the time is over, finds the answers that have arrived before it takes its own
/// absence for Redis'.
const TURN_LENGTH: Duration = Duration::from_millis(50);
/// So many turns in which no call on the node gets an answer are enough. A check waits for it.
const MAX_SILENT_TURNS: u32 = 5;
/// So many are, although others get theirs.
const MAX_UNANSWERED_TURNS: u32 = 10;
/// How often a node says that it is there, and tries to come back to a Redis that was away.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// What was admitted while Redis was away, or is forgotten by it, matters for as long (see
/// [`Window`]).
pub(crate) const DEGRADED_FOR: Duration = Duration::from_secs(61);

/// Redis can't be asked.
#[derive(Debug)]
pub(crate) struct RedisUnavailable;

pub(crate) struct RedisLimiter {
    url: RedisUrl,
    pub(crate) membership: Membership,
    connection: Mutex<Option<MultiplexedConnection>>,
    is_up: AtomicBool,
    /// Redis was away since it was last said that it is there, and may have missed calls.
    was_away: AtomicBool,
    /// It has heard of this node.
    is_known: AtomicBool,
    /// How many calls have got an answer.
    answers: AtomicU64,
    /// Until then it does not know all that the last minute has admitted: milliseconds on the
    /// monotonic clock.
    degraded_until: AtomicU64,
    take: Script,
    look: Script,
    settle: Script,
}

/// Return value of `take.lua`.
type TakeAnswer = (u8, u64, u64, u64, Vec<u64>, Vec<u64>, u8);
/// Return value of `look.lua`.
type LookAnswer = (u64, u64, Vec<u64>, Vec<u64>);

/// The limit that refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateLimitExceeded {
    Requests,
    Tokens,
}

/// What a call holds of the shared windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SharedPermit {
    /// By the server's clock.
    second: u64,
    request: bool,
    pub(crate) tokens: u64,
}

impl SharedPermit {
    /// The same taking after its tokens were settled.
    pub(crate) const fn reduced_to(self, tokens: u64) -> Self {
        Self { tokens, ..self }
    }
}

/// A key's shared windows.
pub(crate) struct SharedWindowState {
    /// By the server's clock.
    pub(crate) now: Duration,
    pub(crate) requests: Window,
    pub(crate) tokens: Window,
}

impl SharedWindowState {
    fn new(second: u64, micros: u64, requests: &[u64], tokens: &[u64]) -> Self {
        let window = |fields: &[u64]| {
            Window::of(second, fields.chunks_exact(2).map(|pair| (pair[0], pair[1])))
        };
        let now = Duration::from_secs(second) + Duration::from_micros(micros);
        Self { now, requests: window(requests), tokens: window(tokens) }
    }
}

impl RedisLimiter {
    /// The way to Redis for this node, which `redis_heartbeat` opens.
    ///
    /// # Errors
    /// The database fails, which remembers how many nodes there are; or Redis answers, and refuses.
    pub(crate) async fn new(
        url: RedisUrl,
        node: [u8; 8],
        pepper: &Pepper,
        database: &Database,
    ) -> Result<Self, StartError> {
        let known = membership::known(database).await?;
        Ok(Self {
            url,
            membership: Membership::new(pepper, node, known),
            connection: Mutex::default(),
            is_up: AtomicBool::new(false),
            was_away: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            answers: AtomicU64::new(0),
            degraded_until: AtomicU64::new(0),
            take: Script::new(include_str!("take.lua")),
            look: Script::new(include_str!("look.lua")),
            settle: Script::new(include_str!("settle.lua")),
        })
    }

    /// Whether limits are shared at the moment.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    /// Whether each node keeps to its share although Redis is there: it was away within the last
    /// minute, and neither knows what nodes admitted meanwhile nor, if it was restarted, what they
    /// did before.
    pub(crate) fn is_degraded(&self, now: Duration) -> bool {
        millis(now) < self.degraded_until.load(Ordering::Acquire)
    }

    /// Redis does not know all that the last minute has admitted.
    fn degraded(&self, now: Duration) {
        self.degraded_until.store(millis(now + DEGRADED_FOR), Ordering::Release);
    }

    /// Redis does not know this node, or counts less of a key than it alone has admitted: it was
    /// emptied, or its place was taken by one that lagged behind.
    pub(crate) fn has_forgotten(&self, now: Duration) {
        if !self.is_degraded(now) {
            tracing::warn!(
                "Redis lost the rate limit state; each node enforces its share of the limits for a \
                 minute"
            );
            self.degraded(now);
        }
    }

    /// What a node may admit of a limit while it can't ask the others.
    pub(crate) fn share(&self, limit: u64) -> u64 {
        self.membership.share(limit)
    }

    /// Takes a request and tokens of a key's limits, all of it or none; also where the windows
    /// stand then. `now` is monotonic.
    pub(crate) async fn acquire(
        &self,
        now: Duration,
        key: KeyId,
        requests: Option<u64>,
        tokens: Option<u64>,
        need: TokenAmount,
    ) -> Result<(Result<SharedPermit, RateLimitExceeded>, SharedWindowState), RedisUnavailable>
    {
        let mut call = self.take.prepare_invoke();
        call.key(window_of(key, 'r')).key(window_of(key, 't'));
        call.arg(requests.unwrap_or_default()).arg(tokens.unwrap_or_default());
        // The script gives what is left between the two: the quarter is one of the whole limit.
        call.arg(need.least()).arg(need.of(tokens.unwrap_or(u64::MAX)));
        let (nodes, node) = self.membership.names();
        call.arg(nodes).arg(node);
        let mut connection = self.open()?;
        let (refused, second, micros, tokens, requests_window, tokens_window, is_known): TakeAnswer =
            self.answer(call.invoke_async(&mut connection)).await?;
        // Each call is told by its own answer: none that came later to Redis, and finds there what
        // others have taken meanwhile, passes before the node has heard.
        if is_known == 0 {
            self.has_forgotten(now);
        }
        let taken = match refused {
            0 => Ok(SharedPermit { second, request: requests.is_some(), tokens }),
            1 => Err(RateLimitExceeded::Requests),
            _ => Err(RateLimitExceeded::Tokens),
        };
        Ok((taken, SharedWindowState::new(second, micros, &requests_window, &tokens_window)))
    }

    /// Where a key's windows stand.
    pub(crate) async fn peek(&self, key: KeyId) -> Result<SharedWindowState, RedisUnavailable> {
        let mut call = self.look.prepare_invoke();
        call.key(window_of(key, 'r')).key(window_of(key, 't'));
        let mut connection = self.open()?;
        let (second, micros, requests, tokens): LookAnswer =
            self.answer(call.invoke_async(&mut connection)).await?;
        Ok(SharedWindowState::new(second, micros, &requests, &tokens))
    }

    /// Puts the tokens that a call used in the place of those that it took; none: it was refused
    /// for another reason, and its request is given back too.
    pub(crate) async fn settle(
        &self,
        key: KeyId,
        taken: SharedPermit,
        used: Option<u64>,
    ) -> Result<(), RedisUnavailable> {
        let requests = -i64::from(taken.request && used.is_none());
        let tokens = used.unwrap_or_default().cast_signed();
        let tokens = tokens.saturating_sub(taken.tokens.cast_signed());
        if (requests, tokens) == (0, 0) {
            return Ok(());
        }
        let mut call = self.settle.prepare_invoke();
        call.key(window_of(key, 'r')).key(window_of(key, 't'));
        call.arg(taken.second).arg(requests).arg(tokens);
        let mut connection = self.open()?;
        self.answer(call.invoke_async::<()>(&mut connection)).await
    }

    fn open(&self) -> Result<MultiplexedConnection, RedisUnavailable> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        connection.filter(|_| self.is_up()).ok_or_else(|| {
            // Before the first word too: Redis misses what this call comes to.
            self.was_away.store(true, Ordering::Release);
            RedisUnavailable
        })
    }

    /// Waits for an answer. Whoever gets none closes the connection for everybody: the next word
    /// opens another.
    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RedisUnavailable> {
        let mut call = pin!(call);
        let (mut heard, mut silent) = (self.answers.load(Ordering::Relaxed), 0);
        for _ in 0..MAX_UNANSWERED_TURNS {
            match timeout(TURN_LENGTH, &mut call).await {
                Ok(Ok(answer)) => {
                    self.answers.fetch_add(1, Ordering::Relaxed);
                    return Ok(answer);
                }
                Ok(Err(error)) => return Err(self.lost(&error.to_string())),
                Err(_) => {}
            }
            // Where others get theirs, Redis is there: it or the node is only busy.
            let answers = self.answers.load(Ordering::Relaxed);
            silent = if answers == heard { silent + 1 } else { 0 };
            heard = answers;
            if silent == MAX_SILENT_TURNS {
                break;
            }
        }
        Err(self.lost("timed out"))
    }

    pub(crate) fn lost(&self, why: &str) -> RedisUnavailable {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.was_away.store(true, Ordering::Release);
        if self.is_up.swap(false, Ordering::AcqRel) {
            let nodes = self.membership.nodes();
            tracing::error!(
                why,
                nodes,
                "Redis is unavailable; each node enforces its share of the rate limits"
            );
        }
        RedisUnavailable
    }

    /// A new connection, over which Redis has learned the scripts.
    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        // Whoever asks waits in turns of their own.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let client = self.url.client()?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        for script in [&self.take, &self.look, &self.settle] {
            script.load_async(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Says that this node is there, over a new connection if there is none. `now` is monotonic.
    pub(crate) async fn say(&self, now: Duration) -> Result<(), RedisError> {
        let open = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut connection = match open {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let was_known = self.is_known.load(Ordering::Acquire);
        let mut heard = self.membership.say(&mut connection, was_known).await?;
        // One that does not know a node any more has forgotten what it admitted, too.
        let has_forgotten = was_known && heard.2 == 0;
        if self.was_away.swap(false, Ordering::AcqRel) || has_forgotten {
            self.degraded(now);
        }
        if has_forgotten {
            heard = self.membership.say(&mut connection, false).await?;
        }
        self.is_known.store(true, Ordering::Release);
        self.membership.heard(now, self.is_degraded(now), heard);
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        if !self.is_up.swap(true, Ordering::AcqRel) {
            let nodes = self.membership.nodes();
            tracing::info!(nodes, "Rate limits are shared through Redis");
        }
        Ok(())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Both windows of a key are in the same slot of a cluster: the braces say so.
fn window_of(key: KeyId, kind: char) -> String {
    format!("latchkey:{{{key}}}:{kind}")
}
