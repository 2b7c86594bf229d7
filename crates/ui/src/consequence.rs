//! One consequence of an action, in the dialog that confirms it.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// One consequence, in a `<ul>`.
#[component]
pub fn Consequence(
    /// Its icon; what stops working is red.
    glyph: Glyph,
    /// Sentence with the consequence.
    children: Children,
) -> impl IntoView {
    let colour = if glyph == Glyph::Ban { "mt-px text-danger-ink" } else { "mt-px text-ink-3" };
    view! {
        <li class="flex gap-2.5">
            <Icon glyph class=colour/>
            <span>{children()}</span>
        </li>
    }
}
