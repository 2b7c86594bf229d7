//! Verifies the chains, to find rows that were altered or removed.

use latchkey_domain::id::{AuditEventId, OrganizationId};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::chain::{self, GENESIS, Link};
use crate::services::StartError;
use latchkey_checker::digest::{ChainKey, Pepper};
use latchkey_checker::{chain_keys, check_pepper};
use latchkey_store::database::Database;
use latchkey_store::entity::{audit_event, audit_head};

/// Number of rows, and of chains, in memory at once.
const ROWS: u64 = 1_000;
/// Maximum number of findings per chain. A million removed rows need no million findings.
const FINDINGS: usize = 100;

/// Result for one organization's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// Organization that the log belongs to.
    pub organization: OrganizationId,
    /// Number of rows read.
    pub events: u64,
    /// The first hundred findings. Empty: the log is intact.
    pub findings: Vec<Finding>,
}

/// A fault in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A row differs from what was written.
    Altered {
        /// ID of the event that was modified.
        event: AuditEventId,
        /// Its sequence number, from 1.
        sequence: i64,
    },
    /// A range of rows is missing.
    Removed {
        /// Sequence number of the first missing row.
        first: i64,
        /// Sequence number of the last missing row.
        last: i64,
    },
    /// The record of the log's end is missing or was altered, although there are rows.
    HeadAltered,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Altered { event, sequence } => {
                write!(f, "event {event} (number {sequence}) was modified")
            }
            Self::Removed { first, last } if first == last => {
                write!(f, "event number {first} was removed")
            }
            Self::Removed { first, last } => {
                write!(f, "events number {first} to {last} were removed")
            }
            Self::HeadAltered => write!(f, "the record of the log's end was modified"),
        }
    }
}

/// Verifies every log and calls `report` for each. Rows added during the run are left out.
///
/// # Errors
/// The database fails, or its keys were digested with a different pepper, which would make every
/// row look altered. Rows from before the pepper was replaced need no pepper of that time.
pub async fn verify(
    database: &Database,
    pepper: &Pepper,
    mut report: impl FnMut(ChainReport),
) -> Result<(), StartError> {
    check_pepper(database, pepper).await?;
    let keys = chain_keys(database, pepper).await?;
    let mut after = None;
    loop {
        let mut query = audit_event::Entity::find()
            .select_only()
            .column(audit_event::Column::OrganizationId)
            .distinct()
            .order_by_asc(audit_event::Column::OrganizationId)
            .limit(ROWS);
        let mut heads = audit_head::Entity::find()
            .select_only()
            .column(audit_head::Column::OrganizationId)
            .order_by_asc(audit_head::Column::OrganizationId)
            .limit(ROWS);
        if let Some(after) = after {
            query = query.filter(audit_event::Column::OrganizationId.gt(after));
            heads = heads.filter(audit_head::Column::OrganizationId.gt(after));
        }
        // Rows or heads alone: either may have been removed.
        let reader = database.reader();
        let mut organizations: Vec<OrganizationId> = query.into_tuple().all(reader).await?;
        organizations.extend(heads.into_tuple::<OrganizationId>().all(reader).await?);
        organizations.sort_unstable();
        organizations.dedup();
        organizations.truncate(usize::try_from(ROWS).unwrap_or(usize::MAX));
        let Some(last) = organizations.last() else { return Ok(()) };
        after = Some(*last);
        for organization in organizations {
            report(verify_chain(database, &keys, organization).await?);
        }
    }
}

async fn verify_chain(
    database: &Database,
    keys: &[ChainKey],
    organization: OrganizationId,
) -> Result<ChainReport, DbErr> {
    let reader = database.reader();
    let head = audit_head::Entity::find_by_id(organization).one(reader).await?;
    let end = head.as_ref().map(|head| head.sequence);
    let mut verifier = ChainVerifier::new(keys);
    loop {
        let mut query = audit_event::Entity::find()
            .filter(audit_event::Column::OrganizationId.eq(organization))
            .filter(audit_event::Column::Sequence.gt(verifier.sequence))
            .order_by_asc(audit_event::Column::Sequence)
            .limit(ROWS);
        if let Some(end) = end {
            query = query.filter(audit_event::Column::Sequence.lte(end));
        }
        let rows = query.into_model::<Link>().all(reader).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            verifier.step(row);
        }
    }
    let mut findings = verifier.finish(head.as_ref());
    findings.truncate(FINDINGS);
    Ok(ChainReport { organization, events: verifier.events, findings })
}

/// State of the verification of one chain.
struct ChainVerifier<'a> {
    /// Of the pepper in use, and of those before.
    keys: &'a [ChainKey],
    sequence: i64,
    hash: Vec<u8>,
    events: u64,
    findings: Vec<Finding>,
}

impl<'a> ChainVerifier<'a> {
    fn new(keys: &'a [ChainKey]) -> Self {
        Self { keys, sequence: 0, hash: GENESIS.to_vec(), events: 0, findings: Vec::new() }
    }

    fn step(&mut self, row: &Link) {
        let expected = self.sequence + 1;
        if row.sequence > expected {
            // The predecessor's hash is gone, so this row can't be verified. The gap is reported
            // instead.
            self.find(Finding::Removed { first: expected, last: row.sequence - 1 });
        } else if !self.is_genuine(row) {
            self.find(Finding::Altered { event: row.id.into(), sequence: row.sequence });
        }
        self.sequence = row.sequence;
        // Continues from the stored hash, so that one altered row does not make its successors look
        // altered.
        self.hash.clone_from(&row.hash);
        self.events += 1;
    }

    fn is_genuine(&self, row: &Link) -> bool {
        self.keys.iter().any(|key| row.hash == chain::hash(key, &self.hash, row))
    }

    fn finish(&mut self, head: Option<&audit_head::Model>) -> Vec<Finding> {
        match head {
            Some(head) if head.sequence > self.sequence => {
                self.find(Finding::Removed { first: self.sequence + 1, last: head.sequence });
            }
            Some(head) if head.hash != self.hash => self.find(Finding::HeadAltered),
            Some(_) => {}
            None => self.find(Finding::HeadAltered),
        }
        std::mem::take(&mut self.findings)
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS {
            self.findings.push(finding);
        }
    }
}
