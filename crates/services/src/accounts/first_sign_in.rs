//! Workspace of a new person: an organization with a project and an application, so that nobody
//! starts with an empty product.

use latchkey_domain::api::{ApplicationRequest, ProjectRequest};
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::UserId;
use latchkey_domain::name::{Description, Name};
use latchkey_domain::secret::KeyPrefix;
use sea_orm::DatabaseTransaction;

use crate::audit::{self, By, Changes, Event};
use crate::error::Error;
use crate::services::Services;
use crate::{applications, organizations, projects};

/// Creates an organization named after `owner`, with a first project and a first application.
pub(super) async fn create_workspace(
    services: &Services,
    transaction: &DatabaseTransaction,
    owner: UserId,
    by: &By,
    name: &str,
) -> Result<(), Error> {
    let corrupt = |_| Error::corrupt("first names");
    // GitHub allows longer names, and characters that `Name` doesn't.
    let short: String = name.chars().take(Name::MAX_CHARACTERS).collect();
    let name: Name = match short.parse() {
        Ok(name) => name,
        Err(_) => "My organization".parse().map_err(corrupt)?,
    };
    let organization = organizations::insert(services, transaction, owner, &name).await?;
    let project = ProjectRequest {
        name: "My project".parse().map_err(corrupt)?,
        key_prefix: KeyPrefix::default(),
    };
    let project_id = projects::insert(services, transaction, organization.id, &project).await?;
    let application = ApplicationRequest {
        name: "My application".parse().map_err(corrupt)?,
        description: Description::default(),
        environment: latchkey_domain::api::ApplicationEnvironment::default(),
    };
    let application = applications::insert(services, transaction, project_id, &application).await?;
    let made = [
        (
            AuditAction::OrganizationCreated,
            TargetKind::Organization,
            organization.id.to_string(),
            organization.name.as_str(),
        ),
        (
            AuditAction::ProjectCreated,
            TargetKind::Project,
            project_id.to_string(),
            project.name.as_str(),
        ),
        (
            AuditAction::ApplicationCreated,
            TargetKind::Application,
            application.id.to_string(),
            application.name.as_str(),
        ),
    ];
    for (action, kind, id, name) in made {
        let event = Event { action, kind, id, name, changes: Changes::default() };
        audit::record(services, transaction, organization.id, by, event).await?;
    }
    Ok(())
}
