//! The usage of a project by key, model, application, external ID or tag.

pub mod download;
pub mod row;
pub mod words;

use std::collections::{HashMap, HashSet};

use latchkey_domain::api::{GroupedUsage, ListedKey, UsageGroup, UsageGrouping};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use self::download::DownloadCsv;
use self::row::{GroupLinks, GroupRow, columns};
use self::words::{count_in_words, grouping_of, label_of, note_of};
use super::range::{UsageFilter, UsageFilterState};
use crate::api::{ApiError, get_grouped_usage};
use crate::components::attribute_filter::AttributeFilter;
use crate::components::error_state::ErrorState;
use crate::data::polled_query::{PolledQuery, QueryState};
use crate::layout::Workspace;
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::table::{Card, Column, LoadingTable, Table};
use latchkey_ui::tabs::{Tab, TabList, tab_id};

/// What the ids of the tabs and of the panel begin with.
const ID: &str = "groups";
/// What the table lists.
const LABEL: &str = "Usage by group";

/// Section with the groups of a project, and the choice of what they are. One key has none.
#[component]
pub fn UsageByGroup(
    /// Project that the usage is of.
    project: ProjectId,
    /// State of the page's filters.
    filter: UsageFilterState,
    /// Keys of the project, as far as they are known.
    keys: RwSignal<Vec<ListedKey>>,
) -> impl IntoView {
    let is_one = Memo::new(move |_| filter.now.with(|filter| filter.key.is_some()));
    view! {
        <Show when=move || !is_one.get()>
            <Tabs project filter keys/>
        </Show>
    }
}

/// Whether the groups do not exist: usage by model is not stored by key.
fn is_impossible(filter: &UsageFilter) -> bool {
    filter.group_by == UsageGrouping::Model && !filter.attributes.is_empty()
}

#[component]
fn Tabs(
    project: ProjectId,
    filter: UsageFilterState,
    keys: RwSignal<Vec<ListedKey>>,
) -> impl IntoView {
    let chosen = Signal::derive(move || filter.now.with(|filter| label_of(filter.group_by)));
    let choose = move |label: &'static str| {
        filter.change(|filter| filter.group_by = grouping_of(label));
    };
    let impossible = Memo::new(move |_| filter.now.with(is_impossible));
    let tabs = UsageGrouping::ALL.map(|by| Tab::new(label_of(by))).to_vec();
    view! {
        <section class="mt-7" aria-labelledby="groups-title">
            <div class="flex min-h-8 flex-wrap items-center justify-between gap-x-4 gap-y-2">
                <h2 id="groups-title" class="text-heading font-semibold">{LABEL}</h2>
                <Show when=move || !impossible.get()>
                    <DownloadCsv project filter/>
                </Show>
            </div>
            <div class="mt-1 mb-3 border-b border-line">
                <TabList id=ID label="Group by" tabs chosen on_choose=choose/>
            </div>
            <div
                id=format!("{ID}-panel")
                role="tabpanel"
                tabindex="0"
                class="rounded-lg"
                aria-labelledby=move || tab_id(ID, chosen.get())
            >
                {move || {
                    if impossible.get() {
                        view! { <Impossible/> }.into_any()
                    } else {
                        view! { <Groups project filter keys/> }.into_any()
                    }
                }}
            </div>
        </section>
    }
}

#[component]
fn Impossible() -> impl IntoView {
    view! {
        <Card>
            <EmptyState
                glyph=Glyph::ChartColumn
                title="Models have no tags or external IDs"
                text="Remove the filter by tag or external ID, or group by something else."
            />
        </Card>
    }
}

/// The groups of the filter, loaded again whenever it changes.
fn groups_of(project: ProjectId, filter: Memo<UsageFilter>) -> PolledQuery<GroupedUsage> {
    let groups = PolledQuery::slow(move || {
        let filter = filter.get_untracked();
        async move {
            // The section is about to show that instead.
            if is_impossible(&filter) {
                return Err(ApiError::Unreadable);
            }
            let UsageFilter { range, environment, attributes, group_by, .. } = filter;
            let AttributeFilter { tag, external_id } = attributes;
            get_grouped_usage(project, environment, tag, external_id, range, group_by).await
        }
    });
    groups.restarted_by(filter)
}

/// The groups in each of their states: loading, failed, none, some.
#[component]
fn Groups(
    project: ProjectId,
    filter: UsageFilterState,
    keys: RwSignal<Vec<ListedKey>>,
) -> impl IntoView {
    let groups = groups_of(project, filter.now);
    let shown = groups.state();
    let first = filter.now.with_untracked(|filter| filter.group_by);
    let by = Memo::new(move |_| groups.with(|groups| groups.group_by).unwrap_or(first));
    let count = Memo::new(move |_| groups.with(|groups| groups.data.len()).unwrap_or_default());
    let words = move || match shown.get() {
        QueryState::Loaded => count_in_words(count.get()),
        QueryState::Skeleton | QueryState::Failed(_) => String::new(),
    };
    let is_empty = Memo::new(move |_| count.get() == 0);
    let inference_keys = Memo::new(move |_| keys.with(|keys| inference_keys(keys)));
    let workspace = expect_context::<Workspace>();
    let links = GroupLinks { project, filter, inference_keys, workspace };
    view! {
        <p class="num mb-2 text-caption text-ink-2 empty:hidden" role="status">{words}</p>
        <div aria-busy=move || groups.is_outdated().then_some("true")>
            {move || match shown.get() {
                QueryState::Skeleton => {
                    view! { <LoadingTable label=LABEL columns=columns_by(first)/> }.into_any()
                }
                QueryState::Failed(error) => view! {
                    <Card>
                        <ErrorState
                            title="Couldn’t load usage by group"
                            error
                            reassurance="Your keys keep working."
                            on_retry=move |()| groups.retry()
                        />
                    </Card>
                }
                .into_any(),
                QueryState::Loaded if is_empty.get() => view! { <Empty/> }.into_any(),
                QueryState::Loaded => {
                    let by = by.get();
                    view! { <GroupTable groups by links/> }.into_any()
                }
            }}
        </div>
    }
}

#[component]
fn Empty() -> impl IntoView {
    view! {
        <Card>
            <EmptyState glyph=Glyph::ChartColumn title="No usage" text="No requests in this range."/>
        </Card>
    }
}

/// The table, and what a reader has to know of it.
#[component]
fn GroupTable(
    groups: PolledQuery<GroupedUsage>,
    by: UsageGrouping,
    links: GroupLinks,
) -> impl IntoView {
    let named = Memo::new(move |_| groups.with(by_name).unwrap_or_default());
    let names = Memo::new(move |_| groups.with(names_of).unwrap_or_default());
    let row = move |name: Option<String>| {
        let group = named.with_untracked(|groups| groups.get(&name).cloned());
        group.map(|group| view! { <GroupRow group groups=named by links/> })
    };
    let note = move || note_of(by, names.with(Vec::len));
    view! {
        <Table label=LABEL columns=columns_by(by)>
            <For each=move || names.get() key=|name| name.clone() let(name)>
                {row(name)}
            </For>
        </Table>
        <p class="mt-3 text-caption text-ink-2 empty:hidden">{note}</p>
    }
}

fn by_name(usage: &GroupedUsage) -> HashMap<Option<String>, UsageGroup> {
    usage.data.iter().map(|group| (group.group.clone(), group.clone())).collect()
}

fn names_of(usage: &GroupedUsage) -> Vec<Option<String>> {
    usage.data.iter().map(|group| group.group.clone()).collect()
}

fn inference_keys(keys: &[ListedKey]) -> HashSet<KeyId> {
    let inference = keys.iter().filter(|listed| listed.key.kind == KeyKind::Inference);
    inference.map(|listed| listed.key.id).collect()
}

/// The columns of groups of that kind.
const fn columns_by(by: UsageGrouping) -> &'static [Column] {
    const KEYS: &[Column] = &columns(label_of(UsageGrouping::Key));
    const MODELS: &[Column] = &columns(label_of(UsageGrouping::Model));
    const APPLICATIONS: &[Column] = &columns(label_of(UsageGrouping::Application));
    const EXTERNAL_IDS: &[Column] = &columns(label_of(UsageGrouping::ExternalId));
    const TAGS: &[Column] = &columns(label_of(UsageGrouping::Tag));
    match by {
        UsageGrouping::Key => KEYS,
        UsageGrouping::Model => MODELS,
        UsageGrouping::Application => APPLICATIONS,
        UsageGrouping::ExternalId => EXTERNAL_IDS,
        UsageGrouping::Tag => TAGS,
    }
}
