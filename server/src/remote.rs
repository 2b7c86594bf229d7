//! `latchkey keys`, `import`, `check` and the other commands that talk to a running server.

use std::process::ExitCode;

use clap::CommandFactory;
use latchkey_services::random::Random;

use crate::cli::Cli;
use crate::http_client::http_client;
use crate::system::SystemRandom;

/// Does what the command says, without a data folder. What went wrong stands on standard error, and
/// the exit code says it.
pub async fn run(command: latchkey_cli::Command) -> ExitCode {
    let context = latchkey_cli::Context {
        program: <Cli as CommandFactory>::command(),
        token: token(),
        http: http_client(),
        fill_random: |buffer| SystemRandom.fill(buffer),
    };
    latchkey_cli::run(command, context).await
}

/// It has no flag: other users of the machine see the arguments of a program.
#[expect(clippy::disallowed_methods, reason = "the token is no argument, so clap can't read it")]
fn token() -> Option<String> {
    std::env::var_os("LATCHKEY_TOKEN").map(|token| token.to_string_lossy().into_owned())
}
