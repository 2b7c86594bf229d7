//! Bad input gets a 4xx that says what is wrong; never a 500, a panic or a hang.

use serde_json::Value;

use crate::test_app::{Backend, TestApp, problem};

async fn send(
    app: &TestApp,
    jwt: &str,
    application: &str,
    kind: &str,
    body: Vec<u8>,
) -> reqwest::Response {
    let request = app.post(&format!("/apikey?ApplicationId={application}")).bearer_auth(jwt);
    request.header("content-type", kind).body(body).send().await.unwrap()
}

#[tokio::test]
async fn bodies_that_are_no_json_are_malformed() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let deep = "[".repeat(200_000).into_bytes();
    let latin = b"{\"name\":\"caf\xe9\"}".to_vec();
    for body in [b"{\"name\":\"a".to_vec(), b"{".to_vec(), b"nonsense".to_vec(), deep, latin] {
        let response = send(&app, &ada.jwt, &ada.application, "application/json", body).await;
        problem(response, 400, "malformed").await;
    }
}

#[tokio::test]
async fn bodies_that_do_not_fit_name_the_field() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    for (body, field) in [
        ("{\"name\":\"\"}".to_owned(), "name"),
        (format!("{{\"name\":\"{}\"}}", "a".repeat(65)), "name"),
        ("{\"name\":\"a\\u0000b\"}".to_owned(), "name"),
        ("{\"name\":7}".to_owned(), "name"),
        ("{\"environment\":\"prod\"}".to_owned(), "environment"),
        ("{\"naem\":\"a\"}".to_owned(), "naem"),
    ] {
        let response =
            send(&app, &ada.jwt, &ada.application, "application/json", body.into_bytes()).await;
        let refused = problem(response, 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    for body in ["[]", "null", "\"name\"", "5"] {
        let response =
            send(&app, &ada.jwt, &ada.application, "application/json", body.as_bytes().to_vec())
                .await;
        problem(response, 422, "invalid").await;
    }
}

#[tokio::test]
async fn bodies_have_a_media_type_and_a_largest_size() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let body = b"{\"name\":\"a\"}".to_vec();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let response = send(&app, &ada.jwt, &ada.application, kind, body.clone()).await;
        problem(response, 415, "unsupported_media_type").await;
    }
    let huge = format!("{{\"name\":\"{}\"}}", "a".repeat(10 * 1024 * 1024)).into_bytes();
    let response = send(&app, &ada.jwt, &ada.application, "application/json", huge).await;
    problem(response, 413, "too_large").await;
    let utf8 =
        send(&app, &ada.jwt, &ada.application, "application/json; charset=utf-8", body).await;
    assert_eq!(utf8.status(), 200);
}

#[tokio::test]
async fn lists_refuse_odd_pages() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let path = format!("/v1/applications/{}/traces", ada.application);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=9999999999999999999999.0", "cursor"),
    ] {
        let response =
            app.get(&format!("{path}?{query}")).bearer_auth(&ada.jwt).send().await.unwrap();
        let refused = problem(response, 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], field);
    }
    let unknown = app.get(&format!("{path}?color=red")).bearer_auth(&ada.jwt).send().await.unwrap();
    assert_eq!(unknown.status(), 200, "unknown query parameters are ignored");
    let empty =
        app.get(&format!("{path}?limit=&cursor=")).bearer_auth(&ada.jwt).send().await.unwrap();
    assert_eq!(empty.status(), 200, "an empty parameter was not given");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let app = TestApp::on(Backend::Sqlite).await;
    problem(app.get("/v1/nothing").send().await.unwrap(), 404, "not_found").await;
    problem(app.post("/v1/me").send().await.unwrap(), 405, "method_not_allowed").await;
    problem(app.get("/ingest/traces").send().await.unwrap(), 405, "method_not_allowed").await;
    problem(app.post("/api/keys/nothing").send().await.unwrap(), 404, "not_found").await;
}

#[tokio::test]
async fn hostile_headers_are_survived() {
    let app = TestApp::on(Backend::Sqlite).await;
    let strange = reqwest::header::HeaderValue::from_bytes(b"\xff\xfe lk_live").unwrap();
    let key = app.post("/ingest/traces").header("x-api-key", &strange).send().await.unwrap();
    problem(key, 401, "malformed_key").await;
    let token = app.get("/v1/me").header("authorization", &strange).send().await.unwrap();
    problem(token, 401, "unauthenticated").await;
    let cookie = app.post("/refresh").header("cookie", &strange).send().await.unwrap();
    problem(cookie, 401, "unauthenticated").await;
    let long = "x".repeat(16_000);
    let long = app.post("/ingest/traces").header("x-api-key", long).send().await.unwrap();
    problem(long, 401, "malformed_key").await;
    let id = app.get("/healthz").header("x-request-id", "forged").send().await.unwrap();
    assert!(id.headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn server_functions_refuse_in_the_same_words() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let call = async |body: &'static str| {
        let request = app.post("/api/keys/create").bearer_auth(&ada.jwt);
        request.header("content-type", "application/json").body(body).send().await.unwrap()
    };
    problem(call("{").await, 400, "malformed").await;
    let refused: Value = problem(call("{\"application_id\":7}").await, 422, "invalid").await;
    assert!(refused["request_id"].is_string());
    problem(call("{\"application_id\":\"key_x\",\"environment\":\"live\"}").await, 422, "invalid")
        .await;
}
