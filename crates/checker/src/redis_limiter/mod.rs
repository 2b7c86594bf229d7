//! Limits that several nodes share through Redis or Valkey: per minute, and of calls in progress.
//!
//! One script call decides a level of a check (`acquire.lua`): the key's limits, then those of its
//! project and organization, if they have any. It reads and writes the windows of requests and of
//! tokens at once, by the clock of the Redis server, so the nodes' clocks don't matter. A window is
//! a hash from whole seconds to what was admitted in them and expires after 62 s. `peek.lua` reads
//! the windows, and `settle.lua` returns what was not used. While Redis is unavailable, each node
//! admits its *share* of a limit by its own windows. The limiter has three states. *Degraded* is
//! the minute after an outage or a loss of data, not the outage itself:
//!
//! ```text
//! up        an error, or 250 ms in which no call of the node gets a response  ->  down
//! down      each node admits its share and reconnects every second            ->  degraded
//! up        Redis does not know the node any more, or counts less of a limit
//!           than the node alone has admitted: it has lost its data            ->  degraded
//! degraded  for 61 s both Redis and the node's share have to admit a call     ->  up
//! ```
//!
//! A node's share depends on the number of nodes. `membership` gets that from Redis. `node_table`
//! counts nodes in the database, for when no node has reached Redis. All shares together make up
//! the limit.
//!
//! `parallel` counts calls in progress in Redis, over the same connection and in the same states;
//! [`super::shared_calls`] says what holds for them.
//!
//! *Consistency.* Redis runs one script at a time, so concurrent calls of any nodes never exceed
//! the limit. The reservations of a node that dies stay in the windows until they are 60 s old.
//! When Redis goes down, one node may have admitted the whole limit, and each of the others then
//! admits its share: less than twice the limit in any 60 s. The same bound holds if only some nodes
//! lose Redis, for as long as that lasts: the others still admit the whole limit.
//!
//! *Failure.* A Redis that is slow but responds delays each call by its response time. No call
//! waits longer than 500 ms; after that, or after 250 ms without a response to any call of the
//! node, Redis counts as down for all calls of the node. Calls in progress then pay the timeout at
//! the same time, later calls do not. An outage refuses a call only if the node's share is used up.
//! For the reasons, and what Redis needs, see `docs/decisions/016-shared-limits.md`.

mod call_counts;
mod membership;
mod node_table;
mod parallel;
pub(crate) mod probe;
mod scripts;
mod url;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use latchkey_domain::window::Window;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError};
use tokio::time::timeout;

use self::call_counts::CallCounts;
use self::membership::Membership;
use self::scripts::Scripts;
pub use self::url::RedisUrl;
use crate::budget_owner::BudgetOwner;
use crate::error::StartError;
use latchkey_store::database::Database;

/// A call waits for its response in steps of this length. After a stall of the node itself, it then
/// reads the responses that have arrived before it blames Redis.
const STEP_LENGTH: Duration = Duration::from_millis(50);
/// Steps without a response to any call of the node after which Redis counts as down. The first
/// checks wait that long.
const MAX_SILENT_STEPS: u32 = 5;
/// The same for a call without a response while other calls get theirs.
const MAX_UNANSWERED_STEPS: u32 = 10;
/// Interval of heartbeats and of attempts to reconnect.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// How long to stay degraded after an outage or a loss of data: what Redis does not know of still
/// counts for as long (see [`Window`]).
pub(crate) const DEGRADED_FOR: Duration = Duration::from_secs(61);

/// Redis did not respond, or is known to be down.
#[derive(Debug)]
pub(crate) struct RedisUnavailable;

pub(crate) struct RedisLimiter {
    url: RedisUrl,
    pub(crate) membership: Membership,
    connection: Mutex<Option<MultiplexedConnection>>,
    is_up: AtomicBool,
    /// Redis was unavailable since the last heartbeat and may have missed calls.
    was_away: AtomicBool,
    /// Whether Redis has this node's heartbeat.
    is_known: AtomicBool,
    /// Number of responses received.
    responses: AtomicU64,
    /// End of the degraded minute, in milliseconds on the monotonic clock. Until then Redis does
    /// not know everything that was admitted in the last minute.
    degraded_until: AtomicU64,
    pub(crate) call_counts: CallCounts,
    scripts: Scripts,
}

/// Return value of `acquire.lua`.
type AcquireResponse = (u8, u64, u64, u64, Vec<u64>, Vec<u64>, u8);
/// Return value of `peek.lua`.
type PeekResponse = (u64, u64, Vec<u64>, Vec<u64>);

/// The limit that refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateLimitExceeded {
    Requests,
    Tokens,
}

/// What a call holds of the shared windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SharedPermit {
    /// Second of the Redis server's clock.
    second: u64,
    request: bool,
    pub(crate) tokens: u64,
}

impl SharedPermit {
    /// The permit after its tokens were settled.
    pub(crate) const fn reduced_to(self, tokens: u64) -> Self {
        Self { tokens, ..self }
    }
}

/// The shared windows of a key, a project or an organization.
pub(crate) struct SharedWindowState {
    /// Redis server's clock.
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
    /// Creates a disconnected limiter; `redis_heartbeat` opens the connection.
    ///
    /// # Errors
    /// The database fails, which stores the number of nodes.
    pub(crate) async fn new(
        url: RedisUrl,
        node: [u8; 8],
        installation: &str,
        database: &Database,
    ) -> Result<Self, StartError> {
        let known = membership::stored_count(database).await?;
        Ok(Self {
            url,
            membership: Membership::new(installation, node, known),
            connection: Mutex::default(),
            is_up: AtomicBool::new(false),
            was_away: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            responses: AtomicU64::new(0),
            degraded_until: AtomicU64::new(0),
            call_counts: CallCounts::default(),
            scripts: Scripts::new(),
        })
    }

    /// Whether limits are shared at the moment.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    /// Whether each node enforces its share although Redis is up. Redis was unavailable or lost
    /// data within the last minute: it does not know all that nodes have admitted.
    pub(crate) fn is_degraded(&self, now: Duration) -> bool {
        millis(now) < self.degraded_until.load(Ordering::Acquire)
    }

    /// Starts the degraded minute: Redis does not know everything admitted in the last minute, nor
    /// all calls in progress.
    fn degraded(&self, now: Duration) {
        self.call_counts.lose();
        self.degraded_until.store(millis(now + DEGRADED_FOR), Ordering::Release);
    }

    /// Enters the degraded minute because Redis has lost data: it does not know this node, or
    /// counts less of a limit than this node alone has admitted. It was flushed, or failed over to
    /// a replica that lagged behind.
    pub(crate) fn has_forgotten(&self, now: Duration) {
        if !self.is_degraded(now) {
            tracing::warn!(
                "Redis lost its data; each node enforces its share of the limits for a minute"
            );
            self.degraded(now);
        }
    }

    /// Part of a limit that a node may admit on its own: all that it admits while Redis is down,
    /// and a second limit while it is degraded.
    pub(crate) fn share(&self, limit: u64) -> u64 {
        self.membership.share(limit)
    }

    /// Acquires a request and, between `least` and `most`, tokens of an owner's limits, all or
    /// nothing, and returns the windows after that. `now` is monotonic.
    pub(crate) async fn acquire(
        &self,
        now: Duration,
        owner: BudgetOwner,
        requests: Option<u64>,
        tokens: Option<u64>,
        (least, most): (u64, u64),
    ) -> Result<(Result<SharedPermit, RateLimitExceeded>, SharedWindowState), RedisUnavailable>
    {
        let mut call = self.scripts.acquire.prepare_invoke();
        call.key(window_of(owner, 'r')).key(window_of(owner, 't'));
        call.arg(requests.unwrap_or_default()).arg(tokens.unwrap_or_default());
        // The script grants what is left between the two.
        call.arg(least).arg(most);
        let (nodes, node) = self.membership.names();
        call.arg(nodes).arg(node);
        let mut connection = self.open()?;
        let response: AcquireResponse = self.response(call.invoke_async(&mut connection)).await?;
        let (refused, second, micros, tokens, requests_window, tokens_window, is_known) = response;
        // Every response carries this flag. A call that Redis handles later, and whose windows
        // contain other nodes' calls, cannot hide the loss before this node has noticed.
        if is_known == 0 {
            self.has_forgotten(now);
        }
        let permit = match refused {
            0 => Ok(SharedPermit { second, request: requests.is_some(), tokens }),
            1 => Err(RateLimitExceeded::Requests),
            _ => Err(RateLimitExceeded::Tokens),
        };
        Ok((permit, SharedWindowState::new(second, micros, &requests_window, &tokens_window)))
    }

    /// Current state of an owner's windows.
    pub(crate) async fn peek(
        &self,
        owner: BudgetOwner,
    ) -> Result<SharedWindowState, RedisUnavailable> {
        let mut call = self.scripts.peek.prepare_invoke();
        call.key(window_of(owner, 'r')).key(window_of(owner, 't'));
        let mut connection = self.open()?;
        let (second, micros, requests, tokens): PeekResponse =
            self.response(call.invoke_async(&mut connection)).await?;
        Ok(SharedWindowState::new(second, micros, &requests, &tokens))
    }

    /// Replaces the tokens that a call reserved with those it used. `None`: the call was refused
    /// for another reason, so its request is released too.
    pub(crate) async fn settle(
        &self,
        owner: BudgetOwner,
        permit: SharedPermit,
        used: Option<u64>,
    ) -> Result<(), RedisUnavailable> {
        let requests = -i64::from(permit.request && used.is_none());
        let tokens = used.unwrap_or_default().cast_signed();
        let tokens = tokens.saturating_sub(permit.tokens.cast_signed());
        if (requests, tokens) == (0, 0) {
            return Ok(());
        }
        let mut call = self.scripts.settle.prepare_invoke();
        call.key(window_of(owner, 'r')).key(window_of(owner, 't'));
        call.arg(permit.second).arg(requests).arg(tokens);
        let mut connection = self.open()?;
        self.response(call.invoke_async::<()>(&mut connection)).await
    }

    fn open(&self) -> Result<MultiplexedConnection, RedisUnavailable> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        connection.filter(|_| self.is_up()).ok_or_else(|| {
            // This includes calls before the first heartbeat: Redis misses what they admit.
            self.was_away.store(true, Ordering::Release);
            RedisUnavailable
        })
    }

    /// Waits for a response. Without one it closes the connection for all callers; the next
    /// heartbeat opens another.
    async fn response<T>(
        &self,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RedisUnavailable> {
        let mut call = pin!(call);
        let (mut seen, mut silent) = (self.responses.load(Ordering::Relaxed), 0);
        for _ in 0..MAX_UNANSWERED_STEPS {
            match timeout(STEP_LENGTH, &mut call).await {
                Ok(Ok(response)) => {
                    self.responses.fetch_add(1, Ordering::Relaxed);
                    return Ok(response);
                }
                Ok(Err(error)) => return Err(self.lost(&error.to_string())),
                Err(_) => {}
            }
            // If other calls get responses, Redis is up: it or the node is only busy.
            let responses = self.responses.load(Ordering::Relaxed);
            silent = if responses == seen { silent + 1 } else { 0 };
            seen = responses;
            if silent == MAX_SILENT_STEPS {
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
                "Redis is unavailable; each node enforces its share of the rate and parallel limits"
            );
        }
        RedisUnavailable
    }

    /// Opens a connection and loads the scripts.
    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        // Callers apply their own timeout, see `response`.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let client = self.url.client()?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        for script in self.scripts.all() {
            script.load_async(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Sends a heartbeat, over a new connection if there is none. `now` is monotonic.
    pub(crate) async fn send_heartbeat(&self, now: Duration) -> Result<(), RedisError> {
        let open = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut connection = match open {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let was_known = self.is_known.load(Ordering::Acquire);
        let mut response = self.membership.send_heartbeat(&mut connection, was_known).await?;
        // A Redis that does not know a node any more has also lost what the node admitted.
        let has_forgotten = was_known && response.2 == 0;
        if self.was_away.swap(false, Ordering::AcqRel) || has_forgotten {
            self.degraded(now);
        }
        if has_forgotten {
            response = self.membership.send_heartbeat(&mut connection, false).await?;
        }
        self.is_known.store(true, Ordering::Release);
        self.membership.observe(now, self.is_degraded(now), response);
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        if !self.is_up.swap(true, Ordering::AcqRel) {
            let nodes = self.membership.nodes();
            tracing::info!(nodes, "Rate and parallel limits are shared through Redis");
        }
        Ok(())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Name of a window. The braces put both windows of an owner in the same cluster slot.
fn window_of(owner: BudgetOwner, kind: char) -> String {
    match owner {
        BudgetOwner::Key(id) => format!("latchkey:{{{id}}}:{kind}"),
        BudgetOwner::Project(id) => format!("latchkey:{{{id}}}:{kind}"),
        BudgetOwner::Organization(id) => format!("latchkey:{{{id}}}:{kind}"),
    }
}
