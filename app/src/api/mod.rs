//! The pages' way to the server: one server function per action, under `/api/…`, JSON in and out.
//!
//! Each says who is asking, makes one call to a service, and nothing else. The same services stand
//! behind the REST API. A refusal is the same RFC 9457 problem there and here.

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
mod telemetry;
mod usage;

pub use accounts::{
    EndOtherSessions, EndSession, GetMe, ListSessions, ListSignIns, end_other_sessions,
    end_session, get_me, list_sessions, list_sign_ins,
};
pub use applications::{
    CreateApplication, DeleteApplication, GetApplication, ListApplications, UpdateApplication,
    create_application, delete_application, get_application, list_applications, update_application,
};
pub use audit::{ListAuditEvents, list_audit_events};
pub use body::{Body, BodyEncoding};
pub use error::{ApiError, ProblemEncoding};
pub use keys::{
    CreateApplicationKey, ListApplicationKeys, RevokeKey, create_application_key,
    list_application_keys, revoke_key,
};
pub use members::{
    AcceptInvitation, DeclineInvitation, InviteMember, ListInvitations, ListMembers, RemoveMember,
    UpdateMember, WithdrawInvitation, accept_invitation, decline_invitation, invite_member,
    list_invitations, list_members, remove_member, update_member, withdraw_invitation,
};
pub use organizations::{
    CreateOrganization, DeleteOrganization, GetPlanUse, UpdateOrganization, create_organization,
    delete_organization, get_plan_use, update_organization,
};
pub use project_keys::{
    ArchiveKey, CreateProjectKey, EndGrace, GetKey, ListProjectKeys, RotateKey, UnarchiveKey,
    UpdateKey, archive_key, create_project_key, end_grace, get_key, list_project_keys, rotate_key,
    unarchive_key, update_key,
};
pub use projects::{
    CreateProject, DeleteProject, ListProjects, UpdateProject, create_project, delete_project,
    list_projects, update_project,
};
pub use telemetry::{ListLogs, ListTraces, list_logs, list_traces};
pub use usage::{
    DryRunKey, GetKeyActivity, GetKeyUsage, GetProjectMonth, GetProjectUsage, dry_run_key,
    get_key_activity, get_key_usage, get_project_month, get_project_usage,
};
