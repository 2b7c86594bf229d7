//! One call's part of its key's reservations.

use latchkey_domain::id::KeyId;

use crate::checker::Checker;

/// A call's part of its key's reservations until dropped. Drop it after everything else was
/// released.
#[must_use]
pub(crate) struct InProgressCall {
    checker: Checker,
    key: KeyId,
    tokens: u64,
}

impl InProgressCall {
    pub(crate) fn new(checker: &Checker, key: KeyId, tokens: u64) -> Self {
        checker.in_progress.add(key, tokens);
        Self { checker: checker.clone(), key, tokens }
    }
}

impl Drop for InProgressCall {
    fn drop(&mut self) {
        self.checker.in_progress.remove(self.key, self.tokens);
    }
}
