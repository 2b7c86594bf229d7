//! Mutated inputs for every parser: `make fuzz` for a minute each, a moment in the tests.
//!
//! libFuzzer wants a nightly compiler, or flags that rebuild everything. This needs neither: an
//! input that makes a parser allocate in a way that no other did has reached a new place in it, and
//! is mutated further.

#![expect(clippy::disallowed_methods, reason = "how long to go on is told by whoever fuzzes")]

use std::collections::HashSet;
use std::panic::catch_unwind;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use latchkey_server::parsers::{ALL, Parser};

use crate::shapes::SHAPES;
use crate::{AMPLIFICATION, SLACK, TURN, Work};

/// Inputs of each parser where nobody says how long.
const INPUTS: u64 = 2_000;
const LONGEST: usize = 4_096;
/// What parsers stop at.
const TOKENS: [&[u8]; 24] = [
    b"\"", b"\\", b",", b";", b"=", b"%00", b"%", b"\0", b"\xff", b"\xc3", b"[", b"]", b"{", b"}",
    b":", b"null", b"1e999", b"-0", b"\\ud800", b"for=", b"_live_", b"eyJ", b"::ffff:", b"\n",
];

/// Splitmix64: a number that was printed gives the same inputs again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end.max(1) as u64).unwrap()
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..start + self.below(length + 1 - start)
    }

    fn mutated(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            let range = self.range(input.len());
            match self.below(6) {
                0 if !input.is_empty() => {
                    let at = self.below(input.len());
                    input[at] ^= 1 << self.below(8);
                }
                1 => drop(input.drain(range)),
                2 => drop(input.splice(range, TOKENS[self.below(TOKENS.len())].iter().copied())),
                3 => {
                    let part = input[range.clone()].to_vec();
                    let part = part.repeat(1 + self.below(64));
                    drop(input.splice(range, part));
                }
                4 => {
                    let other = &corpus[self.below(corpus.len())];
                    drop(input.splice(range, other[self.range(other.len())].iter().copied()));
                }
                _ => input.truncate(range.end),
            }
            input.truncate(LONGEST);
        }
        input
    }
}

/// For how long each parser is fed; none: for [`INPUTS`].
fn patience() -> Option<Duration> {
    let seconds = std::env::var("LATCHKEY_FUZZ_SECONDS").ok()?;
    Some(Duration::from_secs(seconds.parse().expect("LATCHKEY_FUZZ_SECONDS is a number")))
}

fn feed(parser: &Parser, patience: Option<Duration>) {
    let examples = parser.examples.iter().map(|example| example.as_bytes().to_vec());
    let shapes = SHAPES.iter().filter(|shape| shape.fits(parser.name));
    let mut corpus: Vec<_> = examples.chain(shapes.map(|shape| shape.times(3))).collect();
    let (mut random, mut seen, mut inputs) = (Random(0), HashSet::new(), 0_u64);
    let began = Instant::now();
    while patience.map_or(inputs < INPUTS, |patience| began.elapsed() < patience) {
        inputs += 1;
        let input = random.mutated(&corpus);
        let Ok(work) = catch_unwind(|| Work::of(parser, &input)) else {
            panic!("{} panics on input {inputs}: {}", parser.name, input.escape_ascii());
        };
        assert!(
            work.bytes <= AMPLIFICATION * input.len() + SLACK.bytes,
            "{} takes {work:?} for input {inputs}: {}",
            parser.name,
            input.escape_ascii()
        );
        if corpus.len() < 4_096 && seen.insert((work.allocations, work.bytes)) {
            corpus.push(input);
        }
    }
    println!("fuzz {}: {inputs} inputs, {} kept, none failed", parser.name, corpus.len());
}

#[test]
fn mutated_inputs_are_survived() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let patience = patience();
    for parser in ALL {
        feed(parser, patience);
    }
}
