//! Projects.

use latchkey_domain::api::{Page, Project, ProjectPatch, ProjectRequest};
use latchkey_domain::id::{OrganizationId, ProjectId};

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::server_function::server_function;

server_function! {
    #[endpoint("projects/list", summary = "List the projects of an organization", refuses = [NotFound])]
    pub async fn list_projects(
        /// Organization that the call is about.
        organization_id: OrganizationId,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    ) -> Page<Project> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::projects::list(&services, &actor, organization_id, page(cursor)).await?)
    }
}

server_function! {
    #[endpoint(
        "projects/create",
        summary = "Create a project",
        refuses = [Forbidden, NotFound, LimitReached],
    )]
    pub async fn create_project(
        /// Organization that the call is about.
        organization_id: OrganizationId,
        /// What it shall be.
        request: ProjectRequest,
    ) -> Project {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::projects::create(&services, &actor, organization_id, request, None)
            .await?)
    }
}

server_function! {
    #[endpoint(
        "projects/change",
        summary = "Update a project’s name, key prefix or limits",
        refuses = [Forbidden, NotFound],
    )]
    pub async fn update_project(
        /// Project that the call is about.
        project_id: ProjectId,
        /// Fields to update; omitted fields are left unchanged.
        patch: ProjectPatch,
    ) -> Project {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::projects::change(&services, &actor, project_id, patch).await?)
    }
}

server_function! {
    #[endpoint(
        "projects/delete",
        summary = "Delete a project with its contents and revoke its keys",
        refuses = [Forbidden, NotFound],
    )]
    pub async fn delete_project(
        /// Project that the call is about.
        project_id: ProjectId,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::projects::delete(&services, &actor, project_id).await?)
    }
}
