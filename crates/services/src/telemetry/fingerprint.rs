//! What tells an item from every other: a digest of all that is stored of it. Senders repeat a
//! call whose answer they did not see; what is there already is not stored again.

use latchkey_domain::time::PreciseTimestamp;
use ring::digest::{Context, SHA256};
use uuid::Uuid;

/// A digest that is being made. Each part is written with its length: two items differ wherever
/// one of their parts does.
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

    /// One that is absent differs from an empty one.
    pub(super) fn optional(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(text),
            // No text is as long.
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

    /// Half of the digest: nobody finds two items of one, and if somebody did, it would be theirs.
    pub(super) fn finish(self) -> Uuid {
        let mut half = [0; 16];
        half.copy_from_slice(&self.0.finish().as_ref()[..16]);
        Uuid::from_bytes(half)
    }
}

/// The same for a further item of a call that says the same: an application may log a line twice
/// within a millisecond. The first one keeps its own, so that a call that is repeated adds nothing.
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
    fn items_that_differ_anywhere_have_other_fingerprints() {
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
