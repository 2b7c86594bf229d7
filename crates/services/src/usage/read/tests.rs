//! Cost of reading usage, on both databases. The contents are tested over HTTP.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Set};

use super::*;
use latchkey_store::database::Database;
use latchkey_test_database as test_database;

/// A month of a key in constant use with several outcomes, beside the keys of others.
const OUTCOMES: [Outcome; 4] =
    [Outcome::Valid, Outcome::RateLimited, Outcome::WrongScope, Outcome::QuotaExceeded];
const NEIGHBOURS: u8 = 4;
const REQUESTS: i64 = 10_000_000;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-18T11:06:40Z").unwrap()
}

fn project() -> ProjectId {
    ProjectId::new(now(), [0; 10])
}

fn key(number: u8) -> KeyId {
    KeyId::new(now(), [number; 10])
}

async fn fill(database: &Database) {
    let spans = [(Resolution::Minute, 48 * 60), (Resolution::Hour, 35 * 24), (Resolution::Day, 90)];
    let mut rows = Vec::new();
    for (resolution, sums) in spans {
        for back in 0..sums {
            let width = match resolution {
                Resolution::Minute => Duration::from_mins(1),
                Resolution::Hour => Duration::from_hours(1),
                Resolution::Day => Duration::from_hours(24),
            };
            for number in 0..=NEIGHBOURS {
                rows.extend(OUTCOMES.map(|outcome| key_usage::ActiveModel {
                    key_id: Set(key(number)),
                    project_id: Set(project()),
                    resolution: Set(resolution.as_str().to_owned()),
                    start: Set(resolution.floor(now()) - width * back),
                    outcome: Set(outcome),
                    requests: Set(REQUESTS / 30 / 4),
                    prompt_tokens: Set(0),
                    completion_tokens: Set(0),
                    estimated_tokens: Set(0),
                    rejected_items: Set(0),
                    cached_tokens: Set(0),
                    cost: Set(0),
                }));
            }
        }
    }
    let transaction = database.telemetry().begin().await.unwrap();
    for some in rows.chunks(1_000) {
        let insert = key_usage::Entity::insert_many(some.to_vec());
        insert.exec_without_returning(&transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    database.telemetry().writer().execute_unprepared("ANALYZE").await.unwrap();
}

async fn check_month_query(database: Database) {
    fill(&database).await;
    let scope = ProjectScope::for_test(project());
    let start = UsageRange::Month.start(now());
    let query = summed(sums_of_key(&scope, key(1)), UsageRange::Month, start);
    let sums = query.clone().into_model::<Sum>().all(database.telemetry().reader()).await.unwrap();
    assert_eq!(sums.len(), 30 * OUTCOMES.len());
    let requests: i64 = sums.iter().map(|sum| sum.requests).sum();
    assert!((REQUESTS - requests).abs() < 1_000, "{requests}");
    if database.reader().get_database_backend() == DbBackend::Postgres {
        let plan = test_database::plan(database.telemetry().reader(), query).await;
        assert!(plan.contains("key_usage_pkey"), "{plan}");
        assert!(test_database::rows_read(&plan, "key_usage") < 1_000, "{plan}");
    } else {
        // A range of the primary key, so the query reads only the rows that it returns.
        let plan = test_database::plan(database.telemetry().reader(), query).await;
        let search = "USING PRIMARY KEY (key_id=? AND resolution=? AND start>?)";
        assert!(plan.contains(search), "{plan}");
    }
}

#[tokio::test]
async fn month_of_ten_million_requests_reads_few_rows_on_sqlite() {
    let (url, _folder) = test_database::on_sqlite();
    let database = Database::open(&url).await.unwrap();
    check_month_query(database).await;
}

#[tokio::test]
async fn month_of_ten_million_requests_reads_few_rows_on_postgres() {
    let database = Database::open(&test_database::on_postgres("usage", "").await).await.unwrap();
    check_month_query(database).await;
}
