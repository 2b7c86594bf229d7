//! Rows that become keys.

use std::time::Duration;

use latchkey_domain::time::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::{CSV, NDJSON, import, imported, keys, lines, mover, row, send, sha256, stored_keys};
use crate::test_app::{START, on_both_databases, problem, text};

/// A time so many seconds before the tests begin.
fn before(seconds: i64) -> String {
    Timestamp::from_millis(START - seconds * 1_000).to_string()
}

on_both_databases! {
    async fn imported_row_becomes_a_key_with_its_fields(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let given = json!({
            "environment": "test", "application_id": ada.application, "rpm": 60, "tpm": 1_000,
            "max_parallel": 3, "external_id": "user_8123", "tags": ["beta", "gold"],
            "scopes": ["orders:*"], "metadata": {"plan": "gold"}, "allowed_cidrs": ["10.0.0.0/8"],
            "created_at": before(100), "last_used_at": before(10), "disabled": true,
        });
        let mut sent = row("Shop");
        sent.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        sent["hint"] = "sk-…x9Kd".into();
        sent["spend_limit"] = "2.5".into();
        sent["spend_limit_period"] = "month".into();
        let answer = import(&app, &ada, &[sent, row("Other")]).await;
        assert_eq!((&answer["dry_run"], &answer["imported"]), (&json!(false), &json!(2)));
        let id = text(&answer["rows"][0]["key_id"]);
        assert_eq!(answer["rows"][1]["row"], 2);
        let key = app.json(&format!("/v1/keys/{id}"), &ada.jwt).await;
        for (field, value) in given.as_object().unwrap() {
            assert_eq!(key[field], *value, "{field}");
        }
        assert_eq!((&key["masked"], &key["status"]), (&json!("sk-…x9Kd"), &json!("disabled")));
        assert_eq!((&key["kind"], &key["spend_limit"]), (&json!("api"), &json!("2.5")));
        let other = keys(&app, &ada, "q=imported").await;
        assert_eq!(other.len(), 1);
        assert_eq!((&other[0]["name"], &other[0]["masked"]), (&json!("Other"), &json!("imported")));
        assert_eq!(keys(&app, &ada, "q=x9kd").await[0]["id"], id.as_str());
        assert_eq!(keys(&app, &ada, "tag=gold").await[0]["id"], id.as_str());
    }

    async fn csv_row_becomes_a_key_as_a_line_does(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let file = format!(
            "\u{feff}name,stored,rpm,tags,metadata.plan,disabled,kind,expires_at\r\n\
             \"Shop, EU\",{},60,a; b,gold,true,,\r\n\
             Bot,{},,,,,inference,{}\r\n",
            sha256("1"), sha256("2"), before(5),
        );
        let answer = send(&app, &ada, "?scheme=sha256-hex", CSV, file).await;
        assert_eq!(imported(answer).await["imported"], 2);
        let shop = &keys(&app, &ada, "q=Shop").await[0];
        assert_eq!((&shop["name"], &shop["rpm"]), (&json!("Shop, EU"), &json!(60)));
        assert_eq!(shop["tags"], json!(["a", "b"]));
        assert_eq!(shop["metadata"], json!({"plan": "gold"}));
        assert_eq!(shop["disabled"], true);
        let bot = &keys(&app, &ada, "kind=inference").await[0];
        assert_eq!((&bot["status"], &bot["rpm"]), (&json!("expired"), &Value::Null));
    }

    async fn imported_key_arrives_in_its_state(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let mut rows: Vec<Value> = ["A", "B", "C", "D"].map(row).to_vec();
        for (row, status) in rows.iter_mut().zip(["active", "disabled", "revoked", "expired"]) {
            row["status"] = status.into();
        }
        rows[3]["expires_at"] = before(1).into();
        import(&app, &ada, &rows).await;
        let states = [("A", "active"), ("B", "disabled"), ("C", "revoked"), ("D", "expired")];
        for (name, status) in states {
            let found = keys(&app, &ada, &format!("status={status}")).await;
            assert_eq!(found.len(), 1, "{status}");
            assert_eq!(found[0]["name"], name);
        }
        // A revoked key gives its name back, and stays a duplicate.
        let again = json!({"name": "C", "stored": sha256("new"), "scheme": "sha256-hex"});
        import(&app, &ada, &[again]).await;
        problem(send(&app, &ada, "", NDJSON, lines(&[row("C")])).await, 422, "invalid").await;
    }

    async fn imported_key_is_rotated_to_our_own_form(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let answer = import(&app, &ada, &[row("Shop")]).await;
        let path = format!("/v1/keys/{}", text(&answer["rows"][0]["key_id"]));
        let rotated = app.send(Method::POST, &format!("{path}/rotate"), &ada, &json!({})).await;
        assert_eq!(rotated.status(), 200);
        let rotated: Value = rotated.json().await.unwrap();
        let secret = text(&rotated["key"]);
        assert!(secret.starts_with("lk_live_"));
        assert_ne!(rotated["api_key"]["masked"], "imported");
        assert_eq!(app.verify(&ada, json!({"key": secret})).await["valid"], true);
        // That it was imported is remembered.
        let again = send(&app, &ada, "", NDJSON, lines(&[row("Shop")])).await;
        let refused = problem(again, 422, "invalid").await;
        assert_eq!(super::fields(&refused), ["rows[1].stored", "rows[1].name"]);
    }

    async fn plaintext_of_our_own_form_is_ours_at_once(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let secret = crate::test_app::unknown_key();
        let plain = json!({"name": "Own", "stored": secret, "scheme": "plaintext", "hint": "x"});
        let answer = import(&app, &ada, std::slice::from_ref(&plain)).await;
        let verified = app.verify(&ada, json!({"key": secret})).await;
        assert_eq!(verified["valid"], true);
        assert_eq!(verified["key_id"], answer["rows"][0]["key_id"]);
        let key = &keys(&app, &ada, "q=Own").await[0];
        let masked = text(&key["masked"]);
        assert!(masked.starts_with("lk_live_") && masked.contains("..."), "{masked}");
        let again = send(&app, &ada, "", NDJSON, lines(&[plain])).await;
        problem(again, 422, "invalid").await;
        let created = app.create(&ada, &json!({"name": "Made here"})).await;
        let known = json!({"name": "New", "stored": created["key"], "scheme": "plaintext"});
        let known = send(&app, &ada, "", NDJSON, lines(&[known])).await;
        let refused = problem(known, 422, "invalid").await;
        assert_eq!(super::fields(&refused), ["rows[1].stored"]);
    }

    async fn plaintext_of_another_form_brings_its_shape(app: TestApp) {
        let ada = app.pro("ada").await;
        let plain = |name: &str, key: &str| {
            json!({"name": name, "stored": key, "scheme": "plaintext"})
        };
        import(&app, &ada, &[plain("A", "acme_a7Qm2x9"), plain("B", "acme_b7Qm2x9Kd")]).await;
        let shapes = app.json(&format!("/v1/projects/{}/key-shapes", ada.project), &ada.jwt).await;
        let shape = &shapes["data"][0];
        assert_eq!((&shape["prefix"], &shape["alphabet"]), (&json!("acme_"), &json!("base62")));
        assert_eq!((&shape["min_length"], &shape["max_length"]), (&json!(12), &json!(14)));
        // What a shape covers needs no other one.
        import(&app, &ada, &[plain("D", "acme_c7Qm2x91")]).await;
        let again = app.json(&format!("/v1/projects/{}/key-shapes", ada.project), &ada.jwt).await;
        assert_eq!(again, shapes);
        assert_eq!(app.verify(&ada, json!({"key": "acme_c7Qm2x91"})).await["valid"], true);
        let short = send(&app, &ada, "", NDJSON, lines(&[plain("C", "abc123")])).await;
        let refused = problem(short, 422, "invalid").await;
        assert_eq!(super::fields(&refused), ["rows[1].stored"]);
    }

    async fn dry_run_changes_nothing_and_answers_alike(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let rows = [row("A"), row("B")];
        let dry = send(&app, &ada, "?dry_run=true", NDJSON, lines(&rows)).await;
        let expected = json!({
            "dry_run": true, "imported": 2,
            "rows": [{"row": 1, "key_id": null}, {"row": 2, "key_id": null}],
        });
        assert_eq!(imported(dry).await, expected);
        assert_eq!(stored_keys(&app, &ada).await, 0);
        import(&app, &ada, &rows).await;
        let dry = send(&app, &ada, "?dry_run=true", NDJSON, lines(&rows)).await;
        let refused = problem(dry, 422, "invalid").await;
        let fields = super::fields(&refused);
        assert_eq!(fields, ["rows[1].stored", "rows[1].name", "rows[2].stored", "rows[2].name"]);
        for flag in ["", "yes", "1"] {
            let query = format!("?dry_run={flag}");
            let refused = send(&app, &ada, &query, NDJSON, lines(&[row("C")])).await;
            problem(refused, 422, "invalid").await;
        }
        assert_eq!(stored_keys(&app, &ada).await, 2);
    }

    async fn import_beyond_the_tier_is_refused_whole(app: TestApp) {
        let ada = mover(&app, "ada").await;
        app.set_tier(&ada, "free").await;
        let mut rows = vec![row("A"), row("B"), row("C")];
        for query in ["", "?dry_run=true"] {
            let refused = send(&app, &ada, query, NDJSON, lines(&rows)).await;
            problem(refused, 409, "tier_limit_reached").await;
        }
        assert_eq!(stored_keys(&app, &ada).await, 0);
        // What is revoked or has expired takes no slot.
        rows[0]["status"] = "revoked".into();
        rows.push(row("D"));
        rows[3]["expires_at"] = before(1).into();
        assert_eq!(import(&app, &ada, &rows).await["imported"], 4);
        let refused = app.try_create(&ada, &json!({"name": "E"})).await;
        problem(refused, 409, "tier_limit_reached").await;
    }

    async fn repeated_import_is_a_replay(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let path = format!("/v1/projects/{}/keys/import", ada.project);
        let send = async |path: &str, rows: &[Value]| {
            let request = app.post(path).bearer_auth(&ada.jwt).header("idempotency-key", "once");
            request.header("content-type", NDJSON).body(lines(rows)).send().await.unwrap()
        };
        let rows = [row("A")];
        send(&format!("{path}?dry_run=true"), &rows).await;
        imported(send(&path, &rows).await).await;
        let replay = problem(send(&path, &rows).await, 409, "idempotency_replay").await;
        assert!(text(&replay["detail"]).contains("1 imported key"), "{replay}");
        problem(send(&path, &[row("B")]).await, 422, "idempotency_mismatch").await;
        app.advance(Duration::from_hours(25));
        let ada = app.sign_in("ada").await;
        let again = super::send(&app, &ada, "", NDJSON, lines(&rows)).await;
        problem(again, 422, "invalid").await;
        assert_eq!(stored_keys(&app, &ada).await, 1);
    }

    async fn import_is_one_audit_event_with_its_count(app: TestApp) {
        let ada = mover(&app, "ada").await;
        import(&app, &ada, &[row("A"), row("B")]).await;
        let path = format!("/v1/organizations/{}/audit?limit=2", ada.organization);
        let events = app.json(&path, &ada.jwt).await["data"].clone();
        assert_eq!(events[0]["action"], "keys.imported");
        assert_eq!(events[0]["changes"]["keys_imported"]["after"], 2);
        assert_eq!(events[1]["action"], "key_shape.created");
    }

    async fn imported_limit_has_what_was_spent(app: TestApp) {
        let ada = app.pro("ada").await;
        let row = json!({
            "token": sha256("sk-litellm-key"), "key_name": "sk-...-key", "key_alias": "Bot",
            "spend": 1.25, "max_budget": 5.0, "budget_duration": "30d", "models": [],
        });
        let answer = send(&app, &ada, "?preset=litellm", NDJSON, format!("{row}\n")).await;
        let answer = imported(answer).await;
        let path = format!("/v1/keys/{}", text(&answer["rows"][0]["key_id"]));
        let key = app.json(&path, &ada.jwt).await;
        assert_eq!(key["budgets"][0]["used"], "1.25");
        assert_eq!((&key["name"], &key["kind"]), (&json!("Bot"), &json!("inference")));
    }

    async fn names_of_a_preset_are_numbered_when_taken(app: TestApp) {
        let ada = app.pro("ada").await;
        app.create(&ada, &json!({"name": "Bot", "kind": "inference"})).await;
        let row = |key: &str| {
            json!({"token": sha256(key), "key_name": "sk-...", "key_alias": "Bot"})
        };
        let rows = lines(&[row("sk-1234567"), row("sk-2345678")]);
        imported(send(&app, &ada, "?preset=litellm", NDJSON, rows).await).await;
        let mut names: Vec<_> =
            keys(&app, &ada, "").await.iter().map(|key| text(&key["name"])).collect();
        names.sort();
        assert_eq!(names, ["Bot", "Bot (1)", "Bot (2)"]);
        // Row 1 would take the name that row 2 has.
        app.create(&ada, &json!({"name": "Cat", "kind": "inference"})).await;
        let mut rows = [row("sk-3456789"), row("sk-4567890")];
        for (row, name) in rows.iter_mut().zip(["Cat", "Cat (1)"]) {
            row["key_alias"] = name.into();
        }
        imported(send(&app, &ada, "?preset=litellm", NDJSON, lines(&rows)).await).await;
        let found = keys(&app, &ada, "q=Cat%20(1.2)").await;
        assert_eq!(found.len(), 1);
    }
}
