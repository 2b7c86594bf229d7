//! Nodes that run on the database, and the peppers that each knows.
//!
//! A node counts up in its own row every second. Clocks are not compared: a row that stays the same
//! for 30 reads is of a node that has gone. Until then the node may be back, and would refuse keys
//! under a pepper that it does not know.

use std::collections::HashMap;

use latchkey_store::entity::pepper_node;

/// Reads of an unchanged row after which its node counts as gone.
const ABSENT_AFTER: u32 = 30;
/// Reads of an unchanged row after which it is deleted.
const DELETED_AFTER: u32 = 600;

/// Rows of nodes as this node has read them.
#[derive(Debug, Default)]
pub(crate) struct SeenNodes(HashMap<String, SeenNode>);

#[derive(Debug, Clone, Copy)]
struct SeenNode {
    beats: i64,
    /// Number of reads that found it unchanged.
    same: u32,
}

impl SeenNodes {
    /// Takes note of a read. Returns the rows of nodes that have left long ago.
    pub(crate) fn read(&mut self, rows: &[pepper_node::Model]) -> Vec<(String, i64)> {
        let before = std::mem::take(&mut self.0);
        for row in rows {
            let same = match before.get(&row.id) {
                Some(seen) if seen.beats == row.beats => seen.same.saturating_add(1),
                _ => 0,
            };
            self.0.insert(row.id.clone(), SeenNode { beats: row.beats, same });
        }
        let left = self.0.iter().filter(|(_, seen)| seen.same >= DELETED_AFTER);
        left.map(|(id, seen)| (id.clone(), seen.beats)).collect()
    }

    /// Whether each node that may be running knows both peppers.
    pub(crate) fn know(&self, rows: &[pepper_node::Model], both: [&[u8]; 2]) -> bool {
        let is_there = |row: &&pepper_node::Model| {
            self.0
                .get(&row.id)
                .is_none_or(|seen| seen.beats != row.beats || seen.same < ABSENT_AFTER)
        };
        rows.iter().filter(is_there).all(|row| {
            let own = [Some(row.current.as_slice()), row.retired.as_deref()];
            both.iter().all(|one| own.contains(&Some(*one)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, current: u8, retired: Option<u8>, beats: i64) -> pepper_node::Model {
        let retired = retired.map(|one| vec![one]);
        pepper_node::Model { id: id.to_owned(), current: vec![current], retired, beats }
    }

    #[test]
    fn node_with_one_pepper_counts_until_it_has_gone() {
        let mut seen = SeenNodes::default();
        let both: [&[u8]; 2] = [&[2], &[1]];
        let rows = |own| [row("a", 2, Some(1), own), row("b", 1, None, 7)];
        for beat in 0..=i64::from(ABSENT_AFTER) {
            assert!(!seen.know(&rows(beat), both), "beat {beat}");
            assert!(seen.read(&rows(beat)).is_empty());
        }
        assert!(seen.know(&rows(40), both), "it has gone");
        let back = [row("a", 2, Some(1), 41), row("b", 1, None, 8)];
        assert!(!seen.know(&back, both), "it is back");
        let new = [row("a", 2, Some(1), 42), row("c", 1, None, 1)];
        assert!(!seen.know(&new, both), "another one has started");
        let other_order = [row("a", 2, Some(1), 43), row("c", 1, Some(2), 1)];
        assert!(seen.know(&other_order, both));
    }
}
