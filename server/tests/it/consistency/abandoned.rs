//! Checks that nobody waits for any more: whoever goes away while the database is asked takes
//! nothing along.

use std::time::Duration;

use futures::FutureExt;
use serde_json::json;

use crate::consistency::nodes::{TEN_TOKENS, hears};
use crate::test_app::{count_rows, on_both_databases, text};

on_both_databases! {
    async fn lease_of_disconnected_client_is_used_by_next_call(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({
            "name": "Metered", "rpm": 150, "token_limit": 1_000, "token_limit_period": "month",
        });
        let secret = text(&app.create(&ada, &body).await["key"]);
        hears(&app.services).await;
        // Cached, so that the budget is what is waited for.
        app.services.checker.authenticate_for_server(Some(&secret)).await.unwrap();
        let mut admitted = 0;
        let mut left = 0;
        for _ in 0..40 {
            match app.services.checker.check(Some(&secret), TEN_TOKENS).now_or_never() {
                Some(answer) => admitted += usize::from(answer.is_ok()),
                None => left += 1,
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            app.services.checker.return_leases(true).await.unwrap();
        }
        assert!(left > 0, "nobody left while the database was asked");
        // What was drawn for them goes back by itself.
        for _ in 0..20 {
            app.services.settled().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while app.services.checker.check(Some(&secret), TEN_TOKENS).await.is_ok() {
            admitted += 1;
        }
        assert_eq!(admitted, 100, "{left} left");
        let denied = app.services.checker.check(Some(&secret), TEN_TOKENS).await.unwrap_err();
        let denial = crate::test_app::denial(denied);
        assert_eq!(denial.outcome.as_str(), "token_budget_exhausted", "their requests are free again");
    }

    async fn budgets_of_periods_long_over_are_deleted(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "Metered", "token_limit": 100, "token_limit_period": "minute"});
        let secret = text(&app.create(&ada, &body).await["key"]);
        let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
        let count = async || count_rows(&database, "budget_usage").await;
        for _ in 0..3 {
            app.services.checker.check(Some(&secret), TEN_TOKENS).await.unwrap();
            app.advance(Duration::from_mins(1));
        }
        assert_eq!(count().await, 3);
        latchkey_services::usage::purge(&app.services).await.unwrap();
        assert_eq!(count().await, 3, "a clock that is a little ahead frees nothing");
        app.advance(Duration::from_hours(63 * 24));
        hears(&app.services).await;
        app.services.checker.check(Some(&secret), TEN_TOKENS).await.unwrap();
        latchkey_services::usage::purge(&app.services).await.unwrap();
        assert_eq!(count().await, 1, "the one of this minute");
    }
}
