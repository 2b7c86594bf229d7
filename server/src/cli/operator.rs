//! Commands of an operator, on what is stored.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::tier::Tier;

use super::settings::{Settings, Storage};

/// Subcommands of `latchkey pepper`.
#[derive(Debug, Subcommand)]
pub enum PepperCommand {
    /// Print as JSON how many live keys stand under the pepper in use, and under those before, with
    /// or without --json. Live keys are those that aren't revoked. Servers can keep running.
    Status(StorageArguments),
    /// Revoke the live keys that stand under a pepper before. Servers can keep running.
    DropRetired(DropRetiredArguments),
}

/// Arguments of `latchkey pepper drop-retired`.
#[derive(Debug, Args)]
pub struct DropRetiredArguments {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// Revoke them. Without it, the command fails if there are any.
    #[arg(long)]
    pub force: bool,

    /// Where what is stored is.
    #[command(flatten)]
    pub storage: Storage,
}

/// Arguments of `latchkey backup`.
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// File to write.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,

    /// Replace the file if it exists.
    #[arg(long)]
    pub force: bool,

    /// Where what is stored is.
    #[command(flatten)]
    pub storage: Storage,
}

/// Arguments of `latchkey restore`.
#[derive(Args)]
pub struct RestoreArguments {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// Backup to read.
    pub file: PathBuf,

    /// Data folder to make. It must be empty or not exist.
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Data folder that was used after the backup was made. Keys that were revoked, deleted,
    /// disabled or rotated there are listed, and revoked or disabled again. It is only read.
    #[arg(long, value_name = "OLD_DIR")]
    pub since: Option<PathBuf>,

    /// Pepper of the backup's keys, with which the audit log says what `--since` has changed
    /// [default: the file in `OLD_DIR`].
    #[arg(long = "latchkey-pepper", env = "LATCHKEY_PEPPER", hide_env_values = true)]
    pub pepper: Option<String>,
}

/// The pepper is secret.
impl std::fmt::Debug for RestoreArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreArguments").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Subcommands of `latchkey tier`.
#[derive(Debug, Subcommand)]
pub enum TierCommand {
    /// Set the plan of an organization. Servers can keep running, and apply it within a second.
    Set(TierArguments),
}

/// Arguments of `latchkey tier set`.
#[derive(Debug, Args)]
pub struct TierArguments {
    /// ID of the organization, `org_…`.
    #[arg(value_name = "ORG")]
    pub organization: OrganizationId,

    /// The plan: free, pro, team or enterprise.
    #[arg(value_parser = parse_tier)]
    pub tier: Tier,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// Where what is stored is.
    #[command(flatten)]
    pub storage: Storage,
}

fn parse_tier(text: &str) -> Result<Tier, &'static str> {
    Tier::from_name(text).ok_or("use free, pro, team or enterprise")
}

/// Subcommands of `latchkey config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print each setting with its source, and what is unsafe. Fails if something is.
    Check(Box<ConfigCheck>),
}

/// Arguments of `latchkey config check`.
#[derive(Debug, Args)]
pub struct ConfigCheck {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// What the server would be started with.
    #[command(flatten)]
    pub settings: Settings,
}

/// Subcommands of `latchkey audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Verify the audit logs of all organizations and list events that were modified or removed.
    /// Fails if there are any. Servers can keep running.
    Verify(StorageArguments),
}

/// Arguments of a command on what is stored.
#[derive(Debug, Args)]
pub struct StorageArguments {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// Where what is stored is.
    #[command(flatten)]
    pub storage: Storage,
}
