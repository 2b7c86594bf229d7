//! What the database keeps of a key instead of its secret.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// The HMAC-SHA-256 of a whole key under the server's pepper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// From its bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes, as the database stores them.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As text, for other nodes.
    pub fn to_hex(self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// From another node's text.
    pub fn from_hex(text: &str) -> Option<Self> {
        HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}
