//! Limits per minute that several nodes share through Redis or Valkey.
//!
//! One script call decides about a check: it reads and writes the windows at once, by the Redis server's clock, so the
//! nodes' own clocks don't matter. Where Redis is away, each node admits its share of a limit by its own windows:
//! the gate is narrower then, never open.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::window::{Taken, Window};
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, Script};
use tokio::time::timeout;

use super::admit::Need;
use crate::random::hex;
use crate::services::Services;

/// How long one call may take. A check waits for it.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often a node says that it is there, and tries to come back to a Redis that was away.
const BEAT: Duration = Duration::from_secs(1);
/// What was admitted while Redis was away, or is forgotten by it, matters for as long (see [`Window`]).
const NARROW_FOR: Duration = Duration::from_secs(61);
/// For how long a node that says nothing counts as there, in seconds.
const NODE_COUNTS_FOR: u64 = 10;

/// Where Redis is. It may hold a password.
#[derive(Clone)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// From the setting.
    ///
    /// # Errors
    /// It is no URL of a Redis.
    pub fn new(url: &str) -> Result<Self, RedisError> {
        Client::open(url)?;
        Ok(Self(url.to_owned()))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl([redacted])")
    }
}

/// Redis can't be asked.
#[derive(Debug)]
pub(super) struct Away;

/// The shared windows.
pub(crate) struct SharedWindows {
    url: RedisUrl,
    node: String,
    connection: Mutex<Option<MultiplexedConnection>>,
    is_up: AtomicBool,
    /// Redis was away since it was last said that it is there.
    was_away: AtomicBool,
    /// Until then it does not know all that the last minute has admitted: milliseconds on the monotonic clock.
    narrow_until: AtomicU64,
    /// How many nodes share the limits, as of the last word.
    nodes: AtomicU64,
    take: Script,
    settle: Script,
    beat: Script,
}

/// What `take.lua` returns.
type TakeAnswer = (u8, u64, u64, u64, Vec<u64>, Vec<u64>);

/// What a call took of the shared windows, and the windows then.
pub(super) struct SharedAnswer {
    pub(super) admitted: bool,
    /// By the server's clock.
    pub(super) now: Duration,
    /// One request, if it was admitted.
    pub(super) request: Taken,
    pub(super) tokens: Taken,
    pub(super) requests_window: Window,
    pub(super) tokens_window: Window,
}

impl SharedWindows {
    pub(crate) fn new(url: RedisUrl, node: [u8; 8]) -> Self {
        Self {
            url,
            node: hex(&node),
            connection: Mutex::default(),
            is_up: AtomicBool::new(false),
            was_away: AtomicBool::new(false),
            narrow_until: AtomicU64::new(0),
            nodes: AtomicU64::new(1),
            take: Script::new(include_str!("take.lua")),
            settle: Script::new(include_str!("settle.lua")),
            beat: Script::new(include_str!("beat.lua")),
        }
    }

    /// Whether limits are shared at the moment.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    /// Whether each node keeps to its share although Redis is there: it was away within the last minute, and neither
    /// knows what nodes admitted meanwhile nor, if it was restarted, what they did before.
    pub(super) fn is_narrow(&self, now: Duration) -> bool {
        millis(now) < self.narrow_until.load(Ordering::Acquire)
    }

    /// What a node may admit of a limit while it can't ask the others.
    pub(super) fn share(&self, limit: u64) -> u64 {
        (limit / self.nodes.load(Ordering::Relaxed).max(1)).max(1)
    }

    /// Takes a request and tokens of a key's limits, all of it or none.
    pub(super) async fn take(
        &self,
        key: KeyId,
        requests: Option<u64>,
        tokens: Option<u64>,
        need: Need,
    ) -> Result<SharedAnswer, Away> {
        let mut call = self.take.prepare_invoke();
        call.key(window_of(key, 'r')).key(window_of(key, 't'));
        call.arg(requests.unwrap_or_default()).arg(tokens.unwrap_or_default());
        call.arg(need.least).arg(need.most);
        let mut connection = self.open()?;
        let (admitted, second, micros, taken, requests, tokens): TakeAnswer =
            self.answer(call.invoke_async(&mut connection)).await?;
        let window = |fields: &[u64]| {
            Window::of(second, fields.chunks_exact(2).map(|pair| (pair[0], pair[1])))
        };
        Ok(SharedAnswer {
            admitted: admitted == 1,
            now: Duration::from_secs(second) + Duration::from_micros(micros),
            request: Taken::at(second, 1),
            tokens: Taken::at(second, taken),
            requests_window: window(&requests),
            tokens_window: window(&tokens),
        })
    }

    /// Gives back a request that was taken.
    pub(super) async fn give_back_request(&self, key: KeyId, taken: Taken) -> Result<(), Away> {
        self.change(window_of(key, 'r'), taken.second(), -1).await
    }

    /// Puts the tokens that were used in the place of those that were taken.
    pub(super) async fn settle_tokens(
        &self,
        key: KeyId,
        taken: Taken,
        used: u64,
    ) -> Result<(), Away> {
        let difference = used.cast_signed().saturating_sub(taken.amount().cast_signed());
        if difference == 0 {
            return Ok(());
        }
        self.change(window_of(key, 't'), taken.second(), difference).await
    }

    async fn change(&self, window: String, second: u64, difference: i64) -> Result<(), Away> {
        let mut call = self.settle.prepare_invoke();
        call.key(window).arg(second).arg(difference);
        let mut connection = self.open()?;
        self.answer(call.invoke_async::<()>(&mut connection)).await
    }

    fn open(&self) -> Result<MultiplexedConnection, Away> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        connection.filter(|_| self.is_up()).ok_or(Away)
    }

    /// Waits for an answer. Whoever gets none closes the connection for everybody: the next word opens another.
    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, Away> {
        match timeout(PATIENCE, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.lost(&error.to_string())),
            Err(_) => Err(self.lost("no answer in time")),
        }
    }

    fn lost(&self, why: &str) -> Away {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.was_away.store(true, Ordering::Release);
        if self.is_up.swap(false, Ordering::AcqRel) {
            let nodes = self.nodes.load(Ordering::Relaxed);
            tracing::error!(
                why,
                nodes,
                "Redis is away: each node admits its share of the limits per minute"
            );
        }
        Away
    }

    /// Says that this node is there, over a new connection if there is none. `now` is monotonic.
    async fn say(&self, now: Duration) -> Result<(), RedisError> {
        let open = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut connection = match open {
            Some(connection) => connection,
            None => Client::open(self.url.0.as_str())?.get_multiplexed_async_connection().await?,
        };
        let mut call = self.beat.prepare_invoke();
        call.key("latchkey:nodes").arg(&self.node).arg(NODE_COUNTS_FOR);
        let nodes: u64 = call.invoke_async(&mut connection).await?;
        if self.was_away.swap(false, Ordering::AcqRel) {
            self.narrow_until.store(millis(now + NARROW_FOR), Ordering::Release);
        }
        if self.is_narrow(now) {
            // One that was restarted has not heard of all nodes yet.
            self.nodes.fetch_max(nodes, Ordering::Relaxed);
        } else {
            self.nodes.store(nodes.max(1), Ordering::Relaxed);
        }
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        if !self.is_up.swap(true, Ordering::AcqRel) {
            tracing::info!(nodes, "limits per minute are shared through Redis");
        }
        Ok(())
    }
}

/// Keeps the way to Redis open, if limits are shared, for as long as it is polled.
pub(crate) async fn keep(services: &Services) {
    let Some(shared) = &services.shared else { return };
    // A Redis that is away when the node starts is told of once too.
    let mut told = false;
    loop {
        match timeout(BEAT, shared.say(services.clock.monotonic())).await {
            Ok(Ok(())) => told = true,
            Ok(Err(error)) => complain(shared, &mut told, &error.to_string()),
            Err(_) => complain(shared, &mut told, "no answer in time"),
        }
        tokio::time::sleep(BEAT).await;
    }
}

fn complain(shared: &SharedWindows, told: &mut bool, why: &str) {
    shared.lost(why);
    if !std::mem::replace(told, true) {
        tracing::error!(why, "Redis can’t be reached (REDIS_URL): each node limits for itself");
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Both windows of a key are in the same slot of a cluster: the braces say so.
fn window_of(key: KeyId, kind: char) -> String {
    format!("latchkey:{{{key}}}:{kind}")
}
