//! The pages' server functions under `/api/…`, described as API.
//!
//! Leptos serves them; here is one row for each, in the form of its signature, which the compiler
//! holds against the function's own.

use latchkey_app::api::{
    AcceptInvitation, ArchiveKey, CreateApplication, CreateApplicationKey, CreateOrganization,
    CreateProject, CreateProjectKey, DeclineInvitation, DeleteApplication, DeleteOrganization,
    DeleteProject, DryRunKey, EndGrace, EndOtherSessions, EndSession, GetApplication, GetKey,
    GetKeyActivity, GetKeyUsage, GetMe, GetPlanUse, GetProjectMonth, GetProjectUsage, InviteMember,
    ListApplicationKeys, ListApplications, ListAuditEvents, ListInvitations, ListLogs, ListMembers,
    ListProjectKeys, ListProjects, ListSessions, ListSignIns, ListTraces, RemoveMember, RevokeKey,
    RotateKey, UnarchiveKey, UpdateApplication, UpdateKey, UpdateMember, UpdateOrganization,
    UpdateProject, WithdrawInvitation,
};
use latchkey_domain::api::{
    ApiKey, Application, ApplicationContext, ApplicationPatch, ApplicationRequest, AuditEvent,
    AuditFilter, CreatedKey, DryRun, DryRunRequest, IngestedLog, IngestedTrace, Invitation,
    KeyActivity, KeyFilter, KeyPatch, KeyRequest, ListedKey, ListedMember, LogFilter, Me, Member,
    MemberPatch, MemberRequest, Organization, OrganizationPatch, OrganizationRequest, Page,
    PlanUse, Project, ProjectPatch, ProjectRequest, QuotaState, Session, SignInEntry, TraceFilter,
    Usage,
};
use latchkey_domain::id::{ApplicationId, KeyId, OrganizationId, ProjectId, SessionId, UserId};
use latchkey_domain::key::Environment;
use latchkey_domain::login::GithubLogin;
use latchkey_domain::name::Name;
use latchkey_domain::problem::ErrorCode;
use latchkey_domain::usage::UsageRange;
use leptos::server_fn::ServerFn;
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, Required, Response};

use crate::http::described::Named;

/// Takes rows of: what the function does, its signature, and what it refuses beside what all of
/// them do.
macro_rules! server_functions {
    ($($summary:literal
        $function:ident($($argument:ident: $kind:ty),*) -> $answer:ty, [$($code:ident),*];
    )*) => {
        /// Adds every server function to the document. Every schema that one has brought.
        pub(crate) fn describe(document: &mut OpenApi) -> Vec<Named> {
            let mut schemas = Vec::new();
            $({
                #[derive(ToSchema)]
                struct Arguments {
                    $($argument: $kind),*
                }
                #[derive(ToSchema)]
                struct Answer {
                    answer: $answer,
                }
                const _: fn(Arguments) -> $function =
                    |Arguments { $($argument),* }| $function { $($argument),* };
                const _: fn(Answer) -> <$function as ServerFn>::Output = |answer| answer.answer;
                let refuses = [$(ErrorCode::$code),*];
                schemas.extend(parts::<Arguments>());
                schemas.extend(parts::<Answer>());
                add::<Arguments, Answer>(document, $function::PATH, $summary, &refuses);
            })*
            schemas
        }
    };
}

server_functions! {
    "Get the current user"
        GetMe() -> Me, [];
    "List the projects of an organization"
        ListProjects(organization_id: OrganizationId, cursor: Option<String>) -> Page<Project>, [NotFound];
    "List the applications of a project"
        ListApplications(project_id: ProjectId, cursor: Option<String>) -> Page<Application>, [NotFound];
    "Get an application with its project and organization"
        GetApplication(application_id: ApplicationId) -> ApplicationContext, [NotFound];
    "List the keys of an application"
        ListApplicationKeys(application_id: ApplicationId, cursor: Option<String>) -> Page<ListedKey>, [NotFound];
    "Create a key for an application. The secret is returned only once"
        CreateApplicationKey(application_id: ApplicationId, name: Option<Name>, environment: Environment) -> CreatedKey,
        [Forbidden, NotFound, NameTaken, TierLimitReached];
    "Revoke a key"
        RevokeKey(key_id: KeyId) -> (), [Forbidden, NotFound];
    "List the keys of a project"
        ListProjectKeys(project_id: ProjectId, filter: KeyFilter, cursor: Option<String>) -> Page<ListedKey>, [NotFound];
    "Create a key. The secret is returned only once"
        CreateProjectKey(project_id: ProjectId, request: KeyRequest) -> CreatedKey,
        [Forbidden, NotFound, NameTaken, TierLimitReached];
    "Get a key"
        GetKey(key_id: KeyId) -> ListedKey, [NotFound];
    "Update a key’s name, limits or expiry"
        UpdateKey(key_id: KeyId, patch: KeyPatch) -> ApiKey,
        [Forbidden, NotFound, Conflict, NameTaken, TierLimitReached];
    "Rotate a key. The new secret is returned only once"
        RotateKey(key_id: KeyId, grace_seconds: u64) -> CreatedKey, [Forbidden, NotFound, Conflict];
    "End the grace period of a rotation"
        EndGrace(key_id: KeyId) -> ListedKey, [Forbidden, NotFound];
    "Archive a revoked or expired key"
        ArchiveKey(key_id: KeyId) -> ApiKey, [Forbidden, NotFound, Conflict];
    "Unarchive a key"
        UnarchiveKey(key_id: KeyId) -> ApiKey, [Forbidden, NotFound, Conflict];
    "Create an organization"
        CreateOrganization(request: OrganizationRequest) -> Organization, [LimitReached];
    "Update an organization’s name or tier"
        UpdateOrganization(organization_id: OrganizationId, patch: OrganizationPatch) -> Organization, [Forbidden, NotFound];
    "Get the limits of an organization’s plan and their use"
        GetPlanUse(organization_id: OrganizationId) -> PlanUse, [NotFound];
    "Delete an organization with its contents and revoke its keys"
        DeleteOrganization(organization_id: OrganizationId) -> (), [Forbidden, NotFound];
    "Create a project"
        CreateProject(organization_id: OrganizationId, request: ProjectRequest) -> Project,
        [Forbidden, NotFound, LimitReached];
    "Update a project’s name or key prefix"
        UpdateProject(project_id: ProjectId, patch: ProjectPatch) -> Project, [Forbidden, NotFound];
    "Delete a project with its contents and revoke its keys"
        DeleteProject(project_id: ProjectId) -> (), [Forbidden, NotFound];
    "Create an application"
        CreateApplication(project_id: ProjectId, request: ApplicationRequest) -> Application, [Forbidden, NotFound];
    "Update an application’s name, description or environment"
        UpdateApplication(application_id: ApplicationId, patch: ApplicationPatch) -> Application, [Forbidden, NotFound];
    "Delete an application and revoke the keys restricted to it"
        DeleteApplication(application_id: ApplicationId) -> (), [Forbidden, NotFound];
    "List the members and pending invitations of an organization"
        ListMembers(organization_id: OrganizationId, cursor: Option<String>) -> Page<ListedMember>, [NotFound];
    "Invite a user to an organization"
        InviteMember(organization_id: OrganizationId, request: MemberRequest) -> Member, [Forbidden, NotFound, Conflict];
    "Withdraw an invitation"
        WithdrawInvitation(organization_id: OrganizationId, login: GithubLogin) -> (), [Forbidden, NotFound];
    "List your pending invitations"
        ListInvitations(cursor: Option<String>) -> Page<Invitation>, [];
    "Accept an invitation"
        AcceptInvitation(organization_id: OrganizationId) -> (), [NotFound, LimitReached];
    "Decline an invitation"
        DeclineInvitation(organization_id: OrganizationId) -> (), [NotFound];
    "Update a member’s role"
        UpdateMember(organization_id: OrganizationId, user_id: UserId, patch: MemberPatch) -> Member,
        [Forbidden, NotFound, LastOwner, LimitReached];
    "Remove a member or leave an organization"
        RemoveMember(organization_id: OrganizationId, user_id: UserId) -> (), [Forbidden, NotFound, LastOwner];
    "List audit log events of an organization"
        ListAuditEvents(organization_id: OrganizationId, filter: AuditFilter, cursor: Option<String>) -> Page<AuditEvent>,
        [Forbidden, NotFound];
    "List your active sessions"
        ListSessions() -> Vec<Session>, [];
    "List your past sign-ins"
        ListSignIns() -> Vec<SignInEntry>, [];
    "End one of your sessions"
        EndSession(session_id: SessionId) -> (), [NotFound];
    "End all of your other sessions"
        EndOtherSessions() -> (), [];
    "Get the hourly activity of up to 100 keys in the last 24 hours"
        GetKeyActivity(project_id: ProjectId, key_ids: Vec<KeyId>) -> Vec<KeyActivity>, [NotFound];
    "List the traces of an application"
        ListTraces(application_id: ApplicationId, filter: Option<TraceFilter>, cursor: Option<String>) -> Page<IngestedTrace>, [NotFound];
    "List the logs of an application"
        ListLogs(application_id: ApplicationId, filter: Option<LogFilter>, cursor: Option<String>) -> Page<IngestedLog>, [NotFound];
    "Get the usage of a key"
        GetKeyUsage(key_id: KeyId, range: UsageRange) -> Usage, [NotFound];
    "Get the usage of a project"
        GetProjectUsage(project_id: ProjectId, environment: Option<Environment>, range: UsageRange) -> Usage, [NotFound];
    "Get a project’s monthly quota and its use"
        GetProjectMonth(project_id: ProjectId) -> QuotaState, [NotFound];
    "Simulate a check of a key without counting it"
        DryRunKey(key_id: KeyId, request: DryRunRequest) -> DryRun, [NotFound];
}

const JSON: &str = "application/json";

/// Adds the function at `path`. `Arguments` has its arguments as fields, `Answer` its answer as the
/// only one.
fn add<Arguments: ToSchema, Answer: ToSchema>(
    document: &mut OpenApi,
    path: &str,
    summary: &str,
    refuses: &[ErrorCode],
) {
    let components = document.components.get_or_insert_with(Components::new);
    let arguments = RequestBody::builder()
        .content(JSON, Content::new(Some(schema::<Arguments>(components))))
        .required(Some(Required::True))
        .build();
    let answer = Response::builder()
        .description("Success")
        .content(JSON, Content::new(only_field(schema::<Answer>(components))))
        .build();
    let id = path.trim_start_matches("/api/").replace('/', "_");
    let mut operation = Operation::builder()
        .tag("Dashboard")
        .summary(Some(summary))
        .operation_id(Some(format!("dashboard_{id}")))
        .request_body(Some(arguments))
        .response("200", answer)
        .security(SecurityRequirement::new::<_, [&str; 0], &str>("user", []))
        .build();
    add_refusals(&mut operation, refuses);
    document.paths.add_path_operation(path, vec![HttpMethod::Post], operation);
}

/// One response for each status, which lists its codes. The first three may come from every
/// function.
fn add_refusals(operation: &mut Operation, more: &[ErrorCode]) {
    let common = [ErrorCode::Malformed, ErrorCode::Unauthenticated, ErrorCode::Invalid];
    for code in common.iter().chain(more) {
        let name = serde_json::to_value(code).unwrap_or_default();
        let name = format!("`{}`", name.as_str().unwrap_or_default());
        let response = operation.responses.responses.entry(code.status().to_string());
        let RefOr::T(response) = response.or_insert_with(|| RefOr::T(refusal())) else { continue };
        if !response.description.is_empty() {
            response.description.push_str(", ");
        }
        response.description.push_str(&name);
    }
}

fn refusal() -> Response {
    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
    Response::builder().content(JSON, problem).build()
}

/// The schema of a type; those that it refers to become components.
fn schema<T: ToSchema>(components: &mut Components) -> RefOr<Schema> {
    components.schemas.extend(parts::<T>());
    T::schema()
}

/// The types that a type refers to.
fn parts<T: ToSchema>() -> Vec<Named> {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    parts
}

fn only_field(schema: RefOr<Schema>) -> Option<RefOr<Schema>> {
    let RefOr::T(Schema::Object(mut object)) = schema else { return None };
    object.properties.pop_first().map(|(_, field)| field)
}
