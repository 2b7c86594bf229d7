//! Deleting an organization: what goes with it, its name once more, then the deed.

use latchkey_domain::api::Project;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::super::Subject;
use crate::api::delete_organization;
use crate::components::button::{Button, Variant};
use crate::components::dialog::{Dialog, DialogWidth};
use crate::components::field::TextField;
use crate::components::form::{Refusal, Sending};
use crate::components::frame::Workspace;
use crate::components::icon::{Glyph, Icon};
use crate::components::thousands;
use crate::components::toast::Toasts;

/// The dialog.
#[component]
pub fn DeleteOrganization(
    /// Which organization.
    subject: Signal<Subject>,
    /// Closes the dialog.
    #[prop(into)]
    on_close: Callback<()>,
) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let toasts = expect_context::<Toasts>();
    let navigate = use_navigate();
    let go_home = Callback::new(move |()| navigate("/", NavigateOptions::default()));
    // What is being deleted stays what it was when the dialog opened.
    let (id, name) = subject
        .with_untracked(|subject| (subject.organization.id, subject.organization.name.clone()));
    let typed = RwSignal::new(String::new());
    let sending = Sending::new();
    let busy = sending.busy;
    let wanted = StoredValue::new(name.clone());
    let differs =
        Signal::derive(move || typed.with(|text| wanted.with_value(|name| text.trim() != name)));
    let delete = move |()| {
        sending.begin();
        leptos::task::spawn_local(async move {
            match delete_organization(id).await {
                Ok(()) => {
                    toasts.success("Organization deleted");
                    workspace.forget(id);
                    _ = go_home.try_run(());
                }
                Err(error) => {
                    let failed =
                        "Couldn’t delete the organization. Nothing was changed. Try again.";
                    sending.fail(&error, failed, &[]);
                    workspace.reload();
                }
            }
        });
    };
    let title = format!("Delete {name}?");
    let goes = move || {
        let all = workspace.with(|data| {
            let own = data.projects.iter().filter(|project| project.organization_id == id);
            what_goes(own)
        });
        all.unwrap_or_default()
    };
    view! {
        <Dialog
            title
            width=DialogWidth::Confirm
            confirm=true
            busy
            dirty=Signal::derive(move || !typed.with(String::is_empty))
            on_close
            footer=move || {
                view! {
                    <Button autofocus=true disabled=busy on_press=on_close>"Cancel"</Button>
                    <Button
                        variant=Variant::Danger
                        glyph=Glyph::Trash2
                        busy
                        busy_label="Deleting…"
                        disabled=differs
                        on_press=delete
                    >
                        "Delete organization"
                    </Button>
                }
            }
        >
            <div class="flex flex-col gap-4">
                <Refusal sending/>
                <ul class="flex flex-col gap-2 text-ink-2">
                    {move || goes().into_iter().map(|(glyph, words)| view! { <Line glyph>{words}</Line> }).collect_view()}
                    <Line glyph=Glyph::Undo2>"Nobody can restore it."</Line>
                </ul>
                <TextField
                    name="confirmation"
                    label="Type the organization’s name to delete it"
                    value=typed
                    hint=name
                />
            </div>
        </Dialog>
    }
}

#[component]
fn Line(glyph: Glyph, children: Children) -> impl IntoView {
    let colour = if glyph == Glyph::Ban { "mt-px text-danger-ink" } else { "mt-px text-ink-3" };
    view! {
        <li class="flex gap-2.5">
            <Icon glyph class=colour/>
            <span>{children()}</span>
        </li>
    }
}

/// What goes with an organization that has these projects.
fn what_goes<'a>(projects: impl Iterator<Item = &'a Project>) -> Vec<(Glyph, String)> {
    let (count, keys) =
        projects.fold((0_u64, 0), |(count, keys), it| (count + 1, keys + it.keys_used));
    let projects = match count {
        0 => "It has no projects.".to_owned(),
        1 => "1 project goes with it, and its applications.".to_owned(),
        count => format!("{} projects go with it, and their applications.", thousands(count)),
    };
    let keys = match keys {
        0 => "All its keys are revoked at once, service keys too.".to_owned(),
        1 => "1 active key is revoked at once, and all service keys.".to_owned(),
        keys => {
            format!("{} active keys are revoked at once, and all service keys.", thousands(keys))
        }
    };
    vec![(Glyph::Boxes, projects), (Glyph::Ban, keys)]
}
