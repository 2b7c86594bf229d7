//! The tables as SeaORM sees them. Joins are written where they are used, with their tenant scope.
#![expect(unreachable_pub, reason = "SeaORM's derive wants public items")]

pub(crate) mod administrator_login;
pub(crate) mod application;
pub(crate) mod audit_event;
pub(crate) mod audit_head;
pub(crate) mod budget;
pub(crate) mod denial;
pub(crate) mod idempotency_key;
pub(crate) mod idempotent_create;
pub(crate) mod ingest_batch;
pub(crate) mod instance;
pub(crate) mod invitation;
pub(crate) mod invitation_time;
pub(crate) mod key;
pub(crate) mod key_usage;
pub(crate) mod log;
pub(crate) mod membership;
pub(crate) mod node;
pub(crate) mod organization;
pub(crate) mod project;
pub(crate) mod project_month;
pub(crate) mod project_usage;
pub(crate) mod refresh_token;
pub(crate) mod session;
pub(crate) mod sign_in_state;
pub(crate) mod telemetry_size;
pub(crate) mod trace;
pub(crate) mod user;
