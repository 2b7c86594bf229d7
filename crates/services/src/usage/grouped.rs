//! Usage of a project by key, model, application, external ID or tag.
//!
//! A report shows one moment. Flushes wait only while the state of the database is fixed and what
//! is not written yet is copied; all the rest is read from that state. How many reports are made at
//! a time is bounded, as each holds a connection.

mod by_keys;
mod by_model;
mod report;
mod sums;

use latchkey_domain::api::{GroupedUsage, ProjectUsageFilter, UsageGrouping};
use latchkey_domain::id::ProjectId;
use latchkey_domain::role::Permission;
use latchkey_domain::usage::UsageRange;

use self::report::{Report, Span};
use crate::actor::Actor;
use crate::error::Error;
use crate::scope;
use crate::services::Services;

/// The usage of a project's keys that match the filter now, by group: the 1,000 groups with most
/// requests. Service keys are left out, as in [`super::of_project`]. Requests without a model that
/// the gateway has found are one group, with `None` for its name.
///
/// # Errors
/// `NotFound` if the actor has no access, `Invalid` for a filter by attributes of keys together
/// with the grouping by model.
pub async fn of_project_by(
    services: &Services,
    actor: &Actor,
    id: ProjectId,
    filter: &ProjectUsageFilter,
    range: UsageRange,
    group_by: UsageGrouping,
) -> Result<GroupedUsage, Error> {
    let scope = scope::project(services, actor, id, Permission::UsageRead).await?;
    if group_by == UsageGrouping::Model {
        by_model::refuse_attributes(filter)?;
    }
    let _permit = services.usage_reports.permit(scope.organization()).await?;
    let snapshot = services.database.snapshot().await?;
    let span = Span::new(range, services.clock.now());
    let report = Report { scope: &scope, filter, span, snapshot: &snapshot };
    let data = match group_by {
        UsageGrouping::Model => by_model::groups(services, &report).await?,
        UsageGrouping::Key
        | UsageGrouping::Application
        | UsageGrouping::ExternalId
        | UsageGrouping::Tag => by_keys::groups(services, &report, group_by).await?,
    };
    snapshot.end().await?;
    Ok(GroupedUsage { range, group_by, data })
}
