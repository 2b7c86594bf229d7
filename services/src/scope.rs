//! Scopes: proof that an actor may touch a tenant's rows.
//!
//! A scope's fields are private to this module and only [`project`], [`application`] and [`organization`]
//! make one, each with one query that joins the thing with the actor's membership. So a query that takes a
//! scope can't be asked about another tenant's rows, whatever its caller forgot.

use latchkey_domain::id::{ApplicationId, KeyId, OrganizationId, ProjectId};
use latchkey_domain::role::{Permission, Role};
use latchkey_domain::secret::KeyPrefix;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect, RelationDef,
    Select,
};
use uuid::Uuid;

use crate::actor::Actor;
use crate::entity::{application, key, membership, organization, project};
use crate::error::Error;
use crate::services::Services;

/// An organization that the actor is a member of.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationScope {
    id: OrganizationId,
}

/// A project of an organization that the actor is a member of.
#[derive(Debug, Clone)]
pub(crate) struct ProjectScope {
    id: ProjectId,
    key_prefix: KeyPrefix,
}

/// An application of such a project.
#[derive(Debug, Clone)]
pub(crate) struct ApplicationScope {
    id: ApplicationId,
    project: ProjectScope,
}

impl OrganizationScope {
    pub(crate) const fn id(&self) -> OrganizationId {
        self.id
    }
}

impl ProjectScope {
    /// A scope that nobody was asked for.
    #[cfg(test)]
    pub(crate) fn for_test(id: ProjectId) -> Self {
        Self { id, key_prefix: "lk".parse().expect("a prefix") }
    }

    pub(crate) const fn id(&self) -> ProjectId {
        self.id
    }

    pub(crate) const fn key_prefix(&self) -> &KeyPrefix {
        &self.key_prefix
    }
}

impl ApplicationScope {
    pub(crate) const fn id(&self) -> ApplicationId {
        self.id
    }

    pub(crate) const fn project(&self) -> &ProjectScope {
        &self.project
    }
}

#[derive(FromQueryResult)]
struct ProjectRow {
    project_id: Uuid,
    role: String,
    key_prefix: String,
}

impl ProjectRow {
    fn into_scope(self, permission: Permission) -> Result<ProjectScope, Error> {
        allow(&self.role, permission)?;
        Ok(ProjectScope {
            id: self.project_id.into(),
            key_prefix: self.key_prefix.parse().map_err(|_| Error::Corrupt("key prefix"))?,
        })
    }
}

/// The organization, if the actor is a member of it and may do `permission` there.
///
/// # Errors
/// `NotFound` for a stranger, `Forbidden` for a member whose role does not allow it.
pub(crate) async fn organization(
    services: &Services,
    actor: &Actor,
    id: OrganizationId,
    permission: Permission,
) -> Result<OrganizationScope, Error> {
    let row = membership::Entity::find_by_id((id.as_uuid(), actor.user().as_uuid()))
        .one(services.database.reader())
        .await?
        .ok_or(Error::NotFound)?;
    allow(&row.role, permission)?;
    Ok(OrganizationScope { id })
}

/// The project, under the same conditions.
///
/// # Errors
/// As [`organization`].
pub(crate) async fn project(
    services: &Services,
    actor: &Actor,
    id: ProjectId,
    permission: Permission,
) -> Result<ProjectScope, Error> {
    let query = project::Entity::find().filter(project::Column::Id.eq(id.as_uuid()));
    project_row(services, actor, query).await?.into_scope(permission)
}

/// The application, under the same conditions.
///
/// # Errors
/// As [`organization`].
pub(crate) async fn application(
    services: &Services,
    actor: &Actor,
    id: ApplicationId,
    permission: Permission,
) -> Result<ApplicationScope, Error> {
    let query = project::Entity::find()
        .join(JoinType::InnerJoin, applications_of_project())
        .filter(application::Column::Id.eq(id.as_uuid()));
    let project = project_row(services, actor, query).await?.into_scope(permission)?;
    Ok(ApplicationScope { id, project })
}

/// The project that a key is in, under the same conditions.
///
/// # Errors
/// As [`organization`].
pub(crate) async fn project_of_key(
    services: &Services,
    actor: &Actor,
    id: KeyId,
    permission: Permission,
) -> Result<ProjectScope, Error> {
    let query = project::Entity::find()
        .join(JoinType::InnerJoin, keys_of_project())
        .filter(key::Column::Id.eq(id.as_uuid()));
    project_row(services, actor, query).await?.into_scope(permission)
}

async fn project_row(
    services: &Services,
    actor: &Actor,
    query: Select<project::Entity>,
) -> Result<ProjectRow, Error> {
    query
        .select_only()
        .column_as(project::Column::Id, "project_id")
        .column(project::Column::KeyPrefix)
        .column(membership::Column::Role)
        .join(JoinType::InnerJoin, organization_of_project())
        .join(JoinType::InnerJoin, members_of_organization())
        .filter(membership::Column::UserId.eq(actor.user().as_uuid()))
        .into_model::<ProjectRow>()
        .one(services.database.reader())
        .await?
        .ok_or(Error::NotFound)
}

fn allow(role: &str, permission: Permission) -> Result<(), Error> {
    let role = Role::from_name(role).ok_or(Error::Corrupt("role"))?;
    if role.allows(permission) {
        return Ok(());
    }
    Err(Error::Forbidden(match permission {
        Permission::Read => "Your role can’t see this.",
        Permission::KeysWrite => {
            "Your role can view keys, not change them. An owner or admin can change it."
        }
    }))
}

/// `projects` joined with the organization that each is in.
pub(crate) fn organization_of_project() -> RelationDef {
    project::Entity::belongs_to(organization::Entity)
        .from(project::Column::OrganizationId)
        .to(organization::Column::Id)
        .into()
}

/// `organizations` joined with their members.
pub(crate) fn members_of_organization() -> RelationDef {
    organization::Entity::belongs_to(membership::Entity)
        .from(organization::Column::Id)
        .to(membership::Column::OrganizationId)
        .into()
}

fn applications_of_project() -> RelationDef {
    project::Entity::belongs_to(application::Entity)
        .from(project::Column::Id)
        .to(application::Column::ProjectId)
        .into()
}

fn keys_of_project() -> RelationDef {
    project::Entity::belongs_to(key::Entity)
        .from(project::Column::Id)
        .to(key::Column::ProjectId)
        .into()
}
