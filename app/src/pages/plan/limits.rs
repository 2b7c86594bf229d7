//! The limits of the plan and of the user, and how much of each is used.

use latchkey_domain::api::{PlanUse, QuotaState};
use latchkey_domain::tier::{INVITATIONS_PER_HOUR, OWNED_ORGANIZATIONS, TierLimits};
use leptos::prelude::*;

use super::super::settings::SettingsSubject;
use crate::api::{ApiError, get_plan_use, get_project_month};
use crate::components::error_state::ErrorState;
use latchkey_ui::table::{Card, Column, EmptyCell, LOW_CELL, LoadingTable, ROW, Table};
use latchkey_ui::thousands;

const COLUMNS: &[Column] = &[
    Column::new("Limit"),
    Column::new("In use"),
    Column::new("Allowed"),
    Column::new("At the limit"),
];

/// Table with the plan's limits.
#[component]
pub fn Limits(
    /// What the page is about.
    subject: Signal<SettingsSubject>,
) -> impl IntoView {
    let place = Memo::new(move |_| {
        subject.with(|it| (it.organization.id, it.organization.tier, it.project.id))
    });
    let data = LocalResource::new(move || {
        let (organization, _, project) = place.get();
        async move {
            let plan = get_plan_use(organization).await?;
            let month = get_project_month(project).await?;
            Ok::<_, ApiError>((plan, month))
        }
    });
    let project = move || subject.with(|subject| subject.project.name.clone());
    move || {
        match data.get() {
        None => view! { <LoadingTable label="Limits" columns=COLUMNS/> }.into_any(),
        Some(Err(error)) => view! {
            <Card>
                <ErrorState title="Couldn’t load the limits" error on_retry=move |()| data.refetch()/>
            </Card>
        }
        .into_any(),
        Some(Ok((plan, month))) => {
            let rows = rows(&plan, &month, &project());
            view! {
                <Table label="Limits" columns=COLUMNS>
                    {rows.into_iter().map(|row| view! { <Row row/> }).collect_view()}
                </Table>
            }
            .into_any()
        }
    }
    }
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LimitRow {
    name: String,
    used: Option<String>,
    is_close: bool,
    allowed: String,
    at_limit: &'static str,
}

impl LimitRow {
    fn counted(
        name: impl Into<String>,
        used: u64,
        limit: Option<u64>,
        at_limit: &'static str,
    ) -> Self {
        Self {
            name: name.into(),
            used: Some(thousands(used)),
            is_close: limit.is_some_and(|limit| used.saturating_mul(5) >= limit.saturating_mul(4)),
            allowed: unlimited_or(limit),
            at_limit,
        }
    }

    fn fixed(name: &str, allowed: String, at_limit: &'static str) -> Self {
        Self { name: name.to_owned(), used: None, is_close: false, allowed, at_limit }
    }
}

fn rows(plan: &PlanUse, month: &QuotaState, project: &str) -> Vec<LimitRow> {
    let limits = plan.limits;
    vec![
        LimitRow::counted(
            "Projects",
            plan.projects,
            limits.projects.map(u64::from),
            "Delete a project or upgrade.",
        ),
        LimitRow::counted(
            format!("Live requests of {project} this month"),
            month.used,
            limits.requests_per_month,
            "Requests are refused until the next month.",
        ),
        LimitRow::fixed(
            "Live telemetry is kept",
            days(limits.telemetry_days),
            "Older telemetry is deleted.",
        ),
        LimitRow::fixed(
            "Live telemetry of each project",
            size(limits.telemetry_bytes),
            "New telemetry is refused until older telemetry is deleted.",
        ),
        LimitRow::counted(
            "Organizations you own",
            plan.owned_organizations,
            Some(OWNED_ORGANIZATIONS.into()),
            "Delete one, or make somebody else its owner.",
        ),
        LimitRow::counted(
            "Invitations you sent in the last hour",
            plan.invitations,
            Some(INVITATIONS_PER_HOUR.into()),
            "Wait until the oldest is an hour old.",
        ),
        LimitRow::fixed(
            "Your changes per minute",
            thousands(plan.writes_per_minute),
            "Wait a minute.",
        ),
    ]
}

/// What a tier allows beside keys and requests.
pub(super) fn in_words(limits: &TierLimits) -> [String; 2] {
    let projects = limits.projects.map(u64::from);
    [
        format!("{} projects", unlimited_or(projects)),
        format!(
            "Telemetry: {}, {} per project",
            days(limits.telemetry_days),
            size(limits.telemetry_bytes).to_lowercase().replace("gib", "GiB")
        ),
    ]
}

fn unlimited_or(limit: Option<u64>) -> String {
    limit.map_or_else(|| "Unlimited".to_owned(), thousands)
}

fn days(days: u32) -> String {
    match days {
        1 => "1 day".to_owned(),
        days => format!("{} days", thousands(days.into())),
    }
}

fn size(bytes: Option<u64>) -> String {
    const GIB: u64 = 1 << 30;
    match bytes {
        None => "Unlimited".to_owned(),
        Some(bytes) if bytes % GIB == 0 => format!("{} GiB", thousands(bytes / GIB)),
        Some(bytes) => format!("{} bytes", thousands(bytes)),
    }
}

#[component]
fn Row(row: LimitRow) -> impl IntoView {
    let close = row.is_close;
    let used = match row.used {
        Some(used) => view! { {used} }.into_any(),
        None => view! { <EmptyCell/> }.into_any(),
    };
    view! {
        <tr role="row" class=ROW>
            <th role="rowheader" scope="row" class=format!("{LOW_CELL} text-left font-medium max-md:col-span-4")>{row.name}</th>
            <td
                role="cell"
                class=format!("{LOW_CELL} num whitespace-nowrap max-md:col-span-1")
                class=(["font-medium", "text-warn-ink"], close)
            >
                {used}
            </td>
            <td role="cell" class=format!("{LOW_CELL} num whitespace-nowrap text-ink-2 max-md:col-span-3")>
                <span class="md:hidden">"of "</span>
                {row.allowed}
            </td>
            <td role="cell" class=format!("{LOW_CELL} text-ink-2 max-md:col-span-4 max-md:text-caption")>{row.at_limit}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::tier::Tier;

    use super::*;

    #[test]
    fn tiers_say_what_they_allow() {
        assert_eq!(
            in_words(&Tier::Free.limits()),
            ["20 projects", "Telemetry: 7 days, 1 GiB per project"]
        );
        assert_eq!(
            in_words(&Tier::Enterprise.limits()),
            ["Unlimited projects", "Telemetry: 400 days, unlimited per project"]
        );
    }

    #[test]
    fn limit_warns_from_four_fifths_on() {
        assert!(!LimitRow::counted("Projects", 15, Some(20), "").is_close);
        assert!(LimitRow::counted("Projects", 16, Some(20), "").is_close);
        assert!(!LimitRow::counted("Projects", 16, None, "").is_close);
        assert_eq!(size(Some(1_000)), "1,000 bytes");
        assert_eq!(days(1), "1 day");
    }
}
