//! `/oauth2/authorization/github`, `/login/oauth2/code/github` and `/auth/local`.

use std::time::Duration;

use github_stand_in::{Endpoint, Fault};
use reqwest::header::COOKIE;

use crate::world::{
    Backend, World, cookie_of, location, on_both_databases, problem, refresh_cookie, set_cookie,
    text,
};

on_both_databases! {
    async fn the_first_sign_in_makes_organization_project_and_application(world: World) {
        let ada = world.sign_in("ada").await;
        let me = world.json("/v1/me", &ada.jwt).await;
        assert_eq!(me["login"], "ada");
        assert_eq!(me["administrator"], false);
        assert_eq!(me["organizations"][0]["role"], "owner");
        assert_eq!(me["organizations"][0]["tier"], "free");
        let again = world.sign_in("ada").await;
        assert_eq!(again.organization, ada.organization, "the second finds what the first made");
        assert_eq!(world.json("/v1/me", &again.jwt).await["organizations"].as_array().unwrap().len(), 1);
    }

    async fn two_first_sign_ins_at_once_make_one_person(world: World) {
        let mut visits = Vec::new();
        for _ in 0..8 {
            visits.push(world.visit_github("ada", "/").await);
        }
        let arrivals = visits.into_iter().map(|(callback, cookie)| {
            world.http.get(callback).header(COOKIE, cookie).send()
        });
        let mut people = std::collections::HashSet::new();
        for arrival in futures::future::join_all(arrivals).await {
            let token = refresh_cookie(&arrival.unwrap()).expect("all are signed in");
            let tokens: serde_json::Value = world.refresh(&token).await.json().await.unwrap();
            let me = world.json("/v1/me", &text(&tokens["token"])).await;
            assert_eq!(me["organizations"].as_array().unwrap().len(), 1);
            people.insert(text(&me["id"]));
        }
        assert_eq!(people.len(), 1);
    }

    async fn the_tokens_never_stand_in_a_url(world: World) {
        let (callback, cookie) = world.visit_github("ada", "/projects/x%3Ftab=logs").await;
        let finished = world.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
        assert_eq!(location(&finished), "/auth/complete?next=/projects/x%3Ftab%3Dlogs");
        let cookie = set_cookie(&finished, "latchkey_refresh").unwrap();
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/refresh", "Max-Age=2592000"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "not over plain http");
        let over = set_cookie(&finished, "latchkey_sign_in").unwrap();
        assert!(over.starts_with("latchkey_sign_in=;") && over.contains("Max-Age=0"), "{over}");
    }

    async fn a_state_is_good_once(world: World) {
        let (callback, cookie) = world.visit_github("ada", "/").await;
        let first = world.http.get(&callback).header(COOKIE, &cookie).send().await.unwrap();
        assert!(refresh_cookie(&first).is_some());
        let second = world.http.get(&callback).header(COOKIE, &cookie).send().await.unwrap();
        assert!(refresh_cookie(&second).is_none());
        problem(second, 403, "forbidden").await;
    }

    async fn a_state_is_good_for_ten_minutes(world: World) {
        let (callback, cookie) = world.visit_github("ada", "/").await;
        world.advance(Duration::from_mins(10));
        let late = world.http.get(&callback).header(COOKIE, &cookie).send().await.unwrap();
        problem(late, 403, "forbidden").await;
    }
}

#[tokio::test]
async fn a_callback_with_a_foreign_state_is_refused() {
    let world = World::on(Backend::Sqlite).await;
    let (callback, cookie) = world.visit_github("ada", "/").await;
    let (_, other_browser) = world.visit_github("eve", "/").await;
    let no_cookie = world.http.get(&callback).send().await.unwrap();
    problem(no_cookie, 403, "forbidden").await;
    let other = world.http.get(&callback).header(COOKIE, other_browser).send().await.unwrap();
    problem(other, 403, "forbidden").await;
    let forged = callback.replace("state=", "state=0");
    let forged = world.http.get(forged).header(COOKIE, &cookie).send().await.unwrap();
    problem(forged, 403, "forbidden").await;
    let none =
        world.get("/login/oauth2/code/github?code=x").header(COOKIE, &cookie).send().await.unwrap();
    problem(none, 403, "forbidden").await;
    let person = world.http.get(&callback).header("accept", "text/html").send().await.unwrap();
    assert_eq!(person.status(), 403);
    assert!(person.text().await.unwrap().contains("/login?reason=sign_in_failed"));
    // None of these used the state up.
    let own = world.http.get(&callback).header(COOKIE, cookie).send().await.unwrap();
    assert!(refresh_cookie(&own).is_some());
}

#[tokio::test]
async fn what_github_refuses_ends_at_the_login_page_with_a_reason() {
    let world = World::on(Backend::Sqlite).await;
    world.github.cancel_next();
    let begun = world.get("/oauth2/authorization/github?next=/x").send().await.unwrap();
    let cookie = cookie_of(&begun, "latchkey_sign_in").unwrap();
    let back = world.http.get(location(&begun)).send().await.unwrap();
    let cancelled = world.http.get(location(&back)).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(location(&cancelled), "/login?reason=access_denied&next=/x");

    for (endpoint, status) in [(Endpoint::Token, 500), (Endpoint::User, 500), (Endpoint::User, 401)]
    {
        let (callback, cookie) = world.visit_github("ada", "/x").await;
        world.github.fail_next(endpoint, Fault { status: Some(status), delay_ms: 0 });
        let failed = world.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
        assert_eq!(location(&failed), "/login?reason=sign_in_failed&next=/x");
        assert!(refresh_cookie(&failed).is_none());
    }

    let (callback, cookie) = world.visit_github("ada", "/x").await;
    let forged = callback.replace("code=", "code=0");
    let forged = world.http.get(forged).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(location(&forged), "/login?reason=sign_in_failed&next=/x");
}

#[tokio::test]
async fn github_gets_a_pkce_challenge_and_next_must_be_local() {
    let world = World::on(Backend::Sqlite).await;
    let begun =
        world.get("/oauth2/authorization/github?next=https://evil.example").send().await.unwrap();
    let url = location(&begun);
    assert!(url.starts_with(&format!("{}/login/oauth/authorize?", world.github.base_url)), "{url}");
    for part in ["code_challenge_method=S256", "code_challenge=", "state=", "response_type=code"] {
        assert!(url.contains(part), "{url}");
    }
    let cookie = set_cookie(&begun, "latchkey_sign_in").unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/login/oauth2", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let (callback, cookie) = world.visit_github("ada", "//evil.example/x").await;
    let finished = world.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(location(&finished), "/auth/complete?next=/");
}

#[tokio::test]
async fn only_invited_people_get_in_where_the_operator_says_so() {
    let arguments = ["--latchkey-signup=invited", "--latchkey-admins=Root, other"];
    let world = World::with(Backend::Sqlite, &arguments).await;
    let (callback, cookie) = world.visit_github("ada", "/").await;
    let stranger = world.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(location(&stranger), "/login?reason=not_invited&next=/");
    assert!(refresh_cookie(&stranger).is_none());
    let root = world.sign_in("root").await;
    assert_eq!(world.json("/v1/me", &root.jwt).await["administrator"], true);
}

#[tokio::test]
async fn local_sign_in_does_not_exist_where_people_use_github() {
    let world = World::on(Backend::Sqlite).await;
    let refused = world.post("/auth/local").header("origin", &world.base).send().await.unwrap();
    problem(refused, 404, "not_found").await;
}

#[tokio::test]
async fn local_sign_in_wants_our_own_host_and_origin() {
    let none = ["--latchkey-github-client-id=", "--latchkey-github-client-secret="];
    let world = World::with(Backend::Sqlite, &none).await;
    let sign_in = |origin: &str, host: Option<&str>| {
        let request = world.post("/auth/local?next=/x").header("origin", origin);
        match host {
            Some(host) => request.header("host", host),
            None => request,
        }
    };
    let own = sign_in(&world.base, None).send().await.unwrap();
    assert_eq!((own.status().as_u16(), location(&own).as_str()), (302, "/auth/complete?next=/x"));
    assert!(refresh_cookie(&own).is_some());
    let foreign = sign_in("http://evil.example", None).send().await.unwrap();
    problem(foreign, 403, "forbidden").await;
    let rebound = sign_in("http://evil.example", Some("evil.example")).send().await.unwrap();
    problem(rebound, 403, "forbidden").await;
    let none = world.post("/auth/local").send().await.unwrap();
    problem(none, 403, "forbidden").await;
    let no_github = world.get("/oauth2/authorization/github").send().await.unwrap();
    problem(no_github, 404, "not_found").await;
}
