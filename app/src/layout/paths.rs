//! The paths of the pages.
//!
//! Paths made here contain only ids. [`Workspace::address`](super::Workspace::address) adds names
//! for links (docs/decisions/011-slugs.md), and [`bare_path`] removes them again to compare paths.

use latchkey_domain::id::{ApplicationId, KeyId, ProjectId};
use latchkey_domain::slug;

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

/// Where a project's inference keys are.
pub fn inference_keys_path(project: ProjectId) -> String {
    format!("/projects/{project}/inference-keys")
}

/// Where an inference key is.
pub fn inference_key_path(project: ProjectId, key: KeyId) -> String {
    format!("/projects/{project}/inference-keys/{key}")
}

/// Where a project's usage is.
pub fn usage_path(project: ProjectId) -> String {
    format!("/projects/{project}/usage")
}

/// Where the audit log of a project's organization is.
pub fn audit_path(project: ProjectId) -> String {
    format!("/projects/{project}/audit")
}

/// Where the plan of a project's organization is.
pub fn plan_path(project: ProjectId) -> String {
    format!("/projects/{project}/settings/plan")
}

/// The path without the names in it: the same for the same place, whatever its things were called.
pub fn bare_path(path: &str) -> String {
    each_id(path, |id| Some(id.to_string()))
}

/// The project that a path is about.
pub(super) fn project_of(path: &str) -> Option<ProjectId> {
    slug::id_of(path.strip_prefix("/projects/")?.split('/').next()?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathId {
    Project(ProjectId),
    Application(ApplicationId),
}

impl PathId {
    fn of(segment: &str) -> Option<Self> {
        let project = || slug::id_of(segment).map(Self::Project);
        let application = || slug::id_of(segment).map(Self::Application);
        project().or_else(application)
    }
}

impl std::fmt::Display for PathId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Project(id) => id.fmt(f),
            Self::Application(id) => id.fmt(f),
        }
    }
}

/// The path with each part that names a thing rewritten, if `written` knows how.
pub(super) fn each_id(path: &str, written: impl Fn(PathId) -> Option<String>) -> String {
    let swap = |part: &str| PathId::of(part).and_then(&written).unwrap_or_else(|| part.to_owned());
    path.split('/').map(swap).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "prj_01kc3f1m6ze1tvyqnz0rg5bqfa";
    const APPLICATION: &str = "app_01kc3f1m6ze1tvyqnz0rg5bqfb";

    #[test]
    fn a_path_names_its_project() {
        let id: Option<ProjectId> = PROJECT.parse().ok();
        assert_eq!(project_of(&applications_path(id.unwrap())), id);
        assert_eq!(project_of(&format!("/projects/an-old-name-{PROJECT}/keys")), id);
        assert_eq!(project_of("/projects/nonsense/applications"), None);
        assert_eq!(project_of("/"), None);
    }

    #[test]
    fn a_place_is_the_same_whatever_its_things_are_called() {
        let bare = format!("/projects/{PROJECT}/applications/{APPLICATION}");
        for path in
            [bare.clone(), format!("/projects/shop-{PROJECT}/applications/web-2-{APPLICATION}")]
        {
            assert_eq!(bare_path(&path), bare);
        }
        for path in ["/", "/login", "/projects/nonsense/keys", "/settings/sessions"] {
            assert_eq!(bare_path(path), path);
        }
    }
}
