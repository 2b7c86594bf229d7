//! The REST API: one file per endpoint group, each with its requests, handlers, OpenAPI and tests.

pub(crate) mod api_keys;
pub(crate) mod applications;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod docs;
pub(crate) mod extract;
pub(crate) mod health;
pub(crate) mod idempotency;
pub(crate) mod inference_keys;
pub(crate) mod json;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod organizations;
pub(crate) mod origin;
pub(crate) mod problem;
pub(crate) mod projects;
pub(crate) mod request_id;
pub(crate) mod security_headers;
pub(crate) mod server_functions;
pub(crate) mod sessions;
pub(crate) mod telemetry;
pub(crate) mod usage;
pub(crate) mod verify;
