//! The audit log: what it records, how it is read, and that tampering shows.

mod export;

use std::process::{Command, Output};
use std::time::Duration;

use latchkey_services::audit::{ChainReport, Finding, verify};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::test_app::{Session, TestApp, key_path, on_both_databases, problem, text};

async fn log(app: &TestApp, who: &Session, query: &str) -> Vec<Value> {
    let path = format!("/v1/organizations/{}/audit{query}", who.organization);
    app.json(&path, &who.jwt).await["data"].as_array().unwrap().clone()
}

async fn newest(app: &TestApp, who: &Session) -> Value {
    log(app, who, "?limit=1").await.remove(0)
}

async fn csv(app: &TestApp, who: &Session, query: &str) -> String {
    let path = format!("/v1/organizations/{}/audit.csv{query}", who.organization);
    let answer = app.get(&path).bearer_auth(&who.jwt).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    answer.text().await.unwrap()
}

async fn reports(app: &TestApp) -> Vec<ChainReport> {
    let mut reports = Vec::new();
    let pepper = &app.config.services.pepper;
    verify(&app.services.database, pepper, |report| reports.push(report)).await.unwrap();
    reports
}

/// What is wrong with the logs, in words.
async fn findings(app: &TestApp) -> Vec<String> {
    let reports = reports(app).await;
    reports.iter().flat_map(|report| &report.findings).map(ToString::to_string).collect()
}

async fn execute(app: &TestApp, statement: &str) {
    let admin = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
    admin.execute_unprepared(statement).await.unwrap();
    admin.close().await.unwrap();
}

/// `latchkey audit verify` on the app's database.
fn verify_by_command(app: &TestApp) -> Output {
    let data = format!("--latchkey-data-dir={}", app.folder.path().display());
    Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(["audit", "verify", &data, &format!("--database-url={}", app.config.database_url)])
        .env_clear()
        .output()
        .unwrap()
}

on_both_databases! {
    async fn every_change_is_recorded_with_who_what_and_where(app: TestApp) {
        let ada = app.pro("ada").await;
        let me = text(&app.json("/v1/me", &ada.jwt).await["id"]);
        let key = app.create(&ada, &json!({ "name": "Web", "rpm": 60 })).await;
        let id = text(&key["api_key"]["id"]);
        let event = newest(&app, &ada).await;
        assert_eq!(event["actor"], json!({ "kind": "person", "id": me, "name": "ada" }));
        assert_eq!(event["action"], "key.created");
        assert_eq!(event["target"], json!({ "kind": "key", "id": id, "name": "Web" }));
        assert_eq!(event["ip"], "127.0.0.1");
        assert_eq!(event["changes"]["rpm"], json!({ "before": null, "after": 60 }));
        let path = format!("/v1/keys/{id}");
        let send = async |method: Method, path: String, body: Value| {
            let answer = app.send(method, &path, &ada, &body).await;
            assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        };
        send(Method::PATCH, path.clone(), json!({ "rpm": 90, "name": "Shop" })).await;
        let event = newest(&app, &ada).await;
        assert_eq!(event["action"], "key.changed");
        assert_eq!(event["changes"], json!({
            "name": { "before": "Web", "after": "Shop" },
            "rpm": { "before": 60, "after": 90 },
        }));
        send(Method::PATCH, path.clone(), json!({ "rpm": 90 })).await;
        assert_eq!(newest(&app, &ada).await["id"], event["id"], "what changes nothing is no event");
        send(Method::POST, format!("{path}/rotate"), json!({ "grace_seconds": 60 })).await;
        let masked = newest(&app, &ada).await["changes"]["masked"].clone();
        assert_eq!(masked["before"], key["api_key"]["masked"]);
        assert_ne!(masked["after"], masked["before"]);
        send(Method::DELETE, path.clone(), Value::Null).await;
        send(Method::DELETE, path.clone(), Value::Null).await;
        send(Method::POST, format!("{path}/archive"), Value::Null).await;
        send(Method::POST, format!("{path}/unarchive"), Value::Null).await;
        let body = json!({ "name": "Fernside" });
        send(Method::PATCH, format!("/v1/organizations/{}", ada.organization), body).await;
        let projects = format!("/v1/organizations/{}/projects", ada.organization);
        send(Method::POST, projects, json!({ "name": "Two" })).await;
        let applications = format!("/v1/projects/{}/applications", ada.project);
        send(Method::POST, applications, json!({ "name": "Three" })).await;
        send(Method::PATCH, format!("/v1/applications/{}", ada.application), json!({ "name": "A" })).await;
        send(Method::DELETE, format!("/v1/applications/{}", ada.application), Value::Null).await;
        send(Method::PATCH, format!("/v1/projects/{}", ada.project), json!({ "key_prefix": "fs" })).await;
        send(Method::DELETE, format!("/v1/projects/{}", ada.project), Value::Null).await;
        let bob = app.join(&ada, "bob", "viewer").await;
        let bob_id = text(&app.json("/v1/me", &bob.jwt).await["id"]);
        let member = format!("/v1/organizations/{}/members/{bob_id}", ada.organization);
        send(Method::PATCH, member.clone(), json!({ "role": "member" })).await;
        assert_eq!(newest(&app, &ada).await["changes"],
            json!({ "role": { "before": "viewer", "after": "member" } }));
        send(Method::DELETE, member, Value::Null).await;
        let actions: Vec<String> =
            log(&app, &ada, "?limit=100").await.iter().rev().map(|row| text(&row["action"])).collect();
        assert_eq!(actions, [
            "organization.created", "project.created", "application.created",
            "organization.tier_changed", "key.created", "key.changed", "key.rotated", "key.revoked",
            "key.archived", "key.unarchived", "organization.changed", "project.created",
            "application.created", "application.changed", "application.deleted", "project.changed",
            "project.deleted", "member.invited", "member.joined",
            "member.role_changed", "member.removed",
        ]);
        assert!(findings(&app).await.is_empty());
    }

    async fn no_secret_stands_in_the_audit_log(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.create(&ada, &json!({ "name": "Web" })).await;
        let path = format!("{}/rotate", key_path(&key));
        let rotated = app.send(Method::POST, &path, &ada, &json!({})).await;
        let rotated: Value = rotated.json().await.unwrap();
        let everything = format!(
            "{}{}",
            serde_json::to_string(&log(&app, &ada, "").await).unwrap(),
            csv(&app, &ada, "").await
        );
        for secret in [text(&key["key"]), text(&rotated["key"]), ada.jwt.clone(), ada.refresh_token.clone()] {
            assert!(!everything.contains(&secret));
            assert!(!everything.contains(&secret[12..30]), "nor a part of one");
        }
    }

    async fn sign_ins_are_in_no_organizations_log(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let before = log(&app, &ada, "?limit=100").await.len();
        let bob = app.join(&ada, "bob", "admin").await;
        assert_eq!(app.refresh(&bob.refresh_token).await.status(), 200);
        app.advance(Duration::from_secs(11));
        problem(app.refresh(&bob.refresh_token).await, 401, "unauthenticated").await;
        let again = app.sign_in("bob").await;
        app.post("/logout").bearer_auth(&again.jwt).send().await.unwrap();
        let events = log(&app, &ada, "?limit=100").await;
        let new: Vec<String> =
            events[..events.len() - before].iter().map(|event| text(&event["action"])).collect();
        assert_eq!(new, ["member.joined", "member.invited"]);
    }

    async fn a_service_key_is_named_as_the_actor(app: TestApp) {
        let ada = app.pro("ada").await;
        let body = json!({ "name": "CI", "kind": "service", "permissions": ["keys:write"] });
        let service = app.create(&ada, &body).await;
        let ci = Session { jwt: text(&service["key"]), ..ada.clone() };
        app.create(&ci, &json!({ "name": "made by CI" })).await;
        let event = newest(&app, &ada).await;
        assert_eq!(event["actor"], json!({
            "kind": "service_key", "id": service["api_key"]["id"], "name": "CI",
        }));
        let query = format!("?actor={}", text(&service["api_key"]["id"]));
        assert_eq!(log(&app, &ada, &query).await.len(), 1);
    }

    async fn the_log_is_filtered_and_paged(app: TestApp) {
        let ada = app.pro("ada").await;
        let bob = app.join(&ada, "bob", "admin").await;
        for number in 0..4 {
            app.advance(Duration::from_mins(1));
            let who = if number % 2 == 0 { &ada } else { &bob };
            app.create(who, &json!({ "name": format!("key {number}") })).await;
        }
        let bob_id = text(&app.json("/v1/me", &bob.jwt).await["id"]);
        let names = |events: Vec<Value>| -> Vec<String> {
            events.iter().map(|event| text(&event["target"]["name"])).collect()
        };
        let created = names(log(&app, &ada, "?action=key.created").await);
        assert_eq!(created, ["key 3", "key 2", "key 1", "key 0"]);
        for actor in [&*bob_id, "bob", "BOB", "@bob"] {
            let of_bob = names(log(&app, &ada, &format!("?action=key.created&actor={actor}")).await);
            assert_eq!(of_bob, ["key 3", "key 1"], "{actor}");
        }
        assert!(log(&app, &ada, "?actor=nobody").await.is_empty());
        assert!(log(&app, &ada, "?actor=system").await.is_empty());
        let all = log(&app, &ada, "?action=key.created").await;
        let (from, to) = (text(&all[2]["at"]), text(&all[0]["at"]));
        let between = names(log(&app, &ada, &format!("?action=key.created&from={from}&to={to}")).await);
        assert_eq!(between, ["key 2", "key 1"], "from is included, to is not");
        let path = format!("/v1/organizations/{}/audit?limit=3", ada.organization);
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.json(&format!("{path}{cursor}"), &ada.jwt).await;
            seen.extend(page["data"].as_array().unwrap().iter().map(|event| text(&event["id"])));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let whole: Vec<String> =
            log(&app, &ada, "?limit=100").await.iter().map(|event| text(&event["id"])).collect();
        assert_eq!(seen, whole);
        for (query, field) in [
            ("?action=key.stolen", "action"),
            ("?from=yesterday", "from"),
            ("?to=2026-13-01T00:00:00Z", "to"),
            ("?limit=101", "limit"),
            ("?cursor=x", "cursor"),
        ] {
            let path = format!("/v1/organizations/{}/audit{query}", ada.organization);
            let refused = app.get(&path).bearer_auth(&ada.jwt).send().await.unwrap();
            assert_eq!(problem(refused, 422, "invalid").await["errors"][0]["field"], field);
        }
    }

    async fn the_export_has_every_row_and_no_formula(app: TestApp) {
        let ada = app.pro("ada").await;
        app.create(&ada, &json!({ "name": "=HYPERLINK(\"http://evil\"),1" })).await;
        let text = csv(&app, &ada, "").await;
        let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
        assert!(lines[0].starts_with("id,at,actor_kind,actor_id,actor_name,action,"));
        assert_eq!(lines.len() - 1, log(&app, &ada, "?limit=100").await.len());
        assert!(lines[1].contains(r#","'=HYPERLINK(""http://evil""),1","#), "{}", lines[1]);
        let filtered = csv(&app, &ada, "?action=key.created").await;
        assert_eq!(filtered.trim_end().split("\r\n").count(), 2);
        let (head, rows) = text.split_once("\r\n").unwrap();
        let (filtered_head, filtered_rows) = filtered.split_once("\r\n").unwrap();
        assert_eq!(head, filtered_head);
        assert!(rows.starts_with(filtered_rows), "the newest first, as in the whole");
    }

    async fn an_export_of_many_rows_is_whole(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let path = format!("/v1/projects/{}", ada.project);
        // More than two parts of it.
        for number in 0..1_200 {
            let body = json!({ "name": format!("n{number}") });
            app.send(Method::PATCH, &path, &ada, &body).await;
        }
        let text = csv(&app, &ada, "?action=project.changed").await;
        let rows: Vec<&str> = text.trim_end().split("\r\n").skip(1).collect();
        assert_eq!(rows.len(), 1_200);
        for (row, number) in rows.iter().zip((0..1_200).rev()) {
            assert!(row.contains(&format!(",n{number},")), "{row}");
        }
        assert!(findings(&app).await.is_empty());
    }

    async fn many_changes_at_once_are_one_chain(app: TestApp) {
        let ada = app.sign_in("ada").await;
        app.set_tier(&ada, "enterprise").await;
        let make = |number: usize| {
            let (app, ada) = (&app, &ada);
            async move {
                app.create(ada, &json!({ "name": format!("k{number}") })).await;
            }
        };
        futures::future::join_all((0..32).map(make)).await;
        assert_eq!(log(&app, &ada, "?action=key.created&limit=100").await.len(), 32);
        assert!(findings(&app).await.is_empty());
    }

    async fn an_altered_row_is_named(app: TestApp) {
        let ada = app.pro("ada").await;
        for number in 0..5 {
            app.create(&ada, &json!({ "name": format!("k{number}") })).await;
        }
        assert!(findings(&app).await.is_empty());
        assert!(verify_by_command(&app).status.success());
        let events = log(&app, &ada, "?action=key.created").await;
        let victim = text(&events[2]["id"]);
        for column in ["actor_name", "action", "target_id", "target_name", "changes", "ip"] {
            let was = format!("CREATE TABLE kept AS SELECT id, {column} AS was FROM audit_events");
            execute(&app, &was).await;
            execute(&app, &format!(
                "UPDATE audit_events SET {column} = 'forged' WHERE target_name = 'k2'"
            )).await;
            let found = findings(&app).await;
            assert_eq!(found.len(), 1, "{column}: {found:?}");
            assert!(found[0].contains(&victim), "{column}: {found:?}");
            execute(&app, &format!(
                "UPDATE audit_events SET {column} = (SELECT was FROM kept WHERE kept.id = audit_events.id)"
            )).await;
            execute(&app, "DROP TABLE kept").await;
            assert!(findings(&app).await.is_empty());
        }
        execute(&app, "UPDATE audit_events SET at = at + 1 WHERE target_name = 'k2'").await;
        let output = verify_by_command(&app);
        assert!(!output.status.success());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&victim) && said.contains(&ada.organization), "{said}");
    }

    async fn removed_rows_are_missed(app: TestApp) {
        let ada = app.pro("ada").await;
        for number in 0..5 {
            app.create(&ada, &json!({ "name": format!("k{number}") })).await;
        }
        let organization = ada.organization.parse().unwrap();
        let sequence = async |name: &str| {
            let all = log(&app, &ada, "?limit=100").await;
            let place = all.iter().rev().position(|event| event["target"]["name"] == name).unwrap();
            i64::try_from(place).unwrap() + 1
        };
        let (middle, last) = (sequence("k2").await, sequence("k4").await);
        execute(&app, "DELETE FROM audit_events WHERE target_name IN ('k2', 'k4')").await;
        let reports = reports(&app).await;
        let report = reports.iter().find(|report| report.organization == organization).unwrap();
        assert_eq!(report.findings, [
            Finding::Removed { first: middle, last: middle },
            Finding::Removed { first: last, last },
        ]);
        execute(&app, "DELETE FROM audit_heads").await;
        assert!(findings(&app).await.iter().any(|found| found.contains("the log's end")));
    }

    async fn only_owners_and_admins_see_the_log(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        for path in ["audit", "audit.csv"] {
            let path = format!("/v1/organizations/{}/{path}", ada.organization);
            problem(app.send(Method::GET, &path, &eve, &Value::Null).await, 404, "not_found").await;
        }
        for (login, role, status) in [("vic", "viewer", 403), ("mel", "member", 403), ("al", "admin", 200)] {
            let who = app.join(&ada, login, role).await;
            for path in ["audit", "audit.csv"] {
                let path = format!("/v1/organizations/{}/{path}", ada.organization);
                let answer = app.send(Method::GET, &path, &who, &Value::Null).await;
                assert_eq!(answer.status().as_u16(), status, "{role} {path}");
            }
        }
    }
}
