//! `/v1/projects/{id}/keys`, `/v1/keys/{id}` and the same for inference keys.

use std::time::Duration;

use latchkey_domain::time::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_app::{START, Session, key_path, on_both_databases, problem, text};

/// Time that is `seconds` after the app began.
fn at(seconds: i64) -> String {
    Timestamp::from_millis(START + seconds * 1_000).to_string()
}

on_both_databases! {
    async fn a_key_has_every_limit_that_it_was_given(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({
            "name": "Everything", "environment": "test", "application_id": ada.application, "rpm": 600,
            "tpm": 90_000, "token_limit": 5_000_000, "token_limit_period": "month",
            "allowed_models": ["bge-m3"], "allowed_cidrs": ["203.0.113.9/24", "2001:db8::1"],
            "expires_at": at(3_600),
        });
        let created = app.create(&ada, &body).await;
        let key = &created["api_key"];
        assert!(text(&created["key"]).starts_with("lk_test_"));
        for (field, value) in [
            ("kind", json!("api")), ("name", json!("Everything")), ("environment", json!("test")),
            ("application_id", json!(ada.application)), ("rpm", json!(600)), ("tpm", json!(90_000)),
            ("token_limit", json!(5_000_000)), ("token_limit_period", json!("month")),
            ("allowed_models", json!(["bge-m3"])),
            ("allowed_cidrs", json!(["203.0.113.0/24", "2001:db8::1/128"])),
            ("expires_at", json!(at(3_600))), ("status", json!("active")), ("permissions", Value::Null),
        ] {
            assert_eq!(key[field], value, "{field}");
        }
        let read = app.json(&format!("/v1/keys/{}", text(&key["id"])), &ada.jwt).await;
        assert_eq!(&read, key);
    }

    async fn documented_inference_key_body_is_accepted(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({
            "name": "prod", "rpm": 600, "tpm": 200_000, "token_limit": 5_000_000,
            "token_limit_period": "month", "allowed_models": ["qwen3.6-27b", "bge-m3"],
            "expires_at": at(86_400),
        });
        let path = format!("/v1/projects/{}/inference/keys", ada.project);
        let created = app.post(&path).bearer_auth(&ada.jwt).json(&body).send().await.unwrap();
        assert_eq!(created.status(), 201);
        let created: Value = created.json().await.unwrap();
        assert_eq!(created["api_key"]["kind"], "inference");
        let id = text(&created["api_key"]["id"]);
        for path in ["inference/keys", "keys"] {
            assert_eq!(app.json(&format!("/v1/{path}/{id}"), &ada.jwt).await["id"], id);
        }
        let listed = app.json(&path, &ada.jwt).await;
        assert_eq!(listed["data"][0]["id"], id);
        let api = app.create(&ada, &json!({"name": "An API key"})).await;
        let foreign = format!("/v1/inference/keys/{}", text(&api["api_key"]["id"]));
        problem(app.get(&foreign).bearer_auth(&ada.jwt).send().await.unwrap(), 404, "not_found").await;
        assert_eq!(app.json(&path, &ada.jwt).await["data"].as_array().unwrap().len(), 1);
    }

    async fn parallel_creates_never_exceed_the_free_tier(app: TestApp) {
        let ada = app.sign_in("ada").await;
        for round in 0..20 {
            let creates = (0..64).map(|number| {
                let kind = if number % 2 == 0 { "keys" } else { "inference/keys" };
                let path = format!("/v1/projects/{}/{kind}", ada.project);
                let body = json!({"name": format!("{round}-{number}")});
                app.post(&path).bearer_auth(&ada.jwt).json(&body).send()
            });
            let answers = futures::future::join_all(creates).await;
            let mut made = Vec::new();
            for answer in answers {
                let answer = answer.unwrap();
                if answer.status() == 201 {
                    made.push(text(&answer.json::<Value>().await.unwrap()["api_key"]["id"]));
                } else {
                    problem(answer, 409, "tier_limit_reached").await;
                }
            }
            assert_eq!(made.len(), 2, "round {round}");
            for key in made {
                assert_eq!(app.revoke(&ada, &key).await.status(), 204);
            }
        }
    }

    async fn tier_change_is_immediate_and_only_for_administrators(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let root = app.sign_in("root").await;
        let path = format!("/v1/organizations/{}", ada.organization);
        for number in 0..2 {
            app.create(&ada, &json!({"name": format!("key {number}")})).await;
        }
        let third = json!({"name": "third"});
        problem(app.try_create(&ada, &third).await, 409, "tier_limit_reached").await;
        let pro = json!({"tier": "pro"});
        problem(app.send(Method::PATCH, &path, &ada, &pro).await, 403, "forbidden").await;
        let foreign = format!("/v1/organizations/{}", root.organization);
        problem(app.send(Method::PATCH, &foreign, &ada, &pro).await, 404, "not_found").await;
        let changed = app.send(Method::PATCH, &path, &root, &pro).await;
        assert_eq!(changed.status(), 200);
        let changed: Value = changed.json().await.unwrap();
        assert_eq!((&changed["tier"], &changed["role"]), (&json!("pro"), &Value::Null));
        app.create(&ada, &third).await;
        let lowered = app.send(Method::PATCH, &path, &root, &json!({"tier": "free"})).await;
        assert_eq!(lowered.status(), 200);
        let project = app.json(&format!("/v1/projects/{}", ada.project), &ada.jwt).await;
        assert_eq!((&project["keys_used"], &project["keys_limit"]), (&json!(3), &json!(2)));
        problem(app.try_create(&ada, &json!({"name": "4th"})).await, 409, "tier_limit_reached").await;
        problem(app.send(Method::PATCH, &path, &root, &json!({"tier": "gold"})).await, 422, "invalid").await;
    }

    async fn a_patch_changes_what_it_names_and_null_clears(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "rpm": 5, "token_limit": 9, "token_limit_period": "day",
            "application_id": ada.application});
        let created = app.create(&ada, &body).await;
        let path = key_path(&created);
        let change = async |body: Value| app.send(Method::PATCH, &path, &ada, &body).await;
        let changed: Value = change(json!({"name": "B", "rpm": null})).await.json().await.unwrap();
        assert_eq!((&changed["name"], &changed["rpm"]), (&json!("B"), &Value::Null));
        assert_eq!((&changed["token_limit"], &changed["token_limit_period"]), (&json!(9), &json!("day")));
        let half = problem(change(json!({"token_limit": null})).await, 422, "invalid").await;
        assert_eq!(half["errors"][0]["field"], "token_limit");
        let both: Value =
            change(json!({"token_limit": null, "token_limit_period": null})).await.json().await.unwrap();
        assert_eq!(both["token_limit_period"], Value::Null);
        problem(change(json!({"expires_at": at(-1)})).await, 422, "invalid").await;
        problem(change(json!({"name": null})).await, 422, "invalid").await;
        problem(change(json!({"environment": "test"})).await, 422, "invalid").await;
        app.create(&ada, &json!({"name": "C"})).await;
        problem(change(json!({"name": "C"})).await, 409, "name_taken").await;
        assert_eq!(change(json!({"name": "B"})).await.status(), 200, "its own name is its own");
        assert_eq!(change(json!({})).await.status(), 200);
        assert_eq!(app.send(Method::DELETE, &path, &ada, &Value::Null).await.status(), 204);
        problem(change(json!({"rpm": 1})).await, 409, "conflict").await;
    }

    async fn a_changed_limit_holds_from_the_answer_on(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let created =
            app.create(&ada, &json!({"name": "A", "application_id": ada.application})).await;
        let (secret, path) =
            (text(&created["key"]), key_path(&created));
        for _ in 0..5 {
            assert_eq!(app.ingest(&secret).await.status(), 200);
        }
        app.send(Method::PATCH, &path, &ada, &json!({"allowed_cidrs": ["203.0.113.0/24"]})).await;
        problem(app.ingest(&secret).await, 403, "ip_not_allowed").await;
        app.send(Method::PATCH, &path, &ada, &json!({"allowed_cidrs": ["127.0.0.1"]})).await;
        assert_eq!(app.ingest(&secret).await.status(), 200);
    }

    async fn a_key_dies_at_the_instant_it_expires_and_can_come_back(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "expires_at": at(60), "application_id": ada.application});
        let created = app.create(&ada, &body).await;
        let (secret, id) = (text(&created["key"]), text(&created["api_key"]["id"]));
        app.advance(Duration::from_millis(59_999));
        let ada = app.sign_in("ada").await;
        assert_eq!(app.ingest(&secret).await.status(), 200);
        app.advance(Duration::from_millis(1));
        problem(app.ingest(&secret).await, 401, "expired_key").await;
        let path = format!("/v1/keys/{id}");
        assert_eq!(app.json(&path, &ada.jwt).await["status"], "expired");
        let rotate = app.send(Method::POST, &format!("{path}/rotate"), &ada, &json!({})).await;
        problem(rotate, 409, "conflict").await;
        // Its slot is free while it is dead, and it must find one to come back.
        for name in ["B", "C"] {
            app.create(&ada, &json!({"name": name})).await;
        }
        let later = json!({"expires_at": null});
        let full = app.send(Method::PATCH, &path, &ada, &later).await;
        problem(full, 409, "tier_limit_reached").await;
        let renamed = app.send(Method::PATCH, &path, &ada, &json!({"name": "Dead"})).await;
        assert_eq!(renamed.status(), 200, "an expired key can be changed");
        let archived = app.send(Method::POST, &format!("{path}/archive"), &ada, &Value::Null).await;
        assert_eq!(archived.status(), 200);
        let list = app.json(&format!("/v1/projects/{}/keys?q=C", ada.project), &ada.jwt).await;
        app.revoke(&ada, &text(&list["data"][0]["id"])).await;
        let back: Value =
            app.send(Method::PATCH, &path, &ada, &later).await.json().await.unwrap();
        assert_eq!((&back["status"], &back["archived"]), (&json!("active"), &json!(false)));
        assert_eq!(app.ingest(&secret).await.status(), 200);
    }

    async fn rotated_key_keeps_id_and_old_secret_works_during_grace(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "application_id": ada.application});
        let created = app.create(&ada, &body).await;
        let (first, id) = (text(&created["key"]), text(&created["api_key"]["id"]));
        assert_eq!(app.ingest(&first).await.status(), 200);
        let path = format!("/v1/keys/{id}/rotate");
        let rotate = async |body: Value| app.send(Method::POST, &path, &ada, &body).await;
        let rotated = rotate(json!({"grace_seconds": 600})).await;
        assert_eq!(rotated.status(), 200);
        let rotated: Value = rotated.json().await.unwrap();
        let second = text(&rotated["key"]);
        assert_eq!(rotated["api_key"]["id"], id);
        assert_ne!(first, second);
        assert_eq!(rotated["api_key"]["masked"], format!("{}...{}", &second[..12], &second[42..]));
        for secret in [&first, &second] {
            assert_eq!(app.ingest(secret).await.status(), 200);
        }
        app.advance(Duration::from_secs(599));
        assert_eq!(app.ingest(&first).await.status(), 200);
        app.advance(Duration::from_secs(1));
        problem(app.ingest(&first).await, 401, "revoked_key").await;
        assert_eq!(app.ingest(&second).await.status(), 200);
        // Without a body the old secret stops at once.
        let third = app.post(&path).bearer_auth(&ada.jwt).send().await.unwrap();
        let third = text(&third.json::<Value>().await.unwrap()["key"]);
        problem(app.ingest(&second).await, 401, "revoked_key").await;
        app.clock.set_by(-86_400_000);
        problem(app.ingest(&second).await, 401, "revoked_key").await;
        app.clock.set_by(86_400_000);
        problem(app.ingest(&first).await, 401, "unknown_key").await;
        assert_eq!(app.ingest(&third).await.status(), 200);
        problem(rotate(json!({"grace_seconds": 604_801})).await, 422, "invalid").await;
        problem(rotate(json!({"grace_seconds": -1})).await, 422, "invalid").await;
        rotate(json!({"grace_seconds": 604_800})).await;
        app.revoke(&ada, &id).await;
        problem(app.ingest(&third).await, 401, "revoked_key").await;
        problem(rotate(json!({})).await, 409, "conflict").await;
    }

    async fn the_old_secret_never_outlives_the_key(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "application_id": ada.application, "expires_at": at(100)});
        let created = app.create(&ada, &body).await;
        let path = key_path(&created);
        let rotate = json!({"grace_seconds": 3_600});
        app.send(Method::POST, &format!("{path}/rotate"), &ada, &rotate).await;
        let later = json!({"expires_at": at(50_000)});
        assert_eq!(app.send(Method::PATCH, &path, &ada, &later).await.status(), 200);
        app.advance(Duration::from_secs(100));
        problem(app.ingest(&text(&created["key"])).await, 401, "revoked_key").await;
    }

    async fn archived_keys_are_listed_only_when_asked_for(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let created = app.create(&ada, &json!({"name": "A"})).await;
        let id = text(&created["api_key"]["id"]);
        let act = async |what: &str| {
            let path = format!("/v1/keys/{id}/{what}");
            app.send(Method::POST, &path, &ada, &Value::Null).await
        };
        problem(act("archive").await, 409, "conflict").await;
        app.revoke(&ada, &id).await;
        let archived: Value = act("archive").await.json().await.unwrap();
        assert_eq!(archived["archived"], true);
        assert!(archived["archived_at"].is_string());
        assert_eq!(act("archive").await.status(), 200, "again: the same");
        let list = format!("/v1/projects/{}/keys", ada.project);
        assert_eq!(app.json(&list, &ada.jwt).await["data"], json!([]));
        let with = app.json(&format!("{list}?archived=true"), &ada.jwt).await;
        assert_eq!(with["data"][0]["id"], id);
        let shown: Value = act("unarchive").await.json().await.unwrap();
        assert_eq!((&shown["archived"], &shown["archived_at"]), (&json!(false), &Value::Null));
        assert_eq!(app.json(&list, &ada.jwt).await["data"][0]["status"], "revoked");
    }

    async fn key_list_is_searched_and_paged(app: TestApp) {
        let ada = app.pro("ada").await;
        for (name, environment) in [("100% of_it", "live"), ("Web checkout", "test"), ("web shop", "live")] {
            app.advance(Duration::from_millis(1));
            app.create(&ada, &json!({"name": name, "environment": environment})).await;
        }
        let list = format!("/v1/projects/{}/keys", ada.project);
        let all = app.json(&list, &ada.jwt).await["data"].clone();
        let masked = text(&all[0]["masked"]);
        let bullets = masked.replace("...", "••••");
        let id = text(&all[0]["id"]);
        for (query, names) in [
            ("", vec!["web shop", "Web checkout", "100% of_it"]),
            ("q=WEB", vec!["web shop", "Web checkout"]),
            ("q=web&environment=test", vec!["Web checkout"]),
            ("q=%25", vec!["100% of_it"]),
            ("q=f_i", vec!["100% of_it"]),
            ("q=nothing", vec![]),
            ("status=revoked", vec![]),
            ("kind=service", vec![]),
            (&format!("q={masked}"), vec!["web shop"]),
            (&format!("q={bullets}"), vec!["web shop"]),
            (&format!("q={}", &id[8..]), vec!["web shop"]),
        ] {
            let found = app.json(&format!("{list}?{query}"), &ada.jwt).await;
            let found: Vec<_> = found["data"].as_array().unwrap().iter().map(|key| text(&key["name"])).collect();
            assert_eq!(found, names, "{query}");
        }
        for sort in ["created", "last_used"] {
            let mut names = Vec::new();
            let mut cursor = String::new();
            loop {
                let page = app.json(&format!("{list}?limit=1&sort={sort}{cursor}"), &ada.jwt).await;
                names.extend(page["data"].as_array().unwrap().iter().map(|key| text(&key["name"])));
                let Some(next) = page["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(names, ["web shop", "Web checkout", "100% of_it"], "{sort}");
        }
        for query in ["limit=101", "limit=0", "kind=x", "environment=x", "status=x", "archived=x", "sort=x", "cursor=x"] {
            let field = query.split('=').next().unwrap();
            let refused = app.get(&format!("{list}?{query}")).bearer_auth(&ada.jwt).send().await.unwrap();
            assert_eq!(problem(refused, 422, "invalid").await["errors"][0]["field"], field);
        }
    }

    async fn bad_bodies_are_refused_by_field(app: TestApp) {
        let ada = app.sign_in("ada").await;
        for (body, field) in [
            (json!({}), "name"),
            (json!({"name": ""}), "name"),
            (json!({"name": "a".repeat(65)}), "name"),
            (json!({"name": "a\u{7}"}), "name"),
            (json!({"name": "a", "colour": 1}), "colour"),
            (json!({"name": "a", "rpm": 0}), "rpm"),
            (json!({"name": "a", "rpm": -5}), "rpm"),
            (json!({"name": "a", "tpm": 1e20}), "tpm"),
            (json!({"name": "a", "token_limit": 5}), "token_limit_period"),
            (json!({"name": "a", "token_limit_period": "day"}), "token_limit"),
            (json!({"name": "a", "token_limit": 5, "token_limit_period": "year"}), "token_limit_period"),
            (json!({"name": "a", "expires_at": at(0)}), "expires_at"),
            (json!({"name": "a", "expires_at": "tomorrow"}), "expires_at"),
            (json!({"name": "a", "allowed_models": []}), "allowed_models"),
            (json!({"name": "a", "allowed_cidrs": ["10.0.0.0/99"]}), "allowed_cidrs[0]"),
            (json!({"name": "a", "permissions": ["keys:read"]}), "permissions"),
            (json!({"name": "a", "kind": "service"}), "permissions"),
            (json!({"name": "a", "kind": "service", "permissions": ["keys:fly"]}), "permissions[0]"),
            (json!({"name": "a", "kind": "inference", "application_id": ada.application}), "application_id"),
        ] {
            let refused = problem(app.try_create(&ada, &body).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field, "{body}");
        }
        let keys = app.json(&format!("/v1/projects/{}/keys", ada.project), &ada.jwt).await;
        assert_eq!(keys["data"], json!([]), "nothing was made");
    }

    async fn foreign_ids_answer_404_for_every_method(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let created = app.create(&ada, &json!({"name": "A"})).await;
        let id = text(&created["api_key"]["id"]);
        let good = json!({"name": "B"});
        for (method, path, body) in [
            (Method::GET, format!("/v1/projects/{}/keys", ada.project), Value::Null),
            (Method::POST, format!("/v1/projects/{}/keys", ada.project), good.clone()),
            (Method::POST, format!("/v1/projects/{}/inference/keys", ada.project), good.clone()),
            (Method::GET, format!("/v1/keys/{id}"), Value::Null),
            (Method::PATCH, format!("/v1/keys/{id}"), good.clone()),
            (Method::DELETE, format!("/v1/keys/{id}"), Value::Null),
            (Method::POST, format!("/v1/keys/{id}/rotate"), json!({})),
            (Method::POST, format!("/v1/keys/{id}/archive"), Value::Null),
            (Method::POST, format!("/v1/keys/{id}/unarchive"), Value::Null),
            (Method::GET, "/v1/keys/key_nonsense".to_owned(), Value::Null),
        ] {
            let refused = app.send(method.clone(), &path, &eve, &body).await;
            problem(refused, 404, "not_found").await;
        }
        let theirs = json!({"name": "B", "application_id": ada.application});
        problem(app.try_create(&eve, &theirs).await, 404, "not_found").await;
        assert_eq!(app.json(&format!("/v1/keys/{id}"), &ada.jwt).await["status"], "active");
    }

    async fn a_create_that_is_sent_again_makes_no_second_key(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let path = format!("/v1/projects/{}/keys", ada.project);
        let send = |key: &str, who: &Session, body: Value| {
            let request = app.post(&path).bearer_auth(&who.jwt).header("idempotency-key", key);
            request.json(&body).send()
        };
        let good = json!({"name": "A"});
        problem(send("k1", &ada, json!({"name": ""})).await.unwrap(), 422, "invalid").await;
        let answers = futures::future::join_all((0..8).map(|_| send("k1", &ada, good.clone()))).await;
        let (made, others): (Vec<_>, Vec<_>) =
            answers.into_iter().map(Result::unwrap).partition(|answer| answer.status() == 201);
        assert_eq!(made.len(), 1);
        let made: Value = made.into_iter().next().unwrap().json().await.unwrap();
        for other in others {
            let replay = problem(other, 409, "idempotency_replay").await;
            assert_eq!(replay["key_id"], made["api_key"]["id"]);
            assert!(!replay.to_string().contains(&text(&made["key"])));
        }
        problem(send("k1", &ada, json!({"name": "B"})).await.unwrap(), 422, "idempotency_mismatch").await;
        for bad in ["", "a b", &"x".repeat(256)] {
            problem(send(bad, &ada, json!({"name": "B"})).await.unwrap(), 422, "invalid").await;
        }
        let rotate = format!("{}/rotate", key_path(&made));
        let again = || app.post(&rotate).bearer_auth(&ada.jwt).header("idempotency-key", "k1").send();
        assert_eq!(again().await.unwrap().status(), 200, "another path is another use");
        problem(again().await.unwrap(), 409, "idempotency_replay").await;
        app.advance(Duration::from_hours(24));
        let ada = app.sign_in("ada").await;
        let later = send("k1", &ada, json!({"name": "B"})).await.unwrap();
        assert_eq!(later.status(), 201, "a key is kept for 24 hours");
    }
}
