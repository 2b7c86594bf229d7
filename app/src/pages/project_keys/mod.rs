//! The keys of a project of one kind: API keys on one page, inference keys on another.

pub mod empty;
pub mod filter;
pub mod is_mine;
pub mod toolbar;

use latchkey_domain::api::{Application, ListedKey};
use latchkey_domain::id::ProjectId;
use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use self::empty::{KeysPresence, NoKeys};
use self::filter::KeysFilterState;
use self::is_mine::IsMine;
use self::toolbar::Toolbar;
use super::not_found::NotFound;
use crate::api::{list_applications, list_project_keys};
use crate::components::error_state::ErrorState;
use crate::data::paged_list::{ListState, PagedList};
use crate::keys::forward_auth::ForwardAuth;
use crate::keys::labels::KeyLabels;
use crate::keys::scope::ViewerNote;
use crate::keys::table::KeyList;
use crate::keys::{KeyDialogs, KeyScope, KeysPageState};
use crate::layout::use_project_id;
use crate::layout::{PageHead, Workspace};
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::Clock;
use latchkey_ui::shortcut::on_shortcut;
use latchkey_ui::skeleton::{SkeletonBar, SkeletonRows};
use latchkey_ui::slot_meter::SlotMeter;
use latchkey_ui::table::Card;

/// A project's API keys.
#[component]
pub fn ApiKeysPage() -> impl IntoView {
    view! { <KeysPage kind=KeyKind::Api/> }
}

/// A project's inference keys.
#[component]
pub fn InferenceKeysPage() -> impl IntoView {
    view! { <KeysPage kind=KeyKind::Inference/> }
}

/// The page. A path that names no project is answered like one that names a stranger's.
#[component]
fn KeysPage(kind: KeyKind) -> impl IntoView {
    Clock::provide();
    let project = use_project_id();
    move || match project.get() {
        Some(project) => view! { <Keys project kind/> }.into_any(),
        None => view! { <NotFound/> }.into_any(),
    }
}

#[component]
fn Keys(project: ProjectId, kind: KeyKind) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let filter = KeysFilterState::of_address();
    let keys = PagedList::new(move |cursor| {
        list_project_keys(project, filter.now.get_untracked().for_server(kind), cursor)
    })
    .with_order(filter.now.with_untracked(filter::KeysFilter::order));
    Effect::new(move |before: Option<filter::KeysFilter>| {
        let now = filter.now.get();
        if before.is_some_and(|before| before != now) {
            keys.restart(now.order());
        }
        now
    });
    // Inference keys don't belong to an application.
    let applications =
        if kind == KeyKind::Api { applications_of(project) } else { RwSignal::new(Vec::new()) };
    // The project as the workspace has it; while that is loaded again, the last one.
    let found = Memo::new(move |_| {
        let (project, organization) = workspace.project().zip(workspace.organization())?;
        let applications = applications.get();
        Some(KeyScope { kind, project, organization, only: None, applications })
    });
    let creating = RwSignal::new(false);
    let presence = RwSignal::new(KeysPresence::Unknown);
    let missing = Memo::new(move |_| keys.is_missing());
    let is_found = Memo::new(move |_| found.with(Option::is_some));
    move || {
        if missing.get() {
            return view! { <NotFound/> }.into_any();
        }
        view! {
            <Head kind found presence creating/>
            {move || match (is_found.get(), found.get_untracked()) {
                (true, Some(first)) => {
                    let scope = Signal::derive(move || found.get().unwrap_or_else(|| first.clone()));
                    view! { <List project filter keys scope presence creating/> }.into_any()
                }
                _ => view! { <Waiting workspace/> }.into_any(),
            }}
        }
        .into_any()
    }
}

/// The project's applications, for their names. Without them the page shows their ids.
fn applications_of(project: ProjectId) -> RwSignal<Vec<Application>> {
    let applications = RwSignal::new(Vec::new());
    Effect::new(move || {
        leptos::task::spawn_local(async move {
            let mut cursor = None;
            loop {
                let Ok(page) = list_applications(project, cursor).await else { return };
                _ = applications.try_update(|all| all.extend(page.data));
                cursor = page.next_cursor;
                if cursor.is_none() {
                    return;
                }
            }
        });
    });
    applications
}

/// What the keys are for, how many there are, and the way to one more.
#[component]
fn Head(
    kind: KeyKind,
    found: Memo<Option<KeyScope>>,
    presence: RwSignal<KeysPresence>,
    creating: RwSignal<bool>,
) -> impl IntoView {
    let words = KeyLabels::of(kind);
    let description = Signal::derive(move || {
        if kind == KeyKind::Inference {
            return "Keys for model endpoints, with request, token and budget limits of their own."
                .to_owned();
        }
        let name = found.with(|found| found.as_ref().map(|scope| scope.project.name.clone()));
        name.map(|name| {
            format!("Keys for calling {name}. Full values are shown once, at creation.")
        })
        .unwrap_or_default()
    });
    let may_write = move || found.with(|found| found.as_ref().is_some_and(KeyScope::may_write));
    let can_create = Memo::new(move |_| may_write() && presence.get() == KeysPresence::Some);
    on_shortcut("c", move || {
        if can_create.get_untracked() {
            creating.set(true);
        }
    });
    let slots = move || {
        found.with(|found| found.as_ref().map(|it| (it.project.keys_used, it.project.keys_limit)))
    };
    view! {
        <PageHead title=words.title description compact=true>
            <div class="flex min-h-8 items-center max-md:order-3 max-md:w-full">
                {move || match slots() {
                    Some((used, limit)) => view! { <SlotMeter used limit/> }.into_any(),
                    None => view! { <SkeletonBar class="h-2.5 w-36"/> }.into_any(),
                }}
            </div>
            <Show when=move || can_create.get()>
                <Button variant=Variant::Primary glyph=Glyph::Plus on_press=move |()| creating.set(true)>
                    {words.create}
                </Button>
            </Show>
        </PageHead>
    }
}

/// Shown until the workspace is loaded, or if that fails.
#[component]
fn Waiting(workspace: Workspace) -> impl IntoView {
    view! {
        <Card>
            {move || match workspace.error() {
                Some(error) => view! {
                    <ErrorState title="Couldn’t load keys" error reassurance="Your keys keep working."
                        on_retry=move |()| workspace.reload()/>
                }
                .into_any(),
                None => view! { <div aria-busy="true"><SkeletonRows/></div> }.into_any(),
            }}
        </Card>
    }
}

#[component]
fn List(
    project: ProjectId,
    filter: KeysFilterState,
    keys: PagedList<ListedKey>,
    scope: Signal<KeyScope>,
    presence: RwSignal<KeysPresence>,
    creating: RwSignal<bool>,
) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let checking = RwSignal::new(false);
    let page =
        KeysPageState::new(keys, scope, creating, Callback::new(move |()| workspace.reload()));
    let shown = keys.state();
    Effect::new(move || {
        if shown.get() == ListState::Rows {
            presence.set(KeysPresence::Some);
        }
    });
    let names_application = scope.with_untracked(|scope| scope.kind == KeyKind::Api);
    let has_toolbar = Memo::new(move |_| match presence.get() {
        KeysPresence::Some => true,
        KeysPresence::None => false,
        KeysPresence::Unknown => filter.now.with(filter::KeysFilter::is_narrow),
    });
    view! {
        <ViewerNote scope/>
        <Show when=move || has_toolbar.get()>
            <Toolbar filter page on_check=move |()| checking.set(true)/>
        </Show>
        <section aria-labelledby="keys-title">
            <h2 id="keys-title" class="sr-only">"Keys"</h2>
            <KeyList
                page
                shown
                names_application=names_application
                // No requests while a secret is in a field.
                paused=checking
                empty=move || view! { <NoKeys project filter page presence/> }
            />
        </section>
        {names_application.then(|| view! { <ForwardAuth scope/> })}
        <KeyDialogs page/>
        <Show when=move || checking.get()>
            <IsMine project on_close=move |()| checking.set(false)/>
        </Show>
    }
}
