//! The filter of a page. It is part of the URL, so that a link shows the same rows.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};
use leptos_router::params::ParamsMap;

/// A filter that can be written as a query string.
pub trait UrlFilter: Clone + PartialEq + Send + Sync + 'static {
    /// Reads the filter from a query string. Unknown values are ignored.
    fn from_query(query: &ParamsMap) -> Self;

    /// The query string: `?q=web&status=active`, or nothing.
    fn to_query(&self) -> String;

    /// The same view without any filters.
    #[must_use]
    fn cleared(&self) -> Self;
}

/// The filter of a page.
pub struct FilterState<F: Send + Sync + 'static> {
    /// The current filter, from the URL.
    pub now: Memo<F>,
    set: Callback<F>,
}

impl<F: Send + Sync> Clone for FilterState<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Send + Sync> Copy for FilterState<F> {}

impl<F: UrlFilter> FilterState<F> {
    /// The filter of the page that calls this.
    pub fn of_address() -> Self {
        let query = use_query_map();
        let now = Memo::new(move |_| query.with(F::from_query));
        let path = use_location().pathname;
        let navigate = use_navigate();
        let set = Callback::new(move |filter: F| {
            let to = format!("{}{}", path.get_untracked(), filter.to_query());
            // Typing in a search field must not add an entry to the history for each letter.
            let options =
                NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() };
            navigate(&to, options);
        });
        Self { now, set }
    }

    /// Changes the filter and the URL.
    pub fn change(self, change: impl FnOnce(&mut F)) {
        let mut filter = self.now.get_untracked();
        change(&mut filter);
        if filter != self.now.get_untracked() {
            self.set.run(filter);
        }
    }

    /// Removes all filters.
    pub fn clear(self) {
        self.change(|filter| *filter = filter.cleared());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use leptos_router::params::ParamsMap;

    /// The parameters of an address.
    pub(crate) fn query(pairs: &[(&'static str, &str)]) -> ParamsMap {
        pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    }

    /// The server escapes more than the browser does; both read either.
    pub(crate) fn readable(query: &str) -> String {
        [("%5F", "_"), ("%2E", "."), ("%3A", ":"), ("%2D", "-")]
            .into_iter()
            .fold(query.to_owned(), |query, (escaped, plain)| query.replace(escaped, plain))
    }
}
