//! Makes a project and a key, has the key verified, revokes it, and reads what the audit log says
//! of it, with the client that progenitor made of `/openapi.json`.

mod client {
    #![expect(unreachable_patterns, reason = "it is generated: ranges of statuses come before one")]
    include!(concat!(env!("OUT_DIR"), "/client.rs"));
}

use std::env;
use std::error::Error;

use client::types::{AuditAction, Environment, KeyRequest, Outcome, ProjectRequest, VerifyRequest};
use client::{Client, Error as CallError};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::{from_value, json};

/// A client with one of the credentials.
fn client(credential: &str) -> Result<Client, Box<dyn Error>> {
    let bearer = format!("Bearer {}", env::var(credential)?);
    let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.parse()?)]);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    Ok(Client::new_with_client(&env::var("LATCHKEY_URL")?, http))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (person, backend) = (client("LATCHKEY_TOKEN")?, client("LATCHKEY_SERVICE_KEY")?);
    let me = person.get_me().await?.into_inner();
    let organization = &me.organizations.first().ok_or("nobody is signed in")?.id;

    let body = ProjectRequest { name: "Generated for Rust".parse()?, key_prefix: None };
    person.create_project(organization, None, &body).await?;

    let body: KeyRequest = from_value(json!({"name": "Rust", "environment": "live", "rpm": 600}))?;
    assert_eq!(body.environment, Some(Environment::Live));
    let project = env::var("LATCHKEY_PROJECT")?.parse()?;
    let again = "made-once".parse()?;
    let created = backend.create_key(&project, Some(&again), &body).await?.into_inner();
    let refused = backend.create_key(&project, Some(&again), &body).await;
    assert!(
        matches!(&refused, Err(CallError::ErrorResponse(told)) if told.status() == 409),
        "{refused:?}"
    );

    let asked: VerifyRequest = from_value(json!({"key": created.key, "cost": 1}))?;
    let before = backend.verify_key(&asked).await?.into_inner();
    assert!(before.valid && before.key_id.as_ref() == Some(&created.api_key.id), "{before:?}");
    backend.revoke_key(&created.api_key.id).await?;
    let after = backend.verify_key(&asked).await?.into_inner();
    assert!(!after.valid && after.code == Outcome::RevokedKey, "{after:?}");

    let wanted = Some(AuditAction::KeyRevoked);
    let log = person
        .list_audit_events(organization, wanted, None, None, None, 1.try_into().ok(), None)
        .await?
        .into_inner();
    let told: Vec<_> = log.data.iter().map(|event| (event.action, &*event.target.id)).collect();
    assert_eq!(told, [(AuditAction::KeyRevoked, created.api_key.id.as_str())]);
    println!("progenitor: made, verified, revoked and found in the audit log");
    Ok(())
}
