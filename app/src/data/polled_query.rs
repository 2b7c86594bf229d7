//! A value that changes while somebody looks at it: polled every few seconds, and loaded at once
//! when its parameters change.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use latchkey_domain::problem::ErrorCode;
use leptos::prelude::*;

use super::polling::{poll_slowly, poll_while_visible};
use crate::api::ApiError;
use latchkey_ui::skeleton::skeleton_shown;

type QueryFuture<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;
type QueryFn<T> = Arc<dyn Fn() -> QueryFuture<T> + Send + Sync>;

/// What there is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryState {
    /// Placeholder rows until the first response.
    Skeleton,
    /// Why loading failed.
    Failed(ApiError),
    /// The value has been loaded.
    Loaded,
}

/// A polled value, as last loaded.
pub struct PolledQuery<T: 'static> {
    value: RwSignal<Option<T>>,
    failure: RwSignal<Option<ApiError>>,
    /// Whether the value belongs to earlier parameters, such as another range.
    outdated: RwSignal<bool>,
    /// Number of the last request; responses to earlier ones are dropped.
    latest_request: StoredValue<u32>,
    is_fetching: StoredValue<bool>,
    fetch: StoredValue<QueryFn<T>>,
}

impl<T> Clone for PolledQuery<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PolledQuery<T> {}

impl<T: Clone + PartialEq + Send + Sync + 'static> PolledQuery<T> {
    /// Loads with `fetch`, in the browser, for as long as the calling component is mounted.
    pub fn new<F, A>(fetch: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<T, ApiError>> + 'static,
    {
        let query = Self::unpolled(fetch);
        poll_while_visible(move || query.poll());
        query
    }

    /// As [`Self::new`], for a value that takes the server longer: it is polled less often.
    pub fn slow<F, A>(fetch: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<T, ApiError>> + 'static,
    {
        let query = Self::unpolled(fetch);
        poll_slowly(move || query.poll());
        query
    }

    fn unpolled<F, A>(fetch: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<T, ApiError>> + 'static,
    {
        let fetch: QueryFn<T> = Arc::new(move || Box::pin(fetch()));
        let query = Self {
            value: RwSignal::new(None),
            failure: RwSignal::new(None),
            outdated: RwSignal::new(false),
            latest_request: StoredValue::new(0),
            is_fetching: StoredValue::new(false),
            fetch: StoredValue::new(fetch),
        };
        Effect::new(move || query.request());
        query
    }

    fn poll(self) {
        let failed = self.failure.with_untracked(Option::is_some);
        if !failed && !self.is_fetching.get_value() {
            self.request();
        }
    }

    /// The same query, loaded again whenever `wanted` changes, which `fetch` reads untracked.
    #[must_use]
    pub fn restarted_by<W: Clone + PartialEq + Send + Sync + 'static>(
        self,
        wanted: Memo<W>,
    ) -> Self {
        Effect::new(move |before: Option<W>| {
            let now = wanted.get();
            if before.is_some_and(|before| before != now) {
                self.restart();
            }
            now
        });
        self
    }

    /// Loads again because the parameters of `fetch` changed. The old value stays visible until
    /// then.
    pub fn restart(self) {
        self.outdated.set(true);
        self.retry();
    }

    /// Starts over after a failure.
    pub fn retry(self) {
        self.failure.set(None);
        self.request();
    }

    /// The last value, tracked.
    pub fn get(self) -> Option<T> {
        self.value.get()
    }

    /// A part of the last value, tracked.
    pub fn with<U>(self, read: impl FnOnce(&T) -> U) -> Option<U> {
        self.value.with(|value| value.as_ref().map(read))
    }

    /// Whether the value is about to be replaced by that of other parameters, tracked.
    pub fn is_outdated(self) -> bool {
        self.outdated.get()
    }

    /// Whether the resource does not exist for this user. Tracked.
    pub fn is_missing(self) -> bool {
        self.failure.with(|error| error.as_ref().is_some_and(|it| it.is(ErrorCode::NotFound)))
    }

    /// What there is to show. It changes only when something else is to be shown.
    pub fn state(self) -> Memo<QueryState> {
        let is_there = Memo::new(move |_| self.value.with(Option::is_some));
        let loading = move || !is_there.get() && self.failure.with(Option::is_none);
        let skeleton = skeleton_shown(Signal::derive(loading));
        Memo::new(move |_| match self.failure.get() {
            _ if skeleton.get() => QueryState::Skeleton,
            Some(error) => QueryState::Failed(error),
            None if is_there.get() => QueryState::Loaded,
            None => QueryState::Skeleton,
        })
    }

    fn request(self) {
        self.latest_request
            .update_value(|latest_request| *latest_request = latest_request.wrapping_add(1));
        self.is_fetching.set_value(true);
        let latest_request = self.latest_request.get_value();
        let answer = self.fetch.with_value(|fetch| fetch());
        leptos::task::spawn_local(async move {
            let answer = answer.await;
            if self.latest_request.try_get_value() == Some(latest_request) {
                self.is_fetching.set_value(false);
                self.receive(answer);
            }
        });
    }

    fn receive(self, answer: Result<T, ApiError>) {
        match answer {
            Ok(read) => {
                if self.value.with_untracked(|value| value.as_ref() != Some(&read)) {
                    self.value.set(Some(read));
                }
                if self.outdated.get_untracked() {
                    self.outdated.set(false);
                }
            }
            // A failed refresh keeps the last value, unless it belongs to other parameters.
            Err(error) => {
                let wanted =
                    self.value.with_untracked(Option::is_some) && !self.outdated.get_untracked();
                if !wanted || error.is(ErrorCode::NotFound) {
                    self.failure.set(Some(error));
                }
            }
        }
    }
}
