//! How often calls of many keys renew the lease of their organization's one budget.

use anyhow::ensure;
use latchkey_bench::in_process::Owner;
use latchkey_checker::CheckRequest;
use latchkey_services::Services;
use serde_json::json;

const KEYS: u32 = 1_000;
const CALLS_OF_EACH: u32 = 100;

/// Renewals for 1,000 calls of a token each, spread over [`KEYS`] keys.
pub(crate) async fn per_1000_calls(services: &Services) -> anyhow::Result<f64> {
    let budget = json!({"unit": "tokens", "limit": 1_000_000_000_000_u64, "period": "month"});
    let owner = Owner::sign_in(services).await?;
    let owner = owner.beside("Many keys", json!({}), json!({ "budgets": [budget] })).await?;
    let mut keys = Vec::new();
    for number in 0..KEYS {
        let request = json!({ "name": format!("key {number}") });
        keys.push(owner.create(serde_json::from_value(request)?).await?);
    }
    for key in &keys {
        // The key is cached from here on.
        let checked = services.checker.check(Some(key), CheckRequest::default()).await;
        ensure!(checked.is_ok(), "a new key is refused");
    }
    let leases = || services.checker.check_counts().budget_leases;
    let before = leases();
    for _ in 0..CALLS_OF_EACH {
        for key in &keys {
            let call = CheckRequest { cost: 1, ..CheckRequest::default() };
            let checked = services.checker.check(Some(key), call).await;
            ensure!(checked.is_ok(), "a call is refused");
        }
    }
    services.checker.settled().await;
    let renewals = u32::try_from(leases() - before)?;
    Ok(f64::from(renewals) * 1e3 / f64::from(KEYS * CALLS_OF_EACH))
}
