//! The head of the page: the key, the time range, and the actions of the key.

use latchkey_domain::api::{ListedKey, Usage};
use latchkey_domain::id::ProjectId;
use latchkey_domain::key::KeyStatus;
use leptos::prelude::*;

use crate::data::polled_query::PolledQuery;
use crate::keys::KeysPageState;
use crate::keys::actions::Actions;
use crate::keys::disable::DisabledNote;
use crate::keys::model_chips::AllModels;
use crate::keys::scope::ViewerNote;
use crate::layout::{PageHead, Section, Workspace, inference_keys_path};
use crate::pages::usage::range::{RangePicker, UsageFilterState};
use latchkey_ui::button::IconButton;
use latchkey_ui::clipboard::Copier;
use latchkey_ui::environment_tag::EnvironmentTag;
use latchkey_ui::icon::Glyph;
use latchkey_ui::masked_key::MaskedKey;
use latchkey_ui::relative_time::{Clock, RelativeTime, browser_time};
use latchkey_ui::status_badge::{KeyState, StatusBadge};

fn section(project: ProjectId) -> Signal<Section> {
    let workspace = expect_context::<Workspace>();
    Signal::derive(move || Section {
        title: "Inference keys",
        href: workspace.address(&inference_keys_path(project)),
    })
}

/// The head until the key is known.
#[component]
pub fn Waiting(
    /// The project that it is in.
    project: ProjectId,
    /// Title if the name can't be loaded.
    #[prop(optional)]
    title: &'static str,
) -> impl IntoView {
    view! { <PageHead title=title.to_owned() section=section(project)/> }
}

/// Title and actions of the page.
#[component]
pub fn Head(
    /// State of the page's dialogs.
    page: KeysPageState,
    /// The key as it is now.
    now: Memo<ListedKey>,
    /// What it is used for.
    usage: PolledQuery<Usage>,
    /// State of the selected range.
    filter: UsageFilterState,
) -> impl IntoView {
    let project = now.with_untracked(|now| now.key.project_id);
    let title = Signal::derive(move || now.with(|now| now.key.name.clone()));
    view! {
        <PageHead title section=section(project) compact=true>
            <RangePicker filter/>
            <div class="max-md:ml-auto"><Actions page now wide=true/></div>
        </PageHead>
        <Facts now usage/>
        <DisabledNote page now/>
        <ViewerNote scope=page.scope/>
    }
}

/// The line below the title.
#[component]
fn Facts(now: Memo<ListedKey>, usage: PolledQuery<Usage>) -> impl IntoView {
    let clock = use_context::<Clock>();
    let time = move || clock.and_then(Clock::get).or_else(browser_time);
    let state = Memo::new(move |_| now.with(|now| KeyState::of(now, time())));
    let secret = Memo::new(move |_| {
        now.with(|now| (now.key.masked.clone(), now.key.status == KeyStatus::Revoked))
    });
    let models = Memo::new(move |_| now.with(|now| now.key.allowed_models.clone()));
    let environment = now.with_untracked(|now| now.key.environment);
    let id = now.with_untracked(|now| now.key.id.to_string());
    let short_id = id.get(..12).unwrap_or_default().to_owned();
    let copier = Copier::new();
    let copied = id.clone();
    let last = Memo::new(move |_| {
        let used = usage.with(|usage| usage.last_used.clone()).flatten();
        used.map(|used| (used.at, used.ip))
            .or_else(|| now.with(|now| Some((now.key.last_used_at?, now.last_used_ip.clone()))))
    });
    view! {
        <div class="-mt-7 mb-5 flex flex-wrap items-center gap-x-3 gap-y-2 max-md:-mt-1">
            <EnvironmentTag environment/>
            {move || view! { <StatusBadge state=state.get()/> }}
            {move || {
                let (hint, revoked) = secret.get();
                view! { <MaskedKey hint revoked/> }
            }}
            <span class="inline-flex items-center gap-1">
                <code class="font-mono text-[11.5px] text-ink-2" title=id node_ref=copier.shown>{short_id}</code>
                <IconButton
                    glyph=Glyph::Copy
                    label="Copy the key’s id"
                    tooltip="Copy id"
                    on_press=move |()| copier.copy(copied.clone())
                />
                <span class="text-caption text-ink-2" role="status">{move || copier.words()}</span>
            </span>
            {move || view! { <AllModels models=models.get()/> }}
            <p class="text-caption text-ink-2">
                {move || match last.get() {
                    Some((time, ip)) => {
                        let from = ip.map(|ip| view! { " from " <span class="font-mono text-[11.5px]">{ip}</span> });
                        view! { "Used " <RelativeTime time/> {from} }.into_any()
                    }
                    None => "Never used".into_any(),
                }}
            </p>
        </div>
    }
}
