//! Which index serves each list, on both databases. The contents of the lists are tested over HTTP.

use latchkey_domain::api::{LogFilter, SpanStatus, TraceFilter};
use sea_orm::{ConnectionTrait, DbBackend};

use super::*;
use latchkey_store::database::Database;
use latchkey_store::entity::{log, trace};
use latchkey_test_database as test_database;

const ROWS: u32 = 20_000;

/// Rows of one application. Most belong to one trace, and every hundredth failed. For the most
/// frequent trace a sequential scan in PostgreSQL is fine too.
async fn fill(database: &Database) {
    let sqlite = database.telemetry().backend() == DbBackend::Sqlite;
    let (id, application, series) = if sqlite {
        let series = format!(
            "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) "
        );
        ("unhex(printf('%032x', n))", "unhex(printf('%032x', 7))", series)
    } else {
        (
            "lpad(to_hex(n), 32, '0')::uuid",
            "lpad('7', 32, '0')::uuid",
            format!("WITH s(n) AS (SELECT generate_series(1, {ROWS})) "),
        )
    };
    let owner = format!("{application}, {application}, 'live', n, n");
    let trace = "CASE WHEN n % 50 = 0 THEN 'rare' || n ELSE 'common' END";
    for statement in [
        format!(
            "{series}INSERT INTO traces (id, application_id, key_id, environment, timestamp, \
             received_at, request_method, request_url, response_status, trace_id, span_id, \
             duration_ms, bytes, status) SELECT {id}, {owner}, 'GET', '/', 200, {trace}, 'a', 1, \
             1, CASE WHEN n % 100 = 0 THEN 'error' ELSE NULL END FROM s"
        ),
        format!(
            "{series}INSERT INTO logs (id, application_id, key_id, environment, timestamp, \
             received_at, trace_id, level, kind, message, bytes) \
             SELECT {id}, {owner}, {trace}, 'info', 'log', 'm', 1 FROM s"
        ),
        "ANALYZE".to_owned(),
    ] {
        database.telemetry().writer().execute_unprepared(&statement).await.unwrap();
    }
}

async fn plan<E: Searchable>(database: &Database, wanted: TelemetryFilter) -> String {
    let scan = Scan::<E> {
        application: Uuid::from_u128(7).into(),
        indexed: wanted.indexed,
        is_wanted: Expr::val(1),
        words: wanted.words,
        length: Expr::val(1),
        table: PhantomData,
    };
    let after = RowPosition {
        timestamp: Timestamp::from_millis(i64::from(ROWS) - 1_000),
        nanos: 0,
        id: Uuid::nil(),
    };
    test_database::plan(database.telemetry().reader(), scan.query(Some(after), 101)).await
}

async fn check_index_order(database: Database) {
    fill(&database).await;
    let trace = |id: &str| Some(id.parse().unwrap());
    let failed = TraceFilter { status: Some(SpanStatus::Error), ..TraceFilter::default() };
    for (filter, index) in [
        (TraceFilter::default(), "traces_by_nanos"),
        (TraceFilter { q: trace("x"), root: true, ..TraceFilter::default() }, "traces_by_nanos"),
        (TraceFilter { trace_id: trace("rare100"), ..TraceFilter::default() }, "traces_by_trace"),
        (TraceFilter { trace_id: trace("rare100"), ..failed.clone() }, "traces_by_trace"),
        (failed, "traces_failed"),
    ] {
        assert_uses(&plan::<trace::Entity>(&database, (&filter).into()).await, index);
    }
    for (filter, index) in [
        (LogFilter { level: trace("fatal"), ..LogFilter::default() }, "logs_by_nanos"),
        (LogFilter { trace_id: trace("rare100"), ..LogFilter::default() }, "logs_by_trace"),
    ] {
        assert_uses(&plan::<log::Entity>(&database, (&filter).into()).await, index);
    }
}

fn assert_uses(plan: &str, index: &str) {
    assert!(plan.contains(index), "{index}: {plan}");
    for bad in ["TEMP B-TREE", "Sort", "Filter", "SCAN"] {
        assert!(!plan.contains(bad), "{index}: {plan}");
    }
}

#[tokio::test]
async fn index_returns_rows_in_list_order_on_sqlite() {
    let (url, _folder) = test_database::on_sqlite();
    let database = Database::open(&url).await.unwrap();
    check_index_order(database).await;
}

#[tokio::test]
async fn index_returns_rows_in_list_order_on_postgres() {
    let database =
        Database::open(&test_database::on_postgres("telemetry_lists", "").await).await.unwrap();
    check_index_order(database).await;
}
