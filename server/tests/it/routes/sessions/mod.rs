//! `/refresh`, `/logout` and `/v1/me`.

mod list;

use std::time::Duration;

use reqwest::header::COOKIE;
use serde_json::{Value, json};

use crate::test_app::{
    Backend, Session, TestApp, on_both_databases, problem, refresh_cookie, set_cookie, text,
};

async fn me(app: &TestApp, jwt: &str) -> reqwest::Response {
    app.get("/v1/me").bearer_auth(jwt).send().await.unwrap()
}

async fn tokens(app: &TestApp, refresh_token: &str) -> (String, String) {
    let response = app.refresh(refresh_token).await;
    assert_eq!(response.status(), 200);
    let tokens: Value = response.json().await.unwrap();
    assert_eq!(tokens["expiresIn"], 900);
    (text(&tokens["token"]), text(&tokens["refreshToken"]))
}

async fn assert_signed_out(app: &TestApp, session: &Session) {
    problem(me(app, &session.jwt).await, 401, "unauthenticated").await;
    problem(app.refresh(&session.refresh_token).await, 401, "unauthenticated").await;
}

on_both_databases! {
    async fn a_refresh_token_is_good_once_and_gives_the_next(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (jwt, next) = tokens(&app, &ada.refresh_token).await;
        assert_ne!(next, ada.refresh_token);
        assert_eq!(me(&app, &jwt).await.status(), 200);
        let (_, third) = tokens(&app, &next).await;
        assert_eq!(me(&app, &jwt).await.status(), 200);
        tokens(&app, &third).await;
    }

    async fn a_used_refresh_token_coming_back_ends_the_whole_session(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let other = app.sign_in("ada").await;
        let (jwt, next) = tokens(&app, &ada.refresh_token).await;
        app.advance(Duration::from_millis(10_001));
        problem(app.refresh(&ada.refresh_token).await, 401, "unauthenticated").await;
        problem(app.refresh(&next).await, 401, "unauthenticated").await;
        problem(me(&app, &jwt).await, 401, "unauthenticated").await;
        assert_eq!(me(&app, &other.jwt).await.status(), 200, "another session stands");
    }

    async fn two_tabs_refreshing_at_once_both_stay_signed_in(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (first, second) =
            tokio::join!(tokens(&app, &ada.refresh_token), tokens(&app, &ada.refresh_token));
        assert_ne!(first.1, second.1);
        app.advance(Duration::from_secs(10));
        let late = tokens(&app, &ada.refresh_token).await;
        for (jwt, refresh_token) in [first, second, late] {
            assert_eq!(me(&app, &jwt).await.status(), 200);
            tokens(&app, &refresh_token).await;
        }
    }

    async fn an_access_token_dies_when_its_time_is_over(app: TestApp) {
        let ada = app.sign_in("ada").await;
        app.advance(Duration::from_secs(899));
        assert_eq!(me(&app, &ada.jwt).await.status(), 200);
        app.advance(Duration::from_secs(1));
        problem(me(&app, &ada.jwt).await, 401, "unauthenticated").await;
        tokens(&app, &ada.refresh_token).await;
    }

    async fn a_session_is_renewed_at_most_sixty_times_a_minute(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let other = app.sign_in("ada").await;
        let mut newest = ada.refresh_token;
        // Signing in renewed it once.
        for _ in 0..59 {
            newest = tokens(&app, &newest).await.1;
        }
        let refused = app.refresh(&newest).await;
        assert_eq!(refused.headers()["retry-after"], "60");
        problem(refused, 429, "rate_limited").await;
        tokens(&app, &other.refresh_token).await;
        app.advance(Duration::from_mins(1));
        tokens(&app, &newest).await;
    }

    async fn tokens_that_end_nothing_write_nothing(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let sign_out = |jwt: String| app.post("/logout").bearer_auth(jwt).send();
        assert_eq!(sign_out(ada.jwt.clone()).await.unwrap().status(), 204);
        let before = app.services.database.statements();
        for _ in 0..10 {
            assert_eq!(sign_out(ada.jwt.clone()).await.unwrap().status(), 204);
            problem(app.refresh("of-nobody").await, 401, "unauthenticated").await;
        }
        let statements = app.services.database.statements() - before;
        assert_eq!(statements, 20, "a look each");
    }

    async fn a_refresh_token_dies_when_its_time_is_over(app: TestApp) {
        let ada = app.sign_in("ada").await;
        app.advance(Duration::from_hours(30 * 24));
        problem(app.refresh(&ada.refresh_token).await, 401, "unauthenticated").await;
        latchkey_services::accounts::purge_expired(&app.services).await.unwrap();
        problem(app.refresh(&ada.refresh_token).await, 401, "unauthenticated").await;
    }

    async fn session_ends_however_often_it_was_renewed(app: TestApp) {
        // 90 days, of which each renewal gives 30.
        let mut session = app.sign_in("ada").await;
        for _ in 0..8 {
            app.advance(Duration::from_hours(11 * 24));
            (session.jwt, session.refresh_token) = tokens(&app, &session.refresh_token).await;
        }
        app.advance(Duration::from_hours(2 * 24) - Duration::from_secs(1));
        (session.jwt, session.refresh_token) = tokens(&app, &session.refresh_token).await;
        assert_eq!(me(&app, &session.jwt).await.status(), 200);
        app.advance(Duration::from_secs(1));
        problem(app.refresh(&session.refresh_token).await, 401, "unauthenticated").await;
        problem(me(&app, &session.jwt).await, 401, "unauthenticated").await;
    }

    async fn signing_out_ends_unexpired_tokens_at_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let out = app.post("/logout").bearer_auth(&ada.jwt).send().await.unwrap();
        assert_eq!(out.status(), 204);
        let cookie = set_cookie(&out, "latchkey_refresh").unwrap();
        assert!(cookie.starts_with("latchkey_refresh=;") && cookie.contains("Max-Age=0"), "{cookie}");
        assert_signed_out(&app, &ada).await;
    }

    async fn signing_out_works_with_an_expired_token_or_a_refresh_token(app: TestApp) {
        let ada = app.sign_in("ada").await;
        app.advance(Duration::from_hours(1));
        assert_eq!(app.post("/logout").bearer_auth(&ada.jwt).send().await.unwrap().status(), 204);
        assert_signed_out(&app, &ada).await;
        let eve = app.sign_in("eve").await;
        let body = json!({ "refreshToken": eve.refresh_token });
        assert_eq!(app.post("/logout").json(&body).send().await.unwrap().status(), 204);
        assert_signed_out(&app, &eve).await;
    }
}

#[tokio::test]
async fn signing_out_answers_the_same_whatever_was_sent() {
    let app = TestApp::on(Backend::Sqlite).await;
    assert_eq!(app.post("/logout").send().await.unwrap().status(), 204);
    assert_eq!(app.post("/logout").bearer_auth("rubbish").send().await.unwrap().status(), 204);
    assert_eq!(app.post("/logout").body("{\"refreshToken\":").send().await.unwrap().status(), 204);
    let foreign =
        app.post("/logout").header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 204);
    assert_eq!(set_cookie(&foreign, "latchkey_refresh"), None, "another site signs nobody out");
}

#[tokio::test]
async fn cookie_refresh_returns_next_token_only_as_cookie() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let cookie = format!("latchkey_refresh={}", ada.refresh_token);
    let response = app
        .post("/refresh")
        .header(COOKIE, cookie)
        .header("origin", &app.base)
        .header("sec-fetch-site", "same-origin")
        .send()
        .await
        .unwrap();
    let next = refresh_cookie(&response).expect("the next one as a cookie");
    assert_ne!(next, ada.refresh_token);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["expiresIn", "token"]);
    tokens(&app, &next).await;
}

#[tokio::test]
async fn cookie_refresh_requires_same_origin() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let cookie = format!("latchkey_refresh={}", ada.refresh_token);
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = app.post("/refresh").header(COOKIE, &cookie).header(name, value);
        problem(request.send().await.unwrap(), 403, "forbidden").await;
    }
    problem(app.post("/refresh").send().await.unwrap(), 401, "unauthenticated").await;
    tokens(&app, &ada.refresh_token).await;
}

#[tokio::test]
async fn tampered_and_foreign_tokens_are_refused() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let other = TestApp::on(Backend::Sqlite).await.sign_in("ada").await;
    let (head, signature) = ada.jwt.rsplit_once('.').unwrap();
    let tampered = format!("{head}.{}", signature.chars().rev().collect::<String>());
    for jwt in [tampered.as_str(), &other.jwt, head, "", "rubbish", &ada.refresh_token] {
        problem(me(&app, jwt).await, 401, "unauthenticated").await;
    }
    problem(app.get("/v1/me").send().await.unwrap(), 401, "unauthenticated").await;
    let basic = app.get("/v1/me").basic_auth("a", Some(&ada.jwt)).send().await.unwrap();
    problem(basic, 401, "unauthenticated").await;
    for token in ["", "rubbish", &ada.jwt] {
        problem(app.refresh(token).await, 401, "unauthenticated").await;
    }
}
