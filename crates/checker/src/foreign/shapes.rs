//! This node's table of shapes, and whether it is current.
//!
//! A text that is no key of ours may be one of another system, if some project has imported such
//! keys. Without imports that costs one atomic load.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use latchkey_domain::mask;
use tokio::sync::{Mutex, Notify};

use super::shape_table::ShapeTable;

#[derive(Default)]
pub(crate) struct Shapes {
    /// Whether a text that is no key of ours may be one of another system.
    are_relevant: AtomicBool,
    /// Number of changes, and how many of them the table knows.
    changes: AtomicU64,
    known: AtomicU64,
    table: RwLock<Arc<ShapeTable>>,
    /// Held while the table is read.
    pub(super) reading: Mutex<()>,
    pub(super) changed: Notify,
}

impl Shapes {
    /// Whether a text that is no key of ours may be one of another system.
    pub(crate) fn are_relevant(&self) -> bool {
        self.are_relevant.load(Ordering::Relaxed)
    }

    /// The table has to be read again before it is used.
    pub(crate) fn invalidate(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.are_relevant.store(true, Ordering::SeqCst);
        self.changed.notify_one();
    }

    pub(super) fn is_stale(&self) -> bool {
        self.known.load(Ordering::SeqCst) != self.changes.load(Ordering::SeqCst)
    }

    pub(super) fn table(&self) -> Arc<ShapeTable> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a text has a shape, as far as this node knows. Wrong only while an import arrives.
    pub(crate) fn have(&self, text: &str, is_own_form: bool) -> bool {
        self.are_relevant() && self.table().has_shape(text, is_own_form)
    }

    /// Number of changes that this node has heard of. Take it before the table is read.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Stores a table that knows of so many changes.
    pub(super) fn replace(&self, table: ShapeTable, changes: u64) {
        mask::add_shapes(table.shapes());
        let is_relevant = !table.is_empty();
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
        self.known.store(changes, Ordering::SeqCst);
        self.are_relevant.store(is_relevant, Ordering::SeqCst);
        // It may have changed since it was read.
        if self.is_stale() {
            self.are_relevant.store(true, Ordering::SeqCst);
        }
    }
}
