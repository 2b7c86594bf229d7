//! Keys of calls in progress, each with the calls to notify when it ends.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio_util::sync::ReusableBoxFuture;

use crate::outcome::Denial;
use latchkey_domain::digest::KeyDigest;

pub(crate) type EndSender = watch::Sender<Option<Denial>>;

/// Watched keys, by the digest of the secret used: after a rotation the other secret may still be
/// valid.
#[derive(Default)]
pub(crate) struct WatchedKeys(Mutex<HashMap<KeyDigest, EndSender>>);

impl WatchedKeys {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<KeyDigest, EndSender>> {
        // Each step leaves the map consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops watching a key without calls in progress. Returns false if a call uses it again.
    pub(crate) fn forget_unused(&self, digest: &KeyDigest) -> bool {
        let mut keys = self.lock();
        let unused = keys.get(digest).is_none_or(|ended| ended.receiver_count() == 0);
        if unused {
            keys.remove(digest);
        }
        unused
    }
}

type EndReceiver = watch::Receiver<Option<Denial>>;

/// Reports when the key of a call in progress becomes invalid.
#[derive(Debug)]
pub struct KeyWatch {
    state: EndReceiver,
    /// None until somebody waits.
    waiting: Option<WaitingTask>,
}

/// The task that is woken when the key becomes invalid. It stays registered from one wait to the
/// next, as calls of a key share the list of those that wait, and a stream waits once per event.
#[derive(Debug)]
struct WaitingTask {
    /// None until it is registered.
    waker: Option<Waker>,
    ended: ReusableBoxFuture<'static, Denial>,
}

impl KeyWatch {
    pub(crate) const fn new(state: EndReceiver) -> Self {
        Self { state, waiting: None }
    }

    /// Waits until a check would refuse the key, and returns the denial. It keeps waiting while the
    /// database is unavailable and the key's state is unknown.
    pub async fn ended(&mut self) -> Denial {
        poll_fn(|context| self.poll_ended(context)).await
    }

    fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<Denial> {
        let state = &self.state;
        let waiting = self.waiting.get_or_insert_with(|| WaitingTask::new(state.clone()));
        let is_registered =
            waiting.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if is_registered && matches!(state.has_changed(), Ok(false)) {
            return Poll::Pending;
        }
        waiting.waker = Some(context.waker().clone());
        let ended = waiting.ended.poll(context);
        if ended.is_ready() {
            // A future that is done can't be polled again.
            self.waiting = None;
        }
        ended
    }
}

impl WaitingTask {
    fn new(state: EndReceiver) -> Self {
        // Without the limit of a task's turn, at which it would wait without being registered.
        let ended = ReusableBoxFuture::new(unconstrained(first_denial(state)));
        Self { waker: None, ended }
    }
}

async fn first_denial(mut state: EndReceiver) -> Denial {
    match state.wait_for(Option::is_some).await.map(|denial| (*denial).clone()) {
        Ok(Some(denial)) => denial,
        // The watching task has ended without a result.
        _ => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use latchkey_domain::outcome::Outcome;

    use super::*;

    #[test]
    fn keys_without_calls_are_forgotten() {
        let keys = WatchedKeys::default();
        let digest = KeyDigest::new([7; 32]);
        let (ended, receiver) = watch::channel(None);
        keys.lock().insert(digest, ended);
        assert!(!keys.forget_unused(&digest), "a call is in progress");
        drop(receiver);
        assert!(keys.forget_unused(&digest));
        assert!(keys.lock().is_empty());
    }

    #[tokio::test]
    async fn watch_reports_an_end_from_before_it_waited() {
        let (ended, receiver) = watch::channel(None);
        ended.send_replace(Some(Denial::of(Outcome::RevokedKey)));
        let mut watch = KeyWatch::new(receiver);
        assert_eq!(watch.ended().await.outcome, Outcome::RevokedKey);
        drop(ended);
        assert_eq!(watch.ended().await.outcome, Outcome::RevokedKey);
    }

    #[tokio::test]
    async fn watch_wakes_a_task_that_waits_again() {
        let (ended, receiver) = watch::channel(None);
        let mut watch = KeyWatch::new(receiver);
        let waiting = tokio::spawn(async move {
            for _ in 0..3 {
                assert!(futures::poll!(pin!(watch.ended())).is_pending());
            }
            watch.ended().await.outcome
        });
        tokio::task::yield_now().await;
        ended.send_replace(Some(Denial::of(Outcome::RevokedKey)));
        assert_eq!(waiting.await.unwrap(), Outcome::RevokedKey);
    }

    #[tokio::test]
    async fn watch_wakes_the_task_that_waited_last() {
        let (ended, receiver) = watch::channel(None);
        let mut watch = KeyWatch::new(receiver);
        assert!(futures::poll!(pin!(watch.ended())).is_pending());
        let waiting = tokio::spawn(async move { watch.ended().await.outcome });
        tokio::task::yield_now().await;
        ended.send_replace(Some(Denial::of(Outcome::DisabledKey)));
        assert_eq!(waiting.await.unwrap(), Outcome::DisabledKey);
    }
}
