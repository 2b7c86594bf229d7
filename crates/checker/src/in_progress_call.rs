//! A call's part of what its key has reserved.

use latchkey_domain::id::KeyId;

use crate::checker::Checker;

/// A call's part of what is reserved, until it is dropped. Drop it when the rest has gone back.
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
