//! Code in several languages, one tab each. The browser remembers which one was chosen.

use gloo_storage::{LocalStorage, Storage};
use leptos::prelude::*;

use super::button::IconButton;
use super::clipboard::Copier;
use super::icon::Glyph;
use super::snippets::{CodeTone, Language, Snippet, highlight};
use super::tabs::{Tab, TabList, tab_id};

/// The tab with the line for a `.env` file.
const ENV: &str = ".env";

/// Programs with a tab each, and a button that copies the one in sight.
#[component]
pub fn CodeTabs(
    /// What the ids of the tabs and of the panel begin with.
    id: &'static str,
    /// The programs; the first is shown unless another was chosen before.
    snippets: Vec<Snippet>,
    /// The line for a `.env` file, for narrow screens: wide ones show it above the tabs. It may
    /// hold a secret: it is read when it is shown and kept nowhere.
    #[prop(optional, into)]
    env_line: Option<Signal<String>>,
) -> impl IntoView {
    let chosen = RwSignal::new(remembered(&snippets));
    let copier = Copier::new();
    let tabs = env_line
        .map(|_| Tab { label: ENV, class: "md:hidden" })
        .into_iter()
        .chain(snippets.iter().map(|snippet| Tab::new(snippet.language.label())))
        .collect();
    let snippets = StoredValue::new(snippets);
    let choose = move |label| {
        chosen.set(label);
        remember(label);
    };
    let copy = move |()| {
        let text = match env_line.filter(|_| chosen.get_untracked() == ENV) {
            Some(line) => line.get_untracked(),
            None => snippets.with_value(|all| find(all, chosen.get_untracked()).code.clone()),
        };
        copier.copy(text);
    };
    view! {
        <div class="overflow-hidden rounded-md border border-line bg-code-bg">
            <div class="flex items-center border-b border-line px-1">
                <TabList id label="Language" tabs chosen on_choose=choose/>
                <p class="ml-auto pr-1 text-caption text-ink-2" role="status">{move || copier.words()}</p>
                <IconButton glyph=Glyph::Copy label="Copy the code" tooltip="Copy" on_press=copy/>
            </div>
            <div
                id=format!("{id}-panel")
                role="tabpanel"
                tabindex="0"
                aria-labelledby=move || tab_id(id, chosen.get())
                class="max-h-80 overflow-auto p-3.5"
            >
                <pre class="font-mono text-code text-ink">
                    <code node_ref=copier.shown>
                        {move || match env_line.filter(|_| chosen.get() == ENV) {
                            Some(line) => view! { <EnvLine line/> }.into_any(),
                            None => snippets.with_value(|all| coloured(find(all, chosen.get()))).into_any(),
                        }}
                    </code>
                </pre>
            </div>
        </div>
    }
}

/// A line for a `.env` file, its value set off from its name.
#[component]
pub fn EnvLine(
    /// Line of the form `NAME=value`.
    line: Signal<String>,
) -> impl IntoView {
    let part = move |value: bool| {
        let text = line.get();
        let at = text.find('=').map_or(text.len(), |at| at + 1);
        if value { text[at..].to_owned() } else { text[..at].to_owned() }
    };
    view! {
        {move || part(false)}
        <span class="text-code-str">{move || part(true)}</span>
    }
}

/// The snippet of that tab; there is always one, as the tabs are made from the snippets.
fn find<'a>(snippets: &'a [Snippet], label: &str) -> &'a Snippet {
    let found = snippets.iter().find(|snippet| snippet.language.label() == label);
    found.unwrap_or(&snippets[0])
}

fn coloured(snippet: &Snippet) -> impl IntoView + use<> {
    let piece = |(tone, text): (CodeTone, &str)| {
        let colour = match tone {
            CodeTone::Keyword => "text-code-key",
            CodeTone::Text => "text-code-str",
            CodeTone::Comment => "text-code-dim",
            CodeTone::Plain => return text.to_owned().into_any(),
        };
        view! { <span class=colour>{text.to_owned()}</span> }.into_any()
    };
    highlight(snippet).into_iter().map(piece).collect_view()
}

const REMEMBERED_AS: &str = "latchkey.language";

/// The tab chosen last, if `snippets` has it, else the first.
fn remembered(snippets: &[Snippet]) -> &'static str {
    let stored = || LocalStorage::raw().get_item(REMEMBERED_AS).ok().flatten();
    let before = if is_server() { None } else { stored() };
    let there = |language: &Language| snippets.iter().any(|snippet| snippet.language == *language);
    let before = before.and_then(|label| Language::from_label(&label)).filter(there);
    before.unwrap_or(snippets[0].language).label()
}

fn remember(label: &str) {
    if Language::from_label(label).is_some() {
        // If storage is full or forbidden, the choice is just not remembered.
        _ = LocalStorage::raw().set_item(REMEMBERED_AS, label);
    }
}
