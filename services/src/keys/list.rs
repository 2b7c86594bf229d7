//! Listing keys, masked.

use latchkey_domain::api::{ListedKey, Page};
use latchkey_domain::id::ApplicationId;
use latchkey_domain::role::Permission;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::to_api_key;
use crate::actor::Actor;
use crate::entity::key;
use crate::error::Error;
use crate::page::{PageRequest, id_cursor};
use crate::scope;
use crate::services::Services;

/// The keys of one application, newest first, revoked ones included.
///
/// # Errors
/// `NotFound` for a stranger, `Invalid` for a foreign cursor.
pub async fn list_of_application(
    services: &Services,
    actor: &Actor,
    application: ApplicationId,
    page: PageRequest,
) -> Result<Page<ListedKey>, Error> {
    let scope = scope::application(services, actor, application, Permission::Read).await?;
    let mut query = key::Entity::find()
        .filter(key::Column::ApplicationId.eq(scope.id().as_uuid()))
        .order_by_desc(key::Column::Id)
        .limit(page.rows());
    if let Some(after) = page.after_id()? {
        query = query.filter(key::Column::Id.lt(after));
    }
    let rows = page.page(query.all(services.database.reader()).await?, |last| id_cursor(last.id));
    let now = services.clock.now();
    let keys = rows.data.into_iter().map(|row| {
        let last_used_ip = row.last_used_ip.clone();
        Ok(ListedKey { key: to_api_key(row, now)?, last_used_ip })
    });
    Ok(Page { data: keys.collect::<Result<_, Error>>()?, next_cursor: rows.next_cursor })
}
