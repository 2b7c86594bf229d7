//! `/oauth2/authorization/github` and `/login/oauth2/code/github`.

use std::time::Duration;

use github_stand_in::{Endpoint, Fault};
use reqwest::header::COOKIE;

use crate::test_app::{
    Backend, TestApp, location, on_both_databases, problem, refresh_cookie, set_cookie,
    sign_in_cookie, text,
};

on_both_databases! {
    async fn the_first_sign_in_makes_organization_project_and_application(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let me = app.json("/v1/me", &ada.jwt).await;
        assert_eq!(me["login"], "ada");
        assert_eq!(me["administrator"], false);
        assert_eq!(me["organizations"][0]["role"], "owner");
        assert_eq!(me["organizations"][0]["tier"], "free");
        let again = app.sign_in("ada").await;
        assert_eq!(again.organization, ada.organization, "the second finds what the first made");
        assert_eq!(app.json("/v1/me", &again.jwt).await["organizations"].as_array().unwrap().len(), 1);
    }

    async fn two_first_sign_ins_at_once_make_one_person(app: TestApp) {
        let mut visits = Vec::new();
        for _ in 0..8 {
            visits.push(app.visit_github("ada", "/").await);
        }
        let arrivals = visits.into_iter().map(|(callback, cookie)| {
            app.http.get(callback).header(COOKIE, cookie).send()
        });
        let mut people = std::collections::HashSet::new();
        for arrival in futures::future::join_all(arrivals).await {
            let token = refresh_cookie(&arrival.unwrap()).expect("all are signed in");
            let tokens: serde_json::Value = app.refresh(&token).await.json().await.unwrap();
            let me = app.json("/v1/me", &text(&tokens["token"])).await;
            assert_eq!(me["organizations"].as_array().unwrap().len(), 1);
            people.insert(text(&me["id"]));
        }
        assert_eq!(people.len(), 1);
    }

    async fn the_tokens_never_stand_in_a_url(app: TestApp) {
        let (callback, begun) = app.visit_github("ada", "/projects/x%3Ftab=logs").await;
        let finished = app.http.get(callback).header(COOKIE, &begun).send().await.unwrap();
        assert_eq!(location(&finished), "/auth/complete?next=/projects/x%3Ftab%3Dlogs");
        let cookie = set_cookie(&finished, "latchkey_refresh").unwrap();
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/refresh", "Max-Age=2592000"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "not over plain http");
        let begun = begun.split('=').next().unwrap();
        let over = set_cookie(&finished, begun).unwrap();
        assert!(over.starts_with(&format!("{begun}=;")) && over.contains("Max-Age=0"), "{over}");
    }

    async fn a_state_is_good_once(app: TestApp) {
        let (callback, cookie) = app.visit_github("ada", "/").await;
        let first = app.http.get(&callback).header(COOKIE, &cookie).send().await.unwrap();
        assert!(refresh_cookie(&first).is_some());
        let second = app.http.get(&callback).header(COOKIE, &cookie).send().await.unwrap();
        assert!(refresh_cookie(&second).is_none());
        problem(second, 403, "forbidden").await;
    }

    async fn a_state_is_good_for_ten_minutes(app: TestApp) {
        let (callback, cookie) = app.visit_github("ada", "/").await;
        app.advance(Duration::from_mins(10));
        let late = app.http.get(&callback).header(COOKIE, &cookie).send().await.unwrap();
        problem(late, 403, "forbidden").await;
    }
}

#[tokio::test]
async fn a_callback_with_a_foreign_state_is_refused() {
    let app = TestApp::on(Backend::Sqlite).await;
    let (callback, cookie) = app.visit_github("ada", "/").await;
    let (_, other_browser) = app.visit_github("eve", "/").await;
    let no_cookie = app.http.get(&callback).send().await.unwrap();
    problem(no_cookie, 403, "forbidden").await;
    let other = app.http.get(&callback).header(COOKIE, other_browser).send().await.unwrap();
    problem(other, 403, "forbidden").await;
    let forged = callback.replace("state=", "state=0");
    let forged = app.http.get(forged).header(COOKIE, &cookie).send().await.unwrap();
    problem(forged, 403, "forbidden").await;
    let none =
        app.get("/login/oauth2/code/github?code=x").header(COOKIE, &cookie).send().await.unwrap();
    problem(none, 403, "forbidden").await;
    let person = app.http.get(&callback).header("accept", "text/html").send().await.unwrap();
    assert_eq!(person.status(), 403);
    assert!(person.text().await.unwrap().contains("/login?reason=sign_in_failed"));
    // None of these used the state up.
    let own = app.http.get(&callback).header(COOKIE, cookie).send().await.unwrap();
    assert!(refresh_cookie(&own).is_some());
}

#[tokio::test]
async fn github_denial_redirects_to_login_with_a_reason() {
    let app = TestApp::on(Backend::Sqlite).await;
    app.github.cancel_next();
    let begun = app.get("/oauth2/authorization/github?next=/x").send().await.unwrap();
    let cookie = sign_in_cookie(&begun).unwrap();
    let back = app.http.get(location(&begun)).send().await.unwrap();
    let cancelled = app.http.get(location(&back)).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(location(&cancelled), "/login?reason=access_denied&next=/x");

    for (endpoint, status) in [(Endpoint::Token, 500), (Endpoint::User, 500), (Endpoint::User, 401)]
    {
        let (callback, cookie) = app.visit_github("ada", "/x").await;
        app.github.fail_next(endpoint, Fault { status: Some(status), delay_ms: 0 });
        let failed = app.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
        assert_eq!(location(&failed), "/login?reason=sign_in_failed&next=/x");
        assert!(refresh_cookie(&failed).is_none());
    }

    let (callback, cookie) = app.visit_github("ada", "/x").await;
    let forged = callback.replace("code=", "code=0");
    let forged = app.http.get(forged).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(location(&forged), "/login?reason=sign_in_failed&next=/x");
}

#[tokio::test]
async fn github_gets_a_pkce_challenge_and_next_must_be_local() {
    let app = TestApp::on(Backend::Sqlite).await;
    let begun =
        app.get("/oauth2/authorization/github?next=https://evil.example").send().await.unwrap();
    let url = location(&begun);
    assert!(url.starts_with(&format!("{}/login/oauth/authorize?", app.github.base_url)), "{url}");
    for part in ["code_challenge_method=S256", "code_challenge=", "state=", "response_type=code"] {
        assert!(url.contains(part), "{url}");
    }
    let name = sign_in_cookie(&begun).unwrap();
    let cookie = set_cookie(&begun, name.split('=').next().unwrap()).unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/;", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let (callback, cookie) = app.visit_github("ada", "//evil.example/x").await;
    let finished = app.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(location(&finished), "/auth/complete?next=/");
}

#[tokio::test]
async fn only_invited_people_get_in_where_the_operator_says_so() {
    let arguments = ["--latchkey-signup=invited", "--latchkey-admins=Root, other"];
    let app = TestApp::with(Backend::Sqlite, &arguments).await;
    let (callback, cookie) = app.visit_github("ada", "/").await;
    let stranger = app.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(location(&stranger), "/login?reason=not_invited&next=/");
    assert!(refresh_cookie(&stranger).is_none());
    let root = app.sign_in("root").await;
    assert_eq!(app.json("/v1/me", &root.jwt).await["administrator"], true);
}

#[tokio::test]
async fn two_tabs_that_sign_in_at_once_both_finish() {
    let app = TestApp::on(Backend::Sqlite).await;
    let (first, one) = app.visit_github("ada", "/one").await;
    let (second, other) = app.visit_github("ada", "/other").await;
    // The browser has both cookies by now.
    let cookies = format!("{one}; {other}");
    for (callback, next) in [(second, "/other"), (first, "/one")] {
        let finished = app.http.get(callback).header(COOKIE, &cookies).send().await.unwrap();
        assert_eq!(location(&finished), format!("/auth/complete?next={next}"));
        assert!(refresh_cookie(&finished).is_some());
    }
}

#[tokio::test]
async fn browser_has_at_most_eight_sign_ins_under_way() {
    let app = TestApp::on(Backend::Sqlite).await;
    let mut cookies: Vec<String> = Vec::new();
    let begin = async |cookies: &[String]| {
        let begun = app.get("/oauth2/authorization/github").header(COOKIE, cookies.join("; "));
        begun.send().await.unwrap()
    };
    for _ in 0..8 {
        cookies.push(sign_in_cookie(&begin(&cookies).await).unwrap());
    }
    let ninth = begin(&cookies).await;
    let oldest = cookies[0].split('=').next().unwrap();
    assert!(set_cookie(&ninth, oldest).unwrap().contains("Max-Age=0"), "the oldest goes");
    let second = cookies[1].split('=').next().unwrap();
    assert_eq!(set_cookie(&ninth, second), None);
    assert!(sign_in_cookie(&ninth).is_some());
}

#[tokio::test]
async fn cookies_say_over_https_that_they_are_this_hosts_alone() {
    // Where the stand-in sends people back to.
    let url = "https://localhost:3443";
    let app = TestApp::with(Backend::Sqlite, &[&format!("--latchkey-public-url={url}")]).await;
    let (callback, begun) = app.visit_github("ada", "/").await;
    assert!(begun.starts_with("__Host-latchkey_sign_in_"), "{begun}");
    let callback = callback.replace(url, &app.base);
    let finished = app.http.get(callback).header(COOKIE, &begun).send().await.unwrap();
    let over = set_cookie(&finished, begun.split('=').next().unwrap()).unwrap();
    assert!(over.contains("Path=/;") && over.contains("Secure"), "{over}");
    let refresh = set_cookie(&finished, "__Secure-latchkey_refresh").unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/refresh", "Secure"] {
        assert!(refresh.contains(attribute), "{refresh}");
    }
    let own = refresh.split(';').next().unwrap();
    // What another host of the domain could have planted is not taken.
    let planted = own.trim_start_matches("__Secure-");
    let refused = app.post("/refresh").header(COOKIE, planted).send().await.unwrap();
    problem(refused, 401, "unauthenticated").await;
    let renewed = app.post("/refresh").header(COOKIE, own).send().await.unwrap();
    assert_eq!(renewed.status(), 200);
    assert!(set_cookie(&renewed, "__Secure-latchkey_refresh").is_some());
}
