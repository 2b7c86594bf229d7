//! Keys of other systems at every door: found by their shape, and under our own digest from their
//! first use on.
#![expect(
    clippy::disallowed_methods,
    reason = "what another node hears of within a second is timed by a real clock"
)]

use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use latchkey_checker::{CheckRequest, Error};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::outcome::Outcome;
use latchkey_services::Services;
use reqwest::Method;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use uuid::Uuid;

use crate::consistency::nodes::hears;
use crate::routes::import::{column, import, mover, register, row, sha256};
use crate::routes::usage::literal;
use crate::test_app::{Backend, Session, TestApp, on_both_databases, outcome_of, problem, text};

const PBKDF2: &str = "pbkdf2_sha256$1000$saltsalt$h9vKhwHp+3FWZ5PSyA6GcwhE63QxBhaCHvCErIb+WkE=";
const BCRYPT: &str = "$2b$04$0CRJ6yK2Qz1J/pvtY/PqAeuthOvKmPg3V33ORwn.2rDiwzm0mngOC";
const SCRYPT: &str = "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$uDMoaAezbDefQERH0HqDgH54OmTqGgr9/qK6I8gh8vA";

/// Slow hashes of keys.
const SLOW: [(&str, &str, &str); 3] = [
    ("pbkdf2-sha256", PBKDF2, "sk-slow-first-0123456789"),
    ("bcrypt", BCRYPT, "sk-slow-second-0123456789"),
    ("scrypt", SCRYPT, "sk-slow-third-0123456789"),
];

async fn outcome(services: &Services, secret: &str) -> Outcome {
    outcome_of(services.checker.check(Some(secret), CheckRequest::default()).await)
}

/// A row of a key with a slow hash.
fn slow_row(scheme: &str, stored: &str, lookup: &str) -> Value {
    json!({ "name": lookup, "scheme": scheme, "stored": stored, "lookup": lookup })
}

/// How many imported keys have our own digest.
async fn moved(app: &TestApp) -> i64 {
    app.services.settled().await;
    column(app, "SELECT count(*) FROM imported_keys WHERE moved_at IS NOT NULL").await[0]
}

/// Waits until a node admits a key, for a second at most.
async fn until_admitted(services: &Services, secret: &str) {
    let began = Instant::now();
    // On behalf of the server, so that failures don't count.
    while services.checker.authenticate_for_server(Some(secret)).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(1), "still refused");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn rotate(app: &TestApp, who: &Session, id: &str, grace_seconds: u64) -> String {
    let body = json!({ "grace_seconds": grace_seconds });
    let path = format!("/v1/keys/{id}/rotate");
    let response = app.send(Method::POST, &path, who, &body).await;
    assert_eq!(response.status(), 200);
    text(&response.json::<Value>().await.unwrap()["key"])
}

on_both_databases! {
    async fn imported_key_gets_our_digest_at_its_first_use(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let secret = "sk-first-use-0123456789";
        import(&app, &ada, &[row(secret)]).await;
        assert_eq!(moved(&app).await, 0);
        for _ in 0..3 {
            assert_eq!(outcome(&app.services, secret).await, Outcome::Valid);
            assert_eq!(moved(&app).await, 1);
        }
        let wanted = app.config.services.pepper.digest(secret);
        let stored: Vec<Vec<u8>> = column(&app, "SELECT digest FROM keys").await;
        assert!(stored.iter().any(|digest| digest == wanted.as_bytes()));
        hears(&app.services).await;
        assert_eq!(outcome(&app.services, secret).await, Outcome::Valid);
        let before = app.services.database.statements();
        for _ in 0..100 {
            assert_eq!(outcome(&app.services, secret).await, Outcome::Valid);
        }
        assert_eq!(app.services.database.statements(), before);
    }

    async fn concurrent_first_uses_on_two_nodes_are_all_admitted(app: TestApp) {
        let other = app.second_node().await;
        let ada = mover(&app, "ada").await;
        hears(&other).await;
        for round in 0..5 {
            let secret = format!("sk-round-{round}-0123456789");
            import(&app, &ada, &[row(&secret)]).await;
            assert_eq!(outcome(&app.services, &secret).await, Outcome::Valid);
            until_admitted(&other, &secret).await;
            let checks = (0..40).map(|index| {
                let (services, secret) = ([&app.services, &other][index % 2].clone(), &secret);
                async move { outcome(&services, secret).await }
            });
            for came_to in futures_of(checks).await {
                assert_eq!(came_to, Outcome::Valid);
            }
            other.settled().await;
            assert_eq!(moved(&app).await, round + 1);
        }
    }

    async fn revoked_imported_key_is_refused_before_its_first_use(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let secret = "sk-revoked-0123456789";
        let imported = import(&app, &ada, &[row(secret)]).await;
        let id = text(&imported["rows"][0]["key_id"]);
        let path = format!("/v1/keys/{id}");
        assert_eq!(app.send(Method::DELETE, &path, &ada, &Value::Null).await.status(), 204);
        for _ in 0..3 {
            assert_eq!(outcome(&app.services, secret).await, Outcome::RevokedKey);
            app.services.settled().await;
        }
    }

    async fn text_without_a_shape_is_malformed_without_a_query(app: TestApp) {
        let ada = mover(&app, "ada").await;
        import(&app, &ada, &[row("sk-shape-0123456789")]).await;
        hears(&app.services).await;
        assert_eq!(outcome(&app.services, "sk-unknown-0123456789").await, Outcome::UnknownKey);
        let mistyped = "lk_live_000000000000000000000000000000004cjNQF";
        let mut was_quiet = false;
        // What the node does every second may fall into one of the turns.
        for _ in 0..5 {
            let before = app.services.database.statements();
            for text in ["", "sk-", "pk-shape-0123456789", mistyped, "sk-shape 0123456789"] {
                assert_eq!(outcome(&app.services, text).await, Outcome::MalformedKey, "{text}");
            }
            assert_eq!(outcome(&app.services, "sk-unknown-0123456789").await, Outcome::UnknownKey);
            was_quiet |= app.services.database.statements() == before;
        }
        assert!(was_quiet, "each turn asked the database");
    }

    async fn key_is_found_as_soon_as_its_shape_arrives(app: TestApp) {
        mover(&app, "ada").await;
        let other = app.second_node().await;
        let bob = app.sign_in("bob").await;
        let shape = |prefix| {
            json!({"prefix": prefix, "min_length": 9, "max_length": 40, "alphabet": "visible"})
        };
        assert_eq!(register(&app, &bob, &shape("zz-")).await.status(), 201);
        let (here, there) = ("sk-of-bob-0123456789", "sk-of-bob-9876543210");
        import(&app, &bob, &[row(here), row(there)]).await;
        hears(&app.services).await;
        hears(&other).await;
        for secret in [here, there] {
            assert_eq!(outcome(&app.services, secret).await, Outcome::UnknownKey);
            let early = outcome(&other, secret).await;
            assert!(matches!(early, Outcome::UnknownKey | Outcome::MalformedKey), "{early:?}");
        }
        assert_eq!(register(&app, &bob, &shape("sk-of-")).await.status(), 201);
        assert_eq!(outcome(&app.services, here).await, Outcome::Valid);
        until_admitted(&other, there).await;
    }

    async fn key_is_not_found_by_the_shape_of_another_project(app: TestApp) {
        mover(&app, "ada").await;
        let bob = app.sign_in("bob").await;
        let shape =
            json!({"prefix": "zz-", "min_length": 9, "max_length": 40, "alphabet": "visible"});
        assert_eq!(register(&app, &bob, &shape).await.status(), 201);
        let (found, not) = ("zz-of-bob-0123456789", "sk-of-bob-0123456789");
        import(&app, &bob, &[row(found), row(not)]).await;
        assert_eq!(outcome(&app.services, not).await, Outcome::UnknownKey);
        assert_eq!(outcome(&app.services, found).await, Outcome::Valid);
        assert_eq!(moved(&app).await, 1);
    }

    async fn rotation_of_imported_key_gives_one_of_ours(app: TestApp) {
        let ada = mover(&app, "ada").await;
        for (secret, is_used) in [("sk-used-0123456789", true), ("sk-unused-0123456789", false)] {
            let imported = import(&app, &ada, &[row(secret)]).await;
            let id = text(&imported["rows"][0]["key_id"]);
            if is_used {
                assert_eq!(outcome(&app.services, secret).await, Outcome::Valid);
                app.services.settled().await;
            }
            let new = rotate(&app, &ada, &id, 60).await;
            assert!(new.starts_with("lk_live_"), "{new:.8}");
            for _ in 0..2 {
                assert_eq!(outcome(&app.services, &new).await, Outcome::Valid);
                assert_eq!(outcome(&app.services, secret).await, Outcome::Valid);
                app.services.settled().await;
            }
            rotate(&app, &ada, &id, 0).await;
            let ended = outcome(&app.services, secret).await;
            assert!(matches!(ended, Outcome::UnknownKey | Outcome::RevokedKey), "{ended:?}");
        }
    }

    async fn slow_hash_is_computed_until_the_first_use(app: TestApp) {
        let ada = mover(&app, "ada").await;
        for (scheme, stored, secret) in SLOW {
            let before = moved(&app).await;
            import(&app, &ada, &[slow_row(scheme, stored, &secret[..12])]).await;
            let wrong = format!("{secret}0");
            assert_eq!(outcome(&app.services, &wrong).await, Outcome::UnknownKey, "{scheme}");
            assert_eq!(moved(&app).await, before);
            assert_eq!(outcome(&app.services, secret).await, Outcome::Valid, "{scheme}");
            assert_eq!(moved(&app).await, before + 1);
            assert_eq!(outcome(&app.services, secret).await, Outcome::Valid, "{scheme}");
            assert_eq!(outcome(&app.services, &wrong).await, Outcome::UnknownKey, "{scheme}");
        }
        let sealed = "SELECT count(*) FROM imported_keys WHERE sealed IS NOT NULL";
        assert_eq!(column::<i64>(&app, sealed).await, [0]);
    }

    async fn failures_hold_up_a_slow_key_until_it_has_moved(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let secret = "sk-slow-first-0123456789";
        import(&app, &ada, &[slow_row("pbkdf2-sha256", PBKDF2, &secret[..12])]).await;
        for guess in 0..30 {
            let wrong = format!("{secret}{guess}");
            assert_eq!(outcome(&app.services, &wrong).await, Outcome::UnknownKey, "{guess}");
        }
        let checked = app.services.checker.check(Some(secret), CheckRequest::default()).await;
        assert!(matches!(checked, Err(Error::TooManyFailures(full)) if full.limit == 30));
        let verified = json!({ "key": secret });
        let verified = app.send(Method::POST, "/v1/keys/verify", &ada, &verified).await;
        problem(verified, 429, "too_many_failures").await;
        let check = format!("/v1/check/{}", ada.project);
        let checked = app.get(&check).header("x-api-key", secret).send().await.unwrap();
        problem(checked, 429, "too_many_failures").await;
        let other = app.generate(&ada).await;
        assert_eq!(outcome(&app.services, &other).await, Outcome::Valid);
        app.advance(Duration::from_secs(61));
        assert_eq!(outcome(&app.services, secret).await, Outcome::Valid);
        for guess in 0..31 {
            let wrong = format!("{secret}{guess}");
            assert_eq!(outcome(&app.services, &wrong).await, Outcome::UnknownKey, "{guess}");
        }
        assert_eq!(outcome(&app.services, secret).await, Outcome::Valid, "it has moved");
    }

    async fn concurrent_first_uses_of_a_slow_key_are_all_admitted(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let secret = "sk-slow-first-0123456789";
        import(&app, &ada, &[slow_row("pbkdf2-sha256", PBKDF2, &secret[..12])]).await;
        let checks = (0..40).map(|_| outcome(&app.services, secret));
        for came_to in futures_of(checks).await {
            assert_eq!(came_to, Outcome::Valid);
        }
        assert_eq!(moved(&app).await, 1);
    }

    async fn first_uses_of_a_slow_key_on_two_nodes_are_admitted(app: TestApp) {
        let other = app.second_node().await;
        let ada = mover(&app, "ada").await;
        hears(&other).await;
        for (scheme, stored, secret) in SLOW {
            let fast = format!("sk-{scheme}-0123456789");
            let heard = json!({
                "name": scheme, "scheme": format!("sha256-hex:prefixed={scheme}"),
                "stored": sha256(&format!("{scheme}{fast}")),
            });
            import(&app, &ada, &[slow_row(scheme, stored, &secret[..12]), heard]).await;
            until_admitted(&other, &fast).await;
            let checks = (0..40_u64).map(|index| {
                let services = if index % 2 == 0 { &app.services } else { &other };
                async move {
                    // So that some come while the key moves.
                    tokio::time::sleep(Duration::from_millis(index / 2)).await;
                    outcome(services, secret).await
                }
            });
            for came_to in futures_of(checks).await {
                assert_eq!(came_to, Outcome::Valid, "{scheme}");
            }
        }
    }

    async fn starts_of_another_project_keep_out_no_slow_key(app: TestApp) {
        let (ada, eve) = (mover(&app, "ada").await, mover(&app, "eve").await);
        let secret = "sk-slow-first-0123456789";
        let theirs: Vec<_> = (4..12)
            .map(|length| {
                let stored = PBKDF2.replace("salt", &format!("salt{length}"));
                let mut row = slow_row("pbkdf2-sha256", &stored, &secret[..length]);
                row["created_at"] = "2020-01-01T00:00:00Z".into();
                row
            })
            .collect();
        import(&app, &eve, &theirs).await;
        import(&app, &ada, &[slow_row("pbkdf2-sha256", PBKDF2, &secret[..12])]).await;
        assert_eq!(app.verify(&ada, json!({ "key": secret })).await["code"], "valid");
    }

    async fn digest_in_another_project_hides_no_key(app: TestApp) {
        let (ada, eve) = (mover(&app, "ada").await, mover(&app, "eve").await);
        for number in 0..4 {
            let secret = format!("sk-twice-{number}-0123456789");
            let theirs = json!({
                "name": secret, "scheme": "sha512-hex",
                "stored": HEXLOWER.encode(&Sha512::digest(&secret)),
            });
            let ours = json!({ "name": number.to_string(), "scheme": "plaintext", "stored": secret });
            if number % 2 == 0 {
                import(&app, &eve, &[theirs]).await;
                import(&app, &ada, &[ours]).await;
            } else {
                import(&app, &ada, &[ours]).await;
                import(&app, &eve, &[theirs]).await;
            }
            assert_eq!(app.verify(&ada, json!({ "key": secret })).await["code"], "valid");
        }
    }

    async fn shape_of_another_tenant_makes_no_jwt_a_key(app: TestApp) {
        let (ada, eve) = (mover(&app, "ada").await, mover(&app, "eve").await);
        let secret = "sk-inference-0123456789";
        let row = json!({
            "name": secret, "kind": "inference", "scheme": "sha256-hex", "stored": sha256(secret),
        });
        import(&app, &ada, &[row]).await;
        let wide =
            json!({"prefix": "ey", "min_length": 4, "max_length": 900, "alphabet": "visible"});
        assert_eq!(register(&app, &eve, &wide).await.status(), 201);
        let jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln";
        for path in ["/v1/models", "/v1/key"] {
            for (key, bearer) in [(secret, jwt), (jwt, secret)] {
                let answer = app.get(path).header("x-api-key", key).bearer_auth(bearer).send();
                assert_eq!(answer.await.unwrap().status(), 200, "{path} {bearer:.3}");
            }
        }
    }

    async fn imported_key_opens_every_door(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let (api, inference) = ("sk-api-0123456789", "sk-inference-0123456789");
        let rows = [row(api), json!({
            "name": inference, "kind": "inference", "scheme": "sha256-hex",
            "stored": sha256(inference),
        })];
        import(&app, &ada, &rows).await;
        let verified = app.verify(&ada, json!({ "key": api })).await;
        assert_eq!(verified["code"], "valid");
        let check = format!("/v1/check/{}", ada.project);
        let checked = app.get(&check).header("x-api-key", api).send().await.unwrap();
        assert_eq!(checked.status(), 200);
        let view = app.get("/v1/key").header("x-api-key", api).bearer_auth("another credential");
        let view: Value = view.send().await.unwrap().json().await.unwrap();
        assert_eq!(view["masked"], "imported");
        let view = app.get("/v1/key").header("x-api-key", "another").bearer_auth(api);
        assert_eq!(view.send().await.unwrap().status(), 200, "it alone has a shape");
        let traces = app.post("/ingest/traces").header("x-api-key", api).json(&json!([]));
        assert_ne!(traces.send().await.unwrap().status(), 401);
        let models = app.get("/v1/models").bearer_auth(inference).send().await.unwrap();
        assert_eq!(models.status(), 200);
        let models = app.get("/v1/models").bearer_auth("sk-unknown-0123456789").send();
        assert_eq!(models.await.unwrap().status(), 401);
    }
}

/// Adds projects to an organization that have the shape of a mover's keys. Their IDs are before
/// those of all others.
async fn add_projects_with_shape(app: &TestApp, who: &Session, count: u32) {
    let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
    let organization: OrganizationId = who.organization.parse().unwrap();
    let organization = literal(&database, organization);
    let creator = "SELECT id FROM users LIMIT 1";
    let transaction = database.begin().await.unwrap();
    let numbers: Vec<u32> = (1..=count).collect();
    for chunk in numbers.chunks(500) {
        let rows = |row: &dyn Fn(&str) -> String| {
            let ids =
                chunk.iter().map(|number| literal(&database, Uuid::from_u128((*number).into())));
            ids.map(|id| row(&id)).collect::<Vec<_>>().join(", ")
        };
        let projects = rows(&|id| format!("({id}, {organization}, 'p', 'lk', 0)"));
        let shapes = rows(&|id| format!("({id}, {id}, 'sk-', 4, 80, 'visible', 0, ({creator}))"));
        for statement in [
            format!(
                "INSERT INTO projects (id, organization_id, name, key_prefix, created_at) \
                 VALUES {projects}"
            ),
            format!(
                "INSERT INTO key_shapes (id, project_id, prefix, min_length, max_length, alphabet, \
                 created_at, created_by) VALUES {shapes}"
            ),
        ] {
            transaction.execute_unprepared(&statement).await.unwrap();
        }
    }
    transaction.commit().await.unwrap();
}

/// SQLite allows fewer parameters in a statement than there are projects.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_found_though_33_000_projects_have_their_shape() {
    let app = TestApp::on(Backend::Sqlite).await;
    let (ada, eve) = (mover(&app, "ada").await, mover(&app, "eve").await);
    let (fast, twice, slow) = ("sk-fast-0123456789", "sk-twice-0123456789", SLOW[0].2);
    let theirs = json!({
        "name": "theirs", "scheme": "sha512-hex",
        "stored": HEXLOWER.encode(&Sha512::digest(twice)),
    });
    let ours = json!({ "name": "ours", "scheme": "plaintext", "stored": twice });
    import(&app, &eve, &[theirs]).await;
    import(&app, &ada, &[row(fast), ours, slow_row(SLOW[0].0, SLOW[0].1, &slow[..12])]).await;
    add_projects_with_shape(&app, &eve, 33_000).await;
    let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
    let first = literal(&database, Uuid::from_u128(1));
    for table in ["keys", "imported_keys"] {
        let of_theirs = match table {
            "keys" => "name = 'theirs'",
            _ => "key_id = (SELECT id FROM keys WHERE name = 'theirs')",
        };
        let change = format!("UPDATE {table} SET project_id = {first} WHERE {of_theirs}");
        assert_eq!(database.execute_unprepared(&change).await.unwrap().rows_affected(), 1);
    }
    app.services.checker.read_shapes().await.unwrap();
    for secret in [fast, twice, slow] {
        assert_eq!(app.verify(&ada, json!({ "key": secret })).await["code"], "valid", "{secret}");
    }
}

/// Results of futures that run at the same time.
async fn futures_of<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures::future::join_all(all).await
}
