//! What a new person finds: an organization of their own with a project and an application, so that nobody
//! meets an empty product.

use latchkey_domain::api::ApplicationEnvironment;
use latchkey_domain::id::{ApplicationId, OrganizationId, ProjectId, UserId};
use latchkey_domain::role::Role;
use latchkey_domain::secret::KeyPrefix;
use latchkey_domain::tier::Tier;
use sea_orm::{ConnectionTrait, EntityTrait, Set};

use crate::entity::{application, membership, organization, project};
use crate::error::Error;
use crate::services::Services;

/// Makes the organization `name` with `owner`, its first project and that project's first application.
pub(super) async fn create_workspace(
    services: &Services,
    database: &impl ConnectionTrait,
    owner: UserId,
    name: &str,
) -> Result<(), Error> {
    let now = services.clock.now();
    let organization_id = OrganizationId::new(now, services.random.bytes()).as_uuid();
    let project_id = ProjectId::new(now, services.random.bytes()).as_uuid();
    let created_at = Set(now.as_millis());
    let organization = organization::ActiveModel {
        id: Set(organization_id),
        name: Set(name.to_owned()),
        tier: Set(Tier::Free.as_str().to_owned()),
        created_at: created_at.clone(),
    };
    let membership = membership::ActiveModel {
        organization_id: Set(organization_id),
        user_id: Set(owner.as_uuid()),
        role: Set(Role::Owner.as_str().to_owned()),
        created_at: created_at.clone(),
    };
    let project = project::ActiveModel {
        id: Set(project_id),
        organization_id: Set(organization_id),
        name: Set("My project".to_owned()),
        key_prefix: Set(KeyPrefix::default().to_string()),
        created_at: created_at.clone(),
    };
    let application = application::ActiveModel {
        id: Set(ApplicationId::new(now, services.random.bytes()).as_uuid()),
        project_id: Set(project_id),
        name: Set("My application".to_owned()),
        description: Set(String::new()),
        environment: Set(ApplicationEnvironment::Production.as_str().to_owned()),
        created_at,
    };
    organization::Entity::insert(organization).exec_without_returning(database).await?;
    membership::Entity::insert(membership).exec_without_returning(database).await?;
    project::Entity::insert(project).exec_without_returning(database).await?;
    application::Entity::insert(application).exec_without_returning(database).await?;
    Ok(())
}
