//! Writers that race what takes their right away: once that has answered, nothing is written any
//! more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use latchkey_server::http_client;
use reqwest::{Client, Method, StatusCode};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::world::{Session, World, on_both_databases, text};

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
    fn start(world: &World, clients: &[Client], path: &str, bearer: &str, round: usize) -> Self {
        let (written, over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut tasks = JoinSet::new();
        for (writer, client) in clients.iter().cloned().enumerate() {
            let (url, bearer) = (format!("{}{path}", world.base), bearer.to_owned());
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
    let statement = Statement::from_string(database.get_database_backend(), query);
    database.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

struct Race {
    world: World,
    database: DatabaseConnection,
    clients: Vec<Client>,
    owner: Session,
}

impl Race {
    async fn prepare(world: World) -> Self {
        let owner = world.sign_in("ada").await;
        world.set_tier(&owner, "enterprise").await;
        let database = sea_orm::Database::connect(&world.config.database_url).await.unwrap();
        let clients = (0..WRITERS).map(|_| http_client().build().unwrap()).collect();
        Self { world, database, clients, owner }
    }

    /// One round: the writers write until `end` has taken their right away.
    async fn round(
        &self,
        round: usize,
        what: &str,
        bearer: &str,
        refused: StatusCode,
        end: impl AsyncFnOnce(&World),
    ) {
        let path = format!("/v1/projects/{}/{what}", self.owner.project);
        let writers = Writers::start(&self.world, &self.clients, &path, bearer, round);
        writers.under_way().await;
        end(&self.world).await;
        let then = rows(&self.database).await;
        writers.finish(refused).await;
        let late = rows(&self.database).await - then;
        assert_eq!(late, 0, "round {round}: written after the answer");
        // Each person may make so many changes a minute.
        self.world.advance(Duration::from_mins(1));
    }
}

on_both_databases! {
    async fn nothing_is_written_after_a_revocation(world: World) {
        let race = Race::prepare(world).await;
        for round in 0..ROUNDS {
            let owner = race.world.sign_in("ada").await;
            let body = json!({"name": format!("s{round}"), "kind": "service", "permissions": ["keys:write"]});
            let made = race.world.create(&owner, &body).await;
            let (secret, id) = (text(&made["key"]), text(&made["api_key"]["id"]));
            race.round(round, "keys", &secret, StatusCode::UNAUTHORIZED, async |world: &World| {
                assert_eq!(world.revoke(&owner, &id).await.status(), 204);
            })
            .await;
        }
    }

    async fn nothing_is_written_after_a_removal(world: World) {
        let race = Race::prepare(world).await;
        for round in 0..ROUNDS {
            let owner = race.world.sign_in("ada").await;
            let bob = race.world.join(&owner, "bob", "member").await;
            let id = text(&race.world.json("/v1/me", &bob.jwt).await["id"]);
            let path = format!("/v1/organizations/{}/members/{id}", owner.organization);
            race.round(round, "applications", &bob.jwt, StatusCode::NOT_FOUND, async |world: &World| {
                let removed = world.send(Method::DELETE, &path, &owner, &Value::Null).await;
                assert_eq!(removed.status(), 204);
            })
            .await;
        }
    }

    async fn nothing_is_written_after_a_sign_out(world: World) {
        let race = Race::prepare(world).await;
        for round in 0..ROUNDS {
            let owner = race.world.sign_in("ada").await;
            race.round(round, "applications", &owner.jwt, StatusCode::UNAUTHORIZED, async |world: &World| {
                let out = world.post("/logout").bearer_auth(&owner.jwt).send().await.unwrap();
                assert_eq!(out.status(), 204);
            })
            .await;
        }
    }
}
