//! Finds keys by external ID and tag.

use latchkey_domain::attribute::{ExternalId, Tag, Tags};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, QueryTrait,
    RelationTrait, Select, Set,
};

use crate::error::Error;
use crate::scope::ProjectScope;
use latchkey_store::entity::{key, key_tag};

/// Restricts a query to keys with this external ID and this tag.
pub(crate) fn with_attributes(
    query: Select<key::Entity>,
    scope: &ProjectScope,
    external_id: Option<&ExternalId>,
    tag: Option<&Tag>,
) -> Select<key::Entity> {
    query
        .apply_if(external_id, |query, id| query.filter(key::Column::ExternalId.eq(id.clone())))
        .apply_if(tag, |query, tag| {
            query
                .join_rev(JoinType::InnerJoin, key_tag::Relation::Key.def())
                .filter(key_tag::Column::ProjectId.eq(scope.id()))
                .filter(key_tag::Column::Tag.eq(tag.clone()))
        })
}

/// Stores the tags of a key a second time, in the table that is searched. `before` are those that
/// stand there.
pub(super) async fn store_tags(
    transaction: &impl ConnectionTrait,
    before: Option<&Tags>,
    key: &key::Model,
) -> Result<(), Error> {
    if before == key.tags.as_ref() {
        return Ok(());
    }
    if before.is_some() {
        key_tag::Entity::delete_many()
            .filter(key_tag::Column::KeyId.eq(key.id))
            .filter(key_tag::Column::ProjectId.eq(key.project_id))
            .exec(transaction)
            .await?;
    }
    let tags = key.tags.as_ref().map(Tags::as_slice).unwrap_or_default();
    if tags.is_empty() {
        return Ok(());
    }
    let rows = tags.iter().map(|tag| key_tag::ActiveModel {
        key_id: Set(key.id),
        tag: Set(tag.clone()),
        project_id: Set(key.project_id),
        created_at: Set(key.created_at),
    });
    key_tag::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    Ok(())
}
