//! Lists: all pages, or as many rows as were asked for.

use serde_json::{Value, json};

use crate::test_app::{Backend, TestApp, text};

#[tokio::test(flavor = "multi_thread")]
async fn list_shows_all_pages_or_as_many_as_asked() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    for index in 0..101 {
        let body = json!({
            "name": format!("service {index}"), "kind": "service", "permissions": ["keys:read"],
        });
        app.create(&who, &body).await;
    }
    let list = ["keys", "list", "--kind=service", "--project", &who.project];
    let all = app.done(&who, &list).await;
    let cells = all.cells();
    assert_eq!(cells.len(), 101);
    assert!(cells.iter().all(|row| row.len() == 8 && row[0].starts_with("key_")), "{cells:?}");
    let mut names: Vec<_> = cells.iter().map(|row| row[1]).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 101, "none is shown twice");
    assert_eq!(all.stderr, "");
    for limit in ["1", "100", "101", "500"] {
        let some = app.done(&who, &[&list[..], &["--limit", limit]].concat()).await;
        let expected = limit.parse::<usize>().unwrap().min(101);
        assert_eq!(some.cells().len(), expected, "{limit}");
    }
    let json = app.done(&who, &[&list[..], &["--json"]].concat()).await;
    let pages: Vec<Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts: Vec<_> = pages.iter().map(|page| page["data"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [100, 1]);
    assert!(pages[1]["next_cursor"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn list_of_one_page_is_the_body_byte_for_byte() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    app.create(&who, &json!({"name": "a", "tags": ["x"]})).await;
    app.create(&who, &json!({"name": "b"})).await;
    let path = format!("/v1/projects/{}/keys?tag=x&limit=100", who.project);
    let body = app.get(&path).bearer_auth(&who.jwt).send().await.unwrap().text().await.unwrap();
    let list = ["keys", "list", "--tag=x", "--json", "--project", &who.project];
    assert_eq!(app.done(&who, &list).await.stdout, body);
    let none = ["keys", "list", "--tag=y", "--project", &who.project];
    let none = app.done(&who, &none).await;
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "No keys.\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_listed_and_created() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let organization = ["--organization", &who.organization];
    let create = ["projects", "create", "--name", "shop\\", "--key-prefix", "shop"];
    let created = app.done(&who, &[&create[..], &organization].concat()).await;
    let cells = created.cells();
    assert_eq!((cells[0][1], cells[0][2]), ("shop\\\\", "shop"), "a backslash is escaped");
    let listed = app.done(&who, &[&["projects", "list"][..], &organization].concat()).await;
    assert_eq!(listed.cells().len(), 2);
    assert!(listed.cells().contains(&cells[0]), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_invited_listed_and_removed() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let bob = app.join(&who, "bob", "member").await;
    let me = app.json("/v1/me", &bob.jwt).await;
    let organization = ["--organization", &who.organization];
    let members = |command: &[&'static str]| -> Vec<String> {
        ["members"].iter().chain(command).chain(&organization).map(|&one| one.to_owned()).collect()
    };
    for (command, count) in [
        (members(&["invite", "carol", "--role", "viewer"]), 3),
        (members(&["invite", "dora", "--role", "viewer"]), 4),
        (members(&["remove", "CAROL"]), 3),
        (members(&["remove", "bob"]), 2),
    ] {
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        app.done(&who, &command).await;
        let list = members(&["list"]);
        let list: Vec<_> = list.iter().map(String::as_str).collect();
        assert_eq!(app.done(&who, &list).await.cells().len(), count, "{command:?}");
    }
    let gone = ["members", "remove", &text(&me["id"]), "--organization", &who.organization];
    assert_eq!(app.latchkey(&who, &gone).await.code, Some(3));
    let nobody = ["members", "remove", "nobody", "--organization", &who.organization];
    assert_eq!(app.latchkey(&who, &nobody).await.code, Some(3));
}
