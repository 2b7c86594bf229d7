//! Scopes: proof that an actor may access a tenant's rows.
//!
//! A scope's fields are private to this module. Only [`project()`], [`application()`] and
//! [`organization()`] construct one, each with a single query that joins the resource with the
//! actor's membership. A query that takes a scope therefore can't reach another tenant's rows,
//! whatever its caller forgot.
//!
//! A scope describes the moment of that query. Every write starts its transaction through the
//! scope, which reads the same state again under locks: see [`begin()`].

mod begin;

pub(crate) use begin::{AuthorizedWrite, begin, begin_on_sessions};

use latchkey_domain::id::{ApplicationId, KeyId, OrganizationId, ProjectId};
use latchkey_domain::key::KeyKind;
use latchkey_domain::permission::ServicePermission;
use latchkey_domain::role::{Permission, Role};
use latchkey_domain::secret::KeyPrefix;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect, RelationTrait,
    Select,
};

use crate::actor::{Actor, NOT_FOR_SERVICE_KEYS, Who};
use crate::error::Error;
use crate::services::Services;
use latchkey_checker::{KeyRecord, LookupCaller};
use latchkey_store::database::primary;
use latchkey_store::entity::{application, key, membership, organization, project};

/// An organization that the actor is a member of.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationScope {
    id: OrganizationId,
    role: Role,
    /// The permission that the scope was requested with.
    permission: Permission,
}

/// A project that the actor has access to.
#[derive(Debug, Clone)]
pub(crate) struct ProjectScope {
    id: ProjectId,
    organization: OrganizationId,
    key_prefix: KeyPrefix,
    grant: Grant,
    /// The permission that the scope was requested with.
    permission: Permission,
}

/// What authorizes an actor in a project.
#[derive(Debug, Clone)]
enum Grant {
    /// Role in the project's organization.
    Member(Role),
    /// Permissions of a service key of this project.
    ServiceKey(Vec<ServicePermission>),
}

impl Grant {
    fn require(&self, permission: Permission) -> Result<(), Error> {
        match self {
            Self::Member(role) => allow(*role, permission),
            Self::ServiceKey(permissions) => {
                let needed = service_permission(permission);
                match needed {
                    Some(needed) if permissions.contains(&needed) => Ok(()),
                    Some(needed) => Err(Error::InsufficientScope(needed)),
                    None => Err(Error::Forbidden(NOT_FOR_SERVICE_KEYS)),
                }
            }
        }
    }
}

/// The service-key permission that `permission` corresponds to. `None`: only people may do it.
const fn service_permission(permission: Permission) -> Option<ServicePermission> {
    match permission {
        Permission::KeysRead => Some(ServicePermission::KeysRead),
        Permission::KeysWrite | Permission::KeysImport => Some(ServicePermission::KeysWrite),
        Permission::KeysVerify => Some(ServicePermission::KeysVerify),
        Permission::UsageRead => Some(ServicePermission::UsageRead),
        Permission::Read
        | Permission::ServiceKeysWrite
        | Permission::KeysExport
        | Permission::ApplicationsWrite
        | Permission::ProjectsWrite
        | Permission::MembersWrite
        | Permission::OwnersWrite
        | Permission::OrganizationWrite
        | Permission::OrganizationDelete
        | Permission::AuditRead => None,
    }
}

/// An application of a project that the actor has access to.
#[derive(Debug, Clone)]
pub(crate) struct ApplicationScope {
    id: ApplicationId,
    project: ProjectScope,
}

impl OrganizationScope {
    /// A scope without a membership check.
    #[cfg(test)]
    pub(crate) const fn for_test(id: OrganizationId) -> Self {
        Self { id, role: Role::Viewer, permission: Permission::Read }
    }

    pub(crate) const fn id(&self) -> OrganizationId {
        self.id
    }

    /// The actor's role in the organization.
    pub(crate) const fn role(&self) -> Role {
        self.role
    }
}

impl ProjectScope {
    /// A scope without a membership check.
    #[cfg(test)]
    pub(crate) fn for_test(id: ProjectId) -> Self {
        Self {
            id,
            organization: uuid::Uuid::nil().into(),
            key_prefix: KeyPrefix::default(),
            grant: Grant::Member(Role::Viewer),
            permission: Permission::Read,
        }
    }

    pub(crate) const fn id(&self) -> ProjectId {
        self.id
    }

    pub(crate) const fn organization(&self) -> OrganizationId {
        self.organization
    }

    pub(crate) const fn key_prefix(&self) -> &KeyPrefix {
        &self.key_prefix
    }

    /// Checks another permission in the same project.
    ///
    /// # Errors
    /// `Forbidden`, or `InsufficientScope` for a service key.
    pub(crate) fn require(&self, permission: Permission) -> Result<(), Error> {
        self.grant.require(permission)
    }
}

impl ApplicationScope {
    pub(crate) const fn id(&self) -> ApplicationId {
        self.id
    }

    pub(crate) const fn project(&self) -> &ProjectScope {
        &self.project
    }

    pub(crate) const fn project_mut(&mut self) -> &mut ProjectScope {
        &mut self.project
    }
}

#[derive(FromQueryResult)]
struct ProjectRow {
    project_id: ProjectId,
    organization_id: OrganizationId,
    role: Option<Role>,
    key_prefix: KeyPrefix,
}

/// The organization, if the actor is a member with `permission`.
///
/// # Errors
/// `NotFound` if the actor is not a member, `Forbidden` if their role lacks the permission.
pub(crate) async fn organization(
    services: &Services,
    actor: &Actor,
    id: OrganizationId,
    permission: Permission,
) -> Result<OrganizationScope, Error> {
    let person = match &actor.who {
        Who::Person(person) => person,
        Who::ServiceKey(key) => return Err(not_for(services, key, id).await?),
    };
    let query = membership::Entity::find_by_id((id, person.user()));
    let row = primary::one(services.database.reader(), &query).await?.ok_or(Error::NotFound)?;
    let role = membership::Model::from_query_result(&row, "")?.role;
    allow(role, permission)?;
    Ok(OrganizationScope { id, role, permission })
}

/// The project, if the actor may act in it with `permission`.
///
/// # Errors
/// As [`organization()`], and `InsufficientScope` for a service key without the permission.
pub(crate) async fn project(
    services: &Services,
    actor: &Actor,
    id: ProjectId,
    permission: Permission,
) -> Result<ProjectScope, Error> {
    let query = project::Entity::find().filter(project::Column::Id.eq(id));
    find_project(services, actor, query, permission).await
}

/// The application, if the actor may act in its project with `permission`.
///
/// # Errors
/// As [`project()`].
pub(crate) async fn application(
    services: &Services,
    actor: &Actor,
    id: ApplicationId,
    permission: Permission,
) -> Result<ApplicationScope, Error> {
    let query = project::Entity::find()
        .join(JoinType::InnerJoin, project::Relation::Application.def())
        .filter(application::Column::Id.eq(id))
        .filter(application::Column::DeletedAt.is_null());
    let project = find_project(services, actor, query, permission).await?;
    Ok(ApplicationScope { id, project })
}

/// A key as a request path names it. A path for inference keys matches no other kind.
#[derive(Debug, Clone, Copy)]
pub struct KeyRef {
    pub(crate) id: KeyId,
    kind: Option<KeyKind>,
}

impl KeyRef {
    /// Matches the key only if it is an inference key.
    pub const fn inference(id: KeyId) -> Self {
        Self { id, kind: Some(KeyKind::Inference) }
    }
}

impl From<KeyId> for KeyRef {
    fn from(id: KeyId) -> Self {
        Self { id, kind: None }
    }
}

/// The project of a key, if the actor may act in it with `permission`.
///
/// # Errors
/// As [`project()`].
pub(crate) async fn project_of_key(
    services: &Services,
    actor: &Actor,
    named: KeyRef,
    permission: Permission,
) -> Result<ProjectScope, Error> {
    let mut query = project::Entity::find()
        .join(JoinType::InnerJoin, project::Relation::Key.def())
        .filter(key::Column::Id.eq(named.id));
    if let Some(kind) = named.kind {
        query = query.filter(key::Column::Kind.eq(kind));
    }
    find_project(services, actor, query, permission).await
}

/// The project that `query` selects, if the actor may act in it with `permission`.
async fn find_project(
    services: &Services,
    actor: &Actor,
    query: Select<project::Entity>,
    permission: Permission,
) -> Result<ProjectScope, Error> {
    let query = query
        .filter(project::Column::DeletedAt.is_null())
        .select_only()
        .column_as(project::Column::Id, "project_id")
        .column(project::Column::OrganizationId)
        .column(project::Column::KeyPrefix);
    let query = match &actor.who {
        Who::Person(person) => query
            .column(membership::Column::Role)
            .join(JoinType::InnerJoin, project::Relation::Organization.def())
            .join(JoinType::InnerJoin, organization::Relation::Membership.def())
            .filter(membership::Column::UserId.eq(person.user())),
        Who::ServiceKey(_) => query,
    };
    let row = primary::one(services.database.reader(), &query);
    let row = match &actor.who {
        // Authentication has just queried the session under the lookup limiter.
        Who::Person(_) => row.await?,
        Who::ServiceKey(key) => {
            services
                .checker
                .lookup_limiter
                .of(LookupCaller::Organization(key.organization), row)
                .await?
        }
    };
    let row = ProjectRow::from_query_result(&row.ok_or(Error::NotFound)?, "")?;
    let grant = match &actor.who {
        Who::Person(_) => Grant::Member(row.role.ok_or(Error::NotFound)?),
        Who::ServiceKey(key) if key.project == row.project_id => {
            Grant::ServiceKey(key.permissions().to_vec())
        }
        Who::ServiceKey(key) => return Err(not_for(services, key, row.organization_id).await?),
    };
    grant.require(permission)?;
    let ProjectRow { project_id: id, organization_id: organization, key_prefix, .. } = row;
    Ok(ProjectScope { id, organization, key_prefix, grant, permission })
}

/// The error for a service key outside its project. A service key may learn only about its own
/// organization; anything else is `NotFound`.
async fn not_for(
    services: &Services,
    key: &KeyRecord,
    organization: OrganizationId,
) -> Result<Error, Error> {
    let own = project::Entity::find_by_id(key.project)
        .filter(project::Column::OrganizationId.eq(organization))
        .one(services.database.reader())
        .await?;
    Ok(if own.is_some() { Error::Forbidden(NOT_FOR_SERVICE_KEYS) } else { Error::NotFound })
}

pub(crate) fn allow(role: Role, permission: Permission) -> Result<(), Error> {
    if role.allows(permission) {
        return Ok(());
    }
    Err(Error::Forbidden(match permission {
        Permission::Read | Permission::KeysRead | Permission::UsageRead => {
            "Your role can’t see this."
        }
        Permission::KeysWrite => {
            "Your role can view keys, not change them. An owner or admin can change it."
        }
        Permission::ServiceKeysWrite => "Only owners and admins can change service keys.",
        Permission::KeysImport => "Only owners and admins can import keys.",
        Permission::KeysExport => "Only owners and admins can export keys.",
        Permission::KeysVerify => "Your role can view keys, not check them.",
        Permission::ApplicationsWrite => {
            "Your role can view applications, not change them. An owner or admin can change it."
        }
        Permission::ProjectsWrite => "Only owners and admins can change projects.",
        Permission::MembersWrite => "Only owners and admins can change members.",
        Permission::OwnersWrite => "Only owners can make, change or remove owners.",
        Permission::OrganizationWrite => "Only owners and admins can change the organization.",
        Permission::OrganizationDelete => "Only owners can delete the organization.",
        Permission::AuditRead => "Only owners and admins can see the audit log.",
    }))
}
