//! The authorization matrix: every route that the server has, times everybody who may come.

mod table;

use std::collections::BTreeSet;
use std::time::Duration;

use latchkey_domain::id::{OrganizationId, UserId};
use latchkey_domain::role::Role;
use reqwest::{Method, Response};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::routes::usage::literal;
use crate::test_app::{Backend, START, Session, TestApp, key_path, problem, text};
use table::{Access, Row, TABLE};

/// Every permission that a service key can have.
const PERMISSIONS: [&str; 4] = ["keys:read", "keys:write", "keys:verify", "usage:read"];

/// The routes that the server has, from its own description.
fn routes() -> BTreeSet<String> {
    let documents = [latchkey_server::openapi(), latchkey_server::dashboard_openapi()];
    let mut routes = BTreeSet::new();
    for (path, item) in documents.iter().flat_map(|document| &document.paths.paths) {
        let methods = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
        ];
        let there = methods.into_iter().filter(|(_, operation)| operation.is_some());
        routes.extend(there.map(|(method, _)| format!("{method} {path}")));
    }
    routes
}

#[test]
fn every_route_has_its_row_in_the_matrix() {
    let rows: BTreeSet<String> = TABLE.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(rows.len(), TABLE.len(), "a row is there twice");
    let routes = routes();
    let missing: Vec<_> = routes.difference(&rows).collect();
    let surplus: Vec<_> = rows.difference(&routes).collect();
    assert!(missing.is_empty(), "say who may: {missing:#?}");
    assert!(surplus.is_empty(), "there is no such route any more: {surplus:#?}");
}

/// People who stay the same in every round.
struct People {
    owner: Session,
    admin: Session,
    member: Session,
    viewer: Session,
    stranger: Session,
    victim: String,
    expired: String,
}

impl People {
    async fn sign_in(app: &TestApp) -> Self {
        let expired = app.sign_in("owner").await.jwt;
        app.advance(Duration::from_secs(1_000));
        let victim = app.sign_in("victim").await;
        let victim = text(&app.json("/v1/me", &victim.jwt).await["id"]);
        Self {
            victim,
            owner: app.sign_in("owner").await,
            admin: app.sign_in("admin").await,
            member: app.sign_in("member").await,
            viewer: app.sign_in("viewer").await,
            stranger: app.sign_in("stranger").await,
            expired,
        }
    }

    /// Those who are members of every tenant, with their roles.
    async fn members(&self, app: &TestApp) -> Vec<(UserId, &'static str)> {
        let mut members = vec![(self.victim.parse().unwrap(), "viewer")];
        let others = [(&self.admin, "admin"), (&self.member, "member"), (&self.viewer, "viewer")];
        for (session, role) in others {
            let me = app.json("/v1/me", &session.jwt).await;
            members.push((text(&me["id"]).parse().unwrap(), role));
        }
        members
    }

    fn with_role(&self, role: Role) -> &Session {
        match role {
            Role::Owner => &self.owner,
            Role::Admin => &self.admin,
            Role::Member => &self.member,
            Role::Viewer => &self.viewer,
        }
    }
}

/// A tenant with one of everything.
struct Tenant {
    names: Vec<(&'static str, String)>,
}

impl Tenant {
    async fn new(app: &TestApp, people: &People) -> Self {
        let owner = &people.owner;
        let make = async |path: String, body: Value| -> Value {
            let answer = app.send(Method::POST, &path, owner, &body).await;
            assert!(answer.status().is_success(), "{path}");
            answer.json().await.unwrap()
        };
        let organization = make("/v1/organizations".to_owned(), json!({ "name": "O" })).await;
        let organization = text(&organization["id"]);
        let owner = Session { organization: organization.clone(), ..owner.clone() };
        app.set_tier(&owner, "enterprise").await;
        let project =
            make(format!("/v1/organizations/{organization}/projects"), json!({ "name": "P" }));
        let project = text(&project.await["id"]);
        let application =
            make(format!("/v1/projects/{project}/applications"), json!({ "name": "A" }));
        let application = text(&application.await["id"]);
        put_members(app, people, &organization).await;
        let keys = format!("/v1/projects/{project}/keys");
        let key = make(keys.clone(), json!({ "name": "key" })).await;
        let revoked = make(keys.clone(), json!({ "name": "revoked" })).await;
        let inference_keys = format!("/v1/projects/{project}/inference/keys");
        let inference = make(inference_keys.clone(), json!({ "name": "inference" })).await;
        let spent = make(inference_keys, json!({ "name": "spent" })).await;
        for key in [&revoked, &spent] {
            let path = key_path(key);
            app.send(Method::DELETE, &path, &owner, &Value::Null).await;
        }
        let mut names = vec![
            ("$org", organization),
            ("$project", project),
            ("$app", application),
            ("$victim", people.victim.clone()),
            ("$guest", "guest".to_owned()),
            ("$key", text(&key["api_key"]["id"])),
            ("$secret", text(&key["key"])),
            ("$revoked", text(&revoked["api_key"]["id"])),
            ("$inference", text(&inference["api_key"]["id"])),
            ("$spent", text(&spent["api_key"]["id"])),
            ("$session", "ses_01kc3f1m6ze1tvyqnz0rg5bqfa".to_owned()),
        ];
        for permission in PERMISSIONS {
            let others: Vec<_> =
                PERMISSIONS.into_iter().filter(|other| *other != permission).collect();
            for (kind, permissions) in [("with", vec![permission]), ("without", others)] {
                let body = json!({
                    "name": format!("{kind} {permission}"), "kind": "service", "permissions": permissions,
                });
                let key = make(keys.clone(), body).await;
                names.push((service_name(kind, permission), text(&key["key"])));
            }
        }
        Self { names }
    }

    /// Another one in its place: a person owns so many and no more.
    async fn renew(&mut self, app: &TestApp, people: &People) {
        let path = format!("/v1/organizations/{}", self.get("$org"));
        app.send(Method::DELETE, &path, &people.owner, &Value::Null).await;
        *self = Self::new(app, people).await;
    }

    fn get(&self, name: &str) -> &str {
        &self.names.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// The row's request, as whoever has this token.
    async fn send(&self, app: &TestApp, row: &Row, bearer: Option<&str>) -> Response {
        let (method, path) = row.0.split_once(' ').unwrap();
        let mut ids = row.1.iter().map(|name| self.get(name));
        let mut path: String = path
            .split('/')
            .map(|part| if part.starts_with('{') { ids.next().unwrap() } else { part })
            .collect::<Vec<_>>()
            .join("/");
        if let Some(application) = ids.next() {
            path = format!("{path}?ApplicationId={application}");
        }
        let mut body = row.3.to_owned();
        // The longer names first: `$revoked` is no `$r`.
        for (name, value) in &self.names {
            body = body.replace(&format!("\"{name}\""), &format!("\"{value}\""));
        }
        let request = app.http.request(method.parse().unwrap(), format!("{}{path}", app.base));
        let request = match bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let request = if body.is_empty() {
            request
        } else {
            let is_file = row.0.ends_with("/import");
            let kind = if is_file { "application/x-ndjson" } else { "application/json" };
            request.header("content-type", kind).body(body)
        };
        request.send().await.unwrap()
    }
}

/// Makes members and an invitation as the database has them: by invitations there would be too many
/// an hour.
async fn put_members(app: &TestApp, people: &People, organization: &str) {
    let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
    let id: OrganizationId = organization.parse().unwrap();
    let organization = literal(&database, id);
    for (user, role) in people.members(app).await {
        let user = literal(&database, user);
        let row = format!(
            "INSERT INTO memberships (organization_id, user_id, role, created_at) \
             VALUES ({organization}, {user}, '{role}', {START})"
        );
        database.execute_unprepared(&row).await.unwrap();
    }
    let row = format!(
        "INSERT INTO invitations (id, organization_id, login, role, created_at) \
         VALUES ({organization}, {organization}, 'guest', 'viewer', {START})"
    );
    database.execute_unprepared(&row).await.unwrap();
    database.close().await.unwrap();
}

fn service_name(kind: &str, permission: &str) -> &'static str {
    match (kind, permission) {
        ("with", "keys:read") => "with keys:read",
        ("with", "keys:write") => "with keys:write",
        ("with", "keys:verify") => "with keys:verify",
        ("with", _) => "with usage:read",
        (_, "keys:read") => "without keys:read",
        (_, "keys:write") => "without keys:write",
        (_, "keys:verify") => "without keys:verify",
        (_, _) => "without usage:read",
    }
}

/// Whether the request may have changed something, so that the next one needs a tenant of its own.
/// A route that is not known by its name to be reading counts as changing.
fn changes(row: &Row) -> bool {
    const READING: [&str; 5] = ["/list", "/get", "/plan", "/dry-run", "/v1/keys/verify"];
    let (method, path) = row.0.split_once(' ').unwrap();
    let reads = READING.iter().any(|end| path.ends_with(end)) || path.starts_with("/api/usage/");
    method != "GET" && !reads
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authorization_matrix_holds() {
    let app = TestApp::on(Backend::Sqlite).await;
    let people = People::sign_in(&app).await;
    let mut tenant = Tenant::new(&app, &people).await;
    let elsewhere = Tenant::new(&app, &people).await;
    let mut requests = 0_u32;
    for row in TABLE.iter().filter(|row| row.2 != Access::Anybody) {
        if row.2 == Access::InferenceKey {
            let answer = tenant.send(&app, row, None).await;
            assert_eq!(answer.status(), 401, "{}", row.0);
            assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "missing_key");
            let person = tenant.send(&app, row, Some(&people.owner.jwt)).await;
            assert_eq!(person.status(), 401, "{}", row.0);
            requests += 2;
            continue;
        }
        let code = if row.2 == Access::ApplicationKey { "missing_key" } else { "unauthenticated" };
        problem(tenant.send(&app, row, None).await, 401, code).await;
        if row.2 == Access::ApplicationKey {
            requests += 1;
            continue;
        }
        problem(tenant.send(&app, row, Some(&people.expired)).await, 401, code).await;
        requests += 2;
        let (least, permission) = match row.2 {
            Access::From(role, permission) => (Some(role), permission),
            _ => (None, None),
        };
        let strange = tenant.send(&app, row, Some(&people.stranger.jwt)).await;
        match (least, row.0) {
            (None, _) if row.2 == Access::Administrator => {
                problem(strange, 403, "forbidden").await;
            }
            (None, _) => {}
            // A body, not a path, names the key, and the answer says that it is unknown.
            (_, "POST /v1/keys/verify") => {
                let answer: Value = strange.json().await.unwrap();
                assert_eq!(answer, json!({ "valid": false, "code": "unknown_key" }));
            }
            _ => {
                problem(strange, 404, "not_found").await;
            }
        }
        for permission in PERMISSIONS.into_iter().filter(|_| least.is_some()) {
            let foreign = elsewhere.get(service_name("with", permission));
            let answer = tenant.send(&app, row, Some(foreign)).await;
            requests += 1;
            if row.0 != "POST /v1/keys/verify" {
                assert_eq!(answer.status(), 404, "{} with another tenant’s {permission}", row.0);
                problem(answer, 404, "not_found").await;
            } else if permission == "keys:verify" {
                let answer: Value = answer.json().await.unwrap();
                assert_eq!(answer, json!({ "valid": false, "code": "unknown_key" }));
            } else {
                problem(answer, 403, "forbidden").await;
            }
        }
        for role in Role::ALL.into_iter().filter(|_| least.is_some()) {
            let answer = tenant.send(&app, row, Some(&people.with_role(role).jwt)).await;
            requests += 1;
            let said = format!("{} as {role:?}: {}", row.0, answer.status());
            if least.is_some_and(|least| role >= least) {
                assert!(answer.status().is_success(), "{said}: {}", answer.text().await.unwrap());
                if changes(row) {
                    tenant.renew(&app, &people).await;
                }
            } else {
                assert_eq!(answer.status().as_u16(), 403, "{said}");
                problem(answer, 403, "forbidden").await;
            }
        }
        let probes = match permission {
            Some(needed) => {
                vec![(service_name("with", needed), true), (service_name("without", needed), false)]
            }
            None => PERMISSIONS.map(|any| (service_name("with", any), false)).to_vec(),
        };
        for (name, allowed) in probes {
            let answer = tenant.send(&app, row, Some(tenant.get(name))).await;
            requests += 1;
            if allowed {
                let said = format!("{} {name}: {}", row.0, answer.status());
                assert!(answer.status().is_success(), "{said}: {}", answer.text().await.unwrap());
                if changes(row) {
                    tenant.renew(&app, &people).await;
                }
            } else {
                problem(answer, 403, "forbidden").await;
            }
        }
    }
    assert!(requests > 700, "{requests} requests");
}
