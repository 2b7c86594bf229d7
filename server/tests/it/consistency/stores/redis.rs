//! A Redis that can never work, one that forgets, and nodes that have never reached one.

use std::sync::Arc;
use std::time::Duration;

use latchkey_checker::RedisUrl;
use latchkey_server::system::SystemRandom;
use latchkey_services::{Database, Services};
use serde_json::json;

use crate::consistency::shared_limits::{Redis, admitted, heard, shares};
use crate::ports::free_port;
use crate::test_app::{Backend, TestApp, keep_in_sync, text};

/// Why a node does not start with such a `REDIS_URL`; none: it starts.
async fn refusal(app: &TestApp, url: &str) -> Option<String> {
    let database = Database::open(&app.config.database_url).await.unwrap();
    let mut settings = app.config.services.clone();
    settings.redis = Some(RedisUrl::new(url).unwrap());
    let clock = Arc::clone(&app.clock) as Arc<_>;
    let started = Services::start(database, settings, clock, Arc::new(SystemRandom)).await;
    started.err().map(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn start_fails_if_redis_refuses_but_not_if_unreachable() {
    let app = TestApp::on(Backend::Sqlite).await;
    let redis = Redis::start().await;
    let at = format!("127.0.0.1:{}", redis.port);
    let url = |before: &str, after: &str| format!("redis://{before}{at}{after}");
    let expect = async |url: String, word: &str| {
        let said = refusal(&app, &url).await.unwrap_or_else(|| panic!("started with {word}"));
        assert!(said.contains(&at) && said.contains(word), "{said}");
        assert!(!said.contains("wrong") && !said.contains("right"), "{said}");
    };
    assert_eq!(refusal(&app, &url("", "/0")).await, None);
    assert_eq!(redis.ask(&["KEYS", "latchkey:{start}:n"]), "latchkey:{start}:n", "tried");
    expect(url("", "/99"), "database number").await;
    let user = ["ACL", "SETUSER", "ada", "on", ">right", "~latchkey:*", "+@connection", "+eval"];
    assert_eq!(redis.ask(&user), "OK");
    expect(url("ada:right@", "/0"), "+@scripting").await;
    expect(url("ada:wrong@", "/0"), "user and password").await;
    let more =
        ["ACL", "SETUSER", "ada", "+@scripting", "+@hash", "+@sortedset", "+expire", "+time"];
    assert_eq!(redis.ask(&more), "OK");
    assert_eq!(
        refusal(&app, &url("ada:right@", "/0")).await,
        None,
        "what the words name is enough"
    );
    assert_eq!(redis.ask(&["CONFIG", "SET", "maxmemory", "1"]), "OK");
    expect(url("", "/0"), "maxmemory").await;
    assert_eq!(redis.ask(&["CONFIG", "SET", "maxmemory", "0"]), "OK");
    assert_eq!(redis.ask(&["REPLICAOF", "127.0.0.1", "1"]), "OK");
    expect(url("", "/0"), "REDIS_URL to the primary").await;
    assert_eq!(redis.ask(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert_eq!(redis.ask(&["CONFIG", "SET", "requirepass", "right"]), "OK");
    expect(url("", "/0"), "user and password").await;
    expect(url(":wrong@", "/0"), "user and password").await;
    assert_eq!(refusal(&app, &url(":right@", "/0")).await, None);
    drop(redis);
    assert_eq!(refusal(&app, &url("", "/0")).await, None, "an outage passes");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_never_reached_redis_share_the_limit() {
    let nowhere = format!("--redis-url=redis://127.0.0.1:{}", free_port());
    let app = TestApp::with(Backend::Postgres, &[&nowhere]).await;
    let nodes = [app.second_node().await, app.second_node().await, app.services.clone()];
    // Each has counted the others by its next word.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let ada = app.pro("ada").await;
    let secret = text(&app.create(&ada, &json!({"name": "rpm", "rpm": 50})).await["key"]);
    assert_eq!(admitted(&nodes, &secret, 50, 0).await, 50);
    nodes[0].checker.leave_membership().await.unwrap();
}

/// Two nodes that share their limits and know of each other.
async fn two_nodes(redis: &Redis) -> (TestApp, [Services; 2]) {
    let app = TestApp::with(Backend::Postgres, &[&redis.argument()]).await;
    let other = app.node(Database::open(&app.config.database_url).await.unwrap()).await;
    keep_in_sync(&other);
    let nodes = [app.services.clone(), other];
    for node in &nodes {
        shares(node, true).await;
    }
    heard().await;
    (app, nodes)
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied_redis_is_noticed_by_node_without_admissions() {
    let redis = Redis::start().await;
    let (app, nodes) = two_nodes(&redis).await;
    let ada = app.pro("ada").await;
    let secret = text(&app.create(&ada, &json!({"name": "rpm", "rpm": 50})).await["key"]);
    assert_eq!(admitted(&nodes[..1], &secret, 50, 0).await, 50);
    assert_eq!(redis.ask(&["FLUSHALL"]), "OK");
    assert_eq!(admitted(&nodes[1..], &secret, 50, 0).await, 25, "its share, from the first call");
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied_redis_does_not_admit_the_limit_again() {
    let redis = Redis::start().await;
    let (app, nodes) = two_nodes(&redis).await;
    let ada = app.pro("ada").await;
    let secret = text(&app.create(&ada, &json!({"name": "rpm", "rpm": 50})).await["key"]);
    assert_eq!(admitted(&nodes, &secret, 25, 0).await, 50);
    assert_eq!(redis.ask(&["FLUSHALL"]), "OK");
    assert_eq!(admitted(&nodes, &secret, 25, 0).await, 0, "each knows what it has admitted itself");
    // A key that this node alone was asked for: the other knows nothing of it, but of Redis' having
    // forgotten.
    let one = text(&app.create(&ada, &json!({"name": "one", "rpm": 10})).await["key"]);
    let idle = text(&app.create(&ada, &json!({"name": "idle", "rpm": 10})).await["key"]);
    let both = admitted(&nodes, &one, 10, 0).await;
    assert!((5..=10).contains(&both), "Redis and a share each: {both}");
    heard().await;
    assert_eq!(admitted(&nodes[..1], &idle, 10, 0).await, 5, "a share, for a minute");
}
