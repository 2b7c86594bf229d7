//! Reads the usage of keys for charts and the monthly quota, and deletes what is past its
//! retention. The checker counts and writes it (`latchkey_checker::usage`).

mod activity;
mod export;
mod grouped;
mod month;
mod purge;
mod read;
mod report_queue;

pub use activity::of_keys;
pub use export::{buckets_as_csv, groups_as_csv};
pub use grouped::of_project_by;
pub use month::of_month;
pub use purge::{purge, purge_sandbox_responses};
pub use read::{of_key, of_project};
pub(crate) use report_queue::ReportQueue;
