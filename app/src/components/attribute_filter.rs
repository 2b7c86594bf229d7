//! The filter by tag and external ID, of pages that list keys or chart their usage.

use std::fmt::Display;
use std::str::FromStr;

use latchkey_domain::attribute::{ExternalId, Tag};
use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use super::form::FormField;
use latchkey_ui::button::{Button, IconButton, Size, Variant, button_class};
use latchkey_ui::field::{TextField, focus_first_bad};
use latchkey_ui::icon::{Glyph, Icon};

/// Only keys with a tag, with an external ID, or with both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttributeFilter {
    /// Only keys with this tag.
    pub tag: Option<Tag>,
    /// Only keys with this external ID.
    pub external_id: Option<ExternalId>,
}

impl AttributeFilter {
    /// Reads it from a query string. Invalid values are ignored.
    pub fn from_query(query: &ParamsMap) -> Self {
        Self {
            tag: query.get_str("tag").and_then(|tag| tag.parse().ok()),
            external_id: query.get_str("external_id").and_then(|id| id.parse().ok()),
        }
    }

    /// Adds it to a query string.
    pub fn add_to(&self, query: &mut ParamsMap) {
        if let Some(tag) = &self.tag {
            query.insert("tag", tag.to_string());
        }
        if let Some(id) = &self.external_id {
            query.insert("external_id", id.to_string());
        }
    }

    /// The query string with nothing else in it: `?tag=beta`.
    pub fn to_query(&self) -> String {
        let mut query = ParamsMap::new();
        self.add_to(&mut query);
        query.to_query_string()
    }

    /// Whether it leaves nothing out.
    pub const fn is_empty(&self) -> bool {
        self.tag.is_none() && self.external_id.is_none()
    }
}

/// The filter of a page, and what is being typed.
#[derive(Clone, Copy)]
pub struct AttributeFilterState {
    now: Signal<AttributeFilter>,
    on_change: Callback<AttributeFilter>,
    open: RwSignal<bool>,
    tag: FormField,
    external_id: FormField,
}

impl AttributeFilterState {
    /// For a page whose filter is `now`. `on_change` is called with another one.
    pub fn new(now: Signal<AttributeFilter>, on_change: Callback<AttributeFilter>) -> Self {
        let state = Self {
            now,
            on_change,
            open: RwSignal::new(false),
            tag: FormField::new(String::new()),
            external_id: FormField::new(String::new()),
        };
        // A link or the Back button changes it too.
        Effect::new(move || {
            let AttributeFilter { tag, external_id } = now.get();
            state.tag.value.set(tag.map(|tag| tag.to_string()).unwrap_or_default());
            state.external_id.value.set(external_id.map(|id| id.to_string()).unwrap_or_default());
        });
        state
    }

    fn apply(self) {
        let (tag, external_id) =
            (self.tag.read(given::<Tag>), self.external_id.read(given::<ExternalId>));
        focus_first_bad();
        if let (Some(tag), Some(external_id)) = (tag, external_id) {
            self.on_change.run(AttributeFilter { tag, external_id });
        }
    }
}

fn given<T>(text: Option<String>) -> Result<Option<T>, String>
where
    T: FromStr,
    T::Err: Display,
{
    text.map(|text| text.parse::<T>()).transpose().map_err(|error| error.to_string())
}

/// The button that shows the fields.
#[component]
pub fn MoreFilters(
    /// The filter of the page.
    filter: AttributeFilterState,
) -> impl IntoView {
    let open = filter.open;
    view! {
        <button
            type="button"
            class=format!("group {}", button_class(Variant::Ghost, Size::Default))
            aria-expanded=move || open.get().to_string()
            aria-controls="more-filters"
            on:click=move |_| open.update(|open| *open = !*open)
        >
            <span class="inline-flex group-aria-expanded:rotate-90">
                <Icon glyph=Glyph::ChevronRight size=14/>
            </span>
            "More filters"
        </button>
    }
}

/// The fields, and what the page is filtered by: lines of their own in a toolbar.
#[component]
pub fn AttributeFilterRows(
    /// The filter of the page.
    filter: AttributeFilterState,
) -> impl IntoView {
    let AttributeFilterState { open, tag, external_id, .. } = filter;
    let apply = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        filter.apply();
    };
    view! {
        <form
            id="more-filters"
            class="flex basis-full flex-wrap items-start gap-3 max-md:order-last"
            class:hidden=move || !open.get()
            method="post"
            novalidate
            on:submit=apply
        >
            <div class="w-56 max-md:w-full">
                <TextField name="filter-tag" label="Tag" value=tag.value placeholder="Any" maxlength=64 error=tag.error/>
            </div>
            <div class="w-64 max-md:w-full">
                <TextField
                    name="filter-external-id"
                    label="External ID"
                    value=external_id.value
                    placeholder="Any"
                    maxlength=255
                    error=external_id.error
                />
            </div>
            // In line with the fields, below their labels.
            <div class="md:pt-7"><Button submit=true>"Apply"</Button></div>
        </form>
        <ChosenFilters filter/>
    }
}

/// What the page is filtered by, each with a button that takes it away.
#[component]
fn ChosenFilters(filter: AttributeFilterState) -> impl IntoView {
    let AttributeFilterState { now, on_change, .. } = filter;
    let without_tag = move |()| on_change.run(AttributeFilter { tag: None, ..now.get_untracked() });
    let without_id =
        move |()| on_change.run(AttributeFilter { external_id: None, ..now.get_untracked() });
    move || {
        let AttributeFilter { tag, external_id } = now.get();
        let any = tag.is_some() || external_id.is_some();
        any.then(|| {
            view! {
                <ul class="flex min-w-0 basis-full flex-wrap gap-2 max-md:order-last" aria-label="Filtered by">
                    {tag.map(|tag| view! { <ChosenValue what="tag" value=tag.to_string() on_remove=without_tag/> })}
                    {external_id
                        .map(|id| {
                            view! { <ChosenValue what="external ID" value=id.to_string() on_remove=without_id/> }
                        })}
                </ul>
            }
        })
    }
}

#[component]
fn ChosenValue(
    what: &'static str,
    value: String,
    #[prop(into)] on_remove: Callback<()>,
) -> impl IntoView {
    let label = format!("Remove the filter by {what} {value}");
    view! {
        <li class="inline-flex max-w-full min-w-0 items-center gap-1.5 rounded-sm border border-line-strong bg-subtle pl-2.5 text-caption text-ink-2">
            <span class="shrink-0 first-letter:uppercase">{what}</span>
            <span class="min-w-0 truncate font-mono text-[11.5px] text-ink">{value}</span>
            <IconButton glyph=Glyph::X label tooltip="Remove" on_press=on_remove/>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::url_filter::tests::query;

    #[test]
    fn an_attribute_filter_survives_its_address() {
        let filter =
            AttributeFilter { tag: "a & b".parse().ok(), external_id: "cust42".parse().ok() };
        let written = filter.to_query().replace("%5F", "_");
        assert_eq!(written, "?tag=a%20%26%20b&external_id=cust42");
        let read = query(&[("tag", "a & b"), ("external_id", "cust42")]);
        assert_eq!(AttributeFilter::from_query(&read), filter);
        assert_eq!(AttributeFilter::default().to_query(), "");
    }

    #[test]
    fn an_attribute_that_no_key_can_have_is_no_filter() {
        let read = query(&[("tag", "\n"), ("external_id", "a b")]);
        assert!(AttributeFilter::from_query(&read).is_empty());
        assert_eq!(given::<Tag>(None), Ok(None));
        assert!(given::<ExternalId>(Some("a b".into())).is_err());
    }
}
