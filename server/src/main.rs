//! `latchkey`: the command line. The implementation is in the library, where tests reach it.

use std::io;
use std::process::ExitCode;

use latchkey_server::cli::{Command, ConfigCommand};
use latchkey_server::invocation::Invocation;
use latchkey_server::{
    audit, backup, config_check, logging, migrate, otel, pepper, remote, restore, serve, tier,
};
use tracing::Level;

/// Quicker than the system's for many small pieces on many threads, which is what requests are made
/// of.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code for something that does not exist.
const NOT_FOUND: u8 = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let Invocation { command, layers } = match Invocation::read(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(error) => return wrong_usage(error),
    };
    // Before the log, which is exported too.
    if matches!(command, Command::Serve(_))
        && let Err(error) = otel::start()
    {
        return failed(&error);
    }
    // What talks to a server from a shell writes its result and nothing else.
    if !matches!(command, Command::Remote(_)) {
        logging::start(usual_level(&command));
    }
    let done = match command {
        Command::Serve(settings) => serve::serve(*settings).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Backup(arguments) => backup::run(arguments).await,
        Command::Restore(arguments) => restore::run(arguments).await,
        Command::Migrate(arguments) => migrate::run(&arguments).await,
        Command::Tier(command) => tier::run(command).await,
        Command::Pepper(command) => pepper::run(command).await,
        Command::Config(ConfigCommand::Check(arguments)) => config_check::run(&arguments, &layers),
        Command::Remote(command) => return remote::run(*command).await,
    };
    otel::finish().await;
    logging::finish();
    done.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

/// What is logged unless `RUST_LOG` says otherwise. A server and long migrations tell what they do;
/// the other commands print their result, and log only what went wrong on the way.
const fn usual_level(command: &Command) -> Level {
    match command {
        Command::Serve(_) | Command::Migrate(_) => Level::INFO,
        Command::Remote(_)
        | Command::Audit(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Tier(_)
        | Command::Config(_)
        | Command::Pepper(_) => Level::WARN,
    }
}

/// Prints what clap says of a line that is wrong or asks for help.
fn wrong_usage(error: anyhow::Error) -> ExitCode {
    match error.downcast::<clap::Error>() {
        Ok(usage) => latchkey_cli::print_usage(&usage),
        Err(error) => failed(&error),
    }
}

/// Prints an error with its causes, as one line. That a reader of standard output, such as `head`,
/// has seen enough is none: nothing else that can break here is an I/O error without a context.
fn failed(error: &anyhow::Error) -> ExitCode {
    let unread = error.downcast_ref::<io::Error>();
    if unread.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    let failed = latchkey_cli::print_error(&with_causes(error));
    if error.is::<tier::UnknownOrganization>() { NOT_FOUND.into() } else { failed }
}

/// The error and its causes, without those that the text before them ends with: many errors of
/// libraries have their cause in their own text.
fn with_causes(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.ends_with(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_says_each_cause_once() {
        let error = anyhow::Error::new(io::Error::other("refused"));
        let error = error.context("Connection Error: refused").context("can't use the database");
        let expected = "can't use the database: Connection Error: refused";
        assert_eq!(with_causes(&error), expected);
    }
}
