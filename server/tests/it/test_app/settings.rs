//! The settings of a server in a test.

use std::net::SocketAddr;

use clap::Parser;
use github_stand_in::StandIn;
use latchkey_server::cli::{Cli, Command};
use latchkey_server::config::Config;
use tempfile::TempDir;

use super::LOCAL_CODE;

/// As on the command line; `arguments` take the place of what they name.
pub(super) fn config(
    address: SocketAddr,
    folder: &TempDir,
    github: &StandIn,
    database_url: &str,
    arguments: &[&str],
) -> Config {
    let settings = [
        ("latchkey-listen", address.to_string()),
        ("latchkey-data-dir", folder.path().display().to_string()),
        ("database-url", database_url.to_owned()),
        ("latchkey-github-client-id", github_stand_in::CLIENT_ID.to_owned()),
        ("latchkey-github-client-secret", github_stand_in::CLIENT_SECRET.to_owned()),
        ("latchkey-github-url", github.base_url.clone()),
        ("latchkey-github-api-url", github.api_url()),
        ("latchkey-admins", "root".to_owned()),
        ("latchkey-local-code", LOCAL_CODE.to_owned()),
        // The clock stands still, so that a test's every write is in one minute.
        ("latchkey-writes-per-minute", "1000000".to_owned()),
    ];
    let is_given = |name: &str| arguments.iter().any(|one| one.starts_with(&format!("--{name}=")));
    let settings = settings.into_iter().filter(|(name, _)| !is_given(name));
    let mut line = vec!["latchkey".to_owned(), "serve".to_owned()];
    line.extend(settings.map(|(name, value)| format!("--{name}={value}")));
    line.extend(arguments.iter().map(|&argument| argument.to_owned()));
    let Command::Serve(settings) = Cli::try_parse_from(line).unwrap().command() else {
        panic!("the line says serve");
    };
    Config::from_settings(*settings).unwrap()
}
