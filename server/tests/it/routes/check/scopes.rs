//! Scopes that a proxy asks for.

use reqwest::{RequestBuilder, Response};
use serde_json::json;

use super::{allowed, ask, new_key, refused};
use crate::test_app::{Session, TestApp, on_both_databases, problem, text};

async fn with_lines(app: &TestApp, who: &Session, key: &str, lines: &[&[u8]]) -> Response {
    let request = ask(app, &who.project, key);
    let add = |request: RequestBuilder, line: &&[u8]| request.header("x-latchkey-scopes", *line);
    lines.iter().fold(request, add).send().await.unwrap()
}

on_both_databases! {
    async fn all_scopes_of_all_lines_are_asked_for(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "k", "scopes": ["orders:*", "users:read"]});
        let (key, _) = new_key(&app, &ada, body).await;
        let (plain, _) = new_key(&app, &ada, json!({"name": "p"})).await;
        let met: [&[&[u8]]; 4] = [
            &[b"orders:read"],
            &[b" orders:read  users:read "],
            &[b"orders:read", b"users:read orders:write"],
            &[b""],
        ];
        for lines in met {
            allowed(&with_lines(&app, &ada, &key, lines).await);
        }
        let unmet: [&[&[u8]]; 3] =
            [&[b"users:write"], &[b"orders:read users:write"], &[b"orders:read", b"users:write"]];
        for lines in unmet {
            let answer = with_lines(&app, &ada, &key, lines).await;
            refused(answer, 403, "insufficient_scope").await;
        }
        allowed(&with_lines(&app, &ada, &plain, &[]).await);
        let answer = with_lines(&app, &ada, &plain, &[b"orders:read"]).await;
        refused(answer, 403, "insufficient_scope").await;
    }

    async fn unreadable_scopes_are_refused_and_explained(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (key, _) = new_key(&app, &ada, json!({"name": "k", "scopes": ["*"]})).await;
        let long = "a".repeat(101);
        let many = "a ".repeat(8_193);
        let unreadable: [&[&[u8]]; 6] = [
            &[b"orders:*"],
            &[b"a,b"],
            &[b"a", b"\xff"],
            &[b"{\"any\":[]}"],
            &[long.as_bytes()],
            &[many.as_bytes()],
        ];
        for lines in unreadable {
            let answer = with_lines(&app, &ada, &key, lines).await;
            let body = problem(answer, 403, "insufficient_scope").await;
            assert!(text(&body["detail"]).contains("can’t be read"), "{body}");
        }
        let answer = with_lines(&app, &ada, "lk_live_nonsense", &[b"\xff"]).await;
        refused(answer, 401, "malformed_key").await;
    }

    async fn most_and_longest_scopes_fit_the_answer(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let scopes: Vec<_> = (0..64).map(|number| format!("{number:0>99}*")).collect();
        let (key, _) = new_key(&app, &ada, json!({"name": "k", "scopes": scopes})).await;
        let headers = allowed(&with_lines(&app, &ada, &key, &[]).await);
        assert_eq!(headers["x-latchkey-scopes"].len(), 64 * 101 - 1);
    }
}
