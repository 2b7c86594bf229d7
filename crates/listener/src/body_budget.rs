//! A budget for the memory that all request bodies take together.
//!
//! Each route limits a single body. Without this budget, thousands of connections that each send
//! most of a large body and then wait could still exhaust the memory. A body that exceeds the
//! budget is refused with 503 and may be sent again. The bodies of one caller may take a quarter of
//! the budget, and so may all bodies whose caller is not known yet, so that nobody can use it up
//! alone.
//!
//! The first 64 KiB of each connection are free: a short body is answered however little of the
//! budget is left. Concurrent HTTP/2 requests of a connection share these 64 KiB. So bodies take at
//! most the budget and 64 KiB for each of 20,000 connections, 1.5 GiB in total. What is read ahead
//! of a body before a handler wants it is limited by [`crate::accept`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::http::{Extensions, Request, Version};
use hyper::body::Body;
use uuid::Uuid;

/// For all that is not free, in bytes.
const BUDGET: usize = 256 * 1024 * 1024;
/// What the bodies of one connection may take before, in bytes.
const FREE: usize = 64 * 1024;

/// What the bodies of one caller may take of the budget.
const CALLER_LIMIT: usize = BUDGET / 4;

/// What each caller takes of the budget; the key `None` is for callers that are not known yet.
static CALLERS: LazyLock<Mutex<HashMap<Option<Uuid>, usize>>> = LazyLock::new(Mutex::default);

/// What is left of the budget. It is one for the process, as the memory is.
static LEFT: AtomicUsize = AtomicUsize::new(BUDGET);

/// The body does not fit into what is left of the budget.
#[derive(Debug, thiserror::Error)]
#[error("too much of bodies is in memory at once")]
pub struct BodyBudgetExceeded;

/// What is left of what is free to one connection.
#[derive(Debug)]
pub(crate) struct Allowance(AtomicUsize);

impl Default for Allowance {
    fn default() -> Self {
        Self(AtomicUsize::new(FREE))
    }
}

impl Allowance {
    /// Takes as many of so many bytes as there are left.
    fn acquire(&self, bytes: usize) -> usize {
        let rest = |left: usize| Some(left.saturating_sub(bytes));
        let before = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, rest);
        before.unwrap_or_default().min(bytes)
    }

    fn release(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::AcqRel);
    }
}

/// What one request's body takes, given back when nobody holds this any more.
#[derive(Debug)]
pub struct BodyPermit {
    allowance: Arc<Allowance>,
    free: AtomicUsize,
    taken: AtomicUsize,
    exceeded: AtomicBool,
    caller: OnceLock<Uuid>,
}

impl BodyPermit {
    /// For a body that may take more than is free. Over HTTP/1.1 one that says it is short does
    /// not: it has its connection to itself.
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
        let (free, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let exceeded = AtomicBool::new(false);
        Self { allowance, free, taken, exceeded, caller: OnceLock::new() }
    }

    /// Takes so many bytes more, free ones first.
    ///
    /// # Errors
    /// Too little is left of the budget, or of the caller's part of it.
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
        self.taken.fetch_add(more, Ordering::AcqRel);
        if self.count(more) { Ok(()) } else { Err(BodyBudgetExceeded) }
    }

    /// It is known now whose body this is. If their bodies take their part of the budget already,
    /// no more of it is read.
    fn assign_to_caller(&self, caller: Uuid) {
        if self.caller.set(caller).is_ok() {
            let taken = self.taken.load(Ordering::Acquire);
            uncount(None, taken);
            self.count(taken);
        }
    }

    /// Counts what was taken for whoever the body is of; whether that is within their part. It
    /// counts either way, until it is given back.
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
        let taken = *self.taken.get_mut();
        LEFT.fetch_add(taken, Ordering::AcqRel);
        uncount(self.caller.get().copied(), taken);
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

/// Says whose the body of a request with these extensions is: a person's, or an organization's
/// whose key came with it.
pub fn assign_to_caller(extensions: &Extensions, caller: Uuid) {
    if let Some(permit) = extensions.get::<Arc<BodyPermit>>() {
        permit.assign_to_caller(caller);
    }
}

fn callers() -> MutexGuard<'static, HashMap<Option<Uuid>, usize>> {
    // No code panics while it holds the lock.
    CALLERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is held of a body that is on its way between two others, e.g. an upstream's answer: of the
/// budget alone.
#[derive(Debug, Default)]
pub struct BufferPermit(usize);

impl BufferPermit {
    /// How many bytes are held.
    pub const fn bytes(&self) -> usize {
        self.0
    }

    /// Takes so many bytes more. False: too little is left, so nothing more may be held.
    pub fn acquire(&mut self, bytes: usize) -> bool {
        let fits = |left: usize| left.checked_sub(bytes);
        let taken = LEFT.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok();
        if taken {
            self.0 += bytes;
        }
        taken
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

    /// One test: the budget is the process's.
    #[test]
    fn body_budget_is_shared_returned_and_has_free_allowance() {
        one_caller_takes_a_part_of_the_room();
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
        let mut held = BufferPermit::default();
        assert!(!held.acquire(1), "what others hold counts");
        drop(full);
        assert!(held.acquire(BUDGET) && !held.acquire(1));
        drop(held);
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

    fn one_caller_takes_a_part_of_the_room() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (first, second, third) = (of(one), of(one), of(one));
        first.acquire(FREE + 1_000).unwrap();
        second.acquire(FREE + CALLER_LIMIT - 1_000).unwrap();
        assert!(third.acquire(FREE + 1).is_err() && third.is_exceeded());
        // Of nobody yet, then of one whose part is used up.
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
    fn short_bodies_are_counted_where_a_connection_has_many() {
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
