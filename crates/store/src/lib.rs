//! The database: its tables, its connections and its transactions, on SQLite or PostgreSQL.
//!
//! Columns hold the domain's types: a value is decoded once, where the row is read. The caller of a
//! query knows its tenant; the queries themselves, with their tenant scope, are written where they
//! are used. This crate contains no business rules and no HTTP.
//!
//! It also contains the injected sources of time and randomness ([`clock`] and [`random`]), and
//! what users of the database share: queues that are fair between callers ([`fair_queue`]) and
//! low-priority threads ([`background`]).

pub mod background;
pub mod clock;
pub mod database;
pub mod entity;
mod error;
pub mod fair_queue;
pub mod id_map;
pub mod insert;
pub mod random;

pub use database::Database;
pub use error::{Error, is_unique_violation};
