//! LiteLLM: the table `LiteLLM_VerificationToken`, SHA-256 in hexadecimal.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::budget::{Budget, Budgets, UsdLimit};
use latchkey_domain::import::{Alphabet, ImportRow, Scheme};
use latchkey_domain::key::KeyKind;
use latchkey_domain::limit::{AllowList, Limit, ModelName, Period};
use latchkey_domain::money::Usd;
use latchkey_domain::problem::FieldError;

use super::forms::{SHA256_HEX, disabled};
use super::requests::{DAY, by_period};
use super::row::{ForeignRow, Names, refused, shape, tag};

/// Models that stand for others.
const ALL_MODELS: &str = "all-proxy-models";
const OTHERS: [&str; 2] = ["all-team-models", "no-default-models"];
/// Largest limit in dollars: a larger one stands for it.
const LARGEST: Usd = Usd::dollars(Budget::MAX_DOLLARS);
/// Decimal places of a limit in dollars.
const LIMIT_PLACES: usize = Budget::PLACES;
/// Decimal places of an amount that was spent.
const SPEND_PLACES: usize = latchkey_domain::money::MAX_PLACES;

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["token"])?;
    let alias = row.text(&["key_alias"]).or_else(|| row.text(&["key_name"])).unwrap_or_default();
    let fallback = if alias.is_empty() { "LiteLLM key" } else { alias.as_str() };
    let mut key = KeyRequest::new(row.name(&["key_alias"], fallback)?, KeyKind::Inference);
    key.expires_at = row.time(&["expires"])?;
    key.external_id = row.external_id(&["user_id"])?;
    key.tags = row.text(&["team_id"]).and_then(|team| tag(&format!("team:{team}")));
    key.metadata = row.metadata(&["metadata"])?;
    key.rpm = limit(row, &["rpm_limit"])?.map(Some);
    key.tpm = limit(row, &["tpm_limit"])?.map(Some);
    key.max_parallel = limit(row, &["max_parallel_requests"])?.map(Some);
    key.allowed_models = models(row)?;
    let budget = budget(row)?;
    let admits_nothing = budget.is_some_and(|(limit, _)| limit == Usd::ZERO);
    let dollars = budget.and_then(|(limit, period)| {
        UsdLimit::new(limit.min(LARGEST)).ok().map(|limit| Budget::usd(limit, period))
    });
    let tokens = limit(row, &["tpd_limit"])?.map(|limit| Budget::tokens(limit, Period::Day));
    let budgets = Budgets::of_any_number(dollars.into_iter().chain(tokens));
    key.budgets = (!budgets.is_empty()).then_some(Some(budgets));
    let spent = row.dollars(&["spend"], SPEND_PLACES)?;
    let is_plain = stored.expose().starts_with("sk-");
    Ok(ImportRow {
        scheme: Some(if is_plain { Scheme::Plaintext } else { SHA256_HEX }),
        hint: row.hint(&["key_name"]),
        status: disabled(row.flag(&["blocked"])? == Some(true) || admits_nothing),
        created_at: row.time(&["created_at"])?,
        last_used_at: row.time(&["last_active"])?,
        // Keys that people choose start with sk- too.
        shape: shape("token", "sk-", 7..=256, Alphabet::Visible)?,
        spent: spent.filter(|spent| dollars.is_some() && *spent > Usd::ZERO),
        ..ImportRow::new(key, stored)
    })
}

/// A token that was replaced and works until `revoke_at`: a key that expires then. Its limits are
/// those of the row's columns, which the export takes from the token that replaced it.
pub(super) fn deprecated(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let Some(end) = row.time(&["revoke_at"])? else {
        return Err(refused("revoke_at", "Export when the token stops working."));
    };
    let mut old = key(row)?;
    let name: String = old.key.name.as_str().chars().take(50).collect();
    old.key.name = row.name(&[], &format!("{name} (replaced)"))?;
    old.key.expires_at = Some(old.key.expires_at.map_or(end, |expiry| expiry.min(end)));
    // What is shown of the token that replaced it is not of this one.
    old.hint = None;
    old.last_used_at = None;
    Ok(old)
}

/// A limit of at most `MAX`. It has to admit something: `blocked` is for keys that may do nothing.
fn limit<const MAX: u64>(row: &ForeignRow, names: Names) -> Result<Option<Limit<MAX>>, FieldError> {
    let column = names.first().copied().unwrap_or_default();
    let zero = |_| refused(column, "Use a limit from 1, null for none, or set blocked.");
    let limit = row.whole(names)?.map(|limit| Limit::new(limit.min(MAX)));
    limit.transpose().map_err(zero)
}

#[expect(clippy::option_option, reason = "absent and null are not the same")]
fn models(row: &ForeignRow) -> Result<Option<Option<AllowList<ModelName>>>, FieldError> {
    let names = row.list(&["models"])?;
    if names.is_empty() || names.iter().any(|name| name == ALL_MODELS) {
        return Ok(None);
    }
    if let Some(name) = names.iter().find(|name| OTHERS.contains(&name.as_str())) {
        let message =
            format!("Write the models that {name} stands for, as the query in the docs does.");
        return Err(refused("models", message));
    }
    let models: Result<Vec<ModelName>, _> = names.iter().map(|name| name.parse()).collect();
    let models = models.map_err(|error| refused("models", error))?;
    let list = AllowList::new(models).map_err(|error| refused("models", error))?;
    Ok(Some(Some(list)))
}

/// Limit in dollars and the period in which it comes again.
fn budget(row: &ForeignRow) -> Result<Option<(Usd, Period)>, FieldError> {
    let Some(limit) = row.dollars(&["max_budget"], LIMIT_PLACES)? else { return Ok(None) };
    let Some(duration) = row.text(&["budget_duration"]) else {
        return Ok(Some((limit, Period::Total)));
    };
    let wrong =
        || refused("budget_duration", "Use a duration such as 30s, 5m, 24h, 7d, 30d or 1mo.");
    let millis = duration_millis(&duration).ok_or_else(wrong)?;
    // In millionths of a dollar, so that a scaled limit has no more places than a limit may have.
    let (period, millionths) = by_period(limit.billionths() / 1_000, millis);
    Ok(Some((Usd::from_billionths(millionths.saturating_mul(1_000)), period)))
}

/// Milliseconds of LiteLLM's durations.
fn duration_millis(duration: &str) -> Option<u64> {
    match duration.trim().to_ascii_lowercase().as_str() {
        "hourly" => return Some(3_600_000),
        "daily" => return Some(DAY),
        "weekly" => return Some(7 * DAY),
        "monthly" => return Some(30 * DAY),
        _ => {}
    }
    let duration = duration.trim();
    let digits = duration.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = duration.split_at_checked(digits)?;
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY,
        "w" => 7 * DAY,
        "mo" => 30 * DAY,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit).filter(|millis| *millis > 0)
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;
    use latchkey_domain::key::KeyStatus;

    use super::super::tests::{found, read};
    use super::*;

    const KEY: &str = "sk-u1F8vSdWnZ3yQb0rTgKxLA";
    const ROW: &str = r#"{"token": "1776393afb9a53d17814d662269e1deacaf1aab3be685a9bbb172f9e4fd4a7ca",
        "key_name": "sk-...KxLA", "key_alias": "checkout", "spend": 1.2345678901,
        "expires": "2027-01-01T00:00:00+00:00", "models": ["gpt-5", "claude-sonnet-5"],
        "user_id": "u1", "team_id": "t1", "max_parallel_requests": 3, "metadata": {"cost": "web"},
        "blocked": null, "tpm_limit": 1000, "rpm_limit": 60, "max_budget": 25.5,
        "budget_duration": "30d", "created_at": "2026-11-30 14:47:33.12", "last_active": null}"#;

    fn with(from: &str, to: &str) -> Result<ImportRow, FieldError> {
        assert!(ROW.contains(from));
        read(Preset::Litellm, &ROW.replace(from, to))
    }

    #[test]
    fn litellm_row_is_read_with_budget_and_spend() {
        let row = found(Preset::Litellm, ROW, KEY);
        assert_eq!(row.scheme.unwrap().to_string(), "sha256-hex");
        assert_eq!(row.hint.unwrap().as_str(), "sk-...KxLA");
        assert_eq!(row.key.name.as_str(), "checkout");
        assert_eq!(row.key.kind, KeyKind::Inference);
        assert_eq!(
            serde_json::to_string(&row.key.budgets.flatten().unwrap()).unwrap(),
            r#"[{"unit":"usd","limit":"25.5","period":"month"}]"#
        );
        assert_eq!(row.spent.unwrap().to_string(), "1.23456789");
        assert_eq!(row.key.rpm.flatten().unwrap().get(), 60);
        assert_eq!(row.key.tpm.flatten().unwrap().get(), 1000);
        assert_eq!(row.key.max_parallel.flatten().unwrap().get(), 3);
        assert_eq!(row.key.allowed_models.flatten().unwrap().as_slice().len(), 2);
        assert_eq!(row.key.tags.unwrap().as_slice()[0].as_str(), "team:t1");
        assert_eq!(row.status, None);
    }

    #[test]
    fn litellm_budget_follows_its_duration() {
        for (duration, period, limit) in [
            ("null", Period::Total, "25.5"),
            ("\"1h\"", Period::Hour, "25.5"),
            ("\"24h\"", Period::Day, "25.5"),
            ("\"7d\"", Period::Week, "25.5"),
            ("\"1mo\"", Period::Month, "25.5"),
            ("\"monthly\"", Period::Month, "25.5"),
            ("\"2d\"", Period::Week, "89.25"),
        ] {
            let row = with("\"30d\"", duration).unwrap();
            let budget = row.key.budgets.flatten().unwrap().as_slice()[0];
            assert_eq!((budget.period, budget.limit.to_string()), (period, format!("${limit}")));
        }
        for wrong in ["\"d\"", "\"30\"", "\"0d\"", "\"1y\"", "\"soon\""] {
            assert_eq!(with("\"30d\"", wrong).unwrap_err().field, "budget_duration");
        }
    }

    #[test]
    fn litellm_tokens_of_a_day_are_a_budget() {
        let row = with("\"blocked\": null", "\"tpd_limit\": \"500\"").unwrap();
        let budgets = row.key.budgets.flatten().unwrap();
        assert_eq!(budgets.token_limit().unwrap().1, Period::Day);
        assert_eq!(row.spent.unwrap().to_string(), "1.23456789");
    }

    #[test]
    fn litellm_key_that_may_do_nothing_is_disabled() {
        assert_eq!(with("25.5", "0.0").unwrap().status, Some(KeyStatus::Disabled));
        let blocked = with("\"blocked\": null", "\"blocked\": true").unwrap();
        assert_eq!(blocked.status, Some(KeyStatus::Disabled));
        assert_eq!(with("\"rpm_limit\": 60", "\"rpm_limit\": 0").unwrap_err().field, "rpm_limit");
    }

    #[test]
    fn litellm_models_that_stand_for_others_are_refused() {
        let all = with("\"gpt-5\"", "\"all-proxy-models\"").unwrap();
        assert_eq!(all.key.allowed_models, None);
        assert_eq!(with("\"gpt-5\"", "\"all-team-models\"").unwrap_err().field, "models");
        let csv = with("[\"gpt-5\", \"claude-sonnet-5\"]", "\"{gpt-5,claude-sonnet-5}\"").unwrap();
        assert_eq!(csv.key.allowed_models.flatten().unwrap().as_slice().len(), 2);
    }

    #[test]
    fn deprecated_token_expires_when_its_grace_ends() {
        let row = ROW.replace("\"last_active\": null", "\"revoke_at\": \"2026-12-01 00:00:00\"");
        let old = read(Preset::LitellmDeprecated, &row).unwrap();
        assert_eq!(old.key.expires_at.unwrap().to_string(), "2026-12-01T00:00:00.000Z");
        assert_eq!(old.key.name.as_str(), "checkout (replaced)");
        assert_eq!(old.hint, None);
        assert_eq!(read(Preset::LitellmDeprecated, ROW).unwrap_err().field, "revoke_at");
    }
}
