//! One inference key: its usage, the states of its budgets, and why requests were denied.

pub mod attributes;
pub mod budget;
pub mod head;
pub mod limits;
pub mod why;

use latchkey_domain::api::{ListedKey, Page as KeyPage, Usage};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::{ErrorCode, Problem};
use leptos::prelude::*;

use self::attributes::AttributesCard;
use self::budget::BudgetCard;
use self::head::Head;
use self::limits::LimitsCard;
use self::why::Why;
use super::not_found::NotFound;
use super::usage::charts::{FailedCharts, LoadingCharts, UsageCharts};
use super::usage::denials::Denials;
use super::usage::range::{UsageFilter, UsageFilterState};
use crate::api::{ApiError, get_key, get_key_usage};
use crate::components::error_state::ErrorState;
use crate::data::paged_list::{ListState, PagedList};
use crate::data::polled_query::{PolledQuery, QueryState};
use crate::data::polling::poll_while_visible;
use crate::data::url_filter::UrlFilter;
use crate::keys::{KeyDialogs, KeyScope, KeysPageState};
use crate::layout::{Workspace, usage_path};
use crate::layout::{use_key_id, use_project_id};
use latchkey_ui::relative_time::Clock;
use latchkey_ui::table::Card;

/// The page. A path that names no inference key is answered like one that names a stranger's.
#[component]
pub fn InferenceKeyPage() -> impl IntoView {
    Clock::provide();
    let (project, key) = (use_project_id(), use_key_id());
    move || match (project.get(), key.get()) {
        (Some(project), Some(key)) => view! { <Page project key/> }.into_any(),
        _ => view! { <NotFound/> }.into_any(),
    }
}

/// The key as a list of one, which the dialogs about keys work on.
async fn only(project: ProjectId, id: KeyId) -> Result<KeyPage<ListedKey>, ApiError> {
    let listed = get_key(id).await?;
    if listed.key.kind != KeyKind::Inference || listed.key.project_id != project {
        return Err(ApiError::Refused(Problem::new(ErrorCode::NotFound, "")));
    }
    Ok(KeyPage { data: vec![listed], next_cursor: None })
}

#[component]
fn Page(project: ProjectId, key: KeyId) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let keys = PagedList::new(move |_| only(project, key));
    poll_while_visible(move || {
        if keys.is_ready_untracked() {
            keys.refresh();
        }
    });
    let filter = UsageFilterState::of_address();
    let usage = usage_of(key, filter.now);
    let missing = Memo::new(move |_| keys.is_missing());
    let shown = keys.state();
    // A memo, so that a dialog stays open when the key is loaded again.
    let state = Memo::new(move |_| match (shown.get(), workspace.error()) {
        (ListState::Failed(error), _) | (_, Some(error)) => Some(Err(error)),
        (ListState::Rows, None) if workspace.is_loaded() => Some(Ok(())),
        _ => None,
    });
    let retry = move |()| {
        keys.retry();
        usage.retry();
        workspace.reload();
    };
    move || {
        if missing.get() {
            return view! { <NotFound/> }.into_any();
        }
        let first = keys_now(keys, key);
        match (state.get(), first, scope_now(workspace)) {
            (Some(Ok(())), Some(first), Some(scope)) => {
                let now = Memo::new(move |_| keys.row(key).unwrap_or_else(|| first.clone()));
                let scope =
                    Signal::derive(move || scope_of(workspace).unwrap_or_else(|| scope.clone()));
                let creating = RwSignal::new(false);
                let on_count_change = Callback::new(move |()| workspace.reload());
                let page = KeysPageState::new(keys, scope, creating, on_count_change);
                view! { <Sections page now usage filter/> }.into_any()
            }
            (Some(Err(error)), ..) => view! {
                <head::Waiting project title="Inference key"/>
                <Card>
                    <ErrorState
                        title="Couldn’t load the key"
                        error
                        reassurance="The key keeps working."
                        on_retry=retry
                    />
                </Card>
            }
            .into_any(),
            _ => view! {
                <head::Waiting project/>
                <LoadingCharts/>
            }
            .into_any(),
        }
    }
}

/// The key as it is now, without following it.
fn keys_now(keys: PagedList<ListedKey>, key: KeyId) -> Option<ListedKey> {
    untrack(|| keys.row(key))
}

fn scope_now(workspace: Workspace) -> Option<KeyScope> {
    untrack(|| scope_of(workspace))
}

/// Whose key it is, tracked.
fn scope_of(workspace: Workspace) -> Option<KeyScope> {
    let (project, organization) = workspace.project().zip(workspace.organization())?;
    let (kind, only, applications) = (KeyKind::Inference, None, Vec::new());
    Some(KeyScope { kind, project, organization, only, applications })
}

/// What the key is used for, read again when another range is wanted.
fn usage_of(key: KeyId, filter: Memo<UsageFilter>) -> PolledQuery<Usage> {
    let range = Memo::new(move |_| filter.with(|filter| filter.range));
    let usage = PolledQuery::new(move || get_key_usage(key, range.get_untracked()));
    Effect::new(move |before: Option<_>| {
        let now = range.get();
        if before.is_some_and(|before| before != now) {
            usage.restart();
        }
        now
    });
    usage
}

#[component]
fn Sections(
    page: KeysPageState,
    now: Memo<ListedKey>,
    usage: PolledQuery<Usage>,
    filter: UsageFilterState,
) -> impl IntoView {
    let shown = usage.state();
    let charts = move || match shown.get() {
        QueryState::Skeleton => view! { <LoadingCharts/> }.into_any(),
        QueryState::Failed(error) => {
            view! { <FailedCharts usage error reassurance="The key keeps working."/> }.into_any()
        }
        QueryState::Loaded => view! { <UsageCharts usage/> }.into_any(),
    };
    view! {
        <Head page now usage filter/>
        <div class="flex flex-col gap-4">
            {charts}
            <div class="grid items-start gap-4 lg:grid-cols-[23rem_minmax(0,1fr)]">
                <div class="flex min-w-0 flex-col gap-4">
                    <BudgetCard page now/>
                    <LimitsCard page now/>
                    <AttributesCard page now/>
                </div>
                <div class="flex min-w-0 flex-col gap-4">
                    <RecentDenials now usage filter/>
                    <Why now/>
                </div>
            </div>
        </div>
        <KeyDialogs page/>
    }
}

#[component]
fn RecentDenials(
    now: Memo<ListedKey>,
    usage: PolledQuery<Usage>,
    filter: UsageFilterState,
) -> impl IntoView {
    /// Number of denials shown here; the usage page has all.
    const MOST: usize = 5;
    let workspace = expect_context::<Workspace>();
    let denials = Signal::derive(move || {
        let newest = usage.with(|usage| usage.denials.iter().take(MOST).cloned().collect());
        newest.unwrap_or_default()
    });
    let denied = move || usage.with(|usage| usage.totals.denied).unwrap_or_default();
    let href = move || {
        let (project, key) = now.with(|now| (now.key.project_id, now.key.id));
        let range = filter.now.with(|filter| filter.range);
        let query = UsageFilter { range, key: Some(key), ..UsageFilter::default() }.to_query();
        format!("{}{query}", workspace.address(&usage_path(project)))
    };
    let key = Signal::derive(move || Some(now.get().key));
    view! {
        <section class="overflow-hidden rounded-lg border border-line bg-surface" aria-labelledby="denials-title">
            <div class="flex min-h-12 items-center justify-between gap-4 px-4">
                <h2 id="denials-title" class="text-heading font-semibold">"Recent denials"</h2>
                <Show when=move || { denied() > 0 }>
                    <a href=href class="num inline-flex min-h-6 items-center rounded-xs text-table font-medium text-accent-ink hover:underline">
                        {move || format!("All {} in Usage", latchkey_ui::thousands(denied()))}
                    </a>
                </Show>
            </div>
            <Denials denials key/>
        </section>
    }
}
