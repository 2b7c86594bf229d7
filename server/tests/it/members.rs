//! Members and invitations.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::world::{Backend, Session, World, location, on_both_databases, problem, text};

async fn members(world: &World, who: &Session) -> Vec<Value> {
    let path = format!("/v1/organizations/{}/members", who.organization);
    world.json(&path, &who.jwt).await["data"].as_array().unwrap().clone()
}

async fn member(world: &World, who: &Session, login: &str) -> Option<Value> {
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

async fn remove(world: &World, who: &Session, login: &str) -> Response {
    let path =
        format!("/v1/organizations/{}/members/{}", who.organization, id(world, who, login).await);
    world.send(Method::DELETE, &path, who, &Value::Null).await
}

on_both_databases! {
    async fn an_invitation_waits_until_that_person_signs_in(world: World) {
        let ada = world.sign_in("ada").await;
        let invited = world.invite(&ada, "@Bob", "member").await;
        assert_eq!(invited.status(), 201);
        let invited: Value = invited.json().await.unwrap();
        assert_eq!((&invited["login"], &invited["role"]), (&json!("Bob"), &json!("member")));
        assert_eq!((&invited["invited"], &invited["name"]), (&json!(true), &Value::Null));
        assert_eq!(member(&world, &ada, "Bob").await.unwrap(), invited);

        let bob = world.sign_in("bob").await;
        let joined = member(&world, &ada, "bob").await.unwrap();
        assert_eq!(joined["user_id"], invited["user_id"]);
        assert_eq!((&joined["invited"], &joined["name"]), (&json!(false), &json!("bob the person")));
        let me = world.json("/v1/me", &bob.jwt).await;
        let organizations = me["organizations"].as_array().unwrap();
        assert_eq!(organizations.len(), 2, "theirs and the one they were invited to");
        let role = |id: &str| organizations.iter().find(|one| one["id"] == id).unwrap()["role"].clone();
        assert_eq!(role(&ada.organization), "member");
        world.json(&format!("/v1/projects/{}", ada.project), &bob.jwt).await;
    }

    async fn a_person_who_signed_in_before_is_a_member_at_once(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.sign_in("bob").await;
        let project = format!("/v1/projects/{}", ada.project);
        problem(world.send(Method::GET, &project, &bob, &Value::Null).await, 404, "not_found").await;
        let added: Value = world.invite(&ada, "BOB", "viewer").await.json().await.unwrap();
        assert_eq!((&added["login"], &added["invited"]), (&json!("bob"), &json!(false)));
        world.json(&project, &bob.jwt).await;
    }

    async fn inviting_oneself_or_somebody_twice_changes_nothing(world: World) {
        let ada = world.sign_in("ada").await;
        problem(world.invite(&ada, "ada", "viewer").await, 409, "conflict").await;
        assert_eq!(world.invite(&ada, "bob", "viewer").await.status(), 201);
        problem(world.invite(&ada, "bob", "admin").await, 409, "conflict").await;
        world.sign_in("bob").await;
        problem(world.invite(&ada, "Bob", "admin").await, 409, "conflict").await;
        assert_eq!(member(&world, &ada, "bob").await.unwrap()["role"], "viewer");
        assert_eq!(members(&world, &ada).await.len(), 2);
    }

    async fn many_invitations_of_one_person_at_once_are_one(world: World) {
        let ada = world.sign_in("ada").await;
        let eve = world.sign_in("eve").await;
        let invite = |number: usize| {
            let who = if number.is_multiple_of(2) { &ada } else { &eve };
            world.invite(who, "bob", "member")
        };
        let answers = futures::future::join_all((0..12).map(invite)).await;
        let made = answers.iter().filter(|answer| answer.status() == 201).count();
        assert_eq!(made, 2, "one in each organization");
        assert!(answers.iter().all(|answer| matches!(answer.status().as_u16(), 201 | 409)));
        let bob = world.sign_in("bob").await;
        let me = world.json("/v1/me", &bob.jwt).await;
        assert_eq!(me["organizations"].as_array().unwrap().len(), 3);
    }

    async fn a_withdrawn_invitation_lets_nobody_in(world: World) {
        let ada = world.sign_in("ada").await;
        world.invite(&ada, "bob", "admin").await;
        assert_eq!(remove(&world, &ada, "bob").await.status(), 204);
        assert!(member(&world, &ada, "bob").await.is_none());
        let bob = world.sign_in("bob").await;
        let project = format!("/v1/projects/{}", ada.project);
        problem(world.send(Method::GET, &project, &bob, &Value::Null).await, 404, "not_found").await;
        assert_eq!(world.json("/v1/me", &bob.jwt).await["organizations"].as_array().unwrap().len(), 1);
    }

    async fn somebody_known_under_another_login_takes_their_invitation_along(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.sign_in("bob").await;
        let before = text(&world.json("/v1/me", &bob.jwt).await["id"]);
        world.invite(&ada, "robert", "member").await;
        world.github.set_person(github_stand_in::Person {
            login: "robert".to_owned(),
            ..crate::world::person("bob")
        });
        let (callback, cookie) = world.visit_github_as("robert", "/").await;
        let finished = world.http.get(callback).header("cookie", cookie).send().await.unwrap();
        assert_eq!(location(&finished).split('?').next(), Some("/auth/complete"));
        let joined = member(&world, &ada, "robert").await.unwrap();
        assert_eq!(joined["user_id"], *before, "the same person as ever");
        assert_eq!(joined["invited"], false);
        assert_eq!(members(&world, &ada).await.len(), 2);
    }

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
        assert_eq!(world.invite(&bob, "carol", "admin").await.status(), 201);
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
        world.sign_in("bob").await;
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

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_for_invited_people_lets_them_in_and_nobody_else() {
    let world = World::with(Backend::Sqlite, &["--latchkey-signup=invited"]).await;
    let root = world.sign_in("root").await;
    let (callback, cookie) = world.visit_github("mallory", "/").await;
    let refused = world.http.get(callback).header("cookie", cookie).send().await.unwrap();
    assert!(location(&refused).contains("reason=not_invited"));
    assert_eq!(world.invite(&root, "bob", "member").await.status(), 201);
    let bob = world.sign_in("bob").await;
    remove(&world, &root, "bob").await;
    let again = world.sign_in("bob").await;
    assert_eq!(again.organization, bob.organization, "who was let in once keeps their own space");
}
