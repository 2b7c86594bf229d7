//! The REST API: one file per endpoint group, each with its requests, handlers and description.
//! What they share is in [`crate::http`].

pub(crate) mod api_keys;
pub(crate) mod applications;
pub(crate) mod audit;
pub(crate) mod budget_events;
pub(crate) mod check;
pub(crate) mod docs;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod inference_keys;
pub(crate) mod invitations;
pub(crate) mod key_actions;
pub(crate) mod key_shapes;
pub(crate) mod key_view;
pub(crate) mod keys;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod organizations;
pub(crate) mod projects;
pub(crate) mod server_functions;
pub(crate) mod sessions;
pub(crate) mod telemetry;
pub(crate) mod upstreams;
pub(crate) mod usage;
pub(crate) mod verify;
pub(crate) mod well_known;
