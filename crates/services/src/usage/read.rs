//! Reads usage: the stored sums of a range, plus what this process has not flushed yet.

use latchkey_domain::api::{BudgetState, LastUsed, ProjectUsageFilter, RecentDenial, Usage};
use latchkey_domain::budget::{BudgetUnit, Budgets};
use latchkey_domain::id::{DenialId, KeyId, ProjectId};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::money::Usd;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use latchkey_domain::token_usage::TokenUsage;
use latchkey_domain::usage::UsageRange;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, Order, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
};

use crate::actor::Actor;
use crate::budget_states;
use crate::error::Error;
use crate::keys;
use crate::scope::{self, KeyRef, ProjectScope};
use crate::services::Services;
use latchkey_checker::BudgetOwner;
use latchkey_checker::usage::pending::{DENIALS_PER_KEY, PendingUsage};
use latchkey_checker::usage::{Counts, Resolution};
use latchkey_store::entity::{denial, key, key_usage, project, project_usage};

/// How many keys are named in one query.
pub(super) const KEYS_PER_QUERY: usize = 500;

/// The usage of one key.
///
/// # Errors
/// `NotFound` if the actor has no access.
pub async fn of_key(
    services: &Services,
    actor: &Actor,
    key: impl Into<KeyRef>,
    range: UsageRange,
) -> Result<Usage, Error> {
    let named = key.into();
    let scope = scope::project_of_key(services, actor, named, Permission::UsageRead).await?;
    let mut chart = Chart::new(services, range);
    let _whole = services.checker.usage.hold().await;
    let row = keys::find(services.database.reader(), &scope, named.id).await?;
    chart.add_budgets(services, BudgetOwner::Key(named.id), row.all_budgets()).await?;
    chart.add_last_use(row.last_used_at, row.last_used_ip);
    services.checker.usage.visit_key(named.id, |unwritten| chart.add_unwritten(unwritten));
    chart.add_sums(services, sums_of_key(&scope, named.id)).await?;
    let denials = denial::Entity::find()
        .filter(denial::Column::KeyId.eq(named.id))
        .filter(denial::Column::ProjectId.eq(scope.id()));
    chart.add_denials(services, denials).await?;
    Ok(chart.finish())
}

/// The combined usage of those of a project's keys that match the filter now. Service keys are left
/// out: their requests are not those of the project's customers.
///
/// # Errors
/// `NotFound` if the actor has no access.
pub async fn of_project(
    services: &Services,
    actor: &Actor,
    id: ProjectId,
    filter: &ProjectUsageFilter,
    range: UsageRange,
) -> Result<Usage, Error> {
    let scope = scope::project(services, actor, id, Permission::UsageRead).await?;
    let mut chart = Chart::new(services, range);
    let row = project::Entity::find_by_id(scope.id()).one(services.database.reader()).await?;
    let budgets = row.ok_or(Error::NotFound)?.limits().budgets;
    chart.add_budgets(services, BudgetOwner::Project(scope.id()), budgets).await?;
    if filter.external_id.is_some() || filter.tag.is_some() {
        chart.add_keys(services, &scope, filter).await?;
    } else {
        chart.add_project(services, &scope, filter.environment).await?;
    }
    Ok(chart.finish())
}

/// The keys that a filter selects.
pub(super) fn selected(scope: &ProjectScope, filter: &ProjectUsageFilter) -> Select<key::Entity> {
    let keys = key::Entity::find()
        .filter(key::Column::ProjectId.eq(scope.id()))
        .filter(key::Column::Kind.ne(KeyKind::Service))
        .apply_if(filter.environment, |query, one| query.filter(key::Column::Environment.eq(one)));
    keys::with_attributes(keys, scope, filter.external_id.as_ref(), filter.tag.as_ref())
}

pub(super) fn sums_of_keys(scope: &ProjectScope, ids: &[KeyId]) -> Select<key_usage::Entity> {
    key_usage::Entity::find()
        .filter(key_usage::Column::KeyId.is_in(ids.iter().copied()))
        .filter(key_usage::Column::ProjectId.eq(scope.id()))
}

fn sums_of_key(scope: &ProjectScope, id: KeyId) -> Select<key_usage::Entity> {
    key_usage::Entity::find()
        .filter(key_usage::Column::KeyId.eq(id))
        .filter(key_usage::Column::ProjectId.eq(scope.id()))
}

pub(super) fn sums_of_project(
    scope: &ProjectScope,
    environment: Option<Environment>,
) -> Select<project_usage::Entity> {
    project_usage::Entity::find()
        .filter(project_usage::Column::ProjectId.eq(scope.id()))
        .apply_if(environment, |query, environment| {
            query.filter(project_usage::Column::Environment.eq(environment))
        })
}

#[derive(FromQueryResult)]
struct Sum {
    bucket: Timestamp,
    outcome: Outcome,
    requests: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    estimated_tokens: i64,
    rejected_items: i64,
    cached_tokens: i64,
    cost: i64,
}

/// When a key was last used, by the same expression as in the index of keys by last use.
pub(super) fn last_use_or_zero() -> Expr {
    Expr::expr(Func::coalesce([Expr::col(key::Column::LastUsedAt), Expr::cust("0")]))
}

/// Sum of a column in the type of the column.
pub(super) fn sum(column: &'static str) -> Expr {
    Expr::col(column).sum().cast_as("bigint")
}

/// A number that was stored from a `u64`.
pub(super) fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// Sums by bucket and outcome. The database aggregates them, so it returns only what the chart
/// shows.
fn summed<E: EntityTrait>(rows: Select<E>, range: UsageRange, start: Timestamp) -> Select<E> {
    let width = i64::try_from(range.bucket().as_millis()).unwrap_or(i64::MAX);
    rows.select_only()
        .expr_as(Expr::col("start").div(width).mul(width), "bucket")
        .column_as(Expr::col("outcome"), "outcome")
        .expr_as(sum("requests"), "requests")
        .expr_as(sum("prompt_tokens"), "prompt_tokens")
        .expr_as(sum("completion_tokens"), "completion_tokens")
        .expr_as(sum("estimated_tokens"), "estimated_tokens")
        .expr_as(sum("rejected_items"), "rejected_items")
        .expr_as(sum("cached_tokens"), "cached_tokens")
        .expr_as(sum("cost"), "cost")
        .filter(Expr::col("resolution").eq(Resolution::of(range).as_str()))
        .filter(Expr::col("start").gte(start))
        .group_by(Expr::col("bucket"))
        .group_by(Expr::col("outcome"))
}

/// A response under construction.
struct Chart {
    usage: Usage,
    now: Timestamp,
    start: Timestamp,
}

impl Chart {
    fn new(services: &Services, range: UsageRange) -> Self {
        let now = services.clock.now();
        Self { usage: Usage::none(range, now), now, start: range.start(now) }
    }

    /// Adds the states of the budgets that apply to all of it.
    async fn add_budgets(
        &mut self,
        services: &Services,
        owner: BudgetOwner,
        budgets: Budgets,
    ) -> Result<(), Error> {
        let states = budget_states::of(services, owner, budgets, self.now).await?;
        let tokens = states.iter().find(|state| state.unit == BudgetUnit::Tokens);
        self.usage.budget = tokens.map(BudgetState::as_token_budget);
        self.usage.budgets = states;
        Ok(())
    }

    /// Adds all keys of a project but service keys, from the sums of the project.
    async fn add_project(
        &mut self,
        services: &Services,
        scope: &ProjectScope,
        environment: Option<Environment>,
    ) -> Result<(), Error> {
        let _whole = services.checker.usage.hold().await;
        let last_use: Option<(Option<Timestamp>, Option<String>)> = key::Entity::find()
            .filter(key::Column::ProjectId.eq(scope.id()))
            .filter(last_use_or_zero().gt(0))
            .filter(key::Column::Kind.ne(KeyKind::Service))
            .apply_if(environment, |query, one| query.filter(key::Column::Environment.eq(one)))
            .order_by(last_use_or_zero(), Order::Desc)
            .select_only()
            .columns([key::Column::LastUsedAt, key::Column::LastUsedIp])
            .into_tuple()
            .one(services.database.reader())
            .await?;
        if let Some((at, ip)) = last_use {
            self.add_last_use(at, ip);
        }
        services.checker.usage.visit_project(scope.id(), |_, unwritten| {
            if environment.is_none_or(|environment| environment == unwritten.environment) {
                self.add_unwritten(unwritten);
            }
        });
        self.add_sums(services, sums_of_project(scope, environment)).await?;
        let denials = denial::Entity::find()
            .filter(denial::Column::ProjectId.eq(scope.id()))
            .filter(denial::Column::Kind.ne(KeyKind::Service))
            .apply_if(environment, |query, one| query.filter(denial::Column::Environment.eq(one)));
        self.add_denials(services, denials).await
    }

    /// Adds the keys that a filter selects, each from its own sums. On SQLite usage is in another
    /// file than keys, so the keys are read first. They may be many: flushes go on after each batch
    /// of them, and no key is in two batches.
    async fn add_keys(
        &mut self,
        services: &Services,
        scope: &ProjectScope,
        filter: &ProjectUsageFilter,
    ) -> Result<(), Error> {
        let ids = selected(scope, filter).select_only().column(key::Column::Id).into_tuple();
        let ids: Vec<KeyId> = ids.all(services.database.reader()).await?;
        for some in ids.chunks(KEYS_PER_QUERY) {
            let _whole = services.checker.usage.hold().await;
            let last_uses: Vec<(Option<Timestamp>, Option<String>)> = key::Entity::find()
                .filter(key::Column::Id.is_in(some.iter().copied()))
                .filter(key::Column::ProjectId.eq(scope.id()))
                .select_only()
                .columns([key::Column::LastUsedAt, key::Column::LastUsedIp])
                .into_tuple()
                .all(services.database.reader())
                .await?;
            for (at, ip) in last_uses {
                self.add_last_use(at, ip);
            }
            for id in some {
                services.checker.usage.visit_key(*id, |unwritten| self.add_unwritten(unwritten));
            }
            self.add_sums(services, sums_of_keys(scope, some)).await?;
            let denials = denial::Entity::find()
                .filter(denial::Column::KeyId.is_in(some.iter().copied()))
                .filter(denial::Column::ProjectId.eq(scope.id()));
            self.add_denials(services, denials).await?;
        }
        Ok(())
    }

    async fn add_sums<E: EntityTrait>(
        &mut self,
        services: &Services,
        rows: Select<E>,
    ) -> Result<(), Error> {
        let rows = summed(rows, self.usage.range, self.start)
            .into_model::<Sum>()
            .all(services.database.telemetry().reader())
            .await?;
        for row in rows {
            let start = row.bucket;
            let tokens = TokenUsage {
                prompt: number(row.prompt_tokens),
                completion: number(row.completion_tokens),
                cached: number(row.cached_tokens),
                estimated: number(row.estimated_tokens),
                ..TokenUsage::default()
            };
            self.usage.add(start, row.outcome, number(row.requests), tokens);
            self.usage.add_cost(start, Usd::from_billionths(number(row.cost)));
            self.usage.totals.rejected_items += number(row.rejected_items);
        }
        Ok(())
    }

    async fn add_denials(
        &mut self,
        services: &Services,
        denials: Select<denial::Entity>,
    ) -> Result<(), Error> {
        // Denial ids start with their time.
        let earliest = DenialId::new(self.start, [0; 10]);
        let rows = denials
            .filter(denial::Column::Id.gte(earliest))
            .order_by_desc(denial::Column::Id)
            .limit(DENIALS_PER_KEY as u64)
            .all(services.database.telemetry().reader())
            .await?;
        for row in rows {
            self.usage.denials.push(RecentDenial {
                at: row.at,
                code: row.outcome,
                detail: row.detail,
                ip: row.ip,
            });
        }
        Ok(())
    }

    fn add_last_use(&mut self, at: Option<Timestamp>, ip: Option<String>) {
        if let Some(at) = at
            && self.usage.last_used.as_ref().is_none_or(|known| known.at <= at)
        {
            self.usage.last_used = Some(LastUsed { at, ip });
        }
    }

    fn add_unwritten(&mut self, unwritten: &PendingUsage) {
        let last = unwritten.last_use;
        self.add_last_use(Some(last.at), last.ip.map(|ip| ip.to_string()));
        for counter in &unwritten.counters {
            let Counts { requests, tokens, cost, rejected_items } = counter.counts;
            self.usage.add(counter.minute, counter.outcome, requests, tokens);
            self.usage.add_cost(counter.minute, cost);
            if counter.minute >= self.start {
                self.usage.totals.rejected_items += rejected_items;
            }
        }
        let denials = unwritten.denials.iter().rev().filter(|denial| denial.at >= self.start);
        self.usage.denials.extend(denials.map(|denial| RecentDenial {
            at: denial.at,
            code: denial.outcome,
            detail: denial.detail.clone(),
            ip: denial.ip.map(|ip| ip.to_string()),
        }));
    }

    fn finish(mut self) -> Usage {
        // A stable sort: of equal times, the newer entry was added first.
        self.usage.denials.sort_by_key(|denial| std::cmp::Reverse(denial.at));
        self.usage.denials.truncate(DENIALS_PER_KEY);
        self.usage
    }
}

#[cfg(test)]
mod tests;
