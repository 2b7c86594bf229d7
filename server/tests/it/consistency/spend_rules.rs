//! What budgets in dollars, tokens and requests keep to while time passes, clocks jump, limits are
//! lowered, and keys and projects are deleted.

use std::time::Duration;

use latchkey_domain::budget::LimitScope;
use latchkey_domain::outcome::Outcome;
use reqwest::Method;
use serde_json::{Value, json};

use super::spend::{budgets, found, key, limit, paths, reserve, settle, states};
use crate::test_app::{on_both_databases, query_value};

const DAY: i64 = 24 * 3_600 * 1_000;

on_both_databases! {
    async fn traffic_at_95_percent_of_every_budget_is_admitted(app: TestApp) {
        // What so many calls reserve at a time fits beside what they have used at the end.
        const CALLERS: u64 = 19;
        const CALLS_EACH: u64 = 20;
        let ada = app.sign_in("ada").await;
        // A call reserves 300,000 billionths of a dollar and 200 tokens, and uses less.
        let daily = json!([
            {"unit": "usd", "limit": "0.08", "period": "day"},
            {"unit": "tokens", "limit": 60_000, "period": "day"},
            {"unit": "requests", "limit": 400, "period": "day"},
        ]);
        let [project, organization] = paths(&ada);
        let (of_key, secret) = key(&app, &ada, &daily).await;
        for path in [&project, &organization] {
            limit(&app, &ada, path, &daily).await;
        }
        for _ in 0..3 {
            let found = found(&app.services, &secret).await;
            let callers: Vec<_> = (0..CALLERS)
                .map(|_| {
                    let (services, found) = (app.services.clone(), found.clone());
                    tokio::spawn(async move {
                        for _ in 0..CALLS_EACH {
                            let admitted = reserve(&services, &found).await;
                            let reserved = admitted.unwrap_or_else(|denial| panic!("{denial:?}"));
                            tokio::task::yield_now().await;
                            settle(reserved, 50).await;
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.unwrap();
            }
            // Access tokens do not live for a day.
            let ada = app.sign_in("ada").await;
            for path in [&of_key, &project, &organization] {
                let states = states(&app, &ada, path).await;
                let expected = [
                    [76_000_000, 0, 4_000_000, 80_000_000],
                    [57_000, 0, 3_000, 60_000],
                    [380, 0, 20, 400],
                ];
                assert_eq!(states, expected, "{path}");
            }
            app.advance(Duration::from_hours(24));
        }
    }

    async fn clock_that_jumps_during_a_call_changes_no_charge(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let limits = json!([
            {"unit": "usd", "limit": 1, "period": "day"},
            {"unit": "tokens", "limit": 1_000_000, "period": "total"},
        ]);
        let (path, secret) = key(&app, &ada, &limits).await;
        let found = found(&app.services, &secret).await;
        let (mut dollars, mut tokens) = (0, 0);
        for jump in [DAY, -DAY, 40 * DAY, -40 * DAY] {
            let reserved = reserve(&app.services, &found).await.unwrap();
            app.clock.set_by(jump);
            settle(reserved, 50).await;
            app.clock.set_by(-jump);
            (dollars, tokens) = (dollars + 200_000, tokens + 150);
            let expected = [
                [dollars, 0, 1_000_000_000 - dollars, 1_000_000_000],
                [tokens, 0, 1_000_000 - tokens, 1_000_000],
            ];
            assert_eq!(states(&app, &ada, &path).await, expected, "{jump}");
        }
        // A call that begins while the clock is ahead is one of the next day, and stays it.
        let of_today = reserve(&app.services, &found).await.unwrap();
        app.clock.set_by(DAY);
        let of_tomorrow = reserve(&app.services, &found).await.unwrap();
        settle(of_today, 100).await;
        app.clock.set_by(-DAY);
        settle(of_tomorrow, 0).await;
        (dollars, tokens) = (dollars + 300_000, tokens + 300);
        app.services.checker.return_leases(true).await.unwrap();
        let now = states(&app, &ada, &path).await;
        assert_eq!([now[0][0], now[1][0]], [dollars, tokens]);
        let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
        let of_day = async |order: &str| -> i64 {
            let day = "SELECT used FROM budget_usage WHERE unit = 'usd' ORDER BY starts_at";
            query_value(&database, &format!("{day} {order} LIMIT 1")).await
        };
        assert_eq!(of_day("ASC").await, i64::try_from(dollars).unwrap());
        assert_eq!(of_day("DESC").await, 100_000, "the other day’s call alone");
    }

    async fn limit_below_what_is_used_refuses_the_next_call(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let wide = budgets("1", 1_000_000);
        let [project, organization] = paths(&ada);
        let (of_key, secret) = key(&app, &ada, &wide).await;
        for path in [&project, &organization] {
            limit(&app, &ada, path, &wide).await;
        }
        let first = found(&app.services, &secret).await;
        settle(reserve(&app.services, &first).await.unwrap(), 100).await;
        let open = reserve(&app.services, &first).await.unwrap();
        let levels = [
            (&of_key, LimitScope::Key),
            (&project, LimitScope::Project),
            (&organization, LimitScope::Organization),
        ];
        for (path, scope) in levels {
            limit(&app, &ada, path, &budgets("0.0002", 1_000_000)).await;
            let lowered = found(&app.services, &secret).await;
            let denial = reserve(&app.services, &lowered).await.err().unwrap();
            assert_eq!(denial.outcome, Outcome::SpendLimitReached);
            let refusing = denial.limit.unwrap();
            assert_eq!(refusing.scope, scope);
            assert_eq!((refusing.used.counted(), refusing.limit.counted()), (300_000, 200_000));
            let dollars = states(&app, &ada, path).await[0];
            assert_eq!(dollars, [300_000, 300_000, 0, 200_000], "{path}");
            limit(&app, &ada, path, &wide).await;
        }
        // The call that was open all the time, and one after it.
        settle(open, 0).await;
        let last = found(&app.services, &secret).await;
        settle(reserve(&app.services, &last).await.unwrap(), 100).await;
        for (path, _) in levels {
            let states = states(&app, &ada, path).await;
            assert_eq!(states[0], [700_000, 0, 999_300_000, 1_000_000_000], "{path}");
            assert_eq!([states[1][0], states[2][0]], [500, 3], "{path}");
        }
    }

    async fn deleted_key_and_project_keep_what_was_used(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let limits = budgets("1", 1_000);
        let [project, organization] = paths(&ada);
        let (of_key, secret) = key(&app, &ada, &limits).await;
        for path in [&project, &organization] {
            limit(&app, &ada, path, &limits).await;
        }
        let found = found(&app.services, &secret).await;
        settle(reserve(&app.services, &found).await.unwrap(), 100).await;
        app.services.checker.flush_usage().await.unwrap();
        let used = states(&app, &ada, &of_key).await;
        assert_eq!([used[0][0], used[1][0], used[2][0]], [300_000, 200, 1]);
        let usage = async |path: &str| {
            let totals = app.json(&format!("{path}/usage"), &ada.jwt).await["totals"].clone();
            ["requests", "prompt_tokens", "completion_tokens", "cost_usd"]
                .map(|field| totals[field].clone())
        };
        let expected = [json!(1), json!(100), json!(100), json!("0.0003")];
        for path in [&of_key, &project] {
            assert_eq!(usage(path).await, expected, "{path}");
        }
        let telemetry = app.telemetry().await;
        let cost_of = async |table: &str| -> i64 {
            query_value(&telemetry, &format!("SELECT max(cost) FROM {table}")).await
        };
        let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
        let charged = "SELECT count(*) FROM budget_usage WHERE unit = 'usd' AND used = 300000";
        for (gone, levels) in [
            (&of_key, &[&of_key, &project, &organization][..]),
            (&project, &[&organization][..]),
        ] {
            let deleted = app.send(Method::DELETE, gone, &ada, &Value::Null).await;
            assert_eq!(deleted.status(), 204, "{gone}");
            for path in levels {
                assert_eq!(states(&app, &ada, path).await, used, "{path} without {gone}");
            }
            if gone == &of_key {
                for path in [&of_key, &project] {
                    assert_eq!(usage(path).await, expected, "{path} without {gone}");
                }
            }
            app.services.checker.return_leases(true).await.unwrap();
            latchkey_services::usage::purge(&app.services).await.unwrap();
            let levels_charged: i64 = query_value(&database, charged).await;
            assert_eq!(levels_charged, 3, "key, project and organization, without {gone}");
            for table in ["key_usage", "project_usage"] {
                assert_eq!(cost_of(table).await, 300_000, "{table} without {gone}");
            }
        }
    }
}
