//! How far a connection has come: what it speaks, and what of its answers its client has not taken
//! yet.
//!
//! A client that sends no request is known by there being none under way. Over HTTP/2 one may also
//! take nothing of an answer for ever and look alive: it answers pings, no write to the socket is
//! pending that could time out, and hyper waits for it without a timer. So every part of an answer
//! notes here when something of it is taken and when it is gone. Time is counted in the watchdog's
//! ticks: a part costs less than the look at a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// So many ticks are told apart. What has not moved since the oldest of them is [`Seen::stuck`].
pub(super) const TICKS: usize = 9;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Its client has not said enough.
    Unknown,
    Http1,
    Http2,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    /// 0 until it is known, then the version.
    protocol: AtomicU8,
    /// Requests whose answers are not all handed to hyper yet.
    streams: AtomicUsize,
    /// Whether one began in this tick.
    began: AtomicBool,
    /// Whether the client took something in this tick.
    moved: AtomicBool,
    tick: AtomicUsize,
    /// Bytes that hyper has and the client does not, by the tick in which something of the same
    /// part was last taken.
    waiting: [AtomicUsize; TICKS],
}

/// What a connection looks like at the end of a tick.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// No request is under way, none has come in this tick, and everything has been taken.
    pub(super) is_idle: bool,
    /// Bytes wait to be taken, and none was in this tick.
    pub(super) is_still: bool,
    /// Bytes that have waited for `TICKS - 1` whole ticks.
    pub(super) stuck: usize,
}

impl Progress {
    pub(super) fn protocol(&self) -> Protocol {
        match self.protocol.load(Ordering::Relaxed) {
            0 => Protocol::Unknown,
            1 => Protocol::Http1,
            _ => Protocol::Http2,
        }
    }

    pub(super) fn speaks_http1(&self) {
        self.protocol.store(1, Ordering::Relaxed);
    }

    pub(super) fn speaks_http2(&self) {
        self.protocol.store(2, Ordering::Relaxed);
    }

    /// A request has come. It is under way until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Stream {
        self.streams.fetch_add(1, Ordering::Relaxed);
        self.began.store(true, Ordering::Relaxed);
        Stream(Arc::clone(self))
    }

    /// Whether no request is under way and everything has been taken.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.load(Ordering::Relaxed) == 0
            && self.waiting.iter().all(|bytes| bytes.load(Ordering::Relaxed) == 0)
    }

    pub(super) fn tick(&self) -> Seen {
        let next = self.tick.load(Ordering::Relaxed).wrapping_add(1);
        // Of the ticks that are told apart, the next one takes the oldest one's place.
        let stuck = self.waiting[next % TICKS].load(Ordering::Relaxed);
        self.tick.store(next, Ordering::Relaxed);
        let is_waiting = self.waiting.iter().any(|bytes| bytes.load(Ordering::Relaxed) > 0);
        let began = self.began.swap(false, Ordering::Relaxed);
        let moved = self.moved.swap(false, Ordering::Relaxed);
        let is_idle = !is_waiting && !began && self.streams.load(Ordering::Relaxed) == 0;
        Seen { is_idle, is_still: is_waiting && !moved, stuck }
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Stream(Arc<Progress>);

impl Stream {
    /// So many bytes of its answer were handed to hyper.
    pub(super) fn hand_over(&self, bytes: usize) -> Waiting {
        let tick = self.0.tick.load(Ordering::Relaxed);
        self.0.waiting[tick % TICKS].fetch_add(bytes, Ordering::Relaxed);
        Waiting { progress: Arc::clone(&self.0), tick, bytes }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes that wait for the client, until it takes them or this is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    progress: Arc<Progress>,
    /// In which something was last taken.
    tick: usize,
    bytes: usize,
}

impl Waiting {
    /// The client took so many.
    pub(super) fn take(&mut self, bytes: usize) {
        let waiting = &self.progress.waiting;
        waiting[self.tick % TICKS].fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.tick = self.progress.tick.load(Ordering::Relaxed);
        waiting[self.tick % TICKS].fetch_add(self.bytes, Ordering::Relaxed);
        self.progress.moved.store(true, Ordering::Relaxed);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let waiting = &self.progress.waiting;
        waiting[self.tick % TICKS].fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_is_never_stuck_and_what_lies_is() {
        let progress = Arc::new(Progress::default());
        let stream = progress.begin();
        let lying = stream.hand_over(10);
        let mut moving = stream.hand_over(100);
        for _ in 1..TICKS {
            moving.take(1);
            assert_eq!(progress.tick(), Seen { is_idle: false, is_still: false, stuck: 0 });
        }
        moving.take(1);
        assert_eq!(progress.tick(), Seen { is_idle: false, is_still: false, stuck: 10 });
        drop(lying);
        assert_eq!(progress.tick(), Seen { is_idle: false, is_still: true, stuck: 0 });
        drop(moving);
        drop(stream);
        assert_eq!(progress.tick(), Seen { is_idle: true, is_still: false, stuck: 0 });
        assert!(progress.waiting.iter().all(|bytes| bytes.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn a_request_that_came_and_went_within_a_tick_is_no_idleness() {
        let progress = Arc::new(Progress::default());
        drop(progress.begin());
        assert!(!progress.tick().is_idle);
        assert!(progress.tick().is_idle);
    }
}
