//! Which keys were told something that is said once, not with every call.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use latchkey_domain::id::KeyId;

/// As many are remembered; then all are told once more.
const MOST_KEYS: usize = 4_096;

/// The keys that were told.
#[derive(Default)]
pub(super) struct Told(Mutex<HashSet<KeyId>>);

impl Told {
    /// Notes that a key is told now; whether it is the first time.
    pub(super) fn is_first(&self, key: KeyId) -> bool {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MOST_KEYS && !keys.contains(&key) {
            keys.clear();
        }
        keys.insert(key)
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    #[test]
    fn each_key_is_told_once_and_memory_is_bounded() {
        let told = Told::default();
        let key = |number: usize| {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&number.to_be_bytes());
            KeyId::new(Timestamp::from_millis(0), random)
        };
        let first = (0..2 * MOST_KEYS).filter(|number| told.is_first(key(*number))).count();
        assert_eq!(first, 2 * MOST_KEYS);
        assert!(!told.is_first(key(2 * MOST_KEYS - 1)));
        assert!(told.0.lock().unwrap().len() <= MOST_KEYS);
    }
}
