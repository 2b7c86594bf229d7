//! The database: its tables, its connections and its transactions, on SQLite or PostgreSQL.
//!
//! Columns hold the domain's types: what a row says is decoded once, where it is read. Whoever uses
//! a row knows its tenant; the queries themselves, with their tenant's scope, stand where they are
//! used. No business rule and no HTTP lives here.
//!
//! Beside the database stand the sources of what a program can't make up itself ([`clock`] and
//! [`random`]), and what the database's users share: queues that serve each caller in turn
//! ([`fair_queue`]) and threads of low priority ([`background`]).

pub mod background;
pub mod clock;
pub mod database;
pub mod decode;
pub mod entity;
mod error;
pub mod fair_queue;
pub mod id_map;
pub mod insert;
pub mod random;

pub use database::Database;
pub use error::{Error, is_unique_violation};
