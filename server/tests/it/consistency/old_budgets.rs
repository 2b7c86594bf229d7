//! Token budgets of the release before there were others: what was used of them still counts.

use latchkey_checker::CheckRequest;
use latchkey_domain::key::Environment;
use latchkey_domain::limit::Period;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::{KeyPrefix, SecretKey};
use latchkey_domain::time::Timestamp;
use latchkey_migrations::{Migrator, MigratorTrait};
use latchkey_server::system::SystemRandom;
use latchkey_services::random::Random;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};

use crate::test_app::{START, TestApp, count_rows, new_postgres_database, outcome_of, query_value};

const MIGRATION: &str = "m20261130_000041_budgets";

#[tokio::test(flavor = "multi_thread")]
async fn old_token_budget_goes_on_where_it_was_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/latchkey.db?mode=rwc", folder.path().display());
    check_migration(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_token_budget_goes_on_where_it_was_on_postgres() {
    check_migration(&new_postgres_database().await).await;
}

async fn check_migration(url: &str) {
    let secret =
        SecretKey::generate(&KeyPrefix::default(), Environment::Live, |buffer: &mut [u8]| {
            SystemRandom.fill(buffer);
        });
    make_old_database(url, &secret).await;
    let app = TestApp::at(url).await;
    let database = sea_orm::Database::connect(url).await.unwrap();
    // The pepper is known only now.
    let digest = app.config.services.pepper.digest(secret.expose()).to_hex();
    let digest = bytes(&database, &digest);
    execute(&database, &format!("UPDATE keys SET digest = {digest}")).await;
    let spend = async |cost| {
        let call = CheckRequest { cost, ..CheckRequest::default() };
        outcome_of(app.services.checker.check(Some(secret.expose()), call).await)
    };
    assert_eq!(spend(41).await, Outcome::TokenBudgetExhausted, "60 of 100 were used");
    assert_eq!(spend(40).await, Outcome::Valid);
    assert_eq!(spend(1).await, Outcome::TokenBudgetExhausted);
    assert_eq!(count_rows(&database, "budget_usage").await, 2);
    let of_day = "SELECT used FROM budget_usage WHERE unit = 'tokens' AND period = 'day'";
    assert_eq!(query_value::<i64>(&database, of_day).await, 7, "of a period that it had before");
}

/// A key of 100 tokens a month, of which 60 are used, in the schema of the release before.
async fn make_old_database(url: &str, secret: &SecretKey) {
    let database = sea_orm::Database::connect(url).await.unwrap();
    let before = Migrator::migrations().iter().position(|one| one.name() == MIGRATION).unwrap();
    Migrator::up(&database, Some(u32::try_from(before).unwrap())).await.unwrap();
    let id = |number: u32| match database.get_database_backend() {
        DbBackend::Sqlite => format!("x'{number:032x}'"),
        _ => format!("'00000000-0000-0000-0000-{number:012x}'"),
    };
    let (organization, user, project, key) = (id(1), id(2), id(3), id(4));
    let digest = bytes(&database, &"00".repeat(32));
    let hint = secret.hint();
    let start = |period: Period| period.around(Timestamp::from_millis(START)).0.as_millis();
    let (month, day) = (start(Period::Month), start(Period::Day));
    for statement in [
        format!(
            "INSERT INTO organizations (id, name, tier, created_at) \
             VALUES ({organization}, 'Fernside', 'free', 1)"
        ),
        format!(
            "INSERT INTO users (id, github_id, login, created_at) VALUES ({user}, 7, 'eve', 1)"
        ),
        format!(
            "INSERT INTO projects (id, organization_id, name, key_prefix, created_at) \
             VALUES ({project}, {organization}, 'Shop', 'lk', 1)"
        ),
        format!(
            "INSERT INTO keys (id, project_id, kind, environment, name, digest, hint, created_by, \
             created_at, token_limit, token_limit_period) VALUES ({key}, {project}, 'inference', \
             'live', 'Metered', {digest}, '{hint}', {user}, 1, 100, 'month')"
        ),
        format!(
            "INSERT INTO budgets (key_id, period, starts_at, used) \
             VALUES ({key}, 'month', {month}, 60), ({key}, 'day', {day}, 7)"
        ),
    ] {
        execute(&database, &statement).await;
    }
    database.close().await.unwrap();
}

/// Bytes in SQL, from hexadecimal digits.
fn bytes(database: &DatabaseConnection, hex: &str) -> String {
    match database.get_database_backend() {
        DbBackend::Sqlite => format!("x'{hex}'"),
        _ => format!("'\\x{hex}'::bytea"),
    }
}

async fn execute(database: &DatabaseConnection, statement: &str) {
    database.execute_unprepared(statement).await.unwrap();
}
