//! Rows of other systems, and keys that their clients present.

use serde_json::{Value, json};

use super::{NDJSON, imported, keys, mover};
use crate::test_app::{Session, TestApp, on_both_databases, text};

/// Made and accepted by the packages themselves (`make test-moving-in`).
const REAL: &str = include_str!("../../../../../end2end/moving-in/rows.ndjson");
/// Made as the sources of the systems digest keys, by `end2end/moving-in/by_hand.py`.
const BY_HAND: &str = include_str!("../../../../../end2end/moving-in/by-hand.ndjson");
/// Names a file with more such rows.
const MORE: &str = "LATCHKEY_MOVING_IN_ROWS";

/// Rows, each with the system that made it, its preset, the key, and the system's secret.
fn samples() -> Vec<Value> {
    let more = std::env::var(MORE).map(|path| std::fs::read_to_string(path).unwrap());
    let all = format!("{REAL}{BY_HAND}{}", more.unwrap_or_default());
    all.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Imports the row of a sample into the person's project.
async fn move_in(app: &TestApp, who: &Session, sample: &Value) {
    let (project, preset) = (&who.project, text(&sample["preset"]));
    let path = format!("/v1/projects/{project}/keys/import?preset={preset}");
    let request = app.post(&path).bearer_auth(&who.jwt).header("content-type", NDJSON);
    let request = match sample["secret"].as_str() {
        Some(secret) => request.header("x-import-secret", secret),
        None => request,
    };
    let answer = imported(request.body(sample["row"].to_string()).send().await.unwrap()).await;
    assert_eq!(answer["imported"], 1, "{}", sample["made_by"]);
}

/// The key with another character in its middle, of the same kind.
fn mistyped(key: &str) -> String {
    let (start, rest) = key.split_at(key.len() / 2);
    let other = if rest.starts_with('0') { '1' } else { '0' };
    let skipped = rest.chars().next().map_or(0, char::len_utf8);
    format!("{start}{other}{}", &rest[skipped..])
}

on_both_databases! {
    async fn key_of_another_system_stays_valid(app: TestApp) {
        let ada = mover(&app, "ada").await;
        for sample in samples() {
            let (made_by, key) = (&sample["made_by"], text(&sample["key"]));
            let before = app.verify(&ada, json!({ "key": key })).await;
            assert_eq!(before["valid"], false, "{made_by}");
            move_in(&app, &ada, &sample).await;
            let wrong = app.verify(&ada, json!({ "key": mistyped(&key) })).await;
            assert_eq!(wrong["valid"], false, "{made_by}");
            // By what the other system stored, and then by our own digest.
            for _ in 0..2 {
                let answer = app.verify(&ada, json!({ "key": key })).await;
                assert_eq!(answer["code"], "valid", "{made_by}: {answer}");
            }
        }
        // Better Auth gives a key no name of its own, and Sanctum one to many.
        let all = keys(&app, &ada, "").await;
        assert_eq!(all.len(), samples().len());
    }

    async fn spend_and_limits_of_litellm_are_carried(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let sample = samples().into_iter().find(|sample| sample["preset"] == "litellm").unwrap();
        move_in(&app, &ada, &sample).await;
        let key = &keys(&app, &ada, "").await[0];
        assert_eq!(key["name"], "checkout");
        assert_eq!((&key["rpm"], &key["tpm"], &key["max_parallel"]), (&json!(60), &json!(1000), &json!(3)));
        assert_eq!(key["allowed_models"], json!(["gpt-5"]));
        let budget = &key["budgets"][0];
        assert_eq!((&budget["limit"], &budget["used"]), (&json!("25"), &json!("1.25")));
        assert_eq!((&budget["unit"], &budget["period"]), (&json!("usd"), &json!("month")));
        assert_eq!(key["masked"], json!("sk-...KxLA"));
    }
}
