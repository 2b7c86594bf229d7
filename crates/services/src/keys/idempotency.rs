//! `Idempotency-Key`: a create or a rotation that is sent again makes no second secret.
//!
//! The secret is not stored, so the replay can't repeat it: it names the key, which can be rotated.
//! What was refused leaves no trace and may be sent again.

use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Set};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::actor::Actor;
use crate::error::Error;
use crate::services::Services;
use latchkey_store::entity::{idempotency_key, idempotent_create};

/// How long a key is kept.
const KEPT: Duration = Duration::from_hours(24);

/// A client's key for one create or rotation.
#[derive(Debug, Clone)]
pub struct Idempotency {
    key: String,
    path: String,
    request: [u8; 32],
}

impl Idempotency {
    /// The key that came with a request to `path`, whose body means `request`.
    pub fn new(key: String, path: String, request: &impl Serialize) -> Self {
        // Requests are structs of plain values: they always have a JSON form.
        let body = serde_json::to_vec(request).unwrap_or_default();
        Self { key, path, request: Sha256::digest(body).into() }
    }

    /// What the body means.
    pub(crate) const fn request(&self) -> [u8; 32] {
        self.request
    }

    /// Whether a remembered request is this one, sent again. One from too long ago is not.
    ///
    /// # Errors
    /// It is another one, with the same key.
    pub(crate) fn repeats(
        &self,
        request: &[u8],
        created_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        if now.since(created_at) >= KEPT {
            return Ok(false);
        }
        if request == self.request { Ok(true) } else { Err(Error::IdempotencyMismatch) }
    }

    /// Under which it is kept.
    pub(crate) fn id(&self, actor: &Actor) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [actor.caller().as_str(), &self.path, &self.key] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().to_vec()
    }
}

/// Refuses what was done before. The project or the key is locked by now, so two at once are one
/// after the other.
pub(super) async fn check(
    transaction: &impl ConnectionTrait,
    actor: &Actor,
    idempotency: Option<&Idempotency>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    let id = idempotency.id(actor);
    let Some(row) = idempotency_key::Entity::find_by_id(id.clone()).one(transaction).await? else {
        return Ok(());
    };
    if idempotency.repeats(&row.request, row.created_at, now)? {
        return Err(Error::IdempotencyReplay(row.key_id));
    }
    idempotency_key::Entity::delete_by_id(id).exec(transaction).await?;
    Ok(())
}

/// Remembers what was done, in the transaction that does it.
pub(super) async fn keep(
    transaction: &impl ConnectionTrait,
    actor: &Actor,
    idempotency: Option<&Idempotency>,
    key: KeyId,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    let row = idempotency_key::ActiveModel {
        id: Set(idempotency.id(actor)),
        request: Set(idempotency.request.to_vec()),
        key_id: Set(key),
        created_at: Set(now),
    };
    row.insert(transaction).await?;
    Ok(())
}

/// Forgets keys that are older than a day.
///
/// # Errors
/// The database fails.
pub async fn purge(services: &Services) -> Result<(), Error> {
    let is_old = Expr::col("created_at").lte(services.clock.now() - KEPT);
    services.database.delete_all::<idempotency_key::Entity>(is_old.clone()).await?;
    services.database.delete_all::<idempotent_create::Entity>(is_old).await?;
    Ok(())
}
