//! The check: may this key make this call?
//!
//! ```text
//! text ─► form and checksum (no I/O) ─► HMAC digest ─► cache ─► status and scope ─► quota ─► outcome
//!                                                     └─miss─► one indexed query ─► cache
//! ```
//! There is one way to check a key, for every caller. If the store can't be asked and no fresh record is at
//! hand, the answer is `unavailable`: nothing is admitted on a guess.

mod cache;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::id::{ApplicationId, KeyId, ProjectId};
use latchkey_domain::key::{Environment, KeyKind, KeyStatus};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::PresentedKey;
use latchkey_domain::tier::Tier;
use latchkey_domain::time::Timestamp;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect, RelationDef,
};

pub(crate) use cache::KeyCache;

use crate::digest::KeyDigest;
use crate::entity::{key, organization, project};
use crate::error::Error;
use crate::scope::{self, ProjectScope};
use crate::services::Services;
use crate::usage::{QuotaHit, TokenCounts, Use, quota};

/// What a check needs to know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub id: KeyId,
    /// Its project.
    pub project: ProjectId,
    /// The one application that it is for; none: any of the project.
    pub application: Option<ApplicationId>,
    /// What it authenticates.
    pub kind: KeyKind,
    /// Live or test.
    pub environment: Environment,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// What its organization may use.
    pub tier: Tier,
}

/// The call that a key shall admit.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// What kind of key it takes.
    pub kind: KeyKind,
    /// The application that it names, if it names one.
    pub application: Option<ApplicationId>,
    /// Where it comes from.
    pub ip: Option<IpAddr>,
}

/// Why a call is not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The outcome, never `valid`.
    pub outcome: Outcome,
    /// The key, if there is one with this secret.
    pub key: Option<KeyId>,
    /// Why, in words.
    pub detail: Cow<'static, str>,
    /// How long until it can be otherwise, if that is known.
    pub retry_after: Option<Duration>,
}

impl Denial {
    const fn of(outcome: Outcome) -> Self {
        Self { outcome, key: None, detail: Cow::Borrowed(outcome.detail()), retry_after: None }
    }

    fn of_quota(hit: QuotaHit, now: Timestamp) -> Self {
        Self {
            detail: Cow::Owned(hit.detail()),
            retry_after: Some(hit.resets_at.since(now)),
            ..Self::of(Outcome::QuotaExceeded)
        }
    }
}

/// Checks the key that came with a call, if one came.
///
/// With a cached record, of a project that is in use, this neither waits nor asks the database.
///
/// # Errors
/// The [`Denial`] with the outcome.
pub async fn check(
    services: &Services,
    presented: Option<&str>,
    call: Call,
) -> Result<Arc<KeyRecord>, Denial> {
    let text = presented.ok_or(Denial::of(Outcome::MissingKey))?;
    let secret = PresentedKey::parse(text).map_err(|_| Denial::of(Outcome::MalformedKey))?;
    let digest = services.settings.pepper.digest(secret.expose());
    let record = match services.key_cache.get(&digest, services.clock.monotonic()) {
        Some(record) => record,
        None => load(services, digest).await?.ok_or(Denial::of(Outcome::UnknownKey))?,
    };
    let now = services.clock.now();
    let admitted = match judge(&record, call, now) {
        Outcome::Valid => admit(services, &record, now).await,
        outcome => Err(Denial::of(outcome)),
    };
    let used = |outcome| Use {
        key: record.id,
        project: record.project,
        environment: record.environment,
        outcome,
        at: now,
        ip: call.ip,
        tokens: TokenCounts::default(),
    };
    match admitted {
        Ok(()) => services.usage.record(&used(Outcome::Valid)),
        Err(denial) => {
            services.usage.denied(&used(denial.outcome), &denial.detail);
            return Err(Denial { key: Some(record.id), ..denial });
        }
    }
    Ok(record)
}

/// Holds a call that is good otherwise against the limits, and counts it.
async fn admit(services: &Services, record: &KeyRecord, now: Timestamp) -> Result<(), Denial> {
    if !quota::counts(record.kind, record.environment) {
        return Ok(());
    }
    let limit = record.tier.requests_per_month();
    if limit.is_some() {
        quota::know(services, record.project, now).await.map_err(|error| {
            tracing::error!(%error, "a quota could not be looked up");
            Denial::of(Outcome::Unavailable)
        })?;
    }
    let quota = &services.usage.quota;
    quota.admit(record.project, limit, now).map_err(|hit| Denial::of_quota(hit, now))
}

/// What a record says of a call at `now`.
fn judge(record: &KeyRecord, call: Call, now: Timestamp) -> Outcome {
    match KeyStatus::at(now, record.revoked_at, record.expires_at) {
        KeyStatus::Revoked => return Outcome::RevokedKey,
        KeyStatus::Expired => return Outcome::ExpiredKey,
        KeyStatus::Active => {}
    }
    let other_application = match (record.application, call.application) {
        (Some(own), Some(named)) => own != named,
        _ => false,
    };
    if record.kind != call.kind || other_application { Outcome::WrongScope } else { Outcome::Valid }
}

/// Asks the database for a record and caches it. If the key is changed meanwhile, asks again: what was read
/// before the change must not be used after it.
async fn load(services: &Services, digest: KeyDigest) -> Result<Option<Arc<KeyRecord>>, Denial> {
    loop {
        let ticket = services.key_cache.begin_load(&digest, services.clock.monotonic());
        let row = key::Entity::find()
            .column(organization::Column::Tier)
            .join(JoinType::InnerJoin, project_of_key())
            .join(JoinType::InnerJoin, scope::organization_of_project())
            .filter(key::Column::Digest.eq(digest.as_bytes().as_slice()))
            .into_model::<Row>()
            .one(services.database.reader())
            .await;
        let record = row
            .map_err(Error::from)
            .and_then(|row| row.as_ref().map(record).transpose())
            .map_err(|error| {
                tracing::error!(%error, "a key could not be looked up");
                Denial::of(Outcome::Unavailable)
            })?;
        let Some(record) = record.map(Arc::new) else { return Ok(None) };
        if services.key_cache.finish_load(digest, ticket, Arc::clone(&record)) {
            return Ok(Some(record));
        }
    }
}

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    key: key::Model,
    tier: String,
}

fn project_of_key() -> RelationDef {
    key::Entity::belongs_to(project::Entity)
        .from(key::Column::ProjectId)
        .to(project::Column::Id)
        .into()
}

fn record(Row { key: row, tier }: &Row) -> Result<KeyRecord, Error> {
    Ok(KeyRecord {
        id: row.id.into(),
        project: row.project_id.into(),
        application: row.application_id.map(Into::into),
        kind: KeyKind::from_name(&row.kind).ok_or(Error::Corrupt("key kind"))?,
        environment: crate::keys::environment(&row.environment)?,
        revoked_at: row.revoked_at.map(Timestamp::from_millis),
        expires_at: row.expires_at.map(Timestamp::from_millis),
        tier: Tier::from_name(tier).ok_or(Error::Corrupt("tier"))?,
    })
}

/// Makes sure that no check uses what was known of a key before its change. Call it after the change has
/// been committed and before it is answered.
pub(crate) async fn evict(
    services: &Services,
    scope: &ProjectScope,
    id: KeyId,
) -> Result<(), Error> {
    let digest: Option<Vec<u8>> = key::Entity::find_by_id(id.as_uuid())
        .select_only()
        .column(key::Column::Digest)
        .filter(key::Column::ProjectId.eq(scope.id().as_uuid()))
        .into_tuple()
        .one(services.database.writer())
        .await?;
    let digest = digest.and_then(|bytes| KeyDigest::from_bytes(&bytes)).ok_or(Error::NotFound)?;
    services.key_cache.evict(&digest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn record() -> KeyRecord {
        KeyRecord {
            id: KeyId::new(at(0), [0; 10]),
            project: ProjectId::new(at(0), [0; 10]),
            application: Some(ApplicationId::new(at(0), [1; 10])),
            kind: KeyKind::Api,
            environment: Environment::Live,
            revoked_at: None,
            expires_at: Some(at(1_000)),
            tier: Tier::Free,
        }
    }

    fn call(application: Option<ApplicationId>) -> Call {
        Call { kind: KeyKind::Api, application, ip: None }
    }

    #[test]
    fn a_key_of_one_application_never_speaks_for_another() {
        let key = record();
        let other = ApplicationId::new(at(0), [2; 10]);
        assert_eq!(judge(&key, call(key.application), at(0)), Outcome::Valid);
        assert_eq!(judge(&key, call(None), at(0)), Outcome::Valid);
        assert_eq!(judge(&key, call(Some(other)), at(0)), Outcome::WrongScope);
    }

    #[test]
    fn keys_of_another_kind_are_out_of_scope() {
        let inference = Call { kind: KeyKind::Inference, ..call(None) };
        assert_eq!(judge(&record(), inference, at(0)), Outcome::WrongScope);
    }

    #[test]
    fn revocation_and_expiry_outrank_scope() {
        let other = call(Some(ApplicationId::new(at(0), [2; 10])));
        assert_eq!(judge(&record(), other, at(1_000)), Outcome::ExpiredKey);
        let revoked = KeyRecord { revoked_at: Some(at(1)), ..record() };
        assert_eq!(judge(&revoked, other, at(1_000)), Outcome::RevokedKey);
    }
}
