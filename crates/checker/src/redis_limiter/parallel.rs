//! Calls in progress as Redis counts them: for each owner, how many each node has.

use std::time::Duration;

use redis::{Script, ScriptInvocation};
use sea_orm::prelude::Uuid;

use super::membership::MEMBER_SECONDS;
use super::{RedisLimiter, RedisUnavailable};
use crate::budget_owner::BudgetOwner;
use crate::parallel_limit::{ParallelFull, ParallelLimit};

/// Return value of `acquire_slot.lua`.
type SlotResponse = (usize, u64, u8);

impl RedisLimiter {
    /// Counts one more call of every owner, or returns the first limit that is full. `now` is
    /// monotonic.
    pub(crate) async fn acquire_slot(
        &self,
        now: Duration,
        limits: &[ParallelLimit],
    ) -> Result<Result<(), ParallelFull>, RedisUnavailable> {
        self.ask_for_slot(now, limits, true).await
    }

    /// Same as [`Self::acquire_slot`], but counts nothing.
    pub(crate) async fn peek_slot(
        &self,
        now: Duration,
        limits: &[ParallelLimit],
    ) -> Result<Result<(), ParallelFull>, RedisUnavailable> {
        self.ask_for_slot(now, limits, false).await
    }

    async fn ask_for_slot(
        &self,
        now: Duration,
        limits: &[ParallelLimit],
        acquires: bool,
    ) -> Result<Result<(), ParallelFull>, RedisUnavailable> {
        let (nodes, node) = self.membership.names();
        let mut call = self.scripts.acquire_slot.prepare_invoke();
        call.arg(node).arg(nodes).arg(MEMBER_SECONDS).arg(u8::from(acquires));
        for asked in limits {
            call.arg(calls_of(asked.owner.uuid())).arg(asked.limit);
        }
        let mut connection = self.open()?;
        let response: SlotResponse = self.response(call.invoke_async(&mut connection)).await?;
        let (refused_by, used, is_known) = response;
        if is_known == 0 {
            self.has_forgotten(now);
        }
        let Some(refused_by) = refused_by.checked_sub(1) else { return Ok(Ok(())) };
        match limits.get(refused_by) {
            Some(full) => Ok(Err(full.full(full.limit, used))),
            None => Err(self.lost("it refused a call by a limit that the call does not have")),
        }
    }

    /// Counts one call less of every owner.
    pub(crate) async fn release_slot(
        &self,
        owners: &[BudgetOwner],
    ) -> Result<(), RedisUnavailable> {
        let mut call = self.change_of_own(&self.scripts.release_slot);
        for owner in owners {
            call.arg(calls_of(owner.uuid()));
        }
        let mut connection = self.open()?;
        self.response(call.invoke_async::<()>(&mut connection)).await
    }

    /// Replaces the number of this node's calls of each owner.
    pub(crate) async fn write_calls(&self, calls: &[(Uuid, u64)]) -> Result<(), RedisUnavailable> {
        let mut call = self.change_of_own(&self.scripts.write_calls);
        for (owner, number) in calls {
            call.arg(calls_of(*owner)).arg(*number);
        }
        let mut connection = self.open()?;
        self.response(call.invoke_async::<()>(&mut connection)).await
    }

    fn change_of_own<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.arg(self.membership.names().1).arg(MEMBER_SECONDS);
        call
    }
}

/// Name of the hash from nodes to their numbers of calls.
fn calls_of(owner: Uuid) -> String {
    format!("latchkey:{{{owner}}}:p")
}
