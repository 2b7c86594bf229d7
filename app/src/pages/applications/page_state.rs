//! The state of the page with a project's applications.

use latchkey_domain::api::Application;
use latchkey_domain::id::ProjectId;
use leptos::prelude::*;

use super::delete::Deletion;
use super::usage::ApplicationsUsage;
use crate::data::paged_list::PagedList;

/// The list, and which dialog about it is open.
#[derive(Clone, Copy)]
pub struct ApplicationsPageState {
    pub(super) project: ProjectId,
    pub(super) list: PagedList<Application>,
    pub(super) usage: ApplicationsUsage,
    pub(super) creating: RwSignal<bool>,
    pub(super) editing: RwSignal<Option<Application>>,
    pub(super) deletion: Deletion,
    /// Whether the user may create, change and delete applications.
    pub(super) may_write: Memo<bool>,
}
