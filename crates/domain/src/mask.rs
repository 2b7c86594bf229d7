//! Masks misplaced secrets in any text.
//!
//! A secret is what matches the published expression of our keys (docs/secret-scanning.md), what
//! starts like such a key and was truncated, and what looks like a JSON Web Token, percent-encoded
//! or not; and imported keys whose shape tells them from other words. Every log line, error, audit
//! event and denial passes through here, so that no code that writes one has to remember it.
//!
//! The work is linear in the length of the text. A text without secrets is not copied.

mod imported;

use std::borrow::Cow;
use std::ops::Range;

pub use self::imported::add_shapes;

/// Shortest truncated body that is masked, in characters. No word of a language is that long.
const LEAST_BODY: usize = 20;
/// Characters that stay visible at either end.
const SHOWN: usize = 4;
/// Minimum length of a token's header or content.
const LEAST_PART: usize = 8;

/// Returns the text with its secrets masked: `lk_live_7Qm2...x9Kd`, `eyJ...`.
pub fn secrets(text: &str) -> Cow<'_, str> {
    match masked(text.as_bytes()) {
        // Both what was replaced and its replacement are ASCII.
        Some(masked) => Cow::Owned(String::from_utf8_lossy(&masked).into_owned()),
        None => Cow::Borrowed(text),
    }
}

/// As [`secrets`], for bytes that are mostly text; `None` if there is nothing to mask.
pub fn masked(text: &[u8]) -> Option<Vec<u8>> {
    let own = if may_have_secret(text) { own_masked(text) } else { None };
    let imported = imported::masked(own.as_deref().unwrap_or(text));
    imported.or(own)
}

fn own_masked(text: &[u8]) -> Option<Vec<u8>> {
    let mut found = Found { units: Units { text }, at: 0, run: 0..0, token: None };
    let mut masked: Option<Vec<u8>> = None;
    let mut copied = 0;
    while let Some(secret) = found.next_secret() {
        let masked = masked.get_or_insert_with(|| Vec::with_capacity(text.len()));
        masked.extend_from_slice(&text[copied..secret.hidden.start]);
        masked.extend_from_slice(&secret.first);
        masked.extend_from_slice(b"...");
        masked.extend_from_slice(&secret.last);
        copied = secret.hidden.end;
    }
    masked.map(|mut masked| {
        masked.extend_from_slice(&text[copied..]);
        masked
    })
}

/// Whether a closer look is worthwhile. Few texts have the `J` of a token, the beginning of a key's
/// `_live_` or `_test_`, or anything percent-encoded.
fn may_have_secret(text: &[u8]) -> bool {
    text.contains(&b'J')
        || text.contains(&b'%')
        || text.windows(2).any(|pair| matches!(pair, b"_l" | b"_t"))
}

/// A secret: the range to hide, and what stays visible at its ends.
struct Secret {
    hidden: Range<usize>,
    first: Vec<u8>,
    last: Vec<u8>,
}

/// The text with percent-encoding undone. Positions are those of the original text.
#[derive(Clone, Copy)]
struct Units<'a> {
    text: &'a [u8],
}

impl Units<'_> {
    /// The byte at a position, and the position after it.
    fn read(self, at: usize) -> Option<(u8, usize)> {
        #[cfg(test)]
        tests::STEPS.with(|steps| steps.set(steps.get() + 1));
        let byte = *self.text.get(at)?;
        if byte == b'%'
            && let Some([high, low]) = self.text.get(at + 1..at + 3)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            return Some((high << 4 | low, at + 3));
        }
        Some((byte, at + 1))
    }

    /// The position after `word`, if the text continues with it.
    fn skip(self, mut at: usize, word: &[u8]) -> Option<usize> {
        for expected in word {
            let (byte, next) = self.read(at)?;
            if byte != *expected {
                return None;
            }
            at = next;
        }
        Some(at)
    }

    /// Skips all bytes that `belongs` accepts. Returns the position after them and their number.
    fn run(self, mut at: usize, belongs: fn(u8) -> bool) -> (usize, usize) {
        let mut length = 0;
        while let Some((byte, next)) = self.read(at)
            && belongs(byte)
        {
            at = next;
            length += 1;
        }
        (at, length)
    }

    fn decoded(self, range: Range<usize>) -> Vec<u8> {
        let mut at = range.start;
        let mut bytes = Vec::new();
        while at < range.end
            && let Some((byte, next)) = self.read(at)
        {
            bytes.push(byte);
            at = next;
        }
        bytes
    }
}

struct Found<'a> {
    units: Units<'a>,
    at: usize,
    /// The current candidate for a token's header, so that it is read only once, and the end of its
    /// token.
    run: Range<usize>,
    token: Option<usize>,
}

impl Found<'_> {
    fn next_secret(&mut self) -> Option<Secret> {
        while let Some((byte, next)) = self.units.read(self.at) {
            let secret = match byte {
                b'_' => self.key(),
                b'e' => self.web_token(),
                _ => None,
            };
            if let Some(secret) = secret {
                self.at = secret.hidden.end;
                return Some(secret);
            }
            self.at = next;
        }
        None
    }

    /// A key whose prefix was just read.
    fn key(&self) -> Option<Secret> {
        let units = self.units;
        let mut words = [&b"_live_"[..], b"_test_"].into_iter();
        let body = words.find_map(|word| units.skip(self.at, word))?;
        let (end, length) = units.run(body, |byte| byte.is_ascii_alphanumeric());
        if length < LEAST_BODY {
            return None;
        }
        let decoded = units.decoded(body..end);
        let last = decoded[length - SHOWN..].to_vec();
        Some(Secret { hidden: body..end, first: decoded[..SHOWN].to_vec(), last })
    }

    /// A JSON Web Token that starts here. Its header is a JSON object, which in base64url starts
    /// with `eyJ`.
    fn web_token(&mut self) -> Option<Secret> {
        let rest = self.units.skip(self.at, b"eyJ")?;
        if !self.run.contains(&self.at) {
            self.read_parts(rest);
        }
        let hidden = rest..self.token?;
        Some(Secret { hidden, first: Vec::new(), last: Vec::new() })
    }

    /// Reads to the end of a possible token, part by part.
    fn read_parts(&mut self, from: usize) {
        let (header, length) = self.units.run(from, is_base64url);
        (self.run, self.token) = (self.at..header, None);
        if length < LEAST_PART {
            return;
        }
        let mut end = header;
        while let Some(part) = self.units.skip(end, b".") {
            let (behind, length) = self.units.run(part, is_base64url);
            // The first part after the header is the content. The signature may be truncated.
            if length == 0 || (self.token.is_none() && length < LEAST_PART) {
                break;
            }
            (end, self.token) = (behind, Some(behind));
        }
    }
}

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::Environment;
    use crate::secret::{KeyPrefix, SCANNER_REGEX, SecretKey};

    thread_local! {
        /// Number of times that a position was read.
        pub(super) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    const KEY: &str = "lk_live_000000000000000000000000000000004cjNQE";
    const TOKEN: &str = "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJ1c3IifQ.c2lnbmF0dXJl";

    #[test]
    fn keys_and_tokens_are_masked_anywhere_in_text() {
        for (text, shown) in [
            ("{}", "{}"),
            ("DELETE /v1/keys/{}?x", "DELETE /v1/keys/{}?x"),
            ("\"{}\",\"{}\"", "\"{}\",\"{}\""),
            ("é{}é", "é{}é"),
            ("x_{}", "x_{}"),
        ] {
            let of = |one: &str| text.replace("{}", one);
            assert_eq!(secrets(&of(KEY)), shown.replace("{}", "lk_live_0000...jNQE"), "{text}");
            assert_eq!(secrets(&of(TOKEN)), shown.replace("{}", "eyJ..."), "{text}");
        }
        assert_eq!(secrets(&format!("{KEY}{TOKEN}")), "lk_live_0000...QifQ.eyJ...");
    }

    #[test]
    fn percent_encoded_and_truncated_secrets_are_masked() {
        let encoded = KEY.replace('_', "%5F");
        assert_eq!(secrets(&encoded), "lk%5Flive%5F0000...jNQE");
        let whole: Vec<_> = KEY.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let whole = whole.concat();
        assert!(secrets(&whole).ends_with("0000...jNQE"), "{}", secrets(&whole));
        assert_eq!(secrets(&TOKEN.replace('.', "%2e")), "eyJ...");
        assert_eq!(secrets(&KEY[..40]), "lk_live_0000...0000");
        assert_eq!(secrets(&TOKEN[..40]), "eyJ...");
        assert_eq!(secrets(&format!("{KEY}AB")), "lk_live_0000...QEAB");
    }

    #[test]
    fn text_without_secrets_is_not_copied() {
        for text in [
            "",
            "%",
            "%5",
            "a_live_demo and a_test_run_of_something",
            "key_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "lk_live_7Qm2...x9Kd",
            "eyJ...",
            "eyJhbGciOiJIUzI1NiJ9",
            "greyJay.example.com",
            "4bf92f3577b34da6a3ce929d0e0e4736",
        ] {
            assert!(matches!(secrets(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn work_is_linear_in_text_length() {
        // A search that restarts at every position would read each of these again and again.
        for part in [
            "a",
            "_",
            "%",
            "%5F",
            "eyJ",
            "eyJa.",
            "eyJ_live_",
            "_live_a",
            "%5Flive%5",
            "_live_0",
            "eyJaaaaaaaa.a.",
            "eyJa.aaaaaaaa.",
            "eyJaaaaaaaa.aaaaaaaa",
        ] {
            let steps = |times: usize| {
                STEPS.set(0);
                let _ = secrets(&part.repeat(times));
                STEPS.get()
            };
            let (half, double) = (steps(2_000), steps(4_000));
            assert!(double <= 2 * half + 100, "{part}: {half}, then {double}");
            // Up to five steps per position, if each is `_`: a byte, and two words compared with
            // what follows.
            assert!(double <= 8 * 4_000 * part.len() + 100, "{part}: {double}");
        }
    }

    #[test]
    fn every_secret_is_worth_a_closer_look() {
        for text in [KEY, TOKEN, &KEY.replace('_', "%5F"), &TOKEN.replace('J', "%4A")] {
            assert!(may_have_secret(text.as_bytes()), "{text}");
        }
        let line = r#"{"request_id":"req_0123","path":"/v1/chat/completions","status":200}"#;
        assert!(!may_have_secret(line.as_bytes()));
    }

    proptest! {
        #[test]
        fn matches_of_published_expression_are_masked(
            before in "[ -~]{0,20}", after in "[ -~]{0,20}", seed: u64, test: bool,
        ) {
            let mut state = seed;
            let prefix: KeyPrefix = "upblit".parse().unwrap();
            let environment = if test { Environment::Test } else { Environment::Live };
            let secret = SecretKey::generate(&prefix, environment, |buffer| {
                for byte in buffer {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    *byte = state.to_be_bytes()[0];
                }
            });
            let text = format!("{before}{}{after}", secret.expose());
            let masked = secrets(&text);
            prop_assert!(!masked.contains(&secret.expose()[16..]));
            prop_assert!(!regex::Regex::new(SCANNER_REGEX).unwrap().is_match(&masked));
            prop_assert_eq!(secrets(&masked), masked.as_ref(), "masking twice changes nothing");
        }

        #[test]
        fn masking_never_panics(text: Vec<u8>) {
            let _ = masked(&text);
        }
    }
}
