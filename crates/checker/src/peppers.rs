//! Which of a node's peppers new digests are made with.
//!
//! While one pepper replaces another, keys stand under either. A node that knows only the retired
//! one would refuse a key under the new one, so new keys stand under the retired one until every
//! running node knows both (`pepper_nodes`). From then on, keys move to the new one when they are
//! used (`moves`).

use std::sync::atomic::{AtomicBool, Ordering};

use crate::digest::Pepper;
use crate::key_digests::KeyDigests;

pub(crate) struct Peppers {
    pepper: Pepper,
    /// Whether every node knows both. It never ends: a node that knows only the retired one does
    /// not start any more.
    known_everywhere: AtomicBool,
    /// Whether keys stand under a pepper that this node does not know.
    is_outdated: AtomicBool,
}

/// The pepper that new digests are made with at the moment.
#[derive(Clone, Copy)]
pub(crate) struct WritingPepper<'a> {
    pub(crate) pepper: &'a Pepper,
    /// The other one, under which keys may stand as well.
    pub(crate) other: Option<&'a Pepper>,
    /// Whether keys under the other one move to this one.
    pub(crate) is_current: bool,
}

impl Peppers {
    pub(crate) fn new(pepper: Pepper, are_known_everywhere: bool) -> Self {
        let known_everywhere = AtomicBool::new(are_known_everywhere);
        Self { pepper, known_everywhere, is_outdated: AtomicBool::new(false) }
    }

    /// Takes note whether this node lacks a pepper. Returns whether it has just begun to.
    pub(crate) fn set_outdated(&self, is_outdated: bool) -> bool {
        let was_outdated = self.is_outdated.swap(is_outdated, Ordering::AcqRel);
        is_outdated && !was_outdated
    }

    /// Whether a key that this node does not know may be a good one.
    pub(crate) fn are_outdated(&self) -> bool {
        self.is_outdated.load(Ordering::Acquire)
    }

    /// This node's pepper, which knows the retired one.
    pub(crate) const fn both(&self) -> &Pepper {
        &self.pepper
    }

    /// Keys move to the new pepper from now on.
    pub(crate) fn set_known_everywhere(&self) {
        self.known_everywhere.store(true, Ordering::Release);
    }

    pub(crate) fn are_known_everywhere(&self) -> bool {
        self.known_everywhere.load(Ordering::Acquire)
    }

    pub(crate) fn writing(&self) -> WritingPepper<'_> {
        let pepper = &self.pepper;
        match pepper.retired() {
            None => WritingPepper { pepper, other: None, is_current: true },
            Some(retired) if self.are_known_everywhere() => {
                WritingPepper { pepper, other: Some(retired), is_current: true }
            }
            Some(retired) => {
                WritingPepper { pepper: retired, other: Some(pepper), is_current: false }
            }
        }
    }
}

impl<'a> WritingPepper<'a> {
    /// Both peppers, or the only one.
    pub(crate) fn each(self) -> impl Iterator<Item = &'a Pepper> + Clone {
        [Some(self.pepper), self.other].into_iter().flatten()
    }

    /// Digests under which a key with this text may stand.
    pub(crate) fn digests(self, text: &str) -> KeyDigests {
        let target = self.pepper.digest(text);
        let Some(other) = self.other else { return KeyDigests::one(target) };
        let other = other.digest(text);
        let digests = KeyDigests::new([target, other], target);
        if self.is_current { digests } else { digests.moving_later(other) }
    }
}
