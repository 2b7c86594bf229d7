//! Requests per minute and networks, as a key's callers meet them.

use std::time::Duration;

use reqwest::Response;
use serde_json::json;

use crate::test_app::{Session, TestApp, key_path, on_both_databases, problem, text};

async fn limited(app: &TestApp, who: &Session, rpm: u32) -> String {
    let body = json!({"name": "Limited", "rpm": rpm, "application_id": who.application});
    text(&app.create(who, &body).await["key"])
}

fn header(response: &Response, name: &str) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

on_both_databases! {
    async fn every_limited_answer_says_where_the_limit_stands(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = limited(&app, &ada, 2).await;
        for remaining in ["1", "0"] {
            let answer = app.ingest(&key).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(header(&answer, "x-ratelimit-limit-requests"), "2");
            assert_eq!(header(&answer, "x-ratelimit-remaining-requests"), remaining);
            assert!(header(&answer, "x-ratelimit-reset-requests").ends_with('s'));
            assert!(!answer.headers().contains_key("x-ratelimit-limit-tokens"));
        }
        let refused = app.ingest(&key).await;
        assert_eq!(header(&refused, "x-ratelimit-remaining-requests"), "0");
        let wait: u64 = header(&refused, "retry-after").parse().unwrap();
        assert!((60..=61).contains(&wait), "{wait}");
        let refused = problem(refused, 429, "rate_limited").await;
        let detail = text(&refused["detail"]);
        assert!(detail.starts_with("rpm 2 reached: 2 used in the last 60 s. Retry in 6"), "{detail}");
        app.advance(Duration::from_secs(wait));
        assert_eq!(app.ingest(&key).await.status(), 200);
    }

    async fn parallel_calls_cannot_slip_past_rpm(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = limited(&app, &ada, 20).await;
        let answers = futures::future::join_all((0..100).map(|_| app.ingest(&key))).await;
        let admitted = answers.iter().filter(|answer| answer.status() == 200).count();
        assert_eq!(admitted, 20);
        assert!(answers.iter().all(|answer| [200, 429].contains(&answer.status().as_u16())));
    }

    async fn a_raised_limit_is_effective_at_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "Limited", "rpm": 1, "application_id": ada.application});
        let created = app.create(&ada, &body).await;
        let key = text(&created["key"]);
        assert_eq!(app.ingest(&key).await.status(), 200);
        problem(app.ingest(&key).await, 429, "rate_limited").await;
        let path = key_path(&created);
        let raised = app.send(reqwest::Method::PATCH, &path, &ada, &json!({"rpm": 2})).await;
        assert_eq!(raised.status(), 200);
        assert_eq!(app.ingest(&key).await.status(), 200);
        problem(app.ingest(&key).await, 429, "rate_limited").await;
    }

    async fn test_keys_keep_to_their_own_limits_too(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "T", "rpm": 1, "environment": "test", "application_id": ada.application});
        let key = text(&app.create(&ada, &body).await["key"]);
        assert_eq!(app.ingest(&key).await.status(), 200);
        problem(app.ingest(&key).await, 429, "rate_limited").await;
    }

    async fn a_key_of_the_whole_project_names_its_application(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let key = text(&app.create(&ada, &json!({"name": "A"})).await["key"]);
        let nameless = problem(app.ingest(&key).await, 422, "invalid").await;
        assert_eq!(nameless["errors"][0]["field"], "x-application-id");
        let to = |application: &str| {
            let request = app.post("/ingest/traces").header("x-api-key", &key);
            request.header("x-application-id", application).json(&crate::test_app::traces(1)).send()
        };
        assert_eq!(to(&ada.application).await.unwrap().status(), 200);
        problem(to(&eve.application).await.unwrap(), 404, "not_found").await;
    }
}
