//! Rules for a project's keys: the tier's limit, unique names, and rules that span fields.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;
use latchkey_domain::scope::Scopes;
use latchkey_domain::time::Timestamp;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::{budgets, count_active};
use crate::error::Error;
use crate::services::Services;
use latchkey_store::entity::{key, organization, project};

/// Refuses another active key beyond the tier's limit. The caller has locked the project.
pub(super) async fn check_tier(
    services: &Services,
    transaction: &impl ConnectionTrait,
    project: &project::Model,
) -> Result<(), Error> {
    check_tier_for(services, transaction, project, 1).await
}

/// As [`check_tier`], for `adding` more active keys.
pub(crate) async fn check_tier_for(
    services: &Services,
    transaction: &impl ConnectionTrait,
    project: &project::Model,
    adding: u64,
) -> Result<(), Error> {
    let organization = organization::Entity::find_by_id(project.organization_id)
        .one(transaction)
        .await?
        .ok_or(Error::NotFound)?;
    let plan = organization.plan();
    let Some(limit) = plan.limits().keys_per_project else { return Ok(()) };
    let used = count_active(services, transaction, &[project.id]).await?;
    let used = used.get(&project.id).copied().unwrap_or_default();
    if used.saturating_add(adding) <= u64::from(limit) {
        Ok(())
    } else {
        Err(Error::TierLimitReached { tier: plan.tier, limit, used })
    }
}

/// Names are unique among a project's unrevoked keys of one kind. The caller has locked the
/// project.
pub(super) async fn check_name(
    transaction: &impl ConnectionTrait,
    project: ProjectId,
    kind: KeyKind,
    name: &str,
    except: Option<KeyId>,
) -> Result<(), Error> {
    let mut namesakes = key::Entity::find()
        .filter(key::Column::ProjectId.eq(project))
        .filter(key::Column::Kind.eq(kind))
        .filter(key::Column::Name.eq(name))
        .filter(key::Column::RevokedAt.is_null());
    if let Some(id) = except {
        namesakes = namesakes.filter(key::Column::Id.ne(id));
    }
    let namesakes = namesakes.count(transaction).await?;
    if namesakes == 0 { Ok(()) } else { Err(Error::NameTaken(name.to_owned())) }
}

/// Checks a new key for rules that span fields, and reports all violations at once.
pub(crate) fn check_request(request: &KeyRequest, now: Timestamp) -> Result<(), Error> {
    let mut errors = Vec::new();
    let mut refuse = |field: &str, message: &str| {
        errors.push(FieldError { field: field.to_owned(), message: message.to_owned() });
    };
    let service = request.kind == KeyKind::Service;
    if request.application_id.is_some() && request.kind != KeyKind::Api {
        refuse("application_id", "Only API keys can be restricted to an application.");
    }
    if service && request.permissions.is_none() {
        refuse("permissions", "List the permissions of the service key.");
    }
    if !service && request.permissions.is_some() {
        refuse("permissions", "Only service keys can have permissions.");
    }
    if has_misplaced_scopes(request.kind, request.scopes.as_ref()) {
        refuse("scopes", MISPLACED_SCOPES);
    }
    if request.expires_at.is_some_and(|end| end <= now) {
        refuse("expires_at", EXPIRY_PAST);
    }
    errors.extend(budgets::requested(request).err().into_iter().flatten());
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}

/// Whether a key of this kind cannot have these scopes.
pub(super) fn has_misplaced_scopes(kind: KeyKind, scopes: Option<&Scopes>) -> bool {
    kind != KeyKind::Api && scopes.is_some_and(|scopes| !scopes.is_empty())
}

pub(super) const MISPLACED_SCOPES: &str = "Only API keys can have scopes.";
pub(super) const EXPIRY_PAST: &str = "Choose a time in the future.";
