//! Limits that nodes share through a real Redis, and what holds when it is away.

#![expect(
    clippy::disallowed_methods,
    reason = "Redis and what it is waited for go by a real clock"
)]

mod away;
mod clock;
mod parallel;
mod seen;
mod settled;
mod tls;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use latchkey_checker::{CheckRequest, Denial};
use latchkey_domain::outcome::Outcome;
use latchkey_services::Services;
use serde_json::json;

use crate::ports::free_port;
use crate::test_app::{Backend, TestApp, denial, outcome_of, text, token_estimate};

/// A Redis of the test's own, without files.
pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        Self::start_on(free_port()).await
    }

    pub(crate) async fn start_on(port: u16) -> Self {
        Self::start_with(port, ["--port", &port.to_string()]).await
    }

    /// With arguments that make it listen on the port.
    pub(crate) async fn start_with<'a>(
        port: u16,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("scripts/bootstrap.sh installs redis-server");
        let redis = Self { child, port };
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "Redis does not start");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        redis
    }

    pub(crate) fn argument(&self) -> String {
        format!("--redis-url=redis://127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` says to a command.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        let mut asked = Command::new("redis-cli");
        asked.args(["-p", &self.port.to_string()]).args(command);
        let answer = asked.output().expect("redis-cli comes with redis-server");
        String::from_utf8(answer.stdout).unwrap().trim_end().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(
            Command::new("kill")
                .args([name, &self.child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An app whose nodes share their limits.
pub(crate) async fn app(redis: &Redis) -> TestApp {
    let app = TestApp::with(Backend::Sqlite, &[&redis.argument()]).await;
    shares(&app.services, true).await;
    app
}

/// Nodes have heard of each other after as long.
pub(crate) async fn heard() {
    tokio::time::sleep(Duration::from_millis(2_500)).await;
}

/// Waits until the node shares its limits, or until it knows that it can't.
pub(crate) async fn shares(services: &Services, wanted: bool) {
    let began = Instant::now();
    while services.checker.shares_limits() != Some(wanted) {
        assert!(began.elapsed() < Duration::from_secs(10), "not {wanted}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How many of so many parallel calls on each node are admitted.
pub(crate) async fn admitted(nodes: &[Services], secret: &str, calls: usize, cost: u64) -> usize {
    let calls = nodes.iter().flat_map(|node| std::iter::repeat_n(node, calls)).map(|node| {
        let (node, secret) = (node.clone(), secret.to_owned());
        tokio::spawn(async move {
            let call = CheckRequest { cost, ..CheckRequest::default() };
            node.checker.check(Some(&secret), call).await.is_ok()
        })
    });
    let mut admitted = 0;
    for call in calls.collect::<Vec<_>>() {
        admitted += usize::from(call.await.unwrap());
    }
    admitted
}

/// The denial of a call that a node refuses.
pub(crate) async fn refused(node: &Services, secret: &str, cost: u64) -> Denial {
    let call = CheckRequest { cost, ..CheckRequest::default() };
    denial(node.checker.check(Some(secret), call).await.unwrap_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_admit_together_what_the_limits_allow() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let nodes = [app.services.clone(), app.second_node().await, app.second_node().await];
    for node in &nodes {
        shares(node, true).await;
    }
    let ada = app.sign_in("ada").await;
    let rpm = app.create(&ada, &json!({"name": "rpm", "rpm": 50})).await;
    assert_eq!(admitted(&nodes, &text(&rpm["key"]), 60, 0).await, 50);
    let tpm = app.create(&ada, &json!({"name": "tpm", "tpm": 1_000})).await;
    assert_eq!(admitted(&nodes, &text(&tpm["key"]), 60, 10).await, 100);
    let denial = refused(&nodes[1], &text(&rpm["key"]), 0).await;
    assert_eq!(denial.outcome, Outcome::RateLimited);
    assert!(
        denial.detail.starts_with("rpm 50 reached: 50 used in the last 60 s. Retry in "),
        "{}",
        denial.detail
    );
    let wait = denial.retry_after.unwrap();
    assert!((Duration::from_secs(50)..=Duration::from_secs(61)).contains(&wait), "{wait:?}");
    let requests = denial.limits.requests.unwrap();
    assert_eq!((requests.limit, requests.remaining), (50, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_calls_share_requests_and_keep_them() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let nodes = [app.services.clone(), app.second_node().await];
    for node in &nodes {
        shares(node, true).await;
    }
    let ada = app.sign_in("ada").await;
    let body = json!({"name": "both", "rpm": 5, "tpm": 1_000});
    let secret = text(&app.create(&ada, &body).await["key"]);
    let mut pending = 0;
    for node in nodes.iter().cycle().take(8) {
        let found = node.checker.authenticate_for_server(Some(&secret)).await.unwrap();
        // Some come to nothing, some go on: none takes a second request or gives one back.
        match node.checker.begin(&found, CheckRequest::default()).await {
            Ok(call) if pending % 2 == 0 => {
                let estimate = token_estimate(10, 0);
                let reserved =
                    node.checker.reserve(&found, CheckRequest::default(), estimate, call).await;
                assert_eq!(reserved.unwrap().limits.requests.unwrap().limit, 5);
                pending += 1;
            }
            Ok(_) => pending += 1,
            Err(denial) => assert_eq!(denial.outcome, Outcome::RateLimited),
        }
        node.settled().await;
    }
    assert_eq!(pending, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_another_limit_refuses_takes_nothing() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let ada = app.sign_in("ada").await;
    let body = json!({"name": "both", "rpm": 3, "tpm": 100, "token_limit": 50, "token_limit_period": "day"});
    let secret = text(&app.create(&ada, &body).await["key"]);
    let ask = async |cost| {
        let call = CheckRequest { cost, ..CheckRequest::default() };
        outcome_of(app.services.checker.check(Some(&secret), call).await)
    };
    for _ in 0..5 {
        assert_eq!(ask(101).await, Outcome::TokenRateLimited);
        assert_eq!(ask(60).await, Outcome::TokenBudgetExhausted);
        // It is given back without waiting for Redis.
        app.services.settled().await;
    }
    for _ in 0..3 {
        assert_eq!(ask(10).await, Outcome::Valid);
    }
    assert_eq!(ask(10).await, Outcome::RateLimited);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_enforces_its_share_while_redis_is_unavailable() {
    let redis = Redis::start().await;
    let port = redis.port;
    let app = app(&redis).await;
    let other = app.second_node().await;
    shares(&other, true).await;
    heard().await;
    let nodes = [app.services.clone(), other];
    let ada = app.sign_in("ada").await;
    drop(redis);
    for node in &nodes {
        shares(node, false).await;
    }
    let fallback = app.create(&ada, &json!({"name": "fallback", "rpm": 40})).await;
    assert_eq!(
        admitted(&nodes, &text(&fallback["key"]), 60, 0).await,
        40,
        "half of it on each node"
    );
    let _again = Redis::start_on(port).await;
    for node in &nodes {
        shares(node, true).await;
    }
    let more = admitted(&nodes, &text(&fallback["key"]), 60, 0).await;
    assert_eq!(more, 0, "a restarted Redis knows nothing of the last minute: the nodes do");
    app.advance(Duration::from_secs(61));
    let shared = app.create(&ada, &json!({"name": "shared", "rpm": 40})).await;
    assert_eq!(admitted(&nodes[..1], &text(&shared["key"]), 60, 0).await, 40);
    assert_eq!(admitted(&nodes[1..], &text(&shared["key"]), 60, 0).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn hung_redis_delays_checks_briefly_and_admits_no_excess() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let ada = app.sign_in("ada").await;
    let secret = text(&app.create(&ada, &json!({"name": "rpm", "rpm": 10})).await["key"]);
    assert_eq!(admitted(std::slice::from_ref(&app.services), &secret, 4, 0).await, 4);
    redis.signal("-STOP");
    let began = Instant::now();
    let more = admitted(std::slice::from_ref(&app.services), &secret, 30, 0).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(more, 6, "what was admitted through Redis counts");
    redis.signal("-CONT");
    shares(&app.services, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_one_script_call() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let ada = app.sign_in("ada").await;
    let body = json!({"name": "both", "rpm": 100, "tpm": 1_000});
    let secret = text(&app.create(&ada, &body).await["key"]);
    let plain = text(&app.create(&ada, &json!({"name": "plain"})).await["key"]);
    let before = checks_asked(&redis);
    assert_eq!(admitted(std::slice::from_ref(&app.services), &secret, 20, 1).await, 20);
    assert_eq!(checks_asked(&redis) - before, 20);
    assert_eq!(admitted(std::slice::from_ref(&app.services), &plain, 20, 1).await, 20);
    assert_eq!(checks_asked(&redis) - before, 20, "a key without limits asks nothing");
}

/// How many scripts ran, but for those that say that a node is there: each of these adds to a
/// sorted set.
fn checks_asked(redis: &Redis) -> u64 {
    let told = redis.ask(&["INFO", "commandstats"]);
    let calls = |command: &str| -> u64 {
        let start = format!("cmdstat_{command}:calls=");
        let line = told.lines().find_map(|line| line.strip_prefix(&start));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    };
    calls("evalsha") + calls("eval") - calls("zadd")
}
