//! Members of organizations, and invitations.
//!
//! Nobody becomes a member without accepting. Until then the organization sees only the login that
//! it entered, and learns nothing about the person behind it. A member is a GitHub identity, not
//! whoever has the login today.

mod answer;
mod invite;
mod list;
mod lock;
#[cfg(test)]
mod migration_tests;
mod write;

pub use answer::{accept, decline, waiting};
pub use invite::{invite, withdraw};
pub use list::list;
pub use write::{change, remove};

pub(crate) use invite::{INVITATION_WINDOW, is_invited};
pub(crate) use lock::lock_person;
