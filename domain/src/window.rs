//! The sliding window behind requests and tokens per minute.
//!
//! In no 60-second window is more admitted than the limit. The minute is kept as counts of whole seconds,
//! and what was admitted in a second leaves the window when the last of it is 60 seconds old, to the millisecond.
//! So the window that is counted is 60 to 61 seconds long: it errs by less than one second, always on the strict
//! side, and steady traffic of up to 98 % of the limit is never refused. A burst within one millisecond, the usual
//! way to meet a limit, frees after exactly 60 seconds. Memory is the same for every limit. (The counting form of the sliding window log, as in "Counter-based sliding windows",
//! Cloudflare's "How we built rate limiting", made exact by never interpolating.)

use std::time::Duration;

/// Whole seconds that can matter at once: the one that is running and the 60 before it.
const SLOTS: usize = 61;
/// Milliseconds in a second.
const MILLIS: u16 = 1_000;

/// What was admitted in the last minute, as a state machine that is told the time.
///
/// Times are monotonic, from any fixed origin. A time before the last one counts as the last one.
#[derive(Debug, Clone)]
pub struct Window {
    /// What was admitted in each second; the second `s` is at `s % SLOTS`.
    slots: [Slot; SLOTS],
    /// The second that was last looked at.
    second: u64,
    /// The sum of the slots.
    used: u64,
}

/// What was admitted in one second.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    amount: u64,
    /// When the last of it was admitted, in milliseconds of the second, rounded up.
    last: u16,
    /// Changes with every taking.
    takings: u32,
}

/// Where a window stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowState {
    /// What the window holds.
    pub used: u64,
    /// What could still be admitted.
    pub remaining: u64,
    /// How long until everything that was admitted has left the window.
    pub reset: Duration,
}

/// More was asked for than is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowFull {
    /// What the window holds.
    pub used: u64,
    /// How long until as much as was asked for is free; none if it is more than the limit.
    pub retry_after: Option<Duration>,
    /// How long until everything that was admitted has left the window.
    pub reset: Duration,
}

/// What was taken, to be given back if the call is refused for another reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Taken {
    second: u64,
    amount: u64,
    /// Which taking of the second it was.
    taking: u32,
    /// When the last was taken before it, in milliseconds of the second.
    before: u16,
}

impl Taken {
    /// How much.
    pub const fn amount(self) -> u64 {
        self.amount
    }

    /// What was taken in a second, in whole seconds on the window's clock.
    pub const fn at(second: u64, amount: u64) -> Self {
        Self { second, amount, taking: 0, before: 0 }
    }

    /// The second in which it was taken.
    pub const fn second(self) -> u64 {
        self.second
    }

    /// The same taking after it was settled to `amount`.
    pub const fn reduced_to(self, amount: u64) -> Self {
        Self { amount, ..self }
    }
}

impl Default for Window {
    fn default() -> Self {
        Self { slots: [Slot::default(); SLOTS], second: 0, used: 0 }
    }
}

impl Window {
    /// The window at `second` in which so much was admitted in each second. Seconds that can't matter are left out.
    pub fn of(second: u64, counts: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut window = Self { second, ..Self::default() };
        for (at, amount) in counts {
            if at <= second && at + SLOTS as u64 > second {
                let slot = window.slot(at);
                // Nobody says when in the second: at its end, to be on the strict side.
                *slot = Slot { amount: slot.amount + amount, last: MILLIS, takings: 0 };
                window.used += amount;
            }
        }
        window
    }

    /// Takes `amount` at `now`, all of it or none.
    ///
    /// # Errors
    /// Less than `amount` is left of `limit`.
    pub fn take(&mut self, now: Duration, amount: u64, limit: u64) -> Result<Taken, WindowFull> {
        self.advance(now);
        let left = limit.saturating_sub(self.used);
        if amount > left {
            return Err(WindowFull {
                used: self.used,
                retry_after: self.free_after(now, amount, limit),
                reset: self.reset(now),
            });
        }
        let before = self.slot(self.second).last;
        self.add(now, amount);
        let taking = self.slot(self.second).takings;
        Ok(Taken { second: self.second, amount, taking, before })
    }

    /// Gives back what was taken, as if it never had been.
    pub fn give_back(&mut self, taken: Taken) {
        self.remove(taken.second, taken.amount);
        if self.holds(taken.second) {
            let slot = self.slot(taken.second);
            // If something was taken since, that keeps the second for as long.
            if slot.takings == taken.taking {
                slot.last = taken.before;
            }
        }
    }

    /// Puts what was really used in the place of what was taken ahead of it. What was used beyond that counts
    /// at `now`, even over the limit: it can't be unused.
    pub fn settle(&mut self, now: Duration, taken: Taken, used: u64) {
        if let Some(unused) = taken.amount.checked_sub(used) {
            self.remove(taken.second, unused);
        } else {
            self.advance(now);
            self.add(now, used - taken.amount);
        }
    }

    /// Where the window stands at `now`.
    pub fn state(&mut self, now: Duration, limit: u64) -> WindowState {
        self.advance(now);
        WindowState {
            used: self.used,
            remaining: limit.saturating_sub(self.used),
            reset: self.reset(now),
        }
    }

    /// Whether nothing would be lost by forgetting this window.
    pub fn is_idle(&mut self, now: Duration) -> bool {
        self.advance(now);
        self.used == 0
    }

    /// Adds to the second that is running.
    fn add(&mut self, now: Duration, amount: u64) {
        let at = now.subsec_nanos().div_ceil(1_000_000);
        // Whoever read the clock before the second began is counted at its end, to be on the strict side.
        let early = now.as_secs() < self.second;
        let at = if early { MILLIS } else { u16::try_from(at).unwrap_or(MILLIS) };
        let slot = self.slot(self.second);
        slot.amount += amount;
        slot.last = slot.last.max(at);
        slot.takings = slot.takings.wrapping_add(1);
        self.used += amount;
    }

    /// Takes from a second what has not left the window yet.
    fn remove(&mut self, second: u64, amount: u64) {
        if self.holds(second) {
            let slot = self.slot(second);
            let there = amount.min(slot.amount);
            slot.amount -= there;
            self.used -= there;
        }
    }

    /// Whether a second's slot is still its own.
    const fn holds(&self, second: u64) -> bool {
        second + SLOTS as u64 > self.second
    }

    /// Lets go of what has left the window by `now`.
    fn advance(&mut self, now: Duration) {
        let second = now.as_secs().max(self.second);
        if second - self.second >= SLOTS as u64 {
            *self = Self { second, ..Self::default() };
        }
        while self.second < second {
            self.second += 1;
            let gone = std::mem::take(self.slot(self.second));
            self.used -= gone.amount;
        }
        if let Some(oldest) = self.second.checked_sub(SLOTS as u64 - 1)
            && self.leaves(oldest) <= now
        {
            let gone = std::mem::take(self.slot(oldest));
            self.used -= gone.amount;
        }
    }

    /// How long until `amount` is free.
    fn free_after(&self, now: Duration, amount: u64, limit: u64) -> Option<Duration> {
        let mut left = limit.checked_sub(amount)?;
        // From the newest second back: as much as may stay beside `amount` stays.
        for age in 0..SLOTS as u64 {
            let Some(second) = self.second.checked_sub(age) else { break };
            match left.checked_sub(self.slots[Self::index(second)].amount) {
                Some(rest) => left = rest,
                None => return Some(self.leaves(second).saturating_sub(now)),
            }
        }
        Some(Duration::ZERO)
    }

    fn reset(&self, now: Duration) -> Duration {
        let newest = (0..SLOTS as u64)
            .filter_map(|age| self.second.checked_sub(age))
            .find(|second| self.slots[Self::index(*second)].amount > 0);
        newest.map_or(Duration::ZERO, |second| self.leaves(second).saturating_sub(now))
    }

    /// When what was admitted in `second` has left the window.
    fn leaves(&self, second: u64) -> Duration {
        let last = Duration::from_millis(self.slots[Self::index(second)].last.into());
        Duration::from_secs(second + SLOTS as u64 - 1) + last
    }

    fn slot(&mut self, second: u64) -> &mut Slot {
        &mut self.slots[Self::index(second)]
    }

    fn index(second: u64) -> usize {
        // Below 61: it fits.
        usize::try_from(second % SLOTS as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_was_used_takes_the_place_of_what_was_taken() {
        let mut window = Window::default();
        let taken = window.take(millis(0), 80, 100).unwrap();
        window.settle(millis(5_000), taken, 30);
        assert_eq!(window.state(millis(5_000), 100).used, 30);
        let taken = window.take(millis(5_000), 70, 100).unwrap();
        window.settle(millis(6_000), taken, 90);
        assert_eq!(window.state(millis(6_000), 100).used, 120, "more than was taken counts too");
        assert_eq!(window.state(millis(6_000), 100).remaining, 0);
        let late = window.state(millis(61_500), 100).used;
        assert_eq!(late, 90, "each leaves with the second that it counted in");
        assert_eq!(window.state(millis(67_000), 100).used, 0);
        window.settle(millis(200_000), taken, 10);
        assert_eq!(
            window.state(millis(200_000), 100).used,
            0,
            "what has left is not given back twice"
        );
    }

    proptest! {
        /// Rule 4, first half.
        #[test]
        fn in_no_60_second_window_are_more_than_rpm_admitted(
            limit in 1_u64..50,
            gaps in prop::collection::vec(0_u64..5_000, 1..400),
        ) {
            let mut window = Window::default();
            let mut admitted: Vec<u64> = Vec::new();
            let mut now = 0;
            for gap in gaps {
                now += gap;
                if window.take(millis(now), 1, limit).is_ok() {
                    admitted.push(now);
                }
                let within = admitted.iter().filter(|at| now - **at < 60_000).count();
                prop_assert!(within as u64 <= limit);
            }
        }

        /// Rule 4, second half: evenly spaced calls at 95 % of the limit, from any start.
        #[test]
        fn steady_traffic_at_95_percent_is_never_refused(
            limit in 1_u64..3_000,
            start in 0_u64..120_000,
        ) {
            let mut window = Window::default();
            // In microseconds: 60 s divided by 95 % of the limit.
            let gap = (60_000_000 * 100_u64).div_ceil(limit * 95);
            for call in 0..(limit * 3).min(4_000) {
                let now = Duration::from_micros(start * 1_000 + call * gap);
                prop_assert!(window.take(now, 1, limit).is_ok(), "call {call}");
            }
        }

        #[test]
        fn a_refused_call_is_admitted_when_it_was_told(
            limit in 1_u64..40,
            gaps in prop::collection::vec(0_u64..3_000, 1..200),
            amount in 1_u64..40,
        ) {
            let mut window = Window::default();
            let mut now = 7_000;
            for gap in gaps {
                now += gap;
                let before = window.clone();
                match window.take(millis(now), amount, limit) {
                    Ok(_) => prop_assert!(amount <= limit),
                    Err(WindowFull { retry_after: None, .. }) => prop_assert!(amount > limit),
                    Err(WindowFull { retry_after: Some(wait), .. }) => {
                        let mut later = before.clone();
                        prop_assert!(later.take(millis(now) + wait, amount, limit).is_ok());
                        let mut sooner = before;
                        let early = millis(now) + wait.saturating_sub(millis(1));
                        prop_assert!(wait.is_zero() || sooner.take(early, amount, limit).is_err());
                    }
                }
            }
        }

        #[test]
        fn what_is_given_back_was_never_taken(
            amounts in prop::collection::vec((1_u64..5, 0_u64..30_000, any::<bool>()), 1..60),
        ) {
            let (mut window, mut other) = (Window::default(), Window::default());
            let mut now = 0;
            for (amount, gap, keep) in amounts {
                now += gap;
                if let Ok(taken) = window.take(millis(now), amount, 100) {
                    if keep {
                        prop_assert!(other.take(millis(now), amount, 100).is_ok());
                    } else {
                        window.give_back(taken);
                    }
                }
                prop_assert_eq!(window.state(millis(now), 100), other.state(millis(now), 100));
            }
        }
    }

    #[test]
    fn a_full_window_says_when_it_frees() {
        let mut window = Window::default();
        for _ in 0..3 {
            let _ = window.take(millis(10_400), 1, 3).unwrap();
        }
        let full = window.take(millis(20_000), 1, 3).unwrap_err();
        assert_eq!(full.used, 3);
        assert_eq!(full.retry_after, Some(millis(50_400)));
        assert_eq!(window.state(millis(70_399), 3).remaining, 0);
        assert_eq!(window.state(millis(70_400), 3).remaining, 3);
        assert!(window.is_idle(millis(70_400)));
    }

    #[test]
    fn who_meets_a_limit_with_a_burst_waits_for_a_minute_and_no_longer() {
        let mut window = Window::default();
        for _ in 0..3 {
            let _ = window.take(Duration::from_micros(10_400_100), 1, 3).unwrap();
        }
        let now = Duration::from_micros(10_400_500);
        let wait = window.take(now, 1, 3).unwrap_err().retry_after.unwrap();
        assert!(wait <= millis(60_001), "{wait:?}");
        assert!(window.take(now + wait, 1, 3).is_ok());
    }

    #[test]
    fn a_clock_that_steps_back_frees_nothing() {
        let mut window = Window::default();
        let _ = window.take(millis(100_000), 1, 1).unwrap();
        assert!(window.take(millis(5_000), 1, 1).is_err());
    }
}
