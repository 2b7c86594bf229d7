//! The stand-in as a program, for the browser tests: `github-stand-in --port 4000`. It prints its
//! URL as its only line, and ends on SIGTERM or Ctrl+C.

use std::io::Write;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Plays GitHub's OAuth and user endpoints on loopback.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let stand_in = github_stand_in::start_on(arguments.port).await?;
    writeln!(std::io::stdout(), "{}", stand_in.base_url)?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
