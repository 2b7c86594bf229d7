//! `latchkey`: the command line. The implementation is in the library, where tests reach it.

use clap::Parser;
use latchkey_server::cli::{Cli, Command};
use latchkey_server::{audit, logging, serve};

/// Quicker than the system's for many small pieces on many threads, which is what requests are made
/// of.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    logging::start();
    match Cli::parse().command() {
        Command::Serve(settings) => serve::serve(*settings).await,
        Command::Audit(command) => audit::run(command).await,
    }
}
