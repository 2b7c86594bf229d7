//! Thresholds of a budget that are reported when they are crossed.

use latchkey_domain::time::Timestamp;

/// Percentages of a budget whose crossing is an event. Each has a bit, by which a slot remembers
/// that it was crossed.
pub(crate) const THRESHOLDS: [(u8, u8); 2] = [(80, 1), (100, 2)];

/// A threshold that a budget has crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crossing {
    pub(crate) percent: u8,
    pub(crate) starts_at: Timestamp,
    pub(crate) limit: u64,
    pub(crate) used: u64,
}

/// What was crossed of [`THRESHOLDS`].
pub(crate) type Crossings = [Option<Crossing>; THRESHOLDS.len()];
