//! Looks up a key in the cache, or in the database if the cache has no valid entry.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_domain::budget::LevelLimits;
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_store::Error;
use latchkey_store::database::{in_time, primary};
use latchkey_store::entity::{key, organization, project};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};

use crate::cache::CachedLookup;
use crate::checker::Checker;
use crate::failures::Address;
use crate::key_version::KeyVersion;
use crate::lookup_limiter::LookupCaller;
use crate::outcome::Denial;
use crate::record::{ExtendedLimits, KeyRecord, NOTHING};
use crate::request::IdentifiedKey;
use latchkey_domain::digest::KeyDigest;

/// Who presents a secret.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PresentedBy {
    /// The caller itself, from this address if it is readable.
    Caller(Option<IpAddr>),
    /// A third party, on whose behalf the caller asks. It does not count as a guess.
    Other(LookupCaller),
}

impl PresentedBy {
    fn guesses(self, checker: &Checker) -> bool {
        match self {
            Self::Caller(ip) => checker.failed_keys.is_full(ip, checker.clock.monotonic()),
            Self::Other(_) => false,
        }
    }

    fn caller(self) -> LookupCaller {
        match self {
            Self::Caller(ip) => LookupCaller::Address(Address::of(ip)),
            Self::Other(caller) => caller,
        }
    }
}

pub(crate) async fn look_up(
    checker: &Checker,
    digest: KeyDigest,
    by: PresentedBy,
) -> Result<IdentifiedKey, Denial> {
    // Before anything is read, so that any later change makes this version stale.
    let seen = KeyVersion::now(&checker.key_cache, digest);
    let cached = checker.key_cache.get(&digest, checker.clock.monotonic());
    checker.counters.looked_up(cached.is_some());
    let known = match cached {
        Some(known) => known,
        None => load(checker, digest, by).await?,
    };
    let CachedLookup::Key(key) = known else { return Err(Denial::of(Outcome::UnknownKey)) };
    Ok(IdentifiedKey { old: key.is_old(&digest), key, seen, waited: false })
}

/// Queries the database for a record and caches it. If the key changes during the query, queries
/// again: a record from before the change must not be used after it.
///
/// Waiting for a permit counts towards the database timeout. A key that was not looked up is
/// `unavailable`, never `unknown`, even for an address that guesses.
pub(crate) async fn load(
    checker: &Checker,
    digest: KeyDigest,
    by: PresentedBy,
) -> Result<CachedLookup, Denial> {
    let guesser = by.guesses(checker);
    let loading = async {
        let permit = checker.lookup_limiter.acquire(by.caller(), guesser).await;
        let Ok(_permit) = permit else { return Ok(None) };
        loop {
            let generation = checker.key_cache.begin_load(&digest);
            let record = query(checker, &digest).await?;
            let known =
                record.map_or(CachedLookup::Unknown, |record| CachedLookup::Key(Arc::new(record)));
            let now = checker.clock.monotonic();
            if checker.key_cache.finish_load(digest, generation, &known, now) {
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

impl Checker {
    /// Tests whether a key that is not cached could be checked, with the query of a check.
    ///
    /// # Errors
    /// The database is unavailable, or refuses this role.
    pub async fn can_look_up(&self) -> Result<(), latchkey_store::Error> {
        let nobody = self.pepper.digest("");
        in_time(async { query(self, &nobody).await.map(|_| ()) }).await
    }
}

/// Record of the key with this digest, as its current or its previous one.
pub(crate) async fn query(
    checker: &Checker,
    digest: &KeyDigest,
) -> Result<Option<KeyRecord>, Error> {
    let query = key::Entity::find()
        .find_also_related(project::Entity)
        .and_also_related(organization::Entity)
        .filter(
            Condition::any()
                .add(key::Column::Digest.eq(*digest))
                .add(key::Column::OldDigest.eq(*digest)),
        )
        .limit(1);
    let found = primary::one(checker.database.reader(), &query).await?;
    let Some(found) = found else { return Ok(None) };
    let row = key::Model::from_query_result(&found, "A_")?;
    let project = project::Model::from_query_result(&found, "B_")?;
    let organization = organization::Model::from_query_result(&found, "C_")?;
    Ok(Some(record(checker, row, &project, &organization)))
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
