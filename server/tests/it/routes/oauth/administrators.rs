//! Who administers the instance: GitHub accounts, whatever they are called.

use github_stand_in::Person;
use reqwest::header::COOKIE;
use serde_json::Value;

use crate::test_app::{Backend, TestApp, on_both_databases, person, refresh_cookie, text};

/// Whether somebody is an administrator, who signs in under a login with a GitHub id.
async fn administers(app: &TestApp, id: u64, login: &str) -> bool {
    let jwt = sign_in(app, id, login).await;
    app.json("/v1/me", &jwt).await["administrator"] == true
}

async fn sign_in(app: &TestApp, id: u64, login: &str) -> String {
    let somebody = Person { id, ..person(login) };
    app.github.set_person(somebody);
    let (callback, cookie) = app.visit_github_as(login, "/").await;
    let finished = app.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
    let token = refresh_cookie(&finished).expect("they are signed in");
    let tokens: Value = app.refresh(&token).await.json().await.unwrap();
    text(&tokens["token"])
}

on_both_databases! {
    async fn login_administers_for_the_id_that_first_uses_it(app: TestApp) {
        let first = sign_in(&app, 1001, "root").await;
        assert_eq!(app.json("/v1/me", &first).await["administrator"], true);
        assert!(!administers(&app, 1002, "somebody").await);
        // They rename themselves, and somebody else takes the login.
        assert!(administers(&app, 1001, "was-root").await);
        assert!(!administers(&app, 1003, "Root").await);
        assert_eq!(app.json("/v1/me", &first).await["administrator"], true);
    }
}

#[tokio::test]
async fn id_administers_whatever_it_is_called() {
    let app = TestApp::with(Backend::Sqlite, &["--latchkey-admins=id:2001, other"]).await;
    assert!(administers(&app, 2001, "ada").await);
    assert!(administers(&app, 2001, "renamed").await);
    assert!(!administers(&app, 2002, "ada").await);
    assert!(administers(&app, 2003, "OTHER").await);
}

#[tokio::test]
async fn taken_login_of_an_administrator_opens_no_closed_instance() {
    let arguments = ["--latchkey-signup=invited", "--latchkey-admins=root"];
    let app = TestApp::with(Backend::Sqlite, &arguments).await;
    assert!(administers(&app, 3001, "root").await);
    assert!(administers(&app, 3001, "renamed").await);
    app.github.set_person(Person { id: 3002, ..person("root") });
    let (callback, cookie) = app.visit_github_as("root", "/").await;
    let stranger = app.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
    assert!(refresh_cookie(&stranger).is_none(), "the login is bound to another account");
}
