//! `/v1/projects/{id}/keys/import`, `…/keys/export` and `…/key-shapes`.

mod export;
mod presets_rows;
mod refusals;
mod rows;
mod schemes;
mod shapes;

use data_encoding::HEXLOWER;
use latchkey_domain::id::ProjectId;
use reqwest::{Body, Method, Response};
use sea_orm::{ConnectionTrait, Statement, TryGetable};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::routes::usage::literal;
use crate::test_app::{Session, TestApp, query_value, text};

pub(super) const NDJSON: &str = "application/x-ndjson";
pub(super) const CSV: &str = "text/csv";

/// SHA-256 of a text in hexadecimal.
pub(super) fn sha256(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

/// A row of a key that is a digest.
pub(super) fn row(name: &str) -> Value {
    json!({ "name": name, "stored": sha256(name), "scheme": "sha256-hex" })
}

/// Rows as lines of JSON.
pub(super) fn lines(rows: &[Value]) -> String {
    rows.iter().fold(String::new(), |lines, row| lines + &row.to_string() + "\n")
}

/// Sends a file.
pub(super) async fn send(
    app: &TestApp,
    who: &Session,
    query: &str,
    kind: &str,
    body: impl Into<Body>,
) -> Response {
    let path = format!("/v1/projects/{}/keys/import{query}", who.project);
    let request = app.post(&path).bearer_auth(&who.jwt).header("content-type", kind);
    request.body(body).send().await.unwrap()
}

/// Imports rows; the answer.
pub(super) async fn import(app: &TestApp, who: &Session, rows: &[Value]) -> Value {
    imported(send(app, who, "", NDJSON, lines(rows)).await).await
}

/// The answer to an import that must succeed.
pub(super) async fn imported(response: Response) -> Value {
    let (status, body) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Fields of the errors of a refusal.
pub(super) fn fields(problem: &Value) -> Vec<String> {
    problem["errors"].as_array().unwrap().iter().map(|error| text(&error["field"])).collect()
}

pub(super) async fn register(app: &TestApp, who: &Session, body: &Value) -> Response {
    let path = format!("/v1/projects/{}/key-shapes", who.project);
    app.send(Method::POST, &path, who, body).await
}

/// Signs a person in who may have any number of keys, in a project with a shape of `sk-`.
pub(super) async fn mover(app: &TestApp, login: &str) -> Session {
    let who = app.sign_in(login).await;
    app.set_tier(&who, "enterprise").await;
    let shape = json!({"prefix": "sk-", "min_length": 4, "max_length": 80, "alphabet": "visible"});
    assert_eq!(register(app, &who, &shape).await.status(), 201);
    who
}

/// All keys of a project, newest first.
pub(super) async fn keys(app: &TestApp, who: &Session, query: &str) -> Vec<Value> {
    let path = format!("/v1/projects/{}/keys?{query}", who.project);
    app.json(&path, &who.jwt).await["data"].as_array().unwrap().clone()
}

/// How many keys a project has in the database.
pub(super) async fn stored_keys(app: &TestApp, who: &Session) -> i64 {
    let database = app.services.database.reader();
    let project: ProjectId = who.project.parse().unwrap();
    let project = literal(database, project);
    query_value(database, &format!("SELECT count(*) FROM keys WHERE project_id = {project}")).await
}

/// The first column of all rows that a query returns.
pub(super) async fn column<T: TryGetable>(app: &TestApp, sql: &str) -> Vec<T> {
    let database = app.services.database.reader();
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}
