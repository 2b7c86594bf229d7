//! The command line of the commands that talk to a server. Flags are named as the API's fields.

mod budget;
mod keys;
mod remote;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use latchkey_domain::id::{ApplicationId, OrganizationId, ProjectId};
use latchkey_domain::import::Preset;
use latchkey_domain::role::Role;
use serde::Serialize;

pub(crate) use keys::{CreateKey, KeyUsage, KeysCommand, ListKeys, RotateKey, SomeKeys};
pub(crate) use remote::{Paging, Remote};

/// The commands that talk to a running server, and those that describe the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List, show, create, revoke, disable, enable and rotate keys, and show their usage.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List and create projects.
    #[command(subcommand)]
    Projects(ProjectsCommand),
    /// List, invite and remove members of an organization.
    #[command(subcommand)]
    Members(MembersCommand),
    /// Import keys of another system. All rows are imported, or none.
    Import(Import),
    /// Export all keys of a project as JSON lines, with what is stored of them, never a secret.
    Export(Export),
    /// Check a key and print the outcome. Exits with 0 if it is valid, 4 if it is refused, 5 if a
    /// limit is reached and 6 if it can't be checked.
    Check(Check),
    /// Print completions for a shell.
    Completions(Completions),
    /// Print a manual page, or write all of them to a directory.
    Man(Man),
}

/// Subcommands of `latchkey projects`.
#[derive(Debug, Subcommand)]
pub enum ProjectsCommand {
    /// List the projects of an organization.
    List(ListProjects),
    /// Create a project.
    Create(CreateProject),
}

/// Arguments of `latchkey projects list`.
#[derive(Debug, Args)]
pub struct ListProjects {
    /// ID of the organization.
    #[arg(long, value_name = "ORGANIZATION")]
    pub(crate) organization: OrganizationId,
    #[command(flatten)]
    pub(crate) paging: Paging,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Arguments of `latchkey projects create`.
#[derive(Debug, Args, Serialize)]
pub struct CreateProject {
    /// ID of the organization.
    #[arg(long, value_name = "ORGANIZATION")]
    #[serde(skip)]
    pub(crate) organization: OrganizationId,
    /// Name of the project.
    #[arg(long)]
    pub(crate) name: String,
    /// Prefix of the project's keys [default: lk].
    #[arg(long, value_name = "PREFIX")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_prefix: Option<String>,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) remote: Remote,
}

/// Subcommands of `latchkey members`.
#[derive(Debug, Subcommand)]
pub enum MembersCommand {
    /// List members and invitations.
    List(ListMembers),
    /// Invite a user by their GitHub login.
    Invite(InviteMember),
    /// Remove a member, or take an invitation back.
    Remove(RemoveMember),
}

/// Arguments of `latchkey members list`.
#[derive(Debug, Args)]
pub struct ListMembers {
    /// ID of the organization.
    #[arg(long, value_name = "ORGANIZATION")]
    pub(crate) organization: OrganizationId,
    #[command(flatten)]
    pub(crate) paging: Paging,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Arguments of `latchkey members invite`.
#[derive(Debug, Args, Serialize)]
pub struct InviteMember {
    /// ID of the organization.
    #[arg(long, value_name = "ORGANIZATION")]
    #[serde(skip)]
    pub(crate) organization: OrganizationId,
    /// GitHub login of the user.
    pub(crate) login: String,
    /// Role that the user gets.
    #[arg(long, value_parser = PossibleValuesParser::new(Role::ALL.map(Role::as_str)))]
    pub(crate) role: String,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) remote: Remote,
}

/// Arguments of `latchkey members remove`.
#[derive(Debug, Args)]
pub struct RemoveMember {
    /// ID of the organization.
    #[arg(long, value_name = "ORGANIZATION")]
    pub(crate) organization: OrganizationId,
    /// ID or GitHub login of the member, or the login that was invited.
    #[arg(value_name = "USER|LOGIN")]
    pub(crate) member: String,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Arguments of `latchkey import`.
#[derive(Debug, Args)]
pub struct Import {
    /// File with a row for each key, or `-` for standard input.
    #[arg(value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// ID of the project.
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: ProjectId,
    /// Other system whose own rows the file has.
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "scheme",
        value_parser = PossibleValuesParser::new(Preset::ALL.map(Preset::as_str))
    )]
    pub(crate) preset: Option<String>,
    /// What was digested in rows that do not say so themselves, e.g. `sha256-hex`.
    #[arg(long, value_name = "NAME")]
    pub(crate) scheme: Option<String>,
    /// Check everything, but import nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// File with the secret of HMACs. A newline at its end does not count.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) secret_file: Option<PathBuf>,
    /// Format of the file [default: by its name; of standard input ndjson].
    #[arg(long, value_enum)]
    pub(crate) format: Option<ImportFormat>,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Format of a file with keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// A header and comma-separated rows.
    Csv,
    /// A JSON object on each line.
    Ndjson,
}

/// Arguments of `latchkey export`.
#[derive(Debug, Args)]
pub struct Export {
    /// ID of the project.
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: ProjectId,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Arguments of `latchkey check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The key, or `-` to read it from standard input, where other users of the machine don't see
    /// it.
    #[arg(value_name = "KEY|-")]
    pub(crate) key: PresentedKey,
    /// ID of the application that the key is used for.
    #[arg(long, value_name = "APPLICATION")]
    pub(crate) application_id: Option<ApplicationId>,
    /// Model that the key is used for.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Number of tokens to deduct.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) cost: Option<u64>,
    /// IP address of the end user.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<std::net::IpAddr>,
    /// Scope that the key has to have. Repeat it for several.
    #[arg(long = "scope", alias = "scopes", value_name = "SCOPE", value_delimiter = ',')]
    pub(crate) scopes: Vec<String>,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// A key on the command line. Its `Debug` output is redacted.
#[derive(Clone)]
pub(crate) struct PresentedKey(String);

impl PresentedKey {
    /// The plaintext, which must not be printed.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for PresentedKey {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for PresentedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PresentedKey(…)")
    }
}

/// Arguments of `latchkey completions`.
#[derive(Debug, Clone, Copy, Args)]
pub struct Completions {
    /// Shell to complete in.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// A shell that completions are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// Source it in `~/.bashrc`.
    Bash,
    /// Save it as `_latchkey` in a folder of `$fpath`.
    Zsh,
    /// Save it in `~/.config/fish/completions`.
    Fish,
}

/// Arguments of `latchkey man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Command to print the page of, e.g. `keys create` [default: latchkey itself].
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Write the pages of all commands to this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "command", value_hint = ValueHint::DirPath)]
    pub(crate) to: Option<PathBuf>,
}
