//! The business logic of Latchkey: one module per capability, each a few async functions over
//! [`Services`] and an [`Actor`]. The REST handlers and the pages' server functions call the same
//! ones.
//!
//! This crate knows neither HTTP nor HTML. Every function that touches a tenant's row takes a
//! scope, and the only way to get a scope is to request it with a permission.

pub mod accounts;
mod actor;
pub mod applications;
pub mod audit;
pub mod budget_events;
mod budget_states;
mod client_wait;
mod creates;
mod csv_lines;
mod dry_run;
mod error;
pub mod forward_auth;
pub mod import;
mod key_view;
pub mod keys;
mod known_applications;
mod level_limits;
mod log_limit;
pub mod members;
mod named_application;
pub mod operator;
pub mod organizations;
mod page;
pub mod projects;
mod retry;
mod scope;
mod services;
pub mod telemetry;
pub mod usage;
pub mod verify;
mod writes;

pub use actor::Actor;
pub use dry_run::dry_run;
pub use error::Error;
pub use key_view::key_view;
pub use latchkey_checker::digest::Pepper;
pub use latchkey_store::database::{SqliteFiles, later_migration};
pub use latchkey_store::{Database, clock, random};
pub use page::PageRequest;
pub use scope::KeyRef;
pub use services::{Services, Settings, Signup, StartError};
