//! How much of requests' bodies may be in memory at once.
//!
//! Each route bounds one body. This bounds all of them together, so that thousands of connections
//! that each send most of a large body, and then wait, take no more than one crowd of honest
//! callers would. What does not fit is refused with 503, and may be tried again. The bodies of one
//! caller take a quarter of it at most, and so do all those of which nobody knows yet whose they
//! are: nobody keeps others out.
//!
//! The first 64 KiB of a connection are free: a short body is answered however full the room is.
//! All of HTTP/2's requests at once on a connection have these 64 KiB together. So bodies take at
//! most the room and 64 KiB for each of the 20,000 connections, 1.5 GiB, whatever is sent; what is
//! read of them before somebody wants it is bounded by [`crate::accept`]'s
//! connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::http::{Extensions, Request, Version};
use hyper::body::Body;
use uuid::Uuid;

/// For all that is not free, in bytes.
const ROOM: usize = 256 * 1024 * 1024;
/// What the bodies of one connection may take before, in bytes.
const FREE: usize = 64 * 1024;

/// What the bodies of one caller may take of the room.
const OF_ONE: usize = ROOM / 4;

/// What callers take of the room, by who they are; none: it is not known.
static CALLERS: LazyLock<Mutex<HashMap<Option<Uuid>, usize>>> = LazyLock::new(Mutex::default);

/// What is left of the room. Memory is the process's, so this is too.
static LEFT: AtomicUsize = AtomicUsize::new(ROOM);

/// There is no room for more of a body.
#[derive(Debug, thiserror::Error)]
#[error("too much of bodies is in memory at once")]
pub struct NoRoom;

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
    fn take(&self, bytes: usize) -> usize {
        let rest = |left: usize| Some(left.saturating_sub(bytes));
        let before = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, rest);
        before.unwrap_or_default().min(bytes)
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::AcqRel);
    }
}

/// What one request's body takes, given back when nobody holds this any more.
#[derive(Debug)]
pub struct Share {
    allowance: Arc<Allowance>,
    /// Of the allowance.
    free: AtomicUsize,
    /// Of the room.
    taken: AtomicUsize,
    exceeded: AtomicBool,
    caller: OnceLock<Uuid>,
}

impl Share {
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

    /// Takes room for so many bytes more.
    ///
    /// # Errors
    /// There is none.
    pub fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        let free = self.allowance.take(bytes);
        self.free.fetch_add(free, Ordering::AcqRel);
        let more = bytes - free;
        if more == 0 {
            return Ok(());
        }
        let fits = |left: usize| left.checked_sub(more);
        if LEFT.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_err() {
            self.exceeded.store(true, Ordering::Release);
            return Err(NoRoom);
        }
        self.taken.fetch_add(more, Ordering::AcqRel);
        if self.count(more) { Ok(()) } else { Err(NoRoom) }
    }

    /// It is known now whose body this is. If their bodies take their part of the room already, no
    /// more of it is read.
    fn belongs_to(&self, caller: Uuid) {
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
        let fits = *own <= OF_ONE;
        if !fits {
            self.exceeded.store(true, Ordering::Release);
        }
        fits
    }

    /// Whether there was no room for the body.
    pub fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Acquire)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.allowance.give_back(*self.free.get_mut());
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
pub fn belongs_to(extensions: &Extensions, caller: Uuid) {
    if let Some(share) = extensions.get::<Arc<Share>>() {
        share.belongs_to(caller);
    }
}

fn callers() -> MutexGuard<'static, HashMap<Option<Uuid>, usize>> {
    // No code panics while it holds the lock.
    CALLERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is held of a body that is on its way between two others, e.g. an upstream's answer: of the
/// room alone.
#[derive(Debug, Default)]
pub struct Held(usize);

impl Held {
    /// How many bytes are held.
    pub const fn bytes(&self) -> usize {
        self.0
    }

    /// Takes room for so many bytes more. False: there is none, so nothing more may be held.
    pub fn take(&mut self, bytes: usize) -> bool {
        let fits = |left: usize| left.checked_sub(bytes);
        let taken = LEFT.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok();
        if taken {
            self.0 += bytes;
        }
        taken
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        LEFT.fetch_add(self.0, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full, StreamBody};
    use hyper::body::Bytes;

    use super::*;

    fn share(allowance: &Arc<Allowance>) -> Share {
        Share::new(Arc::clone(allowance))
    }

    /// One test: the room is the process's.
    #[test]
    fn the_room_is_shared_and_given_back_and_what_is_free_is_each_connections() {
        one_caller_takes_a_part_of_the_room();
        let full: Vec<_> = (0..4).map(|caller| whole_part(Uuid::from_u128(caller))).collect();
        assert_eq!(LEFT.load(Ordering::Acquire), 0);
        let other = Arc::default();
        let second = share(&other);
        second.take(200).unwrap();
        second.take(FREE - 200).unwrap();
        assert!(second.take(1).is_err());
        assert!(second.is_exceeded() && !full[0].is_exceeded());
        assert!(
            share(&other).take(1).is_err(),
            "its connection's other requests have nothing free"
        );
        drop(second);
        let again = share(&other);
        again.take(FREE).unwrap();
        assert!(!again.is_exceeded());
        let mut held = Held::default();
        assert!(!held.take(1), "what others hold counts");
        drop(full);
        assert!(held.take(ROOM) && !held.take(1));
        drop(held);
        again.take(OF_ONE).unwrap();
        drop(again);
        assert_eq!(LEFT.load(Ordering::Acquire), ROOM);
        assert_eq!(other.0.load(Ordering::Acquire), FREE);
        assert!(callers().is_empty());
    }

    fn of(caller: Uuid) -> Share {
        let share = share(&Arc::default());
        share.belongs_to(caller);
        share
    }

    fn whole_part(caller: Uuid) -> Share {
        let share = of(caller);
        share.take(FREE + OF_ONE).unwrap();
        share
    }

    fn one_caller_takes_a_part_of_the_room() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (first, second, third) = (of(one), of(one), of(one));
        first.take(FREE + 1_000).unwrap();
        second.take(FREE + OF_ONE - 1_000).unwrap();
        assert!(third.take(FREE + 1).is_err() && third.is_exceeded());
        // Of nobody yet, then of one who has no room left.
        let fourth = share(&Arc::default());
        fourth.take(FREE + OF_ONE).unwrap();
        assert!(share(&Arc::default()).take(FREE + 1).is_err());
        fourth.belongs_to(one);
        assert!(fourth.is_exceeded());
        share(&Arc::default()).take(FREE + OF_ONE).unwrap();
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
            Share::of(&request, &Arc::default()).is_some()
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
