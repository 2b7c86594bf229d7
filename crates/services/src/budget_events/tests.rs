//! Cost of a page of events, on both databases. The contents are tested over HTTP.

use latchkey_store::database::Database;
use latchkey_test_database as test_database;
use sea_orm::{ConnectionTrait, DbBackend};
use uuid::Uuid;

use super::*;

/// Inserts 20,000 events of the scope's organization, and as many of each of two projects.
async fn fill(database: &Database) {
    let is_sqlite = database.writer().get_database_backend() == DbBackend::Sqlite;
    let id = |number: u128| {
        let hex = Uuid::from_u128(number).simple();
        if is_sqlite { format!("x'{hex}'") } else { format!("'{hex}'::uuid") }
    };
    for (number, project, scope) in
        [(1, "NULL".to_owned(), "organization"), (2, id(2), "project"), (3, id(3), "project")]
    {
        let (event, series) = if is_sqlite {
            (
                format!("unhex(printf('{number:02x}%030x', n))"),
                "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20000)",
            )
        } else {
            (
                format!("('{number:02x}' || lpad(to_hex(n), 30, '0'))::uuid"),
                "WITH s(n) AS (SELECT generate_series(1, 20000))",
            )
        };
        let insert = format!(
            "{series} INSERT INTO budget_events (id, at, organization_id, project_id, scope, \
             owner_id, unit, period, starts_at, percent, \"limit\", used) SELECT {event}, n, {}, \
             {project}, '{scope}', {}, 'usd', 'hour', n, 80, 10, 8 FROM s",
            id(0),
            id(number)
        );
        database.writer().execute_unprepared(&insert).await.unwrap();
    }
    database.writer().execute_unprepared("ANALYZE").await.unwrap();
}

async fn check_page_queries(database: Database) {
    fill(&database).await;
    let project = ProjectId::from(Uuid::from_u128(2));
    let scope = ProjectScope::for_test(project);
    let middle = Some((Timestamp::from_millis(10_000), Uuid::max().into()));
    for (whose, index) in [
        (of_project(&scope), "budget_events_by_project"),
        (of_organization(&scope), "budget_events_by_organization"),
    ] {
        for (after, first) in [(None, 20_000), (middle, 10_000)] {
            let query = select(whose.clone(), after).limit(51);
            let rows = query.clone().all(database.reader()).await.unwrap();
            assert_eq!((rows.len(), rows[0].at), (51, Timestamp::from_millis(first)));
            let plan = test_database::plan(database.reader(), query).await;
            assert!(plan.contains(index), "{plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
            if database.reader().get_database_backend() == DbBackend::Postgres {
                assert!(test_database::rows_read(&plan, "budget_events") <= 60, "{plan}");
            }
        }
    }
}

#[tokio::test]
async fn page_of_budget_events_is_two_indexed_sqlite_queries() {
    let (url, _folder) = test_database::on_sqlite();
    check_page_queries(Database::open(&url).await.unwrap()).await;
}

#[tokio::test]
async fn page_of_budget_events_is_two_indexed_postgres_queries() {
    let url = test_database::on_postgres("budget_events", "").await;
    check_page_queries(Database::open(&url).await.unwrap()).await;
}
