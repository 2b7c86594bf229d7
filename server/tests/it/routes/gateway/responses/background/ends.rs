//! How background responses end, and what is refused.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::super::refused;
use super::super::super::upstream::Script;
use super::{
    CAP, USED, answer, ask, asks_in_background, budget, limited, make, on_both_gateways, read,
    response, send, tokens, untold,
};
use crate::routes::gateway::Gateway;
use crate::test_app::{Backend, text};

async fn cancel(gateway: &Gateway, key: &str, told: &Value) {
    gateway.upstream.script("responses/resp_1/cancel", answer(told));
    let cancelled = ask(&gateway.app, Method::POST, "resp_1/cancel", key).await;
    assert_eq!(cancelled.text().await.unwrap(), told.to_string());
}

on_both_gateways! {
    async fn cancelled_response_costs_what_it_tells(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        make(&gateway, &key, "resp_1").await;
        let mut told = response("resp_1");
        told["status"] = json!("cancelled");
        for _ in 0..2 {
            cancel(&gateway, &key, &told).await;
            assert_eq!(budget(&gateway, &id).await, (USED, 0));
        }
    }

    async fn cancelled_response_without_usage_costs_its_cap(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        make(&gateway, &key, "resp_1").await;
        let (_, reserved) = budget(&gateway, &id).await;
        cancel(&gateway, &key, &untold("resp_1", "cancelled")).await;
        let (used, left) = budget(&gateway, &id).await;
        assert!((CAP..=reserved).contains(&used) && left == 0, "{used} of {reserved} used");
        assert_eq!(tokens(&gateway, &id).await.1, CAP);
    }

    async fn deleted_response_costs_its_cap_unless_it_has_ended(gateway: Gateway) {
        for (told, has_ended) in
            [(untold("resp_1", "in_progress"), false), (response("resp_1"), true)]
        {
            let (key, id) = limited(&gateway, 1_000).await;
            make(&gateway, &key, "resp_1").await;
            // It answers the question and the deletion alike.
            gateway.upstream.script("responses/resp_1", answer(&told));
            let deleted = ask(&gateway.app, Method::DELETE, "resp_1", &key).await;
            assert_eq!(deleted.status(), 200);
            let (used, reserved) = budget(&gateway, &id).await;
            let is_right = if has_ended { used == USED } else { used > CAP };
            assert!(is_right && reserved == 0, "{told}: {used} used");
            // The names of keys are unique.
            let path = format!("/v1/inference/keys/{id}");
            let revoked = gateway.app.delete(&path).bearer_auth(&gateway.ada.jwt).send().await;
            assert_eq!(revoked.unwrap().status(), 204);
        }
    }

    async fn response_that_has_ended_at_once_is_settled(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        gateway.upstream.script("make", answer(&response("resp_1")));
        for calls in 1..=2 {
            let made = send(&gateway.app, &key, &asks_in_background()).await;
            assert_eq!(made.text().await.unwrap(), response("resp_1").to_string());
            assert_eq!(budget(&gateway, &id).await, (calls * USED, 0));
        }
    }

    async fn response_without_an_id_costs_its_cap(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        let mut nameless = untold("resp_1", "queued");
        nameless.as_object_mut().unwrap().remove("id");
        gateway.upstream.script("make", answer(&nameless));
        let made = send(&gateway.app, &key, &asks_in_background()).await;
        assert_eq!(made.text().await.unwrap(), nameless.to_string());
        let (used, reserved) = budget(&gateway, &id).await;
        assert!(used > CAP && reserved == 0, "{used} used, {reserved} reserved");
    }

    async fn repeated_id_is_charged_for_each_call(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        make(&gateway, &key, "resp_1").await;
        let (_, first) = budget(&gateway, &id).await;
        make(&gateway, &key, "resp_1").await;
        let (used, reserved) = budget(&gateway, &id).await;
        assert!(used > CAP && reserved == first, "the second is charged at once: {used}");
        read(&gateway, &key, "resp_1", &response("resp_1")).await;
        assert_eq!(budget(&gateway, &id).await, (used + USED, 0));
    }

    async fn refused_response_is_free(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        for (status, told) in [(400, 400), (500, 502)] {
            let error = json!({ "error": { "message": "No." } }).to_string();
            let status = StatusCode::from_u16(status).unwrap();
            gateway.upstream.script("make", Script::Json(status, error.into()));
            let refused = send(&gateway.app, &key, &asks_in_background()).await;
            assert_eq!(refused.status(), told);
            assert_eq!(budget(&gateway, &id).await, (0, 0), "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn background_needs_a_stored_response_of_this_endpoint() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let mut body = asks_in_background();
    body["store"] = json!(false);
    let told = refused(send(&gateway.app, &key, &body).await, 400, "invalid").await;
    assert_eq!(told["error"]["param"], "background");
    assert!(text(&told["error"]["message"]).contains("`store`"), "{told}");
    for path in ["/v1/responses/compact", "/v1/responses/input_tokens"] {
        let call = gateway.app.post(path).bearer_auth(&key).json(&asks_in_background());
        refused(call.send().await.unwrap(), 400, "invalid").await;
    }
    body["background"] = json!("yes");
    refused(send(&gateway.app, &key, &body).await, 400, "invalid").await;
    assert!(gateway.upstream.seen().is_empty());
    body["background"] = json!(false);
    assert_eq!(send(&gateway.app, &key, &body).await.status(), 200);
}
