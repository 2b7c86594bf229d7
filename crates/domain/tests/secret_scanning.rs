//! The expression that docs/secret-scanning.md publishes for secret scanners: it finds every key
//! and nothing of another form. The checksum rules out what only has the form.
#![expect(clippy::unwrap_used, reason = "a test that can't go on stops")]

use std::sync::LazyLock;

use latchkey_domain::key::Environment;
use latchkey_domain::secret::{KeyPrefix, PresentedKey, SCANNER_REGEX, SecretKey};
use regex::Regex;

const DOCS: &str = include_str!("../../../docs/secret-scanning.md");
const KEYS: usize = 10_000;

/// A stand-in for a CSPRNG: splitmix64. Its stream depends on its seed only.
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn prefix(&mut self) -> KeyPrefix {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut prefix = char::from(LETTERS[self.below(26)]).to_string();
        for _ in 0..=self.below(15) {
            prefix.push(char::from(LETTERS[self.below(36)]));
        }
        prefix.parse().unwrap()
    }

    /// Every second key has the default prefix.
    fn secret(&mut self) -> SecretKey {
        let prefix = if self.below(2) == 0 { KeyPrefix::default() } else { self.prefix() };
        let environment = [Environment::Live, Environment::Test][self.below(2)];
        SecretKey::generate(&prefix, environment, |bytes| {
            for byte in bytes {
                [*byte, ..] = self.next().to_le_bytes();
            }
        })
    }
}

static REGEX: LazyLock<Regex> = LazyLock::new(|| Regex::new(SCANNER_REGEX).unwrap());

/// The first group of each match.
fn matches(text: &str) -> Vec<&str> {
    REGEX.captures_iter(text).map(|found| found.get(1).unwrap().as_str()).collect()
}

/// The key at the end of a match, extracted as docs/secret-scanning.md describes.
fn key_in(found: &str) -> Option<&str> {
    let starts = 0..found.find('_').unwrap() - 1;
    starts.map(|start| &found[start..]).find(|key| PresentedKey::parse(key).is_ok())
}

/// All keys in a text.
fn keys(text: &str) -> Vec<&str> {
    matches(text).into_iter().filter_map(key_in).collect()
}

#[test]
fn published_regex_finds_10_000_keys_anywhere() {
    const PLACES: [(&str, &str); 18] = [
        ("", ""),
        ("export LATCHKEY_KEY=", " # never commit"),
        ("{\"apiKey\":\"", "\",\"region\":\"eu\"}"),
        ("x-api-key: ", "\r\naccept: */*"),
        ("Authorization: Bearer ", ""),
        ("https://shop.example/hook?key=", "&v=2"),
        ("const key = '", "';"),
        ("<td>", "</td>"),
        ("My key is ", ", please don’t tell."),
        ("ключ", "é"),
        ("密钥", "。"),
        ("{\\\"a\\\":1}\\n", "\\n"),
        ("\\u0022", "\\u0022"),
        ("%22", "%22"),
        ("%3D", "%26v=2"),
        ("0", "_"),
        ("KEY_", "_"),
        ("xxxxxxxxxxxxxxxxxxxxxxxx", "."),
    ];
    let mut stream = Stream(1);
    for (before, after) in PLACES.iter().cycle().take(KEYS) {
        let secret = stream.secret();
        let text = format!("{before}{}{after}", secret.expose());
        assert_eq!(keys(&text), [secret.expose()], "{text}");
    }
}

#[test]
fn published_regex_finds_none_of_10_000_near_misses() {
    let mut stream = Stream(2);
    for number in 0..KEYS {
        let secret = stream.secret();
        let key = secret.expose();
        let (prefix, rest) = key.split_once('_').unwrap();
        let (environment, tail) = rest.split_once('_').unwrap();
        let cut = stream.below(tail.len());
        let (before, after) = (&tail[..cut], &tail[cut + 1..]);
        let miss = match number % 12 {
            0 => key[..key.len() - 1].to_owned(),
            1 => format!("{key}0"),
            2 => format!("{prefix}_{environment}_{before}-{after}"),
            3 => format!("{prefix}_{environment}_{before}_{after}"),
            4 => format!("{prefix}_{environment}_{before}é{after}"),
            5 => format!("{}_{environment}_{tail}", prefix.to_ascii_uppercase()),
            6 => format!("{prefix}_prod_{tail}"),
            7 => format!("{prefix}_{}_{tail}", environment.to_ascii_uppercase()),
            8 => format!("{prefix}-{environment}-{tail}"),
            9 => format!("k_{environment}_{tail}"),
            10 => format!("{prefix:a<17}_{environment}_{tail}"),
            _ => secret.hint().to_string(),
        };
        // If the prefix is too long, its end still has the form, but the checksum fails.
        assert!(number % 12 == 10 || !REGEX.is_match(&miss), "{miss}");
        assert_eq!(keys(&miss), [""; 0], "{miss}");
    }
}

#[test]
fn checksum_rejects_10_000_matches_with_one_changed_character() {
    const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut stream = Stream(3);
    for _ in 0..KEYS {
        let secret = stream.secret();
        let mut bytes = secret.expose().as_bytes().to_vec();
        let at = bytes.len() - 1 - stream.below(38);
        let old = BASE62.iter().position(|letter| *letter == bytes[at]).unwrap();
        bytes[at] = BASE62[(old + 1 + stream.below(61)) % 62];
        let mistyped = String::from_utf8(bytes).unwrap();
        assert_eq!(matches(&mistyped), [mistyped.as_str()]);
        assert_eq!(key_in(&mistyped), None, "{mistyped}");
    }
}

#[test]
fn docs_publish_this_regex_and_test_keys() {
    assert_eq!(DOCS.matches(&format!("\n{SCANNER_REGEX}\n")).count(), 1);
    assert!(DOCS.contains(&format!("regex = '''{SCANNER_REGEX}'''")));
    // Two test keys, and kingfisher's.
    assert_eq!(keys(DOCS).len(), 3);
}
