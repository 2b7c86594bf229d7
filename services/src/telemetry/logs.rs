//! Logs: lines that applications wrote.

use latchkey_domain::api::{Accepted, IngestedLog, LogEntry, Page};
use latchkey_domain::id::{ApplicationId, LogItemId};
use latchkey_domain::problem::FieldError;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::limits::{Faults, check_batch, storable};
use super::purge::kept;
use super::{Source, insert_all};
use crate::actor::Actor;
use crate::entity::log;
use crate::error::Error;
use crate::page::{PageRequest, time_cursor};
use crate::scope;
use crate::services::Services;

/// Stores a batch of logs: all of them or none.
///
/// # Errors
/// `Invalid` names the items that are over a limit.
pub async fn ingest_logs(
    services: &Services,
    source: &Source,
    entries: Vec<LogEntry>,
) -> Result<Accepted, Error> {
    check_batch("logs", &entries, check_log)?;
    let rows =
        (0..).zip(entries).map(|(index, entry)| to_row(services, source, index, entry)).collect();
    insert_all(services, rows).await
}

/// What of a log is over a limit, by the names of the SDK's form; nothing if it can be stored.
pub fn check_log(entry: &LogEntry) -> Vec<FieldError> {
    let mut faults = Faults::default();
    faults.text("traceId", entry.trace_id.as_deref().unwrap_or_default(), 128);
    faults.text("level", &entry.level, 32);
    faults.text("type", &entry.kind, 128);
    faults.into_errors()
}

fn to_row(services: &Services, source: &Source, index: u16, entry: LogEntry) -> log::ActiveModel {
    let now = services.clock.now();
    log::ActiveModel {
        id: Set(LogItemId::in_batch(now, index, services.random.bytes()).as_uuid()),
        application_id: Set(source.application.as_uuid()),
        key_id: Set(source.key.id.as_uuid()),
        environment: Set(source.key.environment.as_str().to_owned()),
        timestamp: Set(entry.timestamp.as_millis()),
        received_at: Set(now.as_millis()),
        trace_id: Set(entry.trace_id.map(storable)),
        level: Set(storable(entry.level)),
        kind: Set(storable(entry.kind)),
        message: Set(storable(entry.message)),
        client_timestamp: Set(entry.client_timestamp.map(Timestamp::as_millis)),
    }
}

/// The logs of one application, newest first by their own time.
///
/// # Errors
/// `NotFound` for a stranger, `Invalid` for a foreign cursor.
pub async fn list_logs(
    services: &Services,
    actor: &Actor,
    application: ApplicationId,
    page: PageRequest,
) -> Result<Page<IngestedLog>, Error> {
    let scope = scope::application(services, actor, application, Permission::Read).await?;
    let mut query = log::Entity::find()
        .filter(log::Column::ApplicationId.eq(scope.id().as_uuid()))
        .filter(kept::<log::Entity>(services.clock.now()))
        .order_by_desc(log::Column::Timestamp)
        .order_by_desc(log::Column::Id)
        .limit(page.rows());
    if let Some((time, id)) = page.after_time()? {
        let row = Expr::tuple([Expr::col(log::Column::Timestamp), Expr::col(log::Column::Id)]);
        query = query.filter(row.lt(Expr::tuple([Expr::val(time), Expr::val(id)])));
    }
    let rows = query.all(services.database.reader()).await?;
    let rows = page.page(rows, |last| time_cursor(last.timestamp, last.id));
    let data = rows.data.into_iter().map(from_row).collect::<Result<_, _>>()?;
    Ok(Page { data, next_cursor: rows.next_cursor })
}

fn from_row(row: log::Model) -> Result<IngestedLog, Error> {
    Ok(IngestedLog {
        id: row.id.into(),
        key_id: row.key_id.into(),
        environment: crate::keys::row::environment_of(&row.environment)?,
        received_at: Timestamp::from_millis(row.received_at),
        entry: LogEntry {
            trace_id: row.trace_id,
            level: row.level,
            kind: row.kind,
            message: row.message,
            timestamp: Timestamp::from_millis(row.timestamp),
            client_timestamp: row.client_timestamp.map(Timestamp::from_millis),
        },
    })
}
