//! The filter by keys of a project's usage: all, one environment, or one key.

use latchkey_domain::api::{KeyFilter, ListedKey};
use latchkey_domain::id::ProjectId;
use latchkey_domain::key::{Environment, KeyKind};
use leptos::prelude::*;

use super::range::UsageFilterState;
use crate::api::{ApiError, list_project_keys};
use crate::components::attribute_filter::{AttributeFilterRows, AttributeFilterState, MoreFilters};
use latchkey_ui::segmented::{Segment, Segmented, Track};
use latchkey_ui::select::{Choice, Select, SelectPlace};

const ALL: &str = "all";

const ENVIRONMENTS: &[Segment] = &[
    Segment::new(ALL, "All"),
    Segment::new(Environment::Live.as_str(), Environment::Live.label()),
    Segment::new(Environment::Test.as_str(), Environment::Test.label()),
];

/// More keys than a person would look for in a list.
const MOST_KEYS: usize = 300;

/// The project's API and inference keys, as far as they are known.
pub fn keys_of(project: ProjectId) -> RwSignal<Vec<ListedKey>> {
    let keys = RwSignal::new(Vec::new());
    Effect::new(move || {
        leptos::task::spawn_local(async move {
            if let Ok(found) = read_keys(project).await {
                _ = keys.try_set(found);
            }
        });
    });
    keys
}

async fn read_keys(project: ProjectId) -> Result<Vec<ListedKey>, ApiError> {
    let mut keys = Vec::new();
    let mut cursor = None;
    loop {
        let page = list_project_keys(project, KeyFilter::default(), cursor).await?;
        keys.extend(page.data.into_iter().filter(|it| it.key.kind != KeyKind::Service));
        cursor = page.next_cursor;
        if cursor.is_none() || keys.len() >= MOST_KEYS {
            return Ok(keys);
        }
    }
}

/// Toolbar with the report's filters.
#[component]
pub fn Filters(
    /// State of the page's filters.
    filter: UsageFilterState,
    /// Keys of the project.
    keys: RwSignal<Vec<ListedKey>>,
) -> impl IntoView {
    let environment = Signal::derive(move || {
        filter.now.with(|filter| filter.environment.map_or(ALL, Environment::as_str))
    });
    let options = Signal::derive(move || {
        let all = std::iter::once(Choice::new("", "All keys"));
        keys.with(|keys| {
            let choice = |it: &ListedKey| Choice::new(it.key.id.to_string(), it.key.name.clone());
            all.chain(keys.iter().map(choice)).collect()
        })
    });
    let key = Signal::derive(move || {
        filter.now.with(|filter| filter.key.map(|key| key.to_string()).unwrap_or_default())
    });
    let attributes = AttributeFilterState::new(
        Signal::derive(move || filter.now.with(|filter| filter.attributes.clone())),
        Callback::new(move |attributes| filter.change(|filter| filter.attributes = attributes)),
    );
    let is_one = Memo::new(move |_| filter.now.with(|filter| filter.key.is_some()));
    view! {
        <div class="mb-3 flex flex-wrap items-center gap-3 max-md:gap-2">
            <div class="w-56 max-md:w-full">
                <Select
                    name="key"
                    label="Key"
                    options
                    value=key
                    on_change=move |id: String| filter.change(|filter| filter.key = id.parse().ok())
                    place=SelectPlace::Toolbar
                />
            </div>
            // One key has one environment, and its own attributes.
            <Show when=move || !is_one.get()>
                <Segmented
                    label="Environment"
                    options=ENVIRONMENTS
                    value=environment
                    on_change=move |chosen| {
                        filter.change(|filter| filter.environment = Environment::from_name(chosen));
                    }
                    track=Track::Toolbar
                />
                <MoreFilters filter=attributes/>
                <AttributeFilterRows filter=attributes/>
            </Show>
        </div>
    }
}
