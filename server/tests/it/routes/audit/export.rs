//! An export of the audit log that is under way when its reader loses the right to read it.

use std::time::Duration;

use latchkey_domain::api::AuditFilter;
use latchkey_services::audit::{self, CsvExport};
use latchkey_services::{Error, accounts};
use serde_json::json;

use crate::routes::members::remove;
use crate::test_app::{Session, TestApp, on_both_databases};

/// A person's export of the log of the organization that their session is about, its header read.
async fn export(app: &TestApp, who: &Session) -> CsvExport {
    let services = &app.services;
    let actor = accounts::authenticate(services, Some(&who.jwt), None).await.unwrap();
    let organization = who.organization.parse().unwrap();
    let filter = AuditFilter::default();
    let mut export = audit::export(services, &actor, organization, &filter).await.unwrap();
    assert!(export.next().await.unwrap().unwrap().starts_with("id,at,"));
    export
}

on_both_databases! {
    async fn an_export_ends_when_its_reader_is_removed(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.join(&ada, "bob", "admin").await;
        let mut early = export(&app, &bob).await;
        let mut late = export(&app, &bob).await;
        assert!(late.next().await.unwrap().unwrap().contains("member.joined"));
        assert_eq!(remove(&app, &ada, "bob").await.status(), 204);
        for export in [&mut early, &mut late] {
            assert!(matches!(export.next().await, Err(Error::NotFound)));
        }
    }

    async fn an_export_ends_when_its_reader_is_no_longer_an_admin(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.join(&ada, "bob", "admin").await;
        let mut export = export(&app, &bob).await;
        let id = app.json("/v1/me", &bob.jwt).await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/organizations/{}/members/{id}", ada.organization);
        let body = json!({ "role": "member" });
        assert_eq!(app.send(reqwest::Method::PATCH, &path, &ada, &body).await.status(), 200);
        assert!(matches!(export.next().await, Err(Error::Forbidden(_))));
    }

    async fn an_export_ends_when_its_reader_signs_out(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let mut export = export(&app, &ada).await;
        let out = app.post("/logout").bearer_auth(&ada.jwt).send().await.unwrap();
        assert_eq!(out.status(), 204);
        assert!(matches!(export.next().await, Err(Error::Unauthenticated)));
    }

    async fn an_export_waits_for_its_reader_ten_minutes_in_all(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let mut whole = export(&app, &ada).await;
        let mut broken_off = export(&app, &ada).await;
        app.advance(Duration::from_mins(9));
        assert!(whole.next().await.unwrap().is_some());
        app.advance(Duration::from_mins(1));
        assert_eq!(whole.next().await.unwrap(), None);
        app.advance(Duration::from_secs(1));
        assert!(matches!(broken_off.next().await, Err(Error::Conflict(_))));
    }
}
