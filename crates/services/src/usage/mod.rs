//! What keys are used for: counted in memory, written in batches, read for charts, and held against
//! the month's quota.
//!
//! ```text
//! check ─► Meter (memory) ─► flush, in turn ─► minutes, hours, days ─► read
//!                                                └► the project's month  ─► quota
//! ```
//! A check never waits for any of it. A batch is one transaction that adds to minutes, hours and
//! days alike: there is no roll-up that could run twice or be forgotten, and what several nodes add
//! comes to its sum.

mod activity;
mod meter;
mod month;
mod purge;
pub(crate) mod quota;
mod read;
mod recorder;
mod resolution;
mod write;

pub use activity::of_keys;
pub(crate) use meter::Meter;
pub use month::of_month;
pub use purge::purge;
pub use read::{of_key, of_project};
pub(crate) use recorder::Use;
pub use write::{flush, flush_turn};
