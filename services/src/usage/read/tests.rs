//! What reading costs, on both databases. What it answers is tested over HTTP.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Set, Statement};

use super::*;
use crate::database::Database;

/// A month of a key that is used day and night with several outcomes, beside the keys of others.
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
    let kept = [(Resolution::Minute, 48 * 60), (Resolution::Hour, 35 * 24), (Resolution::Day, 90)];
    let mut rows = Vec::new();
    for (resolution, sums) in kept {
        for back in 0..sums {
            let width = match resolution {
                Resolution::Minute => Duration::from_mins(1),
                Resolution::Hour => Duration::from_hours(1),
                Resolution::Day => Duration::from_hours(24),
            };
            for number in 0..=NEIGHBOURS {
                rows.extend(OUTCOMES.map(|outcome| key_usage::ActiveModel {
                    key_id: Set(key(number).as_uuid()),
                    project_id: Set(project().as_uuid()),
                    resolution: Set(resolution.as_str().to_owned()),
                    start: Set((resolution.floor(now()) - width * back).as_millis()),
                    outcome: Set(outcome.as_str().to_owned()),
                    requests: Set(REQUESTS / 30 / 4),
                    prompt_tokens: Set(0),
                    completion_tokens: Set(0),
                    estimated_tokens: Set(0),
                }));
            }
        }
    }
    let transaction = database.begin().await.unwrap();
    for some in rows.chunks(1_000) {
        let insert = key_usage::Entity::insert_many(some.to_vec());
        insert.exec_without_returning(&transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    database.writer().execute_unprepared("ANALYZE").await.unwrap();
}

async fn explain(database: &Database, how: &str, query: Select<key_usage::Entity>) -> String {
    let mut statement: Statement = query.build(database.reader().get_database_backend());
    statement.sql = format!("{how} {}", statement.sql);
    let rows = database.reader().query_all_raw(statement).await.unwrap();
    let column = if how == "EXPLAIN QUERY PLAN" { "detail" } else { "QUERY PLAN" };
    let lines: Vec<String> =
        rows.iter().map(|row| row.try_get::<String>("", column).unwrap()).collect();
    lines.join("\n")
}

/// The rows that the scans of a plan read, of index and table, as PostgreSQL counted them while it ran.
fn rows_of_scans(plan: &str) -> u64 {
    let scans =
        plan.lines().filter(|line| line.contains(" on key_usage") || line.contains("Removed"));
    let rows = scans.map(|line| {
        let actual = line.rsplit_once("rows=").or_else(|| line.rsplit_once(": ")).unwrap().1;
        let digits: String = actual.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().unwrap()
    });
    rows.sum()
}

async fn a_month_of_ten_million_requests_is_fewer_than_a_thousand_rows(database: Database) {
    fill(&database).await;
    let scope = ProjectScope::for_test(project());
    let start = UsageRange::Month.start(now());
    let query = summed(sums_of_key(&scope, key(1)), UsageRange::Month, start);
    let sums = query.clone().into_model::<Sum>().all(database.reader()).await.unwrap();
    assert_eq!(sums.len(), 30 * OUTCOMES.len());
    let requests: i64 = sums.iter().map(|sum| sum.requests).sum();
    assert!((REQUESTS - requests).abs() < 1_000, "{requests}");
    if database.reader().get_database_backend() == DbBackend::Postgres {
        let plan = explain(&database, "EXPLAIN (ANALYZE)", query).await;
        assert!(plan.contains("key_usage_pkey"), "{plan}");
        assert!(rows_of_scans(&plan) < 1_000, "{plan}");
    } else {
        // The range of one primary key, so what it finds is all that it reads.
        let plan = explain(&database, "EXPLAIN QUERY PLAN", query).await;
        let search = "USING PRIMARY KEY (key_id=? AND resolution=? AND start>?)";
        assert!(plan.contains(search), "{plan}");
    }
}

#[tokio::test]
async fn a_month_of_ten_million_requests_is_fewer_than_a_thousand_rows_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/latchkey.db", folder.path().display());
    let database = Database::open(&url).await.unwrap();
    a_month_of_ten_million_requests_is_fewer_than_a_thousand_rows(database).await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test script names the server it started")]
async fn a_month_of_ten_million_requests_is_fewer_than_a_thousand_rows_on_postgres() {
    let server = std::env::var("LATCHKEY_TEST_POSTGRES_URL")
        .expect("run `make test-unit`, or `scripts/with-postgres.sh cargo test`");
    let name = format!("latchkey_usage_test_{}", std::process::id());
    let admin = sea_orm::Database::connect(&server).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (before, _) = server.rsplit_once('/').expect("a URL with a database");
    let database = Database::open(&format!("{before}/{name}")).await.unwrap();
    a_month_of_ten_million_requests_is_fewer_than_a_thousand_rows(database).await;
}
