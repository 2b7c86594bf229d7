//! An API that latchkey-axum protects, for `end2end/tests/middleware.spec.ts`. Each door has the
//! options that the environment names.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use axum::routing::{any, get};
use axum::{Json, Router};
use latchkey_axum::{Caller, Latchkey, ScopeQuery};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Door {
    url: String,
    token: String,
    application_id: Option<String>,
    scopes: Option<Value>,
    cost: Option<u64>,
    timeout_ms: Option<u64>,
    cache_ms: Option<u64>,
    ip_header: Option<String>,
    key_header: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut app = Router::new().route("/open", get(|| async { "open" }));
    for (name, door) in serde_json::from_str::<HashMap<String, Door>>(&setting("DOORS")?)? {
        let protected = any(who).layer(options(door).layer()?);
        app = app.route(&format!("/{name}/who"), protected);
    }
    let listener = TcpListener::bind(format!("127.0.0.1:{}", setting("PORT")?)).await?;
    axum::serve(listener, app).await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the test says what to serve")]
fn setting(name: &str) -> Result<String, std::env::VarError> {
    std::env::var(name)
}

async fn who(caller: Caller, body: String) -> Json<Value> {
    let mut who = json!(caller);
    who["body"] = body.into();
    Json(who)
}

fn options(door: Door) -> Latchkey {
    let mut latchkey = Latchkey::new(door.url, door.token);
    if let Some(id) = door.application_id {
        latchkey = latchkey.application(id);
    }
    if let Some(scopes) = &door.scopes {
        latchkey = latchkey.scopes(query(scopes));
    }
    if let Some(cost) = door.cost {
        latchkey = latchkey.cost(move |_| cost);
    }
    if let Some(timeout) = door.timeout_ms {
        latchkey = latchkey.timeout(Duration::from_millis(timeout));
    }
    if let Some(cache) = door.cache_ms {
        latchkey = latchkey.cache(Duration::from_millis(cache));
    }
    if let Some(name) = door.ip_header {
        latchkey = latchkey.ip(move |parts| parts.headers.get(&name)?.to_str().ok()?.parse().ok());
    }
    if let Some(name) = door.key_header {
        latchkey = latchkey.key(move |parts| {
            parts.headers.get(&name).and_then(|key| key.to_str().ok()).map(str::to_owned)
        });
    }
    latchkey
}

/// A query of scopes as a program would write it.
fn query(scopes: &Value) -> ScopeQuery {
    let members = |list: &Value| list.as_array().into_iter().flatten().map(query).collect();
    match scopes {
        Value::Object(operator) if operator.contains_key("any") => {
            ScopeQuery::Any(members(&scopes["any"]))
        }
        Value::Object(_) => ScopeQuery::All(members(&scopes["all"])),
        Value::Array(_) => ScopeQuery::All(members(scopes)),
        scope => ScopeQuery::One(scope.as_str().unwrap_or_default().to_owned()),
    }
}
