//! `latchkey migrate`: the schema of this version, without a server.

use std::io::Write;

use anyhow::Context;
use latchkey_services::Database;
use serde_json::json;

use crate::cli::StorageArguments;
use crate::config::{self, private_files};

/// Migrates the database and prints the names of the migrations that it had not had.
///
/// # Errors
/// The database can't be opened or created, has the schema of a later version, or a migration
/// fails.
pub async fn run(arguments: &StorageArguments) -> anyhow::Result<()> {
    let StorageArguments { json, storage } = arguments;
    private_files::keep_new_files_private();
    let url = storage.database_url();
    private_files::prepare(&storage.data_dir, &url)?;
    let migrations = Database::upgrade(&config::trusting_system(url))
        .await
        .context("can't migrate the database (DATABASE_URL)")?;
    let mut out = std::io::stdout().lock();
    if *json {
        writeln!(out, "{}", json!({ "migrations": migrations }))?;
        return Ok(());
    }
    for name in &migrations {
        writeln!(out, "{name}")?;
    }
    match migrations.len() {
        0 => writeln!(out, "The schema is up to date")?,
        count => writeln!(out, "{count} migrations ran; the schema is up to date")?,
    }
    Ok(())
}
