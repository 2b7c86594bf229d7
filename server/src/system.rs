//! The edge of the process: the only place that reads the clock and draws randomness. Everything
//! behind it takes both as arguments.
#![expect(clippy::disallowed_methods, reason = "this is the edge that the bans lead to")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use latchkey_domain::time::Timestamp;
use latchkey_services::clock::Clock;
use latchkey_services::random::Random;
use rustix::time::{ClockId, clock_gettime};

/// Wall clock and monotonic clock of the machine.
pub struct SystemClock {
    start: Duration,
}

impl SystemClock {
    /// Starts counting monotonic time.
    pub fn start() -> Self {
        Self { start: running() }
    }
}

/// Uptime of the machine, including sleep. `Instant` does not advance during sleep, so keys that
/// another node revoked meanwhile would be accepted for a moment after it.
fn running() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    clock_gettime(CLOCK).try_into().unwrap_or_default()
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        running().saturating_sub(self.start)
    }
}

/// The operating system's random generator, through a per-thread `ChaCha12` that is reseeded from
/// it.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        use rand::Rng;
        rand::rng().fill_bytes(buffer);
    }
}
