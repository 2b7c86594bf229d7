//! `max_parallel` on several nodes that share a Redis: over all of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, refused, streamed};
use crate::consistency::shared_limits::{Redis, shares};
use crate::test_app::Backend;

const EVENT: &str = "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"Hi\"}}]}\n\n";
/// How many streams a test starts on each node at once.
const AT_ONCE: usize = 8;
/// How often a test asks for a slot that is about to be free, every 25 ms.
const TRIES: usize = 400;

/// A gateway of three nodes, and their base URLs.
async fn three_nodes(redis: &Redis) -> (Gateway, Vec<String>) {
    let gateway = Gateway::with(Backend::Sqlite, "", &[&redis.argument()]).await;
    shares(&gateway.app.services, true).await;
    let mut nodes = vec![gateway.app.base.clone()];
    for _ in 0..2 {
        let node = gateway.app.second_node().await;
        shares(&node, true).await;
        nodes.push(gateway.app.serve(node).await);
    }
    gateway.upstream.script("endless", Script::Endless(EVENT.into()));
    gateway.upstream.script("brief", Script::Stream(vec![EVENT.into()]));
    (gateway, nodes)
}

/// Asks a node for a stream as the upstream's script of this user says.
async fn stream(gateway: &Gateway, base: &str, key: &str, user: &str) -> reqwest::Response {
    let call = gateway.app.http.post(format!("{base}/v1/chat/completions")).bearer_auth(key);
    call.json(&streamed(user)).send().await.unwrap()
}

/// Starts endless streams on all nodes at once: those that run, and the limits that refused the
/// others.
async fn start(
    gateway: &Gateway,
    nodes: &[String],
    key: &str,
) -> (Vec<reqwest::Response>, Vec<Value>) {
    let bases = nodes.iter().flat_map(|base| std::iter::repeat_n(base, AT_ONCE));
    let calls = bases.map(|base| stream(gateway, base, key, "endless"));
    let (mut open, mut limits) = (Vec::new(), Vec::new());
    for answer in futures::future::join_all(calls).await {
        if answer.status() == 200 {
            open.push(answer);
            continue;
        }
        assert_eq!(answer.headers()["retry-after"], "1");
        let mut told = refused(answer, 429, "too_many_parallel_requests").await;
        limits.push(told["error"]["limit"].take());
    }
    (open, limits)
}

/// The limit as a refusal names it when all of it is in use.
fn full(scope: &str, limit: u64) -> Value {
    json!({
        "scope": scope, "unit": "calls", "period": null, "limit": limit, "used": limit,
        "reserved": 0, "resets_at": null,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_on_three_nodes_share_max_parallel() {
    let redis = Redis::start().await;
    let (gateway, nodes) = three_nodes(&redis).await;
    let path = format!("/v1/projects/{}", gateway.ada.project);
    let six = json!({ "max_parallel": 6 });
    let changed = gateway.app.send(reqwest::Method::PATCH, &path, &gateway.ada, &six).await;
    assert_eq!(changed.status(), 200);
    let (four, _) = gateway.key(json!({ "name": "four", "max_parallel": 4 })).await;
    let (other, _) = gateway.key(json!({ "name": "other" })).await;
    let (mut open, limits) = start(&gateway, &nodes, &four).await;
    assert_eq!((open.len(), limits.len()), (4, 20));
    assert!(limits.iter().all(|limit| *limit == full("key", 4)), "{limits:?}");
    let (others, limits) = start(&gateway, &nodes, &other).await;
    assert_eq!((others.len(), limits.len()), (2, 22));
    assert!(limits.iter().all(|limit| *limit == full("project", 6)), "{limits:?}");
    // Two clients leave, and two more may come, on whatever node.
    open.truncate(2);
    for _ in 0..TRIES {
        open.extend(start(&gateway, &nodes, &four).await.0);
        if open.len() >= 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(open.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn slot_of_a_stream_that_ended_is_free_on_every_node() {
    let redis = Redis::start().await;
    let (gateway, nodes) = three_nodes(&redis).await;
    let (one, _) = gateway.key(json!({ "name": "one", "max_parallel": 1 })).await;
    for base in nodes.iter().cycle().take(9) {
        let mut tries = 0;
        let answer = loop {
            let answer = stream(&gateway, base, &one, "brief").await;
            if answer.status() == 200 {
                break answer;
            }
            refused(answer, 429, "too_many_parallel_requests").await;
            tries += 1;
            assert!(tries < TRIES, "its slot did not come back");
            // The end is told to Redis behind the answer.
            tokio::time::sleep(Duration::from_millis(25)).await;
        };
        assert!(answer.text().await.unwrap().contains("Hi"));
    }
}
