//! Which keys have received a message that is sent once per key, not with every response.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use latchkey_domain::id::KeyId;

/// Maximum number of keys in memory. When it is exceeded, the set is cleared and each key is told
/// once more.
const MAX_KEYS: usize = 4_096;

/// The keys that have received the message.
#[derive(Default)]
pub(super) struct NotifiedKeys(Mutex<HashSet<KeyId>>);

impl NotifiedKeys {
    /// Records a key. Returns whether it is new.
    pub(super) fn is_first(&self, key: KeyId) -> bool {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS && !keys.contains(&key) {
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
    fn each_key_is_first_once_in_bounded_memory() {
        let notified = NotifiedKeys::default();
        let key = |number: usize| {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&number.to_be_bytes());
            KeyId::new(Timestamp::from_millis(0), random)
        };
        let first = (0..2 * MAX_KEYS).filter(|number| notified.is_first(key(*number))).count();
        assert_eq!(first, 2 * MAX_KEYS);
        assert!(!notified.is_first(key(2 * MAX_KEYS - 1)));
        assert!(notified.0.lock().unwrap().len() <= MAX_KEYS);
    }
}
