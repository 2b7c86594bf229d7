use latchkey_domain::api::ProjectUsageFilter;
use latchkey_domain::id::{ProjectId, UserId};
use latchkey_domain::money::Usd;
use latchkey_domain::time::Timestamp;
use latchkey_domain::usage::UsageRange;
use sea_orm::{ConnectionTrait, Set};
use uuid::Uuid;

use super::super::report::Span;
use super::*;
use crate::scope::ProjectScope;
use latchkey_checker::usage::Resolution;
use latchkey_store::database::Database;
use latchkey_test_database as test_database;

const KEYS: u8 = 60;

fn now() -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000)
}

fn project() -> ProjectId {
    ProjectId::new(now(), [0; 10])
}

fn key(number: u8) -> KeyId {
    KeyId::new(now(), [number; 10])
}

/// What a key has: an external ID of 20, and two tags of 7 and of 5. Every fourth key has neither.
fn attributes(number: u8) -> (Option<String>, Vec<String>) {
    if number.is_multiple_of(4) {
        return (None, Vec::new());
    }
    let tags = vec![format!("seven {}", number % 7), format!("five {}", number % 5)];
    (Some(format!("user_{}", number % 20)), tags)
}

async fn fill(database: &Database) {
    let literal = |id: Uuid| {
        let hex = id.simple();
        if database.is_sqlite() { format!("x'{hex}'") } else { format!("'{hex}'") }
    };
    let organization = literal(Uuid::from_u128(1));
    let user = literal(UserId::new(now(), [9; 10]).into());
    let project_id = literal(project().into());
    let mut statements = vec![
        format!("INSERT INTO users (id, login, created_at) VALUES ({user}, 'ada', 0)"),
        format!(
            "INSERT INTO organizations (id, name, tier, created_at) \
             VALUES ({organization}, 'o', 'enterprise', 0)"
        ),
        format!(
            "INSERT INTO projects (id, organization_id, name, key_prefix, created_at) \
             VALUES ({project_id}, {organization}, 'p', 'lk', 0)"
        ),
    ];
    let mut sums = Vec::new();
    for number in 0..KEYS {
        let (external_id, tags) = attributes(number);
        let text = |text: String| format!("'{text}'");
        let external_id = external_id.map_or_else(|| "NULL".to_owned(), text);
        let tags = if tags.is_empty() {
            "NULL".to_owned()
        } else {
            text(serde_json::to_string(&tags).unwrap())
        };
        let id = literal(key(number).into());
        let digest = format!("{number:064x}");
        let digest = if database.is_sqlite() {
            format!("x'{digest}'")
        } else {
            format!("decode('{digest}', 'hex')")
        };
        statements.push(format!(
            "INSERT INTO keys (id, project_id, kind, environment, name, digest, hint, created_by, \
             created_at, last_used_at, search, external_id, tags) VALUES ({id}, {project_id}, \
             'api', 'live', 'key {number}', {digest}, 'lk_live_aaaa...bbbb', {user}, 0, {}, '', \
             {external_id}, {tags})",
            now().as_millis()
        ));
        let cost = i64::from(number) * 3;
        for (outcome, requests) in [(Outcome::Valid, number), (Outcome::RateLimited, 1)] {
            sums.push(key_usage::ActiveModel {
                key_id: Set(key(number)),
                project_id: Set(project()),
                resolution: Set(Resolution::Hour.as_str().to_owned()),
                start: Set(Resolution::Hour.floor(now())),
                outcome: Set(outcome),
                requests: Set(requests.into()),
                prompt_tokens: Set(2),
                completion_tokens: Set(1),
                estimated_tokens: Set(0),
                rejected_items: Set(0),
                cached_tokens: Set(0),
                cost: Set(cost),
            });
        }
    }
    for statement in statements {
        database.writer().execute_unprepared(&statement).await.unwrap();
    }
    let transaction = database.telemetry().begin().await.unwrap();
    key_usage::Entity::insert_many(sums).exec_without_returning(&transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

/// What is not written yet: five calls of the last key.
fn unwritten() -> HashMap<KeyId, Sums> {
    HashMap::from([(key(KEYS - 1), Sums { requests: 5, valid: 5, ..Sums::default() })])
}

/// The sums as they must be, counted from the attributes.
fn expected(names: impl Fn(u8) -> Vec<GroupName>) -> Vec<Group> {
    let mut groups: HashMap<GroupName, Sums> = HashMap::new();
    for number in 0..KEYS {
        let (valid, cost) = (u64::from(number), u64::from(number) * 6);
        let stored = Sums {
            requests: valid + 1,
            valid,
            prompt_tokens: 4,
            completion_tokens: 2,
            cost: Usd::from_billionths(cost),
        };
        for name in names(number) {
            let group = groups.entry(name).or_default();
            *group += stored;
            *group += unwritten().get(&key(number)).copied().unwrap_or_default();
        }
    }
    largest(groups)
}

async fn check_parts(database: Database) {
    fill(&database).await;
    let (scope, filter) = (ProjectScope::for_test(project()), ProjectUsageFilter::default());
    let snapshot = database.snapshot().await.unwrap();
    snapshot.fix().await.unwrap();
    let span = Span::new(UsageRange::Week, now());
    let report = Report { scope: &scope, filter: &filter, span, snapshot: &snapshot };
    let external_ids = expected(|number| vec![attributes(number).0]);
    let tags = expected(|number| match attributes(number).1 {
        tags if tags.is_empty() => vec![None],
        tags => tags.into_iter().map(Some).collect(),
    });
    assert_eq!((external_ids.len(), tags.len()), (16, 13), "with the group of those without");
    for (by, groups) in [(UsageGrouping::ExternalId, external_ids), (UsageGrouping::Tag, tags)] {
        for most_groups in [2, 5, 1_000] {
            let keys = UsedKeys { report: &report, by, unwritten: unwritten(), most_groups };
            assert_eq!(keys.largest().await.unwrap(), groups, "{by:?}, {most_groups}");
        }
    }
    snapshot.end().await.unwrap();
}

#[tokio::test]
async fn groups_beyond_the_bound_are_exact_on_sqlite() {
    let (url, _folder) = test_database::on_sqlite();
    check_parts(Database::open(&url).await.unwrap()).await;
}

#[tokio::test]
async fn groups_beyond_the_bound_are_exact_on_postgres() {
    let url = test_database::on_postgres("groups", "").await;
    check_parts(Database::open(&url).await.unwrap()).await;
}

#[test]
fn key_is_in_a_group_for_each_tag() {
    let application = ApplicationId::new(now(), [2; 10]);
    let mut key = UsedKey {
        id: key(1),
        application_id: Some(application),
        external_id: None,
        tags: Some(Tags::new(vec!["a".parse().unwrap(), "b".parse().unwrap()]).unwrap()),
    };
    let some = |name: &str| vec![Some(name.to_owned())];
    assert_eq!(key.groups(UsageGrouping::Tag), [Some("a".to_owned()), Some("b".to_owned())]);
    assert_eq!(key.groups(UsageGrouping::Key), some(&key.id.to_string()));
    assert_eq!(key.groups(UsageGrouping::Application), some(&application.to_string()));
    assert_eq!(key.groups(UsageGrouping::ExternalId), [None::<String>]);
    key.tags = None;
    assert_eq!(key.groups(UsageGrouping::Tag), [None::<String>]);
}

#[test]
fn each_group_is_in_one_part() {
    let hasher = RandomState::new();
    for parts in [1, 2, 7] {
        for name in [None, Some("a"), Some("b")] {
            let has = |index: &u64| Part { hasher: &hasher, index: *index, parts }.has(name);
            assert_eq!((0..parts).filter(has).count(), 1, "{parts}, {name:?}");
        }
    }
}

#[test]
fn too_many_groups_are_read_in_more_parts() {
    assert_eq!(more_parts(1, 1_000, 100), 11);
    assert_eq!(more_parts(11, 1_000, 1_000), 22);
    assert_eq!(more_parts(u64::MAX, 1_000, 0), u64::MAX);
}
