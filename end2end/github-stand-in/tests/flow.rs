//! The web flow as an application goes through it, over HTTP.

#![cfg(test)]

use github_stand_in::{CLIENT_ID, CLIENT_SECRET, Endpoint, Fault, StandIn, start};
use reqwest::{Client, ClientBuilder, Response, StatusCode, header, redirect};
use serde_json::{Value, json};
use url::Url;

const CALLBACK: &str = "http://127.0.0.1:3000/login/oauth2/code/github?from=test";

fn client() -> Client {
    builder().redirect(redirect::Policy::none()).user_agent("latchkey-tests").build().unwrap()
}

/// Built beside the server, `reqwest` knows TLS and wants a cryptography, though none is used here.
fn builder() -> ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}

async fn authorize(github: &StandIn, more: &[(&str, &str)]) -> Response {
    let mut url = Url::parse(&format!("{}/login/oauth/authorize", github.base_url)).unwrap();
    let parameters = [("client_id", CLIENT_ID), ("redirect_uri", CALLBACK), ("state", "s t&te")];
    url.query_pairs_mut().extend_pairs(parameters).extend_pairs(more);
    client().get(url).send().await.unwrap()
}

fn parameter(response: &Response, name: &str) -> Option<String> {
    let location = Url::parse(response.headers()[header::LOCATION].to_str().unwrap()).unwrap();
    location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn exchange(github: &StandIn, code: &str, secret: &str) -> Value {
    let response = client()
        .post(format!("{}/login/oauth/access_token", github.base_url))
        .basic_auth(CLIENT_ID, Some(secret))
        .header(header::ACCEPT, "application/json")
        .form(&[("code", code), ("redirect_uri", CALLBACK)])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

async fn user(github: &StandIn, authorization: &str) -> Response {
    let request = client().get(format!("{}/user", github.api_url()));
    request.header(header::AUTHORIZATION, authorization).send().await.unwrap()
}

#[tokio::test]
async fn somebody_signs_in() {
    let github = start().await;
    github.sign_in_next("jonas-beck").unwrap();
    let back = authorize(&github, &[]).await;
    assert_eq!(back.status(), StatusCode::FOUND);
    assert_eq!(parameter(&back, "state").unwrap(), "s t&te");
    assert_eq!(parameter(&back, "from").unwrap(), "test");

    let code = parameter(&back, "code").unwrap();
    let answer = exchange(&github, &code, CLIENT_SECRET).await;
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(answer["token_type"], "bearer");
    for scheme in ["Bearer", "token"] {
        let person: Value = user(&github, &format!("{scheme} {token}")).await.json().await.unwrap();
        assert_eq!((&person["id"], &person["login"]), (&json!(4102), &json!("jonas-beck")));
    }
    assert_eq!(exchange(&github, &code, CLIENT_SECRET).await["error"], "bad_verification_code");
}

#[tokio::test]
async fn a_person_chooses_on_the_page_unless_it_is_decided() {
    let github = start().await;
    let page = authorize(&github, &[]).await;
    assert_eq!(page.status(), StatusCode::OK);
    let html = page.text().await.unwrap();
    assert!(html.contains("Continue as mira-holt") && html.contains("Cancel"), "{html}");
    assert!(parameter(&authorize(&github, &[("login", "mira-holt")]).await, "code").is_some());
}

#[tokio::test]
async fn cancelling_leads_back_with_the_state() {
    let github = start().await;
    github.cancel_next();
    let back = authorize(&github, &[]).await;
    assert_eq!(parameter(&back, "error").unwrap(), "access_denied");
    assert_eq!(parameter(&back, "state").unwrap(), "s t&te");
    assert_eq!(parameter(&back, "code"), None);
}

#[tokio::test]
async fn errors_come_as_github_sends_them() {
    let github = start().await;
    let wrong_secret = exchange(&github, "any", "wrong").await;
    assert_eq!(wrong_secret["error"], "incorrect_client_credentials");
    let url = format!("{}/login/oauth/access_token", github.base_url);
    let form = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET), ("code", "any")];
    let plain = client().post(url).form(&form).send().await.unwrap().text().await.unwrap();
    assert!(plain.starts_with("error=bad_verification_code&"), "{plain}");

    let refused = user(&github, "Bearer gho_unknown").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.json::<Value>().await.unwrap()["message"], "Bad credentials");
    let anonymous = builder().build().unwrap().get(format!("{}/user", github.api_url()));
    let anonymous = anonymous.send().await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_fault_hits_one_request() {
    let github = start().await;
    github.fail_next(Endpoint::User, Fault { status: Some(502), delay_ms: 1 });
    assert_eq!(user(&github, "Bearer x").await.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(user(&github, "Bearer x").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn tests_have_their_say_over_http() {
    let github = start().await;
    let control = format!("{}/__control", github.base_url);
    let ana = json!({"id": 9, "login": "ana", "name": "Ana"});
    let added = client().post(format!("{control}/people")).json(&ana).send().await.unwrap();
    assert_eq!(added.status(), StatusCode::NO_CONTENT);
    let next = |login: &str| client().put(format!("{control}/next")).json(&json!({"login": login}));
    assert_eq!(next("nobody").send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(next("ana").send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(parameter(&authorize(&github, &[]).await, "code").is_some());

    let order = json!({"at": "token", "status": 503});
    let ordered = client().post(format!("{control}/faults")).json(&order).send().await.unwrap();
    assert_eq!(ordered.status(), StatusCode::NO_CONTENT);
    client().delete(&control).send().await.unwrap().error_for_status().unwrap();
    let people = client().get(format!("{control}/people")).send().await.unwrap();
    assert!(!people.text().await.unwrap().contains("ana"));
    assert_eq!(exchange(&github, "any", CLIENT_SECRET).await["error"], "bad_verification_code");
}

#[tokio::test]
async fn a_dropped_stand_in_is_gone() {
    let github = start().await;
    let url = github.base_url.clone();
    drop(github);
    tokio::task::yield_now().await;
    assert!(client().get(url).send().await.is_err());
}
