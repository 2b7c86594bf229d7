//! The URL of the page: it contains readable names, which are updated after a rename.

use latchkey_domain::id::{ApplicationId, KeyId, ProjectId};
use latchkey_domain::slug;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_params_map, use_url};

use super::{Workspace, bare_path};
use crate::context::PublicUrl;

/// The path without names, so that a rename does not change it.
pub fn use_bare_path() -> Memo<String> {
    let path = use_location().pathname;
    Memo::new(move |_| path.with(|path| bare_path(path)))
}

/// Keeps the URL of the calling page current. A link with only an id, or from before a rename, is
/// replaced by the current one. That adds no entry to the history and reloads nothing.
fn keep_address_current() {
    let workspace = expect_context::<Workspace>();
    // The URL of this page; a page that is being left keeps its own.
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

/// The URL of this server, for commands that are copied from the page.
pub(crate) fn server_url() -> String {
    use_context::<PublicUrl>().map(|url| url.0).unwrap_or_default()
}

/// The project in the URL, if there is one. Also keeps the URL current.
pub(crate) fn use_project_id() -> Memo<Option<ProjectId>> {
    keep_address_current();
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str("project").and_then(slug::id_of)))
}

/// The key in the URL, if there is one.
pub(crate) fn use_key_id() -> Memo<Option<KeyId>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str("key").and_then(|key| key.parse().ok())))
}

/// The application in the URL, if there is one.
pub(crate) fn use_application_id() -> Memo<Option<ApplicationId>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str("application").and_then(slug::id_of)))
}
