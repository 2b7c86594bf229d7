//! Cost of a list of keys, on both databases. The contents are tested over HTTP.

use latchkey_domain::api::PageLimit;
use latchkey_domain::id::UserId;
use latchkey_domain::key::KeyKind;
use latchkey_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend};

use super::*;
use latchkey_store::database::Database;
use latchkey_test_database as test_database;

const KEYS: u32 = 50_000;

fn now() -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000)
}

fn project(number: u8) -> ProjectId {
    ProjectId::new(now(), [number; 10])
}

/// Inserts 50,000 keys in each of two projects. The database generates them.
async fn fill(database: &Database) {
    let hex = |id: uuid::Uuid| id.simple().to_string();
    let owner = UserId::new(now(), [9; 10]).into();
    let organization = uuid::Uuid::from_u128(1);
    let sqlite = database.writer().get_database_backend() == DbBackend::Sqlite;
    let id = |hex: &str| if sqlite { format!("x'{hex}'") } else { format!("'{hex}'::uuid") };
    let mut statements = vec![
        format!("INSERT INTO users (id, login, created_at) VALUES ({}, 'ada', 0)", id(&hex(owner))),
        format!(
            "INSERT INTO organizations (id, name, tier, created_at) VALUES ({}, 'o', 'enterprise', 0)",
            id(&hex(organization))
        ),
    ];
    for number in 1..=2 {
        let project = id(&hex(project(number).into()));
        statements.push(format!(
            "INSERT INTO projects (id, organization_id, name, key_prefix, created_at) \
             VALUES ({project}, {}, 'p', 'lk', 0)",
            id(&hex(organization))
        ));
        // UUIDs in the order of their number, and digests of 32 bytes.
        let (key, digest, series) = if sqlite {
            (
                format!("unhex(printf('{number:02x}%030x', n))"),
                format!("unhex(printf('{number:02x}%062x', n))"),
                format!(
                    "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {KEYS}) "
                ),
            )
        } else {
            (
                format!("('{number:02x}' || lpad(to_hex(n), 30, '0'))::uuid"),
                format!("decode('{number:02x}' || lpad(to_hex(n), 62, '0'), 'hex')"),
                format!("WITH s(n) AS (SELECT generate_series(1, {KEYS})) "),
            )
        };
        statements.push(format!(
            "{series}INSERT INTO keys (id, project_id, kind, environment, name, digest, hint, created_by, \
             created_at, last_used_at, search) SELECT {key}, {project}, 'api', 'live', 'key ' || n, \
             {digest}, 'lk_live_aaaa...bbbb', {}, n, n, 'key ' || n FROM s",
            id(&hex(owner))
        ));
    }
    // Every tenth key has a tag, every thousandth a second one and an external ID.
    statements.push(
        "INSERT INTO key_tags (key_id, tag, project_id, created_at) \
         SELECT id, 'many', project_id, created_at FROM keys WHERE created_at % 10 = 0 UNION ALL \
         SELECT id, 'few', project_id, created_at FROM keys WHERE created_at % 1000 = 0"
            .to_owned(),
    );
    statements.push(
        "UPDATE keys SET external_id = 'user_' || (created_at % 10000) \
         WHERE created_at % 1000 = 0"
            .to_owned(),
    );
    statements.push("ANALYZE".to_owned());
    for statement in statements {
        database.writer().execute_unprepared(&statement).await.unwrap();
    }
}

async fn check_page_query(database: Database) {
    fill(&database).await;
    let scope = ProjectScope::for_test(project(1));
    let filters = [
        (KeyFilter::default(), ["keys_by_creation", "keys_by_creation"]),
        // All keys here are API keys, so either index serves.
        (
            KeyFilter { kind: Some(KeyKind::Api), ..KeyFilter::default() },
            ["keys_by_kind", "keys_by_creation"],
        ),
        (
            KeyFilter { sort: KeySort::LastUsed, ..KeyFilter::default() },
            ["keys_by_last_use", "keys_by_last_use"],
        ),
    ];
    for (filter, indexes) in filters {
        let page = PageRequest { limit: PageLimit::default(), cursor: None };
        let query = ordered(filtered(&scope, &filter, now()), &filter, &page).unwrap();
        let query = query.limit(page.rows());
        let before = database.statements();
        let rows = query.clone().all(database.reader()).await.unwrap();
        assert_eq!((rows.len(), database.statements() - before), (51, 1));
        assert_eq!(rows[0].name, format!("key {KEYS}"));
        let plan = test_database::plan(database.reader(), query).await;
        assert!(indexes.iter().any(|index| plan.contains(index)), "{plan}");
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
        assert!(!plan.contains("SCAN keys") && !plan.contains("Seq Scan"), "{plan}");
        if database.reader().get_database_backend() == DbBackend::Postgres {
            assert!(test_database::rows_read(&plan, "keys") <= 60, "{plan}");
        }
    }
}

/// Filters that match few keys, or many.
async fn check_attribute_queries(database: Database) {
    fill(&database).await;
    let scope = ProjectScope::for_test(project(1));
    let tagged = |tag: &str| KeyFilter { tag: tag.parse().ok(), ..KeyFilter::default() };
    let external_id = "user_5000".parse().ok();
    let of_user = KeyFilter { external_id, ..KeyFilter::default() };
    let by_last_use = KeyFilter { sort: KeySort::LastUsed, ..of_user.clone() };
    for (filter, found, index) in [
        (tagged("many"), 51, "key_tags_by_tag"),
        (tagged("few"), 50, "key_tags_by_tag"),
        (tagged("none at all"), 0, "key_tags_by_tag"),
        (of_user, 5, "keys_by_external_id"),
        (by_last_use, 5, "keys_by_external_id"),
    ] {
        let page = PageRequest { limit: PageLimit::default(), cursor: None };
        let query = ordered(filtered(&scope, &filter, now()), &filter, &page).unwrap();
        let query = query.limit(page.rows());
        let rows = query.clone().all(database.reader()).await.unwrap();
        assert_eq!(rows.len(), found, "{filter:?}");
        assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(row.created_at)), "{filter:?}");
        let plan = test_database::plan(database.reader(), query).await;
        assert!(plan.contains(index), "{filter:?}: {plan}");
        let is_sorted = plan.contains("TEMP B-TREE");
        assert!(!is_sorted || filter.sort == KeySort::LastUsed, "{filter:?}: {plan}");
        assert!(!plan.contains("SCAN keys") && !plan.contains("Seq Scan"), "{filter:?}: {plan}");
        if database.reader().get_database_backend() == DbBackend::Postgres {
            assert!(test_database::rows_read(&plan, "key_tags") <= 120, "{filter:?}: {plan}");
        }
    }
}

#[tokio::test]
async fn tag_and_external_id_are_looked_up_in_an_index_on_sqlite() {
    let (url, _folder) = test_database::on_sqlite();
    check_attribute_queries(Database::open(&url).await.unwrap()).await;
}

#[tokio::test]
async fn tag_and_external_id_are_looked_up_in_an_index_on_postgres() {
    let url = test_database::on_postgres("key_attributes", "").await;
    check_attribute_queries(Database::open(&url).await.unwrap()).await;
}

#[tokio::test]
async fn page_of_fifty_thousand_keys_is_one_indexed_sqlite_query() {
    let (url, _folder) = test_database::on_sqlite();
    let database = Database::open(&url).await.unwrap();
    check_page_query(database).await;
}

#[tokio::test]
async fn page_of_fifty_thousand_keys_is_one_indexed_postgres_query() {
    let database = Database::open(&test_database::on_postgres("key_list", "").await).await.unwrap();
    check_page_query(database).await;
}

const FOLDING: &str = "m20261129_000032_fold_search";

/// Names that searches missed before the migration, or found only in their exact spelling.
async fn check_migrated_search(url: &str) {
    let database = sea_orm::Database::connect(url).await.unwrap();
    let before = Migrator::migrations().iter().position(|one| one.name() == FOLDING).unwrap();
    Migrator::up(&database, Some(u32::try_from(before).unwrap())).await.unwrap();
    let id = |number: u128| match database.get_database_backend() {
        DbBackend::Sqlite => format!("x'{}'", uuid::Uuid::from_u128(number).simple()),
        _ => format!("'{}'", uuid::Uuid::from_u128(number)),
    };
    let owner = id(9);
    for statement in [
        format!("INSERT INTO users (id, login, created_at) VALUES ({owner}, 'ada', 0)"),
        format!(
            "INSERT INTO organizations (id, name, tier, created_at) VALUES ({owner}, 'o', 'free', 0)"
        ),
        format!(
            "INSERT INTO projects (id, organization_id, name, key_prefix, created_at) \
             VALUES ({owner}, {owner}, 'p', 'lk', 0)"
        ),
    ] {
        database.execute_unprepared(&statement).await.unwrap();
    }
    for (number, search) in (1..).zip(["web", "Äpfel ÜBER", "οδος"]) {
        let digest = match database.get_database_backend() {
            DbBackend::Sqlite => format!("x'{number:064}'"),
            _ => format!("decode('{number:064}', 'hex')"),
        };
        let insert = format!(
            "INSERT INTO keys (id, project_id, kind, environment, name, digest, hint, created_by, \
             created_at, search) VALUES ({}, {owner}, 'api', 'live', 'n{number}', {digest}, 'h', {owner}, \
             0, '{search}')",
            id(number)
        );
        database.execute_unprepared(&insert).await.unwrap();
    }
    Migrator::up(&database, None).await.unwrap();
    let rows: Vec<String> = key::Entity::find()
        .select_only()
        .column(key::Column::Search)
        .order_by_asc(key::Column::Id)
        .into_tuple()
        .all(&database)
        .await
        .unwrap();
    assert_eq!(rows, ["web", "äpfel über", "οδοσ"]);
}

#[tokio::test]
async fn migrated_keys_are_found_in_every_alphabet_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/latchkey.db?mode=rwc", folder.path().display());
    check_migrated_search(&url).await;
}

#[tokio::test]
async fn migrated_keys_are_found_in_every_alphabet_on_postgres() {
    let url = test_database::on_postgres("fold_search", "").await;
    check_migrated_search(&url).await;
}
