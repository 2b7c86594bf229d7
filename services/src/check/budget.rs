//! Token budgets, kept in the database: what is taken is written before the call is admitted, so neither
//! parallel calls, nor several nodes, nor a crash can overspend one.

use latchkey_domain::api::BudgetState;
use latchkey_domain::id::KeyId;
use latchkey_domain::limit::{Period, Tokens};
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set};

use crate::entity::budget;
use crate::error::Error;
use crate::services::Services;

/// What is taken of which budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent {
    key: KeyId,
    period: Period,
    starts_at: Timestamp,
    tokens: u64,
}

impl Spent {
    /// How many tokens.
    pub(super) const fn tokens(self) -> u64 {
        self.tokens
    }
}

/// Takes as much of a budget as is left, at least `least` tokens and at most `most`, and says where it stands
/// then. `Err` in the answer: too little is left. Call it last: nothing that comes after may refuse the call.
pub(super) async fn take(
    services: &Services,
    key: KeyId,
    (limit, period): (Tokens, Period),
    (least, most): (u64, u64),
    now: Timestamp,
) -> Result<Result<(Spent, BudgetState), BudgetState>, Error> {
    /// Others may take what was left between the look and the taking, but not for ever.
    const ATTEMPTS: usize = 8;
    let (starts_at, resets_at) = period.around(now);
    let state = |used| state(limit, period, used, resets_at);
    let mut spent =
        Spent { key, period, starts_at, tokens: Ord::max(Ord::min(most, limit.get()), least) };
    if least == 0 && most == 0 {
        let used = used(services, spent).await?;
        let open = used < limit.get();
        return Ok(if open { Ok((spent, state(used))) } else { Err(state(used)) });
    }
    for _ in 0..ATTEMPTS {
        if (1..=limit.get()).contains(&spent.tokens)
            && let Some(used) = add(services, spent, limit).await?
        {
            return Ok(Ok((spent, state(used))));
        }
        let used = used(services, spent).await?;
        let left = limit.get().saturating_sub(used);
        if left < Ord::max(least, 1) {
            return Ok(Err(state(used)));
        }
        spent.tokens = Ord::min(most, left);
    }
    Ok(Err(state(used(services, spent).await?)))
}

/// Puts what was really used in the place of what was taken ahead, in the period that it was taken of. What was
/// used beyond that counts, even over the limit: it can't be unused.
pub(super) async fn settle(services: &Services, spent: Spent, used: u64) -> Result<(), Error> {
    if used == spent.tokens {
        return Ok(());
    }
    let difference = tokens(used) - tokens(spent.tokens);
    let column = Expr::col(budget::Column::Used);
    budget::Entity::update_many()
        .col_expr(budget::Column::Used, column.add(difference))
        .filter(budget::Column::KeyId.eq(spent.key.as_uuid()))
        .filter(budget::Column::Period.eq(spent.period.as_str()))
        .filter(budget::Column::StartsAt.eq(spent.starts_at.as_millis()))
        .exec(services.database.writer())
        .await?;
    Ok(())
}

/// Where a budget stands at `now`.
pub(crate) async fn standing(
    services: &Services,
    key: KeyId,
    (limit, period): (Tokens, Period),
    now: Timestamp,
) -> Result<BudgetState, Error> {
    let (starts_at, resets_at) = period.around(now);
    let used = used(services, Spent { key, period, starts_at, tokens: 0 }).await?;
    Ok(state(limit, period, used, resets_at))
}

fn state(limit: Tokens, period: Period, used: u64, resets_at: Timestamp) -> BudgetState {
    let limit = limit.get();
    BudgetState { limit, used, remaining: limit.saturating_sub(used), period, resets_at }
}

/// One statement, so that no other call can come between the look and the taking. The answer is what is used
/// then; none: it would be over the limit.
async fn add(services: &Services, spent: Spent, limit: Tokens) -> Result<Option<u64>, Error> {
    let used = (budget::Entity, budget::Column::Used);
    let row = budget::ActiveModel {
        key_id: Set(spent.key.as_uuid()),
        period: Set(spent.period.as_str().to_owned()),
        starts_at: Set(spent.starts_at.as_millis()),
        used: Set(tokens(spent.tokens)),
    };
    let key = [budget::Column::KeyId, budget::Column::Period, budget::Column::StartsAt];
    let upsert = OnConflict::columns(key)
        .value(budget::Column::Used, Expr::col(used).add(tokens(spent.tokens)))
        .action_and_where(Expr::col(used).lte(tokens(limit.get() - spent.tokens)))
        .to_owned();
    let written = budget::Entity::insert(row)
        .on_conflict(upsert)
        .exec_with_returning(services.database.writer())
        .await;
    match written {
        Ok(row) => Ok(Some(u64::try_from(row.used).unwrap_or_default())),
        Err(sea_orm::DbErr::RecordNotInserted | sea_orm::DbErr::RecordNotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn used(services: &Services, spent: Spent) -> Result<u64, Error> {
    let used: Option<i64> = budget::Entity::find()
        .select_only()
        .column(budget::Column::Used)
        .filter(budget::Column::KeyId.eq(spent.key.as_uuid()))
        .filter(budget::Column::Period.eq(spent.period.as_str()))
        .filter(budget::Column::StartsAt.eq(spent.starts_at.as_millis()))
        .into_tuple()
        .one(services.database.reader())
        .await?;
    Ok(used.and_then(|used| u64::try_from(used).ok()).unwrap_or_default())
}

/// Limits end far below the largest `i64`.
fn tokens(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
