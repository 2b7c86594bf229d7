//! Members: roles, owners, leaving and the list. Invitations have their own file.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::test_app::{Session, TestApp, on_both_databases, problem, text};

pub(crate) async fn members(app: &TestApp, who: &Session) -> Vec<Value> {
    let path = format!("/v1/organizations/{}/members", who.organization);
    app.json(&path, &who.jwt).await["data"].as_array().unwrap().clone()
}

pub(crate) async fn member(app: &TestApp, who: &Session, login: &str) -> Option<Value> {
    members(app, who).await.into_iter().find(|member| member["login"] == login)
}

async fn id(app: &TestApp, who: &Session, login: &str) -> String {
    text(&member(app, who, login).await.unwrap()["user_id"])
}

async fn set_role(app: &TestApp, who: &Session, login: &str, role: &str) -> Response {
    let path =
        format!("/v1/organizations/{}/members/{}", who.organization, id(app, who, login).await);
    app.send(Method::PATCH, &path, who, &json!({ "role": role })).await
}

pub(crate) async fn remove(app: &TestApp, who: &Session, login: &str) -> Response {
    let path =
        format!("/v1/organizations/{}/members/{}", who.organization, id(app, who, login).await);
    app.send(Method::DELETE, &path, who, &Value::Null).await
}

on_both_databases! {
    async fn bad_invitations_are_refused_at_their_field(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let path = format!("/v1/organizations/{}/members", ada.organization);
        for (body, field) in [
            (json!({ "login": "not a login", "role": "member" }), "login"),
            (json!({ "login": "", "role": "member" }), "login"),
            (json!({ "login": "a".repeat(40), "role": "member" }), "login"),
            (json!({ "login": "bob" }), "role"),
            (json!({ "login": "bob", "role": "king" }), "role"),
            (json!({ "login": "bob", "role": "member", "email": "b@example.com" }), "email"),
        ] {
            let refused = problem(app.send(Method::POST, &path, &ada, &body).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field, "{body}");
        }
        let stranger = "usr_01kc3f1m6ze1tvyqnz0rg5bqfa";
        for id in [stranger, "nonsense", &ada.project] {
            let path = format!("{path}/{id}");
            problem(app.send(Method::DELETE, &path, &ada, &Value::Null).await, 404, "not_found").await;
            let body = json!({ "role": "viewer" });
            problem(app.send(Method::PATCH, &path, &ada, &body).await, 404, "not_found").await;
        }
    }

    async fn only_owners_manage_owners(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.join(&ada, "bob", "admin").await;
        problem(app.invite(&bob, "carol", "owner").await, 403, "forbidden").await;
        problem(set_role(&app, &bob, "bob", "owner").await, 403, "forbidden").await;
        problem(set_role(&app, &bob, "ada", "member").await, 403, "forbidden").await;
        problem(remove(&app, &bob, "ada").await, 403, "forbidden").await;
        app.join(&bob, "carol", "admin").await;
        assert_eq!(set_role(&app, &bob, "carol", "viewer").await.status(), 200);
        assert_eq!(remove(&app, &bob, "carol").await.status(), 204);
        assert_eq!(set_role(&app, &ada, "bob", "owner").await.status(), 200);
        assert_eq!(set_role(&app, &bob, "ada", "viewer").await.status(), 200);
        problem(set_role(&app, &ada, "bob", "viewer").await, 403, "forbidden").await;
    }

    async fn the_last_owner_can_neither_leave_nor_be_demoted(app: TestApp) {
        let ada = app.sign_in("ada").await;
        problem(set_role(&app, &ada, "ada", "admin").await, 409, "last_owner").await;
        problem(remove(&app, &ada, "ada").await, 409, "last_owner").await;
        app.invite(&ada, "bob", "owner").await;
        problem(remove(&app, &ada, "ada").await, 409, "last_owner").await;
        let bob = app.sign_in("bob").await;
        problem(remove(&app, &ada, "ada").await, 409, "last_owner").await;
        let bob = Session { organization: ada.organization.clone(), ..bob };
        assert_eq!(app.answer(&bob, "accept").await.status(), 204);
        assert_eq!(remove(&app, &ada, "ada").await.status(), 204);
        let path = format!("/v1/organizations/{}/members", ada.organization);
        problem(app.send(Method::GET, &path, &ada, &Value::Null).await, 404, "not_found").await;
    }

    async fn two_owners_who_demote_each_other_at_once_leave_one(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.join(&ada, "bob", "owner").await;
        for _ in 0..5 {
            let (one, other) = tokio::join!(
                set_role(&app, &ada, "bob", "member"),
                set_role(&app, &bob, "ada", "member"),
            );
            let done = [&one, &other].into_iter().filter(|answer| answer.status() == 200).count();
            assert_eq!(done, 1, "{} and {}", one.status(), other.status());
            let owners: Vec<Value> =
                members(&app, &ada).await.into_iter().filter(|row| row["role"] == "owner").collect();
            assert_eq!(owners.len(), 1);
            let left = if owners[0]["login"] == "ada" { &ada } else { &bob };
            let other = if owners[0]["login"] == "ada" { "bob" } else { "ada" };
            assert_eq!(set_role(&app, left, other, "owner").await.status(), 200);
        }
    }

    async fn two_admins_who_change_one_member_at_once_are_both_right(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.join(&ada, "bob", "admin").await;
        app.join(&ada, "carol", "viewer").await;
        for _ in 0..5 {
            let (one, other) = tokio::join!(
                set_role(&app, &ada, "carol", "member"),
                set_role(&app, &bob, "carol", "admin"),
            );
            assert_eq!((one.status().as_u16(), other.status().as_u16()), (200, 200));
            let role = text(&member(&app, &ada, "carol").await.unwrap()["role"]);
            assert!(role == "member" || role == "admin", "{role}");
            set_role(&app, &ada, "carol", "viewer").await;
        }
    }

    async fn removal_ends_access_at_once_and_keys_go_on(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.join(&ada, "bob", "member").await;
        let secret = app.generate(&bob).await;
        assert_eq!(remove(&app, &ada, "bob").await.status(), 204);
        for path in [
            format!("/v1/organizations/{}", ada.organization),
            format!("/v1/projects/{}", ada.project),
            format!("/v1/projects/{}/keys", ada.project),
        ] {
            problem(app.send(Method::GET, &path, &bob, &Value::Null).await, 404, "not_found").await;
        }
        problem(app.try_create(&bob, &json!({ "name": "x" })).await, 404, "not_found").await;
        assert_eq!(app.ingest(&secret).await.status(), 200, "the key is the project's, not theirs");
    }

    async fn every_member_may_leave(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.join(&ada, "bob", "viewer").await;
        problem(remove(&app, &bob, "ada").await, 403, "forbidden").await;
        assert_eq!(remove(&app, &bob, "bob").await.status(), 204);
        assert_eq!(members(&app, &ada).await.len(), 1);
    }

    async fn members_come_in_pages_first_come_first(app: TestApp) {
        let ada = app.sign_in("ada").await;
        for number in 0..5 {
            app.advance(std::time::Duration::from_millis(1));
            app.invite(&ada, &format!("guest{number}"), "viewer").await;
        }
        let path = format!("/v1/organizations/{}/members", ada.organization);
        let mut logins = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app.json(&format!("{path}?limit=2{cursor}"), &ada.jwt).await;
            logins.extend(page["data"].as_array().unwrap().iter().map(|row| text(&row["login"])));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(logins, ["ada", "guest0", "guest1", "guest2", "guest3", "guest4"]);
    }
}
