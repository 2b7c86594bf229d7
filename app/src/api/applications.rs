//! Applications.

use latchkey_domain::api::{
    Application, ApplicationContext, ApplicationPatch, ApplicationRequest, Page,
};
use latchkey_domain::id::{ApplicationId, ProjectId};

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::server_function::server_function;

server_function! {
    #[endpoint(
        "applications/list",
        summary = "List the applications of a project",
        refuses = [NotFound],
    )]
    pub async fn list_applications(
        /// Project that the call is about.
        project_id: ProjectId,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    ) -> Page<Application> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::applications::list(&services, &actor, project_id, page(cursor)).await?)
    }
}

server_function! {
    #[endpoint(
        "applications/get",
        summary = "Get an application with its project and organization",
        refuses = [NotFound],
    )]
    pub async fn get_application(
        /// Application that the call is about.
        application_id: ApplicationId,
    ) -> ApplicationContext {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::applications::context(&services, &actor, application_id).await?)
    }
}

server_function! {
    #[endpoint(
        "applications/create",
        summary = "Create an application",
        refuses = [Forbidden, NotFound],
    )]
    pub async fn create_application(
        /// Project that the call is about.
        project_id: ProjectId,
        /// What it shall be.
        request: ApplicationRequest,
    ) -> Application {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::applications::create(&services, &actor, project_id, request, None)
            .await?)
    }
}

server_function! {
    #[endpoint(
        "applications/change",
        summary = "Update an application’s name, description or environment",
        refuses = [Forbidden, NotFound],
    )]
    pub async fn update_application(
        /// Application that the call is about.
        application_id: ApplicationId,
        /// Fields to update; omitted fields are left unchanged.
        patch: ApplicationPatch,
    ) -> Application {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::applications::change(&services, &actor, application_id, patch).await?)
    }
}

server_function! {
    #[endpoint(
        "applications/delete",
        summary = "Delete an application and revoke the keys restricted to it",
        refuses = [Forbidden, NotFound],
    )]
    pub async fn delete_application(
        /// Application that the call is about.
        application_id: ApplicationId,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::applications::delete(&services, &actor, application_id).await?)
    }
}
