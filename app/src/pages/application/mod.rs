//! One application: its keys and its telemetry.

pub mod actions;
pub mod subject;
pub mod telemetry;

use latchkey_domain::api::{ApplicationContext, ListedKey};
use latchkey_domain::id::{ApplicationId, ProjectId};
use latchkey_domain::key::KeyKind;
use latchkey_domain::role::Permission;
use leptos::prelude::*;

use self::actions::Actions;
use self::subject::Subject;
use self::telemetry::Telemetry;
use crate::api::list_application_keys;
use crate::components::error_state::ErrorState;
use crate::data::paged_list::PagedList;
use crate::keys::first_key::FirstKey;
use crate::keys::scope::ViewerNote;
use crate::keys::table::KeyList;
use crate::keys::{KeyDialogs, KeyScope, KeysPageState};
use crate::layout::{PageHead, Section, Workspace, applications_path};
use crate::layout::{use_application_id, use_project_id};
use crate::pages::not_found::NotFound;
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::Clock;
use latchkey_ui::skeleton::{SkeletonRows, skeleton_shown};
use latchkey_ui::slot_meter::SlotMeter;
use latchkey_ui::table::Card;

/// The page. A path that names no application is answered like one that names a stranger's.
#[component]
pub fn ApplicationPage() -> impl IntoView {
    Clock::provide();
    let (project, application) = (use_project_id(), use_application_id());
    move || match (project.get(), application.get()) {
        (Some(project), Some(application)) => view! { <Page project application/> }.into_any(),
        _ => view! { <NotFound/> }.into_any(),
    }
}

#[component]
fn Page(project: ProjectId, application: ApplicationId) -> impl IntoView {
    let subject = Subject::new(project, application);
    let keys = PagedList::new(move |cursor| list_application_keys(application, cursor));
    let creating = RwSignal::new(false);
    let missing = Memo::new(move |_| subject.is_missing());
    move || {
        if missing.get() {
            return view! { <NotFound/> }.into_any();
        }
        view! {
            <Head project subject keys on_create=move |()| creating.set(true)/>
            <Body application subject keys creating/>
        }
        .into_any()
    }
}

/// What the application is, how many keys its project has, and the way to one more.
#[component]
fn Head(
    project: ProjectId,
    subject: Subject,
    keys: PagedList<ListedKey>,
    #[prop(into)] on_create: Callback<()>,
) -> impl IntoView {
    let Subject { found, failure, .. } = subject;
    let workspace = expect_context::<Workspace>();
    let section = Signal::derive(move || Section {
        title: "Applications",
        href: workspace.address(&applications_path(project)),
    });
    let title = Signal::derive(move || match found.get() {
        Some(found) => found.application.name,
        None if failure.with(Option::is_some) => "Application".to_owned(),
        None => String::new(),
    });
    let description = Signal::derive(move || {
        found.with(|found| found.as_ref().map(describe).unwrap_or_default())
    });
    let can_create =
        move || found.with(|found| found.as_ref().is_some_and(may_write)) && keys.count() > 0;
    view! {
        <PageHead title section description>
            {move || {
                let project = found.get()?.project;
                let meter = view! { <SlotMeter used=project.keys_used limit=project.keys_limit/> };
                Some(view! { <div class="flex min-h-8 items-center">{meter}</div> })
            }}
            <Show when=can_create>
                <Button variant=Variant::Primary glyph=Glyph::Plus on_press=on_create>
                    "Generate API key"
                </Button>
            </Show>
            <Actions project subject/>
        </PageHead>
    }
}

/// One line: where the application runs and what it is for.
fn describe(found: &ApplicationContext) -> String {
    let ApplicationContext { application, project, .. } = found;
    let environment = application.environment.label();
    if application.description.is_empty() {
        let project = &project.name;
        format!(
            "{environment} · Keys for calling {project}. Full values are shown once, at creation."
        )
    } else {
        format!("{environment} · {}", application.description)
    }
}

fn may_write(found: &ApplicationContext) -> bool {
    found.organization.role.is_some_and(|role| role.allows(Permission::KeysWrite))
}

/// Keys and telemetry, once it is known whose.
#[component]
fn Body(
    application: ApplicationId,
    subject: Subject,
    keys: PagedList<ListedKey>,
    creating: RwSignal<bool>,
) -> impl IntoView {
    let Subject { found, failure, .. } = subject;
    let is_there = Memo::new(move |_| found.with(Option::is_some));
    let skeleton =
        skeleton_shown(Signal::derive(move || !is_there.get() && failure.with(Option::is_none)));
    // A memo, so that the sections and their dialogs stay when the data is loaded again.
    let state = Memo::new(move |_| {
        if skeleton.get() {
            None
        } else if is_there.get() {
            Some(Ok(()))
        } else {
            failure.get().map(Err)
        }
    });
    let workspace = expect_context::<Workspace>();
    // Whatever made this fail has made the other requests fail too.
    let retry = move |()| {
        subject.retry();
        keys.retry();
        workspace.reload();
    };
    move || match (state.get(), found.get_untracked()) {
        (Some(Ok(())), Some(first)) => {
            let context = Signal::derive(move || found.get().unwrap_or_else(|| first.clone()));
            let on_changed = subject.load;
            view! { <Sections application context keys creating on_changed/> }.into_any()
        }
        (Some(Err(error)), _) => view! {
            <Card>
                <ErrorState title="Couldn’t load the application" error on_retry=retry/>
            </Card>
        }
        .into_any(),
        _ => view! { <Loading/> }.into_any(),
    }
}

#[component]
fn Loading() -> impl IntoView {
    view! {
        <Card>
            <div aria-busy="true"><SkeletonRows/></div>
        </Card>
    }
}

#[component]
fn Sections(
    application: ApplicationId,
    context: Signal<ApplicationContext>,
    keys: PagedList<ListedKey>,
    creating: RwSignal<bool>,
    on_changed: Callback<()>,
) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let on_count_change = Callback::new(move |()| {
        on_changed.run(());
        workspace.reload();
    });
    let scope = Signal::derive(move || {
        let ApplicationContext { application, project, organization } = context.get();
        let applications = vec![application.clone()];
        let only = Some(application);
        KeyScope { kind: KeyKind::Api, project, organization, only, applications }
    });
    let page = KeysPageState::new(keys, scope, creating, on_count_change);
    view! {
        <ViewerNote scope/>
        <div class="flex flex-col gap-7">
            <section aria-labelledby="keys-title">
                <h2 id="keys-title" class="mb-3 text-heading font-semibold">"API keys"</h2>
                <KeyList
                    page
                    shown=keys.state()
                    empty=move || view! { <FirstKey page action="Generate API key"/> }
                />
            </section>
            <Telemetry application/>
        </div>
        <KeyDialogs page/>
    }
}
