//! `latchkey tier`: plans of organizations, set on the database.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use latchkey_services::operator::{self, Operator, TierChange};
use latchkey_services::{Database, Error};
use serde_json::json;

use crate::cli::{TierArguments, TierCommand};
use crate::config;
use crate::system::{SystemClock, SystemRandom};

/// Why the tier of an organization was not set.
#[derive(Debug, thiserror::Error)]
#[error("there is no organization {0}")]
pub struct UnknownOrganization(String);

/// Does what the command says.
///
/// # Errors
/// [`UnknownOrganization`]; otherwise the database can't be used, or has another pepper.
pub async fn run(command: TierCommand) -> anyhow::Result<()> {
    let TierCommand::Set(TierArguments { organization, tier, json, storage }) = command;
    let pepper = config::existing_pepper(&storage)?;
    let database = Database::open(&config::trusting_system(storage.database_url()))
        .await
        .context("can't use the database (DATABASE_URL)")?;
    let (clock, random) = (Arc::new(SystemClock::start()), Arc::new(SystemRandom));
    let command = "latchkey tier set";
    let operator = Operator::new(database.clone(), pepper, clock, random, command).await?;
    let changed = operator::set_tier(&operator, organization, tier).await;
    database.close().await?;
    let TierChange { organization: name, before, after } = match changed {
        Err(Error::NotFound) => return Err(UnknownOrganization(organization.to_string()).into()),
        changed => changed?,
    };
    let (before, after) = (before.as_str(), after.as_str());
    let mut out = std::io::stdout().lock();
    if json {
        let body = json!({
            "organization_id": organization, "name": name, "before": before, "after": after,
        });
        writeln!(out, "{body}")?;
    } else {
        writeln!(out, "{organization} ({name}): {before} -> {after}")?;
    }
    Ok(())
}
