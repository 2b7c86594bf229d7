//! A list that is loaded page by page: [`ListRows`] and the requests for them.
//!
//! It loads after hydration, because only the browser has the access token. At most one request per
//! direction is in flight. A response that arrives after the list was unmounted is dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use latchkey_domain::api::Page;
use latchkey_domain::problem::ErrorCode;
use leptos::prelude::*;

use super::list_rows::{HasId, ListRows, Order};
use crate::api::ApiError;
use latchkey_ui::pager::More;
use latchkey_ui::skeleton::{is_late, skeleton_shown};

type PageFuture<T> = Pin<Box<dyn Future<Output = Result<Page<T>, ApiError>>>>;
type FetchPage<T> = Arc<dyn Fn(Option<String>) -> PageFuture<T> + Send + Sync>;

/// What a list has to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListState {
    /// Placeholder rows until the first response.
    Skeleton,
    /// Why loading failed.
    Failed(ApiError),
    /// The list is empty.
    Empty,
    /// The loaded rows are shown.
    Rows,
}

/// Whether the first page is there.
#[derive(Debug, Clone, PartialEq)]
enum Stage {
    /// The first page is loading.
    Loading,
    /// Loading failed.
    Failed(ApiError),
    /// The list has been loaded.
    Ready,
}

/// A paged list. [`PagedList::refresh`] loads its newest page again.
pub struct PagedList<T: 'static> {
    rows: RwSignal<ListRows<T>>,
    stage: RwSignal<Stage>,
    older: RwSignal<More>,
    stale: RwSignal<bool>,
    refreshing: StoredValue<bool>,
    /// Number of changes made to rows here. A response from before the last change is outdated.
    changes: StoredValue<u32>,
    fetch: StoredValue<FetchPage<T>>,
}

impl<T> Clone for PagedList<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PagedList<T> {}

impl<T: HasId + Clone + Send + Sync + 'static> PagedList<T> {
    /// A list that `fetch` loads: the first page, or the one at a cursor. It loads in the browser.
    pub fn new<F, A>(fetch: F) -> Self
    where
        F: Fn(Option<String>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Page<T>, ApiError>> + 'static,
    {
        let fetch: FetchPage<T> = Arc::new(move |cursor| Box::pin(fetch(cursor)));
        let list = Self {
            rows: RwSignal::new(ListRows::default()),
            stage: RwSignal::new(Stage::Loading),
            older: RwSignal::new(More::Idle),
            stale: RwSignal::new(false),
            refreshing: StoredValue::new(false),
            changes: StoredValue::new(0),
            fetch: StoredValue::new(fetch),
        };
        Effect::new(move || list.refresh());
        list
    }

    /// The same list, loaded in this order from the first page.
    #[must_use]
    pub fn with_order(self, order: Order) -> Self {
        self.rows.update_untracked(|rows| rows.restart(order));
        self
    }

    /// What there is to show. It changes only when something else is to be shown, so that a new row
    /// does not rebuild the table.
    pub fn state(self) -> Memo<ListState> {
        let loading = Signal::derive(move || self.stage.with(|stage| *stage == Stage::Loading));
        let skeleton = skeleton_shown(loading);
        let late = is_late(loading);
        Memo::new(move |_| match self.stage.get() {
            // The previous list's rows are better than a blank moment.
            Stage::Loading if self.count() > 0 && !late.get() => ListState::Rows,
            Stage::Failed(error) if !skeleton.get() => ListState::Failed(error),
            Stage::Ready if skeleton.get() => ListState::Skeleton,
            Stage::Ready if self.count() == 0 => ListState::Empty,
            Stage::Ready => ListState::Rows,
            Stage::Loading | Stage::Failed(_) => ListState::Skeleton,
        })
    }

    /// Whether the parent of the list does not exist for this user. Tracked.
    pub fn is_missing(self) -> bool {
        self.stage
            .with(|stage| matches!(stage, Stage::Failed(error) if error.is(ErrorCode::NotFound)))
    }

    /// The rows in their order, tracked.
    pub fn rows(self) -> Vec<T> {
        self.rows.with(|rows| rows.shown().to_vec())
    }

    /// The row of that id as it is now, tracked.
    pub fn row(self, id: T::Id) -> Option<T> {
        self.rows.with(|rows| rows.shown().iter().find(|row| row.id() == id).cloned())
    }

    /// How many rows are shown, tracked.
    pub fn count(self) -> usize {
        self.rows.with(|rows| rows.shown().len())
    }

    /// Whether there are older rows than those shown, tracked.
    pub fn has_older(self) -> bool {
        self.rows.with(|rows| rows.cursor().is_some())
    }

    /// How the last request for older rows went, tracked.
    pub fn older(self) -> More {
        self.older.get()
    }

    /// Whether the last refresh failed while rows are shown.
    pub fn stale(self) -> Signal<bool> {
        self.stale.into()
    }

    /// Whether the first page was loaded, tracked.
    pub fn is_ready(self) -> bool {
        self.stage.with(|stage| *stage == Stage::Ready)
    }

    /// Whether the first page was loaded, untracked.
    pub fn is_ready_untracked(self) -> bool {
        self.stage.with_untracked(|stage| *stage == Stage::Ready)
    }

    /// Updates the row with that id, if the list is still mounted.
    pub fn change(self, id: T::Id, change: impl FnOnce(&mut T)) {
        _ = self.changes.try_update_value(|changes| *changes += 1);
        _ = self.rows.try_update(|rows| rows.change(id, change));
    }

    /// Loads again after a failure.
    pub fn retry(self) {
        self.stage.set(Stage::Loading);
        self.refresh();
    }

    /// Loads another list: the parameters of `fetch` changed.
    pub fn restart(self, order: Order) {
        self.rows.update(|rows| rows.restart(order));
        self.changes.update_value(|changes| *changes += 1);
        self.older.set(More::Idle);
        self.retry();
    }

    /// Loads the newest page, unless that is in progress.
    pub fn refresh(self) {
        if self.refreshing.get_value() {
            return;
        }
        self.refreshing.set_value(true);
        let changes = self.changes.get_value();
        let answer = self.fetch.with_value(|fetch| fetch(None));
        leptos::task::spawn_local(async move {
            let answer = answer.await;
            if self.refreshing.try_set_value(false).is_some() {
                return;
            }
            if self.changes.get_value() == changes {
                self.merge_first_page(answer);
            } else {
                self.refresh();
            }
        });
    }

    fn merge_first_page(self, answer: Result<Page<T>, ApiError>) {
        match answer {
            Ok(page) => {
                self.rows.update(|rows| rows.merge_first_page(page));
                if !self.is_ready_untracked() {
                    self.stage.set(Stage::Ready);
                }
                if self.stale.get_untracked() {
                    self.stale.set(false);
                }
            }
            // The list is gone, or no longer visible to this user: neither are its rows.
            Err(error) if error.is(ErrorCode::NotFound) => self.stage.set(Stage::Failed(error)),
            Err(_) if self.is_ready_untracked() => self.stale.set(true),
            Err(error) => self.stage.set(Stage::Failed(error)),
        }
    }

    /// Loads the rows below those shown, unless that is in progress.
    pub fn load_older(self) {
        let cursor = self.rows.with_untracked(|rows| rows.cursor().map(str::to_owned));
        let Some(cursor) = cursor.filter(|_| self.older.get_untracked() != More::Loading) else {
            return;
        };
        self.older.set(More::Loading);
        let answer = self.fetch.with_value(|fetch| fetch(Some(cursor.clone())));
        leptos::task::spawn_local(async move {
            let (result, page) = match answer.await {
                Ok(page) => (More::Idle, Some(page)),
                Err(_) => (More::Failed, None),
            };
            if self.older.try_set(result).is_none()
                && let Some(page) = page
            {
                self.rows.update(|rows| rows.append_page(&cursor, page));
            }
        });
    }
}
