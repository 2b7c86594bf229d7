//! A search field. It searches a moment after the user stops typing.

use std::time::Duration;

use latchkey_domain::query::QueryText;
use leptos::html;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use super::shortcut::on_shortcut;

/// Pause in typing before the search starts.
const PAUSE: Duration = Duration::from_millis(250);

/// The field. Enter searches at once.
#[component]
pub fn Search(
    /// What is searched, for screen readers.
    label: &'static str,
    /// What may be typed.
    placeholder: &'static str,
    /// What is searched for now.
    #[prop(into)]
    value: Signal<String>,
    /// Called with what a person has typed, without spaces around it.
    #[prop(into)]
    on_search: Callback<String>,
    /// Whether `/` focuses this field.
    #[prop(optional)]
    shortcut: bool,
) -> impl IntoView {
    let text = RwSignal::new(value.get_untracked());
    // Ignore the value that this field has set itself: the user may have typed more since.
    let searched = StoredValue::new(text.get_untracked());
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let field = NodeRef::<html::Input>::new();
    let search = move || {
        let q = text.get_untracked().trim().to_owned();
        searched.set_value(q.clone());
        on_search.run(q);
    };
    let stop = move || {
        if let Some(timer) = timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
    };
    let typed = move |value: String| {
        text.set(value);
        stop();
        timer.set_value(set_timeout_with_handle(search, PAUSE).ok());
    };
    on_cleanup(stop);
    Effect::new(move || {
        let q = value.get();
        if searched.with_value(|searched| *searched != q) {
            stop();
            searched.set_value(q.clone());
            text.set(q);
        }
    });
    if shortcut {
        on_shortcut("/", move || super::focus(field.get_untracked().map(Into::into)));
    }
    view! {
        <div class="field-focus flex h-8 max-w-72 min-w-44 grow basis-44 items-center gap-2 rounded-sm border border-control bg-surface px-2.5 max-md:h-11 max-md:max-w-none max-md:basis-full">
            <Icon glyph=Glyph::Search class="text-ink-3"/>
            <input
                type="search"
                class="h-full min-w-0 grow appearance-none bg-transparent text-table outline-none max-md:text-[1rem] [&::-webkit-search-cancel-button]:hidden"
                aria-label=label
                aria-keyshortcuts=shortcut.then_some("/")
                placeholder=placeholder
                autocomplete="off"
                spellcheck="false"
                maxlength=QueryText::MAX_CHARACTERS.to_string()
                prop:value=text
                on:input:target=move |event| typed(event.target().value())
                on:keydown=move |event| {
                    if event.key() == "Enter" {
                        stop();
                        search();
                    }
                }
                node_ref=field
            />
            {shortcut
                .then(|| {
                    view! {
                        <kbd class="rounded-xs border border-line-strong px-1 font-mono text-micro text-ink-3 max-md:hidden" aria-hidden="true">
                            "/"
                        </kbd>
                    }
                })}
        </div>
    }
}
