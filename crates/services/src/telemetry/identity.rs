//! Identifies the rows of a request.

use latchkey_domain::id::{ApplicationId, LogItemId, TraceItemId};
use latchkey_domain::time::Timestamp;
use uuid::Uuid;

use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Traces,
    Logs,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Traces, Self::Logs].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Ids of a request's items. They share one time and one random part and differ in the index, so
/// the first id determines all of them. No two requests share an id.
pub(super) struct Ids {
    pub(super) now: Timestamp,
    random: [u8; 10],
}

impl Ids {
    pub(super) const fn new(now: Timestamp, random: [u8; 10]) -> Self {
        Self { now, random }
    }

    /// Arrival time of the request.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn after(first: Uuid) -> Self {
        let bytes = first.as_bytes();
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&bytes[..6]);
        let mut random = [0; 10];
        random.copy_from_slice(&bytes[6..]);
        Self { now: Timestamp::from_millis(i64::from_be_bytes(millis)), random }
    }

    pub(super) fn trace(&self, index: u16) -> TraceItemId {
        TraceItemId::in_batch(self.now, index, self.random)
    }

    pub(super) fn log(&self, index: u16) -> LogItemId {
        LogItemId::in_batch(self.now, index, self.random)
    }
}

/// Identifies a request's rows.
#[derive(Clone, Copy)]
pub(super) struct CallIdentity {
    pub(super) kind: Kind,
    pub(super) application: ApplicationId,
    pub(super) first: Uuid,
    pub(super) started_at: Timestamp,
    pub(super) items: usize,
}

/// Identifies a row, and has the size that it counts with.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowKey {
    pub(super) id: Uuid,
    pub(super) bytes: i64,
    pub(super) timestamp: Timestamp,
    pub(super) fingerprint: Uuid,
}

pub(super) fn outage(why: &str) -> Error {
    latchkey_store::Error::unavailable(why).into()
}
