//! Token budgets, kept in the database. Tokens are charged before a call is admitted, by the call
//! itself or by the lease that it draws on (see `lease`). So neither concurrent calls, nor
//! several nodes, nor a crash can overspend a budget.
//!
//! ```text
//! acquire: draw on the lease -> enough: done, in memory
//!           `- too little: one caller of the key at a time
//!                read the usage -> too little is left: refuse
//!                `- lease more, only if it fits -> deposit -> draw: done
//! ```
//!
//! *Consistency.* One statement (`add`) leases more and applies only if the sum stays within the
//! limit. So the limit holds whatever other nodes do between the read and the write. After a few
//! failed attempts the call is refused. A call that waited while another call of the same key found
//! too little left is refused by that result and does not query again. The budget is the last limit
//! to be acquired: a later refusal could not release it.
//!
//! *Failure.* If the lease is too small and the database fails or takes longer than five seconds,
//! the call is `unavailable`. Leasing runs in its own task; what was drawn for a call that was
//! cancelled is refunded. If a write that returns tokens fails, it may have been committed all the
//! same, so the tokens stay charged: the strict side.

use std::collections::HashMap;

use latchkey_domain::api::BudgetState;
use latchkey_domain::id::{KeyId, OrganizationId};
use latchkey_domain::limit::{Period, Tokens};
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set};

use crate::checker::Checker;
use crate::lease::{BudgetWindow, DrawnTokens, Leases, UnusedLease};
use crate::record::KeyRecord;
use crate::token_estimate::TokenAmount;
use latchkey_store::Error;
use latchkey_store::database::{OnBehalfOf, in_time};
use latchkey_store::entity::budget;

/// Tokens that a call reserved of a budget window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetPermit {
    window: BudgetWindow,
    tokens: u64,
    /// Organization that owns the key.
    organization: OrganizationId,
}

impl BudgetPermit {
    pub(crate) const fn tokens(self) -> u64 {
        self.tokens
    }
}

/// Acquires what a call needs from a budget, at most `most` tokens, and returns the state after
/// that. The inner `Err` means that too little is left. Acquire the budget last: nothing after it
/// may refuse the call.
///
/// It waits for the database only when this node's lease is used up.
pub(crate) async fn acquire(
    checker: &Checker,
    key: &KeyRecord,
    (limit, period): (Tokens, Period),
    (amount, most): (TokenAmount, u64),
    now: Timestamp,
) -> Result<Result<(BudgetPermit, BudgetState), BudgetState>, Error> {
    let (starts_at, resets_at) = period.around(now);
    let window = BudgetWindow { key: key.id, period, starts_at };
    let organization = key.organization;
    let wanted = BudgetRequest { checker, organization, window, limit: limit.get(), amount, most };
    let state = |used| state(limit, period, used, resets_at);
    let answer = match wanted.draw_whole() {
        Some(drawn) => Ok(drawn),
        None => wanted.lease_in_task().await?,
    };
    Ok(match answer {
        Ok(drawn) => {
            Ok((BudgetPermit { window, tokens: drawn.tokens, organization }, state(drawn.used)))
        }
        Err(used) => Err(state(used)),
    })
}

/// One call's request for tokens of a budget.
struct BudgetRequest<'a> {
    checker: &'a Checker,
    organization: OrganizationId,
    window: BudgetWindow,
    limit: u64,
    amount: TokenAmount,
    /// Upper limit set by the caller.
    most: u64,
}

impl BudgetRequest<'_> {
    /// Number of tokens the call reserves when `left` are left of the budget.
    fn reservable(&self, left: u64) -> u64 {
        let most = Ord::min(self.most, self.limit);
        Ord::max(Ord::min(self.amount.of(left), most), self.amount.least())
    }

    /// Draws the call's full amount from the lease, based on what this node knows to be left.
    fn draw_whole(&self) -> Option<DrawnTokens> {
        let most = self.reservable(self.checker.leases.known_left(self.window, self.limit)?);
        self.draw(most, most)
    }

    fn draw(&self, least: u64, most: u64) -> Option<DrawnTokens> {
        let now = self.checker.clock.monotonic();
        self.checker.leases.draw(self.window, self.limit, (least, most), now)
    }

    /// Leases more and draws on it, in its own task: if the caller were cancelled between the grant
    /// and the deposit, the granted tokens would be lost. The inner `Err` means that too little is
    /// left and holds the usage.
    async fn lease_in_task(&self) -> Result<Result<DrawnTokens, u64>, Error> {
        let Self { organization, window, limit, amount, most, .. } = *self;
        let checker = self.checker.clone();
        let leasing = tokio::spawn(async move {
            let wanted =
                BudgetRequest { checker: &checker, organization, window, limit, amount, most };
            let answer = in_time(wanted.lease()).await?;
            let checker = checker.clone();
            Ok::<_, Error>(answer.map(|drawn| OfferedLease { checker, window, drawn: Some(drawn) }))
        });
        let offered = leasing.await.map_err(latchkey_store::Error::unavailable)?;
        Ok(offered?.map(OfferedLease::accept))
    }

    async fn lease(&self) -> Result<Result<DrawnTokens, u64>, Error> {
        /// Other nodes may use up the rest between the read and the write, so retry, but not
        /// forever.
        const ATTEMPTS: usize = 8;
        let Self { checker, window, limit, .. } = *self;
        let who = OnBehalfOf::Organization(self.organization);
        let (gate, queries) = checker.leases.gate(window.key);
        let _alone = gate.lock().await;
        if let Some(refused) = self.read_by_others(queries) {
            return Ok(Err(refused));
        }
        return_unused(checker, who, checker.leases.withdraw_other(window, limit)).await?;
        let mut used = 0;
        for _ in 0..ATTEMPTS {
            // The previous holder of the gate may have leased enough for several calls.
            if let Some(drawn) = self.draw_whole() {
                return Ok(Ok(drawn));
            }
            let query = checker.leases.begin_query(window.key);
            used = used_of(checker, window).await?;
            checker.leases.finish_query(query, window, used);
            let left = checker.leases.left(window);
            let remaining = limit.saturating_sub(used);
            let most = self.reservable(left.saturating_add(remaining));
            let ask = Leases::ask(most, left, remaining);
            let least = self.amount.least();
            if left.saturating_add(ask) < Ord::max(least, 1) {
                return Ok(Err(used.saturating_sub(checker.leases.unused(window))));
            }
            let leased =
                if ask == 0 { Some(used) } else { add(checker, who, window, ask, limit).await? };
            if let Some(used) = leased {
                let now = checker.clock.monotonic();
                checker.leases.deposit(window, limit, ask, used, now);
                // Draw the whole grant if it is less than the call wanted.
                if let Some(drawn) = self.draw(least, most) {
                    return Ok(Ok(drawn));
                }
            }
        }
        Ok(Err(used.saturating_sub(checker.leases.unused(window))))
    }
}

impl BudgetRequest<'_> {
    /// Usage, if another caller read it since this call reached the gate and too little was left.
    /// Otherwise thousands of calls on an exhausted budget would query one after the other, and the
    /// last would wait too long.
    fn read_by_others(&self, queries: u64) -> Option<u64> {
        let Self { checker, window, limit, amount, .. } = *self;
        let used = checker.leases.read_since(queries, window)?;
        let unused = checker.leases.unused(window);
        let remaining = unused.saturating_add(limit.saturating_sub(used));
        (remaining < Ord::max(amount.least(), 1)).then(|| used.saturating_sub(unused))
    }
}

/// Tokens drawn for a call that may have been cancelled. Dropping them refunds them.
struct OfferedLease {
    checker: Checker,
    window: BudgetWindow,
    drawn: Option<DrawnTokens>,
}

impl OfferedLease {
    fn accept(mut self) -> DrawnTokens {
        self.drawn.take().unwrap_or(DrawnTokens { tokens: 0, used: 0 })
    }
}

impl Drop for OfferedLease {
    fn drop(&mut self) {
        if let Some(DrawnTokens { tokens, .. }) = self.drawn.take() {
            self.checker.leases.refund(UnusedLease { window: self.window, tokens });
        }
    }
}

/// Replaces the charged amount with actual usage, in the period that it was charged to. Usage
/// beyond the reservation counts even over the limit: it cannot be undone. A refund does not wait
/// for the database: see `return_leases`.
pub(crate) async fn settle(checker: &Checker, spent: BudgetPermit, used: u64) -> Result<(), Error> {
    let BudgetPermit { window, tokens, organization } = spent;
    if used <= tokens {
        checker.leases.refund(UnusedLease { window, tokens: tokens - used });
        return Ok(());
    }
    let beyond = used - tokens;
    // This node's lease covers it first. Otherwise the node would admit calls on an exhausted
    // budget.
    let unpaid = beyond - checker.leases.pay(window, beyond);
    if unpaid > 0 {
        let who = OnBehalfOf::Organization(organization);
        change(checker, who, window, self::tokens(unpaid)).await?;
        checker.leases.changed(window, unpaid);
    }
    Ok(())
}

/// Returns idle leases, the excess of active ones, and refunds whose lease has ended; with `all`,
/// everything.
///
/// # Errors
/// The database fails. The tokens being returned at that moment stay charged.
pub(crate) async fn return_leases(checker: &Checker, all: bool) -> Result<(), Error> {
    let now = checker.clock.monotonic();
    for key in checker.leases.due(now, all) {
        // Callers that need more of the budget wait until this is written. Otherwise they would be
        // refused although it is about to be returned.
        let (gate, _) = checker.leases.gate(key);
        let _alone = match gate.try_lock() {
            Ok(alone) => alone,
            Err(_) if all => gate.lock().await,
            // The holder of the gate is about to lease more.
            Err(_) => continue,
        };
        // One key at a time: if the database fails, only the return in flight is lost.
        let due = checker.leases.withdraw_due(key, now, all);
        return_unused(checker, OnBehalfOf::Server, due).await?;
    }
    Ok(())
}

/// Returns tokens of a key whose gate is held. A failed return stays charged, as it may have been
/// committed. Returns that were not attempted are kept.
async fn return_unused(
    checker: &Checker,
    who: OnBehalfOf,
    unused: Vec<UnusedLease>,
) -> Result<(), Error> {
    let mut rest = unused.into_iter();
    while let Some(unused) = rest.next() {
        let UnusedLease { window, tokens: back } = unused;
        if let Err(error) = change(checker, who, window, -tokens(back)).await {
            checker.leases.changed(window, back);
            rest.for_each(|unused| checker.leases.keep(unused));
            return Err(error);
        }
        checker.leases.record_return(unused);
    }
    Ok(())
}

async fn change(
    checker: &Checker,
    who: OnBehalfOf,
    window: BudgetWindow,
    difference: i64,
) -> Result<(), Error> {
    let column = Expr::col(budget::Column::Used);
    let update = budget::Entity::update_many()
        .col_expr(budget::Column::Used, column.add(difference))
        .filter(budget::Column::KeyId.eq(window.key))
        .filter(budget::Column::Period.eq(window.period))
        .filter(budget::Column::StartsAt.eq(window.starts_at));
    in_time(async {
        let _permit = checker.database.write_permit(who).await?;
        update.exec(checker.database.writer()).await?;
        Ok(())
    })
    .await
}

impl Checker {
    /// State of a budget at `now`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn budget_state(
        &self,
        key: KeyId,
        budget: (Tokens, Period),
        now: Timestamp,
    ) -> Result<BudgetState, Error> {
        let mut states = self.budget_states(&[(key, budget)], now).await?;
        states.remove(&key).ok_or(Error::corrupt("budget"))
    }

    /// States of several keys' budgets at `now`, by one query.
    ///
    /// # Errors
    /// The database fails.
    pub async fn budget_states(
        &self,
        budgets: &[(KeyId, (Tokens, Period))],
        now: Timestamp,
    ) -> Result<HashMap<KeyId, BudgetState>, Error> {
        if budgets.is_empty() {
            return Ok(HashMap::new());
        }
        let windows = budgets.iter().map(|(key, (limit, period))| {
            let (starts_at, resets_at) = period.around(now);
            (BudgetWindow { key: *key, period: *period, starts_at }, *limit, resets_at)
        });
        // Leased tokens that this node has not used do not count as used.
        let windows: Vec<_> =
            windows.map(|window| (window, self.leases.unused(window.0))).collect();
        let rows = budget::Entity::find()
            .filter(budget::Column::KeyId.is_in(windows.iter().map(|((one, ..), _)| one.key)))
            .filter(
                budget::Column::StartsAt.is_in(windows.iter().map(|((one, ..), _)| one.starts_at)),
            )
            .all(self.database.reader())
            .await?;
        let states = windows.into_iter().map(|((window, limit, resets_at), unused)| {
            let row = rows.iter().find(|row| {
                row.key_id == window.key
                    && row.period == window.period
                    && row.starts_at == window.starts_at
            });
            let used = row.and_then(|row| u64::try_from(row.used).ok()).unwrap_or_default();
            (window.key, state(limit, window.period, used.saturating_sub(unused), resets_at))
        });
        Ok(states.collect())
    }
}

fn state(limit: Tokens, period: Period, used: u64, resets_at: Timestamp) -> BudgetState {
    let limit = limit.get();
    BudgetState { limit, used, remaining: limit.saturating_sub(used), period, resets_at }
}

/// Adds `amount` unless that exceeds the limit. One statement, so that no other call can come
/// between the read and the write. Returns the usage after that, or `None` over the limit.
///
/// It runs in an explicit transaction. SQLite commits a lone statement with `RETURNING` after its
/// rows were read; if that commit fails, for lack of disk space, no error is reported.
async fn add(
    checker: &Checker,
    who: OnBehalfOf,
    window: BudgetWindow,
    amount: u64,
    limit: u64,
) -> Result<Option<u64>, Error> {
    let Some(max_used) = limit.checked_sub(amount) else { return Ok(None) };
    let used = (budget::Entity, budget::Column::Used);
    let row = budget::ActiveModel {
        key_id: Set(window.key),
        period: Set(window.period),
        starts_at: Set(window.starts_at),
        used: Set(tokens(amount)),
    };
    let key = [budget::Column::KeyId, budget::Column::Period, budget::Column::StartsAt];
    let upsert = OnConflict::columns(key)
        .value(budget::Column::Used, Expr::col(used).add(tokens(amount)))
        .action_and_where(Expr::col(used).lte(tokens(max_used)))
        .to_owned();
    let transaction = checker.database.begin_for(who).await?;
    let written =
        budget::Entity::insert(row).on_conflict(upsert).exec_with_returning(&transaction).await;
    let used = match written {
        Ok(row) => u64::try_from(row.used).unwrap_or_default(),
        Err(sea_orm::DbErr::RecordNotInserted | sea_orm::DbErr::RecordNotFound(_)) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    transaction.commit().await?;
    Ok(Some(used))
}

async fn used_of(checker: &Checker, window: BudgetWindow) -> Result<u64, Error> {
    let used: Option<i64> = budget::Entity::find()
        .select_only()
        .column(budget::Column::Used)
        .filter(budget::Column::KeyId.eq(window.key))
        .filter(budget::Column::Period.eq(window.period))
        .filter(budget::Column::StartsAt.eq(window.starts_at))
        .into_tuple()
        .one(checker.database.reader())
        .await?;
    Ok(used.and_then(|used| u64::try_from(used).ok()).unwrap_or_default())
}

/// Limits are far below `i64::MAX`.
fn tokens(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
