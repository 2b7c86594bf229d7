//! The command line. Every setting is a flag and an environment variable of the same name.

mod operator;
mod settings;

use clap::{Parser, Subcommand};

pub use self::operator::{
    Audit, BackupArguments, ConfigCheck, ConfigCommand, DropRetiredArguments, PepperCommand,
    RestoreArguments, StorageArguments, TierArguments, TierCommand,
};
pub(crate) use self::settings::set;
pub use self::settings::{CargoLeptos, Settings, SignupSetting, Storage};

/// Issue, limit, meter, rotate and revoke API keys, and check them at memory speed. Without a
/// command, `latchkey` runs the server with settings from the environment.
#[derive(Debug, Parser)]
#[command(name = "latchkey", version, args_override_self = true)]
pub struct Cli {
    /// Subcommand, if one was given.
    #[command(subcommand)]
    command: Option<Command>,
}

impl Cli {
    /// The subcommand; `serve` if there is none, which is also how `cargo leptos watch` starts the
    /// server.
    pub fn command(self) -> Command {
        self.command
            .unwrap_or_else(|| Command::Serve(Box::new(Serve::parse_from(["latchkey"]).settings)))
    }
}

#[derive(Debug, Parser)]
struct Serve {
    #[command(flatten)]
    settings: Settings,
}

/// The subcommands of `latchkey`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server: the dashboard, the API, the gateway and the ingest endpoints.
    Serve(Box<Settings>),
    /// Commands that talk to a running server.
    #[command(flatten)]
    Remote(Box<latchkey_cli::Command>),
    /// Check the integrity of audit logs.
    #[command(subcommand)]
    Audit(Audit),
    /// Copy a running SQLite database, telemetry included, to one file. PostgreSQL has its own
    /// tools, such as `pg_dump`.
    Backup(BackupArguments),
    /// Make a data folder from a backup.
    Restore(RestoreArguments),
    /// Bring the database to the schema of this version, as each start of the server does.
    Migrate(StorageArguments),
    /// Change plans of organizations.
    #[command(subcommand)]
    Tier(TierCommand),
    /// Look at the settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Follow the replacement of the pepper.
    #[command(subcommand)]
    Pepper(PepperCommand),
}
