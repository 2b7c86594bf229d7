//! Where a person is signed in, and ending it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Session, World, on_both_databases, problem, text};

async fn call(world: &World, who: &Session, function: &str, body: Value) -> reqwest::Response {
    let request = world.post(&format!("/api/sessions/{function}")).bearer_auth(&who.jwt);
    request.header("user-agent", "latchkey-test").json(&body).send().await.unwrap()
}

async fn sessions(world: &World, who: &Session) -> Vec<Value> {
    let answer = call(world, who, "list", json!({})).await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

async fn is_signed_in(world: &World, who: &Session) -> bool {
    let answer = world.get("/v1/me").bearer_auth(&who.jwt).send().await.unwrap();
    answer.status() == 200
}

on_both_databases! {
    async fn a_person_sees_where_they_are_signed_in(world: World) {
        let laptop = world.sign_in("ada").await;
        world.advance(Duration::from_mins(1));
        let phone = world.sign_in("ada").await;
        world.sign_in("eve").await;
        let seen = sessions(&world, &phone).await;
        assert_eq!(seen.len(), 2, "nobody else's");
        assert_eq!((&seen[0]["current"], &seen[1]["current"]), (&json!(true), &json!(false)));
        assert_eq!(seen[0]["ip"], "127.0.0.1");
        assert!(text(&seen[0]["created_at"]) > text(&seen[1]["created_at"]));
        world.advance(Duration::from_mins(1));
        let renewed = world.post("/refresh").header("user-agent", "Firefox on a train");
        let body = json!({ "refreshToken": laptop.refresh_token });
        assert_eq!(renewed.json(&body).send().await.unwrap().status(), 200);
        let seen = sessions(&world, &phone).await;
        assert_eq!(seen[0]["user_agent"], "Firefox on a train", "the latest seen first, as it is now");
        assert_eq!(seen[0]["current"], false);
    }

    async fn persons_own_log_has_every_sign_in_and_its_end(world: World) {
        let first = world.sign_in("ada").await;
        world.advance(Duration::from_secs(1));
        let second = world.sign_in("ada").await;
        world.advance(Duration::from_secs(1));
        let third = world.sign_in("ada").await;
        world.sign_in("eve").await;
        assert_eq!(world.refresh(&first.refresh_token).await.status(), 200);
        world.advance(Duration::from_secs(11));
        problem(world.refresh(&first.refresh_token).await, 401, "unauthenticated").await;
        world.post("/logout").bearer_auth(&second.jwt).send().await.unwrap();
        let log: Vec<Value> = call(&world, &third, "sign-ins", json!({})).await.json().await.unwrap();
        let reasons: Vec<&Value> = log.iter().map(|entry| &entry["end_reason"]).collect();
        assert_eq!(reasons, [&Value::Null, &json!("signed_out"), &json!("token_reused")]);
        assert!(log.iter().all(|entry| entry["ip"] == "127.0.0.1"));
        assert_eq!(log[0]["ended_at"], Value::Null);
        assert!(text(&log[2]["ended_at"]) > text(&log[2]["created_at"]));
    }

    async fn a_session_that_is_ended_ends_its_tokens_at_once(world: World) {
        let laptop = world.sign_in("ada").await;
        world.advance(Duration::from_secs(1));
        let phone = world.sign_in("ada").await;
        let eve = world.sign_in("eve").await;
        let seen = sessions(&world, &phone).await;
        let other = seen.iter().find(|one| one["current"] == false).unwrap();
        let body = json!({ "session_id": other["id"] });
        problem(call(&world, &eve, "end", body.clone()).await, 404, "not_found").await;
        assert!(is_signed_in(&world, &laptop).await);
        assert_eq!(call(&world, &phone, "end", body.clone()).await.status(), 200);
        assert!(!is_signed_in(&world, &laptop).await);
        problem(world.refresh(&laptop.refresh_token).await, 401, "unauthenticated").await;
        assert_eq!(call(&world, &phone, "end", body).await.status(), 200, "again, nothing happens");
        assert_eq!(sessions(&world, &phone).await.len(), 1);
    }

    async fn all_other_sessions_can_be_ended(world: World) {
        let first = world.sign_in("ada").await;
        let second = world.sign_in("ada").await;
        let own = world.sign_in("ada").await;
        let eve = world.sign_in("eve").await;
        assert_eq!(call(&world, &own, "end-others", json!({})).await.status(), 200);
        assert!(!is_signed_in(&world, &first).await);
        assert!(!is_signed_in(&world, &second).await);
        assert!(is_signed_in(&world, &own).await);
        assert!(is_signed_in(&world, &eve).await);
    }
}
