//! An export of the audit log that is under way when its reader loses the right to read it.

use std::time::Duration;

use latchkey_domain::api::AuditFilter;
use latchkey_services::audit::{self, CsvExport};
use latchkey_services::{Error, accounts};
use serde_json::json;

use crate::routes::members::remove;
use crate::world::{Session, World, on_both_databases};

/// A person's export of the log of the organization that their session is about, its header read.
async fn export(world: &World, who: &Session) -> CsvExport {
    let services = &world.services;
    let actor = accounts::authenticate(services, Some(&who.jwt), None).await.unwrap();
    let organization = who.organization.parse().unwrap();
    let filter = AuditFilter::default();
    let mut export = audit::export(services, &actor, organization, &filter).await.unwrap();
    assert!(export.next().await.unwrap().unwrap().starts_with("id,at,"));
    export
}

on_both_databases! {
    async fn an_export_ends_when_its_reader_is_removed(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.join(&ada, "bob", "admin").await;
        let mut early = export(&world, &bob).await;
        let mut late = export(&world, &bob).await;
        assert!(late.next().await.unwrap().unwrap().contains("member.joined"));
        assert_eq!(remove(&world, &ada, "bob").await.status(), 204);
        for export in [&mut early, &mut late] {
            assert!(matches!(export.next().await, Err(Error::NotFound)));
        }
    }

    async fn an_export_ends_when_its_reader_is_no_longer_an_admin(world: World) {
        let ada = world.sign_in("ada").await;
        let bob = world.join(&ada, "bob", "admin").await;
        let mut export = export(&world, &bob).await;
        let id = world.json("/v1/me", &bob.jwt).await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/organizations/{}/members/{id}", ada.organization);
        let body = json!({ "role": "member" });
        assert_eq!(world.send(reqwest::Method::PATCH, &path, &ada, &body).await.status(), 200);
        assert!(matches!(export.next().await, Err(Error::Forbidden(_))));
    }

    async fn an_export_ends_when_its_reader_signs_out(world: World) {
        let ada = world.sign_in("ada").await;
        let mut export = export(&world, &ada).await;
        let out = world.post("/logout").bearer_auth(&ada.jwt).send().await.unwrap();
        assert_eq!(out.status(), 204);
        assert!(matches!(export.next().await, Err(Error::Unauthenticated)));
    }

    async fn an_export_waits_for_its_reader_ten_minutes_in_all(world: World) {
        let ada = world.sign_in("ada").await;
        let mut whole = export(&world, &ada).await;
        let mut broken_off = export(&world, &ada).await;
        world.advance(Duration::from_mins(9));
        assert!(whole.next().await.unwrap().is_some());
        world.advance(Duration::from_mins(1));
        assert_eq!(whole.next().await.unwrap(), None);
        world.advance(Duration::from_secs(1));
        assert!(matches!(broken_off.next().await, Err(Error::Conflict(_))));
    }
}
