//! Columns round-trip the domain's types, on both databases.

use latchkey_domain::budget::{Budget, Budgets, UsdLimit};
use latchkey_domain::digest::KeyDigest;
use latchkey_domain::id::{KeyId, OrganizationId, ProjectId, UserId};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::limit::{Period, Tokens};
use latchkey_domain::money::Usd;
use latchkey_domain::tier::{Count, Tier, TierOverrides};
use latchkey_domain::time::Timestamp;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use super::{key, organization};
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

fn budgets_of(listed: &[Budget], flat: Option<(u64, Period)>) -> Vec<Budget> {
    let at = Timestamp::from_millis(0);
    let row = key::Model {
        id: KeyId::new(at, [0; 10]),
        project_id: ProjectId::new(at, [0; 10]),
        application_id: None,
        kind: KeyKind::Inference,
        environment: Environment::Live,
        name: String::new(),
        digest: KeyDigest::new([0; 32]),
        hint: "lk_live_7Qm2...x9Kd".parse().unwrap(),
        created_by: UserId::new(at, [0; 10]),
        created_at: at,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        last_used_ip: None,
        rpm: None,
        tpm: None,
        max_parallel: None,
        token_limit: flat.map(|(limit, _)| Tokens::new(limit).unwrap()),
        token_limit_period: flat.map(|(_, period)| period),
        allowed_models: None,
        allowed_cidrs: None,
        permissions: None,
        archived_at: None,
        old_digest: None,
        old_hint: None,
        old_ends_at: None,
        old_last_used_at: None,
        search: String::new(),
        disabled: false,
        external_id: None,
        metadata: None,
        tags: None,
        scopes: None,
        budgets: Some(Budgets::new(listed.iter().copied()).unwrap()),
        pepper: None,
        old_pepper: None,
    };
    row.all_budgets().as_slice().to_vec()
}

#[test]
fn token_limit_of_the_release_before_replaces_no_other_budget() {
    let tokens = |limit, period| Budget::tokens(Tokens::new(limit).unwrap(), period);
    let requests = |period| Budget::requests(Tokens::new(1).unwrap(), period);
    let dollar = |period| Budget::usd(UsdLimit::new(Usd::dollars(1)).unwrap(), period);
    let mut listed: Vec<_> = Period::ALL.into_iter().map(dollar).collect();
    listed.extend([requests(Period::Day), requests(Period::Week)]);
    let all = budgets_of(&listed, Some((7, Period::Day)));
    assert_eq!((all.len(), all[0]), (9, tokens(7, Period::Day)), "added, and none is lost");
    let own = [tokens(5, Period::Day), tokens(9, Period::Week)];
    assert_eq!(budgets_of(&own, Some((7, Period::Day)))[0], tokens(7, Period::Day));
    assert_eq!(budgets_of(&own, Some((5, Period::Day))), own);
    let own = own.as_slice();
    let removed = budgets_of(own, None);
    assert_eq!((removed.len(), removed[0].period), (1, Period::Week));
}
