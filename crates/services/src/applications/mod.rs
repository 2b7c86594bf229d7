//! Applications of a project.

mod write;

pub(crate) use write::insert;
pub use write::{change, create, delete};

use latchkey_domain::api::{Application, ApplicationContext, Page};
use latchkey_domain::id::{ApplicationId, ProjectId};
use latchkey_domain::role::Permission;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::actor::Actor;
use crate::error::Error;
use crate::page::{PageRequest, id_cursor};
use crate::scope::{self, ApplicationScope};
use crate::services::Services;
use crate::{organizations, projects};
use latchkey_store::entity::application;

fn to_application(row: application::Model) -> Application {
    let application::Model { id, project_id, name, description, environment, .. } = row;
    Application { id, project_id, name, description, environment }
}

/// The applications of a project, newest first.
///
/// # Errors
/// `NotFound` if the actor has no access, `Invalid` for a malformed cursor.
pub async fn list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    page: PageRequest,
) -> Result<Page<Application>, Error> {
    let scope = scope::project(services, actor, project, Permission::Read).await?;
    let mut query = application::Entity::find()
        .filter(application::Column::ProjectId.eq(scope.id()))
        .filter(application::Column::DeletedAt.is_null())
        .order_by_desc(application::Column::Id)
        .limit(page.rows());
    if let Some(after) = page.after_id::<ApplicationId>()? {
        query = query.filter(application::Column::Id.lt(after));
    }
    let rows = page.page(query.all(services.database.reader()).await?, |last| id_cursor(last.id));
    Ok(rows.map(to_application))
}

/// One application.
///
/// # Errors
/// `NotFound` if the actor has no access.
pub async fn get(
    services: &Services,
    actor: &Actor,
    id: ApplicationId,
) -> Result<Application, Error> {
    let scope = scope::application(services, actor, id, Permission::Read).await?;
    Ok(to_application(in_scope(services, &scope).await?))
}

/// One application with its project and organization, for its page.
///
/// # Errors
/// `NotFound` if the actor has no access.
pub async fn context(
    services: &Services,
    actor: &Actor,
    id: ApplicationId,
) -> Result<ApplicationContext, Error> {
    let scope = scope::application(services, actor, id, Permission::Read).await?;
    let application = to_application(in_scope(services, &scope).await?);
    let project = projects::in_scope(services, scope.project()).await?;
    let organization = organizations::get(services, actor, project.organization_id).await?;
    Ok(ApplicationContext { application, project, organization })
}

async fn in_scope(
    services: &Services,
    scope: &ApplicationScope,
) -> Result<application::Model, Error> {
    application::Entity::find_by_id(scope.id())
        .one(services.database.reader())
        .await?
        .ok_or(Error::NotFound)
}
