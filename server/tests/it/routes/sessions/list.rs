//! Where a person is signed in, and ending it.

use std::time::Duration;

use latchkey_domain::api::SessionEndReason;
use latchkey_services::accounts::{self, Device, GithubIdentity};
use latchkey_services::{Error, Services};
use serde_json::{Value, json};

use crate::test_app::{Session, TestApp, count_rows, on_both_databases, problem, text};

async fn call(app: &TestApp, who: &Session, function: &str, body: Value) -> reqwest::Response {
    let request = app.post(&format!("/api/sessions/{function}")).bearer_auth(&who.jwt);
    request.header("user-agent", "latchkey-test").json(&body).send().await.unwrap()
}

async fn sessions(app: &TestApp, who: &Session) -> Vec<Value> {
    let answer = call(app, who, "list", json!({})).await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

/// Signs ada in once more, a little later; the refresh token.
async fn sign_in_again(app: &TestApp) -> String {
    app.advance(Duration::from_millis(1));
    let name = |text: &str| Some(text.to_owned());
    let identity = GithubIdentity {
        id: 70_001,
        login: "grace".to_owned(),
        name: name("Grace"),
        avatar_url: None,
    };
    accounts::sign_in_with_github(&app.services, identity, &Device::default()).await.unwrap()
}

async fn refresh(services: &Services, token: &str) -> Result<String, Error> {
    Ok(accounts::refresh(services, token, &Device::default()).await?.token)
}

/// How many statements it takes a person with so many other sessions to end them.
async fn statements_to_end_others(app: &TestApp, others: usize) -> u64 {
    for _ in 0..others {
        sign_in_again(app).await;
    }
    let token = refresh(&app.services, &sign_in_again(app).await).await.unwrap();
    let actor = accounts::authenticate(&app.services, Some(&token), None).await.unwrap();
    let before = app.services.database.statements();
    accounts::end_other_sessions(&app.services, &actor).await.unwrap();
    let statements = app.services.database.statements() - before;
    assert_eq!(accounts::list_sessions(&app.services, &actor).await.unwrap().len(), 1);
    statements
}

async fn is_signed_in(app: &TestApp, who: &Session) -> bool {
    let answer = app.get("/v1/me").bearer_auth(&who.jwt).send().await.unwrap();
    answer.status() == 200
}

on_both_databases! {
    async fn a_person_sees_where_they_are_signed_in(app: TestApp) {
        let laptop = app.sign_in("ada").await;
        app.advance(Duration::from_mins(1));
        let phone = app.sign_in("ada").await;
        app.sign_in("eve").await;
        let seen = sessions(&app, &phone).await;
        assert_eq!(seen.len(), 2, "nobody else's");
        assert_eq!((&seen[0]["current"], &seen[1]["current"]), (&json!(true), &json!(false)));
        assert_eq!(seen[0]["ip"], "127.0.0.1");
        assert!(text(&seen[0]["created_at"]) > text(&seen[1]["created_at"]));
        app.advance(Duration::from_mins(1));
        let renewed = app.post("/refresh").header("user-agent", "Firefox on a train");
        let body = json!({ "refreshToken": laptop.refresh_token });
        assert_eq!(renewed.json(&body).send().await.unwrap().status(), 200);
        let seen = sessions(&app, &phone).await;
        assert_eq!(seen[0]["user_agent"], "Firefox on a train", "the latest seen first, as it is now");
        assert_eq!(seen[0]["current"], false);
    }

    async fn persons_own_log_has_every_sign_in_and_its_end(app: TestApp) {
        let first = app.sign_in("ada").await;
        app.advance(Duration::from_secs(1));
        let second = app.sign_in("ada").await;
        app.advance(Duration::from_secs(1));
        let third = app.sign_in("ada").await;
        app.sign_in("eve").await;
        assert_eq!(app.refresh(&first.refresh_token).await.status(), 200);
        app.advance(Duration::from_secs(11));
        problem(app.refresh(&first.refresh_token).await, 401, "unauthenticated").await;
        app.post("/logout").bearer_auth(&second.jwt).send().await.unwrap();
        let log: Vec<Value> = call(&app, &third, "sign-ins", json!({})).await.json().await.unwrap();
        let reasons: Vec<&Value> = log.iter().map(|entry| &entry["end_reason"]).collect();
        assert_eq!(reasons, [&Value::Null, &json!("signed_out"), &json!("token_reused")]);
        assert!(log.iter().all(|entry| entry["ip"] == "127.0.0.1"));
        assert_eq!(log[0]["ended_at"], Value::Null);
        assert!(text(&log[2]["ended_at"]) > text(&log[2]["created_at"]));
    }

    async fn a_session_that_is_ended_ends_its_tokens_at_once(app: TestApp) {
        let laptop = app.sign_in("ada").await;
        app.advance(Duration::from_secs(1));
        let phone = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let seen = sessions(&app, &phone).await;
        let other = seen.iter().find(|one| one["current"] == false).unwrap();
        let body = json!({ "session_id": other["id"] });
        problem(call(&app, &eve, "end", body.clone()).await, 404, "not_found").await;
        assert!(is_signed_in(&app, &laptop).await);
        assert_eq!(call(&app, &phone, "end", body.clone()).await.status(), 200);
        assert!(!is_signed_in(&app, &laptop).await);
        problem(app.refresh(&laptop.refresh_token).await, 401, "unauthenticated").await;
        assert_eq!(call(&app, &phone, "end", body).await.status(), 200, "again, nothing happens");
        assert_eq!(sessions(&app, &phone).await.len(), 1);
    }

    async fn ending_all_other_sessions_costs_the_same_however_many(app: TestApp) {
        let one = statements_to_end_others(&app, 1).await;
        assert_eq!(statements_to_end_others(&app, 60).await, one);
    }

    async fn sign_in_beyond_the_limit_ends_longest_idle_session(app: TestApp) {
        let services = &app.services;
        let mut tokens = Vec::new();
        for _ in 0..100 {
            tokens.push(sign_in_again(&app).await);
        }
        // The first is in use; so all stand that may.
        app.advance(Duration::from_secs(1));
        let first = refresh(services, &tokens[0]).await.unwrap();
        let actor = accounts::authenticate(services, Some(&first), None).await.unwrap();
        assert_eq!(accounts::list_sessions(services, &actor).await.unwrap().len(), 100);
        for _ in 0..2 {
            tokens.push(sign_in_again(&app).await);
        }
        assert_eq!(accounts::list_sessions(services, &actor).await.unwrap().len(), 100);
        for replaced in &tokens[1..3] {
            let refused = refresh(services, replaced).await;
            assert!(matches!(refused, Err(Error::Unauthenticated)), "{refused:?}");
        }
        for standing in [3, 99, 100, 101] {
            refresh(services, &tokens[standing]).await.unwrap();
        }
        let log = accounts::list_sign_ins(services, &actor).await.unwrap();
        let ended: Vec<_> = log.iter().filter_map(|entry| entry.end_reason).collect();
        assert_eq!(ended, [SessionEndReason::Replaced], "the other is no longer among the last 100");
        app.sign_in("eve").await;
        assert_eq!(accounts::list_sessions(services, &actor).await.unwrap().len(), 100, "her own");
    }

    async fn sign_ins_at_once_leave_no_more_sessions_than_may_stand(app: TestApp) {
        let services = &app.services;
        let mut tokens = Vec::new();
        for _ in 0..95 {
            tokens.push(sign_in_again(&app).await);
        }
        futures::future::join_all((0..12).map(|_| sign_in_again(&app))).await;
        let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
        let count = async |which: &str| {
            count_rows(&database, &format!("sessions WHERE {which}")).await
        };
        assert_eq!(count("ended_at IS NULL").await, 100);
        assert_eq!(count("end_reason = 'replaced'").await, 7);
        assert!(refresh(services, &tokens[6]).await.is_err());
        assert!(refresh(services, &tokens[7]).await.is_ok(), "the oldest that is left");
    }

    async fn all_other_sessions_can_be_ended(app: TestApp) {
        let first = app.sign_in("ada").await;
        let second = app.sign_in("ada").await;
        let own = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        assert_eq!(call(&app, &own, "end-others", json!({})).await.status(), 200);
        assert!(!is_signed_in(&app, &first).await);
        assert!(!is_signed_in(&app, &second).await);
        assert!(is_signed_in(&app, &own).await);
        assert!(is_signed_in(&app, &eve).await);
    }
}
