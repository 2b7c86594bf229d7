//! Usage by model. It has sums of its own, by environment but not by key.

use std::collections::HashMap;

use latchkey_domain::api::{ProjectUsageFilter, UsageGroup};
use latchkey_domain::outcome::Outcome;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use super::report::Report;
use super::sums::{Sums, largest};
use crate::error::Error;
use crate::services::Services;
use crate::usage::read::{number, sum, sums_of_project};
use latchkey_store::entity::{model_usage, project_usage};

/// Refuses filters by attributes of keys, which sums by model do not have.
///
/// # Errors
/// `Invalid` for such a filter.
pub(super) fn refuse_attributes(filter: &ProjectUsageFilter) -> Result<(), Error> {
    let ProjectUsageFilter { external_id, tag, .. } = filter;
    for (field, is_given) in [("external_id", external_id.is_some()), ("tag", tag.is_some())] {
        if is_given {
            return Err(Error::invalid(field, "Remove it, or group by something else."));
        }
    }
    Ok(())
}

/// The models with most requests. Requests without a model that the gateway has found are what the
/// project has beside those of its models.
pub(super) async fn groups(
    services: &Services,
    report: &Report<'_>,
) -> Result<Vec<UsageGroup>, Error> {
    let (mut models, mut rest) = {
        let _whole = services.checker.usage.hold().await;
        report.snapshot.fix().await?;
        (unwritten_models(services, report), unwritten_total(services, report))
    };
    add_stored_models(report, &mut models).await?;
    rest += stored_total(report).await?;
    for of_model in models.values() {
        rest = rest.without(*of_model);
    }
    let models = models.into_iter().map(|(model, sums)| (Some(model), sums));
    let groups = largest(models.chain([(None, rest)]));
    Ok(groups.into_iter().map(|(name, sums)| sums.shown(name.clone(), name)).collect())
}

fn unwritten_models(services: &Services, report: &Report<'_>) -> HashMap<String, Sums> {
    let environment = report.filter.environment;
    let mut models: HashMap<String, Sums> = HashMap::new();
    services.checker.usage.visit_models(report.scope.id(), |model, counter| {
        let counts = environment.is_none_or(|one| one == counter.environment);
        if counts && report.span.contains(counter.minute) {
            let sums = models.entry(model.to_owned()).or_default();
            *sums += Sums::new(&counter.counts, counter.valid);
        }
    });
    models
}

/// All usage of the project that is not written yet.
fn unwritten_total(services: &Services, report: &Report<'_>) -> Sums {
    let environment = report.filter.environment;
    let mut total = Sums::default();
    services.checker.usage.visit_project(report.scope.id(), |_, usage| {
        if environment.is_none_or(|one| one == usage.environment) {
            let counters = usage.counters.iter();
            for counter in counters.filter(|counter| report.span.contains(counter.minute)) {
                total += Sums::of_outcome(&counter.counts, counter.outcome);
            }
        }
    });
    total
}

async fn add_stored_models(
    report: &Report<'_>,
    models: &mut HashMap<String, Sums>,
) -> Result<(), Error> {
    let rows = model_usage::Entity::find()
        .filter(model_usage::Column::ProjectId.eq(report.scope.id()))
        .apply_if(report.filter.environment, |query, environment| {
            query.filter(model_usage::Column::Environment.eq(environment))
        });
    let rows: Vec<(i64, i64, i64, i64, i64, String)> = report
        .span
        .sums(rows)
        .expr_as(sum("valid"), "valid")
        .column(model_usage::Column::Model)
        .group_by(model_usage::Column::Model)
        .into_tuple()
        .all(report.snapshot.telemetry())
        .await?;
    for (requests, prompt, completion, cost, valid, model) in rows {
        let stored = Sums::stored((requests, prompt, completion, cost), Outcome::Valid);
        *models.entry(model).or_default() += Sums { valid: number(valid), ..stored };
    }
    Ok(())
}

/// All stored usage of the project.
async fn stored_total(report: &Report<'_>) -> Result<Sums, Error> {
    let rows: Vec<(i64, i64, i64, i64, Outcome)> = report
        .span
        .sums(sums_of_project(report.scope, report.filter.environment))
        .column(project_usage::Column::Outcome)
        .group_by(project_usage::Column::Outcome)
        .into_tuple()
        .all(report.snapshot.telemetry())
        .await?;
    let mut total = Sums::default();
    for (requests, prompt, completion, cost, outcome) in rows {
        total += Sums::stored((requests, prompt, completion, cost), outcome);
    }
    Ok(total)
}
