//! The pages' way to the server: one server function per action, under `/api/…`, JSON in and out.
//!
//! Each finds out who is asking and makes one call to a service, the one that the REST API calls
//! too. `server_function!` declares, registers and describes it. A refusal is the same RFC 9457
//! problem here and there.

mod accounts;
mod applications;
mod audit;
mod body;
#[cfg(feature = "ssr")]
mod caller;
mod error;
mod keys;
mod members;
mod organizations;
mod project_keys;
mod projects;
mod server_function;
mod telemetry;
mod upstreams;
mod usage;

pub use accounts::{end_other_sessions, end_session, get_me, list_sessions, list_sign_ins};
pub use applications::{
    create_application, delete_application, get_application, list_applications, update_application,
};
pub use audit::list_audit_events;
pub use body::{Body, BodyEncoding};
pub use error::{ApiError, ProblemEncoding};
pub use keys::{create_application_key, list_application_keys, revoke_key};
pub use members::{
    accept_invitation, decline_invitation, invite_member, list_invitations, list_members,
    remove_member, update_member, withdraw_invitation,
};
pub use organizations::{
    create_organization, delete_organization, get_plan_use, update_organization,
};
pub use project_keys::{
    archive_key, create_project_key, end_grace, get_key, list_project_keys, rotate_key,
    unarchive_key, update_key,
};
pub use projects::{create_project, delete_project, list_projects, update_project};
#[cfg(feature = "ssr")]
pub use server_function::{BodySchema, ServerFunction, server_functions};
pub use telemetry::{list_logs, list_traces};
pub use upstreams::list_upstreams;
pub use usage::{
    budget_events, dry_run_key, get_grouped_usage, get_key_activity, get_key_usage,
    get_project_month, get_project_usage,
};
