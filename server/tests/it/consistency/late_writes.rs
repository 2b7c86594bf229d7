//! Writers that race what takes their right away: once that has answered, nothing is written any
//! more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::test_app::{Session, TestApp, client_builder, on_both_databases, query_value, text};

const WRITERS: usize = 24;
const ROUNDS: usize = 12;
/// What each of them writes at most, so that a round ends.
const WRITES: usize = 12;

/// Connections that make one thing after the other until they are refused.
struct Writers {
    written: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    tasks: JoinSet<StatusCode>,
}

impl Writers {
    fn start(app: &TestApp, clients: &[Client], path: &str, bearer: &str, round: usize) -> Self {
        let (written, over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut tasks = JoinSet::new();
        for (writer, client) in clients.iter().cloned().enumerate() {
            let (url, bearer) = (format!("{}{path}", app.base), bearer.to_owned());
            let (written, over) = (Arc::clone(&written), Arc::clone(&over));
            tasks.spawn(async move {
                for write in 0..WRITES {
                    if over.load(Ordering::Acquire) && write > 0 {
                        break;
                    }
                    let body = json!({"name": format!("{round}-{writer}-{write}")});
                    let sent = client.post(&url).bearer_auth(&bearer).json(&body).send();
                    let status = sent.await.unwrap().status();
                    if status != StatusCode::CREATED {
                        return status;
                    }
                    written.fetch_add(1, Ordering::AcqRel);
                }
                StatusCode::CREATED
            });
        }
        Self { written, over, tasks }
    }

    /// Waits until some of them have written.
    async fn under_way(&self) {
        while self.written.load(Ordering::Acquire) < WRITERS / 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets those that are under way finish; with what the others were refused.
    async fn finish(self, refused: StatusCode) {
        self.over.store(true, Ordering::Release);
        for status in self.tasks.join_all().await {
            assert!(status == refused || status == StatusCode::CREATED, "{status}");
        }
    }
}

/// How many keys and applications there are, deleted or not, as the database has it.
async fn rows(database: &DatabaseConnection) -> i64 {
    let query = "SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM applications)";
    query_value(database, query).await
}

struct Race {
    app: TestApp,
    database: DatabaseConnection,
    clients: Vec<Client>,
    owner: Session,
}

impl Race {
    async fn prepare(app: TestApp) -> Self {
        let owner = app.sign_in("ada").await;
        app.set_tier(&owner, "enterprise").await;
        let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
        let clients = (0..WRITERS).map(|_| client_builder().build().unwrap()).collect();
        Self { app, database, clients, owner }
    }

    /// One round: the writers write until `end` has taken their right away.
    async fn round(
        &self,
        round: usize,
        what: &str,
        bearer: &str,
        refused: StatusCode,
        end: impl AsyncFnOnce(&TestApp),
    ) {
        let path = format!("/v1/projects/{}/{what}", self.owner.project);
        let writers = Writers::start(&self.app, &self.clients, &path, bearer, round);
        writers.under_way().await;
        end(&self.app).await;
        let then = rows(&self.database).await;
        writers.finish(refused).await;
        let late = rows(&self.database).await - then;
        assert_eq!(late, 0, "round {round}: written after the answer");
        // Each person may make so many changes a minute.
        self.app.advance(Duration::from_mins(1));
    }
}

on_both_databases! {
    async fn nothing_is_written_after_a_revocation(app: TestApp) {
        let race = Race::prepare(app).await;
        for round in 0..ROUNDS {
            let owner = race.app.sign_in("ada").await;
            let body = json!({"name": format!("s{round}"), "kind": "service", "permissions": ["keys:write"]});
            let made = race.app.create(&owner, &body).await;
            let (secret, id) = (text(&made["key"]), text(&made["api_key"]["id"]));
            race.round(round, "keys", &secret, StatusCode::UNAUTHORIZED, async |app: &TestApp| {
                assert_eq!(app.revoke(&owner, &id).await.status(), 204);
            })
            .await;
        }
    }

    async fn nothing_is_written_after_a_removal(app: TestApp) {
        let race = Race::prepare(app).await;
        for round in 0..ROUNDS {
            let owner = race.app.sign_in("ada").await;
            let bob = race.app.join(&owner, "bob", "member").await;
            let id = text(&race.app.json("/v1/me", &bob.jwt).await["id"]);
            let path = format!("/v1/organizations/{}/members/{id}", owner.organization);
            race.round(round, "applications", &bob.jwt, StatusCode::NOT_FOUND, async |app: &TestApp| {
                let removed = app.send(Method::DELETE, &path, &owner, &Value::Null).await;
                assert_eq!(removed.status(), 204);
            })
            .await;
        }
    }

    async fn nothing_is_written_after_a_sign_out(app: TestApp) {
        let race = Race::prepare(app).await;
        for round in 0..ROUNDS {
            let owner = race.app.sign_in("ada").await;
            race.round(round, "applications", &owner.jwt, StatusCode::UNAUTHORIZED, async |app: &TestApp| {
                let out = app.post("/logout").bearer_auth(&owner.jwt).send().await.unwrap();
                assert_eq!(out.status(), 204);
            })
            .await;
        }
    }
}
