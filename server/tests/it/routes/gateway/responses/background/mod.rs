//! Background responses: what they may cost stays reserved until their final status is read, and
//! each is counted once.

mod checks;
mod ends;
mod nodes;
mod restart;
mod sandbox;
mod streams;

use std::time::Duration;

use axum::http::Method;
use reqwest::Response;
use serde_json::{Value, json};

use super::super::Gateway;
use super::{answer, asks, response, send, usage};
use crate::test_app::TestApp;

/// Tokens that a response may have at most.
const CAP: u64 = 50;
/// Tokens that [`response`] has used.
const USED: u64 = 10;

/// Runs each test with a gateway on each database.
macro_rules! on_both_gateways {
    ($(async fn $name:ident($gateway:ident: Gateway) $body:block)*) => {$(
        async fn $name($gateway: $crate::routes::gateway::Gateway) $body

        mod $name {
            use $crate::routes::gateway::Gateway;
            use $crate::test_app::Backend;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$name(Gateway::on(Backend::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                super::$name(Gateway::on(Backend::Postgres).await).await;
            }
        }
    )*};
}
pub(super) use on_both_gateways;

/// A call that makes a response in the background.
fn asks_in_background() -> Value {
    let mut body = asks("make");
    body["background"] = json!(true);
    body["max_output_tokens"] = json!(CAP);
    body
}

/// A response that has not ended, or that does not tell what it has used.
fn untold(id: &str, status: &str) -> Value {
    let mut untold = response(id);
    untold["status"] = json!(status);
    untold["output"] = json!([]);
    untold["usage"] = Value::Null;
    untold
}

/// Makes a response in the background; its answer.
async fn make(gateway: &Gateway, key: &str, id: &str) -> String {
    gateway.upstream.script("make", answer(&untold(id, "queued")));
    let made = send(&gateway.app, key, &asks_in_background()).await;
    assert_eq!(made.status(), 200);
    made.text().await.unwrap()
}

async fn ask(app: &TestApp, method: Method, path: &str, key: &str) -> Response {
    let url = format!("{}/v1/responses/{path}", app.base);
    app.http.request(method, url).bearer_auth(key).send().await.unwrap()
}

/// Reads a response of which its upstream says this.
async fn read(gateway: &Gateway, key: &str, id: &str, told: &Value) {
    gateway.upstream.script(&format!("responses/{id}"), answer(told));
    let read = ask(&gateway.app, Method::GET, id, key).await;
    assert_eq!(read.status(), 200);
    assert_eq!(read.text().await.unwrap(), told.to_string(), "it passes as it is");
}

/// A key with so many tokens a month; its secret and its id.
async fn limited(gateway: &Gateway, tokens: u64) -> (String, String) {
    let limit = json!({ "name": "k", "token_limit": tokens, "token_limit_period": "month" });
    gateway.key(limit).await
}

/// What is used and what is reserved of a key's first budget.
async fn budget(gateway: &Gateway, id: &str) -> (u64, u64) {
    gateway.app.services.settled().await;
    // Some tests last longer than an access token.
    let ada = gateway.app.sign_in("ada").await;
    let key = gateway.app.json(&format!("/v1/keys/{id}"), &ada.jwt).await;
    let budget = &key["budgets"][0];
    (budget["used"].as_u64().unwrap(), budget["reserved"].as_u64().unwrap())
}

/// Prompt and completion tokens of a key in the last day, as far as this node knows.
async fn tokens(gateway: &Gateway, id: &str) -> (u64, u64) {
    gateway.app.services.settled().await;
    let ada = gateway.app.sign_in("ada").await;
    let path = format!("/v1/inference/keys/{id}/usage?range=24h");
    let totals = gateway.app.json(&path, &ada.jwt).await["totals"].clone();
    let of = |name: &str| totals[name].as_u64().unwrap();
    (of("prompt_tokens"), of("completion_tokens"))
}

/// Looks for responses that nobody has asked for in the last ten minutes.
async fn check_after_ten_minutes(gateway: &Gateway) {
    gateway.app.advance(Duration::from_mins(10));
    gateway.app.state.settle_background().await;
}

on_both_gateways! {
    async fn reservation_stays_until_the_end_is_read(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        let made = make(&gateway, &key, "resp_1").await;
        assert_eq!(made, untold("resp_1", "queued").to_string());
        let sent = gateway.upstream.seen().remove(0).body;
        assert_eq!((&sent["background"], &sent["max_output_tokens"]), (&json!(true), &json!(CAP)));
        let (used, reserved) = budget(&gateway, &id).await;
        assert!(used == 0 && reserved > CAP, "{used} used, {reserved} reserved");
        for status in ["queued", "in_progress"] {
            read(&gateway, &key, "resp_1", &untold("resp_1", status)).await;
            assert_eq!(budget(&gateway, &id).await, (0, reserved), "{status}");
        }
        assert_eq!(tokens(&gateway, &id).await, (0, 0), "it is not known yet");
        for _ in 0..3 {
            read(&gateway, &key, "resp_1", &response("resp_1")).await;
            assert_eq!(budget(&gateway, &id).await, (USED, 0));
        }
        let totals = &usage(&gateway, &id).await["totals"];
        let counted = ["prompt_tokens", "completion_tokens", "cached_tokens", "estimated_tokens"];
        assert_eq!(counted.map(|name| totals[name].as_u64().unwrap()), [7, 3, 2, 0]);
        assert_eq!(totals["requests"], 6, "the call and five readings");
    }

    async fn reserved_budget_refuses_until_the_end_is_read(gateway: Gateway) {
        let (key, id) = limited(&gateway, 100).await;
        gateway.upstream.script("make", answer(&untold("resp_1", "queued")));
        let mut body = asks_in_background();
        body["max_output_tokens"] = json!(1_000);
        assert_eq!(send(&gateway.app, &key, &body).await.status(), 200);
        assert_eq!(budget(&gateway, &id).await, (0, 100));
        let full = send(&gateway.app, &key, &asks_in_background()).await;
        assert_eq!(full.headers()["retry-after"], "1");
        let told = super::super::refused(full, 429, "token_budget_exhausted").await;
        let said = told["error"]["message"].as_str().unwrap();
        assert!(said.contains("100 are reserved by 1 call in progress"), "{said}");
        assert_eq!(told["error"]["limit"]["reserved"], 100);
        read(&gateway, &key, "resp_1", &response("resp_1")).await;
        make(&gateway, &key, "resp_2").await;
    }

    async fn every_level_and_dollars_are_settled(gateway: Gateway) {
        // The model has no price, so the test's own gateway gets one.
        let backend = if gateway.app.config.database_url.starts_with("sqlite") {
            crate::test_app::Backend::Sqlite
        } else {
            crate::test_app::Backend::Postgres
        };
        let gateway = Gateway::with_model(backend, ", price = { input = 1, output = 2 }").await;
        let budgets = json!([
            { "unit": "usd", "limit": "1", "period": "day" },
            { "unit": "tokens", "limit": 1_000, "period": "total" },
        ]);
        let levels = [
            format!("/v1/projects/{}", gateway.ada.project),
            format!("/v1/organizations/{}", gateway.ada.organization),
        ];
        for path in &levels {
            let body = json!({ "budgets": budgets });
            let changed = gateway.app.send(Method::PATCH, path, &gateway.ada, &body).await;
            assert_eq!(changed.status(), 200);
        }
        let (key, id) = gateway.key(json!({ "name": "k", "budgets": budgets })).await;
        make(&gateway, &key, "resp_1").await;
        let all = [levels[0].clone(), levels[1].clone(), format!("/v1/keys/{id}")];
        for path in &all {
            let budgets = gateway.app.json(path, &gateway.ada.jwt).await["budgets"].clone();
            assert_eq!(budgets[0]["used"], "0", "{path}: {budgets}");
            assert!(budgets[1]["reserved"].as_u64().unwrap() > CAP, "{path}: {budgets}");
        }
        // The day ends, and the response is charged in the one in which it was reserved.
        gateway.app.advance(Duration::from_hours(24));
        read(&gateway, &key, "resp_1", &response("resp_1")).await;
        let ada = gateway.app.sign_in("ada").await;
        for path in &all {
            let budgets = gateway.app.json(path, &ada.jwt).await["budgets"].clone();
            assert_eq!((&budgets[0]["used"], &budgets[0]["reserved"]), (&json!("0"), &json!("0")));
            assert_eq!((&budgets[1]["used"], &budgets[1]["reserved"]), (&json!(10), &json!(0)));
        }
        gateway.app.services.checker.return_leases(true).await.unwrap();
        let database = sea_orm::Database::connect(&gateway.app.config.database_url).await.unwrap();
        // Seven and three tokens cost 13 millionths of a dollar, at each of three levels.
        let sql = "SELECT count(*) FROM budget_usage WHERE unit = 'usd' AND used = 13000";
        assert_eq!(crate::test_app::query_value::<i64>(&database, sql).await, 3);
        let path = format!("/v1/inference/keys/{id}/usage?range=30d");
        assert_eq!(gateway.app.json(&path, &ada.jwt).await["totals"]["cost_usd"], "0.000013");
    }

    async fn tokens_per_minute_are_given_back(gateway: Gateway) {
        let (key, _) = gateway.key(json!({ "name": "k", "tpm": 100 })).await;
        gateway.upstream.script("make", answer(&untold("resp_1", "queued")));
        let mut body = asks_in_background();
        body["max_output_tokens"] = json!(1_000);
        assert_eq!(send(&gateway.app, &key, &body).await.status(), 200);
        let full = send(&gateway.app, &key, &asks_in_background()).await;
        super::super::refused(full, 429, "token_rate_limited").await;
        read(&gateway, &key, "resp_1", &response("resp_1")).await;
        gateway.app.services.settled().await;
        make(&gateway, &key, "resp_2").await;
    }

    async fn slot_is_free_when_the_call_has_ended(gateway: Gateway) {
        let (key, _) = gateway.key(json!({ "name": "k", "max_parallel": 1 })).await;
        for id in ["resp_1", "resp_2", "resp_3"] {
            make(&gateway, &key, id).await;
            gateway.app.services.settled().await;
        }
    }
}

on_both_gateways! {
    async fn budget_event_is_written_when_a_response_is_settled(gateway: Gateway) {
        let (key, _) = limited(&gateway, 12).await;
        make(&gateway, &key, "resp_1").await;
        let events = async || {
            gateway.app.services.settled().await;
            gateway.app.services.checker.write_budget_events().await.unwrap();
            let path = format!("/v1/projects/{}/budget-events", gateway.ada.project);
            gateway.app.json(&path, &gateway.ada.jwt).await["data"].as_array().unwrap().clone()
        };
        assert!(events().await.is_empty(), "what is reserved is not used");
        read(&gateway, &key, "resp_1", &response("resp_1")).await;
        let events = events().await;
        assert_eq!(events.len(), 1);
        assert_eq!((&events[0]["percent"], &events[0]["used"]), (&json!(80), &json!(USED)));
    }
}
