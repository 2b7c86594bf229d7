//! Whose limits a section shows.

use latchkey_domain::api::{BudgetState, KeyDefaults};
use latchkey_domain::role::Permission;

use super::super::SettingsSubject;
use crate::components::budget_form::budgets_of;

/// Whose limits they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitsOf {
    /// Of the project, over all its keys.
    Project,
    /// Of the organization, over all its keys.
    Organization,
    /// What the project gives new keys.
    NewKeys,
}

impl LimitsOf {
    /// The limits now. Those of a project or an organization name no models and addresses.
    pub(super) fn limits(self, subject: &SettingsSubject) -> KeyDefaults {
        let SettingsSubject { project, organization } = subject;
        let level = |rpm, tpm, max_parallel, budgets: &[BudgetState]| KeyDefaults {
            rpm,
            tpm,
            max_parallel,
            budgets: budgets_of(budgets),
            ..KeyDefaults::default()
        };
        match self {
            Self::Project => {
                level(project.rpm, project.tpm, project.max_parallel, &project.budgets)
            }
            Self::Organization => level(
                organization.rpm,
                organization.tpm,
                organization.max_parallel,
                &organization.budgets,
            ),
            Self::NewKeys => project.key_defaults.clone(),
        }
    }

    /// What is used of the budgets.
    pub(super) fn states(self, subject: &SettingsSubject) -> Vec<BudgetState> {
        match self {
            Self::Project => subject.project.budgets.clone(),
            Self::Organization => subject.organization.budgets.clone(),
            Self::NewKeys => Vec::new(),
        }
    }

    pub(super) const fn permission(self) -> Permission {
        match self {
            Self::Project | Self::NewKeys => Permission::ProjectsWrite,
            Self::Organization => Permission::OrganizationWrite,
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Project | Self::Organization => "Limits over all keys",
            Self::NewKeys => "Defaults of new keys",
        }
    }

    /// The title within a sentence.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Project | Self::Organization => "limits over all keys",
            Self::NewKeys => "defaults of new keys",
        }
    }

    pub(super) const fn title_id(self) -> &'static str {
        match self {
            Self::Project | Self::Organization => "all-keys-title",
            Self::NewKeys => "new-keys-title",
        }
    }

    pub(super) const fn about(self) -> &'static str {
        match self {
            Self::Project => {
                "Live and test keys of the project share them. A call has to fit its key, the \
                 project and the organization."
            }
            Self::Organization => {
                "Live and test keys of all projects share them. A call has to fit its key, its \
                 project and the organization."
            }
            Self::NewKeys => {
                "New keys start with these limits. Each can be changed or cleared when a key is \
                 created."
            }
        }
    }
}
