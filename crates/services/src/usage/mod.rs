//! Reads the usage of keys for charts and the monthly quota, and deletes what is past its
//! retention. The checker counts and writes it (`latchkey_checker::usage`).

mod activity;
mod month;
mod purge;
mod read;

pub use activity::of_keys;
pub use month::of_month;
pub use purge::purge;
pub use read::{of_key, of_project};
