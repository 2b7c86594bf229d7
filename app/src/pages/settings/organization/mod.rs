//! The settings of an organization: its name, and its deletion.

pub mod delete;

use latchkey_domain::api::OrganizationPatch;
use latchkey_domain::name::Name;
use latchkey_domain::role::Permission;
use leptos::prelude::*;

use self::delete::DeleteOrganization;
use super::{SettingsHead, SettingsPage, SettingsSubject};
use crate::api::update_organization;
use crate::components::form::{FormField, Refusal, Submission};
use crate::layout::{About, Workspace};
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::field::TextField;
use latchkey_ui::table::Card;
use latchkey_ui::toast::Toasts;

/// Name and deletion of the organization.
#[component]
pub fn OrganizationPage() -> impl IntoView {
    view! {
        <SettingsPage
            title="Organization"
            about=About::Organization
            failed="Couldn’t load the organization"
            page=|subject| view! { <Page subject/> }.into_any()
        />
    }
}

#[component]
fn Page(subject: Signal<SettingsSubject>) -> impl IntoView {
    let description = Signal::derive(move || {
        format!("Name and deletion of {}.", subject.get().organization.name)
    });
    view! {
        <SettingsHead title="Organization" about=About::Organization description/>
        <div class="flex max-w-160 flex-col gap-7">
            <section aria-labelledby="name-title">
                <h2 id="name-title" class="mb-3 text-heading font-semibold">"Name"</h2>
                <Card>
                    <div class="p-5 max-md:p-4"><Rename subject/></div>
                </Card>
            </section>
            <section aria-labelledby="danger-title">
                <h2 id="danger-title" class="mb-3 text-heading font-semibold">"Danger zone"</h2>
                <DangerZone subject/>
            </section>
        </div>
    }
}

fn may(subject: Signal<SettingsSubject>, permission: Permission) -> Memo<bool> {
    Memo::new(move |_| subject.with(|subject| subject.organization.allows(permission)))
}

#[component]
fn Rename(subject: Signal<SettingsSubject>) -> impl IntoView {
    let may_rename = may(subject, Permission::OrganizationWrite);
    move || {
        if may_rename.get() {
            view! { <RenameForm subject/> }.into_any()
        } else {
            view! {
                <p class="text-table font-medium break-words">
                    {move || subject.with(|subject| subject.organization.name.clone())}
                </p>
                <p class="mt-1 text-table text-ink-2">"An owner or admin can change it."</p>
            }
            .into_any()
        }
    }
}

#[component]
fn RenameForm(subject: Signal<SettingsSubject>) -> impl IntoView {
    let (workspace, toasts) = (expect_context::<Workspace>(), expect_context::<Toasts>());
    let submission = Submission::new();
    let id = subject.with_untracked(|subject| subject.organization.id);
    let name = FormField::new(subject.with_untracked(|subject| subject.organization.name.clone()));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if submission.busy.get_untracked() {
            return;
        }
        let Some(called) = name.parse::<Name>() else { return submission.show_invalid() };
        submission.start();
        leptos::task::spawn_local(async move {
            let patch = OrganizationPatch { name: Some(called), ..OrganizationPatch::default() };
            match update_organization(id, patch).await {
                Ok(organization) => {
                    submission.succeed();
                    toasts.success("Organization renamed");
                    workspace.put_organization(organization);
                }
                Err(error) => {
                    let failed =
                        "Couldn’t rename the organization. Nothing was changed. Try again.";
                    submission.fail(&error, failed, &[("name", name)]);
                    // The organization may be deleted, or the user may have lost the permission.
                    workspace.reload();
                }
            }
        });
    };
    let same = Signal::derive(move || {
        let now = subject.with(|subject| subject.organization.name.clone());
        name.value.with(|text| text.trim() == now)
    });
    view! {
        <form method="post" novalidate class="flex flex-col gap-4" on:submit=submit>
            <Refusal submission/>
            <TextField
                name="organization-name"
                label="Organization name"
                value=name.value
                hint="Members see this name on every page and in the audit log."
                error=name.error
            />
            <div>
                <Button submit=true busy=submission.busy busy_label="Renaming…" disabled=same>"Rename"</Button>
            </div>
        </form>
    }
}

/// The way to the organization's end, for owners.
#[component]
fn DangerZone(subject: Signal<SettingsSubject>) -> impl IntoView {
    let may_delete = may(subject, Permission::OrganizationDelete);
    let deleting = RwSignal::new(false);
    let title =
        move || format!("Delete {}", subject.with(|subject| subject.organization.name.clone()));
    view! {
        <div class="flex items-center justify-between gap-4 rounded-lg border border-danger-line bg-surface p-5 max-md:flex-col max-md:items-stretch max-md:p-4">
            <div class="min-w-0">
                <h3 class="text-table font-medium break-words">{title}</h3>
                <p class="mt-0.5 text-table text-ink-2">
                    {move || {
                        if may_delete.get() {
                            "Its projects, applications and keys are deleted too. Nobody can restore them."
                        } else {
                            "Only an owner can delete it."
                        }
                    }}
                </p>
            </div>
            <Show when=move || may_delete.get()>
                <Button variant=Variant::DangerOutline on_press=move |()| deleting.set(true)>
                    "Delete organization…"
                </Button>
            </Show>
        </div>
        <Show when=move || deleting.get()>
            <DeleteOrganization subject on_close=move |()| deleting.set(false)/>
        </Show>
    }
}
