//! Digests of imported keys: what another system digested, under our pepper.

use latchkey_domain::digest::KeyDigest;
use latchkey_domain::id::KeyId;

use crate::digest::Pepper;

impl Pepper {
    /// Digest under which a key of another system stands until its first use. `scheme` is the
    /// canonical name of what was digested, and `raw` its digest without encoding.
    pub fn foreign_digest(&self, scheme: &str, raw: &[u8]) -> KeyDigest {
        self.mac(&[b"latchkey imported key\0", scheme.as_bytes(), b"\0", raw])
    }

    /// Digest under which a key with a slow hash stands until its first use. Nothing can be
    /// presented that has it.
    pub fn slow_key_digest(&self, id: KeyId) -> KeyDigest {
        self.mac(&[b"latchkey slow key\0", id.to_string().as_bytes()])
    }
}
