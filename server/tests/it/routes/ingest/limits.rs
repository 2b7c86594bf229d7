//! How much an item, a page and a project may hold, and for how long; what stays of a call that
//! fails midway.

use std::time::Duration;

use latchkey_services::telemetry::{PurgeCount, purge_live, purge_sandbox, purge_unfinished};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use serde_json::{Value, json};

use crate::routes::usage::literal;
use crate::test_app::{
    START, Session, TestApp, count_rows, on_both_databases, problem, query_value, text, traces,
};

const KIB: usize = 1024;
const DAY: Duration = Duration::from_hours(24);

fn logs(messages: &[String]) -> Value {
    let log = |message: &String| json!({"level": "info", "type": "app", "message": message, "timestamp": START});
    json!({"logs": messages.iter().map(log).collect::<Vec<_>>()})
}

async fn send(app: &TestApp, key: &str, path: &str, body: &Value) -> reqwest::Response {
    app.post(path).header("x-api-key", key).json(body).send().await.unwrap()
}

/// The pages of a list, each with the bytes of its answer.
async fn pages(app: &TestApp, who: &Session, what: &str) -> Vec<(Vec<Value>, usize)> {
    let path = format!("/v1/applications/{}/{what}?limit=100", who.application);
    let (mut cursor, mut pages) = (String::new(), Vec::new());
    loop {
        let page = app.get(&format!("{path}{cursor}")).bearer_auth(&who.jwt).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let body = page.text().await.unwrap();
        let page: Value = serde_json::from_str(&body).unwrap();
        pages.push((page["data"].as_array().unwrap().clone(), body.len()));
        let Some(next) = page["next_cursor"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
    }
}

/// What the counter says that all projects have, and what their rows come to.
async fn sizes(telemetry: &DatabaseConnection) -> (i64, i64) {
    let sum =
        |table: &str| format!("CAST(COALESCE((SELECT SUM(bytes) FROM {table}), 0) AS BIGINT)");
    let rows = format!("SELECT {} + {}", sum("traces"), sum("logs"));
    let counted = format!("SELECT {}", sum("telemetry_sizes"));
    (query_value(telemetry, &counted).await, query_value(telemetry, &rows).await)
}

/// Makes the one call that is stored look as if the process had ended before its last transaction.
pub(crate) async fn cut_off(app: &TestApp, telemetry: &DatabaseConnection, items: usize) {
    let now = latchkey_services::clock::Clock::now(&*app.clock).as_millis();
    let (text, uuid) = match telemetry.get_database_backend() {
        DbBackend::Postgres => ("::text", "::uuid"),
        _ => ("", ""),
    };
    let began = format!(
        "INSERT INTO ingest_batches SELECT MIN(id{text}) {uuid}, 'traces', {items}, {now} FROM traces"
    );
    telemetry.execute_unprepared(&began).await.unwrap();
}

on_both_databases! {
    async fn long_messages_are_cut_and_the_answer_says_so(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let messages = ["short".to_owned(), "é".repeat(64 * KIB)];
        let answer = send(&app, &key, "/ingest/logs", &logs(&messages)).await;
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({
            "accepted": 2, "rejected": 0,
            "errors": [{"index": 1, "message": "message: Truncated to the first 64 KiB."}],
        }));
        let mut batch = traces(2);
        batch["traces"][0]["meta"] = json!({"name": "kept", "long": "x".repeat(100 * KIB)});
        let answer = send(&app, &key, "/ingest/traces", &batch).await.json::<Value>().await.unwrap();
        assert_eq!((&answer["accepted"], &answer["errors"][0]["index"]), (&json!(2), &json!(0)));
        let logs = &pages(&app, &ada, "logs").await[0].0;
        let long = text(&logs[0]["message"]);
        assert!(long.len() <= 64 * KIB && long.len() > 63 * KIB && long.ends_with("… [cut]"));
        let meta = &pages(&app, &ada, "traces").await[0].0[1]["meta"];
        assert_eq!(meta["name"], "kept");
        assert!(text(&meta["long"]).ends_with("… [cut]") && meta.to_string().len() <= 64 * KIB);
    }

    async fn a_page_ends_at_4_mib_and_the_next_one_goes_on(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        for part in 0..2 {
            let messages = |index: usize| format!("{:03} {}", part * 50 + index, "x".repeat(64 * KIB - 100));
            let messages: Vec<String> = (0..50).map(messages).collect();
            assert_eq!(send(&app, &key, "/ingest/logs", &logs(&messages)).await.status(), 200);
            app.advance(Duration::from_millis(1));
        }
        let pages = pages(&app, &ada, "logs").await;
        assert!(pages.iter().all(|(_, bytes)| *bytes <= 4 * KIB * KIB + KIB), "bounded");
        assert_eq!(pages.iter().map(|(rows, _)| rows.len()).collect::<Vec<_>>(), [63, 37]);
        let seen = pages.iter().flat_map(|(rows, _)| rows.iter().map(|row| text(&row["message"])[..3].to_owned()));
        assert_eq!(seen.collect::<Vec<_>>(), (0..100).rev().map(|index| format!("{index:03}")).collect::<Vec<_>>());
    }

    async fn items_from_before_the_bound_are_listed_within_it(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let messages = vec!["m".to_owned(); 40];
        assert_eq!(send(&app, &key, "/ingest/logs", &logs(&messages)).await.status(), 200);
        assert_eq!(send(&app, &key, "/ingest/traces", &traces(6)).await.status(), 200);
        let telemetry = app.telemetry().await;
        let repeat = |text: &str, times: usize| match telemetry.get_database_backend() {
            DbBackend::Sqlite => format!("replace(hex(zeroblob({times})), '00', '{text}')"),
            _ => format!("repeat('{text}', {times})"),
        };
        let grow = format!("UPDATE logs SET message = {}", repeat("é", 1_000 * KIB));
        telemetry.execute_unprepared(&grow).await.unwrap();
        let meta = format!("'{{\"a\":\"' || {} || '\"}}'", repeat("x", 2_000 * KIB));
        telemetry.execute_unprepared(&format!("UPDATE traces SET meta = {meta}")).await.unwrap();
        for (what, items, longest) in [("logs", 40, "message"), ("traces", 6, "meta")] {
            let pages = pages(&app, &ada, what).await;
            assert!(pages.iter().all(|(_, bytes)| *bytes <= 4 * KIB * KIB), "{what}");
            assert_eq!(pages.iter().map(|(rows, _)| rows.len()).sum::<usize>(), items);
            let row = &pages[0].0[0];
            assert!(row[longest].to_string().len() <= 64 * KIB + 2 && row[longest].to_string().contains("[cut]"));
        }
    }

    async fn the_size_of_a_project_is_exact_whatever_comes_and_goes(app: TestApp) {
        let ada = app.pro("ada").await;
        let (live, test) = (app.generate(&ada).await, app.create(&ada, &json!({
            "name": "t", "environment": "test", "application_id": ada.application,
        })).await);
        let (telemetry, test) = (app.telemetry().await, text(&test["key"]));
        let calls = (0..12).map(|number| {
            let (key, items) = if number % 2 == 0 { (&live, 700) } else { (&test, 3) };
            let mut batch = traces(items);
            for item in batch["traces"].as_array_mut().unwrap() {
                item["spanId"] = json!(format!("{number:016x}"));
            }
            let request = app.post("/ingest/traces").header("x-api-key", key).json(&batch);
            tokio::spawn(request.send())
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap().unwrap().status(), 200);
        }
        let before = sizes(&telemetry).await;
        assert!(before.0 > 0 && before.0 == before.1, "{before:?}");
        app.advance(DAY);
        assert_eq!(purge_sandbox(&app.services).await.unwrap(), PurgeCount { traces: 18, logs: 0 });
        let after = sizes(&telemetry).await;
        assert!(after.0 < before.0 && after.0 == after.1, "{after:?}");
        app.advance(DAY * 30);
        purge_live(&app.services).await.unwrap();
        assert_eq!(sizes(&telemetry).await, (0, 0));
    }

    async fn batch_over_storage_limit_is_rejected_with_remedies(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        assert_eq!(send(&app, &key, "/ingest/traces", &traces(1)).await.status(), 200);
        let telemetry = app.telemetry().await;
        let (one, _) = sizes(&telemetry).await;
        // There is room for 700 of 1,200: the second transaction does not fit, and the first does
        // not stay.
        let project = literal(&telemetry, ada.project.parse::<latchkey_domain::id::ProjectId>().unwrap());
        let left = (1 << 30) - 700 * (one + 8);
        let fill = format!("UPDATE telemetry_sizes SET bytes = {left} WHERE project_id = {project}");
        telemetry.execute_unprepared(&fill).await.unwrap();
        let refused = send(&app, &key, "/ingest/traces", &traces(1_200)).await;
        let refused = problem(refused, 409, "limit_reached").await;
        let words = text(&refused["detail"]);
        assert!(words.contains("1.0 GiB") && words.contains("Free") && words.contains("upgrade"), "{words}");
        assert_eq!((count_rows(&telemetry, "traces").await, count_rows(&telemetry, "ingest_batches").await), (1, 0));
        assert_eq!(query_value::<i64>(&telemetry, "SELECT bytes FROM telemetry_sizes").await, left, "nothing is counted");
        assert_eq!(send(&app, &key, "/ingest/traces", &traces(600)).await.status(), 200);
        app.set_tier(&ada, "enterprise").await;
        assert_eq!(send(&app, &key, "/ingest/traces", &traces(1_200)).await.status(), 200, "at once");
    }

    async fn live_telemetry_is_kept_for_the_days_of_its_tier(app: TestApp) {
        let (free, pro) = (app.sign_in("eve").await, app.pro("ada").await);
        for who in [&free, &pro] {
            let key = app.generate(who).await;
            assert_eq!(send(&app, &key, "/ingest/logs", &logs(&["m".to_owned()])).await.status(), 200);
        }
        let telemetry = app.telemetry().await;
        let seen = async |login: &str| {
            let who = app.sign_in(login).await;
            pages(&app, &who, "logs").await[0].0.len()
        };
        app.advance(Duration::from_millis(7 * 24 * 60 * 60 * 1_000 - 2));
        assert_eq!(purge_live(&app.services).await.unwrap(), PurgeCount::default());
        assert_eq!((seen("eve").await, seen("ada").await), (1, 1));
        app.advance(Duration::from_millis(2));
        assert_eq!((seen("eve").await, seen("ada").await), (0, 1), "hidden before the job has run");
        assert_eq!(purge_live(&app.services).await.unwrap(), PurgeCount { traces: 0, logs: 1 });
        let root = app.sign_in("root").await;
        let path = format!("/v1/organizations/{}", pro.organization);
        let longer = json!({"tier_overrides": {"telemetry_days": 31}});
        assert_eq!(app.send(reqwest::Method::PATCH, &path, &root, &longer).await.status(), 200);
        app.advance(DAY * 23);
        assert_eq!(purge_live(&app.services).await.unwrap(), PurgeCount::default());
        assert_eq!(seen("ada").await, 1, "longer than its tier has it");
        app.advance(DAY);
        assert_eq!(seen("ada").await, 0);
        assert_eq!(purge_live(&app.services).await.unwrap(), PurgeCount { traces: 0, logs: 1 });
        assert_eq!(sizes(&telemetry).await, (0, 0));
    }

    async fn a_call_that_was_cut_off_leaves_nothing_behind(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let telemetry = app.telemetry().await;
        assert_eq!(send(&app, &key, "/ingest/traces", &traces(1_200)).await.status(), 200);
        assert_eq!(count_rows(&telemetry, "ingest_batches").await, 0, "it is done");
        cut_off(&app, &telemetry, 1_200).await;
        app.advance(Duration::from_millis(1));
        let mut others = traces(2);
        for item in others["traces"].as_array_mut().unwrap() {
            item["requestURL"] = json!("/others");
        }
        assert_eq!(send(&app, &key, "/ingest/traces", &others).await.status(), 200);
        assert_eq!(purge_unfinished(&app.services).await.unwrap(), 0, "it may be under way");
        app.advance(Duration::from_mins(2));
        assert_eq!(purge_unfinished(&app.services).await.unwrap(), 1);
        assert_eq!((count_rows(&telemetry, "traces").await, count_rows(&telemetry, "ingest_batches").await), (2, 0));
        let sizes = sizes(&telemetry).await;
        assert_eq!(sizes.0, sizes.1);
    }

    async fn blocked_telemetry_writes_delay_no_other_call(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (eve, key) = (app.sign_in("eve").await, app.generate(&ada).await);
        let telemetry = app.telemetry().await;
        let (begin, end) = match telemetry.get_database_backend() {
            DbBackend::Sqlite => ("BEGIN IMMEDIATE", "ROLLBACK"),
            _ => ("BEGIN; LOCK TABLE traces, telemetry_sizes, key_usage IN ACCESS EXCLUSIVE MODE", "ROLLBACK"),
        };
        // One connection, so that the lock ends with it.
        let mut options = sea_orm::ConnectOptions::new(crate::test_app::telemetry_url(&app.config.database_url));
        options.max_connections(1);
        let locking = sea_orm::Database::connect(options).await.unwrap();
        locking.execute_unprepared(begin).await.unwrap();
        let calls: Vec<_> = (0..24)
            .map(|_| {
                let body = format!("{}{}", " ".repeat(3 * KIB * KIB), traces(1));
                let request = app.post("/ingest/traces").header("x-api-key", &key);
                tokio::spawn(request.header("content-type", "application/json").body(body).send())
            })
            .collect();
        tokio::time::timeout(Duration::from_secs(30), async {
            let secret = app.generate(&eve).await;
            let id = text(&app.keys(&eve).await[0]["id"]);
            let own = text(&app.keys(&ada).await[0]["id"]);
            assert_eq!(app.revoke(&eve, &id).await.status(), 204);
            assert_eq!(app.revoke(&ada, &own).await.status(), 204, "the one that floods");
            problem(app.ingest(&secret).await, 401, "revoked_key").await;
            app.sign_in("bob").await;
        })
        .await
        .expect("nobody waits for telemetry");
        locking.execute_unprepared(end).await.unwrap();
        let mut refused = 0;
        for call in calls {
            let answer = call.await.unwrap().unwrap();
            if answer.status() == 503 {
                assert!(answer.headers().contains_key("retry-after"));
                refused += 1;
            }
        }
        assert!(refused > 0, "no more waits than may");
        let stored = count_rows(&telemetry, "traces").await;
        assert!(stored <= 24 - refused, "{stored} stored, {refused} refused");
    }
}
