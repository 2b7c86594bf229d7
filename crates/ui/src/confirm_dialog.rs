//! The question before something that can't be undone.

use leptos::prelude::*;

use super::button::{Button, Variant};
use super::dialog::{Dialog, DialogWidth};
use super::icon::Glyph;

/// A dialog with two buttons: Cancel, which has the focus, and the action.
#[component]
pub fn ConfirmDialog(
    /// The question.
    #[prop(into)]
    title: Signal<String>,
    /// Label of the button that does it.
    action: &'static str,
    /// Label of the button while it is busy.
    busy_label: &'static str,
    /// Icon of the button.
    #[prop(optional, into)]
    glyph: Option<Glyph>,
    /// Whether it is under way: then nothing closes the dialog.
    #[prop(into)]
    busy: Signal<bool>,
    /// Whether it can't be done yet.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Whether a click beside the dialog would lose what was typed.
    #[prop(optional, into)]
    dirty: Signal<bool>,
    /// Whether it is shown above another dialog.
    #[prop(optional)]
    nested: bool,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
    /// Called to do it.
    #[prop(into)]
    on_confirm: Callback<()>,
    /// The consequences.
    children: Children,
) -> impl IntoView {
    let buttons = move || {
        let confirm = match glyph {
            Some(glyph) => view! {
                <Button variant=Variant::Danger glyph busy busy_label disabled on_press=on_confirm>{action}</Button>
            }
            .into_any(),
            None => view! {
                <Button variant=Variant::Danger busy busy_label disabled on_press=on_confirm>{action}</Button>
            }
            .into_any(),
        };
        view! {
            <Button autofocus=true disabled=busy on_press=on_close>"Cancel"</Button>
            {confirm}
        }
    };
    view! {
        <Dialog
            title
            width=DialogWidth::Confirm
            confirm=true
            nested
            busy
            dirty
            on_close
            footer=buttons
        >
            {children()}
        </Dialog>
    }
}
