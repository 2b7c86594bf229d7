//! `latchkey audit`: verification of audit logs.

use std::io::Write;

use anyhow::{Context, bail};
use latchkey_services::{Database, audit};

use crate::cli::{Audit, Storage};
use crate::config;

/// Does what the command says.
///
/// # Errors
/// The database can't be read, or rows were altered or removed.
pub async fn run(command: Audit) -> anyhow::Result<()> {
    match command {
        Audit::Verify(storage) => verify(&storage).await,
    }
}

async fn verify(storage: &Storage) -> anyhow::Result<()> {
    let pepper = config::existing_pepper(storage)?;
    let database = Database::open(&storage.database_url())
        .await
        .context("can't use the database (DATABASE_URL)")?;
    let mut out = std::io::stdout().lock();
    let (mut chains, mut events, mut broken) = (0_u64, 0_u64, 0_u64);
    let mut written = Ok(());
    audit::verify(&database, &pepper, |report| {
        chains += 1;
        events += report.events;
        broken += u64::from(!report.findings.is_empty());
        for finding in &report.findings {
            let line = writeln!(out, "{}: {finding}", report.organization);
            written = std::mem::replace(&mut written, Ok(())).and(line);
        }
    })
    .await?;
    // Whether or not somebody read all of the findings.
    if broken > 0 {
        bail!("{broken} of {chains} audit logs were modified");
    }
    written?;
    writeln!(
        out,
        "{events} events in {chains} audit logs verified; none were modified or removed"
    )?;
    Ok(())
}
