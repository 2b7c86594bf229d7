//! Conversion of OTLP's times and ids.

use axum::body::Bytes;
use data_encoding::HEXLOWER;
use latchkey_domain::time::PreciseTimestamp;

/// A timestamp; 0 means absent.
pub(super) fn time(nanos: u64) -> Option<PreciseTimestamp> {
    (nanos > 0).then(|| PreciseTimestamp::from_nanos(nanos))
}

/// An id of `length` bytes in hex. Ids of another length, or of zeros only, are invalid.
pub(super) fn id(bytes: &Bytes, length: usize) -> Option<String> {
    let valid = bytes.len() == length && bytes.iter().any(|byte| *byte != 0);
    valid.then(|| HEXLOWER.encode(bytes))
}

pub(super) const TRACE_ID: usize = 16;
pub(super) const SPAN_ID: usize = 8;
