//! Usage by key, or by an attribute that keys have now.
//!
//! On SQLite usage is in another file than keys, so the keys are read first, and only those that
//! were used since the range started. They may be a million, so only their IDs are held at once.
//! Their external IDs and tags may be as many. Beyond a bound the groups are summed up part after
//! part, each with the keys read again, and of each part only the largest groups are kept. That
//! takes longer, and every sum is exact: all parts read the same state of the database.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use latchkey_domain::api::{UsageGroup, UsageGrouping};
use latchkey_domain::attribute::{ExternalId, Tags};
use latchkey_domain::id::{ApplicationId, KeyId};
use latchkey_domain::outcome::Outcome;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};

use super::report::Report;
use super::sums::{Group, GroupName, Sums, largest};
use crate::error::Error;
use crate::services::Services;
use crate::usage::read::{KEYS_PER_QUERY, last_use_or_zero, selected, sums_of_keys};
use latchkey_store::entity::{application, key, key_usage};

/// Groups that are held at once.
const MOST_GROUPS: usize = 100_000;

/// The groups with most requests.
pub(super) async fn groups(
    services: &Services,
    report: &Report<'_>,
    by: UsageGrouping,
) -> Result<Vec<UsageGroup>, Error> {
    let unwritten = {
        let _whole = services.checker.usage.hold().await;
        report.snapshot.fix().await?;
        unwritten(services, report)
    };
    let keys = UsedKeys { report, by, unwritten, most_groups: MOST_GROUPS };
    let groups = keys.largest().await?;
    let labels = keys.labels(&groups).await?;
    let shown = |(name, sums): Group| {
        let label = name.as_ref().map(|name| labels.get(name).unwrap_or(name).clone());
        sums.shown(name, label)
    };
    Ok(groups.into_iter().map(shown).collect())
}

/// Usage of keys that is not written yet. A key whose last use is not written has an entry in any
/// case.
fn unwritten(services: &Services, report: &Report<'_>) -> HashMap<KeyId, Sums> {
    let mut unwritten: HashMap<KeyId, Sums> = HashMap::new();
    services.checker.usage.visit_project(report.scope.id(), |key, usage| {
        let sums = unwritten.entry(key).or_default();
        let counters = usage.counters.iter();
        for counter in counters.filter(|counter| report.span.contains(counter.minute)) {
            *sums += Sums::of_outcome(&counter.counts, counter.outcome);
        }
    });
    unwritten
}

/// A key and the attributes that usage is grouped by.
#[derive(FromQueryResult)]
struct UsedKey {
    id: KeyId,
    application_id: Option<ApplicationId>,
    external_id: Option<ExternalId>,
    tags: Option<Tags>,
}

impl UsedKey {
    /// Names of the groups that the key is in.
    fn groups(&self, by: UsageGrouping) -> Vec<GroupName> {
        let one = match by {
            UsageGrouping::Key => Some(self.id.to_string()),
            UsageGrouping::Application => self.application_id.map(|id| id.to_string()),
            UsageGrouping::ExternalId => self.external_id.as_ref().map(|id| id.as_str().to_owned()),
            UsageGrouping::Tag => {
                let tags = self.tags.as_ref().map(Tags::as_slice).unwrap_or_default();
                if !tags.is_empty() {
                    return tags.iter().map(|tag| Some(tag.as_str().to_owned())).collect();
                }
                None
            }
            UsageGrouping::Model => None,
        };
        vec![one]
    }
}

/// A part of the groups: those whose names have this remainder.
struct Part<'a> {
    hasher: &'a RandomState,
    index: u64,
    parts: u64,
}

impl Part<'_> {
    fn has(&self, name: Option<&str>) -> bool {
        self.parts == 1 || self.hasher.hash_one(name) % self.parts == self.index
    }
}

/// What became of a part.
enum PartResult {
    /// Its largest groups.
    Groups(Vec<Group>),
    /// It has too many groups to hold them all.
    TooMany {
        /// Keys that were read until then.
        keys_read: usize,
    },
}

/// Keys whose usage is summed up.
struct UsedKeys<'a> {
    report: &'a Report<'a>,
    by: UsageGrouping,
    unwritten: HashMap<KeyId, Sums>,
    most_groups: usize,
}

impl UsedKeys<'_> {
    /// The groups with most requests, in that order.
    async fn largest(&self) -> Result<Vec<Group>, Error> {
        let ids = self.used().await?;
        let hasher = RandomState::new();
        let mut parts = 1;
        loop {
            match self.largest_of_parts(&ids, &hasher, parts).await? {
                PartResult::Groups(groups) => return Ok(groups),
                PartResult::TooMany { keys_read } => {
                    parts = more_parts(parts, ids.len(), keys_read);
                }
            }
        }
    }

    async fn largest_of_parts(
        &self,
        ids: &[KeyId],
        hasher: &RandomState,
        parts: u64,
    ) -> Result<PartResult, Error> {
        let mut found = Vec::new();
        for index in 0..parts {
            match self.part(ids, &Part { hasher, index, parts }).await? {
                PartResult::Groups(groups) => found.extend(groups),
                too_many @ PartResult::TooMany { .. } => return Ok(too_many),
            }
            found = largest(found);
        }
        Ok(PartResult::Groups(found))
    }

    async fn part(&self, ids: &[KeyId], part: &Part<'_>) -> Result<PartResult, Error> {
        let mut groups: HashMap<GroupName, Sums> = HashMap::new();
        let mut keys_read = 0;
        for some in ids.chunks(KEYS_PER_QUERY) {
            let keys = self.keys_with_groups(some, part).await?;
            let stored = self.stored(&keys).await?;
            for (id, names) in keys {
                let mut sums = self.unwritten.get(&id).copied().unwrap_or_default();
                sums += stored.get(&id).copied().unwrap_or_default();
                if sums != Sums::default() {
                    for name in names {
                        *groups.entry(name).or_default() += sums;
                    }
                }
            }
            keys_read += some.len();
            if self.by == UsageGrouping::Key {
                // Nothing is added to a key of an earlier batch, so the small ones can go at once.
                groups = largest(groups).into_iter().collect();
            } else if groups.len() > self.most_groups {
                return Ok(PartResult::TooMany { keys_read });
            }
        }
        Ok(PartResult::Groups(largest(groups)))
    }

    /// IDs of the keys that match the filter and were used since the range started, and of those
    /// with unwritten usage.
    async fn used(&self) -> Result<Vec<KeyId>, Error> {
        let Report { scope, filter, span, snapshot } = self.report;
        let used = selected(scope, filter).filter(last_use_or_zero().gte(span.start));
        let ids = used.select_only().column(key::Column::Id).into_tuple();
        let mut ids: Vec<KeyId> = ids.all(snapshot.main()).await?;
        ids.extend(self.unwritten.keys());
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Those of the keys that match the filter and are in groups of this part, with these groups.
    async fn keys_with_groups(
        &self,
        ids: &[KeyId],
        part: &Part<'_>,
    ) -> Result<Vec<(KeyId, Vec<GroupName>)>, Error> {
        let keys = selected(self.report.scope, self.report.filter)
            .filter(key::Column::Id.is_in(ids.iter().copied()))
            .select_only()
            .columns([
                key::Column::Id,
                key::Column::ApplicationId,
                key::Column::ExternalId,
                key::Column::Tags,
            ])
            .into_model::<UsedKey>()
            .all(self.report.snapshot.main())
            .await?;
        let groups = keys.into_iter().map(|key| {
            let mut names = key.groups(self.by);
            names.retain(|name| part.has(name.as_deref()));
            (key.id, names)
        });
        Ok(groups.filter(|(_, names)| !names.is_empty()).collect())
    }

    async fn stored(
        &self,
        keys: &[(KeyId, Vec<GroupName>)],
    ) -> Result<HashMap<KeyId, Sums>, Error> {
        let mut sums: HashMap<KeyId, Sums> = HashMap::new();
        if keys.is_empty() {
            return Ok(sums);
        }
        let Report { scope, span, snapshot, .. } = self.report;
        let ids: Vec<KeyId> = keys.iter().map(|(id, _)| *id).collect();
        let rows: Vec<(i64, i64, i64, i64, KeyId, Outcome)> = span
            .sums(sums_of_keys(scope, &ids))
            .column(key_usage::Column::KeyId)
            .column(key_usage::Column::Outcome)
            .group_by(key_usage::Column::KeyId)
            .group_by(key_usage::Column::Outcome)
            .into_tuple()
            .all(snapshot.telemetry())
            .await?;
        for (requests, prompt, completion, cost, key, outcome) in rows {
            let of_outcome = Sums::stored((requests, prompt, completion, cost), outcome);
            *sums.entry(key).or_default() += of_outcome;
        }
        Ok(sums)
    }

    /// Names of the keys or applications that are groups, by ID. The other groups are their own.
    async fn labels(&self, groups: &[Group]) -> Result<HashMap<String, String>, Error> {
        let (project, main) = (self.report.scope.id(), self.report.snapshot.main());
        let mut labels = HashMap::new();
        match self.by {
            UsageGrouping::Key => {
                for some in ids_of::<KeyId>(groups).chunks(KEYS_PER_QUERY) {
                    let names: Vec<(KeyId, String)> = key::Entity::find()
                        .filter(key::Column::ProjectId.eq(project))
                        .filter(key::Column::Id.is_in(some.iter().copied()))
                        .select_only()
                        .columns([key::Column::Id, key::Column::Name])
                        .into_tuple()
                        .all(main)
                        .await?;
                    labels.extend(names.into_iter().map(|(id, name)| (id.to_string(), name)));
                }
            }
            UsageGrouping::Application => {
                for some in ids_of::<ApplicationId>(groups).chunks(KEYS_PER_QUERY) {
                    let names: Vec<(ApplicationId, String)> = application::Entity::find()
                        .filter(application::Column::ProjectId.eq(project))
                        .filter(application::Column::Id.is_in(some.iter().copied()))
                        .select_only()
                        .columns([application::Column::Id, application::Column::Name])
                        .into_tuple()
                        .all(main)
                        .await?;
                    labels.extend(names.into_iter().map(|(id, name)| (id.to_string(), name)));
                }
            }
            UsageGrouping::Model | UsageGrouping::ExternalId | UsageGrouping::Tag => {}
        }
        Ok(labels)
    }
}

/// As many parts as the groups of the first `keys_read` of `keys` suggest, and some more.
fn more_parts(parts: u64, keys: usize, keys_read: usize) -> u64 {
    let times = keys.div_ceil(keys_read.max(1)).saturating_add(1);
    parts.saturating_mul(u64::try_from(times).unwrap_or(u64::MAX))
}

/// IDs that are names of groups.
fn ids_of<I: FromStr>(groups: &[Group]) -> Vec<I> {
    groups.iter().filter_map(|(name, _)| name.as_deref()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests;
