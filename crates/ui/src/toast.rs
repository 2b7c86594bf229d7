//! Short messages about the result of an action.
//!
//! A success disappears after five seconds, unless the pointer or the focus is on it. A failure
//! stays until it is closed. A modal dialog makes the rest of the page inert, so each dialog has a
//! region of its own, which shows the messages while it is open.

use std::time::Duration;

use leptos::html;
use leptos::prelude::*;

use super::button::IconButton;
use super::icon::{Glyph, Icon};

const SHOWN_FOR: Duration = Duration::from_secs(5);
const MAX_SHOWN: usize = 3;

/// What a person can do about a message, e.g. “Retry”.
#[derive(Clone, Copy)]
pub struct ToastAction {
    label: &'static str,
    run: Callback<()>,
}

impl ToastAction {
    /// An action of that label.
    pub fn new(label: &'static str, run: impl Fn() + Send + Sync + 'static) -> Self {
        Self { label, run: Callback::new(move |()| run()) }
    }
}

#[derive(Clone)]
struct Toast {
    id: u32,
    text: String,
    /// The icon of a success; a failure has its own.
    glyph: Option<Glyph>,
    action: Option<ToastAction>,
}

/// The messages of the page, from `expect_context::<Toasts>()`.
#[derive(Clone, Copy)]
pub struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    /// The regions on the page. The newest shows the messages.
    regions: RwSignal<Vec<u32>>,
    last_id: StoredValue<u32>,
}

impl Toasts {
    /// Makes the messages available to everything below the calling component.
    pub fn provide() {
        provide_context(Self {
            shown: RwSignal::new(Vec::new()),
            regions: RwSignal::new(Vec::new()),
            last_id: StoredValue::new(0),
        });
    }

    /// Shows that something worked.
    pub fn success(self, text: impl Into<String>) {
        self.show(text.into(), Some(Glyph::CircleCheck), None);
    }

    /// Shows what was done, with the icon of that action, and how to undo it.
    pub fn done(self, text: impl Into<String>, glyph: Glyph, undo: ToastAction) {
        self.show(text.into(), Some(glyph), Some(undo));
    }

    /// Shows that something failed, and what can be done about it.
    pub fn failure(self, text: impl Into<String>, action: Option<ToastAction>) {
        self.show(text.into(), None, action);
    }

    /// Shows that something is failing, until the returned value is dropped.
    #[must_use = "the message is closed when this is dropped"]
    pub fn persistent(
        self,
        text: impl Into<String>,
        action: Option<ToastAction>,
    ) -> PersistentToast {
        PersistentToast { toasts: self, id: self.show(text.into(), None, action) }
    }

    /// A repeated failure replaces the earlier message.
    fn show(self, text: String, glyph: Option<Glyph>, action: Option<ToastAction>) -> u32 {
        let id = self.next_id();
        self.shown.update(|shown| {
            shown.retain(|toast| !(glyph.is_none() && toast.glyph.is_none() && toast.text == text));
            if shown.len() == MAX_SHOWN {
                shown.remove(0);
            }
            shown.push(Toast { id, text, glyph, action });
        });
        id
    }

    fn close(self, id: u32) {
        self.shown.update(|shown| shown.retain(|toast| toast.id != id));
    }

    fn next_id(self) -> u32 {
        let id = self.last_id.get_value().wrapping_add(1);
        self.last_id.set_value(id);
        id
    }

    /// A region for as long as the calling component is there; the answer is what it shows.
    fn in_new_region(self) -> Signal<Vec<Toast>> {
        let region = self.next_id();
        self.regions.update(|regions| regions.push(region));
        on_cleanup(move || self.regions.update(|regions| regions.retain(|other| *other != region)));
        Signal::derive(move || {
            let is_newest = self.regions.with(|regions| regions.last() == Some(&region));
            if is_newest { self.shown.get() } else { Vec::new() }
        })
    }
}

/// A message that is shown for as long as this is kept.
pub struct PersistentToast {
    toasts: Toasts,
    id: u32,
}

impl Drop for PersistentToast {
    fn drop(&mut self) {
        self.toasts.close(self.id);
    }
}

/// Where the messages are shown, above everything: bottom right, on phones below the top bar.
#[component]
pub fn ToastRegion() -> impl IntoView {
    let toasts = expect_context::<Toasts>();
    let shown = toasts.in_new_region();
    let element = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        let Some(element) = element.get() else { return };
        // Browsers without popover support show it too, but below positioned elements.
        _ = if shown.with(Vec::is_empty) { element.hide_popover() } else { element.show_popover() };
    });
    view! {
        <div
            popover="manual"
            class="pointer-events-none fixed inset-auto right-4 bottom-4 z-50 flex w-[340px] max-w-[calc(100vw-2rem)] flex-col gap-2 overflow-visible bg-transparent max-md:top-16 max-md:bottom-auto max-md:left-4 max-md:mx-auto"
            node_ref=element
        >
            <For each=move || shown.get() key=|toast| toast.id let(toast)>
                <ToastCard toasts toast/>
            </For>
        </div>
    }
}

#[component]
fn ToastCard(toasts: Toasts, toast: Toast) -> impl IntoView {
    let Toast { id, text, glyph, action } = toast;
    let held = RwSignal::new(false);
    let failed = glyph.is_none();
    if !failed {
        close_when_over(toasts, id, held);
    }
    let (glyph, colour) = match glyph {
        None => (Glyph::CircleX, "text-danger-ink"),
        Some(Glyph::CircleCheck) => (Glyph::CircleCheck, "text-ok-ink"),
        Some(glyph) => (glyph, "text-ink-3"),
    };
    view! {
        <div
            role=if failed { "alert" } else { "status" }
            class="pointer-events-auto flex min-h-11 animate-fade-in items-center gap-2.5 rounded-md bg-raised py-1.5 pr-1.5 pl-3.5 text-table text-ink shadow-menu"
            on:mouseenter=move |_| held.set(true)
            on:mouseleave=move |_| held.set(false)
            on:focusin=move |_| held.set(true)
            on:focusout=move |_| held.set(false)
        >
            <Icon glyph class=colour/>
            <span class="min-w-0 grow break-words">{text}</span>
            {action
                .map(|action| {
                    view! {
                        <button
                            type="button"
                            class="cursor-pointer rounded-sm px-2 py-1 font-medium text-accent-ink hover:bg-hover max-md:min-h-11"
                            on:click=move |_| {
                                toasts.close(id);
                                action.run.run(());
                            }
                        >
                            {action.label}
                        </button>
                    }
                })}
            <IconButton glyph=Glyph::X label="Close message" on_press=move |()| toasts.close(id)/>
        </div>
    }
}

/// Closes the message after its time, which starts again when it is no longer held.
fn close_when_over(toasts: Toasts, id: u32, held: RwSignal<bool>) {
    Effect::new(move |_| {
        if held.get() {
            return;
        }
        if let Ok(timer) = set_timeout_with_handle(move || toasts.close(id), SHOWN_FOR) {
            on_cleanup(move || timer.clear());
        }
    });
}
