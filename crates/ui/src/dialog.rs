//! Dialogs.
//!
//! The browser's own `<dialog>` does the hard part: it is in the top layer, makes the rest of the
//! page inert and keeps focus inside. What it leaves to us is here: asking before it closes, where
//! focus starts, and where it returns when the element that opened the dialog is gone.

use std::cell::RefCell;
use std::time::Duration;

use leptos::children::ViewFnOnce;
use leptos::ev::{Event, KeyboardEvent, MouseEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::button::IconButton;
use super::icon::Glyph;
use super::toast::ToastRegion;

/// How wide a dialog is, where there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DialogWidth {
    /// 460 px, for confirmations.
    Confirm,
    /// 520 px, for forms.
    #[default]
    Form,
    /// 620, for a created key and for the limit.
    Large,
}

impl DialogWidth {
    const fn class(self) -> &'static str {
        match self {
            Self::Confirm => "md:max-w-dialog-sm",
            Self::Form => "md:max-w-dialog",
            Self::Large => "md:max-w-dialog-lg",
        }
    }
}

const DIALOG: &str = "fixed inset-0 m-auto max-h-none w-full max-w-none overflow-hidden bg-raised text-ink \
    max-md:h-dvh max-md:animate-sheet-in md:h-fit md:max-h-[calc(100dvh-4rem)] md:animate-dialog-in \
    md:rounded-xl md:shadow-dialog";

/// A modal dialog, shown for as long as it is mounted: `<Show when=open><Dialog …/></Show>`.
///
/// Focus starts at the element with `autofocus`, or else at the first field. Below 768 px it is a
/// sheet.
#[component]
pub fn Dialog(
    /// What it is about; its heading.
    #[prop(into)]
    title: Signal<String>,
    /// A person wants to close it: ×, Esc or a click beside it. The owner decides.
    #[prop(into)]
    on_close: Callback<()>,
    /// How wide it is.
    #[prop(optional)]
    width: DialogWidth,
    /// Whether it is saving: then nothing closes it.
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// Whether a click beside it would lose what was typed: then that doesn't close it.
    #[prop(optional, into)]
    dirty: Signal<bool>,
    /// Whether it asks before something that can't be undone.
    #[prop(optional)]
    confirm: bool,
    /// Whether it is shown above another dialog, which it dims.
    #[prop(optional)]
    nested: bool,
    /// Shown at the right of the heading.
    #[prop(optional, into)]
    aside: Option<ViewFnOnce>,
    /// Makes it a form, which calls this when it is submitted.
    #[prop(optional, into)]
    on_submit: Option<Callback<()>>,
    /// The buttons: cancel left of the action.
    #[prop(into)]
    footer: ViewFnOnce,
    /// Content of the dialog.
    children: Children,
) -> impl IntoView {
    let element = NodeRef::<html::Dialog>::new();
    let about = if nested { "nested-dialog" } else { "dialog" };
    let close = move || {
        if !busy.get_untracked() {
            on_close.run(());
        }
    };
    open_while_mounted(element);
    view! {
        <dialog
            class=format!(
                "{DIALOG} {} {}",
                width.class(),
                if nested { "backdrop:bg-scrim/60" } else { "backdrop:bg-scrim" },
            )
            role=if confirm { "alertdialog" } else { "dialog" }
            aria-modal="true"
            aria-labelledby=format!("{about}-title")
            aria-describedby=confirm.then(|| format!("{about}-body"))
            node_ref=element
            on:cancel=move |event: Event| {
                event.prevent_default();
                close();
            }
            on:close=move |_| reopen(element)
            on:keydown=move |event| {
                close_on_escape(&event, close);
                keep_focus_inside(&event, element);
            }
            on:mousedown=move |event| {
                if is_beside(&event) && !dirty.get_untracked() {
                    event.prevent_default();
                    close();
                }
            }
        >
            <Panel on_submit busy>
                <header class="flex min-h-[46px] shrink-0 items-center gap-3 px-5 pt-3.5 max-md:min-h-14 max-md:border-b max-md:border-line max-md:px-4 max-md:py-1">
                    <h2 id=format!("{about}-title") class="min-w-0 grow text-heading font-semibold">{title}</h2>
                    {aside.map(ViewFnOnce::run)}
                    {(!confirm)
                        .then(|| {
                            view! { <IconButton glyph=Glyph::X label="Close" class="-mr-1 max-md:-mr-2.5 max-md:[&_svg]:size-5" on_press=move |()| close()/> }
                        })}
                </header>
                <div id=format!("{about}-body") class="min-h-0 grow overflow-y-auto px-5 pt-3 pb-5 text-table max-md:px-4 max-md:pt-5">
                    {children()}
                </div>
                <footer class="flex min-h-15 shrink-0 items-center justify-end gap-2 border-t border-line bg-footer px-5 py-3 max-md:flex-wrap max-md:p-4 max-md:[&_button]:grow max-md:[&_button]:basis-0">
                    {footer.run()}
                </footer>
            </Panel>
            <ToastRegion/>
        </dialog>
    }
}

/// What fills the dialog: a form if it can be submitted.
#[component]
fn Panel(on_submit: Option<Callback<()>>, busy: Signal<bool>, children: Children) -> impl IntoView {
    let class = "flex h-full max-h-[inherit] flex-col";
    let Some(on_submit) = on_submit else {
        return view! { <div class=class>{children()}</div> }.into_any();
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if !busy.get_untracked() {
            on_submit.run(());
        }
    };
    view! { <form method="post" novalidate class=class on:submit=submit>{children()}</form> }
        .into_any()
}

fn close_on_escape(event: &KeyboardEvent, close: impl Fn()) {
    if event.key() == "Escape" {
        event.prevent_default();
        event.stop_propagation();
        close();
    }
}

/// The browser lets focus go on from the last element to its own bars; here it starts again at the
/// first.
fn keep_focus_inside(event: &KeyboardEvent, element: NodeRef<html::Dialog>) {
    let Some(dialog) = element.get_untracked() else { return };
    if event.key() != "Tab" {
        return;
    }
    let stops = tab_stops(&dialog);
    let (leaves_at, goes_to) = if event.shift_key() {
        (stops.first(), stops.last())
    } else {
        (stops.last(), stops.first())
    };
    if document().active_element().as_ref() == leaves_at.map(AsRef::as_ref) {
        event.prevent_default();
        event.stop_propagation();
        super::focus(goes_to.cloned().map(Into::into));
    }
}

/// What Tab stops at, in order.
fn tab_stops(dialog: &Element) -> Vec<HtmlElement> {
    let Ok(found) =
        dialog.query_selector_all("a[href], button, input, select, textarea, [tabindex]")
    else {
        return Vec::new();
    };
    let found =
        (0..found.length()).filter_map(|index| found.item(index)?.dyn_into::<HtmlElement>().ok());
    // Disabled and hidden elements can't take focus.
    found
        .filter(|it| it.tab_index() >= 0 && !it.has_attribute("disabled") && it.offset_width() > 0)
        .collect()
}

/// Whether the press hit the scrim, which belongs to the dialog's element and to nothing in it.
fn is_beside(event: &MouseEvent) -> bool {
    let dialog = event.current_target().and_then(|target| target.dyn_into::<Element>().ok());
    if event.target().as_ref() != event.current_target().as_ref() {
        return false;
    }
    dialog.is_some_and(|dialog| {
        let area = dialog.get_bounding_client_rect();
        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
        x < area.left() || x > area.right() || y < area.top() || y > area.bottom()
    })
}

/// A browser may close a dialog without asking, say on a second “back” gesture. If its owner
/// still shows it, it stays.
fn reopen(element: NodeRef<html::Dialog>) {
    if let Some(dialog) = element.get_untracked()
        && dialog.is_connected()
        && !dialog.open()
    {
        _ = dialog.show_modal();
    }
}

thread_local! {
    /// Where focus goes back to once no dialog is left. One that takes another's place inherits it.
    static OPENER: RefCell<Option<Element>> = const { RefCell::new(None) };
    /// What focus stays with, or leaves for the heading. Whatever was followed before is not any
    /// more: it would take focus back from what came after it.
    static FOLLOWED: RefCell<Option<Element>> = const { RefCell::new(None) };
}

fn open_while_mounted(element: NodeRef<html::Dialog>) {
    Effect::new(move |_| {
        let Some(dialog) = element.get() else { return };
        let opener = OPENER.take().or_else(|| document().active_element());
        _ = dialog.show_modal();
        if dialog.query_selector("[autofocus]").ok().flatten().is_none() {
            super::focus(dialog.query_selector("input, select, textarea").ok().flatten());
        }
        let opener = StoredValue::new_local(opener);
        on_cleanup(move || {
            OPENER.set(opener.try_get_value().flatten());
            request_animation_frame(return_focus);
        });
    });
}

fn return_focus() {
    let Some(opener) = OPENER.take() else { return };
    if opener.is_connected() && opener.tag_name() != "BODY" {
        super::focus(Some(opener.clone()));
        follow(opener);
    } else {
        focus_heading();
    }
}

/// Looks after the focus when something without a dialog may take away the very button that started
/// it.
pub fn keep_focus() {
    if let Some(button) = document().active_element() {
        follow(button);
    }
}

/// What the dialog did may take the opener away a moment later, as when the first key turns the
/// empty state into a list. Looks for that a few times, until focus has moved on.
fn follow(opener: Element) {
    FOLLOWED.set(Some(opener.clone()));
    look_after(opener, 20);
}

fn look_after(opener: Element, looks: u8) {
    let look = move || {
        if FOLLOWED.with_borrow(|followed| followed.as_ref() != Some(&opener)) {
            return;
        }
        let active = document().active_element();
        if !opener.is_connected() {
            if active.is_none_or(|active| active.tag_name() == "BODY") {
                focus_heading();
            }
        } else if active
            .as_ref()
            .is_none_or(|active| *active == opener || active.tag_name() == "BODY")
            && looks > 0
        {
            // A row that moved in its list was detached for a moment.
            if active.as_ref() != Some(&opener) {
                super::focus(Some(opener.clone()));
            }
            look_after(opener, looks - 1);
        }
    };
    set_timeout(look, Duration::from_millis(250));
}

fn focus_heading() {
    super::focus(document().query_selector("h1").ok().flatten());
}
