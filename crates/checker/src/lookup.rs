//! Looks up a key in the cache, or in the database if the cache has no valid entry.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_domain::budget::LevelLimits;
use latchkey_domain::id::ProjectId;
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_store::Error;
use latchkey_store::database::{in_time, primary};
use latchkey_store::entity::{key, organization, project};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, Order, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::cache::CachedLookup;
use crate::checker::Checker;
use crate::failures::Address;
use crate::key_digests::KeyDigests;
use crate::key_version::KeyVersion;
use crate::lookup_limiter::LookupCaller;
use crate::outcome::Denial;
use crate::record::{ExtendedLimits, KeyRecord, NOTHING};
use crate::request::IdentifiedKey;
use latchkey_domain::digest::KeyDigest;

/// Projects in one statement. SQLite allows 32,766 parameters, PostgreSQL 65,535, and the digests
/// of one text may take 4,000 of them.
pub(crate) const PROJECTS_PER_STATEMENT: usize = 10_000;

/// Who presents a secret.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PresentedBy {
    /// The caller itself, from this address if it is readable.
    Caller(Option<IpAddr>),
    /// A third party, on whose behalf the caller asks. It does not count as a guess.
    Other(LookupCaller),
}

impl PresentedBy {
    /// Whether the caller has presented too many unknown keys.
    pub(crate) fn guesses(self, checker: &Checker) -> bool {
        match self {
            Self::Caller(ip) => checker.failed_keys.is_full(ip, checker.clock.monotonic()),
            Self::Other(_) => false,
        }
    }

    pub(crate) fn caller(self) -> LookupCaller {
        match self {
            Self::Caller(ip) => LookupCaller::Address(Address::of(ip)),
            Self::Other(caller) => caller,
        }
    }
}

/// Result of looking up a key by its digests.
#[derive(Debug, Clone)]
pub(crate) enum KeyLookup {
    Key(IdentifiedKey),
    /// No key has any of them.
    Unknown,
}

pub(crate) async fn look_up(
    checker: &Checker,
    digests: &KeyDigests,
    by: PresentedBy,
) -> Result<IdentifiedKey, Denial> {
    match look_up_cached(checker, digests) {
        Some(identity) => identity.map_err(Denial::of),
        // Boxed: few checks need the future of a database query.
        None => Box::pin(look_up_now(checker, digests, by)).await,
    }
}

/// As [`look_up`], in the cache alone; `None` if only the database can tell.
pub(crate) fn look_up_cached(
    checker: &Checker,
    digests: &KeyDigests,
) -> Option<Result<IdentifiedKey, Outcome>> {
    let cached = cached(checker, digests);
    checker.counters.looked_up(cached.is_some());
    cached.map(|known| identified(checker, known))
}

/// As [`look_up`], past the cache: a key may just have moved, and the cache not know it yet.
pub(crate) async fn look_up_now(
    checker: &Checker,
    digests: &KeyDigests,
    by: PresentedBy,
) -> Result<IdentifiedKey, Denial> {
    let known = load(checker, digests, by).await?;
    identified(checker, known).map_err(Denial::of)
}

fn identified(checker: &Checker, known: KeyLookup) -> Result<IdentifiedKey, Outcome> {
    match known {
        KeyLookup::Key(identity) => Ok(identity),
        KeyLookup::Unknown if checker.peppers.are_outdated() => Err(Outcome::Unavailable),
        KeyLookup::Unknown => Err(Outcome::UnknownKey),
    }
}

/// Result in the cache, if it is valid.
pub(crate) fn cached(checker: &Checker, digests: &KeyDigests) -> Option<KeyLookup> {
    let (cache, now) = (&checker.key_cache, checker.clock.monotonic());
    // Before anything is read, so that any later change makes these versions stale.
    let versions = digests.versions(cache);
    let mut unknown = 0;
    for version in &versions {
        match cache.get(version.digest(), now) {
            Some(CachedLookup::Key(key)) if digests.admit(&key) => {
                return Some(KeyLookup::Key(IdentifiedKey::new(key, version.clone())));
            }
            Some(CachedLookup::Unknown) => unknown += 1,
            Some(CachedLookup::Key(_)) | None => {}
        }
    }
    // Between two reads, a key may have moved from the second digest to the first.
    let is_unknown =
        unknown == versions.len() && !versions.iter().any(|version| version.has_changed(cache));
    is_unknown.then_some(KeyLookup::Unknown)
}

/// Queries the database for a record and caches it. If the key changes during the query, queries
/// again: a record from before the change must not be used after it.
///
/// Waiting for a permit counts towards the database timeout. A key that was not looked up is
/// `unavailable`, never `unknown`, even for an address that guesses.
pub(crate) async fn load(
    checker: &Checker,
    digests: &KeyDigests,
    by: PresentedBy,
) -> Result<KeyLookup, Denial> {
    let guesser = by.guesses(checker);
    let loading = async {
        let permit = checker.lookup_limiter.acquire(by.caller(), guesser).await;
        let Ok(_permit) = permit else { return Ok(None) };
        loop {
            let versions = digests.versions(&checker.key_cache);
            let found = query(checker, digests).await?;
            if let Some(known) = keep(checker, &versions, found) {
                return Ok(Some(known));
            }
        }
    };
    let loaded = in_time(loading).await.unwrap_or_else(|error| {
        tracing::error!(%error, "Failed to look up a key");
        None
    });
    loaded.ok_or_else(|| Denial::of(Outcome::Unavailable))
}

/// Caches what a query found. `None`: a key has changed during the query.
fn keep(
    checker: &Checker,
    versions: &[KeyVersion],
    found: Option<FoundRecord>,
) -> Option<KeyLookup> {
    let (cache, now) = (&checker.key_cache, checker.clock.monotonic());
    let finish = |version: &KeyVersion, known: &CachedLookup| {
        cache.finish_load(*version.digest(), version.generation(), known, now)
    };
    let Some(FoundRecord { record, digest }) = found else {
        let mut is_current = true;
        for version in versions {
            is_current &= finish(version, &CachedLookup::Unknown);
        }
        return is_current.then_some(KeyLookup::Unknown);
    };
    let version = versions.iter().find(|version| *version.digest() == digest)?;
    let key = Arc::new(record);
    finish(version, &CachedLookup::Key(Arc::clone(&key)))
        .then(|| KeyLookup::Key(IdentifiedKey::new(key, version.clone())))
}

impl Checker {
    /// Tests whether a key that is not cached could be checked, with the query of a check.
    ///
    /// # Errors
    /// The database is unavailable, or refuses this role.
    pub async fn can_look_up(&self) -> Result<(), latchkey_store::Error> {
        let nobody = KeyDigests::one(self.peppers.both().digest(""));
        in_time(async { query(self, &nobody).await.map(|_| ()) }).await
    }
}

/// A record, and by which of the digests it was found.
pub(crate) struct FoundRecord {
    pub(crate) record: KeyRecord,
    digest: KeyDigest,
}

/// Record of the key with one of these digests, as its current or its previous one.
pub(crate) async fn query(
    checker: &Checker,
    digests: &KeyDigests,
) -> Result<Option<FoundRecord>, Error> {
    let Some(projects) = digests.projects() else { return query_in(checker, digests, None).await };
    let mut first = None;
    for projects in projects.chunks(PROJECTS_PER_STATEMENT) {
        let Some(found) = query_in(checker, digests, Some(projects)).await? else { continue };
        // A preferred digest goes before those of all projects.
        if digests.preferred().is_none_or(|own| own.contains(&found.digest)) {
            return Ok(Some(found));
        }
        first.get_or_insert(found);
    }
    Ok(first)
}

/// The same, of one of these projects; `None`: of any.
async fn query_in(
    checker: &Checker,
    digests: &KeyDigests,
    projects: Option<&[ProjectId]>,
) -> Result<Option<FoundRecord>, Error> {
    let is_one = |column: key::Column| match digests.as_slice() {
        [one] => column.eq(*one),
        several => column.is_in(several.iter().copied()),
    };
    let of_any = Condition::any().add(is_one(key::Column::Digest));
    let mut query = key::Entity::find()
        .find_also_related(project::Entity)
        .and_also_related(organization::Entity)
        .filter(of_any.add(is_one(key::Column::OldDigest)))
        .limit(1);
    if let Some(own) = digests.preferred() {
        let is_own = |column: key::Column| column.is_in(own.iter().copied());
        let is_own =
            Condition::any().add(is_own(key::Column::Digest)).add(is_own(key::Column::OldDigest));
        let place: Expr = Expr::case(is_own, Expr::val(0)).finally(Expr::val(1)).into();
        query = query.order_by(place, Order::Asc);
    }
    if let Some(projects) = projects {
        query = query.filter(key::Column::ProjectId.is_in(projects.iter().copied()));
    }
    let found = primary::one(checker.database.reader(), &query).await?;
    let Some(found) = found else { return Ok(None) };
    let row = key::Model::from_query_result(&found, "A_")?;
    let project = project::Model::from_query_result(&found, "B_")?;
    let organization = organization::Model::from_query_result(&found, "C_")?;
    let is_current = digests.as_slice().contains(&row.digest);
    let digest = row.old_digest.filter(|_| !is_current).unwrap_or(row.digest);
    Ok(Some(FoundRecord { record: record(checker, row, &project, &organization), digest }))
}

fn record(
    checker: &Checker,
    row: key::Model,
    project: &project::Model,
    organization: &organization::Model,
) -> KeyRecord {
    let plan = organization.plan();
    let old = row.old_digest.zip(row.old_ends_at);
    let budgets = row.all_budgets();
    // A service key is the customer's backend. Its calls are not those of the customer's customers.
    let (project_limits, organization_limits) = match row.kind {
        KeyKind::Service => (LevelLimits::NONE, LevelLimits::NONE),
        KeyKind::Api | KeyKind::Inference => (project.limits(), organization.limits()),
    };
    let limited_budgets = checker.budget_slots.of_key(
        (row.id, project.id, organization.id),
        &budgets,
        &project_limits,
        &organization_limits,
    );
    let extended = ExtendedLimits {
        tpm: row.tpm,
        max_parallel: row.max_parallel,
        budgets,
        project_limits,
        organization_limits,
        limited_budgets,
        models: row.allowed_models,
        networks: row.allowed_cidrs,
        permissions: row.permissions,
        overrides: plan.overrides,
        external_id: row.external_id,
        metadata: row.metadata,
        tags: row.tags,
        scopes: row.scopes,
        old,
    };
    KeyRecord {
        id: row.id,
        project: row.project_id,
        organization: organization.id,
        tier: plan.tier,
        application: row.application_id,
        kind: row.kind,
        name: row.name.into_boxed_str(),
        environment: row.environment,
        created_by: row.created_by,
        revoked_at: row.revoked_at,
        expires_at: row.expires_at,
        disabled: row.disabled,
        rpm: row.rpm,
        extended: (extended != NOTHING).then(|| Box::new(extended)),
    }
}
