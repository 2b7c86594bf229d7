//! The dialogs that create a project or an organization. They belong to the layout, because the
//! project switcher opens them on any page.

use latchkey_domain::api::{Organization, OrganizationRequest, ProjectRequest};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::name::Name;
use latchkey_domain::secret::KeyPrefix;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::{Workspace, api_keys_path};
use crate::api::{create_organization, create_project};
use crate::components::form::{FormDialog, FormField, Submission};
use latchkey_ui::field::TextField;
use latchkey_ui::toast::Toasts;

/// The create dialog that is open, from `expect_context::<CreateDialogs>()`.
#[derive(Clone, Copy)]
pub struct CreateDialogs(RwSignal<Option<CreateDialog>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CreateDialog {
    ProjectIn(OrganizationId),
    Organization,
}

impl CreateDialogs {
    pub(super) fn provide() {
        provide_context(Self(RwSignal::new(None)));
    }

    /// Opens the dialog that creates a project.
    pub fn project_in(self, organization: OrganizationId) {
        self.0.set(Some(CreateDialog::ProjectIn(organization)));
    }

    /// Opens the dialog that creates an organization.
    pub fn organization(self) {
        self.0.set(Some(CreateDialog::Organization));
    }

    fn close(self) {
        _ = self.0.try_set(None);
    }
}

/// The dialog that is open.
#[component]
pub(super) fn OpenCreateDialog() -> impl IntoView {
    let dialogs = expect_context::<CreateDialogs>();
    let workspace = expect_context::<Workspace>();
    let project = move || {
        let Some(CreateDialog::ProjectIn(id)) = dialogs.0.get() else { return None };
        // Untracked, so that reloading the workspace does not reset the form.
        let organization = untrack(|| workspace.organization_of(id))?;
        Some(view! { <NewProject dialogs organization/> })
    };
    view! {
        {project}
        <Show when=move || dialogs.0.get() == Some(CreateDialog::Organization)>
            <NewOrganization dialogs/>
        </Show>
    }
}

#[component]
fn NewProject(dialogs: CreateDialogs, organization: Organization) -> impl IntoView {
    let (workspace, toasts) = (expect_context::<Workspace>(), expect_context::<Toasts>());
    let navigate = use_navigate();
    let submission = Submission::new();
    let name = FormField::new("");
    let prefix = FormField::new(KeyPrefix::default().as_str());
    let id = organization.id;
    let submit = move |()| {
        let filled = (name.parse::<Name>(), prefix.parse::<KeyPrefix>());
        let (Some(called), Some(key_prefix)) = filled else { return submission.show_invalid() };
        submission.start();
        let navigate = navigate.clone();
        leptos::task::spawn_local(async move {
            let request = ProjectRequest { name: called, key_prefix };
            match create_project(id, request).await {
                Ok(project) => {
                    submission.succeed();
                    let path = api_keys_path(project.id);
                    workspace.put_project(project);
                    dialogs.close();
                    toasts.success("Project created");
                    let address = untrack(|| workspace.address(&path));
                    navigate(&address, NavigateOptions::default());
                }
                Err(error) => submission.fail(
                    &error,
                    "Couldn’t create the project. Nothing was saved. Try again.",
                    &[("name", name), ("key_prefix", prefix)],
                ),
            }
        });
    };
    let inside = format!("in {}", organization.name);
    view! {
        <FormDialog
            title="Create project"
            aside=move || view! { <span class="min-w-0 max-w-[50%] truncate text-caption text-ink-2">{inside}</span> }
            submission
            dirty=Signal::derive(move || name.is_changed() || prefix.is_changed())
            action="Create project"
            busy_label="Creating…"
            on_close=move |()| dialogs.close()
            on_submit=submit
        >
            <TextField name="name" label="Name" value=name.value hint="What your keys give access to, such as an API." error=name.error autofocus=true/>
            <PrefixField name="key-prefix" entry=prefix/>
        </FormDialog>
    }
}

#[component]
fn NewOrganization(dialogs: CreateDialogs) -> impl IntoView {
    let (workspace, toasts) = (expect_context::<Workspace>(), expect_context::<Toasts>());
    let submission = Submission::new();
    let name = FormField::new("");
    let submit = move |()| {
        let Some(called) = name.parse::<Name>() else { return submission.show_invalid() };
        submission.start();
        leptos::task::spawn_local(async move {
            match create_organization(OrganizationRequest { name: called }).await {
                Ok(organization) => {
                    submission.succeed();
                    let id = organization.id;
                    workspace.put_organization(organization);
                    toasts.success("Organization created");
                    dialogs.project_in(id);
                }
                Err(error) => submission.fail(
                    &error,
                    "Couldn’t create the organization. Nothing was saved. Try again.",
                    &[("name", name)],
                ),
            }
        });
    };
    view! {
        <FormDialog
            title="Create organization"
            submission
            dirty=Signal::derive(move || name.is_changed())
            action="Create organization"
            busy_label="Creating…"
            on_close=move |()| dialogs.close()
            on_submit=submit
        >
            <TextField
                name="name"
                label="Name"
                value=name.value
                hint="It holds projects, members and the plan. You become its owner."
                error=name.error
                autofocus=true
            />
        </FormDialog>
    }
}

/// The field for the prefix of a project's new keys, with its rule and an example.
#[component]
pub fn PrefixField(
    /// ID of the form field.
    name: &'static str,
    /// State of the form field.
    entry: FormField,
    /// Whether it can't be changed now.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// What more there is to know.
    #[prop(optional)]
    note: &'static str,
) -> impl IntoView {
    let example = move || {
        let prefix = entry.value.with(|text| text.trim().parse::<KeyPrefix>().ok())?;
        let code = |environment: &str| {
            view! { <code class="font-mono text-[11.5px] text-ink-2">{format!("{prefix}_{environment}_…")}</code> }
        };
        Some(view! { "New keys look like " {code("live")} " or " {code("test")} })
    };
    view! {
        <div class="flex flex-col gap-1.5">
            <TextField
                name
                label="Key prefix"
                value=entry.value
                hint="2 to 16 lower-case letters and digits, starting with a letter."
                error=entry.error
                maxlength=16
                disabled
            />
            <p class="min-h-4 text-caption text-ink-3">{example}</p>
            {(!note.is_empty()).then(|| view! { <p class="text-caption text-ink-3">{note}</p> })}
        </div>
    }
}
