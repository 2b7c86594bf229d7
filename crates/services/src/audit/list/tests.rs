//! Cost of reading a long log, on both databases. The contents are tested over HTTP.

use latchkey_domain::api::PageLimit;
use sea_orm::{ConnectionTrait, DbBackend, QuerySelect};
use uuid::Uuid;

use super::*;
use latchkey_store::database::Database;
use latchkey_test_database as test_database;

/// Events in each of two organizations.
const EVENTS: u32 = 100_000;
const ACTOR: &str = "usr_01kc3f1m6ze1tvyqnz0rg5bqf3";

fn organization(number: u8) -> OrganizationId {
    Uuid::from_u128(u128::from(number)).into()
}

/// Inserts rows that cycle through ten actors and four actions. The database generates them.
async fn fill(database: &Database) {
    let sqlite = database.writer().get_database_backend() == DbBackend::Sqlite;
    for number in 1..=2 {
        let organization = Uuid::from(organization(number)).simple().to_string();
        let (id, organization, hash, series) = if sqlite {
            (
                format!("unhex(printf('{number:02x}%030x', n))"),
                format!("x'{organization}'"),
                "zeroblob(32)".to_owned(),
                format!(
                    "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {EVENTS}) "
                ),
            )
        } else {
            (
                format!("('{number:02x}' || lpad(to_hex(n), 30, '0'))::uuid"),
                format!("'{organization}'::uuid"),
                "'\\x00'::bytea".to_owned(),
                format!("WITH s(n) AS (SELECT generate_series(1, {EVENTS})) "),
            )
        };
        let fill = format!(
            "{series}INSERT INTO audit_events (id, organization_id, sequence, at, actor_kind, actor_id, \
             actor_name, action, target_kind, target_id, target_name, changes, hash) \
             SELECT {id}, {organization}, n, n, 'person', \
             CASE WHEN n % 10 = 9 THEN NULL ELSE 'usr_01kc3f1m6ze1tvyqnz0rg5bqf' || (n % 10) END, 'ada', \
             CASE n % 4 WHEN 0 THEN 'key.created' WHEN 1 THEN 'key.revoked' WHEN 2 THEN 'key.changed' \
             ELSE 'session.created' END, 'key', 'key_1', 'k' || n, '{{}}', {hash} FROM s"
        );
        database.writer().execute_unprepared(&fill).await.unwrap();
    }
    database.writer().execute_unprepared("ANALYZE").await.unwrap();
}

async fn check_page_query(database: Database) {
    fill(&database).await;
    let scope = OrganizationScope::for_test(organization(1));
    let whole = || Filter { actor: None, action: None, from: None, to: None };
    let actor = || Some(ActorFilter::Id(ACTOR.to_owned()));
    let action = Some(AuditAction::KeyRevoked);
    let (from, to) = (Some(Timestamp::from_millis(20_000)), Some(Timestamp::from_millis(90_000)));
    let cursor = Some((Timestamp::from_millis(50_000), Uuid::from_u128(u128::MAX).into()));
    let reads = [
        (whole(), None),
        (whole(), cursor),
        (Filter { from, to, ..whole() }, None),
        (Filter { actor: actor(), ..whole() }, None),
        (Filter { actor: actor(), from, to, ..whole() }, cursor),
        (Filter { actor: Some(ActorFilter::System), ..whole() }, None),
        (Filter { action, ..whole() }, None),
        (Filter { actor: actor(), action, ..whole() }, cursor),
    ];
    for (filter, after) in reads {
        let query = filter.select(&scope, after).limit(PageLimit::default().get() + 1);
        let before = database.statements();
        let rows = query.clone().all(database.reader()).await.unwrap();
        assert_eq!((rows.len(), database.statements() - before), (51, 1));
        assert!(rows.iter().all(|row| row.organization_id == organization(1)));
        assert!(rows.is_sorted_by(|one, next| (one.at, one.id) > (next.at, next.id)));
        let plan = test_database::plan(database.reader(), query).await;
        assert!(plan.contains("audit_events_by_"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
        assert!(!plan.contains("SCAN audit_events") && !plan.contains("Seq Scan"), "{plan}");
        if database.reader().get_database_backend() == DbBackend::Postgres {
            let read = test_database::rows_read(&plan, "audit_events");
            assert!(read <= 1_000, "{read} rows:\n{plan}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_of_a_long_log_is_one_indexed_query_on_sqlite() {
    let (url, _folder) = test_database::on_sqlite();
    let database = Database::open(&url).await.unwrap();
    check_page_query(database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn page_of_a_long_log_is_one_indexed_query_on_postgres() {
    let url = test_database::on_postgres("audit", "").await;
    check_page_query(Database::open(&url).await.unwrap()).await;
}
