//! What stands in a query is refused by name or taken: no query string makes the server fail, on
//! either database.

use github_stand_in::Person;
use reqwest::header::COOKIE;
use serde_json::{Value, json};

use crate::test_app::{Session, location, on_both_databases, problem, refresh_cookie, text};

/// Values that are too long, or hold what no database takes.
fn odd_values() -> Vec<String> {
    let mut values =
        ["", "%00", "a%00b", "%0A", "%FF", "%25_%5C", "'", "%C2%85", "-1", "%F0%9F%98%80"]
            .map(str::to_owned)
            .to_vec();
    values.extend(["a".repeat(201), "%25".repeat(16_000), "9".repeat(400)]);
    values
}

/// The path of an operation with ids that are the person's own.
fn with_ids(path: &str, who: &Session, key: &str) -> String {
    let own = |segment: &str| match segment {
        "organizations" => who.organization.clone(),
        "projects" => who.project.clone(),
        "applications" => who.application.clone(),
        _ => key.to_owned(),
    };
    let mut filled = Vec::new();
    for segment in path.split('/') {
        let named = segment.starts_with('{').then(|| own(filled.last().map_or("", String::as_str)));
        filled.push(named.unwrap_or_else(|| segment.to_owned()));
    }
    filled.join("/")
}

/// Each path that is read with each of its parameters.
fn parameters() -> Vec<(String, String)> {
    let document = serde_json::to_value(latchkey_server::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        let queried = parameters.filter(|parameter| parameter["in"] == "query");
        all.extend(queried.map(|parameter| (path.clone(), text(&parameter["name"]))));
    }
    all
}

on_both_databases! {
    async fn query_strings_never_fail_the_server(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let made = app.create(&ada, &json!({"name": "A"})).await;
        let key = text(&made["api_key"]["id"]);
        let all = parameters();
        assert!(all.len() > 20, "{all:?}");
        for (path, parameter) in all {
            for value in odd_values() {
                let url = format!("{}?{parameter}={value}", with_ids(&path, &ada, &key));
                let answer = app.get(&url).bearer_auth(&ada.jwt).send().await.unwrap();
                let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
                assert!(status < 500, "{url:.200} {status} {body}");
                if status == 422 {
                    let refused: Value = serde_json::from_str(&body).unwrap();
                    let field = &refused["errors"][0]["field"];
                    // Where the application is missing, that is told first.
                    assert!(*field == parameter || field == "ApplicationId", "{url:.200} {field}");
                }
            }
        }
    }

    async fn free_text_has_200_characters_at_most(app: TestApp) {
        let ada = app.sign_in("ada").await;
        app.create(&ada, &json!({"name": "Web %_ checkout"})).await;
        let keys = format!("/v1/projects/{}/keys?q=", ada.project);
        let audit = format!("/v1/organizations/{}/audit?actor=", ada.organization);
        let csv = format!("/v1/organizations/{}/audit.csv?actor=", ada.organization);
        let ask = async |url: String| app.get(&url).bearer_auth(&ada.jwt).send().await.unwrap();
        for (path, field) in [(&keys, "q"), (&audit, "actor"), (&csv, "actor")] {
            for bad in ["%00", "a%00", "%0A", "%7F", &"a".repeat(201), &"a".repeat(50_000)] {
                let refused = problem(ask(format!("{path}{bad}")).await, 422, "invalid").await;
                assert_eq!(refused["errors"][0]["field"], field);
            }
            for good in ["", "%20", "%25_", &"%C3%A9".repeat(200)] {
                assert_eq!(ask(format!("{path}{good}")).await.status(), 200, "{path}{good}");
            }
        }
        let found = app.json(&format!("{keys}%25_%20c"), &ada.jwt).await;
        assert_eq!(found["data"].as_array().unwrap().len(), 1);
        let flag = ask(format!("/v1/projects/{}/keys?archived=", ada.project)).await;
        let flag = problem(flag, 422, "invalid").await;
        assert_eq!(flag["errors"][0]["field"], "archived");
    }

    async fn server_functions_keep_the_same_bounds(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let call = async |path: &str, body: Value| {
            app.post(path).bearer_auth(&ada.jwt).json(&body).send().await.unwrap()
        };
        for (odd, good) in [("a\0", false), (&*"a".repeat(50_000), false), ("", true), ("a", true)] {
            let keys = json!({"project_id": ada.project, "filter": {"q": odd}});
            let audit = json!({"organization_id": ada.organization, "filter": {"actor": odd}});
            for (path, body, field) in [
                ("/api/project-keys/list", keys, "filter.q"),
                ("/api/audit/list", audit, "filter.actor"),
            ] {
                let answer = call(path, body).await;
                if good {
                    assert_eq!(answer.status(), 200, "{path} {odd}");
                } else {
                    let refused = problem(answer, 422, "invalid").await;
                    assert_eq!(refused["errors"][0]["field"], field, "{refused}");
                }
            }
        }
    }

    async fn github_names_that_do_not_fit_are_cut_or_refused(app: TestApp) {
        let visit = async |id: u64, login: &str, name: &str| {
            let (login, name) = (login.to_owned(), Some(name.to_owned()));
            app.github.set_person(Person { id, login: login.clone(), name, email: None });
            let (callback, cookie) = app.visit_github_as(&login, "/").await;
            app.http.get(callback).header(COOKIE, cookie).send().await.unwrap()
        };
        for (id, login) in [(1, "octo\0cat"), (2, &*"a".repeat(50_000)), (3, "@octocat")] {
            let refused = visit(id, login, "Mira").await;
            assert_eq!(location(&refused), "/login?reason=sign_in_failed&next=/", "{login:.20}");
        }
        let signed_in = visit(4, "octocat", &format!("Mi\0ra {}", "é".repeat(50_000))).await;
        let token = refresh_cookie(&signed_in).unwrap();
        let tokens: Value = app.refresh(&token).await.json().await.unwrap();
        let me = app.json("/v1/me", &text(&tokens["token"])).await;
        assert_eq!(me["name"], format!("Mira {}", "é".repeat(95)));
        assert_eq!(me["login"], "octocat");
    }
}
