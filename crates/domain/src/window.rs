//! The sliding window behind requests and tokens per minute.
//!
//! No 60-second window admits more than the limit. The window keeps one count per second. A
//! second's count leaves the window when its last admission is 60 seconds old, to the millisecond.
//! The effective window is therefore 60 to 61 seconds long: it errs by less than one second, always
//! on the strict side, and never refuses steady traffic of up to 98 % of the limit. A burst within
//! one millisecond, the usual way to reach a limit, is free again after exactly 60 seconds. Memory
//! use does not depend on the limit. (The counting form of the sliding window log, as in
//! "Counter-based sliding windows", Cloudflare's "How we built rate limiting", made exact by never
//! interpolating.)

use std::time::Duration;

/// Number of seconds in the window: the current one and the 60 before it.
const SLOTS: usize = 61;
/// Milliseconds in a second.
const MILLIS: u16 = 1_000;

/// Amounts admitted in the last minute. A state machine: the time is an argument.
///
/// Times are monotonic, from any fixed origin. A time before the latest one counts as the latest.
#[derive(Debug, Clone)]
pub struct Window {
    /// Amount admitted in each second. Second `s` is at `s % SLOTS`.
    slots: [Slot; SLOTS],
    /// The latest second seen.
    second: u64,
    /// Sum of all slots.
    used: u64,
}

/// Amount admitted in one second.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    amount: u64,
    /// Time of the last admission, in milliseconds of the second, rounded up.
    last: u16,
    /// Number of acquisitions in this second, so that `release` can tell whether it was the last.
    acquisitions: u32,
}

/// What a window holds and what it could still admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowState {
    /// Amount in the window.
    pub used: u64,
    /// Amount that can still be admitted.
    pub remaining: u64,
    /// Time until the window is empty.
    pub reset: Duration,
}

/// The requested amount exceeds what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowFull {
    /// Amount in the window.
    pub used: u64,
    /// Time until the requested amount is free; `None` if it exceeds the limit.
    pub retry_after: Option<Duration>,
    /// Time until the window is empty.
    pub reset: Duration,
}

/// An acquired amount, to be released if the call is refused for another reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct WindowPermit {
    second: u64,
    amount: u64,
    /// The slot's `acquisitions` after this acquisition.
    acquisition: u32,
    /// The slot's `last` before this acquisition, in milliseconds of the second.
    before: u16,
}

impl WindowPermit {
    /// The amount that was acquired.
    pub const fn amount(self) -> u64 {
        self.amount
    }

    /// The same permit after it was settled to `amount`.
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
    /// Rebuilds a window at `second` from the amounts of single seconds. Seconds that have left the
    /// window are ignored. Future seconds, as after a clock was set back, count as `second`.
    pub fn of(second: u64, counts: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut window = Self { second, ..Self::default() };
        for (at, amount) in counts {
            let at = at.min(second);
            if at + SLOTS as u64 > second {
                let slot = window.slot(at);
                // The time within the second is unknown. Its end is the strict assumption.
                *slot = Slot { amount: slot.amount + amount, last: MILLIS, acquisitions: 0 };
                window.used += amount;
            }
        }
        window
    }

    /// Acquires `amount` at `now`, all of it or nothing.
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

    /// Counts `amount` at `now` regardless of the limit: another node has admitted it.
    pub fn count(&mut self, now: Duration, amount: u64) -> WindowPermit {
        self.advance(now);
        self.put(now, amount)
    }

    /// Evaluates whether `amount` could be acquired at `now`, without acquiring it.
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

    /// The refusal to report for `amount` at `now`, wherever the call was refused.
    pub fn refusal(&mut self, now: Duration, amount: u64, limit: u64) -> WindowFull {
        self.advance(now);
        self.full(now, amount, limit)
    }

    /// Releases a permit, as if it had never been acquired.
    pub fn release(&mut self, permit: WindowPermit) {
        self.remove(permit.second, permit.amount);
        if self.holds(permit.second) {
            let slot = self.slot(permit.second);
            // A later acquisition keeps the second in the window for as long.
            if slot.acquisitions == permit.acquisition {
                slot.last = permit.before;
            }
        }
    }

    /// Replaces the acquired amount with the amount used. Use beyond the permit counts at `now`,
    /// even over the limit, since it has already happened.
    pub fn settle(&mut self, now: Duration, permit: WindowPermit, used: u64) {
        if let Some(unused) = permit.amount.checked_sub(used) {
            self.remove(permit.second, unused);
        } else {
            self.advance(now);
            self.add(now, used - permit.amount);
        }
    }

    /// State of the window at `now`.
    pub fn state(&mut self, now: Duration, limit: u64) -> WindowState {
        self.advance(now);
        WindowState {
            used: self.used,
            remaining: limit.saturating_sub(self.used),
            reset: self.reset(now),
        }
    }

    /// Amount admitted in the second of `now` and the `seconds` before it.
    pub fn recent(&mut self, now: Duration, seconds: u64) -> u64 {
        self.advance(now);
        let first = self.second.saturating_sub(seconds.min(SLOTS as u64 - 1));
        (first..=self.second).map(|second| self.slot(second).amount).sum()
    }

    /// Whether the window is empty, so that dropping it loses nothing.
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
        let acquisition = self.slot(self.second).acquisitions;
        WindowPermit { second: self.second, amount, acquisition, before }
    }

    /// Adds to the current second.
    fn add(&mut self, now: Duration, amount: u64) {
        let at = now.subsec_nanos().div_ceil(1_000_000);
        // A clock that was read before this second began counts as the end of the second. That is
        // the strict assumption.
        let early = now.as_secs() < self.second;
        let at = if early { MILLIS } else { u16::try_from(at).unwrap_or(MILLIS) };
        let slot = self.slot(self.second);
        slot.amount += amount;
        slot.last = slot.last.max(at);
        slot.acquisitions = slot.acquisitions.wrapping_add(1);
        self.used += amount;
    }

    /// Subtracts from a second that has not left the window yet.
    fn remove(&mut self, second: u64, amount: u64) {
        if self.holds(second) {
            let slot = self.slot(second);
            let there = amount.min(slot.amount);
            slot.amount -= there;
            self.used -= there;
        }
    }

    /// Whether a second's slot has not been reused.
    const fn holds(&self, second: u64) -> bool {
        second + SLOTS as u64 > self.second
    }

    /// Clears the seconds that have left the window by `now`.
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

    /// Time until `amount` is free.
    fn free_after(&self, now: Duration, amount: u64, limit: u64) -> Option<Duration> {
        let mut left = limit.checked_sub(amount)?;
        // From the newest second back: keep as much as fits beside `amount`. The next older second
        // has to leave first.
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

    /// When a second's count leaves the window.
    fn leaves(&self, second: u64) -> Duration {
        let last = Duration::from_millis(self.slots[Self::index(second)].last.into());
        Duration::from_secs(second + SLOTS as u64 - 1) + last
    }

    fn slot(&mut self, second: u64) -> &mut Slot {
        &mut self.slots[Self::index(second)]
    }

    fn index(second: u64) -> usize {
        // Below 61, so it always fits.
        usize::try_from(second % SLOTS as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
