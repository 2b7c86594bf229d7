//! When and from where keys were last used. Kept in memory and written in batches, so that a check never
//! waits for it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use latchkey_domain::id::KeyId;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use crate::entity::key;
use crate::error::Error;
use crate::services::Services;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LastUse {
    at: Timestamp,
    ip: Option<IpAddr>,
}

/// Uses since the last flush.
#[derive(Default)]
pub(crate) struct LastUses(Mutex<HashMap<KeyId, LastUse>>);

impl LastUses {
    /// Notes a use, whatever its outcome.
    pub(crate) fn record(&self, key: KeyId, at: Timestamp, ip: Option<IpAddr>) {
        let mut uses = self.lock();
        let last = uses.entry(key).or_insert(LastUse { at, ip });
        if last.at <= at {
            *last = LastUse { at, ip };
        }
    }

    fn take(&self) -> HashMap<KeyId, LastUse> {
        std::mem::take(&mut *self.lock())
    }

    fn put_back(&self, uses: HashMap<KeyId, LastUse>) {
        for (key, last) in uses {
            self.record(key, last.at, last.ip);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, LastUse>> {
        // No code panics while it holds the lock, and the map would be whole even so.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Writes the uses that were noted since the last time. `last_used_at` moves forward only, whichever node
/// writes last. If the database fails they are kept for the next time.
///
/// # Errors
/// The database fails.
pub async fn flush(services: &Services) -> Result<(), Error> {
    let uses = services.last_uses.take();
    if uses.is_empty() {
        return Ok(());
    }
    let written = write(services, &uses).await;
    if written.is_err() {
        services.last_uses.put_back(uses);
    }
    written
}

async fn write(services: &Services, uses: &HashMap<KeyId, LastUse>) -> Result<(), Error> {
    // In one order on every node: two nodes that write the same keys then wait for each other, not in a ring.
    let mut uses: Vec<_> = uses.iter().collect();
    uses.sort_by_key(|(key, _)| **key);
    let transaction = services.database.begin().await?;
    for (id, last) in uses {
        let at = last.at.as_millis();
        let earlier = Condition::any()
            .add(key::Column::LastUsedAt.is_null())
            .add(key::Column::LastUsedAt.lt(at));
        key::Entity::update_many()
            .col_expr(key::Column::LastUsedAt, Expr::value(at))
            .col_expr(key::Column::LastUsedIp, Expr::value(last.ip.map(|ip| ip.to_string())))
            .filter(key::Column::Id.eq(id.as_uuid()))
            .filter(earlier)
            .exec(&transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}
