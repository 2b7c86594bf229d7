//! A shared memory budget for all request bodies.
//!
//! Each route limits a single body. Without this budget, thousands of connections that each send
//! most of a large body and then wait could still exhaust the memory. A body that exceeds the
//! budget is refused with 503 and may be sent again. The bodies of one caller may take a quarter of
//! the budget, and so may all bodies whose caller is not known yet, so that no caller can exhaust
//! it alone.
//!
//! The first 64 KiB of each connection are free: a short body is accepted even if the budget is
//! exhausted. Concurrent HTTP/2 requests of a connection share these 64 KiB. Bodies therefore take
//! at most the budget plus 64 KiB for each of 20,000 connections, 1.5 GiB in total.
//! [`crate::accept`] limits how much of a body is buffered before a handler reads it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::http::{Extensions, Request, Version};
use hyper::body::Body;
use uuid::Uuid;

/// The budget, in bytes, for everything beyond the free allowances.
const BUDGET: usize = 256 * 1024 * 1024;
/// Free allowance of each connection, in bytes.
const FREE: usize = 64 * 1024;

/// Maximum of the budget for the bodies of one caller, in bytes.
const CALLER_LIMIT: usize = BUDGET / 4;

/// Bytes of the budget in use by each caller. The key `None` stands for callers that are not known
/// yet.
static CALLERS: LazyLock<Mutex<HashMap<Option<Uuid>, usize>>> = LazyLock::new(Mutex::default);

/// Bytes left of the budget. It is global, as the memory is.
static LEFT: AtomicUsize = AtomicUsize::new(BUDGET);

/// The body does not fit into the rest of the budget.
#[derive(Debug, thiserror::Error)]
#[error("too much of bodies is in memory at once")]
pub struct BodyBudgetExceeded;

/// Bytes left of a connection's free allowance.
#[derive(Debug)]
pub(crate) struct Allowance(AtomicUsize);

impl Default for Allowance {
    fn default() -> Self {
        Self(AtomicUsize::new(FREE))
    }
}

impl Allowance {
    /// Acquires up to `bytes`. Returns how many.
    fn acquire(&self, bytes: usize) -> usize {
        let rest = |left: usize| Some(left.saturating_sub(bytes));
        let before = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, rest);
        before.unwrap_or_default().min(bytes)
    }

    fn release(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::AcqRel);
    }
}

/// Bytes held by one request's body. They are released on drop.
#[derive(Debug)]
pub struct BodyPermit {
    allowance: Arc<Allowance>,
    free: AtomicUsize,
    acquired: AtomicUsize,
    exceeded: AtomicBool,
    caller: OnceLock<Uuid>,
}

impl BodyPermit {
    /// A permit for a body that may exceed the free allowance; `None` if it can't. An HTTP/1.1 body
    /// of a short declared length can't: it has its connection to itself.
    pub(crate) fn of<B: Body>(
        request: &Request<B>,
        allowance: &Arc<Allowance>,
    ) -> Option<Arc<Self>> {
        let body = request.body();
        let is_free = if request.version() == Version::HTTP_2 {
            body.is_end_stream()
        } else {
            body.size_hint().upper().is_some_and(|length| length <= FREE as u64)
        };
        (!is_free).then(|| Arc::new(Self::new(Arc::clone(allowance))))
    }

    fn new(allowance: Arc<Allowance>) -> Self {
        let (free, acquired) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let exceeded = AtomicBool::new(false);
        Self { allowance, free, acquired, exceeded, caller: OnceLock::new() }
    }

    /// Acquires more bytes, free ones first.
    ///
    /// # Errors
    /// Too little is left of the budget, or of the caller's limit.
    pub fn acquire(&self, bytes: usize) -> Result<(), BodyBudgetExceeded> {
        let free = self.allowance.acquire(bytes);
        self.free.fetch_add(free, Ordering::AcqRel);
        let more = bytes - free;
        if more == 0 {
            return Ok(());
        }
        let fits = |left: usize| left.checked_sub(more);
        if LEFT.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_err() {
            self.exceeded.store(true, Ordering::Release);
            return Err(BodyBudgetExceeded);
        }
        self.acquired.fetch_add(more, Ordering::AcqRel);
        if self.count(more) { Ok(()) } else { Err(BodyBudgetExceeded) }
    }

    /// Charges the body to its caller, once that is known. If the caller exceeds its limit, the
    /// rest of the body is refused.
    fn assign_to_caller(&self, caller: Uuid) {
        if self.caller.set(caller).is_ok() {
            let acquired = self.acquired.load(Ordering::Acquire);
            uncount(None, acquired);
            self.count(acquired);
        }
    }

    /// Charges bytes to the body's caller, and returns whether the caller is within its limit. The
    /// bytes are charged either way, until they are released.
    fn count(&self, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let mut callers = callers();
        let own = callers.entry(self.caller.get().copied()).or_default();
        *own += bytes;
        let fits = *own <= CALLER_LIMIT;
        if !fits {
            self.exceeded.store(true, Ordering::Release);
        }
        fits
    }

    /// Whether the body exceeded the budget.
    pub fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Acquire)
    }
}

impl Drop for BodyPermit {
    fn drop(&mut self) {
        self.allowance.release(*self.free.get_mut());
        let acquired = *self.acquired.get_mut();
        LEFT.fetch_add(acquired, Ordering::AcqRel);
        uncount(self.caller.get().copied(), acquired);
    }
}

fn uncount(caller: Option<Uuid>, bytes: usize) {
    if bytes == 0 {
        return;
    }
    let mut callers = callers();
    if let Some(own) = callers.get_mut(&caller) {
        *own -= bytes;
        if *own == 0 {
            callers.remove(&caller);
        }
    }
}

/// Charges the body of a request with these extensions to its caller: a user, or the organization
/// of the key.
pub fn assign_to_caller(extensions: &Extensions, caller: Uuid) {
    if let Some(permit) = extensions.get::<Arc<BodyPermit>>() {
        permit.assign_to_caller(caller);
    }
}

fn callers() -> MutexGuard<'static, HashMap<Option<Uuid>, usize>> {
    // No code panics while it holds the lock.
    CALLERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Buffer space for a body in transit, e.g. an upstream's response. It counts against the budget
/// only, not against a caller.
#[derive(Debug, Default)]
pub struct BufferPermit(usize);

impl BufferPermit {
    /// Number of bytes held.
    pub const fn bytes(&self) -> usize {
        self.0
    }

    /// Acquires more bytes. On `false` too little is left, and nothing more may be buffered.
    pub fn acquire(&mut self, bytes: usize) -> bool {
        let fits = |left: usize| left.checked_sub(bytes);
        let acquired = LEFT.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok();
        if acquired {
            self.0 += bytes;
        }
        acquired
    }
}

impl Drop for BufferPermit {
    fn drop(&mut self) {
        LEFT.fetch_add(self.0, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full, StreamBody};
    use hyper::body::Bytes;

    use super::*;

    fn permit(allowance: &Arc<Allowance>) -> BodyPermit {
        BodyPermit::new(Arc::clone(allowance))
    }

    /// A single test, since the budget is global.
    #[test]
    fn body_budget_is_shared_returned_and_has_free_allowance() {
        check_caller_share();
        let full: Vec<_> = (0..4).map(|caller| whole_part(Uuid::from_u128(caller))).collect();
        assert_eq!(LEFT.load(Ordering::Acquire), 0);
        let other = Arc::default();
        let second = permit(&other);
        second.acquire(200).unwrap();
        second.acquire(FREE - 200).unwrap();
        assert!(second.acquire(1).is_err());
        assert!(second.is_exceeded() && !full[0].is_exceeded());
        assert!(
            permit(&other).acquire(1).is_err(),
            "its connection's other requests have nothing free"
        );
        drop(second);
        let again = permit(&other);
        again.acquire(FREE).unwrap();
        assert!(!again.is_exceeded());
        let mut buffer = BufferPermit::default();
        assert!(!buffer.acquire(1), "what others hold counts");
        drop(full);
        assert!(buffer.acquire(BUDGET) && !buffer.acquire(1));
        drop(buffer);
        again.acquire(CALLER_LIMIT).unwrap();
        drop(again);
        assert_eq!(LEFT.load(Ordering::Acquire), BUDGET);
        assert_eq!(other.0.load(Ordering::Acquire), FREE);
        assert!(callers().is_empty());
    }

    fn of(caller: Uuid) -> BodyPermit {
        let permit = permit(&Arc::default());
        permit.assign_to_caller(caller);
        permit
    }

    fn whole_part(caller: Uuid) -> BodyPermit {
        let permit = of(caller);
        permit.acquire(FREE + CALLER_LIMIT).unwrap();
        permit
    }

    fn check_caller_share() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (first, second, third) = (of(one), of(one), of(one));
        first.acquire(FREE + 1_000).unwrap();
        second.acquire(FREE + CALLER_LIMIT - 1_000).unwrap();
        assert!(third.acquire(FREE + 1).is_err() && third.is_exceeded());
        // First without a caller, then assigned to a caller that is at its limit.
        let fourth = permit(&Arc::default());
        fourth.acquire(FREE + CALLER_LIMIT).unwrap();
        assert!(permit(&Arc::default()).acquire(FREE + 1).is_err());
        fourth.assign_to_caller(one);
        assert!(fourth.is_exceeded());
        permit(&Arc::default()).acquire(FREE + CALLER_LIMIT).unwrap();
        drop(whole_part(other));
        drop((first, second, third, fourth));
        drop(whole_part(one));
        assert!(callers().is_empty());
    }

    #[test]
    fn short_bodies_are_counted_only_on_http2() {
        let counted = |version, body: axum::body::Body| {
            let mut request = Request::new(body);
            *request.version_mut() = version;
            BodyPermit::of(&request, &Arc::default()).is_some()
        };
        let of = |length| axum::body::Body::new(Full::new(Bytes::from(vec![0; length])));
        let chunked = || {
            let none =
                futures::stream::empty::<Result<hyper::body::Frame<Bytes>, std::io::Error>>();
            axum::body::Body::new(StreamBody::new(none))
        };
        assert!(!counted(Version::HTTP_11, of(FREE)));
        assert!(counted(Version::HTTP_11, of(FREE + 1)));
        assert!(counted(Version::HTTP_11, chunked()));
        assert!(counted(Version::HTTP_2, of(1)));
        assert!(!counted(Version::HTTP_2, axum::body::Body::new(Empty::new())));
    }
}
