//! Invitations: nobody becomes a member without accepting, and nobody learns who they are before.

use std::time::Duration;

use latchkey_services::accounts::{Device, GithubIdentity, sign_in_with_github};
use reqwest::{Method, Response};
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::routes::members::{member, members, remove};
use crate::routes::usage::literal;
use crate::world::{
    Backend, Session, World, location, on_both_databases, person, problem, refresh_cookie, text,
};

/// The invitations that wait for a person.
async fn waiting(world: &World, who: &Session) -> Vec<Value> {
    world.json("/v1/me/invitations", &who.jwt).await["data"].as_array().unwrap().clone()
}

async fn withdraw(world: &World, who: &Session, login: &str) -> Response {
    let path = format!("/v1/organizations/{}/invitations/{login}", who.organization);
    world.send(Method::DELETE, &path, who, &Value::Null).await
}

async fn actions(world: &World, who: &Session) -> Vec<Value> {
    let path = format!("/v1/organizations/{}/audit?limit=100", who.organization);
    world.json(&path, &who.jwt).await["data"].as_array().unwrap().clone()
}

/// The person `id` of GitHub signs in, who is called `login` by now; about `organization`.
async fn renamed(world: &World, id: &str, login: &str, owner: &Session) -> Session {
    world.github.set_person(github_stand_in::Person { login: login.to_owned(), ..person(id) });
    let (callback, cookie) = world.visit_github_as(login, "/").await;
    let finished = world.http.get(callback).header("cookie", cookie).send().await.unwrap();
    assert_eq!(location(&finished).split('?').next(), Some("/auth/complete"));
    let refresh_token = refresh_cookie(&finished).unwrap();
    let tokens: Value = world.refresh(&refresh_token).await.json().await.unwrap();
    Session { jwt: text(&tokens["token"]), refresh_token, ..owner.clone() }
}

/// A person's own session, about another's organization.
fn about(owner: &Session, who: &Session) -> Session {
    Session { jwt: who.jwt.clone(), refresh_token: who.refresh_token.clone(), ..owner.clone() }
}

on_both_databases! {
    async fn invited_person_is_a_login_until_they_accept(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.sign_in("bob").await;
        let invited = world.invite(&ada, "@BOB", "member").await;
        assert_eq!(invited.status(), 201);
        let invited: Value = invited.json().await.unwrap();
        assert_eq!(
            invited,
            json!({
                "user_id": null, "login": "BOB", "name": null, "role": "member", "invited": true,
                "created_at": invited["created_at"],
            })
        );
        assert_eq!(member(&world, &ada, "BOB").await.unwrap(), invited);
        let listed = world.post("/api/members/list").bearer_auth(&ada.jwt);
        let listed = listed.json(&json!({ "organization_id": ada.organization })).send().await.unwrap();
        let listed: Value = listed.json().await.unwrap();
        let row = listed["data"].as_array().unwrap().iter().find(|row| row["invited"] == true).unwrap();
        assert_eq!((&row["avatar_url"], &row["last_active_at"]), (&Value::Null, &Value::Null));

        let about_ada = about(&ada, &bob);
        let project = format!("/v1/projects/{}", ada.project);
        problem(world.send(Method::GET, &project, &bob, &Value::Null).await, 404, "not_found").await;
        let organization = world.json(&format!("/v1/organizations/{}", ada.organization), &ada.jwt).await;
        assert_eq!(waiting(&world, &bob).await, [json!({
            "organization": { "id": ada.organization, "name": organization["name"] },
            "role": "member", "invited_by": "ada", "created_at": invited["created_at"],
        })]);
        assert_eq!(world.json("/v1/me", &bob.jwt).await["organizations"].as_array().unwrap().len(), 1);

        assert_eq!(world.answer(&about_ada, "accept").await.status(), 204);
        let joined = member(&world, &ada, "bob").await.unwrap();
        assert_eq!((&joined["invited"], &joined["name"]), (&json!(false), &json!("bob the person")));
        assert_eq!(joined["user_id"], world.json("/v1/me", &bob.jwt).await["id"]);
        assert_eq!(world.json("/v1/me", &bob.jwt).await["organizations"].as_array().unwrap().len(), 2);
        world.json(&project, &bob.jwt).await;
        assert!(waiting(&world, &bob).await.is_empty());
        problem(world.answer(&about_ada, "accept").await, 404, "not_found").await;
        let event = actions(&world, &ada).await.remove(0);
        assert_eq!((&event["action"], &event["target"]["id"]), (&json!("member.joined"), &joined["user_id"]));
    }

    async fn declining_tells_the_login_and_nothing_else(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.sign_in("bob").await;
        world.invite(&ada, "bob", "admin").await;
        assert_eq!(world.answer(&about(&ada, &bob), "decline").await.status(), 204);
        assert!(member(&world, &ada, "bob").await.is_none());
        let event = actions(&world, &ada).await.remove(0);
        assert_eq!(event["action"], "member.invitation_declined");
        assert_eq!(event["actor"], json!({ "kind": "person", "id": null, "name": "bob" }));
        assert_eq!((&event["ip"], &event["target"]["id"]), (&Value::Null, &json!("bob")));
        problem(world.answer(&about(&ada, &bob), "accept").await, 404, "not_found").await;
        assert_eq!(world.invite(&ada, "bob", "viewer").await.status(), 201, "and may be asked again");
    }

    async fn withdrawn_invitation_lets_nobody_in(world: World) {
        let ada = world.sign_in("ada").await;
        world.invite(&ada, "Bob", "admin").await;
        assert_eq!(withdraw(&world, &ada, "bob").await.status(), 204);
        assert_eq!(actions(&world, &ada).await[0]["action"], "member.invitation_withdrawn");
        problem(withdraw(&world, &ada, "bob").await, 404, "not_found").await;
        let bob = world.sign_in("bob").await;
        problem(world.answer(&about(&ada, &bob), "accept").await, 404, "not_found").await;
        assert!(waiting(&world, &bob).await.is_empty());
        problem(withdraw(&world, &ada, "not%20a%20login").await, 404, "not_found").await;
        let carol = world.join(&ada, "carol", "admin").await;
        world.invite(&ada, "dave", "owner").await;
        problem(withdraw(&world, &carol, "dave").await, 403, "forbidden").await;
    }

    async fn inviting_oneself_or_somebody_twice_changes_nothing(world: World) {
        let ada = world.sign_in("ada").await;
        problem(world.invite(&ada, "ada", "viewer").await, 409, "conflict").await;
        assert_eq!(world.invite(&ada, "bob", "viewer").await.status(), 201);
        problem(world.invite(&ada, "BOB", "admin").await, 409, "conflict").await;
        let bob = world.sign_in("bob").await;
        assert_eq!(world.answer(&about(&ada, &bob), "accept").await.status(), 204);
        problem(world.invite(&ada, "Bob", "admin").await, 409, "conflict").await;
        assert_eq!(member(&world, &ada, "bob").await.unwrap()["role"], "viewer");
        assert_eq!(members(&world, &ada).await.len(), 2);
    }

    async fn many_invitations_of_one_login_at_once_are_one(world: World) {
        let ada = world.sign_in("ada").await;
        let eve = world.sign_in("eve").await;
        let invite = |number: usize| {
            let who = if number.is_multiple_of(2) { &ada } else { &eve };
            world.invite(who, if number.is_multiple_of(3) { "bob" } else { "BOB" }, "member")
        };
        let answers = futures::future::join_all((0..12).map(invite)).await;
        let made = answers.iter().filter(|answer| answer.status() == 201).count();
        assert_eq!(made, 2, "one in each organization");
        assert!(answers.iter().all(|answer| matches!(answer.status().as_u16(), 201 | 409)));
        let bob = world.sign_in("bob").await;
        assert_eq!(waiting(&world, &bob).await.len(), 2);
    }

    async fn accepting_and_withdrawing_at_once_are_both_right(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = about(&ada, &world.sign_in("bob").await);
        for _ in 0..8 {
            assert_eq!(world.invite(&ada, "bob", "viewer").await.status(), 201);
            let (accepted, withdrawn, declined) = tokio::join!(
                world.answer(&bob, "accept"),
                withdraw(&world, &ada, "bob"),
                world.answer(&bob, "decline"),
            );
            let done = [&accepted, &withdrawn, &declined];
            let done = done.iter().filter(|answer| answer.status() == 204).count();
            assert_eq!(done, 1, "{accepted:?} {withdrawn:?} {declined:?}");
            let is_member = member(&world, &ada, "bob").await.is_some();
            assert_eq!(is_member, accepted.status() == 204);
            if is_member {
                assert_eq!(remove(&world, &ada, "bob").await.status(), 204);
            }
        }
    }

    async fn renamed_member_stays_and_new_login_owner_gets_no_access(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.join(&ada, "bob", "admin").await;
        let id = text(&world.json("/v1/me", &bob.jwt).await["id"]);
        // Bob is called robert from now on, and somebody else takes the login that he left.
        let robert = renamed(&world, "bob", "robert", &ada).await;
        let thief = renamed(&world, "mallory", "bob", &ada).await;
        let project = format!("/v1/projects/{}", ada.project);
        world.json(&project, &robert.jwt).await;
        problem(world.send(Method::GET, &project, &thief, &Value::Null).await, 404, "not_found").await;
        assert_eq!(member(&world, &ada, "robert").await.unwrap()["user_id"], *id);
        assert!(waiting(&world, &thief).await.is_empty());
        // Who has the login today is somebody whom one can invite, and the invitation is theirs
        // alone.
        assert_eq!(world.invite(&ada, "bob", "viewer").await.status(), 201);
        problem(world.answer(&robert, "accept").await, 404, "not_found").await;
        assert_eq!(world.answer(&thief, "accept").await.status(), 204);
        assert_eq!(members(&world, &ada).await.len(), 3);
    }

    async fn login_that_somebody_else_took_answers_no_invitation(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = about(&ada, &world.sign_in("bob").await);
        world.invite(&ada, "bob", "admin").await;
        assert_eq!(waiting(&world, &bob).await.len(), 1);
        let newcomer = renamed(&world, "mallory", "Bob", &ada).await;
        assert!(waiting(&world, &bob).await.is_empty(), "at GitHub it is no longer theirs");
        problem(world.answer(&bob, "accept").await, 404, "not_found").await;
        assert_eq!(world.answer(&newcomer, "accept").await.status(), 204);
    }

    async fn member_under_another_login_keeps_their_role(world: World) {
        let ada = world.sign_in("ada").await;
        world.join(&ada, "bob", "admin").await;
        world.invite(&ada, "robert", "viewer").await;
        let robert = renamed(&world, "bob", "robert", &ada).await;
        assert_eq!(world.answer(&robert, "accept").await.status(), 204);
        let rows = members(&world, &ada).await;
        assert_eq!(rows.len(), 2);
        assert_eq!(member(&world, &ada, "robert").await.unwrap()["role"], "admin");
    }

    async fn deleted_organization_invites_nobody(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = about(&ada, &world.sign_in("bob").await);
        world.invite(&ada, "bob", "admin").await;
        let path = format!("/v1/organizations/{}", ada.organization);
        assert_eq!(world.send(Method::DELETE, &path, &ada, &Value::Null).await.status(), 204);
        assert!(waiting(&world, &bob).await.is_empty());
        problem(world.answer(&bob, "accept").await, 404, "not_found").await;
    }

    async fn sign_in_costs_the_same_whoever_invites(world: World) {
        let bob = || GithubIdentity {
            id: 4_242,
            login: "bob".to_owned(),
            name: None,
            avatar_url: None,
        };
        let statements = async || {
            let before = world.services.database.statements();
            sign_in_with_github(&world.services, bob(), &Device::default()).await.unwrap();
            world.services.database.statements() - before
        };
        statements().await;
        let without = statements().await;
        let database = sea_orm::Database::connect(&world.config.database_url).await.unwrap();
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

    async fn invitations_come_in_pages_first_come_first(world: World) {
        let ada = world.sign_in("ada").await;
        let eve = world.sign_in("eve").await;
        let carl = world.sign_in("carl").await;
        for who in [&eve, &ada, &carl] {
            world.advance(Duration::from_millis(1));
            world.invite(who, "bob", "viewer").await;
        }
        let bob = world.sign_in("bob").await;
        let first = world.json("/v1/me/invitations?limit=2", &bob.jwt).await;
        let next = text(&first["next_cursor"]);
        let second = world.json(&format!("/v1/me/invitations?limit=2&cursor={next}"), &bob.jwt).await;
        let by = |page: &Value| -> Vec<String> {
            page["data"].as_array().unwrap().iter().map(|row| text(&row["invited_by"])).collect()
        };
        assert_eq!((by(&first), by(&second)), (vec!["eve".to_owned(), "ada".to_owned()], vec!["carl".to_owned()]));
        assert_eq!(second["next_cursor"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instance_for_invited_people_lets_them_in_and_nobody_else() {
    let world = World::with(Backend::Sqlite, &["--latchkey-signup=invited"]).await;
    let root = world.sign_in("root").await;
    let (callback, cookie) = world.visit_github("mallory", "/").await;
    let refused = world.http.get(callback).header("cookie", cookie).send().await.unwrap();
    assert!(location(&refused).contains("reason=not_invited"));
    assert_eq!(world.invite(&root, "bob", "member").await.status(), 201);
    let bob = world.sign_in("bob").await;
    assert_eq!(waiting(&world, &bob).await.len(), 1, "being let in is not accepting");
    assert_eq!(withdraw(&world, &root, "bob").await.status(), 204);
    let again = world.sign_in("bob").await;
    assert_eq!(again.organization, bob.organization, "who was let in once keeps their own space");
}
