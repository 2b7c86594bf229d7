//! SeaORM entities. Joins are written where they are used, with their tenant scope.
#![expect(missing_docs, reason = "a column's name says what it holds; exceptions are documented")]

pub mod administrator_login;
pub mod application;
pub mod audit_event;
pub mod audit_head;
pub mod background_reservation;
pub mod background_response;
pub mod budget_event;
pub mod budget_usage;
pub mod denial;
pub mod idempotency_key;
pub mod idempotent_create;
pub mod imported_key;
pub mod ingest_batch;
pub mod instance;
pub mod invitation;
pub mod invitation_time;
pub mod key;
pub mod key_shape;
pub mod key_tag;
pub mod key_usage;
pub mod log;
pub mod membership;
pub mod model_usage;
pub mod node;
pub mod organization;
pub mod pepper_node;
pub mod project;
pub mod project_month;
pub mod project_usage;
pub mod refresh_token;
pub mod session;
pub mod sign_in_state;
pub mod stored_response;
pub mod telemetry_size;
pub mod trace;
pub mod user;

#[cfg(test)]
mod tests;
