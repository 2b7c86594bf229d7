//! The pages, one module each.

pub mod application;
pub mod applications;
pub mod audit;
pub mod auth_complete;
pub mod home;
pub mod inference_key;
pub mod invitations;
pub mod login;
pub mod not_found;
pub mod plan;
pub mod project_keys;
pub mod sessions;
pub mod settings;
pub mod upstreams;
pub mod usage;
