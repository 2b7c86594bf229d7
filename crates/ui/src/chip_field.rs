//! A field for a short list of words. Each becomes a chip.

use leptos::ev::KeyboardEvent;
use leptos::html::Input;
use leptos::prelude::*;

use super::field::HintOrError;
use super::icon::{Glyph, Icon};

/// A labelled list of words. Enter adds what is typed, Backspace in the empty field takes the last
/// word out, and each chip has a button.
#[component]
pub fn ChipField(
    /// Its id and its name in the form.
    name: &'static str,
    /// The label above it, in the plural.
    label: &'static str,
    /// The words so far.
    chips: RwSignal<Vec<String>>,
    /// What is being typed.
    text: RwSignal<String>,
    /// Called when what is typed is to become a chip. It empties `text`, or sets `error`.
    #[prop(into)]
    on_add: Callback<()>,
    /// What is worth knowing, below it; an error takes its place.
    #[prop(into)]
    hint: MaybeProp<String>,
    /// What is wrong.
    #[prop(into)]
    error: Signal<Option<String>>,
    /// An example of a word.
    placeholder: &'static str,
    /// The most characters of a word.
    maxlength: u32,
    /// What adds a word beside Enter, because no word contains it.
    #[prop(optional)]
    separators: &'static [&'static str],
) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let bad = move || error.with(Option::is_some);
    let about = format!("{name}-about");
    let remove = Callback::new(move |word: String| {
        chips.update(|chips| chips.retain(|other| *other != word));
        super::focus(input.get_untracked().map(Into::into));
    });
    let is_empty = move || text.with_untracked(|text| text.trim().is_empty());
    let on_key = move |event: KeyboardEvent| {
        let key = event.key();
        let adds = key == "Enter" || separators.contains(&key.as_str());
        // Enter belongs to an input method that composes; in an empty field it sends the form.
        if adds && !event.is_composing() && !is_empty() {
            event.prevent_default();
            on_add.run(());
        } else if key == "Backspace" && text.with_untracked(String::is_empty) {
            chips.update(|chips| _ = chips.pop());
        }
    };
    let leave = move |_| {
        if !is_empty() {
            on_add.run(());
        }
    };
    view! {
        <div class="flex flex-col gap-1.5">
            <label for=name class="text-table font-medium">{label}</label>
            <div
                class="field-focus flex min-h-9 flex-wrap items-center gap-1 rounded-sm border bg-surface px-1.5 py-1 transition-colors duration-[120ms] max-md:min-h-11"
                class:border-danger=bad
                class:border-control=move || !bad()
            >
                <ul class="contents" aria-label=label>
                    <For each=move || chips.get() key=String::clone let(word)>
                        <Chip word on_remove=remove/>
                    </For>
                </ul>
                <input
                    id=name
                    name=name
                    type="text"
                    class="h-6 min-w-24 grow basis-24 bg-transparent px-1 text-table outline-none max-md:h-9 max-md:text-[1rem]"
                    autocomplete="off"
                    autocapitalize="none"
                    spellcheck="false"
                    placeholder=move || chips.with(Vec::is_empty).then_some(placeholder)
                    maxlength=maxlength.to_string()
                    aria-invalid=move || bad().then_some("true")
                    aria-describedby=about.clone()
                    prop:value=text
                    on:input:target=move |event| text.set(event.target().value())
                    on:keydown=on_key
                    on:blur=leave
                    node_ref=input
                />
            </div>
            <div id=about class="text-caption"><HintOrError hint error/></div>
            <p class="sr-only" role="status">{move || spoken(&chips.get())}</p>
        </div>
    }
}

#[component]
fn Chip(word: String, on_remove: Callback<String>) -> impl IntoView {
    let label = format!("Remove {word}");
    let shown = word.clone();
    let title = word.clone();
    view! {
        <li class="inline-flex h-6 max-w-full min-w-0 items-center rounded-xs border border-line bg-subtle pl-1.5 font-mono text-[11.5px] leading-4 text-ink-2 max-md:h-9">
            <span class="min-w-0 truncate" title=title>{shown}</span>
            <button
                type="button"
                class="inline-flex size-6 shrink-0 cursor-pointer items-center justify-center rounded-xs text-ink-3 hover:text-ink max-md:size-9"
                aria-label=label
                on:click=move |_| on_remove.run(word.clone())
            >
                <Icon glyph=Glyph::X size=12/>
            </button>
        </li>
    }
}

/// What screen readers hear when the list changes.
fn spoken(words: &[String]) -> String {
    match words {
        [] => String::new(),
        words => format!("{} in the list: {}", words.len(), words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_are_spoken_with_their_number() {
        assert_eq!(spoken(&[]), "");
        assert_eq!(spoken(&["beta".into(), "eu".into()]), "2 in the list: beta, eu");
    }
}
