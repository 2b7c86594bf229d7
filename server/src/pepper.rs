//! `latchkey pepper`: follows the replacement of a pepper.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, bail};
use latchkey_services::Database;
use latchkey_services::operator::{DropRetired, Operator, drop_retired, pepper_counts};
use serde_json::json;

use crate::cli::{DropRetiredArguments, PepperCommand, Storage, StorageArguments};
use crate::config;
use crate::system::{SystemClock, SystemRandom};

/// Does what the command says.
///
/// # Errors
/// The database can't be used or has another pepper, or keys are left that may not be revoked.
pub async fn run(command: PepperCommand) -> anyhow::Result<()> {
    match command {
        // It prints JSON in any case.
        PepperCommand::Status(StorageArguments { json: _, storage }) => status(&storage).await,
        PepperCommand::DropRetired(arguments) => drop_left(arguments).await,
    }
}

async fn operator(storage: &Storage) -> anyhow::Result<(Operator, Database)> {
    let pepper = config::existing_pepper(storage)?;
    let database = Database::open(&config::trusting_system(storage.database_url()))
        .await
        .context("can't use the database (DATABASE_URL)")?;
    let (clock, random) = (Arc::new(SystemClock::start()), Arc::new(SystemRandom));
    let command = "latchkey pepper drop-retired";
    let operator = Operator::new(database.clone(), pepper, clock, random, command).await?;
    Ok((operator, database))
}

async fn status(storage: &Storage) -> anyhow::Result<()> {
    let (operator, database) = operator(storage).await?;
    let counts = pepper_counts(&operator).await;
    database.close().await?;
    let counts = counts?;
    let counts = json!({ "current": counts.current, "retired": counts.retired });
    writeln!(std::io::stdout().lock(), "{counts}")?;
    Ok(())
}

async fn drop_left(arguments: DropRetiredArguments) -> anyhow::Result<()> {
    let DropRetiredArguments { json, force, storage } = arguments;
    let (operator, database) = operator(&storage).await?;
    let left = pepper_counts(&operator).await?.retired;
    let dropped = match left {
        0 => DropRetired::Revoked(0),
        _ if force => drop_retired(&operator).await?,
        left => {
            database.close().await?;
            bail!(
                "{left} live keys stand under a pepper before this one. Wait until they are used, \
                 or revoke them with --force"
            );
        }
    };
    database.close().await?;
    let mut out = std::io::stdout().lock();
    match dropped {
        DropRetired::Revoked(count) if json => writeln!(out, "{}", json!({ "revoked": count }))?,
        DropRetired::Revoked(count) => {
            writeln!(out, "{count} keys revoked; LATCHKEY_PEPPER_RETIRED can be unset")?;
        }
        DropRetired::NotReplaced => bail!(
            "keys have not begun to move to LATCHKEY_PEPPER: every running node needs it, with \
             LATCHKEY_PEPPER_RETIRED beside it"
        ),
    }
    Ok(())
}
