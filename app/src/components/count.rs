//! The number of rows of a list, for its toolbar.

use leptos::prelude::*;

use crate::data::list_rows::HasId;
use crate::data::paged_list::{ListState, PagedList};

/// “3 traces” or “50+ traces”, announced whenever it changes. It is empty while a skeleton
/// or an error is shown instead of the list, as no number is known then.
#[component]
pub fn Count<T: HasId + Clone + Send + Sync + 'static>(
    /// List whose rows are counted.
    list: PagedList<T>,
    /// What one row is called.
    one: &'static str,
    /// What several rows are called.
    several: &'static str,
    /// Whether to say anything at all.
    #[prop(default = Signal::stored(true))]
    said: Signal<bool>,
) -> impl IntoView {
    let shown = list.state();
    let words = Memo::new(move |before: Option<&String>| {
        if !said.get() {
            return String::new();
        }
        match shown.get() {
            ListState::Skeleton | ListState::Failed(_) => String::new(),
            // The previous list's rows are still shown, and so is their number.
            ListState::Rows if !list.is_ready() => before.cloned().unwrap_or_default(),
            ListState::Rows | ListState::Empty => {
                count(list.count(), list.has_older(), one, several)
            }
        }
    });
    view! { <p class="num text-caption whitespace-nowrap text-ink-2" role="status">{words}</p> }
}

fn count(rows: usize, has_older: bool, one: &str, several: &str) -> String {
    match (rows, has_older) {
        (1, false) => format!("1 {one}"),
        (rows, false) => format!("{rows} {several}"),
        (rows, true) => format!("{rows}+ {several}"),
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn count_names_one_row_and_says_whether_there_are_more() {
        assert_eq!(count(0, false, "key", "keys"), "0 keys");
        assert_eq!(count(1, false, "key", "keys"), "1 key");
        assert_eq!(count(1, true, "key", "keys"), "1+ keys");
        assert_eq!(count(50, true, "key", "keys"), "50+ keys");
    }
}
