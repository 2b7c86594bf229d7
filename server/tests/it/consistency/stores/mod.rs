//! Stores as people run them: what stands before a PostgreSQL, replicas, and settings that
//! administrators choose.
//!
//! The poolers are the real ones (`scripts/bootstrap.sh poolers`). What was run by hand besides, by
//! version, stands in `docs/databases.md`.

mod defaults;
mod poolers;
pub(crate) mod programs;
mod redis;
mod replicas;
mod sqlite;
