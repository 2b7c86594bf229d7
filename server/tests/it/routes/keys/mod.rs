//! `/v1/keys`, `/v1/inference/keys` and the keys of a project.

mod activity;
mod attributes;
mod budgets;
mod disabled;
mod lifecycle;
mod limits;
pub(crate) mod quota;
mod service_keys;
mod verify;
