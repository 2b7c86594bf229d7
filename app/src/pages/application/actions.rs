//! The actions of an application, on its own page.

use latchkey_domain::api::Application;
use latchkey_domain::id::ProjectId;
use latchkey_domain::role::Permission;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::subject::Subject;
use crate::layout::{Workspace, applications_path};
use crate::pages::applications::delete::Deletion;
use crate::pages::applications::form::EditApplication;
use crate::pages::applications::row::ApplicationMenu;

/// The menu, for users with the permission, and its dialogs.
#[component]
pub(super) fn Actions(
    /// The project that it is in.
    project: ProjectId,
    /// Application that the actions are for.
    subject: Subject,
) -> impl IntoView {
    let Subject { found, load, .. } = subject;
    let workspace = expect_context::<Workspace>();
    let navigate = use_navigate();
    let editing = RwSignal::new(None::<Application>);
    let deletion = Deletion::new(Callback::new(move |()| {
        workspace.reload();
        let address = untrack(|| workspace.address(&applications_path(project)));
        navigate(&address, NavigateOptions { replace: true, ..NavigateOptions::default() });
    }));
    let mine = Memo::new(move |_| {
        let found = found.get()?;
        found.organization.allows(Permission::ApplicationsWrite).then_some(found.application)
    });
    let may_write = Memo::new(move |_| mine.with(Option::is_some));
    let close = move |()| {
        editing.set(None);
        load.run(());
    };
    let menu = move || {
        let first = if may_write.get() { mine.get_untracked()? } else { return None };
        let application = Signal::derive(move || mine.get().unwrap_or_else(|| first.clone()));
        let ask = move |of: RwSignal<Option<Application>>| of.set(mine.get_untracked());
        Some(view! {
            <ApplicationMenu
                application
                on_edit=move |()| ask(editing)
                on_delete=move |()| ask(deletion.target)
            />
        })
    };
    let on_saved = move |saved: Application| {
        found.update(|found| found.iter_mut().for_each(|it| it.application = saved.clone()));
    };
    view! {
        {menu}
        {move || {
            editing.get().map(|application| view! { <EditApplication application on_saved on_close=close/> })
        }}
        {deletion.dialog()}
    }
}
