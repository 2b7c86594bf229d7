//! Identifies an item by a digest of everything that is stored of it. Clients repeat a request
//! whose response they did not receive; an item that is stored already is not stored again.

use latchkey_domain::time::PreciseTimestamp;
use ring::digest::{Context, SHA256};
use uuid::Uuid;

/// A digest under construction. Each part is written with its length, so items that differ in any
/// part differ in their digests.
pub(super) struct Fingerprint(Context);

impl Fingerprint {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.0.update(&text.len().to_le_bytes());
        self.0.update(text.as_bytes());
        self
    }

    /// An absent text differs from an empty one.
    pub(super) fn optional(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(text),
            // No text has this length.
            None => self.number(u64::MAX),
        }
    }

    pub(super) fn time(self, time: PreciseTimestamp) -> Self {
        let millis = u64::from_le_bytes(time.millisecond().as_millis().to_le_bytes());
        self.number(millis).number(time.nanos().into())
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    /// The first half of the digest. 128 bits rule out accidental collisions, and a deliberate one
    /// only drops the sender's own item.
    pub(super) fn finish(self) -> Uuid {
        let mut half = [0; 16];
        half.copy_from_slice(&self.0.finish().as_ref()[..16]);
        Uuid::from_bytes(half)
    }
}

/// Fingerprint of a further identical item in one request: an application may log the same line
/// twice within a millisecond. The first item keeps the plain fingerprint, so a repeated request
/// adds nothing.
pub(super) fn repeated(fingerprint: Uuid, times: u32) -> Uuid {
    let again = Fingerprint::new().text("repeated").number(times.into());
    again.text(&fingerprint.simple().to_string()).finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use latchkey_domain::time::Timestamp;

    use super::*;

    #[test]
    fn items_that_differ_have_different_fingerprints() {
        let at = |nanos| PreciseTimestamp::new(Timestamp::from_millis(7), nanos);
        let new = Fingerprint::new;
        let all = [
            new().finish(),
            new().optional(None).finish(),
            new().optional(Some("")).finish(),
            new().text("a").text("bc").finish(),
            new().text("ab").text("c").finish(),
            new().time(at(1)).finish(),
            new().time(at(2)).finish(),
            repeated(new().finish(), 1),
            repeated(new().finish(), 2),
        ];
        assert_eq!(HashSet::from(all).len(), all.len());
        assert_eq!(new().time(at(1)).finish(), all[5]);
    }
}
