//! The product over HTTP and over its services, on SQLite and on PostgreSQL.
//!
//! Every test that touches storage runs on both databases: see [`test_app`].
#![expect(clippy::unwrap_used, reason = "a test that can't go on stops")]

mod abuse;
mod consistency;
mod faults;
mod forward_auth;
mod ports;
mod process;
mod routes;
mod test_app;
