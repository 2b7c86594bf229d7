//! Time-outs of connections.
//!
//! A write time-out of the socket closes HTTP/1.1 connections whose client does not read the
//! response. The [`Watchdog`] closes the rest that hyper would keep: connections that send too
//! little to tell their protocol, idle ones, slow request heads, and HTTP/2 connections whose
//! client leaves responses unread. A response that waits for something else, such as an upstream,
//! is not the client's fault and never times out here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Sleep;

#[cfg(test)]
use super::progress::TICKS;
use super::progress::{Progress, Protocol, Seen};

/// For a head of a request, the wait for the next one on an open connection included.
const HEAD: u32 = 4;
/// For a client that takes nothing of what is sent to it.
const TAKING: u32 = 2;
/// Bytes that may lie longer than that while others are taken: a proxy that has one connection for
/// everyone is not cut off because one of them is slow. What is more may not lie for `TICKS - 1`
/// whole ticks.
const SPARED: usize = 256 * 1024;

/// The time-outs, counted in ticks of the watchdog so that no request reads a clock. A connection
/// is closed up to two ticks later than its time-out.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts(Duration);

impl Timeouts {
    /// 60 s for a request head, 30 s for a client that reads nothing, and two minutes for one that
    /// leaves more than 256 KiB unread.
    pub const DEFAULT: Self = Self(Duration::from_secs(15));

    #[cfg(test)]
    pub(super) const fn of(tick: Duration) -> Self {
        Self(tick)
    }

    pub(super) fn head(self) -> Duration {
        self.0 * HEAD
    }

    pub(super) fn write(self) -> Duration {
        self.0 * TAKING
    }

    #[cfg(test)]
    pub(super) fn detection(self) -> Duration {
        self.0 * u32::try_from(TICKS).unwrap()
    }

    pub(super) fn tick(self) -> Sleep {
        tokio::time::sleep(self.0)
    }
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Continue,
    /// Its client is told that no more requests are taken, so that one on its way is not lost.
    ShutDown,
    Close(&'static str),
}

/// Looks at one connection each tick.
pub(super) struct Watchdog {
    progress: Arc<Progress>,
    /// Ticks without a request.
    idle: u32,
    /// Ticks in which the client took nothing of what there was.
    still: u32,
}

impl Watchdog {
    pub(super) const fn new(progress: Arc<Progress>) -> Self {
        Self { progress, idle: 0, still: 0 }
    }

    /// Judges at the end of a tick.
    pub(super) fn tick(&mut self) -> Action {
        let seen = self.progress.tick();
        self.idle = if seen.is_idle { self.idle + 1 } else { 0 };
        self.still = if seen.is_still { self.still + 1 } else { 0 };
        match self.progress.protocol() {
            Protocol::Unknown if self.idle >= HEAD => {
                Action::Close("it has not said what it speaks")
            }
            Protocol::Http1 if self.idle >= HEAD => Action::Close("it sends no whole head"),
            Protocol::Unknown | Protocol::Http1 => Action::Continue,
            Protocol::Http2 => self.decide(&seen),
        }
    }

    fn decide(&self, seen: &Seen) -> Action {
        // What was handed over within the first of these ticks has waited for the others.
        if self.still > TAKING {
            Action::Close("nothing of its answers is taken")
        } else if seen.stuck > SPARED {
            Action::Close("too much of its answers is not taken")
        } else if self.idle >= 2 * HEAD {
            Action::Close("it was told to finish, has nothing to finish and does not end")
        } else if self.idle == HEAD {
            Action::ShutDown
        } else {
            Action::Continue
        }
    }
}
