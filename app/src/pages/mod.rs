//! The pages, one module each.

pub mod application;
pub mod applications;
pub mod audit;
pub mod auth_complete;
pub mod count;
pub mod feed;
pub mod home;
pub mod inference_key;
pub mod invitations;
pub mod keys;
pub mod login;
pub mod not_found;
pub mod plan;
pub mod polling;
pub mod project_keys;
pub mod reading;
pub mod rows;
pub mod sessions;
pub mod settings;
pub mod usage;

use latchkey_domain::id::{ApplicationId, KeyId, ProjectId};
use latchkey_domain::slug;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::components::frame::keep_address;
use crate::context::PublicUrl;

/// Where this server is reached, for commands that are copied from the page.
fn origin() -> String {
    use_context::<PublicUrl>().map(|url| url.0).unwrap_or_default()
}

/// The project that the address names, if it names one. The address is kept as the project is
/// called.
fn project_of_address() -> Memo<Option<ProjectId>> {
    keep_address();
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str("project").and_then(slug::id_of)))
}

/// The key that the address names, if it names one.
fn key_of_address() -> Memo<Option<KeyId>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str("key").and_then(|key| key.parse().ok())))
}

/// The application that the address names, if it names one.
fn application_of_address() -> Memo<Option<ApplicationId>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str("application").and_then(slug::id_of)))
}
