//! Lists and finds keys. Only the hint of a secret is shown.

use latchkey_domain::api::{KeyFilter, KeySort, ListedKey, Page};
use latchkey_domain::id::{ApplicationId, KeyId, ProjectId};
use latchkey_domain::key::KeyStatus;
use latchkey_domain::query::folded;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::attributes::with_attributes;
use super::find;
use super::listed::{all_listed, listed};
use crate::actor::Actor;
use crate::error::Error;
use crate::page::{PageRequest, time_cursor};
use crate::scope::{self, KeyRef, ProjectScope};
use crate::services::Services;
use latchkey_store::entity::{key, key_tag};

/// One key.
///
/// # Errors
/// `NotFound` if the actor has no access.
pub async fn get(
    services: &Services,
    actor: &Actor,
    key: impl Into<KeyRef>,
) -> Result<ListedKey, Error> {
    let key = key.into();
    let scope = scope::project_of_key(services, actor, key, Permission::KeysRead).await?;
    let row = find(services.database.reader(), &scope, key.id).await?;
    listed(services, row, services.clock.now()).await
}

/// The keys of an application, newest first, revoked ones included.
///
/// # Errors
/// `NotFound` if the actor has no access, `Invalid` for a malformed cursor.
pub async fn list_of_application(
    services: &Services,
    actor: &Actor,
    application: ApplicationId,
    page: PageRequest,
) -> Result<Page<ListedKey>, Error> {
    let scope = scope::application(services, actor, application, Permission::KeysRead).await?;
    let filter = KeyFilter { application_id: Some(scope.id()), ..KeyFilter::default() };
    in_scope(services, scope.project(), &filter, page).await
}

/// The keys of a project that match a filter.
///
/// # Errors
/// `NotFound` if the actor has no access, `Invalid` for a malformed cursor.
pub async fn list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &KeyFilter,
    page: PageRequest,
) -> Result<Page<ListedKey>, Error> {
    let scope = scope::project(services, actor, project, Permission::KeysRead).await?;
    in_scope(services, &scope, filter, page).await
}

async fn in_scope(
    services: &Services,
    scope: &ProjectScope,
    filter: &KeyFilter,
    page: PageRequest,
) -> Result<Page<ListedKey>, Error> {
    let now = services.clock.now();
    let query = ordered(filtered(scope, filter, now), filter, &page)?;
    let rows = query.limit(page.rows()).all(services.database.reader()).await?;
    let rows = page.page(rows, |last| match filter.sort {
        KeySort::Created => time_cursor(last.created_at, last.id),
        KeySort::LastUsed => time_cursor(last.last_used_at.unwrap_or(Timestamp::EPOCH), last.id),
    });
    let data = all_listed(services, rows.data, now).await?;
    Ok(Page { data, next_cursor: rows.next_cursor })
}

fn filtered(scope: &ProjectScope, filter: &KeyFilter, now: Timestamp) -> Select<key::Entity> {
    let mut wanted = Condition::all()
        .add(key::Column::ProjectId.eq(scope.id()))
        .add_option(filter.kind.map(|kind| key::Column::Kind.eq(kind)))
        .add_option(filter.environment.map(|one| key::Column::Environment.eq(one)))
        .add_option(filter.application_id.map(|id| key::Column::ApplicationId.eq(id)))
        .add_option(filter.status.map(|status| has_status(status, now)))
        .add_option(filter.q.as_ref().and_then(|q| contains(q.as_str())));
    if !filter.archived {
        wanted = wanted.add(key::Column::ArchivedAt.is_null());
    }
    let query = key::Entity::find().filter(wanted);
    with_attributes(query, scope, filter.external_id.as_ref(), filter.tag.as_ref())
}

fn has_status(status: KeyStatus, now: Timestamp) -> Condition {
    let living = Condition::all().add(key::Column::RevokedAt.is_null());
    let ended = key::Column::ExpiresAt.lte(now);
    let open =
        Condition::any().add(key::Column::ExpiresAt.is_null()).add(key::Column::ExpiresAt.gt(now));
    match status {
        KeyStatus::Revoked => Condition::all().add(key::Column::RevokedAt.is_not_null()),
        KeyStatus::Expired => living.add(ended),
        KeyStatus::Disabled => living.add(open).add(key::Column::Disabled.eq(true)),
        KeyStatus::Active => living.add(open).add(key::Column::Disabled.eq(false)),
    }
}

/// Substring match. `%` and `_` are literals, and a run of bullets matches the gap of a masked key.
fn contains(q: &str) -> Option<SimpleExpr> {
    let mut term = String::new();
    let mut bullets = false;
    for character in folded(q.trim()).chars() {
        if character == '•' {
            if !bullets {
                term.push_str("...");
            }
            bullets = true;
            continue;
        }
        bullets = false;
        if matches!(character, '%' | '_' | '\\') {
            term.push('\\');
        }
        term.push(character);
    }
    let pattern = LikeExpr::new(format!("%{term}%")).escape('\\');
    (!term.is_empty()).then(|| Expr::col(key::Column::Search).like(pattern))
}

fn ordered(
    query: Select<key::Entity>,
    filter: &KeyFilter,
    page: &PageRequest,
) -> Result<Select<key::Entity>, Error> {
    // The same expressions as in the indexes, or the indexes would not be used. A list by tag is in
    // the order of the tags' index: by that of the keys it would read all keys of the project.
    let by_tag = filter.tag.is_some() && filter.sort == KeySort::Created;
    let time = || match filter.sort {
        KeySort::Created if by_tag => Expr::col((key_tag::Entity, key_tag::Column::CreatedAt)),
        KeySort::Created => Expr::col((key::Entity, key::Column::CreatedAt)),
        KeySort::LastUsed => {
            let last =
                Expr::expr(Func::coalesce([Expr::col(key::Column::LastUsedAt), Expr::cust("0")]));
            // Few keys have the same external ID. SQLite, which knows no numbers of rows, would
            // rather read all keys in order than sort those, so it must not see the index.
            if filter.external_id.is_some() { last.add(0) } else { last }
        }
    };
    let id = || {
        if by_tag {
            Expr::col((key_tag::Entity, key_tag::Column::KeyId))
        } else {
            Expr::col((key::Entity, key::Column::Id))
        }
    };
    let query = query.order_by(time(), Order::Desc).order_by(id(), Order::Desc);
    Ok(match page.after_time::<KeyId>()? {
        // The first condition is the range of the index; the second skips its first rows.
        Some((after, last)) => query
            .filter(time().lte(after))
            .filter(Condition::any().add(time().lt(after)).add(id().lt(last))),
        None => query,
    })
}

#[cfg(test)]
mod tests;
