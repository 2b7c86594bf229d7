//! Export of the log as CSV (RFC 4180), read and sent a few rows at a time.
//!
//! An export lasts as long as its client reads, and the client may be removed or sign out
//! meanwhile. Permission is therefore checked again before each chunk, and a client that reads too
//! slowly is cut off.

use std::borrow::Cow;

use latchkey_domain::api::{AuditEvent, AuditFilter};
use latchkey_domain::id::{AuditEventId, OrganizationId};
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::QuerySelect;

use super::list::{Filter, to_event};
use crate::accounts;
use crate::actor::Actor;
use crate::client_wait::ClientWait;
use crate::csv_lines::csv_lines;
use crate::error::Error;
use crate::scope;
use crate::services::Services;

/// Rows per chunk in memory.
const ROWS: u64 = 500;
const COLUMNS: [&str; 11] = [
    "id",
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "action",
    "target_kind",
    "target_id",
    "target_name",
    "ip",
    "changes",
];

/// An export in progress.
pub struct CsvExport {
    services: Services,
    actor: Actor,
    organization: OrganizationId,
    filter: Filter,
    after: Option<(Timestamp, AuditEventId)>,
    state: ExportState,
    wait: ClientWait,
}

enum ExportState {
    Header,
    Rows,
    Done,
}

/// Starts an export of the rows that match a filter, newest first.
///
/// # Errors
/// `NotFound` if the actor is not a member, `Forbidden` for viewers and members.
pub async fn export(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    filter: &AuditFilter,
) -> Result<CsvExport, Error> {
    scope::organization(services, actor, organization, Permission::AuditRead).await?;
    let filter = Filter::resolve(services, filter).await?;
    Ok(CsvExport {
        services: services.clone(),
        actor: actor.clone(),
        organization,
        filter,
        after: None,
        state: ExportState::Header,
        wait: ClientWait::start(services),
    })
}

impl CsvExport {
    /// The next chunk of text; `None` at the end.
    ///
    /// # Errors
    /// As [`export`] if the actor has lost access to the log; `Unauthenticated` if they have signed
    /// out; `Conflict` if the client reads too slowly; the database fails.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        self.wait.end(&self.services)?;
        let part = self.part().await;
        self.wait.start_next(&self.services);
        part
    }

    async fn part(&mut self) -> Result<Option<String>, Error> {
        match self.state {
            ExportState::Header => {
                self.state = ExportState::Rows;
                Ok(Some(csv_lines([COLUMNS.map(Cow::from)])))
            }
            ExportState::Rows => {
                let Self { services, actor, organization, .. } = self;
                accounts::confirm(services, actor).await?;
                let permission = Permission::AuditRead;
                let scope = scope::organization(services, actor, *organization, permission).await?;
                let query = self.filter.select(&scope, self.after).limit(ROWS);
                let rows = query.all(self.services.database.reader()).await?;
                let Some(last) = rows.last() else {
                    self.state = ExportState::Done;
                    return Ok(None);
                };
                self.after = Some((last.at, last.id));
                let events = rows.into_iter().map(to_event).collect::<Result<Vec<_>, _>>()?;
                Ok(Some(csv_lines(events.iter().map(cells))))
            }
            ExportState::Done => Ok(None),
        }
    }
}

fn cells(event: &AuditEvent) -> [Cow<'_, str>; COLUMNS.len()] {
    let changes = if event.changes.is_empty() {
        String::new()
    } else {
        serde_json::to_string(&event.changes).unwrap_or_default()
    };
    [
        event.id.to_string().into(),
        event.at.to_string().into(),
        event.actor.kind.as_str().into(),
        event.actor.id.as_deref().unwrap_or_default().into(),
        event.actor.name.as_str().into(),
        event.action.as_str().into(),
        event.target.kind.as_str().into(),
        event.target.id.as_str().into(),
        event.target.name.as_str().into(),
        event.ip.as_deref().unwrap_or_default().into(),
        changes.into(),
    ]
}
