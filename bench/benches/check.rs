//! `make bench-check`: what a check costs in the process, without the network.
//!
//! A cached key plain, with a limit of requests a minute, and with a budget; a malformed and an unknown secret. Every
//! one of them is polled once: a check that waited for anything would end the bench. Above criterion's report stand
//! the allocations of one check.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use futures::FutureExt;
use latchkey_bench::in_process::{self, Owner, ThreadRandom};
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_bench::{report, statistics};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::SecretKey;
use latchkey_services::check::{self, Call};
use latchkey_services::random::Random;
use latchkey_services::{Error, Services, nodes, usage};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Checks that are timed together for the figure: enough that reading the clock does not show.
const BATCH: u32 = 1_000;
const BATCHES: usize = 2_000;

fn main() -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let services = runtime.block_on(in_process::start(&format!(
        "sqlite://{}/latchkey.db",
        folder.path().display()
    )))?;
    let secrets = runtime.block_on(make_keys(&services))?;
    runtime.spawn({
        let services = services.clone();
        async move { nodes::watch(&services).await }
    });
    // Counters are written as a server writes them, or the check would be measured with ever more of them.
    runtime.spawn({
        let services = services.clone();
        async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                usage::flush_turn(&services).await.expect("counters are written");
            }
        }
    });
    let _here = runtime.enter();
    while !check::hears_of_changes(&services) {
        runtime.block_on(tokio::time::sleep(Duration::from_millis(10)));
    }
    report::machine();
    for (name, secret, outcome) in &secrets {
        // It is cached from here on.
        assert_eq!(runtime.block_on(checked(&services, secret)), *outcome, "{name}");
        if *outcome != Outcome::UnknownKey {
            let waits = checked(&services, secret).now_or_never().is_none();
            assert!(!waits, "{name}: a check of what is cached does not wait");
        }
        report::say(&format!("{name}: {} allocations a check", allocations(&services, secret)));
    }
    let mut criterion = Criterion::default().configure_from_args();
    for (name, secret, outcome) in &secrets {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| assert_eq!(once(&services, black_box(secret)), *outcome));
        });
    }
    criterion.final_summary();
    let (_, plain, _) = &secrets[0];
    report::figure("check-hit-us", micros(&services, plain));
    Ok(())
}

/// One check of a cached secret: it neither waits nor asks anybody. That a digest is unknown is asked again every ten
/// seconds, and that check gives way to the next.
fn once(services: &Services, secret: &str) -> Outcome {
    let checked = || checked(services, secret).now_or_never();
    checked().unwrap_or_else(|| {
        tokio::runtime::Handle::current().block_on(self::checked(services, secret))
    })
}

async fn checked(services: &Services, secret: &str) -> Outcome {
    let call = Call { kind: Some(KeyKind::Api), ..Call::default() };
    match check::check(services, Some(secret), call).await {
        Ok(_) => Outcome::Valid,
        Err(Error::Denied(denial)) => denial.outcome,
        Err(error) => panic!("{error}"),
    }
}

fn allocations(services: &Services, secret: &str) -> usize {
    // The first of a minute makes the key's counter.
    once(services, secret);
    let region = Region::new(ALLOCATOR);
    once(services, secret);
    region.change().allocations
}

/// The median, in microseconds.
fn micros(services: &Services, secret: &str) -> f64 {
    let batch = || {
        let watch = Stopwatch::start();
        for _ in 0..BATCH {
            black_box(once(services, black_box(secret)));
        }
        watch.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH)
    };
    statistics::median((0..BATCHES).map(|_| batch()).collect())
}

/// What is checked: its name, its secret, and what comes of it.
async fn make_keys(services: &Services) -> anyhow::Result<Vec<(&'static str, String, Outcome)>> {
    let owner = Owner::sign_in(services).await?;
    let key = async |limits: serde_json::Value| owner.create(serde_json::from_value(limits)?).await;
    let most = 1_000_000_000_u64;
    let plain = key(serde_json::json!({"name": "plain"})).await?;
    let mut malformed = plain.clone();
    malformed.pop();
    let unknown = SecretKey::generate(&"lk".parse()?, Environment::Live, |buffer| {
        ThreadRandom.fill(buffer);
    });
    Ok(vec![
        ("hit", plain, Outcome::Valid),
        ("hit with rpm", key(serde_json::json!({"name": "rpm", "rpm": most})).await?, Outcome::Valid),
        (
            "hit with budget",
            key(serde_json::json!({"name": "budget", "token_limit": most, "token_limit_period": "month"})).await?,
            Outcome::Valid,
        ),
        ("malformed", malformed, Outcome::MalformedKey),
        ("unknown", unknown.expose().to_owned(), Outcome::UnknownKey),
    ])
}
