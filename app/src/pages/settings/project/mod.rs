//! The settings of a project: its ID, its name, its key prefix, its limits, import and export, and
//! its deletion.

pub mod delete;

use latchkey_domain::api::ProjectPatch;
use latchkey_domain::name::Name;
use latchkey_domain::role::Permission;
use latchkey_domain::secret::KeyPrefix;
use leptos::prelude::*;

use self::delete::DeleteProject;
use super::limits::{LimitsOf, LimitsSection};
use super::moving::MovingSection;
use super::{SettingsHead, SettingsPage, SettingsSubject};
use crate::api::update_project;
use crate::components::form::{FormField, Refusal, Submission};
use crate::layout::{PrefixField, Workspace};
use latchkey_ui::button::{Button, IconButton, Variant};
use latchkey_ui::clipboard::Copier;
use latchkey_ui::field::TextField;
use latchkey_ui::icon::Glyph;
use latchkey_ui::table::Card;
use latchkey_ui::toast::Toasts;

/// Name, key prefix, limits, import and export, and deletion of the project.
#[component]
pub fn ProjectPage() -> impl IntoView {
    view! {
        <SettingsPage
            title="Project"
            failed="Couldn’t load the project"
            page=|subject| view! { <Page subject/> }.into_any()
        />
    }
}

#[component]
fn Page(subject: Signal<SettingsSubject>) -> impl IntoView {
    let may_write =
        Memo::new(move |_| subject.with(|it| it.organization.allows(Permission::ProjectsWrite)));
    let description = Signal::derive(move || {
        let name = subject.with(|subject| subject.project.name.clone());
        format!("Name, key prefix, limits and deletion of {name}.")
    });
    view! {
        <SettingsHead title="Project" description/>
        <div class="flex max-w-160 flex-col gap-7">
            <section aria-labelledby="general-title">
                <h2 id="general-title" class="mb-3 text-heading font-semibold">"General"</h2>
                <Card>
                    <div class="flex flex-col gap-5 p-5 max-md:p-4">
                        <IdOfProject subject/>
                        <Show when=move || may_write.get() fallback=move || view! { <Facts subject/> }>
                            <General subject/>
                        </Show>
                    </div>
                </Card>
            </section>
            <LimitsSection subject of=LimitsOf::Project/>
            <LimitsSection subject of=LimitsOf::NewKeys/>
            <MovingSection subject/>
            <section aria-labelledby="danger-title">
                <h2 id="danger-title" class="mb-3 text-heading font-semibold">"Danger zone"</h2>
                <DangerZone subject may_write/>
            </section>
        </div>
    }
}

/// What the API and proxies name the project by.
#[component]
fn IdOfProject(subject: Signal<SettingsSubject>) -> impl IntoView {
    let id = Memo::new(move |_| subject.with(|subject| subject.project.id.to_string()));
    let copier = Copier::new();
    view! {
        <div role="group" aria-label="Project ID">
            <p class="text-table font-medium">"Project ID"</p>
            <div class="flex min-w-0 items-center gap-1">
                <code class="min-w-0 font-mono text-code break-all" node_ref=copier.shown>
                    {move || id.get()}
                </code>
                <IconButton
                    glyph=Glyph::Copy
                    label="Copy the project’s ID"
                    tooltip="Copy"
                    on_press=move |()| copier.copy(id.get_untracked())
                />
                <span class="text-caption text-ink-2" role="status">{move || copier.words()}</span>
            </div>
            <p class="text-caption text-ink-2">"The API and proxies name the project by it."</p>
        </div>
    }
}

/// For users who may not change anything.
#[component]
fn Facts(subject: Signal<SettingsSubject>) -> impl IntoView {
    let fact = |label: &'static str, value: AnyView| {
        view! {
            <div>
                <dt class="text-caption text-ink-3">{label}</dt>
                <dd class="text-table font-medium break-words">{value}</dd>
            </div>
        }
    };
    let name = move || subject.with(|subject| subject.project.name.clone());
    let prefix = move || subject.with(|subject| subject.project.key_prefix.clone());
    view! {
        <dl class="flex flex-col gap-4">
            {fact("Name", name.into_any())}
            {fact("Key prefix", view! { <code class="font-mono text-code">{prefix}</code> }.into_any())}
        </dl>
        <p class="text-table text-ink-2">"An owner or admin can change name and prefix."</p>
    }
}

#[component]
fn General(subject: Signal<SettingsSubject>) -> impl IntoView {
    let (workspace, toasts) = (expect_context::<Workspace>(), expect_context::<Toasts>());
    let project = subject.with_untracked(|subject| subject.project.clone());
    let id = project.id;
    let submission = Submission::new();
    let name = FormField::new(project.name);
    let prefix = FormField::new(project.key_prefix);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if submission.busy.get_untracked() {
            return;
        }
        let filled = (name.parse::<Name>(), prefix.parse::<KeyPrefix>());
        let (Some(called), Some(key_prefix)) = filled else { return submission.show_invalid() };
        let patch = ProjectPatch {
            name: untrack(|| name.is_changed()).then_some(called),
            key_prefix: untrack(|| prefix.is_changed()).then_some(key_prefix),
            ..ProjectPatch::default()
        };
        submission.start();
        leptos::task::spawn_local(async move {
            match update_project(id, patch).await {
                Ok(project) => {
                    submission.succeed();
                    name.mark_saved();
                    prefix.mark_saved();
                    workspace.put_project(project);
                    toasts.success("Project saved");
                }
                Err(error) => {
                    submission.fail(
                        &error,
                        "Couldn’t save the project. Nothing was changed. Try again.",
                        &[("name", name), ("key_prefix", prefix)],
                    );
                    // The project may be deleted, or the user may have lost the permission.
                    workspace.reload();
                }
            }
        });
    };
    let same = Signal::derive(move || !name.is_changed() && !prefix.is_changed());
    view! {
        <form method="post" novalidate class="flex flex-col gap-5" on:submit=submit>
            <Refusal submission/>
            <TextField
                name="project-name"
                label="Name"
                value=name.value
                hint="It is part of the URLs of the project’s pages too. Old links keep working."
                error=name.error
            />
            <PrefixField
                name="project-key-prefix"
                entry=prefix
                note="Only new keys start with it. Existing keys stay as they are."
            />
            <div>
                <Button submit=true busy=submission.busy busy_label="Saving…" disabled=same>"Save changes"</Button>
            </div>
        </form>
    }
}

/// The way to the project's end.
#[component]
fn DangerZone(subject: Signal<SettingsSubject>, may_write: Memo<bool>) -> impl IntoView {
    let deleting = RwSignal::new(false);
    let title = move || format!("Delete {}", subject.with(|subject| subject.project.name.clone()));
    let words = move || {
        if may_write.get() {
            "Its applications and keys are deleted too. Nobody can restore them."
        } else {
            "Only an owner or admin can delete it."
        }
    };
    view! {
        <div class="flex items-center justify-between gap-4 rounded-lg border border-danger-line bg-surface p-5 max-md:flex-col max-md:items-stretch max-md:p-4">
            <div class="min-w-0">
                <h3 class="text-table font-medium break-words">{title}</h3>
                <p class="mt-0.5 text-table text-ink-2">{words}</p>
            </div>
            <Show when=move || may_write.get()>
                <Button variant=Variant::DangerOutline on_press=move |()| deleting.set(true)>
                    "Delete project…"
                </Button>
            </Show>
        </div>
        <Show when=move || deleting.get()>
            <DeleteProject subject on_close=move |()| deleting.set(false)/>
        </Show>
    }
}
