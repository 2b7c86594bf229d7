//! `make bench-check`: the cost of a check in the process, without the network.
//!
//! Measures a cached key without limits, with a rate limit, with a budget of which each check
//! acquires a token, and with budgets of the key, its project and its organization, and a malformed
//! and an unknown secret. Each check is polled once. A check that has to wait ends the bench, with
//! two exceptions: the database renews a budget's lease every 256 tokens, and confirms every ten
//! seconds that an unknown digest is still unknown. Both are part of the measured time and are
//! counted. The allocations of one check are printed above criterion's report.
//!
//! With `LATCHKEY_BEFORE`, the path of an earlier build of this bench, that build is measured too,
//! alternately.

mod before;
mod renewals;

use std::cell::Cell;
use std::hint::black_box;
use std::pin::pin;
use std::time::Duration;

use criterion::Criterion;
use futures::FutureExt;
use latchkey_bench::in_process::{self, Owner, ThreadRandom};
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_bench::{report, statistics};
use latchkey_checker::CheckRequest;
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::SecretKey;
use latchkey_services::Services;
use latchkey_services::random::Random;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use before::{Before, Times};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Checks per timed batch: enough to hide the cost of reading the clock.
const BATCH: u32 = 1_000;
const BATCHES: usize = 2_000;
/// Alternations with an earlier build.
const ROUNDS: usize = 3;
/// Places of rows in [`make_rows`].
const HIT: usize = 0;
const BUDGET: usize = 2;
const LEVELS: usize = 3;
/// Checks whose allocations are counted one by one. Other tasks allocate too, but not during every
/// one of them.
const COUNTED: usize = 50;

fn main() -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let services = runtime.block_on(in_process::start(&format!(
        "sqlite://{}/latchkey.db",
        folder.path().display()
    )))?;
    let rows = runtime.block_on(make_rows(&services))?;
    let _here = runtime.enter();
    run_jobs(&services);
    while !services.checker.is_listening() {
        runtime.block_on(tokio::time::sleep(Duration::from_millis(10)));
    }
    report::machine();
    for row in &rows {
        // The key is cached from here on.
        assert_eq!(runtime.block_on(row.checked(&services)), row.outcome, "{}", row.name);
        report::say(&format!("{}: {} allocations a check", row.name, row.allocations(&services)));
    }
    let mut criterion = Criterion::default().configure_from_args();
    for row in &rows {
        criterion.bench_function(row.name, |bencher| {
            bencher.iter(|| assert_eq!(row.once(&services), row.outcome));
        });
    }
    criterion.final_summary();
    for row in rows.iter().filter(|row| row.waits.is_some()) {
        report::say(&row.waited());
    }
    measure(&rows, &services)?;
    let renewals = runtime.block_on(renewals::per_1000_calls(&services))?;
    report::figure("lease-renewals-per-1000-calls", renewals);
    Ok(())
}

/// Prints the times of a check, and their proportions to those of an earlier build.
fn measure(rows: &[Row], services: &Services) -> anyhow::Result<()> {
    let before = Before::find();
    let mut rounds = Vec::new();
    for _ in 0..if before.is_some() { ROUNDS } else { 1 } {
        let now = [HIT, BUDGET, LEVELS].map(|row| rows[row].micros(services));
        rounds.push((now, before.as_ref().map(Before::measure).transpose()?));
    }
    let now = [0, 1, 2]
        .map(|row: usize| statistics::median(rounds.iter().map(|(now, _)| now[row]).collect()));
    for (name, micros) in ["check-hit-us", "check-budget-us", "check-levels-us"].iter().zip(now) {
        report::figure(name, micros);
    }
    let earlier = |time: fn(&Times) -> f64| {
        let times = rounds.iter().filter_map(|(_, before)| before.as_ref());
        statistics::median(times.map(time).collect())
    };
    if before.is_some() {
        let (hit, budget) = (earlier(|times| times.hit), earlier(|times| times.budget));
        report::ratio("check-hit", now[0] / hit);
        report::ratio("check-budget", now[1] / budget);
        report::ratio("check-levels", now[2] / budget);
    }
    Ok(())
}

/// Background jobs of a server. They flush the counters and return leases as a server does;
/// otherwise every check would be measured with more of them.
fn run_jobs(services: &Services) {
    let (syncing, writing) = (services.clone(), services.clone());
    tokio::spawn(async move { syncing.checker.keep_in_sync().await });
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            writing.checker.flush_usage_batch().await.expect("counters are written");
            writing.checker.return_leases(false).await.expect("leases are returned");
            writing.checker.write_budget_events().await.expect("events are written");
        }
    });
}

/// A secret and the expected outcome of its check.
struct Row {
    name: &'static str,
    secret: String,
    /// Tokens that a check acquires.
    cost: u64,
    outcome: Outcome,
    /// What a check may wait for occasionally; `None`: a check that waits ends the bench.
    waits: Option<&'static str>,
    checks: Cell<u64>,
    waiting: Cell<u64>,
}

impl Row {
    /// A key that is admitted and never waits.
    fn hit(name: &'static str, secret: String) -> Self {
        let (checks, waiting) = (Cell::new(0), Cell::new(0));
        Self { name, secret, cost: 0, outcome: Outcome::Valid, waits: None, checks, waiting }
    }

    /// Runs one check, and waits for it if it may wait.
    fn once(&self, services: &Services) -> Outcome {
        self.checks.set(self.checks.get() + 1);
        let mut checked = pin!(self.checked(services));
        if let Some(outcome) = checked.as_mut().now_or_never() {
            return outcome;
        }
        assert!(self.waits.is_some(), "{}: a check of what is cached has waited", self.name);
        self.waiting.set(self.waiting.get() + 1);
        tokio::runtime::Handle::current().block_on(checked)
    }

    async fn checked(&self, services: &Services) -> Outcome {
        let call =
            CheckRequest { kind: Some(KeyKind::Api), cost: self.cost, ..CheckRequest::default() };
        // As for a server that asks: a malformed or unknown secret is no guess of a caller.
        let secret = Some(black_box(self.secret.as_str()));
        match services.checker.authenticate_for_server(secret).await {
            Ok(identity) => match services.checker.admit(&identity, call).await {
                Ok(_) => Outcome::Valid,
                Err(denial) => denial.outcome,
            },
            Err(denial) => denial.outcome,
        }
    }

    fn allocations(&self, services: &Services) -> usize {
        // The first check of a minute creates the key's counter.
        self.once(services);
        let count = || {
            let region = Region::new(ALLOCATOR);
            self.once(services);
            region.change().allocations
        };
        (0..COUNTED).map(|_| count()).min().unwrap_or_default()
    }

    /// Median time of a check, in microseconds.
    fn micros(&self, services: &Services) -> f64 {
        let batch = || {
            let watch = Stopwatch::start();
            for _ in 0..BATCH {
                black_box(self.once(services));
            }
            watch.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH)
        };
        statistics::median((0..BATCHES).map(|_| batch()).collect())
    }

    fn waited(&self) -> String {
        let (name, what) = (self.name, self.waits.unwrap_or_default());
        format!("{name}: {} of {} checks {what}", self.waiting.get(), self.checks.get())
    }
}

async fn make_rows(services: &Services) -> anyhow::Result<Vec<Row>> {
    let owner = Owner::sign_in(services).await?;
    let key = async |limits: serde_json::Value| owner.create(serde_json::from_value(limits)?).await;
    let most = 1_000_000_000_000_u64;
    let plain = key(serde_json::json!({"name": "plain"})).await?;
    let limited = key(serde_json::json!({"name": "rpm", "rpm": 1_000_000_000})).await?;
    let budget =
        serde_json::json!({"name": "budget", "token_limit": most, "token_limit_period": "month"});
    let budget = key(budget).await?;
    let levels = with_three_levels(&owner, most).await?;
    let mut malformed = plain.clone();
    malformed.pop();
    let unknown = SecretKey::generate(&"lk".parse()?, Environment::Live, |buffer| {
        ThreadRandom.fill(buffer);
    });
    let renews = Some("renewed the lease in the database, which is part of the time");
    let asks = Some("asked the database again, which is part of the time");
    Ok(vec![
        Row::hit("hit", plain),
        Row::hit("hit with rpm", limited),
        Row { cost: 1, waits: renews, ..Row::hit("hit with budget, a token each", budget) },
        Row { cost: 1, waits: renews, ..Row::hit("hit with budgets of three levels", levels) },
        Row { outcome: Outcome::MalformedKey, ..Row::hit("malformed", malformed) },
        Row {
            outcome: Outcome::UnknownKey,
            waits: asks,
            ..Row::hit("unknown", unknown.expose().to_owned())
        },
    ])
}

/// A key whose budget, project's budget and organization's budget are in three units.
async fn with_three_levels(owner: &Owner, most: u64) -> anyhow::Result<String> {
    let budget = |unit: &str, limit: serde_json::Value| {
        let budget = serde_json::json!({"unit": unit, "limit": limit, "period": "month"});
        serde_json::json!({ "budgets": [budget] })
    };
    let of_project = budget("requests", most.into());
    let of_organization = budget("usd", 1_000_000_u64.into());
    let owner = owner.beside("Levels", of_project, of_organization).await?;
    let mut key = budget("tokens", most.into());
    key["name"] = "levels".into();
    owner.create(serde_json::from_value(key)?).await
}
