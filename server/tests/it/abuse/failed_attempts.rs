//! Failed attempts, per address: bad keys, and sign-ins and refreshes that come to nothing.

use std::time::Duration;

use reqwest::header::{COOKIE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use serde_json::json;

use crate::test_app::{
    Backend, LOCAL, LOCAL_CODE, TestApp, location, on_both_databases, problem, refresh_cookie,
    sign_in_cookie, text, traces, unknown_key,
};

const LIMIT: usize = 60;
/// The least that a whole minute takes, and the most that it may be counted as.
const MINUTE: std::ops::RangeInclusive<u64> = 60..=61;
const BEGIN: &str = "/oauth2/authorization/github";
const CALLBACK: &str = "/login/oauth2/code/github?code=x&state=y";

/// Fails with as many keys as an address may.
async fn use_up_keys(app: &TestApp) {
    for _ in 0..LIMIT / 2 {
        problem(app.ingest(&unknown_key()).await, 401, "unknown_key").await;
        problem(app.ingest("lk_live_nonsense").await, 401, "malformed_key").await;
    }
}

/// Fails with as many refreshes as an address may.
async fn use_up_refreshes(app: &TestApp) {
    for _ in 0..LIMIT {
        problem(app.refresh("nobody’s").await, 401, "unauthenticated").await;
    }
}

/// Checks a refusal for too many failures; returns its words and the wait.
async fn held_up(response: Response) -> (String, u64) {
    let wait = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    let refused = problem(response, 429, "too_many_failures").await;
    (text(&refused["detail"]), wait)
}

/// A request that a proxy passes on from an address.
fn from(request: RequestBuilder, address: &str) -> RequestBuilder {
    request.header("x-forwarded-for", address)
}

async fn behind_a_proxy() -> TestApp {
    TestApp::with(Backend::Sqlite, &["--latchkey-trusted-proxies=127.0.0.0/8"]).await
}

on_both_databases! {
    async fn bad_keys_get_429_after_60_failures_and_good_key_passes(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let good = app.generate(&ada).await;
        use_up_keys(&app).await;
        for bad in [unknown_key(), "lk_live_nonsense".to_owned(), String::new()] {
            let (detail, wait) = held_up(app.ingest(&bad).await).await;
            assert_eq!(
                detail,
                format!(
                    "Too many unknown or malformed keys from this IP address: 60 of 60 in the last \
                     60 s. Retry in {wait} s."
                )
            );
            assert!(MINUTE.contains(&wait), "{wait}");
        }
        for _ in 0..LIMIT * 2 {
            assert_eq!(app.ingest(&good).await.status(), 200);
        }
    }

    async fn after_the_wait_bad_keys_are_told_what_is_wrong_again(app: TestApp) {
        use_up_keys(&app).await;
        let (_, wait) = held_up(app.ingest(&unknown_key()).await).await;
        app.advance(Duration::from_secs(wait - 1));
        held_up(app.ingest(&unknown_key()).await).await;
        app.advance(Duration::from_secs(1));
        use_up_keys(&app).await;
        held_up(app.ingest(&unknown_key()).await).await;
    }

    async fn existing_keys_never_count_as_failures_when_denied(app: TestApp) {
        let ada = app.pro("ada").await;
        let expiring = json!({"name": "E", "expires_at": "2026-11-18T11:07:00Z"});
        let expired = text(&app.create(&ada, &expiring).await["key"]);
        let revoked = app.create(&ada, &json!({"name": "R"})).await;
        app.revoke(&ada, &text(&revoked["api_key"]["id"])).await;
        let revoked = text(&revoked["key"]);
        let (service, _) = app.service_key(&ada, &["keys:read", "keys:verify"]).await;
        let limited = json!({"name": "L", "rpm": 1, "application_id": ada.application});
        let limited = text(&app.create(&ada, &limited).await["key"]);
        app.advance(Duration::from_mins(1));
        assert_eq!(app.ingest(&limited).await.status(), 200);
        let refused = [
            (&expired, 401, "expired_key"),
            (&revoked, 401, "revoked_key"),
            (&service, 403, "wrong_scope"),
            (&limited, 429, "rate_limited"),
        ];
        for _ in 0..LIMIT / 2 {
            for (key, status, code) in refused {
                problem(app.ingest(key).await, status, code).await;
            }
            problem(app.post("/ingest/traces").send().await.unwrap(), 401, "missing_key").await;
        }
        use_up_keys(&app).await;
        held_up(app.ingest(&unknown_key()).await).await;
        for (key, status, code) in refused {
            problem(app.ingest(key).await, status, code).await;
        }
        problem(app.post("/ingest/traces").send().await.unwrap(), 401, "missing_key").await;
    }

    async fn parallel_guesses_cannot_slip_past_the_limit(app: TestApp) {
        let guesses = (0..200).map(|_| async { app.ingest(&unknown_key()).await.status().as_u16() });
        let answers = futures::future::join_all(guesses).await;
        assert_eq!(answers.iter().filter(|status| **status == 401).count(), LIMIT);
        assert_eq!(answers.iter().filter(|status| **status == 429).count(), 200 - LIMIT);
    }

    async fn failed_refreshes_are_told_to_wait_and_good_ones_go_on(app: TestApp) {
        let ada = app.sign_in("ada").await;
        use_up_refreshes(&app).await;
        let (detail, wait) = held_up(app.refresh("nobody’s").await).await;
        assert_eq!(
            detail,
            format!(
                "Too many failed or unfinished sign-ins and refreshes from this IP address: 60 of \
                 60 in the last 60 s. Retry in {wait} s."
            )
        );
        assert!(MINUTE.contains(&wait), "{wait}");
        assert_eq!(app.refresh(&ada.refresh_token).await.status(), 200);
        app.advance(Duration::from_secs(wait));
        problem(app.refresh("nobody’s").await, 401, "unauthenticated").await;
    }

    async fn refresh_tokens_that_have_expired_or_were_used_before_count(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        assert_eq!(app.refresh(&ada.refresh_token).await.status(), 200);
        app.advance(Duration::from_secs(11));
        // The first ends the session; then it is an ended one's.
        for _ in 0..LIMIT / 2 {
            problem(app.refresh(&ada.refresh_token).await, 401, "unauthenticated").await;
        }
        assert_eq!(app.refresh(&eve.refresh_token).await.status(), 200);
        app.advance(Duration::from_hours(24 * 30));
        for _ in 0..LIMIT {
            problem(app.refresh(&eve.refresh_token).await, 401, "unauthenticated").await;
        }
        held_up(app.refresh(&eve.refresh_token).await).await;
        held_up(app.refresh(&ada.refresh_token).await).await;
    }

    async fn reused_refresh_token_ends_session_when_address_is_limited(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let renewed = app.refresh(&ada.refresh_token).await;
        let renewed = renewed.json::<serde_json::Value>().await.unwrap();
        app.advance(Duration::from_secs(11));
        use_up_refreshes(&app).await;
        held_up(app.refresh(&ada.refresh_token).await).await;
        let me = app.get("/v1/me").bearer_auth(text(&renewed["token"])).send().await.unwrap();
        problem(me, 401, "unauthenticated").await;
    }

    async fn an_office_of_hundreds_signs_in_and_refreshes_within_a_minute(app: TestApp) {
        for number in 0..200 {
            let (callback, cookie) = app.visit_github(&format!("person{}", number % 3), "/").await;
            let finished = app.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
            let token = refresh_cookie(&finished).expect("all are signed in");
            assert_eq!(app.refresh(&token).await.status(), 200);
            assert_eq!(app.refresh(&token).await.status(), 200, "the other tab");
        }
    }

    async fn pending_sign_ins_are_limited_until_one_completes(app: TestApp) {
        let mut visits = Vec::new();
        for _ in 0..LIMIT {
            visits.push(app.visit_github("ada", "/").await);
        }
        let (_, wait) = held_up(app.get(BEGIN).send().await.unwrap()).await;
        assert!(MINUTE.contains(&wait), "{wait}");
        let browser = app.get(&format!("{BEGIN}?next=/x")).header("accept", "text/html");
        let browser = browser.send().await.unwrap();
        assert_eq!(location(&browser), "/login?reason=too_many_failures&next=/x");
        assert_eq!(sign_in_cookie(&browser), None);
        for (callback, cookie) in visits {
            let finished = app.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
            assert!(refresh_cookie(&finished).is_some(), "who has begun is let in");
        }
        for _ in 0..LIMIT {
            app.visit_github("ada", "/").await;
        }
        held_up(app.get(BEGIN).send().await.unwrap()).await;
    }
}

#[tokio::test]
async fn a_key_is_held_up_wherever_it_stands_for_its_owner() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (service, _) = app.service_key(&ada, &["keys:read", "keys:verify"]).await;
    let keys = format!("/v1/projects/{}/keys", ada.project);
    let everywhere = |key: &str| {
        let otlp = |path: &str| app.post(path).header("content-type", "application/json");
        [
            app.post("/ingest/traces").header("x-api-key", key).json(&traces(1)),
            app.post("/ingest/logs").header("x-api-key", key).json(&json!({"logs": []})),
            otlp("/v1/traces").header("x-api-key", key).body("{}"),
            otlp("/v1/traces").bearer_auth(key).body("{}"),
            otlp("/v1/logs").bearer_auth(key).body("{}"),
            app.get(&keys).bearer_auth(key),
            app.get("/v1/me").bearer_auth(key),
            app.post("/api/me").bearer_auth(key).json(&json!({})),
            app.post("/v1/keys/verify").bearer_auth(key).json(&json!({"key": "x"})),
        ]
    };
    let mut failed = 0;
    while failed < LIMIT {
        for request in everywhere(&unknown_key()).into_iter().take(LIMIT - failed) {
            problem(request.send().await.unwrap(), 401, "unknown_key").await;
            failed += 1;
        }
    }
    for request in everywhere(&unknown_key()) {
        held_up(request.send().await.unwrap()).await;
    }
    assert_eq!(app.get(&keys).bearer_auth(&service).send().await.unwrap().status(), 200);
    assert_eq!(app.get(&keys).bearer_auth(&ada.jwt).send().await.unwrap().status(), 200);
    let stale = app.get(&keys).bearer_auth("a.stale.jwt").send().await.unwrap();
    problem(stale, 401, "unauthenticated").await;
}

#[tokio::test]
async fn keys_in_verify_bodies_do_not_count_as_failures() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (service, _) = app.service_key(&ada, &["keys:read", "keys:verify"]).await;
    let ask = async || {
        for key in [unknown_key(), "lk_live_nonsense".to_owned()] {
            let request = app.post("/v1/keys/verify").bearer_auth(&service);
            let answer = request.json(&json!({"key": key})).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    };
    for _ in 0..LIMIT {
        ask().await;
    }
    use_up_keys(&app).await;
    held_up(app.ingest(&unknown_key()).await).await;
    ask().await;
}

#[tokio::test]
async fn addresses_do_not_share_a_limit_and_a_network_of_ipv6_is_one() {
    let app = behind_a_proxy().await;
    let guess = async |address: &str| {
        let request = app.post("/ingest/traces").header("x-api-key", unknown_key());
        from(request.json(&traces(1)), address).send().await.unwrap()
    };
    for number in 0..LIMIT {
        problem(guess("203.0.113.9").await, 401, "unknown_key").await;
        problem(guess(&format!("2001:db8:0:1::{number:x}")).await, 401, "unknown_key").await;
    }
    held_up(guess("203.0.113.9").await).await;
    held_up(guess("::ffff:203.0.113.9").await).await;
    held_up(guess("6.6.6.6, 203.0.113.9").await).await;
    held_up(guess("2001:db8:0:1:ffff::1").await).await;
    problem(guess("203.0.113.10").await, 401, "unknown_key").await;
    problem(guess("2001:db8:0:2::1").await, 401, "unknown_key").await;
    problem(app.ingest(&unknown_key()).await, 401, "unknown_key").await;
}

#[tokio::test]
async fn a_stranger_gets_no_new_limit_by_claiming_addresses() {
    let app = TestApp::on(Backend::Sqlite).await;
    use_up_keys(&app).await;
    let guess = app.post("/ingest/traces").header("x-api-key", unknown_key());
    held_up(from(guess, "203.0.113.9").send().await.unwrap()).await;
}

#[tokio::test]
async fn keys_and_sign_ins_have_limits_of_their_own() {
    let app = TestApp::on(Backend::Sqlite).await;
    use_up_keys(&app).await;
    use_up_refreshes(&app).await;
    held_up(app.ingest(&unknown_key()).await).await;
    held_up(app.refresh("nobody’s").await).await;
    held_up(app.get(BEGIN).send().await.unwrap()).await;
}

#[tokio::test]
async fn sign_ins_from_another_address_go_on() {
    let app = behind_a_proxy().await;
    for _ in 0..LIMIT {
        let begun = from(app.get(BEGIN), "203.0.113.9").send().await.unwrap();
        assert_eq!(begun.status(), 302);
    }
    held_up(from(app.get(BEGIN), "203.0.113.9").send().await.unwrap()).await;
    app.sign_in("ada").await;
}

#[tokio::test]
async fn unsolicited_callbacks_get_429() {
    let app = TestApp::on(Backend::Sqlite).await;
    let (callback, cookie) = app.visit_github("ada", "/").await;
    // The sign-in under way is one of the sixty.
    for _ in 1..LIMIT {
        problem(app.get(CALLBACK).send().await.unwrap(), 403, "forbidden").await;
    }
    held_up(app.get(CALLBACK).send().await.unwrap()).await;
    let browser = app.get(CALLBACK).header("accept", "text/html").send().await.unwrap();
    assert_eq!(location(&browser), "/login?reason=too_many_failures&next=/");
    let own = app.http.get(&callback).header(COOKIE, &cookie).send().await.unwrap();
    assert!(refresh_cookie(&own).is_some(), "who has begun is let in");
    let used = app.http.get(&callback).header(COOKIE, &cookie).send().await.unwrap();
    problem(used, 403, "forbidden").await;
    held_up(app.http.get(&callback).header(COOKIE, &cookie).send().await.unwrap()).await;
}

#[tokio::test]
async fn rejected_github_codes_count_when_callback_arrives() {
    let app = TestApp::on(Backend::Sqlite).await;
    let mut visits = Vec::new();
    for _ in 0..2 {
        for _ in 0..LIMIT {
            visits.push(app.visit_github("ada", "/").await);
        }
        app.advance(Duration::from_secs(61));
    }
    let forge = async |(callback, cookie): (String, String)| {
        let forged = callback.replace("code=", "code=0");
        app.http.get(forged).header(COOKIE, cookie).send().await.unwrap()
    };
    for visit in visits.drain(..LIMIT) {
        let refused = forge(visit).await;
        assert_eq!(location(&refused), "/login?reason=sign_in_failed&next=/");
    }
    for visit in visits.drain(..LIMIT / 2) {
        held_up(forge(visit).await).await;
    }
    app.advance(Duration::from_secs(61));
    let (callback, cookie) = visits.pop().unwrap();
    let own = app.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
    assert!(refresh_cookie(&own).is_some());
}

#[tokio::test]
async fn githubs_own_faults_do_not_count() {
    use github_stand_in::{Endpoint, Fault};
    let app = TestApp::on(Backend::Sqlite).await;
    for _ in 0..=LIMIT {
        let (callback, cookie) = app.visit_github("ada", "/").await;
        app.github.fail_next(Endpoint::User, Fault { status: Some(502), delay_ms: 0 });
        let failed = app.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
        assert_eq!(location(&failed), "/login?reason=sign_in_failed&next=/");
    }
    app.sign_in("ada").await;
}

#[tokio::test]
async fn anonymous_requests_do_not_count_as_failures() {
    let app = TestApp::on(Backend::Sqlite).await;
    for _ in 0..=LIMIT {
        problem(app.post("/refresh").send().await.unwrap(), 401, "unauthenticated").await;
        let foreign = app.post("/refresh").header("origin", "https://evil.example");
        problem(foreign.send().await.unwrap(), 403, "forbidden").await;
    }
    problem(app.refresh("nobody’s").await, 401, "unauthenticated").await;
}

#[tokio::test]
async fn the_local_developer_is_never_held_up() {
    let app = TestApp::with(Backend::Sqlite, &LOCAL).await;
    use_up_refreshes(&app).await;
    for _ in 0..=LIMIT {
        let request = app.post("/auth/local").header("origin", &app.base);
        let request = request.json(&serde_json::json!({ "code": LOCAL_CODE }));
        assert!(refresh_cookie(&request.send().await.unwrap()).is_some());
    }
}
