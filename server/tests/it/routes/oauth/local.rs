//! `/auth/local`: for whoever sits at this machine and has the code.

use std::sync::Arc;
use std::time::Duration;

use latchkey_checker::CheckRequest;
use latchkey_server::system::SystemRandom;
use latchkey_services::accounts::{self, Device};
use latchkey_services::{Database, Error, Services};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::test_app::{
    Backend, LOCAL, LOCAL_CODE, TestApp, location, on_both_databases, problem, refresh_cookie, text,
};

const FORM: &str = "application/x-www-form-urlencoded";

fn own(app: &TestApp) -> RequestBuilder {
    app.post("/auth/local?next=/x").header("origin", &app.base)
}

async fn with_code(app: &TestApp, code: &str) -> Response {
    own(app).json(&json!({ "code": code })).send().await.unwrap()
}

/// A refresh token of the local developer.
async fn sign_in(app: &TestApp) -> String {
    refresh_cookie(&with_code(app, LOCAL_CODE).await).expect("the code is right")
}

#[tokio::test]
async fn local_sign_in_does_not_exist_where_people_use_github() {
    let app = TestApp::on(Backend::Sqlite).await;
    problem(with_code(&app, LOCAL_CODE).await, 404, "not_found").await;
}

#[tokio::test]
async fn code_comes_in_a_form_or_in_json() {
    let app = TestApp::with(Backend::Sqlite, &LOCAL).await;
    let form = own(&app).header("content-type", FORM).body("code=the+code");
    let json = own(&app).json(&json!({ "code": LOCAL_CODE }));
    for request in [form, json] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 302);
        assert_eq!(location(&answer), "/auth/complete?next=/x");
        assert!(refresh_cookie(&answer).is_some());
    }
    let no_github = app.get("/oauth2/authorization/github").send().await.unwrap();
    problem(no_github, 404, "not_found").await;
    let unknown = own(&app).json(&json!({ "code": LOCAL_CODE, "other": 1 }));
    problem(unknown.send().await.unwrap(), 422, "invalid").await;
}

/// The local developer has no login, so nobody can invite them.
#[tokio::test]
async fn list_of_no_invitations_refuses_a_foreign_cursor() {
    let app = TestApp::with(Backend::Sqlite, &LOCAL).await;
    let body = json!({ "refreshToken": sign_in(&app).await });
    let session: Value =
        app.post("/refresh").json(&body).send().await.unwrap().json().await.unwrap();
    let ask = |query: &str| {
        app.get(&format!("/v1/me/invitations{query}")).bearer_auth(text(&session["token"])).send()
    };
    assert_eq!(ask("").await.unwrap().status(), 200);
    problem(ask("?cursor=foreign").await.unwrap(), 422, "invalid").await;
}

#[tokio::test]
async fn wrong_code_is_refused_and_a_browser_told_why() {
    let app = TestApp::with(Backend::Sqlite, &LOCAL).await;
    for request in
        [own(&app).json(&json!({ "code": "the codes" })), own(&app).json(&json!({})), own(&app)]
    {
        let refused = request.send().await.unwrap();
        assert!(refresh_cookie(&refused).is_none());
        problem(refused, 403, "forbidden").await;
    }
    let browser = own(&app).header("accept", "text/html").header("content-type", FORM);
    let browser = browser.body("code=wrong").send().await.unwrap();
    assert_eq!(location(&browser), "/login?reason=wrong_code&next=/x");
    assert!(refresh_cookie(&browser).is_none());
}

#[tokio::test]
async fn five_wrong_codes_a_minute_are_the_most() {
    let app = TestApp::with(Backend::Sqlite, &LOCAL).await;
    let guesses = futures::future::join_all((0..20).map(|_| with_code(&app, "guess"))).await;
    let looked_at = guesses.iter().filter(|answer| answer.status() == 403).count();
    assert_eq!(looked_at, 5);
    let held_up = with_code(&app, LOCAL_CODE).await;
    assert!(held_up.headers().contains_key("retry-after"));
    problem(held_up, 429, "too_many_failures").await;
    let browser = own(&app).header("accept", "text/html").send().await.unwrap();
    assert_eq!(location(&browser), "/login?reason=too_many_codes&next=/x");
    app.advance(Duration::from_mins(1));
    sign_in(&app).await;
    for _ in 0..10 {
        sign_in(&app).await;
    }
}

#[tokio::test]
async fn local_sign_in_wants_our_own_host_and_origin() {
    let app = TestApp::with(Backend::Sqlite, &LOCAL).await;
    let code = json!({ "code": LOCAL_CODE });
    let post = || app.post("/auth/local").json(&code);
    let foreign = post().header("origin", "http://evil.example");
    let rebound = post().header("origin", "http://evil.example").header("host", "evil.example");
    let two = post().header("origin", &app.base).header("origin", "http://evil.example");
    let elsewhere = own(&app).json(&code).header("sec-fetch-site", "cross-site");
    for request in [foreign, rebound, two, elsewhere, post()] {
        problem(request.send().await.unwrap(), 403, "forbidden").await;
    }
}

#[tokio::test]
async fn local_sign_in_refuses_what_came_through_a_proxy() {
    let app = TestApp::with(Backend::Sqlite, &LOCAL).await;
    for (name, value) in [
        ("forwarded", "for=203.0.113.7"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "keys.example"),
        ("x-forwarded-proto", ""),
        ("x-real-ip", "203.0.113.7"),
        ("via", "1.1 proxy"),
    ] {
        let request = own(&app).json(&json!({ "code": LOCAL_CODE })).header(name, value);
        problem(request.send().await.unwrap(), 403, "forbidden").await;
    }
    sign_in(&app).await;
}

#[tokio::test]
async fn local_sign_in_refuses_two_hosts() {
    let app = TestApp::with(Backend::Sqlite, &LOCAL).await;
    let address = app.base.trim_start_matches("http://");
    let body = json!({ "code": LOCAL_CODE }).to_string();
    for (hosts, status) in [(vec![address], "302"), (vec![address, address], "403")] {
        let hosts: Vec<_> = hosts.iter().map(|host| format!("host: {host}\r\n")).collect();
        let hosts = hosts.concat();
        let request = format!(
            "POST /auth/local HTTP/1.1\r\n{hosts}origin: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            app.base,
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(&answer[9..12], status, "{answer}");
    }
}

on_both_databases! {
    async fn local_sessions_end_where_github_is_set_up(github: TestApp) {
        // The same database, as it was before GitHub was set up.
        let services = |code: bool| {
            let mut settings = github.config.services.clone();
            settings.local_code = code.then(|| accounts::LocalCode::new(LOCAL_CODE.to_owned()));
            let clock = Arc::clone(&github.clock);
            let url = github.config.database_url.clone();
            async move {
                let database = Database::open(&url).await.unwrap();
                Services::start(database, settings, clock, Arc::new(SystemRandom)).await.unwrap()
            }
        };
        let local = services(true).await;
        let device = Device::default();
        let token = accounts::sign_in_local(&local, LOCAL_CODE, &device).await.unwrap();
        let renewed = accounts::refresh(&local, &token, &device).await.unwrap();
        let key = key_of(&local, &renewed.token).await;
        let path = "/v1/me";
        let asked = github.get(path).bearer_auth(&renewed.token).send().await.unwrap();
        problem(asked, 401, "unauthenticated").await;
        problem(github.refresh(&renewed.refresh_token).await, 401, "unauthenticated").await;
        let call = CheckRequest::default();
        assert!(github.services.checker.check(Some(&key), call).await.is_ok(), "keys go on");
        let refused = accounts::sign_in_local(&github.services, LOCAL_CODE, &device).await;
        assert!(matches!(refused, Err(Error::NotFound)));
        let again = services(true).await;
        assert!(accounts::authenticate(&again, Some(&renewed.token), None).await.is_ok());
    }
}

/// A new key of the local developer.
async fn key_of(services: &Services, jwt: &str) -> String {
    use latchkey_services::{PageRequest, applications, keys, organizations, projects};
    let actor = accounts::authenticate(services, Some(jwt), None).await.unwrap();
    let page = PageRequest::default;
    let organization = organizations::list(services, &actor, page()).await.unwrap().data.remove(0);
    let project = projects::list(services, &actor, organization.id, page()).await.unwrap();
    let project = project.data[0].id;
    let application = applications::list(services, &actor, project, page()).await.unwrap();
    let request: Value = json!({ "name": "k" });
    let request = serde_json::from_value(request).unwrap();
    let application = application.data[0].id;
    let made = keys::create_for_application(services, &actor, application, request, None).await;
    text(&json!(made.unwrap().key.expose()))
}
