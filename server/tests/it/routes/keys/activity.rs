//! The lines in the pages' list of keys: the last 24 hours of many keys at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::routes::usage::new_key;
use crate::world::{Session, World, on_both_databases, problem};

/// Hours go by; the session of before is over by then.
async fn later(world: &World, hours: u64) -> Session {
    world.advance(Duration::from_hours(hours));
    world.sign_in("ada").await
}

async fn activity(world: &World, who: &Session, project: &str, keys: &[&str]) -> Value {
    let body = json!({ "project_id": project, "key_ids": keys });
    let request = world.post("/api/usage/keys").bearer_auth(&who.jwt).json(&body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

on_both_databases! {
    async fn the_hours_of_listed_keys_are_told_written_or_not(world: World) {
        let ada = world.sign_in("ada").await;
        let (secret, used) = new_key(&world, &ada, "live").await;
        let (_, unused) = new_key(&world, &ada, "live").await;
        let keys = [&*used, &*unused];
        assert_eq!(activity(&world, &ada, &ada.project, &keys).await, json!([]));
        world.ingest(&secret).await;
        let ada = later(&world, 3).await;
        world.ingest(&secret).await;
        world.revoke(&ada, &used).await;
        world.ingest(&secret).await;
        let before = activity(&world, &ada, &ada.project, &keys).await;
        assert_eq!(before[0]["key_id"], *used);
        let hours = before[0]["hours"].as_array().unwrap();
        assert_eq!(hours.len(), 24);
        assert_eq!(hours[23], json!({ "allowed": 1, "denied": 1 }));
        assert_eq!(hours[20], json!({ "allowed": 1, "denied": 0 }));
        assert_eq!(hours[22], json!({ "allowed": 0, "denied": 0 }));
        assert_eq!(before.as_array().unwrap().len(), 1, "a key that was not used is left out");
        world.services.checker.flush_usage().await.unwrap();
        assert_eq!(activity(&world, &ada, &ada.project, &keys).await, before, "writing changes nothing");
        let ada = later(&world, 21).await;
        let tomorrow = activity(&world, &ada, &ada.project, &keys).await;
        assert_eq!(tomorrow[0]["hours"][2], json!({ "allowed": 1, "denied": 1 }));
        let ada = later(&world, 3).await;
        assert_eq!(activity(&world, &ada, &ada.project, &keys).await, json!([]), "a day later");
    }

    async fn the_hours_of_strangers_keys_are_not_told(world: World) {
        let (ada, eve) = (world.sign_in("ada").await, world.sign_in("eve").await);
        let (secret, key) = new_key(&world, &ada, "live").await;
        world.ingest(&secret).await;
        assert_eq!(activity(&world, &eve, &eve.project, &[&key]).await, json!([]));
        world.services.checker.flush_usage().await.unwrap();
        assert_eq!(activity(&world, &eve, &eve.project, &[&key]).await, json!([]));
        let ask = |project: &str, keys: Vec<&str>| {
            let body = json!({ "project_id": project, "key_ids": keys });
            world.post("/api/usage/keys").bearer_auth(&eve.jwt).json(&body).send()
        };
        problem(ask(&ada.project, vec![&key]).await.unwrap(), 404, "not_found").await;
        let refused = problem(ask(&eve.project, vec![&key; 101]).await.unwrap(), 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], "key_ids");
    }
}
