//! Counts the nodes that share limits in the database. Until a node has reached Redis, only the
//! database knows how many there are.
//!
//! Each node increments a counter in its own row every second. Clocks are not compared: if a row
//! stays the same for ten reads, its node has left. A new row counts at once, so shares are too
//! small rather than too large.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, Set};

use latchkey_store::Error;
use latchkey_store::database::{Database, in_time};
use latchkey_store::entity::node;

/// Reads of an unchanged row after which its node counts as gone.
const ABSENT_AFTER: u32 = 10;
/// Reads of an unchanged row after which it is deleted.
const DELETED_AFTER: u32 = 600;

/// The nodes as last read from the database.
#[derive(Debug, Default)]
pub(super) struct NodeTable {
    nodes: AtomicU64,
    /// Number of nodes whose name sorts before this node's.
    before: AtomicU64,
    seen: Mutex<HashMap<String, NodeRow>>,
}

#[derive(Debug, Clone, Copy)]
struct NodeRow {
    beats: i64,
    /// Number of reads that found it unchanged.
    same: u32,
}

impl NodeTable {
    /// Number of nodes, and how many of them rank before this one. `None` until counted.
    pub(super) fn counted(&self) -> Option<(u64, u64)> {
        let nodes = self.nodes.load(Ordering::Acquire);
        (nodes > 0).then(|| (nodes, self.before.load(Ordering::Acquire)))
    }

    /// Sends a heartbeat and counts the nodes. SQLite has only one node, so it is skipped there.
    pub(super) async fn refresh(&self, database: &Database, own: &str) -> Result<(), Error> {
        if database.is_sqlite() {
            return Ok(());
        }
        let rows = in_time(async { Ok(count_up(database, own).await?) }).await?;
        let expired = self.count(rows.into_iter().map(|row| (row.id, row.beats)), own);
        for (id, beats) in expired {
            let same = node::Column::Id.eq(id).and(node::Column::Beats.eq(beats));
            let delete = node::Entity::delete_many().filter(same);
            in_time(async { Ok(delete.exec(database.writer()).await?) }).await?;
        }
        Ok(())
    }

    /// Counts the nodes. Returns the rows of nodes that left long ago.
    fn count(
        &self,
        rows: impl IntoIterator<Item = (String, i64)>,
        own: &str,
    ) -> Vec<(String, i64)> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *seen);
        for (id, beats) in rows {
            let same = match before.get(&id) {
                Some(row) if row.beats == beats => row.same + 1,
                _ => 0,
            };
            seen.insert(id, NodeRow { beats, same });
        }
        let present: Vec<_> =
            seen.iter().filter(|(id, row)| *id == own || row.same < ABSENT_AFTER).collect();
        let earlier = present.iter().filter(|(id, _)| id.as_str() < own).count();
        self.before.store(earlier as u64, Ordering::Release);
        self.nodes.store(present.len() as u64, Ordering::Release);
        let expired = seen.iter().filter(|(_, row)| row.same >= DELETED_AFTER);
        expired.map(|(id, row)| (id.clone(), row.beats)).collect()
    }
}

/// Increments the own row and reads all rows.
async fn count_up(database: &Database, own: &str) -> Result<Vec<node::Model>, sea_orm::DbErr> {
    let row = node::ActiveModel { id: Set(own.to_owned()), beats: Set(1) };
    let beats = Expr::col((node::Entity, node::Column::Beats));
    let increment =
        OnConflict::column(node::Column::Id).value(node::Column::Beats, beats.add(1)).to_owned();
    node::Entity::insert(row)
        .on_conflict(increment)
        .exec_without_returning(database.writer())
        .await?;
    node::Entity::find().all(database.writer()).await
}

/// Leaves at once. The other nodes' shares grow if only the database counts this node; what Redis
/// counted is remembered for longer, see [`super::membership`].
pub(super) async fn leave(database: &Database, own: &str) -> Result<(), Error> {
    let delete = node::Entity::delete_by_id(own.to_owned());
    in_time(async { Ok(delete.exec(database.writer()).await?) }).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_is_counted_until_ten_reads_find_no_new_heartbeat() {
        let node_table = NodeTable::default();
        assert_eq!(node_table.counted(), None);
        let read = |own: i64, other: i64| {
            node_table.count([("b".to_owned(), own), ("a".to_owned(), other)], "b");
            node_table.counted()
        };
        assert_eq!(read(1, 7), Some((2, 1)), "a new row counts at once");
        for beat in 2..=10 {
            assert_eq!(read(beat, 7), Some((2, 1)), "read {beat}");
        }
        assert_eq!(read(11, 7), Some((1, 0)), "it has gone");
        assert_eq!(read(12, 8), Some((2, 1)), "it is back");
        let expired = (0..=i64::from(DELETED_AFTER))
            .map(|beat| node_table.count([("b".to_owned(), 13 + beat), ("a".to_owned(), 8)], "b"));
        assert_eq!(expired.last().unwrap(), [("a".to_owned(), 8)]);
    }
}
