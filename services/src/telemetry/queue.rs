//! Who stores next. Calls wait here, each with its body still packed, until it is their turn: at most
//! [`AT_ONCE`] are taken apart or stored at a time, the projects in turn, each in the order of its calls.
//!
//! What waits is bounded, in all and for each project; whoever comes when it is full is refused with 503 and may try
//! again. So a flood of one project takes its own places, and others wait for one call of it, not for all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use latchkey_domain::id::ProjectId;
use tokio::sync::oneshot;

use crate::error::Error;

/// One is taken apart while the one before it is stored.
const AT_ONCE: usize = 2;
/// What may wait or be under way. A call has at most 10,000 items, so bytes and calls bound these too.
const IN_ALL: Size = Size { calls: 1_024, bytes: 128 * 1024 * 1024 };
/// What of it one project may have.
const OF_A_PROJECT: Size = Size { calls: 512, bytes: 64 * 1024 * 1024 };

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    calls: usize,
    bytes: usize,
}

impl Size {
    fn fits(self, bytes: usize, most: Self) -> bool {
        self.calls < most.calls && self.bytes + bytes <= most.bytes
    }

    fn add(&mut self, bytes: usize) {
        self.calls += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.calls -= 1;
        self.bytes -= bytes;
    }
}

#[derive(Default)]
struct State {
    all: Size,
    running: usize,
    lanes: HashMap<ProjectId, Lane>,
    /// The projects that have somebody waiting, the next one first.
    order: VecDeque<ProjectId>,
    refused: u64,
}

#[derive(Default)]
struct Lane {
    size: Size,
    waiting: VecDeque<oneshot::Sender<Running>>,
}

/// The calls that bring telemetry to this node.
#[derive(Clone, Default)]
pub(crate) struct Queue(Arc<Mutex<State>>);

/// A call's place, from when it comes until it is done with.
struct Place {
    queue: Queue,
    project: ProjectId,
    bytes: usize,
}

/// One of those that are under way.
struct Running(Option<Queue>);

/// It is this call's turn, until this is dropped.
pub struct Turn {
    _running: Running,
    _place: Place,
}

impl Queue {
    /// Waits for a call's turn, which brings a body of so many bytes.
    ///
    /// # Errors
    /// `QueueFull`: too much is waiting already.
    pub(super) async fn turn(&self, project: ProjectId, bytes: usize) -> Result<Turn, Error> {
        let (place, running) = self.enter(project, bytes)?;
        // A sender is dropped only with its call.
        let running = running.await.map_err(|_| Error::QueueFull)?;
        Ok(Turn { _running: running, _place: place })
    }

    fn enter(
        &self,
        project: ProjectId,
        bytes: usize,
    ) -> Result<(Place, oneshot::Receiver<Running>), Error> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        let own = state.lanes.get(&project).map(|lane| lane.size).unwrap_or_default();
        if !state.all.fits(bytes, IN_ALL) || !own.fits(bytes, OF_A_PROJECT) {
            state.refused += 1;
            return Err(Error::QueueFull);
        }
        state.all.add(bytes);
        let is_free = state.running < AT_ONCE;
        state.running += usize::from(is_free);
        let lane = state.lanes.entry(project).or_default();
        lane.size.add(bytes);
        if is_free {
            drop(state);
            // The receiver is here.
            let _ = sender.send(Running(Some(self.clone())));
        } else {
            lane.waiting.push_back(sender);
            if lane.waiting.len() == 1 {
                state.order.push_back(project);
            }
        }
        Ok((Place { queue: self.clone(), project, bytes }, receiver))
    }

    /// Gives the place of one that is done to the next.
    fn pass_on(&self) {
        loop {
            let Some(next) = self.state().next() else { return };
            match next.send(Running(Some(self.clone()))) {
                Ok(()) => return,
                // It has gone; the next one, with the same place.
                Err(mut running) => running.0 = None,
            }
        }
    }

    /// How many calls wait or are under way, with how many bytes, and how many were refused since the start.
    pub(super) fn counts(&self) -> (usize, usize, u64) {
        let state = self.state();
        (state.all.calls, state.all.bytes, state.refused)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next in turn; none: one less is running.
    fn next(&mut self) -> Option<oneshot::Sender<Running>> {
        while let Some(project) = self.order.pop_front() {
            let Some(lane) = self.lanes.get_mut(&project) else { continue };
            let next = lane.waiting.pop_front();
            if !lane.waiting.is_empty() {
                self.order.push_back(project);
            }
            if next.is_some() {
                return next;
            }
        }
        self.running -= 1;
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.pass_on();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.all.remove(self.bytes);
        if let Some(lane) = state.lanes.get_mut(&self.project) {
            lane.size.remove(self.bytes);
            if lane.size.calls == 0 {
                // Whoever waited has gone.
                state.lanes.remove(&self.project);
            }
        }
    }
}

#[cfg(test)]
mod tests;
