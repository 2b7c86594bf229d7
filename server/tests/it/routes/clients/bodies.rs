//! What is wrong with a request is told as what it is, all of it, and nothing else is.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::test_app::{Backend, Session, TestApp, key_path, on_both_databases, problem, text};

async fn post(app: &TestApp, who: &Session, path: &str, body: &str) -> Response {
    let request = app.post(path).bearer_auth(&who.jwt).header("content-type", "application/json");
    request.body(body.to_owned()).send().await.unwrap()
}

fn fields(refused: &Value) -> Vec<String> {
    let mut fields: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|one| text(&one["field"])).collect();
    fields.sort();
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn enum_fields_of_another_type_are_invalid() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let keys = format!("/v1/projects/{}/keys", ada.project);
    let inference = format!("/v1/projects/{}/inference/keys", ada.project);
    let applications = format!("/v1/projects/{}/applications", ada.project);
    let members = format!("/v1/organizations/{}/members", ada.organization);
    let apikey = format!("/apikey?ApplicationId={}", ada.application);
    for (path, field) in [
        (&keys, "environment"),
        (&keys, "kind"),
        (&keys, "token_limit_period"),
        (&inference, "environment"),
        (&inference, "token_limit_period"),
        (&applications, "environment"),
        (&members, "role"),
        (&apikey, "environment"),
    ] {
        for wrong in ["5", "5.5", "true", "[\"live\"]", "{\"live\":null}", "{}"] {
            let body = match path {
                path if *path == members => format!("{{\"login\":\"grace\",\"{field}\":{wrong}}}"),
                _ => format!("{{\"name\":\"z\",\"{field}\":{wrong}}}"),
            };
            let refused = problem(post(&app, &ada, path, &body).await, 422, "invalid").await;
            assert_eq!(fields(&refused), [field], "{body}");
        }
    }
    let service = r#"{"name":"z","kind":"service","permissions":[5]}"#;
    let refused = problem(post(&app, &ada, &keys, service).await, 422, "invalid").await;
    assert_eq!(fields(&refused), ["permissions[0]"]);
    let refused =
        problem(post(&app, &ada, &keys, r#"{"name":"z","environment":5}"#).await, 422, "invalid");
    assert_eq!(refused.await["errors"][0]["message"], "Expected \"live\" or \"test\".");
    for (path, field) in [
        (format!("/v1/organizations/{}", ada.organization), "tier"),
        (format!("/v1/applications/{}", ada.application), "environment"),
    ] {
        let answer = app.send(Method::PATCH, &path, &ada, &json!({ field: 5 })).await;
        assert_eq!(fields(&problem(answer, 422, "invalid").await), [field]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_told_all_at_once() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let keys = format!("/v1/projects/{}/keys", ada.project);
    let body = r#"{"rpm":"many","environment":5,"colour":"red","allowed_cidrs":["here"]}"#;
    let refused = problem(post(&app, &ada, &keys, body).await, 422, "invalid").await;
    assert_eq!(fields(&refused), ["allowed_cidrs[0]", "colour", "environment", "name", "rpm"]);
    let create = "/api/project-keys/create";
    let called = json!({"project_id": "x", "request": {"name": 5, "rpm": 0}});
    let answer = app.send(Method::POST, create, &ada, &called).await;
    let refused = problem(answer, 422, "invalid").await;
    assert_eq!(fields(&refused), ["project_id", "request.name", "request.rpm"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_body_is_one_value() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let keys = format!("/v1/projects/{}/keys", ada.project);
    for path in [&keys, "/refresh", "/v1/keys/verify", "/v1/organizations", "/api/keys/create"] {
        for body in [
            r#"{"name":"a"}{"name":"b"}"#,
            r#"{"colour":1} {}"#,
            r#"{"refreshToken":"a","key":"a"}x"#,
        ] {
            problem(post(&app, &ada, path, body).await, 400, "malformed").await;
        }
    }
}

on_both_databases! {
    async fn whole_numbers_may_be_written_as_floats(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let keys = format!("/v1/projects/{}/keys", ada.project);
        let body = r#"{"name":"a","rpm":60.0,"tpm":1e6}"#;
        let made = post(&app, &ada, &keys, body).await;
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.unwrap();
        assert_eq!((&made["api_key"]["rpm"], &made["api_key"]["tpm"]), (&json!(60), &json!(1_000_000)));
        let verify = |cost: &str| format!("{{\"key\":\"{}\",\"cost\":{cost}}}", text(&made["key"]));
        let admitted = post(&app, &ada, "/v1/keys/verify", &verify("2.0")).await;
        assert_eq!(admitted.json::<Value>().await.unwrap()["tokens"]["remaining"], 999_998);
        for cost in ["9223372036854775808", "18446744073709551615", "1e19", "0.5"] {
            let refused = post(&app, &ada, "/v1/keys/verify", &verify(cost)).await;
            assert_eq!(fields(&problem(refused, 422, "invalid").await), ["cost"], "{cost}");
        }
        let large = post(&app, &ada, "/v1/keys/verify", &verify("9223372036854775807")).await;
        let large: Value = large.json().await.unwrap();
        assert_eq!((&large["code"], &large["retry_after_seconds"]), (&json!("token_rate_limited"), &Value::Null));
        let rotate = format!("{}/rotate", key_path(&made));
        assert_eq!(post(&app, &ada, &rotate, r#"{"grace_seconds":60.0}"#).await.status(), 200);
    }

    async fn a_query_parameter_that_is_empty_was_not_given(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let get = async |path: String| {
            app.get(&path).bearer_auth(&ada.jwt).send().await.unwrap()
        };
        for path in [
            format!("/v1/projects/{}/keys?kind=&environment=&status=&application_id=&q=&sort=&limit=&cursor=", ada.project),
            format!("/v1/projects/{}/inference/keys?environment=&status=&q=&limit=&cursor=", ada.project),
            format!("/v1/organizations/{}/audit?actor=&action=&from=&to=&limit=&cursor=", ada.organization),
            format!("/v1/organizations/{}/audit.csv?actor=&action=&from=&to=", ada.organization),
            format!("/v1/projects/{}/usage?range=&environment=", ada.project),
            format!("/v1/applications/{}/traces?limit=&cursor=", ada.application),
            format!("/v1/organizations/{}/members?limit=&cursor=", ada.organization),
            format!("/apikey?ApplicationId={}&limit=&cursor=", ada.application),
        ] {
            assert_eq!(get(path.clone()).await.status(), 200, "{path}");
        }
        let flag = get(format!("/v1/projects/{}/keys?archived=", ada.project)).await;
        assert_eq!(fields(&problem(flag, 422, "invalid").await), ["archived"]);
        let by_name = get(format!("/v1/organizations/{}/audit?action=key.created", ada.organization)).await;
        assert_eq!(by_name.status(), 200);
        let by_variant = get(format!("/v1/organizations/{}/audit?action=KeyCreated", ada.organization)).await;
        problem(by_variant, 422, "invalid").await;
    }
}

on_both_databases! {
    async fn every_create_takes_an_idempotency_key(app: TestApp) {
        let ada = app.pro("ada").await;
        for (path, body, other) in [
            ("/v1/organizations".to_owned(), json!({"name": "Two"}), json!({"name": "Three"})),
            (format!("/v1/organizations/{}/projects", ada.organization), json!({"name": "a"}), json!({"name": "b"})),
            (format!("/v1/projects/{}/applications", ada.project), json!({"name": "a"}), json!({"name": "b"})),
            (
                format!("/v1/organizations/{}/members", ada.organization),
                json!({"login": "grace", "role": "viewer"}),
                json!({"login": "grace", "role": "member"}),
            ),
            (format!("/v1/projects/{}/keys", ada.project), json!({"name": "a"}), json!({"name": "b"})),
        ] {
            let send = async |body: &Value| {
                let request = app.post(&path).bearer_auth(&ada.jwt).header("idempotency-key", "once");
                request.json(body).send().await.unwrap()
            };
            let made = send(&body).await;
            assert_eq!(made.status(), 201, "{path}");
            let made: Value = made.json().await.unwrap();
            let again = problem(send(&body).await, 409, "idempotency_replay").await;
            let id = [&made["id"], &made["login"], &made["api_key"]["id"]];
            let id = id.into_iter().find(|id| id.is_string()).unwrap();
            let told = text(&again["detail"]).contains(&text(id)) || &again["key_id"] == id;
            assert!(told, "{again} {made}");
            problem(send(&other).await, 422, "idempotency_mismatch").await;
            let elsewhere = app.post(&path).bearer_auth(&ada.jwt).header("idempotency-key", "a b");
            problem(elsewhere.json(&body).send().await.unwrap(), 422, "invalid").await;
        }
        // A refused attempt uses none up.
        let path = format!("/v1/projects/{}/applications", ada.project);
        let send = async |body: Value| {
            let request = app.post(&path).bearer_auth(&ada.jwt).header("idempotency-key", "next");
            request.json(&body).send().await.unwrap().status().as_u16()
        };
        assert_eq!((send(json!({"name": ""})).await, send(json!({"name": "c"})).await), (422, 201));
        app.advance(std::time::Duration::from_hours(24));
        let renewed: Value = app.refresh(&ada.refresh_token).await.json().await.unwrap();
        let request = app.post(&path).bearer_auth(text(&renewed["token"]));
        let request = request.header("idempotency-key", "next");
        assert_eq!(request.json(&json!({"name": "c"})).send().await.unwrap().status(), 201);
    }
}

/// A stranger learns nothing of what a call takes.
#[tokio::test(flavor = "multi_thread")]
async fn server_functions_ask_who_calls_before_they_read_what() {
    let app = TestApp::on(Backend::Sqlite).await;
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    for body in ["{", "{}", "{\"color\":1}", "[]", "", &long] {
        for token in [None, Some("nonsense")] {
            let request = app.post("/api/keys/create").header("content-type", "application/json");
            // A long body that nobody reads costs its client the connection.
            let request = request.header("connection", "close");
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let answer = request.body(body.to_owned()).send().await.unwrap();
            problem(answer, 401, "unauthenticated").await;
        }
    }
    let ada = app.sign_in("ada").await;
    problem(post(&app, &ada, "/api/keys/create", "{").await, 400, "malformed").await;
    problem(post(&app, &ada, "/api/keys/create", &long).await, 413, "too_large").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_of_others_are_refused_by_every_list() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (organization, project) = (&ada.organization, &ada.project);
    for path in [
        "/v1/me/invitations".to_owned(),
        "/v1/organizations".to_owned(),
        format!("/v1/organizations/{organization}/members"),
        format!("/v1/organizations/{organization}/projects"),
        format!("/v1/organizations/{organization}/audit"),
        format!("/v1/projects/{project}/applications"),
        format!("/v1/projects/{project}/keys"),
        format!("/v1/projects/{project}/inference/keys"),
        format!("/v1/applications/{}/traces", ada.application),
        format!("/v1/applications/{}/logs", ada.application),
    ] {
        let answer = app.get(&format!("{path}?cursor=%C2%84")).bearer_auth(&ada.jwt);
        let refused = problem(answer.send().await.unwrap(), 422, "invalid").await;
        assert_eq!(fields(&refused), ["cursor"], "{path}");
    }
}

/// serde reads a struct from a list of its fields' values too, wherever it stands.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_no_objects_inside_a_body() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let path = format!("/v1/organizations/{}", ada.organization);
    for wrong in [json!([null, null]), json!([]), json!(5), json!("x")] {
        let body = json!({"tier_overrides": wrong});
        let refused = app.send(Method::PATCH, &path, &ada, &body).await;
        let refused = problem(refused, 422, "invalid").await;
        assert_eq!(fields(&refused), ["tier_overrides"], "{refused}");
        assert_eq!(refused["errors"][0]["message"], "Expected an object.");
    }
    let body = json!({"tier_overrides": {"projects": 0, "telemetry_days": "x"}});
    let refused = app.send(Method::PATCH, &path, &ada, &body).await;
    let refused = problem(refused, 422, "invalid").await;
    assert_eq!(fields(&refused), ["tier_overrides.projects", "tier_overrides.telemetry_days"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn allow_lists_have_at_most_100_items_be_they_the_same() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let keys = format!("/v1/projects/{}/keys", ada.project);
    let many = |count| json!({"name": "z", "allowed_cidrs": vec!["203.0.113.0/24"; count]});
    assert_eq!(app.send(Method::POST, &keys, &ada, &many(100)).await.status(), 201);
    let refused = app.send(Method::POST, &keys, &ada, &many(101)).await;
    assert_eq!(fields(&problem(refused, 422, "invalid").await), ["allowed_cidrs"]);
}
