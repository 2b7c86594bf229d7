//! Time-outs of connections.
//!
//! A write time-out of the socket closes HTTP/1.1 connections whose client does not read the
//! response. The [`Watchdog`] closes what hyper would keep open: connections that send too little
//! to detect their protocol, idle ones, slow request heads, and HTTP/2 connections whose client
//! leaves responses unread. A response that waits for something else, such as an upstream, is not
//! the client's fault and never times out here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Sleep;

#[cfg(test)]
use super::progress::TICKS;
use super::progress::{Progress, Protocol, TickSummary};

/// Ticks for a request head, including the wait for the next request on an open connection.
const HEAD: u32 = 4;
/// Ticks for a client that reads nothing of what is sent to it.
const TAKING: u32 = 2;
/// Bytes that may stay unread longer than that while the client reads others: a proxy that uses one
/// connection for all of its users is not cut off because one of them is slow. More than that may
/// stay unread for fewer than `TICKS - 1` whole ticks.
const SPARED: usize = 256 * 1024;

/// The time-outs, counted in ticks of the watchdog so that no request reads a clock. A connection
/// closes up to two ticks after its time-out.
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

/// What to do with a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Continue,
    /// Announce that no more requests are accepted, so that one on its way is not lost.
    ShutDown,
    Close(&'static str),
}

/// Inspects one connection every tick.
pub(super) struct Watchdog {
    progress: Arc<Progress>,
    /// Consecutive ticks without a request.
    idle: u32,
    /// Consecutive ticks in which the client read nothing of what was waiting.
    still: u32,
}

impl Watchdog {
    pub(super) const fn new(progress: Arc<Progress>) -> Self {
        Self { progress, idle: 0, still: 0 }
    }

    /// Decides at the end of a tick.
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

    fn decide(&self, seen: &TickSummary) -> Action {
        // The first of these ticks may be partial, so the limit is exceeded only one tick later.
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
