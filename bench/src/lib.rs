//! Shared code of the benches. Each bench is a program in `src/bin`. `make bench-…` builds and
//! runs it: it starts the release build of Latchkey as a process and calls it over real sockets.
//!
//! A bench interleaves what it compares and takes medians over the rounds, so that a machine that
//! is busy for a second does not change the result. It ends with machine-readable lines: `figure
//! NAME VALUE` and `ratio NAME VALUE`.

pub mod account;
pub mod bare;
pub mod connection;
#[cfg(feature = "in-process")]
pub mod in_process;
pub mod load;
pub mod mixed;
pub mod nginx;
pub mod process;
pub mod report;
pub mod server;
pub mod side;
pub mod statistics;
pub mod stopwatch;
pub mod wrk;
