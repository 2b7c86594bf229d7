//! Members: roles, owners, leaving and the list. Invitations have their own file.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::world::{Session, World, on_both_databases, problem, text};

pub(crate) async fn members(world: &World, who: &Session) -> Vec<Value> {
    let path = format!("/v1/organizations/{}/members", who.organization);
    world.json(&path, &who.jwt).await["data"].as_array().unwrap().clone()
}

pub(crate) async fn member(world: &World, who: &Session, login: &str) -> Option<Value> {
    members(world, who).await.into_iter().find(|member| member["login"] == login)
}

async fn id(world: &World, who: &Session, login: &str) -> String {
    text(&member(world, who, login).await.unwrap()["user_id"])
}

async fn set_role(world: &World, who: &Session, login: &str, role: &str) -> Response {
    let path =
        format!("/v1/organizations/{}/members/{}", who.organization, id(world, who, login).await);
    world.send(Method::PATCH, &path, who, &json!({ "role": role })).await
}

pub(crate) async fn remove(world: &World, who: &Session, login: &str) -> Response {
    let path =
        format!("/v1/organizations/{}/members/{}", who.organization, id(world, who, login).await);
    world.send(Method::DELETE, &path, who, &Value::Null).await
}

on_both_databases! {
    async fn bad_invitations_are_refused_at_their_field(world: World) {
        let ada = world.sign_in("ada").await;
        let path = format!("/v1/organizations/{}/members", ada.organization);
        for (body, field) in [
            (json!({ "login": "not a login", "role": "member" }), "login"),
            (json!({ "login": "", "role": "member" }), "login"),
            (json!({ "login": "a".repeat(40), "role": "member" }), "login"),
            (json!({ "login": "bob" }), "role"),
            (json!({ "login": "bob", "role": "king" }), "role"),
            (json!({ "login": "bob", "role": "member", "email": "b@example.com" }), "email"),
        ] {
            let refused = problem(world.send(Method::POST, &path, &ada, &body).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field, "{body}");
        }
        let stranger = "usr_01kc3f1m6ze1tvyqnz0rg5bqfa";
        for id in [stranger, "nonsense", &ada.project] {
            let path = format!("{path}/{id}");
            problem(world.send(Method::DELETE, &path, &ada, &Value::Null).await, 404, "not_found").await;
            let body = json!({ "role": "viewer" });
            problem(world.send(Method::PATCH, &path, &ada, &body).await, 404, "not_found").await;
        }
    }

    async fn only_owners_manage_owners(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.join(&ada, "bob", "admin").await;
        problem(world.invite(&bob, "carol", "owner").await, 403, "forbidden").await;
        problem(set_role(&world, &bob, "bob", "owner").await, 403, "forbidden").await;
        problem(set_role(&world, &bob, "ada", "member").await, 403, "forbidden").await;
        problem(remove(&world, &bob, "ada").await, 403, "forbidden").await;
        world.join(&bob, "carol", "admin").await;
        assert_eq!(set_role(&world, &bob, "carol", "viewer").await.status(), 200);
        assert_eq!(remove(&world, &bob, "carol").await.status(), 204);
        assert_eq!(set_role(&world, &ada, "bob", "owner").await.status(), 200);
        assert_eq!(set_role(&world, &bob, "ada", "viewer").await.status(), 200);
        problem(set_role(&world, &ada, "bob", "viewer").await, 403, "forbidden").await;
    }

    async fn the_last_owner_can_neither_leave_nor_be_demoted(world: World) {
        let ada = world.sign_in("ada").await;
        problem(set_role(&world, &ada, "ada", "admin").await, 409, "last_owner").await;
        problem(remove(&world, &ada, "ada").await, 409, "last_owner").await;
        world.invite(&ada, "bob", "owner").await;
        problem(remove(&world, &ada, "ada").await, 409, "last_owner").await;
        let bob = world.sign_in("bob").await;
        problem(remove(&world, &ada, "ada").await, 409, "last_owner").await;
        let bob = Session { organization: ada.organization.clone(), ..bob };
        assert_eq!(world.answer(&bob, "accept").await.status(), 204);
        assert_eq!(remove(&world, &ada, "ada").await.status(), 204);
        let path = format!("/v1/organizations/{}/members", ada.organization);
        problem(world.send(Method::GET, &path, &ada, &Value::Null).await, 404, "not_found").await;
    }

    async fn two_owners_who_demote_each_other_at_once_leave_one(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.join(&ada, "bob", "owner").await;
        for _ in 0..5 {
            let (one, other) = tokio::join!(
                set_role(&world, &ada, "bob", "member"),
                set_role(&world, &bob, "ada", "member"),
            );
            let done = [&one, &other].into_iter().filter(|answer| answer.status() == 200).count();
            assert_eq!(done, 1, "{} and {}", one.status(), other.status());
            let owners: Vec<Value> =
                members(&world, &ada).await.into_iter().filter(|row| row["role"] == "owner").collect();
            assert_eq!(owners.len(), 1);
            let left = if owners[0]["login"] == "ada" { &ada } else { &bob };
            let other = if owners[0]["login"] == "ada" { "bob" } else { "ada" };
            assert_eq!(set_role(&world, left, other, "owner").await.status(), 200);
        }
    }

    async fn two_admins_who_change_one_member_at_once_are_both_right(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.join(&ada, "bob", "admin").await;
        world.join(&ada, "carol", "viewer").await;
        for _ in 0..5 {
            let (one, other) = tokio::join!(
                set_role(&world, &ada, "carol", "member"),
                set_role(&world, &bob, "carol", "admin"),
            );
            assert_eq!((one.status().as_u16(), other.status().as_u16()), (200, 200));
            let role = text(&member(&world, &ada, "carol").await.unwrap()["role"]);
            assert!(role == "member" || role == "admin", "{role}");
            set_role(&world, &ada, "carol", "viewer").await;
        }
    }

    async fn removal_ends_access_at_once_and_keys_go_on(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.join(&ada, "bob", "member").await;
        let secret = world.generate(&bob).await;
        assert_eq!(remove(&world, &ada, "bob").await.status(), 204);
        for path in [
            format!("/v1/organizations/{}", ada.organization),
            format!("/v1/projects/{}", ada.project),
            format!("/v1/projects/{}/keys", ada.project),
        ] {
            problem(world.send(Method::GET, &path, &bob, &Value::Null).await, 404, "not_found").await;
        }
        problem(world.try_create(&bob, &json!({ "name": "x" })).await, 404, "not_found").await;
        assert_eq!(world.ingest(&secret).await.status(), 200, "the key is the project's, not theirs");
    }

    async fn everybody_may_leave(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.join(&ada, "bob", "viewer").await;
        problem(remove(&world, &bob, "ada").await, 403, "forbidden").await;
        assert_eq!(remove(&world, &bob, "bob").await.status(), 204);
        assert_eq!(members(&world, &ada).await.len(), 1);
    }

    async fn members_come_in_pages_first_come_first(world: World) {
        let ada = world.sign_in("ada").await;
        for number in 0..5 {
            world.advance(std::time::Duration::from_millis(1));
            world.invite(&ada, &format!("guest{number}"), "viewer").await;
        }
        let path = format!("/v1/organizations/{}/members", ada.organization);
        let mut logins = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = world.json(&format!("{path}?limit=2{cursor}"), &ada.jwt).await;
            logins.extend(page["data"].as_array().unwrap().iter().map(|row| text(&row["login"])));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(logins, ["ada", "guest0", "guest1", "guest2", "guest3", "guest4"]);
    }
}
