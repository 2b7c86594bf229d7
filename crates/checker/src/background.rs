//! Background responses: calls whose answer goes on at the upstream when their connection has
//! ended.
//!
//! ```text
//! reserve -> the upstream accepts -> into_background -> … -> a final status is read -> settle
//!                                    a row, reserved         once, whoever reads it
//! ```
//! A response is settled when somebody reads that it has ended: the stream of the call itself, a
//! client that asks for it or cancels it, or the gateway, which asks every
//! [`CHECK_INTERVAL`] on one node at a time. Until then its row says what it has reserved of its
//! budgets, so that it survives a restart: see `background_store`. Settling is `background_settle`.
//!
//! The call itself counts as a request when the row is written; its tokens and its cost are added
//! when it is settled, to the same minute.
//!
//! *Failure.* If the row cannot be written, what was reserved stays charged, and the call counts
//! with what it may have used at most. If nobody can learn how a response ended, the same goes.

use std::time::Duration;

use latchkey_domain::id::{OrganizationId, ProjectId};
use latchkey_domain::money::Usd;
use latchkey_domain::price::Price;
use latchkey_domain::time::Timestamp;
use latchkey_domain::token_usage::TokenUsage;
use latchkey_store::Error;
use latchkey_store::database::in_time;
use latchkey_store::entity::background_response::Model;

use crate::acquire::AcquiredTokens;
use crate::background_store::{self, ResponsePlace};
use crate::budget_store::stored;
use crate::call_slot::CallSlot;
use crate::checker::Checker;
use crate::digest::sha256;
use crate::held_rates::HeldRate;
use crate::reserve::{self, Reservation, UnsettledReservation, cost_of};
use crate::reserved_budget::ReservedBudget;

/// How often the gateway asks how a response is.
const CHECK_INTERVAL: Duration = Duration::from_mins(10);
/// How long it asks: as long as a response is known to its clients.
const CHECKED_FOR: Duration = Duration::from_hours(30 * 24);
/// How often an upstream may not know a response before nobody asks any more.
const MAX_MISSING: i64 = 3;
/// Responses that one query finds due.
const DUE_AT_ONCE: u64 = 100;
/// How often the row of a response is tried to be written, and the pause in between.
const ATTEMPTS: u32 = 3;
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(200);

/// A response that an upstream has accepted.
#[derive(Debug, Clone)]
pub struct BackgroundResponse {
    /// ID of the response.
    pub id: String,
    /// Name of its upstream. `None`: the sandbox.
    pub upstream: Option<String>,
    /// What it is charged if nobody learns how it ended.
    pub unread: TokenUsage,
}

/// A response that the caller is to ask for.
#[derive(Debug, Clone)]
pub struct DueResponse {
    /// Project that it belongs to.
    pub project: ProjectId,
    /// ID of the response.
    pub id: String,
    /// Name of its upstream. `None`: the sandbox.
    pub upstream: Option<String>,
    /// Whether it has been asked for long enough.
    pub is_expired: bool,
    missing: i64,
}

/// The place of a response.
pub(crate) fn place_of(project: ProjectId, id: &str) -> ResponsePlace {
    (project, sha256(id))
}

impl Reservation {
    /// Leaves what is reserved to a response that goes on in the background. When this returns, the
    /// database knows of it. Returns the call's slot, to be held until its connection ends. A
    /// caller that is cancelled loses nothing.
    ///
    /// If the project has an unsettled response of the same ID, the call settles at
    /// `response.unread` at once.
    ///
    /// # Errors
    /// The database fails. What was reserved stays charged.
    pub async fn into_background(
        mut self,
        response: BackgroundResponse,
    ) -> Result<Option<CallSlot>, Error> {
        let organization = self.key().organization;
        let (checker, unsettled, price) = self.take();
        let Some(unsettled) = unsettled else { return Ok(None) };
        let tasks = checker.unsettled.clone();
        let task = hand_over(checker, unsettled, (organization, price), response);
        tasks.spawn(task).await.map_err(Error::unavailable)?.map(Some)
    }
}

async fn hand_over(
    checker: Checker,
    unsettled: UnsettledReservation,
    (organization, price): (OrganizationId, Option<Price>),
    response: BackgroundResponse,
) -> Result<CallSlot, Error> {
    let used = response.unread;
    let cost = cost_of(price, used);
    let row = row_of(&checker, &unsettled, (organization, price), response);
    let budgets = unsettled.acquired.budgets.permits.reserved();
    // Whose the response is must survive a crash as well.
    let (inserted, remembered) =
        tokio::join!(insert(&checker, &row, &budgets), checker.write_responses());
    if let Err(error) = remembered {
        tracing::warn!(%error, "Failed to write whose a background response is; retrying");
    }
    match inserted {
        Ok(true) => Ok(keep(&checker, (row.project_id, row.id), unsettled)),
        Ok(false) => Ok(reserve::settle(&checker, unsettled, (used, cost)).await),
        Err(error) => {
            tracing::error!(%error, key = %unsettled.call.key, "Failed to keep a reservation");
            charge(&checker, unsettled, (used, cost));
            Err(error)
        }
    }
}

/// Inserts the row. False if the project has another unsettled response of this ID.
async fn insert(checker: &Checker, row: &Model, budgets: &[ReservedBudget]) -> Result<bool, Error> {
    let mut attempt = 1;
    loop {
        match in_time(background_store::insert(&checker.database, row, budgets)).await {
            // A failed attempt may have been committed.
            Ok(inserted) => return Ok(inserted || attempt > 1),
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(error) => tracing::warn!(%error, "Failed to write a background response; retrying"),
        }
        attempt += 1;
        tokio::time::sleep(ATTEMPT_INTERVAL).await;
    }
}

/// Lets go of what the database knows by now. The call counts as a request.
fn keep(checker: &Checker, place: ResponsePlace, unsettled: UnsettledReservation) -> CallSlot {
    let UnsettledReservation { acquired, call, model, slot, in_progress, .. } = unsettled;
    let AcquiredTokens { rates, budgets } = acquired;
    budgets.permits.hand_over();
    checker.usage.record(&call);
    if let Some(model) = &model {
        checker.usage.record_model(&call, model);
    }
    if rates.tokens().is_some() {
        let since = checker.clock.monotonic();
        let held = HeldRate { rates, key: call.key, tokens: budgets.granted, since };
        checker.in_progress.add(call.key, budgets.granted);
        if let Some(held) = checker.held_rates.hold(place, held) {
            checker.in_progress.remove(held.key, held.tokens);
        }
    }
    drop(in_progress);
    slot
}

/// Charges all that is reserved.
fn charge(checker: &Checker, unsettled: UnsettledReservation, (used, cost): (TokenUsage, Usd)) {
    let UnsettledReservation { acquired, mut call, model, .. } = unsettled;
    acquired.budgets.permits.charge_all(checker);
    (call.tokens, call.cost) = (used, cost);
    checker.usage.record(&call);
    if let Some(model) = &model {
        checker.usage.record_model(&call, model);
    }
}

fn row_of(
    checker: &Checker,
    unsettled: &UnsettledReservation,
    (organization, price): (OrganizationId, Option<Price>),
    response: BackgroundResponse,
) -> Model {
    let call = &unsettled.call;
    let (project_id, id) = place_of(call.project, &response.id);
    let billionths = |price: Usd| stored(price.billionths());
    let unread = response.unread.bounded();
    Model {
        project_id,
        id,
        response_id: response.id,
        upstream: response.upstream,
        organization_id: organization,
        key_id: call.key,
        environment: call.environment,
        model: unsettled.model.as_deref().map(str::to_owned),
        input_price: price.map(|price| billionths(price.input)),
        cached_input_price: price.and_then(|price| price.cached_input.map(billionths)),
        cache_write_price: price.and_then(|price| price.cache_write.map(billionths)),
        output_price: price.map(|price| billionths(price.output)),
        request_price: price.map(|price| billionths(price.request)),
        prompt_tokens: stored(unread.prompt),
        completion_tokens: stored(unread.completion),
        created_at: call.at,
        next_check_at: checker.clock.now() + CHECK_INTERVAL,
        missing: 0,
        reads: 0,
    }
}

impl Checker {
    /// Whether a project has a background response of this ID that is not settled.
    ///
    /// # Errors
    /// The database fails.
    pub async fn is_in_background(&self, project: ProjectId, id: &str) -> Result<bool, Error> {
        let place = place_of(project, id);
        Ok(in_time(background_store::find(&self.database, &place)).await?.is_some())
    }

    /// Claims responses that nobody has asked for lately. The caller is to ask for them; no other
    /// node does so before the next interval. Empty if none is due.
    ///
    /// # Errors
    /// The database fails.
    pub async fn claim_due_responses(&self) -> Result<Vec<DueResponse>, Error> {
        let now = self.clock.now();
        let mut claimed = Vec::new();
        while claimed.is_empty() {
            let rows = in_time(background_store::due(&self.database, now, DUE_AT_ONCE)).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let next = now + CHECK_INTERVAL;
                if in_time(background_store::claim(&self.database, &row, next)).await? {
                    claimed.push(due_response(row, now));
                }
            }
        }
        Ok(claimed)
    }

    /// Counts that the upstream of a response does not know it. Returns whether it has been so
    /// often that nobody need ask again.
    ///
    /// # Errors
    /// The database fails.
    pub async fn count_missing(&self, due: &DueResponse) -> Result<bool, Error> {
        let place = place_of(due.project, &due.id);
        in_time(background_store::count_missing(&self.database, &place)).await?;
        Ok(due.missing + 1 >= MAX_MISSING)
    }
}

fn due_response(row: Model, now: Timestamp) -> DueResponse {
    DueResponse {
        project: row.project_id,
        id: row.response_id,
        upstream: row.upstream,
        is_expired: now.since(row.created_at) >= CHECKED_FOR,
        missing: row.missing,
    }
}
