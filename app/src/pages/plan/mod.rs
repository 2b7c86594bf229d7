//! The plans, how much of the current one the projects of the organization use, and the limits that
//! the organization sets itself.

pub mod limits;
pub mod tier_change;

use latchkey_domain::api::Project;
use latchkey_domain::tier::Tier;
use leptos::prelude::*;

use self::limits::{Limits, in_words};
use self::tier_change::{TierButton, TierChange, is_larger};
use super::settings::limits::{LimitsOf, LimitsSection};
use super::settings::{SettingsHead, SettingsPage, SettingsSubject};
use crate::layout::{About, Workspace};
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::slot_meter::{MeterPlace, Slots};
use latchkey_ui::table::{Column, LOW_CELL, ROW, Table};
use latchkey_ui::thousands;

/// What the organization’s tier allows.
#[component]
pub fn PlanPage() -> impl IntoView {
    view! {
        <SettingsPage
            title="Plan"
            about=About::Organization
            failed="Couldn’t load the plan"
            page=|subject| view! { <Plan subject/> }.into_any()
        />
    }
}

#[component]
fn Plan(subject: Signal<SettingsSubject>) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let organization = Signal::derive(move || subject.get().organization);
    let change = TierChange::new(organization, Callback::new(|()| {}));
    let projects = Memo::new(move |_| {
        let id = organization.with(|organization| organization.id);
        workspace
            .with(|data| {
                let own = data.projects.iter().filter(|project| project.organization_id == id);
                own.cloned().collect::<Vec<_>>()
            })
            .unwrap_or_default()
    });
    let description = Signal::derive(move || {
        let name = organization.with(|organization| organization.name.clone());
        format!("The plan sets how many active keys each project in {name} can have.")
    });
    view! {
        <SettingsHead title="Plan" about=About::Organization description/>
        <section aria-label="Plans" class="overflow-hidden rounded-lg border border-line bg-surface">
            <ul class="grid lg:grid-cols-4">
                {Tier::ALL.into_iter().map(|tier| view! { <TierCard change tier projects/> }).collect_view()}
            </ul>
            <p class="flex items-center gap-2.5 border-t border-line px-5 py-3.5 text-table text-ink-2">
                <Icon glyph=Glyph::Check class="text-accent"/>
                "Every plan includes live and test keys, inference keys, rotation with a grace period, and the audit log."
            </p>
        </section>
        {move || {
            change.who_can().map(|words| view! { <p class="mt-3 text-table text-ink-2">{words}</p> })
        }}
        <section class="mt-7" aria-labelledby="use-title">
            <h2 id="use-title" class="mb-3 text-heading font-semibold">"Keys in use"</h2>
            <KeysInUse projects/>
        </section>
        <section class="mt-7" aria-labelledby="limits-title">
            <h2 id="limits-title" class="mb-3 text-heading font-semibold">"Limits"</h2>
            <Limits subject/>
        </section>
        <div class="mt-7 max-w-160"><LimitsSection subject of=LimitsOf::Organization/></div>
    }
}

/// What one plan allows, and the way to it.
#[component]
fn TierCard(change: TierChange, tier: Tier, projects: Memo<Vec<Project>>) -> impl IntoView {
    let is_current = Memo::new(move |_| change.current() == tier);
    let keys = tier
        .limits()
        .keys_per_project
        .map_or_else(|| "Unlimited".to_owned(), |limit| thousands(limit.into()));
    let requests = match tier.limits().requests_per_month {
        Some(limit) => format!("{} live requests a month", thousands(limit)),
        None => "Unlimited live requests".to_owned(),
    };
    let note = move || {
        if is_current.get() {
            return Some("Filled slots: your busiest project.".to_owned());
        }
        let is_down = is_larger(change.current(), tier);
        let limit = tier.limits().keys_per_project.filter(|_| is_down)?;
        projects.with(|projects| over_limit(projects, limit.into()))
    };
    let busiest = move || {
        let most = projects.with(|all| all.iter().map(|project| project.keys_used).max());
        if is_current.get() { most.unwrap_or_default() } else { 0 }
    };
    view! {
        <li
            class="flex flex-col border-line p-5 max-lg:border-t max-lg:first:border-t-0 lg:min-h-74 lg:border-l lg:first:border-l-0"
            class=(["bg-accent-soft/50", "inset-shadow-[0_2px_0_var(--color-accent)]"], is_current)
            aria-current=move || is_current.get().then_some("true")
        >
            <h2 class="flex items-baseline gap-2 text-heading font-semibold">
                {tier.label()}
                {move || {
                    is_current
                        .get()
                        .then(|| view! { <span class="text-caption font-medium text-accent-ink">"Current plan"</span> })
                }}
            </h2>
            <p class="num mt-3 text-metric font-semibold">{keys}</p>
            <p class="text-table text-ink-2">"keys per project"</p>
            <p class="num mt-0.5 text-table text-ink-2">{requests}</p>
            {in_words(&tier.limits()).map(|words| view! { <p class="num mt-0.5 text-table text-ink-2">{words}</p> })}
            {move || view! { <SlotGrid used=busiest() limit=tier.limits().keys_per_project/> }}
            <div class="mt-auto pt-5 max-lg:empty:hidden"><TierButton change tier/></div>
            <p class="mt-2 text-caption text-ink-2 max-lg:empty:hidden lg:min-h-12">{note}</p>
        </li>
    }
}

/// What a smaller plan would mean for projects that have more keys than it allows.
fn over_limit(projects: &[Project], limit: u64) -> Option<String> {
    let over: Vec<&Project> = projects.iter().filter(|project| project.keys_used > limit).collect();
    match over.as_slice() {
        [] => None,
        [project] => {
            let (name, used) = (&project.name, project.keys_used);
            let many = match used - limit {
                1 => "1 is".to_owned(),
                more => format!("{more} are"),
            };
            Some(format!(
                "{name} has {used} active keys. They keep working; new keys are refused until {many} revoked."
            ))
        }
        more => Some(format!(
            "{} projects have more than {limit} active keys. They keep working; new keys are refused until \
            they fit.",
            more.len()
        )),
    }
}

/// The slots of a plan as an illustration; the numbers are above it.
#[component]
fn SlotGrid(used: u64, limit: Option<u32>) -> impl IntoView {
    const DRAWN_OF_UNLIMITED: u32 = 100;
    let fade = if limit.is_none() { "mask-r-from-30% mask-b-from-60%" } else { "" };
    let slot = move |index: u32| {
        let look =
            if u64::from(index) < used { "border-accent bg-accent" } else { "border-line-strong" };
        view! { <span class=format!("h-3 w-1.5 rounded-[2px] border {look}")></span> }
    };
    view! {
        <div class=format!("mt-3.5 flex max-h-[4.75rem] max-w-62 flex-wrap gap-x-1 gap-y-1 overflow-hidden max-lg:hidden {fade}") aria-hidden="true">
            {(0..limit.unwrap_or(DRAWN_OF_UNLIMITED)).map(slot).collect_view()}
        </div>
    }
}

const COLUMNS: &[Column] = &[
    Column::new("Project"),
    Column::new("Active keys").class("whitespace-nowrap"),
    Column::spoken("Slots").class("w-full max-lg:hidden"),
    Column::spoken("Left"),
];

#[component]
fn KeysInUse(projects: Memo<Vec<Project>>) -> impl IntoView {
    view! {
        <Table label="Keys in use" columns=COLUMNS>
            <For each=move || projects.get() key=|project| (project.id, project.keys_used, project.keys_limit) let(project)>
                <InUse project/>
            </For>
        </Table>
    }
}

#[component]
fn InUse(project: Project) -> impl IntoView {
    let Project { name, keys_used: used, keys_limit: limit, .. } = project;
    let of = limit.map_or_else(|| " keys".to_owned(), |limit| format!(" of {limit}"));
    let left = limit.map(|limit| u64::from(limit).saturating_sub(used));
    let is_close = limit.is_some_and(|limit| used * 5 >= u64::from(limit) * 4);
    let words = left.map_or_else(|| "Unlimited".to_owned(), |left| format!("{left} left"));
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{LOW_CELL} max-w-72 truncate font-medium md:min-w-56 max-md:col-span-2 max-md:max-w-none")>{name}</td>
            <td role="cell" class=format!("{LOW_CELL} num whitespace-nowrap text-ink-2")>
                <span class="font-medium text-ink">{used}</span> {of}
            </td>
            <td role="cell" class=format!("{LOW_CELL} max-lg:hidden")>
                <Slots used limit place=MeterPlace::Wide/>
            </td>
            <td
                role="cell"
                class=format!("{LOW_CELL} num text-right text-caption whitespace-nowrap")
                class=(["font-medium", "text-warn-ink"], is_close)
                class=("text-ink-2", !is_close)
            >
                {words}
            </td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(name: &str, keys_used: u64) -> Project {
        Project {
            id: "prj_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            organization_id: "org_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            name: name.to_owned(),
            key_prefix: "lk".to_owned(),
            tier: Tier::Pro,
            keys_used,
            keys_limit: Some(10),
            rpm: None,
            tpm: None,
            max_parallel: None,
            budgets: Vec::new(),
            key_defaults: latchkey_domain::api::KeyDefaults::default(),
            created_at: latchkey_domain::time::Timestamp::from_millis(0),
        }
    }

    #[test]
    fn a_smaller_plan_says_which_projects_have_too_many_keys() {
        let (shop, feed) = (project("Shop", 2), project("Feed", 8));
        assert_eq!(over_limit(std::slice::from_ref(&shop), 2), None);
        assert_eq!(
            over_limit(&[shop.clone(), feed.clone()], 2).unwrap(),
            "Feed has 8 active keys. They keep working; new keys are refused until 6 are revoked."
        );
        assert_eq!(
            over_limit(&[feed.clone(), feed], 2).unwrap(),
            "2 projects have more than 2 active keys. They keep working; new keys are refused until they fit."
        );
    }
}
