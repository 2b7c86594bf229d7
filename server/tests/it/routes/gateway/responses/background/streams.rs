//! Background responses that are streamed.

use std::time::Duration;

use axum::body::Bytes;
use futures::StreamExt;
use reqwest::{Method, Response};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::super::super::upstream::Script;
use super::super::streams::{completed, created, delta, event};
use super::{
    CAP, USED, ask, asks_in_background, budget, check_after_ten_minutes, limited, make,
    on_both_gateways, response, send, tokens, untold,
};
use crate::routes::gateway::Gateway;

fn parts(events: &[String]) -> Vec<Bytes> {
    events.iter().map(|event| Bytes::from(event.clone())).collect()
}

/// Streams a response in the background.
async fn stream(gateway: &Gateway, key: &str, script: Script) -> Response {
    gateway.upstream.script("make", script);
    let mut body = asks_in_background();
    body["stream"] = json!(true);
    let answer = send(&gateway.app, key, &body).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    answer
}

/// Reads the events after the first one of a stream that its upstream goes on with.
async fn resume(gateway: &Gateway, key: &str, events: &[String]) -> String {
    let headers = vec![("content-type", "text/event-stream".to_owned())];
    let script = Script::Raw(200, headers, events.concat().into());
    gateway.upstream.script("responses/resp_1", script);
    let path = "resp_1?stream=true&starting_after=0";
    ask(&gateway.app, Method::GET, path, key).await.text().await.unwrap()
}

on_both_gateways! {
    async fn last_event_settles_a_streamed_response(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        let events = [created("resp_1"), delta(1, "Hi there"), completed(2, "resp_1")];
        let told = stream(&gateway, &key, Script::Stream(parts(&events))).await;
        assert_eq!(told.text().await.unwrap(), events.concat());
        assert_eq!(budget(&gateway, &id).await, (USED, 0));
        assert_eq!(resume(&gateway, &key, &events[1..]).await, events[1..].concat());
        assert_eq!(budget(&gateway, &id).await, (USED, 0));
        assert_eq!(tokens(&gateway, &id).await, (7, 3));
    }

    async fn reservation_stays_when_the_client_leaves_a_stream(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        let events = [created("resp_1"), delta(1, "Hi there"), completed(2, "resp_1")];
        let told = stream(&gateway, &key, Script::Hang(parts(&events[..2]))).await;
        let mut told = told.bytes_stream();
        assert!(told.next().await.unwrap().unwrap().starts_with(b"event: response.created"));
        let (used, reserved) = budget(&gateway, &id).await;
        assert!(used == 0 && reserved > CAP, "{used} used, {reserved} reserved");
        drop(told);
        while gateway.upstream.cancelled() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(budget(&gateway, &id).await, (0, reserved));
        // What comes does not end it.
        let rest = resume(&gateway, &key, &events[1..2]).await;
        assert!(rest.starts_with(&events[1]), "{rest}");
        assert_eq!(budget(&gateway, &id).await, (0, reserved));
        assert_eq!(resume(&gateway, &key, &events[1..]).await, events[1..].concat());
        assert_eq!(budget(&gateway, &id).await, (USED, 0));
        assert_eq!(tokens(&gateway, &id).await, (7, 3));
    }

    async fn reservation_stays_when_a_stream_is_cut(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        let events = [created("resp_1"), delta(1, "Hi there")];
        let told = stream(&gateway, &key, Script::Break(parts(&events))).await;
        assert!(told.text().await.unwrap().contains("response.failed"));
        let (used, reserved) = budget(&gateway, &id).await;
        assert!(used == 0 && reserved > CAP, "{used} used, {reserved} reserved");
        gateway.upstream.script("responses/resp_1", super::answer(&response("resp_1")));
        check_after_ten_minutes(&gateway).await;
        assert_eq!(budget(&gateway, &id).await, (USED, 0));
    }

    async fn resumed_stream_without_usage_counts_the_whole_answer(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        let begun = [created("resp_1"), delta(1, "Hi th")];
        let mut told = stream(&gateway, &key, Script::Hang(parts(&begun))).await.bytes_stream();
        told.next().await.unwrap().unwrap();
        drop(told);
        let mut whole = response("resp_1");
        whole["usage"] = serde_json::Value::Null;
        let last = event(3, "response.completed", &json!({ "response": whole }));
        resume(&gateway, &key, &[delta(2, "ere"), last]).await;
        // “Hi there” has eight bytes, of which the rest of the stream has three.
        assert_eq!(tokens(&gateway, &id).await.1, 2);
        assert_eq!(budget(&gateway, &id).await.1, 0);
    }

    async fn late_reader_of_a_cancelled_stream_saves_nothing(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        make(&gateway, &key, "resp_1").await;
        let (_, reserved) = budget(&gateway, &id).await;
        let last = json!({ "response": untold("resp_1", "cancelled") });
        resume(&gateway, &key, &[event(90, "response.incomplete", &last)]).await;
        let (used, left) = budget(&gateway, &id).await;
        assert!((CAP..=reserved).contains(&used) && left == 0, "{used} of {reserved} used");
    }

    async fn stream_that_cannot_be_kept_ends_with_an_error(gateway: Gateway) {
        let (key, id) = limited(&gateway, 1_000).await;
        let database = sea_orm::Database::connect(&gateway.app.config.database_url).await.unwrap();
        let away = "ALTER TABLE background_responses RENAME TO away";
        database.execute_unprepared(away).await.unwrap();
        let events = [created("resp_1"), delta(1, "Hi there"), completed(2, "resp_1")].concat();
        for all in [vec![events.into()], vec![created("resp_1").into()]] {
            let told = stream(&gateway, &key, Script::Stream(all)).await.text().await.unwrap();
            assert!(told.starts_with("event: error\n"), "{told}");
            assert!(told.contains("response.failed") && !told.contains("Hi there"), "{told}");
        }
        let (used, reserved) = budget(&gateway, &id).await;
        assert!(used > 2 * CAP && reserved == 0, "{used} used, {reserved} reserved");
    }
}
