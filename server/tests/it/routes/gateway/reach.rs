//! `GET /readyz`: which upstreams answer, as operators see it beside the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use latchkey_server::{AppState, serve_metrics};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::test_app::{Backend, TestApp};

/// An upstream that is asked for its models.
#[derive(Clone, Default)]
struct Asked {
    times: Arc<AtomicU32>,
    fails: Arc<AtomicBool>,
}

impl Asked {
    /// Starts it; returns it with where it listens.
    async fn start() -> (Self, String) {
        let asked = Self::default();
        let models = {
            let asked = asked.clone();
            move || async move {
                asked.times.fetch_add(1, Ordering::SeqCst);
                if asked.fails.load(Ordering::SeqCst) {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    StatusCode::NOT_FOUND
                }
            }
        };
        let app = Router::new()
            .route("/v1/models", get(models))
            .route("/locked/models", get(async || StatusCode::UNAUTHORIZED));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (asked, address)
    }
}

/// An app with these upstreams, each of one model.
async fn app(upstreams: &[(&str, String)]) -> (Watched, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upstreams.toml");
    let entries = upstreams.iter().map(|(name, base_url)| {
        format!(
            "[[upstream]]\nname = \"{name}\"\nbase_url = \"{base_url}\"\nmodels = [\"m-{name}\"]\n"
        )
    });
    std::fs::write(&path, entries.collect::<String>()).unwrap();
    let setting = format!("--latchkey-upstreams={}", path.display());
    let app = TestApp::with(Backend::Sqlite, &[&setting]).await;
    (Watched::over(app).await, folder)
}

/// An app and where its metrics are.
struct Watched {
    app: TestApp,
    metrics: String,
}

impl Watched {
    async fn over(app: TestApp) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics = format!("http://{}", listener.local_addr().unwrap());
        let state = AppState::new(app.services.clone(), app.config.clone()).unwrap();
        tokio::spawn(serve_metrics(listener, state));
        Self { app, metrics }
    }
}

async fn readiness(watched: &Watched) -> Value {
    let answer = watched.app.http.get(format!("{}/readyz", watched.metrics));
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), 200, "keys are checked, whatever the upstreams do");
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn public_readyz_names_no_upstream() {
    let (watched, _folder) = app(&[("secret-name", "http://127.0.0.1:9/v1".to_owned())]).await;
    let answer = watched.app.get("/readyz").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let told = answer.json::<Value>().await.unwrap();
    assert_eq!(told, json!({ "status": "ok", "failing": [] }));
    watched.app.services.database.close().await.unwrap();
    let answer = watched.app.get("/readyz").send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let told = answer.json::<Value>().await.unwrap();
    assert_eq!(told, json!({ "status": "unavailable", "failing": ["database"] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_tells_which_upstreams_answer() {
    let (_asked, address) = Asked::start().await;
    // Connections to it are taken by the system, and nobody ever reads them.
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (app, _folder) = app(&[
        ("up", format!("http://ada:hunter2@{address}/v1")),
        ("locked", format!("http://{address}/locked")),
        ("down", "http://127.0.0.1:9/v1".to_owned()),
        ("hanging", format!("http://{}/v1", hanging.local_addr().unwrap())),
    ])
    .await;
    let told = tokio::time::timeout(Duration::from_millis(900), readiness(&app)).await;
    // All of it: no URL, no credential.
    assert_eq!(
        told.expect("no load balancer waits longer than a second"),
        json!({ "status": "ok", "failing": [], "upstreams": [
            { "name": "up", "status": "ok" },
            { "name": "locked", "status": "failing" },
            { "name": "down", "status": "unreachable" },
            { "name": "hanging", "status": "silent" },
        ] })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_probes_upstream_at_most_once_in_five_seconds() {
    let (asked, address) = Asked::start().await;
    let (app, _folder) = app(&[("up", format!("http://{address}/v1"))]).await;
    let up = json!([{ "name": "up", "status": "ok" }]);
    for told in futures::future::join_all((0..20).map(|_| readiness(&app))).await {
        assert_eq!(told["upstreams"], up);
    }
    asked.fails.store(true, Ordering::SeqCst);
    app.app.advance(Duration::from_millis(4_999));
    assert_eq!(readiness(&app).await["upstreams"], up, "as it was found before");
    assert_eq!(asked.times.load(Ordering::SeqCst), 1);
    app.app.advance(Duration::from_millis(1));
    assert_eq!(readiness(&app).await["upstreams"][0]["status"], "failing");
    assert_eq!(asked.times.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_of_a_node_without_upstreams_has_none_to_tell_of() {
    let watched = Watched::over(TestApp::on(Backend::Sqlite).await).await;
    let told = readiness(&watched).await;
    assert_eq!(told, json!({ "status": "ok", "failing": [], "upstreams": [] }));
}
