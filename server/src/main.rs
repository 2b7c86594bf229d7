//! `latchkey`: the command line. What it does stands in the library, where tests reach it.

use clap::Parser;
use latchkey_server::cli::{Cli, Command};
use latchkey_server::{audit, logging, serve};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    logging::start();
    match Cli::parse().command() {
        Command::Serve(settings) => serve::serve(*settings).await,
        Command::Audit(command) => audit::run(command).await,
    }
}
