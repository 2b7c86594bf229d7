//! The product over HTTP and over its services, on SQLite and on PostgreSQL.
//!
//! Laid out as the URLs are. Every test that touches storage runs on both databases: see [`world`].
#![expect(clippy::unwrap_used, reason = "a test that can't go on stops")]

mod abandoned;
mod addresses;
mod administrators;
mod api_keys;
mod audit;
mod authorization;
mod bad_input;
mod check;
mod direct_url;
mod edge;
mod failed_attempts;
mod faults;
mod gateway;
mod held_back;
mod hostile;
mod ingest;
mod invitations;
mod key_activity;
mod late_writes;
mod leases;
mod lifecycle;
mod limits;
mod local_sign_in;
mod many_streams;
mod masked;
mod members;
mod nodes;
mod openapi;
mod otlp;
mod pages;
mod plan_limits;
mod process;
mod queries;
mod quota;
mod sandbox;
mod security;
mod service_keys;
mod sessions;
mod sessions_list;
mod shared_away;
mod shared_clock;
mod shared_limits;
mod shared_seen;
mod shared_settled;
mod shared_tls;
mod sign_in;
mod stores;
mod telemetry_limits;
mod tenancy;
mod usage;
mod verify;
mod workspace;
mod world;
