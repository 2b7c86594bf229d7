//! Files that programs ask every site for.

use crate::test_app::{Backend, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn crawlers_and_browsers_find_their_files() {
    let app = TestApp::on(Backend::Sqlite).await;
    let robots = app.get("/robots.txt").send().await.unwrap();
    assert_eq!(robots.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(robots.text().await.unwrap(), "User-agent: *\nDisallow: /\n");
    let icon = app.get("/favicon.ico").send().await.unwrap();
    assert_eq!(icon.headers()["content-type"], "image/x-icon");
    assert!(icon.bytes().await.unwrap().starts_with(&[0, 0, 1, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_contact_is_published_when_it_is_set() {
    let none = TestApp::on(Backend::Sqlite).await;
    let missing = none.get("/.well-known/security.txt").send().await.unwrap();
    assert_eq!(missing.status(), 404);
    let contact = "--latchkey-security-contact=security@example.com";
    let app = TestApp::with(Backend::Sqlite, &[contact]).await;
    let file = app.get("/.well-known/security.txt").send().await.unwrap();
    assert_eq!(file.headers()["content-type"], "text/plain; charset=utf-8");
    let file = file.text().await.unwrap();
    assert!(file.starts_with("Contact: mailto:security@example.com\nExpires: 20"), "{file}");
    assert!(file.contains(&format!("Canonical: {}/.well-known/", app.config.public_url)), "{file}");
}
