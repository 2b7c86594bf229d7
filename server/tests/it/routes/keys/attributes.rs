//! External ID, metadata, tags and scopes of keys.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::routes::usage::{admin, project_usage};
use crate::test_app::{Session, TestApp, count_rows, key_path, on_both_databases, problem, text};

/// An object in `levels` levels, itself the first.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }))
}

/// Metadata of so many bytes.
fn sized(bytes: usize) -> Value {
    let frame = json!({ "a": "" }).to_string().len();
    json!({ "a": "x".repeat(bytes - frame) })
}

/// So many words that differ.
fn words(count: usize) -> Value {
    (0..count).map(|number| format!("word-{number}")).collect()
}

/// The names of a project's keys that a query finds, newest first.
async fn found(app: &TestApp, who: &Session, query: &str) -> Vec<String> {
    let list = app.json(&format!("/v1/projects/{}/keys?{query}", who.project), &who.jwt).await;
    list["data"].as_array().unwrap().iter().map(|key| text(&key["name"])).collect()
}

async fn patch(app: &TestApp, who: &Session, key: &Value, body: Value) -> Response {
    app.send(Method::PATCH, &key_path(key), who, &body).await
}

/// The changes of the newest audit event, with its action.
async fn newest_event(app: &TestApp, who: &Session) -> (String, Value) {
    let path = format!("/v1/organizations/{}/audit?limit=1", who.organization);
    let event = app.json(&path, &who.jwt).await["data"][0].clone();
    (text(&event["action"]), event["changes"].clone())
}

on_both_databases! {
    async fn attributes_are_kept_changed_and_cleared(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let given = json!({
            "external_id": "user_8123", "metadata": {"plan": "gold", "seats": [1, {"a": null}]},
            "tags": ["beta", "Ünï code", "beta"], "scopes": ["orders:*", "users:read", "users:read"],
        });
        let mut body = given.clone();
        body["name"] = "A".into();
        let created = app.create(&ada, &body).await;
        let mut expected = given;
        expected["tags"] = json!(["beta", "Ünï code"]);
        expected["scopes"] = json!(["orders:*", "users:read"]);
        let read = app.json(&key_path(&created), &ada.jwt).await;
        assert_eq!(read, created["api_key"]);
        for field in ["external_id", "metadata", "tags", "scopes"] {
            assert_eq!(read[field], expected[field], "{field}");
        }
        for (field, value, empty) in [
            ("external_id", json!("user_9"), Value::Null),
            ("metadata", json!({"other": true}), json!({})),
            ("tags", json!(["gamma"]), json!([])),
            ("scopes", json!(["admin"]), json!([])),
        ] {
            for (sent, shown) in [(value.clone(), value.clone()), (Value::Null, empty.clone())] {
                let changed = patch(&app, &ada, &created, json!({ field: sent })).await;
                assert_eq!(changed.status(), 200, "{field}");
                let changed: Value = changed.json().await.unwrap();
                expected[field] = shown;
                for field in ["external_id", "metadata", "tags", "scopes"] {
                    assert_eq!(changed[field], expected[field], "{field}");
                }
            }
        }
        assert_eq!(count_rows(&admin(&app).await, "key_tags").await, 0);
        let plain = app.create(&ada, &json!({"name": "B"})).await["api_key"].clone();
        let fields = ["external_id", "metadata", "tags", "scopes", "disabled"].map(|it| plain[it].clone());
        assert_eq!(fields, [Value::Null, json!({}), json!([]), json!([]), json!(false)]);
    }

    async fn inference_keys_have_attributes_but_no_scopes(app: TestApp) {
        let ada = app.pro("ada").await;
        let path = format!("/v1/projects/{}/inference/keys", ada.project);
        let body = json!({"name": "A", "external_id": "u1", "metadata": {"a": 1}, "tags": ["t"], "disabled": true});
        let created = app.send(Method::POST, &path, &ada, &body).await;
        assert_eq!(created.status(), 201);
        let created: Value = created.json().await.unwrap();
        for field in ["external_id", "metadata", "tags", "disabled"] {
            assert_eq!(created["api_key"][field], body[field], "{field}");
        }
        let listed = app.json(&format!("{path}?tag=t&external_id=u1&status=disabled"), &ada.jwt).await;
        assert_eq!(listed["data"][0]["id"], created["api_key"]["id"]);
        let scoped = json!({"name": "B", "scopes": ["a"]});
        let refused = problem(app.send(Method::POST, &path, &ada, &scoped).await, 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], "scopes");
        let typed = json!({"name": "B", "kind": "inference", "scopes": ["a"]});
        let refused = problem(app.try_create(&ada, &typed).await, 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], "scopes");
        let refused = patch(&app, &ada, &created, json!({"scopes": ["a"]})).await;
        let refused = problem(refused, 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], "scopes");
        assert_eq!(patch(&app, &ada, &created, json!({"scopes": null})).await.status(), 200);
    }

    async fn attributes_have_bounds(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let created = app.create(&ada, &json!({"name": "A"})).await;
        for (field, value) in [
            ("external_id", json!("x".repeat(255))), ("external_id", json!("~!\"'<>")),
            ("metadata", sized(8_192)), ("metadata", nested(8)),
            ("tags", words(16)), ("tags", json!(["é".repeat(64), " "])), ("tags", json!([])),
            ("scopes", words(64)), ("scopes", json!(["x".repeat(100), "*", "a/b.c:d_e-f*"])),
        ] {
            let changed = patch(&app, &ada, &created, json!({ field: value.clone() })).await;
            assert_eq!(changed.status(), 200, "{field}: {value:.80}");
            assert_eq!(changed.json::<Value>().await.unwrap()[field], value, "{field}");
        }
        for (field, value, named) in [
            ("external_id", json!("x".repeat(256)), "external_id"), ("external_id", json!(""), "external_id"),
            ("external_id", json!("none"), "external_id"), ("external_id", json!("a b"), "external_id"),
            ("external_id", json!("é"), "external_id"), ("external_id", json!("a\n"), "external_id"),
            ("external_id", json!(5), "external_id"),
            ("metadata", sized(8_193), "metadata"), ("metadata", nested(9), "metadata"),
            ("metadata", json!([]), "metadata"), ("metadata", json!("{}"), "metadata"),
            ("tags", words(17), "tags"), ("tags", json!(["x".repeat(65)]), "tags[0]"),
            ("tags", json!(["a", ""]), "tags[1]"), ("tags", json!(["a\t"]), "tags[0]"),
            ("tags", json!("a"), "tags"), ("tags", json!({"a": 1}), "tags"),
            ("scopes", words(65), "scopes"), ("scopes", json!(["x".repeat(101)]), "scopes[0]"),
            ("scopes", json!(["a", "b c"]), "scopes[1]"), ("scopes", json!(["a*b"]), "scopes[0]"),
            ("scopes", json!([""]), "scopes[0]"),
            ("disabled", Value::Null, "disabled"), ("disabled", json!("yes"), "disabled"),
        ] {
            let what = format!("{field}: {value:.80}");
            let refused = patch(&app, &ada, &created, json!({ field: value.clone() })).await;
            let refused = problem(refused, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], named, "{what}");
            let body = json!({"name": "B", field: value});
            let refused = problem(app.try_create(&ada, &body).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], named, "{what}");
        }
    }

    async fn metadata_comes_back_with_its_exact_numbers(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let kept = r#"{"n":12345678901234567890123,"f":1.10,"e":1E400,"u":"\u0000\ud83d\ude00","b":{"a":-0}}"#;
        let spaced = kept.replace(',', " ,\n").replace("\":", "\" : ");
        let path = format!("/v1/projects/{}/keys", ada.project);
        let send = async |metadata: &str| {
            let body = format!(r#"{{"name":"A","metadata":{metadata}}}"#);
            let request = app.post(&path).bearer_auth(&ada.jwt).header("content-type", "application/json");
            request.body(body).send().await.unwrap()
        };
        let made = send(&spaced).await;
        assert_eq!(made.status(), 201);
        let made = made.text().await.unwrap();
        let expected = format!(r#""metadata":{kept},"#);
        assert!(made.contains(&expected), "{made}");
        for path in [key_path(&serde_json::from_str(&made.replace("1E400", "1")).unwrap()), path.clone()] {
            let read = app.get(&path).bearer_auth(&ada.jwt).send().await.unwrap();
            let read = read.text().await.unwrap();
            assert!(read.contains(&expected), "{read}");
        }
        let refused = problem(send(r#"{"a":"\ud800"}"#).await, 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], "metadata");
    }

    async fn keys_are_found_by_tag_and_external_id(app: TestApp) {
        let (ada, eve) = (app.pro("ada").await, app.sign_in("eve").await);
        for (name, id, tags) in [
            ("one", "u1", vec!["a", "b"]), ("two", "u2", vec!["b"]), ("three", "u1", vec!["B", "a b&c"]),
        ] {
            app.advance(Duration::from_millis(1));
            app.create(&ada, &json!({"name": name, "external_id": id, "tags": tags})).await;
        }
        app.create(&eve, &json!({"name": "hers", "external_id": "u1", "tags": ["b", "hers"]})).await;
        for (query, names) in [
            ("tag=b", vec!["two", "one"]), ("tag=B", vec!["three"]), ("tag=a%20b%26c", vec!["three"]),
            ("tag=c", vec![]), ("tag=hers", vec![]), ("tag=", vec!["three", "two", "one"]),
            ("external_id=u1", vec!["three", "one"]), ("external_id=u1&tag=b", vec!["one"]),
            ("external_id=U1", vec![]), ("external_id=", vec!["three", "two", "one"]),
            ("tag=b&q=TWO", vec!["two"]), ("tag=b&sort=last_used", vec!["two", "one"]),
            ("tag=b&kind=inference", vec![]),
        ] {
            assert_eq!(found(&app, &ada, query).await, names, "{query}");
        }
        assert_eq!(found(&app, &eve, "tag=b").await, ["hers"]);
        for (query, field) in [("tag=a%0A", "tag"), ("external_id=none", "external_id"), ("external_id=a%20b", "external_id")] {
            let path = format!("/v1/projects/{}/keys?{query}", ada.project);
            let refused = app.get(&path).bearer_auth(&ada.jwt).send().await.unwrap();
            assert_eq!(problem(refused, 422, "invalid").await["errors"][0]["field"], field);
        }
        for sort in ["created", "last_used"] {
            let path = format!("/v1/projects/{}/keys?tag=b&limit=1&sort={sort}", ada.project);
            let first = app.json(&path, &ada.jwt).await;
            let next = format!("{path}&cursor={}", text(&first["next_cursor"]));
            let second = app.json(&next, &ada.jwt).await;
            let names = (&first["data"][0]["name"], &second["data"][0]["name"]);
            assert_eq!(names, (&json!("two"), &json!("one")), "{sort}");
            assert_eq!(second["next_cursor"], Value::Null, "{sort}");
        }
    }

    async fn changed_tags_are_found_at_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let created = app.create(&ada, &json!({"name": "A", "tags": ["a", "b"]})).await;
        assert_eq!(patch(&app, &ada, &created, json!({"tags": ["b", "c"]})).await.status(), 200);
        assert_eq!(patch(&app, &ada, &created, json!({"name": "B"})).await.status(), 200);
        for (tag, names) in [("a", vec![]), ("b", vec!["B"]), ("c", vec!["B"])] {
            assert_eq!(found(&app, &ada, &format!("tag={tag}")).await, names, "{tag}");
        }
        assert_eq!(patch(&app, &ada, &created, json!({"tags": []})).await.status(), 200);
        assert_eq!(found(&app, &ada, "tag=b").await, [""; 0]);
        assert_eq!(found(&app, &ada, "").await, ["B"]);
    }

    async fn usage_is_summed_over_keys_that_match_now(app: TestApp) {
        let ada = app.pro("ada").await;
        let mut keys = Vec::new();
        for (name, id, tags, calls) in [("one", "u1", ["a", "b"], 1), ("two", "u2", ["b", "c"], 2), ("three", "u1", ["c", "d"], 4)] {
            let body = json!({
                "name": name, "external_id": id, "tags": tags, "application_id": ada.application,
            });
            let key = app.create(&ada, &body).await;
            for _ in 0..calls {
                assert_eq!(app.ingest(&text(&key["key"])).await.status(), 200);
            }
            keys.push(key);
        }
        app.revoke(&ada, &text(&keys[0]["api_key"]["id"])).await;
        problem(app.ingest(&text(&keys[0]["key"])).await, 401, "revoked_key").await;
        for round in ["not written yet", "written"] {
            for (query, requests, denials) in [
                ("", 8, 1), ("?external_id=u1", 6, 1), ("?tag=b", 4, 1), ("?tag=c", 6, 0),
                ("?tag=c&external_id=u1", 4, 0), ("?tag=x", 0, 0), ("?tag=b&environment=test", 0, 0),
            ] {
                let usage = project_usage(&app, &ada, query).await;
                assert_eq!(usage["totals"]["requests"], requests, "{query}, {round}");
                assert_eq!(usage["denials"].as_array().unwrap().len(), denials, "{query}, {round}");
                assert_eq!(usage["last_used"].is_null(), requests == 0, "{query}, {round}");
                assert_eq!(usage["budget"], Value::Null);
            }
            app.services.checker.flush_usage().await.unwrap();
        }
        assert_eq!(patch(&app, &ada, &keys[2], json!({"tags": ["b"]})).await.status(), 200);
        assert_eq!(project_usage(&app, &ada, "?tag=b").await["totals"]["requests"], 8);
        assert_eq!(project_usage(&app, &ada, "?tag=d").await["totals"]["requests"], 0);
        let path = format!("/v1/projects/{}/usage?external_id=none", ada.project);
        let refused = app.get(&path).bearer_auth(&ada.jwt).send().await.unwrap();
        assert_eq!(problem(refused, 422, "invalid").await["errors"][0]["field"], "external_id");
        let eve = app.sign_in("eve").await;
        assert_eq!(project_usage(&app, &eve, "?tag=b").await["totals"]["requests"], 0);
    }

    async fn changed_attributes_stand_in_the_audit_log(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "external_id": "u1", "tags": ["a"], "metadata": {"v": 1}});
        let created = app.create(&ada, &body).await;
        let (action, changes) = newest_event(&app, &ada).await;
        assert_eq!(action, "key.created");
        assert_eq!(changes["tags"], json!({"before": null, "after": ["a"]}));
        assert_eq!(changes["metadata"], json!({"before": null, "after": "{\"v\":1}"}));
        assert!(changes.get("scopes").is_none() && changes.get("disabled").is_none(), "{changes}");
        let body = json!({"external_id": null, "tags": ["b"], "scopes": ["x"], "metadata": {"v": 2}});
        patch(&app, &ada, &created, body).await;
        assert_eq!(newest_event(&app, &ada).await, ("key.changed".to_owned(), json!({
            "external_id": {"before": "u1", "after": null},
            "metadata": {"before": "{\"v\":1}", "after": "{\"v\":2}"},
            "scopes": {"before": null, "after": ["x"]},
            "tags": {"before": ["a"], "after": ["b"]},
        })));
        patch(&app, &ada, &created, json!({"metadata": sized(8_192)})).await;
        let (_, changes) = newest_event(&app, &ada).await;
        let after = text(&changes["metadata"]["after"]);
        assert!(after.starts_with("{\"a\":\"xxx") && after.ends_with('…'), "{after}");
        assert!(after.len() < 300, "{after}");
    }

    async fn repeated_create_with_other_attributes_is_refused(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let path = format!("/v1/projects/{}/keys", ada.project);
        let send = async |metadata: Value| {
            let body = json!({"name": "A", "metadata": metadata});
            let request = app.post(&path).bearer_auth(&ada.jwt).header("idempotency-key", "k1");
            request.json(&body).send().await.unwrap()
        };
        assert_eq!(send(json!({"a": 1})).await.status(), 201);
        problem(send(json!({"a": 1})).await, 409, "idempotency_replay").await;
        problem(send(json!({"a": 2})).await, 422, "idempotency_mismatch").await;
    }
}
