//! Background responses that several clients read on several nodes.

use reqwest::Method;
use serde_json::json;

use super::{USED, answer, ask, budget, limited, make, on_both_gateways, response, tokens, untold};
use crate::test_app::text;

on_both_gateways! {
    async fn parallel_readings_count_once(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        make(&gateway, &key, "resp_1").await;
        gateway.upstream.script("responses/resp_1", answer(&response("resp_1")));
        let mut cancelled = response("resp_1");
        cancelled["status"] = json!("cancelled");
        gateway.upstream.script("responses/resp_1/cancel", answer(&cancelled));
        let second = gateway.app.second_node().await;
        let base = gateway.app.serve(second.clone()).await;
        let readings = (0..20).map(|number| {
            let base = if number % 2 == 0 { &gateway.app.base } else { &base };
            let is_cancelling = number % 5 == 0;
            let (method, path) =
                if is_cancelling { (Method::POST, "/cancel") } else { (Method::GET, "") };
            let url = format!("{base}/v1/responses/resp_1{path}");
            let reading = gateway.app.http.request(method, url).bearer_auth(&key).send();
            async move { reading.await.unwrap().text().await.unwrap() }
        });
        let told = futures::future::join_all(readings).await;
        assert!(told.iter().all(|told| told.contains("resp_1")), "{told:?}");
        second.settled().await;
        second.checker.return_leases(true).await.unwrap();
        second.checker.flush_usage().await.unwrap();
        assert_eq!(budget(&gateway, &id).await, (USED, 0));
        assert_eq!(tokens(&gateway, &id).await, (7, 3));
        let database = sea_orm::Database::connect(&gateway.app.config.database_url).await.unwrap();
        let sql = "SELECT count(*) FROM budget_usage WHERE background <> 0 OR background_calls <> 0";
        assert_eq!(crate::test_app::query_value::<i64>(&database, sql).await, 0);
    }

    async fn another_node_knows_what_is_reserved(gateway: Gateway) {
        let (key, id) = limited(&gateway, 100).await;
        gateway.upstream.script("make", answer(&untold("resp_1", "queued")));
        let mut body = super::asks_in_background();
        body["max_output_tokens"] = json!(1_000);
        let made = super::send(&gateway.app, &key, &body).await;
        assert_eq!(made.status(), 200);
        let second = gateway.app.second_node().await;
        let base = gateway.app.serve(second.clone()).await;
        let read = gateway.app.http.get(format!("{base}/v1/keys/{id}"));
        let state = read.bearer_auth(&gateway.ada.jwt).send().await.unwrap();
        let state: serde_json::Value = state.json().await.unwrap();
        let budget_of = &state["budgets"][0];
        assert_eq!((&budget_of["used"], &budget_of["reserved"]), (&json!(0), &json!(100)));
        let call = gateway.app.http.post(format!("{base}/v1/responses")).bearer_auth(&key);
        let full = call.json(&super::asks_in_background()).send().await.unwrap();
        let told = super::super::super::refused(full, 429, "token_budget_exhausted").await;
        assert!(text(&told["error"]["message"]).contains("reserved by 1 call"), "{told}");
        // It is settled here, and the other node may spend the rest at once.
        gateway.upstream.script("responses/resp_1", answer(&response("resp_1")));
        let read = ask(&gateway.app, Method::GET, "resp_1", &key).await;
        assert_eq!(read.text().await.unwrap(), response("resp_1").to_string());
        gateway.app.services.settled().await;
        gateway.app.services.checker.return_leases(true).await.unwrap();
        gateway.upstream.script("make", answer(&untold("resp_2", "queued")));
        let call = gateway.app.http.post(format!("{base}/v1/responses")).bearer_auth(&key);
        let made = call.json(&super::asks_in_background()).send().await.unwrap();
        assert_eq!(made.status(), 200);
    }

    async fn reservation_outlives_the_node_that_made_it(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        make(&gateway, &key, "resp_1").await;
        let (_, reserved) = budget(&gateway, &id).await;
        // What the node still held when it stopped.
        gateway.app.services.checker.return_leases(true).await.unwrap();
        let second = gateway.app.second_node().await;
        let base = gateway.app.serve(second.clone()).await;
        let state = async || {
            let read = gateway.app.http.get(format!("{base}/v1/keys/{id}"));
            let state = read.bearer_auth(&gateway.ada.jwt).send().await.unwrap();
            let budget = state.json::<serde_json::Value>().await.unwrap()["budgets"][0].clone();
            [budget["used"].clone(), budget["reserved"].clone()]
        };
        assert_eq!(state().await, [json!(0), json!(reserved)]);
        gateway.upstream.script("responses/resp_1", answer(&response("resp_1")));
        let url = format!("{base}/v1/responses/resp_1");
        let read = gateway.app.http.get(url).bearer_auth(&key).send().await.unwrap();
        assert_eq!(read.text().await.unwrap(), response("resp_1").to_string());
        assert_eq!(state().await, [json!(USED), json!(0)]);
        second.checker.flush_usage().await.unwrap();
        assert_eq!(tokens(&gateway, &id).await, (7, 3));
    }
}
