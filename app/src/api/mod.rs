//! The pages' way to the server: one server function per action, under `/api/…`, JSON in and out.
//!
//! Each says who is asking, makes one call to a service, and nothing else. The same services stand behind
//! the REST API. A refusal is the same RFC 9457 problem there and here.

mod accounts;
mod applications;
mod bearer;
mod body;
#[cfg(feature = "ssr")]
mod caller;
mod error;
mod keys;
mod organizations;
mod project_keys;
mod telemetry;
mod usage;

pub use accounts::{GetMe, ListProjects, get_me, list_projects};
pub use applications::{GetApplication, ListApplications, get_application, list_applications};
pub use bearer::Bearer;
pub use body::{Body, BodyEncoding};
pub use error::{ApiError, ProblemEncoding};
pub use keys::{
    CreateApplicationKey, ListApplicationKeys, RevokeKey, create_application_key,
    list_application_keys, revoke_key,
};
pub use organizations::{ChangeTier, change_tier};
pub use project_keys::{
    ArchiveKey, ChangeKey, CreateProjectKey, EndGrace, GetKey, ListProjectKeys, RotateKey,
    UnarchiveKey, archive_key, change_key, create_project_key, end_grace, get_key,
    list_project_keys, rotate_key, unarchive_key,
};
pub use telemetry::{ListLogs, ListTraces, list_logs, list_traces};
pub use usage::{
    GetKeyActivity, GetKeyUsage, GetProjectUsage, get_key_activity, get_key_usage,
    get_project_usage,
};
