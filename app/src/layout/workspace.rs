//! The signed-in user, their organizations and their projects, which the layout shows on every
//! page.

use std::collections::HashMap;

use latchkey_domain::api::{Application, Me, Organization, Project};
use latchkey_domain::id::{ApplicationId, OrganizationId, ProjectId};
use latchkey_domain::role::Permission;
use latchkey_domain::slug;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::paths::{PathId, each_id, project_of};
use crate::api::{ApiError, get_me, list_projects};

/// User, organizations and projects that were loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceData {
    /// The signed-in user.
    pub me: Me,
    /// The projects of all their organizations.
    pub projects: Vec<Project>,
}

/// What was loaded, and which project the page is about; from `expect_context::<Workspace>()`.
#[derive(Clone, Copy)]
pub struct Workspace {
    data: LocalResource<Result<WorkspaceData, ApiError>>,
    project: Memo<Option<ProjectId>>,
    /// What the applications are called that pages have met.
    applications: RwSignal<HashMap<ApplicationId, String>>,
}

impl Workspace {
    pub(super) fn provide() -> Self {
        let path = use_location().pathname;
        let project = Memo::new(move |_| path.with(|path| project_of(path)));
        let applications = RwSignal::new(HashMap::new());
        let workspace = Self { data: LocalResource::new(load), project, applications };
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

    /// Loads it again, for example after a key was created.
    pub fn reload(self) {
        self.data.refetch();
    }

    /// Leaves an organization out that the person has just left or deleted, before it is loaded
    /// again.
    pub fn forget(self, organization: OrganizationId) {
        self.change(|data| {
            data.me.organizations.retain(|it| it.id != organization);
            data.projects.retain(|project| project.organization_id != organization);
        });
        self.reload();
    }

    /// The id of the project that the page is about, tracked.
    pub fn project_id(self) -> Option<ProjectId> {
        self.project.get()
    }

    /// The project that the navigation links to: the page's, or the first; tracked.
    pub fn project_to_navigate(self) -> Option<Project> {
        self.project().or_else(|| self.with(|data| data.projects.first().cloned()).flatten())
    }

    /// The project that the page is about, tracked.
    pub fn project(self) -> Option<Project> {
        let id = self.project.get()?;
        self.with(|data| data.projects.iter().find(|project| project.id == id).cloned()).flatten()
    }

    /// The organization of that project, tracked.
    pub fn organization(self) -> Option<Organization> {
        self.organization_of(self.project()?.organization_id)
    }

    /// The organization of that id, if the person is in it; tracked.
    pub fn organization_of(self, id: OrganizationId) -> Option<Organization> {
        self.with(|data| data.me.organizations.iter().find(|it| it.id == id).cloned()).flatten()
    }

    /// Whether the person may do that in the organization that the page is about, tracked.
    pub fn allows(self, permission: Permission) -> bool {
        self.organization().is_some_and(|organization| organization.allows(permission))
    }

    /// The path with what its things are called now, as far as that is known; tracked.
    pub fn address(self, path: &str) -> String {
        each_id(path, |id| {
            let name = match id {
                PathId::Project(id) => {
                    let named = |data: &WorkspaceData| {
                        let project = data.projects.iter().find(|project| project.id == id)?;
                        Some(project.name.clone())
                    };
                    self.with(named).flatten()
                }
                PathId::Application(id) => self.applications.with(|names| names.get(&id).cloned()),
            };
            name.map(|name| slug::segment(&name, id))
        })
    }

    /// Remembers the name of an application, for its URL.
    pub fn remember_name(self, application: &Application) {
        let Application { id, name, .. } = application;
        if self.applications.with_untracked(|names| names.get(id) != Some(name)) {
            self.applications.update(|names| _ = names.insert(*id, name.clone()));
        }
    }

    /// Adds or replaces a project that was created or updated here, in the order of the server:
    /// newest first.
    pub fn put_project(self, project: Project) {
        self.change(|WorkspaceData { projects, .. }| {
            if let Some(place) = projects.iter_mut().find(|it| it.id == project.id) {
                *place = project;
                return;
            }
            let is_sibling = |it: &Project| it.organization_id == project.organization_id;
            let place = projects.iter().position(is_sibling).unwrap_or(projects.len());
            projects.insert(place, project);
        });
    }

    /// Removes a project that was deleted here.
    pub fn remove_project(self, id: ProjectId) {
        self.change(|data| data.projects.retain(|project| project.id != id));
    }

    /// Adds or replaces an organization that was created or updated here.
    pub fn put_organization(self, organization: Organization) {
        self.change(|data| {
            let all = &mut data.me.organizations;
            match all.iter_mut().find(|it| it.id == organization.id) {
                Some(place) => *place = organization,
                None => all.push(organization),
            }
        });
    }

    fn change(self, change: impl FnOnce(&mut WorkspaceData)) {
        self.data.update(|data| {
            if let Some(Ok(data)) = data {
                change(data);
            }
        });
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
