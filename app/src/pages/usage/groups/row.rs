//! One group of the table; on narrow screens, its card.

use std::collections::{HashMap, HashSet};

use latchkey_domain::api::{UsageGroup, UsageGrouping};
use latchkey_domain::id::{KeyId, ProjectId};
use leptos::prelude::*;

use super::words::none_of;
use crate::data::url_filter::UrlFilter;
use crate::layout::{Workspace, application_path, inference_key_path, usage_path};
use crate::pages::usage::range::{UsageFilter, UsageFilterState};
use latchkey_ui::bar_meter::short;
use latchkey_ui::budget::{dollars, short_dollars};
use latchkey_ui::table::{CELL, Column, LOW_CELL, ROW};
use latchkey_ui::thousands;

/// The columns of a table of groups. On narrow tables, what is allowed is left out: it is what is
/// not denied.
pub const fn columns(group: &'static str) -> [Column; 7] {
    const NUMBER: &str = "text-right whitespace-nowrap";
    [
        Column::new(group).class("w-full"),
        Column::new("Requests").class(NUMBER),
        Column::new("Allowed").class("text-right whitespace-nowrap md:max-lg:hidden"),
        Column::new("Denied").class(NUMBER),
        Column::new("Input tokens").class(NUMBER),
        Column::new("Output tokens").class(NUMBER),
        Column::new("Cost").class(NUMBER),
    ]
}

/// The groups as they are now, by name.
pub type GroupsByName = Memo<HashMap<Option<String>, UsageGroup>>;

/// Where the names of groups lead to.
#[derive(Clone, Copy)]
pub struct GroupLinks {
    /// Project that the usage is of.
    pub project: ProjectId,
    /// State of the page's filters.
    pub filter: UsageFilterState,
    /// Keys that have a page of their own. The others have their usage alone.
    pub inference_keys: Memo<HashSet<KeyId>>,
    /// Names for paths.
    pub workspace: Workspace,
}

impl GroupLinks {
    /// Path to what the group is, tracked; none for values.
    fn href(self, by: UsageGrouping, group: &str) -> Option<String> {
        let Self { project, filter, inference_keys, workspace } = self;
        match by {
            UsageGrouping::Key => {
                let key: KeyId = group.parse().ok()?;
                if inference_keys.with(|keys| keys.contains(&key)) {
                    return Some(workspace.address(&inference_key_path(project, key)));
                }
                let range = filter.now.with(|filter| filter.range);
                let query = UsageFilter { range, key: Some(key), ..UsageFilter::default() };
                Some(format!("{}{}", workspace.address(&usage_path(project)), query.to_query()))
            }
            UsageGrouping::Application => {
                let application = group.parse().ok()?;
                Some(workspace.address(&application_path(project, application)))
            }
            UsageGrouping::Model | UsageGrouping::ExternalId | UsageGrouping::Tag => None,
        }
    }
}

/// The row. It follows the groups but is never replaced, because it may contain the focus.
#[component]
pub fn GroupRow(
    /// The group when the row was made.
    group: UsageGroup,
    /// The groups as they are now.
    groups: GroupsByName,
    /// What the groups are.
    by: UsageGrouping,
    /// Where the name leads to.
    links: GroupLinks,
) -> impl IntoView {
    let UsageGroup { group: name, label, .. } = group.clone();
    let now = Memo::new(move |_| {
        groups.with(|groups| groups.get(&group.group).cloned()).unwrap_or_else(|| group.clone())
    });
    let cell = if is_named(by) && name.is_some() { CELL } else { LOW_CELL };
    let count = move |of: fn(&UsageGroup) -> u64| Signal::derive(move || thousands(now.with(of)));
    let few = move |of: fn(&UsageGroup) -> u64| Signal::derive(move || short(now.with(of)));
    let requests = count(|group| group.requests);
    let allowed = count(|group| group.valid);
    let denied = count(|group| group.denied);
    let input = few(|group| group.prompt_tokens);
    let output = few(|group| group.completion_tokens);
    let cost = Signal::derive(move || short_dollars(now.with(|group| group.cost_usd)));
    view! {
        <tr role="row" class=ROW>
            <td
                role="cell"
                class=format!("{cell} max-w-0 break-words md:min-w-40 md:py-2 max-md:col-span-4 max-md:max-w-none max-md:min-w-0")
            >
                <Name by name label links/>
            </td>
            <NumberCell label="Requests" cell few=requests exact=requests/>
            <NumberCell label="Allowed" cell few=allowed exact=allowed class="md:max-lg:hidden"/>
            <NumberCell label="Denied" cell few=denied exact=denied/>
            <NumberCell label="Input tokens" cell few=input exact=count(|group| group.prompt_tokens)/>
            <NumberCell label="Output tokens" cell few=output exact=count(|group| group.completion_tokens)/>
            <NumberCell
                label="Cost"
                cell
                few=cost
                exact=Signal::derive(move || dollars(now.with(|group| group.cost_usd)))
            />
        </tr>
    }
}

/// Whether groups have names beside their ids.
const fn is_named(by: UsageGrouping) -> bool {
    matches!(by, UsageGrouping::Key | UsageGrouping::Application)
}

/// What the group is called, with a link where there is a page about it.
#[component]
fn Name(
    by: UsageGrouping,
    name: Option<String>,
    label: Option<String>,
    links: GroupLinks,
) -> impl IntoView {
    let Some(name) = name else {
        return view! { <span class="text-ink-2">{none_of(by)}</span> }.into_any();
    };
    if !is_named(by) {
        return view! { <span class="font-medium">{name}</span> }.into_any();
    }
    let short_id = name.get(..12).unwrap_or_default().to_owned();
    let (title, label) = (name.clone(), label.unwrap_or_else(|| name.clone()));
    view! {
        <a
            href=move || links.href(by, &name)
            class="block rounded-xs font-medium hover:underline max-md:py-1"
        >
            {label}
        </a>
        <code class="block font-mono text-[11.5px] leading-4 text-ink-3" title=title>{short_id}</code>
    }
    .into_any()
}

/// A number; on cards, which have no head, with what it is.
#[component]
fn NumberCell(
    /// What the number is.
    label: &'static str,
    /// Classes of the cell.
    cell: &'static str,
    /// The number with few digits.
    few: Signal<String>,
    /// All of its digits.
    exact: Signal<String>,
    /// More classes.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    view! {
        <td
            role="cell"
            class=format!("{cell} num text-right whitespace-nowrap {class} max-md:col-span-4 max-md:flex max-md:justify-between max-md:gap-4")
        >
            <span aria-hidden="true" class="text-caption text-ink-2 md:hidden">{label}</span>
            <span title=move || exact.get()>{few}</span>
        </td>
    }
}
