//! What is under way at the nodes, so that a fault can fall into it, and what faults have hit.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cluster::NODES;

/// A status and a body.
pub(super) type Answer = (u16, String);

/// What a request is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    Create,
    Revoke,
    /// A call that spends of a budget.
    Spend,
    /// Whatever else: it is not counted.
    Other,
}

impl Work {
    const COUNTED: [Self; 3] = [Self::Create, Self::Revoke, Self::Spend];
}

/// Requests by node and kind.
#[derive(Default)]
pub(super) struct Traffic {
    under_way: [[AtomicUsize; 4]; NODES],
    hit: [AtomicUsize; 4],
}

impl Traffic {
    /// Waits for a request's answer; none: its connection broke.
    pub(super) async fn follow(
        &self,
        node: usize,
        work: Work,
        answer: impl Future<Output = reqwest::Result<Answer>>,
    ) -> Option<Answer> {
        let under_way = &self.under_way[node][work as usize];
        under_way.fetch_add(1, Ordering::Relaxed);
        let answer = answer.await;
        under_way.fetch_sub(1, Ordering::Relaxed);
        match answer {
            Ok(answer) => {
                if answer.0 == 503 {
                    self.was_hit(work);
                }
                Some(answer)
            }
            Err(error) => {
                assert!(!error.is_timeout(), "a request hangs: {error:?}");
                // Whoever met nobody was not under way when the fault came.
                if !error.is_connect() {
                    self.was_hit(work);
                }
                None
            }
        }
    }

    /// A request had no good answer because of a fault.
    pub(super) fn was_hit(&self, work: Work) {
        self.hit[work as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests of a kind were hit.
    pub(super) fn hits(&self, work: Work) -> usize {
        self.hit[work as usize].load(Ordering::Relaxed)
    }

    /// Whether work of every kind was hit.
    pub(super) fn all_were_hit(&self) -> bool {
        Work::COUNTED.into_iter().all(|work| self.hits(work) > 0)
    }

    /// How many requests of a kind are under way at a node.
    pub(super) fn under_way(&self, node: usize, work: Work) -> usize {
        self.under_way[node][work as usize].load(Ordering::Relaxed)
    }

    /// Whether work of every kind is under way at a node.
    pub(super) fn is_busy(&self, node: usize) -> bool {
        Work::COUNTED.into_iter().all(|work| self.under_way(node, work) > 0)
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [creates, revokes, calls] = Work::COUNTED.map(|work| self.hits(work));
        write!(f, "hit: {creates} creates, {revokes} revokes, {calls} metered calls")
    }
}
