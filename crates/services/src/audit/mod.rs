//! The audit log: one per organization, append-only, with each row chained to the previous one.
//!
//! A row's hash is an HMAC over the previous hash and the row's content. Its key is derived from
//! the pepper, which is not in the database, so write access to the database is not enough to forge
//! a row. An altered row does not match its hash, a removed row leaves a gap in the sequence, and a
//! truncated log is shorter than its head says.

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
pub(crate) use record::{By, Event, Stamp, append, record};
