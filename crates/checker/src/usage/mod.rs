//! Usage of keys: counted in memory, written in batches, and checked against the month's quota.
//!
//! ```text
//! check ─► UsageBuffer ─► flush ─► minutes, hours, days ─► read by services
//!                                   └► the project's month  ─► quota
//! ```
//! A check never waits for a flush. A batch is one transaction that adds to minutes, hours and days
//! alike. So there is no roll-up that could run twice or be skipped, and the counts of several
//! nodes add up.

mod buffer;
mod call;
mod counts;
mod models;
pub mod pending;
pub(crate) mod quota;
pub(crate) mod quota_check;
mod resolution;
mod write;

pub use buffer::UsageBuffer;
pub use call::Use;
pub use counts::Counts;
pub use models::ModelCounter;
pub use resolution::Resolution;
