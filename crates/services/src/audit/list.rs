//! Lists the log.

use latchkey_domain::api::{AuditActor, AuditEvent, AuditFilter, AuditTarget, Page};
use latchkey_domain::audit::AuditAction;
use latchkey_domain::id::{AuditEventId, KeyId, OrganizationId, UserId};
use latchkey_domain::query::QueryText;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::actor::Actor;
use crate::error::Error;
use crate::page::{PageRequest, time_cursor};
use crate::scope::{self, OrganizationScope};
use crate::services::Services;
use latchkey_store::entity::{audit_event, user};

/// The log of an organization, newest first.
///
/// # Errors
/// `NotFound` if the actor is not a member, `Forbidden` for viewers and members, `Invalid` for a
/// malformed cursor.
pub async fn list(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    filter: &AuditFilter,
    page: PageRequest,
) -> Result<Page<AuditEvent>, Error> {
    let scope = scope::organization(services, actor, organization, Permission::AuditRead).await?;
    let after = page.after_time()?;
    let filter = Filter::resolve(services, filter).await?;
    let rows =
        filter.select(&scope, after).limit(page.rows()).all(services.database.reader()).await?;
    let rows = page.page(rows, |last| time_cursor(last.at, last.id));
    let data = rows.data.into_iter().map(to_event).collect::<Result<_, _>>()?;
    Ok(Page { data, next_cursor: rows.next_cursor })
}

/// A filter with its login resolved to an id.
pub(super) struct Filter {
    actor: Option<ActorFilter>,
    action: Option<AuditAction>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// Condition on the actor of an event.
enum ActorFilter {
    Id(String),
    System,
    /// A login that no user has.
    Nobody,
}

impl Filter {
    pub(super) async fn resolve(services: &Services, filter: &AuditFilter) -> Result<Self, Error> {
        let actor = match filter.actor.as_ref().map(QueryText::as_str) {
            None => None,
            Some("system") => Some(ActorFilter::System),
            Some(id) if id.parse::<UserId>().is_ok() || id.parse::<KeyId>().is_ok() => {
                Some(ActorFilter::Id(id.to_owned()))
            }
            Some(login) => Some(of_login(services, login).await?),
        };
        Ok(Self { actor, action: filter.action, from: filter.from, to: filter.to })
    }

    /// Selects the matching rows after a cursor, newest first.
    pub(super) fn select(
        &self,
        scope: &OrganizationScope,
        after: Option<(Timestamp, AuditEventId)>,
    ) -> Select<audit_event::Entity> {
        use audit_event::Column;
        let mut query = audit_event::Entity::find()
            .filter(Column::OrganizationId.eq(scope.id()))
            .order_by_desc(Column::At)
            .order_by_desc(Column::Id);
        match &self.actor {
            Some(ActorFilter::Id(id)) => query = query.filter(Column::ActorId.eq(id)),
            Some(ActorFilter::System) => query = query.filter(Column::ActorId.is_null()),
            Some(ActorFilter::Nobody) => query = query.filter(Expr::value(1).eq(0)),
            None => {}
        }
        if let Some(action) = self.action {
            query = query.filter(Column::Action.eq(action));
        }
        if let Some(from) = self.from {
            query = query.filter(Column::At.gte(from));
        }
        if let Some(to) = self.to {
            query = query.filter(Column::At.lt(to));
        }
        if let Some((at, id)) = after {
            // Redundant, but it lets the database seek to the right place in the index.
            query = query.filter(Column::At.lte(at)).filter(
                Condition::any()
                    .add(Column::At.lt(at))
                    .add(Condition::all().add(Column::At.eq(at)).add(Column::Id.lt(id))),
            );
        }
        query
    }
}

async fn of_login(services: &Services, login: &str) -> Result<ActorFilter, Error> {
    let login = login.trim_start_matches('@').to_ascii_lowercase();
    let same = Expr::expr(Func::lower(Expr::col(user::Column::Login))).eq(login);
    let found = user::Entity::find().filter(same).one(services.database.reader()).await?;
    Ok(found.map_or(ActorFilter::Nobody, |user| ActorFilter::Id(user.id.to_string())))
}

/// Converts a row to its API form.
///
/// # Errors
/// `Corrupt`.
pub(super) fn to_event(row: audit_event::Model) -> Result<AuditEvent, Error> {
    Ok(AuditEvent {
        id: row.id,
        at: row.at,
        actor: AuditActor { kind: row.actor_kind, id: row.actor_id, name: row.actor_name },
        action: row.action,
        target: AuditTarget { kind: row.target_kind, id: row.target_id, name: row.target_name },
        ip: row.ip,
        changes: serde_json::from_str(&row.changes).map_err(|_| Error::corrupt("changes"))?,
    })
}

#[cfg(test)]
mod tests;
