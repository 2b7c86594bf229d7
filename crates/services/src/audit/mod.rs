//! The audit log: one per organization, append-only, each row chained to the one before.
//!
//! A row's hash is an HMAC over the hash before it and the row's own content, under a key that is
//! made from the pepper and so isn't in the database: whoever can write the database alone can't
//! write a row that fits. A row that was altered doesn't fit its hash, one that was removed leaves
//! a gap in the sequence, and one that was cut off the end is missed by the head.

mod chain;
mod changes;
mod csv;
mod list;
mod record;
mod verify;

pub use csv::{CsvExport, export};
pub use list::list;
pub use verify::{ChainReport, Finding, verify};

pub(crate) use changes::Changes;
pub(crate) use record::{By, Event, record};
