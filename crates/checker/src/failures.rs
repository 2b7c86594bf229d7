//! Counts failed attempts per address: a guesser has to wait, while valid attempts go on.
//!
//! Each process counts on its own, in bounded memory. If more addresses fail than fit, those that
//! failed only once are evicted first.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::window::{Window, WindowFull, WindowPermit};
use quick_cache::sync::Cache;

use latchkey_store::clock::whole_seconds;

/// Failed attempts allowed per address in any 60 seconds.
const LIMIT: u64 = 60;
/// What [`TooManyFailures`] says of an address.
pub const FROM_ADDRESS: &str = "from this IP address";
/// Most addresses remembered, at half a KiB each.
pub const ADDRESSES: usize = 16_384;

/// The address had too many failed attempts in the last minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyFailures {
    /// What failed, in the plural.
    pub what: &'static str,
    /// Where from, or for what: `from this IP address`.
    pub of: &'static str,
    /// Failed attempts in the last minute.
    pub used: u64,
    /// Failed attempts allowed per minute.
    pub limit: u64,
    /// Time until another attempt may fail.
    pub retry_after: Duration,
}

impl TooManyFailures {
    /// Text for the caller: the limit, the usage and when to retry.
    pub fn detail(&self) -> String {
        format!(
            "Too many {} {}: {} of {} in the last 60 s. Retry in {} s.",
            self.what,
            self.of,
            self.used,
            self.limit,
            whole_seconds(self.retry_after)
        )
    }
}

/// Address that attempts are counted for. A host has a whole /64 of IPv6, so that counts as one
/// address. Callers without a readable address count as one: otherwise they would have no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Address {
    /// A whole IPv4 address.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address.
    V6([u16; 4]),
    /// No address could be read.
    Unreadable,
}

impl Address {
    /// Address that an IP address is counted for.
    pub fn of(ip: Option<IpAddr>) -> Self {
        match ip.map(|ip| ip.to_canonical()) {
            None => Self::Unreadable,
            Some(IpAddr::V4(ip)) => Self::V4(ip.octets()),
            Some(IpAddr::V6(ip)) => {
                let [first, second, third, fourth, ..] = ip.segments();
                Self::V6([first, second, third, fourth])
            }
        }
    }
}

type SharedWindow = Arc<Mutex<Window>>;

/// Failed attempts of one kind, for every address.
pub struct FailedAttempts {
    what: &'static str,
    windows: Cache<Address, SharedWindow>,
}

impl FailedAttempts {
    /// `what` names the failures in errors, in the plural.
    pub fn of(what: &'static str) -> Self {
        Self { what, windows: Cache::new(ADDRESSES) }
    }

    /// Counts a failed attempt, unless the address has had too many.
    ///
    /// # Errors
    /// The address has had too many failed attempts.
    pub fn count(
        &self,
        ip: Option<IpAddr>,
        now: Duration,
    ) -> Result<CountedFailure, TooManyFailures> {
        let new = || Ok::<_, Infallible>(SharedWindow::default());
        let window = match self.windows.get_or_insert_with(&Address::of(ip), new) {
            Ok(window) => window,
            Err(never) => match never {},
        };
        // Outside the `match`, whose scrutinee would hold the lock until its end.
        let permit = lock(&window).acquire(now, 1, LIMIT);
        match permit {
            Ok(permit) => Ok(CountedFailure(window, permit)),
            Err(WindowFull { used, retry_after, .. }) => {
                let retry_after = retry_after.unwrap_or_default();
                let (what, of) = (self.what, FROM_ADDRESS);
                Err(TooManyFailures { what, of, used, limit: LIMIT, retry_after })
            }
        }
    }

    /// Whether the next failed attempt of the address would be refused.
    pub fn is_full(&self, ip: Option<IpAddr>, now: Duration) -> bool {
        let window = self.windows.get(&Address::of(ip));
        window.is_some_and(|window| lock(&window).state(now, LIMIT).remaining == 0)
    }

    /// Drops addresses without failures in the last minute.
    pub fn forget_idle(&self, now: Duration) {
        self.windows.retain(|_, window| !lock(window).is_idle(now));
    }
}

/// An attempt counted as failed.
#[derive(Clone)]
pub struct CountedFailure(SharedWindow, WindowPermit);

impl CountedFailure {
    /// Uncounts the attempt, which did not fail after all.
    pub fn release(self) {
        // In its own window, even if the address has a new one by now.
        lock(&self.0).release(self.1);
    }
}

fn lock(window: &Mutex<Window>) -> MutexGuard<'_, Window> {
    // Each step leaves a window consistent, even if a thread panicked while holding the lock.
    window.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn failures() -> FailedAttempts {
        FailedAttempts::of("bad keys")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn count(
        failures: &FailedAttempts,
        ip: IpAddr,
        now: Duration,
    ) -> Result<CountedFailure, TooManyFailures> {
        failures.count(Some(ip), now)
    }

    fn fill(failures: &FailedAttempts, ip: IpAddr, now: Duration) {
        for _ in 0..LIMIT {
            assert!(count(failures, ip, now).is_ok());
        }
    }

    proptest! {
        #[test]
        fn address_never_exceeds_60_failures_in_any_60_seconds(
            attempts in prop::collection::vec((0_u32..3, 0_u64..1_500), 1..600),
        ) {
            let failures = failures();
            let mut let_through: HashMap<u32, Vec<u64>> = HashMap::new();
            let mut now = 0;
            for (number, gap) in attempts {
                now += gap;
                let times = let_through.entry(number).or_default();
                let counted = count(&failures, address(number), Duration::from_millis(now));
                // The minute may count up to a second more, so either result is right there.
                let within = |span: u64| times.iter().filter(|at| now - **at < span).count() as u64;
                prop_assert!(counted.is_err() || within(60_000) < LIMIT);
                prop_assert!(counted.is_ok() || within(61_000) >= LIMIT, "another’s were counted");
                if counted.is_ok() {
                    times.push(now);
                }
            }
        }
    }

    #[test]
    fn error_names_limit_usage_and_retry_time() {
        let failures = failures();
        fill(&failures, address(1), seconds(10));
        let full = count(&failures, address(1), seconds(30)).err().unwrap();
        assert_eq!(
            full.detail(),
            "Too many bad keys from this IP address: 60 of 60 in the last 60 s. Retry in 40 s."
        );
        assert!(count(&failures, address(1), seconds(30) + full.retry_after).is_ok());
    }

    #[test]
    fn refused_attempts_do_not_extend_the_wait() {
        let failures = failures();
        fill(&failures, address(1), seconds(0));
        for second in 0..60 {
            assert!(count(&failures, address(1), seconds(second)).is_err());
        }
        assert!(count(&failures, address(1), seconds(60)).is_ok());
    }

    #[test]
    fn host_counts_as_one_address_in_any_notation() {
        let now = seconds(0);
        let same = |one: &str, other: &str| {
            let failures = failures();
            fill(&failures, ip(one), now);
            count(&failures, ip(other), now).is_err()
        };
        assert!(same("203.0.113.9", "::ffff:203.0.113.9"));
        assert!(same("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8:0:1::1", "2001:db8:0:2::1"));
        assert!(!same("203.0.113.9", "203.0.113.10"));
        // The same bits in the other address family.
        assert!(!same("32.1.13.184", "2001:db8::"));
    }

    #[test]
    fn callers_without_an_address_share_one_limit() {
        let failures = failures();
        fill(&failures, address(0), seconds(0));
        for _ in 0..LIMIT {
            assert!(!failures.is_full(None, seconds(0)));
            assert!(failures.count(None, seconds(0)).is_ok());
        }
        assert!(failures.is_full(None, seconds(0)));
        assert!(failures.count(None, seconds(0)).is_err());
        assert!(count(&failures, address(1), seconds(0)).is_ok(), "others are not held up");
        assert!(failures.count(None, seconds(60)).is_ok());
    }

    #[test]
    fn released_attempts_do_not_count() {
        let failures = failures();
        for _ in 0..1_000 {
            count(&failures, address(1), seconds(0)).unwrap().release();
        }
        assert!(!failures.is_full(Some(address(1)), seconds(0)));
        fill(&failures, address(1), seconds(0));
        assert!(failures.is_full(Some(address(1)), seconds(0)));
    }

    #[test]
    fn late_release_of_forgotten_address_affects_no_other() {
        let failures = failures();
        let late = count(&failures, address(1), seconds(0)).unwrap();
        let forgotten = count(&failures, address(1), seconds(30)).unwrap();
        failures.windows.clear();
        fill(&failures, address(1), seconds(100));
        late.release();
        forgotten.release();
        assert!(failures.is_full(Some(address(1)), seconds(100)));
    }

    #[test]
    fn million_addresses_stay_bounded_and_keep_the_guessing_one() {
        let failures = failures();
        let guesser = ip("2001:db8::1");
        fill(&failures, guesser, seconds(0));
        for number in 0..1_000_000 {
            assert!(count(&failures, address(number), seconds(0)).is_ok());
            if number % 1_000 == 0 {
                assert!(count(&failures, guesser, seconds(0)).is_err(), "after {number} others");
            }
        }
        assert!(failures.windows.len() <= ADDRESSES, "{}", failures.windows.len());
        failures.forget_idle(seconds(61));
        assert!(failures.windows.is_empty());
    }
}
