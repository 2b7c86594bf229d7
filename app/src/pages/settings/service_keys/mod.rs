//! The service keys of a project, with which its own programs call the management API.

pub mod row;

use latchkey_domain::api::{KeyFilter, ListedKey};
use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use self::row::ServiceKeyRow;
use super::{SettingsHead, SettingsPage, SettingsSubject};
use crate::api::list_project_keys;
use crate::components::list_view::ListView;
use crate::components::load_more::LoadMoreRows;
use crate::data::list_rows::Order;
use crate::data::paged_list::{ListState, PagedList};
use crate::data::polling::poll_while_visible;
use crate::keys::scope::ViewerNote;
use crate::keys::{KeyDialogs, KeyScope, KeysPageState};
use crate::pages::not_found::NotFound;
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::Clock;
use latchkey_ui::shortcut::on_shortcut;
use latchkey_ui::switch::Switch;
use latchkey_ui::table::{Card, Column, Table};

const COLUMNS: &[Column] = &[
    Column::new("Name"),
    Column::new("Key"),
    Column::new("Permissions"),
    Column::new("Last used").class("whitespace-nowrap"),
    Column::new("Expires").class("max-xl:hidden"),
    Column::new("Status"),
    Column::actions(),
];

/// Keys of programs that manage the project.
#[component]
pub fn ServiceKeysPage() -> impl IntoView {
    Clock::provide();
    view! {
        <SettingsPage
            title="Service keys"
            failed="Couldn’t load service keys"
            page=|subject| view! { <ServiceKeys subject/> }.into_any()
        />
    }
}

#[component]
fn ServiceKeys(subject: Signal<SettingsSubject>) -> impl IntoView {
    let project = subject.with_untracked(|subject| subject.project.id);
    let archived = RwSignal::new(false);
    let keys = PagedList::new(move |cursor| {
        let kind = Some(KeyKind::Service);
        let filter = KeyFilter { kind, archived: archived.get_untracked(), ..KeyFilter::default() };
        list_project_keys(project, filter, cursor)
    });
    let scope = Signal::derive(move || {
        let SettingsSubject { project, organization } = subject.get();
        let (only, applications) = (None, Vec::new());
        KeyScope { kind: KeyKind::Service, project, organization, only, applications }
    });
    // No plan counts service keys.
    let page = KeysPageState::new(keys, scope, RwSignal::new(false), Callback::new(|()| {}));
    let missing = Memo::new(move |_| keys.is_missing());
    move || {
        if missing.get() {
            view! { <NotFound/> }.into_any()
        } else {
            view! { <Page page archived/> }.into_any()
        }
    }
}

#[component]
fn Page(page: KeysPageState, archived: RwSignal<bool>) -> impl IntoView {
    let keys = page.keys;
    let shown = keys.state();
    // An empty list has the button itself.
    let can_create = Memo::new(move |_| page.may_write() && shown.get() == ListState::Rows);
    on_shortcut("c", move || {
        if can_create.get_untracked() {
            page.creating.set(true);
        }
    });
    poll_while_visible(move || {
        if keys.is_ready_untracked() {
            keys.refresh();
        }
    });
    let description = Signal::derive(move || {
        let name = page.scope.with(|scope| scope.project.name.clone());
        format!("Keys for your own programs that manage {name} over the API.")
    });
    view! {
        <SettingsHead title="Service keys" description>
            <Show when=move || can_create.get()>
                <Button variant=Variant::Primary glyph=Glyph::Plus on_press=move |()| page.creating.set(true)>
                    "Create service key"
                </Button>
            </Show>
        </SettingsHead>
        <ViewerNote scope=page.scope/>
        <div class="mb-3 flex">
            <Switch
                on=archived
                on_change=move |on| {
                    archived.set(on);
                    keys.restart(Order::Newest);
                }
            >
                "Show archived"
            </Switch>
        </div>
        <section aria-labelledby="keys-title">
            <h2 id="keys-title" class="sr-only">"Service keys"</h2>
            <List page shown/>
        </section>
        <KeyDialogs page/>
    }
}

#[component]
fn List(page: KeysPageState, shown: Memo<ListState>) -> impl IntoView {
    let keys = page.keys;
    view! {
        <ListView
            state=shown
            label="Service keys"
            columns=COLUMNS
            failed="Couldn’t load service keys"
            reassurance="Your keys keep working."
            on_retry=move |()| keys.retry()
            empty=move || view! { <Empty page/> }
        >
            <KeyTable keys page/>
        </ListView>
    }
}

#[component]
fn Empty(page: KeysPageState) -> impl IntoView {
    view! {
        <Card>
            <EmptyState
                glyph=Glyph::Server
                title="No service keys"
                text="With a service key, your backend can check, create and revoke keys, or read their usage."
            >
                <Show when=move || page.may_write()>
                    <Button variant=Variant::Primary glyph=Glyph::Plus on_press=move |()| page.creating.set(true)>
                        "Create service key"
                    </Button>
                </Show>
            </EmptyState>
        </Card>
    }
}

#[component]
fn KeyTable(keys: PagedList<ListedKey>, page: KeysPageState) -> impl IntoView {
    view! {
        <Table label="Service keys" columns=COLUMNS>
            <For each=move || keys.rows() key=|row| row.key.id let(listed)>
                <ServiceKeyRow page listed/>
            </For>
        </Table>
        <LoadMoreRows list=keys/>
        <p class="mt-3 text-caption text-ink-2">"Service keys don’t count toward the limit."</p>
    }
}
