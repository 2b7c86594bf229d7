//! The queue in front of the database, for checks of keys that are not cached.
//!
//! Without a bound, a flood of unknown keys would fill the pool's queue and every honest caller would wait behind
//! it. Addresses that have guessed too often have a narrow lane of their own.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Look-ups at once, of everybody and of those who have guessed too often. The pool has 16 connections.
const AT_ONCE: (usize, usize) = (24, 4);
/// Look-ups that may wait.
const WAITING: (usize, usize) = (4_096, 512);

/// Too many wait already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

struct Lane {
    running: Semaphore,
    waiting: Semaphore,
}

/// The queue.
pub(crate) struct LookUps {
    everybody: Lane,
    guessers: Lane,
}

impl LookUps {
    pub(crate) fn new() -> Self {
        let lane = |running, waiting| Lane {
            running: Semaphore::new(running),
            waiting: Semaphore::new(waiting),
        };
        Self { everybody: lane(AT_ONCE.0, WAITING.0), guessers: lane(AT_ONCE.1, WAITING.1) }
    }

    /// Waits for a turn, which lasts as long as what is returned.
    ///
    /// # Errors
    /// Too many wait already.
    pub(super) async fn turn(&self, guesser: bool) -> Result<SemaphorePermit<'_>, QueueFull> {
        let lane = if guesser { &self.guessers } else { &self.everybody };
        if let Ok(turn) = lane.running.try_acquire() {
            return Ok(turn);
        }
        let _waiting = lane.waiting.try_acquire().map_err(|_| QueueFull)?;
        lane.running.acquire().await.map_err(|_| QueueFull)
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        let waiting = |lane: &Lane, most: usize| most - lane.waiting.available_permits();
        waiting(&self.everybody, WAITING.0) + waiting(&self.guessers, WAITING.1)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn who_guesses_waits_for_those_who_guess_alone() {
        let queue = LookUps::new();
        let running: Vec<_> = (0..AT_ONCE.1).map(|_| queue.turn(true).now_or_never()).collect();
        assert!(running.iter().all(Option::is_some));
        let mut waiting: Vec<_> = (0..WAITING.1).map(|_| Box::pin(queue.turn(true))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        assert_eq!(queue.waiting(), WAITING.1);
        let one_more = queue.turn(true).now_or_never();
        assert!(matches!(one_more, Some(Err(QueueFull))));
        assert!(matches!(queue.turn(false).now_or_never(), Some(Ok(_))), "others go on");
        drop(running);
        drop(waiting);
        assert_eq!(queue.waiting(), 0);
        assert!(matches!(queue.turn(true).now_or_never(), Some(Ok(_))));
    }
}
