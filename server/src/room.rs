//! How much of requests' bodies may be in memory at once.
//!
//! Each route bounds one body. This bounds all of them together, so that thousands of connections that each send most
//! of a large body, and then wait, take no more than one crowd of honest callers would. What does not fit is refused
//! with 503, and may be tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hyper::body::Body;

/// For all long bodies together, in bytes.
const ROOM: usize = 256 * 1024 * 1024;
/// A body that says it is not longer is not counted: that many bytes a connection may read ahead anyway.
const SHORT: u64 = 64 * 1024;

/// What is left of the room. Memory is the process's, so this is too.
static LEFT: AtomicUsize = AtomicUsize::new(ROOM);

/// There is no room for more of a body.
#[derive(Debug, thiserror::Error)]
#[error("too much of bodies is in memory at once")]
pub(crate) struct NoRoom;

/// What one request's body takes of the room, given back when nobody holds this any more.
#[derive(Debug, Default)]
pub(crate) struct Share {
    taken: AtomicUsize,
    exceeded: AtomicBool,
}

impl Share {
    /// For a body that may be long.
    pub(crate) fn of(body: &impl Body) -> Option<Arc<Self>> {
        let is_short = body.size_hint().upper().is_some_and(|length| length <= SHORT);
        (!is_short).then(Arc::default)
    }

    /// Takes room for so many bytes more.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        let fits = |left: usize| left.checked_sub(bytes);
        if LEFT.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_err() {
            self.exceeded.store(true, Ordering::Release);
            return Err(NoRoom);
        }
        self.taken.fetch_add(bytes, Ordering::AcqRel);
        Ok(())
    }

    /// Whether there was no room for the body.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Acquire)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        LEFT.fetch_add(*self.taken.get_mut(), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_shared_and_given_back() {
        let (first, second) = (Share::default(), Share::default());
        first.take(ROOM - 10).unwrap();
        assert!(second.take(11).is_err());
        assert!(second.is_exceeded() && !first.is_exceeded());
        second.take(10).unwrap();
        drop(first);
        Share::default().take(ROOM - 10).unwrap();
        drop(second);
        Share::default().take(ROOM).unwrap();
    }
}
