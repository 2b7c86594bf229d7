//! The section of a project's settings for moving in and out: what imported keys look like, and the
//! files that keys come and go in.

mod dialog;
mod export;
mod form;
mod row_errors;
mod shapes;

use latchkey_domain::id::ProjectId;
use latchkey_domain::import::{KeyShapeList, ListedKeyShape};
use latchkey_domain::role::Permission;
use leptos::prelude::*;

use self::dialog::ImportDialog;
use self::export::ExportButton;
use self::shapes::KeyShapes;
use super::SettingsSubject;
use crate::api::ApiError;
use crate::data::bearer::get_json;
use crate::data::polled_query::PolledQuery;
use crate::layout::Workspace;
use crate::pages::audit::people::People;
use latchkey_ui::button::{Button, Size};
use latchkey_ui::icon::Glyph;

/// Section with the key shapes. Users who may import or export have buttons for that.
#[component]
pub fn MovingSection(
    /// What the page is about.
    subject: Signal<SettingsSubject>,
) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let (project, organization) =
        subject.with_untracked(|subject| (subject.project.id, subject.organization.id));
    let may =
        move |permission| Memo::new(move |_| subject.with(|it| it.organization.allows(permission)));
    let (may_import, may_export) = (may(Permission::KeysImport), may(Permission::KeysExport));
    let shapes = PolledQuery::slow(move || list_shapes(project));
    let people = People::of(organization);
    let importing = RwSignal::new(false);
    let imported = move |()| {
        shapes.retry();
        // The imported keys take slots.
        workspace.reload();
    };
    view! {
        <section aria-labelledby="moving-title">
            <div class="mb-3 flex min-h-7 flex-wrap items-center justify-between gap-3">
                <h2 id="moving-title" class="text-heading font-semibold">"Import and export"</h2>
                <div class="flex flex-wrap gap-2">
                    <Show when=move || may_import.get()>
                        <Button size=Size::Compact glyph=Glyph::Plus on_press=move |()| importing.set(true)>
                            "Import keys…"
                        </Button>
                    </Show>
                    <Show when=move || may_export.get()>
                        <ExportButton project/>
                    </Show>
                </div>
            </div>
            <p class="mb-3 text-table text-ink-2">
                "Keys of another system go on working when they are imported. Text is looked up as such a key only if it has one of these shapes. "
                "An export has everything that is stored of each key, and never a secret."
            </p>
            <KeyShapes shapes people/>
            <Show when=move || !may_import.get()>
                <p class="mt-3 text-table text-ink-2">"An owner or admin can import and export keys."</p>
            </Show>
            <Show when=move || importing.get()>
                <ImportDialog project on_imported=imported on_close=move |()| importing.set(false)/>
            </Show>
        </section>
    }
}

/// All shapes of the project, oldest first.
async fn list_shapes(project: ProjectId) -> Result<Vec<ListedKeyShape>, ApiError> {
    let path = format!("/v1/projects/{project}/key-shapes");
    Ok(get_json::<KeyShapeList>(&path).await?.data)
}
