//! Sign-in, and who administers the instance.

mod administrators;
mod github;
mod local;
