//! `latchkey`: the command line. The implementation is in the library, where tests reach it.

use latchkey_server::cli::{Command, ConfigCommand};
use latchkey_server::invocation::Invocation;
use latchkey_server::{audit, backup, config_check, logging, migrate, restore, serve, tier};

/// Quicker than the system's for many small pieces on many threads, which is what requests are made
/// of.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    logging::start();
    let read = Invocation::read(std::env::args_os());
    let Invocation { command, layers } = read.map_err(exit_on_wrong_usage)?;
    match command {
        Command::Serve(settings) => serve::serve(*settings).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Backup(arguments) => backup::run(arguments).await,
        Command::Restore(arguments) => restore::run(arguments).await,
        Command::Migrate(storage) => migrate::run(&storage).await,
        Command::Tier(command) => tier::run(command).await,
        Command::Config(ConfigCommand::Check(arguments)) => config_check::run(&arguments, &layers),
    }
}

/// Ends the process as clap does if the line is wrong or asks for help.
fn exit_on_wrong_usage(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<clap::Error>() {
        Ok(usage) => usage.exit(),
        Err(error) => error,
    }
}
