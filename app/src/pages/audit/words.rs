//! Describes in a sentence what an event changed.

use std::collections::BTreeMap;

use latchkey_domain::api::{ApplicationEnvironment, AuditChange, AuditEvent};
use latchkey_domain::audit::AuditAction;
use latchkey_domain::import::{KeyShape, Preset};
use latchkey_domain::key::Environment;
use latchkey_domain::role::Role;
use latchkey_domain::tier::Tier;
use latchkey_domain::time::Timestamp;
use serde_json::Value;

use crate::components::import_words::{preset_label, shape_in_words};
use latchkey_ui::relative_time::date;
use latchkey_ui::thousands;

/// Shown after the name of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// A plain text without a value.
    Words(String),
    /// The visible characters of a key.
    Masked(String),
}

/// What an event changed; nothing if the action already says it.
pub fn detail(event: &AuditEvent) -> Option<Detail> {
    let masked = event.changes.get("masked").and_then(|change| change.after.as_str());
    if let Some(masked) = masked {
        return Some(Detail::Masked(masked.replace("...", "…")));
    }
    if event.action == AuditAction::KeysImported {
        return imported(&event.changes).map(Detail::Words);
    }
    if event.action == AuditAction::KeyShapeCreated {
        return registered(&event.changes).map(Detail::Words);
    }
    let made = |change: &AuditChange| change.before.is_null();
    let mut event = event.clone();
    if matches!(event.action, AuditAction::KeyDisabled | AuditAction::KeyEnabled) {
        // The action is the word for this change.
        event.changes.remove("disabled");
    }
    let mut changes = event.changes.iter();
    match (changes.next(), event.changes.len()) {
        (None, _) => None,
        (Some((field, change)), 1) => Some(Detail::Words(one(field, change))),
        // The details of a created resource are not changes; an overridden limit is one.
        _ if event.action != AuditAction::LimitsChanged && event.changes.values().all(made) => {
            counts(&event.changes).map(Detail::Words)
        }
        _ => Some(Detail::Words(several(&event.changes))),
    }
}

/// “1,204 keys imported from LiteLLM”.
fn imported(changes: &BTreeMap<String, AuditChange>) -> Option<String> {
    let count = count("keys_imported", &changes.get("keys_imported")?.after)?;
    let preset = changes.get("preset").and_then(|change| change.after.as_str());
    Some(match preset.and_then(Preset::from_name) {
        Some(preset) => format!("{count} from {}", preset_label(preset)),
        None => count,
    })
}

/// “sk-…, 20 to 60 characters, base64url”.
fn registered(changes: &BTreeMap<String, AuditChange>) -> Option<String> {
    let shape = serde_json::from_value::<KeyShape>(changes.get("shape")?.after.clone());
    shape.ok().map(|shape| shape_in_words(&shape))
}

/// One field: “600 to 900 rpm”.
fn one(field: &str, change: &AuditChange) -> String {
    let AuditChange { before, after } = change;
    if let Some(count) = count(field, after) {
        return count;
    }
    if let Some(limit) = field.strip_prefix(KEY_DEFAULTS) {
        return format!("new keys: {}", one(limit, change));
    }
    match field {
        "description" | "metadata" => field.to_owned(),
        "name" => format!("was “{}”", value(field, before)),
        _ if before.is_null() && is_own_word(field) => value(field, after),
        _ if after.is_null() && field == "role" => format!("was {}", value(field, before)),
        _ => {
            let change = format!("{} to {}", value(field, before), value(field, after));
            let unit = unit(field);
            if unit.is_empty() { change } else { format!("{change} {unit}") }
        }
    }
}

/// What fields of a project's defaults for new keys begin with.
const KEY_DEFAULTS: &str = "key_defaults.";

/// Whether a new value is clear without the old one.
fn is_own_word(field: &str) -> bool {
    matches!(field, "role" | "environment" | "key_prefix" | "kind")
}

/// The number of resources that were affected too: “2 keys revoked”.
fn count(field: &str, after: &Value) -> Option<String> {
    let (thing, action) = match field {
        "keys_revoked" => ("key", "revoked"),
        "keys_imported" => ("key", "imported"),
        "keys_exported" => ("key", "exported"),
        "projects_deleted" => ("project", "deleted"),
        _ => return None,
    };
    let count = after.as_u64()?;
    let plural = if count == 1 { "" } else { "s" };
    Some(format!("{} {thing}{plural} {action}", thousands(count)))
}

fn counts(changes: &BTreeMap<String, AuditChange>) -> Option<String> {
    let counts = changes.iter().map(|(field, change)| count(field, &change.after));
    counts.collect::<Option<Vec<_>>>().map(|counts| counts.join(", "))
}

/// The fields that changed: “name, rate limit and expiry”.
fn several(changes: &BTreeMap<String, AuditChange>) -> String {
    let mut labels: Vec<&str> = Vec::new();
    for field in changes.keys() {
        let label = label(field);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    match labels.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => labels.join(""),
    }
}

/// The label of a field, as in the forms.
fn label(field: &str) -> &str {
    match field {
        "rpm" => "rate limit",
        "tpm" => "token rate",
        "max_parallel" => "calls at a time",
        "token_limit" | "token_limit_period" => "token budget",
        "spend_limit" | "spend_limit_period" => "spend limit",
        "allowed_models" => "models",
        "allowed_cidrs" => "allowed addresses",
        "expires_at" => "expiry",
        "external_id" => "external ID",
        "key_prefix" => "key prefix",
        defaults if defaults.starts_with(KEY_DEFAULTS) => "defaults of new keys",
        "application_id" => "application",
        "grace_seconds" => "grace period",
        "tier" => "plan",
        "keys_per_project" => "keys per project",
        "requests_per_month" => "requests a month",
        "telemetry_days" => "telemetry days",
        "telemetry_bytes" => "telemetry bytes",
        other => other,
    }
}

fn unit(field: &str) -> &'static str {
    match field {
        "rpm" => "rpm",
        "tpm" => "tpm",
        "max_parallel" => "calls at a time",
        "token_limit" => "tokens",
        "projects" => "projects",
        "keys_per_project" => "keys per project",
        "requests_per_month" => "requests a month",
        "telemetry_days" => "days of telemetry",
        "telemetry_bytes" => "bytes of telemetry",
        _ => "",
    }
}

/// A value as shown on pages.
fn value(field: &str, value: &Value) -> String {
    match value {
        Value::Null => match field {
            "expires_at" => "never",
            "allowed_cidrs" | "allowed_models" => "any",
            "projects" | "keys_per_project" | "requests_per_month" | "telemetry_days"
            | "telemetry_bytes" => "as the plan",
            _ => "none",
        }
        .to_owned(),
        Value::String(text) => text_value(field, text),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), thousands),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| self::value("", item)).collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

fn text_value(field: &str, text: &str) -> String {
    let label = match field {
        "role" => Role::from_name(text).map(Role::label),
        "tier" => Tier::ALL.into_iter().find(|tier| tier.as_str() == text).map(Tier::label),
        "environment" => Environment::from_name(text)
            .map(Environment::label)
            .or_else(|| ApplicationEnvironment::from_name(text).map(ApplicationEnvironment::label)),
        _ => None,
    };
    if let Some(label) = label {
        return label.to_owned();
    }
    match Timestamp::parse(text) {
        Ok(time) if field == "expires_at" => date(time),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(changes: Value) -> Option<Detail> {
        said_of("key.changed", changes)
    }

    fn said_of(action: &str, changes: Value) -> Option<Detail> {
        let mut event = json!({
            "id": "evt_01h455vb4pex5vsknk084sn02q",
            "at": "2026-05-14T14:28:03Z",
            "actor": { "kind": "person", "id": "usr_01h455vb4pex5vsknk084sn02q", "name": "priya-raman" },
            "action": action,
            "target": { "kind": "key", "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Web checkout" },
            "ip": null,
        });
        event["changes"] = changes;
        detail(&serde_json::from_value(event).unwrap())
    }

    fn words(changes: Value) -> String {
        match said(changes) {
            Some(Detail::Words(words)) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_changed_field_is_said_in_words() {
        for (field, before, after, expected) in [
            ("rpm", json!(600), json!(900), "600 to 900 rpm"),
            ("rpm", json!(null), json!(1_500), "none to 1,500 rpm"),
            ("token_limit", json!(5_000), json!(null), "5,000 to none tokens"),
            ("budgets", json!(null), json!("$5 a day"), "none to $5 a day"),
            ("key_defaults.rpm", json!(600), json!(900), "new keys: 600 to 900 rpm"),
            ("name", json!("Old"), json!("New"), "was “Old”"),
            ("role", json!("viewer"), json!("member"), "Viewer to Member"),
            ("role", json!(null), json!("admin"), "Admin"),
            ("role", json!("viewer"), json!(null), "was Viewer"),
            ("tier", json!("free"), json!("pro"), "Free to Pro"),
            ("environment", json!(null), json!("staging"), "Staging"),
            ("environment", json!("staging"), json!("production"), "Staging to Production"),
            ("key_prefix", json!("lk"), json!("uk"), "lk to uk"),
            ("expires_at", json!(null), json!("2026-08-12T23:59:59.000Z"), "never to Aug 12, 2026"),
            (
                "allowed_cidrs",
                json!(["10.0.0.0/8", "::1/128"]),
                json!(null),
                "10.0.0.0/8, ::1/128 to any",
            ),
            ("description", json!(""), json!("Long"), "description"),
            ("metadata", json!({}), json!({ "plan": "pro" }), "metadata"),
            ("tags", json!([]), json!(["beta", "eu"]), "none to beta, eu"),
            ("external_id", json!("cust_1"), json!(null), "cust_1 to none"),
            ("keys_revoked", json!(null), json!(1), "1 key revoked"),
        ] {
            let mut changes = json!({});
            changes[field] = json!({ "before": before, "after": after });
            assert_eq!(words(changes), expected, "{field}");
        }
    }

    #[test]
    fn several_changed_fields_are_named() {
        let changed = json!({ "before": 1, "after": 2 });
        assert_eq!(
            words(
                json!({ "name": changed, "rpm": changed, "token_limit": changed, "token_limit_period": changed })
            ),
            "name, rate limit and token budget"
        );
        let set = |count: u64| json!({ "before": null, "after": count });
        assert_eq!(
            words(json!({ "keys_revoked": set(3), "projects_deleted": set(1_000) })),
            "3 keys revoked, 1,000 projects deleted"
        );
    }

    #[test]
    fn import_says_how_many_keys_came_from_where() {
        let set = |value: Value| json!({ "before": null, "after": value });
        let words = |action, changes| match said_of(action, changes) {
            Some(Detail::Words(words)) => words,
            other => panic!("{other:?}"),
        };
        let count = json!({ "keys_imported": set(json!(1_204)) });
        assert_eq!(words("keys.imported", count), "1,204 keys imported");
        let from = json!({ "keys_imported": set(json!(1)), "preset": set(json!("litellm")) });
        assert_eq!(words("keys.imported", from), "1 key imported from LiteLLM");
        let shape =
            json!({ "prefix": "sk-", "min_length": 20, "max_length": 60, "alphabet": "hex" });
        let shape = json!({ "shape": set(shape) });
        assert_eq!(words("key_shape.created", shape), "sk-…, 20 to 60 characters, hexadecimal");
        assert_eq!(said_of("keys.exported", json!({})), None);
    }

    #[test]
    fn disabling_a_key_needs_no_further_word() {
        let mut event = json!({
            "id": "evt_01h455vb4pex5vsknk084sn02q", "at": "2026-05-14T14:28:03Z",
            "actor": { "kind": "person", "id": "usr_01h455vb4pex5vsknk084sn02q", "name": "priya-raman" },
            "action": "key.disabled",
            "target": { "kind": "key", "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Web checkout" },
            "ip": null, "changes": { "disabled": { "before": false, "after": true } },
        });
        assert_eq!(detail(&serde_json::from_value(event.clone()).unwrap()), None);
        event["changes"]["rpm"] = json!({ "before": null, "after": 5 });
        let said = detail(&serde_json::from_value(event).unwrap());
        assert_eq!(said, Some(Detail::Words("none to 5 rpm".to_owned())));
    }

    #[test]
    fn a_new_key_shows_its_visible_characters() {
        let masked = json!({ "before": null, "after": "lk_test_pR5c...0aHz" });
        let kind = json!({ "before": null, "after": "api" });
        let shown = said(json!({ "masked": masked, "kind": kind }));
        assert_eq!(shown, Some(Detail::Masked("lk_test_pR5c…0aHz".to_owned())));
        assert_eq!(said(json!({ "kind": kind, "environment": kind })), None);
        assert_eq!(said(json!({})), None);
    }
}
