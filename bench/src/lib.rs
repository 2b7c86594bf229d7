//! What the benches share. Each bench is a program of its own in `src/bin`, and `make bench-…`
//! builds and runs it: the release build of Latchkey as a process, asked over real sockets.
//!
//! A bench interleaves what it compares and takes medians over the rounds, so that a machine that
//! is busy for a second does not decide. It ends with lines that programs can read:
//! `figure NAME VALUE` and `ratio NAME VALUE`.

pub mod account;
pub mod connection;
#[cfg(feature = "in-process")]
pub mod in_process;
pub mod load;
pub mod mixed;
pub mod process;
pub mod report;
pub mod server;
pub mod statistics;
pub mod stopwatch;
