//! `latchkey keys`, `projects`, `members`, `import`, `export` and `check`: the command line of a
//! running server, by its public API; and `completions` and `man`, which describe the program.
//!
//! What holds for each of them: standard output has the result alone, a table on a terminal and
//! lines with tabs elsewhere; standard error has all else, an error as one line; a secret is
//! written once, to standard output, by `create` and `rotate`; the exit code says what happened.

mod args;
mod check;
mod client;
mod describe;
mod export;
mod failure;
mod import;
mod keys;
mod lists;
mod members;
mod problem;
mod projects;
mod request;
mod row;
mod secrets;
mod table;
mod terminal;
mod transport;
mod usage;

use std::io::Write;
use std::process::ExitCode;

use latchkey_domain::mask;

pub use args::Command;
pub use client::Context;

use crate::failure::{Done, Exit};
use crate::terminal::{Screen, tell};

/// Does what the command says. The exit code is 0 if it is done, 1 if it failed, 2 for wrong usage,
/// 3 if something was not found, 4 if it is not allowed, 5 at a limit and 6 if the server can't be
/// reached. What went wrong stands on standard error.
pub async fn run(command: Command, context: Context) -> ExitCode {
    match dispatch(command, context).await {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            if failure.has_message() {
                tell(&format!("error: {failure}"));
            }
            failure.exit.into()
        }
    }
}

/// Prints what clap says of a command line: help, the version, or what is wrong, without secrets
/// that were put where they don't belong.
pub fn print_usage(error: &clap::Error) -> ExitCode {
    let text = error.render().ansi().to_string();
    let text = mask::secrets(&text);
    // There is nowhere to report that nobody reads it.
    let _ = if error.use_stderr() {
        write!(anstream::stderr(), "{text}")
    } else {
        write!(anstream::stdout(), "{text}")
    };
    if error.exit_code() == 0 { ExitCode::SUCCESS } else { Exit::Usage.into() }
}

/// Prints the error of another command as one line, without secrets; the exit code of a failure.
pub fn print_error(error: &str) -> ExitCode {
    tell(&format!("error: {error}"));
    Exit::Failed.into()
}

async fn dispatch(command: Command, context: Context) -> Done {
    let screen = Screen::of_process();
    match command {
        Command::Keys(command) => keys::run(command, context, screen).await,
        Command::Projects(command) => projects::run(command, context, screen).await,
        Command::Members(command) => members::run(command, context, screen).await,
        Command::Import(import) => import::run(&import, context, screen).await,
        Command::Export(export) => export::run(&export, context, screen).await,
        Command::Check(check) => check::run(&check, context, screen).await,
        Command::Completions(completions) => describe::completions(completions, context.program),
        Command::Man(man) => describe::manual(&man, context.program),
    }
}
