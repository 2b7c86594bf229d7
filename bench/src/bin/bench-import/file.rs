//! Files of keys as another system would export them.

use std::fmt::Write;

use serde_json::{Value, json};

/// What the keys look like.
pub(crate) fn shape() -> Value {
    json!({ "prefix": "sk-", "min_length": 30, "max_length": 60, "alphabet": "base62" })
}

/// JSON lines with so many keys. No two files have a digest or a name in common.
pub(crate) fn rows(file: usize, keys: usize) -> String {
    let mut rows = String::with_capacity(keys * 220);
    for key in 0..keys {
        // Spread like digests, which is what indexes meet.
        let mixed = mix(file, key);
        let row = writeln!(
            rows,
            r#"{{"name":"key {file} {key}","stored":"{mixed:032x}{file:016x}{key:016x}","scheme":"sha256-hex","rpm":600,"external_id":"user_{key}","expires_at":"2099-01-01T00:00:00Z"}}"#
        );
        row.expect("a String can be written to");
    }
    rows
}

/// Two numbers as one that looks random: splitmix64, twice.
fn mix(file: usize, key: usize) -> u128 {
    let seed = u64::try_from(file * 1_000_003 + key).unwrap_or_default();
    let step = |mut word: u64| {
        word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    u128::from(step(seed)) << 64 | u128::from(step(!seed))
}
