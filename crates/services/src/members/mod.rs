//! Members of organizations, and people who are invited.
//!
//! Nobody becomes a member without accepting. Until then the organization has a login that it typed
//! itself, and learns nothing of who answers to it. A member is a GitHub identity, never whoever
//! has the login today.

mod answer;
mod invite;
mod list;
#[cfg(test)]
mod migration_tests;
mod write;

pub use answer::{accept, decline, waiting};
pub use invite::{invite, withdraw};
pub use list::list;
pub use write::{change, remove};

pub(crate) use answer::lock_person;
pub(crate) use invite::{INVITATION_WINDOW, is_invited};
