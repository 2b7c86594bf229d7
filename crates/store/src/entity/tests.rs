//! Columns round-trip the domain's types, on both databases.

use latchkey_domain::id::OrganizationId;
use latchkey_domain::tier::{Count, Tier, TierOverrides};
use latchkey_domain::time::Timestamp;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use super::organization;
use crate::Error;
use crate::database::Database;

async fn check_impossible_values(database: Database) {
    let now = Timestamp::from_millis(1_795_000_000_000);
    let overrides = TierOverrides { projects: Some(Count::new(3).unwrap()), ..TierOverrides::NONE };
    let row = organization::Model {
        id: OrganizationId::new(now, [7; 10]),
        name: "Fernside".to_owned(),
        tier: Tier::Team,
        created_at: now,
        deleted_at: None,
        tier_overrides: Some(overrides),
        rpm: None,
        tpm: None,
        max_parallel: None,
        budgets: None,
    };
    let writer = database.writer();
    organization::Entity::insert(row.clone().into_active_model()).exec(writer).await.unwrap();
    let find = || organization::Entity::find_by_id(row.id).one(database.reader());
    assert_eq!(find().await.unwrap(), Some(row.clone()));
    let update = r#"UPDATE organizations SET tier_overrides = '{"projects":0}'"#;
    writer.execute_unprepared(update).await.unwrap();
    let error = Error::from(find().await.unwrap_err());
    assert!(matches!(error, Error::Corrupt("tier override")), "{error:?}");
    assert_eq!(error.to_string(), "the database holds an impossible tier override");
}

#[tokio::test]
async fn impossible_values_are_corrupt_on_sqlite() {
    let (url, _folder) = latchkey_test_database::on_sqlite();
    check_impossible_values(Database::open(&url).await.unwrap()).await;
}

#[tokio::test]
async fn impossible_values_are_corrupt_on_postgres() {
    let url = latchkey_test_database::on_postgres("columns", "").await;
    check_impossible_values(Database::open(&url).await.unwrap()).await;
}
