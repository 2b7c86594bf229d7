//! Calls in progress that nodes count together: no more than the limit on all of them, and a slot
//! is free again when its call has ended, however it has.

use std::time::{Duration, Instant};

use latchkey_checker::{CheckRequest, Denial, PendingCall};
use latchkey_domain::api::LimitUnit;
use latchkey_domain::budget::{BudgetAmount, LimitScope};
use latchkey_domain::outcome::Outcome;
use latchkey_services::{Database, Services};
use serde_json::json;

use crate::consistency::level_limits::{limit_organization, limit_project};
use crate::consistency::shared_limits::{Redis, app, heard, shares};
use crate::test_app::{TestApp, keep_in_sync, text};

/// Two nodes that share their limits and have heard of each other.
async fn two_nodes(redis: &Redis) -> (TestApp, [Services; 2]) {
    let app = app(redis).await;
    let other = app.second_node().await;
    shares(&other, true).await;
    heard().await;
    let nodes = [app.services.clone(), other];
    (app, nodes)
}

/// Starts so many calls on each node at once: those that were admitted, and why the others were
/// not.
pub(super) async fn begin_together(
    nodes: &[Services],
    secret: &str,
    calls: usize,
) -> (Vec<PendingCall>, Vec<Denial>) {
    let calls = nodes.iter().flat_map(|node| std::iter::repeat_n(node, calls)).map(|node| {
        let (node, secret) = (node.clone(), secret.to_owned());
        tokio::spawn(async move {
            let found = node.checker.authenticate_for_server(Some(&secret)).await.unwrap();
            node.checker.begin(&found, CheckRequest::default()).await
        })
    });
    let (mut admitted, mut denied) = (Vec::new(), Vec::new());
    for call in futures::future::join_all(calls).await {
        match call.unwrap() {
            Ok(call) => admitted.push(call),
            Err(denial) => denied.push(denial),
        }
    }
    (admitted, denied)
}

/// How many of so many calls on each node are admitted. They end at once.
async fn admitted(nodes: &[Services], secret: &str, calls: usize) -> usize {
    let count = begin_together(nodes, secret, calls).await.0.len();
    settled(nodes).await;
    count
}

/// Waits until Redis was told of the calls that have ended.
async fn settled(nodes: &[Services]) {
    for node in nodes {
        node.settled().await;
    }
}

/// That the denial is of this limit, of which all is in use.
fn assert_full(denial: &Denial, scope: LimitScope, limit: u64) {
    assert_eq!(denial.outcome, Outcome::TooManyParallelRequests);
    let told = denial.limit.as_ref().unwrap();
    assert_eq!((told.scope, told.unit), (scope, LimitUnit::Calls));
    assert_eq!(told.limit, BudgetAmount::Count(limit));
    assert_eq!(told.used, BudgetAmount::Count(limit), "{}", denial.detail);
}

/// What Redis has of the one key with calls in progress: the number of each node, and when it was
/// written.
fn numbers(redis: &Redis) -> Vec<(u64, u64)> {
    let hash = redis.ask(&["KEYS", "latchkey:*:p"]);
    assert!(!hash.contains('\n'), "several keys have calls: {hash}");
    if hash.is_empty() {
        return Vec::new();
    }
    let values = redis.ask(&["HVALS", &hash]);
    let parse = |value: &str| {
        let (number, second) = value.split_once(' ').unwrap();
        (number.parse().unwrap(), second.parse().unwrap())
    };
    values.lines().map(parse).collect()
}

/// Waits until Redis counts so many calls.
async fn counted(redis: &Redis, wanted: u64) {
    let began = Instant::now();
    while numbers(redis).iter().map(|(number, _)| number).sum::<u64>() != wanted {
        assert!(began.elapsed() < Duration::from_secs(10), "not {wanted}: {:?}", numbers(redis));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_share_max_parallel_of_every_level() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let nodes = [app.services.clone(), app.second_node().await, app.second_node().await];
    for node in &nodes {
        shares(node, true).await;
    }
    let ada = app.sign_in("ada").await;
    limit_organization(&app, &ada, &json!({"max_parallel": 8})).await;
    limit_project(&app, &ada, &json!({"max_parallel": 6})).await;
    let four = text(&app.create(&ada, &json!({"name": "four", "max_parallel": 4})).await["key"]);
    let other = text(&app.create(&ada, &json!({"name": "other"})).await["key"]);
    let (mut calls, denied) = begin_together(&nodes, &four, 8).await;
    assert_eq!((calls.len(), denied.len()), (4, 20));
    for denial in &denied {
        assert_full(denial, LimitScope::Key, 4);
        let told = "max_parallel 4 reached: 4 calls of this key are in progress. ";
        assert!(denial.detail.starts_with(told), "{}", denial.detail);
    }
    let (more, denied) = begin_together(&nodes, &other, 8).await;
    assert_eq!((more.len(), denied.len()), (2, 22));
    for denial in &denied {
        assert_full(denial, LimitScope::Project, 6);
    }
    // Calls that were refused have taken nothing of any level.
    calls.truncate(1);
    settled(&nodes).await;
    assert_eq!(admitted(&nodes, &four, 8).await, 3);
    limit_project(&app, &ada, &json!({"max_parallel": null})).await;
    // The node that changed a limit goes by it at once.
    let (rest, denied) = begin_together(&nodes[..1], &other, 8).await;
    assert_eq!(rest.len(), 5, "three of the organization's eight are in progress");
    assert_full(&denied[0], LimitScope::Organization, 8);
    drop((calls, more, rest));
    settled(&nodes).await;
    assert_eq!(redis.ask(&["KEYS", "latchkey:*:p"]), "", "nothing is left of calls that ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_who_leaves_while_redis_decides_keeps_no_slot() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let ada = app.sign_in("ada").await;
    let secret = text(&app.create(&ada, &json!({"name": "two", "max_parallel": 2})).await["key"]);
    let found = app.services.checker.authenticate_for_server(Some(&secret)).await.unwrap();
    let mut left = 0;
    for _ in 0..20 {
        let mut begun = Box::pin(app.services.checker.begin(&found, CheckRequest::default()));
        left += usize::from(futures::poll!(begun.as_mut()).is_pending());
    }
    assert!(left > 0, "Redis was always faster");
    // Redis has decided about all of them, and is told that they have ended.
    app.services.settled().await;
    counted(&redis, 0).await;
    assert_eq!(admitted(std::slice::from_ref(&app.services), &secret, 5).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_node_frees_its_slots_and_a_running_one_keeps_them() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let killed = app.node(Database::open(&app.config.database_url).await.unwrap()).await;
    let syncing = keep_in_sync(&killed);
    shares(&killed, true).await;
    let ada = app.sign_in("ada").await;
    let secret = text(&app.create(&ada, &json!({"name": "three", "max_parallel": 3})).await["key"]);
    let own = std::slice::from_ref(&app.services);
    let (calls, denied) = begin_together(std::slice::from_ref(&killed), &secret, 2).await;
    assert_eq!((calls.len(), denied.len()), (2, 0));
    let hash = redis.ask(&["KEYS", "latchkey:*:p"]);
    let name = redis.ask(&["HKEYS", &hash]);
    let (_kept, denied) = begin_together(own, &secret, 2).await;
    assert_eq!(denied.len(), 1);
    assert_full(&denied[0], LimitScope::Key, 3);
    // Both write their numbers again as long as they live.
    let written: Vec<u64> = numbers(&redis).into_iter().map(|(_, second)| second).collect();
    let last = written.iter().max().unwrap();
    let began = Instant::now();
    while !numbers(&redis).iter().all(|(_, second)| second > last) {
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", numbers(&redis));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(admitted(own, &secret, 3).await, 0);
    // A process that is killed releases nothing. Its number becomes ten seconds old.
    syncing.abort();
    std::mem::forget(calls);
    let newest = numbers(&redis).into_iter().map(|(_, second)| second).max().unwrap();
    redis.ask(&["HSET", &hash, &name, &format!("2 {}", newest - 10)]);
    let began = Instant::now();
    let free = loop {
        let free = admitted(own, &secret, 4).await;
        if free > 0 {
            break free;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "its slots did not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(free, 2, "the other's call goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_run_their_share_of_calls_without_redis() {
    let redis = Redis::start().await;
    let port = redis.port;
    let (app, nodes) = two_nodes(&redis).await;
    let ada = app.sign_in("ada").await;
    let secret = text(&app.create(&ada, &json!({"name": "six", "max_parallel": 6})).await["key"]);
    let one = text(&app.create(&ada, &json!({"name": "one", "max_parallel": 1})).await["key"]);
    let (before, _) = begin_together(&nodes[..1], &secret, 2).await;
    assert_eq!(before.len(), 2);
    drop(redis);
    for node in &nodes {
        shares(node, false).await;
    }
    let (first, denied) = begin_together(&nodes[..1], &secret, 6).await;
    assert_eq!(first.len(), 1, "calls that run already count");
    let told = "max_parallel 6 (currently 3 on this node) reached: 3 calls of this key are in ";
    assert!(denied[0].detail.starts_with(told), "{}", denied[0].detail);
    assert_eq!(denied[0].limit.as_ref().unwrap().limit, BudgetAmount::Count(6));
    let (second, _) = begin_together(&nodes[1..], &secret, 6).await;
    assert_eq!(second.len(), 3);
    assert_eq!(admitted(&nodes, &one, 3).await, 2, "no node refuses all calls of a key");
    // One ends while nobody can tell Redis.
    drop(before);
    settled(&nodes).await;
    let (before, _) = begin_together(&nodes[..1], &secret, 6).await;
    assert_eq!(before.len(), 2);
    let redis = Redis::start_on(port).await;
    for node in &nodes {
        shares(node, true).await;
    }
    counted(&redis, 6).await;
    assert_eq!(admitted(&nodes, &secret, 6).await, 0);
    drop(second);
    settled(&nodes).await;
    assert_eq!(admitted(&nodes[..1], &secret, 6).await, 0, "its share is in use");
    app.advance(Duration::from_secs(61));
    assert_eq!(admitted(&nodes[..1], &secret, 6).await, 3, "what the other does not use");
    drop((before, first));
    settled(&nodes).await;
    assert_eq!(admitted(&nodes[1..], &secret, 9).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied_redis_admits_no_calls_beyond_the_limit() {
    let redis = Redis::start().await;
    let (app, nodes) = two_nodes(&redis).await;
    let ada = app.sign_in("ada").await;
    let secret = text(&app.create(&ada, &json!({"name": "four", "max_parallel": 4})).await["key"]);
    let (_one, _) = begin_together(&nodes[..1], &secret, 2).await;
    let (other, _) = begin_together(&nodes[1..], &secret, 2).await;
    assert_eq!(redis.ask(&["FLUSHALL"]), "OK");
    assert_eq!(admitted(&nodes, &secret, 4).await, 0, "each knows its own calls");
    counted(&redis, 4).await;
    drop(other);
    settled(&nodes).await;
    assert_eq!(admitted(&nodes[1..], &secret, 4).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_number_is_corrected_when_no_call_is_left() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let nodes = [app.services.clone(), app.second_node().await];
    shares(&nodes[1], true).await;
    let ada = app.sign_in("ada").await;
    let secret = text(&app.create(&ada, &json!({"name": "four", "max_parallel": 4})).await["key"]);
    let (calls, _) = begin_together(&nodes[..1], &secret, 1).await;
    let hash = redis.ask(&["KEYS", "latchkey:*:p"]);
    let node = redis.ask(&["HKEYS", &hash]);
    // Keeps the hash: without it all would end after ten seconds.
    let (_kept, _) = begin_together(&nodes[1..], &secret, 1).await;
    // As if the start had been counted twice.
    let (_, second) = numbers(&redis)[0];
    redis.ask(&["HSET", &hash, &node, &format!("2 {second}")]);
    drop(calls);
    settled(&nodes).await;
    counted(&redis, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_numbers_of_a_node_are_written_over() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let nodes = [app.services.clone(), app.second_node().await];
    shares(&nodes[1], true).await;
    let ada = app.sign_in("ada").await;
    let secret = text(&app.create(&ada, &json!({"name": "four", "max_parallel": 4})).await["key"]);
    let (_calls, _) = begin_together(&nodes[..1], &secret, 3).await;
    let hash = redis.ask(&["KEYS", "latchkey:*:p"]);
    let node = redis.ask(&["HKEYS", &hash]);
    // As if a failover had lost the start of two calls, or the end of one.
    for wrong in [1, 4] {
        let (_, second) = numbers(&redis)[0];
        redis.ask(&["HSET", &hash, &node, &format!("{wrong} {second}")]);
        counted(&redis, 3).await;
        assert_eq!(admitted(&nodes, &secret, 4).await, 1);
    }
    // A number from the future is one from before the clock was set back.
    let (_, second) = numbers(&redis)[0];
    redis.ask(&["HSET", &hash, "gone", &format!("1 {}", second + 3_600)]);
    assert_eq!(admitted(&nodes, &secret, 4).await, 0);
    let value = redis.ask(&["HGET", &hash, "gone"]);
    let (_, written) = value.split_once(' ').unwrap();
    assert!(written.parse::<u64>().unwrap() < second + 60, "{value} would count for an hour");
}
