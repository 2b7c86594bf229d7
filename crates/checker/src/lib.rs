//! Key checks: may this key make this call?
//!
//! ```text
//! authenticate             look up           evaluate         acquire       record
//! checksum, HMAC digest -> cache or query -> status, scope -> all limits -> counters, usage
//! ```
//! Every caller checks a key in the same way, and each step has one name. [`Checker::check`] runs
//! all steps. A gateway call runs them in two halves, before its body and after
//! ([`Checker::begin`], [`Checker::reserve`]). If the database is unavailable and no valid record
//! is cached, the outcome is `unavailable`: nothing is admitted on a guess.
//!
//! | step | where |
//! |---|---|
//! | authenticate | `check`: form and checksum without I/O, then the digest under the pepper |
//! | | `foreign`: keys of other systems, which have neither; `moves`: what they stand under |
//! | look up | `lookup`: `cache`, or one indexed query behind a queue (`lookup_limiter`) |
//! | evaluate | `evaluate`: by the record alone |
//! | acquire | `acquire`: `rate_limit`, the month's quota (`usage::quota`), `budget`: all or none |
//! | record | `recording`: `counters` for metrics, `usage` for charts and quotas |
//!
//! Limits are of a key, its project and its organization (`budget_owner`), and a call has to fit
//! all of them. `budget` draws on all budgets of a call at once, in memory (`budget_slots`);
//! `budget_store` charges the database ahead of calls. While a gateway call is in progress it has a
//! slot (`call_slot`), counted by this node (`parallel_limit`) and, with Redis, by all nodes
//! together (`shared_calls`).
//!
//! A cached record is valid while the node receives every invalidation: `cache_validity` says until
//! when, `key_invalidation` and `invalidation` carry changes between nodes. `confirm` and
//! `key_watch` check the key again during long calls.
//!
//! `stored_responses` remembers whose the responses of calls are, behind the calls as usage is.
//! `background` keeps what responses have reserved that go on when their call has ended.

mod acquire;
mod background;
mod background_settle;
mod background_store;
mod begin;
mod budget;
mod budget_crossing;
mod budget_denial;
mod budget_events;
mod budget_lease;
mod budget_need;
mod budget_owner;
mod budget_slot;
mod budget_slots;
mod budget_states;
mod budget_store;
mod budget_use;
mod cache;
mod cache_validity;
mod call_slot;
mod check;
mod checker;
mod confirm;
mod counters;
pub mod digest;
mod dry_run;
mod error;
mod evaluate;
pub mod failures;
mod foreign;
mod held_rates;
mod in_progress;
mod in_progress_call;
mod invalidation;
mod key_digests;
mod key_invalidation;
mod key_version;
mod key_watch;
mod lookup;
mod lookup_limiter;
mod maintenance;
mod moves;
mod outcome;
mod parallel_limit;
mod peek;
mod pending_call;
mod pepper_nodes;
mod pepper_rotation;
mod pepper_rows;
mod pepper_start;
mod peppers;
mod prompt_counting;
mod prompt_ratio;
mod rate_limit;
mod record;
mod recording;
mod redis_heartbeat;
mod redis_limiter;
mod request;
mod reserve;
mod reserved_budget;
mod response_memory;
pub mod sharding;
mod shared_calls;
mod stored_responses;
mod token_estimate;
pub mod usage;
mod watched_keys;
mod windows;

pub use background::{BackgroundResponse, DueResponse};
pub use background_settle::BackgroundUsage;
pub use budget_owner::BudgetOwner;
pub use cache::CacheSize;
pub use call_slot::CallSlot;
pub use checker::{Checker, CheckerConfig};
pub use counters::CheckCounts;
pub use error::{Error, StartError};
pub use foreign::seal::Opened;
pub use key_invalidation::KeyInvalidation;
pub use key_version::KeyVersion;
pub use lookup_limiter::{LookupCaller, LookupLimiter};
pub use outcome::{Admission, Denial, LimitStates};
pub use pending_call::PendingCall;
pub use pepper_rows::{
    PepperCheckError, PepperCounts, PepperError, chain_keys, check_pepper, lock_left_keys,
    pepper_counts, refuses_new_pepper,
};
pub use record::KeyRecord;
pub use redis_limiter::RedisUrl;
pub use request::{CheckRequest, IdentifiedKey};
pub use reserve::{ExactTokenCount, Reservation, ReservationRequest};
pub use stored_responses::{RESPONSE_RETENTION, ResponseStore, SANDBOX_RESPONSE_RETENTION};
pub use token_estimate::{AnswerCap, ReservedTokens, TokenEstimate};
pub use watched_keys::KeyWatch;

pub use latchkey_store::clock;
