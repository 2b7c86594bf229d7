//! Taking turns at something that there is little of: the one connection that writes, the look-ups
//! of keys, the place where telemetry is stored.
//!
//! Whoever waits does so in the lane of whose work it is, and the lanes take turns, each in the
//! order in which its work came. So a flood of one caller waits for itself: others wait for one
//! piece of its work, not for all of it. (Nagle, “On Packet Switches with Infinite Storage”,
//! RFC 970, section 5: a queue for each source, served in turns.)

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A number of pieces of work, with how many bytes they bring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Pieces of work.
    pub calls: usize,
    /// Bytes that they bring along.
    pub bytes: usize,
}

impl Size {
    /// So many pieces, however large.
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

/// How much there may be at a time.
#[derive(Debug, Clone, Copy)]
pub struct QueueBounds {
    /// Under way, of all lanes.
    pub running: usize,
    /// Under way, of one lane.
    pub running_of_one: usize,
    /// Waiting or under way, of all lanes.
    pub all: Size,
    /// Waiting or under way, of one lane.
    pub of_one: Size,
}

/// Whose work it is.
pub trait LaneId: Copy + Eq + Hash {}

impl<T: Copy + Eq + Hash> LaneId for T {}

/// Too much waits already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull;

struct QueueState<K: LaneId> {
    bounds: QueueBounds,
    size: Size,
    running: usize,
    lanes: HashMap<K, Lane<K>>,
    /// The lanes that have somebody waiting who may go on, the next one first.
    order: VecDeque<K>,
    refused: u64,
}

struct Lane<K: LaneId> {
    size: Size,
    running: usize,
    /// Whether the lane is in the order.
    is_next: bool,
    waiting: VecDeque<oneshot::Sender<Running<K>>>,
}

/// Turns at something, by lanes.
pub struct FairQueue<K: LaneId>(Arc<Mutex<QueueState<K>>>);

impl<K: LaneId> Clone for FairQueue<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A place among what waits or is under way.
struct QueuePlace<K: LaneId> {
    turns: FairQueue<K>,
    lane: K,
    bytes: usize,
}

/// One of those that are under way.
struct Running<K: LaneId> {
    turns: FairQueue<K>,
    lane: K,
}

/// It is somebody's turn, until this is dropped.
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

    /// Waits for a turn of work that brings so many bytes.
    ///
    /// # Errors
    /// Too much waits already, of the lane or in all.
    pub async fn turn(&self, lane: K, bytes: usize) -> Result<QueuePermit<K>, QueueFull> {
        let (place, running) = self.enter(lane, bytes)?;
        // A sender is dropped only with its place.
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
            // Most of them have gone.
            own.waiting.retain(|waiting| !waiting.is_closed());
        }
        own.waiting.push_back(sender);
        state.line_up(lane);
        let begun = state.begin();
        drop(state);
        self.start(begun);
        Ok((QueuePlace { turns: self.clone(), lane, bytes }, receiver))
    }

    fn start(&self, begun: Vec<(K, oneshot::Sender<Running<K>>)>) {
        for (lane, sender) in begun {
            // Whoever has gone meanwhile gives the turn back at once: what is not taken is dropped.
            let _ = sender.send(Running { turns: self.clone(), lane });
        }
    }

    /// How much waits or is under way, and how much was refused since the start.
    pub fn counts(&self) -> (Size, u64) {
        let state = self.state();
        (state.size, state.refused)
    }

    /// How many pieces wait.
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
    /// Puts a lane in the order, if somebody waits there who may go on.
    fn line_up(&mut self, lane: K) {
        let most = self.bounds.running_of_one;
        let Some(own) = self.lanes.get_mut(&lane) else { return };
        if !own.is_next && !own.waiting.is_empty() && own.running < most {
            own.is_next = true;
            self.order.push_back(lane);
        }
    }

    /// Forgets a lane in which nothing waits and nothing is under way.
    fn leave(&mut self, lane: K) {
        let Some(own) = self.lanes.get(&lane) else { return };
        if own.size.calls > 0 || own.running > 0 {
            return;
        }
        // Whoever waited has gone.
        if own.is_next {
            self.order.retain(|other| *other != lane);
        }
        self.lanes.remove(&lane);
    }

    /// Those whose turn it is now. They count as running.
    fn begin(&mut self) -> Vec<(K, oneshot::Sender<Running<K>>)> {
        let mut begun = Vec::new();
        while self.running < self.bounds.running {
            let Some(lane) = self.order.pop_front() else { break };
            let Some(own) = self.lanes.get_mut(&lane) else { continue };
            own.is_next = false;
            while let Some(sender) = own.waiting.pop_front() {
                if !sender.is_closed() {
                    own.running += 1;
                    self.running += 1;
                    begun.push((lane, sender));
                    break;
                }
            }
            self.line_up(lane);
        }
        begun
    }
}

impl<K: LaneId> Drop for Running<K> {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.running -= 1;
        if let Some(own) = state.lanes.get_mut(&self.lane) {
            own.running -= 1;
        }
        state.line_up(self.lane);
        let begun = state.begin();
        state.leave(self.lane);
        drop(state);
        self.turns.start(begun);
    }
}

impl<K: LaneId> Drop for QueuePlace<K> {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.size.remove(self.bytes);
        if let Some(own) = state.lanes.get_mut(&self.lane) {
            own.size.remove(self.bytes);
        }
        state.leave(self.lane);
    }
}

#[cfg(test)]
mod tests;
