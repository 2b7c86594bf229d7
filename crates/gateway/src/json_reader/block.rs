//! 64 bytes of a JSON text at a time, with a bit for each.
//!
//! Which bytes are escaped follows from sums of whole blocks instead of a look at each byte: the
//! algorithm of section 3.1.1 of [Parsing Gigabytes of JSON per
//! Second](https://arxiv.org/abs/1902.08318) (Langdale, Lemire).

use wide::u8x16;

pub(super) const BLOCK: usize = 64;
const LANES: usize = 16;

/// The bits of every second byte, from the second on.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// How far whole blocks without the end of the text, and with escapes of two bytes only, reach, and
/// how many escapes begin in them.
pub(super) fn plain_blocks(text: &[u8]) -> (usize, usize) {
    let (mut at, mut count) = (0, 0);
    // The last byte of the block before was a backslash that escapes the first byte of this.
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
    // Not without what it escapes.
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

/// Which bytes are escaped, and whether the first one of the next block is.
fn escaped(backslashes: u64, is_first_escaped: bool) -> (u64, bool) {
    let first = u64::from(is_first_escaped);
    if backslashes == 0 {
        return (first, false);
    }
    let unescaped = backslashes & !first;
    // A run of backslashes carries through its bits, and ends at an odd or an even place.
    let runs = (unescaped << 1 | ODD).wrapping_sub(unescaped) ^ ODD;
    (runs ^ (backslashes | first), (runs & backslashes) >> (BLOCK - 1) != 0)
}

/// Whether each stands for one byte: an escape by its code may stand for more, or be wrong.
fn are_short_escapes(block: &[u8; BLOCK], mut escaped: u64) -> bool {
    let mut are_short = true;
    while escaped != 0 {
        let byte = block[escaped.trailing_zeros() as usize];
        are_short &= matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't');
        escaped &= escaped - 1;
    }
    are_short
}
