//! `latchkey audit`: verification of audit logs.

use std::io::{self, Write};

use anyhow::{Context, bail};
use latchkey_domain::id::OrganizationId;
use latchkey_services::audit::Finding;
use latchkey_services::{Database, audit};
use serde_json::{Value, json};

use crate::cli::{Audit, StorageArguments};
use crate::config;

/// Does what the command says.
///
/// # Errors
/// The database can't be read, or rows were altered or removed.
pub async fn run(command: Audit) -> anyhow::Result<()> {
    match command {
        Audit::Verify(arguments) => verify(&arguments).await,
    }
}

/// What was read so far.
#[derive(Default)]
struct Verified {
    chains: u64,
    events: u64,
    broken: u64,
}

async fn verify(arguments: &StorageArguments) -> anyhow::Result<()> {
    let StorageArguments { json, storage } = arguments;
    let pepper = config::existing_pepper(storage)?;
    let database = Database::open(&storage.database_url())
        .await
        .context("can't use the database (DATABASE_URL)")?;
    let mut out = io::stdout().lock();
    let mut all = Verified::default();
    let mut written = Ok(());
    audit::verify(&database, &pepper, |report| {
        all.chains += 1;
        all.events += report.events;
        all.broken += u64::from(!report.findings.is_empty());
        for finding in &report.findings {
            let line = if *json {
                writeln!(out, "{}", to_json(report.organization, finding))
            } else {
                writeln!(out, "{}: {finding}", report.organization)
            };
            written = std::mem::replace(&mut written, Ok(())).and(line);
        }
    })
    .await?;
    let Verified { chains, events, broken } = all;
    if *json {
        let totals = json!({ "logs": chains, "events": events, "modified_logs": broken });
        written = written.and_then(|()| writeln!(out, "{totals}"));
    }
    // Whether or not somebody read all of the findings.
    if broken > 0 {
        bail!("{broken} of {chains} audit logs were modified");
    }
    written?;
    if !*json {
        writeln!(
            out,
            "{events} events in {chains} audit logs verified; none were modified or removed"
        )?;
    }
    Ok(())
}

/// A finding as an object of a line.
fn to_json(organization: OrganizationId, finding: &Finding) -> Value {
    match finding {
        Finding::Altered { event, sequence } => json!({
            "organization_id": organization,
            "finding": "event_modified",
            "event_id": event,
            "first": sequence,
            "last": sequence,
        }),
        Finding::Removed { first, last } => json!({
            "organization_id": organization,
            "finding": "events_removed",
            "first": first,
            "last": last,
        }),
        Finding::HeadAltered => json!({
            "organization_id": organization,
            "finding": "end_modified",
        }),
    }
}
