//! How long clients are waited for, and who ends a connection that hyper would keep.
//!
//! The socket's time-out ends what takes nothing of an answer over HTTP/1.1. The [`Watchdog`] has
//! the rest: connections that do not say what they speak, the idle ones, slow heads of requests
//! among them, and over HTTP/2 those that leave their answers lying. Answers that wait for somebody
//! else, such as an upstream, are nobody's fault here and stay.

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

/// How long clients are waited for, in ticks: no clock is read but at their ends. So what is cut
/// off had its time, and up to two ticks more.
#[derive(Debug, Clone, Copy)]
pub struct Patience(Duration);

impl Patience {
    /// 60 s for a head, 30 s for a client that takes nothing, two minutes for one that leaves much
    /// lying.
    pub const USUAL: Self = Self(Duration::from_secs(15));

    #[cfg(test)]
    pub(super) const fn of(tick: Duration) -> Self {
        Self(tick)
    }

    pub(super) fn for_a_head(self) -> Duration {
        self.0 * HEAD
    }

    pub(super) fn for_taking(self) -> Duration {
        self.0 * TAKING
    }

    #[cfg(test)]
    pub(super) fn for_choosing(self) -> Duration {
        self.0 * u32::try_from(TICKS).unwrap()
    }

    pub(super) fn tick(self) -> Sleep {
        tokio::time::sleep(self.0)
    }
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    /// Its client is told that no more requests are taken, so that one on its way is not lost.
    Finish,
    /// At once; why.
    CutOff(&'static str),
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
    pub(super) fn tick(&mut self) -> Verdict {
        let seen = self.progress.tick();
        self.idle = if seen.is_idle { self.idle + 1 } else { 0 };
        self.still = if seen.is_still { self.still + 1 } else { 0 };
        match self.progress.protocol() {
            Protocol::Unknown if self.idle >= HEAD => {
                Verdict::CutOff("it has not said what it speaks")
            }
            Protocol::Http1 if self.idle >= HEAD => Verdict::CutOff("it sends no whole head"),
            Protocol::Unknown | Protocol::Http1 => Verdict::GoOn,
            Protocol::Http2 => self.judge(&seen),
        }
    }

    fn judge(&self, seen: &Seen) -> Verdict {
        // What was handed over within the first of these ticks has waited for the others.
        if self.still > TAKING {
            Verdict::CutOff("nothing of its answers is taken")
        } else if seen.stuck > SPARED {
            Verdict::CutOff("too much of its answers is not taken")
        } else if self.idle >= 2 * HEAD {
            Verdict::CutOff("it was told to finish, has nothing to finish and does not end")
        } else if self.idle == HEAD {
            Verdict::Finish
        } else {
            Verdict::GoOn
        }
    }
}
