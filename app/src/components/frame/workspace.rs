//! The person, their organizations and their projects: what the frame shows on every page.

use latchkey_domain::api::{Me, Organization, Project};
use latchkey_domain::id::{ApplicationId, OrganizationId, ProjectId};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::api::{ApiError, get_me, list_projects};

/// Where a project's applications are.
pub fn applications_path(project: ProjectId) -> String {
    format!("/projects/{project}/applications")
}

/// Where an application is.
pub fn application_path(project: ProjectId, application: ApplicationId) -> String {
    format!("/projects/{project}/applications/{application}")
}

/// Where a project's API keys are.
pub fn api_keys_path(project: ProjectId) -> String {
    format!("/projects/{project}/keys")
}

/// Where the plan of a project's organization is.
pub fn plan_path(project: ProjectId) -> String {
    format!("/projects/{project}/settings/plan")
}

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceData {
    /// The person.
    pub me: Me,
    /// The projects of all their organizations.
    pub projects: Vec<Project>,
}

/// What was loaded, and which project the page is about; from `expect_context::<Workspace>()`.
#[derive(Clone, Copy)]
pub struct Workspace {
    data: LocalResource<Result<WorkspaceData, ApiError>>,
    project: Memo<Option<ProjectId>>,
}

impl Workspace {
    pub(super) fn provide() -> Self {
        let path = use_location().pathname;
        let project = Memo::new(move |_| path.with(|path| project_of(path)));
        let workspace = Self { data: LocalResource::new(load), project };
        provide_context(workspace);
        workspace
    }

    /// Reads what was loaded, tracked; `None` until it is there.
    pub fn with<T>(self, read: impl FnOnce(&WorkspaceData) -> T) -> Option<T> {
        self.data.with(|data| data.as_ref()?.as_ref().ok().map(read))
    }

    /// Why it could not be loaded, tracked.
    pub fn error(self) -> Option<ApiError> {
        self.data.with(|data| data.as_ref()?.as_ref().err().cloned())
    }

    /// Whether the first answer is still on its way, tracked.
    pub fn is_loading(self) -> bool {
        self.data.with(Option::is_none)
    }

    /// Whether it is there, tracked.
    pub fn is_loaded(self) -> bool {
        self.data.with(|data| matches!(data, Some(Ok(_))))
    }

    /// Whether it is there, untracked.
    pub fn is_loaded_untracked(self) -> bool {
        self.data.with_untracked(|data| matches!(data, Some(Ok(_))))
    }

    /// Loads it again, say after a key was made.
    pub fn reload(self) {
        self.data.refetch();
    }

    /// Leaves an organization out that the person has just left or deleted, before it is loaded again.
    pub fn forget(self, organization: OrganizationId) {
        self.data.update(|data| {
            if let Some(Ok(data)) = data {
                data.me.organizations.retain(|it| it.id != organization);
                data.projects.retain(|project| project.organization_id != organization);
            }
        });
        self.reload();
    }

    /// The id of the project that the page is about, tracked.
    pub fn project_id(self) -> Option<ProjectId> {
        self.project.get()
    }

    /// The project that the page is about, tracked.
    pub fn project(self) -> Option<Project> {
        let id = self.project.get()?;
        self.with(|data| data.projects.iter().find(|project| project.id == id).cloned()).flatten()
    }

    /// The organization of that project, tracked.
    pub fn organization(self) -> Option<Organization> {
        let id = self.project()?.organization_id;
        self.with(|data| data.me.organizations.iter().find(|it| it.id == id).cloned()).flatten()
    }
}

async fn load() -> Result<WorkspaceData, ApiError> {
    let me = get_me().await?;
    let mut projects = Vec::new();
    for organization in &me.organizations {
        let mut cursor = None;
        loop {
            let page = list_projects(organization.id, cursor).await?;
            projects.extend(page.data);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(WorkspaceData { me, projects })
}

/// The project that a path is about.
fn project_of(path: &str) -> Option<ProjectId> {
    path.strip_prefix("/projects/")?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_project() {
        let id = "prj_01kc3f1m6ze1tvyqnz0rg5bqfa";
        let project = project_of(&format!("/projects/{id}/applications")).unwrap();
        assert_eq!(applications_path(project), format!("/projects/{id}/applications"));
        assert_eq!(project_of("/projects/nonsense/applications"), None);
        assert_eq!(project_of("/"), None);
    }
}
