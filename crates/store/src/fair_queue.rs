//! A fair queue for a scarce resource: the single writer connection, key look-ups, telemetry
//! storage.
//!
//! Work waits in the lane of its owner. The lanes are served round-robin, each in first-in,
//! first-out order. A flood of one caller therefore delays only itself: others wait for one piece
//! of its work, not for all of it. (Nagle, “On Packet Switches with Infinite Storage”, RFC 970,
//! section 5: a queue per source, served round-robin.)

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A number of calls and their total bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Number of calls.
    pub calls: usize,
    /// Total size of the calls, in bytes.
    pub bytes: usize,
}

impl Size {
    /// A limit on the number of calls only, whatever their size.
    pub const fn calls(calls: usize) -> Self {
        Self { calls, bytes: usize::MAX }
    }

    fn fits(self, bytes: usize, most: Self) -> bool {
        self.calls < most.calls && bytes <= most.bytes.saturating_sub(self.bytes)
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

/// Limits of a queue.
#[derive(Debug, Clone, Copy)]
pub struct QueueBounds {
    /// Running calls, all lanes.
    pub running: usize,
    /// Running calls, one lane.
    pub running_of_one: usize,
    /// Waiting or running calls, all lanes.
    pub all: Size,
    /// Waiting or running calls, one lane.
    pub of_one: Size,
}

/// Identifies a lane: the owner of the work.
pub trait LaneId: Copy + Eq + Hash {}

impl<T: Copy + Eq + Hash> LaneId for T {}

/// The queue is full, for this lane or in total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull;

struct QueueState<K: LaneId> {
    bounds: QueueBounds,
    size: Size,
    running: usize,
    lanes: HashMap<K, Lane<K>>,
    /// Lanes with a waiting call that may run, in the order in which they are served.
    order: VecDeque<K>,
    refused: u64,
}

struct Lane<K: LaneId> {
    size: Size,
    running: usize,
    /// Whether the lane is in `order`.
    is_next: bool,
    waiting: VecDeque<oneshot::Sender<Running<K>>>,
}

/// A fair queue with one lane per owner.
pub struct FairQueue<K: LaneId>(Arc<Mutex<QueueState<K>>>);

impl<K: LaneId> Clone for FairQueue<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A place among the waiting or running calls.
struct QueuePlace<K: LaneId> {
    queue: FairQueue<K>,
    lane: K,
    bytes: usize,
}

/// A running call.
struct Running<K: LaneId> {
    queue: FairQueue<K>,
    lane: K,
}

/// The permit to run. It is released on drop.
pub struct QueuePermit<K: LaneId> {
    _running: Running<K>,
    _place: QueuePlace<K>,
}

impl<K: LaneId> FairQueue<K> {
    /// An empty queue.
    pub fn new(bounds: QueueBounds) -> Self {
        Self(Arc::new(Mutex::new(QueueState {
            bounds,
            size: Size::default(),
            running: 0,
            lanes: HashMap::new(),
            order: VecDeque::new(),
            refused: 0,
        })))
    }

    /// Waits for a permit for a call of this many bytes.
    ///
    /// # Errors
    /// The queue is full, for this lane or in total.
    pub async fn acquire(&self, lane: K, bytes: usize) -> Result<QueuePermit<K>, QueueFull> {
        let (place, running) = self.enter(lane, bytes)?;
        // A sender is only dropped together with its place.
        let running = running.await.map_err(|_| QueueFull)?;
        Ok(QueuePermit { _running: running, _place: place })
    }

    fn enter(
        &self,
        lane: K,
        bytes: usize,
    ) -> Result<(QueuePlace<K>, oneshot::Receiver<Running<K>>), QueueFull> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        let bounds = state.bounds;
        let own = state.lanes.get(&lane).map(|lane| lane.size).unwrap_or_default();
        if !state.size.fits(bytes, bounds.all) || !own.fits(bytes, bounds.of_one) {
            state.refused += 1;
            return Err(QueueFull);
        }
        state.size.add(bytes);
        let own = state.lanes.entry(lane).or_default();
        own.size.add(bytes);
        if own.waiting.len() > 2 * own.size.calls {
            // Most of the waiting callers have been cancelled.
            own.waiting.retain(|waiting| !waiting.is_closed());
        }
        own.waiting.push_back(sender);
        state.enqueue(lane);
        let started = state.begin();
        drop(state);
        self.start(started);
        Ok((QueuePlace { queue: self.clone(), lane, bytes }, receiver))
    }

    fn start(&self, started: Vec<(K, oneshot::Sender<Running<K>>)>) {
        for (lane, sender) in started {
            // If the caller was cancelled meanwhile, the send fails and dropping `Running` releases
            // the permit.
            let _ = sender.send(Running { queue: self.clone(), lane });
        }
    }

    /// Size of waiting and running calls, and the number of refused calls since the start.
    pub fn counts(&self) -> (Size, u64) {
        let state = self.state();
        (state.size, state.refused)
    }

    /// Number of waiting calls.
    pub fn waiting(&self) -> usize {
        let state = self.state();
        state.size.calls.saturating_sub(state.running)
    }

    fn state(&self) -> MutexGuard<'_, QueueState<K>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: LaneId> Default for Lane<K> {
    fn default() -> Self {
        Self { size: Size::default(), running: 0, is_next: false, waiting: VecDeque::new() }
    }
}

impl<K: LaneId> QueueState<K> {
    /// Appends a lane to the order if it has a waiting call that may run.
    fn enqueue(&mut self, lane: K) {
        let most = self.bounds.running_of_one;
        let Some(own) = self.lanes.get_mut(&lane) else { return };
        if !own.is_next && !own.waiting.is_empty() && own.running < most {
            own.is_next = true;
            self.order.push_back(lane);
        }
    }

    /// Removes a lane without waiting or running calls.
    fn leave(&mut self, lane: K) {
        let Some(own) = self.lanes.get(&lane) else { return };
        if own.size.calls > 0 || own.running > 0 {
            return;
        }
        // All its waiting callers were cancelled.
        if own.is_next {
            self.order.retain(|other| *other != lane);
        }
        self.lanes.remove(&lane);
    }

    /// Removes and returns the calls that may run now. They count as running.
    fn begin(&mut self) -> Vec<(K, oneshot::Sender<Running<K>>)> {
        let mut started = Vec::new();
        while self.running < self.bounds.running {
            let Some(lane) = self.order.pop_front() else { break };
            let Some(own) = self.lanes.get_mut(&lane) else { continue };
            own.is_next = false;
            while let Some(sender) = own.waiting.pop_front() {
                if !sender.is_closed() {
                    own.running += 1;
                    self.running += 1;
                    started.push((lane, sender));
                    break;
                }
            }
            self.enqueue(lane);
        }
        started
    }
}

impl<K: LaneId> Drop for Running<K> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.running -= 1;
        if let Some(own) = state.lanes.get_mut(&self.lane) {
            own.running -= 1;
        }
        state.enqueue(self.lane);
        let started = state.begin();
        state.leave(self.lane);
        drop(state);
        self.queue.start(started);
    }
}

impl<K: LaneId> Drop for QueuePlace<K> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.size.remove(self.bytes);
        if let Some(own) = state.lanes.get_mut(&self.lane) {
            own.size.remove(self.bytes);
        }
        state.leave(self.lane);
    }
}

#[cfg(test)]
mod tests;
