//! How many nodes share the limits: what each may admit of them by itself while Redis is away
//! depends on it.
//!
//! Nodes hear it from Redis, where each says every second that it is there. The database remembers
//! it, for nodes that start while Redis is away.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, Set};

use super::node_table::{self, NodeTable};
use crate::digest::Pepper;
use data_encoding::HEXLOWER;
use latchkey_store::Error;
use latchkey_store::database::{Database, in_time};
use latchkey_store::entity::instance;

/// For how long a node that says nothing counts as there, in seconds.
const COUNTS_FOR: u64 = 10;
/// A count that holds for as long counts nobody who has gone.
const SETTLED: Duration = Duration::from_secs(COUNTS_FOR + 1);
/// Nodes that were there within this time may come back, and would find what they had of the
/// limits.
const LATELY: Duration = Duration::from_mins(5);
/// The nodes' key where it is only tried.
pub(crate) const TRIED: &str = "latchkey:{start}:n";
/// The row of the database that has the number of nodes.
const ROW: &str = "nodes_sharing_limits";

/// The nodes that share the limits, as this one has heard of them.
pub(crate) struct Membership {
    /// The key in Redis: of this installation, whatever else uses the same Redis.
    key: String,
    node: String,
    beat: Script,
    /// How many nodes there are or were lately, whichever is more.
    nodes: AtomicU64,
    /// How many nodes come before this one; of nodes that have heard the same, no two say the same.
    before: AtomicU64,
    lately: Mutex<Lately>,
    /// What the database has.
    noted: AtomicU64,
    /// As the database counts them.
    node_table: NodeTable,
}

/// What Redis says of the nodes: how many there are, how many of them come before this one, and
/// whether this one was known.
pub(crate) type Heard = (u64, u64, u8);

impl Membership {
    /// `known` nodes were there when the database last heard of it.
    pub(crate) fn new(pepper: &Pepper, node: [u8; 8], known: u64) -> Self {
        Self {
            key: format!("latchkey:{}:nodes", &pepper.fingerprint()[..16]),
            node: HEXLOWER.encode(&node),
            beat: Script::new(include_str!("beat.lua")),
            nodes: AtomicU64::new(known),
            // Of what is left when a limit is divided, a node that was never counted has nothing.
            before: AtomicU64::new(u64::MAX),
            lately: Mutex::new(Lately::new(known)),
            noted: AtomicU64::new(known),
            node_table: NodeTable::default(),
        }
    }

    pub(crate) fn nodes(&self) -> u64 {
        self.place().0
    }

    /// Of how many nodes this one is, and how many come before it: as Redis or the database has it,
    /// whichever counts more.
    fn place(&self) -> (u64, u64) {
        let heard = (self.nodes.load(Ordering::Relaxed), self.before.load(Ordering::Relaxed));
        match self.node_table.counted() {
            Some(counted) if counted.0 >= heard.0 => counted,
            _ => heard,
        }
    }

    /// What this node may admit of a limit by itself; all nodes' shares together are the limit.
    pub(crate) fn share(&self, limit: u64) -> u64 {
        let (nodes, before) = self.place();
        let nodes = nodes.max(1);
        limit / nodes + u64::from(before < limit % nodes)
    }

    /// Says in the database too that this node is there, and counts the nodes there.
    pub(crate) async fn count(&self, database: &Database) -> Result<(), Error> {
        self.node_table.take(database, &self.node).await
    }

    pub(crate) async fn leave(&self, database: &Database) -> Result<(), Error> {
        node_table::leave(database, &self.node).await
    }

    /// The nodes' key in Redis, and this node in it.
    pub(crate) fn names(&self) -> (&str, &str) {
        (&self.key, &self.node)
    }

    /// What [`Self::say`] does, under a name that nobody reads.
    pub(crate) async fn try_to_say(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        let mut call = self.beat.prepare_invoke();
        call.key(TRIED).arg(&self.node).arg(COUNTS_FOR).arg(0);
        call.invoke_async(connection).await
    }

    /// Says that this node is there. One that `was_known` and is no more is not added.
    pub(crate) async fn say(
        &self,
        connection: &mut MultiplexedConnection,
        was_known: bool,
    ) -> Result<Heard, RedisError> {
        let mut call = self.beat.prepare_invoke();
        call.key(&self.key).arg(&self.node).arg(COUNTS_FOR).arg(u8::from(was_known));
        call.invoke_async(connection).await
    }

    /// What was heard counts. In the `degraded` minute, Redis may not have heard of all nodes yet:
    /// shares don't grow.
    pub(crate) fn heard(&self, now: Duration, degraded: bool, (nodes, before, _): Heard) {
        let nodes = self.lately().hear(now, nodes).max(nodes);
        if degraded {
            self.nodes.fetch_max(nodes, Ordering::Relaxed);
            self.before.fetch_max(before, Ordering::Relaxed);
        } else {
            self.nodes.store(nodes, Ordering::Relaxed);
            self.before.store(before, Ordering::Relaxed);
        }
    }

    /// Writes down how many nodes were there lately, where the database has another number.
    pub(crate) async fn note(&self, database: &Database) -> Result<(), Error> {
        let nodes = self.lately().most();
        if nodes != self.noted.load(Ordering::Relaxed) {
            in_time(async { Ok(write(database, nodes).await?) }).await?;
            self.noted.store(nodes, Ordering::Relaxed);
        }
        Ok(())
    }

    fn lately(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many nodes the database knows of; one, until any were counted.
pub(crate) async fn known(database: &Database) -> Result<u64, DbErr> {
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

/// The most nodes that were there together lately. A node that is restarted counts twice for a
/// moment, under its old name and its new one: only a number that has settled counts.
struct Lately {
    /// The lowest number since then.
    lowest: (u64, Duration),
    /// The highest that has settled since then, and before.
    highest: (u64, Duration),
    before: u64,
}

impl Lately {
    const fn new(known: u64) -> Self {
        Self { lowest: (known, Duration::ZERO), highest: (known, Duration::ZERO), before: 0 }
    }

    /// There are that many. Returns [`Self::most`].
    fn hear(&mut self, now: Duration, nodes: u64) -> u64 {
        self.lowest.0 = self.lowest.0.min(nodes);
        if now.saturating_sub(self.lowest.1) >= SETTLED {
            self.highest.0 = self.highest.0.max(self.lowest.0);
            self.lowest = (nodes, now);
        }
        if now.saturating_sub(self.highest.1) >= LATELY {
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

    /// Hears the same number every second from one second to another; what counts then.
    fn hear(lately: &mut Lately, seconds: std::ops::Range<u64>, nodes: u64) -> u64 {
        seconds.fold(0, |_, second| lately.hear(Duration::from_secs(second), nodes))
    }

    #[test]
    fn only_nodes_with_recent_stable_membership_count() {
        let mut lately = Lately::new(1);
        assert_eq!(hear(&mut lately, 0..30, 3), 3, "they settle within half a minute");
        assert_eq!(hear(&mut lately, 30..40, 4), 3, "one was restarted");
        assert_eq!(hear(&mut lately, 40..330, 2), 3);
        assert_eq!(hear(&mut lately, 330..700, 2), 2);
        // Redis was away for an hour, and knows nothing when it comes back.
        assert_eq!(hear(&mut lately, 4_300..4_330, 1), 2);
        assert_eq!(hear(&mut lately, 4_330..5_000, 1), 1);
    }

    #[test]
    fn shares_are_the_whole_limit_together() {
        let pepper = Pepper::new(b"any");
        let nodes: Vec<_> = (0..3)
            .map(|before| {
                let membership = Membership::new(&pepper, [0; 8], 1);
                membership.heard(Duration::ZERO, false, (3, before, 1));
                membership
            })
            .collect();
        for limit in 1..100 {
            let shares = nodes.iter().map(|node| node.share(limit));
            assert_eq!(shares.sum::<u64>(), limit);
        }
    }

    #[test]
    fn share_does_not_grow_in_the_first_minute_of_redis() {
        let membership = Membership::new(&Pepper::new(b"any"), [0; 8], 3);
        assert_eq!(membership.share(50), 16, "one that starts while Redis is away");
        membership.heard(Duration::ZERO, false, (3, 1, 1));
        assert_eq!(membership.share(50), 17);
        membership.heard(Duration::from_secs(1), true, (1, 0, 1));
        assert_eq!(membership.share(50), 17);
        assert_eq!(membership.share(1), 0);
    }
}
