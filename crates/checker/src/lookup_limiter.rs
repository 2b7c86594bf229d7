//! Limits concurrent database lookups, of keys that are not cached and of sessions.
//!
//! Callers take turns. Otherwise one caller's flood would fill the queue of the pool, and all
//! others would wait behind it. The limit also bounds what a caller reads afterwards, since each
//! request passes here before it reads anything else. Addresses that have guessed too often share a
//! small limit of their own.

use latchkey_domain::id::{OrganizationId, SessionId, UserId};
use sea_orm::{ConnAcquireErr, DbErr};

use crate::failures::Address;
use latchkey_store::Error;
use latchkey_store::database::in_time;
use latchkey_store::fair_queue::{FairQueue, QueueBounds, QueueFull, QueuePermit, Size};

/// Concurrent lookups, of all callers and of guessers. The pool has 16 connections.
const MAX_CONCURRENT: (usize, usize) = (24, 4);
/// Running and waiting lookups, of one caller and of guessers.
const MAX_PER_CALLER: (usize, usize) = (4_096, 512);
/// Running and waiting lookups in total.
const MAX_TOTAL: usize = 65_536;

/// Caller that a lookup counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LookupCaller {
    /// Caller that presents a key, by IP address.
    Address(Address),
    /// Organization whose service key checks a presented key.
    Organization(OrganizationId),
    /// User who checks a presented key.
    Person(UserId),
    /// Session whose requests are being authenticated.
    Session(SessionId),
    /// The server itself, for streams whose key may have changed.
    Server,
}

/// Fair queues of the lookups that wait for the database.
pub struct LookupLimiter {
    everybody: FairQueue<LookupCaller>,
    guessers: FairQueue<LookupCaller>,
}

impl LookupLimiter {
    pub(crate) fn new() -> Self {
        let bounds = |running, all, of_one| QueueBounds {
            running,
            running_of_one: running,
            all: Size::calls(all),
            of_one: Size::calls(of_one),
        };
        Self {
            everybody: FairQueue::new(bounds(MAX_CONCURRENT.0, MAX_TOTAL, MAX_PER_CALLER.0)),
            guessers: FairQueue::new(bounds(MAX_CONCURRENT.1, MAX_PER_CALLER.1, MAX_PER_CALLER.1)),
        }
    }

    /// Waits for a permit, which is released on drop.
    ///
    /// # Errors
    /// The queue is full.
    pub(crate) async fn acquire(
        &self,
        caller: LookupCaller,
        guesser: bool,
    ) -> Result<QueuePermit<LookupCaller>, QueueFull> {
        let lane = if guesser { &self.guessers } else { &self.everybody };
        lane.acquire(caller, 0).await
    }

    /// Runs a database lookup for a caller, once it has a permit.
    ///
    /// # Errors
    /// The errors of `work`. `Unavailable` if it takes too long or the queue is full.
    pub async fn of<T>(
        &self,
        caller: LookupCaller,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let full = |QueueFull| {
            latchkey_store::Error::Unavailable(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))
        };
        in_time(async {
            let _permit = self.acquire(caller, false).await.map_err(full)?;
            work.await
        })
        .await
    }

    pub(crate) fn waiting(&self) -> usize {
        self.everybody.waiting() + self.guessers.waiting()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures::FutureExt;
    use latchkey_domain::time::Timestamp;

    use super::*;

    fn address(last: u8) -> LookupCaller {
        LookupCaller::Address(Address::of(Some(IpAddr::from(Ipv4Addr::new(192, 0, 2, last)))))
    }

    #[test]
    fn guessers_wait_only_for_other_guessers() {
        let queue = LookupLimiter::new();
        let permit = |guesser| queue.acquire(address(1), guesser);
        let running: Vec<_> = (0..MAX_CONCURRENT.1).map(|_| permit(true).now_or_never()).collect();
        assert!(running.iter().all(|permit| matches!(permit, Some(Ok(_)))));
        let wait = |_| Box::pin(queue.acquire(address(2), true));
        let mut waiting: Vec<_> = (MAX_CONCURRENT.1..MAX_PER_CALLER.1).map(wait).collect();
        assert!(waiting.iter_mut().all(|permit| permit.now_or_never().is_none()));
        assert_eq!(queue.waiting(), MAX_PER_CALLER.1 - MAX_CONCURRENT.1);
        assert!(matches!(permit(true).now_or_never(), Some(Err(QueueFull))));
        assert!(matches!(permit(false).now_or_never(), Some(Ok(_))), "others go on");
        drop(waiting);
        drop(running);
        assert_eq!(queue.waiting(), 0);
        assert!(matches!(permit(true).now_or_never(), Some(Ok(_))));
    }

    #[test]
    fn caller_with_many_lookups_delays_no_other() {
        let queue = LookupLimiter::new();
        let many =
            LookupCaller::Organization(OrganizationId::new(Timestamp::from_millis(0), [1; 10]));
        let run = |_| queue.acquire(many, false).now_or_never().unwrap();
        let mut running: Vec<_> = (0..MAX_CONCURRENT.0).map(run).collect();
        let wait = |_| Box::pin(queue.acquire(many, false));
        let mut waiting: Vec<_> = (0..1_000).map(wait).collect();
        assert!(waiting.iter_mut().all(|permit| permit.now_or_never().is_none()));
        let mut one = Box::pin(queue.acquire(address(1), false));
        assert!((&mut one).now_or_never().is_none());
        // One of the many was queued before it.
        running.truncate(MAX_CONCURRENT.0 - 2);
        assert!(matches!((&mut one).now_or_never(), Some(Ok(_))));
    }
}
