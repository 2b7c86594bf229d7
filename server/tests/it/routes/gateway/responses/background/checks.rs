//! Background responses that no client asks for.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use latchkey_server::AppState;
use serde_json::{Value, json};

use super::super::super::upstream::Script;
use super::{
    CAP, USED, answer, budget, check_after_ten_minutes, limited, make, on_both_gateways, response,
    tokens, untold,
};
use crate::routes::gateway::Gateway;

/// How often the upstream was asked for the response.
fn asked(gateway: &Gateway) -> usize {
    gateway.upstream.seen().iter().filter(|call| call.method == Method::GET).count()
}

fn says(gateway: &Gateway, status: u16, told: &Value) {
    let status = StatusCode::from_u16(status).unwrap();
    let script = Script::Json(status, told.to_string().into());
    gateway.upstream.script("responses/resp_1", script);
}

on_both_gateways! {
    async fn response_is_asked_for_every_ten_minutes(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        make(&gateway, &key, "resp_1").await;
        let (_, reserved) = budget(&gateway, &id).await;
        says(&gateway, 200, &untold("resp_1", "in_progress"));
        gateway.app.state.settle_background().await;
        assert_eq!(asked(&gateway), 0, "a client may still ask");
        for times in 1..=3 {
            check_after_ten_minutes(&gateway).await;
            gateway.app.state.settle_background().await;
            assert_eq!((asked(&gateway), budget(&gateway, &id).await), (times, (0, reserved)));
        }
        says(&gateway, 200, &response("resp_1"));
        for _ in 0..2 {
            check_after_ten_minutes(&gateway).await;
            assert_eq!((asked(&gateway), budget(&gateway, &id).await), (4, (USED, 0)));
        }
        assert_eq!(tokens(&gateway, &id).await, (7, 3));
    }

    async fn one_node_asks_for_a_response(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        for number in 1..=5 {
            let name = format!("resp_{number}");
            make(&gateway, &key, &name).await;
            gateway.upstream.script(&format!("responses/{name}"), answer(&response(&name)));
        }
        let second = gateway.app.second_node().await;
        let other = AppState::new(second.clone(), gateway.app.config.clone()).unwrap();
        gateway.app.advance(Duration::from_mins(10));
        tokio::join!(
            gateway.app.state.settle_background(),
            other.settle_background(),
            gateway.app.state.settle_background(),
        );
        second.settled().await;
        second.checker.flush_usage().await.unwrap();
        assert_eq!(asked(&gateway), 5);
        assert_eq!(budget(&gateway, &id).await, (5 * USED, 0));
        assert_eq!(tokens(&gateway, &id).await, (35, 15));
    }

    async fn response_of_a_revoked_key_is_settled(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        make(&gateway, &key, "resp_1").await;
        let path = format!("/v1/inference/keys/{id}");
        let revoked = gateway.app.delete(&path).bearer_auth(&gateway.ada.jwt).send().await;
        assert_eq!(revoked.unwrap().status(), 204);
        says(&gateway, 200, &response("resp_1"));
        check_after_ten_minutes(&gateway).await;
        let database = sea_orm::Database::connect(&gateway.app.config.database_url).await.unwrap();
        let rows = crate::test_app::count_rows(&database, "background_responses").await;
        let reservations = crate::test_app::count_rows(&database, "background_reservations").await;
        assert_eq!((rows, reservations), (0, 0));
        assert_eq!(tokens(&gateway, &id).await, (7, 3));
    }

    async fn forgotten_response_costs_what_it_reserved(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        make(&gateway, &key, "resp_1").await;
        let (_, reserved) = budget(&gateway, &id).await;
        says(&gateway, 404, &json!({ "error": { "message": "Not found." } }));
        for _ in 0..2 {
            check_after_ten_minutes(&gateway).await;
            assert_eq!(budget(&gateway, &id).await, (0, reserved));
        }
        for _ in 0..2 {
            check_after_ten_minutes(&gateway).await;
            let (used, left) = budget(&gateway, &id).await;
            assert!((CAP..=reserved).contains(&used) && left == 0, "{used} of {reserved} used");
        }
        assert_eq!(asked(&gateway), 3, "nobody asks again");
        assert_eq!(tokens(&gateway, &id).await.1, CAP);
    }

    async fn failing_upstream_is_asked_again(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        make(&gateway, &key, "resp_1").await;
        let (_, reserved) = budget(&gateway, &id).await;
        let error = json!({ "error": { "message": "lost" } });
        let cut = r#"{"status": "completed", "usage": {"input_tokens": 1"#;
        let cut = Script::Raw(200, vec![("content-type", "application/json".to_owned())], cut.into());
        for script in [
            Script::Json(StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into()),
            Script::Json(StatusCode::UNAUTHORIZED, error.to_string().into()),
            Script::Json(StatusCode::OK, error.to_string().into()),
            Script::Silent,
            cut,
        ] {
            gateway.upstream.script("responses/resp_1", script);
            check_after_ten_minutes(&gateway).await;
            assert_eq!(budget(&gateway, &id).await, (0, reserved));
        }
        assert!(asked(&gateway) >= 5);
        says(&gateway, 200, &response("resp_1"));
        check_after_ten_minutes(&gateway).await;
        assert_eq!(budget(&gateway, &id).await, (USED, 0));
    }

    async fn response_is_given_up_after_30_days(gateway: Gateway) {
        let limit = json!({ "name": "k", "token_limit": 1_000, "token_limit_period": "total" });
        let (key, id) = gateway.key(limit).await;
        make(&gateway, &key, "resp_1").await;
        says(&gateway, 200, &untold("resp_1", "in_progress"));
        gateway.app.advance(Duration::from_hours(30 * 24 - 1));
        gateway.app.state.settle_background().await;
        let (used, reserved) = budget(&gateway, &id).await;
        assert!(used == 0 && reserved > CAP, "{used} used, {reserved} reserved");
        gateway.app.advance(Duration::from_hours(1));
        gateway.app.state.settle_background().await;
        let (used, reserved) = budget(&gateway, &id).await;
        assert!(used > CAP && reserved == 0, "{used} used, {reserved} reserved");
    }
}
