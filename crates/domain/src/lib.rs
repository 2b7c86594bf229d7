//! The vocabulary of Latchkey: ids, secrets, tiers, roles and outcomes, and the types that the
//! dashboard and the API share.
//!
//! Everything here is pure. Time and randomness are arguments, nothing does I/O, and the crate
//! compiles unchanged for the browser, so that the dashboard and the server can't disagree on a
//! rule.

pub mod api;
pub mod attribute;
pub mod audit;
pub mod budget;
#[cfg(feature = "sea-orm")]
pub mod column;
pub mod credentials;
pub mod digest;
mod distinct;
pub mod hint;
pub mod id;
pub mod import;
pub mod json;
pub mod key;
pub mod limit;
pub mod login;
pub mod mask;
pub mod money;
pub mod name;
pub mod number;
pub mod outcome;
pub mod path;
pub mod permission;
pub mod price;
pub mod problem;
pub mod query;
pub mod role;
pub mod scope;
pub mod secret;
pub mod slug;
pub mod tier;
pub mod time;
pub mod token_usage;
pub mod usage;
mod whole;
pub mod window;
mod word;
