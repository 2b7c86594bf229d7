//! Budgets in dollars, tokens and requests hold exactly, for a key, its project and its
//! organization at once, whatever runs in parallel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use latchkey_checker::{
    AnswerCap, CheckRequest, Denial, IdentifiedKey, Reservation, ReservationRequest, TokenEstimate,
};
use latchkey_domain::money::Usd;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::price::Price;
use latchkey_domain::token_usage::TokenUsage;
use latchkey_services::Services;
use reqwest::Method;
use serde_json::{Value, json};

use crate::consistency::nodes::hears;
use crate::test_app::{Session, TestApp, key_path, on_both_databases, query_value, text};

/// A call of 100 prompt tokens and at most 100 of an answer: at most 300 millionths of a dollar.
const CALL: TokenEstimate = TokenEstimate {
    prompt_estimate: 100,
    prompt_bound: 100,
    answers: 1,
    least_answer: 1,
    answer: AnswerCap::Client(100),
};

pub(super) async fn reserve(
    services: &Services,
    found: &IdentifiedKey,
) -> Result<Reservation, Denial> {
    reserve_for(services, found, CALL).await
}

async fn reserve_for(
    services: &Services,
    found: &IdentifiedKey,
    estimate: TokenEstimate,
) -> Result<Reservation, Denial> {
    let call = CheckRequest { model: Some("m"), ..CheckRequest::default() };
    let pending = services.checker.begin(found, call).await?;
    let request = ReservationRequest { estimate, exact_count: None, price: Some(Price::SANDBOX) };
    services.checker.reserve(found, call, request, pending).await
}

/// A call of so many prompt tokens and at most so many of an answer.
fn estimate_of(prompt: u64, answer: u64) -> TokenEstimate {
    let [prompt, answer] = [prompt, answer].map(|tokens| u32::try_from(tokens).unwrap());
    TokenEstimate {
        prompt_estimate: prompt,
        prompt_bound: prompt,
        answers: 1,
        least_answer: 1,
        answer: AnswerCap::Client(answer),
    }
}

pub(super) async fn settle(reserved: Reservation, completion: u64) {
    drop(reserved.settle(used_by(completion)).await);
}

fn used_by(completion: u64) -> TokenUsage {
    TokenUsage { prompt: 100, completion, ..TokenUsage::default() }
}

pub(super) fn budgets(dollars: &str, tokens: u64) -> Value {
    json!([
        {"unit": "usd", "limit": dollars, "period": "month"},
        {"unit": "tokens", "limit": tokens, "period": "total"},
        {"unit": "requests", "limit": 1_000_000, "period": "day"},
    ])
}

pub(super) async fn limit(app: &TestApp, who: &Session, path: &str, budgets: &Value) {
    let body = json!({ "budgets": budgets });
    let changed = app.send(Method::PATCH, path, who, &body).await;
    assert_eq!(changed.status(), 200, "{path}");
}

pub(super) fn paths(who: &Session) -> [String; 2] {
    [format!("/v1/projects/{}", who.project), format!("/v1/organizations/{}", who.organization)]
}

/// An inference key with these budgets; its path and what identifies it.
pub(super) async fn key(app: &TestApp, who: &Session, budgets: &Value) -> (String, String) {
    let body =
        json!({"name": "Metered", "kind": "inference", "budgets": budgets, "max_parallel": 1_000});
    let created = app.create(who, &body).await;
    (key_path(&created), text(&created["key"]))
}

pub(super) async fn found(services: &Services, secret: &str) -> IdentifiedKey {
    hears(services).await;
    services.checker.authenticate_for_server(Some(secret)).await.unwrap()
}

/// Used, reserved and remaining of each budget, in billionths of a dollar or as counted.
pub(super) async fn states(app: &TestApp, who: &Session, path: &str) -> Vec<[u64; 4]> {
    let counted = |value: &Value| match value.as_str() {
        Some(dollars) => dollars.parse::<Usd>().unwrap().billionths(),
        None => value.as_u64().unwrap(),
    };
    let budgets = app.json(path, &who.jwt).await["budgets"].clone();
    let budgets = budgets.as_array().unwrap().iter();
    let state = |budget: &Value| {
        ["used", "reserved", "remaining", "limit"].map(|field| counted(&budget[field]))
    };
    budgets.map(state).collect()
}

/// What calls have used.
#[derive(Default)]
struct Spent {
    calls: AtomicU64,
    prompts: AtomicU64,
    completions: AtomicU64,
}

impl Spent {
    /// Counts a call that costs its prompt and so many tokens of an answer.
    fn charge(&self, completion: u64) {
        self.prompts.fetch_add(100, Ordering::SeqCst);
        self.completions.fetch_add(completion, Ordering::SeqCst);
    }

    /// Calls, their tokens, and their billionths of a dollar.
    fn totals(&self) -> [u64; 3] {
        let [calls, prompts, completions] =
            [&self.calls, &self.prompts, &self.completions].map(|sum| sum.load(Ordering::SeqCst));
        [calls, prompts + completions, (prompts + completions * 2) * 1_000]
    }
}

/// A number that looks like chance, and the next one.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// How often a caller may be told `unavailable`.
///
/// Near the limit, leases are as small as calls, and callers renew them one at a time: two
/// statements and a commit for each of three units and three levels, behind up to 63 others. Beside
/// a compiler that takes longer than the five seconds after which a call is refused for that. Six
/// times is half a minute; a database that is slower than that, or that fails at once, is a fault.
const MOST_LATE_ANSWERS: u32 = 6;

/// Calls one after the other until a budget refuses one. They settle as plain and streamed calls
/// do: before the answer ends, or afterwards if its client has left.
async fn exhaust(services: Services, found: IdentifiedKey, mut seed: u64, spent: Arc<Spent>) {
    let mut late = 0;
    loop {
        match reserve(&services, &found).await {
            Ok(reserved) => {
                let completion = random(&mut seed) % (reserved.granted().answer + 1);
                spent.calls.fetch_add(1, Ordering::SeqCst);
                match random(&mut seed) % 4 {
                    // The call costs a request and nothing else.
                    0 => drop(reserved),
                    1 => {
                        spent.charge(completion);
                        reserved.settle_later(used_by(completion));
                    }
                    _ => {
                        spent.charge(completion);
                        settle(reserved, completion).await;
                    }
                }
            }
            // It has waited in vain for calls in progress, which may leave enough.
            Err(denial) if denial.retry_after == Some(Duration::from_secs(1)) => {}
            Err(denial) if denial.outcome == Outcome::Unavailable && late < MOST_LATE_ANSWERS => {
                late += 1;
            }
            Err(denial) => {
                let expected = [Outcome::SpendLimitReached, Outcome::TokenBudgetExhausted];
                assert!(expected.contains(&denial.outcome), "{denial:?}");
                let limit = denial.limit.unwrap();
                let taken = limit.used.counted() + limit.reserved.counted();
                assert!(taken <= limit.limit.counted(), "{limit:?}");
                return;
            }
        }
    }
}

/// Looks at budgets again and again until `done`: never is more used and reserved than the limit.
async fn watch(app: &TestApp, who: &Session, paths: &[&str], done: impl Fn() -> bool) {
    loop {
        let is_last = done();
        for path in paths {
            for [used, reserved, _, limit] in states(app, who, path).await {
                assert!(used + reserved <= limit, "{path}: {used} and {reserved} of {limit}");
            }
        }
        if is_last {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

on_both_databases! {
    async fn parallel_calls_never_pass_a_budget_of_any_level(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let [project, organization] = paths(&ada);
        // The organization's dollars are the tightest: about 200 calls for each of the callers.
        let (of_key, secret) = key(&app, &ada, &budgets("90", 4_000_000)).await;
        limit(&app, &ada, &project, &budgets("5", 5_000_000)).await;
        limit(&app, &ada, &organization, &budgets("1.9", 6_000_000)).await;
        let found = found(&app.services, &secret).await;
        let spent = Arc::new(Spent::default());
        let callers: Vec<_> = (0..64)
            .map(|seed| {
                let (services, found) = (app.services.clone(), found.clone());
                tokio::spawn(exhaust(services, found, seed, Arc::clone(&spent)))
            })
            .collect();
        let are_done = || callers.iter().all(tokio::task::JoinHandle::is_finished);
        watch(&app, &ada, &[&of_key, &project, &organization], are_done).await;
        for caller in callers {
            caller.await.unwrap();
        }
        app.services.settled().await;
        app.services.checker.return_leases(true).await.unwrap();
        let [calls, tokens, dollars] = spent.totals();
        for path in [&of_key, &project, &organization] {
            let states = states(&app, &ada, path).await;
            let used = [states[0][0], states[1][0], states[2][0]];
            assert_eq!(used, [dollars, tokens, calls], "{path}");
            for [used, reserved, remaining, limit] in states {
                assert_eq!((used + remaining, reserved), (limit, 0), "{path}");
            }
        }
        let left = 1_900_000_000 - dollars;
        assert!(left < 102_000, "{left} billionths are left, less than the smallest call needs");
    }

    async fn two_nodes_never_pass_a_budget_though_one_is_lost(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let [project, organization] = paths(&ada);
        let (_, secret) = key(&app, &ada, &json!([])).await;
        limit(&app, &ada, &project, &budgets("1", 2_000_000)).await;
        limit(&app, &ada, &organization, &budgets("1.5", 3_000_000)).await;
        let other = app.second_node().await;
        let spent = Arc::new(Spent::default());
        let start = async |services: &Services, first: u64| {
            let found = found(services, &secret).await;
            let caller = |seed| {
                let (services, found) = (services.clone(), found.clone());
                tokio::spawn(exhaust(services, found, seed, Arc::clone(&spent)))
            };
            (first..first + 8).map(caller).collect::<Vec<_>>()
        };
        let (staying, leaving) = (start(&app.services, 0).await, start(&other, 100).await);
        let levels = [project.as_str(), organization.as_str()];
        watch(&app, &ada, &levels, || spent.totals()[2] > 300_000_000).await;
        // Nothing is returned of what the other node had leased and its calls had reserved.
        for caller in leaving {
            caller.abort();
            let ended = caller.await;
            assert!(ended.as_ref().err().is_none_or(tokio::task::JoinError::is_cancelled));
        }
        drop(other);
        let are_done = || staying.iter().all(tokio::task::JoinHandle::is_finished);
        watch(&app, &ada, &levels, are_done).await;
        for caller in staying {
            caller.await.unwrap();
        }
        app.services.settled().await;
        app.services.checker.return_leases(true).await.unwrap();
        let [_, tokens, dollars] = spent.totals();
        for path in [&project, &organization] {
            let states = states(&app, &ada, path).await;
            for ([used, _, remaining, limit], spent) in states.into_iter().zip([dollars, tokens]) {
                assert!(spent <= used, "{path}: {spent} spent, {used} used");
                assert_eq!(used + remaining, limit, "{path}");
            }
        }
    }

    async fn call_that_fits_is_not_refused(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (path, secret) = key(&app, &ada, &budgets("0.03", 40_000)).await;
        let found = found(&app.services, &secret).await;
        // 95 calls of 300 millionths: 95 per cent of the dollars, one at a time.
        for _ in 0..95 {
            settle(reserve(&app.services, &found).await.unwrap(), 100).await;
        }
        assert_eq!(states(&app, &ada, &path).await[0], [28_500_000, 0, 1_500_000, 30_000_000]);
        for _ in 0..5 {
            settle(reserve(&app.services, &found).await.unwrap(), 100).await;
        }
        let denial = reserve(&app.services, &found).await.err().unwrap();
        assert_eq!(denial.outcome, Outcome::SpendLimitReached);
        assert_eq!(states(&app, &ada, &path).await[0], [30_000_000, 0, 0, 30_000_000]);
    }

    async fn random_calls_are_admitted_while_they_fit(app: TestApp) {
        const LIMIT: u64 = 30_000_000;
        let ada = app.sign_in("ada").await;
        let (path, secret) = key(&app, &ada, &budgets("0.03", 40_000)).await;
        let found = found(&app.services, &secret).await;
        let (mut seed, mut spent) = (1, 0);
        let mut open: Vec<(Reservation, [u64; 2])> = Vec::new();
        let cost = |prompt: u64, completion: u64| (prompt + 2 * completion) * 1_000;
        loop {
            let [prompt, answer] = [(); 2].map(|()| 1 + random(&mut seed) % 40);
            let reserved: u64 = open.iter().map(|(_, [p, a])| cost(*p, *a)).sum();
            let fits = spent + reserved + cost(prompt, answer) <= LIMIT;
            if fits && open.len() < 20 && (open.is_empty() || !random(&mut seed).is_multiple_of(3)) {
                let estimate = estimate_of(prompt, answer);
                let admitted = reserve_for(&app.services, &found, estimate).await;
                let admitted = admitted.unwrap_or_else(|denial| {
                    panic!("{spent} used, {reserved} reserved: {denial:?}")
                });
                assert_eq!(admitted.granted().answer, answer, "{spent} used, {reserved} reserved");
                open.push((admitted, [prompt, answer]));
            } else if !open.is_empty() {
                let index = usize::try_from(random(&mut seed)).unwrap() % open.len();
                let (admitted, [prompt, answer]) = open.swap_remove(index);
                let completion = random(&mut seed) % (answer + 1);
                let used = TokenUsage { prompt, completion, ..TokenUsage::default() };
                drop(admitted.settle(used).await);
                spent += cost(prompt, completion);
            } else {
                break;
            }
        }
        assert_eq!(states(&app, &ada, &path).await[0], [spent, 0, LIMIT - spent, LIMIT]);
    }

    async fn call_charges_the_period_in_which_it_was_reserved(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let daily = json!([{"unit": "usd", "limit": 1, "period": "day"}]);
        let (path, secret) = key(&app, &ada, &daily).await;
        let before = found(&app.services, &secret).await;
        let reserved = reserve(&app.services, &before).await.unwrap();
        let state = states(&app, &ada, &path).await[0];
        assert_eq!([state[0], state[1]], [0, 300_000], "reserved is not used");
        app.advance(Duration::from_hours(24));
        let ada = app.sign_in("ada").await;
        let after = found(&app.services, &secret).await;
        settle(reserve(&app.services, &after).await.unwrap(), 0).await;
        settle(reserved, 100).await;
        assert_eq!(states(&app, &ada, &path).await[0][0], 100_000, "the new day's call alone");
        app.services.checker.return_leases(true).await.unwrap();
        let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
        let of_day_before = "SELECT used FROM budget_usage ORDER BY starts_at LIMIT 1";
        assert_eq!(query_value::<i64>(&database, of_day_before).await, 300_000);
    }

    async fn budget_keeps_its_use_when_it_is_changed_or_set_again(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let daily = |limit: &str| json!([{"unit": "usd", "limit": limit, "period": "day"}]);
        let (path, secret) = key(&app, &ada, &daily("1")).await;
        let first = found(&app.services, &secret).await;
        settle(reserve(&app.services, &first).await.unwrap(), 100).await;
        limit(&app, &ada, &path, &daily("0.0003")).await;
        assert_eq!(states(&app, &ada, &path).await[0], [300_000, 0, 0, 300_000]);
        let lowered = found(&app.services, &secret).await;
        let denial = reserve(&app.services, &lowered).await.err().unwrap();
        assert_eq!(denial.outcome, Outcome::SpendLimitReached);
        limit(&app, &ada, &path, &json!([])).await;
        limit(&app, &ada, &path, &daily("2")).await;
        assert_eq!(states(&app, &ada, &path).await[0][0], 300_000);
    }

    async fn organization_keeps_the_share_of_what_is_deleted(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let [project, organization] = paths(&ada);
        limit(&app, &ada, &organization, &budgets("1", 1_000)).await;
        let (path, secret) = key(&app, &ada, &json!([])).await;
        let found = found(&app.services, &secret).await;
        settle(reserve(&app.services, &found).await.unwrap(), 100).await;
        let used = states(&app, &ada, &organization).await;
        assert_eq!([used[0][0], used[1][0], used[2][0]], [300_000, 200, 1]);
        for gone in [&path, &project] {
            let deleted = app.send(Method::DELETE, gone, &ada, &Value::Null).await;
            assert_eq!(deleted.status(), 204, "{gone}");
            assert_eq!(states(&app, &ada, &organization).await, used, "{gone}");
        }
    }

    async fn thresholds_are_told_once_though_two_nodes_cross_them(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let ten = json!([{"unit": "requests", "limit": 10, "period": "day"}]);
        let (_, secret) = key(&app, &ada, &ten).await;
        let other = app.second_node().await;
        // The eighth call crosses on one node, the ninth on the other.
        for services in [&app.services, &other].into_iter().cycle().take(10) {
            hears(services).await;
            services.checker.check(Some(&secret), CheckRequest::default()).await.unwrap();
            services.checker.return_leases(true).await.unwrap();
            services.checker.write_budget_events().await.unwrap();
        }
        for services in [&app.services, &other] {
            assert!(services.checker.check(Some(&secret), CheckRequest::default()).await.is_err());
            services.checker.write_budget_events().await.unwrap();
        }
        let path = format!("/v1/projects/{}/budget-events", ada.project);
        let events = app.json(&path, &ada.jwt).await["data"].clone();
        let mut told: Vec<_> = events
            .as_array()
            .unwrap()
            .iter()
            .map(|event| ["percent", "used", "limit"].map(|field| event[field].as_u64().unwrap()))
            .collect();
        told.sort_unstable();
        assert_eq!(told, [[80, 8, 10], [100, 10, 10]], "{events}");
    }
}
