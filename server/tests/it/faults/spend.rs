//! Budgets of keys, projects and their organization on three nodes, one of which is killed while
//! plain and streamed calls draw on all of them. No limit is passed, and everything charged is what
//! calls have used, apart from what the killed node had leased.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures::future::join_all;
use latchkey_domain::id::{KeyId, OrganizationId, ProjectId};
use latchkey_domain::money::Usd;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use uuid::Uuid;

use super::cluster::{Cluster, NODES};
use super::traffic::Work;
use super::{RECOVERY, until};
use crate::test_app::{new_postgres_database, query_value, text};

const CALLERS: usize = 64;
const KILLED: usize = 2;
const SURVIVORS: [usize; 2] = [0, 1];
/// Most callers of the killed node, each with one call at a time.
const KILLED_CALLERS: u64 = 22;
/// Billionths of a dollar that the organization may spend: about sixteen calls of each caller.
const DOLLARS: u64 = 50_000_000;
/// Tokens of the project that all nodes serve. They are used up before the dollars are.
const TOKENS: u64 = 10_000;
/// Limits of budgets that are not used up.
const WIDE_DOLLARS: u64 = 3 * DOLLARS;
const WIDE_TOKENS: u64 = 1_000_000;
/// Billionths of a dollar, tokens and requests.
type Amounts = [u64; 3];
/// Most that a call reserves: for a prompt of 15 tokens and an answer of 49.
const MOST_OF_CALL: Amounts = [113_000, 64, 1];
/// Least that the smallest call needs, in billionths of a dollar: 6 tokens of prompt and one more.
const LEAST_DOLLARS: u64 = 8_000;
/// Before a call that was put off is made again, and between two looks at the budgets.
const PAUSE: Duration = Duration::from_millis(50);

/// A call whose prompt has so many bytes and whose answer has at most so many tokens.
fn chat(prompt: usize, max_tokens: usize, is_stream: bool) -> Value {
    let message = json!({ "role": "user", "content": "x".repeat(prompt) });
    let mut body = json!({ "model": "sandbox", "max_tokens": max_tokens, "messages": [message] });
    if is_stream {
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}

/// Prompt and completion tokens as an answer tells them, whole or as a stream.
fn usage_of(answer: &str) -> [u64; 2] {
    let objects = answer.lines().filter_map(|line| {
        serde_json::from_str::<Value>(line.strip_prefix("data: ").unwrap_or(line)).ok()
    });
    let usage = objects.map(|object| object["usage"].clone()).find(Value::is_object);
    let usage = usage.unwrap_or_else(|| panic!("it tells no usage: {answer}"));
    ["prompt_tokens", "completion_tokens"].map(|field| usage[field].as_u64().unwrap())
}

fn budgets(billionths: u64, tokens: u64) -> Value {
    json!([
        { "unit": "usd", "limit": Usd::from_billionths(billionths), "period": "total" },
        { "unit": "tokens", "limit": tokens, "period": "total" },
        { "unit": "requests", "limit": 100_000, "period": "total" },
    ])
}

/// Most that the killed node can have held of a budget: what its calls had reserved, or had used
/// when their answers were lost, and what it had leased ahead, a quarter of which may have been
/// left when it leased again (`crates/checker/src/budget_slot.rs`).
fn most_lost(limit: u64, of_call: u64) -> u64 {
    let ahead = (limit / 16).min(256 * of_call);
    ahead + ahead / 4 + (KILLED_CALLERS + 3) * of_call
}

/// Who has budgets: a key, a project or the organization.
struct Level {
    path: String,
    owner: Uuid,
}

/// A project with one key, and what answered calls with it have used.
struct MeteredProject {
    secret: String,
    key: Level,
    project: Level,
    spent: Cell<Amounts>,
}

impl MeteredProject {
    /// Gives budgets to the project with this ID, and makes its key.
    async fn new(cluster: &Cluster, id: &str, tokens: u64) -> Self {
        let path = format!("/v1/projects/{id}");
        cluster.change(&path, &json!({ "budgets": budgets(2 * DOLLARS, tokens) })).await;
        let project = Level { path, owner: id.parse::<ProjectId>().unwrap().into() };
        let body = json!({
            "name": "Metered", "kind": "inference", "max_parallel": 1_000,
            "budgets": budgets(WIDE_DOLLARS, WIDE_TOKENS),
        });
        let (id, secret) = cluster.create_in(id, 0, &body).await.unwrap();
        let owner = id.parse::<KeyId>().unwrap().into();
        let key = Level { path: format!("/v1/keys/{id}"), owner };
        Self { secret, key, project, spent: Cell::default() }
    }

    fn add(&self, [prompt, completion]: [u64; 2]) {
        let [dollars, tokens, requests] = self.spent.get();
        let cost = (prompt + 2 * completion) * 1_000;
        self.spent.set([dollars + cost, tokens + prompt + completion, requests + 1]);
    }
}

/// What came of a call.
enum Called {
    Answered,
    /// A budget of this scope refused it.
    Refused(String),
    PutOff,
    Broken,
}

/// Two projects of an organization, and the nodes that serve them.
struct Spending {
    cluster: Cluster,
    database: DatabaseConnection,
    organization: Level,
    /// Called at all nodes.
    shared: MeteredProject,
    /// Called only at the nodes that survive.
    apart: MeteredProject,
    /// Whether the budget in tokens of the shared project has refused a call.
    shared_is_used_up: Cell<bool>,
}

impl Spending {
    async fn start() -> Self {
        let url = new_postgres_database().await;
        let cluster = Cluster::start(&[format!("--database-url={url}")]).await;
        let path = format!("/v1/organizations/{}", cluster.organization);
        cluster.change(&path, &json!({ "budgets": budgets(DOLLARS, WIDE_TOKENS) })).await;
        let owner = cluster.organization.parse::<OrganizationId>().unwrap().into();
        let organization = Level { path, owner };
        let shared = MeteredProject::new(&cluster, &cluster.project, TOKENS).await;
        let project = cluster.create_project("Apart").await;
        let apart = MeteredProject::new(&cluster, &project, WIDE_TOKENS).await;
        let database = sea_orm::Database::connect(url).await.unwrap();
        let shared_is_used_up = Cell::new(false);
        Self { cluster, database, organization, shared, apart, shared_is_used_up }
    }

    /// All levels with what answered calls have used of them, and whether calls at the killed node
    /// draw on them.
    fn levels(&self) -> [(&Level, Amounts, bool); 5] {
        let (shared, apart) = (self.shared.spent.get(), self.apart.spent.get());
        let both = [0, 1, 2].map(|unit: usize| shared[unit] + apart[unit]);
        [
            (&self.organization, both, true),
            (&self.shared.project, shared, true),
            (&self.shared.key, shared, true),
            (&self.apart.project, apart, false),
            (&self.apart.key, apart, false),
        ]
    }

    async fn call(&self, node: usize, with: &MeteredProject, body: &Value) -> Called {
        let Some((status, answer)) = self.cluster.chat(node, &with.secret, body).await else {
            return Called::Broken;
        };
        match status {
            200 => {
                with.add(usage_of(&answer));
                Called::Answered
            }
            402 => {
                let told: Value = serde_json::from_str(&answer).unwrap();
                Called::Refused(text(&told["error"]["limit"]["scope"]))
            }
            // Others have reserved what it needs, or the machine is busy.
            429 | 503 => Called::PutOff,
            _ => panic!("{status} {answer}"),
        }
    }

    /// Calls one after the other until the organization has too little left. Whoever loses their
    /// node goes on at another.
    async fn spend(&self, caller: usize) {
        let survivor = SURVIVORS[caller % SURVIVORS.len()];
        let mut node = caller % NODES;
        let mut went_on = Instant::now();
        for round in 0_usize.. {
            let takes_shared = round.is_multiple_of(2) && !self.shared_is_used_up.get();
            let is_shared = node == KILLED || takes_shared;
            let with = if is_shared { &self.shared } else { &self.apart };
            let prompt = 1 + (7 * caller + 13 * round) % 40;
            let max_tokens = 10 + (11 * caller + 17 * round) % 40;
            let is_stream = (caller + round / 2).is_multiple_of(2);
            let body = chat(prompt, max_tokens, is_stream);
            match self.call(node, with, &body).await {
                Called::Answered => went_on = Instant::now(),
                Called::Refused(scope) if scope == "organization" => return,
                Called::Refused(scope) => {
                    assert!(is_shared && scope == "project", "the other budgets are wide: {scope}");
                    self.shared_is_used_up.set(true);
                    if node == KILLED {
                        node = survivor;
                    }
                }
                Called::PutOff => {
                    assert!(went_on.elapsed() < RECOVERY, "node {node} puts off every call");
                    tokio::time::sleep(PAUSE).await;
                }
                Called::Broken => {
                    assert_eq!(node, KILLED, "a node that was not killed broke a connection");
                    node = survivor;
                }
            }
        }
    }

    /// Kills a node in the middle of its calls.
    async fn kill(&self) {
        until("a fifth is spent, and calls are in progress", async || {
            let (_, [dollars, ..], _) = self.levels()[0];
            dollars >= DOLLARS / 5 && self.cluster.traffic.under_way(KILLED, Work::Spend) > 0
        })
        .await;
        self.cluster.kill(KILLED);
    }

    /// Used, reserved, remaining and limit of the budgets in dollars, tokens and requests, unless
    /// the node puts that off.
    async fn report(&self, node: usize, level: &Level) -> Option<[[u64; 4]; 3]> {
        let level = self.cluster.try_get(node, &level.path).await?;
        let counted = |value: &Value| match value.as_str() {
            Some(dollars) => dollars.parse::<Usd>().unwrap().billionths(),
            None => value.as_u64().unwrap(),
        };
        let fields = ["used", "reserved", "remaining", "limit"];
        let budgets = &level["budgets"];
        Some([0, 1, 2].map(|unit: usize| fields.map(|field| counted(&budgets[unit][field]))))
    }

    /// Looks at what the survivors report until all callers are done: never is more used and
    /// reserved than the limit, and what is left is the rest.
    async fn watch(&self, are_done: &Cell<bool>) {
        loop {
            let is_last = are_done.get();
            for node in SURVIVORS {
                for (level, ..) in self.levels() {
                    let Some(report) = self.report(node, level).await else { continue };
                    for [used, reserved, remaining, limit] in report {
                        assert_eq!(used + reserved + remaining, limit, "{node} {}", level.path);
                    }
                }
            }
            if is_last {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until a node reports what was charged: what calls have used, and beyond that what the
    /// killed node may have leased.
    async fn reports_what_was_used(&self, node: usize) {
        until("a node reports what calls have used", async || {
            for (level, spent, has_losses) in self.levels() {
                let Some(report) = self.report(node, level).await else { return false };
                for ((budget, spent), of_call) in report.into_iter().zip(spent).zip(MOST_OF_CALL) {
                    let [used, reserved, _, limit] = budget;
                    let lost = if has_losses { most_lost(limit, of_call) } else { 0 };
                    if reserved > 0 || !(spent..=spent + lost).contains(&used) {
                        return false;
                    }
                }
            }
            true
        })
        .await;
    }

    /// Spends what is left of the organization's dollars at the only node that runs.
    async fn spend_rest(&self, node: usize) {
        for body in [chat(40, 49, false), chat(1, 1, true)] {
            let mut went_on = Instant::now();
            loop {
                match self.call(node, &self.apart, &body).await {
                    Called::Answered => went_on = Instant::now(),
                    Called::Refused(scope) => {
                        assert_eq!(scope, "organization");
                        break;
                    }
                    Called::PutOff => {
                        assert!(went_on.elapsed() < RECOVERY, "every call is put off");
                        tokio::time::sleep(PAUSE).await;
                    }
                    Called::Broken => panic!("the last node broke a connection"),
                }
            }
        }
    }

    /// What is charged of the budgets of a level, leases included.
    async fn charged(&self, level: &Level) -> Amounts {
        let mut charged = [0; 3];
        for (unit, charged) in ["usd", "tokens", "requests"].into_iter().zip(&mut charged) {
            let owner = level.owner;
            let query = format!(
                "SELECT used FROM budget_usage WHERE owner_id = '{owner}' AND unit = '{unit}'"
            );
            *charged = u64::try_from(query_value::<i64>(&self.database, &query).await).unwrap();
        }
        charged
    }

    /// No other node runs and none holds a lease: a node reports what is charged, to the
    /// billionth. That is what calls have used; where the killed node drew, it is more by no more
    /// than that node had leased.
    async fn accounts_for_everything(&self, node: usize) {
        for (level, spent, has_losses) in self.levels() {
            let path = &level.path;
            let charged = self.charged(level).await;
            let report = self.report(node, level).await.unwrap();
            assert_eq!(report.map(|[used, ..]| used), charged, "{path}");
            for ((budget, spent), of_call) in report.into_iter().zip(spent).zip(MOST_OF_CALL) {
                let [used, reserved, remaining, limit] = budget;
                assert_eq!((used + remaining, reserved), (limit, 0), "{path}");
                let lost = if has_losses { most_lost(limit, of_call) } else { 0 };
                let range = spent..=spent + lost;
                assert!(range.contains(&used), "{path}: {used} of {limit} used, not {range:?}");
            }
        }
        let [[_, _, left, _], ..] = self.report(node, &self.organization).await.unwrap();
        assert!(left < LEAST_DOLLARS, "{left} billionths of a dollar are left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_pass_no_budget_when_one_is_killed() {
    let spending = Spending::start().await;
    let are_done = Cell::new(false);
    let calls = async {
        join_all((0..CALLERS).map(|caller| spending.spend(caller))).await;
        are_done.set(true);
    };
    tokio::join!(calls, spending.kill(), spending.watch(&are_done));
    assert!(spending.shared_is_used_up.get(), "tokens end before dollars");
    let [last, other] = SURVIVORS;
    for node in SURVIVORS {
        spending.reports_what_was_used(node).await;
    }
    spending.cluster.stop(other);
    spending.spend_rest(last).await;
    spending.reports_what_was_used(last).await;
    spending.cluster.stop(last);
    // What the killed node had leased stays charged when it is back.
    spending.cluster.start_again(KILLED).await;
    spending.accounts_for_everything(KILLED).await;
}
