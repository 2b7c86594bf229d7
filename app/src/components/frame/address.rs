//! The address of the page: with names for people to read, and right after a rename too.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_url};

use super::{Workspace, bare_path};

/// Where the person is, whatever its things are called at present.
pub fn use_place() -> Memo<String> {
    let path = use_location().pathname;
    Memo::new(move |_| path.with(|path| bare_path(path)))
}

/// Keeps the address of the calling page as its things are called now: a link with an id alone, or
/// from before a rename, becomes the current one. That is no step in the history, and nothing on
/// the page is done again.
pub fn keep_address() {
    let workspace = expect_context::<Workspace>();
    // The page's own, which a page that is being left keeps.
    let url = use_url();
    let here = use_location().pathname;
    let navigate = use_navigate();
    Effect::new(move |_| {
        let (path, rest) = url.with(|url| {
            let query = Some(url.search()).filter(|query| !query.is_empty());
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            (url.path().to_owned(), format!("{query}{}", url.hash()))
        });
        let address = workspace.address(&path);
        let is_leaving = here.with_untracked(|here| *here != path);
        if address != path && !is_leaving {
            let options =
                NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() };
            navigate(&format!("{address}{rest}"), options);
        }
    });
}
