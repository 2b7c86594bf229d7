//! The navigation of small screens: a panel from the left, over the page.

use leptos::html;
use leptos::prelude::*;

use super::nav_variant::NavVariant;
use super::sidebar::Navigation;
use super::use_bare_path;
use latchkey_ui::button::IconButton;
use latchkey_ui::icon::Glyph;
use latchkey_ui::mark::Wordmark;
use latchkey_ui::toast::ToastRegion;

/// The drawer. It closes when the page changes.
#[component]
pub(super) fn Drawer(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    let element = NodeRef::<html::Dialog>::new();
    let place = use_bare_path();
    Effect::new(move |_| {
        // Read, not only tracked: a memo that nobody has read follows nothing.
        place.with(|_| ());
        open.set(false);
    });
    Effect::new(move |_| {
        let Some(dialog) = element.get() else { return };
        if open.get() && !dialog.open() {
            _ = dialog.show_modal();
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    view! {
        <dialog
            class="fixed inset-y-0 left-0 m-0 h-dvh max-h-none w-76 max-w-[85vw] flex-col bg-sidebar px-3 pb-4 text-ink backdrop:bg-scrim open:flex"
            aria-label="Navigation"
            node_ref=element
            on:close=move |_| open.set(false)
            on:click=move |event| {
                let width = element.get_untracked().map_or(0, |dialog| dialog.offset_width());
                if event.target() == event.current_target() && event.client_x() > width {
                    open.set(false);
                }
            }
        >
            <div class="flex h-13 shrink-0 items-center justify-between px-1">
                <Wordmark/>
                <IconButton glyph=Glyph::X label="Close navigation" class="-mr-2 max-md:[&_svg]:size-5" on_press=move |()| open.set(false)/>
            </div>
            <Show when=move || open.get()>
                <nav aria-label="Project" class="flex min-h-0 grow flex-col">
                    <Navigation variant=NavVariant::Drawer/>
                </nav>
                <ToastRegion/>
            </Show>
        </dialog>
    }
}
