//! Who administers the instance: GitHub accounts, whatever they are called.

use github_stand_in::Person;
use reqwest::header::COOKIE;
use serde_json::Value;

use crate::world::{Backend, World, on_both_databases, person, refresh_cookie, text};

/// Whether somebody is an administrator, who signs in under a login with a GitHub id.
async fn administers(world: &World, id: u64, login: &str) -> bool {
    let jwt = sign_in(world, id, login).await;
    world.json("/v1/me", &jwt).await["administrator"] == true
}

async fn sign_in(world: &World, id: u64, login: &str) -> String {
    let somebody = Person { id, ..person(login) };
    world.github.set_person(somebody);
    let (callback, cookie) = world.visit_github_as(login, "/").await;
    let finished = world.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
    let token = refresh_cookie(&finished).expect("they are signed in");
    let tokens: Value = world.refresh(&token).await.json().await.unwrap();
    text(&tokens["token"])
}

on_both_databases! {
    async fn login_administers_for_the_id_that_first_uses_it(world: World) {
        let first = sign_in(&world, 1001, "root").await;
        assert_eq!(world.json("/v1/me", &first).await["administrator"], true);
        assert!(!administers(&world, 1002, "somebody").await);
        // They rename themselves, and somebody else takes the login.
        assert!(administers(&world, 1001, "was-root").await);
        assert!(!administers(&world, 1003, "Root").await);
        assert_eq!(world.json("/v1/me", &first).await["administrator"], true);
    }
}

#[tokio::test]
async fn id_administers_whatever_it_is_called() {
    let world = World::with(Backend::Sqlite, &["--latchkey-admins=id:2001, other"]).await;
    assert!(administers(&world, 2001, "ada").await);
    assert!(administers(&world, 2001, "renamed").await);
    assert!(!administers(&world, 2002, "ada").await);
    assert!(administers(&world, 2003, "OTHER").await);
}

#[tokio::test]
async fn taken_login_of_an_administrator_opens_no_closed_instance() {
    let arguments = ["--latchkey-signup=invited", "--latchkey-admins=root"];
    let world = World::with(Backend::Sqlite, &arguments).await;
    assert!(administers(&world, 3001, "root").await);
    assert!(administers(&world, 3001, "renamed").await);
    world.github.set_person(Person { id: 3002, ..person("root") });
    let (callback, cookie) = world.visit_github_as("root", "/").await;
    let stranger = world.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
    assert!(refresh_cookie(&stranger).is_none(), "the login is bound to another account");
}
