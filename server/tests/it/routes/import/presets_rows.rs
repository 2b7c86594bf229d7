//! Rows of other systems, and keys that their clients present.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::{NDJSON, imported, keys, mover};
use crate::test_app::{Session, TestApp, on_both_databases, text};

/// Made and accepted by the packages themselves (`make test-moving-in`).
const REAL: &str = include_str!("../../../../../end2end/moving-in/rows.ndjson");
/// Made as the sources of the systems digest keys, by `end2end/moving-in/by_hand.py`.
const BY_HAND: &str = include_str!("../../../../../end2end/moving-in/by-hand.ndjson");
/// Names a file with more such rows.
const MORE: &str = "LATCHKEY_MOVING_IN_ROWS";
/// After the rows were made: no key may be created in the future.
const LATER: Duration = Duration::from_hours(60 * 24);

/// The rows of that file, if there is one.
#[expect(clippy::disallowed_methods, reason = "make test-moving-in names a file")]
fn more() -> String {
    std::env::var(MORE).map_or_else(|_| String::new(), |path| fs::read_to_string(path).unwrap())
}

/// Rows, each with the system that made it, its preset, the key, and the system's secret.
fn samples(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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

/// A client presents its key before, while and after the key moves.
async fn goes_on(app: &TestApp, who: &Session, sample: &Value) {
    let (made_by, key) = (&sample["made_by"], text(&sample["key"]));
    let before = app.verify(who, json!({ "key": key })).await;
    assert_eq!(before["valid"], false, "{made_by}");
    move_in(app, who, sample).await;
    let wrong = app.verify(who, json!({ "key": mistyped(&key) })).await;
    assert_eq!(wrong["valid"], false, "{made_by}");
    // By what the other system stored, and then by our own digest.
    for _ in 0..2 {
        let answer = app.verify(who, json!({ "key": key })).await;
        assert_eq!(answer["code"], "valid", "{made_by}: {answer}");
    }
}

/// The key with another character in its middle, of the same kind.
fn mistyped(key: &str) -> String {
    let (start, rest) = key.split_at(key.len() / 2);
    let other = if rest.starts_with('0') { '1' } else { '0' };
    format!("{start}{other}{}", &rest[1..])
}

on_both_databases! {
    async fn key_of_another_system_stays_valid(app: TestApp) {
        app.advance(LATER);
        let known = format!("{REAL}{BY_HAND}");
        for (login, lines) in [("ada", known), ("bea", more())] {
            let who = mover(&app, login).await;
            let samples = samples(&lines);
            for sample in &samples {
                goes_on(&app, &who, sample).await;
            }
            // Two of them have one name.
            assert_eq!(keys(&app, &who, "limit=100").await.len(), samples.len());
        }
    }

    async fn spend_and_limits_of_litellm_are_carried(app: TestApp) {
        app.advance(LATER);
        let ada = mover(&app, "ada").await;
        let mut samples = samples(REAL).into_iter();
        let sample = samples.find(|sample| sample["preset"] == "litellm").unwrap();
        move_in(&app, &ada, &sample).await;
        let key = &keys(&app, &ada, "").await[0];
        assert_eq!((&key["name"], &key["masked"]), (&json!("checkout"), &json!("sk-...KxLA")));
        assert_eq!((&key["rpm"], &key["tpm"]), (&json!(60), &json!(1000)));
        assert_eq!((&key["max_parallel"], &key["allowed_models"]), (&json!(3), &json!(["gpt-5"])));
        let budget = &key["budgets"][0];
        assert_eq!((&budget["unit"], &budget["period"]), (&json!("usd"), &json!("month")));
        assert_eq!((&budget["limit"], &budget["used"]), (&json!("25"), &json!("1.25")));
    }
}
