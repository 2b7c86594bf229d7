//! Budgets of keys: their forms, bad input, changes, and the project's defaults.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::test_app::{Session, TestApp, key_path, on_both_databases, problem, text};

/// A budget of which nothing was used, in a period that ends with the test's first day, or never.
fn unused(unit: &str, limit: impl Into<Value>, period: &str) -> Value {
    let limit = limit.into();
    let nothing = if unit == "usd" { json!("0") } else { json!(0) };
    let resets_at = if period == "day" { json!("2026-11-19T00:00:00.000Z") } else { Value::Null };
    json!({
        "unit": unit, "limit": limit, "period": period, "used": nothing, "reserved": nothing,
        "remaining": limit, "resets_at": resets_at,
    })
}

/// Sends a body that `json!` could not make.
async fn send_text(
    app: &TestApp,
    who: &Session,
    route: &(Method, String),
    body: String,
) -> Response {
    let (method, path) = route.clone();
    let request = app.http.request(method, format!("{}{path}", app.base)).bearer_auth(&who.jwt);
    request.header("content-type", "application/json").body(body).send().await.unwrap()
}

async fn set_defaults(app: &TestApp, who: &Session, defaults: Value) -> Value {
    let path = format!("/v1/projects/{}", who.project);
    let body = json!({ "key_defaults": defaults });
    let changed = app.send(Method::PATCH, &path, who, &body).await;
    assert_eq!(changed.status(), 200);
    changed.json().await.unwrap()
}

/// Values of `budgets` that no key, project or organization can have.
const BAD: [&str; 23] = [
    r#"[{"unit":"usd","limit":-5,"period":"day"}]"#,
    r#"[{"unit":"usd","limit":"-5","period":"day"}]"#,
    r#"[{"unit":"usd","limit":"+5","period":"day"}]"#,
    r#"[{"unit":"usd","limit":0,"period":"day"}]"#,
    r#"[{"unit":"usd","limit":1e400,"period":"day"}]"#,
    r#"[{"unit":"usd","limit":1e300,"period":"day"}]"#,
    r#"[{"unit":"usd","limit":"NaN","period":"day"}]"#,
    r#"[{"unit":"usd","limit":"0.0000001","period":"day"}]"#,
    r#"[{"unit":"usd","limit":0.0000001,"period":"day"}]"#,
    r#"[{"unit":"usd","limit":null,"period":"day"}]"#,
    r#"[{"unit":"usd","limit":"1000000001","period":"day"}]"#,
    r#"[{"unit":"tokens","limit":-1,"period":"day"}]"#,
    r#"[{"unit":"tokens","limit":0,"period":"day"}]"#,
    r#"[{"unit":"tokens","limit":1.5,"period":"day"}]"#,
    r#"[{"unit":"tokens","limit":"10","period":"day"}]"#,
    r#"[{"unit":"requests","limit":1e400,"period":"day"}]"#,
    r#"[{"unit":"requests","limit":9007199254740992,"period":"day"}]"#,
    r#"[{"unit":"eur","limit":5,"period":"day"}]"#,
    r#"[{"unit":"usd","limit":5,"period":"year"}]"#,
    r#"[{"unit":"usd","limit":5}]"#,
    r#"[{"unit":"usd","limit":5,"period":"day","used":0}]"#,
    r#"[{"unit":"usd","limit":5,"period":"day"},{"unit":"usd","limit":6,"period":"day"}]"#,
    r#"{"unit":"usd","limit":5,"period":"day"}"#,
];

/// Nine budgets, as JSON.
fn nine() -> String {
    let budgets = (0..9).map(|number| {
        let unit = ["requests", "tokens", "usd"][number % 3];
        let period = ["hour", "day", "week"][number / 3];
        json!({ "unit": unit, "limit": 5, "period": period })
    });
    Value::from(budgets.collect::<Vec<_>>()).to_string()
}

on_both_databases! {
    async fn new_key_has_its_budgets_in_the_order_given(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({
            "name": "A", "spend_limit": 5.0, "spend_limit_period": "day",
            "token_limit": 1_000, "token_limit_period": "day",
            "budgets": [
                {"unit": "requests", "limit": 10, "period": "total"},
                {"unit": "usd", "limit": "0.000001", "period": "total"},
                {"unit": "requests", "limit": 10, "period": "total"},
            ],
        });
        let created = app.create(&ada, &body).await;
        let key = &created["api_key"];
        assert_eq!(key["budgets"], json!([
            unused("tokens", 1_000, "day"), unused("usd", "5", "day"),
            unused("requests", 10, "total"), unused("usd", "0.000001", "total"),
        ]));
        assert_eq!((&key["token_limit"], &key["token_limit_period"]), (&json!(1_000), &json!("day")));
        assert_eq!((&key["spend_limit"], &key["spend_limit_period"]), (&json!("5"), &json!("day")));
        let path = key_path(&created);
        assert_eq!(&app.json(&path, &ada.jwt).await, key);
        let listed = app.json(&format!("/v1/projects/{}/keys", ada.project), &ada.jwt).await;
        assert_eq!(&listed["data"][0], key);
        let rotated = app.send(Method::POST, &format!("{path}/rotate"), &ada, &json!({})).await;
        let rotated: Value = rotated.json().await.unwrap();
        assert_eq!(rotated["api_key"]["budgets"], key["budgets"]);
        let secret = text(&rotated["key"]);
        let verified = app.verify(&ada, json!({"key": secret, "cost": 30})).await;
        assert_eq!(verified["valid"], true);
        assert_eq!((&verified["budget"]["used"], &verified["limit"]), (&json!(30), &Value::Null));
        let budgets = verified["budgets"].as_array().unwrap();
        let used: Vec<_> = budgets.iter().map(|budget| budget["used"].clone()).collect();
        assert_eq!(used, [json!(30), json!("0"), json!(1), json!("0")]);
        let view = app.get("/v1/key").header("x-api-key", &secret).send().await.unwrap();
        assert_eq!(view.json::<Value>().await.unwrap()["budgets"], verified["budgets"]);
        assert_eq!(app.json(&path, &ada.jwt).await["budgets"], verified["budgets"]);
    }

    async fn bad_budgets_are_refused_and_change_nothing(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let created = app.create(&ada, &json!({"name": "A"})).await;
        let path = key_path(&created);
        let project = format!("/v1/projects/{}", ada.project);
        let organization = format!("/v1/organizations/{}", ada.organization);
        let before = [&path, &project, &organization];
        let before = futures::future::join_all(before.map(|path| app.json(path, &ada.jwt))).await;
        let nine = nine();
        for route in [
            (Method::POST, format!("{project}/keys")),
            (Method::POST, format!("{project}/inference/keys")),
            (Method::PATCH, path.clone()),
            (Method::PATCH, project.clone()),
            (Method::PATCH, organization.clone()),
        ] {
            for budgets in BAD.into_iter().chain([&*nine]) {
                let body = format!(r#"{{"name":"B","budgets":{budgets}}}"#);
                let refused = problem(send_text(&app, &ada, &route, body).await, 422, "invalid").await;
                let field = text(&refused["errors"][0]["field"]);
                assert!(field.starts_with("budgets"), "{route:?} {budgets}: {refused}");
            }
            let not_json = r#"{"name":"B","budgets":[{"unit":"usd","limit":NaN,"period":"day"}]}"#;
            let refused = send_text(&app, &ada, &route, not_json.to_owned()).await;
            problem(refused, 400, "malformed").await;
        }
        let after = [&path, &project, &organization];
        let after = futures::future::join_all(after.map(|path| app.json(path, &ada.jwt))).await;
        assert_eq!(before, after);
        let keys = app.json(&format!("{project}/keys"), &ada.jwt).await;
        assert_eq!(keys["data"].as_array().unwrap().len(), 1, "nothing was made");
    }

    async fn bad_flat_budgets_are_refused_by_field(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let conflict = json!({"unit": "usd", "limit": "6", "period": "day"});
        let eight: Value = serde_json::from_str(&nine()).unwrap();
        let eight = &eight.as_array().unwrap()[..8];
        let pair = |limit: Value| json!({"name": "a", "spend_limit": limit, "spend_limit_period": "day"});
        for (body, field) in [
            (json!({"name": "a", "spend_limit": 5}), "spend_limit_period"),
            (json!({"name": "a", "spend_limit_period": "day"}), "spend_limit"),
            (json!({"name": "a", "token_limit": 5, "token_limit_period": "year"}), "token_limit_period"),
            (pair(json!(-1)), "spend_limit"),
            (pair(json!(0)), "spend_limit"),
            (pair(json!("0.0000001")), "spend_limit"),
            (pair(json!("NaN")), "spend_limit"),
            (pair(json!("1000000001")), "spend_limit"),
            (pair(json!(true)), "spend_limit"),
        ] {
            let refused = problem(app.try_create(&ada, &body).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field, "{body}");
        }
        for (budgets, message) in [
            (json!([conflict]), "Set one limit for each unit and period: usd a day has two."),
            (json!(eight), "Set at most 8 budgets."),
        ] {
            let mut body = json!({"name": "a", "spend_limit": 5, "spend_limit_period": "day"});
            body["budgets"] = budgets;
            if message.contains("at most") {
                body["spend_limit_period"] = json!("month");
            }
            let refused = problem(app.try_create(&ada, &body).await, 422, "invalid").await;
            let error = &refused["errors"][0];
            assert_eq!((&error["field"], &error["message"]), (&json!("budgets"), &json!(message)));
        }
    }

    async fn patch_changes_the_list_or_the_first_of_a_unit(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let budget = |unit: &str, limit: Value, period: &str| {
            json!({"unit": unit, "limit": limit, "period": period})
        };
        let (tokens, dollars) = (budget("tokens", json!(9), "day"), budget("usd", json!("5"), "day"));
        let created = app.create(&ada, &json!({"name": "A", "budgets": [tokens, dollars]})).await;
        let path = key_path(&created);
        let change = async |body: Value| app.send(Method::PATCH, &path, &ada, &body).await;
        let requests = budget("requests", json!(3), "total");
        for (body, expected) in [
            (json!({"spend_limit": "7.5"}), json!([unused("tokens", 9, "day"), unused("usd", "7.5", "day")])),
            (json!({"rpm": 5}), json!([unused("tokens", 9, "day"), unused("usd", "7.5", "day")])),
            (
                json!({"token_limit": null, "token_limit_period": null}),
                json!([unused("usd", "7.5", "day")]),
            ),
            (
                json!({"token_limit": 4, "token_limit_period": "total"}),
                json!([unused("usd", "7.5", "day"), unused("tokens", 4, "total")]),
            ),
            (
                json!({
                    "budgets": [requests], "token_limit": null, "token_limit_period": null,
                    "spend_limit": 1, "spend_limit_period": "day",
                }),
                json!([unused("usd", "1", "day"), unused("requests", 3, "total")]),
            ),
            (json!({"budgets": [dollars]}), json!([unused("usd", "5", "day")])),
            (json!({"budgets": null}), json!([])),
        ] {
            let changed: Value = change(body.clone()).await.json().await.unwrap();
            assert_eq!(changed["budgets"], expected, "{body}");
            assert_eq!(app.json(&path, &ada.jwt).await, changed);
        }
        assert_eq!(app.json(&path, &ada.jwt).await["spend_limit"], Value::Null);
        let half = change(json!({"spend_limit_period": "day"})).await;
        let half = problem(half, 422, "invalid").await;
        assert_eq!(half["errors"][0]["field"], "spend_limit");
        let log = format!("/v1/organizations/{}/audit?action=key.changed", ada.organization);
        let log = app.json(&log, &ada.jwt).await;
        let rows = log["data"].as_array().unwrap().iter();
        let changes: Vec<_> = rows.map(|row| &row["changes"]["budgets"]).collect();
        assert_eq!(changes[0], &json!({"before": "$5 a day", "after": null}));
        assert_eq!(changes[2], &json!({
            "before": "$7.5 a day, 4 tokens for life", "after": "$1 a day, 3 requests for life",
        }));
    }

    async fn budget_below_what_is_used_refuses_and_keeps_count(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "token_limit": 100, "token_limit_period": "day"});
        let created = app.create(&ada, &body).await;
        let path = key_path(&created);
        let verify = async |cost: u64| app.verify(&ada, json!({"key": created["key"], "cost": cost})).await;
        assert_eq!(verify(30).await["valid"], true);
        let state = |changed: &Value| {
            let budget = &changed["budgets"][0];
            [&budget["used"], &budget["remaining"]].map(|amount| amount.as_u64().unwrap())
        };
        let change = async |body: Value| -> Value {
            app.send(Method::PATCH, &path, &ada, &body).await.json().await.unwrap()
        };
        assert_eq!(state(&change(json!({"token_limit": 20})).await), [30, 0]);
        let refused = verify(1).await;
        assert_eq!(refused["code"], "token_budget_exhausted");
        let limit = &refused["limit"];
        for (field, value) in [
            ("scope", json!("key")), ("unit", json!("tokens")), ("period", json!("day")),
            ("limit", json!(20)), ("used", json!(30)), ("reserved", json!(0)),
            ("resets_at", json!("2026-11-19T00:00:00.000Z")),
        ] {
            assert_eq!(limit[field], value, "{field}");
        }
        change(json!({"budgets": null})).await;
        assert_eq!(state(&change(json!({"token_limit": 40, "token_limit_period": "day"})).await), [30, 10]);
        assert_eq!(verify(10).await["valid"], true);
        assert_eq!(verify(1).await["code"], "token_budget_exhausted");
    }

    async fn budget_in_requests_holds_at_every_door(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({
            "name": "A", "application_id": ada.application,
            "budgets": [{"unit": "requests", "limit": 3, "period": "day"}],
        });
        let key = text(&app.create(&ada, &body).await["key"]);
        assert_eq!(app.ingest(&key).await.status(), 200);
        assert_eq!(app.verify(&ada, json!({"key": key})).await["valid"], true);
        let check = || app.get(&format!("/v1/check/{}", ada.project)).header("x-api-key", &key).send();
        assert_eq!(check().await.unwrap().status(), 200);
        let limit = json!({
            "scope": "key", "unit": "requests", "period": "day", "limit": 3, "used": 3,
            "reserved": 0, "resets_at": "2026-11-19T00:00:00.000Z",
        });
        let by_ingest = problem(app.ingest(&key).await, 429, "request_budget_exhausted").await;
        assert_eq!(by_ingest["limit"], limit);
        let by_check = problem(check().await.unwrap(), 429, "request_budget_exhausted").await;
        assert_eq!(by_check["limit"], limit);
        let verified = app.verify(&ada, json!({"key": key})).await;
        assert_eq!((&verified["code"], &verified["limit"]), (&json!("request_budget_exhausted"), &limit));
        assert_eq!((&verified["budgets"][0]["remaining"], &verified["budget"]), (&json!(0), &Value::Null));
    }

    async fn refusal_by_rpm_tells_the_limit(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "rpm": 1, "application_id": ada.application});
        let key = text(&app.create(&ada, &body).await["key"]);
        assert_eq!(app.ingest(&key).await.status(), 200);
        let refused = problem(app.ingest(&key).await, 429, "rate_limited").await;
        let limit = &refused["limit"];
        assert_eq!((&limit["scope"], &limit["unit"]), (&json!("key"), &json!("requests")));
        assert_eq!((&limit["period"], &limit["limit"]), (&json!("minute"), &json!(1)));
        let other = problem(app.ingest("lk_live_nonsense").await, 401, "malformed_key").await;
        assert!(other.get("limit").is_none(), "{other}");
    }

    async fn new_key_gets_defaults_for_what_it_does_not_mention(app: TestApp) {
        let ada = app.pro("ada").await;
        let before = app.json(&format!("/v1/projects/{}", ada.project), &ada.jwt).await;
        let none = json!({
            "rpm": null, "tpm": null, "max_parallel": null, "budgets": [], "allowed_models": null,
            "allowed_cidrs": null,
        });
        assert_eq!(before["key_defaults"], none);
        let old = app.create(&ada, &json!({"name": "old"})).await;
        let defaults = json!({
            "rpm": 60, "tpm": 1_000, "max_parallel": 3, "allowed_models": ["sandbox"],
            "allowed_cidrs": ["203.0.113.0/24"],
            "budgets": [{"unit": "usd", "limit": "5", "period": "day"}],
        });
        let changed = set_defaults(&app, &ada, defaults.clone()).await;
        assert_eq!(changed["key_defaults"], defaults);
        let limits = |key: &Value| -> Vec<Value> {
            ["rpm", "tpm", "max_parallel", "allowed_models", "allowed_cidrs", "budgets"]
                .map(|field| key["api_key"][field].clone())
                .to_vec()
        };
        let given = vec![
            json!(60), json!(1_000), json!(3), json!(["sandbox"]), json!(["203.0.113.0/24"]),
            json!([unused("usd", "5", "day")]),
        ];
        let silent = app.create(&ada, &json!({"name": "silent"})).await;
        assert_eq!(limits(&silent), given);
        assert_eq!(silent["api_key"]["spend_limit"], "5");
        let nulls = json!({
            "name": "nulls", "rpm": null, "tpm": null, "max_parallel": null, "budgets": null,
            "allowed_models": null, "allowed_cidrs": null,
        });
        let no_limits =
            [Value::Null, Value::Null, Value::Null, Value::Null, Value::Null, json!([])];
        assert_eq!(limits(&app.create(&ada, &nulls).await), no_limits);
        let own = json!({"name": "own", "rpm": 5, "token_limit": 9, "token_limit_period": "day"});
        let own = limits(&app.create(&ada, &own).await);
        assert_eq!((&own[0], &own[1]), (&json!(5), &json!(1_000)));
        assert_eq!(own[5], json!([unused("tokens", 9, "day")]), "own budgets replace the defaults");
        let service = json!({"name": "service", "kind": "service", "permissions": ["keys:read"]});
        assert_eq!(limits(&app.create(&ada, &service).await), no_limits, "service keys have none");
        let old: Value = app.json(&key_path(&old), &ada.jwt).await;
        assert_eq!(old["rpm"], Value::Null, "existing keys stay as they are");
        app.generate(&ada).await;
        assert_eq!(app.keys(&ada).await[0]["rpm"], 60, "also without a request body");
        assert_eq!(set_defaults(&app, &ada, Value::Null).await["key_defaults"], none);
    }
}
