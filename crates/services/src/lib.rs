//! What Latchkey does: one module per capability, each a few plain async functions over
//! [`Services`] and an [`Actor`]. The REST handlers and the pages' server functions call the same
//! ones.
//!
//! No HTTP and no HTML here. Every function that touches a tenant's row takes the scope that it may
//! touch, and a scope can only be had by asking for it with a permission.

pub mod accounts;
mod actor;
pub mod applications;
pub mod audit;
mod background;
pub mod check;
pub mod clock;
mod creates;
mod database;
#[cfg(test)]
mod database_for_tests;
mod digest;
mod entity;
mod error;
pub mod failures;
mod id_map;
pub mod keys;
pub mod members;
pub mod nodes;
pub mod organizations;
mod page;
pub mod projects;
pub mod random;
mod retry;
mod scope;
mod services;
pub mod stripe;
pub mod telemetry;
mod turns;
pub mod usage;
pub mod verify;
mod writes;

pub use actor::Actor;
pub use database::Database;
pub use digest::Pepper;
pub use error::Error;
pub use page::PageRequest;
pub use scope::KeyRef;
pub use services::{Services, Settings, Signup, StartError};
