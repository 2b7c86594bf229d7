//! Activity of many keys in the last 24 hours, for the rows of a list.

use std::collections::BTreeMap;
use std::time::Duration;

use latchkey_domain::api::{HourOfUse, KeyActivity};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::actor::Actor;
use crate::error::Error;
use crate::scope;
use crate::services::Services;
use latchkey_checker::usage::Resolution;
use latchkey_store::entity::key_usage;

/// Maximum number of keys per request: two pages of a list.
const MAX_KEYS: usize = 100;
const HOUR: Duration = Duration::from_hours(1);

/// Requests of a project's keys, hour by hour. Unused keys, and keys of other projects, are left
/// out.
///
/// # Errors
/// `NotFound` if the actor has no access, `Invalid` for more than 100 keys.
pub async fn of_keys(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    keys: &[KeyId],
) -> Result<Vec<KeyActivity>, Error> {
    if keys.len() > MAX_KEYS {
        return Err(Error::invalid("key_ids", "Request at most 100 keys at a time."));
    }
    let scope = scope::project(services, actor, project, Permission::UsageRead).await?;
    let start = Resolution::Hour.floor(services.clock.now()) - HOUR * 23;
    let mut day = Day { start, keys: BTreeMap::new() };
    let _whole = services.checker.usage.hold().await;
    for key in keys {
        services.checker.usage.visit_key(*key, |unwritten| {
            for counter in unwritten.counters.iter().filter(|_| unwritten.project == scope.id()) {
                day.add(*key, counter.minute, counter.outcome, counter.counts.requests);
            }
        });
    }
    let rows: Vec<(KeyId, Timestamp, Outcome, i64)> = key_usage::Entity::find()
        .select_only()
        .columns([
            key_usage::Column::KeyId,
            key_usage::Column::Start,
            key_usage::Column::Outcome,
            key_usage::Column::Requests,
        ])
        .filter(key_usage::Column::KeyId.is_in(keys.iter().copied()))
        .filter(key_usage::Column::ProjectId.eq(scope.id()))
        .filter(key_usage::Column::Resolution.eq(Resolution::Hour.as_str()))
        .filter(key_usage::Column::Start.gte(start))
        .into_tuple()
        .all(services.database.telemetry().reader())
        .await?;
    for (key, start, outcome, requests) in rows {
        let requests = u64::try_from(requests).unwrap_or_default();
        day.add(key, start, outcome, requests);
    }
    let activity = day.keys.into_iter().map(|(key_id, hours)| KeyActivity { key_id, hours });
    Ok(activity.collect())
}

/// A response under construction.
struct Day {
    start: Timestamp,
    keys: BTreeMap<KeyId, [HourOfUse; 24]>,
}

impl Day {
    fn add(&mut self, key: KeyId, at: Timestamp, outcome: Outcome, requests: u64) {
        let hours = at.since(self.start).as_secs() / HOUR.as_secs();
        let place = usize::try_from(hours).ok().filter(|_| at >= self.start);
        if let Some(place) = place.filter(|place| *place < 24) {
            self.keys.entry(key).or_default()[place].add(outcome, requests);
        }
    }
}
