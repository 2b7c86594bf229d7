//! Randomness is injected; this module derives tokens from it.

use data_encoding::HEXLOWER;

/// A cryptographically secure source of random bytes.
pub trait Random: Send + Sync + 'static {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Random {
    /// Returns an array of random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// 256 random bits as 64 hexadecimal characters: a refresh token or an OAuth state.
    pub fn token(&self) -> String {
        HEXLOWER.encode(&self.bytes::<32>())
    }
}
