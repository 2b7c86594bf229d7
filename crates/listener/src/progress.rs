//! Progress of a connection: its protocol, and how much of its responses the client has not read
//! yet.
//!
//! A client without a request in progress is idle. Over HTTP/2 a client may also leave a response
//! unread for ever and look alive: it replies to pings, no socket write is pending that could time
//! out, and hyper waits for it without a timer. Every chunk of a response therefore records here
//! when the client reads some of it and when it is dropped. Time is counted in the watchdog's
//! ticks, so a chunk costs less than reading a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// Number of ticks that are tracked separately. Bytes that have not moved since the oldest one are
/// [`TickSummary::stuck`].
pub(super) const TICKS: usize = 9;

/// Protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// The client has not sent enough to tell.
    Unknown,
    Http1,
    Http2,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    /// 0 while unknown, then the HTTP version.
    protocol: AtomicU8,
    /// Requests whose responses are not completely handed to hyper.
    streams: AtomicUsize,
    /// Whether a request started in this tick.
    began: AtomicBool,
    /// Whether the client read anything in this tick.
    moved: AtomicBool,
    tick: AtomicUsize,
    /// Bytes that hyper holds and the client has not read, by the tick in which some of the same
    /// chunk was last read.
    waiting: [AtomicUsize; TICKS],
}

/// State of a connection at the end of a tick.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TickSummary {
    /// No request is in progress, none arrived in this tick, and everything has been read.
    pub(super) is_idle: bool,
    /// Bytes are waiting, and the client read none in this tick.
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

    /// Registers a request. It is in progress until the returned `StreamGuard` is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> StreamGuard {
        self.streams.fetch_add(1, Ordering::Relaxed);
        self.began.store(true, Ordering::Relaxed);
        StreamGuard(Arc::clone(self))
    }

    /// Whether no request is in progress and everything has been read.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.load(Ordering::Relaxed) == 0
            && self.waiting.iter().all(|bytes| bytes.load(Ordering::Relaxed) == 0)
    }

    pub(super) fn tick(&self) -> TickSummary {
        let next = self.tick.load(Ordering::Relaxed).wrapping_add(1);
        // The next tick reuses the slot of the oldest one.
        let stuck = self.waiting[next % TICKS].load(Ordering::Relaxed);
        self.tick.store(next, Ordering::Relaxed);
        let is_waiting = self.waiting.iter().any(|bytes| bytes.load(Ordering::Relaxed) > 0);
        let began = self.began.swap(false, Ordering::Relaxed);
        let moved = self.moved.swap(false, Ordering::Relaxed);
        let is_idle = !is_waiting && !began && self.streams.load(Ordering::Relaxed) == 0;
        TickSummary { is_idle, is_still: is_waiting && !moved, stuck }
    }
}

/// A request in progress.
#[derive(Debug)]
pub(super) struct StreamGuard(Arc<Progress>);

impl StreamGuard {
    /// Records bytes of the response that were handed to hyper.
    pub(super) fn hand_over(&self, bytes: usize) -> WaitingBytes {
        let tick = self.0.tick.load(Ordering::Relaxed);
        self.0.waiting[tick % TICKS].fetch_add(bytes, Ordering::Relaxed);
        WaitingBytes { progress: Arc::clone(&self.0), tick, bytes }
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes waiting for the client, until it reads them or this is dropped.
#[derive(Debug)]
pub(super) struct WaitingBytes {
    progress: Arc<Progress>,
    /// The tick in which some of them were last read.
    tick: usize,
    bytes: usize,
}

impl WaitingBytes {
    /// Records that the client read this many bytes.
    pub(super) fn take(&mut self, bytes: usize) {
        let waiting = &self.progress.waiting;
        waiting[self.tick % TICKS].fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.tick = self.progress.tick.load(Ordering::Relaxed);
        waiting[self.tick % TICKS].fetch_add(self.bytes, Ordering::Relaxed);
        self.progress.moved.store(true, Ordering::Relaxed);
    }
}

impl Drop for WaitingBytes {
    fn drop(&mut self) {
        let waiting = &self.progress.waiting;
        waiting[self.tick % TICKS].fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unread_bytes_become_stuck() {
        let progress = Arc::new(Progress::default());
        let stream = progress.begin();
        let lying = stream.hand_over(10);
        let mut moving = stream.hand_over(100);
        for _ in 1..TICKS {
            moving.take(1);
            assert_eq!(progress.tick(), TickSummary { is_idle: false, is_still: false, stuck: 0 });
        }
        moving.take(1);
        assert_eq!(progress.tick(), TickSummary { is_idle: false, is_still: false, stuck: 10 });
        drop(lying);
        assert_eq!(progress.tick(), TickSummary { is_idle: false, is_still: true, stuck: 0 });
        drop(moving);
        drop(stream);
        assert_eq!(progress.tick(), TickSummary { is_idle: true, is_still: false, stuck: 0 });
        assert!(progress.waiting.iter().all(|bytes| bytes.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn connection_is_not_idle_after_request_within_tick() {
        let progress = Arc::new(Progress::default());
        drop(progress.begin());
        assert!(!progress.tick().is_idle);
        assert!(progress.tick().is_idle);
    }
}
