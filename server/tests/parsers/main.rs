//! What parsers of outside input cost, and what they survive.
//!
//! Work is counted, never timed: what a parser allocates. An input of twice the size may cost twice
//! as much and [`TOLERANCE`] more, and no input costs more than [`AMPLIFICATION`] times its size.
//! Both tests count for the whole process, so they take turns.
#![expect(clippy::unwrap_used, reason = "a test that can't go on stops")]
#![expect(clippy::print_stdout, reason = "whoever fuzzes wants to see how far it is")]

mod fuzz;
mod shapes;

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use latchkey_server::parsers::{ALL, Parser};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use shapes::SHAPES;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Buffers that double are between half full and full.
const TOLERANCE: f64 = 1.3;
/// What a first use costs, and a small input.
const SLACK: Work = Work { bytes: 64 * 1024, allocations: 256 };
/// A cookie of three letters is the dearest that there is for its size, and a head has 64 KiB at
/// most.
const AMPLIFICATION: usize = 96;

static TURN: Mutex<()> = Mutex::new(());

/// What reading an input took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Work {
    bytes: usize,
    allocations: usize,
}

impl Work {
    fn of(parser: &Parser, input: &[u8]) -> Self {
        let region = Region::new(ALLOCATOR);
        (parser.read)(input);
        let change = region.change();
        Self {
            bytes: change.bytes_allocated,
            allocations: change.allocations + change.reallocations,
        }
    }

    /// The least of several times: what happened beside it does not count.
    fn least(parser: &Parser, input: &[u8]) -> Self {
        let times = (0..3).map(|_| Self::of(parser, input));
        times.min_by_key(|work| work.bytes).unwrap()
    }

    #[expect(clippy::cast_precision_loss, reason = "no parser allocates 2^52 bytes")]
    fn grew_from(self, half: Self) -> bool {
        let fits = |double: usize, half: usize, slack: usize| {
            double as f64 <= (half as f64).mul_add(2.0 * TOLERANCE, slack as f64)
        };
        fits(self.bytes, half.bytes, SLACK.bytes)
            && fits(self.allocations, half.allocations, SLACK.allocations)
    }
}

#[test]
fn work_grows_no_faster_than_the_input() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut dear = Vec::new();
    for parser in ALL {
        for shape in SHAPES.iter().filter(|shape| shape.fits(parser.name)) {
            // First uses fill what is made once.
            Work::of(parser, &shape.times(10));
            // OTLP refuses more than 10,000 items, and reads them once more to say where.
            for times in [500, 2_000, 4_000] {
                let (half, double) = (shape.times(times), shape.times(2 * times));
                let (once, twice) = (Work::least(parser, &half), Work::least(parser, &double));
                let within = twice.bytes <= AMPLIFICATION * double.len() + SLACK.bytes;
                if !twice.grew_from(once) || !within {
                    dear.push((parser.name, shape.part, times, once, twice, double.len()));
                }
            }
        }
    }
    assert!(dear.is_empty(), "parser, part, times, work, work of twice: {dear:#?}");
}
