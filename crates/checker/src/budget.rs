//! Token budgets, kept in the database: what is taken is written before the call is admitted, by
//! the call or by the lease that it draws on (see [`super::lease`]), so neither parallel calls, nor
//! several nodes, nor a crash can overspend one.
//!
//! ```text
//! take: draw on the lease -> enough: done, in memory
//!        `- too little: one caller of the key at a time
//!             what is used? -> too little is left: refused
//!             `- take more, only if it fits -> deposit -> draw: done
//! ```
//!
//! *Consistency.* More is taken by one statement ([`add`]), which adds only if the sum stays within
//! the limit: whatever other nodes do between the look and the taking, it holds. A few attempts,
//! and the call is refused. A call that has waited while another one of the same key found too
//! little is refused by what that one saw, and does not ask again. The budget is taken last of all
//! limits: what comes after could not give it back.
//!
//! *Failure.* A database that can't be asked makes the call `unavailable`. What is leased is leased
//! in a task of its own, and what was drawn for somebody who has gone goes back. A write that gives
//! tokens back and fails may have gone through all the same, so they stay taken: the strict side.

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

/// What is taken of which budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetPermit {
    window: BudgetWindow,
    tokens: u64,
    /// Whose key it is.
    organization: OrganizationId,
}

impl BudgetPermit {
    pub(crate) const fn tokens(self) -> u64 {
        self.tokens
    }
}

/// Takes of a budget what a call needs, at most `most` tokens, and says where it stands then.
/// `Err` in the answer: too little is left. Call it last: nothing that comes after may refuse the
/// call.
///
/// It waits for the database only when this node's lease is used up.
pub(crate) async fn acquire(
    checker: &Checker,
    key: &KeyRecord,
    (limit, period): (Tokens, Period),
    (need, most): (TokenAmount, u64),
    now: Timestamp,
) -> Result<Result<(BudgetPermit, BudgetState), BudgetState>, Error> {
    let (starts_at, resets_at) = period.around(now);
    let window = BudgetWindow { key: key.id, period, starts_at };
    let organization = key.organization;
    let wanted = BudgetRequest { checker, organization, window, limit: limit.get(), need, most };
    let state = |used| state(limit, period, used, resets_at);
    let answer = match wanted.draw_whole() {
        Some(drawn) => Ok(drawn),
        None => wanted.lease_apart().await?,
    };
    Ok(match answer {
        Ok(drawn) => {
            Ok((BudgetPermit { window, tokens: drawn.tokens, organization }, state(drawn.used)))
        }
        Err(used) => Err(state(used)),
    })
}

/// What a call wants of a budget.
struct BudgetRequest<'a> {
    checker: &'a Checker,
    organization: OrganizationId,
    window: BudgetWindow,
    limit: u64,
    need: TokenAmount,
    /// What the call may have otherwise.
    most: u64,
}

impl BudgetRequest<'_> {
    /// What the call takes of a budget of which so many tokens are left.
    fn amount(&self, left: u64) -> u64 {
        let most = Ord::min(self.most, self.limit);
        Ord::max(Ord::min(self.need.of(left), most), self.need.least())
    }

    /// Draws all that the call takes on the lease, as far as it is known what is left.
    fn draw_whole(&self) -> Option<DrawnTokens> {
        let most = self.amount(self.checker.leases.known_left(self.window, self.limit)?);
        self.draw(most, most)
    }

    fn draw(&self, least: u64, most: u64) -> Option<DrawnTokens> {
        let now = self.checker.clock.monotonic();
        self.checker.leases.draw(self.window, self.limit, (least, most), now)
    }

    /// Leases more and draws on it, in a task of its own: whoever goes away after the database has
    /// given and before the lease is kept would take what was given along. `Err` in the answer: too
    /// little is left, and so much is used.
    async fn lease_apart(&self) -> Result<Result<DrawnTokens, u64>, Error> {
        let Self { organization, window, limit, need, most, .. } = *self;
        let checker = self.checker.clone();
        let leasing = tokio::spawn(async move {
            let wanted =
                BudgetRequest { checker: &checker, organization, window, limit, need, most };
            let answer = in_time(wanted.lease()).await?;
            let checker = checker.clone();
            Ok::<_, Error>(answer.map(|drawn| OfferedLease { checker, window, drawn: Some(drawn) }))
        });
        let offered = leasing.await.map_err(latchkey_store::Error::unavailable)?;
        Ok(offered?.map(OfferedLease::accept))
    }

    async fn lease(&self) -> Result<Result<DrawnTokens, u64>, Error> {
        /// Other nodes may take what was left between the look and the taking, but not for ever.
        const ATTEMPTS: usize = 8;
        let Self { checker, window, limit, .. } = *self;
        let who = OnBehalfOf::Organization(self.organization);
        let (gate, looks) = checker.leases.gate(window.key);
        let _alone = gate.lock().await;
        if let Some(refused) = self.seen_by_others(looks) {
            return Ok(Err(refused));
        }
        return_unused(checker, who, checker.leases.withdraw_other(window, limit)).await?;
        let mut used = 0;
        for _ in 0..ATTEMPTS {
            // Whoever was here before may have leased enough for several.
            if let Some(drawn) = self.draw_whole() {
                return Ok(Ok(drawn));
            }
            let look = checker.leases.begin_look(window.key);
            used = used_of(checker, window).await?;
            checker.leases.looked(look, window, used);
            let left = checker.leases.left(window);
            let remaining = limit.saturating_sub(used);
            let most = self.amount(left.saturating_add(remaining));
            let ask = Leases::ask(most, left, remaining);
            let least = self.need.least();
            if left.saturating_add(ask) < Ord::max(least, 1) {
                return Ok(Err(used.saturating_sub(checker.leases.unused(window))));
            }
            let leased =
                if ask == 0 { Some(used) } else { add(checker, who, window, ask, limit).await? };
            if let Some(used) = leased {
                let now = checker.clock.monotonic();
                checker.leases.deposit(window, limit, ask, used, now);
                // All that there is, if it is less than was wanted.
                if let Some(drawn) = self.draw(least, most) {
                    return Ok(Ok(drawn));
                }
            }
        }
        Ok(Err(used.saturating_sub(checker.leases.unused(window))))
    }
}

impl BudgetRequest<'_> {
    /// What is used, if somebody has looked since this call came to the gate, and too little was
    /// left for it. Thousands of calls of a budget that is used up would otherwise look one after
    /// the other, and the last wait too long.
    fn seen_by_others(&self, looks: u64) -> Option<u64> {
        let Self { checker, window, limit, need, .. } = *self;
        let used = checker.leases.seen_since(looks, window)?;
        let unused = checker.leases.unused(window);
        let remaining = unused.saturating_add(limit.saturating_sub(used));
        (remaining < Ord::max(need.least(), 1)).then(|| used.saturating_sub(unused))
    }
}

/// What was drawn for a call that may be gone by now. It goes back if nobody takes it.
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

/// Puts what was really used in the place of what was taken ahead, in the period that it was taken
/// of. What was used beyond that counts, even over the limit: it can't be unused. What goes back
/// waits for nothing: see `return_leases`.
pub(crate) async fn settle(checker: &Checker, spent: BudgetPermit, used: u64) -> Result<(), Error> {
    let BudgetPermit { window, tokens, organization } = spent;
    if used <= tokens {
        checker.leases.refund(UnusedLease { window, tokens: tokens - used });
        return Ok(());
    }
    let beyond = used - tokens;
    // What this node has leased pays first, or it would admit calls of a budget that is used up.
    let unpaid = beyond - checker.leases.pay(window, beyond);
    if unpaid > 0 {
        let who = OnBehalfOf::Organization(organization);
        change(checker, who, window, self::tokens(unpaid)).await?;
        checker.leases.changed(window, unpaid);
    }
    Ok(())
}

/// Gives back what leases hold that nobody has drawn on for a while, what is too much in others,
/// and what came back when its lease was gone; or all that there is.
///
/// # Errors
/// The database fails. What was being given back stays taken.
pub(crate) async fn return_leases(checker: &Checker, all: bool) -> Result<(), Error> {
    let now = checker.clock.monotonic();
    for key in checker.leases.due(now, all) {
        // Whoever wants more of the budget now waits until this is written, or it would be refused
        // for want of it.
        let (gate, _) = checker.leases.gate(key);
        let _alone = match gate.try_lock() {
            Ok(alone) => alone,
            Err(_) if all => gate.lock().await,
            // The one who has the gate is about to lease more.
            Err(_) => continue,
        };
        // One at a time: where the database fails, only the one that may have gone back all the
        // same is lost.
        let due = checker.leases.withdraw_due(key, now, all);
        return_unused(checker, OnBehalfOf::Server, due).await?;
    }
    Ok(())
}

/// Gives back what a key's gate is held for. What fails stays taken, as it may have gone through;
/// what was not tried is kept.
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
        checker.leases.given_back(unused);
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
        .filter(budget::Column::KeyId.eq(window.key.as_uuid()))
        .filter(budget::Column::Period.eq(window.period.as_str()))
        .filter(budget::Column::StartsAt.eq(window.starts_at.as_millis()));
    in_time(async {
        let _turn = checker.database.turn(who).await?;
        update.exec(checker.database.writer()).await?;
        Ok(())
    })
    .await
}

impl Checker {
    /// Where a budget stands at `now`.
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
        states.remove(&key).ok_or(Error::Corrupt("budget"))
    }

    /// Where the budgets of several keys stand at `now`, by one query.
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
        // What this node has leased and not used is used by nobody.
        let windows: Vec<_> =
            windows.map(|window| (window, self.leases.unused(window.0))).collect();
        let rows = budget::Entity::find()
            .filter(
                budget::Column::KeyId.is_in(windows.iter().map(|((one, ..), _)| one.key.as_uuid())),
            )
            .filter(
                budget::Column::StartsAt
                    .is_in(windows.iter().map(|((one, ..), _)| one.starts_at.as_millis())),
            )
            .all(self.database.reader())
            .await?;
        let states = windows.into_iter().map(|((window, limit, resets_at), unused)| {
            let row = rows.iter().find(|row| {
                row.key_id == window.key.as_uuid()
                    && row.period == window.period.as_str()
                    && row.starts_at == window.starts_at.as_millis()
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

/// One statement, so that no other call can come between the look and the taking. The answer is
/// what is used then; none: it would be over the limit.
///
/// In a transaction of its own: SQLite commits a lone statement that returns rows after they were
/// read, and if that fails, for want of room, nobody is told.
async fn add(
    checker: &Checker,
    who: OnBehalfOf,
    window: BudgetWindow,
    amount: u64,
    limit: u64,
) -> Result<Option<u64>, Error> {
    let Some(room) = limit.checked_sub(amount) else { return Ok(None) };
    let used = (budget::Entity, budget::Column::Used);
    let row = budget::ActiveModel {
        key_id: Set(window.key.as_uuid()),
        period: Set(window.period.as_str().to_owned()),
        starts_at: Set(window.starts_at.as_millis()),
        used: Set(tokens(amount)),
    };
    let key = [budget::Column::KeyId, budget::Column::Period, budget::Column::StartsAt];
    let upsert = OnConflict::columns(key)
        .value(budget::Column::Used, Expr::col(used).add(tokens(amount)))
        .action_and_where(Expr::col(used).lte(tokens(room)))
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
        .filter(budget::Column::KeyId.eq(window.key.as_uuid()))
        .filter(budget::Column::Period.eq(window.period.as_str()))
        .filter(budget::Column::StartsAt.eq(window.starts_at.as_millis()))
        .into_tuple()
        .one(checker.database.reader())
        .await?;
    Ok(used.and_then(|used| u64::try_from(used).ok()).unwrap_or_default())
}

/// Limits end far below the largest `i64`.
fn tokens(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
