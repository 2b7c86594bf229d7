//! The code for local sign-in, compared in constant time.

use std::fmt;

use latchkey_checker::digest::sha256;
use subtle::ConstantTimeEq;

/// Code for local sign-in.
#[derive(Clone)]
pub struct LocalCode(String);

impl LocalCode {
    /// Wraps the configured or generated code.
    pub const fn new(code: String) -> Self {
        Self(code)
    }

    /// The plaintext, to show to the person who started the server.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    pub(super) fn is(&self, code: &str) -> bool {
        sha256(&self.0).ct_eq(&sha256(code)).into()
    }
}

impl fmt::Debug for LocalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalCode([redacted])")
    }
}
