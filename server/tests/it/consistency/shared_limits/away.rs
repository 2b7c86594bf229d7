//! Redis away from the start, or there and of no use: each node admits its share, and says so.
#![expect(clippy::disallowed_methods, reason = "what is waited for goes by a real clock")]

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use tempfile::TempDir;

use crate::consistency::shared_limits::{Redis, admitted, app, heard, shares};
use crate::process::edge::free_address;
use crate::process::{Process, client, log_file};
use crate::test_app::{TestApp, text};

/// Waits until the database says how many nodes share the limits. Time passes meanwhile.
async fn noted(app: &TestApp, wanted: &str) {
    let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
    let began = Instant::now();
    loop {
        let select = "SELECT value FROM instance WHERE name = 'nodes_sharing_limits'";
        let select = Statement::from_string(database.get_database_backend(), select);
        let row = database.query_one_raw(select).await.unwrap();
        if row.is_some_and(|row| row.try_get::<String>("", "value").unwrap() == wanted) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{wanted} nodes are not noted");
        app.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// That many nodes more.
async fn more(app: &TestApp, count: usize) -> Vec<latchkey_services::Services> {
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(app.second_node().await);
    }
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_started_without_redis_admit_their_share() {
    let redis = Redis::start().await;
    let port = redis.port;
    let app = app(&redis).await;
    let mut nodes = more(&app, 2).await;
    nodes.push(app.services.clone());
    for node in &nodes {
        shares(node, true).await;
    }
    noted(&app, "3").await;
    drop(redis);
    for node in &nodes {
        shares(node, false).await;
    }
    let ada = app.pro("ada").await;
    let old = text(&app.create(&ada, &json!({"name": "old", "rpm": 50})).await["key"]);
    assert_eq!(admitted(&nodes, &old, 60, 0).await, 50, "to the last one");
    let one = text(&app.create(&ada, &json!({"name": "one", "rpm": 1})).await["key"]);
    assert_eq!(admitted(&nodes, &one, 5, 0).await, 1, "one of the nodes has it");
    // They are all restarted.
    let again = more(&app, 3).await;
    let new = text(&app.create(&ada, &json!({"name": "new", "rpm": 60})).await["key"]);
    assert_eq!(admitted(&again, &new, 60, 0).await, 60);
    let _redis = Redis::start_on(port).await;
    for node in &again {
        shares(node, true).await;
    }
    assert_eq!(admitted(&again, &new, 60, 0).await, 0, "they have had their minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn installations_sharing_redis_count_only_their_own_nodes() {
    let redis = Redis::start().await;
    let (one, other) = (app(&redis).await, app(&redis).await);
    heard().await;
    let nodes = redis.ask(&["KEYS", "latchkey:*:nodes"]);
    assert_eq!(nodes.lines().count(), 2, "{nodes}");
    for key in nodes.lines() {
        let lives: i64 = redis.ask(&["TTL", key]).parse().unwrap();
        assert!((1..=10).contains(&lives), "{key} lives for {lives} s");
    }
    drop(redis);
    for app in [&one, &other] {
        shares(&app.services, false).await;
        let ada = app.sign_in("ada").await;
        let secret = text(&app.create(&ada, &json!({"name": "rpm", "rpm": 10})).await["key"]);
        assert_eq!(admitted(std::slice::from_ref(&app.services), &secret, 20, 0).await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_redis_counts_as_unavailable() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let ada = app.sign_in("ada").await;
    let node = std::slice::from_ref(&app.services);
    for (name, breaks, mends) in [
        ("full", ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
        ("replica", ["REPLICAOF", "127.0.0.1", "1", ""], ["REPLICAOF", "NO", "ONE", ""]),
    ] {
        let secret = text(&app.create(&ada, &json!({"name": name, "rpm": 20})).await["key"]);
        assert_eq!(admitted(node, &secret, 8, 0).await, 8);
        let ask = |command: [&str; 4]| {
            let command: Vec<&str> = command.into_iter().filter(|word| !word.is_empty()).collect();
            assert_eq!(redis.ask(&command), "OK");
        };
        ask(breaks);
        assert_eq!(admitted(node, &secret, 30, 0).await, 12, "{name}");
        assert_eq!(app.services.checker.shares_limits(), Some(false), "{name}");
        ask(mends);
        shares(&app.services, true).await;
        assert_eq!(admitted(node, &secret, 30, 0).await, 0, "{name}");
    }
}

/// Waits until the node's metric is as wanted and its log has the words.
async fn tells(metrics: &str, folder: &TempDir, shared: &str, words: &str) {
    let began = Instant::now();
    loop {
        let answer = client().get(format!("http://{metrics}/metrics")).send().await.unwrap();
        let told = answer.text().await.unwrap();
        let log = std::fs::read_to_string(log_file(folder)).unwrap();
        let metric = told.lines().any(|line| line == format!("latchkey_redis_limiter_up {shared}"));
        if metric && log.contains(words) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "not {shared} and {words}: {log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn log_and_metric_tell_why_limits_are_not_shared() {
    let redis = Redis::start().await;
    let (folder, metrics) = (TempDir::new().unwrap(), free_address());
    assert_eq!(redis.ask(&["CONFIG", "SET", "requirepass", "right"]), "OK");
    let arguments = [
        format!("--latchkey-metrics-listen={metrics}"),
        format!("--redis-url=redis://:right@127.0.0.1:{}", redis.port),
    ];
    let _process = Process::start_with(&folder, &client(), &arguments).await;
    tells(&metrics, &folder, "1", "are shared through Redis").await;
    redis.ask(&["-a", "right", "CONFIG", "SET", "maxmemory", "1"]);
    tells(&metrics, &folder, "0", "OOM").await;
    redis.ask(&["-a", "right", "CONFIG", "SET", "maxmemory", "0"]);
    tells(&metrics, &folder, "1", "").await;
    redis.ask(&["-a", "right", "REPLICAOF", "127.0.0.1", "1"]);
    tells(&metrics, &folder, "0", "read only").await;
    let log = std::fs::read_to_string(log_file(&folder)).unwrap();
    assert!(!log.contains("right@"), "a password is in the log: {log}");
}
