//! The pages, one module each.

pub mod application;
pub mod applications;
pub mod auth_complete;
pub mod feed;
pub mod home;
pub mod login;
pub mod not_found;
pub mod rows;
