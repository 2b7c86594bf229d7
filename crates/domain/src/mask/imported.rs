//! Masks imported keys, as far as their shapes tell them from other words.
//!
//! Log lines and errors are written without knowing what projects have imported, so the shapes are
//! known to the whole process. Each project registers its own, and what one registers must not mask
//! what others read: only long words behind a telling prefix count.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::import::KeyShape;

/// Most prefixes that are remembered.
const MAX_PREFIXES: usize = 1_024;
/// Shortest prefix that counts, in bytes. It must have a character that is no letter or digit.
const LEAST_PREFIX: usize = 3;
/// Shortest key that is masked, in bytes.
const LEAST_KEY: usize = 20;
/// Characters of our own ids behind their prefix.
const ID_LENGTH: usize = 26;

/// Whether there are any, so that others pay for one load.
static ARE_KNOWN: AtomicBool = AtomicBool::new(false);
static PREFIXES: RwLock<Vec<Prefix>> = RwLock::new(Vec::new());

#[derive(Clone)]
struct Prefix {
    text: String,
    /// Shortest whole key.
    least: usize,
}

/// Masks keys of these shapes from now on, in this process.
pub fn add_shapes<'a>(shapes: impl Iterator<Item = &'a KeyShape>) {
    let mut prefixes = PREFIXES.write().unwrap_or_else(PoisonError::into_inner);
    for shape in shapes {
        let text = shape.prefix();
        let least = usize::from(shape.min_length());
        let is_telling = text.len() >= LEAST_PREFIX
            && least >= LEAST_KEY
            && text.bytes().any(|byte| !byte.is_ascii_alphanumeric());
        if !is_telling {
            continue;
        }
        if let Some(known) = prefixes.iter_mut().find(|known| known.text == text) {
            known.least = known.least.min(least);
        } else if prefixes.len() < MAX_PREFIXES {
            prefixes.push(Prefix { text: text.to_owned(), least });
        }
    }
    ARE_KNOWN.store(!prefixes.is_empty(), Ordering::Release);
}

/// The text with imported keys masked: `sk-...`; `None` if there are none.
pub(super) fn masked(text: &[u8]) -> Option<Vec<u8>> {
    if !ARE_KNOWN.load(Ordering::Acquire) {
        return None;
    }
    let prefixes = PREFIXES.read().unwrap_or_else(PoisonError::into_inner);
    let mut masked: Option<Vec<u8>> = None;
    let (mut copied, mut at) = (0, 0);
    while at < text.len() {
        let Some(hidden) = secret_at(text, at, &prefixes) else {
            at += 1;
            continue;
        };
        let masked = masked.get_or_insert_with(|| Vec::with_capacity(text.len()));
        masked.extend_from_slice(text.get(copied..hidden.start).unwrap_or_default());
        masked.extend_from_slice(b"...");
        (copied, at) = (hidden.end, hidden.end);
    }
    masked.map(|mut masked| {
        masked.extend_from_slice(text.get(copied..).unwrap_or_default());
        masked
    })
}

/// What to hide of a key that starts here.
fn secret_at(text: &[u8], at: usize, prefixes: &[Prefix]) -> Option<Range<usize>> {
    let is_inside =
        at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(|byte| is_of_word(*byte));
    if is_inside {
        return None;
    }
    let rest = text.get(at..)?;
    let of = |prefix: &Prefix| {
        let body = rest.strip_prefix(prefix.text.as_bytes())?;
        let length = body.iter().take_while(|byte| !is_delimiter(**byte)).count();
        let is_id = length == ID_LENGTH
            && prefix.text.ends_with('_')
            && body
                .iter()
                .take(length)
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        let start = at + prefix.text.len();
        (prefix.text.len() + length >= prefix.least && !is_id).then_some(start..start + length)
    };
    prefixes.iter().find_map(of)
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Whether a key ends before this byte in a line of a log, a URL or a JSON text.
fn is_delimiter(byte: u8) -> bool {
    !byte.is_ascii_graphic()
        || matches!(
            byte,
            b'"' | b'\''
                | b'\\'
                | b'<'
                | b'>'
                | b','
                | b';'
                | b'&'
                | b'/'
                | b'?'
                | b'#'
                | b'('
                | b')'
                | b'{'
                | b'}'
                | b'['
                | b']'
        )
}

#[cfg(test)]
mod tests {
    use super::super::secrets;
    use super::*;
    use crate::import::Alphabet;

    #[test]
    fn imported_keys_are_masked_and_ordinary_words_are_not() {
        let shape = |prefix, least| KeyShape::new(prefix, least, 80, Alphabet::Visible).unwrap();
        let shapes =
            [shape("masked-sk-", 30), shape("details", 20), shape("er-", 8), shape("msk_", 24)];
        add_shapes(shapes.iter());
        let key = "masked-sk-0123456789abcdefghij";
        for (text, expected) in [
            (format!("GET /v1/{key}?a=b"), "GET /v1/masked-sk-...?a=b"),
            (format!("{{\"detail\":\"{key}.x\"}}"), "{\"detail\":\"masked-sk-...\"}"),
            (format!("{key} {key}"), "masked-sk-... masked-sk-..."),
        ] {
            assert_eq!(secrets(&text), expected);
        }
        for text in [
            "masked-sk-0123456789",
            &format!("not{key}"),
            "details-0123456789-0123456789-0123456789",
            "er-0123456789-0123456789-0123456789",
            "msk_01h455vb4pex5vsknk084sn02q",
        ] {
            assert_eq!(secrets(text), text);
        }
    }
}
