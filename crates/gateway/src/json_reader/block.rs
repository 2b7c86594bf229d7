//! Scans JSON texts 64 bytes at a time, with one bit for each byte.
//!
//! Which bytes are escaped is computed by additions on whole blocks instead of a loop over bytes:
//! section 3.1.1 of [Parsing Gigabytes of JSON per Second](https://arxiv.org/abs/1902.08318)
//! (Langdale, Lemire).

use wide::u8x16;

pub(super) const BLOCK: usize = 64;
const LANES: usize = 16;

/// The bits at odd positions.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Returns how many bytes are covered by whole blocks that do not end the text and contain only
/// two-byte escapes, and the number of escapes in them.
pub(super) fn plain_blocks(text: &[u8]) -> (usize, usize) {
    let (mut at, mut count) = (0, 0);
    // The last byte of the previous block was a backslash that escapes the first byte of this one.
    let mut is_first_escaped = false;
    while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        let Bits { quotes, backslashes, controls } = Bits::of(block);
        let (escaped, escapes_next) = escaped(backslashes, is_first_escaped);
        let has_end = quotes & !escaped | controls != 0;
        if has_end || !are_short_escapes(block, escaped) {
            break;
        }
        count += (backslashes & !escaped).count_ones() as usize;
        is_first_escaped = escapes_next;
        at += BLOCK;
    }
    // A backslash at the end is left for the caller, together with what it escapes.
    let left = usize::from(is_first_escaped);
    (at - left, count - left)
}

struct Bits {
    quotes: u64,
    backslashes: u64,
    controls: u64,
}

impl Bits {
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut bits = Self { quotes: 0, backslashes: 0, controls: 0 };
        for (index, lanes) in block.as_chunks::<LANES>().0.iter().enumerate() {
            let lanes = u8x16::new(*lanes);
            let place = |found: u8x16| u64::from(found.to_bitmask()) << (index * LANES);
            bits.quotes |= place(lanes.simd_eq(u8x16::splat(b'"')));
            bits.backslashes |= place(lanes.simd_eq(u8x16::splat(b'\\')));
            bits.controls |= place(lanes.min(u8x16::splat(0x1f)).simd_eq(lanes));
        }
        bits
    }
}

/// The escaped bytes, and whether the first byte of the next block is escaped.
fn escaped(backslashes: u64, is_first_escaped: bool) -> (u64, bool) {
    let first = u64::from(is_first_escaped);
    if backslashes == 0 {
        return (first, false);
    }
    let unescaped = backslashes & !first;
    // The carry of a run of backslashes ends at an odd or an even position.
    let runs = (unescaped << 1 | ODD).wrapping_sub(unescaped) ^ ODD;
    (runs ^ (backslashes | first), (runs & backslashes) >> (BLOCK - 1) != 0)
}

/// Whether all escapes stand for one byte. `\u` may stand for more, and others are invalid.
fn are_short_escapes(block: &[u8; BLOCK], mut escaped: u64) -> bool {
    let mut are_short = true;
    while escaped != 0 {
        let byte = block[escaped.trailing_zeros() as usize];
        are_short &= matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't');
        escaped &= escaped - 1;
    }
    are_short
}
