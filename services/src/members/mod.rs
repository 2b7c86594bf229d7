//! Members of organizations, and people who were invited.
//!
//! Who is invited and never signed in is a person without a GitHub identity so far, with memberships like
//! everybody's. Their first sign-in gives them one; if they turn out to be somebody who signed in under
//! another login before, their memberships move over.

mod claim;
mod list;
mod write;

pub use list::list;
pub use write::{add, change, remove};

pub(crate) use claim::{find_invited, join, move_memberships, organizations_of};
pub(crate) use write::forget_invited;
