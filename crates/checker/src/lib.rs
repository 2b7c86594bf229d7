//! The check of a key: may this key make this call?
//!
//! ```text
//! text -> form and checksum (no I/O) -> HMAC digest -> cache -> status, scope, limits -> outcome
//!                                                       `- miss -> one indexed query -> cache
//! ```
//! There is one way to check a key, for every caller. If the store can't be asked and no fresh
//! record is at hand, the answer is `unavailable`: nothing is admitted on a guess.
//!
//! The steps, and where they are: parse and digest (`look_up` here); look up (`find_digest` and
//! `load` here, `cache`, `queue`, `record`); evaluate (`admit::judge`); acquire (`admit::decide`,
//! with `rates`, the project's quota, and `budget`), all limits or none; record (`count` here,
//! `tally`, `crate::usage`). A gateway call does it in two halves, before its body and after
//! (`begin`, `reserve`). What keeps a record true while it is used: `cache` and `trust` on this
//! node, `changed` and `crate::nodes` between nodes, `confirm` and `watched` for calls that take
//! long.

mod admit;
mod begin;
pub mod budget;
mod cache;
mod changed;
mod check;
mod checker;
mod confirm;
pub mod digest;
mod dry_run;
mod error;
pub mod failures;
mod in_progress;
mod lease;
mod need;
mod node;
mod nodes;
mod outcome;
mod parallel;
mod queue;
mod rates;
mod ratio;
mod record;
mod reserve;
mod shared;
pub mod stripe;
mod tally;
mod trust;
pub mod usage;
mod watched;
mod windows;

pub use begin::BegunCall;
pub use cache::CacheSize;
pub use changed::Changed;
pub use check::{Call, Found, Parsed};
pub use checker::{Checker, CheckerConfig};
pub use confirm::Seen;
pub use error::{Error, StartError};
pub use need::{AnswerCap, ReservedTokens, TokenNeed};
pub use outcome::{Admission, Denial, LimitStates};
pub use parallel::CallSlot;
pub use queue::{Asker, LookUps};
pub use record::KeyRecord;
pub use reserve::{FinerCount, Reservation, WantedTokens};
pub use shared::RedisUrl;
pub use tally::CheckCounts;
pub use watched::KeyWatch;

pub use latchkey_store::clock;
