//! Usage of a project by key, model, application, external ID or tag.
//!
//! All but the model are attributes that keys have now. On SQLite usage is in another file than
//! keys, so the keys are read first, and only those that were used since the range started. They
//! may be a million, so only their ids are held at once.

use std::collections::HashMap;
use std::ops::AddAssign;

use latchkey_domain::api::{GroupedUsage, ProjectUsageFilter, UsageGroup, UsageGrouping};
use latchkey_domain::attribute::{ExternalId, Tags};
use latchkey_domain::id::{ApplicationId, KeyId, ProjectId};
use latchkey_domain::key::Environment;
use latchkey_domain::money::Usd;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use latchkey_domain::usage::UsageRange;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, QueryTrait, Select,
};

use super::read::{
    KEYS_PER_QUERY, last_use_or_zero, number, selected, sum, sums_of_keys, sums_of_project,
};
use crate::actor::Actor;
use crate::error::Error;
use crate::scope::{self, ProjectScope};
use crate::services::Services;
use latchkey_checker::usage::{Counts, Resolution};
use latchkey_store::entity::{application, key, key_usage, model_usage, project_usage};

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
    let report = Report { services, scope: &scope, filter, span: Span::new(services, range) };
    let _whole = services.checker.usage.hold().await;
    let groups = match group_by {
        UsageGrouping::Model => report.by_model().await?,
        UsageGrouping::Key
        | UsageGrouping::Application
        | UsageGrouping::ExternalId
        | UsageGrouping::Tag => report.by_keys(group_by).await?,
    };
    Ok(GroupedUsage { range, group_by, data: shown(groups) })
}

/// What is summed.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    requests: u64,
    valid: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    cost: Usd,
}

impl Sums {
    fn new(counts: &Counts, valid: u64) -> Self {
        Self {
            requests: counts.requests,
            valid,
            prompt_tokens: counts.tokens.prompt,
            completion_tokens: counts.tokens.completion,
            cost: counts.cost,
        }
    }

    fn of_outcome(counts: &Counts, outcome: Outcome) -> Self {
        Self::new(counts, if outcome == Outcome::Valid { counts.requests } else { 0 })
    }

    fn stored((requests, prompt, completion, cost): StoredSums, outcome: Outcome) -> Self {
        let requests = number(requests);
        Self {
            requests,
            valid: if outcome == Outcome::Valid { requests } else { 0 },
            prompt_tokens: number(prompt),
            completion_tokens: number(completion),
            cost: Usd::from_billionths(number(cost)),
        }
    }

    /// What is left without a part. Another node may have written the part alone.
    fn without(self, part: Self) -> Self {
        let cost = self.cost.billionths().saturating_sub(part.cost.billionths());
        Self {
            requests: self.requests.saturating_sub(part.requests),
            valid: self.valid.saturating_sub(part.valid),
            prompt_tokens: self.prompt_tokens.saturating_sub(part.prompt_tokens),
            completion_tokens: self.completion_tokens.saturating_sub(part.completion_tokens),
            cost: Usd::from_billionths(cost),
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.valid += other.valid;
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cost += other.cost;
    }
}

/// Requests, prompt tokens, completion tokens and cost.
type StoredSums = (i64, i64, i64, i64);

/// Name and label of a group.
type GroupName = (Option<String>, Option<String>);

/// A group under construction.
type Group = (GroupName, Sums);

/// The groups with most requests, in that order.
fn largest(groups: impl IntoIterator<Item = Group>) -> Vec<Group> {
    let used = groups.into_iter().filter(|(_, sums)| sums.requests > 0);
    let mut groups: Vec<Group> = used.collect();
    groups.sort_by(|(one, of_one), (other, of_other)| {
        of_other.requests.cmp(&of_one.requests).then_with(|| one.cmp(other))
    });
    groups.truncate(GroupedUsage::MAX_GROUPS);
    groups
}

/// Groups that were used, most requests first.
fn shown(groups: impl IntoIterator<Item = Group>) -> Vec<UsageGroup> {
    let shown = |((group, label), sums): Group| UsageGroup {
        group,
        label,
        requests: sums.requests,
        valid: sums.valid,
        denied: sums.requests.saturating_sub(sums.valid),
        prompt_tokens: sums.prompt_tokens,
        completion_tokens: sums.completion_tokens,
        cost_usd: sums.cost,
    };
    largest(groups).into_iter().map(shown).collect()
}

/// Time from the first bucket of a range to the end of its last one.
struct Span {
    range: UsageRange,
    start: Timestamp,
    end: Timestamp,
}

impl Span {
    fn new(services: &Services, range: UsageRange) -> Self {
        let start = range.start(services.clock.now());
        Self { range, start, end: start + range.bucket() * range.buckets() }
    }

    fn contains(&self, at: Timestamp) -> bool {
        (self.start..self.end).contains(&at)
    }

    /// Sums of the rows in this time, as [`StoredSums`].
    fn sums<E: EntityTrait>(&self, rows: Select<E>) -> Select<E> {
        rows.select_only()
            .expr_as(sum("requests"), "requests")
            .expr_as(sum("prompt_tokens"), "prompt_tokens")
            .expr_as(sum("completion_tokens"), "completion_tokens")
            .expr_as(sum("cost"), "cost")
            .filter(Expr::col("resolution").eq(Resolution::of(self.range).as_str()))
            .filter(Expr::col("start").gte(self.start))
            .filter(Expr::col("start").lt(self.end))
    }
}

/// A key and the attributes that usage is grouped by.
#[derive(FromQueryResult)]
struct UsedKey {
    id: KeyId,
    name: String,
    application_id: Option<ApplicationId>,
    external_id: Option<ExternalId>,
    tags: Option<Tags>,
}

impl UsedKey {
    /// Names and labels of the groups that the key is in.
    fn groups(
        &self,
        group_by: UsageGrouping,
        applications: &HashMap<ApplicationId, String>,
    ) -> Vec<GroupName> {
        let same = |name: &str| (Some(name.to_owned()), Some(name.to_owned()));
        let one = match group_by {
            UsageGrouping::Key => Some((Some(self.id.to_string()), Some(self.name.clone()))),
            UsageGrouping::Application => self.application_id.map(|id| {
                let label = applications.get(&id).cloned().unwrap_or_else(|| id.to_string());
                (Some(id.to_string()), Some(label))
            }),
            UsageGrouping::ExternalId => self.external_id.as_ref().map(|id| same(id.as_str())),
            UsageGrouping::Tag => {
                let tags = self.tags.as_ref().map(Tags::as_slice).unwrap_or_default();
                if !tags.is_empty() {
                    return tags.iter().map(|tag| same(tag.as_str())).collect();
                }
                None
            }
            UsageGrouping::Model => None,
        };
        vec![one.unwrap_or_default()]
    }
}

/// A report under construction.
struct Report<'a> {
    services: &'a Services,
    scope: &'a ProjectScope,
    filter: &'a ProjectUsageFilter,
    span: Span,
}

impl Report<'_> {
    async fn by_keys(&self, group_by: UsageGrouping) -> Result<Vec<Group>, Error> {
        let unwritten = self.unwritten();
        let applications = match group_by {
            UsageGrouping::Application => self.application_names().await?,
            _ => HashMap::new(),
        };
        let mut groups: HashMap<GroupName, Sums> = HashMap::new();
        for ids in self.used_keys(&unwritten).await?.chunks(KEYS_PER_QUERY) {
            let stored = self.stored(ids).await?;
            for key in self.keys(ids).await? {
                let mut sums = unwritten.get(&key.id).copied().unwrap_or_default();
                sums += stored.get(&key.id).copied().unwrap_or_default();
                for name in key.groups(group_by, &applications) {
                    *groups.entry(name).or_default() += sums;
                }
            }
            // Nothing is added to a key of an earlier batch, so the small ones can go at once.
            if group_by == UsageGrouping::Key {
                groups = largest(groups).into_iter().collect();
            }
        }
        Ok(groups.into_iter().collect())
    }

    /// Usage of keys that is not written yet. A key whose last use is not written has an entry in
    /// any case.
    fn unwritten(&self) -> HashMap<KeyId, Sums> {
        let mut unwritten: HashMap<KeyId, Sums> = HashMap::new();
        self.services.checker.usage.visit_project(self.scope.id(), |key, usage| {
            let sums = unwritten.entry(key).or_default();
            let counters = usage.counters.iter();
            for counter in counters.filter(|counter| self.span.contains(counter.minute)) {
                *sums += Sums::of_outcome(&counter.counts, counter.outcome);
            }
        });
        unwritten
    }

    /// IDs of the keys that match the filter and were used since the range started, and of those
    /// with unwritten usage.
    async fn used_keys(&self, unwritten: &HashMap<KeyId, Sums>) -> Result<Vec<KeyId>, Error> {
        let used =
            selected(self.scope, self.filter).filter(last_use_or_zero().gte(self.span.start));
        let ids = used.select_only().column(key::Column::Id).into_tuple();
        let mut ids: Vec<KeyId> = ids.all(self.services.database.reader()).await?;
        ids.extend(unwritten.keys());
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Those of the keys that match the filter.
    async fn keys(&self, ids: &[KeyId]) -> Result<Vec<UsedKey>, Error> {
        let keys = selected(self.scope, self.filter)
            .filter(key::Column::Id.is_in(ids.iter().copied()))
            .select_only()
            .columns([
                key::Column::Id,
                key::Column::Name,
                key::Column::ApplicationId,
                key::Column::ExternalId,
                key::Column::Tags,
            ])
            .into_model()
            .all(self.services.database.reader())
            .await?;
        Ok(keys)
    }

    async fn stored(&self, ids: &[KeyId]) -> Result<HashMap<KeyId, Sums>, Error> {
        let rows: Vec<(i64, i64, i64, i64, KeyId, Outcome)> = self
            .span
            .sums(sums_of_keys(self.scope, ids))
            .column(key_usage::Column::KeyId)
            .column(key_usage::Column::Outcome)
            .group_by(key_usage::Column::KeyId)
            .group_by(key_usage::Column::Outcome)
            .into_tuple()
            .all(self.services.database.telemetry().reader())
            .await?;
        let mut sums: HashMap<KeyId, Sums> = HashMap::new();
        for (requests, prompt, completion, cost, key, outcome) in rows {
            let of_outcome = Sums::stored((requests, prompt, completion, cost), outcome);
            *sums.entry(key).or_default() += of_outcome;
        }
        Ok(sums)
    }

    async fn application_names(&self) -> Result<HashMap<ApplicationId, String>, Error> {
        let names: Vec<(ApplicationId, String)> = application::Entity::find()
            .filter(application::Column::ProjectId.eq(self.scope.id()))
            .select_only()
            .columns([application::Column::Id, application::Column::Name])
            .into_tuple()
            .all(self.services.database.reader())
            .await?;
        Ok(names.into_iter().collect())
    }

    /// Models have no keys, so no attributes of keys.
    async fn by_model(&self) -> Result<Vec<Group>, Error> {
        let ProjectUsageFilter { environment, external_id, tag } = self.filter;
        for (field, is_given) in [("external_id", external_id.is_some()), ("tag", tag.is_some())] {
            if is_given {
                return Err(Error::invalid(field, "Remove it, or group by something else."));
            }
        }
        let models = self.models(*environment).await?;
        let mut rest = self.total(*environment).await?;
        for of_model in models.values() {
            rest = rest.without(*of_model);
        }
        let models = models.into_iter();
        let mut groups: Vec<Group> =
            models.map(|(model, sums)| ((Some(model.clone()), Some(model)), sums)).collect();
        groups.push(((None, None), rest));
        Ok(groups)
    }

    async fn models(
        &self,
        environment: Option<Environment>,
    ) -> Result<HashMap<String, Sums>, Error> {
        let mut models: HashMap<String, Sums> = HashMap::new();
        self.services.checker.usage.visit_models(self.scope.id(), |model, counter| {
            let counts = environment.is_none_or(|one| one == counter.environment);
            if counts && self.span.contains(counter.minute) {
                let sums = models.entry(model.to_owned()).or_default();
                *sums += Sums::new(&counter.counts, counter.valid);
            }
        });
        let rows = model_usage::Entity::find()
            .filter(model_usage::Column::ProjectId.eq(self.scope.id()))
            .apply_if(environment, |query, environment| {
                query.filter(model_usage::Column::Environment.eq(environment))
            });
        let rows: Vec<(i64, i64, i64, i64, i64, String)> = self
            .span
            .sums(rows)
            .expr_as(sum("valid"), "valid")
            .column(model_usage::Column::Model)
            .group_by(model_usage::Column::Model)
            .into_tuple()
            .all(self.services.database.telemetry().reader())
            .await?;
        for (requests, prompt, completion, cost, valid, model) in rows {
            let sums = models.entry(model).or_default();
            let valid = number(valid);
            let stored = Sums::stored((requests, prompt, completion, cost), Outcome::Valid);
            *sums += Sums { valid, ..stored };
        }
        Ok(models)
    }

    /// All usage of the project.
    async fn total(&self, environment: Option<Environment>) -> Result<Sums, Error> {
        let mut total = Sums::default();
        self.services.checker.usage.visit_project(self.scope.id(), |_, usage| {
            if environment.is_none_or(|one| one == usage.environment) {
                let counters = usage.counters.iter();
                for counter in counters.filter(|counter| self.span.contains(counter.minute)) {
                    total += Sums::of_outcome(&counter.counts, counter.outcome);
                }
            }
        });
        let rows: Vec<(i64, i64, i64, i64, Outcome)> = self
            .span
            .sums(sums_of_project(self.scope, environment))
            .column(project_usage::Column::Outcome)
            .group_by(project_usage::Column::Outcome)
            .into_tuple()
            .all(self.services.database.telemetry().reader())
            .await?;
        for (requests, prompt, completion, cost, outcome) in rows {
            total += Sums::stored((requests, prompt, completion, cost), outcome);
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests;
