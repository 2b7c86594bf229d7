//! Applications.

use latchkey_domain::api::{
    Application, ApplicationContext, ApplicationPatch, ApplicationRequest, Page,
};
use latchkey_domain::id::{ApplicationId, ProjectId};

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::server_function::server_function;

server_function! {
    /// List the applications of a project.
    #[endpoint("applications/list", refuses = [NotFound])]
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
    /// Get an application with its project and organization.
    #[endpoint("applications/get", refuses = [NotFound])]
    pub async fn get_application(
        /// Application that the call is about.
        application_id: ApplicationId,
    ) -> ApplicationContext {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::applications::context(&services, &actor, application_id).await?)
    }
}

server_function! {
    /// Create an application.
    #[endpoint("applications/create", refuses = [Forbidden, NotFound])]
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
    /// Update an application’s name, description or environment.
    #[endpoint("applications/change", refuses = [Forbidden, NotFound])]
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
    /// Delete an application and revoke the keys restricted to it.
    #[endpoint("applications/delete", refuses = [Forbidden, NotFound])]
    pub async fn delete_application(
        /// Application that the call is about.
        application_id: ApplicationId,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::applications::delete(&services, &actor, application_id).await?)
    }
}
