//! The shape of keys that arrive as plaintext, taken from what they have in common.

use latchkey_domain::import::{Alphabet, InvalidShape, KeyShape};

/// Longest word that counts as a prefix: longer ones may be a part of a secret.
const MAX_WORD: usize = 12;

/// What the keys seen so far have in common.
#[derive(Default)]
pub(super) struct Common {
    /// The first word of all keys, with the separator after it; empty if they differ.
    prefix: Option<String>,
    shortest: usize,
    longest: usize,
    fits: [bool; Alphabet::ALL.len()],
    /// The first row with such a key.
    row: usize,
}

impl Common {
    /// Adds a key, which has visible ASCII characters alone.
    pub(super) fn add(&mut self, row: usize, key: &str) {
        let word = first_word(key);
        let fits = Alphabet::ALL
            .map(|alphabet| key[word.len()..].bytes().all(|byte| alphabet.contains(byte)));
        let Some(prefix) = &mut self.prefix else {
            let prefix = Some(word.to_owned());
            *self = Self { prefix, shortest: key.len(), longest: key.len(), fits, row };
            return;
        };
        if prefix.as_str() != word {
            prefix.clear();
            // Prefixes have other characters than what follows them.
            self.fits = [false; Alphabet::ALL.len()];
        }
        for (all, this) in self.fits.iter_mut().zip(fits) {
            *all &= this;
        }
        self.shortest = self.shortest.min(key.len());
        self.longest = self.longest.max(key.len());
    }

    /// The row of the first key and the shape of all, or why they have none that is told from
    /// other text; `None` if there are no such keys.
    pub(super) fn shape(&self) -> Option<(usize, Result<KeyShape, InvalidShape>)> {
        let prefix = self.prefix.as_deref()?;
        let fitting = Alphabet::ALL.into_iter().zip(self.fits).find(|(_, fits)| *fits);
        let alphabet = fitting.map_or(Alphabet::Visible, |(alphabet, _)| alphabet);
        let length = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        let shape = KeyShape::new(prefix, length(self.shortest), length(self.longest), alphabet);
        Some((self.row, shape))
    }
}

/// The word in small letters before the first separator, with it: `sk_`. Empty if there is none.
fn first_word(key: &str) -> &str {
    let end = key.bytes().position(|byte| !byte.is_ascii_lowercase() && !byte.is_ascii_digit());
    let separator = end.filter(|end| {
        let is_separator = key.as_bytes().get(*end).is_some_and(|byte| b"_-.|:".contains(byte));
        is_separator && (1..=MAX_WORD).contains(end) && end + 1 < key.len()
    });
    let begins_with_letter = key.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    separator.filter(|_| begins_with_letter).map_or("", |end| &key[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(keys: &[&str]) -> Result<KeyShape, InvalidShape> {
        let mut common = Common::default();
        for (index, key) in keys.iter().enumerate() {
            common.add(index + 1, key);
        }
        let (row, shape) = common.shape().unwrap();
        assert_eq!(row, 1);
        shape
    }

    #[test]
    fn shape_has_the_first_word_of_all_keys() {
        let of = |prefix, min, max, alphabet| KeyShape::new(prefix, min, max, alphabet);
        let keys = ["sk_a7Qm2", "sk_b7Qm29"];
        assert_eq!(shape(&keys), of("sk_", 8, 9, Alphabet::Base62));
        assert_eq!(shape(&["sk_live_a7Q"]), of("sk_", 11, 11, Alphabet::Base64url));
        let long = "a".repeat(30);
        let (one, other) = (format!("sk-{long}"), format!("pk-{long}"));
        assert_eq!(shape(&[&one, &other]), of("", 33, 33, Alphabet::Visible));
        assert!(shape(&[&one, &other]).unwrap().matches(&other));
        assert_eq!(shape(&[&"0af9".repeat(8)]), of("", 32, 32, Alphabet::Base62));
        assert!(Common::default().shape().is_none());
    }

    #[test]
    fn no_part_of_a_secret_becomes_a_prefix() {
        for key in ["7Qm2x9Kd-", "Abc_0123456789", "abcdefghijklm-x", "_x", "a-", "9a-b", "é-b"] {
            assert_eq!(first_word(key), "", "{key}");
        }
        assert_eq!(first_word("uk2-a"), "uk2-");
    }

    #[test]
    fn keys_without_a_common_word_must_be_long() {
        assert_eq!(shape(&["abc123"]), Err(InvalidShape::TooWide));
        assert_eq!(shape(&["lk_live_abc"]), Err(InvalidShape::Own));
    }
}
