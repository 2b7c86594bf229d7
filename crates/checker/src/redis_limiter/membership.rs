//! Number of nodes that share the limits. It determines what each may admit on its own while Redis
//! is unavailable.
//!
//! Each node sends Redis a heartbeat every second and gets the count back. A member counts for ten
//! seconds after its last heartbeat. A higher count that lasted for 11 s is used for five to ten
//! minutes more, since a node that left may come back: until then shares are too small rather than
//! too large. While Redis is unavailable the last count stays. The database stores the count for
//! nodes that start then, and counts the nodes itself (`node_table`); the higher number applies.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, Set};

use super::node_table::{self, NodeTable};
use data_encoding::HEXLOWER;
use latchkey_store::Error;
use latchkey_store::database::{Database, in_time};
use latchkey_store::entity::instance;

/// Seconds for which a node counts as a member after its last heartbeat, and its calls after they
/// were last written.
pub(super) const MEMBER_SECONDS: u64 = 10;
/// A count that holds this long contains no node that has left.
const SETTLED: Duration = Duration::from_secs(MEMBER_SECONDS + 1);
/// Length of an interval of [`RecentCount`], which remembers this one and the one before. A node
/// that left meanwhile may return, and still gets its share of the limits.
const RECENT_PERIOD: Duration = Duration::from_mins(5);
/// Membership key used by the start-up probe.
pub(crate) const PROBE_KEY: &str = "latchkey:{start}:n";
/// Row of the database that stores the number of nodes.
const ROW: &str = "nodes_sharing_limits";

/// The nodes that share the limits, as this node knows them.
pub(crate) struct Membership {
    /// Key in Redis, unique to this installation: others may use the same Redis.
    key: String,
    node: String,
    heartbeat: Script,
    /// Current or recent number of nodes, whichever is higher.
    nodes: AtomicU64,
    /// Rank of this node. Among nodes that observed the same membership, ranks are unique.
    before: AtomicU64,
    recent: Mutex<RecentCount>,
    /// Count stored in the database.
    stored: AtomicU64,
    /// Membership according to the database.
    node_table: NodeTable,
}

/// Heartbeat response: number of nodes, rank of this node, and whether Redis knew it.
pub(crate) type HeartbeatResponse = (u64, u64, u8);

impl Membership {
    /// `installation` is the fingerprint of its first pepper, and `known` the number of nodes last
    /// stored in the database.
    pub(crate) fn new(installation: &str, node: [u8; 8], known: u64) -> Self {
        let installation = installation.get(..16).unwrap_or(installation);
        Self {
            key: format!("latchkey:{installation}:nodes"),
            node: HEXLOWER.encode(&node),
            heartbeat: Script::new(include_str!("heartbeat.lua")),
            nodes: AtomicU64::new(known),
            // The remainder of a divided limit goes to the lowest ranks. A node that was never
            // counted gets none of it.
            before: AtomicU64::new(u64::MAX),
            recent: Mutex::new(RecentCount::new(known)),
            stored: AtomicU64::new(known),
            node_table: NodeTable::default(),
        }
    }

    pub(crate) fn nodes(&self) -> u64 {
        self.position().0
    }

    /// Number of nodes and rank of this one, from Redis or the database, whichever counts more
    /// nodes.
    fn position(&self) -> (u64, u64) {
        let in_redis = (self.nodes.load(Ordering::Relaxed), self.before.load(Ordering::Relaxed));
        match self.node_table.counted() {
            Some(counted) if counted.0 >= in_redis.0 => counted,
            _ => in_redis,
        }
    }

    /// What this node may admit of a limit on its own. All nodes' shares add up to the limit.
    pub(crate) fn share(&self, limit: u64) -> u64 {
        let (nodes, before) = self.position();
        let nodes = nodes.max(1);
        limit / nodes + u64::from(before < limit % nodes)
    }

    /// Sends the heartbeat to the database too, and counts the nodes there.
    pub(crate) async fn count(&self, database: &Database) -> Result<(), Error> {
        self.node_table.refresh(database, &self.node).await
    }

    pub(crate) async fn leave(&self, database: &Database) -> Result<(), Error> {
        node_table::leave(database, &self.node).await
    }

    /// Membership key in Redis, and this node's name in it.
    pub(crate) fn names(&self) -> (&str, &str) {
        (&self.key, &self.node)
    }

    /// Same as [`Self::send_heartbeat`], under a key that nothing reads.
    pub(crate) async fn probe(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        let mut call = self.heartbeat.prepare_invoke();
        call.key(PROBE_KEY).arg(&self.node).arg(MEMBER_SECONDS).arg(0);
        call.invoke_async(connection).await
    }

    /// Sends a heartbeat. A node that `was_known` but is missing in Redis is not added.
    pub(crate) async fn send_heartbeat(
        &self,
        connection: &mut MultiplexedConnection,
        was_known: bool,
    ) -> Result<HeartbeatResponse, RedisError> {
        let mut call = self.heartbeat.prepare_invoke();
        call.key(&self.key).arg(&self.node).arg(MEMBER_SECONDS).arg(u8::from(was_known));
        call.invoke_async(connection).await
    }

    /// Applies a heartbeat response. In the `degraded` minute Redis may not know all nodes yet, so
    /// shares don't grow.
    pub(crate) fn observe(&self, now: Duration, degraded: bool, response: HeartbeatResponse) {
        let (nodes, before, _) = response;
        let nodes = self.recent().observe(now, nodes).max(nodes);
        if degraded {
            self.nodes.fetch_max(nodes, Ordering::Relaxed);
            self.before.fetch_max(before, Ordering::Relaxed);
        } else {
            self.nodes.store(nodes, Ordering::Relaxed);
            self.before.store(before, Ordering::Relaxed);
        }
    }

    /// Stores the recent number of nodes in the database, if it changed.
    pub(crate) async fn store_count(&self, database: &Database) -> Result<(), Error> {
        let nodes = self.recent().most();
        if nodes != self.stored.load(Ordering::Relaxed) {
            in_time(async { Ok(write(database, nodes).await?) }).await?;
            self.stored.store(nodes, Ordering::Relaxed);
        }
        Ok(())
    }

    fn recent(&self) -> MutexGuard<'_, RecentCount> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Number of nodes according to the database; 1 until any were counted.
pub(crate) async fn stored_count(database: &Database) -> Result<u64, DbErr> {
    let row = instance::Entity::find_by_id(ROW.to_owned()).one(database.reader()).await?;
    Ok(row.and_then(|row| row.value.parse().ok()).unwrap_or(1))
}

async fn write(database: &Database, nodes: u64) -> Result<(), DbErr> {
    let row = instance::ActiveModel { name: Set(ROW.to_owned()), value: Set(nodes.to_string()) };
    let replace = OnConflict::column(instance::Column::Name)
        .update_column(instance::Column::Value)
        .to_owned();
    let insert = instance::Entity::insert(row).on_conflict(replace);
    insert.exec_without_returning(database.writer()).await.map(|_| ())
}

/// Highest recent number of simultaneous nodes. A restarted node briefly counts twice, under its
/// old name and its new one, so a number counts only once it has settled.
struct RecentCount {
    /// Lowest count, and since when.
    lowest: (u64, Duration),
    /// Highest settled count of this interval and its start; and that of the interval before.
    highest: (u64, Duration),
    before: u64,
}

impl RecentCount {
    const fn new(known: u64) -> Self {
        Self { lowest: (known, Duration::ZERO), highest: (known, Duration::ZERO), before: 0 }
    }

    /// Records a count. Returns [`Self::most`].
    fn observe(&mut self, now: Duration, nodes: u64) -> u64 {
        self.lowest.0 = self.lowest.0.min(nodes);
        if now.saturating_sub(self.lowest.1) >= SETTLED {
            self.highest.0 = self.highest.0.max(self.lowest.0);
            self.lowest = (nodes, now);
        }
        if now.saturating_sub(self.highest.1) >= RECENT_PERIOD {
            self.before = self.highest.0;
            self.highest = (0, now);
        }
        self.most()
    }

    fn most(&self) -> u64 {
        self.highest.0.max(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records the same count every second of a range; returns the last result.
    fn observe(recent: &mut RecentCount, seconds: std::ops::Range<u64>, nodes: u64) -> u64 {
        seconds.fold(0, |_, second| recent.observe(Duration::from_secs(second), nodes))
    }

    #[test]
    fn count_follows_recent_stable_membership() {
        let mut recent = RecentCount::new(1);
        assert_eq!(observe(&mut recent, 0..30, 3), 3, "they settle within half a minute");
        assert_eq!(observe(&mut recent, 30..40, 4), 3, "one was restarted");
        assert_eq!(observe(&mut recent, 40..330, 2), 3);
        assert_eq!(observe(&mut recent, 330..700, 2), 2);
        // Redis was unavailable for an hour and has no members when it is back.
        assert_eq!(observe(&mut recent, 4_300..4_330, 1), 2);
        assert_eq!(observe(&mut recent, 4_330..5_000, 1), 1);
    }

    #[test]
    fn shares_add_up_to_the_limit() {
        let nodes: Vec<_> = (0..3)
            .map(|before| {
                let membership = Membership::new("any", [0; 8], 1);
                membership.observe(Duration::ZERO, false, (3, before, 1));
                membership
            })
            .collect();
        for limit in 1..100 {
            let shares = nodes.iter().map(|node| node.share(limit));
            assert_eq!(shares.sum::<u64>(), limit);
        }
    }

    #[test]
    fn share_does_not_grow_while_degraded() {
        let membership = Membership::new("any", [0; 8], 3);
        assert_eq!(membership.share(50), 16, "one that starts while Redis is away");
        membership.observe(Duration::ZERO, false, (3, 1, 1));
        assert_eq!(membership.share(50), 17);
        membership.observe(Duration::from_secs(1), true, (1, 0, 1));
        assert_eq!(membership.share(50), 17);
        assert_eq!(membership.share(1), 0);
    }
}
