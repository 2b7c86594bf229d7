//! What keys are used for: counted in memory, written in batches, and held against the month's
//! quota.
//!
//! ```text
//! check ─► Meter (memory) ─► flush, in turn ─► minutes, hours, days ─► read by services
//!                                                └► the project's month  ─► quota
//! ```
//! A check never waits for any of it. A batch is one transaction that adds to minutes, hours and
//! days alike: there is no roll-up that could run twice or be forgotten, and what several nodes add
//! comes to its sum.

mod buffer;
pub mod pending;
pub(crate) mod quota;
pub(crate) mod quota_check;
mod resolution;
mod write;

pub use buffer::UsageBuffer;
pub use pending::Use;
pub use resolution::Resolution;
