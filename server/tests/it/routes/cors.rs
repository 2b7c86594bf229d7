//! Calls of pages from other origins.

use reqwest::{Method, Response};

use crate::test_app::{Backend, TestApp, traces};

const PAGE: &str = "https://shop.example";
const PATHS: [&str; 9] = [
    "/ingest/traces",
    "/ingest/logs",
    "/v1/traces",
    "/v1/logs",
    "/v1/metrics",
    "/api/public/otel/v1/traces",
    "/v1/chat/completions",
    "/v1/models",
    "/v1/key",
];

async fn preflight(app: &TestApp, path: &str, origin: &str) -> Response {
    let url = format!("{}{path}", app.base);
    let request = app.http.request(Method::OPTIONS, url).header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    let headers = "content-type,x-api-key,x-stainless-lang";
    request.header("access-control-request-headers", headers).send().await.unwrap()
}

fn allowed(response: &Response) -> Option<&str> {
    let header = response.headers().get("access-control-allow-origin")?;
    Some(header.to_str().unwrap())
}

#[tokio::test]
async fn pages_of_named_origins_may_call() {
    let setting = "--latchkey-cors-origins=https://other.example, https://shop.example/";
    let app = TestApp::with(Backend::Sqlite, &[setting]).await;
    let ada = app.sign_in("ada").await;
    let key = app.generate(&ada).await;
    for path in PATHS {
        let answer = preflight(&app, path, PAGE).await;
        assert_eq!((answer.status().as_u16(), allowed(&answer)), (200, Some(PAGE)), "{path}");
        let headers = answer.headers();
        let names = headers["access-control-allow-headers"].to_str().unwrap();
        assert!(names.contains("x-api-key") && names.contains("x-stainless-lang"), "{names}");
        assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("POST"));
        assert!(!headers.contains_key("access-control-allow-credentials"));
        let answer = preflight(&app, path, "https://evil.example").await;
        assert_eq!(allowed(&answer), None, "{path}");
    }
    // Answers and refusals can be read, with their headers.
    let post = || app.post("/ingest/traces").header("origin", PAGE).json(&traces(1));
    for (request, status) in [(post().header("x-api-key", &key), 200), (post(), 401)] {
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), allowed(&answer)), (status, Some(PAGE)));
        assert_eq!(answer.headers()["access-control-expose-headers"], "*");
    }
    let models = app.get("/v1/models").header("origin", PAGE).send().await.unwrap();
    assert_eq!((models.status().as_u16(), allowed(&models)), (401, Some(PAGE)));
    // What people are signed in to is not for other pages.
    // Nor is what proxies ask.
    for path in ["/v1/organizations", "/v1/keys/verify", "/refresh", "/apikey", "/v1/check/prj_x"] {
        assert_eq!(allowed(&preflight(&app, path, PAGE).await), None, "{path}");
    }
}

#[tokio::test]
async fn no_page_may_call_unless_its_origin_is_named() {
    let app = TestApp::on(Backend::Sqlite).await;
    for path in PATHS {
        let answer = preflight(&app, path, PAGE).await;
        assert_eq!((answer.status().as_u16(), allowed(&answer)), (405, None), "{path}");
    }
}

#[tokio::test]
async fn all_pages_may_call_where_all_are_named() {
    let app = TestApp::with(Backend::Sqlite, &["--latchkey-cors-origins=*"]).await;
    let answer = preflight(&app, "/v1/traces", PAGE).await;
    assert_eq!((answer.status().as_u16(), allowed(&answer)), (200, Some("*")));
}
