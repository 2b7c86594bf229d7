//! The sliding window behind requests and tokens per minute.
//!
//! In no 60-second window is more admitted than the limit. The minute is kept as counts of whole
//! seconds, and what was admitted in a second leaves the window when the last of it is 60 seconds
//! old, to the millisecond. So the window that is counted is 60 to 61 seconds long: it errs by less
//! than one second, always on the strict side, and steady traffic of up to 98 % of the limit is
//! never refused. A burst within one millisecond, the usual way to meet a limit, frees after
//! exactly 60 seconds. Memory is the same for every limit. (The counting form of the sliding window
//! log, as in "Counter-based sliding windows", Cloudflare's "How we built rate limiting", made
//! exact by never interpolating.)

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
pub struct WindowPermit {
    second: u64,
    amount: u64,
    /// Which taking of the second it was.
    taking: u32,
    /// When the last was taken before it, in milliseconds of the second.
    before: u16,
}

impl WindowPermit {
    /// The amount that was acquired.
    pub const fn amount(self) -> u64 {
        self.amount
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
    /// The window at `second` in which so much was admitted in each second. Seconds that can't
    /// matter are left out; those that are still to come, as after a clock was set back, count as
    /// `second`.
    pub fn of(second: u64, counts: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut window = Self { second, ..Self::default() };
        for (at, amount) in counts {
            let at = at.min(second);
            if at + SLOTS as u64 > second {
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
    pub fn acquire(
        &mut self,
        now: Duration,
        amount: u64,
        limit: u64,
    ) -> Result<WindowPermit, WindowFull> {
        self.advance(now);
        if amount > limit.saturating_sub(self.used) {
            return Err(self.full(now, amount, limit));
        }
        Ok(self.put(now, amount))
    }

    /// Counts `amount` at `now`, whatever is left: it was admitted elsewhere.
    pub fn count(&mut self, now: Duration, amount: u64) -> WindowPermit {
        self.advance(now);
        self.put(now, amount)
    }

    /// What taking `amount` at `now` would come to, which is not taken.
    ///
    /// # Errors
    /// Less than `amount` is left of `limit`.
    pub fn peek(
        &mut self,
        now: Duration,
        amount: u64,
        limit: u64,
    ) -> Result<WindowState, WindowFull> {
        let state = self.state(now, limit);
        if amount > state.remaining { Err(self.full(now, amount, limit)) } else { Ok(state) }
    }

    /// What a call is told that was refused `amount` at `now`, by whomever.
    pub fn refusal(&mut self, now: Duration, amount: u64, limit: u64) -> WindowFull {
        self.advance(now);
        self.full(now, amount, limit)
    }

    /// Gives back what was taken, as if it never had been.
    pub fn release(&mut self, taken: WindowPermit) {
        self.remove(taken.second, taken.amount);
        if self.holds(taken.second) {
            let slot = self.slot(taken.second);
            // If something was taken since, that keeps the second for as long.
            if slot.takings == taken.taking {
                slot.last = taken.before;
            }
        }
    }

    /// Puts what was really used in the place of what was taken ahead of it. What was used beyond
    /// that counts at `now`, even over the limit: it can't be unused.
    pub fn settle(&mut self, now: Duration, taken: WindowPermit, used: u64) {
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

    /// What was admitted in the second of `now` and the `seconds` before it.
    pub fn recent(&mut self, now: Duration, seconds: u64) -> u64 {
        self.advance(now);
        let first = self.second.saturating_sub(seconds.min(SLOTS as u64 - 1));
        (first..=self.second).map(|second| self.slot(second).amount).sum()
    }

    /// Whether nothing would be lost by forgetting this window.
    pub fn is_idle(&mut self, now: Duration) -> bool {
        self.advance(now);
        self.used == 0
    }

    fn full(&self, now: Duration, amount: u64, limit: u64) -> WindowFull {
        WindowFull {
            used: self.used,
            retry_after: self.free_after(now, amount, limit),
            reset: self.reset(now),
        }
    }

    fn put(&mut self, now: Duration, amount: u64) -> WindowPermit {
        let before = self.slot(self.second).last;
        self.add(now, amount);
        let taking = self.slot(self.second).takings;
        WindowPermit { second: self.second, amount, taking, before }
    }

    /// Adds to the second that is running.
    fn add(&mut self, now: Duration, amount: u64) {
        let at = now.subsec_nanos().div_ceil(1_000_000);
        // Whoever read the clock before the second began is counted at its end, to be on the strict
        // side.
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
mod tests;
