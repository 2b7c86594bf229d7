//! The application that the caller of a check names, and the deletion of applications.

use latchkey_checker::{IdentifiedKey, KeyInvalidation, LookupCaller};
use latchkey_domain::id::{ApplicationId, ProjectId};
use latchkey_store::database::primary;
use latchkey_store::entity::application;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};

use crate::error::Error;
use crate::services::Services;

/// Whether an application exists and belongs to the project of an identified key.
///
/// # Errors
/// The database fails, or `caller` has too many lookups waiting.
pub(crate) async fn is_of_project(
    services: &Services,
    application: ApplicationId,
    identity: &mut IdentifiedKey,
    caller: LookupCaller,
) -> Result<bool, Error> {
    let project = identity.key().project;
    let now = services.clock.monotonic();
    if let Some(known) = services.known_applications.project(application, now) {
        return Ok(known == project);
    }
    identity.mark_waited();
    let begun = services.known_applications.begin_query(now);
    // Boxed: few calls need the future of a query.
    let exists = Box::pin(exists(services, application, project));
    let exists = services.checker.lookup_limiter.of(caller, exists).await?;
    if exists {
        services.known_applications.remember(application, project, begun);
    }
    Ok(exists)
}

/// Commits a transaction that deletes applications and revokes keys. After that, no check on this
/// node uses the previous state, even if the caller is cancelled.
///
/// # Errors
/// The database fails. The commit may have gone through, so the applications are forgotten too.
pub(crate) async fn commit_deletion(
    services: &Services,
    revoked: KeyInvalidation,
    transaction: DatabaseTransaction,
) -> Result<(), latchkey_store::Error> {
    let services = services.clone();
    let committing = tokio::spawn(async move {
        let committed = revoked.commit_and_invalidate(&services.checker, transaction).await;
        services.known_applications.forget_all();
        committed
    });
    committing.await.map_err(latchkey_store::Error::unavailable)?
}

async fn exists(
    services: &Services,
    application: ApplicationId,
    project: ProjectId,
) -> Result<bool, latchkey_store::Error> {
    let query = application::Entity::find_by_id(application)
        .select_only()
        .column(application::Column::Id)
        .filter(application::Column::ProjectId.eq(project))
        .filter(application::Column::DeletedAt.is_null());
    Ok(primary::one(services.database.reader(), &query).await?.is_some())
}
