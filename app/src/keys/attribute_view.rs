//! A key's attributes on a page: in a row, where each leads to the keys that share it, and as a
//! list.

use latchkey_domain::api::{ApiKey, ListedKey};
use latchkey_domain::attribute::{ExternalId, Tag};
use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use super::KeysPageState;
use super::attribute_form::Attributes;
use super::metadata::pretty;
use super::model_chips::{CHIP, chips};
use crate::components::attribute_filter::AttributeFilter;
use crate::layout::{Workspace, api_keys_path, inference_keys_path};
use latchkey_ui::button::IconButton;
use latchkey_ui::clipboard::Copier;
use latchkey_ui::icon::Glyph;
use latchkey_ui::table::EmptyCell;

/// Number of tags in a row. If there are more, the others are counted.
const IN_A_ROW: usize = 2;

const LINK: &str = "inline-flex min-h-6 max-w-40 min-w-0 items-center rounded-xs hover:underline";

/// Tags and external ID of a key in a list, and a button that shows all of its attributes, and the
/// budgets of an API key.
#[component]
pub fn RowAttributes(
    /// Where the key is listed.
    page: KeysPageState,
    /// The key as it is now.
    now: Memo<ListedKey>,
) -> impl IntoView {
    let attributes = Memo::new(move |_| now.with(|now| Attributes::of(&now.key)));
    let what = Memo::new(move |_| now.with(|now| details_label(&now.key)));
    let label =
        Signal::derive(move || now.with(|now| format!("{} of {}", what.get(), now.key.name)));
    let open = move |()| page.viewing.set(Some(now.get_untracked()));
    move || {
        let all = attributes.get();
        let what = what.get();
        let key = now.with_untracked(|now| now.key.clone());
        (!all.is_empty() || what == DETAILS).then(|| {
            view! {
                <div class="flex flex-wrap items-center gap-x-1.5 text-caption text-ink-3">
                    {few_tags(&key)}
                    {all.external_id.map(|id| external_id_link(&key, id))}
                    <IconButton glyph=Glyph::Info label tooltip=what class="-ml-1" on_press=open/>
                </div>
            }
        })
    }
}

/// What the dialog about a key shows, if it has budgets too.
const DETAILS: &str = "Details";

/// What the dialog about a key shows. An inference key has a page for its budgets.
pub fn details_label(key: &ApiKey) -> &'static str {
    let has_budgets = key.kind == KeyKind::Api && !key.budgets.is_empty();
    if has_budgets { DETAILS } else { "Attributes" }
}

/// The first tags of a key, and how many there are beside them.
fn few_tags(key: &ApiKey) -> impl IntoView + use<> {
    let tags = key.tags.as_slice();
    let (first, rest) = tags.split_at(tags.len().min(IN_A_ROW));
    let more = (!rest.is_empty()).then(|| {
        let names = rest.iter().map(Tag::as_str).collect::<Vec<_>>().join(", ");
        view! {
            <span title=names.clone()>
                {format!("+{}", rest.len())} <span class="sr-only">{format!(" more tags: {names}")}</span>
            </span>
        }
    });
    let links = first.iter().map(|tag| tag_link(key, tag)).collect_view();
    view! {
        {links}
        {more}
    }
}

fn tag_link(key: &ApiKey, tag: &Tag) -> impl IntoView + use<> {
    let text = tag.to_string();
    let title = text.clone();
    let href = keys_like(key, AttributeFilter { tag: Some(tag.clone()), external_id: None });
    view! {
        <a href=href class=LINK title=title>
            <span class="sr-only">"Keys tagged "</span>
            <span class=CHIP>{text}</span>
        </a>
    }
}

fn external_id_link(key: &ApiKey, id: ExternalId) -> impl IntoView + use<> {
    let text = id.to_string();
    let title = text.clone();
    let href = keys_like(key, AttributeFilter { tag: None, external_id: Some(id) });
    view! {
        <a href=href class=LINK title=title>
            <span class="sr-only">"Keys with external ID "</span>
            <span class="truncate font-mono text-[11.5px]">{text}</span>
        </a>
    }
}

/// Address of the list of keys of the same kind that have this attribute too.
fn keys_like(key: &ApiKey, filter: AttributeFilter) -> Signal<String> {
    let workspace = expect_context::<Workspace>();
    let path = match key.kind {
        KeyKind::Inference => inference_keys_path(key.project_id),
        KeyKind::Api | KeyKind::Service => api_keys_path(key.project_id),
    };
    Signal::derive(move || format!("{}{}", workspace.address(&path), filter.to_query()))
}

/// All attributes of a key, in a `<section>` or a dialog.
#[component]
pub fn AttributeList(
    /// Key whose attributes are listed.
    key: ApiKey,
) -> impl IntoView {
    let tags: Vec<String> = key.tags.as_slice().iter().map(ToString::to_string).collect();
    let scopes: Vec<String> = key.scopes.as_slice().iter().map(ToString::to_string).collect();
    let (tags, scopes) = (chip_list(&tags), chip_list(&scopes));
    let external_id = match key.external_id {
        Some(id) => view! { <CopiedId id=id.to_string()/> }.into_any(),
        None => view! { <EmptyCell/> }.into_any(),
    };
    view! {
        <dl class="text-table">
            <AttributeRow label="External ID">{external_id}</AttributeRow>
            <AttributeRow label="Tags">{tags}</AttributeRow>
            {(key.kind == KeyKind::Api).then(|| view! { <AttributeRow label="Scopes">{scopes}</AttributeRow> })}
            {match pretty(&key.metadata) {
                Some(json) => view! { <MetadataRow json/> }.into_any(),
                None => view! { <AttributeRow label="Metadata"><EmptyCell/></AttributeRow> }.into_any(),
            }}
        </dl>
    }
}

fn chip_list(words: &[String]) -> AnyView {
    if words.is_empty() {
        return view! { <EmptyCell/> }.into_any();
    }
    view! { <ul class="flex min-w-0 flex-wrap justify-end gap-1">{chips(words)}</ul> }.into_any()
}

#[component]
fn AttributeRow(label: &'static str, children: Children) -> impl IntoView {
    view! {
        <div class="flex min-h-9 items-center justify-between gap-4 border-t border-line py-1.5">
            <dt class="shrink-0 text-ink-2">{label}</dt>
            <dd class="min-w-0 text-right">{children()}</dd>
        </div>
    }
}

#[component]
fn CopiedId(id: String) -> impl IntoView {
    let copier = Copier::new();
    let copied = id.clone();
    view! {
        <span class="inline-flex min-w-0 items-center gap-1">
            <span class="text-caption text-ink-2" role="status">{move || copier.words()}</span>
            <code class="min-w-0 font-mono text-[11.5px] break-all" node_ref=copier.shown>{id}</code>
            <IconButton
                glyph=Glyph::Copy
                label="Copy the external ID"
                tooltip="Copy"
                on_press=move |()| copier.copy(copied.clone())
            />
        </span>
    }
}

#[component]
fn MetadataRow(json: String) -> impl IntoView {
    let copier = Copier::new();
    let copied = json.clone();
    view! {
        <div class="border-t border-line py-1.5">
            <dt class="flex min-h-7 items-center justify-between gap-4 text-ink-2">
                "Metadata"
                <span class="inline-flex items-center gap-1">
                    <span class="text-caption" role="status">{move || copier.words()}</span>
                    <IconButton
                        glyph=Glyph::Copy
                        label="Copy the metadata"
                        tooltip="Copy"
                        on_press=move |()| copier.copy(copied.clone())
                    />
                </span>
            </dt>
            <dd>
                <pre
                    class="mt-1 max-h-56 overflow-auto rounded-md border border-line bg-code-bg p-3 text-left font-mono text-code text-ink"
                    tabindex="0"
                    role="group"
                    aria-label="Metadata as JSON"
                ><code node_ref=copier.shown>{json}</code></pre>
            </dd>
        </div>
    }
}
