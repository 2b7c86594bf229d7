//! Who may do what: one row for each thing that the API and the pages can ask for.

use latchkey_domain::role::Role::{self, Admin, Member, Owner, Viewer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody; who they are says something else, or nothing.
    Anybody,
    /// Whoever has a key, of the application where one is named.
    ApplicationKey,
    /// Whoever has an inference key of the project.
    InferenceKey,
    /// Every person who is signed in, about themselves.
    Person,
    /// Administrators of the instance.
    Administrator,
    /// Members of the organization from this role on, and service keys with this permission.
    From(Role, Option<&'static str>),
}

use Access::{Administrator, Anybody, ApplicationKey, From, InferenceKey, Person};

const READ: Access = From(Viewer, None);
const KEYS_READ: Access = From(Viewer, Some("keys:read"));
const KEYS_WRITE: Access = From(Member, Some("keys:write"));
const USAGE: Access = From(Viewer, Some("usage:read"));
const ADMIN: Access = From(Admin, None);
const OWNER: Access = From(Owner, None);
const APPLICATIONS: Access = From(Member, None);

/// A route, the ids in its path, who may, and a body that is right. `$name` stands for a thing of
/// the tenant.
pub(super) type Row = (&'static str, &'static [&'static str], Access, &'static str);

pub(super) const TABLE: &[Row] = &[
    ("GET /healthz", &[], Anybody, ""),
    ("GET /readyz", &[], Anybody, ""),
    ("GET /oauth2/authorization/github", &[], Anybody, ""),
    ("GET /login/oauth2/code/github", &[], Anybody, ""),
    ("POST /auth/local", &[], Anybody, ""),
    ("POST /refresh", &[], Anybody, ""),
    ("POST /logout", &[], Anybody, ""),
    ("POST /ingest/traces", &[], ApplicationKey, ""),
    ("POST /ingest/logs", &[], ApplicationKey, ""),
    ("POST /v1/traces", &[], ApplicationKey, ""),
    ("POST /v1/logs", &[], ApplicationKey, ""),
    ("POST /v1/metrics", &[], ApplicationKey, ""),
    ("POST /api/public/otel/v1/traces", &[], ApplicationKey, ""),
    ("GET /v1/check/{id}", &["$project"], ApplicationKey, ""),
    ("POST /v1/check/{id}", &["$app"], ApplicationKey, ""),
    ("GET /v1/key", &[], ApplicationKey, ""),
    ("POST /v1/chat/completions", &[], InferenceKey, ""),
    ("POST /v1/completions", &[], InferenceKey, ""),
    ("POST /v1/embeddings", &[], InferenceKey, ""),
    ("GET /v1/models", &[], InferenceKey, ""),
    ("GET /v1/models/{id}", &["$app"], InferenceKey, ""),
    ("GET /v1/upstreams", &[], Administrator, ""),
    ("POST /api/upstreams/list", &[], Administrator, "{}"),
    ("GET /v1/me", &[], Person, ""),
    ("GET /v1/organizations", &[], Person, ""),
    ("POST /v1/organizations", &[], Person, r#"{"name": "Another"}"#),
    ("GET /v1/organizations/{id}", &["$org"], READ, ""),
    ("PATCH /v1/organizations/{id}", &["$org"], ADMIN, r#"{"name": "Renamed"}"#),
    ("DELETE /v1/organizations/{id}", &["$org"], OWNER, ""),
    ("GET /v1/organizations/{id}/members", &["$org"], READ, ""),
    (
        "POST /v1/organizations/{id}/members",
        &["$org"],
        ADMIN,
        r#"{"login": "newcomer", "role": "viewer"}"#,
    ),
    (
        "PATCH /v1/organizations/{id}/members/{userId}",
        &["$org", "$victim"],
        ADMIN,
        r#"{"role": "member"}"#,
    ),
    ("DELETE /v1/organizations/{id}/members/{userId}", &["$org", "$victim"], ADMIN, ""),
    ("DELETE /v1/organizations/{id}/invitations/{login}", &["$org", "$guest"], ADMIN, ""),
    ("GET /v1/me/invitations", &[], Person, ""),
    ("POST /v1/me/invitations/{id}/accept", &["$org"], Person, ""),
    ("POST /v1/me/invitations/{id}/decline", &["$org"], Person, ""),
    ("GET /v1/organizations/{id}/audit", &["$org"], ADMIN, ""),
    ("GET /v1/organizations/{id}/audit.csv", &["$org"], ADMIN, ""),
    ("GET /v1/organizations/{id}/projects", &["$org"], READ, ""),
    ("POST /v1/organizations/{id}/projects", &["$org"], ADMIN, r#"{"name": "Another"}"#),
    ("GET /v1/projects/{id}", &["$project"], READ, ""),
    ("PATCH /v1/projects/{id}", &["$project"], ADMIN, r#"{"name": "Renamed"}"#),
    ("DELETE /v1/projects/{id}", &["$project"], ADMIN, ""),
    ("GET /v1/projects/{id}/usage", &["$project"], USAGE, ""),
    ("GET /v1/projects/{id}/budget-events", &["$project"], USAGE, ""),
    ("GET /v1/projects/{id}/applications", &["$project"], READ, ""),
    ("POST /v1/projects/{id}/applications", &["$project"], APPLICATIONS, r#"{"name": "Another"}"#),
    ("GET /v1/applications/{id}", &["$app"], READ, ""),
    ("PATCH /v1/applications/{id}", &["$app"], APPLICATIONS, r#"{"name": "Renamed"}"#),
    ("DELETE /v1/applications/{id}", &["$app"], APPLICATIONS, ""),
    ("GET /v1/applications/{id}/traces", &["$app"], READ, ""),
    ("GET /v1/applications/{id}/logs", &["$app"], READ, ""),
    ("GET /apikey", &["$app"], KEYS_READ, ""),
    ("POST /apikey", &["$app"], KEYS_WRITE, ""),
    ("DELETE /apikey/{keyId}", &["$key"], KEYS_WRITE, ""),
    ("GET /v1/projects/{projectId}/keys", &["$project"], KEYS_READ, ""),
    ("POST /v1/projects/{projectId}/keys", &["$project"], KEYS_WRITE, r#"{"name": "Another"}"#),
    ("GET /v1/keys/{keyId}", &["$key"], KEYS_READ, ""),
    ("PATCH /v1/keys/{keyId}", &["$key"], KEYS_WRITE, r#"{"rpm": 7}"#),
    ("DELETE /v1/keys/{keyId}", &["$key"], KEYS_WRITE, ""),
    ("POST /v1/keys/{keyId}/rotate", &["$key"], KEYS_WRITE, "{}"),
    ("POST /v1/keys/{keyId}/archive", &["$revoked"], KEYS_WRITE, ""),
    ("POST /v1/keys/{keyId}/unarchive", &["$revoked"], KEYS_WRITE, ""),
    ("GET /v1/keys/{keyId}/usage", &["$key"], USAGE, ""),
    ("GET /v1/projects/{projectId}/inference/keys", &["$project"], KEYS_READ, ""),
    (
        "POST /v1/projects/{projectId}/inference/keys",
        &["$project"],
        KEYS_WRITE,
        r#"{"name": "Another"}"#,
    ),
    ("GET /v1/inference/keys/{keyId}", &["$inference"], KEYS_READ, ""),
    ("PATCH /v1/inference/keys/{keyId}", &["$inference"], KEYS_WRITE, r#"{"rpm": 7}"#),
    ("DELETE /v1/inference/keys/{keyId}", &["$inference"], KEYS_WRITE, ""),
    ("POST /v1/inference/keys/{keyId}/rotate", &["$inference"], KEYS_WRITE, "{}"),
    ("POST /v1/inference/keys/{keyId}/archive", &["$spent"], KEYS_WRITE, ""),
    ("POST /v1/inference/keys/{keyId}/unarchive", &["$spent"], KEYS_WRITE, ""),
    ("GET /v1/inference/keys/{keyId}/usage", &["$inference"], USAGE, ""),
    // What another tenant may know of a key is told in the answer.
    ("POST /v1/keys/verify", &[], From(Member, Some("keys:verify")), r#"{"key": "$secret"}"#),
    ("POST /api/me", &[], Person, "{}"),
    ("POST /api/sessions/list", &[], Person, "{}"),
    ("POST /api/sessions/sign-ins", &[], Person, "{}"),
    ("POST /api/sessions/end", &[], Person, r#"{"session_id": "$session"}"#),
    ("POST /api/sessions/end-others", &[], Person, "{}"),
    ("POST /api/organizations/create", &[], Person, r#"{"request": {"name": "Another"}}"#),
    (
        "POST /api/organizations/change",
        &[],
        ADMIN,
        r#"{"organization_id": "$org", "patch": {"name": "Renamed"}}"#,
    ),
    ("POST /api/organizations/plan", &[], READ, r#"{"organization_id": "$org"}"#),
    ("POST /api/organizations/delete", &[], OWNER, r#"{"organization_id": "$org"}"#),
    ("POST /api/members/list", &[], READ, r#"{"organization_id": "$org"}"#),
    (
        "POST /api/members/invite",
        &[],
        ADMIN,
        r#"{"organization_id": "$org", "request": {"login": "newcomer", "role": "viewer"}}"#,
    ),
    (
        "POST /api/members/change",
        &[],
        ADMIN,
        r#"{"organization_id": "$org", "user_id": "$victim", "patch": {"role": "member"}}"#,
    ),
    (
        "POST /api/members/remove",
        &[],
        ADMIN,
        r#"{"organization_id": "$org", "user_id": "$victim"}"#,
    ),
    (
        "POST /api/invitations/withdraw",
        &[],
        ADMIN,
        r#"{"organization_id": "$org", "login": "$guest"}"#,
    ),
    ("POST /api/invitations/list", &[], Person, "{}"),
    ("POST /api/invitations/accept", &[], Person, r#"{"organization_id": "$org"}"#),
    ("POST /api/invitations/decline", &[], Person, r#"{"organization_id": "$org"}"#),
    ("POST /api/audit/list", &[], ADMIN, r#"{"organization_id": "$org", "filter": {}}"#),
    ("POST /api/projects/list", &[], READ, r#"{"organization_id": "$org"}"#),
    (
        "POST /api/projects/create",
        &[],
        ADMIN,
        r#"{"organization_id": "$org", "request": {"name": "Another"}}"#,
    ),
    (
        "POST /api/projects/change",
        &[],
        ADMIN,
        r#"{"project_id": "$project", "patch": {"name": "Renamed"}}"#,
    ),
    ("POST /api/projects/delete", &[], ADMIN, r#"{"project_id": "$project"}"#),
    ("POST /api/applications/list", &[], READ, r#"{"project_id": "$project"}"#),
    ("POST /api/applications/get", &[], READ, r#"{"application_id": "$app"}"#),
    (
        "POST /api/applications/create",
        &[],
        APPLICATIONS,
        r#"{"project_id": "$project", "request": {"name": "Another"}}"#,
    ),
    (
        "POST /api/applications/change",
        &[],
        APPLICATIONS,
        r#"{"application_id": "$app", "patch": {"name": "Renamed"}}"#,
    ),
    ("POST /api/applications/delete", &[], APPLICATIONS, r#"{"application_id": "$app"}"#),
    ("POST /api/traces/list", &[], READ, r#"{"application_id": "$app"}"#),
    ("POST /api/logs/list", &[], READ, r#"{"application_id": "$app"}"#),
    ("POST /api/keys/list", &[], KEYS_READ, r#"{"application_id": "$app"}"#),
    (
        "POST /api/keys/create",
        &[],
        KEYS_WRITE,
        r#"{"application_id": "$app", "name": "Another", "environment": "live"}"#,
    ),
    ("POST /api/keys/revoke", &[], KEYS_WRITE, r#"{"key_id": "$key"}"#),
    ("POST /api/keys/get", &[], KEYS_READ, r#"{"key_id": "$key"}"#),
    ("POST /api/keys/change", &[], KEYS_WRITE, r#"{"key_id": "$key", "patch": {"rpm": 7}}"#),
    ("POST /api/keys/rotate", &[], KEYS_WRITE, r#"{"key_id": "$key", "grace_seconds": 0}"#),
    ("POST /api/keys/archive", &[], KEYS_WRITE, r#"{"key_id": "$revoked"}"#),
    ("POST /api/keys/unarchive", &[], KEYS_WRITE, r#"{"key_id": "$revoked"}"#),
    ("POST /api/keys/end-grace", &[], KEYS_WRITE, r#"{"key_id": "$key"}"#),
    ("POST /api/project-keys/list", &[], KEYS_READ, r#"{"project_id": "$project", "filter": {}}"#),
    (
        "POST /api/project-keys/create",
        &[],
        KEYS_WRITE,
        r#"{"project_id": "$project", "request": {"name": "Another"}}"#,
    ),
    ("POST /api/keys/dry-run", &[], KEYS_READ, r#"{"key_id": "$key", "request": {}}"#),
    ("POST /api/usage/key", &[], USAGE, r#"{"key_id": "$key", "range": "24h"}"#),
    ("POST /api/usage/keys", &[], USAGE, r#"{"project_id": "$project", "key_ids": ["$key"]}"#),
    ("POST /api/usage/month", &[], USAGE, r#"{"project_id": "$project"}"#),
    ("POST /api/usage/budget-events", &[], USAGE, r#"{"project_id": "$project"}"#),
    ("POST /api/usage/project", &[], USAGE, r#"{"project_id": "$project", "range": "24h"}"#),
    (
        "POST /api/usage/groups",
        &[],
        USAGE,
        r#"{"project_id": "$project", "range": "24h", "group_by": "tag"}"#,
    ),
];
