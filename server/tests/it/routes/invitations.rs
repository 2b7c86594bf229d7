//! Invitations: nobody becomes a member without accepting, and nobody learns who they are before.

use std::time::Duration;

use latchkey_services::accounts::{Device, GithubIdentity, sign_in_with_github};
use reqwest::{Method, Response};
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::routes::members::{member, members, remove};
use crate::routes::usage::literal;
use crate::test_app::{
    Backend, Session, TestApp, location, on_both_databases, person, problem, refresh_cookie, text,
};

/// The invitations that wait for a person.
async fn waiting(app: &TestApp, who: &Session) -> Vec<Value> {
    app.json("/v1/me/invitations", &who.jwt).await["data"].as_array().unwrap().clone()
}

async fn withdraw(app: &TestApp, who: &Session, login: &str) -> Response {
    let path = format!("/v1/organizations/{}/invitations/{login}", who.organization);
    app.send(Method::DELETE, &path, who, &Value::Null).await
}

async fn actions(app: &TestApp, who: &Session) -> Vec<Value> {
    let path = format!("/v1/organizations/{}/audit?limit=100", who.organization);
    app.json(&path, &who.jwt).await["data"].as_array().unwrap().clone()
}

/// The person `id` of GitHub signs in, who is called `login` by now; about `organization`.
async fn renamed(app: &TestApp, id: &str, login: &str, owner: &Session) -> Session {
    app.github.set_person(github_stand_in::Person { login: login.to_owned(), ..person(id) });
    let (callback, cookie) = app.visit_github_as(login, "/").await;
    let finished = app.http.get(callback).header("cookie", cookie).send().await.unwrap();
    assert_eq!(location(&finished).split('?').next(), Some("/auth/complete"));
    let refresh_token = refresh_cookie(&finished).unwrap();
    let tokens: Value = app.refresh(&refresh_token).await.json().await.unwrap();
    Session { jwt: text(&tokens["token"]), refresh_token, ..owner.clone() }
}

/// A person's own session, about another's organization.
fn about(owner: &Session, who: &Session) -> Session {
    Session { jwt: who.jwt.clone(), refresh_token: who.refresh_token.clone(), ..owner.clone() }
}

on_both_databases! {
    async fn invited_person_is_a_login_until_they_accept(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.sign_in("bob").await;
        let invited = app.invite(&ada, "@BOB", "member").await;
        assert_eq!(invited.status(), 201);
        let invited: Value = invited.json().await.unwrap();
        assert_eq!(
            invited,
            json!({
                "user_id": null, "login": "BOB", "name": null, "role": "member", "invited": true,
                "created_at": invited["created_at"],
            })
        );
        assert_eq!(member(&app, &ada, "BOB").await.unwrap(), invited);
        let listed = app.post("/api/members/list").bearer_auth(&ada.jwt);
        let listed = listed.json(&json!({ "organization_id": ada.organization })).send().await.unwrap();
        let listed: Value = listed.json().await.unwrap();
        let row = listed["data"].as_array().unwrap().iter().find(|row| row["invited"] == true).unwrap();
        assert_eq!((&row["avatar_url"], &row["last_active_at"]), (&Value::Null, &Value::Null));

        let about_ada = about(&ada, &bob);
        let project = format!("/v1/projects/{}", ada.project);
        problem(app.send(Method::GET, &project, &bob, &Value::Null).await, 404, "not_found").await;
        let organization = app.json(&format!("/v1/organizations/{}", ada.organization), &ada.jwt).await;
        assert_eq!(waiting(&app, &bob).await, [json!({
            "organization": { "id": ada.organization, "name": organization["name"] },
            "role": "member", "invited_by": "ada", "created_at": invited["created_at"],
        })]);
        assert_eq!(app.json("/v1/me", &bob.jwt).await["organizations"].as_array().unwrap().len(), 1);

        assert_eq!(app.answer(&about_ada, "accept").await.status(), 204);
        let joined = member(&app, &ada, "bob").await.unwrap();
        assert_eq!((&joined["invited"], &joined["name"]), (&json!(false), &json!("bob the person")));
        assert_eq!(joined["user_id"], app.json("/v1/me", &bob.jwt).await["id"]);
        assert_eq!(app.json("/v1/me", &bob.jwt).await["organizations"].as_array().unwrap().len(), 2);
        app.json(&project, &bob.jwt).await;
        assert!(waiting(&app, &bob).await.is_empty());
        problem(app.answer(&about_ada, "accept").await, 404, "not_found").await;
        let event = actions(&app, &ada).await.remove(0);
        assert_eq!((&event["action"], &event["target"]["id"]), (&json!("member.joined"), &joined["user_id"]));
    }

    async fn declining_tells_the_login_and_nothing_else(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.sign_in("bob").await;
        app.invite(&ada, "bob", "admin").await;
        assert_eq!(app.answer(&about(&ada, &bob), "decline").await.status(), 204);
        assert!(member(&app, &ada, "bob").await.is_none());
        let event = actions(&app, &ada).await.remove(0);
        assert_eq!(event["action"], "member.invitation_declined");
        assert_eq!(event["actor"], json!({ "kind": "person", "id": null, "name": "bob" }));
        assert_eq!((&event["ip"], &event["target"]["id"]), (&Value::Null, &json!("bob")));
        problem(app.answer(&about(&ada, &bob), "accept").await, 404, "not_found").await;
        assert_eq!(app.invite(&ada, "bob", "viewer").await.status(), 201, "and may be asked again");
    }

    async fn withdrawn_invitation_grants_no_access(app: TestApp) {
        let ada = app.sign_in("ada").await;
        app.invite(&ada, "Bob", "admin").await;
        assert_eq!(withdraw(&app, &ada, "bob").await.status(), 204);
        assert_eq!(actions(&app, &ada).await[0]["action"], "member.invitation_withdrawn");
        problem(withdraw(&app, &ada, "bob").await, 404, "not_found").await;
        let bob = app.sign_in("bob").await;
        problem(app.answer(&about(&ada, &bob), "accept").await, 404, "not_found").await;
        assert!(waiting(&app, &bob).await.is_empty());
        problem(withdraw(&app, &ada, "not%20a%20login").await, 404, "not_found").await;
        let carol = app.join(&ada, "carol", "admin").await;
        app.invite(&ada, "dave", "owner").await;
        problem(withdraw(&app, &carol, "dave").await, 403, "forbidden").await;
    }

    async fn repeated_or_self_invitation_changes_nothing(app: TestApp) {
        let ada = app.sign_in("ada").await;
        problem(app.invite(&ada, "ada", "viewer").await, 409, "conflict").await;
        assert_eq!(app.invite(&ada, "bob", "viewer").await.status(), 201);
        problem(app.invite(&ada, "BOB", "admin").await, 409, "conflict").await;
        let bob = app.sign_in("bob").await;
        assert_eq!(app.answer(&about(&ada, &bob), "accept").await.status(), 204);
        problem(app.invite(&ada, "Bob", "admin").await, 409, "conflict").await;
        assert_eq!(member(&app, &ada, "bob").await.unwrap()["role"], "viewer");
        assert_eq!(members(&app, &ada).await.len(), 2);
    }

    async fn many_invitations_of_one_login_at_once_are_one(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let invite = |number: usize| {
            let who = if number.is_multiple_of(2) { &ada } else { &eve };
            app.invite(who, if number.is_multiple_of(3) { "bob" } else { "BOB" }, "member")
        };
        let answers = futures::future::join_all((0..12).map(invite)).await;
        let made = answers.iter().filter(|answer| answer.status() == 201).count();
        assert_eq!(made, 2, "one in each organization");
        assert!(answers.iter().all(|answer| matches!(answer.status().as_u16(), 201 | 409)));
        let bob = app.sign_in("bob").await;
        assert_eq!(waiting(&app, &bob).await.len(), 2);
    }

    async fn accepting_and_withdrawing_at_once_are_both_right(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = about(&ada, &app.sign_in("bob").await);
        for _ in 0..8 {
            assert_eq!(app.invite(&ada, "bob", "viewer").await.status(), 201);
            let (accepted, withdrawn, declined) = tokio::join!(
                app.answer(&bob, "accept"),
                withdraw(&app, &ada, "bob"),
                app.answer(&bob, "decline"),
            );
            let done = [&accepted, &withdrawn, &declined];
            let done = done.iter().filter(|answer| answer.status() == 204).count();
            assert_eq!(done, 1, "{accepted:?} {withdrawn:?} {declined:?}");
            let is_member = member(&app, &ada, "bob").await.is_some();
            assert_eq!(is_member, accepted.status() == 204);
            if is_member {
                assert_eq!(remove(&app, &ada, "bob").await.status(), 204);
            }
        }
    }

    async fn renamed_member_stays_and_new_login_owner_gets_no_access(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.join(&ada, "bob", "admin").await;
        let id = text(&app.json("/v1/me", &bob.jwt).await["id"]);
        // Bob is called robert from now on, and somebody else takes the login that he left.
        let robert = renamed(&app, "bob", "robert", &ada).await;
        let thief = renamed(&app, "mallory", "bob", &ada).await;
        let project = format!("/v1/projects/{}", ada.project);
        app.json(&project, &robert.jwt).await;
        problem(app.send(Method::GET, &project, &thief, &Value::Null).await, 404, "not_found").await;
        assert_eq!(member(&app, &ada, "robert").await.unwrap()["user_id"], *id);
        assert!(waiting(&app, &thief).await.is_empty());
        // The person who has the login today can be invited, and nobody else can answer.
        assert_eq!(app.invite(&ada, "bob", "viewer").await.status(), 201);
        problem(app.answer(&robert, "accept").await, 404, "not_found").await;
        assert_eq!(app.answer(&thief, "accept").await.status(), 204);
        assert_eq!(members(&app, &ada).await.len(), 3);
    }

    async fn reassigned_login_cannot_accept_invitation(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = about(&ada, &app.sign_in("bob").await);
        app.invite(&ada, "bob", "admin").await;
        assert_eq!(waiting(&app, &bob).await.len(), 1);
        let newcomer = renamed(&app, "mallory", "Bob", &ada).await;
        assert!(waiting(&app, &bob).await.is_empty(), "at GitHub it is no longer theirs");
        problem(app.answer(&bob, "accept").await, 404, "not_found").await;
        assert_eq!(app.answer(&newcomer, "accept").await.status(), 204);
    }

    async fn member_under_another_login_keeps_their_role(app: TestApp) {
        let ada = app.sign_in("ada").await;
        app.join(&ada, "bob", "admin").await;
        app.invite(&ada, "robert", "viewer").await;
        let robert = renamed(&app, "bob", "robert", &ada).await;
        assert_eq!(app.answer(&robert, "accept").await.status(), 204);
        let rows = members(&app, &ada).await;
        assert_eq!(rows.len(), 2);
        assert_eq!(member(&app, &ada, "robert").await.unwrap()["role"], "admin");
    }

    async fn deleted_organization_invites_nobody(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = about(&ada, &app.sign_in("bob").await);
        app.invite(&ada, "bob", "admin").await;
        let path = format!("/v1/organizations/{}", ada.organization);
        assert_eq!(app.send(Method::DELETE, &path, &ada, &Value::Null).await.status(), 204);
        assert!(waiting(&app, &bob).await.is_empty());
        problem(app.answer(&bob, "accept").await, 404, "not_found").await;
    }

    async fn sign_in_costs_the_same_whoever_invites(app: TestApp) {
        let bob = || GithubIdentity {
            id: 4_242,
            login: "bob".to_owned(),
            name: None,
            avatar_url: None,
        };
        let statements = async || {
            let before = app.services.database.statements();
            sign_in_with_github(&app.services, bob(), &Device::default()).await.unwrap();
            app.services.database.statements() - before
        };
        statements().await;
        let without = statements().await;
        let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
        let transaction = database.begin().await.unwrap();
        for number in 1..=4_000 {
            let id = literal(&database, Uuid::from_u128(number));
            for statement in [
                format!(
                    "INSERT INTO organizations (id, name, tier, created_at) \
                     VALUES ({id}, 'Fernside', 'free', {number})"
                ),
                format!(
                    "INSERT INTO invitations (id, organization_id, login, role, created_at) \
                     VALUES ({id}, {id}, 'bob', 'viewer', {number})"
                ),
            ] {
                transaction.execute_unprepared(&statement).await.unwrap();
            }
        }
        transaction.commit().await.unwrap();
        assert_eq!(statements().await, without);
    }

    async fn invitations_come_in_pages_first_come_first(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let carl = app.sign_in("carl").await;
        for who in [&eve, &ada, &carl] {
            app.advance(Duration::from_millis(1));
            app.invite(who, "bob", "viewer").await;
        }
        let bob = app.sign_in("bob").await;
        let first = app.json("/v1/me/invitations?limit=2", &bob.jwt).await;
        let next = text(&first["next_cursor"]);
        let second = app.json(&format!("/v1/me/invitations?limit=2&cursor={next}"), &bob.jwt).await;
        let by = |page: &Value| -> Vec<String> {
            page["data"].as_array().unwrap().iter().map(|row| text(&row["invited_by"])).collect()
        };
        assert_eq!((by(&first), by(&second)), (vec!["eve".to_owned(), "ada".to_owned()], vec!["carl".to_owned()]));
        assert_eq!(second["next_cursor"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instance_for_invited_people_lets_them_in_and_nobody_else() {
    let app = TestApp::with(Backend::Sqlite, &["--latchkey-signup=invited"]).await;
    let root = app.sign_in("root").await;
    let (callback, cookie) = app.visit_github("mallory", "/").await;
    let refused = app.http.get(callback).header("cookie", cookie).send().await.unwrap();
    assert!(location(&refused).contains("reason=not_invited"));
    assert_eq!(app.invite(&root, "bob", "member").await.status(), 201);
    let bob = app.sign_in("bob").await;
    assert_eq!(waiting(&app, &bob).await.len(), 1, "being let in is not accepting");
    assert_eq!(withdraw(&app, &root, "bob").await.status(), 204);
    let again = app.sign_in("bob").await;
    assert_eq!(again.organization, bob.organization, "who was let in once keeps their own space");
}
