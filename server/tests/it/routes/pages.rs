//! The pages as they come from the server, before they are alive.

use crate::test_app::{Backend, TestApp};

#[tokio::test]
async fn pages_come_with_a_strict_content_policy() {
    let app = TestApp::on(Backend::Sqlite).await;
    for path in ["/login", "/", "/projects/prj_x/applications"] {
        let page = app.get(path).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert_eq!(page.headers()["x-content-type-options"], "nosniff");
        assert_eq!(page.headers()["referrer-policy"], "no-referrer");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"),
            "{policy}"
        );
        assert!(policy.contains("connect-src 'self';"), "{policy}");
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        let html = page.text().await.unwrap();
        for script in html.split("<script").skip(1) {
            assert!(script.contains(&format!("nonce=\"{nonce}\"")), "{path}: <script{script:.80}");
        }
        assert!(!html.contains(" style=\""), "{path}: no inline style");
    }
}

#[tokio::test]
async fn an_unknown_page_is_a_404_that_a_person_can_read() {
    let app = TestApp::on(Backend::Sqlite).await;
    let page = app.get("/nothing/here").header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), 404);
    assert!(page.text().await.unwrap().contains("This page doesn’t exist"));
}

#[tokio::test]
async fn the_theme_is_in_the_first_html() {
    let app = TestApp::on(Backend::Sqlite).await;
    let html = async |cookie: &str| {
        app.get("/login").header("cookie", cookie).send().await.unwrap().text().await.unwrap()
    };
    assert!(html("theme=dark").await.contains("<html lang=\"en\" data-theme=\"dark\""));
    assert!(!html("theme=\"><script>").await.contains("data-theme"));
}
